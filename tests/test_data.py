import io
import os
import re
import warnings

import numpy as np
import pytest
import torch
from machine import a_disk_with_room_for, bound_by_modes, posix

from vaelib import data, glyphs
from vaelib.classroom import checks
from vaelib.outside import downloads


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


def test_a_drawing_that_cannot_be_is_refused():
    for count in (0, -1, 2.0, None, "3", True):
        with pytest.raises(ValueError, match=f"count={count!r} was given: use a whole number, at least 1."):
            glyphs.draw(count, seed=0)
    for seed in (-1, 2**64, 0.5, None, "0"):
        with pytest.raises(ValueError, match=r"^seed=.* was given: use a whole number from 0 to"):
            glyphs.draw(2, seed=seed)
    with pytest.raises(ValueError, match="rgb='yes' was given: use True or False"):
        glyphs.draw(2, seed=0, rgb="yes")


def test_other_seeds_draw_other_images_up_to_the_largest():
    seeds = (0, 2**31 - 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1)
    drawn = {glyphs.draw(np.int64(3), seed=seed)[0].tobytes() for seed in seeds[:4]}
    assert len(drawn) == 4
    for seed in seeds:
        x, y = glyphs.draw(1, seed)  # grey is the default
        assert (x.shape, x.dtype, y.tolist()) == ((1, 1, 28, 28), np.uint8, [0])


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
    columns = int((module._templates() > 0.5).any(2).sum())  # that hold ink, of all digits in all faces
    checks.check("columns with ink in the templates", columns - 4312, 4)
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
        ("glyphs", "(right - left, bottom", "(right + left, bottom"),  # a few digits narrower
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
        match="unknown image set 'emnist': the known ones are glyphs, glyphs-rgb, mnist, fashion-mnist, cifar10 and folder:PATH",
    ):
        data.load("emnist")
    with pytest.raises(ValueError, match="is for folder:PATH only"):
        data.load("glyphs", size=32)
    for train in ("test", 1, None):
        with pytest.raises(ValueError, match=f"train={train!r} was given: use True or False"):
            data.load("glyphs", train=train)
    for name in (None, ["glyphs"], 3, b"glyphs"):
        with pytest.raises(
            ValueError,
            match=r"^name=.* was given: use one of glyphs, glyphs-rgb, mnist, .* or folder:PATH\.$",
        ):
            data.load(name)
    for root in ("", 3, b"/tmp"):
        for call in (lambda root: data.load("glyphs", root=root), downloads.folder):
            with pytest.raises(ValueError, match=r"^root=.* was given: use a folder for the image sets\.$"):
                call(root)
    with pytest.raises(ValueError, match=r"name='glyphs' was given: use 'mnist' or 'fashion-mnist' or 'cifar10'\."):
        data.at_hand("glyphs", otherwise="mnist")
    with pytest.raises(ValueError, match="otherwise='mnist' was given: use 'glyphs' or 'glyphs-rgb'"):
        data.at_hand("mnist", otherwise="mnist")


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


@pytest.mark.parametrize("name", ["glyphs", "glyphs-rgb"])
@pytest.mark.parametrize("train", [True, False])
def test_the_cache_is_used(small, tmp_path, monkeypatch, name, train):
    first = data.load(name, train, root=tmp_path)
    monkeypatch.setattr(glyphs, "draw", lambda *a, **k: pytest.fail("drawn again"))
    again = data.load(name, np.bool_(train), root=tmp_path)
    assert torch.equal(again.x, first.x)
    assert torch.equal(again.y, first.y)
    assert len(again.x) == (40 if train else 20)
    if train:
        assert torch.equal(data.load(name, root=tmp_path).x, first.x)  # the default


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


OTHER = {  # what a cache of 40 images may hold -> is it right?
    "right": lambda x, y: {"x": x, "y": y},
    "too few": lambda x, y: {"x": x[:3], "y": y[:3]},
    "floats": lambda x, y: {"x": x.astype(np.float32), "y": y},
    "int8": lambda x, y: {"x": x.astype(np.int8), "y": y},
    "two channels": lambda x, y: {"x": x.repeat(2, 1), "y": y},
    "another side": lambda x, y: {"x": x[..., :27], "y": y},
    "no channel": lambda x, y: {"x": x[:, 0], "y": y},
    "labels as floats": lambda x, y: {"x": x, "y": y.astype(float)},
    "labels in uint8": lambda x, y: {"x": x, "y": y.astype(np.uint8)},
    "labels in a column": lambda x, y: {"x": x, "y": y[:, None]},
    "other labels": lambda x, y: {"x": x, "y": y + 1},
    "two labels exchanged": lambda x, y: {"x": x, "y": np.concatenate([y[1::-1], y[2:]])},
    "labels of the test set": lambda x, y: {"x": x, "y": glyphs.draw(40, seed=1)[1]},
    "no labels": lambda x, y: {"x": x},
    "objects": lambda x, y: {"x": x, "y": y.astype(object)},
}


