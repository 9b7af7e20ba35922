"""Figures. Every function draws on its own figure, shows it in the notebook, says in one line what is seen, and returns the Axes.

They depend on no setting of the caller's: neither on matplotlib's backend nor on his styles. Outside a notebook nothing is shown;
``figure.savefig`` of the Axes' figure keeps it.
"""

import base64
import contextlib
import functools
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from PIL import Image

from vaelib.console import in_notebook, say
from vaelib.files import written_whole

# Okabe & Ito's palette, which colour-blind readers can tell apart
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442", "#000000")
_GREY = dict(cmap="gray_r", vmin=0, vmax=1, interpolation="nearest")


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


def _picture(image: torch.Tensor) -> np.ndarray:
    """(C, H, W) float in [0, 1] or uint8 to what imshow takes."""
    image = image.detach().cpu()
    image = image.float() / 255 if image.dtype == torch.uint8 else image.float()
    if image.dim() != 3 or image.shape[0] not in (1, 3):
        raise ValueError(f"a picture has shape (1, H, W) or (3, H, W), and {tuple(image.shape)} was given.")
    return image.permute(1, 2, 0).clamp(0, 1).squeeze(-1).numpy()


def _tile(images: torch.Tensor, columns: int) -> torch.Tensor:
    """(N, C, H, W) to one picture, row by row, with a white pixel between images; the last row is filled up with white ones."""
    if images.dim() != 4 or len(images) < 1 or columns < 1:
        raise ValueError(
            f"a grid needs images (N, C, H, W) and at least one column: got {tuple(images.shape)}, {columns}."
        )
    n, c, h, w = images.shape
    rows = -(-n // columns)
    white = 0.0 if c == 1 else 255.0 if images.dtype == torch.uint8 else 1.0  # one channel is drawn as ink
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
        rows: label -> images (N, C, H, W), float in [0, 1] or uint8; the first ``columns`` are shown.
    """
    height, width = next(iter(rows.values())).shape[-2:]
    size = (10, (8.6 / columns * height / width + 0.08) * len(rows) + (0.4 if title else 0.1))
    figure, axes = _axes(len(rows), 1, size, title)
    figure.get_layout_engine().set(h_pad=0.02, hspace=0)
    for ax, (label, images) in zip(axes[:, 0], rows.items(), strict=True):
        _show(ax, _tile(images[:columns], columns))
        ax.set_ylabel(label, rotation=0, ha="right", va="center", fontsize=11)
    return axes[0, 0], f"{columns} images to a row; rows: {'; '.join(rows)}."


def filmstrip(snapshots: Mapping[int, torch.Tensor], title: str = "", columns: int = 8) -> Axes:
    """Images over training: one row for each step.

    Args:
        snapshots: step -> images (N, C, H, W), as ``train.fit`` returns them.
    """
    return image_rows({f"step {step}": images for step, images in sorted(snapshots.items())}, title, columns)


def animation(
    path: str | Path, frames: Sequence[torch.Tensor], columns: int = 8, milliseconds: int = 400, zoom: int = 2
) -> bytes:
    """Save images over time as an animated GIF that repeats, and return its bytes, also where they cannot be saved.

    Args:
        path: of the file; its folder is made. An existing file is replaced once the new one is complete. In a folder that may not
            be written to, or on a full disk, there is no file, and the printed line says why.
        frames: at least one, each images (N, C, H, W), as for ``image_rows``; ``columns`` of them to a row.
        milliseconds: for each frame; the last stays four times as long.
        zoom: screen pixels for a pixel.

    Raises:
        ValueError: no frame, or a duration or zoom below 1.
    """
    if not frames or milliseconds < 1 or zoom < 1:
        raise ValueError(f"{len(frames)} frames, {milliseconds} ms and zoom={zoom} were given: each is at least 1.")
    pictures = []
    for images in frames:
        picture = _picture(_tile(images, columns))
        ink = 1 - picture if picture.ndim == 2 else picture
        pixels = np.kron(np.round(255 * ink).astype(np.uint8), np.ones((zoom, zoom) + (1,) * (ink.ndim - 2), np.uint8))
        pictures.append(Image.fromarray(pixels).quantize(32 if ink.ndim == 2 else 128, dither=Image.Dither.NONE))
    times = [milliseconds] * (len(pictures) - 1) + [4 * milliseconds]
    film = io.BytesIO()
    pictures[0].save(film, "GIF", save_all=True, append_images=pictures[1:], duration=times, loop=0)
    try:
        with written_whole(Path(path)) as file:
            file.write(film.getvalue())
        kept_as = f"saved as {Path(path).name}"
    except OSError as error:
        kept_as = f"not saved as {Path(path).name} ({error.strerror})"
    say(f"Animation: {len(pictures)} frames, {kept_as}.")
    return film.getvalue()


@_drawing
def scatter(
    panels: Mapping[str, Mapping[str, torch.Tensor]], title: str = "", labels: Mapping[str, torch.Tensor] | None = None
) -> tuple[Axes, str]:
    """Groups of points in a plane, a panel for each entry.

    Args:
        panels: panel title -> group name -> points (N, 2); later groups lie on top.
        labels: panel title -> integers (N,) 0 to 9 that colour and number the points of the panel's first group.
    """
    figure, axes = _axes(1, len(panels), (5.4 * len(panels), 5), title)
    said = []
    for ax, (panel, groups) in zip(axes[0], panels.items(), strict=True):
        for k, (name, tensor) in enumerate(groups.items()):
            points = tensor.detach().cpu().numpy()
            if points.ndim != 2 or points.shape[1] != 2:
                raise ValueError(f"scatter draws points of shape (N, 2), and {name!r} has {points.shape}.")
            if k == 0 and labels is not None:
                _numbered(ax, points, labels[panel].cpu().numpy(), name)
            else:
                colour = COLOURS[7] if labels is not None else COLOURS[k]
                ax.scatter(*points.T, s=10, color=colour, marker="x+os"[k % 4], alpha=0.6, linewidths=0.7, label=name)
            spread = points.std(0)
            said.append(f"{panel}, {name}: standard deviations {spread[0]:.2f} and {spread[1]:.2f}")
        ax.set_xlabel("z₁")
        ax.set_ylabel("z₂")
        ax.set_title(panel, fontsize=12)
        ax.set_aspect("equal", adjustable="datalim")
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=2, frameon=False, fontsize=10)
    if labels is not None:
        key = ScalarMappable(Normalize(-0.5, 9.5), "tab10")
        figure.colorbar(key, ax=axes[0, -1], ticks=range(10), label="digit")
    return axes[0, 0], f"{'; '.join(said)}."


def _numbered(ax: Axes, points: np.ndarray, digit: np.ndarray, name: str) -> None:
    """Points coloured by digit, and where there is room the digit at its points' median, for those who see no colours."""
    ax.scatter(*points.T, s=6, c=digit, cmap="tab10", vmin=-0.5, vmax=9.5, alpha=0.6, linewidths=0)
    ax.scatter([], [], s=30, color="#888888", label=name)
    written: list[np.ndarray] = []
    for value in np.unique(digit):
        place = np.median(points[digit == value], 0)
        if all(np.linalg.norm(place - other) > 0.06 * np.ptp(points, 0).max() for other in written):
            box = dict(fc="white", ec="none", alpha=0.75, pad=1)
            ax.text(*place, str(value), fontsize=13, weight="bold", ha="center", va="center", bbox=box, zorder=5)
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
) -> tuple[Axes, str]:
    """Lines in one panel.

    Args:
        lines: name -> (x values, y values), equally long.
        points: name of a line -> measured points, drawn over it as large open circles.
        labels: name of a line -> a word for each of its points, written beside it.
        xlabel, ylabel: with units.
        log: ``"x"``, ``"y"``, ``"xy"`` or ``""``: the logarithmic axes.
    """
    ax = _axes(1, 1, (6.8 if len(lines) <= 3 else 10, 4))[1][0, 0]
    for k, (name, (x, y)) in enumerate(lines.items()):
        ax.plot(
            x,
            y,
            color=COLOURS[k % len(COLOURS)],
            linestyle=("-", "--", "-.", ":")[k % 4],
            marker="os^D"[k % 4] if len(set(y)) > 1 else None,  # a level is not a row of measurements
            markersize=4,
            markevery=max(1, len(x) // 10),
            label=name,
        )
        if points is not None and name in points:
            ax.plot(*points[name], "o", color=COLOURS[k % len(COLOURS)], markerfacecolor="none", markersize=9)
        for word, place in zip((labels or {}).get(name, ()), zip(x, y, strict=True), strict=False):
            ax.annotate(word, place, xytext=(6, 6), textcoords="offset points", fontsize=10)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    if "x" in log:
        ax.set_xscale("log")
        places = sorted({value for x, _ in lines.values() for value in x})
        if len(places) <= 12:
            ax.set_xticks(places, [f"{value:g}" for value in places])
            ax.minorticks_off()
    if "y" in log:
        ax.set_yscale("log")
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
    _, axes = _axes(1, 2 * len(codes), (5.4 * len(codes), 2.9))
    said = []
    for k, name in enumerate(codes):
        plane, picture = axes[0, 2 * k : 2 * k + 2]
        point = points[name].detach().cpu().numpy()
        plane.scatter(*codes[name].detach().cpu().numpy().T, s=2, color="#999999", linewidths=0)
        plane.plot(*point, marker="X", color=COLOURS[3], markersize=12, markeredgecolor="black")
        plane.set(xlabel="z₁", ylabel="z₂", title=f"{name}: codes")
        _show(picture, images[name])
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
        densities: name -> values (N,) over z.
        spans: term -> (start, end), at most 0; the first is drawn on top.
        lowest: where the axis of the bars ends, always, so that pictures can be compared; bars that go on get an arrow.
    """
    plane, ladder = _axes(1, 2, (10.5, 3.6), width_ratios=(1, 1.15))[1][0]
    for k, (name, values) in enumerate(densities.items()):
        plane.plot(z, values, color=COLOURS[k], linestyle=(":", "-", "--", "-.")[k % 4], linewidth=2, label=name)
    plane.set(xlabel="z", ylabel="density", ylim=(0, None))
    plane.legend(fontsize=10)
    for k, (start, end) in enumerate(spans.values()):
        colour = COLOURS[(k + 3) % len(COLOURS)]
        ladder.barh(k, end - start, left=start, height=0.6, color=colour, edgecolor="black", linewidth=0.6)
        arrow = "◀ " if min(start, end) < lowest else ""
        ladder.text(max(start, end, lowest), k, f" {arrow}{end - start:+.2f}", va="center", fontsize=10)
    ladder.set_yticks(range(len(spans)), list(spans), fontsize=11)
    ladder.invert_yaxis()
    ladder.set_xlim(lowest, -lowest / 5)
    ladder.set_xlabel("nats")
    ladder.grid(axis="x", alpha=0.3)
    return plane, f"bars in nats: {', '.join(f'{name} {end - start:+.3f}' for name, (start, end) in spans.items())}."


@_drawing
def histograms(
    panels: Mapping[str, Mapping[str, torch.Tensor]], exact: float, xlabel: str, bins: int = 60
) -> tuple[Axes, str]:
    """Draws of a few estimators, a panel for each entry, over one axis that leaves out the farthest 0.4 %; the exact value dashed.

    Args:
        panels: panel title -> name -> draws (N,).
        exact: the value that the draws estimate.
    """
    _, axes = _axes(1, len(panels), (5.2 * len(panels), 3.4), sharex=True, sharey=True)
    ranges = {
        title: [float(torch.quantile(torch.cat([*groups.values()]).flatten()[:100_000], q)) for q in (0.002, 0.998)]
        for title, groups in panels.items()
    }
    axes[0, 0].set_xlim(
        min(exact, *(low for low, _ in ranges.values())) - 0.1, max(exact, *(r[1] for r in ranges.values())) + 0.1
    )
    said = []
    for ax, (title, groups) in zip(axes[0], panels.items(), strict=True):
        for k, (name, draws) in enumerate(groups.items()):
            label = f"{name}: standard deviation {draws.std():.3g}"
            look = dict(histtype="stepfilled", color=COLOURS[k], alpha=0.55, label=label)  # one shape: quick to draw
            ax.hist(draws.cpu().numpy(), bins, range=ranges[title], density=True, **look)
            said.append(f"{title}, {name}: mean {draws.mean():.3g}, standard deviation {draws.std():.3g}")
        ax.axvline(exact, color="black", linestyle="--", label=f"exact: {exact:.3g}")
        ax.set(xlabel=xlabel, ylabel="density of the estimates", title=title)
        ax.legend(fontsize=9, loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=2, frameon=False)
    return axes[0, 0], f"{'; '.join(said)}."


@_drawing
def cells(points: torch.Tensor, codebooks: Mapping[str, torch.Tensor], title: str = "") -> tuple[Axes, str]:
    """Points of a plane and the Voronoi cells of codebooks, a panel for each; words that no point has chosen are crosses.

    Args:
        points: (N, 2).
        codebooks: panel title -> (K, 2).
    """
    _, axes = _axes(1, len(codebooks), (3.6 * len(codebooks), 3.6), title, sharex=True, sharey=True)
    both = torch.cat([points, *codebooks.values()]).detach().cpu()
    (left, low), (right, high) = both.amin(0) - 0.4, both.amax(0) + 0.4
    across, up = torch.linspace(float(left), float(right), 300), torch.linspace(float(low), float(high), 300)
    grid = torch.cartesian_prod(up, across).flip(1)
    said = []
    for ax, (name, codebook) in zip(axes[0], codebooks.items(), strict=True):
        codebook = codebook.detach().cpu()
        owner = torch.cdist(grid, codebook).argmin(1).view(300, 300)
        border = torch.zeros(300, 300)
        border[1:] += owner.diff(dim=0) != 0
        border[:, 1:] += owner.diff(dim=1) != 0
        chosen = torch.zeros(len(codebook), dtype=torch.bool)
        chosen[torch.cdist(points.cpu(), codebook).argmin(1)] = True
        ax.imshow(
            border.clamp(max=1),
            extent=[float(v) for v in (left, right, low, high)],
            origin="lower",
            cmap="gray_r",
            vmax=3,
            aspect="auto",
        )
        ax.scatter(*points[:: max(1, len(points) // 800)].cpu().T, s=4, color=COLOURS[5], linewidths=0, label="points")
        ax.scatter(
            *codebook[chosen].T, s=34, color=COLOURS[3], edgecolor="black", linewidths=0.6, label="words", zorder=3
        )
        ax.scatter(*codebook[~chosen].T, s=34, color="black", marker="x", label="dead words", zorder=3)
        ax.set(xlabel="z₁", title=name)
        said.append(f"{name}: {int(chosen.sum())} of {len(codebook)} words chosen")
    axes[0, 0].set_ylabel("z₂")
    axes[0, -1].legend(fontsize=9, loc="upper left")
    return axes[0, 0], f"{'; '.join(said)}."


@_drawing
def maps(
    panels: Mapping[str, torch.Tensor], title: str = "", xlabel: str = "column", ylabel: str = "row"
) -> tuple[Axes, str]:
    """Matrices as pictures side by side, 0 white and the largest value dark, each on a scale of its own.

    Args:
        panels: panel title -> (H, W), at least 0; an entry of -1 is marked with a cross.
    """
    _, axes = _axes(1, len(panels), (10, 10 / len(panels) + 0.5), title)
    said = []
    for ax, (name, values) in zip(axes[0], panels.items(), strict=True):
        values = values.detach().cpu().float().numpy()
        ax.imshow(
            values.clip(min=0),
            cmap="Blues",
            vmin=0,
            vmax=max(1e-12, float(values.max()) * 1.15),
            interpolation="nearest",
        )
        i, j = (values == -1).nonzero()
        ax.scatter(j, i, marker="x", color=COLOURS[3], s=900 / max(values.shape), linewidths=2)
        ax.set_xticks(np.arange(-0.5, values.shape[1]), minor=True)
        ax.set_yticks(np.arange(-0.5, values.shape[0]), minor=True)
        if values.size < 400:
            ax.grid(which="minor", color="#cccccc", linewidth=0.5)
        ax.tick_params(which="both", length=0)
        ax.set(title=name, xlabel=xlabel)
        said.append(f"{name}, {int((values > 0).sum())} of {values.size} entries above 0")
    axes[0, 0].set_ylabel(ylabel)
    return axes[0, 0], f"{'; '.join(said)}."
