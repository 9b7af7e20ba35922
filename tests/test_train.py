import collections
import enum
import functools
import inspect
import math
import os
import signal
import sys
import time

import numpy as np
import pytest
import torch
from fresh import Fresh
from machine import a_disk_with_room_for, bound_by_modes, flipped
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from vaelib import data, train
from vaelib.outside import checkpoints
from vaelib.outside.files import WriteError
from vaelib.quantize import VectorQuantizer

DATA = torch.randint(0, 256, (200, 1, 4, 4), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
CPU = torch.device("cpu")


def make():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 16))


def loss(model, x, generator):
    noisy = x + 0.1 * torch.randn(x.shape, generator=generator, device=x.device)
    return (model(noisy) - x.flatten(1)).square().mean()


def fit(model, loss=loss, **settings):
    defaults = dict(steps=60, batch_size=32, log_every=10, device=CPU, progress=False)
    return train.fit(model, loss, DATA, **(defaults | settings))


def same(a, b):
    return all(torch.equal(p, q) for p, q in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


def test_a_run_learns_and_tells():
    model = make()
    run = fit(model, steps=205, log_every=50)
    assert [entry["step"] for entry in run.history] == [50, 100, 150, 200, 205]
    assert run.history[-1]["loss"] < 0.5 * run.history[0]["loss"]
    assert all(isinstance(v, float) for entry in run.history for v in entry.values())
    assert not model.training


def test_the_logged_loss_is_the_mean_over_the_interval():
    seen = []

    def record(model, x, generator):
        value = loss(model, x, generator)
        seen.append(float(value.detach()))
        return value

    run = fit(make(), record, steps=20)
    assert run.history[1]["loss"] == pytest.approx(sum(seen[10:]) / 10, rel=1e-6)


def test_it_is_plain_adam():
    """Against the loop written out with an unfused optimizer."""
    torch.manual_seed(0)
    ours, theirs = (nn.Sequential(nn.Flatten(), nn.Linear(16, 16)) for _ in range(2))
    theirs.load_state_dict(ours.state_dict())
    x = DATA[:64].float() / 255

    def plain(model, x, generator):
        return (model(x) - x.flatten(1)).square().mean()

    train.fit(ours, plain, DATA[:64], steps=30, batch_size=64, lr=0.01, device=CPU, progress=False)
    optimizer = torch.optim.Adam(theirs.parameters(), lr=0.01, foreach=False, fused=False)
    for _ in range(30):  # the whole set is one batch, so the order does not matter but for rounding
        optimizer.zero_grad()
        plain(theirs, x, None).backward()
        optimizer.step()
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(p, q, atol=1e-5)


def test_the_same_arguments_give_the_same_weights_whatever_the_global_seed():
    a, b, c = make(), make(), make()
    torch.manual_seed(1)
    fit(a)
    torch.manual_seed(2)
    state = torch.get_rng_state()
    fit(b)
    assert torch.equal(torch.get_rng_state(), state)  # and the caller's generator is left alone
    fit(c, seed=1)
    assert same(a, b)
    assert not same(a, c)


def test_snapshots_do_not_disturb():
    a, b = make(), make()
    fit(a)
    modes = []

    def snapshot(model, step):
        modes.append((model.training, torch.is_grad_enabled()))
        torch.rand(5)
        return next(model.parameters()).detach().clone()

    run = fit(b, snapshot=snapshot, snapshot_at=[0, 7, 60])
    assert same(a, b)
    assert list(run.snapshots) == [0, 7, 60]
    assert torch.equal(run.snapshots[0], make()[1].weight)
    assert torch.equal(run.snapshots[60], b[1].weight)
    assert modes == [(False, False)] * 3


def test_labels_other_optimizers_and_bf16():
    labels = torch.arange(200) % 4
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 4))
    seen = []

    def classify(model, x, y, generator):
        logits = model(x)
        seen.append((x.dtype, y.dtype, logits.dtype))
        return nn.functional.cross_entropy(logits, y)

    train.fit(
        model,
        classify,
        DATA,
        labels,
        steps=3,
        batch_size=32,
        device=CPU,
        bf16=True,
        progress=False,
        optimizer=lambda parameters: torch.optim.SGD(parameters, lr=0.1),
    )
    assert seen == [(torch.float32, torch.int64, torch.bfloat16)] * 3
    assert all(p.dtype == torch.float32 for p in model.parameters())


def test_a_schedule_sets_the_learning_rate_and_the_loss():
    """Against the loop written out: learning rate 0.1 (1 - t), and a loss weighted by 1 + 2t."""
    torch.manual_seed(0)
    ours, theirs = (nn.Sequential(nn.Flatten(), nn.Linear(16, 16)) for _ in range(2))
    theirs.load_state_dict(ours.state_dict())
    x = DATA[:64].float() / 255

    def weighted(model, x, generator, weight):
        return weight * (model(x) - x.flatten(1)).square().mean()

    train.fit(
        ours,
        weighted,
        DATA[:64],
        steps=10,
        batch_size=64,
        optimizer=lambda parameters: torch.optim.SGD(parameters, lr=7.0),
        schedule=lambda t: {"lr": 0.1 * (1 - t), "weight": 1 + 2 * t},
        device=CPU,
        progress=False,
    )
    for step in range(10):
        theirs.zero_grad()
        weighted(theirs, x, None, 1 + 0.2 * step).backward()
        with torch.no_grad():
            for p in theirs.parameters():
                p -= 0.1 * (1 - step / 10) * p.grad
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(p, q, atol=1e-6)


def test_a_scheduled_run_resumes_where_it_was_and_only_at_its_own_length(tmp_path):
    schedule = lambda t: {"lr": 0.01 * (1 - t)}  # noqa: E731
    whole, parts, rest = make(), make(), make()
    fit(whole, steps=40, schedule=schedule)
    path = tmp_path / "run.pt"

    def stopped(t):
        if t >= 0.5:
            raise KeyboardInterrupt
        return schedule(t)

    with pytest.raises(KeyboardInterrupt):
        fit(parts, steps=40, schedule=stopped, checkpoint=path, checkpoint_seconds=0)
    with pytest.raises(ValueError, match=r"of a run with steps 40 \(here 60\)"):
        fit(make(), steps=60, schedule=schedule, checkpoint=path)
    fit(rest, steps=40, schedule=schedule, checkpoint=path)
    assert same(whole, rest)


def test_a_step_reads_nothing_back(monkeypatch):
    """No tensor is turned into a Python number between two log entries: on a GPU that would stall every step."""
    reads = []
    for name in ("item", "tolist", "__bool__", "__float__", "__int__"):
        original = getattr(torch.Tensor, name)
        monkeypatch.setattr(
            torch.Tensor, name, lambda self, *a, _f=original, _n=name: (reads.append(_n), _f(self, *a))[1]
        )
    counts = []
    for steps in (100, 200):
        reads.clear()
        fit(make(), steps=steps, log_every=100)
        counts.append(len(reads))
    fit(make(), steps=200, log_every=200)
    assert counts[1] <= 2 * counts[0]
    reads.clear()
    fit(make(), steps=200, log_every=200)
    assert len(reads) <= counts[0] + 2  # a hundred more steps, the same reads but for the epochs' seeds


# ---- checkpoints


def test_resuming_gives_the_same_weights_and_history(tmp_path):
    whole, parts = make(), make()
    snapshot = dict(snapshot=lambda m, s: next(m.parameters()).detach().clone(), snapshot_at=[0, 5, 35])
    run = fit(whole, **snapshot)
    path = tmp_path / "run.pt"
    fit(parts, steps=20, checkpoint=path, snapshot=snapshot["snapshot"], snapshot_at=[0, 5])
    fresh = make()
    with torch.no_grad():
        next(fresh.parameters()).zero_()  # the checkpoint's weights count, not these
    resumed = fit(fresh, checkpoint=path, **snapshot)
    assert same(whole, fresh)
    assert [(e["step"], e["loss"]) for e in resumed.history] == [(e["step"], e["loss"]) for e in run.history]
    assert all(torch.equal(resumed.snapshots[k], run.snapshots[k]) for k in (0, 5, 35))
    again = make()
    fit(again, checkpoint=path)  # finished: nothing left to do
    assert same(whole, again)


