"""Run the notebooks. `make course` and `make notebooks` call this.

python notebooks/build.py course    execute every notebook into build/, with HTML pages and an index
python notebooks/build.py renew     execute the committed notebooks in place, on the built-in data and the CPU
"""

import base64
import html
import io
import os
import re
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import NamedTuple

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from PIL import Image

HERE = Path(__file__).resolve().parent
BUILD = HERE.parent / "build"
README_PICTURE = ("01_ae_vs_vae", "samples-16", HERE / "samples.png")  # notebook, cell, file
WIDGET = "application/vnd.jupyter.widget-view+json"


class Outcome(NamedTuple):
    """One notebook's run: the executed notebook, its seconds, the ✓ and ○ lines, the ★ line, and what went wrong if anything."""

    notebook: nbformat.NotebookNode
    seconds: float
    checks: int
    open_exercises: int
    headline: str
    problem: str


def execute(path: Path) -> Outcome:
    notebook = nbformat.read(path, as_version=4)
    start, problem = time.perf_counter(), ""
    try:
        NotebookClient(
            notebook,
            timeout=3600,
            coalesce_streams=True,
            kernel_name="python3",
            resources={"metadata": {"path": str(HERE)}},
            extra_arguments=["--IPKernelApp.log_level=40"],  # errors only: it warns that loopback is not encrypted
        ).execute()
    except CellExecutionError as error:
        problem = f"{error.ename}: {error.evalue}"
    except (CellTimeoutError, DeadKernelError, RuntimeError) as error:  # RuntimeError: the kernel did not start
        problem = str(error).strip().splitlines()[0]
    seconds = time.perf_counter() - start
    lines = [
        line
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output.output_type == "stream" and output.name == "stdout"
        for line in output.text.splitlines()
    ]
    stars = [line[2:] for line in lines if line.startswith("★ ")]
    return Outcome(
        notebook,
        seconds,
        sum(line.startswith("✓") for line in lines),
        sum(line.startswith("○ exercise") for line in lines),
        stars[-1] if stars else "",
        problem,
    )


