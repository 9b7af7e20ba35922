import io
import random
import re
import subprocess
import sys

import ipywidgets
import matplotlib.style
import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from PIL import Image

from vaelib import plots, widgets

GREY, COLOUR = torch.rand(10, 1, 8, 8), torch.randint(0, 256, (10, 3, 8, 8), dtype=torch.uint8)
POINTS = torch.randn(30, 2)


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


def test_curves_carry_labels_that_do_not_need_colour():
    ax = plots.curves({"a": ([1, 2], [3.0, 4.0]), "b": ([1, 2], [4.0, 5.0])}, "steps", "nats")
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("steps", "nats")
    first, second = ax.get_lines()
    assert first.get_linestyle() != second.get_linestyle()
    assert first.get_marker() != second.get_marker()


def test_a_bound_is_drawn_to_scale_and_said(capsys):
    """Bars start and end where they should, and what is written beside each is its length with its sign."""
    z = torch.linspace(-1, 1, 5)
    plane = plots.bound(z, {"q": z.exp()}, {"ELBO": (0, -3.0), "gap": (-3.0, -2.25)})
    assert "ELBO -3.000, gap +0.750" in capsys.readouterr().out
    ladder = plane.figure.axes[1]
    bars = [(p.get_x(), p.get_x() + p.get_width()) for p in ladder.patches]
    assert bars == [(0, -3.0), (-3.0, -2.25)]
    assert [text.get_text().strip() for text in ladder.texts] == ["-3.00", "+0.75"]
    assert ladder.get_xlim() == (-8, 1.6)  # whatever the bars are
    far = plots.bound(z, {"q": z.exp()}, {"ELBO": (0, -300.0)}).figure.axes[1]
    assert far.get_xlim() == (-8, 1.6)
    assert "◀ -300" in far.texts[0].get_text()


def test_histograms_share_an_axis_that_shows_the_exact_value():
    draws = torch.cat([torch.zeros(999), torch.tensor([1e6])])  # one far draw does not squeeze the rest
    ax = plots.histograms({"a": {"x": draws}, "b": {"x": draws + 1}}, exact=3.0, xlabel="estimate")
    low, high = ax.get_xlim()
    assert low < 0 < 3.0 < high < 100
    assert ax.get_xlim() == ax.figure.axes[1].get_xlim()


def test_maps_mark_what_is_minus_one_and_count_the_rest(capsys):
    values = torch.tensor([[0.0, 2.0, -1.0], [0.5, 0.0, 0.0]])
    ax = plots.maps({"a": values, "b": values.abs()}, xlabel="j", ylabel="i")
    assert "a, 2 of 6 entries above 0; b, 3 of 6" in capsys.readouterr().out
    crosses = [panel.collections[0].get_offsets().tolist() for panel in ax.figure.axes]
    assert crosses == [[[2.0, 0.0]], []]  # column, row
    shown = ax.images[0]
    assert shown.get_array().min() == 0
    assert shown.get_clim()[1] > 2
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("j", "i")


def test_bad_input_is_one_sentence():
    with pytest.raises(ValueError, match=r"a picture has shape \(1, H, W\) or \(3, H, W\)"):
        plots.image_rows({"two channels": torch.zeros(2, 2, 4, 4)})
    with pytest.raises(ValueError, match="a grid needs images"):
        plots._tile(torch.zeros(4, 4), 2)
    with pytest.raises(ValueError, match=r"points of shape \(N, 2\)"):
        plots.scatter({"a": {"b": torch.zeros(5, 3)}})
    with pytest.raises(ValueError, match="the start lies in the range"):
        widgets.explorer(lambda a: None, a=(0.0, 1.0, 2.0))


def test_outside_a_notebook_a_figure_opens_nothing():
    """Neither pyplot nor a backend is asked: `savefig` of what is returned is the way to keep it."""
    code = (
        "import sys, torch; from vaelib import plots; ax = plots.image_rows({'a': torch.rand(2, 1, 4, 4)});"
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
    def drawn():
        with plots.kept() as pictures:
            plots.curves({"a": ([1, 2], [3.0, 4.0])}, "steps", "nats", "title")
        return pictures[0].png

    plain = drawn()
    with matplotlib.rc_context({"text.usetex": True, "axes.facecolor": "black", "font.size": 30.0}):
        assert drawn() == plain
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
    assert "made 2 figures with vaelib.plots: an explorer shows one" in caption.value
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
    assert "Animation: 3 frames" in capsys.readouterr().out
    plots.animation(path, [torch.rand(2, 3, 4, 4)], columns=2)  # colour, over the old file
    assert path.read_bytes() != content
    with pytest.raises(ValueError, match="0 frames"):
        plots.animation(path, [])
    assert [p.name for p in path.parent.iterdir()] == ["film.gif"]


def test_an_animation_that_cannot_be_saved_is_there_all_the_same(tmp_path, capsys):
    (tmp_path / "file").write_text("a file where a folder should be")
    frames = [torch.rand(3, 1, 4, 6), torch.rand(3, 1, 4, 6)]
    content = plots.animation(tmp_path / "file" / "film.gif", frames)
    assert Image.open(io.BytesIO(content)).n_frames == 2
    assert re.search(r"Animation: 2 frames, not saved as film\.gif \(\w.+\)\.", capsys.readouterr().out)
    assert content == plots.animation(tmp_path / "film.gif", frames)
