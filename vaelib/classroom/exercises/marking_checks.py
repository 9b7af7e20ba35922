"""The marking of checks that a reader writes, as notebook 08 sets them. For notebooks and tests only.

An answer here is a *check*: a function that is given a piece of code, runs it, and raises
AssertionError if the code is wrong. It is a good one if it passes right code, however written, and fails every mistake.
"""

import contextlib
import functools
import inspect
import io
import random
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch

from vaelib.classroom.exercises.marking import UNATTEMPTED, Partly, Wrong, exercise, raised, readers_line, short
from vaelib.outside import given
from vaelib.outside.console import say

# ---- what a check is given

_now = {"code": None, "strided": False}  # what is run when a check calls the function that it was given


def lent(*inputs, **named):
    """The function that a check is given. It is the same one for right and for wrong code: only what it does tells them apart.

    A tensor comes back with the numbers and the gradient that the code gave it, in memory of its own, laid out in one of two ways.
    """
    result = _now["code"](*inputs, **named)
    if not isinstance(result, torch.Tensor):
        return result
    return torch.stack((result, result), -1)[..., 0] if _now["strided"] else result.clone().contiguous()


class Case:
    """The code of one exercise: functions of the same arguments, each of which takes all that the exercise allows.

    number: the exercise's.  found: the mistake that the notebook shows.  right: right code, in several versions.
    others: other mistakes of the kind, by what is wrong with them.  lend: what the check is given.
    """

    def __init__(self, number: str, lend: Callable[[], Callable] = lambda: lent):
        self.number, self.lend = number, lend
        self.found: Callable
        self.right: list[Callable] = []
        self.others: dict[str, Callable] = {}

    def shown(self, function: Callable) -> Callable:
        """Decorator: the mistake that the notebook shows."""
        self.found = function
        return function

    def accepted(self, function: Callable) -> Callable:
        """Decorator: a version of right code."""
        self.right.append(function)
        return function

    def wrong(self, function: Callable) -> Callable:
        """Decorator: another mistake; its docstring says which."""
        self.others[function.__doc__] = function
        return function


# ---- the marking


class Marks(NamedTuple):
    """What came of a check: what it got wrong, as (words, code), whether it found all mistakes, and else why it was refused."""

    check: Callable
    wrong: list[tuple[str, Callable]]
    full: bool
    refused: str = ""


class Run(NamedTuple):
    """A check run once: how the result lay in memory, and what was raised, returned."""

    strided: bool
    error: Exception | None
    returned: object = None


RIGHT, FOUND, OTHERS = 4, 8, 2  # so often, at least, is each version of right code run, the mistake, each other mistake
SECONDS, MOST = 0.5, 200  # right code is run on for so long, or so often
MARKED: dict[str, Marks] = {}  # exercise -> what came of the check that its marker was last given


def verdict(case: Case, check: Callable, seed: int | None = None) -> Marks:
    """Run a check many times on right and on wrong code; on wrong code any exception is a find: None has no gradient, for one.

    The order is drawn anew each time, with the mistake first and right code last, so that a check that counts its calls or keeps
    what it saw first is not believed. Each run has another state of the global random generators. Whoever tosses a coin, of
    whatever bias p, is believed with a probability of at most max p^8 (1 - p)^12 = 1.4e-6 (three versions of right code).
    Who fails right code by chance in 1 of 50 runs, and needs 2 ms, is refused in 98 of 100 cases.

    Args:
        seed: of the order; None for another one each time.

    Raises:
        Wrong: the check fails right code, passes the mistake, returns False, or does not always say the same.
        NotImplementedError: the check is an untouched stub.
    """
    runs = _runs(case, check, random.Random(seed))
    failed = [each for each in case.right if any(r.error for r in runs[each])]
    if failed:
        fickle = any(not r.error for each in failed for r in runs[each])
        which = f"version {case.right.index(failed[0]) + 1}" if len(failed) < len(case.right) else "all"
        which = f"right code ({which} of {len(case.right)})"
        words = _unsteady([r for each in case.right for r in runs[each]]) if fickle else ""
        MARKED[case.number] = Marks(check, [(which, failed[0])], False, words)
        if fickle:
            raise Wrong(words)
        raise Wrong(f'{_refused(which, runs[failed[0]][0].error)}. As code: show_missed("{case.number}").')
    passed = [r for r in runs[case.found] if not r.error]
    missed = [(name, each) for name, each in case.others.items() if not all(r.error for r in runs[each])]
    MARKED[case.number] = marks = Marks(check, [] if passed else missed, not (passed or missed))
    if 0 < len(passed) < len(runs[case.found]):
        words = _fickle("passes the mistake", len(passed), len(runs[case.found]))
        MARKED[case.number] = marks._replace(refused=words)
        raise Wrong(words)
    if passed:
        MARKED[case.number] = marks._replace(
            refused="your check passes the mistake that the notebook shows. Catch that one first."
        )
        mute = not any(r.error for tried in runs.values() for r in tried)
        told = short(repr(passed[0].returned), 40)
        but = f" (that it returned {told} counts for nothing: it must raise)" if told != "None" else ""
        raise Wrong(
            f"your check passes the mistake{but}: for which inputs, or which gradients, do right and wrong differ?"
            + " (It raised on nothing: `assert (…, …)`, with brackets round both, never does.)" * mute
        )
    return marks


