"""vaelib.distributions against torch.distributions, quadrature and finite differences, with planted errors."""

import math

import numpy as np
import pytest
import scipy.stats
import torch

from vaelib import distributions
from vaelib.classroom import checks

NAME = "vaelib.distributions"


def gaussians(seed=0, shape=(50, 4)):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(3, *shape, generator=generator, dtype=torch.float64)


def oracle(mean, log_std):
    return torch.distributions.Independent(torch.distributions.Normal(mean, log_std.exp()), 1)


def log_prob_agrees(module):
    z, mean, log_std = gaussians()
    ours = module.DiagGaussian(mean, log_std)
    checks.check("VAE-2", ours.log_prob(z) - oracle(mean, log_std).log_prob(z), 1e-12)
    grid = torch.linspace(-30, 30, 20_001, dtype=torch.float64).unsqueeze(-1)
    one = module.DiagGaussian(torch.tensor([0.7], dtype=torch.float64), torch.tensor([0.9], dtype=torch.float64))
    checks.check("total mass 1", torch.trapezoid(one.log_prob(grid).exp(), grid[:, 0]) - 1, 1e-9)


def kl_agrees(module):
    _, mean, log_std = gaussians()
    _, other_mean, other_log_std = gaussians(1)
    ours, other = module.DiagGaussian(mean, log_std), module.DiagGaussian(other_mean, other_log_std)
    kl = torch.distributions.kl_divergence
    zero = torch.zeros_like(mean)
    checks.check("KL to the prior", ours.kl() - kl(oracle(mean, log_std), oracle(zero, zero)), 1e-11)
    checks.check(
        "KL to another", ours.kl(other) / kl(oracle(mean, log_std), oracle(other_mean, other_log_std)) - 1, 1e-11
    )
    checks.check("both forms agree", ours.kl(module.DiagGaussian(zero, zero)) - ours.kl(), 1e-11)


def rsample_has_the_right_moments(module):
    mean, log_std = torch.tensor([1.5, -0.5]), torch.tensor([-0.7, 0.9])
    draws = module.DiagGaussian(mean.expand(100_000, 2), log_std.expand(100_000, 2)).rsample(
        torch.Generator().manual_seed(0)
    )
    for d in range(2):
        std = math.exp(float(log_std[d]))
        checks.check_mean("mean", draws[:, d], float(mean[d]), slip=float(mean[d]) + std)
        checks.check_mean("variance", (draws[:, d] - mean[d]) ** 2, std**2, slip=1.0)


def test_gaussian(caught, plant):
    log_prob_agrees(distributions)
    kl_agrees(distributions)
    rsample_has_the_right_moments(distributions)
    for check, old, new in [
        (log_prob_agrees, "-0.5 * (squares", "0.5 * (squares"),
        (log_prob_agrees, "-0.5 * (squares", "-(squares"),
        (log_prob_agrees, "+ 2 * log_std + LOG", "+ log_std + LOG"),
        (log_prob_agrees, "+ 2 * log_std + LOG", "- 2 * log_std + LOG"),
        (log_prob_agrees, "torch.exp(-log_std)).square", "torch.exp(log_std)).square"),
        (log_prob_agrees, "torch.exp(-log_std)).square", "torch.exp(-0.5 * log_std)).square"),
        (log_prob_agrees, "+ LOG_2PI)", ")"),
        (kl_agrees, "return 0.5 * (mean", "return (mean"),
        (kl_agrees, "- 2 * log_std)", "- log_std)"),
        (kl_agrees, "- 2 * log_std)", "+ 2 * log_std)"),
        (kl_agrees, "- 2 * log_std)", "- 2 * log_std + 1)"),
        (kl_agrees, "torch.expm1(2 * log_std)", "torch.expm1(log_std)"),
        (kl_agrees, "log_std - other_log_std", "other_log_std - log_std"),
        (kl_agrees, "* torch.exp(-other_log_std),", "* torch.exp(-log_std),"),
        (kl_agrees, "* torch.exp(-other_log_std),", "* torch.exp(-2 * other_log_std),"),
        (kl_agrees, "(mean - other_mean) *", "(mean + other_mean) *"),
        (rsample_has_the_right_moments, "mean + log_std.exp() * eps", "mean + log_std.exp() + eps"),
        (rsample_has_the_right_moments, "mean + log_std.exp() * eps", "mean + log_std * eps"),
        (rsample_has_the_right_moments, "mean + log_std.exp() * eps", "mean + (0.5 * log_std).exp() * eps"),
        (rsample_has_the_right_moments, "mean + log_std.exp() * eps", "log_std.exp() * eps"),
    ]:
        caught(f"{old} -> {new}", lambda check=check, old=old, new=new: check(plant(NAME, old, new)))


