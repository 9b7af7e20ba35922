import base64
import io
import math
import random
import subprocess
import sys
import types

import inside
import ipywidgets
import matplotlib
import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.markers import MarkerStyle
from PIL import Image

from vaelib.classroom import plots, widgets
from vaelib.pixelcnn import PixelCNN

GREY, COLOUR = torch.rand(10, 1, 8, 8), torch.randint(0, 256, (10, 3, 8, 8), dtype=torch.uint8)
POINTS, TEN = torch.randn(30, 2), torch.rand(10, 2)


@pytest.mark.parametrize(
    "draw",
    [
        lambda: plots.image_rows({"grey": GREY, "colour": COLOUR}, "two rows"),
        lambda: plots.filmstrip({0: GREY, 50: GREY}),
        lambda: plots.scatter({"plain": {"a": POINTS, "b": POINTS}}),
        lambda: plots.scatter(
            {"AE": {"a": POINTS, "b": POINTS}, "VAE": {"a": POINTS}},
            labels={k: torch.arange(30) % 10 for k in ("AE", "VAE")},
        ),
        lambda: plots.curves({"a": ([1, 2], [3.0, 4.0])}, "steps", "loss (nats)", log="xy"),
        lambda: plots.curves({"a": ([1, 2], [3.0, 4.0])}, "D", "variance", points={"a": ([1, 2], [3.1, 3.9])}),
        lambda: plots.curves({"a": ([1, 2], [3.0, 4.0])}, "rate", "distortion", labels={"a": ["one", "two"]}),
        lambda: plots.bound(torch.linspace(-1, 1, 5), {"q": torch.rand(5)}, {"ELBO": (0, -3.0), "gap": (-3.0, -2.0)}),
        lambda: plots.ranges({"a": (0.5, [0.4, 0.6]), "b": (0.2, ())}, "share"),
        lambda: plots.histograms({"a": {"one draw": POINTS[:, 0]}, "b": {"one draw": POINTS[:, 1]}}, 0.0, "estimate"),
        lambda: plots.manifolds({"AE": GREY[:9], "VAE": GREY[:9]}, 3, axis="std"),
        lambda: plots.latent_points({"AE": POINTS}, {"AE": POINTS[0]}, {"AE": GREY[0]}),
    ],
)
def test_every_figure_is_said_in_one_line_and_returned(draw, capsys):
    ax = draw()
    out = capsys.readouterr().out
    assert out.startswith("Figure: ")
    assert out.count("\n") == 1
    assert isinstance(ax, Axes)


def test_a_grid_puts_images_row_by_row():
    images = torch.arange(5.0).reshape(5, 1, 1, 1).expand(5, 1, 2, 2) / 10
    grid = plots._tile(images, 3)
    assert grid.shape == (1, 5, 8)  # a white pixel between images
    assert torch.allclose(grid[0, ::3, ::3], torch.tensor([[0, 0.1, 0.2], [0.3, 0.4, 0.0]]))
    assert (grid[0, 2] == 0).all()
    colour = plots._tile(torch.zeros(1, 3, 2, 2), 2)
    assert colour.tolist() == [[[0, 0, 1, 1, 1]] * 2] * 3  # no ink where there is colour: 1 is white


# ---- what is drawn: the Artists' data, in numbers that come from elsewhere


def drawn(draw, *args, **kwargs):
    """The figure and the sentence, without the tenth of a second that its PNG takes."""
    ax, said = draw.__wrapped__(*args, **kwargs)
    assert ax is ax.figure.axes[0]
    return ax.figure, said


def shown(ax, *, axes=("", ""), title="", scales=("linear", "linear"), legend=None, legend_size=10):
    """The words and scales around a panel, as they should be."""
    assert (ax.get_xlabel(), ax.get_ylabel()) == axes
    assert ax.get_title() == title
    assert (ax.get_xscale(), ax.get_yscale()) == scales
    box = ax.get_legend()
    assert (legend is None) == (box is None)
    if box is not None:
        assert [text.get_text() for text in box.get_texts()] == legend
        assert {text.get_fontsize() for text in box.get_texts()} == {legend_size}


def size_of(figure, width, height, title=""):
    assert figure.get_size_inches() == pytest.approx((width, height))
    assert (figure.get_suptitle(), figure._suptitle and figure._suptitle.get_fontsize()) == (
        (title, 12) if title else ("", None)
    )


def place(box):
    """Where a legend hangs: its corner, the point that this is tied to, in parts of the panel, columns and frame."""
    corner = {1: "upper right", 2: "upper left", 9: "upper center", 0: "best"}[box._loc]
    at = box.get_bbox_to_anchor().transformed(box.axes.transAxes.inverted())
    return corner, (round(at.x0, 3), round(at.y0, 3)), box._ncols, box.get_frame_on()


PIXELS = torch.tensor([[[[0.0, 1.0], [0.25, 0.5]]], [[[1.0, 0.0], [0.75, 0.5]]]])  # two images of 2 x 2
ROW = [[0, 1, 0, 1, 0], [0.25, 0.5, 0, 0.75, 0.5]]  # side by side


@pytest.mark.parametrize(
    ("images", "error"),
    [
        (PIXELS, 0),
        (PIXELS.double(), 0),
        (PIXELS.half(), 0),
        (PIXELS.bfloat16(), 0),
        (PIXELS.clone().requires_grad_() * 1, 0),
        ((PIXELS * 255).round().to(torch.uint8), 0.002),
        ((PIXELS - 0.5) * 2 * 0.999 + 0.5, None),  # a decoder's mean: half beyond on either side, less a little
    ],
    ids=["float32", "float64", "float16", "bfloat16", "with a graph", "uint8", "beyond"],
)
def test_images_of_every_kind_are_drawn_alike(images, error):
    figure, said = drawn(plots.image_rows, {"a": images, "b": PIXELS}, columns=2)
    array = np.asarray(figure.axes[0].images[0].get_array())
    wanted = np.array(ROW) if error is not None else np.clip((np.array(ROW) - 0.5) * 1.998 + 0.5, 0, 1)
    wanted[:, 2] = 0
    assert np.abs(array - wanted).max() <= (error or 1e-6)
    assert said == "2 images to a row; rows: a; b."


def test_rows_of_images():
    colour = torch.stack([PIXELS[0, 0], 1 - PIXELS[0, 0], torch.zeros(2, 2)])[None]
    rows = {"grey": torch.cat([PIXELS, PIXELS]), "red": colour}
    with plots.kept() as pictures:
        ax = plots.image_rows(rows, "a title", columns=3)
    figure = ax.figure
    assert ax is figure.axes[0]
    size_of(figure, 10, (8.6 / 3 + 0.08) * 2 + 0.4, "a title")
    size_of(drawn(plots.image_rows, {"wide": torch.rand(1, 1, 4, 8)})[0], 10, 8.6 / 12 / 2 + 0.08 + 0.1)
    grey, red = (ax.images[0] for ax in figure.axes)
    assert np.asarray(grey.get_array()) == pytest.approx(np.array([[*ROW[0], 0, 0, 1], [*ROW[1], 0, 0.25, 0.5]]))
    wanted = np.ones((2, 8, 3))
    wanted[:, :2] = colour[0].permute(1, 2, 0)
    assert np.asarray(red.get_array()) == pytest.approx(wanted)
    for ax in figure.axes:
        assert (ax.images[0].get_cmap().name, ax.images[0].get_clim()) == ("gray_r", (0, 1))
        assert ax.images[0].get_interpolation() == "nearest"
        assert (list(ax.get_xticks()), list(ax.get_yticks())) == ([], [])
        label = ax.yaxis.label
        assert (label.get_rotation(), label.get_ha(), label.get_va(), label.get_size()) == (0, "right", "center", 11)
    plain = drawn(plots.image_rows, {"a": PIXELS[:1] / 4 + 0.3}, columns=1)[0].axes[0].images[0]
    assert plain.get_clim() == (0, 1)  # also where no pixel is white or black
    assert [ax.get_ylabel() for ax in figure.axes] == ["grey", "red"]
    assert {k: figure.get_layout_engine().get()[k] for k in ("h_pad", "hspace")} == {"h_pad": 0.02, "hspace": 0}
    assert pictures[0].said == "Figure: rows of images: grey, 3; red, 1."
    pixels = np.asarray(Image.open(io.BytesIO(pictures[0].png)).convert("RGB"))
    frame = figure.axes[0].get_window_extent()  # on the page: one channel is ink
    y = int(pixels.shape[0] - frame.y1 + frame.height / 4)
    ink = [int(pixels[y, int(frame.x0 + frame.width * (k + 0.5) / 8), 0]) for k in range(8)]
    assert ink == [255, 0, 255, 0, 255, 255, 255, 0]


def test_rows_may_differ_in_size_and_a_filmstrip_is_in_order():
    with plots.kept() as pictures:
        figure = plots.filmstrip({10: PIXELS, 2: torch.zeros(1, 3, 4, 6)}, "t", columns=2).figure
    assert [ax.get_ylabel() for ax in figure.axes] == ["step 2", "step 10"]
    assert [ax.images[0].get_array().shape for ax in figure.axes] == [(4, 13, 3), (2, 5)]
    size_of(figure, 10, (8.6 / 2 * 4 / 6 + 0.08) * 2 + 0.4, "t")
    assert pictures[0].said == "Figure: rows of images: step 2, 1; step 10, 2."


