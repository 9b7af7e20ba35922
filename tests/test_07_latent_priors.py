"""Planted errors in the checks of notebook 07_latent_priors."""

from played import (
    answers_are_marked,
    one_for_each_claim,
    other_seeds_are_kept,
    planted_errors_fail,
    sliders_move,
    three_for_each_id,
)

STEM = "07_latent_priors"
PLANTED = {
    "saved pages: the pages that": [("save_codes(path, vq, pages)", "save_codes(path, vq, pages.flip(0))", "save")],
    "saved pages: pages of another": [("load_codes(path, other)", "load_codes(path, vq)", "save")],
    "the transformer's samples: the transformer draws": [
        (
            "p = self(words)[:, -1]",
            "p = self(words)[:, 0]",
            "transformer",
            "transformer-sums",
            "transformer-proof",
            "transformer-samples-proof",
        ),
        (
            "[:, -1].softmax(-1)",
            "[:, -1].mul(2).softmax(-1)",
            "transformer",
            "transformer-sums",
            "transformer-proof",
            "transformer-samples-proof",
        ),
        (
            "words = pages.flatten(1)",
            "words = pages.flatten(1).flip(1)",
            "transformer",
            "transformer-sums",
            "transformer-proof",
            "transformer-samples-proof",
        ),
    ],
    "the transformer's samples: training drops": [
        (
            "dropout=0.0",
            "dropout=0.1",
            "transformer",
            "transformer-sums",
            "transformer-proof",
            "transformer-samples-proof",
        )
    ],
    "AR-1: the transformer": [
        ("words[:, :-1]", "words[:, 1:]", "transformer", "transformer-sums", "transformer-proof"),
        (".log_softmax(-1)", ".log_softmax(1)", "transformer", "transformer-sums", "transformer-proof"),
        (
            "mask=mask, is_causal=self.causal",
            "mask=None, is_causal=False",
            "transformer",
            "transformer-sums",
            "transformer-proof",
        ),
        (".sum((1, 2))", ".mean((1, 2))", "transformer", "transformer-sums", "transformer-proof"),
    ],
    "bits a word: unigram: entropy": [
        ("(counts + 1) / (counts.sum() + K)", "(counts + 1) / counts.sum()", "bits-parts", "bits", "bits-proof"),
        ("torch.bincount(held_out.flatten()", "torch.bincount(pages.flatten()", "bits-parts", "bits", "bits-proof"),
        ("torch.bincount(pages.flatten()", "torch.bincount(test_pages.flatten()", "bits-parts", "bits", "bits-proof"),
        (
            "(counts + 1) / (counts.sum() + K)",
            "(counts + 1000) / (counts.sum() + 1000 * K)",
            "bits-parts",
            "bits",
            "bits-proof",
        ),
    ],
    "bits a word": [
        ("nats / 64 / math.log(2)", "nats / 64", "bits-parts", "bits", "bits-proof"),
        ("nats / 64 / math.log(2)", "nats / 32 / math.log(2)", "bits-parts", "bits", "bits-proof"),
    ],
    "bits a word: every learned": [
        (
            '(word_bits["unigram"] - word_bits[arm])',
            '(word_bits[arm] - word_bits["unigram"])',
            "bits-parts",
            "bits",
            "bits-proof",
        )
    ],
    "VQ-10: PixelCNN: nearer": [
        (
            'found["uniform"]["distance"], found[arm]["distance"]',
            'found[arm]["distance"], found["uniform"]["distance"]',
            "verdict-proof",
        ),
        ('found["uniform"]["distance"]', 'found["gated"]["distance"]', "verdict-proof"),
        ('apart(found["uniform"]["distance"], ', 'apart(found["real"]["distance"], ', "verdict-proof"),
    ],
    "VQ-10: PixelCNN: more": [
        ('found["uniform"]["recognised"])', 'found["rebuilt"]["recognised"])', "verdict-proof"),
        ('found["uniform"]["recognised"])', 'found["gated"]["recognised"])', "verdict-proof"),
        ("labels=10)", "labels=11)", "scores-parts", "scores-drawn", "scores", "verdict-proof"),
    ],
    "copies: rebuilt pages": [
        ('- found["rebuilt"]["recognised"]', '- found["PixelCNN"]["recognised"]', "verdict-proof")
    ],
    "copies: words shared": [
        (".sum(1).max()", ".sum(1).min()", "scores-parts", "scores-drawn", "scores", "verdict-proof"),
        (".sum(1).max()", ".sum(1).median()", "scores-parts", "scores-drawn", "scores", "verdict-proof"),
        ("(page == known)", "(page != known)", "scores-parts", "scores-drawn", "scores", "verdict-proof"),
    ],
    "copies: copying shows": [
        ("shared_words(pages[:20]", "shared_words(test_pages[:20]", "verdict-proof"),
    ],
    "copies: no prior copies": [
        (
            "prior.sample(N, (8, 8), generator=seeded(2))[:, 0].cpu()",
            "pages[:N]",
            "scores-parts",
            "scores-drawn",
            "scores",
            "verdict-proof",
        )
    ],
    "copies: nor is": [
        (
            "prior.sample(N, (8, 8), generator=seeded(2))[:, 0].cpu()",
            "torch.cat((pages[:5], test_pages[5:N]))",
            "scores-parts",
            "scores-drawn",
            "scores",
            "verdict-proof",
        )
    ],
    "the likelihood of pixels: the pixels' likelihood": [
        ("(2 * x_hat - 1)", "(1 - 2 * x_hat)", "pixels-parts", "pixels", "pixels-proof"),
        ("(2 * x_hat - 1)", "(2 * x_hat - 1.1)", "pixels-parts", "pixels", "pixels-proof"),
        ("levels = 256", "levels = 257", "pixels-parts", "pixels", "pixels-proof"),
    ],
    "the likelihood of pixels: no scale": [
        ("torch.linspace(-5, 0, 51)", "torch.linspace(-5, -3, 51)", "pixels-parts", "pixels", "pixels-proof"),
        (
            "likely.view(-1, len(tried)).argmax(1)",
            "likely.view(len(tried), -1).argmax(0)",
            "pixels-parts",
            "pixels",
            "pixels-proof",
        ),
    ],
    "the parts of a code: every code": [
        ("decoded(test_pages[:N]).cpu()", "(1 - decoded(test_pages[:N]).cpu())", "whole-parts", "whole", "whole-proof")
    ],
    "the parts of a code: no part": [
        ("exact_nats = (-torch.cat", "exact_nats = (torch.cat", "whole-parts", "whole", "whole-proof")
    ],
    "all images listed: the prior": [
        ("minlength=5) + 1.0", "minlength=5) + 0.0", "toy-bound", "toy-bound-proof"),
        ("minlength=5) + 1.0", "minlength=5) + 10.0", "toy-bound", "toy-bound-proof"),
    ],
    "all images listed: the model is": [
        (
            "(counted.double() / counted.double().sum())",
            "(counted.double() / len(noisy))",
            "toy-bound",
            "toy-bound-proof",
        ),
        ("log_joint = log_prior + ", "log_joint = ", "toy-bound", "toy-bound-proof"),
    ],
    "AR-7: the two-part": [
        ("two_part = log_joint.gather", "two_part = (log_joint - log_prior).gather", "toy-bound", "toy-bound-proof"),
        ("exact - two_part, at_least=0", "two_part - exact, at_least=0", "toy-bound", "toy-bound-proof"),
        (
            "two_part = log_joint.gather(1, written[:, None])[:, 0]",
            "two_part = log_joint.gather(1, written[:, None])[:, 0] * math.log(2)",
            "toy-bound",
            "toy-bound-proof",
        ),
    ],
    "AR-7: the slack": [
        ("log_joint.softmax(1)", "(log_joint - log_prior).softmax(1)", "toy-bound", "toy-bound-proof"),
        ("log_joint.softmax(1)", "log_joint.softmax(0)", "toy-bound", "toy-bound-proof"),
        ("+ posterior.log()", "- posterior.log()", "toy-bound", "toy-bound-proof"),
    ],
    "AR-7: what is": [
        ("torch.multinomial(log_prior.exp(),", "torch.multinomial(torch.ones(5),", "toy-seen", "toy-seen-proof"),
        ("ink.logits.sigmoid()[word]", "(-ink.logits).sigmoid()[word]", "toy-seen", "toy-seen-proof"),
        (
            "torch.bernoulli(ink.logits.sigmoid()[word], generator=generator)",
            "(ink.logits[word] > 0).double()",
            "toy-seen",
            "toy-seen-proof",
        ),
        ("two_part.exp().sum()", "exact.exp().sum()", "toy-bound", "toy-bound-proof", "toy-seen", "toy-seen-proof"),
    ],
    "the parts of a code: the model of pixels": [
        (
            "pixel_model.log_prob(part.long()",
            "pixel_model.log_prob(part.flip(-1).long()",
            "whole-parts",
            "whole",
            "whole-proof",
        ),
        (
            "(torch.zeros(N).double(), per_dim(exact_nats))",
            "(torch.ones(N).double(), per_dim(exact_nats))",
            "whole-parts",
            "whole",
            "whole-proof",
        ),
        ("per_dim(exact_nats))", "per_dim(1.1 * exact_nats))", "whole-parts", "whole", "whole-proof"),
    ],
    "the parts of a code: the prior's part, from": [
        ("held.shape[1:]", "held.shape[2:]", "whole-parts", "whole", "whole-proof"),
        ("/ 3072", "/ 1024", "whole-parts", "whole", "whole-proof"),
    ],
    "the parts of a code: learned priors": [
        (
            "mean()) for arm in arms]",
            'mean()) for arm in ("PixelCNN", "uniform")]',
            "whole-parts",
            "whole",
            "whole-proof",
        )
    ],
    "the parts of a code: the VAE's first": [
        ("(per_dim(kl.double().cpu())", "(per_dim(0 * kl.double().cpu())", "whole-parts", "whole", "whole-proof"),
        ("(per_dim(kl.double().cpu())", "(-per_dim(kl.double().cpu())", "whole-parts", "whole", "whole-proof"),
        (
            "(per_dim(kl.double().cpu()), per_dim(-log_px.double().cpu()))",
            "(per_dim(-log_px.double().cpu()), per_dim(kl.double().cpu()))",
            "whole-parts",
            "whole",
            "whole-proof",
        ),
    ],
    "true rows: the true rows": [
        (
            'torch.where(row < r, test_pages[:N], drawn_pages["uniform"])',
            'torch.where(row < r, drawn_pages["uniform"], test_pages[:N])',
            "swap-parts",
            "swap",
            "swap-proof",
        ),
        (".expand(8, 8)", ".expand(8, 8).T", "swap-parts", "swap", "swap-proof"),
        ("mask=row < r", "mask=row > r", "swap-parts", "swap", "swap-proof"),
    ],
    "true rows: the others are": [("row < r", "row <= r", "swap-parts", "swap", "swap-proof")],
    "the causes: bits a word, as": [
        ('cause_bits["as above"][1] - float', 'cause_bits["as above"][0] - float', "causes-check", "causes-check-proof")
    ],
    "true rows: with all 8": [
        (
            "partly[best][8] == test_pages[:N]",
            "partly[best][8] == test_pages[1 : N + 1]",
            "swap-parts",
            "swap",
            "swap-proof",
        )
    ],
    "true rows: with drawn words": [
        ('apart(swapped[best][0]["distance"]', 'apart(swapped[best][8]["distance"]', "swap-parts", "swap", "swap-proof")
    ],
    "true rows: rebuilt ones": [
        (
            "(decoded(held_out), data",
            "(data.as_float(test_set.x[:1000]).to(device), data",
            "swap-parts",
            "swap",
            "swap-proof",
        ),
        ("compare.apart(*thousand)", "compare.apart(*reversed(thousand))", "swap-parts", "swap", "swap-proof"),
    ],
    "true rows: the prior's part is": [
        ("to_prior - to_decoder", "to_decoder - to_prior", "swap-parts", "swap", "swap-proof")
    ],
    "the causes: the larger": [
        ("sizes_of[1] / sizes_of[0] - 2", "sizes_of[0] / sizes_of[1] - 2", "causes-check", "causes-check-proof"),
        ('"twice the parameters")]', '"twice the steps")]', "causes-check", "causes-check-proof"),
    ],
    "the causes: few images: a gap": [("other - own for", "own - other for", "causes-check", "causes-check-proof")],
    "the causes: all images": [
        ('gaps["as above"], 0.1', 'gaps["500 images"], 0.1', "causes-check", "causes-check-proof")
    ],
    "the causes: even then": [("spare = near[", "spare = -64 + near[", "causes-check", "causes-check-proof")],
    "the causes: few images cost": [
        (
            "before - other for",
            "other - before for",
            "causes-check",
            "causes-check-proof",
        )
    ],
    "blocks into channels: nothing is lost": [
        (
            "F.pixel_shuffle(blocks[:100], 2)",
            "F.pixel_shuffle(blocks[:100].flip(1), 2)",
            "size-parts",
            "size",
            "size-proof",
        )
    ],
    "shorter pages: small pages": [
        (
            'lost["8 x 8"]["bits"] / lost["4 x 4"]["bits"]',
            'lost["4 x 4"]["bits"] / lost["8 x 8"]["bits"]',
            "size-check",
            "size-check-proof",
        )
    ],
    "shorter pages: and a worse": [
        (
            'lost["4 x 4"]["error"] / lost["8 x 8"]["error"]',
            'lost["8 x 8"]["error"] / lost["4 x 4"]["error"]',
            "size-check",
            "size-check-proof",
        )
    ],
    "given halves: the share": [
        (
            "(seen == test_set.y[: len(many)])",
            "(seen != test_set.y[: len(many)])",
            "halves-parts",
            "halves",
            "halves-proof",
        ),
        (
            "agreeing(below.values())",
            "agreeing([codes.flip(0) for codes in below.values()])",
            "halves-parts",
            "halves",
            "halves-proof",
        ),
    ],
    "Bayes' rule: the labelled": [("log_each.argmax(0)", "log_each.argmin(0)", "labels-check", "labels-check-proof")],
    "Bayes' rule: the share": [("(named == test", "(named != test", "labels-check", "labels-check-proof")],
    "Bayes' rule: what the label": [
        (
            "log_p = log_each.logsumexp(0) - math.log(10)",
            "log_p = log_each.mean(0)",
            "labels-check",
            "labels-check-proof",
        ),
        ("log_each.logsumexp(0) - math.log(10)", "log_each.logsumexp(0)", "labels-check", "labels-check-proof"),
        ("gather(0, test_set.y[None, :N])", "gather(0, named[None])", "labels-check", "labels-check-proof"),
    ],
    "labels: the share": [
        ("== wanted)", "== wanted.flip(0))", "labels-figure", "labels-figure-proof"),
        ("[:, :10].argmax(1).cpu()\n", "[:, :10].argmin(1).cpu()\n", "labels-figure", "labels-figure-proof"),
        ("arange(10).repeat(30)", "arange(10).repeat_interleave(30)", "labels-figure", "labels-figure-proof"),
    ],
    "given halves: what was given": [("mask=mask)", "mask=~mask)", "halves-parts", "halves", "halves-proof")],
    "given halves: drawn words": [
        (
            "one, two = (completed(~half, test_pages[:N], 6)",
            "one, two = (completed(~half, test_pages[:N], 7)",
            "halves-parts",
            "halves",
            "halves-proof",
        )
    ],
    "one word's reach: the corner": [
        ("with_word(0, 0, word)", "with_word(1, 1, word)", "edit-parts", "edit", "edit-proof")
    ],
}


test_planted_errors = planted_errors_fail
test_every_claim_with_an_id_has_three_planted_errors = three_for_each_id
test_every_claim_has_a_planted_error = one_for_each_claim
test_every_slider_to_both_ends = sliders_move
test_stubs_pass_and_wrong_answers_fail = answers_are_marked
test_other_seeds_are_kept = other_seeds_are_kept
