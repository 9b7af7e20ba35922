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
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

_KINDS = {"float": "a float tensor", "integer": "an integer tensor", "bool": "a bool tensor", "any": "a tensor"}
AS_FLOAT = "data.as_float makes floats of 0 to 255."  # the cure for images that are still uint8
_KINDS |= {"image": "a float or uint8 tensor", "real": "a float or integer tensor"}


def refuse(name: str, value: Any, use: str) -> ValueError:
    """The error for ``value``, given as ``name``, where ``use`` would work: to be raised by the caller."""
    return ValueError(f"{_said(name, value)} was given: use {use}.")


def whole(name: str, value: Any, least: int | None = None, most: int | None = None) -> int:
    """A whole number, as an int: Python's, NumPy's, or the one number of a tensor; True and 2.0 are none."""
    number = _single(value)
    if not isinstance(number, numbers.Integral) or isinstance(number, bool) or not _within(number, least, most):
        raise refuse(name, value, f"a whole number{_range(least, most)}")
    if not -(2**63) <= number < 2**64:
        raise refuse(name, value, f"a whole number that fits into 64 bits{_range(least, most)}")
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
    try:
        good = isinstance(single, numbers.Real) and not isinstance(single, bool) and math.isfinite(single)
    except OverflowError:  # an int that no float can hold
        good = False
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
    except (ValueError, TypeError):  # a NumPy array of no dimension is no row
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


def words(name: str, value: Any, use: str = "some words") -> str:
    """A str that is not blank."""
    if not isinstance(value, str) or not value.strip():
        raise refuse(name, value, use)
    return value


def mapping(name: str, value: Any, use: str, keys: type = str) -> dict:
    """A mapping with at least one entry and keys of one type, as a dict; ``use`` says of what: "label -> images (N, C, H, W)"."""
    if not isinstance(value, Mapping) or not value or not all(isinstance(key, keys) for key in value):
        raise refuse(name, value, f"a mapping that is not empty, {use}")
    return dict(value)


def tensor(
    name: str,
    value: Any,
    shape: Sequence[int | str] = (...,),
    kind: str = "float",
    *,
    least: int = 0,
    on: "torch.device | None" = None,
    beside: str = "what it meets",
    cure: str = "",
) -> "torch.Tensor":
    """A tensor of a shape and a kind.

    Args:
        shape: for each dimension its size, or a word for any size; one ``...`` stands for any number of dimensions.
        kind: "float", "integer" (bool is none), "bool", "image" (float or uint8), "real" (float or integer) or "any".
        least: the fewest entries along the first dimension.
        on: the device on which it must lie, where another one would end in an error of PyTorch's; that of ``beside``.
        cure: a further sentence where the kind is another, such as ``AS_FLOAT``.
    """
    import torch

    right_kind = isinstance(value, torch.Tensor) and _of_kind(value, kind)
    enough = not least or (right_kind and value.dim() > 0 and len(value) >= least and value.numel() > 0)
    if not (right_kind and enough and (shape == (...,) or _fits(value.shape, shape))):
        use = _KINDS[kind] if tuple(shape) == (...,) else f"{_KINDS[kind]} {_form(shape)}"
        use += (
            f" with at least {least} along the first dimension" if least > 1 else " that is not empty" if least else ""
        )
        error = refuse(name, value, use)
        helps = cure and isinstance(value, torch.Tensor) and not right_kind
        raise ValueError(f"{error} {cure}") if helps else error
    if on is not None and not _same_place(value.device, on):
        raise ValueError(f"{name} lies on {value.device}, and {beside} on {on}: move one of them with .to(device).")
    return value


def within(
    name: str, value: "torch.Tensor", least: float, most: float, use: str, everywhere: bool = False
) -> "torch.Tensor":
    """A tensor whose numbers all lie in a range; NaN does not. Looked at as by ``finite``."""
    import torch

    if value.numel() and _looked_at(name, value, everywhere):
        seen = value.detach()
        if seen.dtype in (torch.uint16, torch.uint32, torch.uint64):  # which PyTorch does not compare
            seen = seen.double()
        low, high = (each.item() for each in seen.aminmax())
        if not least <= low <= high <= most:
            raise ValueError(f"{name} has values from {low:g} to {high:g}: use {use}.")
    return value


def images(name: str, value: Any, least: int = 1) -> "torch.Tensor":
    """Finite float images (N, C, H, W), at least so many, for what judges them; looked at on a GPU, too."""
    return finite(name, tensor(name, value, ("N", "C", "H", "W"), least=least, cure=AS_FLOAT), everywhere=True)


def broadcast(name: str, value: "torch.Tensor", other_name: str, other: "torch.Tensor") -> "torch.Size":
    """The shape that two tensors have together, where they broadcast."""
    import torch

    try:
        return value.shape if value.shape == other.shape else torch.broadcast_shapes(value.shape, other.shape)
    except RuntimeError:
        raise ValueError(
            f"{name} {tuple(value.shape)} and {other_name} {tuple(other.shape)} were given: use shapes that broadcast."
        ) from None