def test_manifolds():
    figure, said = drawn(
        plots.manifolds, {"AE": PIXELS.repeat(2, 1, 1, 1), "VAE": torch.rand(4, 3, 2, 2)}, 2, "both", "std"
    )
    size_of(figure, 10.6, 5.4, "both")
    for ax, name in zip(figure.axes, ("AE", "VAE"), strict=True):
        shown(ax, axes=("z₁, std", "z₂, std"), title=name)
        assert (ax.title.get_size(), ax.xaxis.label.get_size(), ax.yaxis.label.get_size()) == (12, 11, 11)
    assert np.asarray(figure.axes[0].images[0].get_array()) == pytest.approx(np.array([*ROW, [0] * 5, *ROW]))
    assert said == "2x2 decoded images for each of AE, VAE."
    shown(drawn(plots.manifolds, {"AE": PIXELS[:1]}, 1)[0].axes[0], title="AE")


def test_points_in_a_plane():
    points = {"a": torch.tensor([[0, 0], [2, 4]]), "b": torch.tensor([[1.0, 1.0]], dtype=torch.bfloat16)}
    nine = {str(k): torch.full((2, 2), float(k)) for k in range(9)}
    figure, said = drawn(plots.scatter, {"one": points, "two": nine}, "t")
    size_of(figure, 10.8, 5, "t")
    for ax, title, groups in zip(figure.axes, ("one", "two"), (points, nine), strict=True):
        shown(ax, axes=("z₁", "z₂"), title=title, legend=list(groups))
        assert ax.title.get_size() == 12
        assert place(ax.get_legend()) == ("upper center", (0.5, -0.1), 2, False)
        assert (ax.get_aspect(), ax.get_adjustable()) == (1, "datalim")
        for k, (dots, values) in enumerate(zip(ax.collections, groups.values(), strict=True)):
            assert dots.get_offsets().tolist() == values.tolist()
            assert to_hex(dots.get_edgecolor()[0]).upper() == plots.COLOURS[k % 8]
            assert dots.get_paths()[0] == MarkerStyle("x+os"[k % 4]).get_path().transformed(
                MarkerStyle("x+os"[k % 4]).get_transform()
            ) or np.array_equal(
                dots.get_paths()[0].vertices,
                MarkerStyle("x+os"[k % 4]).get_transform().transform(MarkerStyle("x+os"[k % 4]).get_path().vertices),
            )
            assert (dots.get_sizes().tolist(), dots.get_alpha(), dots.get_linewidths()[0]) == ([10], 0.6, 0.7)
    told = ["one, a: standard deviations 1.00 and 2.00", "one, b: standard deviations 0.00 and 0.00"]
    assert said == "; ".join(told + [f"two, {k}: standard deviations 0.00 and 0.00" for k in range(9)]) + "."


def test_panels_that_show_the_same_part_of_the_plane():
    panels = {"near": {"a": torch.eye(2)}, "far": {"a": 9 * torch.eye(2)}}

    def limits(**options):
        figure, _ = drawn(plots.scatter, panels, **options)
        figure.draw_without_rendering()
        return [(*ax.get_xlim(), *ax.get_ylim()) for ax in figure.axes]

    near, far = limits(same_axes=True)
    assert near == pytest.approx(far)
    assert near[0] < 0 < 9 < near[1]
    assert near[2] < 0 < 9 < near[3]
    assert limits()[0] != pytest.approx(limits()[1])


def test_numbered_points():
    points = torch.tensor([[0.0, 0], [2, 0], [1, 9], [10, 10], [9.5, 10], [10.0, 10], [5, 5]])
    labels = torch.tensor([3, 3, 3, 7, 8, 7, 0], dtype=torch.uint8)
    figure, _ = drawn(plots.scatter, {"p": {"all": points, "more": points, "most": points[:1]}}, labels={"p": labels})
    ax, bar = figure.axes
    *numbered, key, more, most = ax.collections
    for value, dots in zip(
        (0, 3, 7, 8), numbered, strict=True
    ):  # each point is its digit: for those who see no colours
        assert dots.get_array().tolist() == [value] * int((labels == value).sum())
        assert (dots.get_cmap().name, dots.get_clim()) == ("tab10", (-0.5, 9.5))
        assert dots.get_offsets().tolist() == points[labels == value].tolist()
        drawn_as = MarkerStyle(f"${value}$")
        assert np.array_equal(
            dots.get_paths()[0].vertices, drawn_as.get_transform().transform(drawn_as.get_path().vertices)
        )
        assert (dots.get_sizes().tolist(), dots.get_alpha(), dots.get_linewidths()[0]) == ([22], 0.7, 0)
    assert (len(key.get_offsets()), to_hex(key.get_facecolor()[0]), key.get_sizes().tolist()) == (0, "#888888", [30])
    others = more, most
    assert [to_hex(dots.get_edgecolor()[0]) for dots in others] == ["#000000"] * 2
    shown(ax, axes=("z₁", "z₂"), title="p", legend=["all, each by its digit", "more", "most"])
    # medians of 0, 3 and 7; the 8 lies too near to the 7: 0.5, less than 0.06 of 10
    assert [(text.get_text(), *text.get_position()) for text in ax.texts] == [("0", 5, 5), ("3", 1, 0), ("7", 10, 10)]
    for text in ax.texts:
        assert (text.get_size(), text.get_weight(), text.get_ha(), text.get_va()) == (13, "bold", "center", "center")
        box = text.get_bbox_patch()
        assert (to_hex(box.get_facecolor()), box.get_alpha(), box.get_edgecolor()[3]) == ("#ffffff", 0.75, 0)
        assert box.get_boxstyle().pad * text.get_size() == pytest.approx(1, abs=0.1)  # a point around it
        assert text.get_zorder() > max(dots.get_zorder() for dots in ax.collections)
    assert (bar.get_ylabel(), list(bar.get_yticks()), bar.get_ylim()) == ("digit", list(range(10)), (-0.5, 9.5))
    assert figure.axes[1].collections[-1].get_cmap().name == "tab10"
    far = torch.tensor([[0.0, 0], [0.61, 0], [10, 0]])  # 0.61 of 10 is room enough
    assert len(drawn(plots.scatter, {"p": {"a": far}}, labels={"p": torch.arange(3)})[0].axes[0].texts) == 3


LINES = {name: ([1, 10, 100], [3.0, 4.0 + k, 2.0 + k]) for k, name in enumerate("abcde")}


@pytest.mark.parametrize("log", ["", "x", "y", "xy"])
def test_curves(log):
    few = {name: LINES[name] for name in "abc"}
    circles = {"b": (np.array([2.0, 20.0]), torch.tensor([3, 4]))}
    words = {"c": ["one", "two", "three"]}
    figure, said = drawn(plots.curves, few, "steps", "loss (nats)", "t", log, circles, words)
    (ax,) = figure.axes
    scales = tuple("log" if axis in log else "linear" for axis in "xy")
    shown(ax, axes=("steps", "loss (nats)"), title="t", scales=scales, legend=["a", "b", "c"])
    assert ax.title.get_size() == 12
    size_of(figure, 6.8, 4)
    assert said == "loss (nats) against steps; last values: a 2, b 3, c 4."
    *lines, last = ax.get_lines()
    lines = [line for line in (*lines, last) if line.get_label() in few]
    (open_circles,) = [line for line in ax.get_lines() if line.get_label() not in few]
    for k, line in enumerate(lines):
        assert (line.get_xdata().tolist(), line.get_ydata().tolist()) == LINES["abc"[k]]
        assert (line.get_color(), line.get_linestyle()) == (plots.COLOURS[k], ("-", "--", "-.")[k])
        assert (line.get_marker(), line.get_markersize(), line.get_markevery()) == ("os^"[k], 4, 1)
    assert (open_circles.get_xdata().tolist(), open_circles.get_ydata().tolist()) == ([2, 20], [3, 4])
    assert (open_circles.get_marker(), open_circles.get_markersize(), open_circles.get_linestyle()) == ("o", 9, "None")
    assert (open_circles.get_markerfacecolor(), open_circles.get_color()) == ("none", plots.COLOURS[1])
    assert [(text.get_text(), text.xy) for text in ax.texts] == [("one", (1, 3)), ("two", (10, 6)), ("three", (100, 4))]
    assert {(text.xyann, text.anncoords, text.get_size()) for text in ax.texts} == {((6, 6), "offset points", 10)}
    if "x" in log:  # few places are written out
        assert [tick.get_text() for tick in ax.get_xticklabels()] == ["1", "10", "100"]
        assert len(ax.get_xticks(minor=True)) == 0
    assert place(ax.get_legend())[0] == "best"


