"""Training: one short function for any model and any loss."""

import contextlib
import functools
import hashlib
import math
import os
import time
import types
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from vaelib import given
from vaelib.console import bar, say
from vaelib.data import minibatches
from vaelib.device import pick_device
from vaelib.files import WriteError, check_writable, checksum, read_whole, written_whole


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
        loss: ``loss(model, *batch, generator)`` -> scalar to minimise, with one batch tensor for each of ``tensors``; uint8
            comes as float in [0, 1]. Random draws take the ``generator``, which is on the device.
        tensors: equally long along dimension 0, for example images, or images and labels. NumPy arrays will do. float64 becomes
            float32 unless the model has weights in float64.
        steps: updates in all, those of an earlier part of the run included.
        lr: learning rate of the default optimizer, fused Adam.
        optimizer: makes another one from the parameters; then ``lr`` is not used.
        seed: from 0 to 2**63 - 1.
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
    batch_size, seed = given.whole("batch_size", batch_size, 1), given.whole("seed", seed, 0, 2**63 - 1)
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
    if not tensors:
        raise ValueError("no data was given: use fit(model, loss, images, steps=...).")
    tensors = tuple(_data(f"tensors[{k}]", value, model) for k, value in enumerate(tensors))
    minibatches(*tensors, batch_size=batch_size)  # what it refuses is refused before anything moves
    device = pick_device(device)
    model.to(device)
    updates = _updates(model, optimizer, lr, device, checkpoint)
    generator = torch.Generator(device).manual_seed(seed)
    run, gpus = Run([], {}), [device] if device.type == "cuda" else []
    with torch.random.fork_rng(gpus):
        torch.manual_seed(seed)
        kept = _Kept(model, updates, generator, run, checkpoint)
        if checkpoint is not None:
            settings = {"batch_size": batch_size, "seed": seed, "bf16": bf16, "steps": steps if schedule else None}
            kept.identify(settings, tensors, loss)
            if os.path.exists(checkpoint):
                kept.resume(steps, schedule, seed)
            if kept.good["done"] < steps:
                check_writable(checkpoint)
        done = first = kept.good["done"]
        order = seed % 2**43  # times 1,000,003 it stays below 2**63
        batches = minibatches(*(t.to(device) for t in tensors), batch_size=batch_size, seed=order, start=done)
        saved = time.perf_counter()
        start = saved - kept.begun
        losses: list[torch.Tensor] = []

        def take_snapshot() -> None:
            if snapshot is not None and done in marks and done not in run.snapshots:
                model.eval()
                with torch.no_grad(), torch.random.fork_rng(gpus):
                    found = snapshot(model, done)
                run.snapshots[done] = _plain(found, f"the snapshot at step {done}", strict=checkpoint is not None)

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


