"""The scripts that measure, small and on drawn images: each prints its tables and keeps its figures; what trains goes on where it was."""

import importlib
import json
import re
import sys
from pathlib import Path

import nbformat
import pytest
import torch
from fresh import Fresh
from PIL import Image

from vaelib import data, glyphs

SCRIPT = Path(__file__).parent.parent / "benchmarks" / "mnist.py"
AS_A_SCRIPT = """
import runpy
sys.argv = [script, *options]
sys.path.insert(0, os.path.dirname(script))
runpy.run_path(script, run_name="__main__")
"""


def printed(name, *options):
    """What ``python benchmarks/name`` prints with these options."""
    code, out, err = Fresh(AS_A_SCRIPT, script=str(SCRIPT.with_name(name)), options=[str(o) for o in options]).finish()
    assert code == 0, err
    return out


def drawn(folder, train, test, rgb=False):
    """A folder of few images, for --data: the scripts judge all test images, or a thousand training images if there are."""
    for part, count in (("train", train), ("test", test)):
        (folder / part).mkdir(parents=True)
        for k, image in enumerate(glyphs.draw(count, seed=count, rgb=rgb)[0]):
            Image.fromarray(image.transpose(1, 2, 0) if rgb else image[0]).save(folder / part / f"{k:03d}.png")
    return f"folder:{folder}"


def rows(folder, *options):
    fixed = ["--data", "glyphs", "--scale", "0.003", "--images", "60", "--only", "small-elbo", "--folder", folder]
    table = printed("mnist.py", *fixed, *options).partition("| network")[2]
    return [line for line in table.splitlines() if "784-200-200-50" in line]


def test_the_table_of_likelihoods(tmp_path):
    first = rows(tmp_path, "--samples", "3")
    assert len(first) == 2  # judged at two moments
    checkpoint = tmp_path / "small-elbo" / "checkpoint.pt"
    trained = checkpoint.read_bytes()
    again = rows(tmp_path, "--samples", "40", "--untrained")
    assert checkpoint.read_bytes() == trained
    for old, new in zip(first, again, strict=True):
        minus_elbo, nll = (float(v) for v in re.findall(r"\d+\.\d\d", new)[:2])
        assert nll < minus_elbo
        assert "| 3 |" in old
        assert "| 40 |" in new
    assert rows(tmp_path, "--samples", "3") == again  # nothing is done twice, and most draws count


def test_the_table_of_rebuilt_pictures(tmp_path):
    colour = drawn(tmp_path / "images", 400, 400, rgb=True)
    options = ["--data", colour, "--steps", 4, "--only", "cured", "--folder", tmp_path / "kept"]
    first, again = (printed("cifar10.py", *options, "--keep", tmp_path / "kept.json") for _ in range(2))
    assert first == again  # the second run trains nothing, and judges the same
    table = first.partition("\n\n")[2]
    row = next(line for line in table.splitlines() if line.startswith("| EMA"))
    steps, batch_error, test_error, batch, whole, lowest = (
        float(cell.replace(",", "")) for cell in row.split("|")[2:-1]
    )
    (kept,) = json.loads((tmp_path / "kept.json").read_text())["cured"]
    assert kept["data"] == "folder:images"  # and not where it lies on this machine
    assert f"{kept['test_error']:.4f}" == f"{test_error:.4f}"
    assert f"{kept['curve']['4'][0]:.3f} / {kept['curve']['4'][1]:.0f} |" in table
    assert steps == 4
    assert 0 < test_error < 10
    assert abs(batch_error - test_error) < 0.3
    assert 1 <= lowest <= 512
    assert 1 <= batch < whole <= 512
    assert len(list(tmp_path.rglob("checkpoint.pt"))) == 1


