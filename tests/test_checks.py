import math

import numpy as np
import pytest
import sympy
import torch

from vaelib import exercises
from vaelib.checks import check, check_fails, check_mean, headline
from vaelib.exercises import UNATTEMPTED, Wrong


def test_a_passing_check_prints_the_number_and_the_tolerance(capsys):
    check("a difference", torch.tensor([1e-7, -3e-7]), 1e-6)
    check("a gain", [0.5, 0.4], at_least=0.3)
    check("a condition", True)
    check("many conditions", torch.tensor([True, True]))
    check("a sympy number", sympy.Integer(0), 0)
    assert capsys.readouterr().out.splitlines() == [
        "✓ a difference: 3e-07 ≤ 1e-06",
        "✓ a gain: 0.4 ≥ 0.3",
        "✓ a condition: holds",
        "✓ many conditions: holds",
        "✓ a sympy number: 0 ≤ 0",
    ]


@pytest.mark.parametrize(
    ("value", "bounds"),
    [
        (torch.tensor([0.0, -2e-6]), {"tolerance": 1e-6}),
        (float("nan"), {"tolerance": 1e9}),
        (torch.tensor([0.0, float("nan")]), {"tolerance": 1e9}),
        (float("inf"), {"tolerance": 1e300}),
        (float("nan"), {"at_least": -1e9}),
        (0.2999, {"at_least": 0.3}),
        (False, {}),
        (np.bool_(False), {}),
        (torch.tensor([True, False]), {}),
    ],
)
def test_a_failing_check_raises(value, bounds, capsys):
    with pytest.raises(AssertionError, match="✗ the claim: "):
        check("the claim", value, **bounds)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("value", "bounds"),
    [
        (1e-9, {}),  # a number where a condition belongs would always be "true"
        ("text", {}),
        (None, {"tolerance": 1.0}),
        (sympy.Symbol("x"), {"tolerance": 1.0}),
        ([], {"tolerance": 1.0}),
        (torch.zeros(0), {"tolerance": 1.0}),
        (torch.zeros(0, dtype=torch.bool), {}),
        (0.5, {"tolerance": 1.0, "at_least": 0.0}),
    ],
)
def test_a_check_that_looks_at_nothing_is_refused(value, bounds):
    with pytest.raises(ValueError, match="the claim"):
        check("the claim", value, **bounds)


def test_check_mean(capsys):
    draws = torch.randn(10_000, generator=torch.Generator().manual_seed(0)) + 1
    check_mean("the mean", draws, 1.0, slip=-1.0)
    assert "standard errors apart; the slip -1 would be 20" in capsys.readouterr().out
    with pytest.raises(AssertionError, match="more than 4"):
        check_mean("the mean", draws, 1.1)
    with pytest.raises(AssertionError, match="too close to tell"):
        check_mean("the mean", draws, 1.0, slip=1.05)
    with pytest.raises(AssertionError):
        check_mean("the mean", torch.full((200,), float("nan")), 1.0)
    with pytest.raises(ValueError, match="99 draws: use at least 100"):
        check_mean("the mean", draws[:99], 1.0)


def test_check_fails(capsys):
    check_fails("a wrong sign", lambda: check("equal", 2.0, 1e-6))
    assert capsys.readouterr().out == "✓ the slip fails (a wrong sign): equal: 2 is not ≤ 1e-06\n"
    with pytest.raises(AssertionError, match="the slip passes the check: no slip at all"):
        check_fails("no slip at all", lambda: check("equal", 0.0, 1e-6))
    with pytest.raises(AssertionError, match="the slip passes"):
        check_fails("nothing is checked", lambda: None)
    with pytest.raises(NameError):
        check_fails("a broken cell", lambda: undefined)  # noqa: F821
    headline("done")
    assert "★ done" in capsys.readouterr().out


# ---- exercises: the solutions are run in test_notebooks.py, from the notebooks themselves

RIGHT = {
    exercises.to_unit_range: [
        lambda x: x / 255,
        lambda x: x.float().mul(1 / 255),
        lambda x: torch.from_numpy(x.numpy() / np.float32(255)),
    ],
    exercises.reparameterize: [lambda m, s, e: torch.addcmul(m, s.exp(), e), lambda m, s, e: m + math.e**s * e],
    exercises.moment_matched: [
        lambda c, n, g: (
            c.mean(0)
            + torch.randn(n, c.shape[1], generator=g)
            @ (lambda v, w: (w * v.clamp(0).sqrt()) @ w.T)(*torch.linalg.eigh(torch.cov(c.T)))
        ),
        lambda c, n, g: torch.randn(n, len(c), generator=g) @ (c - c.mean(0)) / len(c) ** 0.5 + c.mean(0),
    ],
    exercises.grid_posterior: [
        lambda f, g: list(on_grid(f, g)),
        lambda f, g: torch.stack(on_grid(f, g)),
        lambda f, g: np.array([float(v) for v in on_grid(f, g)]),
    ],
}