def test_many_and_long_curves():
    steps = list(range(1, 36))
    lines = {str(k): (steps, [float(k + s * (k > 0)) for s in steps]) for k in range(9)}
    figure, said = drawn(plots.curves, lines, "x", "y", log="x")
    (ax,) = figure.axes
    size_of(figure, 10, 4)
    shown(ax, axes=("x", "y"), scales=("log", "linear"), legend=list(lines))
    assert place(ax.get_legend()) == ("upper left", (1.01, 1), 1, False)
    assert len(ax.get_xticks(minor=True)) > 0  # 35 places are too many to be written out
    drawn_lines = ax.get_lines()
    assert [line.get_linestyle() for line in drawn_lines] == ["-", "--", "-.", ":", "-", "--", "-.", ":", "-"]
    assert [line.get_marker() for line in drawn_lines] == ["None", *"s^Dos^Do"]  # a level has none
    assert [line.get_color() for line in drawn_lines] == [*plots.COLOURS, plots.COLOURS[0]]
    assert {line.get_markevery() for line in drawn_lines} == {3}
    assert said.endswith("7 42, 8 43.")
    alone = drawn(plots.curves, {"a": ([1], [2.0])}, "x", "y")[0].axes[0].get_lines()[0]
    assert (alone.get_marker(), alone.get_markevery()) == ("o", 1)  # or nothing would be seen
    four = drawn(plots.curves, {name: LINES[name] for name in "abcd"}, "x", "y")[0]
    size_of(four, 10, 4)
    assert place(four.axes[0].get_legend()) == ("upper left", (1.01, 1), 1, False)
    for count, written in ((12, True), (13, False)):
        line = (torch.arange(1, count + 1), np.arange(count))
        ticks = drawn(plots.curves, {"a": line}, "x", "y", log="x")[0].axes[0].get_xticklabels()
        assert ([tick.get_text() for tick in ticks] == [str(k) for k in range(1, count + 1)]) == written


def test_an_axis_that_stands_still():
    for top in (3.0, 300.0):
        figure, said = drawn(plots.curves, {"a": ([0, 1], [0.0, top])}, "x", "y", ylim=(-1, 20))
        assert figure.axes[0].get_ylim() == (-1, 20)
        assert said.endswith(f"a {top:.4g}.")


def test_a_point_and_its_picture():
    codes = {"AE": torch.rand(20, 2, requires_grad=True), "VAE": torch.rand(30, 2).half(), "third": TEN}
    at = {"AE": torch.tensor([0.25, -1.5]), "VAE": torch.tensor([1, 2]), "third": TEN[0]}
    pictures = {"AE": PIXELS[0], "VAE": torch.rand(3, 4, 4), "third": PIXELS[1]}
    figure, said = drawn(plots.latent_points, codes, at, pictures)
    size_of(figure, 16.2, 2.9)
    assert len(figure.axes) == 6
    for k, name in enumerate(codes):
        plane, picture = figure.axes[2 * k : 2 * k + 2]
        shown(plane, axes=("z₁", "z₂"), title=f"{name}: codes")
        assert plane.collections[0].get_offsets().tolist() == codes[name].double().tolist()
        assert to_hex(plane.collections[0].get_facecolor()[0]) == "#999999"
        assert (plane.collections[0].get_sizes().tolist(), plane.collections[0].get_linewidths()[0]) == ([2], 0)
        (mark,) = plane.get_lines()
        assert mark.get_xydata().tolist() == [at[name].tolist()]
        assert (mark.get_marker(), mark.get_markersize()) == ("X", 12)
        assert (mark.get_color(), mark.get_markeredgecolor()) == (plots.COLOURS[3], "black")
        shown(picture, title=f"{name}: decoded")
    assert np.asarray(figure.axes[1].images[0].get_array()).tolist() == PIXELS[0, 0].tolist()
    third = f"third at ({TEN[0, 0]:.2f}, {TEN[0, 1]:.2f})"
    assert (
        said
        == f"AE at (0.25, -1.50); VAE at (1.00, 2.00); {third}, among the encoded test images, and the decoded images."
    )


def test_ranges_are_drawn_from_the_least_to_the_largest():
    rows = {"rebuilt": (0.95, (0.97, 0.9, 0.93)), "drawn": (0.5, [0.4]), "alone": (-1, [])}
    figure, said = drawn(plots.ranges, rows, "share", "here and elsewhere")
    assert said == "share: rebuilt 0.95 (others 0.9 to 0.97); drawn 0.5 (others 0.4 to 0.4); alone -1."
    size_of(figure, 9, 0.3 * 3 + 1.2)
    (ax,) = figure.axes
    shown(ax, axes=("share", ""), title="here and elsewhere")
    ends = [(line.get_xdata(), line.get_ydata()) for line in ax.lines if line.get_marker() == "None"]
    assert [(*map(list, each),) for each in ends] == [([0.9, 0.97], [0, 0]), ([0.4, 0.4], [1, 1])]
    dots = [line for line in ax.lines if line.get_marker() == "o"]
    assert [(*line.get_xdata(), *line.get_ydata()) for line in dots] == [(0.95, 0), (0.5, 1), (-1, 2)]
    assert {line.get_color() for line in dots} == {plots.COLOURS[0]}
    assert all(dot.get_zorder() >= line.get_zorder() for dot in dots for line in ax.lines)  # drawn over its line
    assert [tick.get_text() for tick in ax.get_yticklabels()] == list(rows)
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # the first on top
    assert ax.xaxis.get_gridlines()[0].get_visible()
    assert not drawn(plots.ranges, rows, "share")[0].axes[0].get_title()


def test_a_bound_is_drawn_to_scale_and_said():
    """Bars start and end where they should, and what is written beside each is its length with its sign."""
    z = torch.linspace(-1, 1, 5, requires_grad=True)
    densities = {f"q{k}": z.exp() * k for k in range(9)}
    spans = {"ELBO": (0, -3.0), "gap": (-3.0, -2.25), "far": (-2, -300.0), "up": (0, 2.0)}
    figure, said = drawn(plots.bound, z, densities, spans)
    assert said == "bars in nats: ELBO -3.000, gap +0.750, far -298.000, up +2.000."
    size_of(figure, 10.5, 3.6)
    plane, ladder = figure.axes
    assert ladder.get_position().width == pytest.approx(1.15 * plane.get_position().width)
    shown(plane, axes=("z", "density"), legend=list(densities))
    assert plane.get_ylim()[0] == 0
    for k, line in enumerate(plane.get_lines()):
        assert line.get_xdata().tolist() == pytest.approx(z.tolist())
        assert line.get_ydata().tolist() == pytest.approx([k * math.exp(v) for v in z.tolist()])
        assert line.get_linestyle() == (":", "-", "--", "-.")[k % 4]
        assert (line.get_color(), line.get_linewidth()) == (plots.COLOURS[k % 8], 2)
    bars = [(p.get_x(), p.get_x() + p.get_width(), p.get_y(), p.get_height()) for p in ladder.patches]
    assert bars == [(*pair, pytest.approx(k - 0.3), pytest.approx(0.6)) for k, pair in enumerate(spans.values())]
    assert [to_hex(p.get_facecolor()).upper() for p in ladder.patches] == list(plots.COLOURS[3:7])
    assert {(p.get_edgecolor(), p.get_linewidth()) for p in ladder.patches} == {((0, 0, 0, 1), 0.6)}
    words = [(text.get_text(), *text.get_position(), text.get_ha()) for text in ladder.texts]
    assert words == [
        (" -3.00", 0, 0, "left"),
        (" +0.75", -2.25, 1, "left"),
        (" ◀ -298.00", -2, 2, "left"),
        (" +2.00 ▶ ", 1.6, 3, "right"),
    ]
    assert {(text.get_va(), text.get_size()) for text in ladder.texts} == {("center", 10)}
    assert [tick.get_text() for tick in ladder.get_yticklabels()] == list(spans)
    assert {tick.get_size() for tick in ladder.get_yticklabels()} == {11}
    assert ladder.get_ylim()[0] > ladder.get_ylim()[1]  # the first on top
    assert ladder.get_xlim() == (-8, 1.6)  # whatever the bars are
    assert ladder.get_xlabel() == "nats"
    lines = [
        (axis.get_gridlines()[0].get_visible(), axis.get_gridlines()[0].get_alpha())
        for axis in (ladder.xaxis, ladder.yaxis)
    ]
    assert lines == [(True, 0.3), (False, 1)]
    spans = {"all": (-30.0, -20.0), "edge": (0, -10), "top": (0, 2)}
    beyond = drawn(plots.bound, z, {"q": z.exp()}, spans, lowest=-10)[0].axes[1]
    assert beyond.get_xlim() == (-10, 2)
    assert [(text.get_text(), text.get_position()[0]) for text in beyond.texts] == [
        (" ◀ +10.00", -10), (" -10.00", 0), (" +2.00", 2),
    ]  # fmt: skip


