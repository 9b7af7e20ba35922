"""Notebook 08's exercises as a homework, "write the check": a file to hand out, and the verdicts on what comes back. docs/homework.md.

python -m vaelib.classroom.exercises write my_checks.py
python -m vaelib.classroom.exercises mark my_checks.py
"""

import argparse
import ast
import contextlib
import io
import json
import os
import re
import runpy
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable
from pathlib import Path

from vaelib.classroom.exercises.marking import Wrong, raised
from vaelib.classroom.exercises.n08_spot_the_bug import CHECKS
from vaelib.outside.console import say
from vaelib.outside.files import written_whole

NOTEBOOK = Path(__file__).parents[3] / "notebooks" / "08_spot_the_bug.ipynb"
SIGNS = "✓◐✗○"  # full marks, in part, refused, not attempted
SECONDS = 300  # for all the checks of one file
_HEAD = '''"""Write the check: ten pieces of code, each with one mistake. Marked by python -m vaelib.classroom.exercises mark {name}

A check is given code, runs it on inputs of its own, and raises AssertionError if the code is wrong. It has to pass right code,
however written, every time, and to fail the mistake that is shown and others of its kind. Before each check, write one sentence:
for which inputs do right and wrong differ, and in what: values, gradients, or training and eval mode?
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

from vaelib.causal import Masked
from vaelib.classroom.checks import check
'''


def _cells(path: Path) -> list[tuple[str, str]]:
    """(kind, source) of each cell of a notebook."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [(cell["cell_type"], "".join(cell["source"])) for cell in cells]


def handed_out(name: str, solved: bool = False) -> str:
    """The text of the homework's file: statements and hints as comments, the code with the mistake, and a stub.

    Args:
        name: the file's, for its first line.
        solved: each stub replaced by the notebook's solution, to try the marking with.

    Raises:
        FileNotFoundError: the notebooks come with the repository, not with the package alone.
    """
    parts, cells = [_HEAD.format(name=name)], _cells(NOTEBOOK)
    for k, (kind, stub) in enumerate(cells):
        if kind != "code" or "NotImplementedError" not in stub:
            continue
        found = next(source for kind, source in reversed(cells[:k]) if kind == "code")
        said = next(source for kind, source in reversed(cells[:k]) if kind == "markdown")
        said = re.sub(r"</?details>\n?|</summary>", "", said[said.index("**Exercise") :]).replace("<summary>", "")
        said = re.sub(r"\n{2,}", "\n\n", said).replace("**", "").strip()
        lines = [line for part in said.splitlines() for line in textwrap.wrap(part, 116) or [""]]
        check = stub[: stub.rindex("\n", 0, stub.rindex("spot_"))].strip()
        if solved:
            check = re.search(r"```python\n(.*?)```", cells[k + 1][1], flags=re.S)[1].strip()
        parts.append("\n".join(f"# {line}".rstrip() for line in lines) + f"\n\n\n{found.strip()}\n\n\n{check}\n")
    return "\n\n".join(parts)


def checks_of(path: Path) -> dict[str, Callable]:
    """The checks in a Python file or a notebook: name -> function. Of a notebook nothing runs but imports and definitions."""
    with contextlib.redirect_stdout(io.StringIO()):
        found = _definitions(path) if path.suffix == ".ipynb" else runpy.run_path(str(path))
    return {name: value for name, value in found.items() if name in CHECKS}


def _definitions(path: Path) -> dict:
    """What a notebook imports and defines; what needs a value of another cell (a default, say) is left out."""
    found: dict = {}
    kept = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)
    for kind, source in _cells(path):
        with contextlib.suppress(SyntaxError):  # a cell with a magic has no check
            for node in ast.parse(source).body if kind == "code" else ():
                if isinstance(node, kept):
                    with contextlib.suppress(Exception):
                        exec(compile(ast.Module([node], []), f"<{path.name}>", "exec"), found)  # as pytest would run it
    return found


def reads_the_marker(path: Path) -> bool:
    """Whether a file names the modules or the data of the markers: a check has no need to."""
    text = path.read_text(encoding="utf-8")
    text = (
        re.sub(r"-m vaelib\.classroom\.exercises", "", text)
        if path.suffix == ".py"
        else "".join(source for kind, source in _cells(path) if kind == "code" and "def expose_" in source)
    )
    return bool(re.search(r"classroom\.exercises|marking_checks|sys\.modules|inspect\.|__globals__|_getframe", text))


def mark_one(path: Path, also: list[Path]) -> None:
    """Say what the markers say of each check in a file, a line each; ``also``: the teacher's files with mistakes of their own."""
    for extra in also:
        runpy.run_path(str(extra))
    try:
        checks = checks_of(path)
    except Exception as error:
        say(f"✗ {path.name} cannot be read: {raised(error)}")
        return
    for name, (number, marker) in CHECKS.items():
        if name not in checks:
            say(f"○ exercise {number}: there is no {name}")
            continue
        try:
            marker(checks[name])
        except Wrong as wrong:
            say(str(wrong))
        sys.stdout.flush()  # what is said stays said, should a later check never end


