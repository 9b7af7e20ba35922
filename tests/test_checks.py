import math

import numpy as np
import pytest
import sympy
import torch

from vaelib.classroom import checks
from vaelib.classroom.checks import Failed, check, check_fails, check_mean, headline, proof
from vaelib.outside import console


def test_a_passing_check_prints_the_number_and_the_tolerance(capsys):
    check("a difference", torch.tensor([1e-7, -3e-7]), 1e-6)
    check("a gain", [0.5, 0.4], at_least=0.3)
    check("a condition", True)
    check("many conditions", torch.tensor([True, True]))
    check("a sympy number", sympy.Integer(0), 0)
    check("a root", sympy.sqrt(2), at_least=sympy.Rational(1, 2))
    check("a tensor with a graph", (torch.tensor([0.5, -0.25], requires_grad=True) * 2).bfloat16(), np.float32(1.5))
    check(
        "a list of such tensors", [torch.tensor(0.5, requires_grad=True), torch.tensor([[0.25], [0.75]])], at_least=0.25
    )
    check("integers", np.array([[3, -4]]), torch.tensor(4))
    assert capsys.readouterr().out.splitlines() == [
        "✓ a difference: 3e-07 ≤ 1e-06",
        "✓ a gain: 0.4 ≥ 0.3",
        "✓ a condition: holds",
        "✓ many conditions: holds",
        "✓ a sympy number: 0 ≤ 0",
        "✓ a root: 1.41 ≥ 0.5",
        "✓ a tensor with a graph: 1 ≤ 1.5",
        "✓ a list of such tensors: 0.25 ≥ 0.25",
        "✓ integers: 4 ≤ 4",
    ]


@pytest.mark.parametrize(
    ("value", "bounds"),
    [
        (torch.tensor([0.0, -2e-6]), {"tolerance": 1e-6}),
        (float("nan"), {"tolerance": 1e9}),
        (torch.tensor([0.0, float("nan")]), {"tolerance": 1e9}),
        (float("inf"), {"tolerance": 1e300}),
        (float("nan"), {"at_least": -1e9}),
        (float("inf"), {"at_least": 0.0}),  # a division by 0, and no measurement
        ([1.0, float("inf")], {"at_least": 0.0}),
        (0.2999, {"at_least": 0.3}),
        (False, {}),
        (np.bool_(False), {}),
        (torch.tensor([True, False]), {}),
    ],
)
def test_a_failing_check_raises(value, bounds, capsys):
    with pytest.raises(Failed, match="✗ the claim: ") as failure:
        check("the claim", value, **bounds)
    assert isinstance(failure.value, AssertionError)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("value", "bounds", "words"),
    [
        (1e-9, {}, "use a condition"),  # a number where a condition belongs would always be "true"
        ("text", {}, "value='text' was given"),
        (None, {}, "value=None"),
        ([True, True], {}, "use a condition"),
        (torch.zeros(0, dtype=torch.bool), {}, "use a condition"),
        (None, {"tolerance": 1.0}, "use real numbers"),
        ([0.5, None], {"tolerance": 1.0}, "use real numbers"),
        ("1.5", {"tolerance": 2.0}, "use real numbers"),  # NumPy would make a number of it
        ({"a": 1.0}, {"tolerance": 2.0}, "use real numbers"),
        (False, {"tolerance": 1e-6}, "for a condition no bound"),  # as a number it would be 0, and pass
        (torch.tensor([True, False]), {"tolerance": 1e-6}, "for a condition no bound"),
        (1j, {"tolerance": 1.0}, "use real numbers"),
        (torch.tensor([1e9j]), {"tolerance": 1.0}, "complex64 tensor"),  # the imaginary part would be dropped
        (np.array([1e9j]), {"at_least": -1.0}, "complex128 NumPy array"),
        (sympy.Symbol("x"), {"tolerance": 1.0}, "use real numbers"),
        ([], {"tolerance": 1.0}, "at least one"),
        (torch.zeros(0), {"tolerance": 1.0}, "at least one"),
        (0.5, {"tolerance": 1.0, "at_least": 0.0}, "one claim, one bound"),
        (0.5, {"tolerance": -1.0}, "tolerance=-1.0 was given: use a finite number, at least 0"),
        (0.5, {"tolerance": math.nan}, "tolerance=nan"),
        (0.5, {"tolerance": math.inf}, "tolerance=inf"),
        (0.5, {"tolerance": "1e-6"}, "tolerance='1e-6'"),
        (0.5, {"at_least": math.nan}, "at_least=nan"),
        (0.5, {"at_least": -math.inf}, "at_least=-inf"),
        (0.5, {"at_least": True}, "at_least=True"),
    ],
)
def test_a_check_that_looks_at_nothing_is_refused(value, bounds, words):
    with pytest.raises(ValueError, match="the claim") as error:
        check("the claim", value, **bounds)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_claims_are_words():
    for call in (
        lambda: check(0.5, "half", 1.0),
        lambda: check_mean(torch.zeros(200), 0.0, 1.0),
        lambda: check_fails(check, lambda: None),
        lambda: headline(None),
    ):
        with pytest.raises(ValueError, match=r"(claim|slip|text)[=,].* was given: use "):
            call()
    with pytest.raises(ValueError, match=r"attempt=None was given: use a function of no arguments"):
        check_fails("a check that has already run", check("equal", 0.0, 1e-6))


