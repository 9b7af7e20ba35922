"""Lines on terminals of every kind, and progress bars that leave nothing behind."""

import io
import os
import subprocess
import sys

import pytest

from vaelib.outside import console


@pytest.mark.parametrize("encoding", ["cp1252", "cp437", "ascii", "utf-8"])
def test_a_check_can_be_told_on_any_terminal(encoding):
    """A character that the terminal lacks costs that character, and nothing else."""
    code = "from vaelib.classroom.checks import check, headline; check('‖x‖ − 1', 0.0, 1.0); headline('a ± b')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        check=True,
        env=os.environ | {"PYTHONIOENCODING": encoding},
    )
    assert done.stderr == b""
    first, second = done.stdout.decode(encoding).splitlines()
    wanted = ("✓ ‖x‖ − 1: 0 ≤ 1", "★ a ± b")
    assert (first, second) == tuple(text.encode(encoding, "replace").decode(encoding) for text in wanted)


def long_ago(bar):
    """As if it had been running for a while."""
    bar.start_t -= 10
    bar.last_print_t -= 5


def test_a_bar_on_a_terminal_is_cleared(capsys):
    with console.bar(3) as bar:
        long_ago(bar)
        bar.update(2)
    err = capsys.readouterr().err
    assert "2/3" in err
    assert err.endswith("\r")
    with console.bar(3, shown=False) as bar:
        bar.update(3)
    assert capsys.readouterr().err == ""


class Place:
    """What a page keeps of a display: its last data."""

    shown: list = []  # noqa: RUF012

    def __init__(self, data):
        self.shown.append([data])

    def update(self, data, raw):
        assert raw
        self.shown[-1].append(data)


def test_a_bar_in_a_notebook_is_one_display_that_ends_empty(monkeypatch):
    def display(data, raw, display_id):
        assert raw
        assert display_id
        return Place(data)

    monkeypatch.setattr("IPython.display.display", display)
    monkeypatch.setattr(console, "in_notebook", lambda: True)
    Place.shown = []
    with console.bar(40, done=10, unit="image") as bar:
        long_ago(bar)
        bar.update(10)
    ((first, *_, last),) = Place.shown
    assert 'max="40" value="20"' in first["text/html"]
    assert "20/40" in first["text/plain"]
    assert last == {"text/html": "", "text/plain": ""}
    with pytest.raises(KeyboardInterrupt), console.bar(40) as bar:  # noqa: PT012
        long_ago(bar)
        bar.update(10)
        raise KeyboardInterrupt
    assert Place.shown[1][-1] == {"text/html": "", "text/plain": ""}
    with console.bar(40) as bar:  # over before anybody looked
        bar.update(40)
    assert len(Place.shown) == 2


def test_say_writes_to_the_file_that_is_given():
    file = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    console.say("a − b", file)
    file.flush()
    assert file.buffer.getvalue() == b"a ? b\n"


def test_say_and_bar_take_what_can_be_said():
    class Plain:  # a stream of one's own, that knows no encoding
        def __init__(self):
            self.got = ""

        def write(self, text):
            text.encode("ascii")
            self.got += text

    file = Plain()
    console.say("a − b", file)
    assert file.got.endswith("a ? b\n")
    for call, words in (
        (lambda: console.say(None), "text=None was given: use a text"),
        (lambda: console.say(3), "text=3"),
        (lambda: console.say("a", "out.txt"), "file='out.txt' was given: use an open text stream"),
        (lambda: console.bar(None), "total=None was given: use a whole number, at least 1"),
        (lambda: console.bar(0), "total=0"),
        (lambda: console.say("a", flush=None), "flush=None was given: use True or False"),
        (lambda: console.bar(-1), "total=-1"),
        (lambda: console.bar(2.5), "total=2.5"),
        (lambda: console.bar(3, done="1"), "done='1'"),
        (lambda: console.bar(3, unit=None), "unit=None was given: use a text"),
        (lambda: console.bar(3, shown="no"), "shown='no' was given: use True or False"),
    ):
        with pytest.raises(ValueError, match=words):
            call()


def test_without_a_standard_output_nothing_is_said(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)  # as under pythonw
    console.say("a − b")


def test_what_is_shown_is_its_text_where_there_is_no_page(capsys):
    console.show("a text", html="<b>a text</b>")
    assert capsys.readouterr().out == "a text\n"
    for text, forms in (("", {}), (None, {}), ("a", {"html": ""}), ("a", {"markdown": 5}), ("a", {"latex": "b"})):
        with pytest.raises(ValueError, match=r"text|html|markdown|form"):
            console.show(text, **forms)
