"""The importance-weighted bound, on a model whose log p(x) and ELBO have closed forms. bounds.elbo is tested in test_autoencoders.py."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from vaelib import bounds
from vaelib.autoencoders import AE
from vaelib.classroom.checks import check_mean
from vaelib.distributions import DiagGaussian, Gaussian

N = 40_000


class Straight(torch.nn.Module):
    """z ~ N(0, 1), x|z ~ N(1.5 z - 0.4, 0.6^2); q(z|x) = N(0.4 x, 0.8^2)."""

    def encode(self, x):
        return DiagGaussian(0.4 * x.flatten(1), torch.full_like(x.flatten(1), math.log(0.8)))

    def decode(self, z):
        mean = 1.5 * z[..., None, None] - 0.4
        return Gaussian(mean, torch.full_like(mean, math.log(0.6)))


def check_iw_bound(module):
    model, value = Straight(), 1.1
    x = torch.full((N, 1, 1, 1), value, dtype=torch.float64)
    normal = lambda v, m, s: -0.5 * ((v - m) / s) ** 2 - math.log(s) - 0.5 * math.log(2 * math.pi)  # noqa: E731
    log_px = normal(value, -0.4, math.hypot(1.5, 0.6))
    recon = -((value - 1.5 * 0.4 * value + 0.4) ** 2 + 1.5**2 * 0.8**2) / (2 * 0.36) - 0.5 * math.log(
        2 * math.pi * 0.36
    )
    elbo = recon - 0.5 * ((0.4 * value) ** 2 + 0.64 - math.log(0.64) - 1)
    one = module.iw_bound(model, x, 1, torch.Generator().manual_seed(0))
    assert one.shape == (N,)
    check_mean("L_1 is the ELBO", one, elbo, slip=log_px)
    # E[p(x, z)/q(z)] = p(x): the mean weight is unbiased at every K
    for K in (1, 7):
        weights = torch.exp(module.iw_bound(model, x, K, torch.Generator().manual_seed(K)))
        check_mean(f"the mean weight at K = {K}", weights, math.exp(log_px), slip=math.exp(elbo))
    many = module.iw_bound(model, x[:200], 2000, torch.Generator().manual_seed(2))
    assert abs(float(many.mean()) - log_px) < 0.01


def test_the_importance_weighted_bound():
    check_iw_bound(bounds)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("- math.log(samples)", ""),
        ("- math.log(samples)", "+ math.log(samples)"),
        ("+ _prior(q).log_prob(z) - log_q, log_px", "- log_q, log_px"),
        ("+ _prior(q).log_prob(z) - log_q, log_px", "+ _prior(q).log_prob(z), log_px"),
        ("+ _prior(q).log_prob(z) - log_q, log_px", "- _prior(q).log_prob(z) + log_q, log_px"),
        ("torch.logsumexp(log_weight, 0) - math.log(samples)", "log_weight.mean(0)"),
        ("torch.logsumexp(log_weight, 0) - math.log(samples)", "log_weight.amax(0)"),
    ],
)
def test_planted_errors_in_the_bound(old, new, plant, caught):
    caught(f"iw_bound: {old} -> {new}", lambda: check_iw_bound(plant("vaelib.bounds", old, new)))


def test_the_bound_needs_a_draw():
    for bound in (bounds.iw_bound, bounds.iw_surrogate, bounds.log_weights):
        with pytest.raises(ValueError, match="samples=0 was given: use a whole number, at least 1"):
            bound(Straight(), torch.zeros(2, 1, 1, 1), 0)
        with pytest.raises(ValueError, match=r"samples=2\.5"):
            bound(Straight(), torch.zeros(2, 1, 1, 1), 2.5)
    assert bounds.iw_bound(Straight(), torch.zeros(2, 1, 1, 1), np.int64(3)).shape == (2,)


def test_what_is_no_model_or_no_image_is_refused():
    class Odd(Straight):
        def __init__(self, log_prob):
            super().__init__()
            self.log_prob = log_prob

        def decode(self, z):
            return SimpleNamespace(log_prob=lambda x: self.log_prob(Straight.decode(self, z), x))

    x = torch.zeros(4, 1, 1, 1)
    for bound in (
        bounds.elbo,
        lambda *a: bounds.iw_bound(a[0], a[1], 3, *a[2:]),
        lambda *a: bounds.iw_surrogate(*a[:2], 3, *a[2:]),
    ):
        for attempt, sentence in [
            (lambda bound=bound: bound(None, x), "model=None was given: use an object with encode and decode"),
            (lambda bound=bound: bound(torch.nn.DataParallel(Straight()), x), "model, an object of type DataParallel"),
            (
                lambda bound=bound: bound(AE((1, 1, 1), 2), x),
                r"model.encode\(x\), a float32 tensor .* use a DiagGaussian",
            ),
            (lambda bound=bound: bound(Straight(), None), "x=None was given: use a float tensor"),
            (lambda bound=bound: bound(Straight(), x.to(torch.uint8)), "data.as_float makes floats of 0 to 255"),
            (lambda bound=bound: bound(Straight(), x, 3), "generator=3 was given"),
            (
                lambda bound=bound: bound(SimpleNamespace(encode=Straight().encode, decode=lambda z: z), x),
                r"model.decode\(z\), a float32 tensor .* use an object with log_prob",
            ),
            # one number for all images, one for each pixel: both would broadcast
            (
                lambda bound=bound: bound(Odd(lambda p, x: p.log_prob(x).sum()), x),
                r"log_prob\(x\), a float32 tensor \(\)",
            ),
            (
                lambda bound=bound: bound(Odd(lambda p, x: torch.distributions.Normal(p.mean, 1.0).log_prob(x)), x),
                r"log_prob\(x\), a float32 tensor .*4, 1, 1, 1\), was given: use a float tensor",
            ),
        ]:
            with pytest.raises(ValueError, match=sentence):
                attempt()
    with pytest.raises(ValueError, match="q=3 was given: use a DiagGaussian"):
        bounds.log_weights(Straight(), x, 3, q=3)
    with pytest.raises(ValueError, match="mean=None was given"):
        bounds.log_weights(Straight(), x, 3, q=DiagGaussian(None, x))
    with pytest.raises(ValueError, match=r"kl, a float32 tensor \(4, 1, 1, 1\)"):
        _ = bounds.ElboTerms(x[:, 0, 0, 0], x).elbo


def test_the_same_seed_gives_the_same_bound_and_another_another():
    x = torch.ones(5, 1, 1, 1)
    for bound in (
        lambda generator: bounds.elbo(Straight(), x, generator).elbo,
        lambda generator: bounds.iw_bound(Straight(), x, 3, generator),
        lambda generator: bounds.iw_surrogate(Straight(), x, 3, generator),
        lambda generator: bounds.log_weights(Straight(), x, 3, generator)[0],
    ):
        one, same, other = (bound(torch.Generator().manual_seed(seed)) for seed in (3, 3, 4))
        assert torch.equal(one, same)
        assert not torch.equal(one, other)


def test_no_image_gives_no_number():
    x = torch.zeros(0, 1, 1, 1)
    assert bounds.elbo(Straight(), x).elbo.shape == bounds.iw_bound(Straight(), x, 3).shape == (0,)


def test_draws_of_a_gaussian_whose_parts_broadcast():
    """One spread for all images: the same draws as with the spread written out."""
    x = torch.ones(5, 1, 1, 1)
    mean, log_std = torch.linspace(-1, 1, 5)[:, None], torch.tensor([0.3])
    for parts in ((mean, log_std), (log_std, mean)):
        spread = DiagGaussian(*(part.expand(5, 1).contiguous() for part in parts))
        ours, theirs = (
            bounds.log_weights(Straight(), x, 3, torch.Generator().manual_seed(0), q)[0]
            for q in (DiagGaussian(*parts), spread)
        )
        assert torch.equal(ours, theirs)


# ---- the doubly reparameterized gradient


class Leaves(torch.nn.Module):
    """Straight, with a parameter of its own for each of N equal examples, so that one backward pass gives N gradient estimates."""

    def __init__(self):
        super().__init__()
        values = dict(mean=0.2, log_std=math.log(0.5), w=1.5)
        self.leaves = {k: torch.full((N, 1), v, dtype=torch.float64, requires_grad=True) for k, v in values.items()}

    def encode(self, x):
        return DiagGaussian(self.leaves["mean"], self.leaves["log_std"])

    def decode(self, z):
        mean = (self.leaves["w"] * z)[..., None, None] - 0.4
        return Gaussian(mean, torch.full_like(mean, math.log(0.6)))


def gradients(bound, K, seed):
    model = Leaves()
    x = torch.full((N, 1, 1, 1), 1.1, dtype=torch.float64)
    value = bound(model, x, K, torch.Generator().manual_seed(seed))
    return dict(zip(model.leaves, torch.autograd.grad(value.sum(), list(model.leaves.values())), strict=True))


def check_surrogate(module):
    """Against iw_bound's own gradients at K = 5, and against closed forms of the ELBO's at K = 1."""
    for name, plain in gradients(bounds.iw_bound, 5, seed=1).items():
        ours = gradients(module.iw_surrogate, 5, seed=2)[name]
        error = float(plain.std()) / N**0.5
        check_mean(f"gradient of L_5 in {name}", ours, float(plain.mean()), exact_error=error)
        if name != "w":
            assert float(plain.var() / ours.var()) > 2, name
    m, s, w, x = 0.2, 0.5, 1.5, 1.1
    exact = {"mean": w * (x - w * m + 0.4) / 0.36 - m, "log_std": 1 - s**2 - w**2 * s**2 / 0.36}
    for name, value in exact.items():
        check_mean(f"gradient of the ELBO in {name}", gradients(module.iw_surrogate, 1, seed=3)[name], value)


def test_the_surrogate_has_the_bounds_gradient_with_less_variance():
    check_surrogate(bounds)
    with torch.no_grad():  # nothing to weigh without a graph
        assert bounds.iw_surrogate(Straight(), torch.ones(3, 1, 1, 1, dtype=torch.float64), 4).shape == (3,)
    with pytest.raises(ValueError, match="samples=0"):
        bounds.iw_surrogate(Straight(), torch.ones(3, 1, 1, 1, dtype=torch.float64), 0)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("(share[..., None] * gradient)", "gradient"),
        ("(share[..., None] * gradient)", "(share[..., None] ** 2 * gradient)"),
        ("(share[..., None] * gradient)", "-(share[..., None] * gradient)"),
        ("held.log_prob(z), (samples", "q.log_prob(z), (samples"),
        ("+ _prior(q).log_prob(z) - log_q\n", "+ _prior(q).log_prob(z)\n"),
        ("+ _prior(q).log_prob(z) - log_q\n", "- log_q\n"),
        ("torch.softmax(log_weight.detach(), 0)", "torch.softmax(log_weight.detach(), 1)"),
        ("(share * log_weight).sum(0)", "log_weight.mean(0)"),
    ],
)
def test_planted_errors_in_the_surrogate(caught, plant, old, new):
    caught(f"{old} -> {new}", lambda: check_surrogate(plant("vaelib.bounds", old, new)))
