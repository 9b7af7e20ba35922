"""vaelib.compare, against SciPy, closed forms and brute force."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.signal
import scipy.special
import scipy.stats
import torch
from scipy.spatial.distance import cdist
from torch import nn

from vaelib import compare
from vaelib.classroom import checks


def means_agree(module):
    values = torch.randn(7, generator=torch.Generator().manual_seed(0)).requires_grad_()
    found, plain = module.mean_of(values), values.detach().double().numpy()
    checks.check(
        "the mean and its error by NumPy and SciPy",
        [found.value - plain.mean(), found.error - scipy.stats.sem(plain)],
        1e-12,
    )
    many = torch.full((300_000,), 0.1)
    checks.check("no digits lost over many", module.mean_of(many).value - float(many[0]), 1e-12)
    one = module.mean_of(torch.tensor([0.5]))
    assert one.value == 0.5
    assert math.isnan(one.error), "a single number has no spread"


def apart_agrees(module):
    a, b = module.Estimate(1.0, 0.3), module.Estimate(0.0, 0.4)
    checks.check(
        "1 ± 0.3 and 0 ± 0.4 are two standard errors apart", [module.apart(a, b) - 2, module.apart(b, a) + 2], 1e-12
    )
    exact = module.Estimate(2.0, 0.0)
    checks.check("one error is 0", module.apart(exact, module.Estimate(0, 0.5)) - 4, 1e-12)
    assert [module.apart(exact, exact), module.apart(exact, module.Estimate(1, 0))] == [0.0, math.inf]
    assert module.apart(module.Estimate(1, 0), exact) == -math.inf


@pytest.mark.parametrize(
    ("agrees", "old", "new"),
    [
        (means_agree, ".double()", ""),
        (means_agree, "values.std()) / math.sqrt(len(values))", "values.std())"),
        (means_agree, "values.std()) / math.sqrt(len(values))", "values.std()) / len(values)"),
        (means_agree, "values.std()) / math.sqrt", "values.var()) / math.sqrt"),
        (means_agree, "values.std()) / math.sqrt", "values.std(correction=0)) / math.sqrt"),
        (means_agree, "if len(values) > 1 else math.nan", "if len(values) > 1 else 0.0"),
        (means_agree, "Estimate(float(values.mean())", "Estimate(float(values.median())"),
        (apart_agrees, "math.hypot(a.error, b.error)", "a.error + b.error"),
        (apart_agrees, "math.hypot(a.error, b.error)", "math.sqrt(a.error + b.error)"),
        (apart_agrees, "math.hypot(a.error, b.error)", "max(a.error, b.error)"),
        (apart_agrees, "math.hypot(a.error, b.error)", "a.error"),
        (apart_agrees, "a.value - b.value", "b.value - a.value"),
        (apart_agrees, "a.value - b.value", "abs(a.value - b.value)"),
        (apart_agrees, "if error else math", "if a.error else math"),
        (apart_agrees, "if difference else 0.0", "if difference else math.inf"),
        (apart_agrees, "math.copysign(math.inf, difference)", "math.inf"),
    ],
)
def test_means_and_how_far_they_lie_apart(agrees, old, new, caught, plant):
    agrees(compare)
    caught(f"{old} -> {new}", lambda: agrees(plant("vaelib.compare", old, new)))


def test_the_error_of_a_mean_and_of_a_difference_is_the_spread_over_repeats():
    """By drawing the whole experiment anew: pulls are standard normal, up to the t distribution's wider tails."""
    generator = torch.Generator().manual_seed(0)
    pulls = []
    for _ in range(2000):
        a = compare.mean_of(3 + 2 * torch.randn(40, generator=generator))
        b = compare.mean_of(1 + 0.5 * torch.randn(60, generator=generator))
        pulls.append(compare.apart(a, b._replace(value=b.value + 2)))
    checks.check_mean("mean", pulls, 0.0, slip=1.0)
    checks.check("spread", np.std(pulls) - 1, 0.08)


