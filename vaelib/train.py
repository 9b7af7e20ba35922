"""Training: one short function for any model and any loss."""

import contextlib
import functools
import hashlib
import math
import os
import signal
import threading
import time
import types
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
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

    **Stopped early**, by Ctrl-C or an error, the model is in eval mode, and as it was after the last whole step; or after the last
    logging step, where an error came out of the midst of a step or something is no longer finite. That state goes to
    ``checkpoint``, too. The exception carries the ``Run`` so far: ``sys.last_value.run.history`` after Ctrl-C in a notebook. Ctrl-C
    waits for the end of the step; a second one does not.

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
    for name, value in (("schedule", schedule), ("snapshot", snapshot), ("optimizer", optimizer)):
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
    device = pick_device(None if device is None else str(device))
    model.to(device)
    updates = _updates(model, optimizer, lr, device, checkpoint)
    generator = torch.Generator(device).manual_seed(seed)
    run, losses = Run([], {}), []
    gpus = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(gpus):
        torch.manual_seed(seed)
        kept = _Kept(model, updates, generator, run, checkpoint)
        if checkpoint is not None:
            settings = {"batch_size": batch_size, "seed": seed, "bf16": bf16, "steps": steps if schedule else None}
            kept.identify(settings, tensors, loss)
            if os.path.exists(checkpoint):
                losses = kept.resume(steps, schedule, seed)
            if kept.good["done"] < steps:
                check_writable(checkpoint)
        done = first = kept.good["done"]
        batches = minibatches(
            *(t.to(device) for t in tensors),
            batch_size=batch_size,
            seed=seed % 2**43,  # times 1,000,003 it stays below 2**63
            start=done,
        )
        saved = time.perf_counter()
        start = saved - kept.good["seconds"]
        whole = True  # whether the last step that began is over

        def take_snapshot() -> None:
            if snapshot is not None and done in marks and done not in run.snapshots:
                model.eval()
                with torch.no_grad(), torch.random.fork_rng(gpus):
                    found = snapshot(model, done)
                run.snapshots[done] = _plain(found, f"the snapshot at step {done}", strict=checkpoint is not None)

        try:
            with bar(steps, done=done - len(losses), shown=progress) as progress_bar:
                while True:
                    take_snapshot()
                    if done == steps:
                        break
                    current = _settings_at(schedule, done / steps)
                    rest = {key: value for key, value in current.items() if key != "lr"}
                    model.train()
                    with _ctrl_c_waits():
                        whole = False
                        if "lr" in current:
                            for group in updates.param_groups:
                                group["lr"] = current["lr"]
                        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
                            value = _scalar(loss(model, *next(batches), generator, **rest), done + 1)
                        updates.zero_grad()
                        value.backward()
                        if done == first:
                            _check_gradients(updates, done + 1)
                        updates.step()
                        losses.append(value.detach())
                        done += 1
                        if logs := done % log_every == 0 or done == steps:
                            kept.check(losses, done)
                            mean = float(torch.stack(losses).float().mean())
                            seconds = time.perf_counter()
                            run.history.append({"step": float(done), "loss": mean, "seconds": seconds - start})
                            progress_bar.set_postfix(loss=f"{mean:.4g}", refresh=False)
                            progress_bar.update(len(losses))
                            losses = []
                            if schedule is not None:
                                kept.scheduled.append(((done - 1) / steps, _comparable(current)))
                            kept.take(done, losses, seconds - start)
                        whole = True
                    if logs and checkpoint is not None and done < steps and seconds - saved >= checkpoint_seconds:
                        kept.write_or_say()
                        saved = time.perf_counter()
            if checkpoint is not None and kept.in_file != (done, len(run.snapshots)):
                kept.write_or_say()
        except BaseException as error:
            kept.stopped(error, whole, done, losses, time.perf_counter() - start)
            raise
        finally:
            model.eval()
    return run


