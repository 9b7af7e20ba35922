"""Bad input to every public name of vaelib ends in one sentence of vaelib's own, or in a result that the docstring allows.

The calls are made from the valid ones of tests/calls.py: each argument in turn is replaced by what does not belong there.

    python tests/test_bad_input.py            a table by module
    python tests/test_bad_input.py MODULE     what fails in that module
"""

import ast
import contextlib
import functools
import importlib
import inspect
import io
import math
import numbers
import os
import re
import signal
import socket
import sys
import traceback
import types
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

if __name__ == "__main__":
    import conftest  # noqa: F401 -- the data folder and matplotlib's backend

import calls
import numpy as np
import pytest
import sympy as sp
import torch
import torch._dynamo  # torch.func loads it at its first use, which takes seconds
from calls import CALLS, MODULES, OUTSIDE, Arg, arguments, equal, parts, plain, public_names, run, state_of
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from torch import nn

import vaelib
from vaelib.outside.files import DataError, WriteError

_ = torch.ones(1, device="meta") / 3  # loads what works there, which takes seconds, too
SECONDS = 5  # for a call
LONGEST = 500  # characters of a message
KINDS = (ValueError, FloatingPointError, DataError, WriteError)
# how a call may end
REFUSED = "in one sentence of vaelib's own"
SAME = "in the valid call's result"
MAYBE_SAME = "in that sentence, or in the valid call's result"
LIKE = "in that sentence, or in a finite result like the valid call's"
SHOWN = "in that sentence, or in a result that is not finite either: what shows does no silent harm, and train.fit stops at it"
OTHER_KIND = "in that sentence"
EMPTY = "in that sentence, or in an empty result"


class Boom(Exception):
    """What a function or a model that the user wrote raises. It passes through."""


class Replaced(NamedTuple):
    """What stands in an argument's place, in words; and how the call must end."""

    words: str
    value: Any
    end: str


# ---- what is accepted although it looks wrong: (name, argument, words), each a regular expression -> why
BROADCAST = "parameters and leading dimensions broadcast, as the docstring says"
LIMIT = "a formula has limits"
STANDS_IN = "it may lie anywhere and is moved; the device that stands in for another here holds no numbers to move"
DRAWN = "uint8 images and points of integers can be drawn"
MANY = "several numbers, integers and conditions are looked at, too"
OWN = "any words will do, but none"
ALLOWED: dict[tuple[str, str, str], str] = {
    (r"gradients\.score_function.*", "baseline", r"3|.*: 1\.5"): "a baseline is a number, or a dict of numbers",
    (r"nets\.eval_mode", "model", "NaN weights"): "the weights are not looked at",
    (r"gradients\.(categorical|straight_through|gumbel_softmax)", "logits|eps", "a dimension .*|one row"): BROADCAST,
    (r"distributions\.(DiagGaussian|Gaussian|Bernoulli)\..*", ".*", "(.*: )?(a dimension .*|one row)"): BROADCAST,
    (r"bounds\.log_weights", "q", ".*: (a dimension .*|one row)"): BROADCAST,
    (r"distributions\.Bernoulli\.(mean|sample)", "logits", "an infinity .*"): LIMIT,
    (r"distributions\.DiscretizedLogisticMixture\.log_prob", "means|log_scales|coefficients", "an infinity .*"): LIMIT,
    (r"symbolic\.equal", "left|right", "NaN|infinity"): "it is not equal, and False is said",
    (r"vqvae\.save_codes", "codes", "another device"): STANDS_IN,
    (
        r"vqvae\.save_codes",
        "model",
        "NaN weights",
    ): "the file says of which model its codes are, whatever that one is worth",
    (r"vqvae\.save_codes", "codes", "no row"): "a file of no page can be read again",
    (r"plots\..*", ".*", "(.*: )?(uint8|int32|int64)"): DRAWN,
    (r"plots\.animation", "path", "a path through a file"): "it says that it was not saved, and returns the bytes",
    (
        r"(downloads\.folder|data\.load · built in)",
        "root",
        "a path through a file",
    ): "where nothing can be kept, glyphs are drawn anew, and it says so",
    (r"checks\.proof|telling\..*|console\.show", "claim|sentence|more|less|level|name|text|html", "another word"): OWN,
    (r"lines\.(judge|tex)", "line", "another word"): OWN,
    (r"checks\.check.*", "value|samples", r"True|1\.5|a list|two numbers .*|uint8|int32|int64|an infinity .*"): MANY,
    (
        r"evaluate\.Likelihood\..*|compare\.mean_of",
        ".*",
        "(.*: )?one row",
    ): "the mean of one number has no standard error",
    (r"evaluate\.Likelihood\..*", ".*", "(.*: )?another device"): "evaluate.nll makes it, on the CPU",
    (r"evaluate\.bits_per_dim.*", "nats", r"1\.5|two numbers .*"): MANY,
}