def test_what_is_no_estimate_is_refused():
    one = compare.Estimate(1.0, 0.5)
    for a, b, sentence in [
        (one, compare.mean_of(torch.ones(1)), "b.error=nan was given: use a finite number, at least 0"),
        (one._replace(error=-0.5), one, "a.error=-0.5 was given"),
        (one._replace(value=math.inf), one, "a.value=inf was given: use a finite number"),
        (one, (1.0, 0.5), r"b=\(1.0, 0.5\) was given: use an Estimate"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            compare.apart(a, b)
    with pytest.raises(ValueError, match=r"use a float tensor .* that is not empty"):
        compare.mean_of(torch.zeros(0))
    assert [str(one), f"{one}", f"{one:.1f}", f"{one:5.2f}"] == ["1.000 ± 0.500"] * 2 + ["1.0 ± 0.5", " 1.00 ±  0.50"]


def squares_of(image, side):
    """Of an image (C, H, W), row by row, in NumPy."""
    _, H, W = image.shape
    return [image[:, i : i + side, j : j + side] for i in range(0, H, side) for j in range(0, W, side)]


def squares_agree(module):
    shape, side = (200, 2, 4, 6), 2
    x = torch.arange(math.prod(shape), dtype=torch.float64).view(shape)  # no two pixels alike
    generator = torch.Generator().manual_seed(0)
    found = module.shuffled_squares(x, generator, side)
    before = [[s.tobytes() for s in squares_of(image, side)] for image in x.numpy()]
    after = [[np.ascontiguousarray(s).tobytes() for s in squares_of(image, side)] for image in found.numpy()]
    assert found.shape == x.shape
    assert [sorted(s) for s in after] == [sorted(s) for s in before], "other squares than before"
    orders = np.array([[s.index(each) for each in t] for s, t in zip(before, after, strict=True)])
    assert len(set(map(tuple, orders))) > 150, "one order for many"  # of 720
    assert torch.equal(found, module.shuffled_squares(x, torch.Generator().manual_seed(0), side)), "another draw"
    assert not torch.equal(found, module.shuffled_squares(x, torch.Generator().manual_seed(1), side)), "the same draw"
    many = module.shuffled_squares(torch.arange(6.0).view(1, 1, 2, 3).expand(6000, 1, 2, 3), generator, 1).flatten(1)
    for place in range(6):
        by_chance = scipy.stats.chisquare(torch.bincount(many[:, place].long(), minlength=6)).pvalue
        assert by_chance > 1e-4, f"not every square is as likely in place {place}"
    assert len({tuple(row) for row in many.tolist()}) == 720, "not all orders"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (".argsort(2)\n", ".argsort(2).sort(2).values\n"),  # not shuffled
        (".argsort(2)\n", ".argsort(2)[:1].expand(len(x), -1, -1)\n"),  # one order for all images
        (".argsort(2)\n", ".argsort(2).roll(1, 2).sort(2).values.roll(1, 2)\n"),  # always one place on
        ("torch.rand(len(x), 1,", "torch.rand(len(x), squares.shape[1],"),  # each pixel to a square of its own
        ("squares.shape[2], generator=generator", "squares.shape[2], generator=None"),
        ("(height, width), side, stride", "(width, height), side, stride"),
        ("F.unfold(x, side, stride=side)", "F.unfold(x.flip(3), side, stride=side)"),
        ("F.unfold(x, side, stride=side)", "F.unfold(x, side, stride=side).flip(1)"),
        ("order.expand_as(squares)", "order[..., :1].expand_as(squares)"),  # one square, everywhere
    ],
)
def test_shuffled_squares(old, new, caught, plant):
    squares_agree(compare)
    caught(f"{old} -> {new}", lambda: squares_agree(plant("vaelib.compare", old, new)))


