"""Planted errors in the checks of notebook 06_pixelcnn."""

from played import answers_are_marked, one_for_each_claim, planted_errors_fail, sliders_move, three_for_each_id

STEM = "06_pixelcnn"
PLANTED = {
    "AR-1: each pixel": [
        (".tril(-1)", ".tril()", "chain"),
        (".tril(-1)", ".tril(1)", "chain"),
        ("torch.where(x == 1, ink, 1 - ink)", "ink", "chain"),
        ("torch.where(x == 1, ink, 1 - ink)", "torch.where(x == 1, ink, ink - 1)", "chain"),
        ("prod(1)", "mean(1)", "chain"),
    ],
    "AR-1: so they": [
        ("turn[:, None] > turn[None]", "turn[:, None] >= turn[None]", "chain"),
        ("turn[:, None] > turn[None]", "turn[:, None] != turn[None]", "chain"),
        ("turn[:, None] > turn[None]", "(turn[:, None] - turn[None]) % 9 > 4", "chain"),
    ],
    "AR-1: p(x": [
        (
            "every[:, None, :i] == every[None, :, :i]",
            "every[:, None, : i + 1] == every[None, :, : i + 1]",
            "chain-back",
        ),
        ("(weights * earlier)[i]", "(weights * earlier)[:, i]", "chain-back"),
        ("with_ink / before", "before / with_ink", "chain-back"),
        ("+ bias[i]", "", "chain-back"),
    ],
    "AR-2: the Jacobian": [
        ("/ 2e-6", "/ 1e-6", "masks-check"),
        ('stack(image + e, "ABB")', 'stack(image + e, "BBB")', "masks-check"),
        ("for e in nudge[:, None]], 1", "for e in nudge[:, None]], 0", "masks-check"),
    ],
    "AR-2: it is": [
        ('J["ABB"].triu()', 'J["ABB"].tril()', "masks-check"),
        ("m[: k // 2] = 1", "m[: k // 2 + 1] = 1", "masks", "masks-check"),
        ("m[: k // 2] = 1", "m[:] = 1", "masks", "masks-check"),
        ("m[: k // 2] = 1", "m[:, : k // 2] = 1", "masks", "masks-check"),
    ],
    "AR-2: and the": [
        ('m[k // 2, : k // 2 + (kind == "B")] = 1', "", "masks", "masks-check"),
        ('(kind == "B")', "0", "masks", "masks-check"),
        ('(kind == "B")', '(kind == "A")', "masks", "masks-check"),
        ("found[i, i - 1]", "found[i - 1, i]", "masks-check"),
    ],
    "AR-2: as is": [
        ("m[: k // 2] = 1", "m[: k // 2, : k // 2 + 1] = 1", "masks", "masks-check"),
        ('J["ABB"][i, i - 4]', 'J["ABB"][i - 4, i]', "masks-check"),
        ("if i % 5 < 4", "", "masks-check"),
    ],
    "AR-2: A, A, A": [
        ('J["AAA"].triu()', 'J["BBB"].triu()', "masks-check"),
        ('J["AAA"].triu()', 'J["AAA"].tril()', "masks-check"),
        ('J["AAA"].triu()', 'J["AAA"].flip(1).triu()', "masks-check"),
    ],
    "AR-2: but it": [
        ('left["AAA"], 0', 'left["ABB"], 0', "masks-check"),
        ('left["AAA"], 0', 'left["BBB"], 0', "masks-check"),
        ('left["AAA"], 0', 'J["AAA"].tril(), 0', "masks-check"),
    ],
    "AR-2: in three": [
        ("found.triu()", "found.tril()", "family"),
        ("permute(0, 1, 2, 4, 5, 3)", "permute(0, 1, 2, 3, 4, 5)", "family"),
        ("model.features(e), e)", "model.features(e), e.roll(2, 1))", "family"),
        ("model.features(e), e)", "model.features(e) + e[:, :1], e)", "family"),
    ],
    "AR-2: all 48": [
        ("48 * 47 // 2", "48 * 49 // 2", "family"),
        ("model.features(e), e)", "model.features(e), 0 * e)", "family"),
        ("dict(layers=3)", "dict(layers=1, first_kernel=3)", "family"),
    ],
    "AR-2: blue": [
        ("found[3 * t + 2, 3 * t : 3 * t + 2]", "found[3 * t + 1, 3 * t : 3 * t + 2]", "family"),
        ("found[3 * t + 2, 3 * t : 3 * t + 2]", "found[3 * t, 3 * t : 3 * t + 2]", "family"),
        ("found[3 * t + 2, 3 * t : 3 * t + 2]", "found[3 * t + 2, 3 * t + 1 : 3 * t + 3]", "family"),
    ],
    "AR-1: 512": [
        ("small(cls, 2, 1)", "small(cls, 3, 1)", "family-sums"),
        ("every.long()", "every[:256].long()", "family-sums"),
        ("log_prob(images).exp().sum()", "log_prob(images).exp().mean()", "family-sums"),
        ("every.long()", "(every * 0).long()", "family-sums"),
    ],
    "AR-1: 6,561": [
        ("small(cls, 3, 2)", "small(cls, 4, 2)", "family-sums"),
        ("range(3), repeat=8", "range(2), repeat=8", "family-sums"),
        ("sum_of_3 - 1", "sum_of_3 - 3", "family-sums"),
    ],
    "mask ": [
        ("whole[:, :, : k // 2] = masked.above", "whole[:, :, k // 2 + 1 :] = masked.above", "two-parts"),
        ("masked.left.weight.detach()[:, :, 0]", "masked.left.weight.detach()[:, :, 0].flip(-1)", "two-parts"),
        ("masked.above.bias,", "2 * masked.above.bias,", "two-parts"),
        ("mask(k, kind),", 'mask(k, "A"),', "two-parts"),
    ],
    "the two parts": [
        ("mask(k, kind).sum()", "k * k", "two-parts"),
        ("+ masked.left.weight.numel()", "", "two-parts"),
    ],
    "AR-3: the blind": [
        ("layers * (layers - 1) // 2", "layers * (layers + 1) // 2", "blind"),
        ("gated & ~plain", "gated ^ ~plain", "blind"),
        ("(PixelCNN, GatedPixelCNN))", "(GatedPixelCNN, PixelCNN))", "blind"),
        ("(PixelCNN, GatedPixelCNN))", "(GatedPixelCNN, GatedPixelCNN))", "blind"),
    ],
    "AR-3: the gated": [
        ("first_kernel=3", "first_kernel=5", "blind"),
        ("layers * (2 * layers + 1) - layers", "layers * (2 * layers + 1)", "blind"),
        ("layers * (2 * layers + 1) - layers", "(2 * layers + 1) ** 2 - layers", "blind"),
        ("int(gated.sum())", "int(plain.sum())", "blind"),
    ],
    "AR-3: counting": [
        ("(0, -1)]", "(0, -1), (0, 1)]", "blind-paths"),
        ("[(0, 0)] * (layer > 0)", "[(0, 0)]", "blind-paths"),
        ("(1, 1), ", "", "blind-paths"),
        ("deep(PixelCNN, layers)", "deep(GatedPixelCNN, layers)", "blind-paths"),
    ],
    "AR-4: vaelib's": [
        ("sp.tanh(a) / (1 + sp.exp(-b))", "sp.tanh(b) / (1 + sp.exp(-a))", "gates"),
        ("sp.tanh(a) / (1 + sp.exp(-b))", "sp.tanh(a) / (1 + sp.exp(b))", "gates"),
        ("sp.tanh(a) / (1 + sp.exp(-b))", "1 / (1 + sp.exp(-a)) / (1 + sp.exp(-b))", "gates"),
        ("sp.tanh(a) / (1 + sp.exp(-b))", "sp.Max(a, 0) / (1 + sp.exp(-b))", "gates"),
    ],
    "AR-4: and both": [
        ("sp.diff(y, a), sp.diff(y, b)", "sp.diff(y, b), sp.diff(y, a)", "gates"),
        ("slopes - exact[1:]", "slopes + exact[1:]", "gates"),
        ("sp.diff(y, b)]", "y * (1 - y)]", "gates"),
    ],
    "AR-4: without": [
        (
            "deep(GatedPixelCNN, 2)(torch.randint(2, (10, 1, 4, 4), generator=generator))",
            "labelled(torch.randint(2, (10, 1, 4, 4), generator=generator), torch.arange(10))",
            "gates",
        ),
        ("logits[:, 1, 0, 0, 0]\ncheck", "logits[:, 1, 0, 0, 1]\ncheck", "gates"),
        ("logits[:, 1, 0, 0, 0]\ncheck", "logits[:, 1, 0, 1, 0]\ncheck", "gates"),
    ],
    "AR-4: with labels": [
        ("torch.arange(10)).logits", "torch.zeros(10, dtype=torch.int64)).logits", "gates"),
        ("torch.arange(10)).logits", "torch.arange(10) // 2).logits", "gates"),
        ("by_label.sort()", "(0 * by_label).sort()", "gates"),
    ],
    "AR-5: the cells": [
        ("half=1 / 255", "half=1 / 256", "cells"),
        ("half=1 / 255", "half=2 / 255", "cells"),
        ("above[255], below[0] = 1, 0", "above[0], below[255] = 1, 0", "cells"),
        ("+ half - means) / scales", "+ half + means) / scales", "cells"),
        ("- half - means) / scales", "- half - means) * scales", "cells"),
        ("edges=True", "edges=False", "cells"),
    ],
    "AR-5: the 256": [
        ("P.sum() - 1", "P[1:].sum() - 1", "cells"),
        ("P.sum() - 1", "P.mean() - 1", "cells"),
        ("P.sum() - 1", "P.log().sum() - 1", "cells"),
    ],
    "AR-5: vaelib's": [
        ("scales.log()[None", "scales[None", "cells"),
        ("mixture_weights.log()[None", "mixture_weights[None", "cells"),
        ("torch.zeros(1, 3, 0, 1, 1), 256", "torch.zeros(1, 3, 0, 1, 1), 257", "cells"),
    ],
    "AR-5: the distribution": [
        ("1 / (1 + sp.exp(-u))", "1 / (1 + sp.exp(u))", "cell-sympy"),
        ("(1 + sp.exp(-t)) ** 2", "(1 + sp.exp(-t))", "cell-sympy"),
        ("sp.diff(sigma(t), t)", "sigma(t)", "cell-sympy"),
    ],
    "AR-5: and it": [
        ("== (0, 1)", "== (1, 0)", "cell-sympy"),
        ("t, -sp.oo)", "t, 0)", "cell-sympy"),
        ("t, sp.oo)) ==", "t, 0)) ==", "cell-sympy"),
    ],
    "AR-5: the identity": [
        ("(1 - sp.exp(b - a))", "(1 - sp.exp(a - b))", "cell-sympy"),
        ("sigma(a) * sigma(-b)", "sigma(a) * sigma(b)", "cell-sympy"),
        ("(1 - sp.exp(b - a))", "(1 + sp.exp(b - a))", "cell-sympy"),
        ("sigma(a) * sigma(-b) * (1", "sigma(-b) * (1", "cell-sympy"),
    ],
    "AR-5: far": [
        ("math.log(1e-3)", "math.log(2e-3)", "cell-sympy"),
        ("v[200] - 1 / 255", "v[200] + 1 / 255", "cell-sympy"),
        ("logistic.logsf", "logistic.logcdf", "cell-sympy"),
        ("- math.log(-math.expm1(-2 / 255 / 1e-3))", "", "cell-sympy"),
    ],
    "KLs by SciPy": [
        ("truth * (truth.log() - log_p)", "log_p.exp() * (log_p - truth.log())", "ordered"),
        ("/ (N + 128)", "/ N", "ordered"),
    ],
    "AR-5: smooth": [
        ("counts + 0.5", "truth * (N + 128)", "ordered"),
        ('"mixture": fitted(counts)', '"mixture": fitted(0 * counts + 1)', "ordered"),
        ("torch.full((1, 5, 1, 1, 1), -2.0)", "torch.full((1, 5, 1, 1, 1), -9.0)", "ordered"),
        ('kl["smooth", 10 * N]["softmax"]', 'kl["smooth", 100 * N if N == 100 else 10 * N]["softmax"]', "ordered"),
    ],
    "AR-5: combed": [
        ("1 - 0.75 *", "1 - 0 *", "ordered"),
        ("counts + 0.5", "0 * counts + 0.5 + N / 256", "ordered"),
        ('kl["combed", 10_000]["mixture"] -', 'kl["smooth", 10_000]["mixture"] -', "ordered"),
    ],
    "AR-5: P(red)": [
        ("alpha * r, 0.08", "-alpha * r, 0.08", "colours"),
        ("red[:, None] * green", "red[None] * green", "colours"),
        ("torch.tensor([wide, tight]", "torch.tensor([tight, wide]", "colours"),
        (
            "cartesian_prod(torch.arange(levels), torch.arange(levels))",
            "cartesian_prod(torch.arange(levels), torch.arange(levels)).flip(1)",
            "colours",
        ),
    ],
    "AR-5: all 64": [
        ("table.sum() - 1", "table.diag().sum() - 1", "colours"),
        ("table.sum() - 1", "table.sum() - 8", "colours"),
        ("table.sum() - 1", "(table * 1.001).sum() - 1", "colours"),
    ],
    "on greys": [
        ("nats[first] - nats[second]", "nats[second] - nats[first]", "gaps"),
        ("gap.mean() / (gap", "gap.mean() / (100 * gap", "gaps"),
    ],
    "nats of": [
        ("logits[:, 1] - logits[:, 0]", "logits[:, 1]", "judge-check"),
        ("logits[:, 1] - logits[:, 0]", "logits[:, 0] - logits[:, 1]", "judge-check"),
        ("held_out[:50]) - by_torch", "held_out[50:100]) - by_torch", "judge-check"),
    ],
    "bits a pixel": [
        ("-784 * bits * math.log(2)", "-784 * bits", "judge-check"),
        ("(1, 28, 28))\ncheck", "(1, 14, 14))\ncheck", "judge-check"),
    ],
    "all 256": [
        ("(255 * x).round()", "(256 * x).floor()", "train-levels", "judge-check"),
        ("(255 * x).round()", "(254 * x).round()", "train-levels", "judge-check"),
    ],
    "AR-6: features": [
        ("features[1][:, : t + 1] - features[0][:, : t + 1]", "features[1] - features[0]", "final"),
        (
            "features[1][:, : t + 1] - features[0][:, : t + 1]",
            "features[1][:, : t + 2] - features[0][:, : t + 2]",
            "final",
        ),
        ("features[1][:, : t + 1] - features[0][:, : t + 1]", "features[1][:, t:] - features[0][:, t:]", "final"),
        ("begun.flatten()[t:] =", "begun.flatten()[: len(begun.flatten()[t:])] =", "final"),
        ("model.features(model.embed(x))", "model.features(model.embed(x.flip(-1)))", "final"),
    ],
    "AR-6: pixel t": [
        ("flatten()[: t + 1], 1e-5", "flatten()[: t + 2], 1e-5", "final"),
        (
            "next_one.flatten()[t + 1 :] = begun.flatten()[t + 1 :]",
            "next_one.flatten()[t - 1 :] = begun.flatten()[t - 1 :]; next_one.flatten()[t - 1] = 1 - next_one.flatten()[t - 1]",
            "final",
        ),
        ("flatten()[: t + 1], 1e-5", "flatten(), 1e-5", "final"),
    ],
    "AR-6: but": [
        ("features[2] - features[1]", "features[1] - features[1]", "final"),
        (
            "next_one.flatten()[t + 1 :] = begun.flatten()[t + 1 :]",
            "next_one.flatten()[t:] = begun.flatten()[t:]",
            "final",
        ),
        ("moved[arm].max(), at_least", "moved[arm].flatten()[:t].max(), at_least", "final"),
    ],
    "AR-6: pixel by": [
        ("i : i + 3, j : j + 3", "j : j + 3, i : i + 3", "cache"),
        ("torch.tanh(out)", "out", "cache"),
        ("i + 1, j + 1] = x[0, 0, i, j]", "i + 1, j + 1] = x[0, 0, j, i]", "cache"),
        ("mask(3, kind) * patch", "patch.flip(-1)", "cache"),
        ('kinds="ABB"', 'kinds="AAB"', "cache"),
        ("        planes[0][:, i + 1, j + 1] = x[0, 0, i, j]\n", "", "cache"),
    ],
    "AR-6: each layer": [
        ("products += 1", "products += 2", "cache"),
        ("products += 1", "products += 25", "cache"),
        ("products += 1", "products += k + 1", "cache"),
    ],
    "AR-6: every": [
        ("zip(model(x), model(x, cached=True)", "zip(model(x), model(x.flip(-1), cached=True)", "cached"),
        ("zip(model(x), model(x, cached=True)", "zip(model(x), model(x.clamp(max=0), cached=True)", "cached"),
        (".cpu().double() for", ".cpu().float() for", "cached"),
    ],
    "AR-6: the same": [
        ("manual_seed(5))", "manual_seed(5 + cached))", "cached"),
        ("(9, 9), cached,", "(9, 9), cached, temperature=1.5 + cached, generator=", "cached"),
        ("drawn[0] == drawn[1]", "drawn[0] == drawn[1].flip(-1)", "cached"),
    ],
    "what was": [("mask=upper)", "mask=~upper)", "play")],
    "and two": [("for seed in (0, 1)", "for seed in (0, 0)", "play")],
    "colder": [("temperature=T)", "temperature=1 / T)", "play")],
    "and emptier": [("float(x.double().mean())", "float((1 - x).double().mean())", "play")],
    "a model": [
        ("log_p.argmax(1)", "log_p.argmin(1)", "labels-check"),
        ("log_p.argmax(1)", "log_p.argmax(1).flip(0)", "labels-check"),
    ],
}


test_planted_errors = planted_errors_fail
test_every_claim_with_an_id_has_three_planted_errors = three_for_each_id
test_every_claim_has_a_planted_error = one_for_each_claim
test_every_slider_to_both_ends = sliders_move
test_stubs_pass_and_wrong_answers_fail = answers_are_marked
