"""Planted errors in the checks of notebook 04_training_a_vae."""

from played import answers_are_marked, one_for_each_claim, planted_errors_fail, sliders_move, three_for_each_id

STEM = "04_training_a_vae"
PLANTED = {
    "z turned": [("spoiled.decoder.mean.weight @ turn)", "2 * spoiled.decoder.mean.weight @ turn)", "amortization")],
    "linear model, axes": [
        ("(still.log_prob(z) - prior.log_prob(z) -", "(still.log_prob(z) - 2 * prior.log_prob(z) -", "amortization"),
        ("loss = (still.log_prob(z) -", "loss = (0.5 * still.log_prob(z) -", "amortization"),
        ("(precision.diagonal().log().sum() -", "(precision.diagonal().sum().log() -", "amortization"),
        ("return log_w.mean(0), ", "return log_w.mean(0) + 0.02, ", "amortization"),
        ("torch.eye(3, dtype=torch.float64) + weight.T", "weight.T", "amortization"),
        ("- torch.logdet(precision)) / 2", "- torch.logdet(precision))", "amortization"),
    ],
    "the encoder loses": [("best_elbo - guessed", "guessed - best_elbo", "amortization-digits")],
    "and the best q": [("own_log_px - best_elbo", "best_elbo - own_log_px", "amortization-digits")],
    "over black and white": [("/ (1 + sp.exp(logit))", "/ (2 + sp.exp(logit))", "grey-mass")],
    "the integral over grey": [
        ("(X, 0, 1)", "(X, 0, 2)", "grey-mass"),
        ("levels * v - F.soft", "-levels * v - F.soft", "grey-mass"),
    ],
    "it is tanh": [("torch.tanh(logits / 2) / logits", "torch.tanh(logits) / logits", "grey-mass")],
    "and never more": [("by_quadrature.max() - 0.5", "by_quadrature.max() + 0.5", "grey-mass")],
    "in_errors is": [
        ("lead.std() / len(lead) ** 0.5", "lead.std() / len(lead)", "three-readings"),
        ("lead.std() / len(lead) ** 0.5", "lead.var() / len(lead) ** 0.5", "three-readings"),
    ],
    "grey pixels give": [('"grey": grey_test', '"grey": drawn', "three-readings")],
    "rounded pixels give": [('"rounded": (grey_test > 0.5).float()', '"rounded": drawn', "three-readings")],
    "every pixel is drawn": [("grey_test[:1].expand(", "(grey_test[:1] ** 2).expand(", "linear-in-x")],
    "and those errors have": [
        ("(1 - pixel) / len(many)).sqrt()", "(1 - pixel)).sqrt()", "linear-in-x"),
        ("(pixel * (1 - pixel) / len", "(pixel / len", "linear-in-x"),
    ],
    "for a fixed z": [
        ("one.log_prob(grey_test[:1])[0]", "one.log_prob((grey_test[:1] > 0.5).float())[0]", "linear-in-x"),
        ("log_px, grey_log_px", "-log_px, grey_log_px", "linear-in-x"),
    ],
    "the entropy, by": [
        ("-(torch.xlogy(coins, coins) +", "(torch.xlogy(coins, coins) +", "floor"),
        ("+ torch.xlogy(1 - coins, 1 - coins))", ")", "floor"),
        ("-(torch.xlogy", "-2 * (torch.xlogy", "floor"),
    ],
    "the model is above": [('shown["drawn"] - entropy', 'entropy - shown["drawn"]', "floor")],
    "binarizing black": [("generator) - once", "generator) - held_out[:500]", "fixed")],
    "on test images": [('["drawn once"]["test images"] - ', '["drawn anew"]["test images"] - ', "fixed-check")],
    "on its own pixels": [
        ('["drawn anew"]["training images"] - ', '["drawn once"]["training images"] - ', "fixed-check")
    ],
    "training ends at": [("** 2 * np.eye(16)", "* np.eye(16)", "linear-model", "linear-figure")],
    "ELBO-16": [
        ("torch.exp(found.log_px - truth), 1.0", "torch.exp(found.terms.elbo - truth), 1.0", "linear-check"),
        ("torch.exp(found.log_px - truth), 1.0", "found.log_px - truth, 1.0", "linear-check"),
        ("** 2 * np.eye(16)", "* np.eye(16)", "linear-model", "linear-check"),
        ("W @ W.T +", "W @ W.T / 2 +", "linear-model", "linear-check"),
        ("multivariate_normal(b,", "multivariate_normal(-b,", "linear-model", "linear-check"),
        ("torch.exp(found.log_px - truth), 1.0", "torch.exp(found.log_px - truth + math.log(K)), 1.0", "linear-check"),
    ],
    "every image's": [
        ("(found.log_px - truth) / found.error, 5", "(found.log_px - truth) / found.error**2, 5", "linear-check")
    ],
    "and the standard errors": [("/ found.error).std() - 1", "/ (2 * found.error)).std() - 1", "linear-check")],
    "the two standard errors": [
        ("relative.std(0) / K**0.5", "relative.std(0)", "naive-nll", "linear-check"),
        ("relative.std(0) / K**0.5", "relative.std(0) / K", "naive-nll", "linear-check"),
        ("relative.std(0) / K**0.5", "log_w.std(0) / K", "naive-nll", "linear-check"),
    ],
    "vaelib agrees": [
        ("+ prior.log_prob(z) - q.log_prob(z))", "+ prior.log_prob(z))", "naive-nll", "linear-check"),
        ("+ prior.log_prob(z) - q.log_prob(z))", "- q.log_prob(z))", "naive-nll", "linear-check"),
        ("torch.logsumexp(log_w, 0) - math.log(K)", "torch.logsumexp(log_w, 0)", "naive-nll", "linear-check"),
        ("torch.logsumexp(log_w, 0) - math.log(K)", "log_w.mean(0)", "naive-nll", "linear-check"),
        ("torch.logsumexp(log_w, 0) - math.log(K)", "log_w.amax(0)", "naive-nll", "linear-check"),
    ],
    "the shortcut is too high": [
        ("(s**2 * spoiled", "(s * spoiled", "at-mean"),
        ("/ (2 * sigma**2)", "/ sigma**2", "at-mean"),
        ("/ (2 * sigma**2)", "/ (2 * sigma)", "at-mean"),
        ("weight.square().sum(0)", "weight.sum(0).square()", "at-mean"),
        ("- q.kl()", "+ q.kl()", "at-mean"),
        ("model.decode(q.mean)", "model.decode(q.rsample())", "at-mean"),
    ],
    "on digits, too": [("gap = honest - quick", "gap = quick - honest", "at-mean-digits")],
    "a second run": [("evaluate.nll(vae, unseen, 1000", "evaluate.nll(vae, unseen, 10", "judge-check")],
    "L_10 > L_1": [
        (
            "by_draws[many_draws].log_px - by_draws[few_draws]",
            "by_draws[few_draws].log_px - by_draws[many_draws]",
            "judge-check",
        )
    ],
    "−ELBO = rate": [('sides["test"].rate.value +', 'sides["test"].rate.value -', "judge-more")],
    "bits a pixel": [
        ("bits * 784 * math.log(2)", "bits * 784", "judge-more"),
        ("bits * 784", "bits * 28", "judge-more"),
    ],
    "between β = 0.25": [
        ("(d1 - d0) / (r0 - r1)", "(d1 - d0) / (r1 - r0)", "beta-check"),
        ("(d1 - d0) / (r0 - r1)", "(r0 - r1) / (d1 - d0)", "beta-check"),
        ("(f.rate.value, f.distortion.value)", "(f.rate.value, f.neg_elbo.value)", "beta-points", "beta-check"),
        ("(f.rate.value, f.distortion.value)", "(f.rate.value, f.nll.value)", "beta-points", "beta-check"),
    ],
    "β = 1 has": [("beta: r + d", "beta: r + 2 * d", "beta-check"), ("beta: r + d", "beta: 2 * r + d", "beta-check")],
    "β = 1.0 brings": [
        (
            "compare.apart(distances[low], distances[high])",
            "compare.apart(distances[high], distances[low])",
            "beta-prior",
        )
    ],
    "1 eigenvalues lie": [
        ("/ (2 * sigma**2)", "/ sigma**2", "collapse-linear", "collapse-linear-check"),
        ("(s**2 - 2 * log_s - 1)", "(s**2 - log_s - 1)", "collapse-linear", "collapse-linear-check"),
        ("(A @ covariance * A).sum() +", "", "collapse-linear", "collapse-linear-check"),
        ("(s**2 * W.square().sum(0)).sum()", "0", "collapse-linear", "collapse-linear-check"),
    ],
    "the variance of each": [
        ("1 - sigma**2 / eigenvalues[:8]", "1 - sigma / eigenvalues[:8]", "collapse-linear-check"),
        ("1 - sigma**2 / eigenvalues[:8]", "1 - sigma**2 / eigenvalues[:8] ** 2", "collapse-linear-check"),
    ],
    "the rate collapsed": [
        (
            'rate["(section 1\'s decoder)"] / rate["none"]',
            'rate["none"] / rate["(section 1\'s decoder)"]',
            "collapse-check",
        )
    ],
    "free bits holds": [('rate["free bits"].mean() - 20', 'rate["none"].mean() - 20', "collapse-check")],
    "and costs some": [('-in_errors(bound_of["free bits"]', 'in_errors(bound_of["free bits"]', "collapse-check")],
    "no pixel sees": [
        ("< 24)", "< 25)", "collapse-model", "collapse-causal"),
        ("self.weight * mask", "self.weight", "collapse-model", "collapse-causal"),
        ("< 24)", "> 24)", "collapse-model", "collapse-causal"),
    ],
    "and each sees": [("< 24)", "< 23)", "collapse-model", "collapse-causal")],
    "on digits, too, it lies": [("at_mean(vae, unseen).cpu().double() -", "-readings(vae, unseen) -", "judge-check")],
    "trained on L₁₀": [("by_iw.log_px - by_elbo.log_px,", "by_elbo.log_px - by_iw.log_px,", "iwae-check")],
    "and the ELBO is lower": [
        ("by_elbo.terms.elbo - by_iw.terms.elbo", "by_iw.terms.elbo - by_elbo.terms.elbo", "iwae-check")
    ],
    "so KL": [
        (
            "(by_iw.log_px - by_iw.terms.elbo) - (by_elbo.log_px - by_elbo.terms.elbo)",
            "(by_elbo.log_px - by_elbo.terms.elbo) - (by_iw.log_px - by_iw.terms.elbo)",
            "iwae-check",
        )
    ],
    "the gap grows": [
        (
            "(by_iw.log_px - by_iw.terms.elbo) - (by_elbo.log_px",
            "(by_iw.log_px - by_elbo.terms.elbo) - (by_elbo.log_px",
            "iwae-check",
        )
    ],
    "and q is wider": [('widths["L₁₀"] - widths["ELBO"]', 'widths["ELBO"] - widths["L₁₀"]', "iwae-check")],
    "a probe taught": [("fit(seen_part, shuffled)", "fit(seen_part, fit_y)", "probe")],
    "the latents know": [('accuracy["20 latents of the VAE"] / by', "by_chance / by", "probe")],
    "halfway on": [
        ("((z1 + z2) / 2)", "((z1 + z2) / 2**0.5)", "between"),
        ("((z1 + z2) / 2).square()", "((z1 + z2) / 2).abs()", "between"),
    ],
    "an arc between": [
        ("+ torch.sin(t * angle) * b) /", "+ torch.cos(t * angle) * b) /", "between"),
        ("return (torch.sin((1 - t) * angle) * a", "return (torch.sin(angle) * (1 - t) * a", "between"),
    ],
    "its angle to": [
        ("way, angle = arc(a, b, t)", "way, angle = arc(b, a, t)", "between"),
        ("arc(a, b, t),", "a.expand(9, -1),", "between"),
    ],
    "and that to": [("(1 - t[:, 0]) * angle", "t[:, 0] * angle", "between")],
}


test_planted_errors = planted_errors_fail
test_every_claim_with_an_id_has_three_planted_errors = three_for_each_id
test_every_claim_has_a_planted_error = one_for_each_claim
test_every_slider_to_both_ends = sliders_move
test_stubs_pass_and_wrong_answers_fail = answers_are_marked