def test_squares_that_do_not_fit_are_refused():
    x = torch.rand(2, 3, 16, 24)
    assert compare.shuffled_squares(x).shape == compare.shuffled_squares(x, side=1).shape == x.shape
    assert compare.shuffled_squares(x[:0]).shape == (0, 3, 16, 24)
    for given, side, sentence in [
        (x, 16, "side=16 was given: use one that cuts 16x24 pixels into whole squares, more than one"),
        (x, 3, "side=3"),
        (x[:, :, :8, :8], 8, "side=8"),  # one square
        (x[:, :, :0], 8, "side=8"),
        (x, 0, "side=0"),
        ((255 * x).to(torch.uint8), 8, "data.as_float"),
        (x[0], 8, r"use a float tensor \(N, C, H, W\)"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            compare.shuffled_squares(given, side=side)


class Linear(nn.Module):
    """Images of 5 x 4 pixels to logits, in double precision; it keeps what it has seen."""

    def __init__(self, labels):
        super().__init__()
        self.layer = nn.Linear(20, labels + 1).double()
        with torch.no_grad():  # of every size, and none alike
            self.layer.weight.copy_(torch.arange(20 * (labels + 1)).view(labels + 1, 20).sin())
            self.layer.bias.copy_(torch.arange(labels + 1) / 10)

    def forward(self, x):
        self.seen = x.detach().numpy()
        return self.layer(x.flatten(1))


def judge_loss_agrees(module):
    """The blur, the cross-entropy and its gradient by SciPy and NumPy; that half of the steps are blurred, by counting."""
    x = torch.rand(6, 1, 5, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    y = torch.tensor([0, 1, 2, 2, 1, 0])
    clear = x.numpy()
    blurred = scipy.signal.convolve(clear, np.full((1, 1, 3, 3), 1 / 9), mode="same")
    shades = []

    def upside_down(images, generator):
        shades.append(float(torch.rand((), generator=generator)))
        return images.flip(2) * shades[-1]

    loss, model = module.judge_loss(upside_down, 3), Linear(3)
    W, b = (p.detach().numpy() for p in model.parameters())
    values, steps_blurred = [], 0
    for seed in range(200):
        value = loss(model, x, y, torch.Generator().manual_seed(seed))
        was_blurred = np.abs(model.seen[:6] - clear).max() > 0.01
        steps_blurred += was_blurred
        shown = blurred if was_blurred else clear
        seen = np.concatenate([shown, shown[:, :, ::-1] * shades[-1]])
        checks.check("the images, blurred or not, and what is made of them", model.seen - seen, 1e-12)
        logits, labels = seen.reshape(12, 20) @ W.T + b, [*y.tolist(), *[3] * 6]
        by_numpy = -scipy.special.log_softmax(logits, 1)[np.arange(12), labels].mean()
        checks.check("the mean cross-entropy", value.item() - by_numpy, 1e-12)
        (slope,) = torch.autograd.grad(value, model.layer.weight)
        errors = scipy.special.softmax(logits, 1) - np.eye(4)[labels]
        checks.check("its gradient", slope.numpy() - errors.T @ seen.reshape(12, 20) / 12, 1e-12)
        values.append(value.item())
    checks.check("half of the steps are blurred (standard errors off)", (steps_blurred - 100) / 50**0.5, 4)
    assert len({*values}) == 200, "the draws do not depend on the seed"
    again = [loss(model, x, y, torch.Generator().manual_seed(seed)).item() for seed in range(200)]
    assert again == values, "another draw from the same seed"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("torch.full_like(y, labels)]", "torch.full_like(y, labels - 1)]"),  # off by one
        ("torch.cat([y, torch.full_like(y, labels)])", "torch.cat([torch.full_like(y, labels), y])"),
        ("F.cross_entropy(logits, torch", "F.cross_entropy(-logits, torch"),
        ("torch.full_like(y, labels)]))", "torch.full_like(y, labels)]), reduction='sum')"),
        ("device=x.device) < 0.5\n", "device=x.device) < 0\n"),  # no blur
        ("device=x.device) < 0.5\n", "device=x.device) < 0.8\n"),
        ("torch.rand((), generator=generator, device", "torch.rand((), generator=None, device"),
        ("torch.rand((), generator=generator", "torch.rand((len(x), 1, 1, 1), generator=generator"),
        ("others(shown, generator)", "others(x, generator)"),  # then blur is a sign of x
        ("others(shown, generator)", "others(shown, None)"),
        ("torch.cat([shown, none])", "torch.cat([none, shown])"),
        ("(x, 3, stride=1, padding=1)", "(x, 5, stride=1, padding=2)"),
        ("(x, 3, stride=1, padding=1)", "(x, 3, stride=1, padding=1, count_include_pad=False)"),
    ],
)
def test_judge_loss(old, new, caught, plant):
    judge_loss_agrees(compare)
    caught(f"{old} -> {new}", lambda: judge_loss_agrees(plant("vaelib.compare", old, new)))


def test_judge_loss_refuses():
    x, y = torch.rand(4, 1, 5, 4, dtype=torch.float64), torch.tensor([0, 1, 2, 1])
    for others, labels, sentence in [
        (None, 3, r"others=None was given: use a function of \(x, generator\)"),
        (compare.shuffled_squares, 0, "labels=0"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            compare.judge_loss(others, labels)

    def same(x, generator):
        return x

    for others, model, images, labels, sentence in [
        (same, Linear(3), x, y + 1, "y has values from 1 to 3: use labels from 0 to 2, of labels=3"),
        (same, Linear(3), x, y - 1, "y has values from -1 to 1"),
        (same, Linear(3), x, y[:3], "y, an int64 tensor"),
        (same, Linear(3), x, y.double(), "y, a float64 tensor"),
        (same, Linear(3), x[:0], y[:0], "x, a float64 tensor .* that is not empty"),
        (same, Linear(3), (255 * x).byte(), y, "data.as_float"),
        (same, Linear(2), x, y, r"model\(x\), a float64 tensor \(8, 3\), was given: use a float tensor \(8, 4\)"),
        (same, print, x, y, "model, an object of type builtin"),
        (lambda x, generator: x[:2], Linear(3), x, y, r"others\(x, generator\), a float64 tensor \(2, 1, 5, 4\)"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            compare.judge_loss(others, 3)(model, images, labels, torch.Generator())
    loss = compare.judge_loss(same, 255)
    few = loss(Linear(255), x, y.to(torch.uint8), torch.Generator().manual_seed(0))  # 255 fits, and 256 would not
    assert few == loss(Linear(255), x, y, torch.Generator().manual_seed(0))
    assert math.isfinite(compare.judge_loss(same, 256)(Linear(256), x, y.to(torch.uint8), None).item())


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