class _Kept:
    """The last good state of a run, that is, a copy of all that a step changes, whole and finite; and its file, if there is one."""

    def __init__(self, model: nn.Module, updates: torch.optim.Optimizer, generator, run: Run, path: Path | None):
        self.model, self.updates, self.generator, self.run, self.path = model, updates, generator, run, path
        self.settings, self.layers, self.code = {}, {}, ""
        self.scheduled: list[tuple[float, dict]] = []  # at logging steps: t, and what the schedule gave
        self.in_file: tuple[int, int] | None = None  # how many steps and snapshots are there
        weights, learned = _weights(model), {_name(key) for key, _ in model.named_parameters()}
        broken = _broken(weights)
        self.endless = {key for key in broken if key not in learned and not weights[key].isnan().any()}  # a mask, say
        if bad := [key for key in broken if key not in self.endless]:
            raise ValueError(f"the model has numbers that are NaN or infinite, in {', '.join(bad[:3])}: make it anew.")
        self.good = self._state(0, [], 0.0)

    def _state(self, done: int, losses: list[torch.Tensor], seconds: float) -> dict[str, Any]:
        asked = self.path is not None
        state = {"done": done, "seconds": seconds, "model": _plain(_weights(self.model), "the model's state", asked)}
        if asked:
            state |= {"cuda_rng": None} | _random_state(self.generator)
            state |= {
                "settings": self.settings,
                "layers": self.layers,
                "code": self.code,
                "optimizer": _plain(self.updates.state_dict(), "the optimizer's state"),
                "losses": torch.stack(losses) if losses else torch.zeros(0),
                "history": list(self.run.history),
                "scheduled": list(self.scheduled),
            }
        return state

    def take(self, done: int, losses: list[torch.Tensor], seconds: float) -> None:
        """Keep the present state, or raise FloatingPointError if something in it is not finite."""
        self.check(losses, done)
        state = self._state(done, losses, seconds)
        for what in ("model", "optimizer"):
            if bad := [key for key in _broken(state.get(what)) if what == "optimizer" or key not in self.endless]:
                raise FloatingPointError(
                    f"{bad[0]} of the {what} is no longer finite after step {done}: {self._advice()}"
                )
        self.good = state

    def check(self, losses: list[torch.Tensor], done: int) -> None:
        bad = (~torch.isfinite(torch.stack(losses))).nonzero() if losses else ()
        if len(bad):
            first = int(bad[0])
            step = done - len(losses) + first + 1
            raise FloatingPointError(f"the loss is {float(losses[first])} at step {step}: {self._advice()}")

    def _advice(self) -> str:
        there = self.path is not None and self.good["done"]
        kept = f"the last good checkpoint is kept in {self.path}" if there else "there is no checkpoint"
        return f"{kept}; a lower learning rate than {self.updates.param_groups[0]['lr']:g} may help."

    def write(self) -> None:
        with written_whole(self.path) as file:
            torch.save(self.good | {"snapshots": self.run.snapshots}, file)
        self.in_file = self.good["done"], len(self.run.snapshots)

    def write_or_say(self) -> None:
        try:
            self.write()
        except WriteError as error:
            say(f"After step {self.good['done']}: {error}")

    def stopped(self, error: BaseException, whole: bool, *now) -> None:
        """Leave the model as after a whole step, write that, and give the exception the run so far."""
        try:
            error.run = self.run
            with contextlib.suppress(FloatingPointError, ValueError):
                if whole:
                    self.take(*now)
            _load(self.model, self.good["model"])
            done = self.good["done"]
            if self.path is not None and done:
                if self.in_file is None or self.in_file[0] != done:
                    self.write()
                if not isinstance(error, FloatingPointError):  # whose message says it
                    error.add_note(f"{self.path} holds the first {done} steps: the same call goes on from there.")
        except Exception as other:  # a full disk, a GPU that answers no more; but first comes what stopped the run
            error.add_note(f"And then: {other}")

    def identify(self, settings: dict[str, Any], tensors: tuple[torch.Tensor, ...], loss: Callable) -> None:
        """Note what tells this run from another one."""
        forms = (f"{_form(value)} {checksum(value)[:12]}" for value in tensors)
        self.settings = settings | {"data": ", ".join(forms), "optimizer": type(self.updates).__name__}
        groups = self.updates.param_groups
        for k, group in enumerate(groups):
            for key, value in group.items():
                if key not in ("params", "param_names", *_HOW):
                    value = value.tolist() if isinstance(value, torch.Tensor) else value
                    of = f" of group {k}" if len(groups) > 1 else ""
                    self.settings[key + of] = _plain(value, f"the optimizer's {key}")
        modules = [(name, module) for name, module in self.model.named_modules() if not hasattr(module, "_orig_mod")]
        self.layers = {_name(name): f"{type(module).__name__}({module.extra_repr()})" for name, module in modules}
        forwards = [type(module).forward for _, module in modules if type(module).__module__.split(".")[0] != "torch"]
        code = hashlib.sha256(repr(_known([loss, *dict.fromkeys(forwards)])).encode()).hexdigest()[:12]
        self.code = f"{getattr(loss, '__qualname__', type(loss).__qualname__)} {code}"

    def resume(self, steps: int, schedule: Callable | None, seed: int) -> list[torch.Tensor]:
        """Go on from the file, and return the losses since the last entry of the history. Nothing changes where it is refused."""
        file, remedy = f"checkpoint {self.path}", "delete it to start again, or give another file."
        state = read_whole(self.path, "checkpoint of train.fit", _FIELDS, remedy[:-1])
        if not _FIELDS.keys() <= state.keys():
            raise ValueError(f"{file} is an earlier vaelib's, which did not note the data and the layers: {remedy}")
        unsound = ValueError(f"{self.path} is no checkpoint of train.fit: {remedy}")
        if not _sound(state):
            raise unsound
        theirs, ours = (
            layers | {key: _form(value) for key, value in weights.items()}
            for layers, weights in ((state["layers"], state["model"]), (self.layers, _weights(self.model)))
        )
        if other := _differences(theirs, ours):
            raise ValueError(f"{file} is of a model with other layers: {other}: {remedy}")
        if other := _differences(state["settings"], self.settings):
            raise ValueError(f"{file} is of a run with {other}: {remedy}")
        done, device = state["done"], self.generator.device
        if done > steps:
            raise ValueError(
                f"{file} is {done} steps old and steps={steps} was given: ask for at least {done}, or {remedy}"
            )
        for t, then in state["scheduled"]:
            if other := _differences(then, _comparable(_settings_at(schedule, t))):
                raise ValueError(f"{file} is of a run with another schedule: at t={t:g} {other}: {remedy}")
        random = _random_state(self.generator)
        same_kind = all(state[key] is not None and len(state[key]) == len(random[key]) for key in random)
        try:
            if same_kind:
                for key in random:  # a trial
                    torch.Generator("cpu" if key == "cpu_rng" else device).set_state(state[key])
            self._load_updates(state["optimizer"])
        except Exception as error:
            raise unsound from error
        _load(self.model, state["model"])
        if same_kind:
            self.generator.set_state(state["generator"])
            torch.set_rng_state(state["cpu_rng"])
            if device.type == "cuda":
                torch.cuda.set_rng_state(state["cuda_rng"], device)
        else:
            anew = int.from_bytes(hashlib.sha256(f"{seed} {done}".encode()).digest()[:7])
            self.generator.manual_seed(anew)
            torch.manual_seed(anew)
            say(f"{file} comes from another kind of device: random numbers begin anew, from the seed and the step.")
        if state["code"] != self.code:
            say(
                f"{file} was made by other code ({state['code']}, here {self.code}): see that loss and model mean the same."
            )
        self.run.history.extend(state["history"])
        self.run.snapshots.update(state["snapshots"])
        self.scheduled = state["scheduled"]
        losses = list(state["losses"].to(device))
        self.good = self._state(done, losses, state["seconds"])
        self.in_file = done, len(self.run.snapshots)
        return losses

    def _load_updates(self, saved: dict[str, Any]) -> None:
        """The optimizer's state, to go on on this device."""
        groups = [
            group | {key: own[key] for key in _HOW if key in own}
            for group, own in zip(saved["param_groups"], self.updates.param_groups, strict=True)
        ]
        if isinstance(self.updates, (torch.optim.Adam, torch.optim.SGD)):  # others may keep other shapes
            weights = [p for group in self.updates.param_groups for p in group["params"]]
            for k, entries in saved["state"].items():
                shapes = {value.shape for value in entries.values() if isinstance(value, torch.Tensor) and value.dim()}
                if shapes - {weights[k].shape}:
                    raise ValueError(f"weight {k} has another shape.")
        self.updates.load_state_dict(saved | {"param_groups": groups})


