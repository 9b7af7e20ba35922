"""Planted errors in the checks of notebook 03_gradient_estimators."""

from generated import generated_errors_fail, survivors_have_reasons
from played import (
    answers_are_marked,
    one_for_each_claim,
    other_seeds_are_kept,
    planted_errors_fail,
    sliders_move,
    three_for_each_id,
)

STEM = "03_gradient_estimators"
OPENING, HARD, SCORE = ("opening", "opening-proof"), ("hard", "hard-proof"), ("score", "score-proof")
KL, ONE, EXACT_ONE = ("kl", "kl-proof"), ("one", "one-proof"), ("one-parts", "one", "one-proof")
PATH, TABLE, OFFSET = ("path", "path-proof"), ("exact", "table", "table-proof"), ("explorer-figure", "offset-proof")
BASELINE, OWN, LANDING = ("baseline", "baseline-proof"), ("own-mean", "own-mean-proof"), ("landing", "landing-proof")
VARIANCE, DIMENSION = ("variance-parts", "variance-table", "variance-proof"), ("dimension-exact", "dimension-proof")
VAE, THETA = ("vae-functions", "vae-f"), ("theta", "theta-proof")
WORD_TABLE = ("discrete-parts", "discrete-table", "discrete-table-proof")
TEMPERATURE = ("temperature", "temperature-proof")
LOO = "(lambda *a: {k: v / 2 for k, v in gradients.leave_one_out(*a).items()}, "
PLANTED = {
    "two estimates of one number: weights move": [("f_at * at / 0.7**2", "f_at * at / 0.7", *OPENING)],
    "two estimates of one number: points move": [("-2 * (at - 1)", "-(at - 1)", *OPENING)],
    "two estimates of one number: the first": [
        ("weights_move.std() / points_move.std()", "points_move.std() / weights_move.std()", *OPENING)
    ],
    "G-1": [
        ("mean_of(sp.diff(log_joint(z), w))", "mean_of(sp.diff(log_joint(z), b))", "model", "model-proof"),
        ("mean_of(sp.diff(log_joint(z), w))", "mean_of(log_joint(z))", "model", "model-proof"),
        ("sp.diff(q.expect(log_joint), w)", "-sp.diff(q.expect(log_joint), w)", "model", "model-proof"),
        ("sp.diff(q.log_prob(z), w) == 0", "sp.diff(q.log_prob(z), mu) == 0", "model-proof"),
    ],
    "G-2": [
        ("/ 0.7**2  #", "/ 0.7  #", *THETA),
        ("per_draw = draws", "per_draw = -draws", *THETA),
        ("per_draw[:, :S].mean(1)", "per_draw[:, :S].median(1).values", *THETA),
        ("float(inside.subs(numbers))", "-float(inside.subs(numbers))", *THETA),
        ("float(estimates.var())", "float(estimates.std())", *THETA),
        ("float(estimates.var())", "float(per_draw.var())", *THETA),
        ("per_draw[:, :S].mean(1)", "per_draw[:, :1].mean(1)", *THETA),
    ],
    "G-2: it starts": [
        ("sp.diff(log_joint(z), w) ** 2", "sp.diff(log_joint(z), w)", *THETA),
        ("float(second.subs(numbers)) - exact_w**2", "float(second.subs(numbers))", *THETA),
        ("squares, exact_v1", "squares, exact_v1 / 3", *THETA),
    ],
    "G-3": [
        ("equal(outer - inner, lost)", "equal(outer - inner, -lost)", *HARD),
        ("missing = mean_of(f(z) * sp.diff(q.log_prob(z), mu))", "missing = mean_of(f(z) * q.log_prob(z))", *HARD),
        ("inner = mean_of(sp.diff(f(z), mu))", "inner = mean_of(f(z))", *HARD),
    ],
    "G-4": [
        ("equal(ratio, rho)", "equal(ratio * density, rho)", *SCORE),
        ("equal(ratio, rho)", "equal(ratio, -rho)", *SCORE),
        ("density = q.prob(z)", "density = q.log_prob(z)", *SCORE),
        ("sp.diff(q.log_prob(z), phi) for", "q.log_prob(z) for", *SCORE),
    ],
    "G-5": [
        ("equal(mean_of(rho), 0)", "equal(mean_of(z * rho), 0)", *SCORE),
        ("equal(mean_of(rho), 0)", "equal(mean_of(rho + 1), 0)", *SCORE),
        ("equal(mean_of(rho), 0)", "equal(mean_of(rho**2), 0)", *SCORE),
        ("sp.integrate(rho * density", "sp.integrate(z * rho * density", *SCORE),
    ],
    "G-6": [
        ("dq * log_ratio + q_z * score", "dq * log_ratio", *KL),
        ("(dq * log_ratio + dq)", "(dq * log_ratio + q_z)", *KL),
        ("sp.log(s2 / s1)", "sp.log(s1 / s2)", *KL),
        ("= q1.log_prob(z) - p.log_prob(z)", "= p.log_prob(z) - q1.log_prob(z)", "kl-parts", *KL),
    ],
    "any constant may stand for the +1: the mean": [
        ("(ratio_at + constant) * (z_at", "(-ratio_at + constant) * (z_at", *ONE),
        ("(z_at - 0.9) / 0.6**2", "(z_at - 0.9) / 0.6", *ONE),
        ("(z_at - 0.9) / 0.6**2", "z_at / 0.6**2", *ONE),
    ],
    "any constant may stand for the +1: the variance": [
        ("(((log_ratio + c) * score) ** 2)", "((log_ratio * score + c) ** 2)", *EXACT_ONE),
        ("sp.expand(squared) - slope_kl**2", "sp.expand(squared)", *EXACT_ONE),
    ],
    "+1 is a poor baseline": [
        ("(best_c,) =", "best_c = sp.Rational(1, 2)  # (best_c,) =", *EXACT_ONE),
        ("without, one_more, least =", "one_more, without, least =", *ONE),
        ("without, one_more, least =", "without, least, one_more =", *ONE),
    ],
    "G-7": [
        ("sp.diff(f(mu + s * eps), phi)", "sp.diff(f(mu + s + eps), phi)", *PATH),
        ("sp.diff(f(mu + s * eps), phi)", "sp.diff(f(mu + s**2 * eps), phi)", *PATH),
        ("sp.diff(f(mu + s * eps), phi)", "f(mu + s * eps)", *PATH),
        ("sp.diff(f(mu + s * eps), phi)", "sp.diff(f(z), phi)", *PATH),
        ("sp.diff(parabola(mu + s * eps), phi)", "parabola(mu + s * eps)", *PATH),
    ],
    "G-8": [
        ('drawn["ELBO", "pathwise"][:, 0], right', "no_gradient, right", *TABLE[1:]),
        ('drawn["ELBO", "pathwise"][:, 0], right', '-drawn["ELBO", "pathwise"][:, 0], right', *TABLE[1:]),
        ('drawn["ELBO", "pathwise"][:, 0], right', 'drawn["ELBO", "pathwise"][:, 1], right', *TABLE[1:]),
    ],
    "G-9": [
        ('score_function, "pathwise": gradients.pathwise', 'pathwise, "pathwise": gradients.score_function', *TABLE),
        ("f(z) * sp.diff(q.log_prob(z), phi) + sp.diff(f(z), phi)", "f(z) * sp.diff(q.log_prob(z), phi)", *TABLE),
        ("slope = sp.diff(f(z).subs(z, moved), phi)", "slope = sp.diff(f(z), z).subs(z, moved)", *TABLE),
        ("(slope**k).subs(eps, v)", "slope.subs(eps, v) ** 2", *TABLE),
        ("sp.diff(q.expect(f), phi).subs", "-sp.diff(q.expect(f), phi).subs", *TABLE),
    ],
    "the offset: the mean": [("return -2 * (mean - 1)", "return -(mean - 1)", "explorer-parts", *OFFSET)],
    "the offset: it does nothing": [("path, held = (", "held, path = (", *OFFSET)],
    "the offset: 10 spreads": [("(0.0, 2.0, 10.0)", "(0.0, 2.0, 4.0)", *OFFSET)],
    "the offset: and 2": [("(0.0, 2.0, 10.0)", "(0.0, 0.2, 10.0)", *OFFSET)],
    "G-10": [
        ("mean_of(parabola(z) * rho**2) / mean", "mean_of(parabola(z) * rho) / mean", *BASELINE),
        ("mean_of(parabola(z) * rho**2) / mean", "-mean_of(parabola(z) * rho**2) / mean", *BASELINE),
        ("sp.diff(second, beta, 2)", "-sp.diff(second, beta, 2)", *BASELINE),
        ("(offset - (z - 1) ** 2) ** 2 *", "(offset + (z - 1) ** 2) ** 2 *", *BASELINE),
        ("3 * sp.exp(2 * lam)", "sp.exp(2 * lam)", *BASELINE),
    ],
    "a baseline with its own draw in it": [
        ("f - f.mean(0)", "f - f.sum(0) / 5", *OWN),
        ("gradients.leave_one_out(log_q", "gradients.score_function(log_q", *OWN),
    ],
    "sticking the landing: at": [
        ("sigma / sp.sqrt(w**2 + sigma**2)", "sigma**2 / sp.sqrt(w**2 + sigma**2)", *LANDING),
        ("landed = side_by_side(gradients.path_derivative", "landed = side_by_side(gradients.pathwise", *LANDING),
    ],
    "sticking the landing: a pathwise": [
        ("plain = side_by_side(gradients.pathwise", "plain = side_by_side(gradients.path_derivative", *LANDING)
    ],
    "every way is unbiased": [
        (
            "(gradients.path_derivative, many)",
            "(lambda *a: {k: v / 2 for k, v in gradients.path_derivative(*a).items()}, many)",
            *VARIANCE,
        ),
        ("(gradients.leave_one_out, four)", f"{LOO}four)", *VARIANCE),
    ],
    "the best constant's variance": [
        ("moments[1] ** 2 / moments[2]", "moments[1] / moments[2]", *VARIANCE),
        ("baseline=constants)", "baseline={k: 0.7 * v for k, v in constants.items()})", *VARIANCE),
        ("baseline=constants)", "baseline={k: 3 * v for k, v in constants.items()})", *VARIANCE),
    ],
    "no law: a narrow q: path": [
        ("/ gradients.pathwise(*problem)", "/ gradients.path_derivative(*problem)", "variance-proof")
    ],
    "no law: a narrow q: its draws": [("sp.diff(log_weight(z), z)", "sp.diff(log_joint(z), z)", "variance-proof")],
    "draw for draw, for the ELBO: leave-one-out": [
        ("(gradients.leave_one_out, four)", "(gradients.score_function, four)", *VARIANCE)
    ],
    "draw for draw, for the ELBO: path": [
        ("(gradients.path_derivative, many)", "(gradients.pathwise, many)", *VARIANCE)
    ],
    "draw for draw, the path": [("over = v / worth", "over = v.flip(0) / worth", *VARIANCE[1:])],
    "variance in D dimensions": [
        ("+ ((D - 1) * f_mean) ** 2", "+ (D - 1) * f_mean**2", *DIMENSION),
        ("- cross**2 - true_slope**2", "- true_slope**2", *DIMENSION),
        ("4 * (z - 1) ** 2", "2 * (z - 1) ** 2", *DIMENSION),
        ("raw_square - true_slope**2", "raw_square", *DIMENSION),
    ],
    "growth with D: the score": [
        ("none, best_one, along =", "best_one, none, along =", "dimension-proof"),
        ("found[4:]", "found[:5]", "dimension-proof"),
    ],
    "growth with D: with": [("none, best_one, along =", "none, along, best_one =", "dimension-proof")],
    "growth with D: the pathwise": [("growth.values()", "(2, 1, 0.5)", "dimension-proof")],
    "f on the VAE": [
        ("q_of(weights).log_std.exp() * eps", "q_of(weights).log_std.mul(0.5).exp() * eps", *VAE),
        ("- vae_log_q(weights, z)", "", *VAE),
    ],
    "one gradient on the VAE": [
        (
            "for way, (by_group, _) in on_vae.items():",
            "short = lambda *a, chunk: {k: 0.75 * v for k, v in gradients.leave_one_out(*a, chunk=chunk).items()}\n"
            "    on_vae['leave-one-out, K = 4'] = measured_on(short, 4_000, 4, seed=300)\n"
            "    for way, (by_group, _) in on_vae.items():",
            "vae-histograms",
            "vae-check",
        )
    ],
    "its price on the VAE: the score": [
        ('/ summed["pathwise"]', '/ summed["score function"]', "vae-histograms", "vae-check")
    ],
    "its price on the VAE: leave": [
        ('summed["leave-one-out, K = 4"] / 4', 'summed["best constant"] / 4', "vae-histograms", "vae-check")
    ],
    "G-11": [
        ("/ 2e-6", "/ 1e-6", "discrete-proof"),
        ("@ curved(None, words)", "@ linear(None, words)", "discrete-proof"),
        ("F.softmax(at, -1) * curved", "F.softmax(-at, -1) * curved", "discrete", "discrete-proof"),
    ],
    "G-11: and vaelib": [
        ("curved, logits, words", "linear, logits, words", "discrete-proof"),
        ("by_vaelib - exact_words", "by_vaelib + exact_words", "discrete-proof"),
        ("by_vaelib - exact_words", "by_vaelib - 2 * exact_words", "discrete-proof"),
    ],
    "the largest of logits + Gumbel noise": [
        ('gradients.categorical(params["logits"], eps)', 'gradients.categorical(-params["logits"], eps)', *WORD_TABLE)
    ],
    "words without bias": [
        ("sampler, logits, gumbel_noise)", "sampler, logits, -gumbel_noise)", *WORD_TABLE),
        ("sampler, logits, gumbel_noise)", "sampler, logits, gumbel_noise / 2)", *WORD_TABLE),
        ("(gradients.leave_one_out, draw)", f"{LOO}draw)", *WORD_TABLE),
        ("(gradients.leave_one_out, draw)", "(gradients.pathwise, draw_through)", *WORD_TABLE),
    ],
    "leave-one-out is steadier for words": [
        ("(gradients.leave_one_out, draw)", "(gradients.score_function, draw)", *WORD_TABLE)
    ],
    "straight-through: it is biased": [
        ("(gradients.pathwise, draw_through)", "(gradients.leave_one_out, draw)", *WORD_TABLE)
    ],
    "straight-through: but": [
        ("word_log_q, linear, draw_through", "word_log_q, curved, draw_through", *WORD_TABLE[1:]),
        ("return z @ value_of", "return (z @ value_of) ** 2", *WORD_TABLE),
    ],
    "Gumbel-softmax: vaelib": [
        ('softmax(params["logits"], eps, tau)', 'softmax(params["logits"], eps, 1 / tau)', *TEMPERATURE),
        ('softmax(params["logits"], eps, tau)', 'softmax(-params["logits"], eps, tau)', *TEMPERATURE),
    ],
    "Gumbel-softmax: biased at": [
        (
            "relaxed[tau] = off",
            "relaxed[tau] = off_and_spread(gradients.score_function, draw) if tau == 1.0 else off",
            *TEMPERATURE,
        )
    ],
    "Gumbel-softmax: at": [("tau=tau)", "tau=1.0)", *TEMPERATURE)],
    "Gumbel-softmax: and still": [("sure[0.2], at", "sure[0.2] / sure[1.0], at", *TEMPERATURE)],
    "Gumbel-softmax: less": [("((0, 1.0, 0.1),", "((0, 1.0, 1.0),", *TEMPERATURE)],
    "Gumbel-softmax: and it pays": [("(1, 0.1, 1.0))", "(1, 1.0, 0.1))", *TEMPERATURE)],
    "the race: the pathwise": [("elbos[-1] for", "elbos[0] for", "race-figure", "race-proof")],
    "the race: and so": [("elbos[-1] for", "elbos[0 if way[0] == 'l' else -1] for", "race-figure", "race-proof")],
}


test_planted_errors = planted_errors_fail
test_generated_errors = generated_errors_fail
test_survivors_have_reasons = survivors_have_reasons
test_every_claim_with_an_id_has_three_planted_errors = three_for_each_id
test_every_check_has_a_planted_error = one_for_each_claim
test_every_slider_to_both_ends = sliders_move
test_stubs_pass_and_wrong_answers_fail = answers_are_marked
test_other_seeds_are_kept = other_seeds_are_kept
