"""The guards: what each lets through, in which type, and the sentence with which it refuses the rest."""

import math
import re
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
import torch
from torch import nn

from vaelib.outside import given

CPU = torch.device("cpu")


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2))
        self.register_buffer("count", torch.ones((), dtype=torch.int64))
        self.register_buffer("mean", torch.ones(3, dtype=torch.float16))

    def encode(self, x):
        return x


MODEL, GENERATOR = Model(), torch.Generator()
X = torch.tensor([[0.0, 0.5, 1.0], [0.25, 0.75, 0.125]])
CODES = torch.tensor([0, 3])
PICTURES = X.expand(2, 1, 2, 3)


class BytesPath:
    def __fspath__(self):
        return b"a"


def function(x):
    return x


# guard -> [(arguments after the name, the result)]
LETS_THROUGH = {
    "whole": [
        ((3,), 3),
        ((-3,), -3),
        ((0, 0), 0),
        ((5, 1, 5), 5),
        ((np.int64(3), 3), 3),
        ((np.uint8(3),), 3),
        ((torch.tensor(3),), 3),
        ((np.array(3),), 3),
        ((2**64 - 1,), 2**64 - 1),
        ((-(2**63),), -(2**63)),
    ],
    "number": [
        ((0.5,), 0.5),
        ((3,), 3.0),
        ((np.float32(0.5),), 0.5),
        ((np.int64(3),), 3.0),
        ((torch.tensor(0.5, requires_grad=True),), 0.5),
        ((np.array(0.5),), 0.5),
        ((Fraction(1, 2),), 0.5),
        ((0.0, 0, 1), 0.0),
        ((1.0, 0, 1), 1.0),
    ],
    "sizes": [
        (((1, 28, 28),), (1, 28, 28)),
        (([1, 2], 2), (1, 2)),
        ((torch.Size((1, 2)), 2), (1, 2)),
        ((np.array([1, 2]),), (1, 2)),
        (((np.int64(4), torch.tensor(2)),), (4, 2)),
        (((), None), ()),
        (((0, 1), 2, 0), (0, 1)),
        ((range(1, 3),), (1, 2)),
    ],
    "one_of": [(("A", "AB"), "A"), ((1, (1, 2)), 1), ((None, ["a", None]), None)],
    "flag": [((True,), True), ((np.bool_(False),), False)],
    "text": [(("",), ""), (("a",), "a")],
    "words": [(("a b",), "a b"), ((" a ",), " a ")],
    "tensor": [
        ((X,), X),
        ((X, ("B", 3)), X),
        ((X, (..., 3)), X),
        ((X, (2, 3)), X),
        ((X, (2, ...)), X),
        ((X, ("B", ..., 3)), X),
        ((X[None], ("B", ..., 3)), X[None]),
        ((X.half(),), X.half()),
        ((X.bfloat16(), (...,)), X.bfloat16()),
        ((CODES, ("B",), "integer"), CODES),
        ((CODES.to(torch.uint8), ("B",), "integer"), CODES.to(torch.uint8)),
        ((CODES > 0, ("B",), "bool"), CODES > 0),
        ((CODES.to(torch.uint8), (...,), "image"), CODES.to(torch.uint8)),
        ((X, (...,), "image"), X),
        ((CODES, (...,), "real"), CODES),
        ((X, (...,), "real"), X),
        ((X.to(torch.complex64), (...,), "any"), X.to(torch.complex64)),
        ((torch.tensor(1.0), ()), torch.tensor(1.0)),
        ((X[:0], ("B", 3)), X[:0]),
    ],
    "within": [
        ((X, 0, 1, "no other"), X),
        ((X[:0], 0, 1, "no other"), X[:0]),
        ((CODES, 0, 3, "no other"), CODES),
        ((CODES.to(torch.uint16), 0, 3, "no other"), CODES.to(torch.uint16)),
    ],
    "finite": [((X,), X), ((CODES,), CODES), ((X[:0],), X[:0]), ((X.half() * 60000,), X.half() * 60000)],
    "images": [((PICTURES,), PICTURES), ((PICTURES[:1], 1), PICTURES[:1])],
    "here": [((X,), X), ((CODES,), CODES), ((X[:0],), X[:0]), ((X.clone().requires_grad_(),), X)],
    "finite_weights": [((MODEL,), MODEL), ((nn.ReLU(),), None)],
    "broadcast": [
        ((X, "m", X), torch.Size((2, 3))),
        ((X, "m", X[:1]), torch.Size((2, 3))),
        ((X[0], "m", X), torch.Size((2, 3))),
        ((X[None], "m", X), torch.Size((1, 2, 3))),
    ],
    "having": [((MODEL, "encode"), MODEL), (("text", "upper", "lower"), "text"), ((None,), None)],
    "instance": [((MODEL, Model), MODEL), ((MODEL, nn.Module), MODEL)],
    "mapping": [(({"a": 1}, "word -> number"), {"a": 1}), ((MappingProxyType({1: 2}), "a", int), {1: 2})],
    "path": [(("a/b",), Path("a/b")), ((Path("a"), "a place"), Path("a"))],
    "module": [((MODEL,), MODEL), ((MODEL, "encode"), MODEL), ((MODEL, "encode", "eval"), MODEL)],
    "function": [((function, "a function of x"), function), ((MODEL, "a function of x"), MODEL)],
    "generator": [((None, CPU), None), ((GENERATOR, CPU), GENERATOR), ((GENERATOR, torch.device("cpu:0")), GENERATOR)],
}

