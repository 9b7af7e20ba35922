"""vaelib.evaluate, against closed forms, quadrature and brute force."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal
from torch import nn

from vaelib import bounds, checks, evaluate
from vaelib.autoencoders import VAE
from vaelib.distributions import DiagGaussian, Gaussian


class Straight(nn.Module):
    """z ~ N(0, I) in 3 dimensions, x|z ~ N(W z + b, 0.7^2 I) of 2x3 pixels; q(z|x) = N(A x, diag s^2), near the posterior."""

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.W = nn.Parameter(torch.randn(6, 3, generator=generator, dtype=torch.float64))
        self.b = nn.Parameter(torch.randn(6, generator=generator, dtype=torch.float64))
        covariance = torch.linalg.inv(torch.eye(3) + self.W.T @ self.W / 0.49)
        self.A = (covariance @ self.W.T / 0.49).detach() * 1.1
        self.register_buffer("log_std", covariance.diagonal().sqrt().log().detach() + 0.3)
        self.decoded = []

    def encode(self, x):
        mean = (x.flatten(1) - self.b) @ self.A.T
        return DiagGaussian(mean, self.log_std.expand_as(mean))

    def decode(self, z):
        self.decoded.append(z.shape[:-1].numel())
        mean = (z @ self.W.T + self.b).reshape(*z.shape[:-1], 1, 2, 3)
        return Gaussian(mean, torch.full((), math.log(0.7), dtype=torch.float64))

    def exact(self, x):
        W, b = self.W.detach().numpy(), self.b.detach().numpy()
        return multivariate_normal(b, W @ W.T + 0.49 * np.eye(6)).logpdf(x.flatten(1).numpy())

    def draw(self, n):
        generator = torch.Generator().manual_seed(1)
        z = torch.randn(n, 3, generator=generator, dtype=torch.float64)
        return self.decode(z).sample(generator).detach()


def nll_agrees(module):
    model = Straight()
    x = model.draw(300)
    exact = model.exact(x)
    found = module.nll(model, x, 1000, torch.Generator().manual_seed(2))
    pull = (found.log_px.numpy() - exact) / found.error.numpy()
    checks.check("every image within 5 standard errors", pull, 5)
    checks.check("pulls have standard deviation 1", pull.std() - 1, 0.15)
    checks.check("and mean 0", pull.mean(), 0.25)
    checks.check("log p(x), nats", (found.log_px.numpy() - exact).mean(), 0.01)
    # rate and distortion: closed forms of Gaussians
    mean = (x.flatten(1) - model.b) @ model.A.T
    var = torch.exp(2 * model.log_std)
    kl = 0.5 * (mean**2 + var - var.log() - 1).sum(1).detach()
    miss = ((x.flatten(1) - mean @ model.W.T - model.b) ** 2).sum(1) + (var * (model.W**2).sum(0)).sum()
    log_px_z = -(miss / (2 * 0.49) + 3 * math.log(2 * math.pi * 0.49)).detach()
    checks.check("the rate is the KL", found.terms.kl - kl, 1e-9)
    checks.check("the distortion", (found.terms.log_px - log_px_z).mean(), 0.02)
    checks.check("-ELBO is their sum", found.neg_elbo.value - float((kl - log_px_z).mean()), 0.02)
    checks.check("distortion is positive here", found.distortion.value + float(log_px_z.mean()), 0.02)
    checks.check("means", found.nll.value + float(found.log_px.mean()) + found.rate.value - float(kl.mean()), 1e-9)
    checks.check("error over images", found.nll.error - float(np.std(found.log_px.numpy(), ddof=1)) / 300**0.5, 1e-9)
    checks.check("draw error", found.draw_error - float(np.sqrt((found.error.numpy() ** 2).sum())) / 300, 1e-12)


def test_nll_on_a_model_with_exact_log_p_of_x():
    nll_agrees(evaluate)


def small_sums_agree(module):
    """Every field at K = 2 and K = 130 (three pieces), from the log-weights themselves."""
    model = Straight()
    x = model.draw(5)
    for samples in (2, 130):
        found = module.nll(model, x, samples, torch.Generator().manual_seed(3))
        generator = torch.Generator().manual_seed(3)
        pieces = [min(64, samples - start) for start in range(0, samples, 64)]
        with torch.no_grad():
            w = np.concatenate([np.exp(bounds.log_weights(model, x, k, generator)[0].numpy()) for k in pieces])
        checks.check("mean weight", found.log_px.numpy() - np.log(w.mean(0)), 1e-9)
        error = w.std(0, ddof=1) / math.sqrt(samples) / w.mean(0)
        checks.check("standard error of its logarithm", found.error.numpy() - error, 1e-9)
        checks.check("effective draws", found.effective.numpy() - w.sum(0) ** 2 / (w**2).sum(0), 1e-6)


def test_nll_sums_as_by_hand():
    small_sums_agree(evaluate)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("first - math.log(samples), spread", "first, spread"),
        ("total += log_px.sum(0)", "total += log_w.sum(0)"),
        ("total / samples", "total / draws"),
        ("(2 * log_w).logsumexp(0)", "log_w.logsumexp(0)"),
        ("torch.exp(2 * first - second)", "torch.exp(first - second)"),
        ("spread.sqrt()", "spread"),
        ("first = torch.logaddexp(first, log_w.logsumexp(0))", "first = log_w.logsumexp(0)"),
        ("first = torch.logaddexp(first, log_w.logsumexp(0))", "first = torch.logaddexp(first, log_w.mean(0))"),
        ("-self.terms.log_px", "self.terms.log_px"),
        ("_mean(-self.log_px)", "_mean(self.log_px)"),
        ("values.std() / math.sqrt(len(values))", "values.std()"),
        (".square().sum().sqrt()) / len(self.error)", ".mean())"),
        ("_mean(-self.terms.elbo)", "_mean(-self.terms.log_px - self.terms.kl)"),
    ],
)
def test_planted_errors_in_nll(caught, plant, old, new):
    caught(f"{old} -> {new}", lambda: nll_agrees(plant("vaelib.evaluate", old, new)))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("* samples / (samples - 1) if", "if"),
        ("(1 / effective - 1 / samples)", "(1 / effective)"),
        ("min(draws, samples - start)", "draws"),
    ],
)
def test_planted_errors_in_small_sums(caught, plant, old, new):
    caught(f"{old} -> {new}", lambda: small_sums_agree(plant("vaelib.evaluate", old, new)))


def test_nll_of_a_bernoulli_vae_against_quadrature():
    torch.manual_seed(0)
    vae = VAE((1, 4, 4), latent=1, hidden=(16,)).double()
    with torch.no_grad():
        vae.decoder[0].weight.mul_(4)  # so that z matters
    x = (torch.rand(20, 1, 4, 4, generator=torch.Generator().manual_seed(1)) < 0.4).double()
    grid = torch.linspace(-8, 8, 4001, dtype=torch.float64)
    with torch.no_grad():
        joint = vae.decode(grid[:, None, None]).log_prob(x) - grid[:, None] ** 2 / 2 - 0.5 * math.log(2 * math.pi)
    exact = joint.logsumexp(0) + math.log(float(grid[1] - grid[0]))
    found = evaluate.nll(vae, x, 4000, torch.Generator().manual_seed(2))
    checks.check("log p(x) by quadrature, in standard errors", (found.log_px - exact) / found.error, 4.5)
    wrong = evaluate.nll(vae, x, 1, torch.Generator().manual_seed(2))
    assert float((exact - wrong.log_px).mean()) > 10 * found.draw_error  # one draw would not do
    assert math.isnan(float(wrong.error[0]))


def test_memory_does_not_grow_with_draws_or_images():
    model = Straight()
    x = model.draw(3000)
    for n, samples in ((3000, 1), (40, 5000), (3000, 70)):
        model.decoded.clear()
        evaluate.nll(model, x[:n], samples, torch.Generator().manual_seed(0))
        assert max(model.decoded) <= 1024
        assert sum(model.decoded) == n * samples + 1  # one to see what kind of decoder it is


def test_a_gpu_decodes_what_an_eighth_of_its_free_memory_holds(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (8 * 4 * 784 * 5000, 10**12))
    assert evaluate._latents_at_once(torch.device("cuda"), 784) == 5000
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (0, 10**12))
    assert evaluate._latents_at_once(torch.device("cuda"), 784) == 1
    assert evaluate._latents_at_once(torch.device("cpu"), 784) == 1024


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_nll_on_a_gpu():
    torch.manual_seed(0)
    vae = VAE((1, 4, 4), latent=2, hidden=(8,)).cuda()
    x = (torch.rand(50, 1, 4, 4) < 0.5).float()
    there = evaluate.nll(vae, x, 500, torch.Generator("cuda").manual_seed(0))
    here = evaluate.nll(vae.cpu(), x, 500, torch.Generator().manual_seed(0))
    checks.check("GPU and CPU agree", (there.log_px - here.log_px) / torch.hypot(there.error, here.error), 5)


def test_the_same_generator_gives_the_same_numbers_and_the_mode_is_restored():
    vae = VAE((1, 4, 4), latent=2, hidden=(8,)).train()
    x = torch.rand(6, 1, 4, 4)
    a, b = (evaluate.nll(vae, x, 10, torch.Generator().manual_seed(4), binarize=True) for _ in range(2))
    assert torch.equal(a.log_px, b.log_px)
    assert vae.training
    assert not a.log_px.requires_grad


def test_nll_refuses():
    vae = VAE((1, 4, 4), latent=2, hidden=(8,))
    grey = torch.full((3, 1, 4, 4), 0.4)
    with pytest.raises(ValueError, match="samples=0"):
        evaluate.nll(vae, grey.round(), 0)
    with pytest.raises(ValueError, match="at least one"):
        evaluate.nll(vae, grey[:0], 5)
    with pytest.raises(ValueError, match=r"grey pixels \(0.4, for one\).*binarize=True"):
        evaluate.nll(vae, grey, 5)
    assert torch.isfinite(evaluate.nll(vae, grey, 5, binarize=True).log_px).all()
    evaluate.nll(VAE((1, 4, 4), latent=2, hidden=(8,), likelihood="gaussian"), grey, 5)  # grey is what it is for
    with torch.no_grad():
        vae.decoder[0].bias[0] = math.nan
    with pytest.raises(FloatingPointError, match=r"weights of decoder\.0\.bias are not finite"):
        evaluate.nll(vae, grey.round(), 5)


def test_bits_per_dim():
    # a fair coin for each pixel costs one bit a pixel
    assert evaluate.bits_per_dim(784 * math.log(2), (1, 28, 28)) == pytest.approx(1)
    # uniform on 0..255, as a density on [0, 1]: 0 nats, and 8 bits for the scale
    assert evaluate.bits_per_dim(0.0, (3, 32, 32), levels=256) == pytest.approx(8)
    assert evaluate.bits_per_dim(torch.tensor([0.0, 3 * math.log(2)]), (3, 1, 1)).tolist() == pytest.approx([0, 1])
    with pytest.raises(ValueError, match="at least 1 and 2 levels"):
        evaluate.bits_per_dim(1.0, (1, 0, 28))


def test_active_units():
    class Half(nn.Module):  # means: x's first pixel, a hundredth of it, a constant
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.tensor([1.0, 0.01, 0.0]))

        def encode(self, x):
            mean = x[:, 0, 0, :1] * self.weight + 3
            return DiagGaussian(mean, torch.zeros_like(mean))

    x = torch.randn(5000, 1, 2, 2, generator=torch.Generator().manual_seed(0))
    activity = evaluate.unit_activity(Half(), x)
    by_hand = x[:, 0, 0, 0].double().var()
    assert torch.allclose(activity, by_hand * torch.tensor([1, 1e-4, 0], dtype=torch.float64), rtol=1e-3)
    assert evaluate.active_units(Half(), x) == 1
    assert evaluate.active_units(Half(), x, threshold=1e-5) == 2
    with pytest.raises(ValueError, match="1 image"):
        evaluate.unit_activity(Half(), x[:1])


def test_code_usage():
    codes = torch.tensor([[0, 2, 2], [2, 0, 4]])
    assert evaluate.code_usage(codes, 6).tolist() == pytest.approx([2 / 6, 0, 3 / 6, 0, 1 / 6, 0])
    for wrong, words in ((codes.float(), "integer"), (codes[:0], "0 codes"), (codes - 1, "from -1 to 3")):
        with pytest.raises(ValueError, match=words):
            evaluate.code_usage(wrong, 6)
    with pytest.raises(ValueError, match="codebook of 4"):
        evaluate.code_usage(codes, 4)


# ---- samples


def energy_agrees(module):
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(40, 3, generator=generator), torch.randn(30, 3, generator=generator) * 1.5 + 0.4

    def mean(s, t):
        return float(torch.stack([(x - y).double().norm() for x in s for y in t if x is not y]).mean())

    a_items, b_items = list(a), list(b)
    brute = 2 * mean(a_items, b_items) - mean(a_items, a_items) - mean(b_items, b_items)
    checks.check("energy distance by brute force", module.energy_distance(a, b).value - brute, 1e-6)


def test_energy_distance(caught, plant):
    energy_agrees(evaluate)
    for old, new in [
        ("2 * between.mean() -", "between.mean() -"),
        ("/ (n - 1)", "/ n"),
        ("- within_a.mean() - within_b.mean()", "- within_a.mean() + within_b.mean()"),
        ("torch.cdist(a, b)", "torch.cdist(a, b).square()"),
    ]:
        caught(f"{old} -> {new}", lambda old=old, new=new: energy_agrees(plant("vaelib.evaluate", old, new)))


def test_the_energy_distance_is_unbiased_and_its_error_is_right():
    """1-D Gaussians, where E|X - Y| has a closed form; the spread over repeats against the stated standard error."""
    from math import erf, exp, pi, sqrt

    def expected(m, s):  # E|N(m, s^2)|
        return s * sqrt(2 / pi) * exp(-(m**2) / (2 * s**2)) + m * erf(m / (s * sqrt(2)))

    exact = 2 * expected(0.8, sqrt(1 + 4)) - expected(0, sqrt(2)) - expected(0, sqrt(8))
    generator = torch.Generator().manual_seed(0)
    runs = [
        evaluate.energy_distance(
            torch.randn(60, 1, generator=generator), 2 * torch.randn(60, 1, generator=generator) + 0.8
        )
        for _ in range(2000)
    ]
    values = torch.tensor([run.value for run in runs])
    checks.check_mean("unbiased", values, exact, slip=exact + (expected(0, sqrt(2)) + expected(0, sqrt(8))) / 60)
    stated = sum(run.error for run in runs) / len(runs)
    checks.check("stated error over true spread", stated / float(values.std()) - 1, 0.12)


def test_nearest_and_recognised():
    a = torch.tensor([[0.0, 0.0], [3.0, 4.0]])
    assert evaluate.nearest_distance(a, torch.tensor([[0.0, 1.0], [3.0, 0.0]])).tolist() == [1.0, 4.0]

    class Sure(nn.Module):  # labels 0 and 1 count, label 2 is "none"
        def forward(self, x):
            return torch.log(torch.stack([x[:, 0, 0, 0], torch.zeros(len(x)), 1 - x[:, 0, 0, 0]], 1))

    model = Sure()
    model.train()
    x = torch.tensor([0.1, 0.4, 0.6, 0.9]).reshape(4, 1, 1, 1)
    assert evaluate.recognisability(model, x, labels=2).value == 0.5
    assert evaluate.recognisability(model, x, labels=2, confidence=0.8).value == 0.25
    assert evaluate.recognisability(model, x, labels=3).value == 1.0
    assert model.training
    with pytest.raises(ValueError, match="confidence=2"):
        evaluate.recognisability(model, x, labels=2, confidence=2)
    with pytest.raises(ValueError, match="items must be of one size"):
        evaluate.energy_distance(torch.zeros(5, 2), torch.zeros(5, 3))
    with pytest.raises(ValueError, match="at least 2 in each"):
        evaluate.energy_distance(torch.zeros(1, 2), torch.zeros(5, 2))
    assert str(evaluate.Estimate(0.12345, 0.01)) == "0.123 ± 0.010"
