import io
import os
import sys

import numpy as np
import pytest
import torch

from vaelib import checks, data, glyphs


@pytest.mark.parametrize(("name", "shape"), [("glyphs", (1, 28, 28)), ("glyphs-rgb", (3, 32, 32))])
def test_built_in_sets(name, shape):
    train, test = data.load(name), data.load(name, train=False)
    assert train.x.shape == (12_000, *shape)
    assert test.x.shape == (2_000, *shape)
    assert train.x.dtype == torch.uint8
    assert train.y.dtype == torch.int64
    assert torch.equal(train.y.bincount(), torch.full((10,), 1200))
    assert {x.numpy().tobytes() for x in train.x}.isdisjoint({x.numpy().tobytes() for x in test.x})
    assert train.x.min() == 0
    assert train.x.max() == 255
    again = data.load(name)  # from the cache now
    assert torch.equal(again.x, train.x)
    assert torch.equal(again.y, train.y)


@pytest.mark.parametrize("rgb", [False, True])
def test_a_seed_draws_the_same_images_and_another_seed_others(rgb):
    x, y = glyphs.draw(30, seed=3, rgb=rgb)
    x_again, y_again = glyphs.draw(30, seed=3, rgb=rgb)
    assert np.array_equal(x, x_again)
    assert np.array_equal(y, y_again)
    assert not np.array_equal(x, glyphs.draw(30, seed=4, rgb=rgb)[0])


DRAWN = {  # glyphs.VERSION -> its figures; a new VERSION is a new row, and no row ever changes
    1: {
        "glyphs": (
            [37.58, 85.85, 16.75, 18.02],
            [
                [0, 16.96, 14.47, 0, 0, 130.37, 81.80, 0, 0, 93.12, 186.78, 1.96, 0, 0, 56.33, 0],
                [0, 34.35, 31.27, 0, 6.61, 94.31, 138.47, 0, 0, 66.96, 35.49, 0, 0, 44.57, 0, 0],
            ],
        ),
        "glyphs-rgb": (
            [127.37, 74.57, 12.16, 12.58],
            [
                [127.16, 124.22, 128.59, 126.02, 100.48, 113.37, 108.36, 76.21, 63.54, 74.91, 44.13, 67.01],
                [148.49, 167.39, 121.91, 158.68, 134.21, 109.99, 131.99, 128.41, 144.67, 117.99, 131.69, 137.48],
            ],
        ),
    }
}


def the_drawing_is_that_of_its_version(module, name):
    """1010 images: their mean, their spread, the mean step down and across; and the first and the last, in a few mean blocks.

    The same to 0.01 with Pillow 10.1 to 13.0 (FreeType 2.13.2 to 2.14.3), Matplotlib 3.9 and 3.11, and with or without vector
    instructions. Noise of 2 levels in each template would move the four numbers by 0.02 and a block by 0.2; a digit moved by one
    of the canvas's 48 pixels moves blocks by 19.
    """
    assert module.VERSION in DRAWN, "a new drawing: add its figures"
    x = module.draw(1010, seed=0, rgb=name == "glyphs-rgb")[0].astype(float)  # the last ones belong to a second chunk
    four = [x.mean(), x.std(), np.abs(np.diff(x, axis=2)).mean(), np.abs(np.diff(x, axis=3)).mean()]
    side = {"glyphs": 7, "glyphs-rgb": 16}[name]
    blocks = x[[0, -1]].reshape(2, x.shape[1], x.shape[2] // side, side, x.shape[3] // side, side).mean((3, 5))
    known = DRAWN[module.VERSION][name]
    checks.check("over all images", np.array(four) - known[0], 0.05)
    checks.check("blocks of two images", blocks.reshape(2, -1) - known[1], 0.25)


@pytest.mark.parametrize("name", ["glyphs", "glyphs-rgb"])
def test_another_drawing_has_another_version(name):
    """The cache goes by VERSION: without a new one, whoever has drawn before keeps the old images."""
    the_drawing_is_that_of_its_version(glyphs, name)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("glyphs", "(_CANVAS - 32) // 2)", "(_CANVAS - 32) // 2 + 1)"),
        ("glyphs", "(_CANVAS - width) // 2", "(_CANVAS - width) // 2 + 1"),
        ("glyphs", "n, 0.12, 0.32", "n, 0.12, 0.34"),
        ("glyphs", "randn(n, 2, 4, 4, generator=generator) * 0.045", "randn(n, 2, 4, 4, generator=generator) * 0.05"),
        ("glyphs", "_CHUNK = 1000", "_CHUNK = 2000"),
        ("glyphs", '"DejaVuSans-Bold",\n', '"DejaVuSerif-Bold",\n'),
        ("glyphs-rgb", "dark * ground * 0.5", "dark * ground * 0.45"),
        ("glyphs-rgb", "0.6 + stroke * 0.4", "0.65 + stroke * 0.35"),
        ("glyphs-rgb", "0.06 * stripes", "0.065 * stripes"),
        ("glyphs-rgb", "(ground + texture)).clamp_(0, 1)", "(ground + texture)).clamp_(0, 1).flip(1)"),
        ("glyphs-rgb", ".round_()", ""),
        ("glyphs-rgb", "VERSION = 1 ", "VERSION = 2 "),  # raised, and no figures given
    ],
)
def test_planted_changes_of_the_drawing_are_seen(name, old, new, plant, caught):
    caught(f"{old} -> {new}", lambda: the_drawing_is_that_of_its_version(plant("vaelib.glyphs", old, new), name))


