"""Checks of claims. For notebooks and tests only.

A check prints a line that starts with ✓ and carries the measured number, or raises with it. Nothing is ever skipped silently.
Checks of one claim are told together, in one line that unfolds: ``with proof("VQ-5"): …``.
"""

import contextlib
import functools
import html
import json
import math
import sys
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from importlib.resources import files
from typing import NamedTuple

import numpy as np

from vaelib.outside import given
from vaelib.outside.console import say, show


class Failed(AssertionError):
    """What a check raises when its claim does not hold."""


class _Held(NamedTuple):
    """A check that holds: its line, and how near it came to its bound, from 0 to 1, if it has one."""

    line: str
    nearness: float | None = None
    bound: str = ""
    slip: bool = False


_open: ContextVar[tuple[str, list[_Held]] | None] = ContextVar(
    "open", default=None
)  # the proof whose block is being run


@contextlib.contextmanager
def proof(claim: str) -> Iterator[None]:
    """Tell the checks in a ``with`` block as one: a line for the claim, which unfolds into theirs.

    The line counts the checks and the slips that were refused, names the check that came nearest to its bound, and says how many
    errors the course's tests planted in this claim and caught, where they have told (``make planted``). A page folds the list; a
    terminal, and the stored notebook, have all of it. A check that does not hold raises at once, and its words begin with the claim.

    Args:
        claim: one claim of the ledger, as in "VQ-5", or a few words.

    Raises:
        Failed: a check in the block does not hold.
        ValueError: no words; nothing is checked in the block; or the block lies in that of another proof.
    """
    given.words("claim", claim, 'a claim of the ledger or a few words: with proof("VQ-5"):')
    if (outer := _open.get()) is not None:
        raise ValueError(f"proof({claim!r}) lies in the block of proof({outer[0]!r}): end that one first.")
    held: list[_Held] = []
    token = _open.set((claim, held))
    try:
        yield
    finally:
        _open.reset(token)
    if not held:
        raise ValueError(f"proof({claim!r}) checked nothing: call check, check_mean or check_fails in its block.")
    _tell(claim, held)


def _tell(claim: str, held: list[_Held]) -> None:
    def counted(number: int, word: str, one: str, many: str) -> str:
        return f"{number} {word} {one}" if number == 1 else f"{number} {word}s {many}"

    slips = sum(each.slip for each in held)
    parts = [counted(len(held) - slips, "check", "holds", "hold")] if len(held) > slips else []
    if bounded := [each for each in held if each.nearness is not None]:
        nearest = max(bounded, key=lambda each: each.nearness)
        parts[0] += f", {'nearest its bound' if len(bounded) > 1 else 'at'} {nearest.bound}"
    if slips:
        parts.append(counted(slips, "slip", "refused", "refused"))
    planted, caught = planted_errors().get(claim.partition(":")[0].strip(), (0, 0))
    if planted:
        parts.append(f"{caught} of {planted} planted errors caught")
    line = f"✓ {claim} · " + " · ".join(parts)
    items = "".join(f"<li>{html.escape(each.line)}</li>" for each in held)
    show(
        "\n".join([line, *(f"  ✓ {each.line}" for each in held)]),
        html=f"<details><summary>{html.escape(line)}</summary><ul>{items}</ul></details>",
    )


@functools.cache
def planted_errors() -> dict[str, tuple[int, int]]:
    """Claim -> how many errors the course's tests planted in it, and caught, in all notebooks; as ``make planted`` last found."""
    told = json.loads(files("vaelib.classroom").joinpath("planted.json").read_text(encoding="utf-8"))
    sums: dict[str, tuple[int, int]] = {}
    for claims in told.values():
        for claim, (planted, caught) in claims.items():
            before = sums.get(claim, (0, 0))
            sums[claim] = before[0] + planted, before[1] + caught
    return sums


