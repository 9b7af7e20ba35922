"""What is said while something runs: lines that any terminal can show, and progress bars that leave nothing behind."""

import html
import io
import sys

from tqdm import tqdm

from vaelib.outside import given


def say(text: str, file=None, flush: bool = False) -> None:
    """``print(text)``; characters that the terminal's encoding lacks (✓ in cp1252, for one) become question marks.

    Args:
        file: a text stream; default: standard output.

    Raises:
        ValueError: no text, a file that cannot be written to, or a flush that is neither True nor False.
    """
    given.text("text", text)
    given.flag("flush", flush)
    file = sys.stdout if file is None else file
    if file is not None and not hasattr(file, "write"):  # a program without a console has no standard output
        raise given.refuse("file", file, "an open text stream, or None for standard output")
    try:
        print(text, file=file, flush=flush)
    except UnicodeEncodeError:
        encoding = getattr(file, "encoding", None) or "ascii"
        print(text.encode(encoding, "replace").decode(encoding), file=file, flush=flush)


_FORMS = {"html": "text/html", "markdown": "text/markdown", "svg": "image/svg+xml"}


def show(text: str, **forms: str) -> None:
    """In a notebook, one display that is richer than its text; elsewhere, and in a reader that shows no such form, the text.

    Args:
        text: what any terminal can show; it is stored with the notebook, too.
        forms: ``html``, ``markdown`` or ``svg``, one or several; a page shows the richest that it can.

    Raises:
        ValueError: no text, or another form.
    """
    given.words("text", text)
    for form, content in forms.items():
        given.one_of("form", form, _FORMS)
        given.words(form, content)
    if not in_notebook():
        say(text)
        return
    from IPython.display import display

    display({_FORMS[form]: content for form, content in forms.items()} | {"text/plain": text}, raw=True)


def in_notebook() -> bool:
    """Whether this process is a Jupyter kernel, whose displays reach a page."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return getattr(shell, "kernel", None) is not None


def bar(total: int, *, done: int = 0, unit: str = "step", shown: bool = True) -> tqdm:
    """A progress bar, for a ``with`` block; ``.update(n)`` moves it. It appears after half a second and is gone when closed.

    On a terminal it is tqdm's own. In a notebook it is a line of HTML and no widget: a closed widget is stored with the notebook,
    and shows as an error when that is opened without its kernel.

    Args:
        total, done: how many units there are, at least 1, and how many of them are behind us.
        unit: the word for one of them.
        shown: False for none.

    Raises:
        ValueError: counts that are no such whole numbers, or no word.
    """
    total, done = given.whole("total", total, least=1), given.whole("done", done, least=0)
    given.text("unit", unit)
    given.flag("shown", shown)
    kind = _PageBar if in_notebook() else tqdm
    return kind(total=total, initial=done, unit=unit, disable=not shown, leave=False, delay=0.5)


class _PageBar(tqdm):
    """tqdm's counting and words, shown in one display of the page that is emptied at the end."""

    def __init__(self, **settings):
        self._place = None
        super().__init__(**settings, file=io.StringIO(), ascii=False, mininterval=0.25)

    def display(self, msg=None, pos=None):
        from IPython.display import display

        words = str(self) if msg is None else msg
        if not words and self._place is None:
            return
        look = f'<progress max="{self.total}" value="{self.n}" aria-label="progress"></progress> <code>{html.escape(words)}</code>'
        data = {"text/html": look if words else "", "text/plain": words}
        if self._place is None:
            self._place = display(data, raw=True, display_id=True)
        else:
            self._place.update(data, raw=True)
