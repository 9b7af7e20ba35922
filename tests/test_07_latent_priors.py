"""Planted errors in the checks of notebook 07_latent_priors."""

from generated import generated_errors_fail, survivors_have_reasons
from played import (
    answers_are_marked,
    one_for_each_claim,
    other_seeds_are_kept,
    planted_errors_fail,
    sliders_move,
    three_for_each_id,
)

STEM = "07_latent_priors"
TRANSFORMER = ("transformer", "transformer-sums", "transformer-proof", "transformer-samples-proof")
TRANSFORMER_2 = ("transformer", "transformer-sums", "transformer-proof")
BITS_PARTS = ("bits-parts", "bits", "bits-proof")
SCORES_PARTS = ("scores-parts", "scores-drawn", "scores", "verdict-proof")
PIXELS_PARTS = ("pixels-parts", "pixels", "pixels-proof")
WHOLE_PARTS = ("whole-parts", "whole", "whole-proof")
TOY_BOUND = ("toy-bound", "toy-bound-proof")
TOY_SEEN = ("toy-seen", "toy-seen-proof")
SWAP_PARTS = ("swap-parts", "swap", "swap-proof")
CAUSES_CHECK = ("causes-check", "causes-check-proof")
SIZE = ("size", "size-check-proof")
HALVES_PARTS = ("halves-parts", "halves", "halves-proof")
LABELS_CHECK = ("labels-check", "labels-check-proof")
LABELS_FIGURE = ("labels-figure", "labels-figure-proof")
PLANTED = {
    "the parts of a code: the decoder's part": [
        ("per_dim(decoder_nats))", "per_dim(decoder_nats / 2))", *WHOLE_PARTS),
        ("per_dim(-log_px.double().cpu())", "per_dim(-log_px.double().cpu() / 2)", *WHOLE_PARTS),
    ],
    "true rows: both": [
        ('d[8] - found["real"]["distance"].value', 'found["real"]["distance"].value - d[8]', *SWAP_PARTS)
    ],
    "true rows: all rows true: recognised": [
        ('each["recognised"].value for', 'each["recognised"].value / 2 for', *SWAP_PARTS)
    ],
    "labels: the pictures": [
        (
            "vq.sample(300, labelled, generator=seeded(5), labels=wanted.to(device))",
            "vq.sample(300, labelled, generator=seeded(5), labels=(wanted.to(device) + 1) % 10)",
            *LABELS_FIGURE,
        )
    ],
    "labels: a page": [("(wanted.to(device) + k) % 10", "(wanted.to(device) + 1 - k) % 10", "labels-figure-proof")],
    "saved pages: the pages that": [("save_codes(path, vq, pages)", "save_codes(path, vq, pages.flip(0))", "save")],
    "saved pages: pages of another": [("load_codes(path, other)", "load_codes(path, vq)", "save")],
    "the transformer's samples: the transformer draws": [
        ("p = self(words)[:, -1]", "p = self(words)[:, 0]", *TRANSFORMER),
        ("[:, -1].softmax(-1)", "[:, -1].mul(2).softmax(-1)", *TRANSFORMER),
        ("words = pages.flatten(1)", "words = pages.flatten(1).flip(1)", *TRANSFORMER),
    ],
    "the transformer's samples: training drops": [("dropout=0.0", "dropout=0.1", *TRANSFORMER)],
    "AR-1: the transformer": [
        ("words[:, :-1]", "words[:, 1:]", *TRANSFORMER_2),
        (".log_softmax(-1)", ".log_softmax(1)", *TRANSFORMER_2),
        ("mask=mask, is_causal=self.causal", "mask=None, is_causal=False", *TRANSFORMER_2),
        (".sum((1, 2))", ".mean((1, 2))", *TRANSFORMER_2),
    ],
    "bits a word: unigram: entropy": [
        ("(counts + 1) / (counts.sum() + K)", "(counts + 1) / counts.sum()", *BITS_PARTS),
        ("torch.bincount(held_out.flatten()", "torch.bincount(pages.flatten()", *BITS_PARTS),
        ("torch.bincount(pages.flatten()", "torch.bincount(test_pages.flatten()", *BITS_PARTS),
        ("(counts + 1) / (counts.sum() + K)", "(counts + 1000) / (counts.sum() + 1000 * K)", *BITS_PARTS),
    ],
    "bits a word": [("nats / 64 / math.log(2)", "nats / 32 / math.log(2)", *BITS_PARTS)],
    "bits a word: every learned": [
        ('(word_bits["unigram"] - word_bits[arm])', '(word_bits[arm] - word_bits["unigram"])', *BITS_PARTS)
    ],
    "VQ-10: PixelCNN: nearer": [
        ('found["uniform"]["distance"]', 'found["gated"]["distance"]', "verdict-proof"),
        ('apart(found["uniform"]["distance"], ', 'apart(found["real"]["distance"], ', "verdict-proof"),
    ],
    "VQ-10: PixelCNN: more": [
        ('found["uniform"]["recognised"])', 'found["rebuilt"]["recognised"])', "verdict-proof"),
        ('found["uniform"]["recognised"])', 'found["gated"]["recognised"])', "verdict-proof"),
    ],
    "copies: rebuilt pages": [
        ('- found["rebuilt"]["recognised"]', '- found["PixelCNN"]["recognised"]', "verdict-proof")
    ],
    "copies: words shared": [(".sum(1).max()", ".sum(1).median()", *SCORES_PARTS)],
    "copies: copying shows": [("shared_words(pages[:20]", "shared_words(test_pages[:20]", "verdict-proof")],
    "copies: no prior copies": [
        ("prior.sample(N, (8, 8), generator=seeded(2))[:, 0].cpu()", "pages[:N]", *SCORES_PARTS)
    ],
    "copies: nor is": [
        (
            "prior.sample(N, (8, 8), generator=seeded(2))[:, 0].cpu()",
            "torch.cat((pages[:5], test_pages[5:N]))",
            *SCORES_PARTS,
        )
    ],
    "the likelihood of pixels: the pixels' likelihood": [
        ("(2 * x_hat - 1)", "(1 - 2 * x_hat)", *PIXELS_PARTS),
        ("(2 * x_hat - 1)", "(2 * x_hat - 1.1)", *PIXELS_PARTS),
    ],
    "the likelihood of pixels: no scale": [
        ("torch.linspace(-5, 0, 51)", "torch.linspace(-5, -3, 51)", *PIXELS_PARTS),
        ("likely.view(-1, len(tried)).argmax(1)", "likely.view(len(tried), -1).argmax(0)", *PIXELS_PARTS),
    ],
    "the parts of a code: every code": [
        ("decoded(test_pages[:N]).cpu()", "(1 - decoded(test_pages[:N]).cpu())", *WHOLE_PARTS)
    ],
    "all images listed: the prior": [("minlength=5) + 1.0", "minlength=5) + 10.0", *TOY_BOUND)],
    "all images listed: the model is": [
        ("(counted.double() / counted.double().sum())", "(counted.double() / len(noisy))", *TOY_BOUND),
        ("log_joint = log_prior + ", "log_joint = ", *TOY_BOUND),
    ],
    "AR-7: the two-part": [
        ("two_part = log_joint.gather", "two_part = (log_joint - log_prior).gather", *TOY_BOUND),
        ("exact - two_part, at_least=0", "two_part - exact, at_least=0", *TOY_BOUND),
        (
            "two_part = log_joint.gather(1, written[:, None])[:, 0]",
            "two_part = log_joint.gather(1, written[:, None])[:, 0] * math.log(2)",
            *TOY_BOUND,
        ),
    ],
    "AR-7: the slack": [
        ("log_joint.softmax(1)", "(log_joint - log_prior).softmax(1)", *TOY_BOUND),
        ("+ posterior.log()", "- posterior.log()", *TOY_BOUND),
    ],
    "AR-7: what is": [
        ("torch.multinomial(log_prior.exp(),", "torch.multinomial(torch.ones(5),", *TOY_SEEN),
        ("ink.logits.sigmoid()[word]", "(-ink.logits).sigmoid()[word]", *TOY_SEEN),
        (
            "torch.bernoulli(ink.logits.sigmoid()[word], generator=generator)",
            "(ink.logits[word] > 0).double()",
            *TOY_SEEN,
        ),
        ("two_part.exp().sum()", "exact.exp().sum()", "toy-bound", "toy-bound-proof", "toy-seen", "toy-seen-proof"),
    ],
    "the parts of a code: the model of pixels": [
        ("pixel_model.log_prob(part.long()", "pixel_model.log_prob(part.flip(-1).long()", *WHOLE_PARTS),
        ("per_dim(exact_nats))", "per_dim(1.1 * exact_nats))", *WHOLE_PARTS),
    ],
    "the parts of a code: the prior's part, from": [("/ 3072", "/ 1024", *WHOLE_PARTS)],
    "the parts of a code: learned priors": [
        ("mean()) for arm in arms]", 'mean()) for arm in ("PixelCNN", "uniform")]', *WHOLE_PARTS)
    ],
    "the parts of a code: the VAE's first": [
        ("(per_dim(kl.double().cpu())", "(per_dim(0 * kl.double().cpu())", *WHOLE_PARTS),
        ("(per_dim(kl.double().cpu())", "(-per_dim(kl.double().cpu())", *WHOLE_PARTS),
        (
            "(per_dim(kl.double().cpu()), per_dim(-log_px.double().cpu()))",
            "(per_dim(-log_px.double().cpu()), per_dim(kl.double().cpu()))",
            *WHOLE_PARTS,
        ),
    ],
    "true rows: the true rows": [(".expand(8, 8)", ".expand(8, 8).T", *SWAP_PARTS)],
    "true rows: the others are": [("row < r", "row <= r", *SWAP_PARTS)],
    "true rows: with all 8": [
        ("partly[best][8] == test_pages[:N]", "partly[best][8] == test_pages[1 : N + 1]", *SWAP_PARTS)
    ],
    "true rows: with drawn words": [
        ('apart(swapped[best][0]["distance"]', 'apart(swapped[best][8]["distance"]', *SWAP_PARTS)
    ],
    "true rows: rebuilt ones": [
        ("(decoded(held_out), data", "(data.as_float(test_set.x[:1000]).to(device), data", *SWAP_PARTS),
        ("compare.apart(*thousand)", "compare.apart(*reversed(thousand))", *SWAP_PARTS),
    ],
    "true rows: the prior's part is": [("to_prior - to_decoder", "to_decoder - to_prior", *SWAP_PARTS)],
    "the causes: the larger": [
        ("sizes_of[1] / sizes_of[0] - 2", "sizes_of[0] / sizes_of[1] - 2", *CAUSES_CHECK),
        ('"twice the parameters")]', '"twice the steps")]', *CAUSES_CHECK),
    ],
    "the causes: few images: a gap": [("other - own for", "own - other for", *CAUSES_CHECK)],
    "the causes: all images": [('gaps["as above"], 0.1', 'gaps["500 images"], 0.1', *CAUSES_CHECK)],
    "the causes: even then": [("spare = near[", "spare = -64 + near[", *CAUSES_CHECK)],
    "the causes: few images cost": [("before - other for", "other - before for", *CAUSES_CHECK)],
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
    "shorter pages: rebuilding": [
        ("F.mse_loss(back, real)", "F.l1_loss(back, real)", *SIZE),
        ("F.mse_loss(back, real)", "F.mse_loss(back, sampled)", *SIZE),
    ],
    "given halves: the share": [
        ("agreeing(below.values())", "agreeing([codes.flip(0) for codes in below.values()])", *HALVES_PARTS)
    ],
    "Bayes' rule: what the label": [
        ("log_p = log_each.logsumexp(0) - math.log(10)", "log_p = log_each.mean(0)", *LABELS_CHECK),
        ("log_each.logsumexp(0) - math.log(10)", "log_each.logsumexp(0)", *LABELS_CHECK),
        ("gather(0, test_set.y[None, :N])", "gather(0, named[None])", *LABELS_CHECK),
    ],
    "labels: the share": [
        ("== wanted)", "== wanted.flip(0))", *LABELS_FIGURE),
        ("arange(10).repeat(30)", "arange(10).repeat_interleave(30)", *LABELS_FIGURE),
    ],
    "given halves: what was given": [("mask=mask)", "mask=~mask)", *HALVES_PARTS)],
    "one word's reach: the corner": [
        ("with_word(0, 0, word)", "with_word(1, 1, word)", "edit-parts", "edit", "edit-proof")
    ],
}


test_planted_errors = planted_errors_fail
test_generated_errors = generated_errors_fail
test_survivors_have_reasons = survivors_have_reasons
test_every_claim_with_an_id_has_three_planted_errors = three_for_each_id
test_every_claim_has_a_planted_error = one_for_each_claim
test_every_slider_to_both_ends = sliders_move
test_stubs_pass_and_wrong_answers_fail = answers_are_marked
test_other_seeds_are_kept = other_seeds_are_kept