def test_check_mean(capsys):
    draws = torch.randn(10_000, generator=torch.Generator().manual_seed(0)) + 1
    check_mean("the mean", draws, 1.0, slip=-1.0)
    assert "standard errors apart; the slip -1 would be 20" in capsys.readouterr().out
    with pytest.raises(AssertionError, match="more than 4"):
        check_mean("the mean", draws, 1.1)
    with pytest.raises(AssertionError, match="too close to tell"):
        check_mean("the mean", draws, 1.0, slip=1.05)
    check_mean("the mean", draws, 1.1, exact_error=0.05)  # 10 standard errors of the draws, 2 of both together
    with pytest.raises(AssertionError, match="more than 4"):
        check_mean("the mean", draws, 1.1, exact_error=0.01)
    with pytest.raises(AssertionError, match="too close to tell"):  # draws alone could tell this slip
        check_mean("the mean", draws, 1.0, slip=1.3, exact_error=0.05)
    with pytest.raises(AssertionError):
        check_mean("the mean", torch.full((200,), float("nan")), 1.0)
    with pytest.raises(Failed, match=r"20\.0 standard errors apart, more than 4$"):  # what is off is called off first
        check_mean("the mean", draws, 1.2 + float(draws.mean() - 1), slip=1.25)
    check_mean("no spread", torch.full((200,), 0.5), 0.5, slip=0.25)
    check_mean("a graph", draws.clone().requires_grad_(), torch.tensor(1.0, requires_grad=True), slip=np.float64(-1))
    check_mean("just enough", [0.0, 1.0] * 50, 0.5)
    check_mean("a column", draws[:, None], 1.0, slip=-1.0)
    with pytest.raises(Failed, match="too close to tell"):
        check_mean("no spread", torch.full((200,), 0.5), 0.5, slip=0.5)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_mean_that_is_not_finite_never_holds(bad):
    draws = torch.randn(10_000, generator=torch.Generator().manual_seed(0)) + 1
    with pytest.raises(Failed, match="more than 4"):
        check_mean("the mean", draws, bad)
    with pytest.raises(Failed, match="more than 4"):
        check_mean("the mean", torch.cat([draws, torch.tensor([bad])]), 1.0)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            (torch.zeros(99), 0.0),
            r"float32 tensor \(99,\), was given: use independent draws in one row \(N,\), at least 100",
        ),
        ((torch.tensor(0.5), 0.0), r"in one row \(N,\)"),
        ((torch.zeros(100, 2), 0.0), r"in one row \(N,\)"),  # two means at once: neither would be looked at
        ((None, 0.0), "samples=None"),
        (("draws", 0.0), "samples='draws'"),
        ((torch.zeros(200), None), "exact=None"),
        ((torch.zeros(200), [0.0, 1.0]), "use one number"),
        ((torch.zeros(200), 0.0, "slip"), "slip='slip'"),
        ((torch.zeros(200), 0.0, math.nan), "slip=nan"),  # no distance is too short for it
        ((torch.zeros(200), 0.0, math.inf), "slip=inf"),
        ((torch.zeros(200, device="meta"), 0.0), "lies on meta"),
        ((torch.zeros(200), 0.0, 1.0, math.inf), "exact_error=inf"),  # all means would agree
        ((torch.zeros(200), 0.0, 1.0, math.nan), "exact_error=nan"),
        ((torch.zeros(200), 0.0, 1.0, -1.0), "exact_error=-1.0"),
    ],
)
def test_a_mean_of_nothing_is_refused(arguments, words):
    samples, exact, *rest = arguments
    with pytest.raises(ValueError, match=words) as error:
        check_mean("the mean", samples, exact, **dict(zip(("slip", "exact_error"), rest, strict=False)))
    assert "the mean" in str(error.value)