def clean(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Keep what a reader needs: no widget views or state, no timestamps, no metadata of the machine."""
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in notebook.cells:
        cell.metadata = {key: value for key, value in cell.metadata.items() if key in ("tags", "jupyter")}
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if WIDGET not in output.get("data", {})]
            for output in cell.outputs:
                if "image/png" in output.get("data", {}):
                    output.data["image/png"] = fewer_colours(output.data["image/png"])
    return notebook


def fewer_colours(png: str) -> str:
    """The same picture (base64) with a palette of 192 colours: a third of the bytes, and hardly a difference to the eye."""
    image = (
        Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB").quantize(192, kmeans=3, dither=Image.Dither.NONE)
    )
    smaller = io.BytesIO()
    image.save(smaller, "PNG", optimize=True)
    return base64.b64encode(smaller.getvalue()).decode()


def formula(match: re.Match) -> str:
    """TeX to MathML, which browsers draw without a script from the network. Entities keep markdown's hands off it."""
    from latex2mathml.converter import convert

    display = "block" if match[1] else "inline"
    # MathJax wants aligned inside $$, the converter knows align* only
    source = (match[1] or match[2]).replace("{aligned}", "{align*}")
    mathml = convert(source, display=display)
    return re.sub(r"[*_`|\[\]\\]", lambda m: f"&#{ord(m[0])};", mathml)


def page(notebook: nbformat.NotebookNode, title: str) -> str:
    """A standalone HTML page: pictures inside, formulas as MathML, nothing fetched from the network."""
    from nbconvert import HTMLExporter

    notebook = nbformat.from_dict(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            parts = re.split(r"(```.*?```|`[^`\n]*`)", cell.source, flags=re.S)
            parts[::2] = [
                re.sub(r"\$\$(.+?)\$\$|\$(?!\s)([^$\n]+?)\$", formula, text, flags=re.S) for text in parts[::2]
            ]
            cell.source = "".join(parts)
    body, _ = HTMLExporter(exclude_input_prompt=True, exclude_output_prompt=True).from_notebook_node(
        notebook, resources={"metadata": {"name": title}}
    )
    # browsers centre the columns of a formula unless CSS says otherwise
    sides = "".join(f"mtd[columnalign={side}]{{text-align:{side}}}" for side in ("left", "right"))
    body = body.replace("</head>", f"<style>{sides}</style></head>", 1)
    body = re.sub(r"<script\b[^>]*\bsrc=[^>]*>\s*</script>", "", body)
    return re.sub(r"<script\b(?:(?!</script>).)*?https?://(?:(?!</script>).)*</script>", "", body, flags=re.S)


INDEX = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>The course, as run here</title>
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}}
td,th{{text-align:left;padding:.3rem .8rem;vertical-align:top}}</style>
<h1>The course, as run here</h1>
<p>These pages need no network. To run and change the notebooks: <code>make lab</code>.</p>
<table><tr><th>Notebook<th>Seconds<th>Checks passed<th>Result</tr>
{rows}
</table></html>
"""


def course(paths: list[Path]) -> int:
    BUILD.mkdir(exist_ok=True)
    rows, failed = {}, []
    began = time.perf_counter()
    cores = os.cpu_count() or 1
    at_once = min(4, cores)  # kernels side by side: small networks gain more from it than from several cores each
    os.environ.setdefault("OMP_NUM_THREADS", str(cores // at_once))
    print(f"{len(paths)} notebooks, {at_once} at a time: a few minutes", flush=True)
    with ThreadPoolExecutor(at_once) as pool:
        # the later notebooks take longer: begun first, they do not run alone at the end
        running = {pool.submit(execute, path): path for path in (*paths[:1], *reversed(paths[1:]))}
        for done in as_completed(running):
            path, outcome = running[done], done.result()
            nbformat.write(clean(outcome.notebook), BUILD / path.name)
            (BUILD / f"{path.stem}.html").write_text(page(outcome.notebook, path.stem), encoding="utf-8")
            result = f"FAILED: {outcome.problem}" if outcome.problem else outcome.headline
            exercises = f", {outcome.open_exercises} exercise(s) open" if outcome.open_exercises else ""
            print(
                f"{path.stem:24s} {outcome.seconds:4.0f} s  {outcome.checks:3d} checks passed{exercises}\n    {result}",
                flush=True,
            )
            link = f'<a href="{path.stem}.html">{path.stem}</a>'
            rows[path] = f"<tr><td>{link}<td>{outcome.seconds:.0f}<td>{outcome.checks}<td>{html.escape(result)}</tr>"
            if outcome.problem:
                failed.append(path.stem)
    table = "\n".join(rows[path] for path in paths)
    (BUILD / "index.html").write_text(INDEX.format(rows=table), encoding="utf-8")
    print(
        f"\n{len(paths)} notebooks in {time.perf_counter() - began:.0f} s. To read: build/index.html. To run and change them: make lab"
    )
    if failed:
        print(f"A check failed, or a cell did, in: {', '.join(sorted(failed))}.")
    return 1 if failed else 0


def renew(paths: list[Path]) -> int:
    os.environ.pop("VAELIB_BUDGET", None)
    os.environ["VAELIB_DEVICE"] = "cpu"
    with tempfile.TemporaryDirectory() as empty:  # no real set at hand, so everybody gets the same outputs
        os.environ["VAELIB_DATA"] = empty
        for path in paths:
            outcome = execute(path)
            stderr = [o for c in outcome.notebook.cells for o in c.get("outputs", []) if o.get("name") == "stderr"]
            if outcome.problem or stderr:
                print(
                    f"{path.name} is left as it was: {outcome.problem or 'it wrote to stderr: ' + stderr[0].text[:200]}"
                )
                return 1
            text = nbformat.writes(clean(outcome.notebook)) + "\n"
            path.write_text(text, encoding="utf-8")
            for cell in outcome.notebook.cells:
                if (path.stem, cell.id) == README_PICTURE[:2]:
                    picture = next(o.data["image/png"] for o in cell.outputs if "image/png" in o.get("data", {}))
                    README_PICTURE[2].write_bytes(base64.b64decode(picture))
            print(
                f"{path.name}: {outcome.seconds:.0f} s, {outcome.checks} checks passed, {len(text) // 1024} KB",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    actions = {"course": course, "renew": renew}
    if len(sys.argv) < 2 or sys.argv[1] not in actions:
        sys.exit(__doc__)
    chosen = sorted(HERE.glob("[0-9][0-9]_*.ipynb"))
    if sys.argv[2:]:
        chosen = [p for p in chosen if p.stem in sys.argv[2:] or p.name in sys.argv[2:]]
    sys.exit(actions[sys.argv[1]](chosen))
