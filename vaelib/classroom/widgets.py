"""Explorers: sliders that call a drawing function from plots. The notebook shows the same drawing once, as a figure, above."""

import contextlib
import html
import io
from collections.abc import Callable

import ipywidgets
import traitlets

from vaelib.classroom import plots
from vaelib.outside import given


class _Picture(ipywidgets.Image):
    """An Image whose ``tooltip`` is its name for those who do not see it: the page makes a title of it.

    ipywidgets 8 looks for a description when it does so, which Image lacks, and then shows an error in place of the picture.
    """

    description = traitlets.Unicode("").tag(sync=True)


def explorer(draw: Callable[..., object], **ranges: tuple[float, ...]) -> ipywidgets.VBox:
    """Sliders above the picture that ``draw`` makes of their values, and between them the sentence that says what is seen.

    The picture is an ``ipywidgets.Image``, replaced in place, and no Output widget: a client answers those on the socket on which
    it waits for the cell's reply, and can then wait for ever. When ``draw`` fails at a later move, its error is shown in place of
    the sentence.

    Args:
        draw: called with one float for each slider, under the slider's name. It draws one figure with ``vaelib.classroom.plots``; what it
            prints stands above the picture.
        ranges: slider name -> (lowest, highest, start), and as a fourth number the step if it is not a sixtieth of the range.

    Returns:
        the box to display: the sliders (``box.children[0].children``, in order), the picture's words, the picture.

    Raises:
        ValueError: a range that is none, a start outside its range; or ``draw`` makes no figure, or several.
        Exception: whatever ``draw`` raises at the start.
    """
    given.function("draw", draw, "a function of the sliders' values that draws one figure with vaelib.classroom.plots")
    sliders = {name: _slider(name, span) for name, span in ranges.items()}
    picture = _Picture(format="png", layout=ipywidgets.Layout(max_width="100%", height="auto"))
    caption = ipywidgets.HTML(layout=ipywidgets.Layout(min_height="3em"))  # so that a longer one moves nothing

    def draw_now() -> None:
        with plots.kept() as pictures, contextlib.redirect_stdout(io.StringIO()) as printed:
            draw(**{name: slider.value for name, slider in sliders.items()})
        if len(pictures) != 1:
            raise ValueError(f"draw made {len(pictures)} figures with vaelib.classroom.plots: an explorer shows one.")
        picture.value, picture.tooltip = pictures[0].png, pictures[0].said
        picture.layout.visibility = "visible"
        caption.value = _paragraphs(printed.getvalue() + pictures[0].said)

    def redraw(_change: object) -> None:
        try:
            draw_now()
        except Exception as error:  # nobody sees what a callback raises
            picture.layout.visibility = "hidden"  # it keeps its place, but shows other values than the sliders
            said = " ".join(str(error).split())
            caption.value = _paragraphs(f"✗ Nothing is drawn for these values: {type(error).__name__}: {said}")

    draw_now()
    for slider in sliders.values():
        slider.observe(redraw, "value")
    row = ipywidgets.HBox(list(sliders.values()), layout=ipywidgets.Layout(flex_flow="row wrap"))
    return ipywidgets.VBox([row, caption, picture])


def _slider(name: str, span: tuple[float, ...]) -> ipywidgets.FloatSlider:
    try:
        low, high, start, *steps = (given.number(name, each) for each in span)
        (step,) = steps or [(high - low) / 60]
        good = low <= start <= high and 0 < step <= high - low
    except (TypeError, ValueError):
        good = False
    if not good:
        use = "(lowest, highest, start) and perhaps a step, finite numbers: the start and a step lie in the range"
        raise given.refuse(f"the range of slider {name!r}", span, use)
    whole = bool(steps) and all(number.is_integer() for number in (low, start, step))
    return ipywidgets.FloatSlider(
        value=start,
        min=low,
        max=high,
        step=step,
        description=name,
        continuous_update=False,
        readout_format=".0f" if whole else ".2f",
        style=ipywidgets.SliderStyle(description_width="initial"),
        layout=ipywidgets.Layout(width="20em"),
    )


def _paragraphs(text: str) -> str:
    return f"<div aria-live='polite' style='line-height: 1.4'>{html.escape(text).replace(chr(10), '<br>')}</div>"