def test_a_finished_run_can_be_looked_at_once_more(tmp_path):
    path = tmp_path / "c.pt"
    fit(make(), steps=20, checkpoint=path)
    looks = []
    look = dict(steps=20, snapshot=lambda m, s: looks.append(s) or m[1].bias, snapshot_at=[20], checkpoint=path)
    first, second = fit(make(), **look), fit(make(), **look)
    assert looks == [20]
    assert torch.equal(first.snapshots[20], second.snapshots[20])


def mutated(plant, old, new):
    """train with an error planted in it, or in the checkpoints that it uses."""
    if old in inspect.getsource(train):
        return plant("vaelib.train", old, new)
    mutant = plant("vaelib.train", "", "")
    mutant.checkpoints = plant("vaelib.outside.checkpoints", old, new)
    return mutant


@pytest.mark.parametrize(
    "forgotten",
    [
        'self.generator.set_state(state["generator"])',
        'torch.set_rng_state(state["cpu_rng"])',
        'self.updates.load_state_dict(state["optimizer"] | {"param_groups": groups})',
        '_load(self.model, state["model"])',
        "start=done",
    ],
)
def test_everything_that_resuming_restores_is_needed(tmp_path, caught, plant, forgotten):
    mutant = mutated(plant, forgotten, "start=0" if forgotten == "start=done" else "pass")
    settings = dict(batch_size=32, log_every=10, device=CPU, progress=False)

    def attempt(module, path):
        whole, parts, resumed = make(), make(), make()
        module.fit(whole, loss, DATA, steps=40, **settings)
        module.fit(parts, loss, DATA, steps=20, checkpoint=path, **settings)
        module.fit(resumed, loss, DATA, steps=40, checkpoint=path, **settings)
        assert same(whole, resumed)

    attempt(train, tmp_path / "right.pt")
    caught(f"resume forgets {forgotten}", lambda: attempt(mutant, tmp_path / "wrong.pt"))


