"""Planted errors in the checks of notebook 05_vq_vae."""

from generated import generated_errors_fail, survivors_have_reasons
from played import (
    answers_are_marked,
    one_for_each_claim,
    other_seeds_are_kept,
    planted_errors_fail,
    sliders_move,
    three_for_each_id,
)

STEM = "05_vq_vae"
CODEBOOK = ("codebook", "codebook-proof")
FLATTEN = ("flatten", "flatten-proof")
DISTANCE = ("distance", "distance-proof")
PRECISION = ("precision", "precision-proof")
LOOKUP = ("lookup", "lookup-proof")
LOSS = ("loss", "loss-parts", "loss-heard", "loss-check-proof")
VAELIB = ("equal-to-vaelib", "equal-to-vaelib-proof")
BIAS = ("bias-parts", "bias", "bias-proof")
EMA = ("ema", "ema-proof")
PERPLEXITY = ("perplexity", "perplexity-proof")
RING = ("cells-ring", "cells", "cells-proof")
FSQ = ("fsq", "fsq-proof")
COMPARE = ("compare-parts", "compare", "compare-proof")
BATCH = ("batch-or-set", "batch-or-set-proof")
KL = ("constant-kl", "constant-kl-proof")
JUDGE = ("judge", "judge-proof")
GENERATE = ("generate", "generate-scores", "generate-proof")
HEALTH = ("health-figure", "health-figure-proof")
PLANTED = {
    "the digits of VQ-3: by plain": [("(plain != nearest_k)", "(plain != plain)", "precision-proof")],
    "VQ-5: straight through": [
        ("e.detach() + (z_e - z_e.detach())", "e.detach() - (z_e - z_e.detach())", *LOSS),
        ("e.detach() + (z_e - z_e.detach())", "e.detach() + 2 * (z_e - z_e.detach())", *LOSS),
        ("encoder.weight, to_words,", "encoder.weight, -to_words,", *LOSS),
    ],
    "VQ-5: how loud": [
        ("float(g.norm())", "3 * float(g.norm())", *LOSS),
        ("float(g.norm())", "float(g.norm(1))", *LOSS),
        ("float(g.norm())", "float(g.square().sum())", *LOSS),
    ],
    "VQ-5: β on the wrong": [
        ("misplaced = (z_e", "misplaced = 2 * (z_e", *LOSS),
        ("misplaced = (z_e - e_k", "misplaced = (z_e + e_k", *LOSS),
        ("misplaced = (z_e", "misplaced = 0.25 * (z_e", *LOSS),
    ],
    "VQ-6: the bias: the curve": [
        ("(places.tolist(), exact.tolist())", "(places.tolist(), (-exact).tolist())", *BIAS),
        ("(places.tolist(), straight.tolist())", "((places + 0.5).tolist(), straight.tolist())", *BIAS),
        ("(places.tolist(), straight.tolist())", "(places.tolist(), exact.tolist())", *BIAS),
    ],
    "VQ-6: the bias: the largest": [
        ("bias[tau] = float(", "bias[tau] = 0.1 * float(", *BIAS),
        ("(straight - exact).abs().max())\n    lines", "(straight - exact).abs().mean())\n    lines", *BIAS),
        ("(straight - exact).abs().max())\n    lines", "(straight - exact).abs().median())\n    lines", *BIAS),
    ],
    "the encoder held still: no batch": [("hold=True, record=record", "record=record", "still", "still-proof")],
    "the encoder held still: its": [("hold=True, steps=3", "steps=3", "still-proof")],
    "error, rate and sharpness: the VAE's pictures": [
        ("vae.decode(q.rsample(torch.Generator(device).manual_seed(0)))", "vae.decode(q.mean)", *COMPARE)
    ],
    "VQ-9: an image against": [
        ("by_use = 64 *", "by_use = 32 *", *KL),
        ("against_unigram / math.log(2)", "against_unigram", *KL),
        ("by_use = 64 *", "by_use = 64 +", *KL),
    ],
    "VQ-10: un": [
        ("torch.multinomial(probabilities,", "torch.multinomial(torch.ones(64),", *GENERATE),
        ("torch.multinomial(probabilities,", "torch.multinomial(probabilities.flip(0),", *GENERATE),
        ("torch.randint(64, (1000", "torch.randint(32, (1000", *GENERATE),
    ],
    "real images to the judge": [
        ('recognised["real"].value, at_least', 'recognised["uniform"].value, at_least', "generate-proof")
    ],
    "VQ-1": [
        ("embedding(page).detach()", "embedding(page).detach() + page[..., None]", *CODEBOOK),
        ("codebook[int(k)] for", "codebook[int(k) - 1] for", *CODEBOOK),
        ("embedding(page).detach()", "embedding(page.flip(0)).detach()", *CODEBOOK),
    ],
    "VQ-2: each entry": [("1000 * b", "10 * b", *FLATTEN), ("100 * d", "10 * d", *FLATTEN)],
    "VQ-2: the entries": [("tagged.permute(0, 2, 3, 1)", "tagged.permute(0, 3, 1, 2)", *FLATTEN)],
    "VQ-2: they are": [
        ("tagged.permute(0, 2, 3, 1)", "tagged.permute(0, 2, 3, 1).flip(-1)", *FLATTEN),
        ("flat // 100 % 10", "flat // 10 % 10", *FLATTEN),
    ],
    "VQ-2: and back": [("reshape(B, H, W, D).permute(0, 3, 1, 2)", "reshape(B, D, H, W)", *FLATTEN)],
    "VQ-3: the expansion": [("e.square().sum(1)", "e.norm(dim=1)", *DISTANCE)],
    "VQ-3: and with": [("2 * p * q + q**2", "2 * p * q", *DISTANCE)],
    "VQ-3: the nearest": [("squared_distances(z, codebook).argmin(1)", "(-z @ codebook.T).argmin(1)", *DISTANCE)],
    "the digits of VQ-3: far from 0": [
        ("(z + shift).float(), (codebook + shift).float()", "z + shift, codebook + shift", *PRECISION)
    ],
    "the digits of VQ-3: in 16 bits": [("z.bfloat16(), codebook.bfloat16()", "z, codebook", *PRECISION)],
    "the digits of VQ-3: though most": [("codebook.bfloat16()", "codebook.flip(0).bfloat16()", *PRECISION)],
    "VQ-4: one-hot": [
        ("- codebook[nearest_k], 0", "- codebook[nearest_k - 1], 0", *LOOKUP),
        ("one_hot @ codebook -", "one_hot @ codebook.flip(0) -", *LOOKUP),
        ("F.one_hot(nearest_k, K)", "F.one_hot(nearest_k.flip(0), K)", *LOOKUP),
    ],
    "VQ-4: with the same": [("one_hot @ by_product * weights", "one_hot @ by_product / K * weights", *LOOKUP)],
    "VQ-4: for each": [("weights[nearest_k == k].sum(0)", "weights[nearest_k == k].mean(0)", *LOOKUP)],
    "VQ-5: value of the reconstruction": [("(x - decoder(z_q)).square()", "(x - decoder(z_q)).abs()", *LOSS)],
    "VQ-5: value of the codebook": [
        ("(z_e.detach() - e).square().mean(), beta *", "beta * (z_e.detach() - e).square().mean(), 1 *", *LOSS)
    ],
    "VQ-5: value of the commitment": [("(z_e - e.detach()).square()", "(z_e - e.detach()).abs()", *LOSS)],
    "VQ-5: the reconstruction": [
        ("z_q = e.detach() + (z_e - z_e.detach())", "z_q = e", *LOSS),
        ("z_q = e.detach() + (z_e - z_e.detach())", "z_q = e.detach()", *LOSS),
    ],
    "VQ-5: the codebook": [
        ("(z_e.detach() - e).square().mean(), beta", "(z_e - e.detach()).square().mean(), beta", *LOSS),
        (
            "(z_e.detach() - e).square().mean(), beta",
            "(z_e.detach() - e + (z_e - z_e.detach())).square().mean(), beta",
            *LOSS,
        ),
    ],
    "VQ-5: the commitment": [
        ("beta * (z_e - e.detach())", "beta * (z_e.detach() - e)", *LOSS),
        ("beta * (z_e - e.detach())", "beta * (z_e - e.detach() + (e - e.detach()))", *LOSS),
    ],
    "VQ-5: β moves": [
        ("beta * (z_e -", "0.25 * (z_e -", *LOSS),
        ("beta * (z_e -", "4 * beta**2 * (z_e -", *LOSS),
        ("beta * (z_e -", "0.5 * beta**0.5 * (z_e -", *LOSS),
    ],
    "VQ-5: and not": [
        ("reconstruction, (z_e.detach()", "reconstruction, 4 * beta * (z_e.detach()", *LOSS),
        ("reconstruction, (z_e.detach()", "reconstruction, (0.75 + beta) * (z_e.detach()", *LOSS),
        ("reconstruction, (z_e.detach()", "reconstruction, 16 * beta**2 * (z_e.detach()", *LOSS),
    ],
    "vaelib's quantizer: with the same vectors": [
        ("(e.detach() + (rows - rows.detach()))", "(e.detach() + rows)", *VAELIB)
    ],
    "VQ-6: the gradient": [
        (
            "(to_encoder,) = torch.autograd.grad((quantizer",
            "(to_encoder,) = torch.autograd.grad((2 * quantizer",
            "straight-proof",
        ),
        ("z_q = ours.z_q.detach()", "z_q = maps.detach()", "straight-proof"),
    ],
    "VQ-6: forward": [
        ("quantizer.lookup(ours.codes)", "maps.detach()", "straight-proof"),
        ("quantizer.lookup(ours.codes)", "quantizer.lookup(ours.codes.flip(0))", "straight-proof"),
        ("quantizer.lookup(ours.codes)", "quantizer.lookup(ours.codes) * (1 + 1e-9)", "straight-proof"),
    ],
    "VQ-6: the true": [
        ("nudge = 1e-6 *", "nudge = 1.0 *", "straight-proof"),
        ("((quantizer(m).z_q.sin()", "((m.sin()", "straight-proof"),
        ("(maps, maps + nudge)", "(maps, maps + 1000 * nudge.sign())", "straight-proof"),
    ],
    "VQ-6: straight-through predicts": [
        ("((to_encoder * nudge).sum() - moved", "((-to_encoder * nudge).sum() - moved", "straight-proof")
    ],
    "VQ-6: which is": [
        ("moved_directly.abs() / 1e-6", "(there - here).detach().abs() / 1e-6", "straight-proof"),
        ("moved_directly.abs() / 1e-6", "moved_directly.abs() / 1e-3", "straight-proof"),
        ("moved_directly.abs() / 1e-6", "(to_encoder * nudge).sum() - moved_directly", "straight-proof"),
    ],
    "VQ-6: the bias: q(k|z)": [("/ (2 * tau**2)", "/ (2 * tau)", *BIAS)],
    "VQ-6: the bias: exact": [
        (".sum(-1) / 2e-5", ".sum(-1) / 1e-5", *BIAS),
        (
            "torch.autograd.grad((chances(at, tau) * f(line)).sum(), at)",
            "[(chances(at, tau) * slope(line)).sum(-1)]",
            *BIAS,
        ),
    ],
    "VQ-6: the bias: straight": [("tau) * slope(line)", "tau) * f(line)", *BIAS)],
    "VQ-6: the bias: z goes": [
        ("linspace(-2, 2,", "linspace(0, 2,", *BIAS),
        ("linspace(-2, 2,", "linspace(-1, 1,", *BIAS),
    ],
    "VQ-6: the bias: with noise": [("bias[tau] = float((straight - exact)", "bias[tau] = float(straight", *BIAS)],
    "VQ-6: the bias: with little": [
        ("bias[tau] = float((straight - exact)", "bias[tau] = float((exact - exact)", *BIAS),
        ("bias[0.2], at_least", "bias[1.0], at_least", *BIAS),
    ],
    "VQ-6: the bias: for f": [
        ('cos(6 e), by finite differences", exact -', 'cos(6 e), by finite differences", straight -', *BIAS),
        ('cos(6 e), by finite differences", exact -', 'cos(6 e), by finite differences", -exact -', *BIAS),
        ('cos(6 e), by finite differences", exact -', 'cos(6 e), by finite differences", 2 * exact -', *BIAS),
    ],
    "VQ-6: the bias: a function": [
        (
            "torch.cos(6 * e), lambda e: -6 * torch.sin(6 * e)",
            "torch.cos(e / 2), lambda e: -torch.sin(e / 2) / 2",
            *BIAS,
        ),
        ("torch.cos(6 * e), lambda e: -6 * torch.sin(6 * e)", "e, lambda e: torch.ones_like(e)", *BIAS),
        ("-6 * torch.sin(6 * e), 1.0)", "-6 * torch.sin(6 * e), 1.0)\n    straight = exact", *BIAS),
    ],
    "VQ-8: with γ = 0,": [("decay=0.0", "decay=0.01", *EMA)],
    "VQ-8: with γ = 0.9": [("m = 0.9 * m + 0.1", "m = 0.1 * m + 0.9", *EMA), ("chosen.sum(0)", "chosen.mean(0)", *EMA)],
    "VQ-8: and n": [
        ("100 * averaging.size - n", "100 * averaging.size.sqrt() - n", *EMA),
        ("100 * averaging.size - n", "100 * averaging.size - n.flip(0)", *EMA),
    ],
    "VQ-8: the codebook": [
        ("pull - 2 * counts", "pull - counts", *EMA),
        ("pull - 2 * counts", "pull + 2 * counts", *EMA),
    ],
    "VQ-7: one": [
        ("torch.full((9,), 3), 64) - 1", "torch.arange(9), 64) - 1", *PERPLEXITY),
        ("perplexity(torch.full((9,), 3), 64) - 1", "math.log(perplexity(torch.full((9,), 3), 64)) - 1", *PERPLEXITY),
    ],
    "VQ-7: all": [
        ("torch.arange(640) % 64, 64) - 64", "torch.arange(640) % 32, 64) - 64", *PERPLEXITY),
        ("% 64, 64) - 64", "% 64, 64) - math.log(64)", *PERPLEXITY),
    ],
    "VQ-7: by SciPy": [
        ("scipy.stats.entropy(shares.numpy())", "scipy.stats.entropy(shares.numpy(), base=2)", *PERPLEXITY),
        ("shares = torch.bincount", "shares = 1 + torch.bincount", *PERPLEXITY),
        ("math.exp(scipy", "(scipy", *PERPLEXITY),
    ],
    "VQ-7: 2 raised": [("0.5 * (1 + math.log2(32))", "0.5 * math.log2(32)", *PERPLEXITY)],
    "the ring's codebooks: seven points": [("4 + 2.2 * radius", "2.2 * radius", *RING)],
    "the ring's codebooks: random starts": [('"random start": {}', '"random start": {"below": 0.5}', *RING)],
    "the ring's codebooks: both cures": [('"from data": {"from_data": True}', '"from data": {}', *RING)],
    "the ring's codebooks: no codebook": [("inertia_ / len(ring)", "inertia_ / 1000", *RING)],
    "the ring's codebooks: and revival": [('{"below": 0.5}', '{"from_data": True}', *RING)],
    "the cures: with revival": [("values[short // 2 :]", "values", *HEALTH)],
    "the cures: without any": [('late["by gradient"]', 'late["+ revival"]', *HEALTH)],
    "FSQ: vaelib's words": [("L ** torch.arange(z.shape[1])", "L ** torch.arange(z.shape[1]).flip(0)", *FSQ)],
    "FSQ: and values": [("/ (L - 1) - 1, words", "/ L - 1, words", *FSQ)],
    "FSQ: and gradients": [("(r - r.detach())", "0 * r", *FSQ)],
    "FSQ: every z_q": [("levels_hit = 1.5 * (", "levels_hit = 2 * (", *FSQ)],
    "FSQ: lookup finds": [("scalar.lookup(rounded.codes)", "scalar.lookup(63 - rounded.codes)", *FSQ)],
    "error, rate and sharpness: VQ-VAE: bits": [
        ("64 * math.log2(perplexity(codes, 64))", "64 * math.log(perplexity(codes, 64))", *COMPARE),
        ("64 * math.log2(perplexity(codes, 64))", "BITS", *COMPARE),
    ],
    "error, rate and sharpness: VQ-VAE: error of hues": [
        ("(hue_hat - hue)", "(x_hat - held_out)", *COMPARE),
        ("/ hue.var()", "/ held_out.var()", *COMPARE),
    ],
    "error, rate and sharpness: hues lose": [
        (
            "float(hue_errors[k]) / float(errors[k].mean()) for",
            "float(errors[k].mean()) / float(hue_errors[k]) for",
            *COMPARE,
        )
    ],
    "error, rate and sharpness: all three are blurred": [
        ("vae.decode(q.rsample(torch.Generator(device).manual_seed(0))).mean + 0.5", "held_out", *COMPARE)
    ],
    "error, rate and sharpness: VQ-VAE: sharpness": [("x.diff(dim=-2)", "x.diff(dim=1)", *COMPARE)],
    "a perplexity of what: few words": [(".view(-1, 64)", ".view(-1, 6400)", *BATCH)],
    "a perplexity of what: and an image": [("[places_of]", "", *BATCH)],
    "a perplexity of what: of an image": [("for page in codes]", "for page in codes[:500]]", *BATCH)],
    "VQ-9: one-hot": [
        ("by_torch - math.log(size)", "by_torch - math.log2(size)", *KL),
        ("kl_divergence(certain, uniform)", "kl_divergence(certain, certain)", *KL),
    ],
    "VQ-9: against": [("-probabilities.log()", "-probabilities.log2()", *KL)],
    "VQ-9: which is": [
        ("against_unigram = -(", "against_unigram = -5 * (", *KL),
        ("mean_cost - against_unigram", "mean_cost - against_unigram / math.log(2)", *KL),
    ],
    "shuffled squares: vaelib's shuffled squares": [
        ("argsort(1)", "argsort(1).argsort(1)", *JUDGE),  # the way back
        ("place.copy_(squares[k])", "place.copy_(squares[k].flip(1))", *JUDGE),
    ],
    "shuffled squares: no square is lost": [("(some, mixed)]", "(some, mixed.roll(1, 3))]", *JUDGE)],
    "the judge: shuffled squares are no digits": [
        ("compare.shuffled_squares(others, ", "(lambda x, _: x)(others, ", *GENERATE)
    ],
    "VQ-10: uniform": [
        ("torch.randint(64, (1000, 8, 8), generator=dice)", 'pages["VQ-VAE"]', *GENERATE),
        (
            'apart(distances["uniform"], distances["rebuilt"])',
            'apart(distances["rebuilt"], distances["uniform"])',
            *GENERATE,
        ),
        ("energy_distance(images, others)", 'energy_distance(pictures["real"], others)', *GENERATE),
    ],
    "VQ-10: and": [
        ("often.view(1000, 8, 8)", 'pages["VQ-VAE"]', *GENERATE),
        (
            'apart(distances["unigram"], distances["rebuilt"])',
            'apart(distances["rebuilt"], distances["unigram"])',
            *GENERATE,
        ),
        (
            'apart(distances["unigram"], distances["rebuilt"])',
            'apart(distances["unigram"], distances["uniform"])',
            *GENERATE,
        ),
    ],
    "VQ-10: the judge": [
        ("[k] = compare.recognisability(judge, images,", "[k] = compare.recognisability(judge, held_out,", *GENERATE),
        (
            'apart(recognised["rebuilt"], recognised["uniform"])',
            'apart(recognised["uniform"], recognised["rebuilt"])',
            *GENERATE,
        ),
        (
            'apart(recognised["rebuilt"], recognised["uniform"])',
            'apart(recognised["rebuilt"], recognised["real"])',
            *GENERATE,
        ),
    ],
    "VQ-10: it knows": [
        ('pictures["real"] = held_out', 'pictures["real"] = pictures["unigram"]', *GENERATE),
        ('pictures["real"] = held_out', 'pictures["real"] = pictures["uniform"]', *GENERATE),
        ('pictures["real"] = held_out', 'pictures["real"] = torch.zeros_like(held_out)', *GENERATE),
    ],
    "VQ-10: real images": [
        ('pictures["real"] = held_out', 'pictures["real"] = pictures["rebuilt"]', *GENERATE),
        ('pictures["real"] = held_out', 'pictures["real"] = held_out - 0.5', *GENERATE),
        ("= held_out\n", "= held_out.mean(1, keepdim=True).expand_as(held_out)\n", *GENERATE),
    ],
    "VQ-10: these and": [
        ("[1000:2000]", "[800:1800]", *GENERATE),
        ("[1000:2000]", "[500:1500]", *GENERATE),
        ("[1000:2000]", "[900:2000]", *GENERATE),
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