# ---- what stands in an argument's place

NONE = {
    "None": None,
    "a text": "nonsense",
    "a list": [1, 2],
    "a dict": {},
    "an object": object(),
    "NaN": math.nan,
}


ANY_TENSOR = (
    *("int64", "int32", "uint8", "float32", "float64", "float16", "bool", "complex"),
    *("a NaN among the numbers", "an infinity among the numbers"),
)


def without(*words: str) -> list[Replaced]:
    return [Replaced(key, value, REFUSED) for key, value in NONE.items() if key not in words]


def instead_of(value: Any, others: list[Any]) -> Iterator[Replaced]:
    """What to give in place of an argument. ``others``: the call's other arguments."""
    kind, bounds = (value.kind, value.bounds) if isinstance(value, Arg) else ("", None)
    value = value.value if isinstance(value, Arg) else value
    if kind == "anything":
        return
    if isinstance(value, torch.Tensor):
        for each in instead_of_a_tensor(value, bounds, others):
            if not (kind == "any tensor" and each.words in ANY_TENSOR):
                yield each
    elif kind.startswith("word"):
        yield from [*without("a text"), Replaced("another word", "nonsense", REFUSED)]
        yield Replaced("no word", "", LIKE if kind == "word or none" else REFUSED)
        yield from [Replaced("bytes", value.encode(), REFUSED), Replaced("3", 3, REFUSED)]
    elif isinstance(value, (bool, np.bool_)):
        yield from [*without(), Replaced("1.5", 1.5, REFUSED), Replaced("2", 2, REFUSED)]
        yield Replaced("NumPy's", np.bool_(value), SAME)
    elif isinstance(value, int):
        yield from [*without(), Replaced("True", True, REFUSED), Replaced("infinity", math.inf, REFUSED)]
        yield from [Replaced(repr(x), x, REFUSED) for x in (1.5, 2**70, "3")]
        yield Replaced("-1", -1, REFUSED)
        yield Replaced("0", 0, LIKE if kind == "natural" else REFUSED)
        yield from [Replaced(f"NumPy's {kind.__name__}", kind(value), SAME) for kind in (np.int64, np.int32)]
        yield Replaced("a float32 of NumPy's", np.float32(value), MAYBE_SAME)
        yield Replaced("a tensor of one", torch.tensor(value), SAME)
        yield Replaced("two numbers in a tensor", torch.tensor([value, value]), REFUSED)
    elif isinstance(value, float):
        yield from [*without(), Replaced("True", True, REFUSED), Replaced("a complex number", 1j, REFUSED)]
        yield from [Replaced(repr(x), x, REFUSED) for x in (math.inf, -math.inf, "0.5")]
        yield Replaced("-1", -1, REFUSED if kind else LIKE)
        yield Replaced("0", 0, REFUSED if kind == "positive" else LIKE)
        yield Replaced("1.5", 1.5, REFUSED if kind == "share" else LIKE)
        yield from [Replaced(f"NumPy's {kind.__name__}", kind(value), SAME) for kind in (np.float64, np.float32)]
        yield Replaced("a tensor of one", torch.tensor(value), SAME)
        yield Replaced("two numbers in a tensor", torch.tensor([value, value]), REFUSED)
    elif isinstance(value, str):
        yield from [*without("a text"), Replaced("3", 3, REFUSED), Replaced("bytes", b"a", REFUSED)]
        yield Replaced("no text", "", LIKE)
    elif isinstance(value, Path):
        yield from without("a text")
        yield from [Replaced("3", 3, REFUSED), Replaced("a zero byte", "a\0b", REFUSED)]
        there = calls.fresh()
        there.write_text("no folder")
        yield Replaced("a path through a file", there / "a", REFUSED)
        yield Replaced("a text", str(value), SAME)
    elif isinstance(value, torch.device):
        yield from [*without(), Replaced("True", True, REFUSED)]
        yield Replaced("what is not here", torch.device("cuda:7"), REFUSED)
        yield Replaced("a text that is no device", "cuda:²", REFUSED)
        yield Replaced("its name", str(value), MAYBE_SAME)
    elif isinstance(value, torch.dtype):
        yield from [*without(), Replaced("integers", torch.int64, REFUSED), Replaced("a word", "float32", REFUSED)]
    elif isinstance(value, torch.Generator):
        yield from [*without(), Replaced("a seed", 0, REFUSED), Replaced("a device", torch.device("cpu"), REFUSED)]
        yield Replaced("NumPy's", np.random.default_rng(0), REFUSED)
    elif isinstance(value, nn.Module):
        yield from instead_of_a_module(value)
    elif isinstance(value, sp.Basic):
        yield from [
            *without("a text", "NaN"),
            Replaced("NaN", math.nan, SHOWN),
            Replaced("a tensor", torch.ones(2), REFUSED),
            Replaced("0", 0, LIKE),
        ]
        yield Replaced("infinity", math.inf, SHOWN)
    elif isinstance(value, dict):
        yield from [*without("a dict"), Replaced("3", 3, REFUSED), Replaced("nothing", {}, REFUSED)]
        key, first = next(iter(value.items()))
        for each in instead_of(first, others):
            yield Replaced(f"{key!r}: {each.words}", value | {key: each.value}, each.end)
    elif hasattr(value, "_fields"):
        yield from [*without(), Replaced("a tensor", torch.ones(2), REFUSED)]
        for field in value._fields:
            beside = [getattr(value, other) for other in value._fields if other != field]
            for each in instead_of(getattr(value, field), [*others, *beside]):
                yield Replaced(f"{field}: {each.words}", value._replace(**{field: each.value}), each.end)
    elif hasattr(value, "__dataclass_fields__"):  # its fields were looked at when it was made
        yield from [*without(), Replaced("a tensor", torch.ones(2), REFUSED)]
    elif isinstance(value, (tuple, list)):
        yield from instead_of_several(value, others, empty=LIKE if kind in ("naturals", "sizes or none") else REFUSED)
    elif callable(value):
        yield from [*without(), Replaced("3", 3, REFUSED)]
        results = {"None": None, "a text": "text", "a matrix": torch.ones(2, 7), "NaN": math.nan}
        for words, result in results.items() if kind != "any function" else ():
            end = SHOWN if words == "NaN" else REFUSED
            yield Replaced(f"a function that returns {words}", lambda *_, _it=result, **__: _it, end)
        yield Replaced("a function that raises", raises, "Boom")
    elif value is not None:
        raise TypeError(
            f"tests/calls.py has an argument of type {type(value).__name__}: say here what to put in its place."
        )