VICTIM = """
import time, torch
from test_train import make, loss, DATA, CPU
from vaelib import train
def slow(model, x, generator):
    time.sleep(0.004)
    return loss(model, x, generator)
model = make()
train.fit(
    model, slow, DATA, steps=300, batch_size=32, log_every=10, device=CPU, progress=False,
    checkpoint=checkpoint, checkpoint_seconds=0,
)
torch.save(model.state_dict(), result)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9")
def test_killed_and_started_again(tmp_path):
    whole = make()
    fit(whole, steps=300)
    checkpoint, result = tmp_path / "c.pt", tmp_path / "weights.pt"
    files = {"checkpoint": str(checkpoint), "result": str(result)}
    done = [0]
    for delay in (0.05, 0.06, 0.07, 0.08):  # not in step with the writing of checkpoints
        before = checkpoint.stat().st_mtime_ns if checkpoint.exists() else None
        process = Fresh(VICTIM, **files)
        while process.process.is_alive() and (not checkpoint.exists() or checkpoint.stat().st_mtime_ns == before):
            time.sleep(0.01)
        time.sleep(delay)
        process.kill(signal.SIGKILL)
        code, _, err = process.finish()
        assert code == -signal.SIGKILL, err
        done.append(torch.load(checkpoint, weights_only=True)["done"])
    assert not result.exists()
    assert sorted(set(done)) == done  # each went on
    assert done[-1] < 300
    code, _, err = Fresh(VICTIM, **files).finish()
    assert code == 0, err
    weights = torch.load(result, weights_only=True)
    assert all(torch.equal(weights[k], v) for k, v in whole.state_dict().items())


def test_a_nonfinite_loss_is_named_and_the_last_good_checkpoint_kept(tmp_path):
    path = tmp_path / "c.pt"
    calls = []

    def breaks(model, x, generator):
        calls.append(1)
        value = loss(model, x, generator)
        return value * float("nan") if len(calls) == 37 else value

    with pytest.raises(
        FloatingPointError, match=r"the loss is nan at step 37: the last good checkpoint is kept in .*c.pt; a lower"
    ):
        fit(make(), breaks, checkpoint=path, checkpoint_seconds=0)
    kept = torch.load(path, weights_only=True)
    assert kept["done"] == 30
    assert all(torch.isfinite(v).all() for v in kept["model"].values())
    with pytest.raises(FloatingPointError, match="at step 1: there is no checkpoint"):
        fit(make(), lambda m, x, g: loss(m, x, g) / 0)


class Blow(torch.optim.SGD):
    """Sends every weight to infinity at its 20th step."""

    def step(self):
        self.calls = getattr(self, "calls", 0) + 1
        for p in self.param_groups[0]["params"]:
            p.data.fill_(float("inf")) if self.calls == 20 else p.data.sub_(0.01 * p.grad)


def test_weights_that_overflow_under_a_finite_loss_never_reach_a_checkpoint(tmp_path):
    path = tmp_path / "c.pt"
    settings = dict(checkpoint=path, checkpoint_seconds=0, optimizer=lambda parameters: Blow(parameters, lr=1))
    with pytest.raises(
        FloatingPointError, match=r"1\.weight of the model is no longer finite after step 20: the last good checkpoint"
    ):
        fit(make(), **settings)
    assert torch.load(path, weights_only=True)["done"] == 10


def test_checkpoints_of_other_runs_are_refused_and_left_alone(tmp_path):
    path = tmp_path / "c.pt"
    fit(make(), checkpoint=path)
    kept = path.read_bytes()
    with pytest.raises(ValueError, match=r"is of a run with batch_size 32 \(here 16\): delete it"):
        fit(make(), checkpoint=path, batch_size=16)
    with pytest.raises(ValueError, match=r"lr 0.001 \(here 0.01\)"):
        fit(make(), checkpoint=path, lr=0.01)
    with pytest.raises(ValueError, match="is 60 steps old and steps=50 was given"):
        fit(make(), checkpoint=path, steps=50)
    with pytest.raises(ValueError, match="of a model with other layers"):
        fit(nn.Sequential(nn.Flatten(), nn.Linear(16, 16)), checkpoint=path, steps=70)
    assert path.read_bytes() == kept
    damaged = "c.pt is damaged: delete it to start again, or give another file"
    for content in (kept[:-100], kept[:1000], b"", b"hello"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="c.pt is no checkpoint of train.fit" if content == b"hello" else damaged):
            fit(make(), checkpoint=path)
        assert path.read_bytes() == content
    assert os.listdir(tmp_path) == ["c.pt"]


def test_sizes_out_of_range():
    with pytest.raises(ValueError, match="steps=0"):
        fit(make(), steps=0)
    with pytest.raises(ValueError, match="a step in snapshot_at=61 was given: use a whole number from 0 to 60"):
        fit(make(), snapshot=lambda m, s: None, snapshot_at=[3, 61])
    with pytest.raises(ValueError, match="batch_size=500 was given for 200 examples"):
        fit(make(), batch_size=500)


def told(attempt, kind=ValueError):
    """The sentence of the error, which is of this kind, or "" if there is none."""
    try:
        attempt()
    except kind as error:
        return str(error)
    return ""


# ---- what is written can be read


class Pair(collections.namedtuple("Pair", "left right")):
    """A named tuple."""


class Word(str):
    """A word of a kind."""


Kind = enum.IntEnum("Kind", "A B")
KEPT = {  # what a snapshot returns -> what is kept
    "tensor": (torch.arange(3), torch.arange(3)),
    "parameter": (nn.Parameter(torch.ones(2)), torch.ones(2)),
    "array": (np.arange(4.0).reshape(2, 2)[::-1], torch.tensor([[2.0, 3.0], [0.0, 1.0]], dtype=torch.float64)),
    "big-endian array": (np.arange(3, dtype=">i4"), torch.arange(3, dtype=torch.int32)),
    "bool array": (np.array([True, False]), torch.tensor([True, False])),
    "subclasses": ([Kind.A, Word("a")], [1, "a"]),
    "numbers": (
        [np.float64(0.5), np.float32(0.25), np.int64(3), np.bool_(True), 2**70, 1j],
        [0.5, 0.25, 3, True, 2**70, 1j],
    ),
    "words": (("a", np.str_("b"), b"c", None), ("a", "b", b"c", None)),
    "dicts": (
        collections.OrderedDict({np.int64(3): {"x": np.float64(1.5)}, "y": {1, 2}}),
        {3: {"x": 1.5}, "y": {1, 2}},
    ),
    "named tuple": (Pair(np.float64(1.0), {"deep": Pair(1, 2)}), (1.0, {"deep": (1, 2)})),
}


def equal(a, b):
    """Of one type, and equal; tensors in their type of number, too."""
    if isinstance(b, torch.Tensor):
        return type(a) is torch.Tensor and a.dtype == b.dtype and torch.equal(a, b) and not a.requires_grad
    if isinstance(b, dict):
        return type(a) is dict and list(a) == list(b) and all(equal(a[key], b[key]) for key in b)
    if isinstance(b, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(map(equal, a, b))
    return type(a) is type(b) and a == b


def test_plain_types_are_kept_and_come_back(tmp_path):
    path = tmp_path / "c.pt"
    settings = dict(steps=2, log_every=1, snapshot_at=[1], checkpoint=path)
    run = fit(make(), snapshot=lambda m, s: {key: given for key, (given, _) in KEPT.items()}, **settings)
    resumed = fit(make(), snapshot=lambda m, s: pytest.fail("it is there"), **settings)
    for key, (_, kept) in KEPT.items():
        assert equal(run.snapshots[1][key], kept), key  # the same, whether the run was stopped or not
        assert equal(resumed.snapshots[1][key], kept), key


def test_a_snapshot_is_a_copy():
    model = make()
    run = fit(model, steps=4, snapshot=lambda m, s: {"weight": m[1].weight}, snapshot_at=[0, 2, 4])
    assert torch.equal(run.snapshots[0]["weight"], make()[1].weight)
    assert not torch.equal(run.snapshots[2]["weight"], run.snapshots[4]["weight"])


def test_what_a_checkpoint_cannot_keep_is_refused_at_once(tmp_path):
    path = tmp_path / "c.pt"
    bad = {
        "object": object(),
        "function": print,
        "ndarray": np.array(["a", None], dtype=object),
        "module": nn.Linear(2, 2),
        "range": {"deep": [range(3)]},
    }
    for value in bad.values():
        steps = []
        snapshot = dict(
            snapshot=lambda m, s, value=value, steps=steps: (steps.append(s), value)[1], snapshot_at=range(61)
        )
        sentence = told(lambda snapshot=snapshot: fit(make(), checkpoint=path, **snapshot))
        assert sentence.startswith("the snapshot at step 0 has an object of type"), sentence
        assert steps == [0]
        assert not path.exists()
    assert fit(make(), steps=2, snapshot=lambda m, s: print, snapshot_at=[1]).snapshots == {1: print}  # without one

    class Stateful(nn.Linear):
        def get_extra_state(self):
            return object()

        def set_extra_state(self, state):
            pass

    model = nn.Sequential(nn.Flatten(), Stateful(16, 16))
    sentence = told(lambda: fit(model, lambda m, x, g: m(x).square().mean(), checkpoint=path))
    assert sentence.startswith(
        "the model's state has an object of type object, but a checkpoint keeps tensors, arrays,"
    )


class Odd(torch.optim.SGD):
    """Keeps NumPy numbers, as optimizers from elsewhere do."""

    def step(self):
        super().step()
        for group in self.param_groups:
            group["share"] = np.float32(0.5)
            for p in group["params"]:
                self.state[p]["count"] = np.int64(self.state[p].get("count", 0) + 1)


def test_numpy_numbers_in_every_setting_can_be_resumed(tmp_path):
    path, plain = tmp_path / "c.pt", make()
    odd = dict(optimizer=lambda p: Odd(p, lr=np.float64(0.1), momentum=np.float32(0.5), weight_decay=np.float64(0.01)))
    schedule = dict(schedule=lambda t: {"lr": np.float64(0.1) * (1 - t)})
    numpy = dict(batch_size=np.int64(16), seed=np.int32(3), log_every=np.int16(10), checkpoint_seconds=np.float32(0))
    for settings in (odd, odd | schedule, dict(lr=np.float64(1e-3)), schedule):
        plain, parts = make(), make()
        fit(plain, batch_size=16, seed=3, steps=40, **settings)
        path.unlink(missing_ok=True)

        def stop(model, step):
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            fit(
                parts,
                steps=np.int64(40),
                checkpoint=path,
                snapshot=stop,
                snapshot_at=np.array([20]),
                **numpy,
                **settings,
            )
        fit(parts, steps=40, checkpoint=path, **numpy, **settings)
        assert same(plain, parts)
    assert torch.load(path, weights_only=True)["settings"]["seed"] == 3


@pytest.mark.skipif(sys.platform == "win32", reason="modes")
def test_a_folder_and_a_place_where_nothing_can_be_written(tmp_path, shared, capsys):
    steps = []

    def counted(model, x, generator):
        steps.append(1)
        return loss(model, x, generator)

    sentence = told(lambda: fit(make(), counted, checkpoint=tmp_path))
    assert sentence == f"{tmp_path} is a folder: give the path of a checkpoint of train.fit."
    (tmp_path / "file").write_text("")
    place = tmp_path / "file" / "c.pt"
    assert "its folder is a file" in told(lambda: fit(make(), counted, checkpoint=place), WriteError)
    (shared / "closed").mkdir(mode=0o755)
    whole = make()
    run = fit(whole, checkpoint=shared / "closed" / "done.pt")
    with bound_by_modes():
        place = shared / "closed" / "c.pt"
        sentence = told(lambda: fit(make(), counted, checkpoint=place), WriteError)
        assert sentence.startswith(f"{place} was not written (Permission denied)")
        there = make()
        again = fit(there, checkpoint=shared / "closed" / "done.pt")  # there is nothing left to write
    assert not steps
    assert capsys.readouterr().out == ""
    assert same(there, whole)
    assert again.history == run.history


@pytest.mark.skipif(sys.platform == "win32", reason="limits")
def test_a_full_disk_does_not_stop_the_run(tmp_path, capsys):
    path, whole, model = tmp_path / "c.pt", make(), make()
    fit(whole)
    settings = dict(checkpoint=path, checkpoint_seconds=0)
    fit(make(), steps=20, **settings)
    room = len(path.read_bytes()) - 1
    capsys.readouterr()
    with a_disk_with_room_for(room):
        run = fit(model, **settings)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == [f"After step {step}" for step in (30, 40, 50, 60)]
    assert all(f"{path} was not written (File too large), and what was there is as it was" in line for line in lines)
    assert same(model, whole)
    assert [entry["step"] for entry in run.history] == [10, 20, 30, 40, 50, 60]
    assert torch.load(path, weights_only=True)["done"] == 20
    assert os.listdir(tmp_path) == ["c.pt"]

    def breaks(*batch):
        value = loss(*batch)
        return value / 0 if next(calls) == 15 else value

    calls = iter(range(100))
    with a_disk_with_room_for(room), pytest.raises(FloatingPointError, match="the loss is inf at step 36"):
        fit(make(), breaks, **(settings | dict(checkpoint_seconds=30)))  # what stopped it is what is told
    assert capsys.readouterr().out.splitlines()[-1].startswith(f"After step 30: {path} was not written")
    assert torch.load(path, weights_only=True)["done"] == 20


def test_300_flipped_bits_in_a_checkpoint(tmp_path):
    """No flip gives other weights, history or snapshots: it is told, or it lies where it changes nothing."""
    path, whole = tmp_path / "c.pt", make()
    settings = dict(steps=4, log_every=2, snapshot=lambda m, s: m[1].weight, snapshot_at=[2], checkpoint=path)
    run = fit(whole, **settings)
    content, rng = path.read_bytes(), np.random.default_rng(0)
    told_of = 0
    for damaged in flipped(content, rng.choice(8 * len(content), 300, replace=False)):
        path.write_bytes(damaged)
        model, found = make(), []
        sentence = told(lambda model=model, found=found: found.append(fit(model, **settings)))
        if sentence:
            assert str(path) in sentence
            assert same(model, make())
            told_of += 1
        else:
            assert same(model, whole)
            assert found[0].history == run.history
            assert torch.equal(found[0].snapshots[2], run.snapshots[2])
    assert told_of > 150


# ---- a resumed run is the same run


def layers(activation=nn.ReLU, dropout=0.3):
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 8), activation(), nn.Dropout(dropout), nn.Linear(8, 16))


def with_words(decay, commitment=0.25):
    model = layers()
    model[0].words = VectorQuantizer(4, 2, decay, commitment)  # a part that is not called, but printed and kept
    return model


def other_loss(model, x, generator):
    return loss(model, x, generator) * 2


def adam(**settings):
    return dict(optimizer=lambda p: torch.optim.Adam(p, **({"lr": 0.001} | settings)))


ORDER = torch.randperm(200, generator=torch.Generator().manual_seed(1))
CHANGED = DATA.clone()
CHANGED[137, 0, 2, 1] ^= 1
OTHER_RUNS = {  # the first part, what then differs, and what is told
    "data: one pixel": ({}, dict(tensors=[CHANGED]), r"a run with data uint8 \(200, 1, 4, 4\) \w+ \(here uint8"),
    "data: order": ({}, dict(tensors=[DATA[ORDER]]), "a run with data uint8"),
    "data: type": ({}, dict(tensors=[DATA.float()]), r"\(here float32 \(200"),
    "data: shape": ({}, dict(tensors=[DATA.reshape(200, 1, 2, 8)]), r"\(here uint8 \(200, 1, 2, 8\)"),
    "labels": (dict(tensors=[DATA, ORDER]), dict(tensors=[DATA, ORDER.flip(0)]), "a run with data uint8"),
    "activation": ({}, dict(model=layers(nn.Tanh)), r"other layers: 2 ReLU\(\) \(here Tanh\(\)\)"),
    "dropout": ({}, dict(model=layers(dropout=0.4)), r"other layers: 3 Dropout\(p=0.3.*\(here Dropout\(p=0.4"),
    "a codebook's decay": (dict(model=with_words(0.9)), dict(model=with_words(0.5)), r"decay=0.9.*\(here .*decay=0.5"),
    "a commitment": (dict(model=with_words(0.9)), dict(model=with_words(0.9, 1)), r"commitment=0.25\) \(here .*=1.0"),
    "float64": ({}, dict(model=layers().double()), r"1.weight float32 \(8, 16\) \(here float64"),
    "seed": ({}, dict(seed=1), r"a run with seed 0 \(here 1\)"),
    "bf16": ({}, dict(bf16=True), r"a run with bf16 False \(here True\)"),
    "betas": (adam(), adam(betas=(0.5, 0.999)), r"betas \(0.9, 0.999\) \(here \(0.5"),
    "eps": (adam(), adam(eps=1e-7), r"eps 1e-08 \(here 1e-07\)"),
    "weight decay": (adam(), adam(weight_decay=0.1), r"weight_decay 0 \(here 0.1\)"),
    "optimizer": (adam(), dict(optimizer=torch.optim.AdamW), r"optimizer Adam \(here AdamW\)"),
    "schedule": (
        dict(schedule=lambda t: {"lr": 1e-3, "weight": 1}),
        dict(schedule=lambda t: {"lr": 1e-3, "weight": 1 + (t > 0.3)}),
        r"another schedule: at step 20 weight 1 \(here 2\)",
    ),
    "schedule: rate": (
        dict(schedule=lambda t: {"lr": 1e-3 * (1 - t)}),
        dict(schedule=lambda t: {"lr": 1e-3 * (1 - t) ** 2}),
        r"another schedule: at step 10 lr 0.00085 \(here",
    ),
    "no schedule": (dict(schedule=lambda t: {}), dict(schedule=None), r"steps 60 \(here None\)"),
}


def part(path, model=None, loss=None, tensors=(DATA,), stop_at=None, module=train, **settings):
    """Train a fresh model, to step ``stop_at`` if it is given; the model and the run."""

    def any_loss(model, x, *rest, weight=1.0):
        return weight * (model(x.float().flatten(1)) - x.float().flatten(1)).square().mean()

    def stop(model, step):
        raise KeyboardInterrupt

    model = layers() if model is None else model
    stopping = {} if stop_at is None else dict(snapshot=stop, snapshot_at=[stop_at])
    defaults = dict(steps=60, batch_size=32, log_every=10, device=CPU, progress=False, checkpoint=path)
    try:
        run = module.fit(model, loss or any_loss, *tensors, **(defaults | settings | stopping))
    except KeyboardInterrupt as stopped:
        run = stopped.run
    return model, run


@pytest.mark.parametrize("what", OTHER_RUNS)
def test_another_run_is_told_and_nothing_is_touched(tmp_path, what):
    first, then, sentence = OTHER_RUNS[what]
    path = tmp_path / "c.pt"
    part(path, stop_at=20, **first)
    kept = path.read_bytes()
    model = then.get("model", layers())
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with pytest.raises(ValueError, match=sentence):
        part(path, **(first | then | {"model": model}))
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert model.training
    assert path.read_bytes() == kept


def test_the_same_run_goes_on_whatever_else_differs(tmp_path, capsys):
    """The same numbers in other types, a NumPy array for a tensor, other intervals: the run is the same, and no line is said."""
    path = tmp_path / "c.pt"
    whole, _ = part(None)
    part(path, stop_at=20)
    settings = dict(seed=np.int64(0), log_every=7, checkpoint_seconds=0, snapshot=lambda m, s: None, snapshot_at=[30])
    resumed, _ = part(path, tensors=[DATA.numpy()], **settings)
    assert same(whole, resumed)
    path.unlink()
    wobble = 1 + 1e-12  # another machine's cosine
    whole, _ = part(None, schedule=lambda t: {"lr": 1e-3 * math.cos(t)})
    part(path, stop_at=20, schedule=lambda t: {"lr": 1e-3 * math.cos(t) * wobble})
    part(path, schedule=lambda t: {"lr": 1e-3 * math.cos(t)})
    assert capsys.readouterr().out == ""


LOSSES = """
def made(beta, power=2):
    def loss(model, x, generator, offset=0.0):
        error = 0.5 * (model(x) - x.flatten(1)).abs() ** power
        return beta * error.mean() + offset
    return loss
