"""Sent by played.py into the kernel that has run a notebook. There it runs cells again with other text, each time in a copy."""

import contextlib
import ctypes
import gc
import json
import os
import signal
import sys
import traceback

import torch
from IPython import get_ipython
from IPython.utils.capture import capture_output
from matplotlib.figure import Figure

# A copy of the process sees what it changes, and the next one does not. Not where a GPU has been used, nor on other systems.
FORK = sys.platform == "linux" and not torch.cuda.is_initialized()
SECONDS = 600  # for a copy
PR_SET_PDEATHSIG = 1  # of Linux's prctl


def attempt(sources: list[str]) -> list | None:
    """Run the sources, one after another, on the notebook's variables: None, or what was raised: [assertion or not, words]."""
    return _in_a_copy(lambda: _run(sources))


def _run(sources: list[str]) -> list | None:
    namespace = dict(get_ipython().user_ns)
    with capture_output():
        try:
            for k, source in enumerate(sources):
                exec(compile(source, f"cell {k}", "exec"), namespace)
        except Exception as error:
            words = str(error) if isinstance(error, AssertionError) else "".join(traceback.format_exception(error))
            return [isinstance(error, AssertionError), words]
    return None


def _in_a_copy(task):
    if not FORK:
        return _and_back(task)
    gc.freeze()  # the collector does not touch, and so does not copy, what is there
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(SECONDS)
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # it does not outlive the kernel
        try:
            result = task()
        except BaseException as error:
            result = [False, repr(error)]
        with os.fdopen(theirs, "w") as pipe:
            json.dump(result, pipe)
        os._exit(0)
    os.close(theirs)
    with os.fdopen(ours) as pipe:
        told = pipe.read()
    _, status = os.waitpid(child, 0)
    return json.loads(told) if told else [False, f"the copy ended with status {status} and said nothing"]


def _and_back(task):
    """Run the task here, and give the notebook's dicts and lists the entries back that they had."""
    kept = [(value, value.copy()) for value in list(get_ipython().user_ns.values()) if type(value) in (dict, list)]
    try:
        return task()
    finally:
        for value, before in kept:
            value.clear()
            value.update(before) if isinstance(value, dict) else value.extend(before)


def _content(figure) -> list:
    """What a figure shows, but for words: a title that tells a slider's value is no picture of it."""
    found = []
    for ax in figure.axes:
        found += [ax.get_xlim(), ax.get_ylim(), *(image.get_array().tolist() for image in ax.images)]
        found += [line.get_xydata().tolist() for line in ax.lines]
        found += [dots.get_offsets().tolist() for dots in ax.collections] + [p.get_verts().tolist() for p in ax.patches]
    return found


@contextlib.contextmanager
def _figures():
    """The figures that are drawn inside."""
    drawn, savefig = [], Figure.savefig

    def noted(figure, *args, **kwargs):
        drawn.append(figure)
        savefig(figure, *args, **kwargs)

    Figure.savefig = noted
    try:
        yield drawn
    finally:
        Figure.savefig = savefig


def explorers() -> dict[str, list[str]]:
    """Move every slider of every explorer to its ends, by way of an odd value, and back: explorer -> what is wrong with it."""
    import ipywidgets

    found = {}
    for name, box in list(get_ipython().user_ns.items()):
        if isinstance(box, ipywidgets.VBox) and not name.startswith("_"):
            row, caption, picture = box.children
            wrong = found[name] = []
            for slider in row.children:
                start, before = slider.value, None
                odd = slider.min + 0.37 * (
                    slider.max - slider.min
                )  # between the ends, which may look alike: -3 and 3, squared
                for value in (slider.min, odd, slider.max, start):
                    with _figures() as drawn:
                        slider.value = value
                    place = f"{slider.description} = {value:.3g}: "
                    content = (
                        _content(drawn[-1]) if drawn else before
                    )  # nothing is drawn where the value was there before
                    if drawn and content == before:
                        wrong.append(place + "the picture does not change")
                    before = content
                    if not bytes(picture.value).startswith(b"\x89PNG"):
                        wrong.append(place + "no picture")
                    if picture.layout.visibility != "visible" or "Figure: " not in caption.value:
                        wrong.append(place + caption.value)
                    if picture.tooltip is None or not picture.tooltip.startswith("Figure: "):
                        wrong.append(place + "no alt text")
    outputs = [w for w in ipywidgets.widgets.widget._instances.values() if isinstance(w, ipywidgets.Output)]
    if outputs:
        found["Output widgets"] = [f"{len(outputs)} are there"]
    return found