def raises(*_, **__):
    raise Boom("mine")


def instead_of_a_tensor(value: torch.Tensor, bounds: tuple | None, others: list[Any]) -> Iterator[Replaced]:
    yield from [*without("a list"), Replaced("True", True, REFUSED), Replaced("1.5", 1.5, REFUSED)]
    yield from [Replaced("a NumPy array", value.numpy(), MAYBE_SAME), Replaced("a list", value.tolist(), MAYBE_SAME)]
    floating = value.is_floating_point()
    for dtype in (torch.int64, torch.int32, torch.uint8, torch.float32, torch.float64, torch.float16, torch.bool):
        if dtype != value.dtype:
            alike = dtype.is_floating_point == floating and (
                floating or (dtype == torch.bool) == (value.dtype == torch.bool)
            )
            end = OTHER_KIND if not alike else LIKE if floating else MAYBE_SAME
            yield Replaced(str(dtype).removeprefix("torch."), value.to(dtype), end)
    yield Replaced("complex", value.to(torch.complex64), OTHER_KIND)
    rows = [t for t in tensors_in(others) if t.dim() and value.dim() and len(t) == len(value) == calls.B]
    end = REFUSED if rows else LIKE
    yield Replaced("a dimension more", value[None], end)
    yield Replaced("a dimension less", value[0] if value.dim() else value, REFUSED if value.dim() == 0 else end)
    for d in range(1, value.dim()):
        yield Replaced(f"one more along {d}", torch.cat((value, value.narrow(d, 0, 1)), d), LIKE)
    yield Replaced("one row", value[:1], end)
    yield Replaced("a row more", torch.cat((value, value[:1])), end)
    yield Replaced("no row", value[:0], EMPTY)
    if floating:
        for words, number in (("a NaN", math.nan), ("an infinity", math.inf)):
            wrong = value.clone()
            wrong.view(-1)[0] = number
            yield Replaced(f"{words} among the numbers", wrong, SHOWN)
    if bounds is not None:
        low, high = value.clone(), value.clone()
        low.view(-1)[0], high.view(-1)[0] = bounds[0] - 1, bounds[1] + 1
        if value.dtype != torch.uint8:
            yield Replaced("a number below", low, REFUSED)
        yield Replaced("a number above", high, REFUSED)
    alone = not tensors_in(others) and not any(isinstance(other, (nn.Module, torch.Generator)) for other in others)
    yield Replaced("another device", value.to("meta"), LIKE if alone else REFUSED)


