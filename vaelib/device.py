"""The machine: where a computation runs, how it is seeded, and how large it is."""

import os
import random
import re

import numpy as np
import torch

from vaelib.outside import given

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_shared = False  # whether share_cores chose the number of threads


def pick_device(name: str | torch.device | None = None) -> torch.device:
    """The accelerator at hand, as PyTorch names it (a CUDA GPU, Apple's MPS), else the CPU.

    Args:
        name: ``"cpu"``, ``"cuda"``, ``"cuda:N"`` or ``"mps"``, or such a torch.device, to insist on one. Default: the environment
            variable ``VAELIB_DEVICE`` if it is set, else what is at hand.

    Raises:
        ValueError: the name is unknown, or that device is absent here.
    """
    asked = given.setting("VAELIB_DEVICE") if name is None else name
    source = "VAELIB_DEVICE is" if name is None else "pick_device was given"
    here = torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
    if not asked and name is None:
        return torch.device(here.type)
    words = str(asked).strip().lower() if isinstance(asked, (str, torch.device)) else ""
    match = re.fullmatch("([a-z]+)(?::([0-9]+))?", words)
    if not match or match[1] not in ("cpu", "cuda", "mps", here.type):
        said = (
            repr(str(asked)) if isinstance(asked, (str, torch.device)) else f"an object of type {type(asked).__name__}"
        )
        raise ValueError(f"{source} {said}, which is no device name: use cpu, cuda, cuda:N or mps.")
    kind, index = match.groups()
    there = 1 if kind == "cpu" else torch.accelerator.device_count() if kind == here.type else 0
    if int(index or 0) >= there:
        raise ValueError(
            f"{source} {words!r}, but PyTorch finds {there} {kind} device(s) here: choose another or unset it."
        )
    return torch.device(kind, int(index)) if index else torch.device(kind)


def share_cores() -> int:
    """Compute on one thread, and return the number of threads that PyTorch now uses on the CPU.

    Every numerical library takes a thread for each core by itself. The small networks of a lesson gain nothing from that, and kernels
    that share a machine (a class on a hub, two notebooks at once) then wait for each other. Your own setting stays: nothing is changed
    where OMP_NUM_THREADS, MKL_NUM_THREADS or OPENBLAS_NUM_THREADS is set, or with ``VAELIB_BUDGET=full``.
    """
    if budget(lesson=True, full=False) and not any(os.environ.get(name) for name in _THREADS):
        from threadpoolctl import threadpool_limits

        # for libraries that are still to be loaded, and child processes
        os.environ.update(dict.fromkeys(_THREADS, "1"))
        threadpool_limits(1)  # for those that are here, NumPy's and scikit-learn's too
        torch.set_num_threads(1)
        global _shared
        _shared = True
    return torch.get_num_threads()


def describe_device(device: str | torch.device | None = None) -> str:
    """One line that says what is used, for example ``cpu, 1 thread (OMP_NUM_THREADS sets more), torch 2.15.0``.

    Raises:
        ValueError: as ``pick_device``, which reads ``device``.
    """
    device = pick_device(device)
    count = torch.get_num_threads()
    threads = f"{count} thread{'s' if count > 1 else ''}" + (" (OMP_NUM_THREADS sets more)" if _shared else "")
    if device.type == "cuda":
        gib = torch.cuda.get_device_properties(device).total_memory / 2**30
        threads = f"{torch.cuda.get_device_name(device)}, {gib:.0f} GiB, {threads}"
    return f"{device}, {threads}, torch {torch.__version__.split('+')[0]}"


def seed_everything(seed: int = 0) -> None:
    """Seed Python's, NumPy's and PyTorch's global generators (every device).

    Random draws in vaelib take a ``generator``; this covers what does not, such as weight initialisation and dropout.

    Args:
        seed: 0 to 2**64 - 1. PyTorch's generator on the CPU counts with the last 32 bits alone.

    Raises:
        ValueError: the seed is not a whole number in that range.
    """
    seed = given.seed(seed)
    random.seed(seed)
    np.random.seed(seed if seed < 2**32 else [0, seed >> 32, seed % 2**32])  # noqa: NPY002 -- the global one is what is to be seeded
    torch.manual_seed(seed)


def budget(lesson, full):
    """``lesson`` or ``full``, as the environment variable ``VAELIB_BUDGET`` says (default ``lesson``).

    The same cells then serve a lesson of a minute and a run at the size of a paper.

    Raises:
        ValueError: ``VAELIB_BUDGET`` is neither.
    """
    choice = given.setting("VAELIB_BUDGET").strip().lower() or "lesson"
    if choice not in ("lesson", "full"):
        raise ValueError(f"VAELIB_BUDGET is {choice!r}: use lesson (the default) or full.")
    return full if choice == "full" else lesson