_HOW = ("fused", "foreach", "capturable", "differentiable")  # of an optimizer: how it computes, not what
_LACKS = type(...)  # what read_whole finds for a field that an earlier vaelib did not write
_FIELDS = {
    "done": int,
    "settings": dict,
    "model": dict,
    "optimizer": dict,
    "generator": torch.Tensor,
    "cpu_rng": torch.Tensor,
    "cuda_rng": (torch.Tensor, type(None)),
    "history": list,
    "snapshots": dict,
    "layers": (dict, _LACKS),
    "code": (str, _LACKS),
    "scheduled": (list, _LACKS),
    "losses": (torch.Tensor, _LACKS),
    "seconds": (float, _LACKS),
}


def _sound(state: dict[str, Any]) -> bool:
    """Whether what is inside the fields of a checkpoint is of the types that ``_Kept`` writes."""
    states = [state[key] for key in ("generator", "cpu_rng", "cuda_rng") if state[key] is not None]
    try:
        floats = [entry[key] for entry in state["history"] for key in ("step", "loss", "seconds")]
        floats += [t for t, then in state["scheduled"]]
        dicts = all(isinstance(then, dict) for _, then in state["scheduled"])
    except (TypeError, KeyError, ValueError):
        return False
    return (
        state["done"] >= 0
        and dicts
        and all(isinstance(value, float) for value in floats)
        and all(isinstance(step, int) for step in state["snapshots"])
        and all(value.dtype == torch.uint8 and value.dim() == 1 for value in states)
        and state["losses"].is_floating_point()
        and state["losses"].dim() == 1
    )


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


