"""The committed notebooks: their form, their stored outputs, their exercises."""

import html
import importlib
import json
import re
import subprocess
import sys
import warnings

import nbformat
import pytest
from cells import build_tool, figures_told, figures_told_after_runs, taken_from_proofs
from generated import each_caught
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
def test_every_stored_picture_has_its_words(path):
    """As alt text, which is the sentence that stands below it; a drawing has them within."""
    for cell in code_cells(path):
        said = re.findall(r"^Figure: (.*)$", text(cell.outputs), flags=re.M)
        alts = [o.metadata["image/png"]["alt"] for o in cell.outputs if "image/png" in o.get("data", {})]
        assert [alt.splitlines()[0] for alt in alts] == said
        for output in cell.outputs:
            if "image/svg+xml" in output.get("data", {}):
                assert (
                    f"<title>{html.escape(output.data['text/plain'].removeprefix('Drawing: '))}</title>"
                    in output.data["image/svg+xml"]
                )


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
    """Claim -> how many errors are planted in it: by the notebook's table, and generated ones."""
    found = {}
    for claim, errors in importlib.import_module(f"test_{stem}").PLANTED.items():
        found[claim_of(claim)] = found.get(claim_of(claim), 0) + len(errors)
    for _, _, by in each_caught(stem):
        found[claim_of(by)] = found.get(claim_of(by), 0) + 1
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


# ---- kinds of cells

BUILD = build_tool()


@each_notebook
def test_folded_cells_have_both_marks(path):
    for cell in code_cells(path):
        if BUILD.folded(cell):
            assert "hide-input" in cell.metadata.get("tags", [])
            assert cell.metadata.get("jupyter", {}).get("source_hidden") is True


@each_notebook
def test_no_answer_lies_open_under_its_question(path):
    notebook = read(path)
    marks = [dict(cell.metadata) for cell in notebook.cells]
    BUILD.close_answers(notebook)
    assert [cell.metadata for cell in notebook.cells] == marks, "python notebooks/build.py renew marks them"
    assert any("hide-output" in mark.get("tags", ()) for mark in marks)


@each_notebook
def test_a_notebook_without_its_proof_cells_still_runs(path):
    assert taken_from_proofs([(c.id, BUILD.kind(c) == "proof", c.source) for c in code_cells(path)]) == []


# a proof, and then an idea that takes a name from it
TAKEN = {
    "a variable": ("p = 1", "p"),
    "an argument": ("p = 1", "print(f(2, k=p))"),
    "in an f-string": ("p = 1", "print(f'{2:{p}}')"),
    "an import": ("import a.p\nfrom b import c as p", "p"),
    "the package of an import": ("import p.a", "p"),
    "a function": ("def p():\n    x = 1", "p()"),
    "a class": ("class p:\n    x = 1", "p"),
    "by for": ("for p, q in ():\n    pass", "p"),
    "by for, starred": ("for q, *p in ():\n    pass", "p"),
    "by with": ("with open('a') as p:\n    pass", "p"),
    "by except": ("try:\n    1\nexcept OSError as p:\n    pass", "p"),
    "by match": ("match 1:\n    case {'a': [p, *q], **r}:\n        pass", "r"),
    "by a walrus": ("print(p := 1)", "p"),
    "by a walrus in a comprehension": ("[p := k for k in range(3)]", "p"),
    "by an annotated assignment": ("p: int = 1", "p"),
    "by global": ("def f():\n    global p\n    p = 1", "p"),
    "under if": ("if True:\n    p = 1", "p"),
    "augmented": ("p = 1", "p += 1"),
    "an attribute set": ("p = 1", "p.x = 1"),
    "an entry set": ("p = 1", "p[0] = 1"),
    "an entry added to": ("p = 1", "p[0] += 1"),
    "an index": ("p = 1", "a = {}\na[p] = 1"),
    "deleted": ("p = 1", "del p"),
    "in a function": ("p = 1", "def f(x):\n    return x + p"),
    "in a function of a function": ("p = 1", "def f():\n    return lambda x: p + x"),
    "in a method": ("p = 1", "class A:\n    def f(self):\n        return p"),
    "in a lambda": ("p = 1", "f = lambda x: p"),
    "a default": ("p = 1", "def f(p=p):\n    return p"),
    "a lambda's default": ("p = 1", "f = lambda p=p: p"),
    "an annotation": ("p = int", "def f(x: p):\n    return x"),
    "a decorator": ("p = 1", "@p\ndef f():\n    pass"),
    "in a class": ("p = 1", "class A:\n    q = p"),
    "a base class": ("p = 1", "class A(p):\n    pass"),
    "what a comprehension runs over": ("p = 1", "[p for p in p]"),
    "in a comprehension": ("p = 1", "[k for k in range(3) if k < p]"),
    "after a comprehension with the same name": ("p = 1", "[p for p in range(3)]\np"),
    "before it is bound anew": ("p = 1", "p = p + 1"),
    "in the loop that binds it": ("p = 1", "for p in p:\n    pass"),
    "announced, not bound": ("p = 1", "p: int\nprint(p)"),
    "of the same name as a function's own": ("p = 1", "def f(p):\n    return p\nf(p)"),
}
# the same, but it is bound by the idea, or is another name
NOT_TAKEN = {
    "another name": ("p = 1", "q = 1\nq"),
    "bound anew": ("p = 1", "p = 2\np"),
    "bound anew under if": ("p = 1", "if True:\n    p = 2\np"),
    "an import": ("import p", "import p\np"),
    "by for": ("p = 1", "for p in range(3):\n    print(p)"),
    "by with": ("p = 1", "with open('a') as p:\n    p.read()"),
    "by a walrus": ("p = 1", "print((p := 2), p)"),
    "by except": ("p = 1", "try:\n    1\nexcept OSError as p:\n    print(p)"),
    "by match": ("p = 1", "match 1:\n    case [p]:\n        print(p)"),
    "a comprehension's own": ("p = 1", "{p: r for p in range(3) for r in range(p)}"),
    "a lambda in a comprehension": ("p = 1", "[lambda: p for p in range(3)]"),
    "a function's argument": ("p = 1", "def f(p, *q):\n    return p"),
    "a function's own": ("p = 1", "def f():\n    p = 2\n    return lambda: p"),
    "a lambda's argument": ("p = 1", "f = lambda p: p"),
    "a function that calls itself": ("p = 1", "def p(n):\n    return p(n - 1)"),
    "a function above what it reads": ("p = 1", "def f():\n    return p\np = 2"),
    "a class's own": ("p = 1", "class A:\n    p = 2\n    q = p"),
    "an attribute": ("p = 1", "import a\na.p = a.p + 1"),
    "a keyword": ("p = 1", "dict(p=1)"),
    "words": ("p = 1", "'p'"),
    "an attribute set by the proof": ("a.p = 1\na['p'] = 2", "a = 1\na"),
    "a function's own in the proof": ("def q():\n    p = 1", "p = 3\np"),
}


