"""The page of measured figures: each table is what its results file says, and nothing is shown without one."""

import importlib
import json
import re
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parent.parent
BENCHMARKS = ROOT / "benchmarks"
PAGES = {
    "README.md": ["course"],
    "benchmarks/README.md": re.findall(r"<!-- (\w+) -->", (BENCHMARKS / "README.md").read_text(encoding="utf-8")),
}
BLOCKS = [(page, block) for page, blocks in PAGES.items() for block in blocks]


@pytest.fixture
def script(monkeypatch):
    """The module of a script."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module


@pytest.mark.parametrize(("page", "block"), BLOCKS, ids=[block for _, block in BLOCKS])
def test_a_table_is_what_its_results_file_says(script, page, block):
    text = (ROOT / page).read_text(encoding="utf-8")
    assert script("tables").rendered(text, block) == text, "make tables"


def test_every_results_file_is_shown_and_every_table_has_one(script):
    tables = script("tables")
    assert {str(path.relative_to(ROOT)): list(names) for path, names in tables.PAGES.items()} == PAGES
    shown = {block for _, block in BLOCKS} - {"short"}
    assert {path.stem for path in tables.results.FOLDER.glob("*.json")} == shown


def test_a_changed_figure_and_a_lost_mark_are_noticed(script):
    tables = script("tables")
    page = tables.rendered("above\n<!-- mnist -->\n<!-- /mnist -->\nbelow\n", "mnist")
    assert page.startswith("above\n")
    assert page.endswith("\nbelow\n")
    assert tables.rendered(page, "mnist") == page
    assert "| **83.63** |" in page
    assert tables.rendered(page.replace("83.63", "82.63"), "mnist") == page
    with pytest.raises(LookupError, match="there is no <!-- mnist -->"):
        tables.rendered(page.replace("/mnist", "/minst"), "mnist")


@pytest.mark.parametrize("name", ["mnist", "pixels"])
def test_published_figures_stand_beside_with_their_source(script, name):
    page = (BENCHMARKS / "README.md").read_text(encoding="utf-8")
    for title, value in script(name).PUBLISHED:
        assert re.search(r"\([\w .]+ \d{4}\w?, [\w ]*\d+\)$", title)  # name, year, table
        (row,) = [line for line in page.splitlines() if line.startswith(f"| {title} |")]
        assert f"**{value}**" in row


def measured(script, *names):
    results = script("results")
    return [row for name in names for row in results.rows(results.read(results.FOLDER / f"{name}.json"))]


def test_likelihoods_are_of_all_test_images(script):
    assert {(row["images"], row["data"]) for row in measured(script, "mnist", "pixels")} == {(10_000, "mnist")}


def test_pictures_are_of_runs_that_were_not_cut_short(script):
    rows = measured(script, "cifar10", "pictures")
    assert min(row["steps"] for row in rows if "steps" in row) >= 2_000
    copied = {row["data"] for row in rows} - {"mnist", "cifar10"}
    assert bool(copied) == ("JPEG copy" in (BENCHMARKS / "README.md").read_text(encoding="utf-8"))


# ---- what is kept


def test_figures_that_could_not_be_kept_are_refused_before_they_are_measured(script, tmp_path, capsys):
    (tmp_path / "file").touch()
    parser = script("results").parser("mnist", "")
    with pytest.raises(SystemExit):
        parser.parse_args(["--keep", str(tmp_path / "file" / "kept.json")])
    assert "was not written (its folder is a file)" in capsys.readouterr().err
    assert parser.parse_args(["--keep"]).keep == BENCHMARKS / "results" / "mnist.json"
    assert parser.parse_args([]).keep is None


# ---- the course's table


def test_the_course_has_a_row_for_each_notebook(script):
    course = script("course")
    found = json.loads((BENCHMARKS / "results" / "course.json").read_text())
    assert set(found) == set(course.NOTEBOOKS)
    assert all(row["seconds"] > 0 and row["checks"] > 0 for (row,) in found.values())


def test_minutes_to_read(script):
    course = script("course")
    visible = nbformat.v4.new_code_cell("# a comment\n\nx = 1  # counted\n\n    \ny = 2\n")
    folded = [nbformat.v4.new_code_cell("a\n" * 30) for _ in range(2)]
    folded[0].metadata.tags = ["hide-input"]
    folded[1].metadata.jupyter = {"source_hidden": True}
    text = nbformat.v4.new_markdown_cell(
        "# 01 · Two words?\n\nIt's $a + b$, [well-known](https://a.b/c d):\n\n$$\nx = \\frac{1}{2}\n$$\n\n```\nno code\n```\n\n"
        "<details><summary>Solution</summary>\n\nnot read\n</details>\n\n<b>0.5</b> nats"
    )
    assert course.question(nbformat.v4.new_notebook(cells=[text])) == "Two words?"
    assert course.words(text.source) == 9  # 01 Two words It's formula well-known formula 0.5 nats
    notebook = nbformat.v4.new_notebook(cells=[text, visible, *folded])
    assert course.minutes_to_read(notebook) == pytest.approx(9 / 200 + 2 / 10)