def _differences(theirs: dict, ours: dict) -> str:
    """What differs, three at most: "lr 0.001 (here 0.01)". Floats may differ in the sixth digit: by machine, cos does in the last."""

    def same(a, b):
        close = isinstance(a, float) and isinstance(b, float) and math.isclose(a, b, rel_tol=1e-6)
        return close or (type(a) is type(b) and a == b)

    pairs = {key: (theirs.get(key, "missing"), ours.get(key, "missing")) for key in ours | theirs}
    other = [f"{key or 'the whole'} {then} (here {now})" for key, (then, now) in pairs.items() if not same(then, now)]
    return ", ".join(other[:3])


def _broken(value: Any, name: str = "") -> list[str]:
    """The names of the tensors in a nest of dicts that hold NaN or infinity. A GPU is waited for once."""

    def floats(value: Any, name: str) -> Iterator[tuple[str, torch.Tensor]]:
        if isinstance(value, dict):
            for key, each in value.items():
                yield from floats(each, f"{name}.{key}" if name else str(key))
        elif isinstance(value, torch.Tensor) and (value.is_floating_point() or value.is_complex()):
            yield name, value

    found = dict(floats(value, name))
    if not found:
        return []
    device = next((each.device for each in found.values() if each.device.type != "cpu"), "cpu")
    good = torch.stack([torch.isfinite(each).all().to(device) for each in found.values()]).tolist()
    return [key for key, finite in zip(found, good, strict=True) if not finite]


def _comparable(current: dict[str, Any]) -> dict[str, Any]:
    """What of a schedule's settings a checkpoint can compare."""
    plain = _plain(current, "the schedule", strict=False)
    return {key: value for key, value in plain.items() if isinstance(value, (bool, int, float, str))}