class _Kept:
    """The last good state of a run, a copy of all that a step changes, whole and finite; and its file, if there is a path."""

    def __init__(self, model: nn.Module, updates: torch.optim.Optimizer, generator, run: Run, path: Path | None):
        self.model, self.updates, self.generator, self.run, self.path = model, updates, generator, run, path
        self.settings, self.layers, self.code = {}, {}, ""
        self.scheduled: list[tuple[float, dict]] = []  # at logging steps: t, and what the schedule gave
        self.in_file, self.begun = (0, 0), 0.0  # how many steps and snapshots are there; the seconds spent on them
        weights, learned = _weights(model), {_name(key) for key, _ in model.named_parameters()}
        broken = _broken(weights)
        self.endless = {key for key in broken if key not in learned and not weights[key].isnan().any()}  # a mask, say
        if bad := [key for key in broken if key not in self.endless]:
            raise ValueError(f"the model has numbers that are NaN or infinite, in {', '.join(bad[:3])}: make it anew.")
        self.good = self._state(0)

    def _state(self, done: int) -> dict[str, Any]:
        asked = self.path is not None
        state = {"done": done, "model": _plain(_weights(self.model), "the model's state", asked)}
        if asked:
            state["optimizer"] = _plain(self.updates.state_dict(), "the optimizer's state")
            state |= {"cuda_rng": None} | _random_state(self.generator)
            state |= {"settings": self.settings, "layers": self.layers, "code": self.code}
            state |= {"history": list(self.run.history), "scheduled": list(self.scheduled)}
        return state

    def check(self, losses: list[torch.Tensor], done: int) -> None:
        """Raise FloatingPointError if one of the losses, up to that of step ``done``, is not finite."""
        bad = (~torch.isfinite(torch.stack(losses))).nonzero()
        if len(bad):
            first = int(bad[0])
            step = done - len(losses) + first + 1
            raise FloatingPointError(f"the loss is {float(losses[first])} at step {step}: {self._advice()}")

    def take(self, done: int, current: dict[str, Any]) -> None:
        """Keep the present state, or raise FloatingPointError if something in it is not finite."""
        if current:
            self.scheduled.append((done, _comparable(current)))
        state = self._state(done)
        numbers = {f"{key} of the model": value for key, value in state["model"].items() if key not in self.endless}
        for k, entries in state.get("optimizer", {"state": {}})["state"].items():
            numbers |= {f"{key} of the optimizer, for its parameter {k},": value for key, value in entries.items()}
        if bad := _broken(numbers):
            raise FloatingPointError(f"{bad[0]} is no longer finite after step {done}: {self._advice()}")
        self.good = state

    def _advice(self) -> str:
        there = self.path is not None and self.good["done"]
        kept = f"the last good checkpoint is kept in {self.path}" if there else "there is no checkpoint"
        return f"{kept}; a lower learning rate than {self.updates.param_groups[0]['lr']:g} may help."

    def write(self) -> None:
        try:
            with written_whole(self.path) as file:
                torch.save(self.good | {"snapshots": self.run.snapshots}, file)
            self.in_file = self.good["done"], len(self.run.snapshots)
        except WriteError as error:
            say(f"After step {self.good['done']}: {error}")

    def leave(self, error: BaseException) -> None:
        """Go back to the last good state, write it, and give the exception the run so far."""
        error.run, done = self.run, self.good["done"]
        with contextlib.suppress(RuntimeError):  # of a GPU that answers no more: what stopped the run is to be told
            _load(self.model, self.good["model"])
            if self.path is not None and done not in (0, self.in_file[0]):
                self.write()
        if self.in_file[0]:
            error.add_note(f"{self.path} holds the first {self.in_file[0]} steps of the run.")

    def identify(self, settings: dict[str, Any], tensors: tuple[torch.Tensor, ...], loss: Callable) -> None:
        """Note what tells this run from another one."""
        forms = (f"{_form(value)} {checksum(value)[:12]}" for value in tensors)
        self.settings = settings | {"data": ", ".join(forms), "optimizer": type(self.updates).__name__}
        for k, group in enumerate(self.updates.param_groups):
            for key in sorted(group.keys() - {"params", "param_names", *_HOW}):
                value = group[key].tolist() if isinstance(group[key], torch.Tensor) else group[key]
                self.settings[f"{key} of group {k}" if k else key] = _plain(value, f"the optimizer's {key}")
        modules = {_name(name): module for name, module in self.model.named_modules()}  # the compiled one comes last
        self.layers = {name: f"{type(module).__name__}({module.extra_repr()})" for name, module in modules.items()}
        own = [type(module) for module in modules.values() if type(module).__module__.split(".")[0] != "torch"]
        forwards = [module.forward for module in own]
        code = hashlib.sha256(repr(_known([loss, *dict.fromkeys(forwards)])).encode()).hexdigest()[:12]
        self.code = f"{getattr(loss, '__qualname__', type(loss).__qualname__)} {code}"

    def resume(self, steps: int, schedule: Callable | None, seed: int) -> None:
        """Go on from the file. The model is touched last, when nothing more can be refused."""
        file, remedy = f"checkpoint {self.path}", "delete it to start again, or give another file."
        state = read_whole(self.path, "checkpoint of train.fit", _FIELDS, remedy[:-1])
        done = state["done"]
        if "layers" not in state:
            raise ValueError(f"{file} is an earlier vaelib's, which did not note the data and the layers: {remedy}")
        theirs, ours = state["layers"] | _forms(state["model"]), self.layers | _forms(_weights(self.model))
        if other := _differences(theirs, ours):
            raise ValueError(f"{file} is of a model with other layers: {other}: {remedy}")
        if other := _differences(state["settings"], self.settings):
            raise ValueError(f"{file} is of a run with {other}: {remedy}")
        if done > steps:
            raise ValueError(
                f"{file} is {done} steps old and steps={steps} was given: ask for {done} or more, or {remedy}"
            )
        random = _random_state(self.generator)
        same_kind = all(state[key] is not None and len(state[key]) == len(random[key]) for key in random)
        anew = int.from_bytes(hashlib.sha256(f"{seed} {done}".encode()).digest()[:7])
        try:
            if done < 0 or any(state[key].dtype != torch.uint8 for key in ("generator", "cpu_rng")):
                raise TypeError("random numbers begin from bytes.")
            keys = ("step", "loss", "seconds")
            self.run.history.extend({key: float(entry[key]) for key in keys} for entry in state["history"])
            self.begun = self.run.history[-1]["seconds"] if done else 0.0
            self.run.snapshots.update({int(step): value for step, value in state["snapshots"].items()})
            self.scheduled = [(int(step), dict(then)) for step, then in state["scheduled"]]
            groups = zip(state["optimizer"]["param_groups"], self.updates.param_groups, strict=True)
            groups = [group | {key: own[key] for key in _HOW if key in own} for group, own in groups]
            self.updates.load_state_dict(state["optimizer"] | {"param_groups": groups})
            torch.manual_seed(anew)
            self.generator.manual_seed(anew)
            if same_kind:
                self.generator.set_state(state["generator"])
                torch.set_rng_state(state["cpu_rng"])
                if "cuda_rng" in random:
                    torch.cuda.set_rng_state(state["cuda_rng"], self.generator.device)
        except Exception as error:
            raise ValueError(f"{self.path} is no checkpoint of train.fit: {remedy}") from error
        for step, then in self.scheduled:
            if other := _differences(then, _comparable(_settings_at(schedule, (step - 1) / steps))):
                raise ValueError(f"{file} is of a run with another schedule: at step {step} {other}: {remedy}")
        if not same_kind:
            say(f"{file} comes from another kind of device: random numbers begin anew, from the seed and the step.")
        if state["code"] != self.code:
            say(f"{file} was made by other code ({state['code']}, here {self.code}): see that it means the same.")
        _load(self.model, state["model"])
        self.good = self._state(done)
        self.in_file = done, len(self.run.snapshots)