WHOLE = "use a whole number"
NUMBER = "use a finite number"
ON_META = "lies on meta, where a tensor has no numbers: use one with numbers."
# guard -> [(arguments after the name, the sentence)]
REFUSES = {
    "whole": [
        ((None,), f"n=None was given: {WHOLE}."),
        (("3",), f"n='3' was given: {WHOLE}."),
        ((True,), f"n=True was given: {WHOLE}."),
        ((2.0,), f"n=2.0 was given: {WHOLE}."),
        ((math.nan,), f"n=nan was given: {WHOLE}."),
        ((math.inf,), f"n=inf was given: {WHOLE}."),
        ((np.float64(2),), f"n=np.float64(2.0) was given: {WHOLE}."),
        ((np.bool_(True),), f"n=np.True_ was given: {WHOLE}."),
        ((torch.tensor(True),), f"n, a bool tensor (), was given: {WHOLE}."),
        ((torch.tensor(2.0),), f"n, a float32 tensor (), was given: {WHOLE}."),
        ((torch.tensor([2]),), f"n, an int64 tensor (1,), was given: {WHOLE}."),
        ((torch.tensor(2, device="meta"),), f"n, an int64 tensor (), was given: {WHOLE}."),
        ((np.array([2]),), f"n, an int64 NumPy array (1,), was given: {WHOLE}."),
        (([1, 2],), f"n=[1, 2] was given: {WHOLE}."),
        (({},), f"n={{}} was given: {WHOLE}."),
        ((MODEL,), f"n, an object of type Model, was given: {WHOLE}."),
        ((0, 1), f"n=0 was given: {WHOLE}, at least 1."),
        ((-1, 0), f"n=-1 was given: {WHOLE}, at least 0."),
        ((6, 1, 5), f"n=6 was given: {WHOLE} from 1 to 5."),
        ((6, None, 5), f"n=6 was given: {WHOLE}, at most 5."),
        ((2**64, 1), f"n={2**64} was given: {WHOLE} that fits into 64 bits, at least 1."),
        ((-(2**63) - 1,), f"n={-(2**63) - 1} was given: {WHOLE} that fits into 64 bits."),
    ],
    "number": [
        ((None,), f"n=None was given: {NUMBER}."),
        (("1",), f"n='1' was given: {NUMBER}."),
        ((True,), f"n=True was given: {NUMBER}."),
        ((1j,), f"n=1j was given: {NUMBER}."),
        ((Decimal(1),), f"n=Decimal('1') was given: {NUMBER}."),
        ((math.nan, 0, 1), f"n=nan was given: {NUMBER} from 0 to 1."),
        ((-math.inf,), f"n=-inf was given: {NUMBER}."),
        ((10**400,), "n=100000000000000000...0000000000000000000 was given: use a finite number."),
        ((torch.ones(2),), f"n, a float32 tensor (2,), was given: {NUMBER}."),
        ((torch.tensor(1.0, device="meta"),), f"n, a float32 tensor (), was given: {NUMBER}."),
        ((-0.5, 0), f"n=-0.5 was given: {NUMBER}, at least 0."),
        ((1.5, 0, 1), f"n=1.5 was given: {NUMBER} from 0 to 1."),
        ((1.5, None, 1), f"n=1.5 was given: {NUMBER}, at most 1."),
        ((0, {"above": 0}), f"n=0 was given: {NUMBER} above 0."),
        ((1, {"above": 0, "below": 1}), f"n=1 was given: {NUMBER} above 0 to below 1."),
        ((1.0, 0, {"below": 1}), f"n=1.0 was given: {NUMBER} from 0 to below 1."),
        ((1, {"below": 1}), f"n=1 was given: {NUMBER}, below 1."),
    ],
    "sizes": [
        ((None,), "n=None was given: use whole numbers, each at least 1."),
        ((3, 2), "n=3 was given: use 2 whole numbers, each at least 1."),
        (("12", 2), "n='12' was given: use 2 whole numbers, each at least 1."),
        ((b"12",), "n=b'12' was given: use whole numbers, each at least 1."),
        (((1, 2), 3, 1, "(C, H, W)"), "n=(1, 2) was given: use 3 whole numbers (C, H, W), each at least 1."),
        (((1, 0),), "n=(1, 0) was given: use whole numbers, each at least 1."),
        (((1, -1), 2, 0), "n=(1, -1) was given: use 2 whole numbers, each at least 0."),
        (((1, 1.5),), "n=(1, 1.5) was given: use whole numbers, each at least 1."),
        (((1, None),), "n=(1, None) was given: use whole numbers, each at least 1."),
        (((True, 1),), "n=(True, 1) was given: use whole numbers, each at least 1."),
        (({1, 2},), "n={1, 2} was given: use whole numbers, each at least 1."),
        ((np.array(3),), "n, an int64 NumPy array (), was given: use whole numbers, each at least 1."),
        ((np.ones((2, 2), int),), "n, an int64 NumPy array (2, 2), was given: use whole numbers, each at least 1."),
        ((CODES,), "n, an int64 tensor (2,), was given: use whole numbers, each at least 1."),
    ],
    "one_of": [
        (("C", "AB"), "n='C' was given: use 'A' or 'B'."),
        ((None, ("a",)), "n=None was given: use 'a'."),
        ((True, (1, 2)), "n=True was given: use 1 or 2."),
        ((X, ("a", "b", "c")), "n, a float32 tensor (2, 3), was given: use 'a' or 'b' or 'c'."),
    ],
    "flag": [
        ((value,), f"n={value!r} was given: use True or False.")
        for value in (None, 1, 0, 1.0, "test", "", [], math.nan)
    ],
    "words": [
        ((None,), "n=None was given: use some words."),
        (("",), "n='' was given: use some words."),
        ((" \n",), "n=' \\n' was given: use some words."),
        ((5, "a name"), "n=5 was given: use a name."),
    ],
    "text": [
        ((None,), "n=None was given: use a text."),
        ((b"a", "a name"), "n=b'a' was given: use a name."),
        ((MODEL,), "n, an object of type Model, was given: use a text."),
    ],
    "tensor": [
        ((None,), "n=None was given: use a float tensor."),
        ((0.5, ("B", 3)), "n=0.5 was given: use a float tensor (B, 3)."),
        (([0.5],), "n=[0.5] was given: use a float tensor."),
        (
            ([X, X],),
            "n=[tensor([[0.00...500, 0.1250]]), tensor([[0.00...500, 0.1250]])] was given: use a float tensor.",
        ),
        ((X.numpy(),), "n, a float32 NumPy array (2, 3), was given: use a float tensor."),
        ((CODES,), "n, an int64 tensor (2,), was given: use a float tensor."),
        ((X.to(torch.complex64),), "n, a complex64 tensor (2, 3), was given: use a float tensor."),
        ((X, (...,), "integer"), "n, a float32 tensor (2, 3), was given: use an integer tensor."),
        ((X > 0, (...,), "integer"), "n, a bool tensor (2, 3), was given: use an integer tensor."),
        ((X.to(torch.complex64), (...,), "integer"), "n, a complex64 tensor (2, 3), was given: use an integer tensor."),
        ((CODES, ("N",), "bool"), "n, an int64 tensor (2,), was given: use a bool tensor (N,)."),
        ((CODES, (...,), "image"), "n, an int64 tensor (2,), was given: use a float or uint8 tensor."),
        ((CODES > 0, (...,), "image"), "n, a bool tensor (2,), was given: use a float or uint8 tensor."),
        ((CODES > 0, (...,), "real"), "n, a bool tensor (2,), was given: use a float or integer tensor."),
        ((None, (...,), "any"), "n=None was given: use a tensor."),
        ((X, ("B", 4)), "n, a float32 tensor (2, 3), was given: use a float tensor (B, 4)."),
        ((X, ("B",)), "n, a float32 tensor (2, 3), was given: use a float tensor (B,)."),
        ((X, (..., 2)), "n, a float32 tensor (2, 3), was given: use a float tensor (..., 2)."),
        ((X, (..., 1, 2, 3)), "n, a float32 tensor (2, 3), was given: use a float tensor (..., 1, 2, 3)."),
        ((X, ()), "n, a float32 tensor (2, 3), was given: use a float tensor ()."),
        ((X, ("B", ..., 2, 3)), "n, a float32 tensor (2, 3), was given: use a float tensor (B, ..., 2, 3)."),
        (
            (X[:0], ("B", 3), {"least": 1}),
            "n, a float32 tensor (0, 3), was given: use a float tensor (B, 3) that is not empty.",
        ),
        (
            (X[:, :0], ("B", "D"), {"least": 1}),
            "n, a float32 tensor (2, 0), was given: use a float tensor (B, D) that is not empty.",
        ),
        (
            (X, ("B", 3), {"least": 3}),
            "n, a float32 tensor (2, 3), was given: use a float tensor (B, 3) with at least 3 along the first dimension.",
        ),
        ((X.sum(), {"least": 1}), "n, a float32 tensor (), was given: use a float tensor that is not empty."),
        ((CODES, {"cure": "Divide it."}), "n, an int64 tensor (2,), was given: use a float tensor. Divide it."),
        ((X.to("meta"), {"on": CPU}), "n lies on meta, and what it meets on cpu: move one of them with .to(device)."),
        (
            (X, {"on": torch.device("cuda:1")}),
            "n lies on cpu, and what it meets on cuda:1: move one of them with .to(device).",
        ),
    ],
    "within": [
        ((X, 0, 0.5, "halves"), "n has values from 0 to 1: use halves."),
        ((X - 0.5, 0, 1, "others"), "n has values from -0.5 to 0.5: use others."),
        ((X.clone().requires_grad_() * math.nan, 0, 1, "others"), "n has values from nan to nan: use others."),
        ((CODES, 0, 2, "levels"), "n has values from 0 to 3: use levels."),
        ((CODES.to(torch.uint16), 0, 2, "levels"), "n has values from 0 to 3: use levels."),
        ((X.to("meta"), 0, 1, "others", True), f"n {ON_META}"),
    ],
    "finite": [
        ((X.to("meta"), True), f"n {ON_META}"),
        ((X / 0,), "n has 6 values that are NaN or infinite, of 6: use finite ones."),
        ((torch.tensor([math.nan, 1, -math.inf]),), "n has 2 values that are NaN or infinite, of 3: use finite ones."),
    ],
    "images": [
        (
            (PICTURES[0],),
            "n, a float32 tensor (1, 2, 3), was given: use a float tensor (N, C, H, W) that is not empty.",
        ),
        (
            (PICTURES[:1], 2),
            "n, a float32 tensor (1, 1, 2, 3), was given: use a float tensor (N, C, H, W) with at least 2 along the first dimension.",
        ),
        (
            (PICTURES.byte(),),
            "n, a uint8 tensor (2, 1, 2, 3), was given: use a float tensor (N, C, H, W) that is not empty. "
            "data.as_float makes floats of 0 to 255.",
        ),
        ((PICTURES / 0,), "n has 12 values that are NaN or infinite, of 12: use finite ones."),
        ((PICTURES.to("meta"),), f"n {ON_META}"),
    ],
    "here": [((X.to("meta"),), f"n {ON_META}"), ((CODES.to("meta"),), f"n {ON_META}")],
    "broadcast": [
        ((X, "m", X.T), "n (2, 3) and m (3, 2) were given: use shapes that broadcast."),
        ((X, "m", X[:, :2]), "n (2, 3) and m (2, 2) were given: use shapes that broadcast."),
    ],
    "having": [
        ((None, "encode"), "n=None was given: use an object with encode."),
        ((MODEL, "encode", "decode"), "n, an object of type Model, was given: use an object with encode and decode."),
        ((MODEL, "count"), "n, an object of type Model, was given: use an object with count."),
    ],
    "instance": [
        ((None, Model), "n=None was given: use a Model."),
        ((Model, Model), "n, an object of type type, was given: use a Model."),
        ((nn.ReLU(), Model), "n, an object of type ReLU, was given: use a Model."),
    ],
    "mapping": [
        (({}, "word -> number"), "n={} was given: use a mapping that is not empty, word -> number."),
        (([1], "word -> number"), "n=[1] was given: use a mapping that is not empty, word -> number."),
        (
            ({"a": 1, 2: 3}, "word -> number"),
            "n={'a': 1, 2: 3} was given: use a mapping that is not empty, word -> number.",
        ),
        (({"a": 1}, "step -> image", int), "n={'a': 1} was given: use a mapping that is not empty, step -> image."),
    ],
    "path": [
        (("",), "n='' was given: use the path of a file."),
        ((None, "the path of a folder"), "n=None was given: use the path of a folder."),
        ((b"a",), "n=b'a' was given: use the path of a file."),
        ((3,), "n=3 was given: use the path of a file."),
        (("a\0b",), "n='a\\x00b' was given: use the path of a file."),
        ((BytesPath(),), "n, an object of type BytesPath, was given: use the path of a file."),
    ],
    "module": [
        ((None,), "n=None was given: use a torch.nn.Module."),
        ((Model,), "n, an object of type type, was given: use a torch.nn.Module."),
        ((function,), "n, an object of type function, was given: use a torch.nn.Module."),
        ((MODEL, "decode"), "n, an object of type Model, was given: use a torch.nn.Module with decode."),
        ((MODEL, "count"), "n, an object of type Model, was given: use a torch.nn.Module with count."),
        (("a", "encode", "decode"), "n='a' was given: use a torch.nn.Module with encode and decode."),
    ],
    "function": [
        ((None, "a function of x"), "n=None was given: use a function of x."),
        (("max", "a function of x"), "n='max' was given: use a function of x."),
    ],
    "generator": [
        ((0, CPU), "n=0 was given: use torch.Generator('cpu'), or None for the global one."),
        (
            (np.random.default_rng(0), CPU),
            "n, an object of type Generator, was given: use torch.Generator('cpu'), or None for the global one.",
        ),
        (
            (GENERATOR, torch.device("cuda", 1)),
            "n, an object of type Generator, was given: use torch.Generator('cuda:1'), or None for the global one.",
        ),
    ],
}


