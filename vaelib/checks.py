"""Checks of claims. For notebooks and tests only.

A check prints a line that starts with ✓ and carries the measured number, or raises with it. Nothing is ever skipped silently.
"""

import contextlib
import math
from collections.abc import Callable

import numpy as np
import torch

from vaelib.console import say


def check(claim: str, value, tolerance: float | None = None, *, at_least: float | None = None) -> None:
    """Check a claim: print ✓ with the measured number, or raise.

    Args:
        claim: a sentence; starts with its ledger ID where it has one.
        value: with neither bound, a condition (bool, or a tensor of bools that must all hold); with ``tolerance``, a difference
            (number or tensor) whose largest magnitude must not exceed it; with ``at_least``, a number or tensor whose smallest
            entry must reach it.

    Raises:
        AssertionError: the claim does not hold. NaN never holds.
        ValueError: not a condition, and no bound (or two) given; or nothing to look at.
    """
    if tolerance is None and at_least is None:
        if isinstance(value, (bool, np.bool_)):
            holds = bool(value)
        elif getattr(value, "dtype", None) in (torch.bool, np.dtype(bool)) and math.prod(value.shape) > 0:
            holds = bool(value.all())
        else:
            raise ValueError(
                f"check({claim!r}) was given {type(value).__name__} and no bound: give a condition, a tolerance or at_least."
            )
        _settle(claim, holds, "holds", "does not hold")
        return
    if tolerance is not None and at_least is not None:
        raise ValueError(f"check({claim!r}) was given both a tolerance and at_least: one claim, one bound.")
    numbers = _numbers(claim, value)
    if tolerance is not None:
        worst = float(np.abs(numbers).max())
        _settle(claim, worst <= tolerance, f"{worst:.3g} ≤ {tolerance:.3g}", f"{worst:.3g} is not ≤ {tolerance:.3g}")
    else:
        least = float(numbers.min())
        _settle(claim, least >= at_least, f"{least:.3g} ≥ {at_least:.3g}", f"{least:.3g} is not ≥ {at_least:.3g}")


def check_mean(claim: str, samples, exact: float, *, slip: float | None = None, exact_error: float = 0.0) -> None:
    """Check that ``samples`` have the mean ``exact``: within 4 standard errors.

    Args:
        samples: independent draws, (N,), N at least 100.
        exact: the mean from another computation.
        slip: what a usual mistake would give. It must lie at least 10 standard errors from ``exact``, or the check is too weak to
            tell the two apart, and fails.
        exact_error: the standard error of ``exact`` itself, where it comes from other draws; it is added to that of the mean.

    Raises:
        AssertionError: the mean is off, or the check could not have told.
        ValueError: fewer than 100 draws.
    """
    numbers = _numbers(claim, samples).ravel()
    if len(numbers) < 100:
        raise ValueError(f"check_mean({claim!r}) was given {len(numbers)} draws: use at least 100.")
    mean, error = numbers.mean(), math.hypot(numbers.std(ddof=1) / math.sqrt(len(numbers)), exact_error)
    off = abs(mean - exact) / error if error > 0 else (0.0 if mean == exact else math.inf)
    told = f"{mean:.5g} against {exact:.5g}, {off:.1f} standard errors apart"
    if slip is not None:
        away = abs(slip - exact) / error if error > 0 else math.inf
        told += f"; the slip {slip:.5g} would be {away:.0f}"
        if away < 10:
            _settle(claim, False, "", f"{told}, too close to tell")
    _settle(claim, off <= 4, told, f"{told}, more than 4")


def check_fails(slip: str, attempt: Callable[[], None]) -> None:
    """Show that a wrong form fails: run ``attempt``, which makes the same check with it, and print what it said.

    Args:
        slip: the wrong form, in words.
        attempt: a function of no arguments that calls ``check`` or ``check_mean``.

    Raises:
        AssertionError: the wrong form passed, so the check is worth nothing.
    """
    try:
        with contextlib.redirect_stdout(None):
            attempt()
    except AssertionError as failure:
        say(f"✓ the slip fails ({slip}): {str(failure).removeprefix('✗ ')}")
        return
    raise AssertionError(f"✗ the slip passes the check: {slip}")


def headline(text: str) -> None:
    """State a notebook's main result; ``make course`` repeats it."""
    say(f"★ {text}")


def _numbers(claim: str, value) -> np.ndarray:
    try:
        if value is None:  # NumPy would make a NaN of it
            raise TypeError("something forgot to return it")
        numbers = (
            value.detach().double().cpu().numpy() if isinstance(value, torch.Tensor) else np.asarray(value, dtype=float)
        )
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"check({claim!r}) was given {type(value).__name__}, which is not a number: {error}."
        ) from error
    if numbers.size == 0:
        raise ValueError(f"check({claim!r}) was given an empty {type(value).__name__}: there is nothing to look at.")
    return numbers


def _settle(claim: str, holds: bool, good: str, bad: str) -> None:
    if not holds:
        raise AssertionError(f"✗ {claim}: {bad}")
    say(f"✓ {claim}: {good}")
