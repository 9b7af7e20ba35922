"""What a move of a slider costs: CPU seconds from the new value to the new picture, for every explorer of the notebooks.

python benchmarks/explorers.py [--keep] [NAME …]    runs the notebooks (minutes), then moves each slider to five places

"in bare figures": the same as a multiple of one small line plot, drawn in the same run, so that machines can be compared.
--keep puts the figures into benchmarks/explorers.json, beside those of notebooks that are not named.
"""

import argparse
import contextlib
import io
import json
import statistics
import time
from pathlib import Path

import ipywidgets
import nbformat

from vaelib import describe_device, share_cores
from vaelib.classroom import plots

HERE = Path(__file__).resolve().parent
NOTEBOOKS = HERE.parent / "notebooks"


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
    """name of the explorer -> its figures, after running the notebook."""
    namespace = {"__name__": "notebook"}
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "code":
                exec(compile(cell.source, cell.id, "exec"), namespace)
    rows = {}
    for name, box in namespace.items():
        if isinstance(box, ipywidgets.VBox):
            seconds, one = redraws(box), bare()
            rows[name] = {
                "moves": len(seconds),
                "median": round(statistics.median(seconds), 3),
                "most": round(max(seconds), 3),
                "in bare figures": round(statistics.median(seconds) / one, 1),
            }
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--keep", action="store_true")
    asked = parser.parse_args()
    share_cores()
    print(describe_device("cpu"))
    print(
        "| notebook | explorer | moves | median, CPU s | most, CPU s | median, in bare figures |\n|---|---|---|---|---|---|"
    )
    kept = {}
    for path in sorted(NOTEBOOKS.glob("[0-9]*.ipynb")):
        if asked.names and path.stem not in asked.names:
            continue
        kept[path.stem] = measured(path)
        for name, row in kept[path.stem].items():
            print(f"| {path.stem} | {name} | {' | '.join(str(value) for value in row.values())} |", flush=True)
    if asked.keep:
        file = HERE / "explorers.json"
        known = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        file.write_text(json.dumps(dict(sorted((known | kept).items())), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
