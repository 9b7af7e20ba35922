"""notebooks/build.py: what it runs, what it says, and that it ends."""

import asyncio
import base64
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from html.parser import HTMLParser

import nbformat
import numpy as np
import pytest
import zmq.asyncio
from cells import build_tool
from jupyter_client.asynchronous import AsyncKernelClient
from jupyter_client.channels import AsyncZMQSocketChannel
from jupyter_client.session import Session
from machine import a_disk_with_room_for, posix
from PIL import Image
from played import FOLDER, code_cells, read

PATHS = sorted(FOLDER.glob("*.ipynb"))
each_notebook = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)


@pytest.fixture(scope="module")
def build():
    return build_tool()


@each_notebook
def test_pages_stand_alone(build, path):
    page = build.page(read(path), path.stem)
    assert not re.search(r"<(script|link|img)\b[^>]*\b(src|href)=[\"']?https?:", page)
    assert not re.search(r"import .*https?:|@import", page)
    assert page.count("<math") > 10
    assert "\\mathcal" not in page  # every formula was converted
    assert not re.search(r"<m[io]>(&|&amp;|&#x0*26;|\\\\)</m[io]>", page)  # rows and columns too
    rows = sum(cell.source.count(r"\\") for cell in read(path).cells if cell.cell_type == "markdown")
    assert page.count("<mtr") >= rows
    for output in (o for cell in code_cells(path) for o in cell.outputs if "image/png" in o.get("data", {})):
        assert base64.b64decode(output.data["image/png"]).startswith(b"\x89PNG")


def small_course(folder, *sources):
    for k, source in enumerate(sources):
        heading = nbformat.v4.new_markdown_cell("# 00 · Title\n\n## A section")
        cells = [heading, *(nbformat.v4.new_code_cell(s) for s in source)]
        cells[-1].outputs = [nbformat.v4.new_output("stream", text="as the author saw it\n")]
        nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / f"{k:02d}_small.ipynb")
    return sorted(folder.glob("*.ipynb"))


@pytest.fixture
def built(build, tmp_path, monkeypatch):
    """The folder that the build tool writes to."""
    monkeypatch.setattr(build, "BUILD", tmp_path / "build")
    return tmp_path / "build"


# what vaelib.classroom.checks prints, without the seconds that loading it takes
GOOD = ["print('✓ a: 0 ≤ 1')", "print('✓ b: holds')", "print('★ all < well')"]


def test_the_course_is_run_and_told(build, built, tmp_path, capsys):
    assert build.course(small_course(tmp_path, GOOD)) == 0
    out = capsys.readouterr().out
    assert "2 checks passed: all < well\n" in out
    assert "make lab" in out
    assert "all &lt; well" in (built / "index.html").read_text()
    paths = small_course(tmp_path, ["1", "raise AssertionError('✗ a: 2 is not ≤ 1')", "print('✓ b: holds')"], GOOD)
    assert build.course(paths) == 1
    out = capsys.readouterr().out
    assert "FAILED: cell 2 of 3 (A section): AssertionError: ✗ a: 2 is not ≤ 1" in out
    assert "A check failed, or a cell did, in: 00_small." in out
    assert "all < well" in out  # the others are run all the same
    assert len(out.splitlines()) == 1 + 2 + 3  # no terminal: a line a notebook
    for name in ("00_small.html", "00_small.ipynb"):
        page = (built / name).read_text()
        assert "This run is not whole" in page
        assert "as the author saw it" not in page


def test_a_dead_kernel_leaves_no_page_that_looks_finished(build, built, tmp_path, capsys):
    paths = small_course(tmp_path, ["print('before')", "import os\nos.kill(os.getpid(), 9)", "print('after')"])
    assert build.course(paths) == 1
    assert "FAILED: cell 2 of 3 (A section): its kernel died" in capsys.readouterr().out
    page = (built / "00_small.ipynb").read_text()
    assert "This run is not whole" in page
    assert "as the author saw it" not in page
    assert "What follows was not run" in page
    assert [len(cell.outputs) for cell in code_cells(built / "00_small.ipynb")] == [1, 0, 0]
    assert "FAILED" in (built / "index.html").read_text()