def _plain(value: Any, name: str, strict: bool = True) -> Any:
    """A copy in the types that ``torch.load`` reads without running code.

    Raises:
        ValueError: something else, if ``strict``; otherwise it is kept.
    """
    if isinstance(value, torch.Tensor):
        return value.detach().clone().as_subclass(torch.Tensor)
    if isinstance(value, np.ndarray):
        with contextlib.suppress(TypeError):  # of texts, say
            return torch.from_numpy(value.astype(value.dtype.newbyteorder("=")))
    if isinstance(value, np.generic) and not isinstance(value.item(), np.generic):
        value = value.item()
    if isinstance(value, dict):
        return {_plain(key, name, strict): _plain(each, name, strict) for key, each in value.items()}
    for kind in (tuple, list, set):
        if isinstance(value, kind):
            return kind(_plain(each, name, strict) for each in value)
    for kind in (bool, int, float, complex, str, bytes):
        if isinstance(value, kind):
            return kind(value)
    if strict and value is not None:
        raise ValueError(
            f"{name} holds an object of type {type(value).__name__}, which a checkpoint cannot keep: use tensors, NumPy arrays, "
            "numbers, words, and lists, tuples and dicts of them."
        )
    return value


def _known(value: Any, depth: int = 4) -> Any:
    """What can be known of a function without calling it: its code, its defaults, and the numbers and words in its closure."""
    if isinstance(value, functools.partial):
        return _known([value.func, value.args, sorted(value.keywords.items())], depth)
    if isinstance(value, types.FunctionType) and depth:
        inside = [cell.cell_contents for cell in value.__closure__ or () if cell != types.CellType()]
        return _known([value.__code__, value.__defaults__, value.__kwdefaults__, inside], depth - 1)
    if isinstance(value, types.CodeType):
        return [value.co_code, value.co_names, _known(value.co_consts, depth)]
    if isinstance(value, (list, tuple, frozenset, dict)):
        items = value.items() if isinstance(value, dict) else value
        known = [_known(each, depth) for each in items]
        return sorted(known, key=repr) if isinstance(value, frozenset) else known
    return repr(value) if isinstance(value, (int, float, complex, str, bytes, type(None))) else type(value).__name__


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
        raise ValueError(
            f"optimizer made an object of type {type(updates).__name__}: make a torch.optim.Optimizer other than LBFGS, as in "
            "lambda parameters: torch.optim.SGD(parameters, lr=0.1)."
        )
    held = {id(p) for group in updates.param_groups for p in group["params"]}
    if not held & learned:
        raise ValueError("the optimizer has no parameter of the model: make it from the parameters that it is given.")
    if checkpoint is not None and held - {id(p) for p in model.parameters()}:
        raise ValueError(
            "the optimizer has parameters that are not the model's, so that a checkpoint would lose them: add them to it."
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
        raise ValueError(
            f"loss returned {what} at step {step}: return one float number, such as the mean over the batch."
        )
    if not value.requires_grad:
        raise ValueError(
            f"the loss at step {step} has no gradient: compute it from the model's output, without detach, item or torch.no_grad."
        )
    return value.reshape(())


def _check_gradients(updates: torch.optim.Optimizer, step: int) -> None:
    if all(p.grad is None for group in updates.param_groups for p in group["params"]):
        raise ValueError(
            f"the loss at step {step} has no gradient for a parameter that is trained: does it use the model that it is given?"
        )


@contextlib.contextmanager
def _ctrl_c_waits() -> Iterator[None]:
    """A first Ctrl-C waits until the block is over, so that no update is left half done. Only the main thread hears any."""
    usual = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(usual):
        yield
        return
    waiting = []

    def wait(*call):
        waiting.append(call)
        if len(waiting) > 1:
            usual(*call)

    signal.signal(signal.SIGINT, wait)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)
    if waiting:
        usual(*waiting[0])
