"""What a public function is given, looked at once, where it comes in. What cannot be is refused in one sentence.

    steps = given.whole("steps", steps, least=1)
    x = given.tensor("x", x, ("B", 1, 28, 28))

Each function returns what it was given, in the type that the rest of the code counts on, or raises ValueError: "steps=0 was given:
use a whole number, at least 1." None looks at the numbers inside a tensor on a GPU, which would make a training step wait, unless
it says so. torch is imported where a tensor is looked at, so that modules that need none can use this one.
"""

import math
import numbers
import os
import reprlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

_KINDS = {"float": "a float tensor", "integer": "an integer tensor", "bool": "a bool tensor", "any": "a tensor"}
_KINDS |= {"image": "a float or uint8 tensor", "real": "a float or integer tensor"}


def refuse(name: str, value: Any, use: str) -> ValueError:
    """The error for ``value``, given as ``name``, where ``use`` would work: to be raised by the caller."""
    return ValueError(f"{_said(name, value)} was given: use {use}.")


def whole(name: str, value: Any, least: int | None = None, most: int | None = None) -> int:
    """A whole number, as an int: Python's, NumPy's, or the one number of a tensor; True and 2.0 are none."""
    number = _single(value)
    if not isinstance(number, numbers.Integral) or isinstance(number, bool) or not _within(number, least, most):
        raise refuse(name, value, f"a whole number{_range(least, most)}")
    return int(number)


def seed(value: Any) -> int:
    """A whole number that every generator takes."""
    return whole("seed", value, 0, 2**64 - 1)


def number(
    name: str,
    value: Any,
    least: float | None = None,
    most: float | None = None,
    *,
    above: float | None = None,
    below: float | None = None,
) -> float:
    """A finite number, as a float: Python's, NumPy's, or the one number of a tensor. ``above`` and ``below`` are not reached."""
    single = _single(value)
    good = isinstance(single, numbers.Real) and not isinstance(single, bool) and math.isfinite(single)
    if not good or not _within(single, least, most, above, below):
        raise refuse(name, value, f"a finite number{_range(least, most, above, below)}")
    return float(single)


def sizes(name: str, value: Any, count: int | None = None, least: int = 1, form: str = "") -> tuple[int, ...]:
    """Whole numbers in a row, such as a shape, as a tuple.

    Args:
        count: how many; None for any number of them.
        form: what they mean, for the message: "(C, H, W)".
    """
    many = "whole numbers" if count is None else f"{count} whole numbers"
    use = f"{many}{f' {form}' if form else ''}, each at least {least}"
    if isinstance(value, (str, bytes)) or not isinstance(value, (Sequence, np.ndarray)):
        raise refuse(name, value, use)
    try:
        found = tuple(whole(name, each, least) for each in value)
    except ValueError:
        raise refuse(name, value, use) from None
    if count is not None and len(found) != count:
        raise refuse(name, value, use)
    return found


def one_of(name: str, value: Any, options: Iterable) -> Any:
    """One of a few values, mostly words."""
    options = list(options)
    if not any(type(value) is type(option) and value == option for option in options):
        raise refuse(name, value, " or ".join(repr(option) for option in options))
    return value


def flag(name: str, value: Any) -> bool:
    """True or False, and nothing that merely counts as one."""
    if not isinstance(value, (bool, np.bool_)):
        raise refuse(name, value, "True or False")
    return bool(value)


def text(name: str, value: Any, use: str = "a text") -> str:
    """A str."""
    if not isinstance(value, str):
        raise refuse(name, value, use)
    return value


def tensor(
    name: str,
    value: Any,
    shape: Sequence[int | str] = (...,),
    kind: str = "float",
    *,
    least: int = 0,
    on: "torch.device | None" = None,
    cure: str = "",
) -> "torch.Tensor":
    """A tensor of a shape and a kind.

    Args:
        shape: for each dimension its size, or a word for any size; ``...`` in front stands for any number of dimensions.
        kind: "float", "integer" (bool is none), "bool", "image" (float or uint8), "real" (float or integer) or "any".
        least: the fewest entries along the first dimension.
        on: the device on which it must lie, where another one would end in an error of PyTorch's.
        cure: a further sentence for the message: "data.as_float makes floats of 0 to 255."
    """
    import torch

    use = f"{_KINDS[kind]} {_form(shape)}"
    use += f" with at least {least} along the first dimension" if least > 1 else " that is not empty" if least else ""
    good = isinstance(value, torch.Tensor) and _of_kind(value, kind) and _fits(value.shape, shape)
    if not good or (least and (value.dim() == 0 or len(value) < least or value.numel() == 0)):
        error = refuse(name, value, use)
        raise ValueError(f"{error} {cure}".rstrip()) if cure else error
    if on is not None and value.device.type != on.type:
        raise ValueError(
            f"{name} lies on {value.device}, and what it meets on {on}: move one of them with .to(device)."
        )
    return value


def within(name: str, value: "torch.Tensor", least: float, most: float, use: str) -> "torch.Tensor":
    """A tensor whose numbers all lie in a range; NaN does not. Looked at on the CPU only: looking would stall a GPU."""
    if value.device.type == "cpu" and value.numel():
        low, high = (each.item() for each in value.detach().aminmax())
        if not least <= low <= high <= most:
            raise ValueError(f"{name} has values from {low:g} to {high:g}: use {use}.")
    return value