@pytest.mark.parametrize("kind", OTHER)
def test_a_cache_of_something_else_is_not_used(small, tmp_path, capsys, kind):
    first = data.load("glyphs", root=tmp_path)
    path = next(tmp_path.glob("*.npz"))
    np.savez(path, **OTHER[kind](first.x.numpy(), first.y.numpy()))
    again = data.load("glyphs", root=tmp_path)
    assert ("is damaged, so its images are drawn again" in capsys.readouterr().out) == (kind != "right")
    for images in (again, data.load("glyphs", root=tmp_path)):
        assert torch.equal(images.x, first.x)
        assert torch.equal(images.y, first.y)
        assert (images.x.dtype, images.y.dtype) == (torch.uint8, torch.int64)
    assert capsys.readouterr().out == ""  # repaired


@posix
def test_a_class_shares_a_folder(small, shared, monkeypatch, capsys):
    """A teacher fills it; students read, and replace nothing."""
    first = data.load("glyphs", root=shared)
    path = next(shared.glob("*.npz"))
    inode = path.stat().st_ino
    with bound_by_modes():
        assert torch.equal(data.load("glyphs", root=shared).x, first.x)
        assert capsys.readouterr().out == ""
    path.chmod(0o000)
    with bound_by_modes():
        for _ in range(2):
            assert torch.equal(data.load("glyphs", root=shared).x, first.x)
            assert capsys.readouterr().out == (
                f"{path} may not be read by you: its owner can change that. So glyphs is drawn anew each time, in about a second.\n"
            )
    path.write_bytes(b"damaged")
    path.chmod(0o444)
    with bound_by_modes():
        assert torch.equal(data.load("glyphs", root=shared).x, first.x)
        said = capsys.readouterr().out.splitlines()
        assert [line.partition(" ")[2] for line in said] == [
            "in the data folder is damaged, so its images are drawn again.",
            f"cannot be kept in {shared} (Permission denied), so it is drawn anew each time, in about a second.",
        ]
    assert path.stat().st_ino == inode
    assert len(list(shared.iterdir())) == 1


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


@posix
def test_a_folder_that_cannot_be_written_costs_only_time(small, capsys):
    images = data.load("glyphs", root="/proc/vaelib")  # not even root can write there
    assert len(images.x) == 40
    assert "glyphs cannot be kept in /proc/vaelib" in capsys.readouterr().out


@posix
def test_a_full_disk_leaves_no_half_cache(small, tmp_path, capsys):
    with a_disk_with_room_for(10_000):
        assert len(data.load("glyphs", root=tmp_path).x) == 40
    assert f"glyphs cannot be kept in {tmp_path} (File too large)" in capsys.readouterr().out
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
    assert data.as_float(torch.zeros(0, 1, 4, 4, dtype=torch.uint8)).dtype == torch.float32
    for wrong in (None, [0.5], np.zeros(2, np.uint8), 3):
        with pytest.raises(ValueError, match=r"^x.* was given: use a tensor"):
            data.as_float(wrong)


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
    with pytest.raises(ValueError, match=r"a uint8 tensor .* use a float tensor. data.as_float makes floats"):
        data.binarize(torch.zeros(2, dtype=torch.uint8))
    with pytest.raises(ValueError, match=r"x has values from 0 to 255: use images in \[0, 1\]"):
        data.binarize(torch.tensor([0.0, 255.0]))
    with pytest.raises(ValueError, match="x has values from nan to nan"):
        data.binarize(torch.tensor([0.5, float("nan")]))
    with pytest.raises(ValueError, match="generator=0 was given"):
        data.binarize(torch.rand(2), 0)
    assert data.binarize(torch.zeros(0, 1, 4, 4)).shape == (0, 1, 4, 4)


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
    for wrong in (
        None,
        [x],
        x.tolist(),
        "glyphs",
        torch.utils.data.DataLoader(x),
        torch.tensor(3.0),
        x[:0],
        np.array(["a"]),
    ):
        with pytest.raises(ValueError, match=r"^tensors\[1\].* was given: use a tensor that is not empty\.$"):
            data.minibatches(x, wrong, batch_size=2)
    with pytest.raises(ValueError, match=r"use images.x, or images.x, images.y\.$"):
        data.minibatches(data.Images(x, x, "mine"), batch_size=2)
    with pytest.raises(ValueError, match="no tensor was given"):
        data.minibatches(batch_size=2)
    with pytest.raises(ValueError, match=r"tensors\[1\] lies on meta"):
        data.minibatches(x, x.to("meta"), batch_size=2)
    for settings, said in (
        ({"start": -1}, "start=-1 was given: use a whole number, at least 0."),
        ({"start": None}, "start=None was given"),
        ({"seed": -1}, "seed=-1 was given: use a whole number from 0 to 18446744073709551615."),
        ({"seed": 0.5}, "seed=0.5 was given"),
        ({"batch_size": 2.5}, "batch_size=2.5 was given: use a whole number"),
        ({"batch_size": None}, "batch_size=None was given: use a whole number"),
    ):
        with pytest.raises(ValueError, match=re.escape(said)):
            data.minibatches(x, **({"batch_size": 2} | settings))


