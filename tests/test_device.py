import functools
import os
import random
import subprocess
import sys

import numpy as np
import pytest
import torch

import vaelib


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"), [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")]
)
def test_the_fastest_device_is_picked(monkeypatch, cuda, mps, expected):
    monkeypatch.delenv("VAELIB_DEVICE", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert vaelib.pick_device() == torch.device(expected)


def test_the_environment_overrides_and_an_argument_overrides_that(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("VAELIB_DEVICE", "CPU")
    assert vaelib.pick_device() == torch.device("cpu")
    assert vaelib.pick_device("cuda:1") == torch.device("cuda", 1)


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "tpu:0"])
def test_an_unknown_device_is_said(monkeypatch, name):
    monkeypatch.setenv("VAELIB_DEVICE", name)
    with pytest.raises(ValueError, match=r"VAELIB_DEVICE is .* use cpu, cuda, cuda:N or mps"):
        vaelib.pick_device()


def test_an_absent_device_is_said(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match=r"pick_device was given 'cuda', but PyTorch finds 0 cuda device"):
        vaelib.pick_device("cuda")
    monkeypatch.setenv("VAELIB_DEVICE", "cpu:3")
    with pytest.raises(ValueError, match="finds 1 cpu device"):
        vaelib.pick_device()


def test_one_line_says_what_is_used():
    line = vaelib.describe_device(torch.device("cpu"))
    assert line.startswith(f"cpu, {torch.get_num_threads()} thread")
    assert ", torch 2." in line
    assert "\n" not in line


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
    with pytest.raises(ValueError, match="a seed is an integer"):
        vaelib.seed_everything(-1)


def test_budget(monkeypatch):
    assert vaelib.budget(lesson=1, full=2) == 1
    monkeypatch.setenv("VAELIB_BUDGET", "full")
    assert vaelib.budget(lesson=1, full=2) == 2
    monkeypatch.setenv("VAELIB_BUDGET", "paper")
    with pytest.raises(ValueError, match="VAELIB_BUDGET is 'paper': use lesson"):
        vaelib.budget(lesson=1, full=2)


def test_import_is_light():
    assert fresh(())[0] == "[]"