_HOW = ("fused", "foreach", "capturable", "differentiable")  # of an optimizer: how it computes, not what
_NEW = type(...)  # what read_whole finds for a field that an earlier vaelib did not write
_FIELDS = dict.fromkeys(("settings", "model", "optimizer", "snapshots"), dict) | {"done": int, "history": list}
_FIELDS |= {"generator": torch.Tensor, "cpu_rng": torch.Tensor, "cuda_rng": (torch.Tensor, type(None))}
_FIELDS |= {"layers": (dict, _NEW), "code": (str, _NEW), "scheduled": (list, _NEW)}


def _random_state(generator: torch.Generator) -> dict[str, torch.Tensor]:
    gpu = {"cuda_rng": torch.cuda.get_rng_state(generator.device)} if generator.device.type == "cuda" else {}
    return {"generator": generator.get_state(), "cpu_rng": torch.get_rng_state()} | gpu


def _name(key: str) -> str:
    """The name of a layer or weight where nothing is compiled."""
    return ".".join(part for part in key.split(".") if part != "_orig_mod")


def _weights(model: nn.Module) -> dict[str, Any]:
    return {_name(key): value for key, value in model.state_dict().items()}


def _load(model: nn.Module, weights: dict[str, Any]) -> None:
    model.load_state_dict({key: weights[_name(key)] for key in model.state_dict()})


def _form(value: Any) -> str:
    is_tensor = isinstance(value, torch.Tensor)
    return f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}" if is_tensor else type(value).__name__


def _forms(weights: dict[str, Any]) -> dict[str, str]:
    return {key: _form(value) for key, value in weights.items()}


def _differences(theirs: dict, ours: dict) -> str:
    """What differs, three at most: "lr 0.001 (here 0.01)". Floats may differ in the sixth digit: by machine, cos does in the last."""

    def same(a, b):
        close = isinstance(a, float) and isinstance(b, float) and math.isclose(a, b, rel_tol=1e-6)
        return close or (type(a) is type(b) and a == b)

    pairs = {key: (theirs.get(key, "missing"), ours.get(key, "missing")) for key in ours | theirs}
    other = [f"{key or 'the whole'} {then} (here {now})" for key, (then, now) in pairs.items() if not same(then, now)]
    return ", ".join(other[:3])


