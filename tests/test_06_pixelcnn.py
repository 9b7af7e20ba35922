"""Planted errors in the checks of notebook 06_pixelcnn."""

from played import answers_are_marked, one_for_each_claim, planted_errors_fail, sliders_move, three_for_each_id

STEM = "06_pixelcnn"
CHAIN = ("chain", "chain-proof")
MASKS = ("masks", "jacobians", "jacobians-proof")
PARTS = ("two-parts", "two-parts-proof")
FAMILY = ("family-parts", "family", "family-proof")
SUMS = ("family-parts", "family-sums-proof")
BLIND = ("blind-parts", "blind-count", "blind-proof")
CELLS = ("cells-parts", "cells", "cells-proof")
ORDERED = ("ordered-parts", "ordered", "ordered-proof")
COLOURS = ("colours-parts", "colours", "colours-proof")
JUDGE = ("train-levels", "train-grey", "judge", "judge-proof")
GAPS = ("gaps", "gaps-proof")
FINAL = ("final-parts", "final", "final-proof")
CACHE = ("cache", "cache-proof")
HEAT = ("heat", "heat-proof")
PLANTED = {
    "PixelCNN++ sees all": [("hidden=8, layers=2)", "hidden=8, layers=1)", "blind-proof")],
    "AR-1: each pixel": [
        (".tril(-1)", ".tril()", *CHAIN),
        (".tril(-1)", ".tril(1)", *CHAIN),
        ("torch.where(x == 1, ink, 1 - ink)", "ink", *CHAIN),
        ("torch.where(x == 1, ink, 1 - ink)", "torch.where(x == 1, ink, ink - 1)", *CHAIN),
        ("prod(1)", "mean(1)", *CHAIN),
    ],
    "AR-1: so they": [
        ("turn[:, None] > turn[None]", "turn[:, None] >= turn[None]", "chain-proof"),
        ("turn[:, None] > turn[None]", "turn[:, None] != turn[None]", "chain-proof"),
        ("turn[:, None] > turn[None]", "(turn[:, None] - turn[None]) % 9 > 4", "chain-proof"),
    ],
    "AR-1: p(x": [
        (
            "every[:, None, :i] == every[None, :, :i]",
            "every[:, None, : i + 1] == every[None, :, : i + 1]",
            "chain-proof",
        ),
        ("(weights * earlier)[i]", "(weights * earlier)[:, i]", "chain-proof"),
        ("with_ink / before", "before / with_ink", "chain-proof"),
        ("+ bias[i]", "", "chain-proof"),
    ],
    "AR-2: the Jacobian": [
        ("/ 2e-6", "/ 1e-6", "jacobians-proof"),
        ('stack(image + e, "ABB")', 'stack(image + e, "BBB")', "jacobians-proof"),
        ("for e in nudge[:, None]], 1", "for e in nudge[:, None]], 0", "jacobians-proof"),
    ],
    "AR-2: it is": [
        ('J["A, B, B"].triu()', 'J["A, B, B"].tril()', "jacobians-proof"),
        ("m[: k // 2] = 1", "m[: k // 2 + 1] = 1", *MASKS),
        ("m[: k // 2] = 1", "m[:] = 1", *MASKS),
        ("m[: k // 2] = 1", "m[:, : k // 2] = 1", *MASKS),
    ],
    "AR-2: and the": [
        ('m[k // 2, : k // 2 + (kind == "B")] = 1', "", *MASKS),
        ('(kind == "B")', "0", *MASKS),
        ('(kind == "B")', '(kind == "A")', *MASKS),
        ("found[i, i - 1]", "found[i - 1, i]", "jacobians-proof"),
    ],
    "AR-2: as is": [
        ("m[: k // 2] = 1", "m[: k // 2, : k // 2 + 1] = 1", *MASKS),
        ('J["A, B, B"][i, i - 4]', 'J["A, B, B"][i - 4, i]', "jacobians-proof"),
        ("if i % 5 < 4", "", "jacobians-proof"),
    ],
    "AR-2: A, A, A": [
        ('J["A, A, A"].triu()', 'J["B, B, B"].triu()', "jacobians-proof"),
        ('J["A, A, A"].triu()', 'J["A, A, A"].tril()', "jacobians-proof"),
        ('J["A, A, A"].triu()', 'J["A, A, A"].flip(1).triu()', "jacobians-proof"),
    ],
    "AR-2: but it": [
        ('left["A, A, A"], 0', 'left["A, B, B"], 0', "jacobians-proof"),
        ('left["A, A, A"], 0', 'left["B, B, B"], 0', "jacobians-proof"),
        ('left["A, A, A"], 0', 'J["A, A, A"].tril(), 0', "jacobians-proof"),
    ],
    "AR-2: in three": [
        ("found.triu()", "found.tril()", "family-proof"),
        ("permute(0, 1, 2, 4, 5, 3)", "permute(0, 1, 2, 3, 4, 5)", *FAMILY),
        ("model.features(e), e)", "model.features(e), e.roll(2, 1))", *FAMILY),
        ("model.features(e), e)", "model.features(e) + e[:, :1], e)", *FAMILY),
    ],
    "AR-2: all 48": [
        ("48 * 47 // 2", "48 * 49 // 2", "family-proof"),
        ("model.features(e), e)", "model.features(e), 0 * e)", *FAMILY),
        ("dict(layers=3)", "dict(layers=1, first_kernel=3)", *FAMILY),
    ],
    "AR-2: blue": [
        ("found[3 * t + 2, 3 * t : 3 * t + 2]", "found[3 * t + 1, 3 * t : 3 * t + 2]", "family-proof"),
        ("found[3 * t + 2, 3 * t : 3 * t + 2]", "found[3 * t, 3 * t : 3 * t + 2]", "family-proof"),
        ("found[3 * t + 2, 3 * t : 3 * t + 2]", "found[3 * t + 2, 3 * t + 1 : 3 * t + 3]", "family-proof"),
    ],
    "AR-1: 512": [
        ("small(cls, 2, 1)", "small(cls, 3, 1)", "family-sums-proof"),
        ("every.long()", "every[:256].long()", "family-sums-proof"),
        ("log_prob(images).exp().sum()", "log_prob(images).exp().mean()", *SUMS),
        ("every.long()", "(every * 0).long()", "family-sums-proof"),
    ],
    "AR-1: 6,561": [
        ("small(cls, 3, 2)", "small(cls, 4, 2)", "family-sums-proof"),
        ("range(3), repeat=8", "range(2), repeat=8", *SUMS),
        ("sum_of_3 - 1", "sum_of_3 - 3", "family-sums-proof"),
    ],
    "four leaks: batch": [
        ('broken["batch normalisation"]', 'broken["rows not shifted"]', "leaks-proof"),
        ('broken["batch normalisation"][1]', 'broken["batch normalisation"][2]', "leaks-proof"),
        ("total(two_levels, all_of_2)", "total(two_levels, all_of_2[::2])", "leaks-parts", "leaks", "leaks-proof"),
    ],
    "the two parts of a mask: mask ": [
        (
            "whole_kernel[:, :, : k // 2] = layer.above",
            "whole_kernel[:, :, k // 2 + 1 :] = layer.above",
            "two-parts-proof",
        ),
        (
            "layer.left.weight.detach()[:, :, 0]",
            "layer.left.weight.detach()[:, :, 0].flip(-1)",
            "two-parts-proof",
        ),
        ("layer.above.bias,", "2 * layer.above.bias,", "two-parts-proof"),
        ("whole_kernel * mask(k, kind)", 'whole_kernel * mask(k, "A")', "two-parts-proof"),
    ],
    "the two parts of a mask: they": [
        ("mask(k, kind).sum()", "k * k", "two-parts-proof"),
        ("+ layer.left.weight.numel()", "", *PARTS),
    ],
    "AR-3: the blind": [
        ("layers * (layers - 1) // 2", "layers * (layers + 1) // 2", "blind-proof"),
        ("gated & ~plain", "gated ^ ~plain", *BLIND),
        ("deep(GatedPixelCNN, layers)", "deep(PixelCNN, layers)", *BLIND),
        ("plain = seen(deep(PixelCNN", "plain = seen(deep(GatedPixelCNN", *BLIND),
    ],
    "AR-3: the gated": [
        ("first_kernel=3", "first_kernel=5", *BLIND),
        ("layers * (2 * layers + 1) + layers", "layers * (2 * layers + 1)", "blind-proof"),
        ("layers * (2 * layers + 1) + layers", "(2 * layers + 1) ** 2 + layers", "blind-proof"),
        ("int(gated.sum())", "int(plain.sum())", *BLIND),
    ],
    "AR-3: counting": [
        ("(0, -1)]", "(0, -1), (0, 1)]", "blind-proof"),
        ("[(0, 0)] * (layer > 0)", "[(0, 0)]", "blind-proof"),
        ("(1, 1), ", "", "blind-proof"),
        ("deep(PixelCNN, layers)", "deep(GatedPixelCNN, layers)", "blind-proof"),
    ],
    "AR-4: vaelib's": [
        ("sp.tanh(a) / (1 + sp.exp(-b))", "sp.tanh(b) / (1 + sp.exp(-a))", "gates-proof"),
        ("sp.tanh(a) / (1 + sp.exp(-b))", "sp.tanh(a) / (1 + sp.exp(b))", "gates-proof"),
        ("sp.tanh(a) / (1 + sp.exp(-b))", "1 / (1 + sp.exp(-a)) / (1 + sp.exp(-b))", "gates-proof"),
        ("sp.tanh(a) / (1 + sp.exp(-b))", "sp.Max(a, 0) / (1 + sp.exp(-b))", "gates-proof"),
    ],
    "AR-4: and both": [
        ("sp.diff(y, a), sp.diff(y, b)", "sp.diff(y, b), sp.diff(y, a)", "gates-proof"),
        ("slopes - exact[1:]", "slopes + exact[1:]", "gates-proof"),
        ("sp.diff(y, b)]", "y * (1 - y)]", "gates-proof"),
    ],
    "the first pixel: without": [
        ("unlabelled(ten)", "labelled(ten, torch.arange(10))", "first-pixel", "first-pixel-proof"),
        (
            "unlabelled(ten).logits[:, 1, 0, 0, 0]",
            "unlabelled(ten).logits[:, 1, 0, 0, 1]",
            "first-pixel",
            "first-pixel-proof",
        ),
        (
            "unlabelled(ten).logits[:, 1, 0, 0, 0]",
            "unlabelled(ten).logits[:, 1, 0, 1, 0]",
            "first-pixel",
            "first-pixel-proof",
        ),
    ],
    "the first pixel: with labels": [
        ("(ten, torch.arange(10))", "(ten, torch.zeros(10, dtype=torch.int64))", "first-pixel", "first-pixel-proof"),
        ("(ten, torch.arange(10))", "(ten, torch.arange(10) // 2)", "first-pixel", "first-pixel-proof"),
        ("with_label.sort()", "(0 * with_label).sort()", "first-pixel-proof"),
    ],
    "AR-5: the cells": [
        ("half=1 / 255", "half=1 / 256", *CELLS),
        ("half=1 / 255", "half=2 / 255", *CELLS),
        ("above[255], below[0] = 1, 0", "above[0], below[255] = 1, 0", *CELLS),
        ("+ half - means) / scales", "+ half + means) / scales", *CELLS),
        ("- half - means) / scales", "- half - means) * scales", *CELLS),
        ("edges=True", "edges=False", *CELLS),
    ],
    "AR-5: the 256": [
        ("P.sum() - 1", "P[1:].sum() - 1", "cells-proof"),
        ("P.sum() - 1", "P.mean() - 1", "cells-proof"),
        ("P.sum() - 1", "P.log().sum() - 1", "cells-proof"),
    ],
    "AR-5: vaelib's": [
        ("scales.log()[None", "scales[None", *CELLS),
        ("mixture_weights.log()[None", "mixture_weights[None", *CELLS),
        ("torch.zeros(1, M, 0, 1, 1), 256", "torch.zeros(1, M, 0, 1, 1), 257", *CELLS),
    ],
    "difference of sigmoids: the distribution": [
        ("1 / (1 + sp.exp(-u))", "1 / (1 + sp.exp(u))", "naive-proof"),
        ("(1 + sp.exp(-t_)) ** 2", "(1 + sp.exp(-t_))", "naive-proof"),
        ("sp.diff(sigma(t_), t_)", "sigma(t_)", "naive-proof"),
    ],
    "difference of sigmoids: and it": [
        ("== (0, 1)", "== (1, 0)", "naive-proof"),
        ("t_, -sp.oo)", "t_, 0)", "naive-proof"),
        ("t_, sp.oo))", "t_, 0))", "naive-proof"),
    ],
    "difference of sigmoids: the identity": [
        ("(1 - sp.exp(b - a))", "(1 - sp.exp(a - b))", "naive-proof"),
        ("sigma(a) * sigma(-b)", "sigma(a) * sigma(b)", "naive-proof"),
        ("(1 - sp.exp(b - a))", "(1 + sp.exp(b - a))", "naive-proof"),
        ("sigma(a) * sigma(-b) * (1", "sigma(-b) * (1", "naive-proof"),
    ],
    "difference of sigmoids: far": [
        ("narrow, half = 1e-3, 1 / 255", "narrow, half = 2e-3, 1 / 255", "naive", "naive-proof"),
        ("v[200] - 1 / 255", "v[200] + 1 / 255", "naive-proof"),
        ("logistic.logsf", "logistic.logcdf", "naive-proof"),
        ("- tail - beyond", "- tail", "naive-proof"),
    ],
    "knowing the order: KL": [
        ("truth * (truth.log() - log_p)", "log_p.exp() * (log_p - truth.log())", "ordered", "ordered-proof"),
        ("/ (N + 128)", "/ (N + 100)", "ordered", "ordered-proof"),
    ],
    "knowing the order: smooth": [
        ("(counts + 0.5)", "((counts + 0.5) / 4 + truth * (N + 128) * 3 / 4)", "ordered", "ordered-proof"),
        ('"mixture", N] = fitted(counts)', '"mixture", N] = fitted(0 * counts + 1)', "ordered", "ordered-proof"),
        ("torch.full((1, 5, 1, 1, 1), -2.0)", "torch.full((1, 5, 1, 1, 1), -9.0)", *ORDERED),
        (
            'kl["smooth", "softmax", 10 * N]',
            'kl["smooth", "softmax", 100 * N if N == 100 else 10 * N]',
            "ordered-proof",
        ),
    ],
    "knowing the order: 100": [
        ('kl[kind, "softmax", 100]', 'kl[kind, "softmax", 1000]', "ordered-proof"),
    ],
    "knowing the order: combed": [
        ("1 - 0.75 *", "1 - 0 *", *ORDERED),
        ('kl["combed", "mixture", 10_000] -', 'kl["smooth", "mixture", 10_000] -', "ordered-proof"),
    ],
    "knowing the order: there": [
        ('kl["combed", "mixture", 1000]', 'kl["combed", "mixture", 100]', "ordered-proof"),
        ('kl["combed", "mixture", 1000]', 'kl["combed", "softmax", 1000]', "ordered-proof"),
    ],
    "sub-pixel conditioning: P(red)": [
        ("alpha * r, 0.08", "-alpha * r, 0.08", "colours-proof"),
        ("red[:, None] * green", "red[None] * green", "colours-proof"),
        ("torch.tensor([wide, tight]", "torch.tensor([tight, wide]", *COLOURS),
        (
            "cartesian_prod(torch.arange(levels), torch.arange(levels))",
            "cartesian_prod(torch.arange(levels), torch.arange(levels)).flip(1)",
            *COLOURS,
        ),
    ],
    "sub-pixel conditioning: all 64": [
        ("table.sum() - 1", "table.diag().sum() - 1", "colours-proof"),
        ("table.sum() - 1", "table.sum() - 8", "colours-proof"),
        ("table.sum() - 1", "(table * 1.001).sum() - 1", "colours-proof"),
    ],
    "gated, with the mixture: on greys": [
        ("nats[old] - nats[new]", "nats[new] - nats[old]", *GAPS),
        ("by_image.mean() / (by_image", "by_image.mean() / (100 * by_image", "gaps-proof"),
    ],
    "gated, with the mixture: the gain": [
        ("by_image.mean()))", "by_image.median()))", *GAPS),
        ("float(by_image.mean())", "float(by_image.mean()) / 196", *GAPS),
    ],
    "gated, with the mixture: and": [
        (
            'check("and it is many nats an image", by_hand',
            'check("and it is many nats an image", by_hand / 196',
            "gaps-proof",
        ),
    ],
    "exact nats: nats of": [
        ("logits[:, 1] - logits[:, 0]", "logits[:, 1]", "judge-proof"),
        ("logits[:, 1] - logits[:, 0]", "logits[:, 0] - logits[:, 1]", "judge-proof"),
        ("held_out[:50]) - by_torch", "held_out[50:100]) - by_torch", "judge-proof"),
    ],
    "exact nats: bits a pixel": [
        ("-784 * bits * math.log(2)", "-784 * bits", "judge-proof"),
        ("(1, 28, 28))", "(1, 14, 14))", "judge-proof"),
    ],
    "exact nats: about equally": [
        ("sum(p.numel() for p in model.parameters())", "sum(1 for p in model.parameters())", "judge-proof"),
    ],
    "exact nats: all 256": [
        ("(255 * x).round()", "(256 * x).floor()", "train-levels", "judge-proof"),
        ("(255 * x).round()", "(254 * x).round()", "train-levels", "judge-proof"),
    ],
    "AR-6: features": [
        ("early[:, : t + 1] - done[:, : t + 1]", "early - done", "final-proof"),
        ("early[:, : t + 1] - done[:, : t + 1]", "early[:, : t + 2] - done[:, : t + 2]", "final-proof"),
        ("early[:, : t + 1] - done[:, : t + 1]", "early[:, t:] - done[:, t:]", "final-proof"),
        ("begun.flatten()[t:] =", "begun.flatten()[: len(begun.flatten()[t:])] =", *FINAL),
        ("model.features(model.embed(x))", "model.features(model.embed(x.flip(-1)))", *FINAL),
    ],
    "AR-6: pixel t": [
        ("flatten()[: t + 1], 1e-5", "flatten()[: t + 2], 1e-5", "final-proof"),
        (
            "next_one.flatten()[t + 1 :] = begun.flatten()[t + 1 :]",
            "next_one.flatten()[t - 1 :] = begun.flatten()[t - 1 :]; next_one.flatten()[t - 1] = 1 - next_one.flatten()[t - 1]",
            *FINAL,
        ),
        ("flatten()[: t + 1], 1e-5", "flatten(), 1e-5", "final-proof"),
    ],
    "AR-6: but": [
        ("after - before", "before - before", *FINAL),
        (
            "next_one.flatten()[t + 1 :] = begun.flatten()[t + 1 :]",
            "next_one.flatten()[t:] = begun.flatten()[t:]",
            *FINAL,
        ),
        ("moved[arm].max(), at_least", "moved[arm].flatten()[:t].max(), at_least", "final-proof"),
    ],
    "AR-6: pixel by": [
        ("i : i + 3, j : j + 3", "j : j + 3, i : i + 3", *CACHE),
        ("torch.tanh(out)", "out", *CACHE),
        ("i + 1, j + 1] = x[0, 0, i, j]", "i + 1, j + 1] = x[0, 0, j, i]", *CACHE),
        ("mask(3, kind) * patch", "patch.flip(-1)", *CACHE),
        ('kinds="ABB"', 'kinds="AAB"', *CACHE),
        ("        planes[0][:, i + 1, j + 1] = x[0, 0, i, j]\n", "", *CACHE),
    ],
    "AR-6: each layer": [
        ("products += 1", "products += 2", *CACHE),
        ("products += 1", "products += 25", *CACHE),
        ("products += 1", "products += k + 1", *CACHE),
    ],
    "AR-6: every": [
        ("zip(model(x), model(x, cached=True)", "zip(model(x), model(x.flip(-1), cached=True)", "cached-proof"),
        ("zip(model(x), model(x, cached=True)", "zip(model(x), model(x.clamp(max=0), cached=True)", "cached-proof"),
        ("copy.deepcopy(model).cpu().double()", "copy.deepcopy(model).cpu().float()", "cached-proof"),
    ],
    "AR-6: the same": [
        ("manual_seed(5)", "manual_seed(5 + cached)", "cached-proof"),
        ("(9, 9), cached, dice", "(9, 9), cached, dice, 1.5 + cached", "cached-proof"),
        ("drawn[0] == drawn[1]", "drawn[0] == drawn[1].flip(-1)", "cached-proof"),
    ],
    "completion: what was": [("< 14", ">= 14", "complete", "complete-proof")],
    "completion: and two": [('("once more", 1)', '("once more", 0)', "complete", "complete-proof")],
    "temperature: colder": [("temperature=T)", "temperature=1 / T)", *HEAT)],
    "temperature: and emptier": [("float(x.double().mean())", "float((1 - x).double().mean())", *HEAT)],
    "temperature: in the empty": [("model(nothing)", "model(given)", "heat-proof")],
    "temperature: the empty": [
        ("model.log_prob(nothing)", "model.log_prob(given[:1])", *HEAT),
        ('nats["PixelCNN"].min()', 'nats["PixelCNN"].min() * 0', *HEAT),
    ],
    "drawn by label: a model": [
        ("log_p.argmax(1)", "log_p.argmin(1)", "labels-check", "labels-proof"),
        ("log_p.argmax(1)", "log_p.argmax(1).flip(0)", "labels-check", "labels-proof"),
    ],
    "drawn by label: the columns": [("[first_of]", "[first_of[::-1]]", "labels-proof")],
}


test_planted_errors = planted_errors_fail
test_every_claim_with_an_id_has_three_planted_errors = three_for_each_id
test_every_claim_has_a_planted_error = one_for_each_claim
test_every_slider_to_both_ends = sliders_move
test_stubs_pass_and_wrong_answers_fail = answers_are_marked