def settings(arguments):
    """The arguments in order, and those by name, which stand in a dict at the end."""
    return (
        (arguments[:-1], arguments[-1]) if isinstance(arguments[-1], dict) and len(arguments) > 1 else (arguments, {})
    )


def cases(table):
    return [(guard, arguments, end) for guard, each in table.items() for arguments, end in each]


def same(a, b):
    if isinstance(b, torch.Tensor):
        return a is b or (a.dtype == b.dtype and torch.equal(a, b))
    return type(a) is type(b) and a == b


def wrongly_let_through(module, guard, arguments, result):
    found = getattr(module, guard)("n", *arguments)
    return not (same(found, result) or (result is None and found is arguments[0]))


def wrongly_refused(module, guard, arguments, sentence):
    positions, names = settings(arguments)
    try:
        getattr(module, guard)("n", *positions, **names)
    except ValueError as error:
        return str(error) != sentence and str(error)
    return "let through"


@pytest.mark.parametrize(("guard", "arguments", "result"), cases(LETS_THROUGH))
def test_lets_through(guard, arguments, result):
    assert not wrongly_let_through(given, guard, arguments, result)


@pytest.mark.parametrize(("guard", "arguments", "sentence"), cases(REFUSES))
def test_refuses(guard, arguments, sentence):
    assert not wrongly_refused(given, guard, arguments, sentence)


