"""Run the notebooks. `make course` and `make notebooks` call this.

python notebooks/build.py course [NAME …]    execute every notebook into build/, with HTML pages and an index
python notebooks/build.py renew [NAME …]     execute the committed notebooks in place, on the built-in data and the CPU

A run ends: each cell may take VAELIB_CELL_SECONDS (900 in a lesson; no limit with VAELIB_BUDGET=full). Ctrl-C ends it at once, and
keeps the pages of the notebooks that are done.
"""

import asyncio
import base64
import contextlib
import html
import io
import logging
import os
import re
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from queue import Empty
from typing import NamedTuple

import nbformat
import zmq
from jupyter_client.asynchronous import AsyncKernelClient
from jupyter_client.channels import AsyncZMQSocketChannel
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from PIL import Image
from tqdm import tqdm
from traitlets import Type, default

HERE = Path(__file__).resolve().parent
BUILD = HERE.parent / "build"
README_PICTURE = ("01_ae_vs_vae", "samples-16", HERE / "samples.png")  # notebook, cell, file
WIDGET = "application/vnd.jupyter.widget-view+json"
AGAIN = 1.0  # seconds after which a socket is looked at anew


# ---- one notebook in a kernel


class PatientChannel(AsyncZMQSocketChannel):
    """A channel that hears of a message also when its news was taken away.

    ZeroMQ says once that a message came. A send on the same socket takes that news (nbclient answers Output widgets so, while it waits
    there for the cell's reply), and then the message lies in the socket and nobody wakes: until the cell's time is over, if it has one.
    """

    def send(self, msg: dict) -> None:
        super().send(msg)
        self.socket.get(zmq.EVENTS)  # asking through asyncio's socket wakes who waits

    async def get_msg(self, timeout: float | None = None) -> dict:
        end = time.monotonic() + (float("inf") if timeout is None else timeout)
        while True:
            try:
                return await super().get_msg(max(0.0, min(AGAIN, end - time.monotonic())))
            except Empty:
                if time.monotonic() >= end:
                    raise


class PatientClient(AsyncKernelClient):
    shell_channel_class = Type(PatientChannel)
    iopub_channel_class = Type(PatientChannel)
    control_channel_class = Type(PatientChannel)


class PatientManager(AsyncKernelManager):
    @default("client_factory")
    def _patient(self) -> type:
        return PatientClient


class Runner(NotebookClient):
    """nbclient without its signal handlers, which leave the run to go on without its kernels: asyncio's cancel it."""

    kernel_manager_class = Type(PatientManager)

    @contextlib.asynccontextmanager
    async def async_setup_kernel(self, **settings) -> AsyncIterator[None]:
        self.create_kernel_manager()
        try:
            await self.async_start_new_kernel(**settings)
            await self.async_start_new_kernel_client()
            yield
        finally:
            with contextlib.suppress(KeyError):  # of a kernel that has no ports: no file for it could be written
                await self._async_cleanup_kernel()


class Outcome(NamedTuple):
    """One notebook's run: the executed one, its seconds, its ✓ lines, open exercises and ★ line, and what went wrong if anything."""

    notebook: nbformat.NotebookNode
    seconds: float
    checks: int
    open_exercises: int
    headline: str
    problem: str


class Place(NamedTuple):
    """Where in a notebook a run is: the number of the code cell, of how many, and the heading above it."""

    cell: int
    cells: int
    section: str

    def __str__(self) -> str:
        return f"cell {self.cell} of {self.cells}" + (f" ({self.section})" if self.section else "")


def places(notebook: nbformat.NotebookNode) -> list[Place]:
    """For each cell."""
    found, cell, section = [], 0, ""
    cells = sum(c.cell_type == "code" for c in notebook.cells)
    for c in notebook.cells:
        cell += c.cell_type == "code"
        if c.cell_type == "markdown" and (heading := re.search(r"^##+ (.+)$", c.source, flags=re.M)):
            section = heading[1].replace("$", "").strip()
        found.append(Place(cell, cells, section))
    return found


def cell_seconds() -> int | None:
    """How long a cell may take."""
    given = os.environ.get("VAELIB_CELL_SECONDS", "").strip()
    if not given:
        return None if os.environ.get("VAELIB_BUDGET", "").strip().lower() == "full" else 900
    if not given.isdecimal() or int(given) < 1:
        sys.exit(f"VAELIB_CELL_SECONDS is {given!r}: give a whole number of seconds, 1 or more.")
    return int(given)


