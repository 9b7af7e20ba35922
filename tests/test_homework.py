"""The homework "write the check": what is handed out, and the verdicts on a right, a half right and a broken submission."""

import re
import subprocess
import sys

import nbformat
import pytest
from played import FOLDER, read

from vaelib.classroom.exercises import homework
from vaelib.classroom.exercises import n08_spot_the_bug as bugs
from vaelib.classroom.exercises.marking_checks import Case
from vaelib.classroom.exercises.n08_spot_the_bug import CHECKS

RIGHT, OPEN = "✓" * 10, "○" * 10


@pytest.fixture(scope="module")
def solved():
    """The homework's file with the notebook's own solutions."""
    return homework.handed_out("solved.py", solved=True)


def marked(folder, text, *arguments, name="mine.py"):
    """The command on one file: its exit status, the verdict lines, and the row of signs."""
    if text is not None:
        (folder / name).write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "vaelib.classroom.exercises", "mark", name, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", cwd=folder, check=False)
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    return done.returncode, lines, lines[-1].split()[0]


def without(text, name, body):
    """A homework with another body for one check."""
    begin = text.index(f"def expose_{name}(")
    start = text.index("\n", begin)
    end = re.compile(r"^\S", flags=re.M).search(text, start)
    return f"{text[:start]}\n    {body}\n\n\n{text[end.start() if end else len(text) :]}"


def test_what_is_handed_out_has_ten_statements_and_no_answer(solved, tmp_path):
    text = homework.handed_out("mine.py")
    assert re.findall(r"^# Exercise (08\.\d+),", text, flags=re.M) == [number for number, _ in CHECKS.values()]
    assert re.findall(r"^def (expose_\w+)", text, flags=re.M) == list(CHECKS)
    assert text.count('raise NotImplementedError("your turn")') == 10
    assert text.count("# Hint 1") == text.count("# Hint 2") == 10
    assert "# Solution" not in text
    assert "details>" not in text
    assert "summary>" not in text
    assert max(map(len, text.splitlines())) <= 130
    assert marked(tmp_path, text)[::2] == (1, OPEN)
    assert "NotImplementedError" not in solved


def test_a_right_submission_has_full_marks(solved, tmp_path):
    status, lines, signs = marked(tmp_path, solved)
    assert (status, signs) == (0, RIGHT)
    assert [line.strip()[0] for line in lines[1:-1]] == ["✓"] * 10
    assert lines[-1].endswith("10 of 10 with full marks")
    assert lines[0] == "mine.py"


def test_a_half_right_submission_is_told_what_it_missed(solved, tmp_path):
    at_one_point = "assert abs(float(kl(torch.zeros(1, 1), torch.ones(1, 1))) - (math.exp(2) - 3) / 2) < 1e-4"
    half = without(solved, "kl", at_one_point)  # μ = 0, D = 1: some others cannot be seen
    half = without(half, "rows", "return to_rows(torch.zeros(2, 3, 4, 5)).shape == (40, 3)")
    half = without(half, "entropy", 'raise NotImplementedError("your turn")')
    half = half.replace("def expose_bound", "def expose_the_bound")
    status, lines, signs = marked(tmp_path, half)
    assert (status, signs) == (1, "◐✓✓✓✓✗✓✓○○")
    assert re.search(r"08\.1: right code passes; the mistake fails, and .* Missed: the mean over D", lines[1])
    assert "08.6: your check passes the mistake (that it returned True" in lines[6]
    assert lines[9].endswith("08.9: there is no expose_bound")
    assert lines[10].endswith("08.10: not attempted yet")


BROKEN = {
    "no Python": ("def expose_kl(kl:\n", "✗" * 10, "cannot be read: SyntaxError"),
    "fails when it is read": ("import math\n1 / 0\n", "✗" * 10, "cannot be read: ZeroDivisionError"),
    "ends the program": ("import sys\nsys.exit(3)\n", "✗" * 10, "the run before it ended with 3"),
}


@pytest.mark.parametrize(("text", "row", "words"), BROKEN.values(), ids=BROKEN)
def test_a_broken_submission_is_a_verdict_too(text, row, words, tmp_path):
    status, lines, signs = marked(tmp_path, text)
    assert (status, signs) == (1, row)
    assert words in "\n".join(lines)


