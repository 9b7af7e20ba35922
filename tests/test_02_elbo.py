"""Planted errors in the checks of notebook 02_elbo."""

from collections import Counter

from generated import generated_errors_fail, survivors_have_reasons
from played import LEDGER, answers_are_marked, claim_of, one_for_each_claim, planted_errors_fail, sliders_move

STEM = "02_elbo"
MEAN, BAYES, TWO = (("lines-" + part, f"lines-{part}-proof") for part in ("mean", "bayes", "two"))
CLOSED, CLOSED_PARTS = ("closed", "closed-parts", "lines-two-proof"), ("closed-parts", "lines-two-proof")
GAUSSIAN_MEAN = ("meanings", "lines-mean-proof")
BARS, KL, KL_CODE = ("bars-parts", "bent", "bent-proof"), ("kl", "kl-proof"), ("kl-code", "kl-code-proof")
LIKELIHOODS, CLAMP = ("likelihoods", "likelihoods-proof"), ("clamp", "clamp-proof")
GRADIENT = ("losses", "gradient", "gradient-proof")
EXACT, CODE = ("iw-parts", "iw-exact", "iw-exact-proof"), ("iw-code", "iw-code-proof")
MANY, MI = ("iw-figure", "iw-figure-proof"), ("mi-parts", "mi", "mi-proof")
EVIDENCE = ("evidence", "evidence-proof")
MEANINGS = ("meanings", "lines-bayes-proof")
GAP = ("gap", "gap-proof")
GAP_NUMERIC = ("gap-numeric", "gap-numeric-proof")
BENT = ("bent", "bent-proof")
JENSEN = ("jensen", "jensen-proof")
CLOSED_PARTS_2 = ("closed-parts", "kl-proof")
KL_SLIPS = ("kl-slips", "kl-slips-proof")
HIDDEN_NUMBERS = ("hidden-numbers", "hidden-numbers-proof")
PLANTED = {
    "the baker in four": [("math.hypot(1.2, 0.8)", "math.hypot(1.2, 0.7)", "iw-model", "iw-figure-proof")],
    "the sweep": [
        ("kl_between(q, posterior)", "kl_between(posterior, q)", "sweep", "sweep-proof"),
        ('"ELBO": elbo,', '"ELBO": fit,', "sweep", "sweep-proof"),
    ],
    "the moment rule: E_q[z^": [
        ("z**n * q.prob(z)", "z**n * prior.prob(z)", "referee-proof"),
        ("z**n * q.prob(z)", "(z - mu) ** n * q.prob(z)", "referee-proof"),
        ("q.expect(lambda z, n=n: z**n)", "q.expect(lambda z, n=n: (-z) ** n)", "referee-proof"),
    ],
    "the moment rule: E_q[log p(x, z)]": [
        ("0.7 + 1.3 * nodes", "0.7 + 1.3**2 * nodes", "referee-proof"),
        ("0.7 + 1.3 * nodes", "0.7 + 1.3 * nodes * math.sqrt(2)", "referee-proof"),
    ],
    "normalize: it finds": [
        ("equal(log_integral, sp.log(integral))", "equal(log_integral, integral)", "referee-proof"),
        ("-a * z**2 + h * z + c), (z", "-a * z**2 / 2 + h * z + c), (z", "referee-proof"),
        ("-a * z**2 + h * z + c), (z", "-a * z**2 + h * z), (z", "referee-proof"),
    ],
    "normalize: and the Gaussian": [
        ("log_left = -a * z**2", "log_left = -2 * a * z**2", "referee-proof"),
        ("+ h * z + c - sp.log(integral)", "+ h * z + c", "referee-proof"),
    ],
    "ELBO-1: log p(x)": [
        ("w**2 + sigma**2)).log_prob", "w**2 + sigma)).log_prob", *EVIDENCE),
        ("w**2 + sigma**2)).log_prob", "2 * w**2 + sigma**2)).log_prob", *EVIDENCE),
        ("Normal(b, sp.sqrt(w**2 + s", "Normal(-b, sp.sqrt(w**2 + s", *EVIDENCE),
        ("Normal(b, sp.sqrt(w**2 + s", "Normal(w * b, sp.sqrt(w**2 + s", *EVIDENCE),
    ],
    "ELBO-2: q integrates to 1: three": [
        ("log(p(x)) * integral[", "log(p(x)) + integral[", *MEAN),
        ("log(p(x)) * integral[q(z)]", "log(p(x)) * integral[q(z)**2]", *MEAN),
        ("log(p(x)) * integral[", "-log(p(x)) * integral[", *MEAN),
    ],
    "ELBO-2: q integrates to 1: Gaussian": [("(z, -sp.oo, sp.oo)", "(z, 0, sp.oo)", *GAUSSIAN_MEAN)],
    "ELBO-3: a constant goes inside: three": [
        ("integral[q(z) * log(p(x))]", "integral[q(z) * log(p(x))**2]", *MEAN),
        ("integral[q(z) * log(p(x))]", "integral[p(z|x) * log(p(x, z))]", *MEAN),
        ("integral[q(z) * log(p(x))]", "integral[q(z) * log(p(x, z))]", *MEAN),
    ],
    "ELBO-3: a constant goes inside: Gaussian": [
        ("sp.integrate(f(z), (z, -sp.oo, sp.oo))", "sp.integrate(f(z), (z, -sp.oo, sp.oo)) ** 2", *GAUSSIAN_MEAN)
    ],
    "ELBO-4: the definition of a mean: three": [
        ("E[log(p(x))]", "E[log(p(x, z))]", *MEAN),
        ("E[log(p(x))]", "E[log(p(x) * q(z))]", *MEAN),
        ("E[log(p(x))]", "E[q(z) * log(p(x))]", *MEAN),
    ],
    "ELBO-4: the definition of a mean: Gaussian": [('"E": q.expect', '"E": lambda f: 2 * q.expect(f)', *GAUSSIAN_MEAN)],
    "ELBO-5: Bayes' rule: three": [
        ("p(x, z) / p(z|x)", "p(x, z) * p(z|x)", *BAYES),
        ("p(x, z) / p(z|x)", "p(x|z) / p(z|x)", *BAYES),
        ("p(x, z) / p(z|x)", "p(x, z)", *BAYES),
        ("p(x, z) / p(z|x)", "p(x, z) / q(z)", *BAYES),
    ],
    "ELBO-5: Bayes' rule: Gaussian": [
        ("sp.exp(log_joint(z))", "sp.exp(log_px_z(z))", *MEANINGS),
        ('"p(z|x)": posterior,', '"p(z|x)": q,', *MEANINGS),
    ],
    "ELBO-6": [
        ("(p(z|x) * q(z))", "(p(z|x) / q(z))", *BAYES),
        ("p(x, z) * q(z) /", "p(x, z) /", *BAYES),
        ("p(x, z) * q(z) /", "p(x, z) / q(z) /", *BAYES),
    ],
    "ELBO-7": [
        ("+ E[log(q(z) / p(z|x))]", "- E[log(q(z) / p(z|x))]", *TWO),
        ("+ E[log(q(z) / p(z|x))]", "+ E[log(p(z|x) / q(z))]", *TWO),
        ("E[log(p(x, z) / q(z))] +", "E[log(p(x, z))] +", *TWO),
        ("E[log(p(x, z) / q(z))] +", "E[log(p(x, z) * q(z))] +", *TWO),
    ],
    "ELBO-8: the first term: three": [("ELBO + KL(q(z), p(z|x))", "KL(q(z), p(z|x)) + ELBO", *TWO)],
    "ELBO-8: the first term: Gaussian": [
        ("sp.E * s**2) / 2", "sp.E * s) / 2", *CLOSED),
        ("+ w**2 * s**2", "", *CLOSED),
    ],
    "ELBO-8: the second term: three": [
        ("+ KL(q(z), p(z|x))", "+ -KL(q(z), p(z|x))", *TWO),
        ("u * sp.log(u / r)", "r * sp.log(r / u)", *CLOSED_PARTS),
    ],
    "ELBO-8: the second term: Gaussian": [
        ("sp.log(t / s)", "sp.log(s / t)", *CLOSED_PARTS),
        ("/ (2 * t**2)", "/ (2 * s**2)", *CLOSED_PARTS),
    ],
    "ELBO-9: r - 1 - log r has": [("above = r - 1 - sp.log(r)", "above = r - 1 - 2 * sp.log(r)", "nonneg-proof")],
    "ELBO-9: where it is 0": [
        ("above = r - 1 - sp.log(r)", "above = r - sp.log(r)", "nonneg-proof"),
        ("above = r - 1 - sp.log(r)", "above = sp.log(r) - r + 1", "nonneg-proof"),
    ],
    "ELBO-9: E_q[r] = 1": [
        ("[p / u for u, p", "[u / p for u, p", "nonneg-proof"),
        ("[p / u for u, p", "[p / u / 2 for u, p", "nonneg-proof"),
    ],
    "ELBO-9: the gap is": [
        ("above.subs(r, ratio[k])", "above.subs(r, 1 / ratio[k])", "nonneg-proof"),
        ("above.subs(r, ratio[k])", "ratio[k] * above.subs(r, ratio[k])", "nonneg-proof"),
    ],
    "ELBO-9: r - 1 - log r at each": [
        ("np.exp(log_r) - 1 - log_r", "-log_r", "nonneg-proof"),
        ("np.exp(log_r) - 1 - log_r", "1 - np.exp(log_r) - log_r", "nonneg-proof"),
        ("log_r = log_post_at - log_q_at", "log_r = log_q_at - log_post_at", "nonneg-proof"),
    ],
    "ELBO-9: its mean": [("np.exp(log_r) - 1 - log_r", "2 * (np.exp(log_r) - 1 - log_r)", "nonneg-proof")],
    "ELBO-10: Gaussian": [
        ("log_px_z) - q.kl(prior)))", "log_px_z) - prior.kl(q)))", "gap-proof"),
        ("log_px_z) - q.kl(prior)))", "log_joint) - q.kl(prior)))", "gap-proof"),
    ],
    "ELBO-10: three recipes": [
        ("- q_d.kl(prior_d)", "- prior_d.kl(q_d)", "gap-proof"),
        ("- q_d.kl(prior_d)", "- q_d.kl(prior_d) / 2", "gap-proof"),
    ],
    "ELBO-11: the gap is": [
        ("equal(gap, q.kl(posterior))", "equal(2 * gap, q.kl(posterior))", "gap-proof"),
        ("equal(gap, q.kl(posterior))", "equal(gap, posterior.kl(q))", "gap-proof"),
        ("equal(gap, q.kl(posterior))", "equal(gap, q.kl(prior))", "gap-proof"),
        ("gap = log_px - elbo", "gap = elbo - log_px", *GAP),
    ],
    "ELBO-11: there is one": [
        ("sp.solve([to_mu, to_s]", "2 * sp.solve([to_mu, to_s]", *GAP),
        ("sp.diff(elbo, s)", "sp.diff(elbo + q.kl(prior), s)", *GAP),
    ],
    "ELBO-11: it is the posterior": [
        ("equal(to_m, posterior.mean)", "equal(to_m, w * (x - b))", "gap-proof"),
        ("equal(to_std, posterior.std)", "equal(to_std, posterior.std**2)", "gap-proof"),
        ("[to_mu, to_s], [mu, s]", "[to_mu - mu, to_s], [mu, s]", *GAP),
    ],
    "ELBO-11: there the gap": [("gap.subs(best[0]), 0", "elbo.subs(best[0]), 0", "gap-proof")],
    "ELBO-11: and it is a maximum": [("hessian = sp.hessian(elbo", "hessian = sp.hessian(-elbo", "gap-proof")],
    "ELBO-11: in numbers: quadrature": [
        ("+ 0.5 * math.log(2 * math.pi * math.e)", "", *GAP_NUMERIC),
        ("+ at**2\n", "\n", *GAP_NUMERIC),
    ],
    "ELBO-11: in numbers: the slope": [
        ("sp.log(posterior.std))", "sp.log(posterior.std**2))", "gap-numeric-proof"),
        ("(posterior.mean, sp", "(-posterior.mean, sp", "gap-numeric-proof"),
    ],
    "ELBO-11: in numbers: and nowhere": [
        ("slope(*(middle + offsets))", "slope(*(middle + 0 * offsets))", "gap-numeric-proof")
    ],
    "a simple q: bend 0: the reconstruction": [
        ("area(log_q.exp() * log_likelihood)", "-area(log_q.exp() * log_likelihood)", *BARS)
    ],
    "a simple q: bend 0: a Gaussian": [
        ("(log_q - log_posterior))", "(log_posterior - log_q))", *BARS),
        ("smallest_gap(0.0)", "smallest_gap(0.5)", *BENT),
    ],
    "a simple q: bend 1: one q over": [
        ("stds=stds[-7:])  # 0.9 and more", "stds=stds)", "bent-proof"),
        ("stds=stds[-7:])  # 0.9 and more", "stds=stds[:7])", "bent-proof"),
    ],
    "a simple q: bend 1: one q on": [("means=means[:16], stds", "means=means, stds", "bent-proof")],
    "the bars end where they should: ELBO": [
        ('"gap": (recon - kl, recon - kl + gap)', '"gap": (recon + kl, recon + kl + gap)', *BARS)
    ],
    "ELBO-12: and with": [("log_joint(z) - q.log_prob(z))", "log_joint(z))", *JENSEN)],
    "ELBO-12: the tangent": [("sp.log(a) + (r - a) / a", "sp.log(a) + (r - a) ** 2 / a", "jensen-proof")],
    "ELBO-12: its mean": [("r: weight_d[k]})", "r: 2 * weight_d[k]})", "jensen-proof")],
    "ELBO-12: the mean of the log": [
        ("(q_at * log_weight_at", "(np.exp(on_grid(posterior.log_prob)) * log_weight_at", *JENSEN)
    ],
    "ELBO-12: and lies": [
        ("below = math.log(mean_weight) - mean_of_log", "below = mean_of_log - math.log(mean_weight)", "jensen-proof")
    ],
    "ELBO-13: in symbols: sympy": [
        ("(mu**2 + sp.exp(v) - v - 1) / 2", "(mu**2 + sp.exp(2 * v) - v - 1) / 2", *KL),
        ("(mu**2 + sp.exp(v) - v - 1) / 2", "(mu**2 + sp.exp(v) - v) / 2", *KL),
    ],
    "ELBO-13: in symbols: the moment": [("encoder.kl(prior)", "prior.kl(encoder)", "kl-proof")],
    "ELBO-13: in symbols: its slope in μ": [("kl_formula, mu), mu)", "kl_formula, mu), 2 * mu)", "kl-proof")],
    "ELBO-13: in symbols: at μ": [("{mu: 2, v:", "{mu: sp.Rational(1, 5), v:", *KL)],
    "ELBO-13: in symbols: between": [
        ("sp.log(t / s)", "sp.log(s / t)", *CLOSED_PARTS_2),
        ("/ (2 * t**2)", "/ (2 * s**2)", *CLOSED_PARTS_2),
    ],
    "ELBO-13: in code: values": [
        ("torch.exp(2 * log_std) - 2 * log_std - 1)", "torch.exp(log_std) - log_std - 1)", *KL_CODE),
        ("2 * log_std - 1).sum(-1)", "2 * log_std).sum(-1)", *KL_CODE),
        ("- 2 * log_std - 1).sum(-1)", "- 2 * log_std - 1).mean(-1)", *KL_CODE),
    ],
    "ELBO-13: in code: vaelib": [
        ("DiagGaussian(mean, log_std).kl()", "2 * DiagGaussian(mean, log_std).kl()", *KL_CODE)
    ],
    "slips in the KL: with": [("+ m.shape[-1] / 2", "+ m.sum(-1)", *KL_SLIPS)],
    "slips in the KL: and": [("+ m.shape[-1] / 2", "+ 1 / 2", *KL_SLIPS)],
    "ELBO-14: log p(x|z)": [
        ("(1 - ink) * sp.log(1 - theta))", "ink * sp.log(1 - theta))", *LIKELIHOODS),
        ("(1 - theta) ** (1 - ink)", "(1 - theta) ** ink", *LIKELIHOODS),
    ],
    "ELBO-14: vaelib's Bernoulli": [
        ('reduction="none").sum((1, 2, 3))', 'reduction="none").mean((1, 2, 3))', *LIKELIHOODS),
        ("binary_cross_entropy(chances, pixels", "binary_cross_entropy(chances, 1 - pixels", *LIKELIHOODS),
    ],
    "ELBO-14: Gaussian pixels": [
        ("-squares / (2 * std**2)", "-squares / (2 * std)", *LIKELIHOODS),
        ("- 8 * math.log(2 * math.pi * std**2)", "", *LIKELIHOODS),
    ],
    "the hidden σ: the mean": [
        ('"mean over pixels", total_error / n)', '"mean over pixels", total_error / n**2)', *HIDDEN_NUMBERS)
    ],
    "the hidden β": [("+ q.kl().mean()", "+ q.kl().mean() / 784", *GRADIENT)],
    "the reduction trap: summed": [('kls["sum"], at_least=5', 'kls["mean"], at_least=5', "reduction-proof")],
    "the reduction trap: with the mean": [('kls["mean"], 0.1', 'kls["sum"], 0.1', "reduction-proof")],
    "the reduction trap: and so": [('kls["β = 784"], 0.1', 'kls["sum"], 0.1', "reduction-proof")],
    "the reduction trap: its": [
        (
            'held_out.mean(0).cpu().flatten(), rows["mean"][0]',
            'held_out[0].cpu().flatten(), rows["mean"][0]',
            "reduction-proof",
        )
    ],
    "the reduction trap: all": [
        (
            "rows[label] = model.decode(model.encode(held_out[:10]).mean).mean",
            "rows[label] = 0.1 * held_out[:10] + model.decode(model.encode(held_out[:10]).mean).mean",
            "reduction-figure",
            "reduction-proof",
        )
    ],
    "ELBO-15: the next": [("torch.tensor(1.0), torch.tensor(0.0)", "torch.tensor(1.0), torch.tensor(2.0)", *CLAMP)],
    "ELBO-15: 1 - 1e-8": [
        ("near_one = torch.tensor(1 - 1e-8)", "near_one = torch.tensor(1 - 1e-7)", *CLAMP),
        ("near_one = torch.tensor(1 - 1e-8)", "near_one = torch.tensor(1 - 1e-8, dtype=torch.float64)", *CLAMP),
    ],
    "ELBO-15: in float64": [("(1 - 1e-8, dtype=torch.float64)", "(1 - 1e-17, dtype=torch.float64)", *CLAMP)],
    "ELBO-15: clamped": [("clamp(1e-8, 1 - 1e-8)", "clamp(1e-8, 1 - 1e-6)", *CLAMP)],
    "ELBO-15: from the logit": [
        ("F.softplus(sure)", "F.softplus(-sure)", *CLAMP),
        ("sp.log(1 + sp.exp(30))", "sp.log(1 + sp.exp(-30))", *CLAMP),
    ],
    "ELBO-15: and so is": [
        ("by_logits = F.softplus(sure)", "by_logits = F.softplus(sure.clamp(max=30 - 1e-6))", *CLAMP)
    ],
    "ELBO-15: vaelib": [("log_prob(paper)", "log_prob(1 - paper)", *CLAMP)],
    "ELBO-16: three recipes: L_1": [
        ("np.log(weight[draws].mean(1))", "np.log(weight[draws].mean(1)) / K + K", *EXACT),
        ("q_z[draws].prod(1)", "p_z[draws].prod(1)", *EXACT),
    ],
    "ELBO-16: three recipes: L_2": [
        ("np.log(weight[draws].mean(1))", "np.log(weight[draws]).mean(1)", *EXACT),
        ("np.log(weight[draws].mean(1))", "np.log(weight[draws].max(1))", *EXACT),
        ("np.log(weight[draws].mean(1))", "np.log(np.sqrt(weight[draws]).mean(1)) * 2", *EXACT),
    ],
    "ELBO-16: three recipes: L_K grows": [("L[K + 1] - L[K] for", "L[K] - L[K + 1] for", *EXACT)],
    "ELBO-16: three recipes: and stays": [
        ("exact_log_px = math.log(p_z @ p_x_given_z)", "exact_log_px = math.log(q_z @ p_x_given_z)", *EXACT)
    ],
    "ELBO-16: in code": [
        ("- math.log(K)", "", *CODE),
        ("+ log_prior - q.log_prob(z)", "+ log_prior", *CODE),
        ("torch.logsumexp(torch.stack(log_weights), 0) - math.log(K)", "torch.stack(log_weights).mean(0)", *CODE),
    ],
    "ELBO-16: the mean of L_1": [
        ("bounds.iw_bound(straight_model, many, K, ", "bounds.iw_bound(straight_model, many, K + 1, ", *MANY)
    ],
    "ELBO-16: the mean of L_2": [
        ("torch.logsumexp(log_w, -1) - math.log(2)", "torch.logsumexp(log_w, -1)", *MANY),
        ("torch.logsumexp(log_w, -1) - math.log(2)", "log_w.mean(-1)", *MANY),
        ("- q1.log_prob(pairs)", "", *MANY),
    ],
    "ELBO-16: at K = 1": [("(exact4 - value) / (exact4 - elbo4)", "(exact4 - value) / exact4", *MANY)],
    "ELBO-16: standard errors": [("/ math.sqrt(len(v))", "/ len(v)", *MANY)],
    "ELBO-16: every step": [("averages[j] - averages[i]", "averages[i] - averages[j]", *MANY)],
    "ELBO-16: L_256": [("left[256], 0.05", "left[4], 0.05", *MANY)],
    "ELBO-17: neither": [("[information, kl_aggregate]", "[information, -kl_aggregate]", "mi-proof")],
    "ELBO-17: average": [
        ("of_x + of_z - entropy_of(joint)", "of_x - entropy_of(joint)", *MI),
        ("of_x + of_z - entropy_of(joint)", "of_x + entropy_of(joint)", *MI),
        ("aggregate * np.log(aggregate / p_z4)", "p_z4 * np.log(p_z4 / aggregate)", *MI),
        ("row * np.log(row / p_z4)", "row * np.log(p_z4 / row)", *MI),
    ],
}


test_planted_errors = planted_errors_fail
test_generated_errors = generated_errors_fail
test_survivors_have_reasons = survivors_have_reasons
test_every_claim_has_a_planted_error = one_for_each_claim
test_every_slider_to_both_ends = sliders_move
test_stubs_pass_and_wrong_answers_fail = answers_are_marked


def test_every_claim_with_an_id_has_three_planted_errors():
    """Counted by label; each of its checks has at least one."""
    found = Counter(claim_of(claim) for claim, errors in PLANTED.items() for _ in set(errors))
    assert {claim for claim in found if "-" in claim} == set(LEDGER[STEM])
    assert all(found[claim] >= 3 for claim in LEDGER[STEM])
