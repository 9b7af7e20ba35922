"""Planted errors in the checks of notebook 03_gradient_estimators."""

from played import answers_are_marked, planted_errors_fail, sliders_move, three_for_each_id

STEM = "03_gradient_estimators"
TABLE, WORDS = ("exact", "table", "table-check"), ("discrete", "discrete-table")
PLANTED = {
    "G-1": [
        ("sp.diff(log_joint(z), w))\ncheck", "sp.diff(log_joint(z), b))\ncheck", "model"),
        ("sp.diff(log_joint(z), w))\ncheck", "log_joint(z))\ncheck", "model"),
        ("sp.diff(q.log_prob(z), w) == 0", "sp.diff(q.log_prob(z), mu) == 0", "model"),
        ("per_draw = draws * (2.2", "per_draw = (2.2", "theta"),
        ("/ 0.7**2  #", "/ 0.7  #", "theta"),
        ("per_draw = draws", "per_draw = -draws", "theta"),
    ],
    "G-2": [
        ("per_draw[:, :S].mean(1)", "per_draw[:, :S].sum(1)", "theta"),
        ("per_draw[:, :S].mean(1)", "per_draw[:, :S].median(1).values", "theta"),
        ("float(inside.subs(numbers))", "-float(inside.subs(numbers))", "theta"),
        ("float(estimates.var())", "float(estimates.std())", "theta"),
        ("spreads.append(float(estimates.var()))", "spreads.append(float(per_draw.var()))", "theta"),
        ("per_draw[:, :S].mean(1)", "per_draw[:, :1].mean(1)", "theta"),
    ],
    "G-2: and starts": [
        ("sp.diff(log_joint(z), w) ** 2", "sp.diff(log_joint(z), w)", "theta"),
        (".subs(numbers)) - exact_w**2", ".subs(numbers))", "theta"),
        ("first_columns, exact_v1", "first_columns, exact_v1 / 3", "theta"),
    ],
    "G-3": [
        ("outer - inner, missing", "outer + inner, missing", "hard"),
        ("outer - inner, missing", "outer - inner, -missing", "hard"),
        ("(f(z) * sp.diff(q.log_prob(z), phi))", "(sp.diff(q.log_prob(z), phi))", "hard"),
        ("(f(z) * sp.diff(q.log_prob(z), phi))", "(f(z) * q.log_prob(z))", "hard"),
    ],
    "G-4": [
        ("/ density, score))", ", score))", "score"),
        ("/ density, score))", "/ density, -score))", "score"),
        ("density = q.prob(z)", "density = q.log_prob(z)", "score"),
    ],
    "G-5": [
        ("score.subs(z, v)), 0", "(z * score).subs(z, v)), 0", "score"),
        ("score.subs(z, v)), 0", "(score + 1).subs(z, v)), 0", "score"),
        ("score.subs(z, v)), 0", "(score**2).subs(z, v)), 0", "score"),
        ("score * density, (z", "z * score * density, (z", "score"),
    ],
    "G-6": [
        ("(ratio_at + constant) * (at", "(ratio_at - constant) * (at", "one"),
        ("(best_c,) =", "best_c = sp.Rational(1, 2)  # (best_c,) =", "one"),
        ("dq * log_ratio + q1_density * score", "dq * log_ratio - q1_density * score", "kl"),
        ("dq * log_ratio + q1_density * score", "dq * log_ratio", "kl"),
        ("(dq * log_ratio + dq)", "(dq * log_ratio + q1_density)", "kl"),
        ("(log_ratio + 1) * dq", "(log_ratio - 1) * dq", "kl"),
        ("(log_ratio + 1) * score,", "(log_ratio + 2) * score,", "kl"),
        ("(log_ratio + 1) * score,", "(log_ratio + 1),", "kl"),
        ("/ (2 * s2**2)", "/ s2**2", "kl"),
        ("sp.log(s2 / s1)", "sp.log(s1 / s2)", "kl"),
        ("= q1.log_prob(z) - p.log_prob(z)", "= p.log_prob(z) - q1.log_prob(z)", "kl"),
        ("(ratio_at + constant) * (at", "(-ratio_at + constant) * (at", "one"),
        ("(at - 0.9) / 0.6**2", "(at - 0.9) / 0.6", "one"),
        ("(at - 0.9) / 0.6**2", "at / 0.6**2", "one"),
        ("(((log_ratio + c) * score) ** 2)", "((log_ratio * score + c) ** 2)", "one"),
    ],
    "G-7": [
        ("sp.diff(f(mu + s * eps), phi)\n", "sp.diff(f(mu + s + eps), phi)\n", "path"),
        ("sp.diff(f(mu + s * eps), phi)\n", "sp.diff(f(mu + s**2 * eps), phi)\n", "path"),
        ("sp.diff(f(mu + s * eps), phi)\n", "f(mu + s * eps)\n", "path"),
        ("sp.diff(f(mu + s * eps), phi)\n", "sp.diff(f(z), phi)\n", "path"),
    ],
    "G-8": [
        ('"G-8: with ∇", table["ELBO", "pathwise"][:, 0]', '"G-8: with ∇", no_gradient', "table-check"),
        (
            '"G-8: with ∇", table["ELBO", "pathwise"][:, 0]',
            '"G-8: with ∇", -table["ELBO", "pathwise"][:, 0]',
            "table-check",
        ),
        (
            '"G-8: with ∇", table["ELBO", "pathwise"][:, 0]',
            '"G-8: with ∇", table["ELBO", "pathwise"][:, 1]',
            "table-check",
        ),
    ],
    "G-9": [
        ('score_function, "pathwise": gradients.pathwise', 'pathwise, "pathwise": gradients.score_function', *TABLE),
        ("(f(z) * sp.diff(q.log_prob(z), phi) + sp.diff(f(z), phi))", "(f(z) * sp.diff(q.log_prob(z), phi))", *TABLE),
        ("per_draw = sp.diff(f(z).subs(z, moved), phi)", "per_draw = sp.diff(f(z), z).subs(z, moved)", *TABLE),
        ("(per_draw**k).subs(eps, v)", "per_draw.subs(eps, v) ** 2", *TABLE),
        ("sp.diff(q.expect(f), phi).subs", "-sp.diff(q.expect(f), phi).subs", *TABLE),
        ("    + 2 * rest_mean *", "    + rest_mean *", "dimension-exact", "dimension-check"),
        ("+ ((D - 1) * f_mean) ** 2", "+ (D - 1) * f_mean**2", "dimension-exact", "dimension-check"),
        ("- cross**2 - true_slope**2", "- true_slope**2", "dimension-exact", "dimension-check"),
        ("4 * (z - 1) ** 2", "2 * (z - 1) ** 2", "dimension-exact", "dimension-check"),
        ("raw_square - true_slope**2", "raw_square", "dimension-exact", "dimension-check"),
        (
            "for name, (by_group, _) in found.items():",
            "short = lambda *a, chunk: {k: 0.75 * v for k, v in gradients.leave_one_out(*a, chunk=chunk).items()}\n"
            "found['leave-one-out, K = 4'] = measured_on(short, 4_000, 4, seed=300)\n"
            "for name, (by_group, _) in found.items():",
            "vae-check",
        ),
    ],
    "the mean of f is the ELBO": [
        ("at.log_std.exp() * eps", "(0.5 * at.log_std).exp() * eps", "vae-functions", "vae-f"),
        ("+ prior.log_prob(z) - vae_log_q", "- prior.log_prob(z) - vae_log_q", "vae-functions", "vae-f"),
        ("+ prior.log_prob(z) - vae_log_q", "+ prior.log_prob(z) + vae_log_q", "vae-functions", "vae-f"),
        ("- vae_log_q(weights, z)", "", "vae-functions", "vae-f"),
    ],
    "the dashed line is the mean": [
        ("return -2 * (mean - 1)", "return 2 * (mean - 1)", "explorer-figure", "offset"),
        ("return -2 * (mean - 1)", "return -(mean - 1)", "explorer-figure", "offset"),
        ("return offset - ((z - 1)", "return offset + ((z - 1)", "explorer-figure", "offset"),
    ],
    "G-10": [
        (
            "f(params, z) - f(params, z).mean(0)",
            "f(params, z) - f(params, z).sum(0) / 5",
            "variance-table",
            "variance-check",
        ),
        ("moments[1] ** 2 / moments[2]", "moments[1] / moments[2]", "variance-check"),
        (
            "baseline=constants)",
            "baseline={k: 0.7 * v for k, v in constants.items()})",
            "variance-table",
            "variance-check",
        ),
        ("(gradients.leave_one_out, four)", "(gradients.score_function, four)", "variance-table", "variance-check"),
        ("(gradients.path_derivative, many)", "(gradients.pathwise, many)", "variance-table", "variance-check"),
        ("mean_of(parabola(z) * score**2) / mean_of(score**2)", "mean_of(parabola(z) * score**2)", "baseline"),
        (
            "mean_of(parabola(z) * score**2) / mean_of(score**2)",
            "mean_of(parabola(z) * score) / mean_of(score**2)",
            "baseline",
        ),
        (
            "mean_of(parabola(z) * score**2) / mean_of(score**2)",
            "-mean_of(parabola(z) * score**2) / mean_of(score**2)",
            "baseline",
        ),
        (
            "second = mean_of((parabola(z) - constant) ** 2 * score**2)",
            "second = mean_of((parabola(z) - constant) ** 2)",
            "baseline",
        ),
        ("sigma / sp.sqrt(w**2 + sigma**2)", "sigma**2 / sp.sqrt(w**2 + sigma**2)", "landing"),
        ("w * (x - b) / (w**2 + sigma**2)", "w * (x + b) / (w**2 + sigma**2)", "landing"),
        (
            "gradients.path_derivative(log_q, f_elbo, sample, there",
            "gradients.pathwise(log_q, f_elbo, sample, there",
            "landing",
        ),
        ("(gradients.leave_one_out, four)", "(own_mean, four)", "variance-table", "variance-check"),
        (
            "baseline=constants)",
            "baseline={k: 3 * v for k, v in constants.items()})",
            "variance-table",
            "variance-check",
        ),
        (
            "(gradients.path_derivative, many)",
            "(lambda *a: {k: v / 2 for k, v in gradients.path_derivative(*a).items()}, many)",
            "variance-table",
            "variance-check",
        ),
    ],
    "G-11": [
        ("gradients.leave_one_out, draw", "gradients.score_function, draw", "discrete-table"),
        ("sum(sign * (F", "sum((F", "discrete"),
        ("/ 2e-6", "/ 1e-6", "discrete"),
        ("@ curved(None, words))", "@ linear(None, words))", "discrete"),
        ("return gradients.straight_through", "return gradients.categorical", *WORDS),
        (
            "(gradients.score_function, draw, gumbel_noise)",
            "(gradients.score_function, draw, gumbel_noise / 2)",
            "discrete-table",
        ),
        (
            "(gradients.leave_one_out, draw, gumbel_noise)",
            "(gradients.leave_one_out, draw, -gumbel_noise)",
            "discrete-table",
        ),
        (
            "(gradients.leave_one_out, draw, gumbel_noise)",
            "(lambda *a: {k: v / 2 for k, v in gradients.leave_one_out(*a).items()}, draw, gumbel_noise)",
            "discrete-table",
        ),
        ("word_log_q, linear, draw_through", "word_log_q, curved, draw_through", "discrete-table"),
        (
            "gradients.pathwise, draw_through, gumbel_noise",
            "gradients.leave_one_out, draw, gumbel_noise",
            "discrete-table",
        ),
        (
            'gumbel_softmax(params["logits"], eps, tau)',
            'gumbel_softmax(params["logits"], eps, 1 / tau)',
            "temperature",
            "temperature-check",
        ),
        (
            'gumbel_softmax(params["logits"], eps, tau)',
            'gumbel_softmax(params["logits"], eps, 1.0)',
            "temperature",
            "temperature-check",
        ),
        (
            'gumbel_softmax(params["logits"], eps, tau)',
            'gumbel_softmax(-params["logits"], eps, tau)',
            "temperature",
            "temperature-check",
        ),
    ],
}


test_planted_errors = planted_errors_fail
test_every_claim_with_an_id_has_three_planted_errors = three_for_each_id
test_every_slider_to_both_ends = sliders_move
test_stubs_pass_and_wrong_answers_fail = answers_are_marked
