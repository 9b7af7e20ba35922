"""Training: one short function for any model and any loss."""

import functools
import os
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from vaelib.data import batchable, minibatches
from vaelib.device import pick_device
from vaelib.outside import checkpoints, given
from vaelib.outside.console import bar
from vaelib.outside.files import check_writable


class Run(NamedTuple):
    """What a training run leaves beside the weights.

    history: one dict of floats every ``log_every`` steps: step, loss (mean since the last entry), seconds (since the start).
    snapshots: step -> what the ``snapshot`` function returned then; its tensors are copies, and on the CPU if they come from a checkpoint.
    """

    history: list[dict[str, float]]
    snapshots: dict[int, Any]


def fit(
    model: nn.Module,
    loss: Callable[..., torch.Tensor],
    *tensors: torch.Tensor,
    steps: int,
    batch_size: int = 128,
    lr: float = 1e-3,
    optimizer: Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer] | None = None,
    seed: int = 0,
    device: torch.device | None = None,
    bf16: bool = False,
    schedule: Callable[[float], dict[str, float]] | None = None,
    log_every: int = 50,
    snapshot: Callable[[nn.Module, int], Any] | None = None,
    snapshot_at: Collection[int] = (),
    checkpoint: str | Path | None = None,
    checkpoint_seconds: float = 30,
    progress: bool = True,
) -> Run:
    """Minimise ``loss`` over minibatches of ``tensors``; the model ends on ``device``, in eval mode.

    The data moves to the device whole, once. A step reads nothing back from the device: losses are looked at every
    ``log_every`` steps. Equal arguments give equal weights, bit for bit on a CPU, whatever the global seed, and also when the
    run was stopped or killed and started again with the same ``checkpoint``.

    **Stopped early**, by Ctrl-C or an error, the model is in eval mode and as it was at the last logging step: after whole steps, and
    finite. That state goes to ``checkpoint``, too. The exception carries the ``Run`` so far as ``run``: after Ctrl-C in a notebook,
    ``sys.last_value.run.history``.

    **A checkpoint is of one run.** It is refused, and left as it was, if one of these differs: the data, in any number or in their
    order; the layers as they print, so activations and dropout count; batch_size, seed, bf16; type and settings of the
    optimizer; what ``schedule`` gave at the logging steps so far and, with one, ``steps``. A line says so, and the run goes on, if these
    differ: the code of ``loss`` (with defaults, and the numbers and words in its closure), and of ``forward`` in classes that are not
    PyTorch's. Not looked at are global variables, functions that are called from there, and what a layer does not print. A change
    of ``device``, ``log_every``, ``snapshot`` or ``checkpoint_seconds`` is none of the run; but on another kind of device random
    numbers begin anew, from the seed and the step, and a line says so. A model has the same checkpoints with torch.compile and without.

    Args:
        loss: ``loss(model, *batch, generator)`` -> scalar to minimise, with one batch tensor for each of ``tensors``, as
            ``data.minibatches`` gives them: uint8 images come as float in [0, 1]. Random draws take the ``generator``, on the device.
        tensors: equally long, for example images, or images and labels: tensors or NumPy arrays. float64 becomes float32
            unless the model has weights in float64.
        steps: updates in all, those of an earlier part of the run included.
        lr: learning rate of the default optimizer, fused Adam.
        optimizer: makes another one from the parameters; then ``lr`` is not used.
        seed: from 0 to 2**64 - 1.
        bf16: compute the loss under bfloat16 autocast.
        schedule: ``schedule(t)`` -> settings for the step at which the share t of the steps is done, 0 <= t < 1. The entry
            ``"lr"``, if there is one, becomes the learning rate; the others go to ``loss`` as keyword arguments.
        snapshot: ``snapshot(model, step)`` -> tensors to keep, called in eval mode without a graph at the steps in
            ``snapshot_at`` (0 is before training). It does not disturb the run's random numbers. Also numbers, words, None, and lists,
            tuples and dicts of all these; an array becomes a tensor, a NumPy number Python's, a named tuple a tuple. Anything else
            is kept as it is, or refused if there is a ``checkpoint``.
        checkpoint: a file, written whole at a logging step once ``checkpoint_seconds`` have passed, and at the end. If it is
            there, the run goes on from it. If a write fails later on (a full disk), a line says so, the file stays as it was, and
            training goes on to the next write.

    Raises:
        ValueError: an argument that cannot be; data or weights that are not finite; a loss that is no number, or has no gradient
            for the model; a snapshot that a checkpoint cannot keep; a checkpoint that is damaged or of another run.
        WriteError: ``checkpoint`` cannot be written, seen before the first step (an OSError).
        FloatingPointError: the loss, a weight, a buffer or the optimizer's state is no longer finite. The message names the step.
    """
    given.module("model", model)
    given.function("loss", loss, "a function of (model, *batch, generator)")
    steps, log_every = given.whole("steps", steps, 1), given.whole("log_every", log_every, 1)
    batch_size, seed = given.whole("batch_size", batch_size, 1), given.seed(seed)
    bf16, progress = given.flag("bf16", bf16), given.flag("progress", progress)
    checkpoint_seconds = given.number("checkpoint_seconds", checkpoint_seconds, 0)
    for name, value in {"optimizer": optimizer, "schedule": schedule, "snapshot": snapshot}.items():
        if value is not None:
            given.function(name, value, "a function, or None")
    if isinstance(snapshot_at, str) or not isinstance(snapshot_at, Iterable):
        raise given.refuse("snapshot_at", snapshot_at, "a list of steps")
    marks = {given.whole("a step in snapshot_at", step, 0, steps) for step in snapshot_at}
    if checkpoint is not None:
        checkpoint = given.path("checkpoint", checkpoint, "the path of a file, or None")
    tensors = batchable(*tensors)
    if not any(p.dtype == torch.float64 for p in model.parameters()):
        tensors = tuple(t.float() if t.dtype == torch.float64 else t for t in tensors)
    for k, value in enumerate(tensors):
        given.finite(f"tensors[{k}]", value, everywhere=True)
    device = pick_device(device)
    model.to(device)
    updates = _updates(model, optimizer, lr, device, checkpoint)
    generator = torch.Generator(device).manual_seed(seed)
    run, gpus = Run([], {}), [device] if device.type == "cuda" else []
    with torch.random.fork_rng(gpus):
        torch.manual_seed(seed)
        kept = checkpoints.Kept(model, updates, generator, run, checkpoint)
        if checkpoint is not None:
            settings = {"batch_size": batch_size, "seed": seed, "bf16": bf16, "steps": steps if schedule else None}
            kept.identify(settings, tensors, loss)
            if os.path.exists(checkpoint):
                kept.resume(steps, functools.partial(_settings_at, schedule), seed)
            if kept.good["done"] < steps:
                check_writable(checkpoint)
        done = first = kept.good["done"]
        here = (t.detach().to(device) for t in tensors)
        batches = minibatches(*here, batch_size=batch_size, seed=seed, start=done)
        saved = time.perf_counter()
        start = saved - kept.begun
        losses: list[torch.Tensor] = []

        def take_snapshot() -> None:
            if snapshot is not None and done in marks and done not in run.snapshots:
                model.eval()
                with torch.no_grad(), torch.random.fork_rng(gpus):
                    found = snapshot(model, done)
                run.snapshots[done] = checkpoints.plain(
                    found, f"the snapshot at step {done}", strict=checkpoint is not None
                )

        try:
            with bar(steps, done=done, shown=progress) as progress_bar:
                while done < steps:
                    take_snapshot()
                    current = _settings_at(schedule, done / steps)
                    for group in updates.param_groups if "lr" in current else ():
                        group["lr"] = current["lr"]
                    rest = {key: value for key, value in current.items() if key != "lr"}
                    model.train()
                    with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
                        value = _scalar(loss(model, *next(batches), generator, **rest), done + 1)
                    updates.zero_grad()
                    value.backward()
                    if done == first and all(p.grad is None for group in updates.param_groups for p in group["params"]):
                        raise ValueError("the loss gives the model no gradient: does it use the one that it is given?")
                    updates.step()
                    losses.append(value.detach())
                    done += 1
                    if done % log_every and done < steps:
                        continue
                    kept.check(losses, done)
                    mean = float(torch.stack(losses).float().mean())
                    seconds = time.perf_counter()
                    run.history.append({"step": float(done), "loss": mean, "seconds": seconds - start})
                    progress_bar.set_postfix(loss=f"{mean:.4g}", refresh=False)
                    progress_bar.update(len(losses))
                    losses = []
                    kept.take(done, current)
                    if checkpoint is not None and done < steps and seconds - saved >= checkpoint_seconds:
                        kept.write()
                        saved = time.perf_counter()
                take_snapshot()
            if checkpoint is not None and kept.in_file != (done, len(run.snapshots)):
                kept.write()
        except BaseException as error:
            kept.leave(error)
            raise
        finally:
            model.eval()
    return run