def test_minibatches_take_arrays_and_numbers_of_numpy():
    x, y = torch.rand(50, 3), torch.arange(50)
    expected = [next(data.minibatches(x, y, batch_size=16, seed=5, start=k)) for k in (0, 3)]
    read_only = x.numpy().copy()
    read_only.setflags(write=False)
    for images in (x.numpy(), read_only, x.numpy()[::-1][::-1], x.numpy().astype(">f4")):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            settings = {"batch_size": np.int64(16), "seed": np.uint32(5)}
            found = [next(data.minibatches(images, y.numpy(), start=np.int8(k), **settings)) for k in (0, 3)]
        for (a, b), (c, d) in zip(found, expected, strict=True):
            assert torch.equal(a, c)
            assert torch.equal(b, d)
            assert (a.dtype, b.dtype) == (torch.float32, torch.int64)


def test_large_seeds_of_minibatches():
    seeds = (0, 1, 2**31, 2**31 + 1, 1_790_000_000_123_456_789, 2**64 - 1)
    firsts = {tuple(first_batches(1, start, seed=seed)[0][0].tolist()) for seed in seeds for start in (0, 3)}
    assert len(firsts) == 2 * len(seeds)
    x = torch.arange(50)  # as they always were
    order = torch.randperm(50, generator=torch.Generator().manual_seed(2 * 1_000_003 + 1))
    assert torch.equal(next(data.minibatches(x, batch_size=16, seed=2, start=3))[0], x[order[:16]])
    default = next(data.minibatches(x, batch_size=16))[0]
    assert torch.equal(default, x[torch.randperm(50, generator=torch.Generator().manual_seed(0))[:16]])


def whole_batch(module, x):
    try:
        return next(module.minibatches(x, batch_size=len(x)))[0]
    except ValueError as error:
        raise AssertionError(f"refused: {error}") from error


def only_images_are_divided(module):
    dark = torch.zeros(20, 1, 2, 2, dtype=torch.uint8)
    dark[3, 0, 1, 1] = 2  # 19 black images and a dark one
    first_dark = torch.full((20, 1, 2, 2), 255, dtype=torch.uint8)
    first_dark[0] = 1
    for images in (dark, dark * 0, dark + 253, first_dark):
        x = whole_batch(module, images)
        checks.check("images come as float", x.dtype == torch.float32)
        checks.check("0 to 255 become 0 to 1", x.sum() * 255 - images.sum(), 1e-3)
    for shape in ((40,), (40, 7), (40, 4, 4)):  # labels; a few for each example; codes
        for top in (2, 256):
            y = torch.randint(0, top, shape, generator=torch.Generator().manual_seed(0)).to(torch.uint8)
            found = whole_batch(module, y)
            checks.check("labels and codes keep their type", found.dtype == torch.uint8)
            checks.check("and their values", found.long().sum(0) - y.long().sum(0), 0)
    black_or_white = (torch.rand(20, 1, 4, 4, generator=torch.Generator().manual_seed(0)) > 0.5).to(torch.uint8)
    black_or_white[0] = 0
    said = ""
    try:
        module.minibatches(torch.zeros(20), black_or_white, batch_size=2)
    except ValueError as error:
        said = str(error)
    checks.check("0 and 1 are refused", said.startswith("tensors[1] has uint8 images of 0 and 1"))
    checks.check("the cure cures", whole_batch(module, black_or_white.float()).sum() - black_or_white.sum(), 0)


def test_only_images_are_divided_by_255(caught, plant):
    only_images_are_divided(data)
    for old, new in (
        ("as_float(t) if t.dim() == 4 else t for", "as_float(t) for"),
        ("as_float(t) if t.dim() == 4 else t for", "as_float(t) if t.dim() > 1 else t for"),
        ("as_float(t) if t.dim() == 4 else t for", "as_float(t) if t.dim() > 2 else t for"),
        ("int(value.max()) == 1", "int(value.max()) <= 1"),
        ("int(value.max()) == 1", "int(value.max()) <= 2"),
        ("int(value.max()) == 1", "False"),
        ("int(value.max()) == 1", "int(value[0].max()) == 1"),
        ("and value.dim() == 4 and", "and"),
    ):
        mutant = plant("vaelib.data", old, new)
        caught(f"{old} -> {new}", lambda mutant=mutant: only_images_are_divided(mutant))


def test_the_command_names_the_known_sets(capsys):
    with pytest.raises(SystemExit) as stop:
        downloads.main(["download", "imagenet"])
    assert stop.value.code == 2
    assert "mnist" in capsys.readouterr().err
    with pytest.raises(ValueError, match="name='glyphs' was given: use 'mnist' or"):
        downloads.download("glyphs")
    assert os.environ["VAELIB_DATA"]  # the tests never touch the user's own folder