def instead_of_a_module(value: nn.Module) -> Iterator[Replaced]:
    yield from [*without(), Replaced("3", 3, REFUSED), Replaced("its class", type(value), REFUSED)]
    yield Replaced("a function", lambda *_, **__: None, REFUSED)
    if hasattr(value, "sample") or hasattr(value, "decode") or hasattr(value, "lookup"):
        yield Replaced("another module", nn.Linear(2, 2), REFUSED)
    wrong = [*value.parameters(), *value.buffers()]
    with torch.no_grad():
        for each in wrong:
            if each.is_floating_point():
                each.fill_(math.nan)
    yield Replaced("NaN weights", value, SHOWN)


def instead_of_several(value: tuple | list, others: list[Any], empty: str) -> Iterator[Replaced]:
    yield from [*without("a list", "a dict"), Replaced("nothing", type(value)(), empty)]
    if all(type(each) is int for each in value):
        yield from [Replaced("one number", value[0], REFUSED), Replaced("a list of them", list(value), SAME)]
        yield Replaced("a NumPy array of them", np.array(value), SAME)
        yield from [
            Replaced(f"{x} among them", type(value)((*value[:-1], x)), REFUSED)
            for x in (None, "a", 1.5, math.nan, -1, True, 2**70)
        ]
        yield Replaced("NumPy's integers", type(value)(np.int64(x) for x in value), SAME)
        yield Replaced("0 among them", type(value)((*value[:-1], 0)), empty)
        yield Replaced("one more", type(value)((*value, value[-1])), LIKE)
        if len(value) > 1:
            yield Replaced("one fewer", value[:-1], LIKE)
        return
    if isinstance(value[0], float):
        for words in ("None", "a text", "NaN"):
            yield Replaced(f"{words} among them", type(value)((NONE[words], *value[1:])), REFUSED)
        yield Replaced("infinity among them", type(value)((math.inf, *value[1:])), REFUSED)
        return
    for each in instead_of(value[0], [*others, *value[1:]]):
        yield Replaced(f"first: {each.words}", type(value)((each.value, *value[1:])), each.end)