def test_histograms_share_an_axis_that_shows_the_exact_value():
    dice = torch.Generator().manual_seed(0)
    draws = torch.randn(1000, generator=dice)
    draws[0] = 1e6  # one far draw does not squeeze the rest
    panels = {"a": {"x": draws, "y": draws.double().requires_grad_() + 1}, "b": {"x": torch.arange(1000) % 7}}
    figure, said = drawn(plots.histograms, panels, exact=9.0, xlabel="estimate", bins=20)
    size_of(figure, 10.4, 3.4)
    ends = [
        np.quantile(np.concatenate([v.detach().numpy() for v in g.values()]), (0.002, 0.998)) for g in panels.values()
    ]
    assert figure.axes[0].get_xlim() == pytest.approx((min(e[0] for e in ends) - 0.1, 9.1))
    assert figure.axes[0].get_xlim() == figure.axes[1].get_xlim()
    assert figure.axes[0].get_ylim() == figure.axes[1].get_ylim()
    words = []
    for ax, (title, groups), (low, high) in zip(figure.axes, panels.items(), ends, strict=True):
        for k, (name, values) in enumerate(groups.items()):
            values = values.detach().double().numpy()
            counts, edges = np.histogram(values, 20, (low, high))
            heights = counts / counts.sum() / np.diff(edges)
            outline = ax.patches[k].get_xy()
            assert {round(v, 6) for v in outline[:, 1]} == {0.0} | {round(v, 6) for v in heights}
            assert (outline[:, 0].min(), outline[:, 0].max()) == pytest.approx((low, high))
            assert (to_hex(ax.patches[k].get_facecolor()).upper(), ax.patches[k].get_alpha()) == (
                plots.COLOURS[k],
                0.55,
            )
            spread = f"{values.std(ddof=1):.3g}"
            words.append(f"{title}, {name}: mean {values.mean():.3g}, standard deviation {spread}")
            assert ax.get_legend().get_texts()[k].get_text() == f"{name}: standard deviation {spread}"
        (line,) = ax.get_lines()
        assert (list(line.get_xdata()), line.get_color(), line.get_linestyle()) == ([9, 9], "black", "--")
        assert ax.get_legend().get_texts()[-1].get_text() == "exact: 9"
        assert place(ax.get_legend()) == ("upper center", (0.5, -0.18), 2, False)
        assert {text.get_fontsize() for text in ax.get_legend().get_texts()} == {9}
        assert (ax.get_title(), ax.get_xlabel()) == (title, "estimate")
    assert figure.axes[0].get_ylabel() == "density of the estimates"
    assert said == f"{'; '.join(words)}; exact: 9."
    other, said = drawn(plots.histograms, panels, exact=9.0, xlabel="estimate", known="reference")
    assert [ax.get_legend().get_texts()[-1].get_text() for ax in other.axes] == ["reference: 9"] * len(other.axes)
    assert said.endswith("; reference: 9.")


def test_histograms_of_every_scale_and_number_are_seen():
    def plain(exact, **groups):
        return drawn(plots.histograms, {"a": groups}, exact, "x")[0].axes[0]

    small = torch.rand(200, generator=torch.Generator().manual_seed(0)) * 1e-4
    low, high = plain(0.0, x=small).get_xlim()
    assert (low, high) == pytest.approx((-5e-6, 1.05e-4), rel=0.05)  # a twentieth of the whole on either side
    low, high = plain(0.0, x=small - 1e-4).get_xlim()
    assert (low, high) == pytest.approx((-1.05e-4, 5e-6), rel=0.05)
    assert plain(1.0, x=torch.ones(200)).get_xlim() == pytest.approx((0.9, 1.1))
    assert len(plain(0.0, x=small).patches[0].get_xy()) == 4 * 60 + 1  # 60 bins
    assert drawn(plots.histograms, {"a": {"b": small}}, 0.0, "x", bins=1)
    assert plain(0.0, x=torch.zeros(100_000), y=torch.ones(1000) * 5).get_xlim()[1] > 5
    assert len({patch.get_facecolor() for patch in plain(0, **{str(k): small for k in range(9)}).patches}) == 8


def test_cells():
    """The border between two words lies half-way; words that no point chose are crosses."""
    points = torch.tensor([[0.0, 0.0], [0.1, 1.0], [2.0, 1.0]]).repeat(700, 1).requires_grad_()
    words = torch.tensor([[0, 0], [2, 0], [1, 6]])
    figure, said = drawn(plots.cells, points, {"one": words, "two": words[:1].double()}, "t")
    size_of(figure, 7.2, 3.6, "t")
    assert said == "one: 2 of 3 words chosen; two: 1 of 1 words chosen."
    one, two = figure.axes
    shown(one, axes=("z₁", "z₂"), title="one")
    shown(two, axes=("z₁", ""), title="two", legend=["points", "words", "dead words"], legend_size=9)
    assert place(two.get_legend())[0] == "upper left"
    assert one.get_shared_x_axes().joined(one, two)  # one scale, and its numbers once
    assert one.get_shared_y_axes().joined(one, two)
    picture = one.images[0]
    assert picture.get_extent() == pytest.approx([-0.4, 2.4, -0.4, 6.4])  # 0.4 around all points and words
    assert (picture.origin, picture.get_cmap().name, picture.get_clim()[1], one.get_aspect()) == (
        "lower",
        "gray_r",
        3,
        "auto",
    )
    border = np.asarray(picture.get_array())
    across, up = np.linspace(-0.4, 2.4, 300), np.linspace(-0.4, 6.4, 300)
    owner = ((np.stack(np.meshgrid(across, up), -1)[:, :, None] - words.numpy()) ** 2).sum(-1).argmin(-1)
    edge = np.zeros((300, 300), bool)
    edge[:, 1:] |= owner[:, 1:] != owner[:, :-1]
    edge[1:] |= owner[1:] != owner[:-1]
    assert np.array_equal(border, edge)
    assert np.flatnonzero(border[10]).tolist() == [150]  # x = 1 at the bottom
    assert not np.asarray(two.images[0].get_array()).any()
    dots, chosen, dead = one.collections
    assert dots.get_offsets().tolist() == points[::2].detach().double().tolist()  # at most some 800 are drawn
    assert chosen.get_offsets().tolist() == [[0, 0], [2, 0]]
    assert dead.get_offsets().tolist() == [[1, 6]]
    looks = [
        (to_hex(c.get_facecolor()[0]).upper(), c.get_sizes().tolist(), c.get_linewidths()[0]) for c in one.collections
    ]
    assert looks[:2] == [(plots.COLOURS[5], [4], 0), (plots.COLOURS[3], [34], 0.6)]
    assert (looks[2][:2], chosen.get_edgecolor().tolist()) == (("#000000", [34]), [[0, 0, 0, 1]])
    assert len(dead.get_paths()[0].vertices) == 4  # a cross
    assert min(chosen.get_zorder(), dead.get_zorder()) > dots.get_zorder()
    for scale, shift, margin in (
        (1, -9, 0.4),
        (1e-3, -1, 1.2e-3),
        (0, 0, 0.4),
    ):  # a fifth of the longer side, at most 0.4
        figure, _ = drawn(plots.cells, points.detach() * scale + shift, {"a": words * scale + shift})
        wanted = [shift - margin, 2 * scale + shift + margin, shift - margin, 6 * scale + shift + margin]
        assert figure.axes[0].images[0].get_extent() == pytest.approx(wanted, abs=1e-6)


def test_few_points_are_all_drawn():
    figure, _ = drawn(plots.cells, TEN, {"a": TEN})
    assert figure.axes[0].collections[0].get_offsets().tolist() == TEN.double().tolist()


def test_maps_mark_what_is_minus_one_and_count_the_rest():
    values = torch.tensor([[0.0, 2.0, -1.0], [0.5, 0.0, 0.0]], requires_grad=True)
    panels = {"a": values, "b": values.detach().abs().to(torch.int64), "c": torch.zeros(20, 20)}
    figure, said = drawn(plots.maps, panels, "t", xlabel="j", ylabel="i")
    size_of(figure, 10, 10 / 3 + 0.5, "t")
    assert (
        said
        == "a, 2 of 6 entries above 0, 1 marked with a cross; b, 2 of 6 entries above 0; c, 0 of 400 entries above 0."
    )
    crosses = [ax.collections[0] for ax in figure.axes]
    assert [c.get_offsets().tolist() for c in crosses] == [[[2.0, 0.0]], [], []]  # column, row
    assert [c.get_sizes().tolist() for c in crosses] == [[300], [300], [45]]
    assert (to_hex(crosses[0].get_edgecolor()[0]).upper(), crosses[0].get_linewidths()[0]) == (plots.COLOURS[3], 2)
    assert len(crosses[0].get_paths()[0].vertices) == 4
    pictures = [ax.images[0] for ax in figure.axes]
    assert np.asarray(pictures[0].get_array()).tolist() == [[0, 2, 0], [0.5, 0, 0]]
    assert [p.get_clim() for p in pictures] == [(0, pytest.approx(2.3)), (0, pytest.approx(2.3)), (0, 1e-12)]
    assert {(p.get_cmap().name, p.get_interpolation()) for p in pictures} == {("Blues", "nearest")}
    for ax, title, ylabel in zip(figure.axes, "abc", ("i", "", ""), strict=True):
        shown(ax, axes=("j", ylabel), title=title)
        assert {
            tick.tick1line.get_markersize() for tick in ax.xaxis.get_major_ticks() + ax.yaxis.get_minor_ticks()
        } == {0}
    a, _, c = figure.axes
    assert (list(a.get_xticks(minor=True)), list(a.get_yticks(minor=True))) == ([-0.5, 0.5, 1.5, 2.5], [-0.5, 0.5, 1.5])
    line = a.xaxis.get_minor_ticks()[0].gridline
    assert (line.get_visible(), line.get_color(), line.get_linewidth()) == (True, "#cccccc", 0.5)
    assert not c.xaxis.get_minor_ticks()[0].gridline.get_visible()  # 400 entries are too many
    assert not a.xaxis.get_major_ticks()[0].gridline.get_visible()
    assert all(place == int(place) for place in (*a.get_xticks(), *a.get_yticks()))  # no row is number 0.5
    plain = drawn(plots.maps, {"a": values.abs() + 1})[0].axes[0]
    assert plain.images[0].get_clim() == (0, pytest.approx(3.45))  # 0 is white, also where there is none
    assert (plain.get_xlabel(), plain.get_ylabel()) == ("column", "row")


