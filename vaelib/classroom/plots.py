"""Figures. Every function draws on its own figure, shows it in the notebook, says in one line what is seen, and returns the Axes.

They depend on no setting of the caller's: neither on matplotlib's backend nor on his styles. Outside a notebook nothing is shown;
``figure.savefig`` of the Axes' figure keeps it.

Tensors may lie on any device and have a graph. Images are float, drawn from 0 to 1, or uint8, drawn from 0 to 255; what is no image may
be of any real type. Images' floats may lie up to 0.5 beyond, as a decoder's mean may, and are drawn as 0 or 1 there. Whatever cannot be
drawn as it is given is a ValueError: integer images of another type, floats farther out (0 to 255, -1 to 1), uint8 of 0 and 1 alone,
NaN and infinity anywhere, and names that do not match.
"""

import base64
import contextlib
import functools
import io
import numbers
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import NamedTuple, ParamSpec

import matplotlib
import matplotlib.style
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image, ImageDraw, ImageFont

from vaelib.outside import given
from vaelib.outside.console import in_notebook, say
from vaelib.outside.files import written_whole

# Okabe & Ito's palette, which colour-blind readers can tell apart
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442", "#000000")
_GREY = dict(cmap="gray_r", vmin=0, vmax=1, interpolation="nearest")
_BEYOND = 0.5  # how far outside 0 to 1 an image may lie: decoders' means do by a quarter, images from -1 to 1 by 1


class Picture(NamedTuple):
    """A drawn figure: its PNG file, and the sentence that says what is seen."""

    png: bytes
    said: str


_kept: ContextVar[list[Picture] | None] = ContextVar("kept", default=None)
_Given = ParamSpec("_Given")


@contextlib.contextmanager
def kept() -> Iterator[list[Picture]]:
    """Keep the figures that are drawn inside in the list that this gives, in place of showing them."""
    pictures: list[Picture] = []
    token = _kept.set(pictures)
    try:
        yield pictures
    finally:
        _kept.reset(token)


def _drawing(draw: Callable[_Given, tuple[Axes, str]]) -> Callable[_Given, Axes]:
    """Turn a function that draws, and returns the Axes and a sentence, into one that shows the figure and returns the Axes."""

    @functools.wraps(draw)
    def drawn(*args: _Given.args, **kwargs: _Given.kwargs) -> Axes:
        with matplotlib.style.context("default"):  # a caller's usetex needs LaTeX, a dark style hides black lines
            ax, sentence = draw(*args, **kwargs)
            file = io.BytesIO()
            if any(each.get_aspect() != "auto" for each in ax.figure.axes):
                for _ in range(2):  # labels beside images of a fixed shape take more passes than the one of savefig
                    ax.figure.get_layout_engine().execute(ax.figure)
            ax.figure.savefig(file, format="png")
        picture = Picture(file.getvalue(), f"Figure: {sentence}")
        pictures = _kept.get()
        if pictures is not None:
            pictures.append(picture)
            return ax
        if in_notebook():
            from IPython.display import display

            data = {"image/png": base64.b64encode(picture.png).decode(), "text/plain": picture.said}
            display(data, raw=True, metadata={"image/png": {"alt": picture.said.removeprefix("Figure: ")}})
        say(picture.said)
        return ax

    drawn.__annotations__["return"] = Axes
    return drawn


def _axes(rows: int, columns: int, size: tuple[float, float], title: str = "", **settings) -> tuple[Figure, np.ndarray]:
    """A figure of ``size`` inches, outside pyplot's list of open ones, and its (rows, columns) Axes."""
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, **settings)
    if title:
        figure.suptitle(title, fontsize=12)
    return figure, axes


# ---- what is given


def _images(
    name: str, value: torch.Tensor, shape: Sequence[str] = ("N", "C", "H", "W"), most: int | None = None
) -> torch.Tensor:
    """The first images, as floats in [0, 1] on the CPU."""
    cure = "Integers from 0 to 255 become images by x.to(torch.uint8), levels by x / (levels - 1)."
    images = given.here(name, given.tensor(name, value, shape, "image", least=1, cure=cure)[:most])
    if images.shape[-3] not in (1, 3):
        raise ValueError(f"{name} has {images.shape[-3]} channels: use 1 for grey, or 3 for red, green and blue.")
    if images.dtype == torch.uint8:
        if images.max() == 1:
            raise ValueError(f"{name} is uint8, and has no value but 0 and 1 of 255: use floats of these, x.float().")
        return images / 255
    images = given.finite(name, images.float())
    use = f"floats from 0 to 1, at most {_BEYOND} beyond; x / 255 makes them of 0 to 255, (x + 1) / 2 of -1 to 1"
    return given.within(name, images, -_BEYOND, 1 + _BEYOND, use).clamp(0, 1)


