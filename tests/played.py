"""A notebook run once in this process, whose cells can be run again with other text: for planted errors.

Each tests/test_NN_*.py holds one notebook's planted errors, in PLANTED, and names which of the tests below it takes. They are files
of their own so that they can run side by side; conftest.py plays the notebook, and hands out the errors one by one.
"""

import contextlib
import inspect
import io
import re
import time
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import pytest

FOLDER = Path(__file__).parent.parent / "notebooks"
LEDGER = {
    "01_ae_vs_vae": ["AE-1", "AE-2", "AE-3", "VAE-1", "VAE-2", "VAE-3", "VAE-4", "VAE-5", "VAE-6"],
    "02_elbo": [f"ELBO-{k}" for k in range(1, 18)],
    "03_gradient_estimators": [f"G-{k}" for k in range(1, 12)],
    "04_training_a_vae": ["ELBO-16"],
    "05_vq_vae": [f"VQ-{k}" for k in range(1, 11)],
    "06_pixelcnn": [f"AR-{k}" for k in range(1, 7)],
    "07_latent_priors": ["AR-1", "AR-7", "VQ-10"],
}


def read(path):
    return nbformat.read(path, as_version=4)


def code_cells(path):
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


class Played:
    """A notebook run once in this process, whose cells can be run again with other text."""

    def __init__(self, stem):
        self.cells = {cell.id: cell.source for cell in code_cells(FOLDER / f"{stem}.ipynb")}
        self.namespace = {"__name__": "notebook"}
        with contextlib.redirect_stdout(io.StringIO()):
            for name, source in self.cells.items():
                exec(compile(source, name, "exec"), self.namespace)
        plt.close("all")

    def again(self, old, new, *names):
        assert any(old in self.cells[name] for name in names), f"{old!r} is not in {names}"
        namespace = dict(self.namespace)
        try:
            for name in names:
                exec(compile(self.cells[name].replace(old, new), name, "exec"), namespace)
        finally:
            plt.close("all")


def planted_errors_fail(played, caught, claim, old, new, names):
    """Cells with a planted error fail the check of the claim that it was planted in; another one's will not do."""

    def attempt():
        with pytest.raises(AssertionError) as failure:
            played.again(old, new, *names)
        if claim is not None and not str(failure.value).startswith(f"✗ {claim}"):
            pytest.fail(f"another check failed: {failure.value}")
        raise failure.value

    caught(f"{claim}: {old} -> {new}", attempt)


def three_for_each_id(request):
    """Every claim with an ID has three planted errors, and every ID of the ledger is there."""
    planted = {claim: errors for claim, errors in request.module.PLANTED.items() if re.match(r"[A-Z]+-\d", claim)}
    assert {claim.partition(":")[0] for claim in planted} == set(LEDGER[request.module.STEM])
    assert all(len(set(errors)) >= 3 for errors in planted.values())


def one_for_each_claim(request):
    """Every check has a planted error, but for those of a loop, which stand there once."""
    source = "\n".join(cell.source for cell in code_cells(FOLDER / f"{request.module.STEM}.ipynb"))
    claims = re.findall(r'(?<!: )check(?:_mean)?\(\s*f?"([^"{]*)', source)
    known = list(request.module.PLANTED)
    assert [c for c in claims if not any(c.startswith(k) or k.startswith(c) for k in known)] == []


def sliders_move(played, capsys):
    """Every slider to both ends and to an odd value: a picture each time, and soon."""
    show, box = played.namespace["show"], played.namespace["box"]
    names = list(inspect.signature(show).parameters)
    sliders = box.children[0].children
    assert len(sliders) == len(names)
    for name, slider in zip(names, sliders, strict=True):
        start = {n: s.value for n, s in zip(names, sliders, strict=True)}
        for value in (slider.min, slider.max, slider.min + 0.37 * (slider.max - slider.min)):
            began = time.perf_counter()
            show(**(start | {name: value}))  # not through the widget, which would swallow an error
            assert time.perf_counter() - began < 5
            assert "Figure: " in capsys.readouterr().out
    plt.close("all")
