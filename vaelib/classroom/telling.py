"""What a run found, said by the run: sentences of its numbers, differences beside their noise, values beside other seeds'.

Prose in a notebook holds what is so in every run. What one run found, the cell that found it tells.
"""

import functools
import json
from importlib.resources import files
from typing import NamedTuple

from vaelib.outside import given
from vaelib.outside.console import show

_measured: dict[str, float] = {}  # what this process has told: make seeds collects it


def told(sentence: str, **values: object) -> None:
    """Say what was found: ``sentence``, Markdown, with ``values`` in its braces as ``str.format`` has them.

    A page shows it as a part of the text; a terminal, and a reader of the stored text, without the marks of bold.

    Raises:
        ValueError: no text, braces without a value, or a value of which the braces' format makes nothing.
    """
    given.words("sentence", sentence)
    try:
        text = sentence.format(**values)
    except (LookupError, ValueError, TypeError) as error:
        has = ", ".join(values) or "none"
        raise ValueError(f"told({sentence!r}) cannot be filled in ({error}); the values given: {has}.") from error
    show(text.replace("**", ""), markdown=text)


def compared(
    difference: float, noise: float, more: str = "ahead", less: str = "behind", level: str = "level", form: str = ".2f"
) -> str:
    """The words for a difference, which is called one only where it exceeds twice its noise; the noise is always shown.

    Args:
        difference: finite.
        noise: its standard error, in the same unit, above 0. What it samples (images, draws, seeds) the sentence around has to say.
        more, less, level: the words for a difference above 0, below 0, and for none.
        form: the format of both numbers.

    Returns:
        for example "ahead by 0.24 ± 0.05", or "level (0.02 ± 0.05)".

    Raises:
        ValueError: numbers out of range, no words, or no format of a number.
    """
    difference, noise = given.number("difference", difference), given.number("noise", noise, least=0)
    if noise == 0:
        raise given.refuse("noise", noise, "a standard error above 0: without one nothing can be compared")
    for name, word in (("more", more), ("less", less), ("level", level), ("form", form)):
        given.words(name, word)
    try:
        size, spread = format(abs(difference), form), format(noise, form)
        signed = format(difference, form)
    except ValueError as error:
        raise given.refuse("form", form, 'a format of a number, such as ".2f"') from error
    if abs(difference) <= 2 * noise:
        return f"{level} ({signed} ± {spread})"
    return f"{more if difference > 0 else less} by {size} ± {spread}"


class OverSeeds(NamedTuple):
    """A number of this run beside those of runs with other training seeds; a format, as in f"{value:.2f}", is that of all."""

    here: float
    others: tuple[float, ...]  # several of a seed, with other numbers of threads
    seeds: int = 0  # how many other seeds

    @property
    def low(self) -> float:
        """The lowest of all, this run's among them."""
        return min((self.here, *self.others))

    @property
    def high(self) -> float:
        """The highest of all, this run's among them."""
        return max((self.here, *self.others))

    def verdict(self, more: str, less: str, level: str) -> str:
        """The word for a difference: ``more`` if it is above 0 in every run, ``less`` if below, ``level`` if the runs do not agree.

        Without other runs, ``level``: one training run settles no order.
        """
        for name, word in (("more", more), ("less", less), ("level", level)):
            given.words(name, word)
        if self.others and self.low > 0:
            return more
        return less if self.others and self.high < 0 else level

    def __format__(self, form: str) -> str:
        form = form or ".3g"
        here = format(self.here, form)
        if not self.others:
            return f"{here} (nothing is kept of other seeds)"
        return f"{here} ({self.seeds} other seeds: {min(self.others):{form}} … {max(self.others):{form}})"

    def __str__(self) -> str:
        return format(self)


def over_seeds(name: str, here: float) -> OverSeeds:
    """``here``, a number that depends on how training went, beside the same number of other runs (``make seeds``).

    The kept runs differ in the initial weights and the order of the batches, and were made with one and with two threads, which
    round differently. They are of the lesson's budget on the built-in images: elsewhere the range is another one. Of n other seeds
    the range is no bound: if all seeds are alike, a new one lies outside with probability 2 / (n + 1), which is 1/3 for five.

    Args:
        name: the number's name, one for the whole course, such as "05: error of the VQ-VAE".
        here: finite.

    Raises:
        ValueError: no name, or no such number.
    """
    given.words("name", name, "the name of a number: over_seeds(name, here)")
    _measured[name] = here = given.number(f"in over_seeds({name!r}), here", here)
    runs = [run for run in kept_runs() if name in run["values"]]
    return OverSeeds(here, tuple(run["values"][name] for run in runs), len({run["seed"] for run in runs}))


def measured() -> dict[str, float]:
    """What ``over_seeds`` has been given in this process: name -> the number."""
    return dict(_measured)


@functools.cache
def kept_runs() -> list[dict]:
    """The kept runs of other seeds, each with its ``notebook``, ``seed``, ``threads``, ``machine``, ``values`` and ``failed`` claims."""
    return json.loads(files("vaelib.classroom").joinpath("seeds.json").read_text(encoding="utf-8"))
