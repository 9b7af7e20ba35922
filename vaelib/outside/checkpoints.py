"""Checkpoints of a training run: what is kept, what tells one run from another, and how a run goes on. ``train.fit`` says it all."""

import contextlib
import functools
import hashlib
import math
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from vaelib.outside.console import say
from vaelib.outside.files import WriteError, checksum, read_whole, written_whole


class Kept:
    """The last good state of a run, a copy of all that a step changes, whole and finite; and its file, if there is a path.

    ``run`` is the ``train.Run`` so far.
    """

    def __init__(self, model: nn.Module, updates: torch.optim.Optimizer, generator, run, path: Path | None):
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
        state = {"done": done, "model": plain(_weights(self.model), "the model's state", asked)}
        if asked:
            state["optimizer"] = plain(self.updates.state_dict(), "the optimizer's state")
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
        """The state to the file; where that cannot be, a line says so and the run goes on."""
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
        forms = (f"{form(value)} {checksum(value)[:12]}" for value in tensors)
        self.settings = settings | {"data": ", ".join(forms), "optimizer": type(self.updates).__name__}
        for k, group in enumerate(self.updates.param_groups):
            for key in sorted(group.keys() - {"params", "param_names", *_HOW}):
                value = group[key].tolist() if isinstance(group[key], torch.Tensor) else group[key]
                self.settings[f"{key} of group {k}" if k else key] = plain(value, f"the optimizer's {key}")
        modules = {_name(name): module for name, module in self.model.named_modules()}  # the compiled one comes last
        self.layers = {name: f"{type(module).__name__}({module.extra_repr()})" for name, module in modules.items()}
        own = [type(module) for module in modules.values() if type(module).__module__.split(".")[0] != "torch"]
        forwards = [module.forward for module in own]
        code = hashlib.sha256(repr(_known([loss, *dict.fromkeys(forwards)])).encode()).hexdigest()[:12]
        self.code = f"{getattr(loss, '__qualname__', type(loss).__qualname__)} {code}"

    def resume(self, steps: int, at: Callable[[float], dict[str, Any]], seed: int) -> None:
        """Go on from the file; ``at(t)`` is what the schedule says. The model is touched last, when nothing more can be refused."""
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
            if other := _differences(then, _comparable(at((step - 1) / steps))):
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


def form(value: Any) -> str:
    """A tensor's type and shape; of another object the type."""
    is_tensor = isinstance(value, torch.Tensor)
    return f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}" if is_tensor else type(value).__name__


def _forms(weights: dict[str, Any]) -> dict[str, str]:
    return {key: form(value) for key, value in weights.items()}


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
    found = plain(current, "the schedule", strict=False)
    return {key: value for key, value in found.items() if isinstance(value, (bool, int, float, str))}


def plain(value: Any, name: str, strict: bool = True) -> Any:
    """A copy in the types that ``torch.load`` reads without running code. Something else is refused if ``strict``, or stays."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone().as_subclass(torch.Tensor)
    if isinstance(value, np.ndarray):
        with contextlib.suppress(TypeError):  # of words, say
            return torch.from_numpy(value.astype(value.dtype.newbyteorder("=")))
    if isinstance(value, dict):
        return {plain(key, name, strict): plain(each, name, strict) for key, each in value.items()}
    value = value.item() if isinstance(value, np.generic) else value
    for kind in (tuple, list, set):
        if isinstance(value, kind):
            return kind(plain(each, name, strict) for each in value)
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