PLANTED = [
    ("numbers.Integral) or isinstance(number, bool)", "numbers.Integral)"),
    ("isinstance(number, numbers.Integral)", "isinstance(number, numbers.Real)"),
    ("not -(2**63) <= number < 2**64", "False"),
    ("and math.isfinite(single)", ""),
    ("except OverflowError:", "except ZeroDivisionError:"),
    ("value >= least", "value > least"),
    ("value <= most", "value < most"),
    ("value > above", "value >= above"),
    ("value < below", "value <= below"),
    ("if count is not None and len(found) != count", "if False"),
    ("isinstance(value, (str, bytes)) or not", "not"),
    ("type(value) is type(option) and value == option", "value == option"),
    ("isinstance(value, (bool, np.bool_))", "value in (True, False)"),
    (" and value.numel() > 0", ""),
    ("_fits(value.shape, shape)", "True"),
    ("len(value) >= least and", ""),
    ('floating or dtype == "uint8"', "True"),
    ("least <= low <= high <= most", "low >= least and high <= most"),
    ("rest >= 0 and", ""),
    ("if not isinstance(value, torch.nn.Module) or lacks", "if lacks"),
    ("if not callable(value)", "if value is None"),
    ("not isinstance(value, torch.Generator) or", "False and"),
    ("a.type == b.type and", ""),
    ("if helps else error", "if False else error"),
    ('f", at least {least}"', 'f" from {least}"'),
    (' or "\\0" in text', ""),
    ("or not all(isinstance(key, keys) for key in value)", ""),
]


