"""Training: one short function for any model and any loss."""

import time
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from vaelib.console import bar
from vaelib.data import minibatches
from vaelib.device import pick_device
from vaelib.files import written_whole


class Run(NamedTuple):
    """What a training run leaves beside the weights.

    history: one dict of floats every ``log_every`` steps: step, loss (mean since the last entry), seconds (since the start).
    snapshots: step -> what the ``snapshot`` function returned then.
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
    run was killed and started again with the same ``checkpoint``.

    Args:
        loss: ``loss(model, *batch, generator)`` -> scalar to minimise, with one batch tensor for each of ``tensors``; uint8
            comes as float in [0, 1]. Random draws take the ``generator``, which is on the device.
        tensors: equally long along dimension 0, for example images, or images and labels.
        steps: updates in all, those of an earlier part of the run included.
        lr: learning rate of the default optimizer, fused Adam.
        optimizer: makes another one from the parameters; then ``lr`` is not used.
        bf16: compute the loss under bfloat16 autocast.
        schedule: ``schedule(t)`` -> settings for the step at which the share t of the steps is done, 0 <= t < 1. The entry
            ``"lr"``, if there is one, becomes the learning rate; the others go to ``loss`` as keyword arguments.
        snapshot: ``snapshot(model, step)`` -> tensors to keep, called in eval mode without a graph at the steps in
            ``snapshot_at`` (0 is before training). It does not disturb the run's random numbers.
        checkpoint: a file, written whole at a logging step once ``checkpoint_seconds`` have passed, and at the end. If it is
            there, the run goes on from it.

    Raises:
        ValueError: a size out of range, or a checkpoint that is damaged or belongs to another run; it is left as it was.
        FloatingPointError: the loss or a weight is no longer finite. The message names the step; the checkpoint stays as it was.
    """
    if steps < 1 or log_every < 1:
        raise ValueError(f"steps={steps} and log_every={log_every} were given: both are at least 1.")
    if wrong := [s for s in snapshot_at if not 0 <= s <= steps]:
        raise ValueError(f"snapshot_at names the steps {wrong}: they lie from 0 to steps={steps}.")
    device = pick_device() if device is None else torch.device(device)
    tensors = tuple(t.to(device) for t in tensors)
    model.to(device)
    if optimizer is None:
        updates = torch.optim.Adam(model.parameters(), lr=lr, fused=device.type in ("cpu", "cuda"))
    else:
        updates = optimizer(model.parameters())
    settings = {
        "batch_size": batch_size,
        "seed": seed,
        "examples": len(tensors[0]),
        "optimizer": type(updates).__name__,
        "lr": updates.param_groups[0]["lr"],
        "bf16": bf16,
        "steps": steps if schedule is not None else None,  # a schedule's t is a share of them
    }
    generator = torch.Generator(device).manual_seed(seed)
    run, done, before = Run([], {}), 0, 0.0
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        if checkpoint is not None and Path(checkpoint).exists():
            done, before = _resume(Path(checkpoint), settings, steps, model, updates, generator, run)
        batches = minibatches(*tensors, batch_size=batch_size, seed=seed, start=done)
        start = saved = time.perf_counter()
        losses: list[torch.Tensor] = []
        progress_bar = bar(steps, done=done, shown=progress)

        def take_snapshot() -> None:
            if snapshot is not None and done in snapshot_at and done not in run.snapshots:
                model.eval()
                with torch.no_grad(), torch.random.fork_rng([device] if device.type == "cuda" else []):
                    run.snapshots[done] = snapshot(model, done)

        with progress_bar:
            while done < steps:
                take_snapshot()
                model.train()
                current = dict(schedule(done / steps)) if schedule is not None else {}
                if "lr" in current:
                    rate = current.pop("lr")
                    for group in updates.param_groups:
                        group["lr"] = rate
                with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
                    value = loss(model, *next(batches), generator, **current)
                updates.zero_grad()
                value.backward()
                updates.step()
                losses.append(value.detach())
                done += 1
                if done % log_every and done < steps:
                    continue
                _check_finite(losses, model, done, lr=updates.param_groups[0]["lr"], checkpoint=checkpoint)
                mean = float(torch.stack(losses).float().mean())
                seconds = time.perf_counter()
                run.history.append({"step": float(done), "loss": mean, "seconds": before + seconds - start})
                progress_bar.set_postfix(loss=f"{mean:.4g}", refresh=False)
                progress_bar.update(len(losses))
                losses = []
                if done == steps:
                    take_snapshot()
                if checkpoint is not None and (done == steps or seconds - saved >= checkpoint_seconds):
                    _save(Path(checkpoint), settings, done, model, updates, generator, run)
                    saved = time.perf_counter()
    model.eval()
    return run


