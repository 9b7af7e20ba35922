"""Explorers: sliders that call a drawing function from plots. The notebook shows the same drawing once, as a figure, above."""

from collections.abc import Callable

import ipywidgets


def explorer(draw: Callable[..., object], **ranges: tuple[float, ...]) -> ipywidgets.VBox:
    """Sliders above the picture that ``draw`` makes of their values.

    Args:
        draw: called with one float for each slider, under the slider's name.
        ranges: slider name -> (lowest, highest, start), and as a fourth number the step if it is not a sixtieth of the range.

    Returns:
        the box to display; ``box.children[0].children`` are the sliders, in order.

    Raises:
        ValueError: a start outside its range.
    """
    sliders = {}
    for name, (low, high, start, *step) in ranges.items():
        if not low <= start <= high or low == high:
            raise ValueError(
                f"slider {name!r} has range {low} to {high} and start {start}: the start lies in the range."
            )
        sliders[name] = ipywidgets.FloatSlider(
            value=start,
            min=low,
            max=high,
            step=step[0] if step else (high - low) / 60,
            description=name,
            continuous_update=False,
            readout_format=".0f" if step == [1] else ".2f",
        )
    picture = ipywidgets.interactive_output(draw, sliders)
    return ipywidgets.VBox([ipywidgets.HBox(list(sliders.values())), picture])