@pytest.mark.parametrize(("proof", "idea"), TAKEN.values(), ids=TAKEN)
def test_what_is_taken_from_a_proof_is_found(proof, idea):
    name = "r" if "**r" in proof else "p"
    assert taken_from_proofs([("a", True, proof), ("b", False, idea)]) == [("b", name)]
    assert taken_from_proofs([("a", False, proof), ("b", False, idea)]) == []  # it is no proof
    assert taken_from_proofs([("a", True, proof), ("b", True, idea)]) == []  # proofs may take from proofs
    assert taken_from_proofs([("0", False, f"{name} = 0"), ("a", True, proof), ("b", False, idea)]) == []


@pytest.mark.parametrize(("proof", "idea"), NOT_TAKEN.values(), ids=NOT_TAKEN)
def test_what_is_not_taken_from_a_proof_is_not_found(proof, idea):
    assert taken_from_proofs([("a", True, proof), ("b", False, idea)]) == []


def test_the_order_of_cells_counts():
    use, proof, idea = ("use", False, "p"), ("proof", True, "p = 1"), ("idea", False, "p = 2")
    assert taken_from_proofs([proof, idea, use]) == taken_from_proofs([idea, proof, use]) == []
    assert taken_from_proofs([proof, use, idea]) == [("use", "p")]
    function = ("function", False, "def f():\n    return p")
    assert taken_from_proofs([function, proof, ("call", False, "f()")]) == [("function", "p")]
    assert taken_from_proofs([function, idea, proof, ("call", False, "f()")]) == []


def test_proofs_of_a_notebook_are_known_by_their_tags():
    """A setup is folded as well, and others may use what it binds."""
    sources = [
        (["setup"], "import math"),
        (["hide-input"], "slope = 1"),
        ([], "math, slope"),
        (["solution"], "slope"),
    ]
    cells = [nbformat.v4.new_code_cell(source, metadata={"tags": tags}) for tags, source in sources]
    kinds = [BUILD.kind(cell) for cell in cells]
    assert kinds == ["setup", "proof", "idea", "solution"]
    marked = [(kind, kind == "proof", cell.source) for kind, cell in zip(kinds, cells, strict=True)]
    assert taken_from_proofs(marked) == [("idea", "slope"), ("solution", "slope")]


# ---- numbers in prose


@each_notebook
def test_prose_tells_no_numbers_of_a_run(path):
    assert figures_told_after_runs(read(path).cells) == []


