"""Planted errors in the checks of notebook 01_ae_vs_vae."""

from generated import generated_errors_fail, survivors_have_reasons
from played import (
    answers_are_marked,
    one_for_each_claim,
    other_seeds_are_kept,
    planted_errors_fail,
    sliders_move,
    three_for_each_id,
)

STEM = "01_ae_vs_vae"
RANK, PCA, CLOUDS = ("rank", "rank-proof"), ("pca", "pca-proof"), "reparameterization-proof"
DRAW, DENSITY, INK = (
    ("gradients", "gradients-proof"),
    ("density", "density-proof"),
    ("decoder-density", "decoder-proof"),
)
NAIVE, MATCH = ("naive-vae", "naive-proof"), ("prior-match", "prior-match-proof")
TRIED, LOSS = ("scores-parts", "judge-tried", "judge-proof"), ("classifier", "judge-loss-proof")
MARGINAL, POSTERIOR = ("marginal", "marginal-proof"), ("posterior", "posterior-proof")
POINTS, GRID, BEST = ("intractable", "intractable-proof"), ("two-d", "two-d-proof"), ("encoder", "encoder-proof")
PLANTED = {
    "the ways to draw: AE + Gaussian: mean": [
        ("(codes.mean(0), np", "(codes.sum(0), np", "four-ways", "four-ways-proof")
    ],
    "the ways to draw: AE + Gaussian: their": [("np.cov(codes.T)", "np.eye(D)", "four-ways", "four-ways-proof")],
    "the ways to draw: AE + mixture": [('"mixture": drawn["AE"]', '"mixture": normal', "four-ways", "four-ways-proof")],
    "AE-1: x̂ depends": [
        ("lambda x: g(f(x)))", "lambda x: g(f(x)) + 1e-6 * x)", *RANK),
        ("singular / singular[0]", "singular / singular[2]", *RANK),
        ("answers[2], 1e-12", "answers[1], 1e-12", "rank-proof"),
    ],
    "AE-1: and through": [
        ("lambda x: g(f(x)))", "lambda x: g(f(x) * torch.tensor([1.0, 0.0])))", *RANK),
        ("lambda x: g(f(x)))", "lambda x: g(f(x).mean(1, keepdim=True).expand(-1, 2)))", *RANK),
        ("answers[1], at_least", "answers[2], at_least", "rank-proof"),
    ],
    "the library's AE: it encodes": [("encode(five) - f(five)", "encode(five) - f(1 - five)", "ae-equal")],
    "the library's AE: it decodes": [
        ("torch.sigmoid(decoder(z))", "torch.sigmoid(-decoder(z))", "naive-ae", "ae-equal")
    ],
    "AE-2: the linear": [
        ("Vh[:2].T  # (49, 2)", "Vh[1:3].T  # (49, 2)", *PCA),
        ("small - small.mean(0)", "small", *PCA),
        ("linear[1].weight.detach()", "linear[1].weight.detach()[:, :1]", *PCA),
    ],
    "mixed codes": [
        ("torch.linalg.inv(mix).T", "torch.linalg.inv(mix)", "mixed-proof"),
        ("columns @ mix", "columns", "mixed-proof"),
    ],
    "VAE-1: μ + σ ε has": [
        ("moments(mu + sigma * eps)", "moments(mu + sigma**2 * eps)", CLOUDS),
        ("moments(mu + sigma * eps)", "moments(sigma + mu * eps)", CLOUDS),
        ("sp.exp(-(eps**2) / 2) / sp.sqrt(2 * sp.pi)", "sp.exp(-(eps**2)) / sp.sqrt(sp.pi)", CLOUDS),
    ],
    "VAE-1: the slip has": [
        ("(mu + sigma, 1)", "(mu, 1)", CLOUDS),
        ("(mu + sigma, 1)", "(mu + sigma, sigma**2)", CLOUDS),
        ("moments(mu + sigma + eps)", "moments(mu + sigma + 2 * eps)", CLOUDS),
    ],
    "gradients of a draw: vaelib's rsample": [
        ("torch.exp(values[1]) * noise_of_z", "torch.exp(values[1]) + noise_of_z", *DRAW),
        ("torch.exp(values[1])", "torch.exp(0.5 * values[1])", *DRAW),
    ],
    "gradients of a draw: ∂z/∂μ": [("to_mean - 1", "to_mean - mean", *DRAW)],
    "gradients of a draw: ∂z/∂log σ": [("to_log_std - scaled", "to_log_std - noise_of_z", *DRAW)],
    "gradients of a draw: a draw": [("log_std.exp()).sample()", "log_std.exp()).rsample()", *DRAW)],
    "VAE-2: the encoder's": [
        ("+ math.log(2 * math.pi)).sum(-1)", ").sum(-1)", *DENSITY),
        ("torch.exp(log_std)) ** 2", "torch.exp(0.5 * log_std)) ** 2", *DENSITY),
    ],
    "VAE-2: vaelib's DiagGaussian": [
        ("DiagGaussian(mean, log_std)", "DiagGaussian(mean, log_std / 2)", *DENSITY),
        ("log_std).log_prob(z)", "log_std).log_prob(-z)", *DENSITY),
    ],
    "VAE-2: the decoder's": [
        ("painted.log_prob(greys)", "painted.log_prob(1 - greys)", *INK),
        ("painted.log_std.exp()", "(0.1 + painted.log_std).exp()", *INK),
        ("oracle.log_prob(greys).sum", "oracle.log_prob(greys).mean", *INK),
    ],
    "ink and paper: the formula": [
        ("(ink * p.logits - torch", "((1 - ink) * p.logits - torch", *INK),
        ("torch.exp(p.logits))", "torch.exp(-p.logits))", *INK),
    ],
    "ink and paper: and so": [("p.log_prob(ink) - wanted", "p.log_prob(1 - ink) - wanted", *INK)],
    "vaelib's ELBO": [
        ("return log_px - torch", "return log_px - 0.5 * torch", *NAIVE),
        ("mean, log_std = vae.encoder", "log_std, mean = vae.encoder", *NAIVE),
        ("z = mean + torch.exp(log_std) * eps", "z = mean + torch.exp(log_std) + eps", *NAIVE),
        ("(1 - x) * (1 - ink_p).log()", "0 * x", *NAIVE),
    ],
    "energy distance: vaelib's": [("for y in b if x is not y", "for y in b", "energy-proof")],
    "energy distance: its nearest": [("for y in b) for x in a", "for y in a) for x in b", "energy-proof")],
    "errors of a difference: the two": [
        ("math.sqrt(a.error**2 + b.error**2)", "(a.error + b.error)", "energy-proof"),
        ("math.sqrt(a.error**2 + b.error**2)", "(a.error**2 + b.error**2)", "energy-proof"),
    ],
    "AE-3": [
        ("in models.items():", 'in (("AE", vaes), ("VAE", aes)):', *MATCH),
        ("codes_of(by_size[D], test_set.x[:2000]).cpu()", "prior.flip(0)", *MATCH),
    ],
    "lengths at D = 16": [
        ('lengths["AE", 16]', 'lengths["VAE", 16]', "prior-match-proof"),
        ("lengths[kind, D] = found.norm(dim=1)", "lengths[kind, D] = found.norm(dim=1) / D", *MATCH),
    ],
    "the judge's loss": [
        ("torch.cat([shown, no_digits", "torch.cat([x, no_digits", *LOSS),
        ("no_digits(shown, generator)])", "no_digits(x, generator)])", *LOSS),
        ("generator=generator) < 0.5 else x", "generator=generator) < 0.4 else x", *LOSS),
        ("F.avg_pool2d(x, 3, stride=1, padding=1)", "F.avg_pool2d(x, 5, stride=1, padding=2)", *LOSS),
    ],
    "the judge of digits: it takes": [("recognisability(judge, images", "recognisability(judge, 1 - images", *TRIED)],
    "the judge of digits: and noise": [("recognisability(judge, images", "recognisability(ten, images", *TRIED)],
    "the judge of digits: real images more often than blends": [("= blends(more, dice)", "= more", *TRIED)],
    "the judge of digits: real images more often than halves": [('two": halves(more)', 'two": more', *TRIED)],
    "the judge of digits: most of them": [
        ('blurred": blur(more)', 'blurred": 1 - blur(more)', *TRIED),
        (  # a judge that has never seen blur
            "train.fit(judge, judge_loss,",
            "train.fit(judge, lambda m, x, y, g: F.cross_entropy(m(torch.cat([x, no_digits(x, g)])), "
            "torch.cat([y, torch.full_like(y, 10)])),",
            "judge-train",
            *TRIED,
        ),
    ],
    "distance, tried: other": [("(images, held_out),", "(images, 0.9 * held_out),", *TRIED)],
    "distance, tried: the average": [("held_out.mean(0, keepdim=True).expand_as(held_out)", "more.flip(0)", *TRIED)],
    "distance, tried: blur": [('blurred": blur(more)', 'blurred": more', *TRIED)],
    "nearest, tried": [("nearest_distance(images, held_out)", "nearest_distance(images, more)", *TRIED)],
    "the fair test, D = 16: AE + N(0, I) is": [
        ("decode(models[kind][D], latent)", "decode(aes[D], latent)", "table", "table-proof"),
        ('"mixture": drawn["AE"]', '"mixture": normal', "four-ways", "table", "table-proof"),
    ],
    "the fair test, D = 16: the mixture": [
        ('table["AE + mixture, D = 16"]["recognised"]', 'table["AE + mixture, D = 2"]["recognised"]', "table-proof")
    ],
    "rebuilt images": [("compare.apart(two, sixteen)", "compare.apart(sixteen, two)", "table-proof")],
    "VAE-3": [
        ("normal_pdf(xs, b, math.sqrt(w**2 + s**2))", "normal_pdf(xs, b, w + s)", *MARGINAL),
        ("normal_pdf(xs, b, math.sqrt(w**2 + s**2))", "normal_pdf(xs, b, math.sqrt(w**2 + s))", *MARGINAL),
    ],
    "VAE-4: p(z|x)": [
        ("log_gauss(X, B, W**2 + S**2)", "log_gauss(X, B, (W + S) ** 2)", *POSTERIOR),
        ("S**2) + log_gauss(Z, 0, 1)\n", "S**2) + log_gauss(Z, B, 1)\n", "posterior", "posterior-proof"),
    ],
    "VAE-5: D =": [
        ("weight @ weight.T + noise**2", "weight @ weight.T + noise", "grid-error", *POINTS),
        ("range(n, n + 6)", "range(n - 1, n + 6)", *POINTS),
    ],
    "VAE-5: fewer": [("return n\n", "return n + 5\n", "grid-error", *POINTS), ("enough(D) for D", "25 for D", *POINTS)],
    "VAE-5: each": [("n**D for D", "5**D for D", *POINTS), ("needed[2] / needed[1]", "needed[1] / needed[2]", *POINTS)],
    "the grid: it holds": [
        ("- math.log(2 * math.pi)\n", "\n", "two-d-parts", *GRID),
        ("[-5, -5], [5, 5]", "[-1, -1], [1, 1]", "two-d-parts", *GRID),
    ],
    "the grid: a coarser": [
        (
            "torch.logsumexp(log_px_z.cpu().double() + weight, 1)",
            "(log_px_z.cpu().double() + weight).amax(1)",
            "two-d-parts",
            *GRID,
        )
    ],
    "log p(x) by draws: the grid": [
        ("- F.softplus(logits).sum(1)", "- 1.2 * F.softplus(logits).sum(1)", "two-d-parts", *GRID),
        ("images.flatten(1) @ logits.T", "1.02 * images.flatten(1) @ logits.T", "two-d-parts", *GRID),
        ("torch.logaddexp(log_q, log_pz) - math.log(2)", "log_q", *GRID),
        ("prior.log_prob(point), q.log_prob(point)", "prior.log_prob(point), 0.5 * q.log_prob(point)", *GRID),
        (".log_prob(unseen) + log_pz", ".log_prob(unseen)", *GRID),
    ],
    "log p(x) by draws: the bound lies": [("(vae_px - drawn_bound)", "(drawn_bound - vae_px)", *GRID)],
    "the error of a mean": [
        ("ahead.std() / len(ahead) ** 0.5", "ahead.std() / len(ahead)", *GRID),
        ("compare.mean_of(ahead)", "compare.mean_of(finer)", *GRID),
    ],
    "VAE-6: at the highest": [
        ("(log_joint - log_q)", "log_joint", *BEST),
        ("(log_joint - log_q)", "(log_joint - 2 * log_q)", *BEST),
        ("+ log_pdf(grid, 0.0, 1.0)", "", *BEST),
        ("math.log(posterior_std)", "2 * math.log(posterior_std)", *BEST),
    ],
    "VAE-6: and the highest": [
        ("log_joint = log_pdf(x_seen,", "log_joint = 0.1 + log_pdf(x_seen,", *BEST),
        ("log_pdf(x_seen, b, math.sqrt(w**2 + s**2))", "log_pdf(x_seen, b, w)", *BEST),
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