def tensors_in(values: Any) -> list[torch.Tensor]:
    """All tensors among arguments, and in their dicts, lists and fields; not those of modules."""
    if isinstance(values, Arg):
        return tensors_in(values.value)
    if isinstance(values, torch.Tensor):
        return [values]
    if isinstance(values, dict):
        return tensors_in(list(values.values()))
    return [t for each in values for t in tensors_in(each)] if isinstance(values, (list, tuple)) else []


# ---- one call and its end


class Call(NamedTuple):
    """A call of ``name`` in which ``words`` stands in the place of ``argument``; how it ended, and what is wrong with that, if anything."""

    name: str
    argument: str
    words: str
    ended: str
    wrong: str

    def __str__(self) -> str:
        return f"{self.name}({self.argument} = {self.words}): {self.wrong}"


class TooLong(BaseException):
    """Not an Exception, so that no except catches it."""


def _stop(*_):
    raise TooLong


@contextlib.contextmanager
def surroundings():
    """Nothing reaches the network; figures are drawn small, without a layout and without numbers at their axes."""
    save = Figure.savefig
    with (
        mock.patch.object(socket, "getaddrinfo", side_effect=OSError("no network")),
        mock.patch.object(ConstrainedLayoutEngine, "execute"),
        mock.patch.object(Axis, "draw"),
        mock.patch.object(Figure, "savefig", lambda self, *args, **kwargs: save(self, *args, **kwargs | {"dpi": 20})),
    ):
        yield


@pytest.fixture(scope="module", autouse=True)
def _surroundings():
    with surroundings():
        yield


@contextlib.contextmanager
def watched():
    """Warnings are errors, and what is printed is given."""
    with (
        torch.enable_grad(),  # a call that was stopped may have left it off
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()) as out,
        contextlib.redirect_stderr(out),
    ):
        warnings.simplefilter("error")
        yield out


def attempt(name: str, given: dict[str, Any], seconds: float = SECONDS) -> tuple[Any, BaseException | None, str]:
    """A call's result, its exception, and what was printed."""
    before = signal.signal(signal.SIGALRM, _stop)
    result = error = None
    torch.manual_seed(0)
    with watched() as out:
        try:
            signal.setitimer(signal.ITIMER_REAL, seconds)
            result = run(name, given)
        except BaseException as caught:
            error = caught
        else:
            signal.setitimer(signal.ITIMER_REAL, 0)
            assert torch.is_grad_enabled(), f"{name} leaves the computation of gradients off"
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
    return result, error, out.getvalue()


def sweep(name: str) -> Iterator[Call]:
    """Every call of ``name`` with one argument replaced."""
    expected, error, printed = attempt(name, plain(arguments(name)), 60)  # the first call loads what it needs
    yield judged(name, "nothing", Replaced("replaced", None, LIKE), expected, error, printed, expected)
    expected = error or expected  # where nothing can be downloaded, say
    for argument in list(arguments(name)):
        if argument == "self" and not name.endswith(".sample"):
            continue
        optional = default_is_none(name, argument)
        marked = arguments(name)
        others = [value for key, value in marked.items() if key != argument]
        for replaced in list(instead_of(marked[argument], others)):
            if (replaced.words == "None" and optional) or (argument == "self" and replaced.words != "NaN weights"):
                continue
            given = plain(arguments(name) | {argument: replaced.value})
            if name.startswith("train.fit") and isinstance(given["model"], nn.Module):
                given["model"].eval()  # as fit leaves it, however it ends
            before = state_of(given)
            outcome = attempt(name, given)
            call, after = judged(name, argument, replaced, *outcome, expected), state_of(given)
            if outcome[1] is None:  # weights may learn
                before, after = ([mode for mode, _ in each] for each in (before, after))
            if not call.wrong and isinstance(outcome[1], (ValueError, type(None))) and not equal(after, before):
                call = call._replace(ended="opaque", wrong="a model is no longer what it was")
            yield call


