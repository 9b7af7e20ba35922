"""vaelib.distributions against torch.distributions, quadrature and finite differences, with planted errors."""

import math

import numpy as np
import pytest
import scipy.stats
import torch

from vaelib import checks, distributions

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
        (log_prob_agrees, "+ 2 * self.log_std + LOG", "+ self.log_std + LOG"),
        (log_prob_agrees, "+ 2 * self.log_std + LOG", "- 2 * self.log_std + LOG"),
        (log_prob_agrees, "torch.exp(-self.log_std)", "torch.exp(self.log_std)"),
        (log_prob_agrees, "torch.exp(-self.log_std)", "torch.exp(-0.5 * self.log_std)"),
        (log_prob_agrees, "+ LOG_2PI)", ")"),
        (kl_agrees, "return 0.5 * (self.mean", "return (self.mean"),
        (kl_agrees, "- 2 * self.log_std - 1", "- self.log_std - 1"),
        (kl_agrees, "- 2 * self.log_std - 1", "+ 2 * self.log_std - 1"),
        (kl_agrees, "- 2 * self.log_std - 1", "- 2 * self.log_std"),
        (kl_agrees, "other.log_std - self.log_std + 0.5", "self.log_std - other.log_std + 0.5"),
        (kl_agrees, "* torch.exp(-2 * other.log_std) - 0.5", "* torch.exp(-2 * self.log_std) - 0.5"),
        (kl_agrees, "* torch.exp(-2 * other.log_std) - 0.5", "* torch.exp(-other.log_std) - 0.5"),
        (rsample_has_the_right_moments, "self.mean + self.log_std.exp() * eps", "self.mean + self.log_std.exp() + eps"),
        (rsample_has_the_right_moments, "self.mean + self.log_std.exp() * eps", "self.mean + self.log_std * eps"),
        (
            rsample_has_the_right_moments,
            "self.mean + self.log_std.exp() * eps",
            "self.mean + (0.5 * self.log_std).exp() * eps",
        ),
        (rsample_has_the_right_moments, "self.mean + self.log_std.exp() * eps", "self.log_std.exp() * eps"),
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
        (bernoulli_agrees, "F.softplus(self.logits)", "F.softplus(-self.logits)"),
        (bernoulli_agrees, "x * self.logits - ", "(1 - x) * self.logits - "),
        (bernoulli_agrees, ".sum((-3, -2, -1))", ".mean((-3, -2, -1))"),
        (bernoulli_agrees, "F.softplus(self.logits)", "0.5 * F.softplus(self.logits)"),
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
    with pytest.raises(ValueError, match=r"z has shape \(50, 3\) and the Gaussian \(50, 4\)"):
        q.log_prob(z[:, :3])
    with pytest.raises(ValueError, match="the other Gaussian has shape"):
        q.kl(distributions.DiagGaussian(mean[:, :3], log_std[:, :3]))
    p = distributions.Bernoulli(torch.zeros(2, 1, 4, 4))
    with pytest.raises(ValueError, match=r"images of shape \(2, 16\) were given"):
        p.log_prob(torch.zeros(2, 16))
    with pytest.raises(ValueError, match=r"torch.uint8: use data.as_float first"):
        p.log_prob(torch.zeros(2, 1, 4, 4, dtype=torch.uint8))
    with pytest.raises(ValueError, match=r"pixels in \[0, 1\], and got 0 to 255"):
        p.log_prob(torch.full((2, 1, 4, 4), 255.0).triu())


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
    with pytest.raises(ValueError, match="over integers of shape"):
        distributions.Categorical(logits).log_prob(x.double())
    with pytest.raises(ValueError, match=r"pixels \(5, 2, 3\)"):
        mixture(B=5, C=2).log_prob(x[..., 0])