def test_check_fails(capsys):
    check_fails("a wrong sign", lambda: check("equal", 2.0, 1e-6))
    assert capsys.readouterr().out == "✓ the slip fails (a wrong sign): equal: 2 is not ≤ 1e-06\n"
    with pytest.raises(AssertionError, match="the slip passes the check: no slip at all"):
        check_fails("no slip at all", lambda: check("equal", 0.0, 1e-6))
    with pytest.raises(AssertionError, match="the slip passes"):
        check_fails("nothing is checked", lambda: None)
    with pytest.raises(NameError):
        check_fails("a broken cell", lambda: undefined)  # noqa: F821

    def broken(made):
        assert len(made) == 2, "a step before the check"
        check("equal", 2.0, 1e-6)

    with pytest.raises(AssertionError, match="a step before the check"):  # it says nothing of the check
        check_fails("a broken attempt", lambda: broken([1]))
    with pytest.raises(ValueError, match="tolerance=-1"):
        check_fails("a check that cannot be made", lambda: check("equal", 2.0, -1))
    with pytest.raises(AssertionError, match="the slip passes the check: inner"):  # a slip that passes fails no check
        check_fails("outer", lambda: check_fails("inner", lambda: None))
    assert capsys.readouterr().out == ""
    check_fails("a mean that is off", lambda: check_mean("the mean", [0.0, 1.0] * 50, 0.9))
    assert "✓ the slip fails (a mean that is off): the mean: 0.5 against 0.9" in capsys.readouterr().out
    headline("done")
    assert "★ done" in capsys.readouterr().out


# ---- several checks of one claim


def a_proof():
    with proof("VQ-5: the nearest word"):
        check("by loops", [1e-7, -2e-7], 1e-6)
        check("to the last digit", 0, 0)
        check("all of them", True)
        check_mean("by draws", torch.tensor([1.0, -1.0] * 200), 0.0, slip=1.0)
        check("a gain", 3.0, at_least=2.0)
        check_fails("a sign <", lambda: [check("passes on the way", True), check("by loops", 2, 1e-6)])


def test_checks_of_one_claim_are_told_in_one_line_and_listed(capsys, monkeypatch):
    monkeypatch.setattr(checks, "planted_errors", lambda: {"VQ-5": (28, 27)})
    a_proof()
    line, *listed = capsys.readouterr().out.splitlines()
    assert line == (
        "✓ VQ-5: the nearest word · 5 checks hold, nearest its bound 3, at least 2 · 1 slip refused · 27 of 28 planted errors caught"
    )
    assert listed == [
        "  ✓ by loops: 2e-07 ≤ 1e-06",
        "  ✓ to the last digit: 0 ≤ 0",
        "  ✓ all of them: holds",
        "  ✓ by draws: 0 against 0, 0.0 standard errors apart; the slip 1 would be 20",
        "  ✓ a gain: 3 ≥ 2",
        "  ✓ the slip fails (a sign <): by loops: 2 is not ≤ 1e-06",
    ]
    check("afterwards a check tells itself", True)
    assert capsys.readouterr().out == "✓ afterwards a check tells itself: holds\n"


