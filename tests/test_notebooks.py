"""The committed notebooks: their form, their stored outputs, their exercises."""

import importlib
import json
import re
import subprocess
import sys
import warnings

import nbformat
import pytest
from played import FOLDER, KEPT, LEDGER, claim_of, claims_of, code_cells, planted_errors_fail, read, told_of

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
def test_the_first_cell_names_no_time(path):
    """How long a notebook takes to read and to run stands in README, from a results file."""
    assert not re.search(r"\b(seconds?|minutes?|hours?)\b", read(path).cells[0].source)


@each_notebook
def test_every_equation_has_its_check(path):
    notebook = read(path)
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    claims = [claim for cell in code_cells(path) for claim in claims_of(cell.source)]
    for name in LEDGER.get(path.stem, []):
        assert f"({name})" in prose
        assert any(claim.startswith(f"{name}: ") for claim in claims), name


def test_the_claims_of_a_cell():
    source = """
with proof("VQ-1"):
    check("one", 0, 1)
    for k in range(3):
        check_mean(f"of {k}", draws, 0)
    check_fails("a slip", lambda: check("never", 1, 0))
check(f"{k}: alone", True)
"""
    assert claims_of(source) == ["VQ-1: one", "VQ-1: of ", ""]


def planted_in(stem):
    """Claim -> how many errors the notebook's table plants in it."""
    found = {}
    for claim, errors in importlib.import_module(f"test_{stem}").PLANTED.items():
        found[claim_of(claim)] = found.get(claim_of(claim), 0) + len(errors)
    return found


def test_the_counts_that_proofs_tell_are_those_of_the_tables(caught):
    """make planted writes them from a run of the tests; a table that has changed since then is found here."""
    kept = json.loads(KEPT.read_text(encoding="utf-8"))
    with_proofs = [path.stem for path in PATHS if any("with proof(" in cell.source for cell in code_cells(path))]
    assert set(with_proofs) <= set(kept)

    def look(kept):
        for stem, claims in kept.items():
            table = planted_in(stem)
            assert claims == {claim: [table[claim]] * 2 for claim in told_of(stem) if claim in table}, stem

    look(kept)
    stem = with_proofs[0]
    claim = next(iter(kept[stem]))
    one_more = kept | {stem: kept[stem] | {claim: [count + 1 for count in kept[stem][claim]]}}
    caught("a count of another day", lambda: look(one_more))


def test_the_check_that_caught_an_error_is_told(capsys):
    class Notebook:
        def again(self, old, new, *names):
            return [True, "✗ AE-1: the sum: 2 is not ≤ 0"]

    planted_errors_fail(Notebook(), lambda *_: None, lambda *_: None, "AE-1", "right", "wrong", ["cell"])
    assert capsys.readouterr().out == "right -> wrong\n    ✗ AE-1: the sum: 2 is not ≤ 0\n"


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
    for k, (check, answer, solution) in enumerate(exercises(path), 1):
        module = f"vaelib.classroom.exercises.n{path.stem}"
        imports = f"import math, torch\nimport numpy as np\nfrom {module} import {check}"
        exec(f"{imports}\n{solution}\n{check}({answer})", {})
        assert capsys.readouterr().out.startswith(f"✓ exercise {path.stem[:2]}.{k}: ")  # numbered as they stand


@pytest.mark.parametrize("answer", ["untouched", "wrong"])
def test_nbval_passes_stubs_and_fails_wrong_answers(answer, tmp_path):
    """As a teacher runs it on what was handed in. (Each notebook's stubs: in its own test module.)"""
    cells = code_cells(FOLDER / "00_start_here.ipynb")
    stub = next(cell.source for cell in cells if "NotImplementedError" in cell.source)
    if answer == "wrong":
        stub = stub.replace('raise NotImplementedError("your turn")', "return 0.0")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(s) for s in (cells[0].source, stub)])
    path = tmp_path / "handed_in.ipynb"
    nbformat.write(notebook, path)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--nbval-lax",
        "--nbval-current-env",
        str(path),
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert ("1 failed, 1 passed" if answer == "wrong" else "2 passed") in done.stdout
    assert ("✗ exercise" in done.stdout) == (answer == "wrong")


def test_no_output_widget_is_asked_for():
    """A client answers those on the socket on which it waits for the reply. (tests/played.py looks at the widgets themselves.)"""
    files = [*FOLDER.glob("*.ipynb"), *(FOLDER.parent / "vaelib").rglob("*.py")]
    asked = re.compile(r"interactive_output|interact\(|widgets\.Output|tqdm\.(auto|notebook)")
    assert [path.name for path in files if asked.search(path.read_text(encoding="utf-8"))] == []