"""


def test_a_loss_of_other_code_is_said_and_a_cell_run_again_is_not(tmp_path, capsys):
    path = tmp_path / "c.pt"

    def cell(text=LOSSES):
        """As a notebook does: compiled anew, under another name, at another place."""
        found = {}
        exec(compile("\n" * len(os.listdir(tmp_path)) + text, f"cell {time.perf_counter_ns()}", "exec"), found)
        return found["made"]

    part(path, loss=cell()(4.0), steps=2, log_every=1)
    kept = path.read_bytes()
    heard = {}
    for what, other in {
        "again": cell()(4.0),
        "closure": cell()(1.0),
        "constant": cell(LOSSES.replace("0.5", "0.25"))(4.0),
        "deeper closure": cell(LOSSES.replace("power=2", "power=1"))(4.0),
        "code": cell(LOSSES.replace("error.mean()", "error.sum()"))(4.0),
        "operator": cell(LOSSES.replace(".mean() + offset", ".mean() - offset"))(4.0),
        "default": cell(LOSSES.replace("offset=0.0", "offset=1.0"))(4.0),
        "partial": functools.partial(cell()(4.0), offset=0.0),
    }.items():
        path.write_bytes(kept)
        part(path, loss=other, steps=3, log_every=1)
        heard[what] = capsys.readouterr().out
    assert heard.pop("again") == ""
    for line in heard.values():
        assert line.startswith(f"checkpoint {path} was made by other code (made.<locals>.loss ")
        assert line.endswith("see that it means the same.\n")
        assert line.count("\n") == 1
    path.unlink()
    two = functools.partial(cell()(4.0), offset=0.0, x=DATA.float().flatten(1)[:, :4])
    assert checkpoints._known(two) == checkpoints._known(
        functools.partial(two.func, **dict([*two.keywords.items()][::-1]))
    )


def test_the_code_of_a_forward_of_ones_own_is_said(tmp_path, capsys):
    path = tmp_path / "c.pt"

    def model(forward):
        torch.manual_seed(0)
        model = type("Own", (nn.Linear,), {"forward": forward})(16, 16)
        return model

    for activation in ("relu", "relu", "tanh"):
        found = {}
        exec(f"def forward(self, x):\n    return (x @ self.weight + self.bias).{activation}()", found)
        part(path, model=model(found["forward"]), steps=2, log_every=1)
        assert ("other code" in capsys.readouterr().out) == (activation == "tanh")


def test_an_earlier_checkpoint_is_told(tmp_path):
    path = tmp_path / "c.pt"
    fit(make(), steps=4, checkpoint=path)
    state = torch.load(path, weights_only=True)
    for field in ("layers", "code", "scheduled"):
        del state[field]
    torch.save(state, path)
    with pytest.raises(
        ValueError, match="is an earlier vaelib's, which did not note the data and the layers: delete it"
    ):
        fit(make(), checkpoint=path)


def test_a_compiled_model_and_the_plain_one_share_a_checkpoint(tmp_path):
    compiled = functools.partial(torch.compile, backend="eager")
    whole, run = part(None)
    for first, then in ((compiled, nn.Module.eval), (nn.Module.eval, compiled)):
        path = tmp_path / f"{first is compiled}.pt"
        part(path, model=first(layers()), stop_at=20)
        assert torch.load(path, weights_only=True)["model"].keys() == whole.state_dict().keys()
        resumed, again = part(path, model=then(layers()))
        assert same(whole, resumed)
        assert [entry["loss"] for entry in again.history] == [entry["loss"] for entry in run.history]
    model = layers()
    model[4] = compiled(model[4])  # a part of it
    part(tmp_path / "part.pt", model=model, stop_at=20)
    assert same(whole, part(tmp_path / "part.pt")[0])


@pytest.mark.parametrize("bytes_of_theirs", [16, 44, 5064])
def test_a_checkpoint_of_another_device(tmp_path, capsys, bytes_of_theirs):
    """As one of CUDA (16 bytes of generator) or MPS looks on a CPU: it goes on with random numbers of its own."""
    path = tmp_path / "c.pt"
    fit(make(), steps=20, checkpoint=path)
    state = torch.load(path, weights_only=True)
    cuda = dict(generator=torch.zeros(bytes_of_theirs, dtype=torch.uint8), cuda_rng=torch.zeros(16, dtype=torch.uint8))
    ends = []
    for seed in (0, 0, 1):
        state["optimizer"]["param_groups"][0] |= {"fused": False, "foreach": True}
        torch.save(state | cuda | {"settings": state["settings"] | {"seed": seed}}, path)
        model = make()
        run = fit(model, steps=40, seed=seed, checkpoint=path)
        sentence = "comes from another kind of device: random numbers begin anew, from the seed and the step.\n"
        assert capsys.readouterr().out == f"checkpoint {path} {sentence}"
        assert [entry["step"] for entry in run.history] == [10, 20, 30, 40]
        ends.append(model)
    assert same(ends[0], ends[1])
    assert not same(ends[0], ends[2])
    seen = []

    def draws(model, x, generator):
        seen.append((float(torch.rand(())), float(torch.rand((), generator=generator))))
        return loss(model, x, generator)

    fit(make(), draws, steps=1)
    for seed, done in ((0, 20), (0, 10), (1, 20)):
        theirs = {"settings": state["settings"] | {"seed": seed}, "done": done}
        torch.save(state | cuda | theirs, path)
        fit(make(), draws, steps=done + 1, seed=seed, checkpoint=path)
    for numbers in zip(*seen, strict=True):
        assert len(set(numbers)) == 4  # none is that of the beginning, or of another seed or step
    group = torch.load(path, weights_only=True)["optimizer"]["param_groups"][0]
    assert (group["fused"], group["foreach"]) == (True, None)  # as this device computes


FIELDS = (
    "done",
    "settings",
    "model",
    "optimizer",
    "generator",
    "cpu_rng",
    "cuda_rng",
    "history",
    "snapshots",
    "layers",
)
FIELDS += ("code", "scheduled")


def test_each_field_of_another_type_is_one_sentence_and_the_model_untouched(tmp_path):
    path = tmp_path / "c.pt"
    fit(make(), steps=20, checkpoint=path, snapshot=lambda m, s: 1, snapshot_at=[3])
    state = torch.load(path, weights_only=True)
    assert set(state) == set(FIELDS)
    wrong = [None, "text", [1], torch.zeros(3), torch.zeros(2, 3)]
    wrong_for = {"cuda_rng": wrong[1:3], "code": [None, *wrong[2:]]}  # a CPU does not look at the numbers of a GPU
    cases = [(key, value) for key in FIELDS for value in wrong_for.get(key, wrong)]
    cases += [
        ("done", -1),
        ("done", 21),
        ("history", [{}]),
        ("history", [None]),
        ("scheduled", [1]),
        ("snapshots", {"a": 1}),
    ]
    cases += [
        ("history", [{"step": 20.0, "loss": "much", "seconds": 1.0}]),
        ("history", []),
        ("optimizer", {}),
        ("optimizer", {"state": {}, "param_groups": []}),
    ]
    cases += [("generator", state["generator"] * 0), ("cpu_rng", state["cpu_rng"] * 0)]
    for field in ("model", "settings", "layers"):
        cases += [(field, state[field] | {key: torch.zeros(3)}) for key in state[field]]
        cases += [(field, dict(list(state[field].items())[1:])), (field, state[field] | {"more": None})]
    model = make()
    for field, value in cases:
        torch.save(state | {field: value}, path)
        sentence = told(lambda: fit(model, steps=20, checkpoint=path))
        assert str(path) in sentence, (field, value)
        assert sentence.endswith(("give another path.", "delete it to start again, or give another file.")), sentence
    assert same(model, make())
    assert model.training


# ---- stopped early


def moving(seed=0):
    """A model with buffers that each step moves: running means and a codebook of moving averages."""
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.BatchNorm1d(8), Words(), nn.Dropout(0.3), nn.Linear(8, 16))


class Words(nn.Module):
    def __init__(self):
        super().__init__()
        self.quantizer = VectorQuantizer(6, 4, decay=0.9)

    def forward(self, x):
        return self.quantizer(x.view(len(x), 4, 2)).z_q.flatten(1)


class Stop(Exception):
    """Any error."""


class Stopping(torch.optim.Adam):
    """Stops in the midst of an update: some weights have moved."""

    at = None

    def step(self):
        super().step()
        self.calls = getattr(self, "calls", 0) + 1
        if self.calls == self.at:
            self.param_groups[0]["params"][0].data += 1
            raise Stop


def stopping(where, at):
    """Settings that stop a run at its step ``at``: in the loss once the buffers have moved, in the update, or between steps."""
    calls = []

    def breaks(model, x, generator):
        value = loss(model, x, generator)
        calls.append(1)
        if len(calls) == at:
            if where == "loss":
                raise Stop
            if where == "interrupt in the loss":
                raise KeyboardInterrupt
            if where == "Ctrl-C":
                signal.raise_signal(signal.SIGINT)
        return value

    def schedule(t):
        if where == "schedule" and t == at / 60:
            raise Stop
        return {"lr": 0.01 * (1 - t)}

    def snapshot(model, step):
        if where == "snapshot" and step == at:
            raise Stop
        return step

    def optimizer(parameters):
        made = Stopping(parameters, lr=0.01)
        made.at = at if where == "update" else None
        return made

    return dict(loss=breaks, schedule=schedule, snapshot=snapshot, snapshot_at=[10, 37], optimizer=optimizer)


WHERE = ("schedule", "snapshot", "loss", "interrupt in the loss", "Ctrl-C", "update")
RUN = dict(steps=60, batch_size=32, log_every=10, device=CPU, progress=False)


@functools.cache
def never_stopped():
    """The model at the end, its state after step 30, and the run."""
    states = {}

    def keep(model, step):
        states[step] = {key: value.clone() for key, value in model.state_dict().items()}
        return step

    model, settings = moving(), stopping(None, 37)
    run = train.fit(model, settings.pop("loss"), DATA, **RUN, **settings | dict(snapshot=keep, snapshot_at=[10, 30]))
    return model, states[30], run


def stopped_runs_go_on(where, path, module=train):
    """Stopped at step 37, after the buffers have moved, or one weight, or between two steps: what is left is that of step 30."""
    whole, at_30, run = never_stopped()
    model, resumed, error = moving(), moving(seed=5), None
    stops = stopping(where, 37) | dict(checkpoint_seconds=0 if where == "update" else 30)  # a file is there, or none
    try:
        module.fit(model, stops.pop("loss"), DATA, checkpoint=path, **RUN, **stops)
    except (Stop, KeyboardInterrupt) as stopped:
        error = stopped
    assert isinstance(error, KeyboardInterrupt if where in ("Ctrl-C", "interrupt in the loss") else Stop)
    assert not any(layer.training for layer in model.modules())
    assert all(torch.equal(at_30[key], value) for key, value in model.state_dict().items())
    assert [entry["loss"] for entry in error.run.history] == [entry["loss"] for entry in run.history[:3]]
    assert error.run.snapshots == (
        {10: 10} if where == "snapshot" else {10: 10, 37: 37} if where == "schedule" else error.run.snapshots
    )
    assert f"{path} holds the first 30 steps of the run." in getattr(error, "__notes__", ())
    assert torch.load(path, weights_only=True)["done"] == 30
    settings = stopping(None, 37)
    again = module.fit(resumed, settings.pop("loss"), DATA, checkpoint=path, **RUN, **settings)
    assert same(whole, resumed)
    assert [(e["step"], e["loss"]) for e in again.history] == [(e["step"], e["loss"]) for e in run.history]
    assert again.snapshots == {10: 10, 37: 37}
    assert [step for step, _ in torch.load(path, weights_only=True)["scheduled"]] == [10, 20, 30, 40, 50, 60]
    seconds = [entry["seconds"] for entry in again.history]
    assert seconds == sorted(seconds)


@pytest.mark.parametrize("where", WHERE)
def test_a_run_that_stops_early_keeps_what_it_has(where, tmp_path):
    stopped_runs_go_on(where, tmp_path / "c.pt")


@pytest.mark.parametrize(
    ("where", "old", "new"),
    [
        ("loss", '_load(self.model, self.good["model"])', "pass"),
        ("update", "value.detach().clone()", "value.detach()"),
        ("snapshot", "            kept.leave(error)\n", ""),
        ("snapshot", "        finally:\n            model.eval()\n", "        finally:\n            model.train()\n"),
        ("loss", "error.run, done = self.run,", "error.run, done = type(self.run)([], {}),"),
        ("schedule", "done not in (0, self.in_file[0])", "False"),
        ("schedule", "start = saved - kept.begun", "start = saved + 9"),
        ("Ctrl-C", "self.scheduled = [", "_ = ["),
    ],
)
def test_planted_errors_in_stopping_are_caught(where, old, new, plant, caught, tmp_path):
    mutant = mutated(plant, old, new)
    caught(f"{old} as {new}", lambda: stopped_runs_go_on(where, tmp_path / "c.pt", mutant))


@pytest.mark.parametrize("where", ["Ctrl-C", "update"])
def test_a_run_without_a_checkpoint_stops_in_eval_mode_and_whole(where):
    _, at_30, run = never_stopped()
    model, stops = moving(), stopping(where, 37)
    with pytest.raises((Stop, KeyboardInterrupt)) as stopped:
        fit(model, stops.pop("loss"), **stops)
    assert not model.training
    assert all(torch.equal(at_30[key], value) for key, value in model.state_dict().items())
    assert [entry["loss"] for entry in stopped.value.run.history] == [entry["loss"] for entry in run.history[:3]]
    assert not getattr(stopped.value, "__notes__", ())


def test_a_run_that_stops_before_anything_is_done_leaves_no_file(tmp_path):
    """A mistake in a loss, mended, can be tried again."""
    with pytest.raises(ZeroDivisionError):
        fit(make(), lambda m, x, g: 1 / 0, checkpoint=tmp_path / "c.pt")
    assert not list(tmp_path.iterdir())


# ---- what is not finite


@pytest.mark.parametrize("part", ["3.quantizer.codebook", "3.quantizer.usage", "2.running_var"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_buffers_that_are_not_finite_reach_no_checkpoint(tmp_path, part, value):
    path, model = tmp_path / "c.pt", moving()
    calls = []

    def spoiled(model, x, generator):
        calls.append(1)
        found = loss(model, x, generator)
        if len(calls) == 20:
            model.state_dict()[part].data.view(-1)[0] = value
        return found

    sentence = told(lambda: fit(model, spoiled, checkpoint=path), FloatingPointError)
    assert sentence.startswith(
        f"{part} of the model is no longer finite after step 20: the last good checkpoint is kept in"
    )
    kept = torch.load(path, weights_only=True)
    assert kept["done"] == 10
    assert all(torch.isfinite(value).all() for value in kept["model"].values())
    assert all(torch.equal(kept["model"][key], value) for key, value in model.state_dict().items())  # nor the model


def test_a_state_of_the_optimizer_that_is_not_finite_reaches_no_checkpoint(tmp_path):
    class Overflowing(torch.optim.Adam):
        def step(self):
            super().step()
            self.calls = getattr(self, "calls", 0) + 1
            if self.calls == 20:
                self.state[self.param_groups[0]["params"][1]]["exp_avg_sq"][3] = float("inf")

    path = tmp_path / "c.pt"
    sentence = told(lambda: fit(make(), checkpoint=path, optimizer=Overflowing), FloatingPointError)
    assert sentence.startswith("exp_avg_sq of the optimizer, for its parameter 1, is no longer finite after step 20")
    assert torch.load(path, weights_only=True)["done"] == 10


def test_a_mask_of_infinities_is_no_fault(tmp_path):
    model = make()
    model.register_buffer("mask", torch.full((3, 3), float("-inf")).triu(1))
    fit(model, checkpoint=tmp_path / "c.pt", steps=10)
    fit(model, checkpoint=tmp_path / "c.pt", steps=20)
    model.mask[0, 0] = float("nan")
    assert told(lambda: fit(model)) == "the model has numbers that are NaN or infinite, in mask: make it anew."
    model = make()
    with torch.no_grad():
        model[4].bias[2] = float("inf")
    assert told(lambda: fit(model)) == "the model has numbers that are NaN or infinite, in 4.bias: make it anew."


def test_data_that_are_not_finite_are_told_of_as_data():
    x = DATA.float() / 255
    x[7, 0, 1, 2], x[9, 0, 0, 0] = float("nan"), float("inf")
    sentence = told(lambda: train.fit(make(), loss, x, steps=5, device=CPU, progress=False))
    assert sentence == "tensors[0] has 2 values that are NaN or infinite, of 3200: use finite ones."


# ---- what it is given


def test_data_in_other_types_is_the_same_data():
    """NumPy arrays, also reversed, read-only and float64 ones; float64 tensors; for a model in float64, float64 stays."""
    x = DATA.float() / 255
    ends = []
    locked = x.numpy().copy()
    locked.flags.writeable = False
    for given in (x, x.numpy(), x.numpy()[::-1].copy()[::-1], locked, x.double(), x.double().numpy()):
        ends.append(make())
        train.fit(ends[-1], loss, given, steps=10, batch_size=32, device=CPU, progress=False)
    assert all(same(ends[0], other) for other in ends[1:])
    seen = []

    def record(model, x, y, generator):
        seen.append((x.dtype, y.dtype))
        return (model(x) - x.flatten(1)).square().mean()

    labels = np.arange(200, dtype=np.int32)
    train.fit(make().double(), record, x.double().numpy(), labels, steps=1, device=CPU, progress=False)
    train.fit(make(), record, x.double(), labels, steps=1, device=CPU, progress=False)
    assert seen == [(torch.float64, torch.int32), (torch.float32, torch.int32)]


def test_large_seeds():
    now = 1_795_738_212_345_678_901  # time.time_ns()
    ends = [make() for _ in range(4)]
    for model, seed in zip(ends, (now, np.int64(now), now + 1, 2**64 - 1), strict=True):
        fit(model, seed=seed, steps=5)
    assert same(ends[0], ends[1])
    assert not same(ends[0], ends[2])
    seen = []

    def record(model, x, generator):
        seen.append(x)
        return loss(model, x, generator)

    for seed in (5, 2**32 - 1, 2**64 - 1):  # in the order that minibatches gives
        fit(make(), record, seed=seed, steps=1)
        assert torch.equal(seen.pop(), next(data.minibatches(DATA, batch_size=32, seed=seed))[0])


IMAGES = data.Images(DATA, torch.zeros(200, dtype=torch.int64), "mine")
ALIEN = nn.Linear(16, 16)


class Silent(nn.Module):
    """No parameter."""

    def forward(self, x):
        return x.flatten(1)


REFUSED = {  # settings, and the whole sentence
    "model": (dict(model=loss), "model, an object of type function, was given: use a torch.nn.Module."),
    "loss": (dict(loss="mse"), "loss='mse' was given: use a function of (model, *batch, generator)."),
    "steps inf": (dict(steps=float("inf")), "steps=inf was given: use a whole number, at least 1."),
    "steps float": (dict(steps=10.0), "steps=10.0 was given: use a whole number, at least 1."),
    "steps True": (dict(steps=True), "steps=True was given: use a whole number, at least 1."),
    "log_every": (dict(log_every=float("nan")), "log_every=nan was given: use a whole number, at least 1."),
    "batch_size": (dict(batch_size=0), "batch_size=0 was given: use a whole number, at least 1."),
    "batch_size None": (dict(batch_size=None), "batch_size=None was given: use a whole number, at least 1."),
    "lr": (dict(lr=float("nan")), "lr=nan was given: use a finite number, at least 0."),
    "lr negative": (dict(lr=-1), "lr=-1 was given: use a finite number, at least 0."),
    "lr word": (dict(lr="1e-3"), "lr='1e-3' was given: use a finite number, at least 0."),
    "seed": (dict(seed=-1), f"seed=-1 was given: use a whole number from 0 to {2**64 - 1}."),
    "seed word": (dict(seed=None), f"seed=None was given: use a whole number from 0 to {2**64 - 1}."),
    "bf16": (dict(bf16="yes"), "bf16='yes' was given: use True or False."),
    "progress": (dict(progress=None), "progress=None was given: use True or False."),
    "seconds": (dict(checkpoint_seconds=-1), "checkpoint_seconds=-1 was given: use a finite number, at least 0."),
    "seconds nan": (
        dict(checkpoint_seconds=float("nan")),
        "checkpoint_seconds=nan was given: use a finite number, at least 0.",
    ),
    "checkpoint": (dict(checkpoint=3), "checkpoint=3 was given: use the path of a file, or None."),
    "checkpoint empty": (dict(checkpoint=""), "checkpoint='' was given: use the path of a file, or None."),
    "schedule": (dict(schedule={"lr": 1}), "schedule={'lr': 1} was given: use a function, or None."),
    "snapshot": (dict(snapshot=[1]), "snapshot=[1] was given: use a function, or None."),
    "optimizer": (dict(optimizer="adam"), "optimizer='adam' was given: use a function, or None."),
    "snapshot_at": (dict(snapshot_at=5), "snapshot_at=5 was given: use a list of steps."),
    "snapshot_at word": (dict(snapshot_at="5"), "snapshot_at='5' was given: use a list of steps."),
    "snapshot_at floats": (
        dict(snapshot_at=[1.5]),
        "a step in snapshot_at=1.5 was given: use a whole number from 0 to 60.",
    ),
    "device": (
        dict(device="gpu"),
        "pick_device was given 'gpu', which is no device name: use cpu, cuda, cuda:N or mps.",
    ),
    "no data": (dict(tensors=[]), "no tensor was given: use at least one, such as images.x."),
    "empty": (
        dict(tensors=[DATA[:0]]),
        "tensors[0], a uint8 tensor (0, 1, 4, 4), was given: use a tensor that is not empty.",
    ),
    "large batch": (dict(batch_size=201), "batch_size=201 was given for 200 examples: use 1 to 200."),
    "Images": (
        dict(tensors=[IMAGES]),
        "an Images was given, which is pictures and labels: use images.x, or images.x, images.y.",
    ),
    "fewer labels": (
        dict(tensors=[DATA, torch.zeros(199)]),
        "the tensors to batch have 200, 199 examples: they must be equally long.",
    ),
    "list": (dict(tensors=[[1, 2]]), "tensors[0]=[1, 2] was given: use a tensor that is not empty."),
    "words": (
        dict(tensors=[DATA, np.array(["a"] * 200)]),
        "tensors[1], a <U1 NumPy array (200,), was given: use a tensor that is not empty.",
    ),
    "loader": (
        dict(tensors=[DataLoader(TensorDataset(DATA))]),
        "tensors[0], an object of type DataLoader, was given: use a tensor that is not empty.",
    ),
    "no parameters": (
        dict(model=Silent()),
        "the model has no parameter to train: give one that has, with requires_grad.",
    ),
    "frozen": (
        dict(model=nn.Linear(16, 16).requires_grad_(False)),
        "the model has no parameter to train: give one that has, with requires_grad.",
    ),
    "alien optimizer": (
        dict(optimizer=lambda p: torch.optim.SGD(ALIEN.parameters(), lr=0.1)),
        "the optimizer has no parameter of the model: make it from the parameters that it is given.",
    ),
    "no optimizer": (
        dict(optimizer=lambda p: None),
        "optimizer made an object of type NoneType: make a torch.optim.Optimizer, but not LBFGS, as "
        "lambda parameters: torch.optim.SGD(parameters, lr=0.1) does.",
    ),
    "closure": (
        dict(optimizer=torch.optim.LBFGS),
        "optimizer made an object of type LBFGS: make a torch.optim.Optimizer, but not LBFGS, as "
        "lambda parameters: torch.optim.SGD(parameters, lr=0.1) does.",
    ),
    "optimizer's lr": (
        dict(optimizer=lambda p: torch.optim.SGD(p, lr=float("nan"))),
        "the optimizer's lr=nan was given: use a finite number, at least 0.",
    ),
    "no dict": (
        dict(schedule=lambda t: 1e-3),
        'schedule(0)=0.001 was given: use a dict of settings, such as {"lr": 1e-3}.',
    ),
    "no words": (
        dict(schedule=lambda t: {1: 2}),
        'schedule(0)={1: 2} was given: use a dict of settings, such as {"lr": 1e-3}.',
    ),
    "rate": (
        dict(schedule=lambda t: {"lr": 1 / (0.5 - t) if t != 0.5 else float("nan")}),
        "the lr of schedule(0.5)=nan was given: use a finite number, at least 0.",
    ),
    "rate None": (
        dict(schedule=lambda t: {"lr": None}),
        "the lr of schedule(0)=None was given: use a finite number, at least 0.",
    ),
    "loss a number": (
        dict(loss=lambda m, x, g: 0.5),
        "loss returned an object of type float at step 1: return one float, such as a mean over the batch.",
    ),
    "loss nothing": (
        dict(loss=lambda m, x, g: None),
        "loss returned an object of type NoneType at step 1: return one float, such as a mean over the batch.",
    ),
    "loss per example": (
        dict(loss=lambda m, x, g: m(x).mean(1)),
        "loss returned a tensor float32 (32,) at step 1: return one float, such as a mean over the batch.",
    ),
    "loss without a graph": (
        dict(loss=lambda m, x, g: m(x).mean().detach()),
        "the loss at step 1 has no gradient: compute it without detach, item and torch.no_grad.",
    ),
    "loss of another model": (
        dict(loss=lambda m, x, g: ALIEN(x.flatten(1)).mean()),
        "the loss gives the model no gradient: does it use the one that it is given?",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_is_one_sentence(what):
    settings, sentence = REFUSED[what]
    settings = dict(settings)
    model, cost, tensors = settings.pop("model", make()), settings.pop("loss", loss), settings.pop("tensors", [DATA])
    before = make().state_dict()
    defaults = dict(steps=60, batch_size=32, log_every=10, device=CPU, progress=False)
    assert told(lambda: train.fit(model, cost, *tensors, **(defaults | settings))) == sentence
    if what != "rate" and isinstance(model, nn.Sequential):
        assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


def test_parameters_that_a_checkpoint_would_lose(tmp_path):
    free = nn.Parameter(torch.zeros(()))

    def weighted(model, x, generator):
        return loss(model, x, generator) * (-free).exp() + free

    both = dict(optimizer=lambda p: torch.optim.SGD([*p, free], lr=0.1))
    fit(make(), weighted, steps=5, **both)
    assert float(free.detach()) != 0  # without a checkpoint it is trained
    sentence = told(lambda: fit(make(), weighted, steps=5, checkpoint=tmp_path / "c.pt", **both))
    assert (
        sentence == "the optimizer has parameters that are not the model's and not in its checkpoints: add them to it."
    )


def test_a_part_of_the_parameters_may_be_trained(tmp_path):
    model, path = make(), tmp_path / "c.pt"
    settings = dict(optimizer=lambda p: torch.optim.Adam(list(p)[2:], lr=0.01), checkpoint=path)
    whole = make()
    fit(whole, steps=20, optimizer=settings["optimizer"])
    fit(model, steps=10, **settings)
    fit(model, steps=20, **settings)
    assert same(model, whole)
    assert torch.equal(model[1].weight, make()[1].weight)
    assert not torch.equal(model[4].weight, make()[4].weight)


def test_defaults(monkeypatch, tmp_path):
    """Against the same run with every default written out."""
    monkeypatch.setenv("VAELIB_DEVICE", "cpu")
    bars = []
    real = train.bar
    monkeypatch.setattr(train, "bar", lambda *a, **k: (bars.append(k["shown"]), real(*a, **(k | {"shown": False})))[1])
    ours, theirs = make(), make()
    run = train.fit(ours, loss, DATA, steps=101)
    train.fit(
        theirs, loss, DATA, steps=101, batch_size=128, seed=0, device=CPU, bf16=False, log_every=50, progress=False,
        optimizer=lambda p: torch.optim.Adam(p, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, fused=True),
    )  # fmt: skip
    assert same(ours, theirs)
    assert [entry["step"] for entry in run.history] == [50, 100, 101]
    assert (run.snapshots, bars) == ({}, [True, False])
    written = []
    monkeypatch.setattr(train.checkpoints.Kept, "write", lambda self: written.append(self.good["done"]))
    now = iter(range(10_000))
    monkeypatch.setattr(train.time, "perf_counter", lambda: next(now))  # a second at each look
    train.fit(make(), loss, DATA, steps=65, log_every=1, device=CPU, progress=False, checkpoint=tmp_path / "c.pt")
    assert written == [30, 60, 65]


def test_a_loss_in_bfloat16_is_logged_as_a_mean_of_floats():
    """Its mean over an interval, which bfloat16 could not hold: 256 + 1/2 would be 256."""
    values = [256.0, 258.0, 256.0, 256.0]

    def coarse(model, x, generator):
        value = torch.tensor(values[len(seen) % 4], dtype=torch.bfloat16)
        seen.append(1)
        return value + 0 * model(x).sum().to(torch.bfloat16)

    seen = []
    run = fit(make(), coarse, steps=4, log_every=4)
    assert run.history[0]["loss"] == 256.5


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU here")
def test_on_a_gpu():
    model = make()
    run = fit(model, device=torch.device("cuda"), bf16=True)
    assert next(model.parameters()).is_cuda
    assert run.history[-1]["loss"] < run.history[0]["loss"]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU here")
def test_on_a_gpu_no_step_waits_and_checkpoints_go_both_ways(tmp_path, capsys):
    gpu, calls = torch.device("cuda"), []

    def strict(model, x, generator):
        calls.append(1)  # between two logging steps nothing may wait for the GPU
        torch.cuda.set_sync_debug_mode("error" if 12 <= len(calls) < 19 else "default")
        return loss(model, x, generator)

    whole, parts = make(), make()
    fit(whole, strict, device=gpu)
    fit(parts, steps=20, device=gpu, checkpoint=tmp_path / "c.pt")
    fit(parts, device=gpu, checkpoint=tmp_path / "c.pt")
    assert capsys.readouterr().out == ""
    for (name, p), q in zip(whole.named_parameters(), parts.parameters(), strict=True):
        assert torch.allclose(p, q, atol=1e-5), name
    for first, then in ((gpu, CPU), (CPU, gpu)):
        path, model = tmp_path / f"{first.type}.pt", make()
        fit(model, steps=20, device=first, checkpoint=path)
        run = fit(model, steps=40, device=then, checkpoint=path)
        assert "comes from another kind of device" in capsys.readouterr().out
        assert [entry["step"] for entry in run.history] == [10, 20, 30, 40]
        assert all(p.device.type == then.type for p in model.parameters())
