"""Planted errors in the checks of notebook 01_ae_vs_vae."""

from played import answers_are_marked, planted_errors_fail, sliders_move

STEM = "01_ae_vs_vae"
PLANTED = [
    # AE-1
    ("lambda x: g(f(x)))[2]", "lambda x: g(f(x)) + 1e-6 * x)[2]", "rank"),
    ("lambda x: g(f(x)))[1]", "lambda x: g(f(x) * torch.tensor([1.0, 0.0])))[1]", "rank"),
    ("library.encode(x) - f(x)", "library.encode(x) - f(1 - x)", "ae-equal"),
    ("return torch.sigmoid(decoder(z))", "return torch.sigmoid(-decoder(z))", "naive-ae", "ae-equal"),
    # AE-2
    ("Vh[:2].T  # (49, 2)", "Vh[1:3].T  # (49, 2)", "pca", "pca-check"),
    ("small - small.mean(0)", "small", "pca", "pca-check"),
    ("    optimizer.step(closure)", "    pass", "pca", "pca-check"),
    ("linear[1].weight.detach()", "linear[1].weight.detach()[:, :1]", "pca", "pca-check"),
    ("Vh[:2].T  # (49, 2)", "Vh[:3].T  # (49, 2)", "pca", "pca-check"),
    ("torch.linalg.inv(mix).T", "torch.linalg.inv(mix)", "pca-check"),
    ("columns @ mix", "columns", "pca-check"),
    # AE-3
    ('(("AE", aes), ("VAE", vaes))', '(("AE", vaes), ("VAE", aes))', "prior-match"),
    (
        '"VAE + prior": decode(vaes[D], normal)',
        '"VAE + prior": decode(aes[D], normal)',
        "four-ways",
        "table",
        "table-check",
    ),
    (
        '"AE + mixture": decode(aes[D], ae_mixture[shuffled])',
        '"AE + mixture": decode(aes[D], normal)',
        "four-ways",
        "table",
        "table-check",
    ),
    ("compare.recognisability(judge, images", "compare.recognisability(ten, images", "judge-tried", "judge-check"),
    (
        "compare.energy_distance(images, held_out)",
        "compare.energy_distance(images, 0.9 * held_out)",
        "judge-tried",
        "judge-check",
    ),
    ("2 * mean_distance(a, b) -", "mean_distance(a, b) -", "energy"),
    ("- mean_distance(b, b)", "+ mean_distance(b, b)", "energy"),
    ("for y in b if x is not y", "for y in b", "energy"),
    ("for y in b) for x in a", "for y in a) for x in b", "energy"),
    ("math.sqrt(a.error**2 + b.error**2)", "(a.error + b.error)", "energy"),
    ("math.sqrt(a.error**2 + b.error**2)", "(a.error**2 + b.error**2)", "energy"),
    ("compare.apart(a, b)", "compare.apart(b, a)", "energy"),
    ("b.error * draws[1]", "b.error * draws[0]", "energy"),
    (
        'compare.apart(distance["AE", D], distance["VAE", D])',
        'compare.apart(distance["VAE", D], distance["AE", D])',
        "prior-match",
    ),
    # the judge
    ("torch.full_like(y, 10)", "torch.full_like(y, 9)", "classifier", "judge-train"),
    ("torch.cat([shown, no_digits", "torch.cat([x, no_digits", "classifier", "judge-train"),
    ("no_digits(shown, generator)])", "no_digits(x, generator)])", "classifier", "judge-train"),
    ("generator=generator) < 0.5 else x", "generator=generator) < 0.4 else x", "classifier", "judge-train"),
    ("F.avg_pool2d(x, 3, stride=1, padding=1)", "F.avg_pool2d(x, 5, stride=1, padding=2)", "classifier", "judge-train"),
    (  # a judge that has never seen blur
        "train.fit(judge, judge_loss,",
        "train.fit(judge, lambda m, x, y, g: F.cross_entropy(m(torch.cat([x, no_digits(x, g)])), "
        "torch.cat([y, torch.full_like(y, 10)])),",
        "judge-train",
        "judge-tried",
        "judge-check",
    ),
    ('blurred", blur(more))', 'blurred", 1 - blur(more))', "judge-tried", "judge-check"),
    # VAE-1
    ("to_mean - 1", "to_mean - mean", "gradients"),
    ("to_log_std - torch.exp(values[1]) * eps", "to_log_std - eps", "gradients"),
    ("values[0] + torch.exp(values[1]) * eps", "values[0] + torch.exp(values[1]) + eps", "gradients"),
    ("values[0] + torch.exp(values[1]) * eps", "values[0] + torch.exp(0.5 * values[1]) * eps", "gradients"),
    ("log_std.exp()).sample()", "log_std.exp()).rsample()", "gradients"),
    (
        'μ and variance σ²", moments(mu + sigma * eps)',
        'μ and variance σ²", moments(mu + sigma**2 * eps)',
        "reparameterization",
    ),
    (
        'μ and variance σ²", moments(mu + sigma * eps)',
        'μ and variance σ²", moments(sigma + mu * eps)',
        "reparameterization",
    ),
    (
        "normal = sp.exp(-(eps**2) / 2) / sp.sqrt(2 * sp.pi)",
        "normal = sp.exp(-(eps**2)) / sp.sqrt(sp.pi)",
        "reparameterization",
    ),
    # VAE-2
    ("return -0.5 * (squares", "return -1.0 * (squares", "density"),
    ("+ 2 * log_std + math", "+ log_std + math", "density"),
    ("+ 2 * log_std + math", "- 2 * log_std + math", "density"),
    ("+ math.log(2 * math.pi)).sum(-1)", ").sum(-1)", "density"),
    ("torch.exp(log_std)) ** 2", "torch.exp(0.5 * log_std)) ** 2", "density"),
    ("p.log_prob(images) - oracle", "p.log_prob(1 - images) - oracle", "decoder-density"),
    ("p.log_prob(ink) - oracle", "p.log_prob(1 - ink) - oracle", "decoder-density"),
    ("(ink * p.logits - torch", "((1 - ink) * p.logits - torch", "decoder-density"),
    ("torch.exp(p.logits)))", "torch.exp(-p.logits)))", "decoder-density"),
    ("return log_px - kl", "return log_px + kl", "naive-vae"),
    ("return log_px - kl", "return log_px - 0.5 * kl", "naive-vae"),
    ("mean, log_std = vae.encoder", "log_std, mean = vae.encoder", "naive-vae"),
    ("z = mean + torch.exp(log_std) * eps", "z = mean + torch.exp(log_std) + eps", "naive-vae"),
    (
        "kl_divergence(q, torch.distributions.Normal(0.0, 1.0))",
        "kl_divergence(torch.distributions.Normal(0.0, 1.0), q)",
        "naive-vae",
    ),
    ("(1 - x) * torch.log(1 - ink_probability)", "0 * x", "naive-vae"),
    # VAE-3
    ("normal_pdf(xs, b, math.sqrt(w**2 + s**2))", "normal_pdf(xs, b, w + s)", "marginal"),
    ("normal_pdf(xs, b, math.sqrt(w**2 + s**2))", "normal_pdf(xs, b, math.sqrt(w**2 + s))", "marginal"),
    ("* normal_pdf(grid, 0.0, 1.0)", "", "marginal"),
    ("w * grid + b, s)", "w * grid - b, s)", "marginal"),
    # VAE-4
    ("sp.simplify(-a1 / (2 * a2))", "sp.simplify(a1 / (2 * a2))", "posterior"),
    ("sp.simplify(-1 / (2 * a2))", "sp.simplify(-1 / a2)", "posterior"),
    ("log_gauss(X, B, W**2 + S**2)", "log_gauss(X, B, (W + S) ** 2)", "posterior"),
    ("log_gauss(Z, 0, 1)\n", "log_gauss(Z, B, 1)\n", "posterior"),
    ("- sp.log(2 * sp.pi * variance) / 2", "+ sp.log(2 * sp.pi * variance) / 2", "posterior"),
    ("- sp.log(2 * sp.pi * variance) / 2", "- sp.log(variance) / 2", "posterior"),
    # VAE-5
    ("needed[D] = n**D", "needed[D] = n * D", "intractable"),
    ("needed[D] = n**D", "needed[D] = 8**D; n += 5", "intractable"),
    ("D * math.log(12 / (n - 1))", "math.log(12 / (n - 1))", "intractable"),
    ("weight @ weight.T + noise**2", "weight @ weight.T + noise", "intractable"),
    ("range(n, n + 6)", "range(n - 1, n + 6)", "intractable"),
    # the density of both models at D = 2
    ("- math.log(2 * math.pi)\n", "\n", "two-d", "two-d-check"),
    ("[-5, -5], [5, 5], unseen)", "[-1, -1], [1, 1], unseen)", "two-d", "two-d-check"),
    ("- F.softplus(logits).sum(", "- 1.2 * F.softplus(logits).sum(", "two-d", "two-d-check"),
    (
        "torch.logsumexp(log_px_z.cpu().double() + weight, 1)",
        "(log_px_z.cpu().double() + weight).amax(1)",
        "two-d",
        "two-d-check",
    ),
    ("- torch.logaddexp(log_q, prior.log_prob(z)) + math.log(2)", "- log_q", "two-d-check"),
    ("log_q = q.log_prob(z)", "log_q = 0.5 * q.log_prob(z)", "two-d-check"),
    ("log_prob(unseen) + prior.log_prob(z)", "log_prob(unseen)", "two-d-check"),
    ("- math.log(2 * draws)", "- math.log(draws)", "two-d-check"),
    ("images.flatten(1) @ logits.T", "1.02 * images.flatten(1) @ logits.T", "two-d", "two-d-check"),
    ("(vae_px - elbo)", "(elbo - vae_px)", "two-d-check"),
    ("ahead.std() / len(ahead) ** 0.5", "ahead.std() / len(ahead)", "two-d-check"),
    ("ahead.std() / len(ahead) ** 0.5", "ahead.std()", "two-d-check"),
    ("compare.mean_of(ahead)", "compare.mean_of(ae_px)", "two-d-check"),
    # VAE-6
    ("(log_joint - log_q)", "log_joint", "encoder"),
    ("(log_joint - log_q)", "(log_joint - 2 * log_q)", "encoder"),
    ("- 0.5 * grid**2 - math.log(2 * math.pi)", "- math.log(2 * math.pi)", "encoder"),
    ("0.5 * math.log(variance)", "math.log(variance)", "encoder"),
    ("- math.log(s) - 0.5 * grid**2", "- 0.5 * grid**2", "encoder"),
]


test_planted_errors = planted_errors_fail
test_every_slider_to_both_ends = sliders_move
test_stubs_pass_and_wrong_answers_fail = answers_are_marked
