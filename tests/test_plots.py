import matplotlib.pyplot as plt
import pytest
import torch

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
    assert isinstance(ax, plt.Axes)
    plt.close("all")


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
    plt.close("all")


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
    plt.close("all")


def test_histograms_share_an_axis_that_shows_the_exact_value():
    draws = torch.cat([torch.zeros(999), torch.tensor([1e6])])  # one far draw does not squeeze the rest
    ax = plots.histograms({"a": {"x": draws}, "b": {"x": draws + 1}}, exact=3.0, xlabel="estimate")
    low, high = ax.get_xlim()
    assert low < 0 < 3.0 < high < 100
    assert ax.get_xlim() == ax.figure.axes[1].get_xlim()
    plt.close("all")


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
    plt.close("all")


def test_bad_input_is_one_sentence():
    with pytest.raises(ValueError, match=r"a picture has shape \(1, H, W\) or \(3, H, W\)"):
        plots.image_rows({"two channels": torch.zeros(2, 2, 4, 4)})
    with pytest.raises(ValueError, match="a grid needs images"):
        plots._tile(torch.zeros(4, 4), 2)
    with pytest.raises(ValueError, match=r"points of shape \(N, 2\)"):
        plots.scatter({"a": {"b": torch.zeros(5, 3)}})
    plt.close("all")
    with pytest.raises(ValueError, match="the start lies in the range"):
        widgets.explorer(lambda a: None, a=(0.0, 1.0, 2.0))


def test_an_explorer_calls_its_drawing_at_every_move():
    seen = []
    box = widgets.explorer(lambda a, b: seen.append((a, b)), a=(-1.0, 1.0, 0.0), b=(0.0, 5.0, 2.0))
    a, b = box.children[0].children
    for slider, value in ((a, 1.0), (b, 0.0), (b, 5.0), (a, -1.0)):
        slider.value = value
    assert seen == [(0.0, 2.0), (1.0, 2.0), (1.0, 0.0), (1.0, 5.0), (-1.0, 5.0)]
    assert not a.continuous_update


def test_animation(tmp_path, capsys):
    from PIL import Image

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