def _runs(case: Case, check: Callable, drawn: random.Random) -> dict[Callable, list[Run]]:
    """code -> what came of the check's runs on it."""
    runs: dict[Callable, list[Run]] = {each: [] for each in (*case.right, case.found, *case.others.values())}

    def run(each):
        runs[each].append(_run(case, check, each, len(runs[each]) % 2 == 1, drawn.getrandbits(32)))

    trials = case.right * (RIGHT - 2) + [case.found] * (FOUND - 1) + list(case.others.values()) * OTHERS
    drawn.shuffle(trials)
    end = time.monotonic() + SECONDS
    for each in (case.found, *case.right, *trials, *case.right):
        run(each)
    for k in range(MOST - RIGHT * len(case.right)):  # whoever fails right code by chance shows it in the end
        if time.monotonic() > end or any(r.error for each in case.right for r in runs[each]):
            break
        run(case.right[k % len(case.right)])
    return runs


def _run(case: Case, check: Callable, each: Callable, strided: bool, seed: int) -> Run:
    _now.update(code=each, strided=strided)
    try:
        with _elsewhere(seed), contextlib.redirect_stdout(io.StringIO()):
            returned = check(case.lend())
    except NotImplementedError as error:
        if str(error) == UNATTEMPTED:
            raise
        return Run(strided, error)
    except Exception as error:
        return Run(strided, error)
    finally:
        _now.update(code=None)
    if _is_false(returned):
        raise Wrong(
            "your check returned False: it must raise, by `assert`, where the code is wrong. What it returns is not read."
        )
    return Run(strided, None, returned)


def _is_false(returned) -> bool:
    single = isinstance(returned, (bool, np.bool_)) or (isinstance(returned, torch.Tensor) and returned.numel() == 1)
    return single and not returned