def test_the_table_of_pixel_likelihoods(tmp_path):
    grey = drawn(tmp_path / "images", 64, 30)
    options = ["--data", grey, "--scale", 0.00001, "--images", 20, "--only", "grey-pp", "binary-plain"]
    options += ["--folder", tmp_path / "kept", "--keep", tmp_path / "kept.json"]
    first, again = (printed("pixels.py", *options) for _ in range(2))
    assert first == again  # the second run trains nothing, and judges nothing anew
    kept = json.loads((tmp_path / "kept.json").read_text())
    assert set(kept) == {"grey-pp", "binary-plain"}
    for row in (row for rows in kept.values() for row in rows):
        nll = row["nll"][0] / 784
        assert 0 < nll < {2: 0.75, 256: 6.0}[row["levels"]]
        assert row["images"] == 20
    assert re.search(r"\| PixelCNN, binary \| 179,906 \| 0 \| 0\.\d \| \*\*\d+\.\d\d\*\* nats", again)
    assert re.search(r"\| PixelCNN\+\+, grey, logistic mixture .* \*\*\d\.\d\d\d\*\* bits/dim", again)


def test_the_pictures_over_training(monkeypatch, tmp_path, capsys):
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    module = importlib.import_module("pictures")
    channels = {"PixelCNN": 8, "Gated PixelCNN": 8, "PixelCNN++": 8}
    monkeypatch.setattr(module.data, "BUILT_IN_COUNTS", {True: 160, False: 160})
    monkeypatch.setenv("VAELIB_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(module, "SIZE", module.Size(4, 4, 4, 4, channels, draws=2, drawn=20))
    options = ["pictures.py", "--grey", "glyphs", "--colour", "glyphs-rgb", "--folder", str(tmp_path)]
    options += ["--keep", str(tmp_path / "kept.json")]
    monkeypatch.setattr(sys, "argv", options)
    module.main()
    table = (tmp_path / "lesson" / "table.md").read_text()
    kept = {path: path.read_bytes() for path in (tmp_path / "lesson").glob("*.pt")}
    assert len(kept) == 8  # five models, the judge, two files of words
    assert "4: Gated PixelCNN" in table
    measured = json.loads((tmp_path / "kept.json").read_text())
    assert module.tables(measured) in table
    assert measured["priors"][-1]["bits"][0] > 0
    assert (tmp_path / "priors.png").exists()
    assert len(list((tmp_path / "lesson").glob("[1-4]-*.png"))) == 4
    assert len(list((tmp_path / "lesson").glob("[1-4]-*.gif"))) == 4
    module.main()  # goes on where it was: everything is there
    assert {path: path.read_bytes() for path in kept} == kept
    assert (tmp_path / "lesson" / "table.md").read_text() == table
    monkeypatch.setattr(module, "SIZE", module.Size(4, 5, 4, 4, channels, draws=2, drawn=20))
    with pytest.raises(ValueError, match="is of a run with steps 4"):
        module.main()
    assert {path: path.read_bytes() for path in kept} == kept


SMALL = {  # what makes a script of make bench short
    "training": {"IMAGES": 256, "STEPS": 2, "DRAWN": 20},
    "gradients": {"ESTIMATES": 60},
    "likelihood": {},
    "quantizer": {"STEPS": 2, "SHAPE": (2, 64, 4, 4), "BATCH": 2},
    "sampling": {"WIDTHS": (5, 6), "BATCHES": (2, 3), "IMAGES": (2, 1, 8, 8)},
}


@pytest.mark.parametrize("name", SMALL)
def test_the_scripts_that_measure_speed(name, monkeypatch, tmp_path, capsys):
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    monkeypatch.setattr(data, "BUILT_IN_COUNTS", {True: 100, False: 10})
    monkeypatch.setenv("VAELIB_DATA", str(tmp_path))
    timing, results, module = (importlib.import_module(part) for part in ("timing", "results", name))
    for constant, value in SMALL[name].items():
        monkeypatch.setattr(module, constant, value)
    if name == "sampling":
        small = lambda: module.GatedPixelCNN(2, hidden=8, layers=2)  # noqa: E731
        monkeypatch.setattr(module, "NETWORKS", {"small": (small, (5, 6))})
        monkeypatch.setattr(module, "TRAINED", {"small": small})
    monkeypatch.setattr(module, "medians", lambda arms, device, *_, **__: timing.medians(arms, device, 1, warm_up=0))
    kept = tmp_path / "kept.json"
    kept.write_text('{"of another day": []}')
    monkeypatch.setattr(sys, "argv", [name, "--keep", str(kept), "--shared"])
    results.measure(name, module.__doc__, module.PARTS)
    found = results.read(kept)
    assert set(found) == {"of another day", *module.PARTS}
    assert capsys.readouterr().out.startswith(module.tables(found))  # what is printed is what is kept
    for row in results.rows(found):
        assert "torch" in row["machine"]
        assert row["shared"] is True


TELLING = (
    """
import torch
from vaelib import train
from vaelib.classroom.checks import check
from vaelib.classroom.telling import over_seeds

torch.manual_seed(0)
_ = over_seeds("a start", float(torch.rand(())))
_ = over_seeds("a draw by which models are judged", float(torch.rand((), generator=torch.Generator().manual_seed(0))))
_ = over_seeds("threads", torch.get_num_threads())
model, seen = torch.nn.Linear(1, 1), []
train.fit(model, lambda m, x, g: (seen.append(x[0, 0]), m(x).square().mean())[1], torch.arange(500.0)[:, None], steps=1, progress=False)
_ = over_seeds("the first of the first batch", float(seen[0]))
""",
    "check('a claim of one seed', False)\nover_seeds('never', 1)",
    "_ = over_seeds('and on it goes', 1)",
)


def test_runs_of_other_seeds(monkeypatch, tmp_path, capsys):
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    seeds = importlib.import_module("seeds")
    for name, cells in (("00_tells", TELLING), ("01_tells_nothing", ["1 / 0"])):
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in cells])
        nbformat.write(notebook, tmp_path / f"{name}.ipynb")
    monkeypatch.setattr(seeds, "NOTEBOOKS", tmp_path)
    monkeypatch.setattr(seeds, "SEEDS", (1, 2))
    monkeypatch.setattr(sys, "argv", ["seeds.py", "--file", str(tmp_path / "kept.json")])
    assert seeds.main() == 0
    rows = json.loads((tmp_path / "kept.json").read_text())
    assert [(row["notebook"], row["seed"], row["threads"]) for row in rows] == [
        ("00_tells", seed, threads) for seed in (1, 2) for threads in (1, 2)
    ]
    for row in rows:
        values = row["values"]
        start = torch.rand((), generator=torch.Generator().manual_seed(1000 * row["seed"]))
        assert values["a start"] == float(start)
        assert values["a draw by which models are judged"] == float(
            torch.rand((), generator=torch.Generator().manual_seed(0))
        )
        assert values["threads"] == row["threads"]
        assert values["and on it goes"] == 1
        assert "never" not in values
        assert row["failed"] == ["a claim of one seed: does not hold"]
        assert "torch" in row["machine"]
    assert rows[0]["values"]["the first of the first batch"] != rows[2]["values"]["the first of the first batch"]
    before = (tmp_path / "kept.json").stat().st_mtime_ns
    capsys.readouterr()
    assert seeds.main() == 0  # what is kept is not made again
    assert (tmp_path / "kept.json").stat().st_mtime_ns == before
    assert capsys.readouterr().out == ""
    (tmp_path / "kept.json").write_text(json.dumps(rows[:3]))
    assert seeds.main() == 0
    again = json.loads((tmp_path / "kept.json").read_text())
    assert again == rows  # the same seed gives the same figures
    monkeypatch.setattr(sys, "argv", ["seeds.py", "01_tells_nothing", "--file", str(tmp_path / "other.json")])
    with pytest.raises(RuntimeError, match=r"01_tells_nothing, seed 1, 1 thread\(s\): ZeroDivisionError"):
        seeds.main()
    assert not (tmp_path / "other.json").exists()