def mark(paths: list[Path], also: list[Path], seconds: float = SECONDS) -> dict[str, str]:
    """Mark files, each in a process of its own that is stopped after ``seconds``; returns file -> one sign for each exercise."""
    told = {}
    for extra in also:  # for its exercises; each process runs it again
        runpy.run_path(str(extra))
    for path in paths:
        say(f"{path}" + (" (names the marker: look at it)" if reads_the_marker(path) else ""))
        command = [sys.executable, "-m", "vaelib.classroom.exercises", "one", str(path), *map(str, also)]
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            late = "not marked, for the run before it "
            try:
                rc = subprocess.run(
                    command,
                    stdout=output,
                    stderr=errors,
                    env=os.environ | {"PYTHONIOENCODING": "utf-8"},
                    timeout=seconds,
                    check=False,
                ).returncode
                late += f"ended with {rc}"
            except subprocess.TimeoutExpired:
                late += f"took more than {seconds:.0f} s"
            output.seek(0)
            lines = output.read().decode("utf-8", errors="replace").splitlines()
        unread = next((line for line in lines if "cannot be read" in line), "")
        signs = ""
        for number, _ in CHECKS.values():
            line = next((line for line in lines if line[:1] in SIGNS and f" exercise {number}: " in line), "")
            line = line or unread or f"✗ exercise {number}: {late}"
            signs += line[0]
            if line != unread:
                say(f"  {line}")
        if unread:
            say(f"  {unread}")
        told[str(path)] = signs
        say(f"  {signs}  {signs.count('✓')} of {len(signs)} with full marks")
    return told


def main(arguments: list[str] | None = None) -> int:
    """The command; returns 0 if every check of every file has full marks, else 1."""
    parser = argparse.ArgumentParser(prog="python -m vaelib.classroom.exercises", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    write = commands.add_parser("write", help="write the file to hand out")
    write.add_argument("file", type=Path)
    write.add_argument("--solved", action="store_true", help="with the notebook's solutions in place of the stubs")
    marks = commands.add_parser("mark", help="a verdict for each exercise of each file")
    marks.add_argument("file", type=Path, nargs="+", help="a Python file, or the notebook")
    marks.add_argument("--also", type=Path, nargs="*", default=[], help="your files with more mistakes")
    marks.add_argument("--seconds", type=float, default=SECONDS, help="for one file (default: %(default)s)")
    one = commands.add_parser("one", help="what mark runs for one file, in a process of its own")
    one.add_argument("file", type=Path)
    one.add_argument("also", type=Path, nargs="*")
    given = parser.parse_args(arguments)
    if given.command == "write":
        if given.file.exists():
            parser.error(f"{given.file} is there, and is left as it is: choose another name.")
        if not NOTEBOOK.is_file():
            parser.error(
                "the statements stand in notebook 08, and it is not there: use a copy of the whole repository."
            )
        with written_whole(given.file) as file:
            file.write(handed_out(given.file.name, given.solved).encode())
        say(f"{given.file} is written: hand it out, and mark what comes back with: {parser.prog} mark FILE …")
        return 0
    for path in (given.file if given.command == "mark" else [given.file]) + given.also:
        if not path.is_file():
            parser.error(f"there is no file {path}.")
    if given.command == "one":
        mark_one(given.file, given.also)
        return 0
    signs = mark(given.file, given.also, given.seconds)
    return int(set("".join(signs.values())) != {"✓"})