def test_the_label_is_the_digit_drawn():
    """A linear classifier, fitted to other images, reads the labels: nothing is shuffled apart."""
    train, test = data.load("glyphs"), data.load("glyphs", train=False)
    x = data.as_float(train.x[:4000]).flatten(1).double()
    targets = torch.nn.functional.one_hot(train.y[:4000], 10).double()
    weights = torch.linalg.solve(x.T @ x + 10 * torch.eye(784), x.T @ targets)
    guess = (data.as_float(test.x).flatten(1).double() @ weights).argmax(1)
    assert (guess == test.y).double().mean() > 0.75


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(
        ValueError,
        match="unknown image set 'emnist': the known ones are glyphs, glyphs-rgb, mnist, fashion-mnist, cifar10",
    ):
        data.load("emnist")
    with pytest.raises(ValueError, match="is for folder:PATH only"):
        data.load("glyphs", size=32)
    with pytest.raises(ValueError, match="at_hand takes one of mnist"):
        data.at_hand("glyphs", otherwise="mnist")


def test_a_missing_real_set_says_how_to_get_it(tmp_path):
    with pytest.raises(data.DataError, match=r"mnist is not in .*: run `python -m vaelib.data download mnist`"):
        data.load("mnist", root=tmp_path)


def test_the_set_at_hand(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("VAELIB_DATA", str(tmp_path))
    assert data.at_hand("mnist", otherwise="glyphs") == "glyphs"
    assert "python -m vaelib.data download mnist" in capsys.readouterr().out
    (tmp_path / "MNIST").mkdir()
    assert data.at_hand("mnist", otherwise="glyphs") == "mnist"


# ---- the cache


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(data, "BUILT_IN_COUNTS", {True: 40, False: 20})


def test_the_cache_is_used(small, tmp_path, monkeypatch):
    first = data.load("glyphs", root=tmp_path)
    monkeypatch.setattr(glyphs, "draw", lambda *a, **k: pytest.fail("drawn again"))
    assert torch.equal(data.load("glyphs", root=tmp_path).x, first.x)


def a_new_version_is_drawn_anew(module, root, monkeypatch):
    drawn = []
    with monkeypatch.context() as patch:
        patch.setattr(module, "BUILT_IN_COUNTS", {True: 40, False: 20})
        patch.setattr(glyphs, "draw", lambda *a, _draw=glyphs.draw, **k: (drawn.append(1), _draw(*a, **k))[1])
        for version in (1, 2, 2):
            patch.setattr(glyphs, "VERSION", version)
            module.load("glyphs", root=root)
    assert len(drawn) == 2


def test_the_cache_goes_by_version(tmp_path, monkeypatch, caught, plant):
    a_new_version_is_drawn_anew(data, tmp_path / "right", monkeypatch)
    mutant = plant("vaelib.data", "-v{glyphs.VERSION}", "")
    caught("no version", lambda: a_new_version_is_drawn_anew(mutant, tmp_path / "wrong", monkeypatch))


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "text", "other"])
def test_a_damaged_cache_is_said_and_drawn_again(small, tmp_path, capsys, damage):
    first = data.load("glyphs", root=tmp_path)
    path = next(tmp_path.glob("*.npz"))
    whole = path.read_bytes()
    other = io.BytesIO()
    np.savez(other, x=np.zeros((3, 1, 28, 28), np.uint8), y=np.zeros(3, np.int64))
    half = len(whole) // 2
    path.write_bytes(
        {
            "cut": whole[:half],
            "flip": whole[:half] + bytes([whole[half] ^ 1]) + whole[half + 1 :],
            "empty": b"",
            "text": b"hello",
            "other": other.getvalue(),
        }[damage]
    )
    assert torch.equal(data.load("glyphs", root=tmp_path).x, first.x)
    assert "is damaged, so its images are drawn again" in capsys.readouterr().out
    assert torch.equal(data.load("glyphs", root=tmp_path).x, first.x)
    assert capsys.readouterr().out == ""  # repaired
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="no /proc")
def test_a_folder_that_cannot_be_written_costs_only_time(small, capsys):
    images = data.load("glyphs", root="/proc/vaelib")  # not even root can write there
    assert len(images.x) == 40
    assert "glyphs cannot be kept in /proc/vaelib" in capsys.readouterr().out