def _values(name: str, value: torch.Tensor, shape: Sequence[int | str], least: int = 1) -> torch.Tensor:
    """Finite numbers, as float64 on the CPU."""
    return given.finite(name, given.here(name, given.tensor(name, value, shape, "real", least=least)).double())


def _row(name: str, value: Sequence[float] | torch.Tensor | np.ndarray) -> list[float]:
    """Finite numbers in a row, at least one."""
    if isinstance(value, torch.Tensor):
        return _values(name, value, ("N",)).tolist()
    if isinstance(value, (str, bytes)) or not isinstance(value, (Sequence, np.ndarray)) or not len(value):
        raise given.refuse(name, value, "numbers in a row, at least one")
    return [given.number(f"{name}[{k}]", each) for k, each in enumerate(value)]


def _pair(name: str, value: Sequence, use: str) -> Sequence:
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise given.refuse(name, value, use)
    return value


def _line(name: str, value: tuple[Sequence[float], Sequence[float]], log: str = "") -> tuple[list[float], list[float]]:
    """The x and y values of a line, above 0 on a logarithmic axis."""
    both = [
        _row(f"the {axis} values of {name}", each)
        for axis, each in zip("xy", _pair(name, value, "(x, y)"), strict=True)
    ]
    if len(both[0]) != len(both[1]):
        raise ValueError(f"{name} has {len(both[0])} x values and {len(both[1])} y values: use as many of both.")
    for axis, row in zip("xy", both, strict=True):
        if axis in log and min(row) <= 0:
            raise ValueError(f"{name} has the {axis} value {min(row):g}: on a logarithmic axis use values above 0.")
    return both[0], both[1]


def _named(name: str, value: Mapping, names: Iterable[str], use: str, every: bool = True) -> dict:
    """A mapping with an entry for each of ``names``, or for some of them."""
    value = given.mapping(name, value, use)
    if set(value) - set(names) or (every and set(names) - set(value)):
        raise ValueError(f"{name} has entries for {', '.join(value)}: use {', '.join(names)}.")
    return value


# ---- images


def _picture(image: torch.Tensor) -> np.ndarray:
    """(C, H, W) to what imshow takes."""
    return image.permute(1, 2, 0).squeeze(-1).numpy()