def finite(name: str, value: "torch.Tensor", everywhere: bool = False) -> "torch.Tensor":
    """A tensor without NaN and infinity. Looked at on the CPU only, unless ``everywhere``, for what is no training step."""
    import torch

    if value.is_floating_point() and _looked_at(name, value, everywhere):
        bad = int((~torch.isfinite(value.detach())).sum())
        if bad:
            raise ValueError(f"{name} has {bad} values that are NaN or infinite, of {value.numel()}: use finite ones.")
    return value


def here(name: str, value: "torch.Tensor") -> "torch.Tensor":
    """A tensor's numbers, without its graph, on the CPU."""
    _looked_at(name, value, everywhere=True)
    return value.detach().cpu()


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


def having(name: str, value: Any, *methods: str) -> Any:
    """Anything with these methods; a class is not yet an object."""
    if isinstance(value, type) or not all(callable(getattr(value, method, None)) for method in methods):
        raise refuse(name, value, f"an object with {' and '.join(methods)}")
    return value


def instance(name: str, value: Any, kind: type) -> Any:
    """An object of a class."""
    if not isinstance(value, kind):
        raise refuse(name, value, f"{'an' if kind.__name__[0] in 'AEIOU' else 'a'} {kind.__name__}")
    return value


def function(name: str, value: Any, use: str) -> Callable:
    """Something that can be called; ``use`` says with what: "a function of (model, step)"."""
    if not callable(value):
        raise refuse(name, value, use)
    return value


def path(name: str, value: Any, use: str = "the path of a file") -> Path:
    """A str or a Path, as a Path; "" is none, and would be the current folder."""
    text = os.fspath(value) if isinstance(value, (str, os.PathLike)) else None
    if not isinstance(text, str) or not text or "\0" in text:
        raise refuse(name, value, use)
    return Path(text)


def generator(name: str, value: Any, device: "torch.device") -> "torch.Generator | None":
    """None, or a generator that can draw on ``device``."""
    import torch

    if value is not None and (not isinstance(value, torch.Generator) or not _same_place(value.device, device)):
        raise refuse(name, value, f"torch.Generator({str(device)!r}), or None for the global one")
    return value


def setting(name: str) -> str:
    """An environment variable; one that holds nothing but blanks counts as unset."""
    value = os.environ.get(name, "")
    return value if value.strip() else ""


def _looked_at(name: str, value: "torch.Tensor", everywhere: bool) -> bool:
    if everywhere and value.is_meta:
        raise ValueError(f"{name} lies on meta, where a tensor has no numbers: use one with numbers.")
    return everywhere or value.device.type == "cpu"


def _single(value: Any) -> Any:
    """The number in a tensor or array of one; anything else as it is. NumPy's numbers count as Python's do."""
    if isinstance(value, numbers.Number) or getattr(value, "shape", None) != () or getattr(value, "is_meta", False):
        return value
    return value.item() if hasattr(value, "item") else value


def _same_place(a: "torch.device", b: "torch.device") -> bool:
    """Whether two devices are one; "cuda" is the GPU in use, which may be any."""
    return a == b or (a.type == b.type and (a.index is None or b.index is None or a.index == b.index))


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
    floating = value.is_floating_point()
    if kind == "float":
        return floating
    dtype = str(value.dtype).removeprefix("torch.")
    integer = not (floating or dtype == "bool" or value.is_complex())
    return {
        "integer": integer,
        "bool": dtype == "bool",
        "image": floating or dtype == "uint8",
        "real": floating or integer,
        "any": True,
    }[kind]


def _fits(found: Sequence[int], wanted: Sequence) -> bool:
    if ... in wanted:  # what stands before it and behind it
        k, rest = wanted.index(...), len(found) - len(wanted) + 1
        return rest >= 0 and _fits((*found[:k], *found[k + rest :]), (*wanted[:k], *wanted[k + 1 :]))
    if len(found) != len(wanted):
        return False
    for size, want in zip(found, wanted, strict=True):  # noqa: SIM110 -- half the time of all(), ten times in a training step
        if size != want and not isinstance(want, str):
            return False
    return True


def _form(shape: Sequence) -> str:
    names = ["..." if size is ... else str(size) for size in shape]
    return f"({', '.join(names)}{',' if len(names) == 1 and names != ['...'] else ''})"


def _said(name: str, value: Any) -> str:
    """What was given as ``name``, in a few words: a tensor or an array by its type and shape."""
    tensors = getattr(sys.modules.get("torch"), "Tensor", ())  # where torch is not loaded, nobody has one
    if isinstance(value, (np.ndarray, tensors)):
        dtype = str(value.dtype).removeprefix("torch.")
        what = "NumPy array" if isinstance(value, np.ndarray) else "tensor"
        return f"{name}, {'an' if dtype[0] == 'i' else 'a'} {dtype} {what} {tuple(value.shape)},"
    if value is None or isinstance(value, (str, bytes, numbers.Number, np.generic, list, tuple, dict, set)):
        text = " ".join(reprlib.repr(value).split())  # a tensor inside has lines
        return f"{name}={text if len(text) <= 100 else text[:97] + '...'}"
    return f"{name}, an object of type {type(value).__name__},"