def test_a_full_disk_leaves_no_half_cache(small, tmp_path, monkeypatch, capsys):
    def full(file, **arrays):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    assert len(data.load("glyphs", root=tmp_path).x) == 40
    assert "No space left on device" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_a_data_folder_that_is_a_file(tmp_path, monkeypatch):
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setenv("VAELIB_DATA", str(file))
    with pytest.raises(ValueError, match=r"VAELIB_DATA is .*, a file: give a folder"):
        data.load("glyphs")
    with pytest.raises(ValueError, match=r"root is .*, a file"):
        data.load("mnist", root=file)


# ---- batches


def test_as_float():
    x = torch.tensor([0, 51, 255], dtype=torch.uint8)
    assert torch.equal(data.as_float(x), torch.tensor([0.0, 0.2, 1.0]))
    labels = torch.tensor([3, 4])
    assert data.as_float(labels) is labels


def binarize_has_the_right_mean(module):
    x = torch.tensor([0.0, 0.2, 0.7, 1.0])
    draws = module.binarize(x.expand(40_000, 4), torch.Generator().manual_seed(0))
    checks.check("only zeros and ones", ((draws == 0) | (draws == 1)).all().item())
    checks.check("0 and 1 are certain", draws[:, [0, 3]].mean(0) - x[[0, 3]], 0)
    checks.check_mean("E[b] = 0.2", draws[:, 1], 0.2, slip=0.8)
    checks.check_mean("E[b] = 0.7", draws[:, 2], 0.7, slip=0.3)


def test_binarize(caught, plant):
    binarize_has_the_right_mean(data)
    old = "dtype=x.dtype) < x)"
    for new in ("dtype=x.dtype) > x)", "dtype=x.dtype) < x.square())", "dtype=x.dtype) * 0 + 0.5 < x)"):
        caught(new, lambda new=new: binarize_has_the_right_mean(plant("vaelib.data", old, new)))
    with pytest.raises(ValueError, match=r"got torch.uint8: use data.as_float first"):
        data.binarize(torch.zeros(2, dtype=torch.uint8))
    with pytest.raises(ValueError, match="got values from 0 to 255"):
        data.binarize(torch.tensor([0.0, 255.0]))
    with pytest.raises(ValueError, match="binarize takes images in"):
        data.binarize(torch.tensor([0.5, float("nan")]))


def first_batches(count, start=0, **settings):
    x = torch.arange(50)
    stream = data.minibatches(x, x + 100, batch_size=16, start=start, **settings)
    return [next(stream) for _ in range(count)]


def test_minibatches_cover_the_data_and_can_start_anywhere():
    batches = first_batches(9, seed=1)
    for epoch in range(3):  # 3 batches of 16 fit in 50
        seen = torch.cat([x for x, _ in batches[3 * epoch : 3 * epoch + 3]])
        assert len(seen.unique()) == 48
    assert all(torch.equal(y, x + 100) for x, y in batches)
    assert not torch.equal(batches[0][0], batches[3][0])  # another order each time
    for start in range(9):
        assert torch.equal(first_batches(1, start, seed=1)[0][0], batches[start][0])
    assert not torch.equal(first_batches(1, seed=2)[0][0], batches[0][0])
    images = torch.full((4, 1, 2, 2), 255, dtype=torch.uint8)
    assert torch.equal(next(data.minibatches(images, batch_size=4))[0], torch.ones(4, 1, 2, 2))


def test_minibatches_refuse_what_cannot_be():
    x = torch.zeros(5, 2)
    with pytest.raises(ValueError, match="batch_size=6 was given for 5 examples: use 1 to 5"):
        data.minibatches(x, batch_size=6)
    with pytest.raises(ValueError, match="batch_size=0"):
        data.minibatches(x, batch_size=0)
    with pytest.raises(ValueError, match="have 5, 4 examples"):
        data.minibatches(x, x[:4], batch_size=2)


def test_the_command_names_the_known_sets(capsys):
    with pytest.raises(SystemExit) as stop:
        data.main(["download", "imagenet"])
    assert stop.value.code == 2
    assert "mnist" in capsys.readouterr().err
    with pytest.raises(ValueError, match="nothing to download for 'glyphs'"):
        data.download("glyphs")
    assert os.environ["VAELIB_DATA"]  # the tests never touch the user's own folder