@functools.cache
def default_is_none(name: str, argument: str) -> bool:
    public = public_names()[name.partition(" · ")[0]]
    if isinstance(public.value, property):
        return False
    if argument == "generator":
        return True
    parameter = inspect.signature(public.value).parameters.get(argument)
    return parameter is not None and parameter.default is None


def judged(name, argument, replaced, result, error, printed, expected) -> Call:
    ended, wrong = "result", ""
    if "Traceback" in printed:
        ended, wrong = "opaque", "a traceback was printed"
    elif isinstance(error, Boom) and replaced.end == "Boom":
        ended = "refused"
    elif isinstance(error, TooLong):
        ended, wrong = "opaque", f"it does not end in {SECONDS} s"
    elif error is not None:
        ended = "refused"
        wrong = fault_of(error, name, argument)
        if wrong and replaced.end in (LIKE, MAYBE_SAME, SHOWN, OTHER_KIND) and in_users_code(error):
            ended, wrong = "refused", ""  # what the user wrote does not take it either
        elif wrong:
            ended = "opaque"
        elif replaced.end == SAME and str(error) != str(expected):
            ended, wrong = "refused", f"refused, and it is as good as the valid one: {error}"
    elif replaced.end in (REFUSED, OTHER_KIND, "Boom"):
        wrong = f"accepted: {told(result)}"
    elif replaced.end in (SAME, MAYBE_SAME) and not equal(result, expected):
        wrong = f"another result than the valid call's: {told(result)} against {told(expected)}"
    elif replaced.end == SHOWN and not (finite(expected) and not finite(result)):
        wrong = f"accepted, and what is not finite does not show: {told(result)}"
    elif replaced.end == EMPTY and not (tensors_in(result) and all(t.numel() == 0 for t in tensors_in(result))):
        wrong = f"accepted, and the result is not empty: {told(result)}"
    elif replaced.end == LIKE:
        wrong = unlike(result, expected, meta=replaced.words.endswith("another device"))
    if wrong and ended == "result":
        ended = "accepted"
    if wrong and allowed(name, argument, replaced.words):
        ended, wrong = "allowed", ""
    return Call(name, argument, replaced.words, ended, wrong)


USED: set[tuple[str, str, str]] = set()


def allowed(name: str, argument: str, words: str) -> bool:
    for key in ALLOWED:
        if all(re.fullmatch(part, given) for part, given in zip(key, (name, argument, words), strict=True)):
            USED.add(key)
            return True
    return False


def told(value: Any) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) < 80 else f"{text[:77]}..."


# ---- how a call may end

FOLDER = Path(vaelib.__file__).parent


@functools.cache
def raise_lines(file: str) -> frozenset[int]:
    """The lines of a file on which a ``raise`` statement stands."""
    tree = ast.parse(Path(file).read_text(encoding="utf-8"))
    return frozenset(
        line
        for node in ast.walk(tree)
        if isinstance(node, ast.Raise)
        for line in range(node.lineno, node.end_lineno + 1)
    )


