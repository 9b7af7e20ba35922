"""The scripts that train, small and on drawn images: each trains, judges, prints a table, and goes on where it was."""

import importlib
import importlib.util
import json
import re
import sys
from pathlib import Path

import pytest
from fresh import Fresh
from PIL import Image

from vaelib import glyphs

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


def test_the_readme_shows_what_was_measured():
    spec = importlib.util.spec_from_file_location("mnist", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    readme = (SCRIPT.parent.parent / "README.md").read_text(encoding="utf-8").splitlines()
    shown = [line for line in readme if line.startswith(("| residual", "| 784-"))]
    measured = json.loads(SCRIPT.with_name("mnist.json").read_text(encoding="utf-8"))
    assert shown == [module.line(row) for row in measured]
    assert {row["images"] for row in measured} == {10_000}


def test_the_readme_shows_the_measured_pixel_likelihoods(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    module = importlib.import_module("pixels")
    readme = (SCRIPT.parent.parent / "README.md").read_text(encoding="utf-8")
    table = readme.partition("<!-- pixels -->")[2].partition("<!-- /pixels -->")[0]
    measured = json.loads(SCRIPT.with_name("pixels.json").read_text(encoding="utf-8"))
    shown = [line for line in table.splitlines() if line.startswith("| ") and "published" not in line][1:]
    assert shown == [module.line(row) for row in measured]
    assert {row["images"] for row in measured} == {10_000}


def test_the_table_of_rebuilt_pictures(tmp_path):
    colour = drawn(tmp_path / "images", 400, 400, rgb=True)
    options = ["--data", colour, "--steps", 4, "--only", "cured", "--folder", tmp_path / "kept"]
    first, again = (printed("cifar10.py", *options) for _ in range(2))
    assert first == again  # the second run trains nothing, and judges the same
    row = next(line for line in first.splitlines() if line.startswith("| EMA"))
    steps, _, batch_error, test_error, batch, whole, lowest = (
        float(cell.replace(",", "")) for cell in row.split("|")[2:-1]
    )
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
    assert {row["title"] for row in kept} == {"PixelCNN++, grey, logistic mixture", "PixelCNN, binary"}
    for row in kept:
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
    monkeypatch.setattr(sys, "argv", options)
    module.main()
    table = (tmp_path / "lesson" / "table.md").read_text()
    kept = {path: path.read_bytes() for path in (tmp_path / "lesson").glob("*.pt")}
    assert len(kept) == 8  # five models, the judge, two files of words
    assert "4: Gated PixelCNN" in table
    assert float(re.search(r"PixelCNN\+\+ .*; ([\d.]+) ± ", table.replace("| 0.0 | ", "; "))[1]) > 0
    assert len(list((tmp_path / "lesson").glob("[1-4]-*.png"))) == 4
    assert len(list((tmp_path / "lesson").glob("[1-4]-*.gif"))) == 4
    module.main()  # goes on where it was: everything is there
    assert {path: path.read_bytes() for path in kept} == kept
    assert (tmp_path / "lesson" / "table.md").read_text() == table
    monkeypatch.setattr(module, "SIZE", module.Size(4, 5, 4, 4, channels, draws=2, drawn=20))
    with pytest.raises(ValueError, match="is of a run with steps 4"):
        module.main()
    assert {path: path.read_bytes() for path in kept} == kept
