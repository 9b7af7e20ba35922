"""How long does the course take? Minutes to run each notebook, one after the other on one core; minutes to read it.

    python benchmarks/course.py              # about a quarter of an hour; with --keep into README's table

Each runs from cleared outputs, on the built-in images and the CPU, as in `make course`. Reading is counted from the notebook as it
is when the table is rendered: 200 words of text a minute, and ten lines of code that is not folded away. Solutions are not counted.
"""

import asyncio
import importlib.util
import os
import re
import sys
import tempfile
from pathlib import Path

import nbformat
import results
import torch

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
NOTEBOOKS = {path.stem: path for path in sorted(FOLDER.glob("[0-9]*.ipynb"))}
QUESTIONS = {
    "00_start_here": "Is my machine ready, and how do I read this course?"
}  # the others' titles are their questions
WORDS, LINES = 200, 10  # a minute


def question(notebook: nbformat.NotebookNode) -> str:
    return re.match(r"# \d\d · (.+)", notebook.cells[0].source)[1]


def words(markdown: str) -> int:
    """Words that are read: a formula counts as one, code blocks, solutions and addresses as none."""
    for hidden in (r"<details.*?</details>", r"```.*?```", r"(?<=\])\([^)]*\)", r"<[^>]*>"):
        markdown = re.sub(hidden, " ", markdown, flags=re.S)
    formulas = re.compile(r"\$\$.+?\$\$|\$[^$\n]+\$", flags=re.S)
    return len(re.findall(r"\w[\w'’.-]*", formulas.sub(" formula ", markdown)))


def visible_lines(cell: nbformat.NotebookNode) -> int:
    """Lines of code that are seen; blank ones and comments are not counted."""
    folded = "hide-input" in cell.metadata.get("tags", ()) or cell.metadata.get("jupyter", {}).get("source_hidden")
    return 0 if folded else len(re.findall(r"^\s*[^\s#]", cell.source, flags=re.M))


def minutes_to_read(notebook: nbformat.NotebookNode) -> float:
    text = sum(words(cell.source) for cell in notebook.cells if cell.cell_type == "markdown")
    code = sum(visible_lines(cell) for cell in notebook.cells if cell.cell_type == "code")
    return text / WORDS + code / LINES


def tables(found):
    lines = []
    for name, (row,) in sorted(found.items()):
        notebook = nbformat.read(NOTEBOOKS[name], as_version=4)
        read, run = 5 * max(1, round(minutes_to_read(notebook) / 5)), row["seconds"] / 60
        link = f"[{name}](notebooks/{name}.ipynb)"
        lines.append(results.line(link, QUESTIONS.get(name) or question(notebook), f"{read}", f"{run:.1f}"))
    columns = ("notebook", "the question it answers", "minutes to read", "minutes to run, one core")
    return results.table(columns, lines)


def main():
    asked = results.parser("course", __doc__, NOTEBOOKS).parse_args()
    spec = importlib.util.spec_from_file_location("build", FOLDER / "build.py")
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    torch.set_num_threads(1)  # the kernels have their own: this is for the line that names the machine
    os.environ.pop("VAELIB_BUDGET", None)
    found = {}
    with tempfile.TemporaryDirectory() as empty, asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        os.environ |= {"VAELIB_DATA": empty, "VAELIB_DEVICE": "cpu", "OMP_NUM_THREADS": "1"}
        for name in asked.only:
            outcome = runner.run(build.execute(NOTEBOOKS[name]))
            if outcome.problem:
                sys.exit(f"{name}: {outcome.problem}")
            print(f"{name}: {outcome.seconds:.0f} s, {outcome.checks} checks passed", flush=True)
            row = {"seconds": outcome.seconds, "checks": outcome.checks}
            found |= results.keep(asked, "cpu", {name: [row]})
    print(f"\n{tables(found)}\n\n{results.where(found)}")


if __name__ == "__main__":
    main()
