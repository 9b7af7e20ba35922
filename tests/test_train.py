import os
import signal
import sys
import time

import pytest
import torch
from fresh import Fresh
from torch import nn

from vaelib import train

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


@pytest.mark.parametrize(
    "forgotten",
    [
        'self.generator.set_state(state["generator"])',
        'torch.set_rng_state(state["cpu_rng"])',
        'self._load_updates(state["optimizer"])',
        '_load(self.model, state["model"])',
        "start=done",
    ],
)
def test_everything_that_resuming_restores_is_needed(tmp_path, caught, plant, forgotten):
    mutant = plant("vaelib.train", forgotten, "start=0" if forgotten == "start=done" else "pass")
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


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU here")
def test_on_a_gpu():
    model = make()
    run = fit(model, device=torch.device("cuda"), bf16=True)
    assert next(model.parameters()).is_cuda
    assert run.history[-1]["loss"] < run.history[0]["loss"]
