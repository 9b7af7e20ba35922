"""Planted errors in the checks of notebook 05_vq_vae."""

from played import answers_are_marked, one_for_each_claim, planted_errors_fail, sliders_move, three_for_each_id

STEM = "05_vq_vae"
PLANTED = {
    "VQ-1": [
        ("embedding(page).detach()", "embedding(page).detach() + page[..., None]", "codebook", "codebook-proof"),
        ("codebook[int(k)] for", "codebook[int(k) - 1] for", "codebook", "codebook-proof"),
        ("embedding(page).detach()", "embedding(page.flip(0)).detach()", "codebook", "codebook-proof"),
    ],
    "VQ-2: the entries": [
        ("tagged.permute(0, 2, 3, 1).reshape(-1, D)", "tagged.reshape(-1, D)", "flatten", "flatten-proof"),
        ("tagged.permute(0, 2, 3, 1)", "tagged.permute(1, 0, 2, 3)", "flatten", "flatten-proof"),
        ("tagged.permute(0, 2, 3, 1)", "tagged.permute(0, 3, 1, 2)", "flatten", "flatten-proof"),
    ],
    "VQ-2: they are": [
        ("tagged.permute(0, 2, 3, 1)", "tagged.permute(0, 2, 3, 1).flip(-1)", "flatten", "flatten-proof"),
        ("flat // 100 % 10", "flat // 10 % 10", "flatten", "flatten-proof"),
        ("tagged.permute(0, 2, 3, 1)", "tagged.permute(0, 2, 3, 1).roll(1, -1)", "flatten", "flatten-proof"),
    ],
    "VQ-2: and back": [
        ("tagged.permute(0, 2, 3, 1)", "tagged.permute(0, 3, 2, 1)", "flatten", "flatten-proof"),
        ("reshape(B, H, W, D).permute(0, 3, 1, 2)", "reshape(B, D, H, W)", "flatten", "flatten-proof"),
        ("flat.reshape(B,", "flat.flip(0).reshape(B,", "flatten", "flatten-proof"),
    ],
    "VQ-3: the expansion": [
        ("- 2 * z @ e.T", "- z @ e.T", "distance", "distance-proof"),
        ("- 2 * z @ e.T", "+ 2 * z @ e.T", "distance", "distance-proof"),
        ("* z @ e.T + e.square().sum(1)", "* z @ e.T", "distance", "distance-proof"),
        ("e.square().sum(1)", "e.norm(dim=1)", "distance", "distance-proof"),
    ],
    "VQ-3: and with": [
        ("p**2 - 2 * p * q", "p**2 - p * q", "distance", "distance-proof"),
        ("p**2 - 2 * p * q", "p - 2 * p * q", "distance", "distance-proof"),
        ("2 * p * q + q**2", "2 * p * q", "distance", "distance-proof"),
    ],
    "VQ-3: the nearest": [
        (
            "squared_distances(z, codebook).argmin(1)",
            "squared_distances(z, codebook).argmax(1)",
            "distance",
            "distance-proof",
        ),
        ("squared_distances(z, codebook).argmin(1)", "(-z @ codebook.T).argmin(1)", "distance", "distance-proof"),
        (
            "squared_distances(z, codebook).argmin(1)",
            "squared_distances(z, codebook.abs()).argmin(1)",
            "distance",
            "distance-proof",
        ),
    ],
    "the digits of VQ-3: far from 0": [
        (
            "(z + shift).float(), (codebook + shift).float()",
            "z + shift, codebook + shift",
            "precision",
            "precision-proof",
        )
    ],
    "the digits of VQ-3: where plain": [
        ("far[:, None] - words", "far[:, None] + words", "precision", "precision-proof")
    ],
    "the digits of VQ-3: in 16 bits": [
        ("z.bfloat16(), codebook.bfloat16()", "z, codebook", "precision", "precision-proof")
    ],
    "VQ-4: one-hot": [
        ("- codebook[nearest_k], 0", "- codebook[nearest_k - 1], 0", "lookup", "lookup-proof"),
        ("one_hot @ codebook -", "one_hot @ codebook.flip(0) -", "lookup", "lookup-proof"),
        ("F.one_hot(nearest_k, K)", "F.one_hot(nearest_k.flip(0), K)", "lookup", "lookup-proof"),
    ],
    "VQ-4: with the same": [
        ("F.embedding(nearest_k, by_lookup) * weights", "F.embedding(nearest_k, by_lookup)", "lookup", "lookup-proof"),
        ("one_hot @ by_product * weights", "one_hot @ by_product / K * weights", "lookup", "lookup-proof"),
        ("F.embedding(nearest_k, by", "F.embedding(nearest_k.flip(0), by", "lookup", "lookup-proof"),
    ],
    "VQ-4: for each": [
        ("weights[nearest_k == k].sum(0)", "weights[nearest_k == k].mean(0)", "lookup", "lookup-proof"),
        ("weights[nearest_k == k]", "weights[nearest_k != k]", "lookup", "lookup-proof"),
        ("by_lookup.grad - summed", "by_lookup.grad - summed.flip(0)", "lookup", "lookup-proof"),
    ],
    "VQ-5: value of the reconstruction": [
        ("(x - decoder(z_q))", "(x + decoder(z_q))", "loss", "loss-parts", "loss-heard", "loss-check-proof"),
        (
            "(z_e, codebook).argmin(1)",
            "(z_e, codebook).argmax(1)",
            "loss",
            "loss-parts",
            "loss-heard",
            "loss-check-proof",
        ),
        (
            "(x - decoder(z_q)).square()",
            "(x - decoder(z_q)).abs()",
            "loss",
            "loss-parts",
            "loss-heard",
            "loss-check-proof",
        ),
    ],
    "VQ-5: value of the codebook": [
        (
            "(z_e.detach() - e).square().mean(), beta",
            "3 * (z_e.detach() - e).square().mean(), beta",
            "loss",
            "loss-parts",
            "loss-heard",
            "loss-check-proof",
        ),
        (
            "(z_e.detach() - e).square().mean(), beta",
            "(z_e.detach() + e).square().mean(), beta",
            "loss",
            "loss-parts",
            "loss-heard",
            "loss-check-proof",
        ),
        (
            "(z_e.detach() - e).square().mean(), beta",
            "(z_e.detach() - e).square().sum(), beta",
            "loss",
            "loss-parts",
            "loss-heard",
            "loss-check-proof",
        ),
        (
            "(z_e.detach() - e).square().mean(), beta *",
            "beta * (z_e.detach() - e).square().mean(), 1 *",
            "loss",
            "loss-parts",
            "loss-heard",
            "loss-check-proof",
        ),
    ],
    "VQ-5: value of the commitment": [
        (
            "(z_e - e.detach()).square()",
            "(z_e - e.detach()).abs()",
            "loss",
            "loss-parts",
            "loss-heard",
            "loss-check-proof",
        ),
        (
            "(z_e - e.detach()).square()",
            "-(z_e + e.detach()).square()",
            "loss",
            "loss-parts",
            "loss-heard",
            "loss-check-proof",
        ),
        (
            "(z_e.detach() - e).square().mean(), beta * (z_e",
            "(z_e.detach() - e).square().mean(), (z_e",
            "loss",
            "loss-parts",
            "loss-heard",
            "loss-check-proof",
        ),
    ],
    "VQ-5: the reconstruction": [
        ("z_q = e.detach() + (z_e - z_e.detach())", "z_q = e", "loss", "loss-parts", "loss-heard", "loss-check-proof"),
        (
            "z_q = e.detach() + (z_e - z_e.detach())",
            "z_q = e.detach()",
            "loss",
            "loss-parts",
            "loss-heard",
            "loss-check-proof",
        ),
        (
            "z_q = e.detach() + (z_e - z_e.detach())",
            "z_q = e + (z_e - z_e.detach())",
            "loss",
            "loss-parts",
            "loss-heard",
            "loss-check-proof",
        ),
    ],
    "VQ-5: the codebook": [
        (
            "(z_e.detach() - e).square().mean(), beta",
            "(z_e - e).square().mean(), beta",
            "loss",
            "loss-parts",
            "loss-heard",
            "loss-check-proof",
        ),
        (
            "(z_e.detach() - e).square().mean(), beta",
            "(z_e - e.detach()).square().mean(), beta",
            "loss",
            "loss-parts",
            "loss-heard",
            "loss-check-proof",
        ),
        (
            "(z_e.detach() - e).square().mean(), beta",
            "(z_e.detach() - e + (z_e - z_e.detach())).square().mean(), beta",
            "loss",
            "loss-parts",
            "loss-heard",
            "loss-check-proof",
        ),
    ],
    "VQ-5: the commitment": [
        ("beta * (z_e - e.detach())", "beta * (z_e - e)", "loss", "loss-parts", "loss-heard", "loss-check-proof"),
        (
            "beta * (z_e - e.detach())",
            "beta * (z_e.detach() - e)",
            "loss",
            "loss-parts",
            "loss-heard",
            "loss-check-proof",
        ),
        (
            "beta * (z_e - e.detach())",
            "beta * (z_e - e.detach() + (e - e.detach()))",
            "loss",
            "loss-parts",
            "loss-heard",
            "loss-check-proof",
        ),
    ],
    "VQ-5: β moves": [
        ("beta * (z_e -", "0.25 * (z_e -", "loss", "loss-parts", "loss-heard", "loss-check-proof"),
        ("beta * (z_e -", "4 * beta**2 * (z_e -", "loss", "loss-parts", "loss-heard", "loss-check-proof"),
        ("beta * (z_e -", "0.5 * beta**0.5 * (z_e -", "loss", "loss-parts", "loss-heard", "loss-check-proof"),
    ],
    "VQ-5: and not": [
        (
            "reconstruction, (z_e.detach()",
            "reconstruction, 4 * beta * (z_e.detach()",
            "loss",
            "loss-parts",
            "loss-heard",
            "loss-check-proof",
        ),
        (
            "reconstruction, (z_e.detach()",
            "reconstruction, (0.75 + beta) * (z_e.detach()",
            "loss",
            "loss-parts",
            "loss-heard",
            "loss-check-proof",
        ),
        (
            "reconstruction, (z_e.detach()",
            "reconstruction, 16 * beta**2 * (z_e.detach()",
            "loss",
            "loss-parts",
            "loss-heard",
            "loss-check-proof",
        ),
    ],
    "vaelib's quantizer: vaelib chooses": [
        ("(rows, words).argmin(1)", "(rows, words).argmax(1)", "equal-to-vaelib", "equal-to-vaelib-proof")
    ],
    "vaelib's quantizer: with the same vectors": [
        ("(e.detach() + (rows - rows.detach()))", "(e.detach() + rows)", "equal-to-vaelib", "equal-to-vaelib-proof")
    ],
    "vaelib's quantizer: and losses": [("0.25 * (rows", "0.5 * (rows", "equal-to-vaelib", "equal-to-vaelib-proof")],
    "vaelib's quantizer: the gradient for the latents": [
        ("(rows.detach() - e)", "(rows - e)", "equal-to-vaelib", "equal-to-vaelib-proof")
    ],
    "vaelib's quantizer: the gradient for the codebook": [
        ("0.25 * (rows - e.detach())", "0.25 * (rows - e)", "equal-to-vaelib", "equal-to-vaelib-proof")
    ],
    "VQ-6: the gradient": [
        (
            "(to_encoder,) = torch.autograd.grad((quantizer",
            "(to_encoder,) = torch.autograd.grad((2 * quantizer",
            "straight-proof",
        ),
        (
            "(to_encoder,) = torch.autograd.grad((quantizer",
            "(to_encoder,) = torch.autograd.grad((-quantizer",
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
        ("((to_encoder * nudge).sum() - moved", "((-to_encoder * nudge).sum() - moved", "straight-proof"),
        ("((to_encoder * nudge).sum() - moved", "((to_encoder.flip(1) * nudge).sum() - moved", "straight-proof"),
        ("(z_q + nudge).sin() - z_q.sin()", "(z_q + 2 * nudge).sin() - z_q.sin()", "straight-proof"),
    ],
    "VQ-6: which is": [
        ("moved_directly.abs() / 1e-6", "(there - here).detach().abs() / 1e-6", "straight-proof"),
        ("moved_directly.abs() / 1e-6", "moved_directly.abs() / 1e-3", "straight-proof"),
        ("moved_directly.abs() / 1e-6", "(to_encoder * nudge).sum() - moved_directly", "straight-proof"),
    ],
    "VQ-6: the bias: q(k|z)": [
        ("/ (2 * tau**2)", "/ tau**2", "bias-parts", "bias", "bias-proof"),
        ("/ (2 * tau**2)", "/ (2 * tau)", "bias-parts", "bias", "bias-proof"),
        ("(z[:, None] - line) ** 2", "(z[:, None] - line).abs()", "bias-parts", "bias", "bias-proof"),
    ],
    "VQ-6: the bias: exact": [
        (".sum(-1) / 2e-5", ".sum(-1) / 1e-5", "bias-parts", "bias", "bias-proof"),
        (
            "torch.autograd.grad((chances(at, tau) * f(line))",
            "torch.autograd.grad((chances(at, tau) * f(-line))",
            "bias-parts",
            "bias",
            "bias-proof",
        ),
        (
            "torch.autograd.grad((chances(at, tau) * f(line)).sum(), at)",
            "[(chances(at, tau) * slope(line)).sum(-1)]",
            "bias-parts",
            "bias",
            "bias-proof",
        ),
    ],
    "VQ-6: the bias: with noise": [
        ("lambda e: 2 * (e - 0.3), tau)", "lambda e: e - 0.3, tau)", "bias-parts", "bias", "bias-proof"),
        ("(straight - exact).abs().max())\n", "(straight + exact).abs().max())\n", "bias-parts", "bias", "bias-proof"),
        ("lambda e: 2 * (e - 0.3), tau)", "lambda e: 2 * (e + 0.3), tau)", "bias-parts", "bias", "bias-proof"),
    ],
    "VQ-6: the bias: with little": [
        (
            "bias[tau] = float((straight - exact)",
            "bias[tau] = float((exact - exact)",
            "bias-parts",
            "bias",
            "bias-proof",
        ),
        (
            "bias[tau] = float((straight - exact).abs().max())",
            "bias[tau] = float((straight - exact).abs().min())",
            "bias-parts",
            "bias",
            "bias-proof",
        ),
        ("bias[0.2], at_least", "bias[1.0], at_least", "bias-parts", "bias", "bias-proof"),
    ],
    "VQ-6: the bias: for f": [
        (
            'cos(6 e), by finite differences", exact -',
            'cos(6 e), by finite differences", straight -',
            "bias-parts",
            "bias",
            "bias-proof",
        ),
        (
            'cos(6 e), by finite differences", exact -',
            'cos(6 e), by finite differences", -exact -',
            "bias-parts",
            "bias",
            "bias-proof",
        ),
        (
            'cos(6 e), by finite differences", exact -',
            'cos(6 e), by finite differences", 2 * exact -',
            "bias-parts",
            "bias",
            "bias-proof",
        ),
    ],
    "VQ-6: the bias: a function": [
        (
            "torch.cos(6 * e), lambda e: -6 * torch.sin(6 * e)",
            "torch.cos(e / 2), lambda e: -torch.sin(e / 2) / 2",
            "bias-parts",
            "bias",
            "bias-proof",
        ),
        (
            "torch.cos(6 * e), lambda e: -6 * torch.sin(6 * e)",
            "e, lambda e: torch.ones_like(e)",
            "bias-parts",
            "bias",
            "bias-proof",
        ),
        (
            "-6 * torch.sin(6 * e), 1.0)",
            "-6 * torch.sin(6 * e), 1.0)\n    straight = exact",
            "bias-parts",
            "bias",
            "bias-proof",
        ),
    ],
    "VQ-8: with γ = 0,": [
        ("memoryless.codebook.copy_(start)", "memoryless.codebook.copy_(start + 1)", "ema", "ema-proof"),
        ("max_iter=1, tol=0).fit(points", "max_iter=2, tol=0).fit(points", "ema", "ema-proof"),
        ("memoryless(points)", "memoryless(points[:500])", "ema", "ema-proof"),
        ("decay=0.0", "decay=0.01", "ema", "ema-proof"),
    ],
    "VQ-8: with γ = 0.9": [
        ("m = 0.9 * m + 0.1", "m = 0.1 * m + 0.9", "ema", "ema-proof"),
        ("chosen.T @ batch", "chosen.T @ batch / 100", "ema", "ema-proof"),
        ("chosen.sum(0)", "chosen.mean(0)", "ema", "ema-proof"),
    ],
    "VQ-8: and n": [
        ("100 * averaging.size - n", "100 * averaging.size.sqrt() - n", "ema", "ema-proof"),
        ("100 * averaging.size - n", "averaging.size - n", "ema", "ema-proof"),
        ("100 * averaging.size - n", "100 * averaging.size - n.flip(0)", "ema", "ema-proof"),
    ],
    "VQ-8: the codebook": [
        ("pull - 2 * counts", "pull - counts", "ema", "ema-proof"),
        ("pull - 2 * counts", "pull + 2 * counts", "ema", "ema-proof"),
        ("(points - moving[", "(2 * points - moving[", "ema", "ema-proof"),
    ],
    "VQ-7: one": [
        ("torch.full((9,), 3), 64) - 1", "torch.arange(9), 64) - 1", "perplexity", "perplexity-proof"),
        ("torch.full((9,), 3), 64) - 1", "torch.full((9,), 3), 64)", "perplexity", "perplexity-proof"),
        (
            "perplexity(torch.full((9,), 3), 64) - 1",
            "math.log(perplexity(torch.full((9,), 3), 64)) - 1",
            "perplexity",
            "perplexity-proof",
        ),
    ],
    "VQ-7: all": [
        ("torch.arange(640) % 64, 64) - 64", "torch.arange(640) % 32, 64) - 64", "perplexity", "perplexity-proof"),
        ("% 64, 64) - 64", "% 64, 64) - math.log(64)", "perplexity", "perplexity-proof"),
        ("torch.arange(640) % 64, 64) - 64", "torch.arange(640) % 65 % 64, 64) - 64", "perplexity", "perplexity-proof"),
    ],
    "VQ-7: by SciPy": [
        (
            "scipy.stats.entropy(shares.numpy())",
            "scipy.stats.entropy(shares.numpy(), base=2)",
            "perplexity",
            "perplexity-proof",
        ),
        ("shares = torch.bincount", "shares = 1 + torch.bincount", "perplexity", "perplexity-proof"),
        ("math.exp(scipy", "(scipy", "perplexity", "perplexity-proof"),
    ],
    "VQ-7: 2 raised": [
        ("0.5 * (1 + math.log2(32))", "0.5 * math.log2(32)", "perplexity", "perplexity-proof"),
        ("2 ** (0.5", "math.e ** (0.5", "perplexity", "perplexity-proof"),
        ("math.log2(32)", "math.log2(64)", "perplexity", "perplexity-proof"),
    ],
    "the ring's codebooks: random starts": [
        ('"random start": watched()', '"random start": watched(below=0.5)', "cells-ring", "cells", "cells-proof")
    ],
    "the ring's codebooks: both cures": [
        ("watched(from_data=True)", "watched()", "cells-ring", "cells", "cells-proof")
    ],
    "the ring's codebooks: no codebook": [
        ("inertia_ / len(ring)", "inertia_ / 1000", "cells-ring", "cells", "cells-proof")
    ],
    "the ring's codebooks: and revival": [
        ("watched(below=0.5)", "watched(from_data=True)", "cells-ring", "cells", "cells-proof"),
        (
            ".square().sum(1).mean()) for way",
            ".square().sum(1).mean()) * 4 for way",
            "cells-ring",
            "cells",
            "cells-proof",
        ),
    ],
    "the cures: with revival": [("values[short // 2 :]", "values", "health-figure", "health-figure-proof")],
    "the cures: without any": [('late["by gradient"]', 'late["+ revival"]', "health-figure", "health-figure-proof")],
    "FSQ: vaelib's words": [
        ("L ** torch.arange(z.shape[1])", "L ** torch.arange(z.shape[1]).flip(0)", "fsq", "fsq-proof")
    ],
    "FSQ: and values": [("/ (L - 1) - 1, (whole", "/ L - 1, (whole", "fsq", "fsq-proof")],
    "FSQ: and gradients": [("(r - r.detach())", "0 * r", "fsq", "fsq-proof")],
    "FSQ: every z_q": [
        ("levels_hit = 1.5 * (", "levels_hit = 2 * (", "fsq", "fsq-proof"),
        ("levels_hit = 1.5 * (", "levels_hit = 3 * (", "fsq", "fsq-proof"),
    ],
    "FSQ: lookup finds": [("scalar.lookup(rounded.codes)", "scalar.lookup(63 - rounded.codes)", "fsq", "fsq-proof")],
    "error, rate and sharpness: the VAE's rate": [
        ("float(q.kl().mean()) / math.log(2)", "float(q.kl().mean())", "compare-parts", "compare", "compare-proof")
    ],
    "error, rate and sharpness: VQ-VAE: bits": [
        (
            "64 * math.log2(perplexity(codes, 64))",
            "64 * math.log(perplexity(codes, 64))",
            "compare-parts",
            "compare",
            "compare-proof",
        ),
        ("64 * math.log2(perplexity(codes, 64))", "BITS", "compare-parts", "compare", "compare-proof"),
    ],
    "error, rate and sharpness: all three are blurred": [
        (
            "vae.decode(q.rsample(torch.Generator(device).manual_seed(0))).mean + 0.5",
            "held_out",
            "compare-parts",
            "compare",
            "compare-proof",
        )
    ],
    "error, rate and sharpness: VQ-VAE: error": [
        ("(x_hat - held_out).square()", "(x_hat + held_out).square()", "compare-parts", "compare", "compare-proof")
    ],
    "error, rate and sharpness: VQ-VAE: sharpness": [
        (
            "energy(images) / energy(originals)",
            "energy(originals) / energy(images)",
            "compare-parts",
            "compare",
            "compare-proof",
        ),
        ("x.diff(dim=-2)", "x.diff(dim=1)", "compare-parts", "compare", "compare-proof"),
        ("x.diff(dim=-1).square()", "x.diff(dim=-1).abs()", "compare-parts", "compare", "compare-proof"),
    ],
    "a perplexity of what: few words": [(".view(-1, 64)", ".view(-1, 6400)", "batch-or-set", "batch-or-set-proof")],
    "a perplexity of what: and an image": [
        (
            "[torch.randperm(codes.numel(), generator=torch.Generator().manual_seed(0))]",
            "",
            "batch-or-set",
            "batch-or-set-proof",
        )
    ],
    "VQ-9: one-hot": [
        ("by_torch - math.log(size)", "by_torch - math.log2(size)", "constant-kl", "constant-kl-proof"),
        ("kl_divergence(certain, uniform)", "kl_divergence(certain, certain)", "constant-kl", "constant-kl-proof"),
        (
            "F.one_hot(torch.tensor(1), size)",
            "(0.1 + F.one_hot(torch.tensor(1), size))",
            "constant-kl",
            "constant-kl-proof",
        ),
    ],
    "VQ-9: against": [
        ("math.log(whole)", "whole", "constant-kl", "constant-kl-proof"),
        ("-probabilities.log()", "-probabilities.log2()", "constant-kl", "constant-kl-proof"),
        ("-probabilities.log()", "-(1 - probabilities).log()", "constant-kl", "constant-kl-proof"),
    ],
    "VQ-9: which is": [
        ("against_unigram = -(", "against_unigram = (", "constant-kl", "constant-kl-proof"),
        ("against_unigram = -(", "against_unigram = -5 * (", "constant-kl", "constant-kl-proof"),
        (
            "mean_cost - against_unigram",
            "mean_cost - against_unigram / math.log(2)",
            "constant-kl",
            "constant-kl-proof",
        ),
    ],
    "shuffled squares: vaelib's shuffled squares": [
        ("argsort(1)", "argsort(1).argsort(1)", "judge", "judge-proof"),  # the way back
        ("place.copy_(squares[k])", "place.copy_(squares[k].flip(1))", "judge", "judge-proof"),
        ("for j in range(0, W, side)]", "for j in range(0, W, side)][::-1]", "judge", "judge-proof"),
    ],
    "shuffled squares: no square is lost": [("(some, mixed)]", "(some, mixed.roll(1, 3))]", "judge", "judge-proof")],
    "the judge: shuffled squares are no digits": [
        ("compare.shuffled_squares(others, ", "(lambda x, _: x)(others, ", "generate", "generate-proof"),
        ("labels=10).value for images in", "labels=11).value for images in", "generate", "generate-proof"),
    ],
    "VQ-10: uniform": [
        ("torch.randint(64, (1000, 8, 8), generator=dice)", 'pages["VQ-VAE"]', "generate", "generate-proof"),
        (
            'apart(distances["uniform"], distances["rebuilt"])',
            'apart(distances["rebuilt"], distances["uniform"])',
            "generate",
            "generate-proof",
        ),
        ("energy_distance(images, others)", 'energy_distance(pictures["real"], others)', "generate", "generate-proof"),
    ],
    "VQ-10: and": [
        (
            "replacement=True, generator=dice).view(1000, 8, 8)",
            'replacement=True, generator=dice).view(1000, 8, 8) * 0 + pages["VQ-VAE"]',
            "generate",
            "generate-proof",
        ),
        (
            'apart(distances["unigram"], distances["rebuilt"])',
            'apart(distances["rebuilt"], distances["unigram"])',
            "generate",
            "generate-proof",
        ),
        (
            'apart(distances["unigram"], distances["rebuilt"])',
            'apart(distances["unigram"], distances["uniform"])',
            "generate",
            "generate-proof",
        ),
    ],
    "VQ-10: the judge": [
        (
            "[k] = compare.recognisability(judge, images,",
            "[k] = compare.recognisability(judge, held_out,",
            "generate",
            "generate-proof",
        ),
        (
            'apart(recognised["rebuilt"], recognised["uniform"])',
            'apart(recognised["uniform"], recognised["rebuilt"])',
            "generate",
            "generate-proof",
        ),
        (
            'apart(recognised["rebuilt"], recognised["uniform"])',
            'apart(recognised["rebuilt"], recognised["real"])',
            "generate",
            "generate-proof",
        ),
    ],
}


test_planted_errors = planted_errors_fail
test_every_claim_with_an_id_has_three_planted_errors = three_for_each_id
test_every_claim_has_a_planted_error = one_for_each_claim
test_every_slider_to_both_ends = sliders_move
test_stubs_pass_and_wrong_answers_fail = answers_are_marked