def test_a_check_that_never_ends_is_stopped_and_what_was_marked_stays(solved, tmp_path):
    endless = without(solved, "elbo", "while True: pass")
    status, lines, signs = marked(tmp_path, endless, "--seconds", "45")
    assert (status, signs) == (1, "✓✓✗✗✗✗✗✗✗✗")
    assert lines[3].endswith("08.3: not marked, for the run before it took more than 45 s")


def test_what_a_submission_prints_is_no_verdict(tmp_path):
    text = 'print("✓ exercise 08.1: full marks")\n\n\ndef expose_kl(kl):\n    print("✓ exercise 08.1: full marks")\n'
    assert marked(tmp_path, text)[2] == "✗" + "○" * 9


def test_the_notebook_may_be_handed_in(tmp_path):
    """Nothing of it is run but imports and definitions: no model is trained."""
    notebook = read(FOLDER / "08_spot_the_bug.ipynb")
    notebook.cells.append(nbformat.v4.new_code_cell("raise RuntimeError"))
    notebook.cells.append(nbformat.v4.new_code_cell("%magic"))
    for cell in notebook.cells:
        if cell.cell_type == "code" and "def expose_kl" in cell.source:
            cell.source = re.search(r"```python\n(.*?)```", next_to(notebook, cell).source, flags=re.S)[1]
    nbformat.write(notebook, tmp_path / "mine.ipynb")
    status, _, signs = marked(tmp_path, None, name="mine.ipynb")
    assert (status, signs) == (1, "✓" + "○" * 9)


def next_to(notebook, cell):
    return notebook.cells[notebook.cells.index(cell) + 1]


DOCS = (FOLDER.parent / "docs" / "homework.md").read_text(encoding="utf-8")


def test_a_teacher_adds_mistakes_that_nobody_has_read(solved, tmp_path):
    """The one in docs/homework.md, which the notebook's solution misses, as it says there."""
    (tmp_path / "more.py").write_text(re.search(r"```python\n(.*?)```", DOCS, flags=re.S)[1], encoding="utf-8")
    status, lines, signs = marked(tmp_path, solved, "--also", "more.py")
    assert (status, signs) == (1, "◐" + "✓" * 9)
    assert "and 6 of 7 others of its kind. Missed: log σ clipped at 2." in lines[1]


def test_the_page_for_teachers_names_the_cases_and_the_limit():
    named = re.search(r"The cases are (.*?)\.\n", DOCS)[1]
    cases = [name for name, value in vars(bugs).items() if isinstance(value, Case)]
    assert re.findall(r"`(\w+)`", named) == cases
    assert f"more than {homework.SECONDS} seconds" in DOCS
    assert all(f"| {sign} |" in DOCS for sign in homework.SIGNS)


READS = {
    "from vaelib.classroom.exercises.n08_spot_the_bug import kl_right": True,
    "import vaelib.classroom.exercises.marking_checks as m": True,
    "import sys\nsys.modules['x']": True,
    "from vaelib.classroom.checks import check": False,
    '"""Marked by python -m vaelib.classroom.exercises mark mine.py"""': False,
}


@pytest.mark.parametrize(("text", "reads"), READS.items())
def test_who_names_the_marker_is_pointed_out(text, reads, tmp_path):
    (tmp_path / "mine.py").write_text(text, encoding="utf-8")
    assert homework.reads_the_marker(tmp_path / "mine.py") == reads
    assert not homework.reads_the_marker(FOLDER / "08_spot_the_bug.ipynb")


def test_the_command_says_what_is_wrong_with_it(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert homework.main(["write", "mine.py"]) == 0
    before = (tmp_path / "mine.py").read_text(encoding="utf-8")
    assert before == homework.handed_out("mine.py")
    for arguments, words in (
        (["write", "mine.py"], "mine.py is there, and is left as it is"),
        (["mark", "other.py"], "there is no file other.py"),
        (["mark", "mine.py", "--also", "other.py"], "there is no file other.py"),
    ):
        with pytest.raises(SystemExit):
            homework.main(arguments)
        assert words in capsys.readouterr().err
    assert (tmp_path / "mine.py").read_text(encoding="utf-8") == before