def _broken(values: dict[str, Any]) -> list[str]:
    """The names of the tensors that hold NaN or infinity. A GPU is waited for once."""
    tensors = {key: value for key, value in values.items() if isinstance(value, torch.Tensor)}
    floats = {key: value for key, value in tensors.items() if value.is_floating_point() or value.is_complex()}
    device = next((v.device for v in floats.values() if v.device.type != "cpu"), "cpu")
    good = torch.stack([torch.isfinite(v).all().to(device) for v in floats.values()]).tolist() if floats else []
    return [key for key, finite in zip(floats, good, strict=True) if not finite]


def _comparable(current: dict[str, Any]) -> dict[str, Any]:
    """What of a schedule's settings a checkpoint can compare."""
    plain = _plain(current, "the schedule", strict=False)
    return {key: value for key, value in plain.items() if isinstance(value, (bool, int, float, str))}


def _plain(value: Any, name: str, strict: bool = True) -> Any:
    """A copy in the types that ``torch.load`` reads without running code. Something else is refused if ``strict``, or stays."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone().as_subclass(torch.Tensor)
    if isinstance(value, np.ndarray):
        with contextlib.suppress(TypeError):  # of words, say
            return torch.from_numpy(value.astype(value.dtype.newbyteorder("=")))
    if isinstance(value, dict):
        return {_plain(key, name, strict): _plain(each, name, strict) for key, each in value.items()}
    value = value.item() if isinstance(value, np.generic) else value
    for kind in (tuple, list, set):
        if isinstance(value, kind):
            return kind(_plain(each, name, strict) for each in value)
    for kind in (bool, int, float, complex, str, bytes):
        if isinstance(value, kind):
            return kind(value)
    if strict and value is not None:
        use = "tensors, arrays, numbers, words, and lists, tuples and dicts of them"
        raise ValueError(f"{name} has an object of type {type(value).__name__}, but a checkpoint keeps {use} only.")
    return value


def _known(value: Any, depth: int = 4) -> Any:
    """What can be known of a function without calling it: its code, its defaults, and the numbers and words in its closure."""
    if isinstance(value, functools.partial):
        value = [value.func, value.args, *sorted(value.keywords.items())]
    elif isinstance(value, types.FunctionType):
        inside = [cell.cell_contents for cell in value.__closure__ or () if cell != types.CellType()]
        defaults = [value.__defaults__, *sorted((value.__kwdefaults__ or {}).items())]
        value, depth = [value.__code__, defaults, inside], depth - 1
    elif isinstance(value, types.CodeType):
        value = [value.co_code, value.co_names, value.co_consts]
    if isinstance(value, (list, tuple, frozenset)) and depth:
        known = [_known(each, depth) for each in value]
        return sorted(known, key=repr) if isinstance(value, frozenset) else known
    plain = isinstance(value, (int, float, complex, str, bytes, type(None)))
    return repr(value) if plain else type(value).__name__


def _data(name: str, value: Any, model: nn.Module) -> torch.Tensor:
    cure = "fit draws the minibatches itself: give whole tensors, or NumPy arrays, such as images.x and images.y of data.load."
    if isinstance(value, np.ndarray):
        with contextlib.suppress(TypeError):  # of texts, say; then it is refused below
            value = torch.from_numpy(np.array(value, order="C"))
    value = given.tensor(name, value, (...,), "any", least=1, cure=cure).detach()
    if value.dtype == torch.float64 and not any(p.dtype == torch.float64 for p in model.parameters()):
        value = value.float()
    return given.finite(name, value, everywhere=True)


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
        what = f"a tensor {_form(value)}" if isinstance(value, torch.Tensor) else f"an object of type {_form(value)}"
        raise ValueError(f"loss returned {what} at step {step}: return one float, such as a mean over the batch.")
    if not value.requires_grad:
        raise ValueError(f"the loss at step {step} has no gradient: compute it without detach, item and torch.no_grad.")
    return value.reshape(())