def _updates(model, optimizer, lr, device: torch.device, checkpoint) -> torch.optim.Optimizer:
    learned = {id(p) for p in model.parameters() if p.requires_grad}
    if not learned:
        raise ValueError("the model has no parameter to train: give one that has, with requires_grad.")
    if optimizer is None:
        lr = given.number("lr", lr, 0)
        return torch.optim.Adam(model.parameters(), lr=lr, fused=device.type in ("cpu", "cuda"))
    updates = optimizer(model.parameters())
    if not isinstance(updates, torch.optim.Optimizer) or isinstance(updates, torch.optim.LBFGS):
        use = "a torch.optim.Optimizer, but not LBFGS, as lambda parameters: torch.optim.SGD(parameters, lr=0.1) does"
        raise ValueError(f"optimizer made an object of type {type(updates).__name__}: make {use}.")
    held = {id(p) for group in updates.param_groups for p in group["params"]}
    if not held & learned:
        raise ValueError("the optimizer has no parameter of the model: make it from the parameters that it is given.")
    if checkpoint is not None and held - {id(p) for p in model.parameters()}:
        raise ValueError(
            "the optimizer has parameters that are not the model's and not in its checkpoints: add them to it."
        )
    for group in updates.param_groups:
        given.number("the optimizer's lr", group.get("lr", 0.0), 0)
    return updates


def _settings_at(schedule: Callable | None, t: float) -> dict[str, Any]:
    found = schedule(t) if schedule is not None else {}
    if not isinstance(found, Mapping) or not all(isinstance(key, str) for key in found):
        raise given.refuse(f"schedule({t:g})", found, 'a dict of settings, such as {"lr": 1e-3}')
    return dict(found) | ({"lr": given.number(f"the lr of schedule({t:g})", found["lr"], 0)} if "lr" in found else {})


def _scalar(value: Any, step: int) -> torch.Tensor:
    if not isinstance(value, torch.Tensor) or value.numel() != 1 or not value.is_floating_point():
        what = (
            f"a tensor {checkpoints.form(value)}"
            if isinstance(value, torch.Tensor)
            else f"an object of type {checkpoints.form(value)}"
        )
        raise ValueError(f"loss returned {what} at step {step}: return one float, such as a mean over the batch.")
    if not value.requires_grad:
        raise ValueError(f"the loss at step {step} has no gradient: compute it without detach, item and torch.no_grad.")
    return value.reshape(())
