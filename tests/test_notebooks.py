"""The committed notebooks: their form, their stored outputs, their exercises; and the tool that builds them."""

import base64
import importlib.util
import json
import re
import subprocess
import sys
import warnings

import nbformat
import pytest
from played import FOLDER, LEDGER, code_cells, read

PATHS = sorted(FOLDER.glob("*.ipynb"))
each_notebook = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)


def text(outputs):
    return "".join(o.text for o in outputs if o.output_type == "stream")


@each_notebook
def test_stored_whole_and_clean(path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # nbformat only warns of duplicate cell ids
        nbformat.validate(json.loads(path.read_text(encoding="utf-8")))
    notebook, cells = read(path), code_cells(path)
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        for output in cell.outputs:
            assert output.output_type != "error"
            assert output.get("name") != "stderr"
            assert not any("widget" in mime for mime in output.get("data", {}))
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    stored = path.read_text(encoding="utf-8")
    assert len(stored) < 700_000
    assert not re.search(r"/(root|home|tmp|Users|work)/", stored)


@each_notebook
def test_no_notebook_reaches_for_the_network_or_the_path(path):
    source = "\n".join(cell.source for cell in code_cells(path))
    assert not re.search(r"sys\.path|^\s*[!%]|pip install|download\(|urllib|requests|http", source, flags=re.M)


@each_notebook
def test_the_template(path):
    notebook, cells = read(path), code_cells(path)
    first = notebook.cells[0].source
    assert re.match(r"# \d\d · ", first)
    assert "After this you can" in first
    assert 3 <= len(re.findall(r"^- \*\*", first, flags=re.M)) <= 5
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert prose.count("**Predict.**") >= 4
    assert "**What you saw.**" in prose
    assert "## Recap" in prose
    assert "★ " in "".join(text(cell.outputs) for cell in cells)
    checks = re.compile(r"check\(|check_mean\(|^(spot_\w+|mended)\(", flags=re.M)
    checked = sum(bool(checks.search(cell.source)) for cell in cells)
    assert checked >= len(cells) / 4
    explorers = [k for k, cell in enumerate(cells) if "widgets.explorer(" in cell.source]
    assert explorers
    for k in explorers:  # a reopened notebook shows no sliders: the same picture stands above
        assert any("image/png" in o.get("data", {}) for o in cells[k - 1].outputs)
    for cell in cells:
        pictures = [o for o in cell.outputs if "image/png" in o.get("data", {})]
        assert text(cell.outputs).count("Figure: ") == len(pictures)


@each_notebook
def test_every_equation_has_its_check(path):
    notebook = read(path)
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    checks = "\n".join(cell.source for cell in code_cells(path))
    for name in LEDGER.get(path.stem, []):
        assert f"({name})" in prose
        assert re.search(rf'check(_mean)?\(\s*f?"{name}: ', checks), name


# ---- exercises


def exercises(path):
    """(check's name, answer's name, solution's source), as the notebook itself shows them."""
    found, cells = [], read(path).cells
    for k, cell in enumerate(cells):
        if cell.cell_type == "code" and "NotImplementedError" in cell.source:
            check, answer = re.match(r"(\w+)\((\w+)\)$", cell.source.splitlines()[-1]).groups()
            solution = re.search(r"<details>.*?```python\n(.*?)```", cells[k + 1].source, flags=re.S)[1]
            found.append((check, answer, solution))
    return found


@each_notebook
def test_the_shown_solutions_are_accepted(path, capsys):
    assert exercises(path)
    for check, answer, solution in exercises(path):
        module = "bugs" if check.startswith("spot_") else "exercises"
        imports = f"import math, torch\nimport numpy as np\nfrom vaelib.{module} import {check}"
        exec(f"{imports}\n{solution}\n{check}({answer})", {})
        assert capsys.readouterr().out.startswith("✓ exercise")


def run_nbval(path):
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "--nbval-lax",
            "--nbval-current-env",
            str(path),
        ],
        capture_output=True,
        text=True,
        cwd=path.parent,
    )


