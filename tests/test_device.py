import functools
import os
import random
import subprocess
import sys

import numpy as np
import platformdirs
import pytest
import torch

import vaelib
from vaelib.outside import downloads


def at_hand(monkeypatch, kind, count=1):
    """PyTorch as it would be with ``count`` accelerators of a kind; with None it has none."""
    found = torch.device(kind, 0) if kind else None
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda check_available=False: found)
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: count if kind else 0)


@pytest.mark.parametrize(("kind", "expected"), [("cuda", "cuda"), ("mps", "mps"), ("xpu", "xpu"), (None, "cpu")])
def test_the_accelerator_at_hand_is_picked(monkeypatch, kind, expected):
    monkeypatch.delenv("VAELIB_DEVICE", raising=False)
    at_hand(monkeypatch, kind)
    assert vaelib.pick_device() == torch.device(expected)
    assert vaelib.pick_device(expected) == torch.device(expected)


def test_an_accelerator_that_a_build_has_and_the_machine_lacks_is_none(monkeypatch):
    monkeypatch.delenv("VAELIB_DEVICE", raising=False)
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)
    assert vaelib.pick_device() == torch.device("cpu")


def test_the_environment_overrides_and_an_argument_overrides_that(monkeypatch):
    at_hand(monkeypatch, "cuda", 2)
    monkeypatch.setenv("VAELIB_DEVICE", "CPU")
    assert vaelib.pick_device() == torch.device("cpu")
    assert vaelib.pick_device("cuda:1") == torch.device("cuda", 1)


UNKNOWN = ["gpu", "cuda:x", "cuda:", "cuda:-1", "cuda:\u00b2", "cuda:\u0663", "cuda:1:2", "tpu:0", "meta"]


@pytest.mark.parametrize("name", UNKNOWN)
def test_an_unknown_device_is_said(monkeypatch, name):
    monkeypatch.setenv("VAELIB_DEVICE", name)
    with pytest.raises(ValueError, match=rf"VAELIB_DEVICE is {name!r}, .* use cpu, cuda, cuda:N or mps"):
        vaelib.pick_device()


@pytest.mark.parametrize("name", ["", " ", 0, 0.5, b"cpu", ["cpu"], torch.device("meta"), torch.tensor(1), *UNKNOWN])
@pytest.mark.parametrize("call", [vaelib.pick_device, vaelib.describe_device])
def test_what_is_no_device_is_said(call, name):
    with pytest.raises(ValueError, match=r"^pick_device was given .*, which is no device name: use cpu, .* or mps\.$"):
        call(name)


def test_a_device_is_taken_as_its_name_is(monkeypatch):
    assert vaelib.pick_device(torch.device("cpu")) == torch.device("cpu")
    assert vaelib.pick_device(" CPU:0") == torch.device("cpu", 0)
    assert vaelib.describe_device("cpu") == vaelib.describe_device(torch.device("cpu"))
    at_hand(monkeypatch, None)
    for name in ("cuda", torch.device("cuda")):
        with pytest.raises(ValueError, match=r"pick_device was given 'cuda', but PyTorch finds 0 cuda device"):
            vaelib.pick_device(name)
    with pytest.raises(ValueError, match=r"given 'cuda:1', but PyTorch finds 0 cuda device"):
        vaelib.describe_device(torch.device("cuda", 1))


def test_an_absent_device_is_said(monkeypatch):
    at_hand(monkeypatch, None)
    with pytest.raises(ValueError, match=r"pick_device was given 'cuda', but PyTorch finds 0 cuda device"):
        vaelib.pick_device("cuda")
    monkeypatch.setenv("VAELIB_DEVICE", "cpu:3")
    with pytest.raises(ValueError, match="finds 1 cpu device"):
        vaelib.pick_device()


def test_one_line_says_what_is_used(monkeypatch):
    line = vaelib.describe_device(torch.device("cpu"))
    assert line.startswith(f"cpu, {torch.get_num_threads()} thread")
    assert ", torch 2." in line
    assert "\n" not in line
    monkeypatch.setenv("VAELIB_DEVICE", "cpu:0")
    assert vaelib.describe_device() == line.replace("cpu", "cpu:0", 1)


FRESH = """
import sys, vaelib, vaelib.train, vaelib.bounds, vaelib.evaluate
print(sorted({"torchvision", "matplotlib", "sympy", "sklearn", "IPython"} & set(sys.modules)))
import os, numpy, threadpoolctl, torch
counts = lambda: {pool["num_threads"] for pool in threadpoolctl.threadpool_info()}
before = counts()
print(vaelib.share_cores(), vaelib.share_cores())
x = torch.randn(300, 300)
torch.linalg.svd(x), numpy.linalg.svd(x.numpy())
print(before == counts(), counts() == {1}, os.environ.get("OMP_NUM_THREADS"))
print(vaelib.describe_device("cpu"))
"""