async def execute(path: Path, watch: Callable[[Place], None] = lambda place: None) -> Outcome:
    """Run a notebook from cleared outputs; ``watch`` hears of each code cell before it runs."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    where, at, limit = places(notebook), 0, cell_seconds()

    def follow(cell: nbformat.NotebookNode, cell_index: int) -> None:
        nonlocal at
        at = cell_index
        watch(where[at])

    start, problem = time.perf_counter(), ""
    runner = Runner(
        notebook,
        timeout=limit,
        startup_timeout=180,
        iopub_timeout=60,
        raise_on_iopub_timeout=True,
        shutdown_kernel="immediate",
        coalesce_streams=True,
        kernel_name="python3",
        extra_arguments=["--IPKernelApp.log_level=40"],  # errors only: it warns that loopback is not encrypted
        resources={"metadata": {"path": str(HERE)}},
        on_cell_execute=follow,
    )
    try:
        await runner.async_execute()
    except CellExecutionError as error:
        problem = f"{where[at]}: {error.ename}: {' '.join(error.evalue.split())}"
    except CellTimeoutError as error:
        late = f"ran longer than {limit} s and was stopped; VAELIB_CELL_SECONDS sets the limit"
        problem = f"{where[at]} {'lost some of its outputs' if 'IOPub' in str(error) else late}"
    except DeadKernelError:  # nbclient takes a cancelled run for this
        if asyncio.current_task().cancelling():
            raise asyncio.CancelledError from None
        problem = f"{where[at]}: its kernel died, for want of memory perhaps"
    except (RuntimeError, OSError) as error:
        reason = getattr(error, "strerror", None) or str(error).strip().splitlines()[0]
        problem = f"its kernel did not start: {reason}"
    return judged(notebook, time.perf_counter() - start, problem)


def judged(notebook: nbformat.NotebookNode, seconds: float, problem: str) -> Outcome:
    """The outcome, from the outputs: what is said there, and whether the figures that it speaks of are there."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    lines = [
        line
        for output in outputs
        if output.output_type == "stream" and output.name == "stdout"
        for line in output.text.splitlines()
    ]
    # a proof's line stands in a display that unfolds, with its checks below it
    proofs = [
        line
        for output in outputs
        if (text := str(output.get("data", {}).get("text/plain", ""))).startswith("✓ ")
        for line in text.splitlines()[1:]
    ]
    stars = [line[2:] for line in lines if line.startswith("★ ")]
    figures = sum(line.startswith("Figure: ") for line in lines)
    pictures = sum("image/png" in output.get("data", {}) for output in outputs)
    errors = [f"{o.ename}: {o.evalue}" for o in outputs if o.output_type == "error"]
    if not problem and errors:
        problem = errors[0]
    if not problem and pictures < figures:
        problem = f"{figures} figures are spoken of, and {pictures} are there"
    return Outcome(
        notebook,
        seconds,
        sum(line.startswith("✓") for line in lines) + sum(line.startswith("  ✓") for line in proofs),
        sum(line.startswith(("○ exercise", "◐ exercise")) for line in lines),
        stars[-1] if stars else "",
        problem,
    )


# ---- several at once


class Screen:
    """What is seen of a run: on a terminal a line for each running notebook, kept up to date; and a line for each that is done."""

    def __init__(self) -> None:
        self.live = sys.stdout.isatty()
        self.lines: dict[str, tuple[tqdm, float, str]] = {}

    def at(self, name: str, place: str) -> None:
        if self.live:
            line, began, _ = self.lines.get(name) or (self._line(), 0.0, "")
            self.lines[name] = line, began or time.perf_counter(), place
            self.draw()

    def _line(self) -> tqdm:
        return tqdm(bar_format="{desc}", leave=False, dynamic_ncols=True, file=sys.stdout)

    def draw(self) -> None:
        for name, (line, began, place) in self.lines.items():
            line.set_description_str(f"{name}  {time.perf_counter() - began:4.0f} s  {place}")

    def done(self, name: str, words: str) -> None:
        if name in self.lines:
            self.lines.pop(name)[0].close()
        tqdm.write(words, file=sys.stdout)
        sys.stdout.flush()

    def close(self) -> None:
        while self.lines:
            self.lines.popitem()[1][0].close()
        if self.live:
            print("\r", end="")

    async def tick(self) -> None:
        while True:
            await asyncio.sleep(1)
            self.draw()


