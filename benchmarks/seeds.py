"""How far do a notebook's figures move from one training to the next? Runs whole notebooks with other training seeds.

    python benchmarks/seeds.py 05_vq_vae 07_latent_priors     # or make seeds: what notebooks put beside their own figures

Each notebook that calls `over_seeds` is run, at the lesson's budget, on the built-in images and the CPU, for five seeds, with one thread
and with two, which round differently. Another seed means other initial weights and another order of the batches; draws by which models
are judged stay. A check that fails is no end of the run: its cell is left, and the claim is kept with the row. The file is
vaelib/classroom/seeds.json; a run that stands there is not made again, so that what was stopped goes on (--anew makes all again).
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

import nbformat
import results
from nbclient import NotebookClient

from vaelib import describe_device

HERE = Path(__file__).resolve().parent
NOTEBOOKS = HERE.parent / "notebooks"
KEPT = HERE.parent / "vaelib" / "classroom" / "seeds.json"
SEEDS, THREADS = (1, 2, 3, 4, 5), (1, 2)

# Before the first cell. What a notebook seeds with 0, this run seeds with 1,000 times its number; so no two runs share a seed.
OTHER_SEED = """
import functools, inspect
import torch
from vaelib import train

def _other(function, name, offset):
    where = inspect.signature(function)
    @functools.wraps(function)
    def seeded(*args, **settings):
        given = where.bind(*args, **settings)
        given.apply_defaults()
        given.arguments[name] += offset
        return function(*given.args, **given.kwargs)
    return seeded

train.fit = _other(train.fit, "seed", {offset})
_plain = torch.manual_seed
torch.manual_seed = lambda seed: _plain(int(seed) + {offset})
"""
COLLECT = "import json; from vaelib.classroom import telling; print(json.dumps(telling.measured()))"


def tells(path):
    """Whether a notebook puts figures beside those of other seeds."""
    return "over_seeds(" in path.read_text(encoding="utf-8")


def run(path, seed, threads):
    """One run of a notebook: the figures that it tells, and the claims that do not hold with this seed."""
    notebook = nbformat.read(path, as_version=4)
    first, last = (nbformat.v4.new_code_cell(text) for text in (OTHER_SEED.format(offset=1000 * seed), COLLECT))
    notebook.cells = [first, *(cell for cell in notebook.cells if cell.cell_type == "code"), last]
    with tempfile.TemporaryDirectory() as empty:  # no real images at hand
        settings = {
            "OMP_NUM_THREADS": str(threads),
            "VAELIB_DATA": empty,
            "VAELIB_DEVICE": "cpu",
            "VAELIB_BUDGET": "lesson",
        }
        before = {name: os.environ.get(name) for name in settings}
        os.environ.update(settings)
        try:
            client = NotebookClient(
                notebook,
                timeout=None,
                allow_errors=True,
                kernel_name="python3",
                extra_arguments=["--IPKernelApp.log_level=40"],  # errors only, as in notebooks/build.py
                resources={"metadata": {"path": str(NOTEBOOKS)}},
            )
            client.execute()
        finally:
            for name, value in before.items():
                os.environ.pop(name, None) if value is None else os.environ.update({name: value})
    errors = [o for cell in notebook.cells for o in cell.outputs if o.output_type == "error"]
    if other := [f"{o.ename}: {o.evalue}" for o in errors if not o.evalue.startswith("✗ ")]:
        raise RuntimeError(f"{path.stem}, seed {seed}, {threads} thread(s): {other[0]}")
    values = json.loads("".join(o.text for o in last.outputs if o.output_type == "stream"))
    return {"values": values, "failed": [o.evalue.removeprefix("✗ ") for o in errors]}


def main():
    paths = {path.stem: path for path in sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NOTEBOOK", help="default: all that tell")
    parser.add_argument("--anew", action="store_true", help="make runs again that are kept already")
    parser.add_argument("--file", type=Path, default=KEPT, help="where they are kept")
    asked = parser.parse_args()
    if unknown := set(asked.names) - set(paths):
        parser.error(f"there is no notebook {', '.join(sorted(unknown))}: {', '.join(paths)} are here")
    kept = results.read(asked.file) if asked.file.exists() else []
    rows = {(row["notebook"], row["seed"], row["threads"]): row for row in kept}
    for stem in asked.names or [stem for stem, path in paths.items() if tells(path)]:
        for seed in SEEDS:
            for threads in THREADS:
                key = stem, seed, threads
                if key in rows and not asked.anew:
                    continue
                rows[key] = {
                    "notebook": stem, "seed": seed, "threads": threads, "machine": describe_device("cpu"), **run(paths[stem], seed, threads)
                }  # fmt: skip
                results.write(asked.file, [rows[each] for each in sorted(rows)])
                print(
                    f"{stem}, seed {seed}, {threads} thread(s): {len(rows[key]['values'])} figures, {len(rows[key]['failed'])} claims fail",
                    flush=True,
                )
    return 0


if __name__ == "__main__":
    sys.exit(main())