def _tile(images: torch.Tensor, columns: int) -> torch.Tensor:
    """(N, C, H, W) to one picture, row by row, with a white pixel between images; the last row is filled up with white ones."""
    n, c, h, w = images.shape
    rows = -(-n // columns)
    white = 0.0 if c == 1 else 1.0  # one channel is drawn as ink
    blank = images.new_full((rows * columns - n, c, h, w), white)
    framed = torch.nn.functional.pad(torch.cat([images, blank]), (0, 1, 0, 1), value=white)
    grid = framed.reshape(rows, columns, c, h + 1, w + 1).permute(2, 0, 3, 1, 4)
    return grid.reshape(c, rows * (h + 1), columns * (w + 1))[:, :-1, :-1]


def _show(ax: Axes, picture: torch.Tensor) -> None:
    ax.imshow(_picture(picture), **_GREY)
    ax.set(xticks=[], yticks=[])


@_drawing
def image_rows(rows: Mapping[str, torch.Tensor], title: str = "", columns: int = 12) -> tuple[Axes, str]:
    """One labelled row of images for each entry.

    Args:
        rows: label -> images (N, C, H, W), float in [0, 1] or uint8; the first ``columns`` are shown. Rows may differ in N, C, H
            and W: the place for a row is that of the first.
        columns: from 1 to 100.
    """
    given.mapping("rows", rows, "label -> images (N, C, H, W)")
    given.text("title", title)
    columns = given.whole("columns", columns, least=1, most=100)
    rows = {label: _images(f"rows[{label!r}]", images, most=columns) for label, images in rows.items()}
    height, width = next(iter(rows.values())).shape[-2:]
    size = (10, (8.6 / columns * height / width + 0.08) * len(rows) + (0.4 if title else 0.1))
    figure, axes = _axes(len(rows), 1, size, title)
    figure.get_layout_engine().set(h_pad=0.02, hspace=0)
    for ax, (label, images) in zip(axes[:, 0], rows.items(), strict=True):
        _show(ax, _tile(images, columns))
        ax.set_ylabel(label, rotation=0, ha="right", va="center", fontsize=11)
    counts = {len(images) for images in rows.values()}
    if len(counts) == 1:
        return axes[0, 0], f"{counts.pop()} images to a row; rows: {'; '.join(rows)}."
    return axes[0, 0], f"rows of images: {'; '.join(f'{label}, {len(images)}' for label, images in rows.items())}."


def filmstrip(snapshots: Mapping[int, torch.Tensor], title: str = "", columns: int = 8) -> Axes:
    """Images over training: one row for each step.

    Args:
        snapshots: step -> images (N, C, H, W), as ``train.fit`` returns them.
    """
    given.mapping("snapshots", snapshots, "step -> images (N, C, H, W)", numbers.Integral)
    return image_rows({f"step {step}": images for step, images in sorted(snapshots.items())}, title, columns)


def animation(
    path: str | Path,
    frames: Sequence[torch.Tensor],
    columns: int = 8,
    milliseconds: int = 400,
    zoom: int = 2,
    plays: int | None = None,
    titles: Sequence[str] | None = None,
    rows: Sequence[str] | None = None,
) -> bytes:
    """Save images over time as an animated GIF, and return its bytes, also where they cannot be saved.

    Args:
        path: of the file; its folder is made. An existing file is replaced once the new one is complete. In a folder that may not
            be written to, or on a full disk, there is no file, and the printed line says why.
        frames: at least one, each images (N, C, H, W), as for ``image_rows``, all of one shape; ``columns`` of them to a row.
        milliseconds: for each frame; the last stays four times as long.
        zoom: screen pixels for a pixel.
        plays: how often it is played, at least 1; None: for ever.
        titles: a word for each frame, written above it.
        rows: a word for each row of images, written beside it.

    Raises:
        ValueError: no path, no frame, frames that differ in shape, words that are not one for each frame or row, or a number of
            columns, plays, duration or zoom below 1.
    """
    path = given.path("path", path)
    if isinstance(frames, str) or not isinstance(frames, Sequence) or not frames:
        raise given.refuse("frames", frames, "a list of images (N, C, H, W), at least one")
    columns, milliseconds, zoom = (
        given.whole(name, value, least=1)
        for name, value in (("columns", columns), ("milliseconds", milliseconds), ("zoom", zoom))
    )
    frames = [_images(f"frames[{k}]", images) for k, images in enumerate(frames)]
    if len(shapes := {tuple(images.shape) for images in frames}) > 1:
        raise ValueError(f"frames have shapes {', '.join(map(str, sorted(shapes)))}: use one shape for all.")
    plays = None if plays is None else given.whole("plays", plays, least=1)
    for name, words, count in (("titles", titles, len(frames)), ("rows", rows, -(-len(frames[0]) // columns))):
        several = isinstance(words, (tuple, list)) and len(words) == count
        if words is not None and not (several and all(isinstance(word, str) for word in words)):
            raise given.refuse(name, words, f"a list of {count} words, or None")
    pictures = []
    for k, images in enumerate(frames):
        picture = _picture(_tile(images, columns))
        ink = 1 - picture if picture.ndim == 2 else picture
        pixels = np.kron(np.round(255 * ink).astype(np.uint8), np.ones((zoom, zoom) + (1,) * (ink.ndim - 2), np.uint8))
        lettered = _lettered(Image.fromarray(pixels), titles[k] if titles else "", rows or ())
        pictures.append(lettered.quantize(32 if ink.ndim == 2 else 128))
    times = [milliseconds] * (len(pictures) - 1) + [4 * milliseconds]
    film = io.BytesIO()
    # a GIF counts the repeats: none is written for one play, and 0 means for ever
    repeats = {} if plays == 1 else {"loop": 0 if plays is None else plays - 1}
    pictures[0].save(film, "GIF", save_all=True, append_images=pictures[1:], duration=times, **repeats)
    try:
        with written_whole(path) as file:
            file.write(film.getvalue())
        kept_as = f"saved as {path.name}"
    except OSError as error:
        kept_as = f"not saved as {path.name} ({error.strerror})"
    say(f"Animation: {len(pictures)} frames, {kept_as}.")
    return film.getvalue()


def _lettered(picture: Image.Image, title: str, rows: Sequence[str]) -> Image.Image:
    """The picture with words in black on white above it, and at the left of each of its rows."""
    if not title and not rows:
        return picture
    font = ImageFont.load_default(16)
    left = max((round(font.getlength(word)) + 12 for word in rows), default=0)
    top = 26 if title else 0
    page = Image.new("RGB", (left + picture.width, top + picture.height), "white")
    page.paste(picture, (left, top))
    pen = ImageDraw.Draw(page)
    pen.text((left + picture.width / 2, top / 2), title, "black", font, anchor="mm")
    for k, word in enumerate(rows):
        pen.text((left - 6, top + picture.height * (k + 0.5) / len(rows)), word, "black", font, anchor="rm")
    return page


@_drawing
def scatter(
    panels: Mapping[str, Mapping[str, torch.Tensor]],
    title: str = "",
    labels: Mapping[str, torch.Tensor] | None = None,
    same_axes: bool = False,
) -> tuple[Axes, str]:
    """Groups of points in a plane, a panel for each entry.

    Args:
        panels: panel title -> group name -> points (N, 2); later groups lie on top.
        labels: panel title -> integers (N,) 0 to 9: each point of the panel's first group is drawn as its digit, and coloured by it.
        same_axes: all panels show the same part of the plane, so that their widths can be compared.
    """
    given.mapping("panels", panels, "panel title -> group name -> points (N, 2)")
    given.text("title", title)
    given.flag("same_axes", same_axes)
    if labels is not None:
        _named("labels", labels, panels, "panel title -> integers (N,)")
    figure, axes = _axes(1, len(panels), (5.4 * len(panels), 5), title)
    said = []
    for ax, (panel, groups) in zip(axes[0], panels.items(), strict=True):
        groups = given.mapping(f"panels[{panel!r}]", groups, "group name -> points (N, 2)")
        for k, (name, tensor) in enumerate(groups.items()):
            points = _values(f"panels[{panel!r}][{name!r}]", tensor, ("N", 2)).numpy()
            if k == 0 and labels is not None:
                digits = f"labels[{panel!r}]"
                digit = given.here(digits, given.tensor(digits, labels[panel], (len(points),), "integer"))
                _numbered(ax, points, given.within(digits, digit, 0, 9, "digits from 0 to 9").numpy(), name)
            else:
                colour = COLOURS[7] if labels is not None else COLOURS[k % len(COLOURS)]
                ax.scatter(*points.T, s=10, color=colour, marker="x+os"[k % 4], alpha=0.6, linewidths=0.7, label=name)
            spread = points.std(0)
            said.append(f"{panel}, {name}: standard deviations {spread[0]:.2f} and {spread[1]:.2f}")
        ax.set_xlabel("z₁")
        ax.set_ylabel("z₂")
        ax.set_title(panel, fontsize=12)
        ax.set_aspect("equal", adjustable="box" if same_axes else "datalim")
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=2, frameon=False, fontsize=10)
    if same_axes:
        wide, high = ([limit for ax in axes[0] for limit in limits(ax)] for limits in (Axes.get_xlim, Axes.get_ylim))
        for ax in axes[0]:
            ax.set(xlim=(min(wide), max(wide)), ylim=(min(high), max(high)))
    if labels is not None:
        key = ScalarMappable(Normalize(-0.5, 9.5), "tab10")
        figure.colorbar(key, ax=axes[0, -1], ticks=range(10), label="digit")
    return axes[0, 0], f"{'; '.join(said)}."


def _numbered(ax: Axes, points: np.ndarray, digit: np.ndarray, name: str) -> None:
    """Each point is its digit, coloured by it as well, and where there is room the digit stands at its points' median."""
    for value in np.unique(digit):
        look = dict(c=np.full((digit == value).sum(), value), cmap="tab10", vmin=-0.5, vmax=9.5)
        ax.scatter(*points[digit == value].T, s=22, marker=f"${value}$", alpha=0.7, linewidths=0, **look)
    ax.scatter([], [], s=30, color="#888888", marker="$0$", label=f"{name}, each by its digit")
    written: list[np.ndarray] = []
    for value in np.unique(digit):
        place = np.median(points[digit == value], 0)
        if all(np.linalg.norm(place - other) > 0.06 * np.ptp(points, 0).max() for other in written):
            box = dict(fc="white", ec="none", alpha=0.75, pad=1)
            ax.text(*place, str(value), fontsize=13, weight="bold", ha="center", va="center", bbox=box)
            written.append(place)


@_drawing
def curves(
    lines: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    xlabel: str,
    ylabel: str,
    title: str = "",
    log: str = "",
    points: Mapping[str, tuple[Sequence[float], Sequence[float]]] | None = None,
    labels: Mapping[str, Sequence[str]] | None = None,
    ylim: tuple[float, float] | None = None,
) -> tuple[Axes, str]:
    """Lines in one panel.

    Args:
        lines: name -> (x values, y values), equally long, each a row of finite numbers. What is not finite is to be left out by the
            caller, for a gap at the end of a line cannot be seen.
        points: name of a line -> measured points, drawn over it as large open circles.
        labels: name of a line -> a word for each of its points, written beside it.
        xlabel, ylabel: with units.
        log: ``"x"``, ``"y"``, ``"xy"`` or ``""``: the logarithmic axes; their values are above 0.
        ylim: the lowest and the highest y that are drawn, the same for whatever an explorer shows; lines may go beyond, and are cut
            off there. None: as the lines need it.
    """
    for name, value in (("xlabel", xlabel), ("ylabel", ylabel), ("title", title)):
        given.text(name, value)
    given.one_of("log", log, ("", "x", "y", "xy"))
    if ylim is not None:
        use = "(lowest, highest), two finite numbers, the first below the second, and above 0 on a logarithmic axis"
        low, high = (given.number("each number of ylim", each) for each in _pair("ylim", ylim, use))
        if not low < high or ("y" in log and low <= 0):
            raise given.refuse("ylim", ylim, use)
    use = "name -> (x values, y values)"
    lines = {name: _line(repr(name), xy, log) for name, xy in given.mapping("lines", lines, use).items()}
    points = {} if points is None else _named("points", points, lines, use, every=False)
    points = {name: _line(f"points[{name!r}]", xy, log) for name, xy in points.items()}
    labels = {} if labels is None else _named("labels", labels, lines, "name -> words", every=False)
    for name, words in labels.items():
        count = len(lines[name][0])
        if (
            not isinstance(words, (tuple, list))
            or len(words) != count
            or not all(isinstance(word, str) for word in words)
        ):
            raise given.refuse(f"labels[{name!r}]", words, f"a list of {count} words")
    ax = _axes(1, 1, (6.8 if len(lines) <= 3 else 10, 4))[1][0, 0]
    for k, (name, (x, y)) in enumerate(lines.items()):
        ax.plot(
            x,
            y,
            color=COLOURS[k % len(COLOURS)],
            linestyle=("-", "--", "-.", ":")[k % 4],
            marker="os^D"[k % 4] if len(set(y)) > 1 or len(y) == 1 else None,  # a level is not a row of measurements
            markersize=4,
            markevery=max(1, len(x) // 10),
            label=name,
        )
        if name in points:
            ax.plot(*points[name], "o", color=COLOURS[k % len(COLOURS)], markerfacecolor="none", markersize=9)
        for word, place in zip(labels.get(name, ()), zip(x, y, strict=True), strict=False):
            ax.annotate(word, place, xytext=(6, 6), textcoords="offset points", fontsize=10)
    if labels:
        ax.margins(x=0.18, y=0.1)  # so that the frame strikes none of the words
    ax.set(xlabel=xlabel, ylabel=ylabel)
    if "x" in log:
        ax.set_xscale("log")
        places = sorted({value for x, _ in lines.values() for value in x})
        if len(places) <= 12:
            ax.set_xticks(places, [f"{value:g}" for value in places])
            ax.minorticks_off()
    if "y" in log:
        ax.set_yscale("log")
    if ylim is not None:
        ax.set_ylim(low, high)
    if title:
        ax.set_title(title, fontsize=12)
    if len(lines) > 3:
        ax.legend(fontsize=10, loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False)
    else:
        ax.legend(fontsize=10)
    return (
        ax,
        f"{ylabel} against {xlabel}; last values: {', '.join(f'{name} {y[-1]:.4g}' for name, (_, y) in lines.items())}.",
    )


@_drawing
def manifolds(pictures: Mapping[str, torch.Tensor], columns: int, title: str = "", axis: str = "") -> tuple[Axes, str]:
    """Decoded planes side by side: (columns * columns, C, H, W) images each, row by row from the top left.

    Args:
        axis: what the two axes of the plane are, in words.
    """
    given.mapping("pictures", pictures, "name -> images (columns * columns, C, H, W)")
    given.text("title", title)
    given.text("axis", axis)
    columns = given.whole("columns", columns, least=1)
    pictures = {name: _images(f"pictures[{name!r}]", images) for name, images in pictures.items()}
    for name, images in pictures.items():
        if len(images) != columns**2:
            raise ValueError(
                f"pictures[{name!r}] has {len(images)} images: use {columns**2}, {columns} rows of {columns}."
            )
    _, axes = _axes(1, len(pictures), (5.3 * len(pictures), 5.4), title)
    for ax, (name, images) in zip(axes[0], pictures.items(), strict=True):
        _show(ax, _tile(images, columns))
        ax.set_title(name, fontsize=12)
        if axis:
            ax.set_xlabel(f"z₁, {axis}", fontsize=11)
            ax.set_ylabel(f"z₂, {axis}", fontsize=11)
    return axes[0, 0], f"{columns}x{columns} decoded images for each of {', '.join(pictures)}."


@_drawing
def latent_points(
    codes: Mapping[str, torch.Tensor], points: Mapping[str, torch.Tensor], images: Mapping[str, torch.Tensor]
) -> tuple[Axes, str]:
    """For each model: its encoded data with one marked point, and beside it what the decoder makes of that point.

    Args:
        codes: model name -> (N, 2).  points: model name -> (2,).  images: model name -> (C, H, W).
    """
    given.mapping("codes", codes, "model name -> (N, 2)")
    _named("points", points, codes, "model name -> (2,)")
    _named("images", images, codes, "model name -> (C, H, W)")
    _, axes = _axes(1, 2 * len(codes), (5.4 * len(codes), 2.9))
    said = []
    for k, name in enumerate(codes):
        plane, picture = axes[0, 2 * k : 2 * k + 2]
        point = _values(f"points[{name!r}]", points[name], (2,)).numpy()
        plane.scatter(*_values(f"codes[{name!r}]", codes[name], ("N", 2)).numpy().T, s=2, color="#999999", linewidths=0)
        plane.plot(*point, marker="X", color=COLOURS[3], markersize=12, markeredgecolor="black")
        plane.set(xlabel="z₁", ylabel="z₂", title=f"{name}: codes")
        _show(picture, _images(f"images[{name!r}]", images[name], ("C", "H", "W")))
        picture.set_title(f"{name}: decoded")
        said.append(f"{name} at ({point[0]:.2f}, {point[1]:.2f})")
    return axes[0, 0], f"{'; '.join(said)}, among the encoded test images, and the decoded images."


@_drawing
def bound(
    z: torch.Tensor,
    densities: Mapping[str, torch.Tensor],
    spans: Mapping[str, tuple[float, float]],
    lowest: float = -8.0,
) -> tuple[Axes, str]:
    """Densities over z, and beside them a bar for each term of a bound, from where it starts to where it ends, in nats.

    Args:
        z: (N,).
        densities: name -> values (N,) over z, at least 0.
        spans: term -> (start, end); the first is drawn on top.
        lowest: where the axis of the bars ends, below 0; it begins at -lowest / 5. Always, so that pictures can be compared; bars
            that go on get an arrow.
    """
    z = _values("z", z, ("N",)).numpy()
    given.mapping("densities", densities, "name -> values (N,)")
    given.mapping("spans", spans, "term -> (start, end)")
    lowest = given.number("lowest", lowest, below=0)
    highest = -lowest / 5
    plane, ladder = _axes(1, 2, (10.5, 3.6), width_ratios=(1, 1.15))[1][0]
    for k, (name, values) in enumerate(densities.items()):
        values = _values(f"densities[{name!r}]", values, (len(z),))
        given.within(f"densities[{name!r}]", values, 0, np.inf, "densities, at least 0")
        plane.plot(
            z,
            values.numpy(),
            color=COLOURS[k % len(COLOURS)],
            linestyle=(":", "-", "--", "-.")[k % 4],
            linewidth=2,
            label=name,
        )
    plane.set(xlabel="z", ylabel="density", ylim=(0, None))
    plane.legend(fontsize=10)
    spans = {
        name: tuple(_row(f"spans[{name!r}]", _pair(f"spans[{name!r}]", pair, "(start, end)")))
        for name, pair in spans.items()
    }
    for k, (start, end) in enumerate(spans.values()):
        colour = COLOURS[(k + 3) % len(COLOURS)]
        ladder.barh(k, end - start, left=start, height=0.6, color=colour, edgecolor="black", linewidth=0.6)
        arrow = "◀ " if min(start, end) < lowest else ""
        beyond = max(start, end) > highest
        words = f" {arrow}{end - start:+.2f}{' ▶ ' if beyond else ''}"
        place = highest if beyond else max(start, end, lowest)
        ladder.text(place, k, words, va="center", ha="right" if beyond else "left", fontsize=10)
    ladder.set_yticks(range(len(spans)), list(spans), fontsize=11)
    ladder.invert_yaxis()
    ladder.set_xlim(lowest, highest)
    ladder.set_xlabel("nats")
    ladder.grid(axis="x", alpha=0.3)
    return plane, f"bars in nats: {', '.join(f'{name} {end - start:+.3f}' for name, (start, end) in spans.items())}."


@_drawing
def ranges(rows: Mapping[str, tuple[float, Sequence[float]]], xlabel: str, title: str = "") -> tuple[Axes, str]:
    """A number in each row: that of this run as a dot, those of other runs as a line from the least to the largest.

    Args:
        rows: label -> (here, others), all finite; ``others`` may be empty, and then there is no line. The first is drawn on top.
        xlabel: with the unit.
    """
    for name, value in (("xlabel", xlabel), ("title", title)):
        given.text(name, value)
    values = {}
    for label, pair in given.mapping("rows", rows, "label -> (here, others)").items():
        name = f"rows[{label!r}]"
        here, others = _pair(name, pair, "(here, others)")
        empty = isinstance(others, (tuple, list)) and not others
        values[label] = given.number(f"{name}[0]", here), [] if empty else _row(f"{name}[1]", others)
    ax = _axes(1, 1, (9, 0.3 * len(values) + 1.2))[1][0, 0]
    for k, (here, others) in enumerate(values.values()):
        if others:
            ax.plot([min(others), max(others)], [k, k], color=COLOURS[1], linewidth=5, solid_capstyle="butt")
        ax.plot(here, k, "o", color=COLOURS[0], markersize=7)
    ax.set_yticks(range(len(values)), list(values), fontsize=11)
    ax.invert_yaxis()
    ax.grid(axis="x", alpha=0.3)
    ax.set_xlabel(xlabel)
    if title:
        ax.set_title(title, fontsize=12)
    said = (
        f"{label} {here:.3g}{f' (others {min(others):.3g} to {max(others):.3g})' if others else ''}"
        for label, (here, others) in values.items()
    )
    return ax, f"{xlabel}: {'; '.join(said)}."


@_drawing
def histograms(
    panels: Mapping[str, Mapping[str, torch.Tensor]], exact: float, xlabel: str, bins: int = 60, known: str = "exact"
) -> tuple[Axes, str]:
    """Draws of a few estimators, a panel for each entry, over one axis that leaves out the farthest 0.4 %; the exact value dashed.

    Args:
        panels: panel title -> name -> draws (N,).
        exact: the value that the draws estimate.
        bins: of each histogram.
        known: ``"exact"``, or ``"reference"`` where that value is an estimate itself.
    """
    given.mapping("panels", panels, "panel title -> name -> draws (N,)")
    given.text("xlabel", xlabel)
    given.one_of("known", known, ("exact", "reference"))
    exact, bins = given.number("exact", exact), given.whole("bins", bins, least=1)
    panels = {
        title: {
            name: _values(f"panels[{title!r}][{name!r}]", draws, ("N",), least=2)
            for name, draws in given.mapping(f"panels[{title!r}]", groups, "name -> draws (N,)").items()
        }
        for title, groups in panels.items()
    }
    _, axes = _axes(1, len(panels), (5.2 * len(panels), 3.4), sharex=True, sharey=True)
    ranges = {title: np.quantile(torch.cat([*groups.values()]), (0.002, 0.998)) for title, groups in panels.items()}
    left, right = min(exact, *(low for low, _ in ranges.values())), max(exact, *(high for _, high in ranges.values()))
    margin = min(0.1, (right - left) / 20) or 0.1
    axes[0, 0].set_xlim(left - margin, right + margin)
    said = []
    for ax, (title, groups) in zip(axes[0], panels.items(), strict=True):
        for k, (name, draws) in enumerate(groups.items()):
            label = f"{name}: standard deviation {draws.std():.3g}"
            # one shape, which is quick to draw
            look = dict(histtype="stepfilled", color=COLOURS[k % len(COLOURS)], alpha=0.55, label=label)
            ax.hist(draws.numpy(), bins, range=ranges[title], density=True, **look)
            said.append(f"{title}, {name}: mean {draws.mean():.3g}, standard deviation {draws.std():.3g}")
        ax.axvline(exact, color="black", linestyle="--", label=f"{known}: {exact:.3g}")
        ax.set(xlabel=xlabel, ylabel="density of the estimates", title=title)
        ax.legend(fontsize=9, loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=2, frameon=False)
    return axes[0, 0], f"{'; '.join(said)}; {known}: {exact:.3g}."


@_drawing
def cells(points: torch.Tensor, codebooks: Mapping[str, torch.Tensor], title: str = "") -> tuple[Axes, str]:
    """Points of a plane and the Voronoi cells of codebooks, a panel for each; words that no point has chosen are crosses.

    Args:
        points: (N, 2).
        codebooks: panel title -> (K, 2).
    """
    points = _values("points", points, ("N", 2))
    given.text("title", title)
    codebooks = {
        name: _values(f"codebooks[{name!r}]", codebook, ("K", 2))
        for name, codebook in given.mapping("codebooks", codebooks, "panel title -> (K, 2)").items()
    }
    _, axes = _axes(1, len(codebooks), (3.6 * len(codebooks), 3.6), title, sharex=True, sharey=True)
    both = torch.cat([points, *codebooks.values()])
    margin = min(0.4, float((both.amax(0) - both.amin(0)).max()) / 5) or 0.4
    (left, low), (right, high) = (both.amin(0) - margin).tolist(), (both.amax(0) + margin).tolist()
    across, up = (torch.linspace(*ends, 300, dtype=torch.float64) for ends in ((left, right), (low, high)))
    grid = torch.cartesian_prod(up, across).flip(1)
    said = []
    for ax, (name, codebook) in zip(axes[0], codebooks.items(), strict=True):
        owner = torch.cdist(grid, codebook).argmin(1).view(300, 300)
        border = torch.zeros(300, 300)
        border[1:] += owner.diff(dim=0) != 0
        border[:, 1:] += owner.diff(dim=1) != 0
        chosen = torch.zeros(len(codebook), dtype=torch.bool)
        chosen[torch.cdist(points, codebook).argmin(1)] = True
        ax.imshow(
            border.clamp(max=1).numpy(),
            extent=(left, right, low, high),
            origin="lower",
            cmap="gray_r",
            vmax=3,
            aspect="auto",
        )
        ax.scatter(
            *points[:: max(1, len(points) // 800)].T.numpy(), s=4, color=COLOURS[5], linewidths=0, label="points"
        )
        ax.scatter(
            *codebook[chosen].T.numpy(),
            s=34,
            color=COLOURS[3],
            edgecolor="black",
            linewidths=0.6,
            label="words",
            zorder=3,
        )
        ax.scatter(*codebook[~chosen].T.numpy(), s=34, color="black", marker="x", label="dead words", zorder=3)
        ax.set(xlabel="z₁", title=name)
        said.append(f"{name}: {int(chosen.sum())} of {len(codebook)} words chosen")
    axes[0, 0].set_ylabel("z₂")
    axes[0, -1].legend(fontsize=9, loc="upper left")
    return axes[0, 0], f"{'; '.join(said)}."


@_drawing
def maps(
    panels: Mapping[str, torch.Tensor], title: str = "", xlabel: str = "column", ylabel: str = "row", scale: str = ""
) -> tuple[Axes, str]:
    """Matrices as pictures side by side, 0 white and the largest value dark, each on a scale of its own.

    Args:
        panels: panel title -> (H, W), at least 0; an entry of -1 is marked with a cross.
        scale: what the values are, with their unit. Then each panel has its colour scale beside it, and the last of them these words.
    """
    given.mapping("panels", panels, "panel title -> (H, W)")
    for name, value in (("title", title), ("xlabel", xlabel), ("ylabel", ylabel), ("scale", scale)):
        given.text(name, value)
    _, axes = _axes(1, len(panels), (10, 10 / len(panels) + 0.5), title)
    said = []
    for ax, (name, values) in zip(axes[0], panels.items(), strict=True):
        values = _values(f"panels[{name!r}]", values, ("H", "W"))
        marked = values == -1
        given.within(
            f"panels[{name!r}]", values.where(~marked, 0.0), 0, np.inf, "numbers of at least 0, or -1 for a cross"
        )
        values = values.numpy()
        picture = ax.imshow(
            values.clip(min=0),
            cmap="Blues",
            vmin=0,
            vmax=max(1e-12, float(values.max()) * 1.15),
            interpolation="nearest",
        )
        i, j = marked.numpy().nonzero()
        ax.scatter(j, i, marker="x", color=COLOURS[3], s=900 / max(values.shape), linewidths=2)
        for axis, count in ((ax.xaxis, values.shape[1]), (ax.yaxis, values.shape[0])):
            # no row has the number 0.5, and a line would be missing there
            axis.set_major_locator(MaxNLocator(integer=True))
            axis.set_ticks(np.arange(-0.5, count), minor=True)
        if values.size < 400:
            ax.grid(which="minor", color="#cccccc", linewidth=0.5)
        ax.tick_params(which="both", length=0)
        ax.set(title=name, xlabel=xlabel)
        if scale and values.max() > 0:
            bar = ax.figure.colorbar(picture, ax=ax, fraction=0.05, pad=0.03)
            bar.ax.set_ylim(0, float(values.max()))  # not up to the blues that no value has
            bar.ax.tick_params(labelsize=9)
            if name == list(panels)[-1]:
                bar.set_label(scale)
        crosses = f", {len(i)} marked with a cross" if len(i) else ""
        said.append(f"{name}, {int((values > 0).sum())} of {values.size} entries above 0{crosses}")
    axes[0, 0].set_ylabel(ylabel)
    return axes[0, 0], f"{'; '.join(said)}."