async def execute_all(paths: list[Path], screen: Screen, keep: Callable[[Path, Outcome], str]) -> None:
    """Run the notebooks, a few side by side; ``keep`` stores each outcome and returns its line for the screen."""
    # small networks gain more from running side by side than from several cores each
    free = asyncio.Semaphore(min(4, os.cpu_count() or 1))

    async def one(path: Path) -> None:
        async with free:
            screen.at(path.stem, "starting")
            outcome = await execute(path, lambda place: screen.at(path.stem, str(place)))
            screen.done(path.stem, keep(path, outcome))

    ticking = asyncio.create_task(screen.tick())
    try:
        async with asyncio.TaskGroup() as group:
            # the later notebooks take longer: begun first, they do not run alone at the end
            for path in (*paths[:1], *reversed(paths[1:])):
                group.create_task(one(path))
    finally:
        ticking.cancel()
        screen.close()


def run(paths: list[Path], keep: Callable[[Path, Outcome], str]) -> bool:
    """Run the notebooks; False where Ctrl-C ended it. By then every kernel is stopped."""
    cell_seconds()  # a setting that is none is said before anything runs
    logging.getLogger("traitlets").setLevel(logging.CRITICAL)  # what goes wrong is told here, once
    try:
        # pyzmq needs a selector loop, which is not Windows' own
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            runner.run(execute_all(paths, Screen(), keep))
    except KeyboardInterrupt:
        return False
    return True


# ---- kinds of cells

FOLDED = "hide-input"  # the tag that others read; JupyterLab folds a cell by metadata.jupyter.source_hidden
KINDS = ("setup", "explorer", "exercise", "solution")  # each by the tag of its name


def folded(cell: nbformat.NotebookNode) -> bool:
    """Whether a code cell's source is folded away: by either mark, or since it is a setup."""
    tags = cell.metadata.get("tags", ())
    return FOLDED in tags or "setup" in tags or cell.metadata.get("jupyter", {}).get("source_hidden", False)


def kind(cell: nbformat.NotebookNode) -> str:
    """What a code cell is for.

    - idea: code to read
    - proof: folded; the referee of what an idea says, and nothing that other cells use
    - setup: folded; imports and helpers
    - explorer: one call, which shows sliders
    - exercise, solution
    """
    named = next((name for name in KINDS if name in cell.metadata.get("tags", ())), "idea")
    return "proof" if folded(cell) and named != "setup" else named


def fold(cell: nbformat.NotebookNode) -> None:
    """Put in both marks of a folded cell."""
    tags = cell.metadata.get("tags", [])
    cell.metadata["tags"] = [*tags, FOLDED] if FOLDED not in tags else tags
    cell.metadata["jupyter"] = cell.metadata.get("jupyter", {}) | {"source_hidden": True}


ANSWER = "hide-output"  # the tag that others read; JupyterLab folds outputs by metadata.jupyter.outputs_hidden
PREDICT = "**Predict"  # how a question begins that the next cells answer


def close_answers(notebook: nbformat.NotebookNode) -> None:
    """Put both marks of a folded output on the ideas that answer a prediction: those that say something, up to the next prose."""
    asked = answered = False
    for cell in notebook.cells:
        if cell.cell_type != "code":
            asked, answered = PREDICT in cell.source or (asked and not answered), False
            continue
        answers = asked and kind(cell) == "idea" and bool(cell.outputs)
        answered = answered or answers
        tags, jupyter = cell.metadata.get("tags", []), cell.metadata.get("jupyter", {})
        if answers:
            cell.metadata["tags"] = tags if ANSWER in tags else [*tags, ANSWER]
            cell.metadata["jupyter"] = jupyter | {"outputs_hidden": True}
        elif ANSWER in tags:  # it was an answer
            left = [tag for tag in tags if tag != ANSWER], {k: v for k, v in jupyter.items() if k != "outputs_hidden"}
            cell.metadata |= dict(zip(("tags", "jupyter"), left, strict=True))
            cell.metadata = {key: value for key, value in cell.metadata.items() if value}