def check(claim: str, value, tolerance: float | None = None, *, at_least: float | None = None) -> None:
    """Check a claim: print ✓ with the measured number, or raise.

    Args:
        claim: a sentence; starts with its ledger ID where it has one.
        value: with neither bound, a condition (bool, or a tensor of bools that must all hold); with ``tolerance``, a difference
            (number, or tensor, array or list of them) whose largest magnitude must not exceed it; with ``at_least``, numbers
            whose smallest must reach it, and none may be infinite. Tensors may lie on any device and have a graph.
        tolerance: finite, at least 0.
        at_least: finite.

    Raises:
        Failed: the claim does not hold; an AssertionError. NaN and infinity never hold.
        ValueError: not a condition, and no bound (or two) given; not real numbers, and a bound; or nothing to look at.
    """
    given.text("claim", claim, "a sentence: check(claim, value, tolerance)")
    if tolerance is None and at_least is None:
        if isinstance(value, (bool, np.bool_)):
            holds = bool(value)
        elif str(getattr(value, "dtype", "")) in ("torch.bool", "bool") and math.prod(value.shape) > 0:
            holds = bool(value.all())
        else:
            raise given.refuse(f"in check({claim!r}), value", value, "a condition, or give a tolerance or at_least")
        _settle(claim, holds, "holds", "does not hold")
        return
    if tolerance is not None and at_least is not None:
        raise ValueError(f"check({claim!r}) was given both a tolerance and at_least: one claim, one bound.")
    numbers = _numbers(f"in check({claim!r}), value", value)
    if tolerance is not None:
        tolerance = given.number(f"in check({claim!r}), tolerance", tolerance, least=0)
        worst = float(np.abs(numbers).max())
        nearness = (worst / tolerance, f"{worst:.2g} of {tolerance:.2g}") if tolerance else None  # 0 has no inside
        _settle(
            claim,
            worst <= tolerance,
            f"{worst:.3g} ≤ {tolerance:.3g}",
            f"{worst:.3g} is not ≤ {tolerance:.3g}",
            nearness,
        )
    else:
        at_least = given.number(f"in check({claim!r}), at_least", at_least)
        least, infinite = float(numbers.min()), bool(numbers.max() == math.inf)
        bad = "a value is infinite" if infinite else f"{least:.3g} is not ≥ {at_least:.3g}"
        # of a bound that is not above 0 nobody can say how near a number is
        nearness = (at_least / least, f"{least:.3g}, at least {at_least:.3g}") if least >= at_least > 0 else None
        _settle(claim, least >= at_least and not infinite, f"{least:.3g} ≥ {at_least:.3g}", bad, nearness)


def check_mean(claim: str, samples, exact: float, *, slip: float | None = None, exact_error: float = 0.0) -> None:
    """Check that ``samples`` have the mean ``exact``: within 4 standard errors.

    Args:
        samples: independent draws, (N,) or (N, 1), N at least 100.
        exact: the mean from another computation.
        slip: what a usual mistake would give. It must lie at least 10 standard errors from ``exact``, or the check is too weak to
            tell the two apart, and fails.
        exact_error: the standard error of ``exact`` itself, where it comes from other draws; it is added to that of the mean.

    Raises:
        Failed: the mean is off, or the check could not have told; an AssertionError. NaN never holds.
        ValueError: not real numbers, fewer than 100 draws, or not in one row.
    """
    given.text("claim", claim, "a sentence: check_mean(claim, samples, exact)")
    name = f"in check_mean({claim!r}), "
    numbers, exact = _numbers(f"{name}samples", samples), _one(f"{name}exact", exact)
    exact_error = given.number(f"{name}exact_error", exact_error, least=0)
    if numbers.ndim == 0 or numbers.size != len(numbers) or len(numbers) < 100:
        raise given.refuse(f"{name}samples", samples, "independent draws in one row (N,), at least 100")
    with np.errstate(invalid="ignore", over="ignore"):  # NaN and infinity are told in the sentence
        mean, error = float(numbers.mean()), math.hypot(numbers.std(ddof=1) / math.sqrt(len(numbers)), exact_error)
    off = abs(mean - exact) / error if error > 0 else (0.0 if mean == exact else math.inf)
    told = f"{mean:.5g} against {exact:.5g}, {off:.1f} standard errors apart"
    if not off <= 4:
        _settle(claim, False, "", f"{told}, more than 4")
    if slip is not None:
        slip = given.number(f"{name}slip", slip)
        away = abs(slip - exact) / error if error > 0 else (0.0 if slip == exact else math.inf)
        told += f"; the slip {slip:.5g} would be {away:.0f}"
        if away < 10:
            _settle(claim, False, "", f"{told}, too close to tell")
    _settle(claim, True, told, "", (off / 4, f"{off:.1f} of 4 standard errors"))