def test_a_cell_that_runs_on_is_stopped_and_named(build, built, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("VAELIB_CELL_SECONDS", "2")
    assert build.course(small_course(tmp_path, ["1", "import time\ntime.sleep(600)", "2"], ["print('★ on')"])) == 1
    first, second = sorted(capsys.readouterr().out.splitlines()[1:3])
    assert first.startswith("00_small")
    assert "FAILED: cell 2 of 3 (A section) ran longer than 2 s" in first
    assert second.endswith(": on")
    monkeypatch.setenv("VAELIB_CELL_SECONDS", "soon")
    with pytest.raises(SystemExit, match="VAELIB_CELL_SECONDS is 'soon': give a whole number"):
        build.cell_seconds()


@pytest.mark.parametrize("patient", [True, False])
def test_a_reply_whose_event_is_swallowed_costs_a_second(build, built, tmp_path, monkeypatch, capsys, patient):
    """A send on the socket, while the client waits there, can take the news of the reply. nbclient's own client then waits for ever."""

    seen = {}

    def swallow(runner):
        time.sleep(2)  # the loop stands still, and the reply comes
        socket = zmq.Socket.shadow(runner.kc.shell_channel.socket.underlying)
        seen["swallowed"] = bool(socket.getsockopt(zmq.EVENTS) & zmq.POLLIN)
        seen["then"] = time.monotonic()

    class Swallowing(build.Runner):
        async def async_execute_cell(self, cell, cell_index, **settings):
            if "sleep" in cell.source:
                asyncio.get_running_loop().call_later(0.5, swallow, self)
            await super().async_execute_cell(cell, cell_index, **settings)
            if "sleep" in cell.source:
                seen["lost"] = time.monotonic() - seen["then"]

    monkeypatch.setattr(build, "Runner", Swallowing)
    if not patient:
        monkeypatch.setattr(build, "PatientClient", AsyncKernelClient)
    monkeypatch.setenv("VAELIB_CELL_SECONDS", "12")
    assert build.course(small_course(tmp_path, ["import time\ntime.sleep(1)", "print('on')"])) == 0
    assert seen["swallowed"]
    assert seen["lost"] < 4 if patient else seen["lost"] > 8  # until the cell's time is over, when it looks once more


@pytest.mark.parametrize("patient", [True, False])
def test_a_send_does_not_take_the_news_of_a_reply(build, monkeypatch, patient):
    """The fault itself, on two sockets: a reply comes, a message is sent before anybody looks, and the reply is not heard of."""
    monkeypatch.setattr(build, "AGAIN", 60.0)
    kind = build.PatientChannel if patient else AsyncZMQSocketChannel

    async def seconds():
        context, session = zmq.asyncio.Context(), Session(key=b"")
        with context, context.socket(zmq.ROUTER) as router, context.socket(zmq.DEALER) as dealer:
            dealer.connect(f"tcp://127.0.0.1:{router.bind_to_random_port('tcp://127.0.0.1')}")
            channel, kernel = kind(dealer, session), zmq.Socket.shadow(router.underlying)
            channel.send(session.msg("execute_request"))
            name, *_ = kernel.recv_multipart()
            waiting = asyncio.create_task(channel.get_msg(3))
            await asyncio.sleep(0.2)
            session.send(kernel, "execute_reply", ident=name)
            time.sleep(0.3)  # the reply is there, and the loop has not looked yet
            channel.send(session.msg("comm_msg"))
            began = time.monotonic()
            assert (await waiting)["msg_type"] == "execute_reply"
            return time.monotonic() - began

    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        lost = runner.run(seconds())
    assert lost < 1 if patient else lost > 2  # zmq looks once more when the time is over


DRAWN = "import torch\nfrom vaelib.classroom import plots\n_ = plots.image_rows({'a': torch.rand(3, 1, 4, 4)})"


def test_figures_that_are_not_there_are_a_failure(build, built, tmp_path, capsys):
    assert build.course(small_course(tmp_path, [DRAWN, "print('Figure: a line alone.')"])) == 1
    assert "FAILED: 2 figures are spoken of, and 1 are there" in capsys.readouterr().out
    assert "was not run" not in (built / "00_small.ipynb").read_text()  # every cell was


class Pictures(HTMLParser):
    """The attributes of each <img> of a page, as a browser reads them."""

    def __init__(self, page):
        super().__init__()
        self.found = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        if tag == "img":
            self.found.append(dict(attrs))


def test_pictures_have_their_sentence_as_alt_text(build, built, tmp_path):
    """In the notebook and on its page; a row's name may have any character that HTML knows."""
    name = "a < b > c & \"d\" 'e' &amp; 100% {{ f }} <script>"
    (path,) = small_course(tmp_path, [DRAWN, DRAWN.replace("'a'", repr(name))])
    assert build.course([path]) == 0
    outputs = [output for cell in code_cells(built / path.name) for output in cell.outputs]
    said = [o.text.strip().removeprefix("Figure: ") for o in outputs if o.output_type == "stream"]
    assert said == ["3 images to a row; rows: a.", f"3 images to a row; rows: {name}."]
    assert [o.metadata["image/png"] for o in outputs if "data" in o] == [{"alt": words} for words in said]
    pictures = Pictures((built / "00_small.html").read_text()).found
    assert [picture["alt"] for picture in pictures] == said


def test_a_picture_keeps_its_size_beside_its_words(build):
    data, size = {"image/png": png(Image.new("RGB", (4, 4)))}, {"width": 40, "height": 30}
    metadata = ({"image/png": size | {"alt": "a."}}, {"image/png": size}, {})
    outputs = [nbformat.v4.new_output("display_data", dict(data), metadata=each) for each in metadata]
    notebook = build.clean(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1", outputs=outputs)]))
    assert tuple(output.metadata for output in notebook.cells[0].outputs) == metadata
    spoken, sized, bare = Pictures(build.page(notebook, "title")).found
    assert (spoken["alt"], spoken["width"], spoken["height"]) == ("a.", "40", "30")
    assert (sized["width"], sized["height"], "width" in bare) == ("40", "30", False)
    assert sized["alt"] == bare["alt"] == "No description has been provided for this image"  # nbconvert's own words


@pytest.mark.parametrize(
    "data",
    [
        {"text/latex": r"$\displaystyle \frac{\sigma}{2}$", "text/plain": "sigma/2"},
        {"text/markdown": r"It is $\frac{\sigma}{2}$ here, and `$x$` is code.", "text/plain": "It is sigma/2"},
        {"text/markdown": "It holds:\n\n$$\\frac{\\sigma}{2}$$", "text/plain": "It holds"},
    ],
    ids=["sympy", "told", "told, in a line of its own"],
)
def test_formulas_among_outputs_are_mathml(build, data):
    output = nbformat.v4.new_output("display_data", dict(data))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1", outputs=[output])])
    page = build.page(notebook, "title")
    assert page.count("<math") == page.count("<mfrac>") == 1
    shown = re.search(r"<main>.*</main>", page, flags=re.S)[0]
    assert "\\frac" not in shown
    assert "\\displaystyle" not in shown
    assert shown.count("$") == 2 * data.get("text/markdown", "").count("`$x$`")
    assert output.data == data  # the notebook itself is as it was


def test_an_error_among_the_outputs_is_a_failure(build, built, tmp_path, capsys):
    (path,) = small_course(tmp_path, ["1 / 0", "print('on')"])
    notebook = read(path)
    notebook.cells[1].metadata.tags = ["raises-exception"]
    nbformat.write(notebook, path)
    assert build.course([path]) == 1
    assert "FAILED: ZeroDivisionError: division by zero" in capsys.readouterr().out


def test_figures_do_not_depend_on_the_callers_settings(build, built, tmp_path, monkeypatch):
    (tmp_path / "matplotlibrc").write_text("text.usetex: True\naxes.facecolor: black\nfont.size: 40\n")
    (path,) = small_course(tmp_path, [DRAWN.replace("torch.rand", "torch.ones")])

    def picture():
        assert build.course([path]) == 0
        (output,) = [o for cell in code_cells(built / path.name) for o in cell.outputs if "data" in o]
        return output.data["image/png"], output.metadata["image/png"]["alt"]

    plain = picture()
    monkeypatch.setenv("MATPLOTLIBRC", str(tmp_path / "matplotlibrc"))
    for backend in ("agg", "module://no.such.backend"):
        monkeypatch.setenv("MPLBACKEND", backend)
        assert picture() == plain
    assert plain[1] == "3 images to a row; rows: a."


def course_in_a_process(folder, encoding="utf-8"):
    """`build.py course` of the notebooks that lie beside it, as a process of its own."""
    shutil.copy(FOLDER / "build.py", folder)
    return subprocess.Popen(
        [sys.executable, str(folder / "build.py"), "course"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONIOENCODING": encoding},
        start_new_session=True,  # so that Ctrl-C can be sent to it and its children, as a terminal does
        # a suite that was started with & inherits that Ctrl-C is ignored
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def kernels_of(pid):
    """Running kernels whose parent is this process."""
    listing = subprocess.run(["ps", "-eo", "ppid,args"], capture_output=True, text=True, check=True).stdout
    return [line for line in listing.splitlines() if line.split()[0] == str(pid) and "ipykernel" in line]


def test_the_first_interrupt_ends_a_run_and_keeps_what_is_done(tmp_path):
    folder, pages = tmp_path / "notebooks", tmp_path / "build"
    folder.mkdir()
    small_course(folder, GOOD, ["import time\ntime.sleep(300)"])
    process = course_in_a_process(folder)
    done = process.stdout.readline(), process.stdout.readline()
    assert b"00_small" in done[1]  # the first is done, the second sleeps
    assert len(kernels_of(process.pid)) == 1
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert out.decode() == "Stopped. 1 of 2 notebooks are done, their pages are in build/; no kernel runs on.\n"
    assert err == b""
    assert (pages / "00_small.html").exists()
    assert not (pages / "01_small.html").exists()
    assert "not run to its end" in (pages / "index.html").read_text()
    assert kernels_of(process.pid) == []
    small_course(folder, GOOD, GOOD)
    again = course_in_a_process(folder)
    out, err = again.communicate(timeout=120)
    assert (again.returncode, err) == (0, b"")


@pytest.mark.parametrize("encoding", ["cp1252", "cp437", "ascii"])
def test_a_terminal_without_the_characters_gets_others(encoding, tmp_path):
    folder = tmp_path / "notebooks"
    folder.mkdir()
    small_course(folder, ["print('★ ✓ − ‖ ± 𝔼')"])
    process = course_in_a_process(folder, encoding)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (0, b"")
    assert b"checks passed: ?" in out
    assert (tmp_path / "build" / "index.html").exists()


@pytest.mark.parametrize(
    ("budget", "seconds", "limit"),
    [("", "", 900), ("lesson", " ", 900), (" FULL ", "", None), ("full", "5", 5), ("", " 7 ", 7)],
)
def test_settings_are_read_as_the_library_reads_them(build, monkeypatch, budget, seconds, limit):
    monkeypatch.setenv("VAELIB_BUDGET", budget)
    monkeypatch.setenv("VAELIB_CELL_SECONDS", seconds)
    assert build.cell_seconds() == limit


@posix
def test_a_disk_that_is_full_is_one_sentence(build, built, tmp_path, monkeypatch, capsys):
    paths = small_course(tmp_path, GOOD)
    before = paths[0].read_bytes()
    with a_disk_with_room_for(0):  # not even the file goes there by which a kernel is found
        assert build.course(paths) == 1
    out = capsys.readouterr().out
    assert "FAILED: its kernel did not start: File too large" in out
    assert "build/index.html cannot be written: File too large." in out
    assert len(out.splitlines()) == 6
    assert list(built.iterdir()) == []
    monkeypatch.setenv("VAELIB_DATA", str(tmp_path / "data"))
    with a_disk_with_room_for(400):  # the kernel starts
        assert build.course(paths) == 1
        assert "FAILED: its page cannot be written: File too large" in capsys.readouterr().out
        assert build.renew(paths) == 1
        assert (
            f"{paths[0]} was not written (File too large), and what was there is as it was" in capsys.readouterr().out
        )
    assert paths[0].read_bytes() == before
    assert [path.name for path in built.iterdir()] == []
    monkeypatch.setattr(build, "BUILD", tmp_path / "file")
    (tmp_path / "file").write_text("")
    assert build.course(small_course(tmp_path, GOOD)) == 1
    assert "which cannot be written to" in capsys.readouterr().out


def test_a_failing_notebook_is_not_renewed(build, tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("VAELIB_DEVICE", raising=False)
    monkeypatch.setenv("VAELIB_DATA", str(tmp_path / "data"))
    for source in ("1 / 0", "import sys; print('noise', file=sys.stderr)"):
        (path,) = small_course(tmp_path, [source])
        before = path.read_bytes()
        assert build.renew([path]) == 1
        assert path.read_bytes() == before
        assert "is left as it was" in capsys.readouterr().out
    (path,) = small_course(
        tmp_path, ["from vaelib.outside.console import bar\nwith bar(1) as b:\n    b.update(1)\nprint(1)"]
    )
    assert build.renew([path]) == 0
    assert [output.text for output in code_cells(path)[0].outputs] == ["1\n"]


# ---- what is stored


def png(image):
    file = io.BytesIO()
    image.save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def test_what_is_stored_is_what_a_reader_needs(build):
    """Sources, words and pictures; and nothing of the machine, of a widget, or of a progress bar that is gone."""
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8))
    four = Image.fromarray(np.kron(np.eye(2), np.ones((20, 20))).astype(np.uint8)[..., None] * np.uint8([255, 0, 90]))
    view = {"application/vnd.jupyter.widget-view+json": {"model_id": "1"}, "text/plain": "VBox()"}
    picture = {"image/png": png(noise), "text/plain": "Figure: a."}
    outputs = [
        nbformat.v4.new_output("stream", text="✓ a claim: holds\n"),
        nbformat.v4.new_output("display_data", {"text/html": "", "text/plain": ""}),  # a bar that is gone
        nbformat.v4.new_output("display_data", view),
        nbformat.v4.new_output("display_data", picture, metadata={"image/png": {"alt": "a."}}),
        nbformat.v4.new_output("execute_result", {"image/png": png(four)}, execution_count=3),
        nbformat.v4.new_output("display_data", {"text/html": "<b>a table</b>", "text/plain": ""}),
        nbformat.v4.new_output("error", ename="Failed", evalue="✗", traceback=[]),
    ]
    marks = {"tags": ["raises-exception"], "jupyter": {"source_hidden": True}}
    machine = {"execution": {"iopub.execute_input": "2026-01-01"}, "scrolled": False}
    cells = [
        nbformat.v4.new_markdown_cell("# Title", metadata=marks | machine),
        nbformat.v4.new_code_cell("1 / 0", outputs=outputs, execution_count=3, metadata=marks | machine),
        nbformat.v4.new_code_cell("box", outputs=[nbformat.v4.new_output("display_data", view)]),
    ]
    metadata = {
        "widgets": {"state": {}},
        "kernelspec": {"display_name": "my own", "language": "python", "name": "mine"},
    }
    kept = build.clean(nbformat.v4.new_notebook(cells=cells, metadata=metadata))
    nbformat.validate(kept)
    assert kept.metadata == {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    words, code, box = kept.cells
    assert (words.source, code.source, box.source) == ("# Title", "1 / 0", "box")
    assert words.metadata == marks
    assert code.metadata == marks | {"tags": ["raises-exception", "hide-input"]}
    assert "outputs" not in words
    assert box.outputs == []
    stream, first, second, table, error = code.outputs
    assert stream.text == "✓ a claim: holds\n"
    assert table.data == {"text/html": "<b>a table</b>", "text/plain": ""}
    assert error.ename == "Failed"
    assert (first.data["text/plain"], first.metadata) == ("Figure: a.", {"image/png": {"alt": "a."}})
    for output, before in ((first, noise), (second, four)):
        after = Image.open(io.BytesIO(base64.b64decode(output.data["image/png"])))
        assert (after.mode, after.size) == ("P", (40, 40))
        off = np.abs(np.asarray(after.convert("RGB"), float) - np.asarray(before, float))
        assert off.mean() < (16 if before is noise else 1e-9)  # few colours stay as they are
        assert len(after.convert("RGB").getcolors(256)) <= 192
    assert len(first.data["image/png"]) < len(png(noise)) / 2


HIDDEN = {"source_hidden": True}
# what a code cell's metadata are -> its kind, and what is stored
MARKED = [
    ({}, "idea", {}),
    ({"tags": ["mine"], "jupyter": {"source_hidden": False}}, "idea", ...),
    ({"jupyter": {"outputs_hidden": True}}, "idea", ...),
    ({"tags": ["hide-input"]}, "proof", {"tags": ["hide-input"], "jupyter": HIDDEN}),
    ({"jupyter": HIDDEN}, "proof", {"tags": ["hide-input"], "jupyter": HIDDEN}),
    ({"tags": ["hide-input"], "jupyter": HIDDEN}, "proof", ...),
    (
        {"tags": ["hide-input", "mine"], "jupyter": {"source_hidden": False, "outputs_hidden": True}},
        "proof",
        {"tags": ["hide-input", "mine"], "jupyter": HIDDEN | {"outputs_hidden": True}},
    ),
    ({"tags": ["setup", "mine"]}, "setup", {"tags": ["setup", "mine", "hide-input"], "jupyter": HIDDEN}),
    ({"tags": ["explorer"]}, "explorer", ...),
    ({"tags": ["exercise"]}, "exercise", ...),
    ({"tags": ["solution"], "jupyter": {"outputs_hidden": True}}, "solution", ...),
]


@pytest.mark.parametrize(("before", "kind", "after"), MARKED)
def test_cells_have_kinds_and_folded_ones_both_marks(build, before, kind, after):
    after = before if after is ... else after
    cell = nbformat.v4.new_code_cell("1", metadata=before | {"collapsed": True})
    assert build.kind(cell) == kind
    for _ in range(2):  # what is clean stays as it is
        (kept,) = build.clean(nbformat.v4.new_notebook(cells=[cell])).cells
        assert kept.metadata == after
        assert build.kind(kept) == kind


def test_what_answers_a_prediction_is_one_click_away(build):
    """The ideas that say something after the question, up to the next prose; and what answers no longer is open again."""

    def cells(question):
        said = [nbformat.v4.new_output("stream", text="0.5\n")]
        code = nbformat.v4.new_code_cell
        return [
            code("0", outputs=said),
            nbformat.v4.new_markdown_cell(question),
            code("setup", metadata={"tags": ["setup", "hide-input"]}, outputs=said),
            code("quiet"),
            nbformat.v4.new_markdown_cell("A word between."),
            code("answer", metadata={"tags": ["mine"]}, outputs=said),
            code("more", outputs=said),
            code("proof", metadata={"tags": ["hide-input"]}, outputs=said),
            nbformat.v4.new_markdown_cell("What you saw."),
            code("later", outputs=said),
        ]

    notebook = build.clean(nbformat.v4.new_notebook(cells=cells("Text.\n\n**Predict.** How much?")))
    hidden = [cell.source for cell in notebook.cells if cell.metadata.get("jupyter", {}).get("outputs_hidden")]
    assert hidden == ["answer", "more"]
    assert notebook.cells[5].metadata == {"tags": ["mine", "hide-output"], "jupyter": {"outputs_hidden": True}}
    assert build.clean(nbformat.from_dict(notebook)) == notebook  # what is clean stays as it is
    notebook.cells[1].source = "No question."
    assert build.clean(notebook).cells[5].metadata == {"tags": ["mine"]}
    seen = Seen(build.page(build.clean(nbformat.v4.new_notebook(cells=cells("**Predict.** How much?"))), "title"))
    assert seen.text.split().count("answer") == 3  # the summaries of two folds, and the source
    assert (seen.text.count("0.5"), seen.whole.count("0.5")) == (4, 6)


class Seen(HTMLParser):
    """The text of a page's body as it is first seen: of a closed <details>, its summary alone; and with all of them open."""

    def __init__(self, page):
        super().__init__()
        self.inside, self.text, self.whole = [], "", ""
        self.feed(re.search(r"<main>.*</main>", page, flags=re.S)[0])

    def handle_starttag(self, tag, attrs):
        if tag in ("details", "summary"):
            self.inside.append("open" if "open" in dict(attrs) else tag)

    def handle_endtag(self, tag):
        if tag in ("details", "summary"):
            self.inside.pop()

    def handle_data(self, data):
        self.whole += data
        if "details" not in self.inside or self.inside[-1] == "summary":
            self.text += data


@pytest.mark.parametrize(("before", "kind", "after"), MARKED)
def test_on_pages_what_is_folded_is_one_click_away(build, before, kind, after):
    said = nbformat.v4.new_output("stream", text="what_was_said\n")
    cell = nbformat.v4.new_code_cell("the_source", metadata=before, outputs=[said])
    seen = Seen(build.page(nbformat.v4.new_notebook(cells=[cell]), "title"))
    hidden = before.get("jupyter", {}).get("outputs_hidden", False)
    folded = [kind] if kind in ("proof", "setup") else []
    expected = [*(folded or ["the_source"]), "answer" if hidden else "what_was_said"]
    assert seen.text.split() == expected
    assert seen.whole.count("the_source") == seen.whole.count("what_was_said") == 1
    assert cell.metadata == before  # the notebook itself is as it was


def test_checks_and_open_exercises_are_counted(build):
    """An exercise is open as long as it is untouched, or its check has not full marks."""
    said = "✓ a\n○ exercise 08.1: not attempted yet\n◐ exercise 08.2: one is missed\n✓ exercise 08.3: right\n○ first a check\n★ main"
    cell = nbformat.v4.new_code_cell("", outputs=[nbformat.v4.new_output("stream", name="stdout", text=said)])
    outcome = build.judged(nbformat.v4.new_notebook(cells=[cell]), 1.0, "")
    assert (outcome.checks, outcome.open_exercises, outcome.headline) == (2, 2, "main")
    proof = {
        "text/plain": "✓ VQ-5 · 2 checks hold · 1 slip refused\n  ✓ a: holds\n  ✓ b: holds\n  ✓ the slip fails (c): d",
        "text/html": "<details>",
    }
    told = {"text/plain": "✓ is no proof's word here", "text/markdown": "✓ is no proof's word here"}
    for data in (proof, told):
        cell.outputs.append(nbformat.v4.new_output("display_data", data=data))
    assert (
        build.judged(nbformat.v4.new_notebook(cells=[cell]), 1.0, "").checks == 5
    )  # those in the list, and not its first line
