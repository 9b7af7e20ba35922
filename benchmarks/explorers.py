"""What a move of a slider costs: CPU seconds from the new value to the new picture, for every explorer of the notebooks.

    python benchmarks/explorers.py                          # runs the notebooks (minutes), then moves each slider to five places
    python benchmarks/explorers.py --only 02_elbo --keep    # one of them; into the table

"in bare figures": the same as a multiple of one small line plot, drawn in the same run, so that machines can be compared.
"""

import contextlib
import io
import statistics
import time
from pathlib import Path

import ipywidgets
import nbformat
import results

from vaelib import share_cores
from vaelib.classroom import plots

NOTEBOOKS = {
    path.stem: path for path in sorted((Path(__file__).resolve().parents[1] / "notebooks").glob("[0-9]*.ipynb"))
}


def cpu(action):
    began = time.process_time()
    action()
    return time.process_time() - began


def bare():
    """CPU seconds of a line plot with two points."""
    with plots.kept():
        return statistics.median(cpu(lambda: plots.curves({"a": ([1, 2], [1.0, 2.0])}, "x", "y")) for _ in range(9))


def moved(slider, value):
    slider.value = value


def redraws(box):
    """CPU seconds of each move: every slider to five places, the others standing where they began."""
    found = []
    for slider in box.children[0].children:
        start = slider.value
        for share in (0, 0.25, 0.37, 0.75, 1):
            value = slider.min + share * (slider.max - slider.min)
            if value != slider.value:
                found.append(cpu(lambda slider=slider, value=value: moved(slider, value)))
        slider.value = start
    return found


def measured(path):
    """A row for each explorer, after running the notebook."""
    namespace = {"__name__": "notebook"}
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "code":
                exec(compile(cell.source, cell.id, "exec"), namespace)
    rows = []
    for name, box in namespace.items():
        if isinstance(box, ipywidgets.VBox):
            found, one = redraws(box), bare()
            row = {"explorer": name, "moves": len(found), "median": statistics.median(found), "most": max(found)}
            rows.append(row | {"bare": one})
    return rows


def tables(found):
    columns = "notebook; explorer; moves; median, CPU s; most, CPU s; median, in bare figures"
    lines = []
    for notebook, rows in sorted(found.items()):
        for row in rows:
            cells = f"{row['median']:.3f}", f"{row['most']:.3f}", f"{row['median'] / row['bare']:.1f}"
            lines.append(results.line(notebook, row["explorer"], f"{row['moves']}", *cells))
    return results.table(columns.split("; "), lines)


def main():
    asked = results.parser("explorers", __doc__, NOTEBOOKS).parse_args()
    share_cores()
    found = {}
    for name in asked.only:
        print(name, flush=True)
        if rows := measured(NOTEBOOKS[name]):
            found |= results.keep(asked, "cpu", {name: rows})
    print(f"\n{tables(found)}\n\n{results.where(found)}")


if __name__ == "__main__":
    main()