def _check_finite(
    losses: list[torch.Tensor], model: nn.Module, done: int, lr: float, checkpoint: str | Path | None
) -> None:
    kept = (
        "there is no checkpoint"
        if checkpoint is None or not Path(checkpoint).exists()
        else f"the last good checkpoint is kept in {checkpoint}"
    )
    advice = f"{kept}; a lower learning rate than {lr:g} may help."
    bad = (~torch.isfinite(torch.stack(losses))).nonzero()
    if len(bad):
        first = int(bad[0])
        raise FloatingPointError(
            f"the loss is {float(losses[first])} at step {done - len(losses) + first + 1}: {advice}"
        )
    # a finite loss can still have sent the weights to infinity, and such weights must not reach a checkpoint
    if not all(bool(torch.isfinite(p).all()) for p in model.parameters()):
        raise FloatingPointError(f"a weight is no longer finite after step {done}: {advice}")


def _save(
    path: Path,
    settings: dict,
    done: int,
    model: nn.Module,
    updates: torch.optim.Optimizer,
    generator: torch.Generator,
    run: Run,
) -> None:
    state = {
        "settings": settings,
        "done": done,
        "model": model.state_dict(),
        "optimizer": updates.state_dict(),
        "generator": generator.get_state(),
        "cpu_rng": torch.get_rng_state(),
        "cuda_rng": torch.cuda.get_rng_state(generator.device) if generator.device.type == "cuda" else None,
        "history": run.history,
        "snapshots": run.snapshots,
    }
    with written_whole(path) as file:
        torch.save(state, file)


def _resume(
    path: Path,
    settings: dict,
    steps: int,
    model: nn.Module,
    updates: torch.optim.Optimizer,
    generator: torch.Generator,
    run: Run,
) -> tuple[int, float]:
    """Load a checkpoint into the model, the optimizer, the generators and ``run``; return the steps done and the seconds spent."""
    remedy = "delete it to start again, or give another file."
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        theirs, done = state["settings"], state["done"]
    except Exception as error:  # a damaged file makes torch raise almost anything
        raise ValueError(
            f"checkpoint {path} cannot be read, it is damaged or no checkpoint of train.fit: {remedy}"
        ) from error
    if other := [
        f"{key} {theirs.get(key)} (here {value})" for key, value in settings.items() if theirs.get(key) != value
    ]:
        raise ValueError(f"checkpoint {path} is of a run with {', '.join(other)}: {remedy}")
    if done > steps:
        raise ValueError(
            f"checkpoint {path} is {done} steps old and steps={steps} was given: ask for at least {done}, or {remedy}"
        )
    shapes = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    if shapes != {key: tuple(value.shape) for key, value in state["model"].items()}:
        raise ValueError(f"checkpoint {path} is of a model with other layers: {remedy}")
    model.load_state_dict(state["model"])
    updates.load_state_dict(state["optimizer"])
    generator.set_state(state["generator"])
    torch.set_rng_state(state["cpu_rng"])
    if state["cuda_rng"] is not None and generator.device.type == "cuda":
        torch.cuda.set_rng_state(state["cuda_rng"], generator.device)
    run.history.extend(state["history"])
    run.snapshots.update(state["snapshots"])
    return done, run.history[-1]["seconds"]