def test_kl_gradients_by_finite_differences():
    _, mean, log_std = gaussians(shape=(3, 2))
    inputs = (mean.requires_grad_(), log_std.requires_grad_())
    assert torch.autograd.gradcheck(lambda m, s: distributions.DiagGaussian(m, s).kl(), inputs)
    other = distributions.DiagGaussian(*gaussians(2, (3, 2))[:2])
    assert torch.autograd.gradcheck(lambda m, s: distributions.DiagGaussian(m, s).kl(other), inputs)


def bernoulli_agrees(module):
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(40, 2, 3, 4, generator=generator, dtype=torch.float64)
    x = (torch.rand(logits.shape, generator=generator, dtype=torch.float64) < 0.5).double()
    exact = torch.distributions.Bernoulli(logits=logits).log_prob(x).sum((1, 2, 3))
    checks.check("ELBO-14: log p = -BCE", module.Bernoulli(logits).log_prob(x) - exact, 1e-11)
    grey = torch.rand(logits.shape, generator=generator, dtype=torch.float64)
    bce = torch.nn.functional.binary_cross_entropy(logits.sigmoid(), grey, reduction="none").sum((1, 2, 3))
    checks.check("grey targets too", module.Bernoulli(logits).log_prob(grey) + bce, 1e-11)
    two = torch.tensor([[[0.3, -1.2]]], dtype=torch.float64)
    images = torch.tensor([[a, b] for a in (0.0, 1.0) for b in (0.0, 1.0)], dtype=torch.float64).reshape(4, 1, 1, 2)
    checks.check("all four images sum to 1", module.Bernoulli(two).log_prob(images).exp().sum() - 1, 1e-12)


def gaussian_pixels_agree(module):
    generator = torch.Generator().manual_seed(0)
    x, mean, log_std = torch.randn(3, 20, 1, 3, 4, generator=generator, dtype=torch.float64)
    exact = torch.distributions.Normal(mean, log_std.exp()).log_prob(x).sum((1, 2, 3))
    checks.check("VAE-2", module.Gaussian(mean, log_std).log_prob(x) - exact, 1e-11)
    one = torch.tensor(-0.4, dtype=torch.float64)
    exact = torch.distributions.Normal(mean, one.exp()).log_prob(x).sum((1, 2, 3))
    checks.check("one log-std for all pixels", module.Gaussian(mean, one).log_prob(x) - exact, 1e-11)


def test_likelihoods(caught, plant):
    bernoulli_agrees(distributions)
    gaussian_pixels_agree(distributions)
    for check, old, new in [
        (bernoulli_agrees, "F.softplus(logits)", "F.softplus(-logits)"),
        (bernoulli_agrees, "x * logits - ", "(1 - x) * logits - "),
        (bernoulli_agrees, ".sum((-3, -2, -1))", ".mean((-3, -2, -1))"),
        (bernoulli_agrees, "F.softplus(logits)", "0.5 * F.softplus(logits)"),
        (gaussian_pixels_agree, "x.flatten(-3))", "x.flatten(-3) * 0.5)"),
        (gaussian_pixels_agree, "log_std.flatten(-3))", "0.5 * log_std.flatten(-3))"),
        (gaussian_pixels_agree, "log_std.flatten(-3))", "-log_std.flatten(-3))"),
    ]:
        caught(f"{old} -> {new}", lambda check=check, old=old, new=new: check(plant(NAME, old, new)))


def test_pixels_are_drawn_from_the_likelihood():
    generator = torch.Generator().manual_seed(0)
    ink = distributions.Bernoulli(torch.full((50_000, 1, 1, 1), -1.0)).sample(generator)
    checks.check_mean("mean", ink, 1 / (1 + math.e), slip=math.e / (1 + math.e))
    grey = distributions.Gaussian(torch.full((50_000, 1, 1, 1), 2.0), torch.tensor(0.7)).sample(generator)
    checks.check_mean("mean", grey, 2.0, slip=2.7)
    checks.check_mean("variance", (grey - 2) ** 2, math.exp(1.4), slip=math.exp(0.7))