def fault_of(error: BaseException, name: str, argument: str) -> str:
    """What is wrong with an error, if anything: it must be vaelib's own, of a kind that the docstring names, and one clear sentence."""
    step = error.__traceback__
    while step.tb_next is not None:
        step = step.tb_next
    file = step.tb_frame.f_code.co_filename
    what = f"{type(error).__name__}: {told(str(error))}"
    if FOLDER not in Path(file).parents or step.tb_lineno not in raise_lines(file):
        return f"not vaelib's own ({Path(file).name}, line {step.tb_lineno}): {what}"
    assertion = isinstance(error, AssertionError) and name.startswith("checks.")
    if not assertion and not isinstance(error, KINDS):
        return f"a kind that is not of ours: {what}"
    if not documented(type(error).__name__, name):
        return f"the docstring does not name {what}"
    message = str(error)
    if "\n" in message or len(message) > LONGEST or re.search(r"0x[0-9a-f]{6}", message):
        return f"not one sentence: {what}"
    if not assertion and (
        not message.endswith(".")
        or not re.search(rf"\b({re.escape(argument)}|given|has|have|is|are|was|lies|made)\b", message)
    ):
        return f"does not say what was given, or has no full stop: {what}"
    return ""


def in_users_code(error: BaseException) -> bool:
    """Whether vaelib had called a function or a model of tests/calls.py when it was raised."""
    files = [frame.f_code.co_filename for frame, _ in traceback.walk_tb(error.__traceback__)]
    ours = [k for k, file in enumerate(files) if FOLDER in Path(file).parents]
    return bool(ours) and calls.__file__ in files[ours[0] :]


@functools.cache
def documented(kind: str, name: str) -> bool:
    """Whether the docstring of the function, of its class or of its module names the error, or refers to one that does."""
    module, *parts = name.partition(" · ")[0].split(".")
    value = importlib.import_module(MODULES[module])
    texts = [value.__doc__]
    for part in parts:
        value = getattr(value, part)
        texts += [value.__doc__] + [base.__doc__ for base in getattr(value, "__mro__", ()) if base is not object]
    return any(kind in (text or "") or re.search(r"\berrors\b", text or "") for text in texts)


def finite(value: Any) -> bool:
    """Whether no number in a result is NaN or infinite; what is no number counts as finite."""
    if isinstance(value, torch.Tensor):
        return value.device.type == "meta" or bool(torch.isfinite(value).all())
    if isinstance(value, sp.Basic):
        return not value.has(sp.nan, sp.oo, -sp.oo, sp.zoo)
    if isinstance(value, numbers.Number):
        return bool(np.isfinite(value))
    return all(map(finite, parts(value) or ()))


def kind_of(value: Any) -> Any:
    """What two results have in common that are alike."""
    if isinstance(value, torch.Tensor):
        return "floats" if value.is_floating_point() else "bools" if value.dtype == torch.bool else "integers"
    return next((kind for kind in (bool, numbers.Real, sp.Basic) if isinstance(value, kind)), type(value))


def unlike(result: Any, expected: Any, meta: bool = False) -> str:
    """In what a result is not like the valid call's: type, kind of numbers, finite or not."""
    if kind_of(result) != kind_of(expected):
        return f"accepted, and gave {told(result)} ({kind_of(result)}) in place of {kind_of(expected)}"
    if finite(expected) and not finite(result):
        return f"accepted, and the result is not finite: {told(result)}"
    if isinstance(expected, nn.Module):
        return ""
    if isinstance(expected, dict) and result.keys() != expected.keys() and str in map(type, expected):
        return f"accepted, and gave {told(result)}"
    return next(
        filter(None, (unlike(a, b, meta) for a, b in zip(parts(result) or (), parts(expected) or (), strict=False))), ""
    )


# ---- the tests


def test_every_public_name_has_a_valid_call_here_that_gives_every_argument():
    names = {name.partition(" · ")[0] for name in CALLS}
    assert set(public_names()) - names == set(), "public names that tests/calls.py does not call"
    assert names - set(public_names()) == set(), "tests/calls.py calls what is not there"
    for name, (_, value, owner) in public_names().items():
        if isinstance(value, property):
            continue
        wanted = {
            p.name
            for p in inspect.signature(value).parameters.values()
            if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)
        }
        wanted -= {"self"} if owner is not None and issubclass(owner, tuple) else set()
        given = {key for each in CALLS if each.partition(" · ")[0] == name for key in arguments(each)}
        assert wanted - {"self"} <= given, f"{name} is never called with {wanted - given}"


