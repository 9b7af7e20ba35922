"""Planted errors in the checks of notebook 04_training_a_vae."""

from generated import generated_errors_fail, survivors_have_reasons
from played import (
    answers_are_marked,
    one_for_each_claim,
    other_seeds_are_kept,
    planted_errors_fail,
    sliders_move,
    three_for_each_id,
)

STEM = "04_training_a_vae"
GREY = ("grey-mass", "grey-mass-proof")
READ = ("three-readings-parts", "three-readings", "three-readings-proof")
HELD = ("linear-in-x", "linear-in-x-proof")
FLOOR = ("floor", "floor-proof")
ONCE = ("fixed-proof",)
KNOWN = ("linear-known", "linear-known-proof")
GAP = ("linear-known", "linear-gap", "linear-train", "linear-figure", "linear-figure-proof")
SPOILED = ("linear-known", "linear-spoiled", "linear-check")
NAIVE = ("naive-nll", "linear-check")
MEAN = ("at-mean", "at-mean-proof")
MEAN_DIGITS = ("at-mean", "at-mean-digits", "at-mean-digits-proof")
MORE = ("judge-more", "judge-more-proof")
ACTIVE = ("activity", "activity-proof")
BETA = ("beta-points", "beta-figure", "beta-check")
COLLAPSE = ("collapse-linear", "collapse-linear-fit", "collapse-count", "collapse-linear-check")
PEEK = ("collapse-model", "collapse-causal", "collapse-causal-proof")
TABLE = ("collapse-table", "collapse-table-proof")
IWAE = ("iwae-told", "iwae-check")
BEST = ("turned", "best-q", "amortization", "amortization-proof")
PARTS = ("best-q", "amortization-digits", "amortization-digits-proof")
PROBE = ("probe", "probe-proof")
ARC = ("arc", "between", "between-proof")
LOSS = ("loss", "loss-proof")
COLLAPSE_TRAIN = ("collapse-train", "collapse-table-proof")
PLANTED = {
    "the loss: distortion": [("distortion + beta * rate", "beta * distortion + rate", *LOSS)],
    "exp(−BCE): the integral over grey": [("grey * v - F.soft", "-grey * v - F.soft", *GREY)],
    "exp(−BCE): and never": [("highest - 0.5", "highest + 0.5", *GREY)],
    "exp(−BCE): 784": [("784 * math.log(2)", "784 * math.log(10)", *GREY)],
    "three readings: in_errors": [
        ("lead.std() / len(lead) ** 0.5", "lead.std() / len(lead)", *READ),
        ("lead.std() / len(lead) ** 0.5", "lead.var() / len(lead) ** 0.5", *READ),
    ],
    "three readings: grey": [('"grey": grey_test', '"grey": data.binarize(grey_test, seeded(99))', *READ)],
    "three readings: rounded": [
        ('"rounded": (grey_test > 0.5).float()', '"rounded": data.binarize(grey_test, seeded(99))', *READ)
    ],
    "three readings: a script's": [(".elbo.cpu().double()", ".log_px.cpu().double()", *READ)],
    "drawn pixels: every pixel": [("grey_test[:1].expand(", "(grey_test[:1] ** 2).expand(", *HELD)],
    "drawn pixels: for a fixed z": [
        ("one.log_prob(grey_test[:1])", "one.log_prob((grey_test[:1] > 0.5).float())", *HELD),
        ("of_drawn = one.log_prob(many)", "of_drawn = -one.log_prob(many)", *HELD),
    ],
    "drawn pixels: the grey number": [
        ("float(one.log_prob(grey_test[:1]))", "0.9985 * float(one.log_prob(grey_test[:1]))", *HELD),
        ("xlogy(1 - pixel, 1 - p)", "xlogy(1 - pixel, p)", *HELD),
    ],
    "the floor: the entropy": [
        ("+ torch.xlogy(1 - coins, 1 - coins))", ")", *FLOOR),
        ("entropy = -(torch.xlogy", "entropy = -3 * (torch.xlogy", *FLOOR),
    ],
    "the floor: the drawn": [
        ("torch.xlogy(1 - pixels, 1 - coins)", "torch.xlogy(1 - pixels, coins)", *FLOOR),
        ("knowing - by_torch", "knowing", *FLOOR),
    ],
    "the floor: the model": [('shown["drawn"] - entropy', 'entropy - shown["drawn"]', *FLOOR)],
    "the floor: by what": [('shown["drawn"] - entropy', 'shown["drawn"] - 2 * entropy', *FLOOR)],
    "pixels drawn once: binarizing": [("seeded(34)) - once", "seeded(34)) - held_out[:500]", *ONCE)],
    "pixels drawn once: on test": [("in_errors(on_test)", "in_errors(-on_test)", *ONCE)],
    "pixels drawn once: on its own": [
        ('twice["drawn anew"]["training"] -', 'twice["drawn once"]["training"] -', *ONCE)
    ],
    "the linear model: Bayes": [
        ("W @ W.T + sigma", "0.97 * W @ W.T + sigma", *KNOWN),
        ("sigma**2 * torch.eye(16)", "sigma * torch.eye(16)", *KNOWN),
        ("exact = multivariate_normal(b.numpy()", "exact = multivariate_normal(-b.numpy()", *KNOWN),
        ("torch.eye(3) + W.T @ W / sigma**2", "W.T @ W / sigma**2", *KNOWN),
        ("(x.flatten(1) - b) @ W", "x.flatten(1) @ W", *KNOWN),
        ("torch.linalg.inv(precision) / sigma**2", "torch.linalg.inv(precision) / sigma", *KNOWN),
    ],
    "the linear gap: log p(x)": [
        ('"ELBO": curve[:, 2] - curve[:, 0]', '"ELBO": curve[:, 0] - curve[:, 2]', *GAP[3:]),
        ("- 3 + (off", "+ (off", *GAP[1:]),
        (".terms.elbo.mean()", ".terms.log_px.mean()", *GAP[1:]),
    ],
    "the linear gap: and the ELBO": [("gap_of(straight, pooled[:200])", "gap_of(spoiled, pooled[:200])", *GAP[3:])],
    "ELBO-16: the mean weight": [
        ("torch.exp(found.log_px - truth)", "torch.exp(found.terms.elbo - truth)", "linear-check"),
        ("mean_w = torch.exp(found.log_px - truth)", "mean_w = found.log_px - truth", "linear-check"),
        ("sigma**2 * torch.eye(16)", "sigma * torch.eye(16)", *SPOILED),
        ("W @ W.T +", "W @ W.T / 2 +", *SPOILED),
        ("multivariate_normal(b.numpy()", "multivariate_normal(-b.numpy()", *SPOILED),
        ("found.log_px - truth)", "found.log_px - truth + math.log(K))", "linear-check"),
    ],
    "ELBO-16: every image's": [
        ("(found.log_px - truth) / found.error", "(found.log_px - truth) / found.error**2", "linear-check"),
        ("(found.log_px - truth) / found.error", "(found.log_px - truth + 1) / found.error", "linear-check"),
        ("pull = (found.log_px - truth)", "pull = (elbo - truth)", "linear-check"),
    ],
    "ELBO-16: and the standard errors": [
        ("(found.log_px - truth) / found.error", "(found.log_px - truth) / (3 * found.error)", "linear-check"),
        ("(found.log_px - truth) / found.error", "(found.log_px - truth) / (2 * found.error)", "linear-check"),
        ("(found.log_px - truth) / found.error", "(found.log_px - truth) / (found.error / 1.5)", "linear-check"),
    ],
    "ELBO-16: the two standard errors": [
        ("relative.std(0) / K**0.5", "relative.std(0) / K", *NAIVE),
        ("relative.std(0) / K**0.5", "torch.stack(log_w).std(0) / K", *NAIVE),
    ],
    "ELBO-16: vaelib agrees": [
        ("log_joint - q.log_prob(z)", "log_joint", *NAIVE),
        ("+ prior.log_prob(z)", "", *NAIVE),
        ("torch.logsumexp(torch.stack(log_w), 0) - math.log(K)", "torch.logsumexp(torch.stack(log_w), 0)", *NAIVE),
        ("torch.logsumexp(torch.stack(log_w), 0) - math.log(K)", "torch.stack(log_w).mean(0)", *NAIVE),
        ("torch.logsumexp(torch.stack(log_w), 0) - math.log(K)", "torch.stack(log_w).amax(0)", *NAIVE),
    ],
    "the shortcut, linear: it is too high": [
        ("(s**2 * W", "(s * W", *MEAN),
        ("/ (2 * sigma**2)", "/ sigma**2", *MEAN),
        ("/ (2 * sigma**2)", "/ (2 * sigma)", *MEAN),
        ("W.square().sum(0)", "W.sum(0).square()", *MEAN),
        ("model.decode(q.mean)", "model.decode(q.rsample())", *MEAN),
    ],
    "the shortcut, digits: it is too good": [
        ("flattery = honest - quick", "flattery = quick - honest", *MEAN_DIGITS[1:])
    ],
    "the shortcut, digits: it is BCE": [("- q.kl()", "", *MEAN_DIGITS), ("- q.kl()", "- 1.01 * q.kl()", *MEAN_DIGITS)],
    "more draws: a second run": [("evaluate.nll(vae, unseen, 1000", "evaluate.nll(vae, unseen, 10", "judge-check")],
    "more draws: L_": [
        (
            "by_draws[many_draws].log_px - by_draws[few_draws]",
            "by_draws[few_draws].log_px - by_draws[many_draws]",
            "judge-check",
        )
    ],
    "more draws: the steps": [("by_draws[few_draws].log_px", "by_draws[few_draws].terms.elbo", "judge-check")],
    "more draws: which is": [("values[0] - values[-1]", "by_elbo_value - values[-1]", "judge-figure", "judge-check")],
    "more draws: L_10 is": [("bounds.iw_bound(vae, unseen, 10,", "bounds.iw_bound(vae, unseen, 100,", "judge-check")],
    "more draws: L_1 is": [("by_draws[5000].terms.elbo", "by_draws[5000].log_px", "judge-check")],
    "the shortcut, against L_5000: it lies": [
        ("at_mean(vae, unseen)", "-readings(vae, unseen)", "judge-shortcut", "judge-shortcut-proof")
    ],
    "readings of one model: bits": [("bits * 784", "bits * 28", "judge-more-proof")],
    "readings of one model: test minus": [
        ("math.hypot(new.error, old.error)", "new.error + old.error", *MORE),
        ("new.value - old.value", "old.value - new.value", *MORE),
    ],
    "active units: their number": [("activity > 0.01", "activity > 1.2", *ACTIVE)],
    "active units: the variances": [("activity = evaluate", "activity = 2 * evaluate", *ACTIVE)],
    "β is the slope: the slope": [
        ("(d1 - d0) / (r0 - r1)", "0.75 * (d1 - d0) / (r0 - r1)", "beta-check"),
        ("(d1 - d0) / (r0 - r1)", "1.2 * (d1 - d0) / (r0 - r1)", "beta-check"),
        ("(d1 - d0) / (r0 - r1)", "(r0 - r1) / (d1 - d0)", "beta-check"),
    ],
    "β is the slope: between": [
        ("(f.rate.value, f.distortion.value)", "(f.rate.value, f.neg_elbo.value)", *BETA),
        ("(f.rate.value, f.distortion.value)", "(f.rate.value, f.nll.value)", *BETA),
    ],
    "the best −ELBO: rate and": [
        ("beta: r + d", "beta: 0.8 * r + d", "beta-check"),
        ("beta: r + d", "beta: 1.3 * r + d", "beta-check"),
    ],
    "the best −ELBO: β = 1": [("min(neg_elbos", "max(neg_elbos", "beta-check")],
    "the best −ELBO: the dashed": [("sum(points[1.0]) - R", "sum(points[1.0]) - 0.7 * R", "beta-figure", "beta-check")],
    "collapse as the optimum: ": [
        ("(A @ S * A).sum() +", "", *COLLAPSE),
        ("scatter = (s**2 * W.square().sum(0)).sum()", "scatter = 0", *COLLAPSE),
    ],
    "collapse as the optimum: the variance": [
        ("1 - sigma**2 / eigenvalues[:8]", "1 - sigma / eigenvalues[:8]", "collapse-linear-check"),
        ("1 - sigma**2 / eigenvalues[:8]", "1 - sigma**2 / eigenvalues[:8] ** 2", "collapse-linear-check"),
    ],
    "the peeking decoder: the middle": [
        ("(torch.arange(49, device=x.device) < 24)", "(torch.arange(49, device=x.device) == 23)", *PEEK)
    ],
    "what z says: the rate": [
        ('(rate["(section 1)"] / rate["none"])', '(rate["none"] / rate["(section 1)"])', "collapse-table-proof")
    ],
    "what z says: the cost": [
        ("z.roll(1, 0)", "z", *TABLE),
        ("z.roll(1, 0)", "z.roll(-1, 0)", *TABLE),
        ("cost[remedy] = (own - other)", "cost[remedy] = (other - own)", *TABLE),
    ],
    "what z says: a floor": [
        ("kl.mean(0).clamp(min=floor)", "kl.clamp(min=floor).mean(0)", *COLLAPSE_TRAIN),
        ("clamp(min=floor)", "clamp(min=2 * floor)", *COLLAPSE_TRAIN),
        ("clamp(min=floor)", "add(floor)", *COLLAPSE_TRAIN),
    ],
    "what z says: β weighs": [("+ beta * kl.mean(0)", "+ 1.01 * beta * kl.mean(0)", *COLLAPSE_TRAIN)],
    "trained on L₁₀: ": [
        ("better, worse = g.log_px - f.log_px,", "better, worse = f.log_px - g.log_px,", *IWAE),
        ("f.terms.elbo - g.terms.elbo", "g.terms.elbo - f.terms.elbo", *IWAE),
        ('widths["L₁₀"] - widths["ELBO"]', 'widths["ELBO"] - widths["L₁₀"]', "iwae-check"),
    ],
    "trained on L₁₀: the gap": [
        ("(g.log_px - g.terms.elbo)", "(g.log_px - f.terms.elbo + 3)", *IWAE),
        ("(f.log_px - f.terms.elbo)", "(f.log_px - g.terms.elbo)", *IWAE),
    ],
    "trained on L₁₀: L₅₀₀ by": [("= g.log_px - f.log_px", "= 3 * g.log_px - 3 * f.log_px", *IWAE)],
    "trained on L₁₀: and the ELBO": [("f.terms.elbo - g.terms.elbo", "2 * (f.terms.elbo - g.terms.elbo)", *IWAE)],
    "trained on L₁₀: widths": [
        ("means, s = model.encode(held_back).mean", "means, s = 2 * model.encode(held_back).mean", "iwae-check")
    ],
    "the best diagonal q: z turned": [("weight.data @ turn", "weight.data @ turn * 2", *BEST)],
    "the best diagonal q: axes": [
        ("+ prior.log_prob(z) - still", "+ 2 * prior.log_prob(z) - still", *BEST),
        ("- still.log_prob(z)", "- 0.5 * still.log_prob(z)", *BEST),
        ("precision.diagonal().log().sum()", "precision.diagonal().sum().log()", *BEST),
        ("return log_w.mean(0), ", "return log_w.mean(0) + 0.02, ", *BEST),
    ],
    "the best diagonal q: L_K": [("torch.logsumexp(log_w, 0) - math.log(K)", "torch.logsumexp(log_w, 0)", *BEST)],
    "whose part is the gap: the encoder": [("= best_elbo - guess,", "= guess - best_elbo,", *PARTS[1:])],
    "whose part is the gap: and q*": [("with_best - best_elbo", "best_elbo - with_best", *PARTS[1:])],
    "whose part is the gap: both": [
        ("best_elbo - guess, with_best - best_elbo", "best_elbo - guess, with_guess - best_elbo", *PARTS[1:]),
        ("torch.logsumexp(log_w, 0) - math.log(K)", "torch.logsumexp(log_w, 0)", *PARTS),
    ],
    "the probe: taught": [
        ('right_by_probe(inputs["latents"], shuffled)', 'right_by_probe(inputs["latents"], fit_y)', "probe-proof")
    ],
    "the probe: the latents": [('right["latents"].mean() / by', "by_chance / by", "probe-proof")],
    "the probe: its input": [
        (
            "code_means(vae, part) for part in (fit_x, try_x)",
            "code_means(start, part) for part in (fit_x, try_x)",
            *PROBE,
        )
    ],
    "line and arc: halfway": [
        ("((z1 + z2) / 2)", "((z1 + z2) / 2**0.5)", "between-proof"),
        ("((z1 + z2) / 2).square()", "((z1 + z2) / 2).abs()", "between-proof"),
    ],
    "line and arc: an arc": [("ends = torch.sin((1 - t) * angle) * a", "ends = torch.sin(angle) * (1 - t) * a", *ARC)],
    "line and arc: its angle": [("arc(a, b, t),", "a.expand(9, -1),", "between-proof")],
    "line and arc: and that": [("(1 - t[:, 0]) * angle", "t[:, 0] * angle", "between-proof")],
    "line and arc: in the middle": [
        ('"arc": arc(*pair, shares)', '"arc": (1 - shares) * pair[0] + shares * pair[1]', *ARC)
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
