"""vaelib.evaluate, against closed forms, quadrature and brute force."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal
from torch import nn

from vaelib import bounds, compare, evaluate
from vaelib.autoencoders import AE, VAE
from vaelib.classroom import checks
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


def test_nll_of_a_model_in_float32_is_in_float64():
    """Sums over thousands of draws and images keep their digits."""
    found = evaluate.nll(VAE((1, 4, 4), latent=2, hidden=(8,)), torch.ones(3, 1, 4, 4), 2)
    fields = (found.log_px, found.error, found.effective, *found.terms)
    assert {value.dtype for value in fields} == {torch.float64}


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
        ("ElboTerms).log_px, -1)", "ElboTerms).log_px)"),
        ('_mean("log_px", self.log_px, -1)', '_mean("log_px", self.log_px)'),
        ("mean_of(sign * given", "mean_of(given"),
        (".square().sum().sqrt()) / len(error)", ".mean())"),
        ("ElboTerms).elbo, -1)", "ElboTerms).log_px, -1)"),
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
    vae = VAE((1, 4, 4), latent=2, hidden=(8,)).train()
    grey = torch.full((3, 1, 4, 4), 0.4)
    ink = grey.round()
    for attempt, sentence in [
        (lambda: evaluate.nll(vae, ink, 0), "samples=0 was given: use a whole number, at least 1"),
        (lambda: evaluate.nll(vae, ink[:0], 5), r"x, a float32 tensor \(0, 1, 4, 4\), .* that is not empty"),
        (lambda: evaluate.nll(vae, grey, 5), r"grey pixels \(0.4, for one\).*binarize=True"),
        (lambda: evaluate.nll(vae, 255 * grey, 5, binarize=True), r"values from 102 to 102: use pixels in \[0, 1\]"),
        (lambda: evaluate.nll(vae, ink.to(torch.uint8), 5), "data.as_float makes floats of 0 to 255"),
        (lambda: evaluate.nll(vae, ink / 0, 5), "x has 48 values that are NaN or infinite, of 48"),
        (lambda: evaluate.nll(vae, ink.numpy(), 5), "x, a float32 NumPy array"),
        (lambda: evaluate.nll(None, ink, 5), "model=None was given: use a torch.nn.Module with encode and decode"),
        (lambda: evaluate.nll(nn.Linear(2, 2), ink, 5), "model, an object of type Linear"),
        (
            lambda: evaluate.nll(AE((1, 4, 4), 2, (8,)), ink, 5),
            r"model.encode\(x\), a float32 tensor .* use a DiagGaussian",
        ),
        (lambda: evaluate.nll(vae, ink, 5, 3), "generator=3 was given"),
        (lambda: evaluate.nll(vae, ink, 5, binarize="no"), "binarize='no' was given: use True or False"),
        (lambda: evaluate.nll(vae, ink, 5, progress=None), "progress=None"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            attempt()
        assert vae.training
    assert torch.isfinite(evaluate.nll(vae, grey, np.int64(5), binarize=True).log_px).all()
    evaluate.nll(VAE((1, 4, 4), latent=2, hidden=(8,), likelihood="gaussian"), grey, 5)  # grey is what it is for
    sure = VAE((1, 4, 4), latent=2, hidden=(8,), likelihood="gaussian")
    with torch.no_grad():
        sure.decoder[2].bias[16:] = -200  # a standard deviation that is 0 in float32
    with pytest.raises(FloatingPointError, match=r"log p\(x\) = -inf, with finite weights: look at x"):
        evaluate.nll(sure, grey, 5)


def test_weights_that_are_not_finite_are_judged_by_nobody():
    """NaN compares as false with everything: no unit would be active, no image recognised, and neither would be said."""
    ink = torch.ones(3, 1, 4, 4)
    for bad in (math.nan, math.inf):
        vae = VAE((1, 4, 4), latent=2, hidden=(8,))
        judge = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(16), nn.Linear(16, 3))
        with torch.no_grad():
            vae.encoder[1][0].bias[0] = bad
        judge[1].running_mean[0] = bad  # a buffer
        for attempt, place in [
            (lambda vae=vae: evaluate.nll(vae, ink, 5), r"the model .* encoder\.1\.0\.bias"),
            (lambda vae=vae: evaluate.unit_activity(vae, ink), r"the model .* encoder\.1\.0\.bias"),
            (lambda vae=vae: evaluate.active_units(vae, ink), r"the model .* encoder\.1\.0\.bias"),
            (lambda judge=judge: compare.recognisability(judge, ink, 2), r"the classifier .* 1\.running_mean"),
        ]:
            with pytest.raises(
                ValueError, match=f"{place}.*train it again".replace("the model", "the model has weights")
            ):
                attempt()


class Forgetful(nn.Module):
    """A module before which pixels are dropped, while training."""

    def __init__(self, model):
        super().__init__()
        self.drop, self.model = nn.Dropout(0.5), model

    def encode(self, x):
        return self.model.encode(self.drop(x))

    def decode(self, z):
        return self.model.decode(self.drop(z))

    def forward(self, x):
        return self.model(self.drop(x))


def test_a_model_is_judged_in_eval_mode_and_given_back():
    """With dropout, each number is that of the same model in eval mode, bit by bit."""
    torch.manual_seed(0)
    vae = Forgetful(VAE((1, 4, 4), latent=2, hidden=(8,)))
    judge = Forgetful(nn.Sequential(nn.Flatten(), nn.Linear(16, 3)))
    x = torch.rand(40, 1, 4, 4).round()
    for model, number in [
        (vae, lambda: evaluate.nll(vae, x, 10, torch.Generator().manual_seed(4)).log_px),
        (vae, lambda: evaluate.unit_activity(vae, x)),
        (judge, lambda: torch.tensor(compare.recognisability(judge, x, 2, confidence=0.4))),
    ]:
        model.train()
        model.model.eval()  # a part is frozen
        found = number()
        assert [part.training for part in (model, model.drop, model.model)] == [True, True, False]
        model.eval()
        assert torch.equal(found, number())
        assert not model.training


def test_the_same_seed_gives_the_same_nll_and_another_another():
    torch.manual_seed(0)
    vae, x = VAE((1, 4, 4), latent=2, hidden=(8,)), torch.rand(6, 1, 4, 4)
    for options in (dict(binarize=True), dict(binarize=False)):
        at = x if options["binarize"] else x.round()
        one, same, other = (
            evaluate.nll(vae, at, 10, torch.Generator().manual_seed(seed), **options).log_px for seed in (3, 3, 4)
        )
        assert torch.equal(one, same)
        assert not torch.equal(one, other)


def test_means_of_what_is_none():
    empty = evaluate.Likelihood(torch.zeros(0), torch.zeros(0), torch.zeros(0), None)
    for number, sentence in [
        (lambda: empty.nll, "log_px, a float32 tensor"),
        (lambda: empty.draw_error, "error, a float32 tensor"),
        (lambda: empty.rate, "terms=None was given: use an ElboTerms"),
        (lambda: empty.distortion, "terms=None"),
        (lambda: empty.neg_elbo, "terms=None"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            number()


def test_bits_per_dim():
    # a fair coin for each pixel costs one bit a pixel
    assert evaluate.bits_per_dim(784 * math.log(2), (1, 28, 28)) == pytest.approx(1)
    # uniform on 0..255, as a density on [0, 1]: 0 nats, and 8 bits for the scale
    assert evaluate.bits_per_dim(0.0, (3, 32, 32), levels=256) == pytest.approx(8)
    assert evaluate.bits_per_dim(torch.tensor([0.0, 3 * math.log(2)]), (3, 1, 1)).tolist() == pytest.approx([0, 1])
    assert type(evaluate.bits_per_dim(np.float64(3.0), np.array([1, 2, 2]))) is float
    for wrong, sentence in [
        ((1.0, (1, 0, 28)), r"shape=\(1, 0, 28\) was given: use whole numbers, each at least 1"),
        ((1.0, ()), "sizes"),
        ((1.0, 784), "shape=784"),
        ((1.0, (1, 2, 2), 1), "levels=1 was given: use a whole number, at least 2"),
        ((None, (1, 2, 2)), "nats=None was given: use a finite number"),
        ((math.nan, (1, 2, 2)), "nats=nan"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            evaluate.bits_per_dim(*wrong)


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
    for attempt, sentence in [
        (lambda: evaluate.unit_activity(Half(), x[:1]), "with at least 2 along the first dimension"),
        (lambda: evaluate.unit_activity(None, x), "model=None was given: use a torch.nn.Module with encode"),
        (lambda: evaluate.unit_activity(AE((1, 2, 2), 2, ()), x), "use a DiagGaussian"),
        (lambda: evaluate.active_units(Half(), x * math.nan), "x has 20000 values that are NaN"),
        (lambda: evaluate.active_units(Half(), x, threshold=-1), "threshold=-1 was given"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            attempt()