def finite(name: str, value: "torch.Tensor", everywhere: bool = False) -> "torch.Tensor":
    """A tensor without NaN and infinity. Looked at on the CPU only, unless ``everywhere``, for what is no training step."""
    import torch

    if (everywhere or value.device.type == "cpu") and value.is_floating_point():
        bad = int((~torch.isfinite(value.detach())).sum())
        if bad:
            raise ValueError(f"{name} has {bad} values that are NaN or infinite, of {value.numel()}: use finite ones.")
    return value


def finite_weights(name: str, model: "torch.nn.Module") -> "torch.nn.Module":
    """A model whose parameters and buffers are finite, for what judges or draws; it waits for a GPU once."""
    import torch

    state = [(key, value) for key, value in model.state_dict().items() if value.is_floating_point() and value.numel()]
    # one number to wait for; a sum is finite only if all numbers are, and one that overflowed is looked at again
    if state and not math.isfinite(sum(value.float().sum() for _, value in state)):
        bad = [key for key, value in state if not bool(torch.isfinite(value).all())]
        if bad:
            raise ValueError(f"{name} has weights that are NaN or infinite, in {', '.join(bad[:3])}: train it again.")
    return model


def module(name: str, value: Any, *methods: str) -> Any:
    """An nn.Module with these methods."""
    import torch

    lacks = [method for method in methods if not callable(getattr(value, method, None))]
    if not isinstance(value, torch.nn.Module) or lacks:
        raise refuse(name, value, "a torch.nn.Module" + (f" with {' and '.join(methods)}" if methods else ""))
    return value


def function(name: str, value: Any, use: str) -> Callable:
    """Something that can be called; ``use`` says with what: "a function of (model, step)"."""
    if not callable(value):
        raise refuse(name, value, use)
    return value


def path(name: str, value: Any, use: str = "the path of a file") -> Path:
    """A str or a Path, as a Path; "" is none, and would be the current folder."""
    if not isinstance(value, (str, os.PathLike)) or not isinstance(os.fspath(value), str) or not os.fspath(value):
        raise refuse(name, value, use)
    return Path(value)


def generator(name: str, value: Any, device: "torch.device") -> "torch.Generator | None":
    """None, or a generator that can draw on ``device``."""
    import torch

    if value is not None and (not isinstance(value, torch.Generator) or value.device.type != device.type):
        raise refuse(name, value, f"torch.Generator({str(device.type)!r}), or None for the global one")
    return value


def _single(value: Any) -> Any:
    """The number in a tensor or array of one; anything else as it is. NumPy's numbers count as Python's do."""
    if not isinstance(value, numbers.Number) and getattr(value, "shape", None) == () and hasattr(value, "item"):
        return value.item()
    return value


def _within(value, least=None, most=None, above=None, below=None) -> bool:
    return (
        (least is None or value >= least)
        and (most is None or value <= most)
        and (above is None or value > above)
        and (below is None or value < below)
    )


def _range(least=None, most=None, above=None, below=None) -> str:
    low = f"from {least}" if least is not None else f"above {above}" if above is not None else ""
    high = f"to {most}" if most is not None else f"to below {below}" if below is not None else ""
    if low and not high and least is not None:
        return f", at least {least}"
    if high and not low:
        return f", at most {most}" if most is not None else f", below {below}"
    return f" {low} {high}".rstrip() if low else ""


def _of_kind(value: "torch.Tensor", kind: str) -> bool:
    import torch

    floating, integer = value.is_floating_point(), not (value.is_complex() or value.dtype == torch.bool)
    integer = integer and not floating
    return {
        "float": floating,
        "integer": integer,
        "bool": value.dtype == torch.bool,
        "image": floating or value.dtype == torch.uint8,
        "real": floating or integer,
        "any": True,
    }[kind]


def _fits(found: Sequence[int], wanted: Sequence) -> bool:
    if wanted and wanted[0] is ...:
        rest = wanted[1:]
        return len(found) >= len(rest) and _fits(found[len(found) - len(rest) :], rest)
    return len(found) == len(wanted) and all(
        isinstance(want, str) or size == want for size, want in zip(found, wanted, strict=True)
    )


def _form(shape: Sequence) -> str:
    names = ["..." if size is ... else str(size) for size in shape]
    return f"({', '.join(names)}{',' if len(names) == 1 and names != ['...'] else ''})"


def _said(name: str, value: Any) -> str:
    """What was given as ``name``, in a few words: a tensor or an array by its type and shape."""
    import torch

    if isinstance(value, torch.Tensor):
        return f"{name}, a {str(value.dtype).removeprefix('torch.')} tensor {tuple(value.shape)},"
    if isinstance(value, np.ndarray):
        return f"{name}, a {value.dtype} NumPy array {value.shape},"
    if value is None or isinstance(value, (str, bytes, numbers.Number, list, tuple, dict, set)):
        return f"{name}={reprlib.repr(value)}"
    return f"{name}, an object of type {type(value).__name__},"