def test_maps_with_their_scale():
    panels = {"a": torch.tensor([[0.0, 2.0]]), "nothing": torch.zeros(1, 2), "b": torch.tensor([[0.0, 0.5]])}
    figure, said = drawn(plots.maps, panels, scale="nats")
    assert said == drawn(plots.maps, panels)[1]
    bars = figure.axes[3:]  # a panel of zeros has none
    assert [bar.get_ylim() for bar in bars] == [(0, 2), (0, 0.5)]
    assert [bar.get_ylabel() for bar in bars] == ["", "nats"]


def test_in_a_notebook_the_picture_is_displayed_with_its_words(monkeypatch, capsys):
    seen = []
    monkeypatch.setattr(plots, "in_notebook", lambda: True)
    monkeypatch.setattr("IPython.display.display", lambda data, **settings: seen.append((data, settings)))
    plots.image_rows({"a": PIXELS})
    ((data, settings),) = seen
    assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG")
    assert data["text/plain"] == "Figure: 2 images to a row; rows: a."
    assert settings == {"raw": True, "metadata": {"image/png": {"alt": "2 images to a row; rows: a."}}}
    assert capsys.readouterr().out == "Figure: 2 images to a row; rows: a.\n"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_what_lies_on_a_gpu_is_drawn_as_what_lies_here():
    z = torch.linspace(0, 1, 10)
    for draw in (
        lambda to: plots.image_rows({"a": to(GREY), "b": to(COLOUR)}),
        lambda to: plots.manifolds({"a": to(GREY[:4])}, 2),
        lambda to: plots.scatter({"a": {"b": to(POINTS)}}, labels={"a": to(torch.arange(30) % 10)}),
        lambda to: plots.curves({"a": (to(z), to(z))}, "x", "y"),
        lambda to: plots.latent_points({"a": to(POINTS)}, {"a": to(POINTS[0])}, {"a": to(GREY[0])}),
        lambda to: plots.bound(to(z), {"q": to(z)}, {"a": (0, to(z)[1])}),
        lambda to: plots.ranges({"a": (to(z)[0], to(z))}, "x"),
        lambda to: plots.histograms({"a": {"b": to(z)}}, to(z)[1], "x"),
        lambda to: plots.cells(to(POINTS), {"a": to(TEN)}),
        lambda to: plots.maps({"a": to(TEN)}),
    ):
        with plots.kept() as pictures:
            draw(lambda tensor: tensor)
            draw(lambda tensor: tensor.cuda())
        assert pictures[0] == pictures[1]


# ---- what cannot be drawn


IMAGES = [
    (
        torch.randint(0, 256, (4, 1, 8, 8)),
        r"int64 tensor \(4, 1, 8, 8\), was given.*x\.to\(torch\.uint8\), levels by x / \(levels - 1\)",
    ),
    (torch.randint(0, 2, (4, 1, 8, 8), dtype=torch.int32), r"levels by x / \(levels - 1\)"),
    (torch.rand(4, 1, 8, 8) > 0.5, "bool tensor"),
    (torch.rand(4, 1, 8, 8) * 255, r"has values from .* to 25\d.*: use floats from 0 to 1.* x / 255"),
    (torch.rand(4, 1, 8, 8) * 2 - 1, r"has values from -0\.9.*\(x \+ 1\) / 2 of -1 to 1"),
    (torch.tensor([[[[0.0, 1.51]]]]), "to 1.51"),
    (torch.tensor([[[[0.0, -0.51]]]]), "from -0.51"),
    (torch.tensor([[[[0.0, math.nan]]]]), "1 values that are NaN or infinite, of 2"),
    (torch.tensor([[[[0.0, math.inf]]]]), "NaN or infinite"),
    ((torch.arange(16).view(1, 1, 4, 4) > 7).to(torch.uint8), "no value but 0 and 1 of 255"),
    (torch.zeros(2, 2, 4, 4), "has 2 channels: use 1 for grey, or 3"),
    (torch.zeros(2, 4, 4, 4), "has 4 channels"),
    (torch.zeros(4, 4), r"use a float or uint8 tensor \(N, C, H, W\)"),
    (torch.zeros(0, 1, 4, 4), "that is not empty"),
    (torch.zeros(2, 1, 0, 4), "that is not empty"),
    (torch.zeros(2, 1, 4, 4, dtype=torch.complex64), "complex64 tensor"),
    (np.zeros((2, 1, 4, 4)), "NumPy array"),
    (torch.zeros(2, 1, 4, 4, device="meta"), "lies on meta"),
    (None, "None was given: use a float or uint8 tensor"),
    ([[1.0]], r"use a float or uint8 tensor"),
    ("images", r"'images' was given"),
]


@pytest.mark.parametrize(("images", "words"), IMAGES)
def test_images_that_cannot_be_drawn_as_they_are(images, words):
    for draw in (
        lambda: plots.image_rows({"s": images}),
        lambda: plots.filmstrip({1: images}),
        lambda: plots.animation("film.gif", [images]),
        lambda: plots.manifolds({"s": images}, 2),
    ):
        with pytest.raises(ValueError, match=words) as error:
            draw()
        assert "\n" not in str(error.value)


def test_samples_of_a_model_of_levels_are_no_images_yet():
    """The report from the field: 162 levels drawn as 2."""
    samples = PixelCNN(256, hidden=8, layers=2).sample(4, (8, 8), generator=torch.Generator().manual_seed(0))
    with pytest.raises(ValueError, match=r"rows\['s'\], an int64 tensor .*x\.to\(torch\.uint8\)"):
        plots.image_rows({"s": samples})
    for cured in (samples.to(torch.uint8), samples / 255):
        array = np.asarray(plots.image_rows({"s": cured}, columns=4).images[0].get_array())
        levels = torch.from_numpy(array * 255).round().long()
        assert torch.equal(levels[:, :8], samples[0, 0])
        assert len(levels.unique()) > 100


