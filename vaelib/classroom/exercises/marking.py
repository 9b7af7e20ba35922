"""The marking of exercises: one check for each, with hints for the usual slips. For notebooks and tests only.

An untouched stub is "not attempted yet"; a right answer is praised; a wrong one raises with a hint.
"""

import functools
import sysconfig
import textwrap
import traceback
from collections.abc import Callable
from pathlib import Path

import torch

from vaelib.outside.console import say

UNATTEMPTED = "your turn"  # what a stub raises NotImplementedError with


class Wrong(AssertionError):
    """An exercise's answer is wrong; the message is a hint, in one line, and all of it that a notebook shows."""

    def _render_traceback_(self) -> list[str]:  # IPython asks for it: the marker's own frames would help nobody
        return [str(self)]


class Partly(Exception):
    """An exercise's answer is right as far as it goes; the message says what is missing."""


LIBRARIES = (
    sysconfig.get_path("stdlib"),
    str(Path(torch.__file__).parents[1]),
    str(Path(__file__).parents[2]),
    "<frozen",
)


def readers_line(error: Exception) -> traceback.FrameSummary | None:
    """The innermost line of a reader's that led to an exception, if there is one: not Python's, not a library's, not ours."""
    lines = traceback.extract_tb(error.__traceback__)
    return next((line for line in reversed(lines) if not line.filename.startswith(LIBRARIES)), None)


def short(words: str, most: int) -> str:
    """Words on one line, with … for what is too much."""
    return textwrap.shorten(words, most, placeholder=" …") if len(words.split()) > 1 else words[:most]


def raised(error: Exception) -> str:
    """What was raised, in one line, and from which line of the reader's; a bare assert says nothing but that line."""
    line, said = readers_line(error), short(str(error), 160)
    where = f"line {line.lineno}" + (f", `{short(line.line, 100)}`" if line.line else "") if line else ""
    if isinstance(error, AssertionError) and not said:
        return f"the assert in {where}" if where else "an assert"
    kind = "" if isinstance(error, AssertionError) else f"{type(error).__name__}: "
    return kind + said + (f" ({where})" if where else "")


def exercise(verify: Callable[[Callable], str]) -> Callable[[Callable], None]:
    """Turn ``verify(answer)``, which raises ``Wrong`` or ``Partly`` or returns praise, into an exercise's check.

    Its docstring's first word is the exercise's number. A stub that still raises NotImplementedError("your turn") is "not
    attempted yet"; any other exception of the answer counts as wrong.
    """
    number = verify.__doc__.split()[0]

    @functools.wraps(verify)
    def run(answer: Callable) -> None:
        try:
            praise = verify(answer)
        except Wrong as hint:
            raise Wrong(f"✗ exercise {number}: {hint}") from None
        except Partly as missing:
            say(f"◐ exercise {number}: {missing}")
            return
        except Exception as error:
            if isinstance(error, NotImplementedError) and str(error) == UNATTEMPTED:
                say(f"○ exercise {number}: not attempted yet")
                return
            raise Wrong(f"✗ exercise {number}: your function raised {raised(error)}") from error
        say(f"✓ exercise {number}: {praise}")

    return run


def finite_tensor(answer, shape: tuple[int, ...], what: str) -> torch.Tensor:
    """The answer, if it is a finite float tensor of ``shape``."""
    if not isinstance(answer, torch.Tensor):
        raise Wrong(f"{what} should be a tensor, and is {type(answer).__name__}.")
    if tuple(answer.shape) != shape:
        raise Wrong(f"{what} should have shape {shape}, and has {tuple(answer.shape)}.")
    if not answer.is_floating_point():
        raise Wrong(f"{what} should be floating point, and is {answer.dtype}.")
    if not bool(torch.isfinite(answer).all()):
        raise Wrong(f"{what} has entries that are not finite.")
    return answer


def near(a: torch.Tensor, b: torch.Tensor, tolerance: float) -> bool:
    """Whether two tensors have one shape, and no entries farther apart than ``tolerance``."""
    return a.shape == b.shape and float((a - b).detach().double().abs().max()) <= tolerance


def known_slips(got: torch.Tensor, right: torch.Tensor, hints: dict[str, torch.Tensor], tolerance: float) -> None:
    """Raise the hint whose wrong result the answer gave, where that result differs from the right one."""
    for hint, wrong in hints.items():
        if not near(right, wrong, tolerance) and near(got, wrong, tolerance):
            raise Wrong(hint)


def same_gradients(answer: Callable, wanted: dict[str, tuple[torch.Tensor, torch.Tensor]], tolerance: float) -> None:
    """Compare the gradients of the sum of ``answer(*inputs)``; ``wanted`` is name -> (input, its right gradient)."""
    inputs = [value.clone().requires_grad_() for value, _ in wanted.values()]
    total = answer(*inputs).sum()
    given = torch.autograd.grad(total, inputs, allow_unused=True) if total.requires_grad else [None] * len(inputs)
    for (name, (_, right)), gradient in zip(wanted.items(), given, strict=True):
        if gradient is None or not near(gradient, right, tolerance):
            raise Wrong(f"the values are right, the gradient in {name} is not: stay in PyTorch, without detach.")