@pytest.mark.parametrize(("old", "new"), PLANTED)
def test_planted_errors(old, new, plant):
    wrong = plant("vaelib.outside.given", old, new)
    found = []
    for tried, table in ((wrongly_let_through, LETS_THROUGH), (wrongly_refused, REFUSES)):
        for case in cases(table):
            try:
                found.append(tried(wrong, *case))
            except Exception as error:
                found.append(error)
    assert any(found), f"{new!r} in place of {old!r} passes"


def test_weights_that_are_not_finite_are_named():
    model = nn.Sequential(Model(), Model())
    with torch.no_grad():
        model[0].weight[1] = math.nan
        model[1].mean[0] = math.inf
    with pytest.raises(ValueError, match=r"^m has weights that are NaN or infinite, in 0\.weight, 1\.mean: train it"):
        given.finite_weights("m", model)
    model[0].weight.data.fill_(3e38)  # finite, and their sum is not
    model[1].mean.fill_(60000)
    assert given.finite_weights("m", model) is model
    model[0].weight.data[:] = torch.tensor([math.inf, -math.inf])
    with pytest.raises(ValueError, match=r"in 0\.weight: train"):
        given.finite_weights("m", model)


def test_numbers_are_looked_at_on_the_cpu_only():
    away = torch.full((2,), math.nan, device="meta")  # stands for a GPU: whoever looks at its numbers fails
    assert given.finite("n", away) is away
    assert given.within("n", away, 0, 1, "others") is away