BAD = {
    "scatter: three numbers": (
        lambda: plots.scatter({"a": {"b": torch.zeros(5, 3)}}),
        r"use a float or integer tensor \(N, 2\)",
    ),
    "scatter: NaN": (
        lambda: plots.scatter({"a": {"b": TEN * math.nan}}),
        r"panels\['a'\]\['b'\] has 20 values that are NaN",
    ),
    "scatter: no points": (lambda: plots.scatter({"a": {"b": TEN[:0]}}), "that is not empty"),
    "scatter: no groups": (lambda: plots.scatter({"a": {}}), r"panels\['a'\]=\{\} was given"),
    "scatter: points without a group": (lambda: plots.scatter({"a": TEN}), "group name -> points"),
    "scatter: digit 10": (
        lambda: plots.scatter({"a": {"b": TEN}}, labels={"a": torch.arange(1, 11)}),
        "from 1 to 10: use digits from 0 to 9",
    ),
    "scatter: digit -1": (
        lambda: plots.scatter({"a": {"b": TEN}}, labels={"a": torch.arange(-1, 9)}),
        "from -1 to 8",
    ),
    "scatter: nine labels of ten": (
        lambda: plots.scatter({"a": {"b": TEN}}, labels={"a": torch.arange(9)}),
        r"use an integer tensor \(10,\)",
    ),
    "scatter: float labels": (
        lambda: plots.scatter({"a": {"b": TEN}}, labels={"a": torch.rand(10)}),
        "an integer tensor",
    ),
    "scatter: labels of another panel": (
        lambda: plots.scatter({"a": {"b": TEN}}, labels={"c": torch.arange(10)}),
        "labels has entries for c: use a",
    ),
    "scatter: labels of one panel of two": (
        lambda: plots.scatter({"a": {"b": TEN}, "c": {"b": TEN}}, labels={"a": torch.arange(10)}),
        "labels has entries for a: use a, c",
    ),
    "curves: unequal": (lambda: plots.curves({"a": ([1, 2], [1.0])}, "x", "y"), "'a' has 2 x values and 1 y values"),
    "curves: NaN": (
        lambda: plots.curves({"a": ([1, 2], [1.0, math.nan])}, "x", "y"),
        r"the y values of 'a'\[1\]=nan was given",
    ),
    "curves: empty": (lambda: plots.curves({"a": ([], [])}, "x", "y"), "at least one"),
    "curves: None": (lambda: plots.curves({"a": None}, "x", "y"), r"'a'=None was given: use \(x, y\)"),
    "curves: y alone": (lambda: plots.curves({"a": [1, 2, 3]}, "x", "y"), r"use \(x, y\)"),
    "curves: text": (lambda: plots.curves({"a": ("12", "34")}, "x", "y"), "numbers in a row"),
    "curves: matrix": (lambda: plots.curves({"a": (TEN, TEN)}, "x", "y"), r"\(N,\)"),
    "curves: a matrix of NumPy": (
        lambda: plots.curves({"a": (TEN.numpy(), TEN.numpy())}, "x", "y"),
        "a finite number",
    ),
    "curves: 0 on a logarithmic axis": (
        lambda: plots.curves({"a": ([0, 1], [1, 2])}, "x", "y", log="x"),
        "the x value 0: on a logarithmic axis",
    ),
    "curves: -1 on a logarithmic axis": (
        lambda: plots.curves({"a": ([0, 1], [-1, 2])}, "x", "y", log="y"),
        "the y value -1",
    ),
    "curves: no such axis": (
        lambda: plots.curves({"a": ([1], [1])}, "x", "y", log="z"),
        "log='z' was given: use '' or 'x' or 'y' or 'xy'",
    ),
    "curves: points of no line": (
        lambda: plots.curves({"a": ([1], [1])}, "x", "y", points={"b": ([1], [1])}),
        "points has entries for b: use a",
    ),
    "curves: unequal points": (
        lambda: plots.curves({"a": ([1], [1])}, "x", "y", points={"a": ([1], [1, 2])}),
        r"points\['a'\] has 1 x values",
    ),
    "curves: too few words": (
        lambda: plots.curves({"a": ([1, 2], [1, 2])}, "x", "y", labels={"a": ["one"]}),
        "a list of 2 words",
    ),
    "curves: a word of letters": (
        lambda: plots.curves({"a": ([1, 2], [1, 2])}, "x", "y", labels={"a": "ab"}),
        "a list of 2 words",
    ),
    "curves: words that are none": (
        lambda: plots.curves({"a": ([1], [1])}, "x", "y", labels={"a": [1]}),
        "a list of 1 words",
    ),
    "curves: a range the wrong way round": (
        lambda: plots.curves({"a": ([1], [1])}, "x", "y", ylim=(2, 1)),
        r"ylim=\(2, 1\) was given: use \(lowest, highest\)",
    ),
    "curves: a range from 0 on a logarithmic axis": (
        lambda: plots.curves({"a": ([1], [1])}, "x", "y", log="y", ylim=(0, 1)),
        "above 0 on a logarithmic axis",
    ),
    "curves: one number for a range": (
        lambda: plots.curves({"a": ([1], [1])}, "x", "y", ylim=3),
        r"ylim=3 was given: use \(lowest, highest\)",
    ),
    "curves: no name of an axis": (
        lambda: plots.curves({"a": ([1], [1])}, None, "y"),
        "xlabel=None was given: use a text",
    ),
    "manifolds: 9 of 16": (
        lambda: plots.manifolds({"a": torch.rand(9, 1, 4, 4)}, 4),
        "has 9 images: use 16, 4 rows of 4",
    ),
    "manifolds: -1 columns": (lambda: plots.manifolds({"a": GREY[:1]}, -1), "columns=-1 was given"),
    "latent_points: another model": (
        lambda: plots.latent_points({"a": TEN}, {"b": TEN[0]}, {"a": GREY[0]}),
        "points has entries for b: use a",
    ),
    "latent_points: no image": (
        lambda: plots.latent_points({"a": TEN, "b": TEN}, {"a": TEN[0], "b": TEN[0]}, {"a": GREY[0]}),
        "images has entries for a: use a, b",
    ),
    "latent_points: a batch": (lambda: plots.latent_points({"a": TEN}, {"a": TEN[0]}, {"a": GREY}), r"\(C, H, W\)"),
    "latent_points: NaN": (lambda: plots.latent_points({"a": TEN}, {"a": TEN[0] * math.nan}, {"a": GREY[0]}), "NaN"),
    "latent_points: three numbers": (
        lambda: plots.latent_points({"a": torch.rand(4, 3)}, {"a": TEN[0]}, {"a": GREY[0]}),
        r"\(N, 2\)",
    ),
    "bound: other lengths": (
        lambda: plots.bound(TEN[:, 0], {"q": TEN[:5, 0]}, {"a": (0, -1)}),
        r"use a float or integer tensor \(10,\)",
    ),
    "bound: negative": (
        lambda: plots.bound(TEN[:, 0], {"q": -TEN[:, 0]}, {"a": (0, -1)}),
        "use densities, at least 0",
    ),
    "bound: NaN": (lambda: plots.bound(TEN[:, 0], {"q": TEN[:, 0]}, {"a": (0, math.nan)}), "a finite number"),
    "bound: three ends": (lambda: plots.bound(TEN[:, 0], {"q": TEN[:, 0]}, {"a": (0, 1, 2)}), r"use \(start, end\)"),
    "bound: an axis that ends at 0": (
        lambda: plots.bound(TEN[:, 0], {"q": TEN[:, 0]}, {"a": (0, 1)}, 0),
        "lowest=0 was given",
    ),
    "ranges: three parts": (lambda: plots.ranges({"a": (1, 2, 3)}, "x"), r"use \(here, others\)"),
    "ranges: one number": (lambda: plots.ranges({"a": (1, 2)}, "x"), r"rows\['a'\]\[1\]=2 was given: use numbers in a row"),
    "ranges: NaN": (lambda: plots.ranges({"a": (math.nan, [])}, "x"), r"rows\['a'\]\[0\]=nan was given"),
    "ranges: NaN of others": (lambda: plots.ranges({"a": (1, [2, math.nan])}, "x"), r"rows\['a'\]\[1\]\[1\]=nan"),
    "ranges: no words": (lambda: plots.ranges({"a": (1, [])}, 3), "xlabel=3 was given"),
    "histograms: one draw": (
        lambda: plots.histograms({"a": {"b": torch.rand(1)}}, 0, "x"),
        "at least 2 along the first",
    ),
    "histograms: NaN": (
        lambda: plots.histograms({"a": {"b": torch.rand(3) * math.nan}}, 0, "x"),
        "3 values that are NaN",
    ),
    "histograms: no exact value": (lambda: plots.histograms({"a": {"b": torch.rand(3)}}, math.nan, "x"), "exact=nan"),
    "histograms: no bins": (lambda: plots.histograms({"a": {"b": torch.rand(3)}}, 0, "x", 0), "bins=0"),
    "histograms: draws without a name": (lambda: plots.histograms({"a": torch.rand(3)}, 0, "x"), "name -> draws"),
    "cells: three numbers": (lambda: plots.cells(torch.rand(4, 3), {"a": TEN}), r"\(N, 2\)"),
    "cells: NaN words": (lambda: plots.cells(TEN, {"a": TEN * math.nan}), r"codebooks\['a'\] has 20"),
    "cells: no words": (lambda: plots.cells(TEN, {"a": TEN[:0]}), "not empty"),
    "maps: below 0": (
        lambda: plots.maps({"a": torch.tensor([[-2.0, -1.0]])}),
        "values from -2 to 0: use numbers of at least 0, or -1",
    ),
    "maps: NaN": (lambda: plots.maps({"a": torch.tensor([[math.nan]])}), "NaN"),
    "maps: a row": (lambda: plots.maps({"a": torch.rand(3)}), r"\(H, W\)"),
    "image_rows: no columns": (
        lambda: plots.image_rows({"a": GREY}, columns=0),
        "columns=0 was given: use a whole number from 1 to 100",
    ),
    "image_rows: columns as wide as memory": (lambda: plots.image_rows({"a": GREY}, columns=10**9), "from 1 to 100"),
    "image_rows: names that are no text": (lambda: plots.image_rows({1: GREY}), "label -> images"),
    "filmstrip: names that are no steps": (lambda: plots.filmstrip({"one": GREY}), "step -> images"),
    "animation: no path": (lambda: plots.animation(None, [GREY]), "path=None was given: use the path of a file"),
    "animation: snapshots": (lambda: plots.animation("a.gif", {1: GREY}), "a list of images"),
    "animation: two shapes": (
        lambda: plots.animation("a.gif", [GREY, GREY[:5]]),
        r"shapes \(5, 1, 8, 8\), \(10, 1, 8, 8\)",
    ),
    "animation: no zoom": (lambda: plots.animation("a.gif", [GREY], zoom=0), "zoom=0"),
    "animation: no time": (lambda: plots.animation("a.gif", [GREY], milliseconds=0.5), "milliseconds=0.5"),
    "animation: no plays": (lambda: plots.animation("a.gif", [GREY], plays=0), "plays=0"),
    "animation: a title too many": (lambda: plots.animation("a.gif", [GREY], titles=["a", "b"]), "a list of 1 words"),
    "animation: words for rows": (lambda: plots.animation("a.gif", [GREY], columns=5, rows="ab"), "a list of 2 words"),
    "animation: no columns": (lambda: plots.animation("a.gif", [GREY], columns=-1), "columns=-1"),
    "explorer: start outside": (
        lambda: widgets.explorer(line, a=(0.0, 1.0, 2.0)),
        r"slider 'a'=\(0.0, 1.0, 2.0\) was given: .*lie in the range",
    ),
    "explorer: one value": (lambda: widgets.explorer(line, a=(1.0, 1.0, 1.0)), "slider 'a'"),
    "explorer: upside down": (lambda: widgets.explorer(line, a=(1.0, 0.0, 0.5)), "slider 'a'"),
    "explorer: NaN": (lambda: widgets.explorer(line, a=(0.0, math.nan, 0.0)), "finite numbers"),
    "explorer: two numbers": (lambda: widgets.explorer(line, a=(0.0, 1.0)), r"\(lowest, highest, start\)"),
    "explorer: five numbers": (lambda: widgets.explorer(line, a=(0, 1, 0, 1, 1)), r"\(lowest, highest, start\)"),
    "explorer: no step": (lambda: widgets.explorer(line, a=(0, 1, 0, 0)), "a step"),
    "explorer: a step beyond": (lambda: widgets.explorer(line, a=(0, 1, 0, 2)), "a step"),
    "explorer: text": (lambda: widgets.explorer(line, a="012"), "finite numbers"),
    "explorer: a number": (lambda: widgets.explorer(line, a=1), "finite numbers"),
    "explorer: no function": (
        lambda: widgets.explorer(None, a=(0, 1, 0)),
        "draw=None was given: use a function of the sliders",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_what_cannot_be_drawn_is_one_sentence(what, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    draw, words = BAD[what]
    with pytest.raises(ValueError, match=words) as error:
        draw()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("word", ["title", "xlabel", "ylabel", "axis", "scale"])
def test_words_are_texts(word):
    takes = {
        plots.image_rows: ("title", {"a": GREY}),
        plots.scatter: ("title", {"a": {"b": TEN}}),
        plots.curves: ("title xlabel ylabel", {"a": ([1], [1])}),
        plots.manifolds: ("title axis", {"a": GREY[:1]}, 1),
        plots.histograms: ("xlabel", {"a": {"b": TEN[:, 0]}}, 0.0),
        plots.cells: ("title", TEN, {"a": TEN}),
        plots.maps: ("title xlabel ylabel scale", {"a": TEN}),
    }
    for draw, (words, *arguments) in takes.items():
        if word in words.split():
            given = {"xlabel": "x", "ylabel": "y"} if draw is plots.curves else {}
            with pytest.raises(ValueError, match=f"{word}=None was given: use a text"):
                draw(*arguments, **given | {word: None})


@pytest.mark.parametrize("bad", [None, "text", [GREY], GREY, 3, {}, {1: GREY}], ids=lambda bad: type(bad).__name__)
def test_where_a_mapping_belongs(bad):
    z = TEN[:, 0]
    for draw in (
        lambda: plots.image_rows(bad),
        lambda: plots.filmstrip({"a": GREY} if isinstance(bad, dict) and bad else bad),
        lambda: plots.scatter(bad),
        lambda: plots.scatter({"a": {"b": TEN}}, labels={} if bad is None else bad),
        lambda: plots.curves(bad, "x", "y"),
        lambda: plots.curves({"a": ([1], [1])}, "x", "y", points={} if bad is None else bad),
        lambda: plots.curves({"a": ([1], [1])}, "x", "y", labels={} if bad is None else bad),
        lambda: plots.manifolds(bad, 1),
        lambda: plots.latent_points(bad, {"a": TEN[0]}, {"a": GREY[0]}),
        lambda: plots.latent_points({"a": TEN}, bad, {"a": GREY[0]}),
        lambda: plots.latent_points({"a": TEN}, {"a": TEN[0]}, bad),
        lambda: plots.bound(z, bad, {"a": (0, -1)}),
        lambda: plots.bound(z, {"q": z}, bad),
        lambda: plots.ranges(bad, "x"),
        lambda: plots.histograms(bad, 0.0, "x"),
        lambda: plots.cells(TEN, bad),
        lambda: plots.maps(bad),
    ):
        with pytest.raises(ValueError, match=r"a mapping that is not empty, .* -> ") as error:
            draw()
        assert "\n" not in str(error.value)


def test_outside_a_notebook_a_figure_opens_nothing():
    """Neither pyplot nor a backend is asked: `savefig` of what is returned is the way to keep it."""
    code = (
        "import sys, torch; from vaelib.classroom import plots; ax = plots.image_rows({'a': torch.rand(2, 1, 4, 4)});"
        "ax.figure.savefig(sys.stdout.buffer, format='png'); assert 'matplotlib.pyplot' not in sys.modules"
    )
    settings = {"MPLBACKEND": "module://no.such.backend", "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, env=settings)
    assert b"\x89PNG" in done.stdout
    assert done.stderr == b""


@pytest.mark.parametrize("seed", range(12))
def test_no_label_is_cut(seed):
    """Rows of every shape, with labels of every length: nothing is drawn on the outermost pixels."""
    dice = random.Random(seed)
    columns, size = dice.choice([3, 4, 8, 12]), dice.choice([8, 14, 28, 32])
    rows = {f"{'l' * dice.randint(1, 22)}{k}": torch.rand(columns, 1, size, size) for k in range(dice.randint(1, 8))}
    with plots.kept() as pictures:
        plots.image_rows(rows, dice.choice(["", "a title"]), columns)
    ink = np.asarray(Image.open(io.BytesIO(pictures[0].png)).convert("L")) < 200
    assert not ink[:, :2].any()
    assert not ink[:, -2:].any()
    assert not ink[0].any()
    assert not ink[-1].any()


def test_kept_figures_are_not_shown_and_carry_their_words(capsys):
    with plots.kept() as pictures:
        ax = plots.curves({"a": ([1, 2], [3.0, 4.0])}, "steps", "nats")
        plots.filmstrip({0: GREY})
    assert [p.said for p in pictures] == [
        "Figure: nats against steps; last values: a 4.",
        "Figure: 8 images to a row; rows: step 0.",
    ]
    assert isinstance(ax, Axes)
    assert Image.open(io.BytesIO(pictures[0].png)).size == (680, 400)
    assert capsys.readouterr().out == ""
    plots.filmstrip({0: GREY})
    assert len(pictures) == 2
    assert capsys.readouterr().out.startswith("Figure: ")


def test_a_callers_style_does_not_reach_a_figure_and_comes_back():
    def picture():
        with plots.kept() as pictures:
            plots.curves({"a": ([1, 2], [3.0, 4.0])}, "steps", "nats", "title")
        return pictures[0].png

    plain = picture()
    with matplotlib.rc_context({"text.usetex": True, "axes.facecolor": "black", "font.size": 30.0}):
        assert picture() == plain
        assert matplotlib.rcParams["text.usetex"]


# ---- explorers


def line(a, b=0.0):
    plots.curves({"a": ([1, 2], [a, b])}, "x", "y")


def tree(widget):
    """A widget and all below it."""
    return [widget, *(below for child in getattr(widget, "children", ()) for below in tree(child))]


def test_an_explorer_draws_at_every_move():
    seen = []

    def draw(a, b):
        seen.append((a, b))
        line(a, b)

    box = widgets.explorer(draw, a=(-1.0, 1.0, 0.0), b=(0.0, 5.0, 2.0))
    a, b = box.children[0].children
    _, caption, picture = box.children
    pictures = [bytes(picture.value)]
    for slider, value in ((a, 1.0), (b, 0.0), (b, 5.0), (a, -1.0)):
        slider.value = value
        pictures.append(bytes(picture.value))
        assert f"Figure: y against x; last values: a {b.value:.4g}." in caption.value
        assert picture.tooltip in caption.value
    assert seen == [(0.0, 2.0), (1.0, 2.0), (1.0, 0.0), (1.0, 5.0), (-1.0, 5.0)]
    assert len(set(pictures)) == 5
    assert all(Image.open(io.BytesIO(png)).size == (680, 400) for png in pictures)  # nothing below moves
    assert not a.continuous_update
    assert not any(isinstance(widget, ipywidgets.Output) for widget in tree(box))
    assert [type(widget).__name__ for widget in tree(box)] == [
        "VBox", "HBox", "FloatSlider", "FloatSlider", "HTML", "_Picture",
    ]  # fmt: skip


def test_a_slider_that_is_ignored_is_noticed(monkeypatch):
    """The test that each notebook's explorers pass: a value in a title or a label is no picture of it."""
    one = PIXELS[:1]
    drawings = {
        "in words": lambda a, b: plots.image_rows({f"{b:.2f}": one * a}, f"b is {b:.2f}"),
        "past a half": lambda a, b: plots.image_rows({"a": one * a * max(b, 0.5)}),
    }
    boxes = {name: widgets.explorer(draw, a=(0.1, 1.0, 0.2), b=(0.1, 1.0, 0.2)) for name, draw in drawings.items()}
    monkeypatch.setattr(inside, "get_ipython", lambda: types.SimpleNamespace(user_ns=boxes | {"a number": 3}))
    found = inside.explorers()
    found.pop("Output widgets", None)  # another test's
    assert found == {
        "in words": [f"b = {value}: the picture does not change" for value in ("0.433", "1", "0.2")],
        "past a half": ["b = 0.433: the picture does not change"],
    }


def test_what_a_picture_shows_is_seen_whatever_draws_it():
    z = torch.linspace(0, 1, 5)
    for draw in (
        lambda a: drawn(plots.image_rows, {"a": PIXELS * a}),
        lambda a: drawn(plots.curves, {"a": ([0, 1, 2], [0, a, 1])}, "x", "y"),
        lambda a: drawn(plots.scatter, {"a": {"b": torch.tensor([[0.0, 0], [1, a], [1, 1]])}}),
        lambda a: drawn(plots.bound, z, {"q": z}, {"a": (0, -a)}),
        lambda a: drawn(plots.bound, z, {"q": z * a}, {"a": (0, -1)}),
        lambda a: drawn(plots.ranges, {"a": (a, [0, 1])}, "x"),
        lambda a: drawn(plots.ranges, {"a": (0, [0, a])}, "x"),
        lambda a: drawn(plots.histograms, {"a": {"b": z**a}}, 0.0, "x"),
        lambda a: drawn(plots.histograms, {"a": {"b": z}}, a, "x"),
        lambda a: drawn(plots.cells, torch.rand(5, 2, generator=torch.Generator().manual_seed(0)), {"a": TEN * a}),
        lambda a: drawn(plots.latent_points, {"a": TEN}, {"a": TEN[0] * a}, {"a": PIXELS[0]}),
    ):
        one, two, again = (inside._content(draw(value)[0]) for value in (0.3, 0.6, 0.3))
        assert one == again
        assert one != two


def test_an_error_in_the_drawing_is_said_and_the_next_move_draws_again():
    def draw(a):
        if a > 0.5:
            raise ValueError("too <large>\nfor this")
        line(a)
        if a < 0:
            line(a)
        if a == 0:
            print("a word & more")

    box = widgets.explorer(draw, a=(-1.0, 1.0, 0.2))
    (slider,), caption, picture = box.children[0].children, *box.children[1:]
    slider.value = 1.0
    assert "✗ Nothing is drawn for these values: ValueError: too &lt;large&gt; for this" in caption.value
    assert picture.layout.visibility == "hidden"  # it belongs to other values
    slider.value = 0.0
    assert picture.layout.visibility == "visible"
    assert "a word &amp; more<br>Figure: y against x" in caption.value
    slider.value = -1.0
    assert "made 2 figures with vaelib.classroom.plots: an explorer shows one" in caption.value
    with pytest.raises(ValueError, match="made 0 figures"):
        widgets.explorer(lambda a: None, a=(0.0, 1.0, 0.5))
    with pytest.raises(ZeroDivisionError):  # at the start nothing hides it
        widgets.explorer(lambda a: 1 / a, a=(0.0, 1.0, 0.0))


def test_sliders_have_whole_labels_and_readouts():
    box = widgets.explorer(
        lambda **values: line(1.0), pixels=(0, 784, 392, 28), temperature=(0.2, 1.5, 1.0, 0.1), up=(-3.0, 3.0, 0.0)
    )
    row = box.children[0]
    assert row.layout.flex_flow == "row wrap"
    assert [slider.readout_format for slider in row.children] == [".0f", ".2f", ".2f"]
    assert [slider.description for slider in row.children] == ["pixels", "temperature", "up"]
    assert all(slider.style.description_width == "initial" for slider in row.children)
    assert [slider.step for slider in row.children] == [28, 0.1, 0.1]
    assert [(slider.min, slider.max, slider.value) for slider in row.children] == [
        (0, 784, 392), (0.2, 1.5, 1.0), (-3, 3, 0),
    ]  # fmt: skip
    assert {slider.layout.width for slider in row.children} == {"20em"}


@pytest.mark.parametrize(
    ("span", "step", "readout"),
    [
        ((0.0, 3.0, 0.0), 0.05, ".2f"),  # a sixtieth of the range, and the start at either end
        ((0, 3, 3), 0.05, ".2f"),
        ((np.int64(-6), np.float32(6), torch.tensor(6)), 0.2, ".2f"),
        ([0, 3, 3, 3], 3, ".0f"),  # a step may be all of the range
        ((0, 3, 0.5, 1), 1, ".2f"),
        ((0.5, 3, 1, 1), 1, ".2f"),
        ((0, 3, 1, 0.5), 0.5, ".2f"),
    ],
)
def test_the_range_of_a_slider(span, step, readout):
    slider = widgets._slider("name", span)
    assert (slider.min, slider.max, slider.value) == tuple(float(number) for number in span[:3])
    assert (slider.step, slider.readout_format) == (pytest.approx(step), readout)


def test_what_is_around_the_picture_keeps_its_place():
    box = widgets.explorer(line, a=(0.0, 1.0, 0.5))
    _, caption, picture = box.children
    assert caption.layout.min_height == "3em"
    said = "Figure: y against x; last values: a 0."
    assert caption.value == f"<div aria-live='polite' style='line-height: 1.4'>{said}</div>"
    assert (picture.format, picture.layout.max_width, picture.layout.height) == ("png", "100%", "auto")
    assert picture.description == ""  # which ipywidgets asks for
    assert "description" in picture.get_state()


def test_animation(tmp_path, capsys):
    frames = [torch.full((3, 1, 4, 6), value) for value in (0.0, 0.5, 1.0)]
    path = tmp_path / "new" / "film.gif"
    content = plots.animation(path, frames, columns=2, milliseconds=100, zoom=3)
    assert content == path.read_bytes()
    with Image.open(path) as film:
        assert film.n_frames == 3
        assert film.size == (3 * (2 * 7 - 1), 3 * (2 * 5 - 1))  # two columns, two rows, a pixel between
        times, ink = [], []
        for k in range(3):
            film.seek(k)
            times.append(film.info["duration"])
            ink.append(film.convert("L").getpixel((0, 0)))
    assert times == [100, 100, 400]
    assert ink[0] == 255
    assert abs(ink[1] - 127) < 3
    assert ink[2] == 0
    assert capsys.readouterr().out == "Animation: 3 frames, saved as film.gif.\n"
    plots.animation(path, [torch.rand(2, 3, 4, 4)], columns=2)  # colour, over the old file
    assert path.read_bytes() != content
    with pytest.raises(ValueError, match=r"frames=\[\] was given"):
        plots.animation(path, [])
    assert [p.name for p in path.parent.iterdir()] == ["film.gif"]


def test_an_animation_shows_every_pixel_of_every_frame(tmp_path):
    """Grey as ink, colour as it is, each pixel a square; it repeats for ever, and the defaults are those of the docstring."""
    colour = torch.zeros(3, 3, 2, 2)
    colour[0, 0], colour[1, 1, 0], colour[2, 2, :, 0] = 1, 1, 0.5
    greys = torch.linspace(0, 1, 31).view(1, 1, 1, 31)
    for frames, columns, zoom in (([PIXELS, 1 - PIXELS], 2, 3), ([colour], 2, 2), ([greys, greys / 2], 1, 1)):
        film = Image.open(io.BytesIO(plots.animation(tmp_path / "a.gif", frames, columns=columns, zoom=zoom)))
        assert film.n_frames == len(frames)
        for k, images in enumerate(frames):
            film.seek(k)
            tile = plots._tile(images, columns)
            wanted = (255 * (1 - tile if len(tile) == 1 else tile)).round().expand(3, -1, -1).permute(1, 2, 0).numpy()
            found = np.asarray(film.convert("RGB"), float)
            assert found.shape == (zoom * wanted.shape[0], zoom * wanted.shape[1], 3)
            assert np.abs(found - wanted.repeat(zoom, 0).repeat(zoom, 1)).max() <= 1
    film = Image.open(
        io.BytesIO(plots.animation(tmp_path / "a.gif", [torch.zeros(9, 1, 4, 6), torch.ones(9, 1, 4, 6)]))
    )
    assert (film.size, film.info["loop"], film.info["duration"]) == ((2 * (8 * 7 - 1), 2 * (2 * 5 - 1)), 0, 400)
    many = torch.rand(1, 3, 40, 40, generator=torch.Generator().manual_seed(0))
    film = Image.open(io.BytesIO(plots.animation(tmp_path / "a.gif", [many], columns=1, zoom=1)))
    assert 100 < len(film.convert("RGB").getcolors(2000)) <= 128  # a palette keeps the file small
    film = Image.open(io.BytesIO(plots.animation(tmp_path / "a.gif", [many[:, :1]], columns=1, zoom=1)))
    assert 20 < len(film.convert("RGB").getcolors(2000)) <= 32


def test_an_animation_with_words_and_an_end(tmp_path):
    """Titles above, words beside the rows, and as many plays as asked for: a GIF counts the repeats."""
    frames = [torch.zeros(4, 1, 8, 8), torch.ones(4, 1, 8, 8)]
    plain = Image.open(io.BytesIO(plots.animation(tmp_path / "a.gif", frames, columns=2)))
    options = dict(columns=2, titles=["step 0", "step 9"], rows=["rebuilt", "drawn"])
    film = Image.open(io.BytesIO(plots.animation(tmp_path / "a.gif", frames, plays=3, **options)))
    left, top = (film.size[k] - plain.size[k] for k in (0, 1))
    assert film.info["loop"] == 2
    assert left > 20
    assert top > 10
    seen = []
    for k in range(2):
        film.seek(k)
        seen.append(np.asarray(film.convert("L"), float))
    assert seen[0][:top].min() < 100
    assert (seen[0][:top] != seen[1][:top]).any()
    for half in (seen[0][top : top + plain.size[1] // 2, :left], seen[0][top + plain.size[1] // 2 :, :left]):
        assert half.min() < 100
    assert (seen[0][top:, left:] == 255).all()
    once = Image.open(io.BytesIO(plots.animation(tmp_path / "a.gif", frames, columns=2, plays=1)))
    assert "loop" not in once.info


def test_an_animation_that_cannot_be_saved_is_there_all_the_same(tmp_path, capsys):
    (tmp_path / "file").write_text("a file where a folder should be")
    frames = [torch.rand(3, 1, 4, 6), torch.rand(3, 1, 4, 6)]
    content = plots.animation(tmp_path / "file" / "film.gif", frames)
    assert Image.open(io.BytesIO(content)).n_frames == 2
    assert capsys.readouterr().out == "Animation: 2 frames, not saved as film.gif (its folder is a file).\n"
    assert content == plots.animation(tmp_path / "film.gif", frames)