def test_logits_need_no_clamp():
    """float32: a pixel that is wrong with certainty costs what its logit says, not infinity (ELBO-15)."""
    p = distributions.Bernoulli(torch.tensor([[[200.0]]]))
    assert float(p.log_prob(torch.zeros(1, 1, 1))) == -200
    assert float(p.log_prob(torch.ones(1, 1, 1))) == 0


def test_several_draws_broadcast():
    z, mean, log_std = gaussians(shape=(5, 4))
    many = z.expand(7, 5, 4)
    assert distributions.DiagGaussian(mean, log_std).log_prob(many).shape == (7, 5)
    x = torch.ones(5, 1, 2, 2)
    assert distributions.Bernoulli(torch.zeros(7, 5, 1, 2, 2)).log_prob(x).shape == (7, 5)


def test_bad_input_is_one_sentence():
    z, mean, log_std = gaussians()
    q = distributions.DiagGaussian(mean, log_std)
    p = distributions.Bernoulli(torch.zeros(2, 1, 4, 4))
    grey = distributions.Gaussian(torch.zeros(2, 1, 4, 4), torch.zeros(()))
    image = torch.zeros(2, 1, 4, 4)
    for attempt, sentence in [
        (lambda: q.log_prob(z[:, :3]), r"z, a float64 tensor \(50, 3\), was given: use a float tensor \(\.\.\., 4\)"),
        (lambda: q.log_prob(z[:7]), r"z \(7, 4\) and mean \(50, 4\) were given: use shapes that broadcast"),
        (lambda: q.log_prob(z.numpy()), "z, a float64 NumPy array"),
        (lambda: q.log_prob(z.to("meta")), "z lies on meta, and mean on cpu: move"),
        (lambda: q.kl(distributions.DiagGaussian(mean[:, :3], log_std[:, :3])), r"use a float tensor \(\.\.\., 4\)"),
        (lambda: q.kl(mean), "other, a float64 tensor .* use a DiagGaussian, or None for the prior"),
        (lambda: q.rsample(0), r"generator=0 was given: use torch.Generator\('cpu'\)"),
        (lambda: q._replace(mean=None).rsample(), "mean=None was given: use a float tensor"),
        (lambda: q._replace(log_std=1.0).kl(), r"log_std=1.0 was given: use a float tensor"),
        (lambda: q._replace(mean=mean[:, :3]).kl(), r"mean \(50, 3\) and log_std \(50, 4\) were given"),
        (lambda: distributions.DiagGaussian(mean[0, 0], log_std[0, 0]).kl(), "mean, a float64 tensor .* dimensions D"),
        (
            lambda: p.log_prob(torch.zeros(2, 16)),
            r"x, a float32 tensor \(2, 16\), was given: .* \(\.\.\., 1, 4, 4\)\.$",
        ),
        (lambda: p.log_prob(image.to(torch.uint8)), r"uint8 .* data.as_float makes floats of 0 to 255"),
        (lambda: p.log_prob(image.fill_(255.0).triu()), r"values from 0 to 255: use pixels in \[0, 1\]"),
        (lambda: p.log_prob(image * math.nan), r"values from nan to nan: use pixels in \[0, 1\]"),
        (lambda: distributions.Bernoulli([0.5]).mean, r"logits=\[0.5\] was given: use a float tensor"),
        (lambda: distributions.Bernoulli(image * math.nan).sample(), "logits has values from nan to nan: use numbers"),
        (lambda: grey.log_prob(image[:, :, :2]), r"x, a float32 tensor \(2, 1, 2, 4\)"),
        (lambda: grey._replace(mean=grey.log_std).sample(), "dimensions C, H, W"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            attempt()


def test_a_number_that_stands_for_many_is_spread_out_before_the_draw():
    """One mean for four spreads, and one spread for four means: every draw has noise of its own."""
    draw = lambda p: p.rsample(torch.Generator().manual_seed(0))  # noqa: E731
    mean, log_std = torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([[0.1], [0.2], [0.3], [0.4]])
    for parts in ((mean, log_std), (mean, log_std.expand(4, 3)), (mean.expand(4, 3), log_std)):
        z = draw(distributions.DiagGaussian(*parts))
        whole = distributions.DiagGaussian(mean.expand(4, 3), log_std.expand(4, 3))
        assert torch.equal(z, draw(whole))
        assert len((z - mean).unique()) == 12
        assert torch.equal(distributions.DiagGaussian(*parts).kl(), whole.kl())
    x = distributions.Gaussian(torch.tensor(0.5), torch.zeros(2, 1, 3, 3)).sample()
    assert len(x.unique()) == 18
    x = distributions.Gaussian(torch.zeros(2, 1, 3, 3), torch.tensor(0.5)).sample()
    assert len(x.unique()) == 18


def in_float64(p):
    return type(p)(*(part.double() if isinstance(part, torch.Tensor) else part for part in p))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_few_digits_do_not_change_the_sums(dtype):
    """Against float64, from the same parameters: what is lost is float32's rounding, not the parameters' own."""
    generator = torch.Generator().manual_seed(0)
    draw = lambda *shape: torch.randn(shape, generator=generator).to(dtype)  # noqa: E731
    z = draw(200, 20)
    image, levels = draw(200, 1, 5, 5).sigmoid(), torch.randint(9, (200, 3, 2, 2), generator=generator)
    q, near = distributions.DiagGaussian(draw(200, 20), draw(200, 20)), distributions.DiagGaussian(draw(20), draw(20))
    found = {
        lambda p: p.kl(): (q, near),
        lambda p: p.kl(in_float64(near) if p.mean.dtype == torch.float64 else near): (q,),
        lambda p: p.log_prob(z): (q,),
        lambda p: p.log_prob(image): (
            distributions.Bernoulli(draw(200, 1, 5, 5)),
            distributions.Gaussian(draw(200, 1, 5, 5), draw(1, 1, 1)),
        ),
        lambda p: p.log_prob(levels): (
            distributions.Categorical(draw(200, 9, 3, 2, 2)),
            distributions.DiscretizedLogisticMixture(
                draw(200, 4, 2, 2), draw(200, 4, 3, 2, 2), draw(200, 4, 3, 2, 2), draw(200, 4, 3, 2, 2), 9
            ),
        ),
    }
    for what, many in found.items():
        for p in many:
            ours, right = what(p), what(in_float64(p))
            assert ours.dtype == torch.float32
            torch.testing.assert_close(ours.double(), right, rtol=5e-6, atol=1e-5)
    assert q.rsample().dtype == distributions.Bernoulli(image).mean.dtype == torch.float32


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize("scale", [1e-2, 1e-4, 1e-6])
def test_a_kl_near_the_prior_keeps_its_digits(dtype, scale):
    """KL = sum m^2/2 + s^2 + 2 s^3/3 + ...: by the series, in float64, to a rounding of 2 s (exp - 1 would lose one of 1)."""
    mean, log_std = (scale * torch.randn(2, 5000, 20, generator=torch.Generator().manual_seed(0))).to(dtype)
    m, s = mean.double(), log_std.double()
    right = (m**2 / 2 + s**2 + 2 * s**3 / 3 + s**4 / 3).sum(-1)
    q = distributions.DiagGaussian(mean, log_std)
    assert float(((q.kl() - right).abs() / (2**-23 * (2 * s.abs()).sum(-1) + 1e-6 * right)).max()) < 1
    assert float(q.kl().min()) > 0
    there = distributions.DiagGaussian(*torch.full((2, 20), 3.0, dtype=dtype))
    moved = distributions.DiagGaussian(3 + math.exp(3) * mean.float(), 3 + log_std.float())
    assert float(moved.kl(there).min()) >= 0
    if scale == 1e-2:
        torch.testing.assert_close(moved.kl(there).double(), right, rtol=1e-4, atol=0)


def test_few_digits_do_not_change_what_is_drawn():
    """In bfloat16 a uniform number is one of 256: a rare pixel would be drawn 4 times too often, a rare level never."""
    rare = torch.tensor(-7.0)
    shares = {
        "pixel": distributions.Bernoulli(rare.bfloat16().expand(300_000, 1, 1, 1)).sample(torch.Generator().manual_seed(0)),
        "level": distributions.Categorical(
            torch.stack((rare, torch.tensor(0.0))).bfloat16().view(1, 2, 1, 1, 1).expand(300_000, -1, -1, -1, -1)
        ).sample(torch.Generator().manual_seed(0)) == 0,
        "gumbel": distributions.gumbel((300_000,), torch.Generator().manual_seed(0), dtype=torch.bfloat16) > 7,
    }  # fmt: skip
    exact = {"pixel": torch.sigmoid(rare), "level": torch.sigmoid(rare), "gumbel": -torch.expm1(-torch.exp(rare))}
    for what, share in shares.items():
        checks.check_mean(what, share.double(), float(exact[what]), slip=4 / 1024)
    assert distributions.gumbel((3,), dtype=torch.bfloat16).dtype == torch.bfloat16


def test_the_same_seed_gives_the_same_draw_and_another_another():
    q = distributions.DiagGaussian(torch.zeros(50, 4), torch.zeros(50, 4))
    logits = torch.zeros(20, 5, 1, 4, 4)
    for draw in (
        q.rsample,
        distributions.Bernoulli(logits[:, 0]).sample,
        distributions.Gaussian(logits[:, 0], torch.zeros(())).sample,
        distributions.Categorical(logits).sample,
        mixture(B=50).sample,
        lambda generator: distributions.gumbel((50,), generator),
    ):
        one, same, other = (draw(torch.Generator().manual_seed(seed)) for seed in (3, 3, 4))
        assert torch.equal(one, same)
        assert not torch.equal(one, other)
        before = torch.random.get_rng_state()
        draw(torch.Generator().manual_seed(3))
        assert torch.equal(torch.random.get_rng_state(), before)


def test_no_image_gives_no_number():
    q = distributions.DiagGaussian(torch.zeros(0, 4), torch.zeros(0, 4))
    assert q.kl().shape == q.log_prob(q.rsample()).shape == (0,)
    for p in (distributions.Bernoulli(torch.zeros(0, 1, 2, 2)), distributions.Gaussian(*torch.zeros(2, 0, 1, 2, 2))):
        assert p.log_prob(p.sample()).shape == (0,)
    for p in (distributions.Categorical(torch.zeros(0, 3, 1, 2, 2)), mixture(B=2)._replace(levels=4)):
        nothing = type(p)(*(part[:0] if isinstance(part, torch.Tensor) else part for part in p))
        assert nothing.log_prob(nothing.sample()).shape == (0,)


# ---- likelihoods of levels (AR-5)


def mixture(module=distributions, B=2, M=3, C=1, levels=256, seed=0):
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    return module.DiscretizedLogisticMixture(
        draw(B, M, 1, 1),
        draw(B, M, C, 1, 1) / 2,
        draw(B, M, C, 1, 1) - 2,
        torch.tanh(draw(B, M, C * (C - 1) // 2, 1, 1)),
        levels,
    )


def cells_agree(module):
    """Each cell's probability by SciPy's logistic distribution function, and their sum."""
    one = mixture(module)
    x = torch.arange(256).view(-1, 1, 1, 1)
    found = torch.stack([one.log_prob(x[k].expand(2, 1, 1, 1)) for k in range(256)]).exp()
    checks.check("AR-5: sums to 1", found.sum(0) - 1, 1e-12)
    edges = np.concatenate([[-np.inf], (np.arange(255) + 0.5) * 2 / 255 - 1, [np.inf]])
    weights = torch.softmax(one.logit_weights, 1).flatten(1).numpy()
    for b in range(2):
        cdf = sum(
            weights[b, m] * scipy.stats.logistic.cdf(edges, float(one.means[b, m]), float(one.log_scales[b, m].exp()))
            for m in range(3)
        )
        checks.check("AR-5: cells by SciPy", found[:, b].numpy() - np.diff(cdf), 1e-12)


def colours_agree(module):
    """The second and third channel's means move with the channels before, by the definition, number by number."""
    one = mixture(module, B=1, M=2, C=3, levels=9)
    one = one._replace(log_scales=one.log_scales + 1.5)  # wide, so that SciPy's differences keep their digits
    x = torch.tensor([7, 0, 4]).view(1, 3, 1, 1)
    v = 2 * x.flatten().double() / 8 - 1
    total = 0.0
    for m in range(2):
        a, b, c = one.coefficients[0, m].flatten()
        means = one.means[0, m].flatten() + torch.stack([0 * a, a * v[0], b * v[0] + c * v[1]])
        p = 1.0
        for channel, level in enumerate((7, 0, 4)):
            scale = float(one.log_scales[0, m, channel].exp())
            up = np.inf if level == 8 else (level + 0.5) / 4 - 1
            down = -np.inf if level == 0 else (level - 0.5) / 4 - 1
            cdf = scipy.stats.logistic.cdf([down, up], float(means[channel]), scale)
            p *= cdf[1] - cdf[0]
        total += float(torch.softmax(one.logit_weights, 1)[0, m]) * p
    checks.check("AR-5: three channels", one.log_prob(x).exp() / total - 1, 1e-10)


def test_the_logistic_mixture():
    cells_agree(distributions)
    colours_agree(distributions)


@pytest.mark.parametrize(
    ("old", "new", "by"),
    [
        ("/ (self.levels - 1) - 1\n", "/ self.levels - 1\n", cells_agree),
        ("half = 1 / (self.levels - 1)", "half = 1 / self.levels", cells_agree),
        (".masked_fill(last, 0)", "", cells_agree),
        (".masked_fill(first, 0)", "", cells_agree),
        ("-2 * half * precision", "-half * precision", cells_agree),
        ("torch.exp(-self.log_scales)", "torch.exp(self.log_scales)", cells_agree),
        ("log_cell.sum(2)", "log_cell.mean(2)", colours_agree),
        ("c * (c - 1) // 2 + k", "c * (c - 1) // 2", colours_agree),
        ("* v[:, :, k]", "* v[:, :, c - 1 - k]", colours_agree),
        ("torch.log_softmax(self.logit_weights, 1)", "self.logit_weights", cells_agree),
    ],
)
def test_planted_errors_in_the_mixture_are_caught(old, new, by, plant, caught):
    mutant = plant(NAME, old, new)
    caught(new or f"without {old}", lambda: by(mutant))


def test_far_from_every_mean_the_log_probability_is_finite_and_right():
    one = distributions.DiscretizedLogisticMixture(
        torch.zeros(1, 1, 1, 1), torch.full((1, 1, 1, 1, 1), -0.9), torch.full((1, 1, 1, 1, 1), -7.0), torch.zeros(1, 1, 0, 1, 1), 256
    )  # fmt: skip
    log_p = one.log_prob(torch.tensor(250).view(1, 1, 1, 1))
    v, half, s = 2 * 250 / 255 - 1, 1 / 255, math.exp(-7)
    exact = scipy.stats.logistic.logsf((v - half + 0.9) / s) + math.log(-math.expm1(-2 * half / s))
    torch.testing.assert_close(float(log_p), exact, rtol=1e-5, atol=0)
    assert exact < -1000  # exp underflows: a difference of distribution functions would be log 0


def test_samples_of_the_mixture_have_its_probabilities():
    one = mixture(B=1, M=3, C=2, levels=4)
    n = 50_000
    many = one._replace(**{k: v.expand(n, *v.shape[1:]) for k, v in one._asdict().items() if k != "levels"})
    drawn = many.sample(torch.Generator().manual_seed(4))
    assert drawn.shape == (n, 2, 1, 1)
    counts = torch.bincount(4 * drawn[:, 0, 0, 0] + drawn[:, 1, 0, 0], minlength=16).double()
    p = torch.stack([one.log_prob(torch.tensor([a, b]).view(1, 2, 1, 1)) for a in range(4) for b in range(4)]).exp()[
        :, 0
    ]
    checks.check("all pairs", p.sum() - 1, 1e-12)
    held = p > 1e-4
    assert float(((counts - n * p) ** 2 / (n * p))[held].sum()) < 55


def test_the_categorical():
    logits = torch.randn(5, 7, 2, 3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x = torch.randint(7, (5, 2, 3, 3), generator=torch.Generator().manual_seed(1))
    oracle = torch.distributions.Categorical(logits=logits.movedim(1, -1))
    torch.testing.assert_close(distributions.Categorical(logits).log_prob(x), oracle.log_prob(x).sum((1, 2, 3)))
    one = distributions.Categorical(logits[:1, :, :1, :1, :1].expand(30_000, -1, -1, -1, -1))
    for temperature in (1.0, 0.5):
        counts = torch.bincount(one.sample(torch.Generator().manual_seed(2), temperature).flatten(), minlength=7)
        p = torch.softmax(logits[0, :, 0, 0, 0] / temperature, 0) * 30_000
        assert float(((counts - p) ** 2 / p).sum()) < 36  # 6 degrees of freedom


def test_no_level_is_left_out_where_nobody_looks(monkeypatch):
    """As on a GPU: PyTorch stops at a level that is none, -100 among them, which its cross-entropy leaves out by default."""
    monkeypatch.setattr(distributions.given, "within", lambda name, value, *_: value)
    for level in (-100, 3):
        with pytest.raises(IndexError):
            distributions.Categorical(torch.zeros(1, 3, 1, 1, 1)).log_prob(torch.full((1, 1, 1, 1), level))


def test_levels_out_of_range_and_misfits_are_refused():
    logits = torch.randn(5, 7, 2, 3, 3, generator=torch.Generator().manual_seed(0))
    p, q = distributions.Categorical(logits), mixture(B=5, C=2, levels=7)
    x = torch.zeros(5, 2, 3, 3, dtype=torch.int64)
    for bad in (-100, -1, 7):
        for likelihood, at in ((p, x), (q, x[..., :1, :1])):
            with pytest.raises(ValueError, match="use levels from 0 to 6"):
                likelihood.log_prob(at.index_fill(0, torch.tensor(2), bad))
    for attempt, sentence in [
        (lambda: p.log_prob(x.double()), r"use an integer tensor \(5, 2, 3, 3\)"),
        (lambda: q.log_prob(x[..., 0, 0]), r"use an integer tensor \(5, 2, 1, 1\)"),
        (lambda: p.log_prob(x.bool()), "a bool tensor"),
        (lambda: p.log_prob(None), "x=None"),
        (lambda: p.sample(temperature=0), "temperature=0 was given: use a finite number above 0"),
        (lambda: q.sample(temperature=math.nan), "temperature=nan"),
        (lambda: p.sample(eps=torch.zeros(5, 14, 3, 1)), r"use a float tensor \(5, 14, 3, 3\)"),
        (lambda: q.sample(eps=torch.zeros(5, 7, 3, 3)), r"use a float tensor \(5, 7, 1, 1\)"),
        (
            lambda: distributions.Categorical(logits * math.nan).sample(),
            "logits has values from nan to nan: use numbers",
        ),
        (lambda: q._replace(log_scales=q.log_scales * math.nan).sample(), "log_scales has 30 values that are NaN"),
        (lambda: p.sample(eps=torch.full((5, 14, 3, 3), math.nan)), "eps has 630 values that are NaN"),
        (lambda: distributions.Categorical(logits / 0).sample(), "minus infinity for a level that cannot be"),
        (lambda: distributions.Categorical(logits[0]).sample(), r"use a float tensor \(B, K, C, H, W\)"),
        (lambda: distributions.Categorical(logits[:, :0]).sample(), "K of at least 1"),
        (lambda: q._replace(levels=1).sample(), "levels=1 was given: use a whole number from 2 to 16777216"),
        (lambda: q._replace(means=None).log_prob(x), "means=None"),
        (
            lambda: q._replace(log_scales=q.log_scales[:1]).sample(),
            r"log_scales, .* use a float tensor \(5, 3, 2, 1, 1\)",
        ),
        (lambda: q._replace(coefficients=q.coefficients[:, :, :0]).sample(), "= 1 of them for a pixel"),
        (lambda: q._replace(coefficients=3).sample(), "coefficients=3"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            attempt()
    one = logits[:, :, :, 0, 0]
    more = q._replace(coefficients=torch.cat((q.coefficients, torch.ones(5, 3, 4, 1, 1)), 2))
    assert torch.equal(more.log_prob(x[..., :1, :1]), q.log_prob(x[..., :1, :1]))
    assert distributions.Categorical(one).log_prob(x[:, :, 0, 0]).shape == (5,)
    assert distributions.Categorical(one).sample(eps=torch.zeros(5, 14)).shape == (5, 2)
    for attempt, sentence in [
        (lambda: distributions.gumbel((2, -1)), r"shape=\(2, -1\) was given"),
        (lambda: distributions.gumbel(None), "shape=None"),
        (lambda: distributions.gumbel((2,), 5), "generator=5"),
        (lambda: distributions.gumbel((2,), device=3), "device=3"),
        (lambda: distributions.gumbel((2,), dtype=torch.int64), "use a float type"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            attempt()