@contextlib.contextmanager
def _elsewhere(seed: int) -> Iterator[None]:
    """Another state of the global generators; afterwards those of the reader again, and PyTorch's other settings."""
    states = torch.get_rng_state(), np.random.get_state(), random.getstate()  # noqa: NPY002
    dtype, grad = torch.get_default_dtype(), torch.is_grad_enabled()
    torch.default_generator.manual_seed(seed)  # torch.manual_seed would seed a GPU, too
    np.random.seed(seed)  # noqa: NPY002
    random.seed(seed)
    try:
        yield
    finally:
        torch.set_rng_state(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
        random.setstate(states[2])
        torch.set_default_dtype(dtype)
        torch.set_grad_enabled(grad)


def _refused(which: str, error: Exception) -> str:
    """Why a check that fails a version of right code every time is refused."""
    if isinstance(error, AssertionError):
        return f"your check fails {which}: {raised(error)}"
    if _by_the_code(error, lent):
        return f"{which} raised {raised(error)}, on what your check gave it: the exercise says what it takes"
    return f"your check raised {raised(error)}, on {which}"


def _unsteady(runs: list[Run]) -> str:
    """Why a check that fails right code at some times and passes it at others is refused."""
    failed = [r for r in runs if r.error]
    words = raised(failed[0].error)
    if all(bool(r.error) == (r.strided == failed[0].strided) for r in runs):
        return (
            f"your check fails right code when the result lies otherwise in memory: {words}. Look at its numbers only."
        )
    return f"{_fickle('fails right code', len(failed), len(runs))} It says: {words}."


def _fickle(what: str, n: int, of: int) -> str:
    return (
        f"your check does not always say the same: it {what} in {n} of {of} runs. "
        "Does it draw without a seed and allow too little for chance, or keep something from run to run?"
    )


def _by_the_code(error: Exception, function: Callable) -> bool:
    """Whether an exception came out of this function, and not out of what a check handed to it."""
    target = getattr(inspect.unwrap(function), "__code__", None)
    line, inside, trace = readers_line(error), False, error.__traceback__
    while trace:
        if trace.tb_frame.f_code is target:
            inside = True
        elif line and trace.tb_frame.f_code.co_filename == line.filename and trace.tb_lineno == line.lineno:
            inside = False
        trace = trace.tb_next
    return inside


_NAME = "the name of your {}, without brackets behind it"


def _guard(guard: Callable, *inputs: object) -> None:
    """A guard whose refusal a notebook shows as one line, as it shows a marker's."""
    try:
        guard(*inputs)
    except ValueError as error:
        raise Wrong(str(error)) from None


def marking(what: str, case: Case) -> Callable[..., None]:
    """The marker of an exercise whose answer is a check of ``what``, held against all code of ``case``."""

    def verify(check: Callable) -> str:
        _guard(given.function, "check", check, _NAME.format("check"))
        MARKED.pop(case.number, None)
        marks, n = verdict(case, check), len(case.others)
        if marks.full:
            return f"full marks: right code passes; the mistake fails, and so do all {n} others of its kind."
        names = "; ".join(name for name, _ in marks.wrong)
        found = n - len(marks.wrong)
        others = f"and {found} of {n} others of its kind" if found else f"but none of {n} others of its kind"
        raise Partly(
            f'right code passes; the mistake fails, {others}. Missed: {names}. As code: show_missed("{case.number}").'
        )

    verify.__doc__ = f"{case.number} a check of {what}."
    mark = exercise(verify)
    return functools.wraps(mark)(lambda check=None: mark(check))  # without a check, too, one line says what is wanted


def show_missed(number: str) -> None:
    """Print, as code, what a reader's check got wrong when its marker last ran: mistakes that it missed, right code that it failed.

    Args:
        number: the exercise's, such as "08.1".

    Raises:
        Wrong: there is no such number.
    """
    _guard(given.one_of, "number", number, [f"08.{k}" for k in range(1, 11)])
    if number not in MARKED:
        say(f"○ nothing to show yet: first give a check to the marker of {number}")
        return
    if MARKED[number].full:
        say(f"exercise {number}: your check found every mistake.")
    if MARKED[number].refused:
        say(f"exercise {number}: {MARKED[number].refused}")
    for words, each in MARKED[number].wrong:
        lines = inspect.getsource(each).splitlines()[1:]  # without the line that puts it into its case
        say("\n".join((f"# {words}", *(line for line in lines if words not in line), "")))


def mended(check: Callable, code: Callable) -> None:
    """Run a reader's check on the reader's code, and say how it went; nothing is raised for what is still to be done.

    A check is asked only if its marker has given it full marks.

    Raises:
        Wrong: one of the two is no function, or the check does not come first.
    """
    _guard(given.function, "check", check, _NAME.format("check"))
    _guard(given.function, "code", code, _NAME.format("mended code"))
    if any(marks.check is code for marks in MARKED.values()):
        raise Wrong(
            "your check stands where the mended code belongs: the check comes first, as in mended(expose_kl, kl)."
        )
    words = None
    try:
        if _is_false(check(code)):
            words = "your check returned False"
    except Exception as error:
        if isinstance(error, NotImplementedError) and str(error) == UNATTEMPTED:
            say("○ write the check first")
            return
        if isinstance(error, AssertionError):
            words = f"your check says: {raised(error)}"
        else:
            words = f"your {'code' if _by_the_code(error, code) else 'check'} raised {raised(error)}"
    marks = [marks for marks in MARKED.values() if marks.check is check]
    if not marks:
        say("○ first a check that its marker accepts")
    elif not marks[-1].full:
        say("○ first a check that finds every mistake: this one would believe wrong code, too")
    elif words:
        say(f"○ not mended yet: {words}")
    else:
        say("✓ mended: it passes your check")