def gaussian_like(mean=lambda c: c.mean(0), mix=lambda c: torch.linalg.cholesky(torch.cov(c.T)).T, noise=torch.randn):
    return lambda c, n, g: mean(c) + noise(n, c.shape[1], generator=g) @ mix(c)


def on_grid(log_joint, grid, spacing=True, normalise=True, variance=False, stable=True, centre=True):
    values = log_joint(grid)
    total = torch.logsumexp(values, 0) if stable else torch.log(torch.exp(values).sum())
    p = torch.exp(values - total) if normalise else torch.exp(values)
    mean = (p * grid).sum()
    spread = (p * (grid - (mean if centre else 0)) ** 2).sum()
    return total + (torch.log(grid[1] - grid[0]) if spacing else 0), mean, spread if variance else spread.sqrt()


WRONG = {
    exercises.to_unit_range: {
        "divided by 256": (lambda x: x / 256, "255/256"),
        "divided by the batch's largest": (lambda x: x / x.max(), "largest one in this batch|should become"),
        "min-max": (lambda x: (x - x.min()) / (x.max() - x.min()), "."),
        "integer division": (lambda x: (x // 255).float(), "should become"),
        "left as integers": (lambda x: x, "floating point"),
        "from -1 to 1": (lambda x: x / 127.5 - 1, "another convention"),
        "float64": (lambda x: x.double() / 255, "float32"),
        "float16": (lambda x: x.half() / 255, "float32"),
        "flattened": (lambda x: x.flatten(1) / 255, "shape"),
        "one image only": (lambda x: x[:1] / 255, "shape"),
        "batch flipped": (lambda x: x.flip(0) / 255, "should become"),
        "channels flipped": (lambda x: x.flip(1) / 255, "should become"),
        "white lost": (lambda x: x.clamp(max=254) / 255, "should become"),
        "a constant": (lambda x: torch.full(x.shape, 0.5), "."),
        "numpy": (lambda x: x.numpy() / 255, "should be a tensor"),
        "nothing": (lambda x: None, "should be a tensor"),
        "an error": (lambda x: x.nonsense, "raised AttributeError"),
        "an unsupported operation": (lambda x: torch.linalg.det(x), "raised"),
    },
    exercises.reparameterize: {
        "log_std as std": (lambda m, s, e: m + s * e, "exponential first"),
        "plus, not times": (lambda m, s, e: m + s.exp() + e, "multiplied"),
        "log-variance": (lambda m, s, e: m + (0.5 * s).exp() * e, "not of the variance"),
        "variance times eps": (lambda m, s, e: m + (2 * s).exp() * e, "use the standard deviation"),
        "no mean": (lambda m, s, e: s.exp() * e, "add it"),
        "no noise": (lambda m, s, e: m, "comes in through eps"),
        "fresh noise": (lambda m, s, e: m + s.exp() * torch.randn_like(e), "."),
        "minus": (lambda m, s, e: m - s.exp() * e, "VAE-1 adds"),
        "detached std": (lambda m, s, e: m + s.exp().detach() * e, "no gradient reaches log_std"),
        "detached mean": (lambda m, s, e: m.detach() + s.exp() * e, "no gradient reaches mean"),
        "through NumPy": (
            lambda m, s, e: torch.from_numpy(m.detach().numpy() + np.exp(s.detach().numpy()) * e.numpy()),
            "no gradient",
        ),
        "transposed": (lambda m, s, e: (m + s.exp() * e).T, "shape"),
        "summed": (lambda m, s, e: (m + s.exp() * e).sum(), "shape"),
    },
    exercises.moment_matched: {
        "diagonal": (gaussian_like(mix=lambda c: torch.diag(c.std(0))), "covariances are not"),
        "standard normal": (gaussian_like(lambda c: 0, lambda c: torch.eye(3)), "have mean"),
        "no mean": (gaussian_like(lambda c: 0), "have mean"),
        "covariance for its root": (gaussian_like(mix=lambda c: torch.cov(c.T)), "variances differ"),
        "wrong side": (gaussian_like(mix=lambda c: torch.linalg.cholesky(torch.cov(c.T))), "side"),
        "correlation": (gaussian_like(mix=lambda c: torch.linalg.cholesky(torch.corrcoef(c.T)).T), "variances differ"),
        "uniform noise": (
            gaussian_like(noise=lambda *s, generator: (torch.rand(*s, generator=generator) - 0.5) * 12**0.5),
            "not Gaussian",
        ),
        "the codes again": (lambda c, n, g: c[torch.randint(len(c), (n,), generator=g)], "repeat"),
        "too wide": (lambda c, n, g: 1.1 * (gaussian_like()(c, n, g) - c.mean(0)) + c.mean(0), r"1\\.10 times as wide"),
        "the global generator": (
            lambda c, n, g: torch.distributions.MultivariateNormal(c.mean(0), torch.cov(c.T)).sample((n,)),
            "not used",
        ),
        "a seed of its own": (lambda c, n, g: gaussian_like()(c, n, torch.Generator().manual_seed(1)), "not used"),
        "half of it elsewhere": (
            lambda c, n, g: gaussian_like()(c, n, g) + 0 * torch.randn(1, generator=g) + 1e-3 * torch.randn(1),
            "other draws",
        ),
        "signs": (gaussian_like(noise=lambda *s, generator: torch.randn(*s, generator=generator).sign()), "repeat"),
        "the mean, n times": (lambda c, n, g: c.mean(0).expand(n, 3) + 0 * torch.randn(1, generator=g), "repeat"),
        "transposed": (lambda c, n, g: gaussian_like()(c, n, g).T, "shape"),
        "one draw": (lambda c, n, g: gaussian_like()(c, 1, g), "shape"),
    },
    exercises.grid_posterior: {
        "no spacing": (lambda f, g: on_grid(f, g, spacing=False), "spacing"),
        "not normalised": (lambda f, g: on_grid(f, g, normalise=False), "mean"),
        "variance": (lambda f, g: on_grid(f, g, variance=True), "variance"),
        "around zero": (lambda f, g: on_grid(f, g, centre=False), "posterior's mean"),
        "underflow": (lambda f, g: on_grid(f, g, stable=False), "underflows"),
        "the most probable z": (lambda f, g: (on_grid(f, g)[0], g[f(g).argmax()], on_grid(f, g)[2]), "mean"),
        "p, not log p": (lambda f, g: (on_grid(f, g)[0].exp(), *on_grid(f, g)[1:]), "take its logarithm"),
        "another order": (lambda f, g: on_grid(f, g)[::-1], "log p"),
        "two numbers": (lambda f, g: on_grid(f, g)[:2], "three numbers"),
    },
}


@pytest.mark.parametrize(("exercise", "answer"), [(e, a) for e, answers in RIGHT.items() for a in answers])
def test_right_answers_in_another_style_are_accepted(exercise, answer, capsys):
    exercise(answer)
    assert capsys.readouterr().out.startswith("✓ exercise")


@pytest.mark.parametrize(("exercise", "what"), [(e, w) for e, answers in WRONG.items() for w in answers])
def test_wrong_answers_get_a_hint(exercise, what, caught):
    answer, hint = WRONG[exercise][what]

    def attempt():
        with pytest.raises(Wrong, match=f"✗ exercise .*({hint})") as seen:
            exercise(answer)
        raise seen.value

    caught(what, attempt)


@pytest.mark.parametrize("exercise", WRONG)
def test_an_unattempted_exercise_is_neither_right_nor_wrong(exercise, capsys):
    def stub(*arguments):
        raise NotImplementedError(UNATTEMPTED)

    exercise(stub)
    out = capsys.readouterr().out
    assert out.startswith("○ exercise")
    assert "not attempted yet" in out

    def unsupported(*arguments):  # torch raises the same exception for an operation that it does not have
        raise NotImplementedError('"exp" not implemented for Long')

    with pytest.raises(Wrong, match="raised NotImplementedError"):
        exercise(unsupported)


def test_the_changed_input_is_noticed():
    def in_place(x):
        y = x.float() / 255
        x.zero_()
        return y

    with pytest.raises(Wrong, match="changed its input"):
        exercises.to_unit_range(in_place)


def test_the_reference_of_the_grid_exercise_is_the_closed_form(capsys):
    """z ~ N(0, 1), x|z ~ N(2 z + 0.5, 0.8^2), x = 1.3, worked out by hand."""
    w, b, s, x = 2.0, 0.5, 0.8, 1.3
    log_px = -0.5 * (x - b) ** 2 / (w**2 + s**2) - 0.5 * math.log(2 * math.pi * (w**2 + s**2))
    exact = (log_px, w * (x - b) / (w**2 + s**2), s / math.sqrt(w**2 + s**2))
    seen = []

    def answer(log_joint, grid):
        result = on_grid(log_joint, grid)
        seen.append(exact if not seen else result)  # the first case answered by the closed form, not by a grid
        return seen[-1]

    exercises.grid_posterior(answer)
    assert "✓" in capsys.readouterr().out