def test_a_seed_is_one_that_every_generator_takes():
    assert given.seed(np.int64(3)) == 3
    torch.Generator().manual_seed(given.seed(2**64 - 1))
    for bad in (-1, 2**64, None, 1.5):
        with pytest.raises(ValueError, match=rf"^seed={re.escape(repr(bad))} was given: use a whole number"):
            given.seed(bad)


def test_two_gpus_are_two_places():
    assert given._same_place(torch.device("cuda"), torch.device("cuda:1"))
    assert given._same_place(torch.device("cuda:1"), torch.device("cuda:1"))
    assert not given._same_place(torch.device("cuda:0"), torch.device("cuda:1"))
    assert not given._same_place(torch.device("cuda:0"), torch.device("mps:0"))


def test_every_guard_is_here():
    guards = {
        name
        for name, value in vars(given).items()
        if not name.startswith("_") and getattr(value, "__module__", "") == given.__name__
    }
    assert guards - {"refuse", "seed", "setting"} == {*LETS_THROUGH} | {*REFUSES}
    assert {*LETS_THROUGH} - {*REFUSES} == {"finite_weights"}  # has a test of its own


def test_here_is_off_the_graph():
    """What is drawn or compared has no gradient: NumPy refuses tensors that have one."""
    assert not given.here("x", torch.ones(2, requires_grad=True) * 2).requires_grad