def test_there_are_reasons():
    assert all(reason for reason in [*OUTSIDE.values(), *ALLOWED.values()])


COUNT: Counter[str] = Counter()


@pytest.mark.parametrize("name", CALLS)
def test_bad_input_ends_in_a_sentence_or_in_a_result(name):
    found = list(sweep(name))
    COUNT.update(call.ended for call in found)
    wrong = [str(call) for call in found if call.wrong]
    assert not wrong, f"{len(wrong)} of {len(found)} calls:\n" + "\n".join(wrong)


def test_there_were_more_than_a_thousand_calls_and_every_exception_was_needed(request):
    if len([item for item in request.session.items if "test_bad_input_ends" in item.name]) < len(CALLS):
        pytest.skip("only a part of the sweep was run")
    assert COUNT.total() >= 1000
    assert set(ALLOWED) - USED == set(), "exceptions that nothing needs"


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("nets.mlp", 'given.sizes("sizes", sizes)', "tuple(sizes)"),
        ("quantize.code_usage", 'given.whole("size", size, 1, 2**63 - 1)', "int(size)"),
        ("quantize.code_usage", 'kind="integer"', 'kind="any"'),
        ("compare.energy_distance", "a, b = ", "a, b = a, b  # "),
        ("compare.recognisability", "with eval_mode(classifier):", "if classifier.eval():"),
        ("device.seed_everything", "seed = given.seed(seed)", "pass"),
        (
            "device.seed_everything",
            "seed = given.seed(seed)",
            "seed = given.seed(seed); import warnings; warnings.warn('hm')",
        ),
        ("device.seed_everything", "seed = given.seed(seed)", "seed = given.number('seed', seed, 0)"),
        ("device.seed_everything", "seed = given.seed(seed)", "seed = abs(given.whole('seed', seed))"),
        ("device.describe_device", "pick_device(device)", "torch.device(device or 'cpu')"),
        ("glyphs.draw", "given.seed(seed)", "seed or 0"),
    ],
)
def test_planted_errors(name, old, new, monkeypatch):
    module, function = name.split(".")
    file = importlib.import_module(MODULES[module]).__file__
    source = Path(file).read_text(encoding="utf-8")
    assert old in source

    def wrong(source):
        made = types.ModuleType(MODULES[module])
        exec(compile(source, file, "exec"), made.__dict__)  # a raise stands on the same line as before
        monkeypatch.setitem(public_names(), name, public_names()[name]._replace(value=getattr(made, function)))
        return [str(call) for call in sweep(name) if call.wrong]

    assert not wrong(source)
    assert wrong(source.replace(old, new))


def main(modules: list[str]) -> int:
    table: dict[str, Counter[str]] = {}
    for name in CALLS:
        module = name.split(".")[0]
        if modules and module not in modules:
            continue
        for call in sweep(name):
            table.setdefault(module, Counter())[call.ended] += 1
            if modules and call.wrong:
                print(call, file=sys.stderr)
    if not modules:
        lacking = set(public_names()) - {name.partition(" · ")[0] for name in CALLS}
        print("without a call in tests/calls.py:", ", ".join(sorted(lacking)) or "none")
    kinds = ("refused", "result", "allowed", "opaque", "accepted")
    print(f"{'module':16s}{'calls':>8s}" + "".join(f"{kind:>10s}" for kind in kinds))
    for module, counts in [*table.items(), ("all", sum(table.values(), Counter()))]:
        print(f"{module:16s}{counts.total():8d}" + "".join(f"{counts[kind]:10d}" for kind in kinds))
    return int(any(counts["opaque"] + counts["accepted"] for counts in table.values()))


if __name__ == "__main__":
    try:
        with surroundings():
            sys.exit(main(sys.argv[1:]))
    except BrokenPipeError:
        os._exit(1)