@functools.cache
def fresh(given):
    """The lines that FRESH prints in a new process, which takes seconds to import PyTorch, with these settings."""
    ours = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VAELIB_BUDGET")
    settings = {name: value for name, value in os.environ.items() if name not in ours} | dict(given)
    done = subprocess.run([sys.executable, "-c", FRESH], capture_output=True, text=True, check=True, env=settings)
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("given", "threads", "left", "said"),
    [
        ({}, 1, False, "cpu, 1 thread (OMP_NUM_THREADS sets more), "),
        ({"OMP_NUM_THREADS": "2"}, 2, True, "cpu, 2 threads, "),
        ({"OPENBLAS_NUM_THREADS": "2"}, None, True, "cpu, "),
        ({"VAELIB_BUDGET": "full"}, None, True, "cpu, "),
    ],
)
def test_a_lesson_takes_one_thread_unless_it_is_told_otherwise(given, threads, left, said):
    """After NumPy and PyTorch are loaded, as in a notebook: every pool of theirs."""
    _, counts, pools, line = fresh(tuple(given.items()))
    first, second = counts.split()
    assert first == second
    if threads is not None:
        assert int(first) == threads
    untouched, one, set_to = pools.split()
    if left:
        assert untouched == "True"
        assert set_to == given.get("OMP_NUM_THREADS", "None")
    else:
        assert (one, set_to) == ("True", "1")
    assert line.startswith(said)
    assert ("sets more" in line) == (not left)


def test_seeding_reaches_every_global_generator():
    draws = []
    for _ in range(2):
        vaelib.seed_everything(5)
        draws.append((random.random(), np.random.rand(), torch.rand(1).item()))  # noqa: NPY002
    assert draws[0] == draws[1]
    vaelib.seed_everything(6)
    assert all(a != b for a, b in zip(draws[0], (random.random(), np.random.rand(), torch.rand(1).item()), strict=True))  # noqa: NPY002
    vaelib.seed_everything()
    assert torch.equal(torch.rand(3), torch.rand(3, generator=torch.Generator().manual_seed(0)))  # the default


@pytest.mark.parametrize("seed", [np.int64(3), np.uint8(3), torch.tensor(3)])
def test_numbers_of_other_libraries_are_seeds(seed):
    vaelib.seed_everything(3)
    expected = (random.random(), np.random.rand(), torch.rand(1).item())  # noqa: NPY002
    vaelib.seed_everything(seed)
    assert (random.random(), np.random.rand(), torch.rand(1).item()) == expected  # noqa: NPY002


def test_large_seeds(monkeypatch):
    draws = set()
    seeds = (3, 2**31, 2**31 + 3, 2**32 + 3, 2**63 + 3, 1_790_000_000_123_456_789, 2**64 - 1)
    for seed in seeds:
        vaelib.seed_everything(seed)
        draws |= {random.random(), np.random.rand()}  # noqa: NPY002 -- nor does one follow the other
        assert torch.initial_seed() == seed
    assert len(draws) == 2 * len(seeds)
    np.random.seed(2**31 + 3)  # noqa: NPY002
    expected = np.random.rand()  # noqa: NPY002
    vaelib.seed_everything(2**31 + 3)
    assert np.random.rand() == expected  # noqa: NPY002
    for seed in (-1, 2**64, 1.0, True, None, "3", np.arange(2)):
        with pytest.raises(
            ValueError, match=r"^seed.* was given: use a whole number from 0 to 18446744073709551615\.$"
        ):
            vaelib.seed_everything(seed)


@pytest.mark.parametrize("blank", ["", "  "])
def test_a_setting_of_blanks_is_unset(monkeypatch, blank):
    for name in ("VAELIB_BUDGET", "VAELIB_DEVICE", "VAELIB_DATA"):
        monkeypatch.setenv(name, blank)
    assert vaelib.budget(lesson=1, full=2) == 1
    at_hand(monkeypatch, "cuda")
    assert vaelib.pick_device() == torch.device("cuda")
    assert downloads.folder() == downloads.folder(platformdirs.user_cache_path("vaelib", appauthor=False))


def test_budget(monkeypatch):
    assert vaelib.budget(lesson=1, full=2) == 1
    for full in ("full", "FULL", " full "):
        monkeypatch.setenv("VAELIB_BUDGET", full)
        assert vaelib.budget(lesson=1, full=2) == 2
    monkeypatch.setenv("VAELIB_BUDGET", "paper")
    with pytest.raises(ValueError, match="VAELIB_BUDGET is 'paper': use lesson"):
        vaelib.budget(lesson=1, full=2)


def test_import_is_light():
    assert fresh(())[0] == "[]"