def check_fails(slip: str, attempt: Callable[[], None]) -> None:
    """Show that a wrong form fails: run ``attempt``, which makes the same check with it, and print what it said.

    Args:
        slip: the wrong form, in words.
        attempt: a function of no arguments that calls ``check`` or ``check_mean``. Only what these two raise of a claim that does
            not hold counts as failing; any other error, an ``assert`` of a broken attempt among them, comes out as it is.

    Raises:
        AssertionError: the wrong form passed, so the check is worth nothing.
        ValueError: no words, or no function.
    """
    given.text("slip", slip, "the wrong form, in words")
    given.function("attempt", attempt, "a function of no arguments: check_fails(slip, lambda: check(...))")
    outer = _open.get()
    token = _open.set(None)  # what holds on the way to the failure is no part of the proof
    try:
        with contextlib.redirect_stdout(None):
            attempt()
    except Failed as failure:
        refused = f"the slip fails ({slip}): {str(failure).removeprefix('✗ ')}"
    else:
        raise AssertionError(f"✗ {outer[0] + ': ' if outer else ''}the slip passes the check: {slip}")
    finally:
        _open.reset(token)
    _held(_Held(refused, slip=True))


def headline(text: str) -> None:
    """State a notebook's main result, a text, or ValueError; ``make course`` repeats it."""
    say(f"★ {given.text('text', text)}")


def _numbers(name: str, value) -> np.ndarray:
    """Real numbers as float64; a list of tensors or lists becomes one row."""
    tensors = getattr(sys.modules.get("torch"), "Tensor", ())  # where torch is not loaded, nobody has one
    if isinstance(value, tensors):
        value = given.here(name, value)
        array = (value if value.is_complex() or str(value.dtype) == "torch.bool" else value.double()).numpy()
    elif isinstance(value, (list, tuple)) and any(isinstance(each, (list, tuple, tensors)) for each in value):
        array = np.concatenate([_numbers(name, each).ravel() for each in value])
    else:
        array = np.asarray(value)
    # sympy's numbers are objects with a float; None has none
    if array.dtype == object and all(hasattr(each, "__float__") for each in array.ravel()):
        with contextlib.suppress(TypeError, ValueError):  # a symbol
            array = array.astype(float)
    if array.dtype.kind not in "iuf" or array.size == 0:
        raise given.refuse(name, value, "real numbers, at least one, or for a condition no bound")
    return array.astype(float)


def _one(name: str, value) -> float:
    """One real number; NaN and infinity are let through, since no claim holds with them."""
    array = _numbers(name, value)
    if array.size != 1:
        raise given.refuse(name, value, "one number")
    return float(array.item())


def _settle(claim: str, holds: bool, good: str, bad: str, nearness: tuple[float, str] | None = None) -> None:
    """Raise, or note that the claim holds; ``nearness``: how near its bound, from 0 to 1, and in words."""
    if not holds:
        within = _open.get()
        raise Failed(f"✗ {within[0] + ': ' if within else ''}{claim}: {bad}")
    _held(_Held(f"{claim}: {good}", *(nearness or ())))


def _held(each: _Held) -> None:
    within = _open.get()
    if within is None:
        say(f"✓ {each.line}")
    else:
        within[1].append(each)