CODE = "epochs = 10\nx = torch.rand(10_000, 3) * 0.2  # of 28 pixels\ny = 1e-3"
# what prose after CODE says -> what of it is found
PROSE = {
    "The loss is 0.13 at the end.": ["0.13"],
    "Of 1,024 images, 7 % fail, and 12% of the rest.": ["1,024", "7 %", "12%"],
    "It is 1.5e-4, or -4.": ["1.5e-4", "4"],
    "| model | nats |\n|---|---|\n| plain | 81.2 |": ["81.2"],
    "**0.5** and *17* and (9).": ["0.5", "17", "9"],
    "Half of it. It halves.": ["Half", "halves"],
    "Each keeps about two fifths of the energy.": ["about two", "fifths"],
    "It saves a tenth of a bit, and falls by a third.": ["a tenth", "a third"],
    "Three quarters of them are seen.": ["Three quarters"],
    "Nine of ten are recognised, one in five is not.": ["Nine of ten", "one in five"],
    "Most of\nthem are dead, and two of the words live.": ["Most of", "two of the"],
    "Nearly all blur by about as much.": ["Nearly", "about as much"],
    "It is twice as long, or threefold, or four times.": ["twice", "threefold", "four times"],
    "It gains five nats and loses hundreds.": ["five nats", "hundreds"],
    "It needs at least seven epochs.": ["at least seven"],
    "An order of magnitude, a dozen, forty per cent.": ["order of magnitude", "dozen", "per cent"],
    # its source is exact
    "The sum is exactly 0.": [],
    "By definition half of it is 7.": [],
    "The gap is 0 (VQ-5), or a half by AR-2.": [],
    "The sum is exact. The loss is 7.": ["7"],
    "10 epochs, 10,000 images, 20 % noise, 28 pixels, 0.001; ten epochs.": [],
    "11 epochs, eleven epochs.": ["11", "eleven epochs"],
    # no prose
    "$0.5$ and $$\n\\tfrac 12 = 0.5\n$$ and `7`.": [],
    "```python\nx = 7\n```\n<details>\n<summary>Solution 7</summary>\n\n7\n\n</details>": [],
    "## 2 · Half of 7\n\n1. first\n2. second 7\n> 3. third\n- 4. fourth": ["7"],
    "[table 7](docs/7.md) and https://example.org/7 and ![half](7.png) and <img width=7>.": [],
    "It costs \\$5 and $7$.": ["5"],
    # names
    "As VQ-5 has it, (AR-2), too; ELBO-16.": [],
    "CIFAR-10, VQ-VAE-2, uint8, L2, in 32-bit numbers, 2-D.": [],
    "CIFAR-10 has 7.": ["7"],
    "Kingma and Welling (2014), van den Oord et al. 2016b, table 1; Burda et al., 2016.": [],
    "A bound (Kingma and Welling 2014; Burda, 2016; Salimans 2017) is old.": [],
    "We took 2016 draws. After 2017 steps it fell.": ["2016", "2017"],
    "Exercise 05.1, in 02 and 03, notebook 07, notebooks 3 and 4, section 2, Step 3: look.": [],
    "The upper half, and double precision, are 0 almost everywhere.": ["0"],
    "It is at least 0.3 (checked).\n\n*Try it*: 300 steps.": [],
    "PixelCNN needs 3.14 bits (van den Oord et al. 2016b, table 1). Here it is 3.14.": ["3.14"],
    # counts and ordinals
    "The two models differ, in three ways: a third model, the first one, one of the reasons.": [],
    "A manifold unfolds. At least one.": [],
}


@pytest.mark.parametrize(("said", "found"), PROSE.items(), ids=[str(k) for k in range(len(PROSE))])
def test_numbers_in_prose_are_found(said, found):
    assert [what for what, _ in figures_told(said, CODE)] == found


def test_prose_is_looked_at_after_runs_alone():
    code, words = nbformat.v4.new_code_cell, nbformat.v4.new_markdown_cell
    said = [nbformat.v4.new_output("stream", text="7\n")]
    cells = [words("1", id="a"), code("x = 2", id="b"), words("3", id="c"), code("x = 4", outputs=said, id="d")]
    cells += [
        words("**What you saw.** The loss is 4.\n\nIt was 5.\n\n**Predict.** Will it be 9?\n\n10", id="e"),
        words("6", id="f"),
    ]
    cells += [code("x = 7", outputs=said, id="g"), code("x = 8", id="h"), code("x = 8", outputs=said, id="i")]
    cells += [words("**What you saw.** All is exact.\n\n## 11\n\nAn idea with 12 words.", id="j")]
    assert figures_told_after_runs(cells) == [("e", "5", "It was 5.")]


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