# ---- what is stored


def clean(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Keep what a reader needs: no widget views or state, no timestamps, no metadata of the machine."""
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in notebook.cells:
        cell.metadata = {key: value for key, value in cell.metadata.items() if key in ("tags", "jupyter")}
        if cell.cell_type == "code":
            if folded(cell):
                fold(cell)
            # a progress bar that is gone is an empty display
            seen = [o for o in cell.outputs if "data" not in o or any(o.data.values())]
            cell.outputs = [output for output in seen if WIDGET not in output.get("data", {})]
            for output in cell.outputs:
                if "image/png" in output.get("data", {}):
                    output.data["image/png"] = fewer_colours(output.data["image/png"])
    close_answers(notebook)
    return notebook


def fewer_colours(png: str) -> str:
    """The same picture (base64) with a palette of 192 colours: a third of the bytes; only textured colours change a little."""
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


def formulas(markdown: str) -> str:
    """Markdown with MathML for each formula that is not in code."""
    parts = re.split(r"(```.*?```|`[^`\n]*`)", markdown, flags=re.S)
    parts[::2] = [re.sub(r"\$\$(.+?)\$\$|\$(?!\s)([^$\n]+?)\$", formula, text, flags=re.S) for text in parts[::2]]
    return "".join(parts)


# nbconvert's own page, and what it leaves out: pictures' words for those who do not see them, and what is folded
PAGE = """{% extends 'lab/index.html.j2' %}
{% block data_png scoped %}
{%- set alt = output | get_metadata('alt', 'image/png') | default('', true) | escape_html -%}
{{ super() | replace('<img ', '<img alt="' ~ alt ~ '" ' if alt else '<img ', 1) }}
{%- endblock %}
{% macro closed(words, inside) %}<details><summary>{{ words }}</summary>{{ inside }}</details>{% endmacro %}
{% block input scoped %}{{ closed(cell.metadata.folded, super()) if cell.metadata.folded else super() }}{% endblock %}
{% block outputs scoped %}{{ closed('answer', super()) if cell.metadata.answer else super() }}{% endblock %}
"""


def page(notebook: nbformat.NotebookNode, title: str) -> str:
    """A standalone HTML page: pictures inside, formulas as MathML, nothing fetched from the network; what is folded opens on a click."""
    from nbconvert import HTMLExporter

    notebook = nbformat.from_dict(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = formulas(cell.source)
        elif cell.cell_type == "code":
            cell.metadata["folded"] = kind(cell) if folded(cell) else ""
            cell.metadata["answer"] = cell.metadata.get("jupyter", {}).get("outputs_hidden", False)
            for data in (output.data for output in cell.outputs if "data" in output):
                if "text/latex" in data:  # sympy's; the exporter leaves it to a script from the network
                    data["text/html"] = formulas(re.sub(r"\$\\displaystyle (.*?)\$", r"$$\1$$", data.pop("text/latex")))
                if "text/markdown" in data:
                    data["text/markdown"] = formulas(data["text/markdown"])
    exporter = HTMLExporter(raw_template=PAGE, exclude_input_prompt=True, exclude_output_prompt=True)
    body, _ = exporter.from_notebook_node(notebook, resources={"metadata": {"name": title}})
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
    began, rows, failed = time.perf_counter(), {}, []
    try:
        BUILD.mkdir(exist_ok=True)
        for path in paths:  # nothing of an earlier run can be taken for this one's
            for old in (BUILD / path.name, BUILD / f"{path.stem}.html", BUILD / "index.html"):
                old.unlink(missing_ok=True)
    except OSError as error:
        print(f"The pages go to {BUILD}, which cannot be written to: {error.strerror}.")
        return 1
    print(f"{len(paths)} notebook(s) to run, each cell by cell: a few minutes", flush=True)

    def keep(path: Path, outcome: Outcome) -> str:
        problem = outcome.problem
        try:
            store(path, outcome)
            name = f'<a href="{path.stem}.html">{path.stem}</a>'
        except OSError as error:
            problem = problem or f"its page cannot be written: {error.strerror}"
            name = path.stem
        result = f"FAILED: {problem}" if problem else outcome.headline
        if problem:
            failed.append(path.stem)
        rows[path] = f"<tr><td>{name}<td>{outcome.seconds:.0f}<td>{outcome.checks}<td>{html.escape(result)}</tr>"
        open_ones = f", {outcome.open_exercises} exercise(s) open" if outcome.open_exercises else ""
        told = f": {result}" if result else ""
        return f"{path.stem:24s} {outcome.seconds:4.0f} s, {outcome.checks:3d} checks passed{open_ones}{told}"

    whole = run(paths, keep)
    missing = "<tr><td>{}<td><td><td>not run to its end</tr>"
    table = "\n".join(rows.get(path, missing.format(path.stem)) for path in paths)
    try:
        write(BUILD / "index.html", INDEX.format(rows=table).encode("utf-8"))
    except OSError as error:
        print(f"build/index.html cannot be written: {error.strerror}.")
        failed.append("index")
    if not whole:
        print(f"Stopped. {len(rows)} of {len(paths)} notebooks are done, their pages are in build/; no kernel runs on.")
        return 130
    print(
        f"\n{len(paths)} notebook(s) in {time.perf_counter() - began:.0f} s. To read: build/index.html. To run and change them: make lab"
    )
    if failed:
        print(f"A check failed, or a cell did, in: {', '.join(sorted(failed))}.")
    return 1 if failed else 0


def store(path: Path, outcome: Outcome) -> None:
    """The executed notebook and its page into build/. One that was cut short says so at its top."""
    notebook = clean(outcome.notebook)
    if outcome.problem:
        left = any(cell.cell_type == "code" and cell.execution_count is None for cell in notebook.cells)
        words = f"**This run is not whole.** {html.escape(outcome.problem)}." + (
            " What follows was not run." if left else ""
        )
        notebook.cells.insert(0, nbformat.v4.new_markdown_cell(f"> {words}", id="not-whole"))
    write(BUILD / path.name, (nbformat.writes(notebook) + "\n").encode("utf-8"))
    write(BUILD / f"{path.stem}.html", page(notebook, path.stem).encode("utf-8"))


def write(path: Path, content: bytes) -> None:
    from vaelib.outside.files import written_whole  # loads PyTorch, which takes seconds: the kernels begin before

    with written_whole(path) as file:
        file.write(content)


def renew(paths: list[Path]) -> int:
    os.environ.pop("VAELIB_BUDGET", None)
    os.environ["VAELIB_DEVICE"] = "cpu"
    left = []

    def keep(path: Path, outcome: Outcome) -> str:
        stderr = [o for c in outcome.notebook.cells for o in c.get("outputs", []) if o.get("name") == "stderr"]
        if outcome.problem or stderr:
            left.append(path)
            return f"{path.name} is left as it was: {outcome.problem or 'it wrote to stderr: ' + stderr[0].text[:200]}"
        text = nbformat.writes(clean(outcome.notebook)) + "\n"
        try:
            write(path, text.encode("utf-8"))
            for cell in outcome.notebook.cells:
                if (path.stem, cell.id) == README_PICTURE[:2]:
                    picture = next(o.data["image/png"] for o in cell.outputs if "image/png" in o.get("data", {}))
                    write(README_PICTURE[2], base64.b64decode(picture))
        except OSError as error:
            left.append(path)
            return str(error)
        return f"{path.name}: {outcome.seconds:.0f} s, {outcome.checks} checks passed, {len(text) // 1024} KB"

    with tempfile.TemporaryDirectory() as empty:  # no real set at hand, so everybody gets the same outputs
        os.environ["VAELIB_DATA"] = empty
        whole = run(paths, keep)
    return 130 if not whole else 1 if left else 0


if __name__ == "__main__":
    sys.stdout.reconfigure(errors="replace")  # a terminal without ✓ shows ?
    actions = {"course": course, "renew": renew}
    if len(sys.argv) < 2 or sys.argv[1] not in actions:
        sys.exit(__doc__)
    chosen = sorted(HERE.glob("[0-9][0-9]_*.ipynb"))
    if names := [name.removesuffix(".ipynb") for name in sys.argv[2:]]:
        if unknown := set(names) - {path.stem for path in chosen}:
            sys.exit(
                f"There is no notebook {', '.join(sorted(unknown))}: {', '.join(p.stem for p in chosen)} are here."
            )
        chosen = [path for path in chosen if path.stem in names]
    sys.exit(actions[sys.argv[1]](chosen))
