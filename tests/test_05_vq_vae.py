"""Planted errors in the checks of notebook 05_vq_vae."""

from played import answers_are_marked, one_for_each_claim, planted_errors_fail, sliders_move, three_for_each_id

STEM = "05_vq_vae"
PLANTED = {
    "VQ-1": [
        ("embedding(page).detach()", "embedding(page).detach() + page[..., None]", "codebook"),
        ("codebook[int(k)] for", "codebook[int(k) - 1] for", "codebook"),
        ("embedding(page).detach()", "embedding(page.flip(0)).detach()", "codebook"),
    ],
    "VQ-2: the entries": [
        ("tagged.permute(0, 2, 3, 1).reshape(-1, D)", "tagged.reshape(-1, D)", "flatten"),
        ("tagged.permute(0, 2, 3, 1)", "tagged.permute(1, 0, 2, 3)", "flatten"),
        ("tagged.permute(0, 2, 3, 1)", "tagged.permute(0, 3, 1, 2)", "flatten"),
    ],
    "VQ-2: they are": [
        ("tagged.permute(0, 2, 3, 1)", "tagged.permute(0, 2, 3, 1).flip(-1)", "flatten"),
        ("flat // 100 % 10", "flat // 10 % 10", "flatten"),
        ("tagged.permute(0, 2, 3, 1)", "tagged.permute(0, 2, 3, 1).roll(1, -1)", "flatten"),
    ],
    "VQ-2: and back": [
        ("tagged.permute(0, 2, 3, 1)", "tagged.permute(0, 3, 2, 1)", "flatten"),
        ("reshape(B, H, W, D).permute(0, 3, 1, 2)", "reshape(B, D, H, W)", "flatten"),
        ("flat.reshape(B,", "flat.flip(0).reshape(B,", "flatten"),
    ],
    "VQ-3: the expansion": [
        ("- 2 * z @ e.T", "- z @ e.T", "distance"),
        ("- 2 * z @ e.T", "+ 2 * z @ e.T", "distance"),
        ("* z @ e.T + e.square().sum(1)", "* z @ e.T", "distance"),
        ("e.square().sum(1)", "e.norm(dim=1)", "distance"),
    ],
    "VQ-3: and with": [
        ("p**2 - 2 * p * q", "p**2 - p * q", "distance"),
        ("p**2 - 2 * p * q", "p - 2 * p * q", "distance"),
        ("2 * p * q + q**2", "2 * p * q", "distance"),
    ],
    "VQ-3: the nearest": [
        ("squared_distances(z, codebook).argmin(1)", "squared_distances(z, codebook).argmax(1)", "distance"),
        ("squared_distances(z, codebook).argmin(1)", "(-z @ codebook.T).argmin(1)", "distance"),
        ("squared_distances(z, codebook).argmin(1)", "squared_distances(z, codebook.abs()).argmin(1)", "distance"),
    ],
    "far from 0": [("(z + shift).float(), (codebook + shift).float()", "z + shift, codebook + shift", "precision")],
    "where plain": [("far[:, None] - words", "far[:, None] + words", "precision")],
    "in 16 bits": [("z.bfloat16(), codebook.bfloat16()", "z, codebook", "precision")],
    "VQ-4: one-hot": [
        ("- codebook[nearest_k], 0", "- codebook[nearest_k - 1], 0", "lookup"),
        ("one_hot @ codebook -", "one_hot @ codebook.flip(0) -", "lookup"),
        ("F.one_hot(nearest_k, K)", "F.one_hot(nearest_k.flip(0), K)", "lookup"),
    ],
    "VQ-4: with the same": [
        ("F.embedding(nearest_k, by_lookup) * weights", "F.embedding(nearest_k, by_lookup)", "lookup"),
        ("one_hot @ by_product * weights", "one_hot @ by_product / K * weights", "lookup"),
        ("F.embedding(nearest_k, by", "F.embedding(nearest_k.flip(0), by", "lookup"),
    ],
    "VQ-4: for each": [
        ("weights[nearest_k == k].sum(0)", "weights[nearest_k == k].mean(0)", "lookup"),
        ("weights[nearest_k == k]", "weights[nearest_k != k]", "lookup"),
        ("by_lookup.grad - summed", "by_lookup.grad - summed.flip(0)", "lookup"),
    ],
    "VQ-5: value of the reconstruction": [
        ("(x - decoder(z_q))", "(x + decoder(z_q))", "loss", "loss-check"),
        ("(z_e, codebook).argmin(1)", "(z_e, codebook).argmax(1)", "loss", "loss-check"),
        ("(x - decoder(z_q)).square()", "(x - decoder(z_q)).abs()", "loss", "loss-check"),
    ],
    "VQ-5: value of the codebook": [
        (
            "(z_e.detach() - e).square().mean(), beta",
            "3 * (z_e.detach() - e).square().mean(), beta",
            "loss",
            "loss-check",
        ),
        ("(z_e.detach() - e).square().mean(), beta", "(z_e.detach() + e).square().mean(), beta", "loss", "loss-check"),
        ("(z_e.detach() - e).square().mean(), beta", "(z_e.detach() - e).square().sum(), beta", "loss", "loss-check"),
        (
            "(z_e.detach() - e).square().mean(), beta *",
            "beta * (z_e.detach() - e).square().mean(), 1 *",
            "loss",
            "loss-check",
        ),
    ],
    "VQ-5: value of the commitment": [
        ("(z_e - e.detach()).square()", "(z_e - e.detach()).abs()", "loss", "loss-check"),
        ("(z_e - e.detach()).square()", "-(z_e + e.detach()).square()", "loss", "loss-check"),
        (
            "(z_e.detach() - e).square().mean(), beta * (z_e",
            "(z_e.detach() - e).square().mean(), (z_e",
            "loss",
            "loss-check",
        ),
    ],
    "VQ-5: the reconstruction": [
        ("z_q = e.detach() + (z_e - z_e.detach())", "z_q = e", "loss", "loss-check"),
        ("z_q = e.detach() + (z_e - z_e.detach())", "z_q = e.detach()", "loss", "loss-check"),
        ("z_q = e.detach() + (z_e - z_e.detach())", "z_q = e + (z_e - z_e.detach())", "loss", "loss-check"),
    ],
    "VQ-5: the codebook": [
        ("(z_e.detach() - e).square().mean(), beta", "(z_e - e).square().mean(), beta", "loss", "loss-check"),
        ("(z_e.detach() - e).square().mean(), beta", "(z_e - e.detach()).square().mean(), beta", "loss", "loss-check"),
        (
            "(z_e.detach() - e).square().mean(), beta",
            "(z_e.detach() - e + (z_e - z_e.detach())).square().mean(), beta",
            "loss",
            "loss-check",
        ),
    ],
    "VQ-5: the commitment": [
        ("beta * (z_e - e.detach())", "beta * (z_e - e)", "loss", "loss-check"),
        ("beta * (z_e - e.detach())", "beta * (z_e.detach() - e)", "loss", "loss-check"),
        ("beta * (z_e - e.detach())", "beta * (z_e - e.detach() + (e - e.detach()))", "loss", "loss-check"),
    ],
    "VQ-5: β moves": [
        ("beta * (z_e -", "0.25 * (z_e -", "loss", "loss-check"),
        ("beta * (z_e -", "4 * beta**2 * (z_e -", "loss", "loss-check"),
        ("beta * (z_e -", "0.5 * beta**0.5 * (z_e -", "loss", "loss-check"),
    ],
    "VQ-5: and not": [
        ("reconstruction, (z_e.detach()", "reconstruction, 4 * beta * (z_e.detach()", "loss", "loss-check"),
        ("reconstruction, (z_e.detach()", "reconstruction, (0.75 + beta) * (z_e.detach()", "loss", "loss-check"),
        ("reconstruction, (z_e.detach()", "reconstruction, 16 * beta**2 * (z_e.detach()", "loss", "loss-check"),
    ],
    "vaelib chooses": [("(rows, words).argmin(1)", "(rows, words).argmax(1)", "equal-to-vaelib")],
    "with the same vectors": [("(e.detach() + (rows - rows.detach()))", "(e.detach() + rows)", "equal-to-vaelib")],
    "and losses": [("0.25 * (rows", "0.5 * (rows", "equal-to-vaelib")],
    "the gradient for the latents": [("(rows.detach() - e)", "(rows - e)", "equal-to-vaelib")],
    "the gradient for the codebook": [("0.25 * (rows - e.detach())", "0.25 * (rows - e)", "equal-to-vaelib")],
    "VQ-6: the gradient": [
        (
            "(to_encoder,) = torch.autograd.grad((quantizer",
            "(to_encoder,) = torch.autograd.grad((2 * quantizer",
            "straight",
        ),
        (
            "(to_encoder,) = torch.autograd.grad((quantizer",
            "(to_encoder,) = torch.autograd.grad((-quantizer",
            "straight",
        ),
        ("z_q = ours.z_q.detach()", "z_q = maps.detach()", "straight"),
    ],
    "VQ-6: forward": [
        ("quantizer.lookup(ours.codes)", "maps.detach()", "straight"),
        ("quantizer.lookup(ours.codes)", "quantizer.lookup(ours.codes.flip(0))", "straight"),
        ("quantizer.lookup(ours.codes)", "quantizer.lookup(ours.codes) * (1 + 1e-9)", "straight"),
    ],
    "VQ-6: the true": [
        ("nudge = 1e-6 *", "nudge = 1.0 *", "straight"),
        ("moved = (quantizer(maps + nudge).z_q", "moved = ((maps + nudge)", "straight"),
        ("- (quantizer(maps).z_q", "- (quantizer(maps).z_q.relu()", "straight"),
    ],
    "VQ-6: straight-through predicts": [
        ("((to_encoder * nudge).sum() - moved", "((-to_encoder * nudge).sum() - moved", "straight"),
        ("((to_encoder * nudge).sum() - moved", "((to_encoder.flip(1) * nudge).sum() - moved", "straight"),
        ("(z_q + nudge).sin() - z_q.sin()", "(z_q + 2 * nudge).sin() - z_q.sin()", "straight"),
    ],
    "VQ-6: which is": [
        ("moved_directly.abs() / 1e-6", "moved.abs() / 1e-6", "straight"),
        ("moved_directly.abs() / 1e-6", "moved_directly.abs() / 1e-3", "straight"),
        ("moved_directly.abs() / 1e-6", "(to_encoder * nudge).sum() - moved_directly", "straight"),
    ],
    "VQ-6: q(k|z)": [
        ("/ (2 * tau**2)", "/ tau**2", "bias"),
        ("/ (2 * tau**2)", "/ (2 * tau)", "bias"),
        ("(z[:, None] - line) ** 2", "(z[:, None] - line).abs()", "bias"),
    ],
    "VQ-6: exact": [
        (".sum(-1) / 2e-5", ".sum(-1) / 1e-5", "bias"),
        (
            "torch.autograd.grad((chances(at, tau) * f(line))",
            "torch.autograd.grad((chances(at, tau) * f(-line))",
            "bias",
        ),
        (
            "torch.autograd.grad((chances(at, tau) * f(line)).sum(), at)",
            "[(chances(at, tau) * slope(line)).sum(-1)]",
            "bias",
        ),
    ],
    "VQ-6: with noise": [
        ("lambda e: 2 * (e - 0.3), tau)", "lambda e: e - 0.3, tau)", "bias"),
        ("(straight - exact).abs().max())\n", "(straight + exact).abs().max())\n", "bias"),
        ("lambda e: 2 * (e - 0.3), tau)", "lambda e: 2 * (e + 0.3), tau)", "bias"),
    ],
    "VQ-6: with little": [
        ("bias[tau] = float((straight - exact)", "bias[tau] = float((exact - exact)", "bias"),
        (
            "bias[tau] = float((straight - exact).abs().max())",
            "bias[tau] = float((straight - exact).abs().min())",
            "bias",
        ),
        ("bias[0.2], at_least", "bias[1.0], at_least", "bias"),
    ],
    "VQ-6: for f": [
        ('cos(6 e), by finite differences", exact -', 'cos(6 e), by finite differences", straight -', "bias"),
        ('cos(6 e), by finite differences", exact -', 'cos(6 e), by finite differences", -exact -', "bias"),
        ('cos(6 e), by finite differences", exact -', 'cos(6 e), by finite differences", 2 * exact -', "bias"),
    ],
    "VQ-6: a function": [
        (
            "torch.cos(6 * e), lambda e: -6 * torch.sin(6 * e)",
            "torch.cos(e / 2), lambda e: -torch.sin(e / 2) / 2",
            "bias",
        ),
        ("torch.cos(6 * e), lambda e: -6 * torch.sin(6 * e)", "e, lambda e: torch.ones_like(e)", "bias"),
        ("-6 * torch.sin(6 * e), 1.0)", "-6 * torch.sin(6 * e), 1.0)\nstraight = exact", "bias"),
    ],
    "VQ-8: with γ = 0,": [
        ("memoryless.codebook.copy_(start)", "memoryless.codebook.copy_(start + 1)", "ema"),
        ("max_iter=1, tol=0).fit(points", "max_iter=2, tol=0).fit(points", "ema"),
        ("memoryless(points)", "memoryless(points[:500])", "ema"),
        ("decay=0.0", "decay=0.01", "ema"),
    ],
    "VQ-8: with γ = 0.9": [
        ("m = 0.9 * m + 0.1", "m = 0.1 * m + 0.9", "ema"),
        ("chosen.T @ batch", "chosen.T @ batch / 100", "ema"),
        ("chosen.sum(0)", "chosen.mean(0)", "ema"),
    ],
    "VQ-8: and n": [
        ("100 * averaging.size - n", "100 * averaging.size.sqrt() - n", "ema"),
        ("100 * averaging.size - n", "averaging.size - n", "ema"),
        ("100 * averaging.size - n", "100 * averaging.size - n.flip(0)", "ema"),
    ],
    "VQ-8: the codebook": [
        ("pull - 2 * counts", "pull - counts", "ema"),
        ("pull - 2 * counts", "pull + 2 * counts", "ema"),
        ("(points - moving[", "(2 * points - moving[", "ema"),
    ],
    "VQ-7: one": [
        ("torch.full((9,), 3), 64) - 1", "torch.arange(9), 64) - 1", "perplexity"),
        ("torch.full((9,), 3), 64) - 1", "torch.full((9,), 3), 64)", "perplexity"),
        ("perplexity(torch.full((9,), 3), 64) - 1", "math.log(perplexity(torch.full((9,), 3), 64)) - 1", "perplexity"),
    ],
    "VQ-7: all": [
        ("torch.arange(640) % 64, 64) - 64", "torch.arange(640) % 32, 64) - 64", "perplexity"),
        ("% 64, 64) - 64", "% 64, 64) - math.log(64)", "perplexity"),
        ("torch.arange(640) % 64, 64) - 64", "torch.arange(640) % 65 % 64, 64) - 64", "perplexity"),
    ],
    "VQ-7: by SciPy": [
        ("scipy.stats.entropy(shares.numpy())", "scipy.stats.entropy(shares.numpy(), base=2)", "perplexity"),
        ("shares = torch.bincount", "shares = 1 + torch.bincount", "perplexity"),
        ("math.exp(scipy", "(scipy", "perplexity"),
    ],
    "VQ-7: 2 raised": [
        ("0.5 * (1 + math.log2(32))", "0.5 * math.log2(32)", "perplexity"),
        ("2 ** (0.5", "math.e ** (0.5", "perplexity"),
        ("math.log2(32)", "math.log2(64)", "perplexity"),
    ],
    "random starts": [('"random start": watched()', '"random start": watched(below=0.5)', "cells")],
    "both cures": [("watched(from_data=True)", "watched()", "cells")],
    "no codebook": [("inertia_ / len(ring)", "inertia_ / 1000", "cells")],
    "and revival": [
        ("watched(below=0.5)", "watched(from_data=True)", "cells"),
        (".square().sum(1).mean()) for way", ".square().sum(1).mean()) * 4 for way", "cells"),
    ],
    "with revival": [("values[short // 2 :]", "values", "health-figure")],
    "without any": [('late["by gradient"]', 'late["+ revival"]', "health-figure")],
    "vaelib's words": [("L ** torch.arange(z.shape[1])", "L ** torch.arange(z.shape[1]).flip(0)", "fsq")],
    "and values": [("/ (L - 1) - 1, (whole", "/ L - 1, (whole", "fsq")],
    "and gradients": [("(r - r.detach())", "0 * r", "fsq")],
    "every z_q": [
        ("levels_hit = 1.5 * (", "levels_hit = 2 * (", "fsq"),
        ("levels_hit = 1.5 * (", "levels_hit = 3 * (", "fsq"),
    ],
    "lookup finds": [("scalar.lookup(rounded.codes)", "scalar.lookup(63 - rounded.codes)", "fsq")],
    "the VAE's rate": [("float(q.kl().mean()) / math.log(2)", "float(q.kl().mean())", "compare")],
    "VQ-VAE: bits": [
        ("64 * math.log2(perplexity(codes, 64))", "64 * math.log(perplexity(codes, 64))", "compare"),
        ("64 * math.log2(perplexity(codes, 64))", "BITS", "compare"),
    ],
    "VQ-VAE: error": [("(x_hat - held_out).square()", "(x_hat + held_out).square()", "compare")],
    "VQ-VAE: sharpness": [
        ("energy(images) / energy(originals)", "energy(originals) / energy(images)", "compare"),
        ("x.diff(dim=-2)", "x.diff(dim=1)", "compare"),
        ("x.diff(dim=-1).square()", "x.diff(dim=-1).abs()", "compare"),
    ],
    "few words": [(".view(-1, 64)", ".view(-1, 6400)", "batch-or-set")],
    "and an image": [
        ("[torch.randperm(codes.numel(), generator=torch.Generator().manual_seed(0))]", "", "batch-or-set")
    ],
    "VQ-9: one-hot": [
        ("by_torch - math.log(size)", "by_torch - math.log2(size)", "constant-kl"),
        ("kl_divergence(certain, uniform)", "kl_divergence(certain, certain)", "constant-kl"),
        ("F.one_hot(torch.tensor(1), size)", "(0.1 + F.one_hot(torch.tensor(1), size))", "constant-kl"),
    ],
    "VQ-9: against": [
        ("math.log(whole)", "whole", "constant-kl"),
        ("-probabilities.log()", "-probabilities.log2()", "constant-kl"),
        ("-probabilities.log()", "-(1 - probabilities).log()", "constant-kl"),
    ],
    "VQ-9: which is": [
        ("against_unigram = -(", "against_unigram = (", "constant-kl"),
        ("against_unigram = -(", "against_unigram = -5 * (", "constant-kl"),
        ("mean_cost - against_unigram", "mean_cost - against_unigram / math.log(2)", "constant-kl"),
    ],
    "vaelib's shuffled squares": [
        ("argsort(1)", "argsort(1).argsort(1)", "judge"),  # the way back
        ("place.copy_(squares[k])", "place.copy_(squares[k].flip(1))", "judge"),
        ("for j in range(0, W, side)]", "for j in range(0, W, side)][::-1]", "judge"),
    ],
    "no square is lost": [("(some, mixed)]", "(some, mixed.roll(1, 3))]", "judge")],
    "shuffled squares are no digits": [
        ("compare.shuffled_squares(others, ", "(lambda x, _: x)(others, ", "generate"),
        ("labels=10).value for images in", "labels=11).value for images in", "generate"),
    ],
    "VQ-10: uniform": [
        ("torch.randint(64, (1000, 8, 8), generator=dice)", 'pages["VQ-VAE"]', "generate"),
        (
            'apart(distances["uniform"], distances["rebuilt"])',
            'apart(distances["rebuilt"], distances["uniform"])',
            "generate",
        ),
        ("energy_distance(images, others)", 'energy_distance(pictures["real"], others)', "generate"),
    ],
    "VQ-10: and": [
        (
            "replacement=True, generator=dice).view(1000, 8, 8)",
            'replacement=True, generator=dice).view(1000, 8, 8) * 0 + pages["VQ-VAE"]',
            "generate",
        ),
        (
            'apart(distances["unigram"], distances["rebuilt"])',
            'apart(distances["rebuilt"], distances["unigram"])',
            "generate",
        ),
        (
            'apart(distances["unigram"], distances["rebuilt"])',
            'apart(distances["unigram"], distances["uniform"])',
            "generate",
        ),
    ],
    "VQ-10: the judge": [
        ("[k] = compare.recognisability(judge, images,", "[k] = compare.recognisability(judge, held_out,", "generate"),
        (
            'apart(recognised["rebuilt"], recognised["uniform"])',
            'apart(recognised["uniform"], recognised["rebuilt"])',
            "generate",
        ),
        (
            'apart(recognised["rebuilt"], recognised["uniform"])',
            'apart(recognised["rebuilt"], recognised["real"])',
            "generate",
        ),
    ],
}


test_planted_errors = planted_errors_fail
test_every_claim_with_an_id_has_three_planted_errors = three_for_each_id
test_every_claim_has_a_planted_error = one_for_each_claim
test_every_slider_to_both_ends = sliders_move
test_stubs_pass_and_wrong_answers_fail = answers_are_marked
