"""vaelib.compare, against SciPy, closed forms and brute force."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from torch import nn

from vaelib import compare
from vaelib.classroom import checks


def energy_agrees(module):
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(40, 3, generator=generator), torch.randn(30, 3, generator=generator) * 1.5 + 0.4

    def mean(s, t):
        return float(torch.stack([(x - y).double().norm() for x in s for y in t if x is not y]).mean())

    a_items, b_items = list(a), list(b)
    brute = 2 * mean(a_items, b_items) - mean(a_items, a_items) - mean(b_items, b_items)
    found = module.energy_distance(a, b)
    checks.check("energy distance by brute force", found.value - brute, 1e-6)
    # by SciPy, with the standard error of the first-order term; far from 0, and a few distances at a time, it is the same
    d, within_a, within_b = (cdist(s.double().numpy(), t.double().numpy()) for s, t in ((a, b), (a, a), (b, b)))
    part_a = 2 * (d.mean(1) - within_a.sum(1) / 39)
    part_b = 2 * (d.mean(0) - within_b.sum(1) / 29)
    error = math.sqrt(part_a.var(ddof=1) / 40 + part_b.var(ddof=1) / 30)
    value = 2 * d.mean() - within_a.sum() / (40 * 39) - within_b.sum() / (30 * 29)
    checks.check("value and error by SciPy", [found.value - value, found.error - error], 1e-9)
    checks.check("nearest by SciPy", module.nearest_distance(a, b).numpy() - d.min(1), 1e-12)
    pieces, kept = [], module.torch.cdist
    for limit in (1, 64, 100):  # one row, two, three, at a time
        module._DISTANCES = limit
        module.torch = SimpleNamespace(
            **vars(torch) | {"cdist": lambda s, t: pieces.append(len(s) * len(t)) or kept(s, t)}
        )
        again = module.energy_distance(a, b)
        checks.check("in pieces", [again.value - value, again.error - error], 1e-9)
        checks.check("nearest in pieces", module.nearest_distance(a, b).numpy() - d.min(1), 1e-12)
        assert max(pieces) <= max(limit, 40), "more distances at once than the limit"
        pieces.clear()
    far = module.energy_distance(a.double() + 1e6, b.double() + 1e6)
    checks.check("far from 0", [far.value - value, far.error - error], 1e-7)
    assert not module.nearest_distance(a + 1e3, torch.cat((b, a)) + 1e3).any(), "a copy is not at distance 0"


def test_energy_distance(caught, plant):
    energy_agrees(plant("vaelib.compare", "2**22", "2**22"))  # a copy, whose limit may be changed
    assert compare._DISTANCES == 2**22
    for old, new in [
        ("2 * to_b.mean() -", "to_b.mean() -"),
        ("* n / (n - 1)", ""),
        ("* m / (m - 1)", ""),
        ("- within_a.mean() - within_b.mean()", "- within_a.mean() + within_b.mean()"),
        ("torch.cdist(part, b)", "torch.cdist(part, b).square()"),
        ("part_a = 2 * (to_b - within_a)", "part_a = to_b - within_a"),
        ("part_b = 2 * (to_a - within_b)", "part_b = 2 * (to_a + within_b)"),
        ("part_a.var() / n + part_b.var() / m", "part_a.var() / m + part_b.var() / n"),
        ("columns += distances.sum(0)", "columns = distances.sum(0)"),
        ("_DISTANCES // len(b)", "_DISTANCES"),
        ("fill_diagonal_(0)", "fill_diagonal_(1)"),
        ("distances[:, at : at + len(distances)]", "distances"),
        ("at += len(distances)", "at += 1"),
        ("centre = b.mean(0)", "centre = 0"),
        ("distances.argmin(1)", "distances.argmax(1)"),
        ("return (a - reference[nearest]).norm(dim=1)", "return torch.cdist(a, reference).min(1).values"),
    ]:
        caught(f"{old} -> {new}", lambda old=old, new=new: energy_agrees(plant("vaelib.compare", old, new)))


def test_the_energy_distance_is_unbiased_and_its_error_is_right():
    """1-D Gaussians, where E|X - Y| has a closed form; the spread over repeats against the stated standard error."""
    from math import erf, exp, pi, sqrt

    def expected(m, s):  # E|N(m, s^2)|
        return s * sqrt(2 / pi) * exp(-(m**2) / (2 * s**2)) + m * erf(m / (s * sqrt(2)))

    exact = 2 * expected(0.8, sqrt(1 + 4)) - expected(0, sqrt(2)) - expected(0, sqrt(8))
    generator = torch.Generator().manual_seed(0)
    runs = [
        compare.energy_distance(
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
    assert compare.nearest_distance(a, torch.tensor([[0.0, 1.0], [3.0, 0.0]])).tolist() == [1.0, 4.0]

    class Sure(nn.Module):  # labels 0 and 1 count, label 2 is "none"
        def forward(self, x):
            return torch.log(torch.stack([x[:, 0, 0, 0], torch.zeros(len(x)), 1 - x[:, 0, 0, 0]], 1))

    model = Sure()
    model.train()
    x = torch.tensor([0.1, 0.4, 0.6, 0.9]).reshape(4, 1, 1, 1)
    assert compare.recognisability(model, x, labels=2).value == 0.5
    assert compare.recognisability(model, x, labels=2, confidence=0.8).value == 0.25
    assert compare.recognisability(model, x, labels=3).value == 1.0
    assert model.training
    for attempt, sentence in [
        (
            lambda: compare.recognisability(model, x, labels=2, confidence=2),
            "confidence=2 was given: use a finite number from 0 to 1",
        ),
        (
            lambda: compare.recognisability(model, x, labels=4),
            "labels=4 was given: use at most 3, as many as the classifier knows",
        ),
        (lambda: compare.recognisability(model, x, labels=0), "labels=0"),
        (lambda: compare.recognisability(model, x[:0], labels=2), "that is not empty"),
        (lambda: compare.recognisability(model, x * math.nan, labels=2), "x has 4 values that are NaN"),
        (
            lambda: compare.recognisability(model, x - 1, labels=2),
            r"classifier\(x\).softmax\(-1\) has 12 values that are NaN",
        ),
        (lambda: compare.recognisability(print, x, labels=2), "classifier, an object of type builtin"),
        (
            lambda: compare.recognisability(nn.Identity(), x, labels=2),
            r"classifier\(x\), a float32 tensor \(4, 1, 1, 1\)",
        ),
    ]:
        with pytest.raises(ValueError, match=sentence):
            attempt()
    judge = nn.Sequential(nn.Flatten(), nn.Linear(1, 2))
    assert compare.recognisability(judge, x.double(), np.int64(2)) == compare.recognisability(judge, x, 2)
    assert str(compare.Estimate(0.12345, 0.01)) == "0.123 ± 0.010"


@pytest.mark.parametrize("distance", [compare.energy_distance, compare.nearest_distance])
def test_distances_refuse_what_has_no_common_scale(distance):
    x = torch.rand(5, 1, 2, 2, generator=torch.Generator().manual_seed(0))
    pixels = (255 * x).to(torch.uint8)
    other = "b" if distance is compare.energy_distance else "reference"
    for a, b, sentence in [
        (
            x,
            pixels,
            f"{other}, a uint8 tensor .* was given: use floats, as a are. data.as_float makes floats of 0 to 255",
        ),
        (pixels, x, f"{other}, a float32 tensor .* use integers, as a are"),
        (x, x.where(x > x.min(), torch.nan), f"{other} has 1 values that are NaN or infinite, of 20"),
        (x / 0, x, "a has 20 values that are NaN or infinite"),
        (x, x[:, :, :1], f"{other}, a float32 tensor .* use items of 4 numbers, as a's are"),
        (x, x[:0], "use a float or integer tensor"),
        (x, None, f"{other}=None"),
        (x.tolist(), x, "a=.* was given"),
        (x.numpy(), x, "a, a float32 NumPy array"),
        (x, x.to("meta"), f"{other} lies on meta, and a on cpu: move one of them"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            distance(a, b)
    if distance is compare.energy_distance:
        with pytest.raises(ValueError, match="at least 2 along the first dimension"):
            distance(x[:1], x)
        assert distance(pixels, pixels.long()).value == pytest.approx(255 * distance(pixels / 255, pixels / 255).value)
    assert torch.equal(
        compare.nearest_distance(torch.tensor([1.0, 5.0]), torch.tensor([2.0])), torch.tensor([1.0, 3.0]).double()
    )


def test_distances_of_large_sets_fit_in_memory(monkeypatch):
    """30,000 by 30,000 would be 6.7 GiB. Here cdist is counted, and its numbers are made up, so that the test is quick."""
    asked = []

    def counted(a, b):
        asked.append(len(a) * len(b))
        return torch.empty(1, 1, dtype=torch.float64).expand(len(a), len(b)).clone() if asked[-1] < 2**23 else None

    monkeypatch.setattr(torch, "cdist", counted)
    a = torch.zeros(30_000, 1)
    compare.nearest_distance(a[:2000], a)
    assert max(asked) <= 2**22
    assert sum(asked) == 2000 * 30_000