@pytest.mark.parametrize(
    ("within", "line"),
    [
        (lambda: check("a", True), "✓ words · 1 check holds"),
        (lambda: check("a", 0.5, 1), "✓ words · 1 check holds, at 0.5 of 1"),
        (lambda: [check("a", 0.5, 1), check("b", -0.9, 1.5)], "✓ words · 2 checks hold, nearest its bound 0.9 of 1.5"),
        (lambda: [check("a", -3, at_least=-4), check("b", 0.1, 1)], "✓ words · 2 checks hold, at 0.1 of 1"),
        (lambda: [check("a", 4, at_least=1), check("b", 9, at_least=6)], "✓ words · 2 checks hold, nearest its bound 9, at least 6"),
        (lambda: check_mean("a", [1.0, -1.0] * 50 + [9.0], 0.0), "✓ words · 1 check holds, at 0.7 of 4 standard errors"),
        (lambda: check_fails("a", lambda: check("b", False)), "✓ words · 1 slip refused"),
        (
            lambda: [check_fails("a", lambda: check("b", False)), check_fails("c", lambda: check("b", 1, 0))],
            "✓ words · 2 slips refused",
        ),
    ],
)  # fmt: skip
def test_a_proof_s_line(within, line, capsys):
    with proof("words"):
        within()
    assert capsys.readouterr().out.splitlines()[0] == line


def test_in_a_notebook_a_proof_unfolds(monkeypatch, capsys):
    shown = []
    monkeypatch.setattr(console, "in_notebook", lambda: True)
    monkeypatch.setattr("IPython.display.display", lambda data, raw: shown.append(data) if raw else None)
    a_proof()
    (data,) = shown
    assert capsys.readouterr().out == ""
    first, *listed = data["text/plain"].splitlines()
    assert len(listed) == 6
    page = data["text/html"]
    assert page.startswith(f"<details><summary>{first}</summary>")  # closed
    assert page.count("<li>") == 6
    assert "a sign &lt;" in page
    assert "a sign <" not in page


def test_a_failure_in_a_proof_comes_at_once_with_the_claim(capsys):
    after = []
    with pytest.raises(Failed, match=r"^✗ VQ-5: by loops: 2 is not ≤ 1$"), proof("VQ-5"):  # noqa: PT012
        check("first", True)
        check("by loops", 2, 1)
        after.append(1)
    with pytest.raises(AssertionError, match=r"^✗ VQ-5: the slip passes the check: a sign$"), proof("VQ-5"):
        check_fails("a sign", lambda: check("a", 0, 1))
    with pytest.raises(ZeroDivisionError), proof("VQ-5"):
        check("a", 1 / 0, 1)
    assert not after
    assert capsys.readouterr().out == ""
    check("the block is left", True)
    assert capsys.readouterr().out == "✓ the block is left: holds\n"


def test_a_proof_that_proves_nothing_is_refused():
    with pytest.raises(ValueError, match=r"proof\('VQ-5'\) checked nothing: call check"), proof("VQ-5"):
        pass
    with (
        pytest.raises(ValueError, match=r"proof\('VQ-6'\) lies in the block of proof\('VQ-5'\): end that one first"),
        proof("VQ-5"),
        proof("VQ-6"),
    ):
        pass
    for words in ("", " ", None, 5):
        with pytest.raises(ValueError, match="a claim of the ledger or a few words"), proof(words):
            pass


def test_counts_of_planted_errors_are_of_all_notebooks(monkeypatch, tmp_path):
    (tmp_path / "planted.json").write_text('{"06": {"AR-1": [5, 5], "AR-2": [1, 1]}, "07": {"AR-1": [4, 3]}}')
    monkeypatch.setattr(checks, "files", lambda package: tmp_path)
    checks.planted_errors.cache_clear()
    try:
        assert checks.planted_errors() == {"AR-1": (9, 8), "AR-2": (1, 1)}
    finally:
        checks.planted_errors.cache_clear()
