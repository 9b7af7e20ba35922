"""Planted errors in the checks of notebook 07_latent_priors."""

from played import answers_are_marked, one_for_each_claim, planted_errors_fail, sliders_move, three_for_each_id

STEM = "07_latent_priors"
PLANTED = {
    "the pages that": [("save_codes(path, vq, pages)", "save_codes(path, vq, pages.flip(0))", "save")],
    "pages of another": [("load_codes(path, other)", "load_codes(path, vq)", "save")],
    "the transformer draws": [
        ("p = self(words)[:, -1]", "p = self(words)[:, 0]", "transformer", "transformer-samples"),
        ("[:, -1].softmax(-1)", "[:, -1].mul(2).softmax(-1)", "transformer", "transformer-samples"),
        ("words = pages.flatten(1)", "words = pages.flatten(1).flip(1)", "transformer", "transformer-samples"),
    ],
    "AR-1: the transformer": [
        ("words[:, :-1]", "words[:, 1:]", "transformer"),
        (".log_softmax(-1)", ".log_softmax(1)", "transformer"),
        ("mask=mask, is_causal=self.causal", "mask=None, is_causal=False", "transformer"),
        (".sum((1, 2))", ".mean((1, 2))", "transformer"),
    ],
    "unigram: entropy": [
        ("(counts + 1) / (counts.sum() + K)", "(counts + 1) / counts.sum()", "bits"),
        ("torch.bincount(held_out.flatten()", "torch.bincount(pages.flatten()", "bits"),
        ("torch.bincount(pages.flatten()", "torch.bincount(test_pages.flatten()", "bits"),
        ("(counts + 1) / (counts.sum() + K)", "(counts + 1000) / (counts.sum() + 1000 * K)", "bits"),
    ],
    "bits a word": [
        ("nats / 64 / math.log(2)", "nats / 64", "bits"),
        ("nats / 64 / math.log(2)", "nats / 32 / math.log(2)", "bits"),
    ],
    "every learned": [('(word_bits["unigram"] - word_bits[arm])', '(word_bits[arm] - word_bits["unigram"])', "bits")],
    "VQ-10: PixelCNN: nearer": [
        (
            'found["uniform"]["distance"], found[arm]["distance"]',
            'found[arm]["distance"], found["uniform"]["distance"]',
            "verdict",
        ),
        ('found["uniform"]["distance"]', 'found["gated"]["distance"]', "verdict"),
        ('apart(found["uniform"]["distance"], ', 'apart(found["real"]["distance"], ', "verdict"),
    ],
    "VQ-10: PixelCNN: more": [
        ('found["uniform"]["recognised"])', 'found["rebuilt"]["recognised"])', "verdict"),
        ('found["uniform"]["recognised"])', 'found["gated"]["recognised"])', "verdict"),
        ("labels=10)", "labels=11)", "scores", "verdict"),
    ],
    "rebuilt pages": [('- found["rebuilt"]["recognised"]', '- found["PixelCNN"]["recognised"]', "verdict")],
    "copying shows": [
        (".sum(1).max()", ".sum(1).min()", "scores", "verdict"),
        ("shared_words(pages[:20]", "shared_words(test_pages[:20]", "verdict"),
    ],
    "no prior copies": [
        (
            "prior.sample(N, (8, 8), generator=torch.Generator(device).manual_seed(2))[:, 0].cpu()",
            "pages[:N]",
            "scores",
            "verdict",
        )
    ],
    "nor is": [
        (
            "prior.sample(N, (8, 8), generator=torch.Generator(device).manual_seed(2))[:, 0].cpu()",
            "torch.cat((pages[:5], test_pages[5:N]))",
            "scores",
            "verdict",
        )
    ],
    "the pixels' likelihood": [
        ("(2 * x_hat - 1)", "(1 - 2 * x_hat)", "pixels"),
        ("(2 * x_hat - 1)", "(2 * x_hat - 1.1)", "pixels"),
        ("levels = 256", "levels = 257", "pixels"),
    ],
    "no scale": [
        ("torch.linspace(-5, 0, 51)", "torch.linspace(-5, -3, 51)", "pixels"),
        ("likely.view(-1, len(tried)).argmax(1)", "likely.view(len(tried), -1).argmax(0)", "pixels"),
    ],
    "every code": [("decoded(test_pages[:N]).cpu()", "(1 - decoded(test_pages[:N]).cpu())", "whole")],
    "no part": [("exact_nats = -torch.cat", "exact_nats = torch.cat", "whole")],
    "the model is": [
        ("(counted.double() / counted.double().sum())", "(counted.double() / len(noisy))", "toy-bound"),
        ("log_joint = log_prior + ", "log_joint = ", "toy-bound"),
    ],
    "AR-7: the two-part": [
        ("two_part = log_joint.gather", "two_part = (log_joint - log_prior).gather", "toy-bound"),
        ("exact - two_part, at_least=0", "two_part - exact, at_least=0", "toy-bound"),
        (
            "two_part = log_joint.gather(1, written[:, None])[:, 0]",
            "two_part = log_joint.gather(1, written[:, None])[:, 0] * math.log(2)",
            "toy-bound",
        ),
    ],
    "AR-7: the slack": [
        ("log_joint.softmax(1)", "(log_joint - log_prior).softmax(1)", "toy-bound"),
        ("log_joint.softmax(1)", "log_joint.softmax(0)", "toy-bound"),
        ("+ posterior.log()", "- posterior.log()", "toy-bound"),
    ],
    "AR-7: what is": [
        ("torch.multinomial(log_prior.exp(),", "torch.multinomial(torch.ones(5),", "toy-seen"),
        ("ink.logits.sigmoid()[word]", "(-ink.logits).sigmoid()[word]", "toy-seen"),
        (
            "torch.bernoulli(ink.logits.sigmoid()[word], generator=generator)",
            "(ink.logits[word] > 0).double()",
            "toy-seen",
        ),
        ("two_part.exp().sum()", "exact.exp().sum()", "toy-bound", "toy-seen"),
    ],
    "here both": [
        (
            'min(both_bounds) - float(sum(bits["PixelCNN on pixels"]).mean())',
            'float(sum(bits["PixelCNN on pixels"]).mean()) - min(both_bounds)',
            "whole",
        ),
        ('sum(bits["PixelCNN on pixels"])', 'sum(bits["VAE"])', "whole"),
        ("per_dim(exact_nats))", "per_dim(1.1 * exact_nats))", "whole"),
    ],
    "the prior's part, from": [("held.shape[1:]", "held.shape[2:]", "whole"), ("/ 3072", "/ 1024", "whole")],
    "learned priors": [("mean()) for arm in arms]", 'mean()) for arm in ("PixelCNN", "uniform")]', "whole")],
    "the VAE's first": [
        ("(per_dim(kl.double().cpu())", "(per_dim(0 * kl.double().cpu())", "whole"),
        ("(per_dim(kl.double().cpu())", "(-per_dim(kl.double().cpu())", "whole"),
        (
            "(per_dim(kl.double().cpu()), per_dim(-log_px.double().cpu()))",
            "(per_dim(-log_px.double().cpu()), per_dim(kl.double().cpu()))",
            "whole",
        ),
    ],
    "the true rows": [
        (
            'torch.where(row < r, test_pages[:N], drawn_pages["uniform"])',
            'torch.where(row < r, drawn_pages["uniform"], test_pages[:N])',
            "swap",
        ),
        (".expand(8, 8)", ".expand(8, 8).T", "swap"),
        ("mask=row < r", "mask=row > r", "swap"),
    ],
    "the others are": [("row < r", "row <= r", "swap")],
    "bits a word, as": [('cause_bits["as above"][1] - float', 'cause_bits["as above"][0] - float', "causes-check")],
    "with all 8": [("partly[best][8] == test_pages[:N]", "partly[best][8] == test_pages[1 : N + 1]", "swap")],
    "with drawn words": [('apart(swapped[best][0]["distance"]', 'apart(swapped[best][8]["distance"]', "swap")],
    "rebuilt ones": [
        ("(decoded(held_out), data", "(data.as_float(test_set.x[:1000]).to(device), data", "swap"),
        ("compare.apart(*thousand)", "compare.apart(*reversed(thousand))", "swap"),
    ],
    "the prior's part is": [("to_prior - to_decoder", "to_decoder - to_prior", "swap")],
    "few images": [("test_bits - train_bits", "train_bits - test_bits", "causes-check")],
    "all images": [('gaps["as above"], 0.1', 'gaps["1/24 of the images"], 0.1', "causes-check")],
    "even then": [("spare = usual - ", "spare = usual - 64 + 0 * ", "causes-check")],
    "a quarter of": [('worse["1/4 of the images"], 0.1', 'worse["1/24 of the images"], 0.1', "causes-check")],
    "the three": [('test_bits - cause_bits["as above"][1]', 'cause_bits["as above"][1] - test_bits', "causes-check")],
    "nothing is lost": [("F.pixel_shuffle(blocks[:100], 2)", "F.pixel_shuffle(blocks[:100].flip(1), 2)", "size")],
    "small pages": [
        ('lost["8 x 8"]["bits"] / lost["4 x 4"]["bits"]', 'lost["4 x 4"]["bits"] / lost["8 x 8"]["bits"]', "size-check")
    ],
    "and a worse": [
        (
            'lost["4 x 4"]["error"] / lost["8 x 8"]["error"]',
            'lost["8 x 8"]["error"] / lost["4 x 4"]["error"]',
            "size-check",
        )
    ],
    "of samples": [('["4 x 4"]["sampled"]["recognised"]', '["8 x 8"]["sampled"]["recognised"]', "size-check")],
    "and yet": [('["4 x 4"]["sampled"]["distance"], lost', '["4 x 4"]["rebuilt"]["recognised"], lost', "size-check")],
    "the past": [
        ("compare.mean_of(lower_drawn - upper_drawn)", "compare.mean_of(upper_drawn - lower_drawn)", "halves"),
        ("agreeing(below.values())", "agreeing([codes.flip(0) for codes in below.values()])", "halves"),
    ],
    "the labelled": [("log_each.argmax(0)", "log_each.argmin(0)", "labels-check")],
    "what the label": [
        ("(log_each.logsumexp(0) - math.log(10))", "log_each.mean(0)", "labels-check"),
        ("(log_each.logsumexp(0) - math.log(10))", "log_each.logsumexp(0)", "labels-check"),
        ("gather(0, test_set.y[None, :N])", "gather(0, named[None])", "labels-check"),
    ],
    "labels are": [("seen == wanted", "seen == wanted.flip(0)", "labels-figure")],
    "what was given": [("mask=mask)", "mask=~mask)", "halves")],
    "drawn words": [
        ("one, two = completed(~half, test_pages[:N], 6)", "one, two = completed(~half, test_pages[:N], 7)", "halves")
    ],
    "the corner": [("with_word(0, 0, word)", "with_word(1, 1, word)", "edit")],
}


test_planted_errors = planted_errors_fail
test_every_claim_with_an_id_has_three_planted_errors = three_for_each_id
test_every_claim_has_a_planted_error = one_for_each_claim
test_every_slider_to_both_ends = sliders_move
test_stubs_pass_and_wrong_answers_fail = answers_are_marked