@each_notebook
def test_unattempted_exercises_pass_nbval_and_a_wrong_answer_fails_it(path, tmp_path):
    """The notebook's imports and exercises alone: untouched; and at the end one answer that returns a number, whatever it is given."""
    notebook = read(path)
    cells = [c for c in notebook.cells if c.cell_type == "code"]
    kept = [cells[0]] + [c for c in cells if "NotImplementedError" in c.source]
    answer = kept[-1].source.replace('raise NotImplementedError("your turn")', "return 0.0")
    notebook.cells = [*kept, nbformat.v4.new_code_cell(answer, id="wrong")]
    nbformat.write(notebook, tmp_path / "exercises.ipynb")
    done = run_nbval(tmp_path / "exercises.ipynb")
    assert f"1 failed, {len(kept)} passed" in done.stdout
    assert "✗ exercise" in done.stdout


# ---- the build tool


@pytest.fixture(scope="module")
def build():
    spec = importlib.util.spec_from_file_location("build", FOLDER / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@each_notebook
def test_pages_stand_alone(build, path):
    page = build.page(read(path), path.stem)
    assert not re.search(r"<(script|link|img)\b[^>]*\b(src|href)=[\"']?https?:", page)
    assert not re.search(r"import .*https?:|@import", page)
    assert page.count("<math") > 10
    assert "\\mathcal" not in page  # every formula was converted
    assert not re.search(r"<m[io]>(&|&amp;|&#x0*26;|\\\\)</m[io]>", page)  # rows and columns too
    rows = sum(cell.source.count(r"\\") for cell in read(path).cells if cell.cell_type == "markdown")
    assert page.count("<mtr") >= rows
    for output in (o for cell in code_cells(path) for o in cell.outputs if "image/png" in o.get("data", {})):
        assert base64.b64decode(output.data["image/png"]).startswith(b"\x89PNG")


def small_course(folder, *sources):
    for k, source in enumerate(sources):
        cells = [nbformat.v4.new_code_cell(s) for s in source]
        nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / f"{k:02d}_small.ipynb")
    return sorted(folder.glob("*.ipynb"))


def test_the_course_is_run_and_told(build, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(build, "BUILD", tmp_path / "build")
    imports = "from vaelib.checks import check, headline"
    good = [imports, "check('a', 0.0, 1.0)\ncheck('b', True)", "headline('all < well')"]
    paths = small_course(tmp_path, good)
    assert build.course(paths) == 0
    out = capsys.readouterr().out
    assert "2 checks passed" in out
    assert "all < well" in out
    assert "make lab" in out
    assert "all &lt; well" in (tmp_path / "build" / "index.html").read_text()
    paths = small_course(tmp_path, [imports, "check('a', 2.0, 1.0)", "check('b', True)"], good)
    assert build.course(paths) == 1
    out = capsys.readouterr().out
    assert "FAILED: AssertionError: ✗ a: 2 is not ≤ 1" in out
    assert "A check failed, or a cell did, in: 00_small." in out
    assert "all < well" in out  # the others are run all the same
    assert (tmp_path / "build" / "00_small.html").exists()


def test_a_failing_notebook_is_not_renewed(build, tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("VAELIB_DEVICE", raising=False)
    monkeypatch.setenv("VAELIB_DATA", str(tmp_path / "data"))
    for source in ("1 / 0", "import sys; print('noise', file=sys.stderr)"):
        (path,) = small_course(tmp_path, [source])
        before = path.read_bytes()
        assert build.renew([path]) == 1
        assert path.read_bytes() == before
        assert "is left as it was" in capsys.readouterr().out
    (path,) = small_course(tmp_path, ["print(1)"])
    assert build.renew([path]) == 0
    assert read(path).cells[0].outputs[0].text == "1\n"
