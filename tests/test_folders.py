"""Your own images: ``data.load("folder:PATH")``."""

import copy
import io
import itertools
import os
import pickle
import struct
import sys
import threading
import zlib

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps, PngImagePlugin

from vaelib import data
from vaelib.outside import folders

needs_links = pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
RNG = np.random.default_rng(0)


def picture(path, colour, size=(20, 20), mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, colour).save(path)


def tree(root, levels):
    """Grey pictures, each of one level, by their path; a str or bytes is written as it is."""
    for name, level in levels.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(level, int):
            Image.new("L", (8, 8), level).save(path)
        else:
            path.write_bytes(level.encode() if isinstance(level, str) else level)
    return root


def levels(root, train, module=folders):
    """(level, label) of each picture, and the labels' names."""
    x, y, names = module.read(root, train, None)
    return list(zip(x[:, 0, 0, 0].tolist(), y.tolist(), strict=True)), names


def one(tmp_path, file, size=None, module=folders):
    """The picture in one file, alone in its folder: (C, H, W)."""
    folder = tmp_path / f"only{len(os.listdir(tmp_path))}"
    folder.mkdir()
    if isinstance(file, tuple):
        name, content = file
        (folder / name).write_bytes(content)
    else:
        file(folder)
    return module.read(folder, True, size)[0][0].numpy()


def saved(image, kind, **settings):
    """(name, bytes) of a picture as Pillow writes it."""
    file = io.BytesIO()
    image.save(file, kind, **settings)
    return f"a.{kind.lower()}", file.getvalue()


def png(values, colour, key=None):
    """(name, bytes) of a PNG with 16 bits a channel, written out by hand. colour: 0 grey, 2 RGB, 4 grey + alpha, 6 RGBA."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    height, width = values.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    chunks = [chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0))]
    chunks += [chunk(b"tRNS", np.array(key, ">u2").tobytes())] if key is not None else []
    return "a.png", b"\x89PNG\r\n\x1a\n" + b"".join([*chunks, chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")])


def tiff(pixels, width, height, bits, sample_format=1, white=255, samples=1):
    """(name, bytes) of a TIFF, written out by hand; ``white=0``: 0 is white."""
    pixels += b"\0" * (len(pixels) % 2)
    tags = {
        256: width,
        257: height,
        258: bits,
        259: 1,
        262: 2 if samples == 3 else int(white != 0),
        273: 8,
        277: samples,
    }
    tags |= {278: height, 279: len(pixels), 339: sample_format}
    entries = {tag: struct.pack("<HHIHH", tag, 3, 1, value, 0) for tag, value in tags.items()}
    if samples == 3:  # bits a channel, which lie behind the pixels
        entries[258] = struct.pack("<HHII", 258, 3, 3, 8 + len(pixels))
        pixels += struct.pack("<HHH", bits, bits, bits)
    start = struct.pack("<I", 8 + len(pixels))
    return "a.tif", b"II*\0" + start + pixels + struct.pack("<H", len(tags)) + b"".join(entries.values()) + b"\0" * 4


# ---- what a set is


def test_a_folder_of_labelled_images(tmp_path, capsys):
    for k in range(20):
        picture(tmp_path / "cats" / f"{k:02d}.png", (200, 10, 20))
        picture(tmp_path / "dogs" / f"{k:02d}.jpg", (0, 0, 255), size=(40, 20))
    (tmp_path / "dogs" / "05.jpg").write_text("no picture")
    (tmp_path / "dogs" / ".hidden").write_text("not counted")
    train, test = data.load(f"folder:{tmp_path}"), data.load(f"folder:{tmp_path}", train=False)
    assert capsys.readouterr().out == (
        f"folder:{tmp_path.name}: 35 training images of 3x20x20; 2 labels: 0 cats, 1 dogs; 1 unreadable: dogs/05.jpg.\n"
        f"folder:{tmp_path.name}: 4 test images of 3x20x20; 2 labels: 0 cats, 1 dogs.\n"
    )
    assert train.x.shape == (35, 3, 20, 20)
    assert test.x.shape == (4, 3, 20, 20)
    assert torch.equal(train.x[0, :, 5, 5], torch.tensor([200, 10, 20], dtype=torch.uint8))
    assert train.y.tolist() == [0] * 18 + [1] * 17
    assert train.y.dtype == torch.int64
    assert test.y.tolist() == [0, 0, 1, 1]
    assert train.name == f"folder:{tmp_path}"
    assert train.labels == test.labels == ("cats", "dogs")
    assert data.load(f"folder:{tmp_path}", size=np.int64(8)).x.shape == (35, 3, 8, 8)


def test_a_folder_with_its_own_split_and_grey_images(tmp_path):
    picture(tmp_path / "train" / "a" / "1.png", 100, (100, 80), "L")
    picture(tmp_path / "test" / "a" / "1.png", 50, (30, 30), "L")
    train, test = data.load(f"folder:{tmp_path}"), data.load(f"folder:{tmp_path}", train=False)
    assert train.x.shape == test.x.shape == (1, 1, 32, 32)
    assert int(train.x[0, 0, 0, 0]) == 100
    assert int(test.x[0, 0, 0, 0]) == 50


@pytest.mark.parametrize(
    ("size", "right"), [((64, 64), 64), ((1, 1), 1), ((65, 65), 32), ((40, 20), 32), ((20, 40), 32), ((3, 700), 32)]
)
def test_the_size_is_that_of_the_first_if_it_is_small_and_square(tmp_path, size, right):
    picture(tmp_path / "0.png", 7, size, "L")
    picture(tmp_path / "1.png", 9, (50, 50), "L")
    x = folders.read(tmp_path, True, None)[0]
    assert x.shape == (2, 1, right, right)
    assert (x[0] == 7).all()
    assert (x[1] == 9).all()


def test_what_is_written_comes_back(tmp_path):
    x, y, _ = (part[:200] if isinstance(part, torch.Tensor) else part for part in data.load("glyphs-rgb"))
    for k in range(200):
        path = tmp_path / ("test" if k % 3 else "training") / str(int(y[k])) / f"{k:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(x[k].permute(1, 2, 0).numpy()).save(path)
    for train in (True, False):
        found = data.load(f"folder:{tmp_path}", train)
        order = sorted((k for k in range(200) if bool(k % 3) != train), key=lambda k: (int(y[k]), k))
        assert torch.equal(found.x, x[order])
        assert torch.equal(found.y, y[order])


@pytest.mark.parametrize("shape", [(37, 53), (53, 37), (8, 8), (16, 16), (5, 200)])
def test_scaled_and_cropped_around_the_middle(tmp_path, shape):
    image = Image.fromarray(RNG.integers(0, 256, (*shape, 3)).astype(np.uint8))
    right = np.asarray(ImageOps.fit(image, (16, 16))).transpose(2, 0, 1)  # Pillow's own
    assert np.array_equal(one(tmp_path, saved(image, "PNG"), 16), right)


def test_folders_that_hold_nothing(tmp_path):
    with pytest.raises(data.DataError, match="holds no readable image"):
        data.load(f"folder:{tmp_path}")
    (tmp_path / "note.txt").write_text("hello")
    with pytest.raises(data.DataError, match="holds no readable image"):
        data.load(f"folder:{tmp_path}")
    with pytest.raises(data.DataError, match="is not a folder"):
        data.load(f"folder:{tmp_path / 'nowhere'}")
    picture(tmp_path / "one.png", (1, 2, 3))
    with pytest.raises(
        data.DataError, match=r"no readable test image among 0 file.*fewer than ten files a label, add t"
    ):
        data.load(f"folder:{tmp_path}", train=False)
    (tmp_path / "one.png").write_bytes((tmp_path / "one.png").read_bytes()[:60])  # its head is whole
    with pytest.raises(
        data.DataError, match=r"no readable training image among 2 file\(s\); 2 unreadable: note.txt, one"
    ):
        data.load(f"folder:{tmp_path}")


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("folder:", {}, "name='folder:' was given: use a path behind the colon; folder:. is the current folder"),
        ("folder: ", {}, "use a path behind the colon"),
        ("folder:~no such user/x", {}, "is not a folder"),
        ("folder:a\0b", {}, r"folder:a\\x00b is not a folder"),
        ("folder:" + "a" * 5000, {}, "is not a folder"),
        (None, {}, "name=None was given: use one of glyphs, glyphs-rgb, mnist, .* or folder:PATH"),
        ("folder:.", {"train": "test"}, "train='test' was given: use True or False"),
        ("folder:.", {"size": 0}, "size=0 was given: use a whole number from 1 to 4096"),
        ("folder:.", {"size": 10**9}, "size=1000000000 was given: use a whole number from 1 to 4096"),
        ("folder:.", {"size": 28.0}, "size=28.0 was given: use a whole number"),
        ("folder:.", {"size": float("nan")}, "size=nan was given: use a whole number"),
    ],
)
def test_what_cannot_be_asked_for(name, settings, message):
    with pytest.raises((ValueError, data.DataError), match=message):
        data.load(name, **settings)


def test_a_folder_below_home_or_here(tmp_path, monkeypatch, capsys):
    tree(tmp_path / "pets", {"cat/1.png": 1})
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert data.load("folder:~/pets").name == f"folder:{tmp_path / 'pets'}"
    monkeypatch.chdir(tmp_path / "pets")
    assert data.load("folder:.").labels == ("cat",)
    assert [line.partition(": ")[0] for line in capsys.readouterr().out.splitlines()] == ["folder:pets", "folder:pets"]


def test_an_image_set_unpacks_into_three_and_keeps_its_names(tmp_path):
    images = data.load(f"folder:{tree(tmp_path, {'b/1.png': 10, 'a/1.png': 20})}")
    x, y, name = images
    assert data.Images._fields == ("x", "y", "name")
    assert len(images) == 3
    assert [images.labels[k] for k in y] == ["a", "b"]
    assert x[:, 0, 0, 0].tolist() == [20, 10]
    fewer = images._replace(x=x[:1], y=y[:1])
    for other in (fewer, copy.copy(images), copy.deepcopy(images), pickle.loads(pickle.dumps(images))):
        assert isinstance(other, data.Images)
        assert other.labels == ("a", "b")
        assert other.name == name
    assert len(fewer.x) == 1
    assert len(images.x) == 2
    assert images._replace(labels=["c", "d"]).labels == ("c", "d")
    assert data.Images(x, y, "mine").labels == data.Images._make([x, y, "mine"]).labels == ()
    assert data.load("glyphs", train=False).labels == ()


# ---- transparency


def transparent():
    """(what, file, colour (C, H, W) that the file states, alpha (H, W) from 0 to 1)"""
    colour = RNG.integers(0, 256, (8, 8, 3)).astype(np.uint8)
    alpha = RNG.integers(0, 256, (8, 8)).astype(np.uint8)
    alpha[:2], alpha[2:4] = 0, 255  # under 0 the colours are there, and hidden
    grey = colour[:, :, 0]
    rgba, la = np.dstack([colour, alpha]), np.dstack([grey, alpha])
    planes, opacity = colour.transpose(2, 0, 1).astype(float), alpha / 255
    yield "RGBA", saved(Image.fromarray(rgba), "PNG"), planes, opacity
    yield "RGBA", saved(Image.fromarray(rgba), "TIFF"), planes, opacity
    yield "RGBA", saved(Image.fromarray(rgba), "WEBP", lossless=True, exact=True), planes, opacity
    yield "LA", saved(Image.fromarray(la), "PNG"), planes[:1], opacity
    yield "LA", saved(Image.fromarray(la), "TIFF"), planes[:1], opacity
    wide = {2: colour, 4: la, 6: rgba}
    for kind, values in wide.items():
        found = planes[:1] if kind == 4 else planes
        yield f"16 bits, {kind}", png(values * np.uint16(257), kind), found, opacity if kind > 2 else np.ones((8, 8))

    # premultiplied: TIFF's ExtraSamples 1 in place of 2
    entry = struct.pack("<HHIHH", 338, 3, 1, 2, 0)
    for values, planes_of in ((la, planes[:1]), (rgba, planes)):
        many = np.round(values * (alpha / 255)[:, :, None]).astype(np.uint8)
        many[:, :, -1] = alpha
        _, file = saved(Image.fromarray(many), "TIFF")
        assert file.count(entry) == 1
        file = file.replace(entry, struct.pack("<HHIHH", 338, 3, 1, 1, 0))
        try:
            Image.open(io.BytesIO(file))
        except OSError:  # an older Pillow that knows no such thing: the file is named as unreadable
            continue
        yield "premultiplied", ("a.tif", file), planes_of, opacity

    few = Image.fromarray(colour).quantize(16)
    shown = np.asarray(few.convert("RGB")).transpose(2, 0, 1).astype(float)
    index = np.asarray(few)
    yield "P, key", saved(few, "PNG", transparency=3), shown, (index != 3).astype(float)
    yield "P, key", saved(few, "GIF", transparency=3), shown, (index != 3).astype(float)
    table = RNG.integers(0, 256, 16).astype(np.uint8)
    yield "P, bytes", saved(few, "PNG", transparency=table.tobytes()), shown, table[index] / 255
    pa = few.convert("PA")
    pa.putalpha(Image.fromarray(alpha))
    yield "PA", saved(pa, "TIFF"), shown, opacity
    greys = few.copy()
    greys.putpalette([v for k in range(16) for v in [k * 16] * 3])
    yield "P of greys, key", saved(greys, "PNG", transparency=3), 16.0 * index[None], (index != 3).astype(float)

    keyed = colour.copy()
    keyed[2:5, 2:5] = (9, 90, 200)
    same = (keyed == (9, 90, 200)).all(2)
    rgb = keyed.transpose(2, 0, 1).astype(float)
    yield "RGB, key", saved(Image.fromarray(keyed), "PNG", transparency=(9, 90, 200)), rgb, 1.0 - same
    yield (
        "16 bits RGB, key",
        png(keyed * np.uint16(256) + 1, 2, (9 * 256 + 1, 90 * 256 + 1, 200 * 256 + 1)),
        rgb,
        1.0 - same,
    )
    level = int(grey[3, 3])
    yield "L, key", saved(Image.fromarray(grey), "PNG", transparency=level), planes[:1], (grey != level).astype(float)
    wide = grey * np.uint16(256)
    wide[0] = level * 256 + 1  # the same upper 8 bits, and another level
    wide[1] = level * 256
    wide[2] = 65535
    clear = 1.0 - (wide == level * 256)
    yield "16 bits L, key", png(wide, 0, level * 256), (wide >> 8)[None].astype(float), clear
    two = Image.fromarray((grey > 127).astype(np.uint8) * 255).convert("1")
    yield "1, key", saved(two, "PNG", transparency=0), np.full((1, 8, 8), 255.0), np.ones((8, 8))


TRANSPARENT = list(transparent())


def shows_white_where_it_is_clear(module, tmp_path, kinds=TRANSPARENT):
    for what, file, colour, alpha in kinds:
        found = one(tmp_path, file, module=module)
        right = colour * alpha + 255 * (1 - alpha)
        assert found.shape == right.shape, what
        # 8-bit premultiplied colours are off by half a level, and by as much again when they come back
        assert np.abs(found - right).max() <= (2.1 if "premultiplied" in what else 1), what
        assert (found[:, alpha == 0] == 255).all(), what


def test_transparency_of_every_kind_is_white(tmp_path):
    assert len(TRANSPARENT) >= 19
    shows_white_where_it_is_clear(folders, tmp_path)


def test_a_black_circle_on_a_transparent_ground(tmp_path):
    """What icons look like: black everywhere, and the shape in the alpha alone."""
    y, x = np.mgrid[:32, :32] - 15.5
    inside = (x**2 + y**2 < 100).astype(np.uint8)
    found = one(tmp_path, saved(Image.fromarray(np.dstack([*[np.zeros_like(inside)] * 3, inside * 255])), "PNG"))
    assert np.array_equal(found, np.broadcast_to(255 - 255 * inside, (3, 32, 32)))


# ---- more than 8 bits


RAMP = (np.arange(1024) * 64).astype(np.uint16).reshape(32, 32)


def deep():
    """(what, file, its 8 bits (C, H, W))"""
    upper = (RAMP // 256)[None]
    yield "I;16 PNG", saved(Image.fromarray(RAMP), "PNG"), upper
    yield "I;16 TIFF", saved(Image.fromarray(RAMP), "TIFF"), upper
    yield "I;16 TIFF, packed", saved(Image.fromarray(RAMP), "TIFF", compression="tiff_deflate"), upper
    yield "I;16B TIFF", saved(Image.fromarray(RAMP.astype(">u2")), "TIFF"), upper
    yield "I;16 JPEG2000", saved(Image.fromarray(RAMP), "JPEG2000", irreversible=False), upper
    yield "PGM", ("a.pgm", b"P5 32 32 65535\n" + RAMP.astype(">u2").tobytes()), upper
    yield "0 is white", tiff(RAMP.tobytes(), 32, 32, 16, white=0), 255 - upper
    yield "0 is white, 8 bits", tiff((RAMP >> 8).astype(np.uint8).tobytes(), 32, 32, 8, white=0), 255 - upper
    # 12 bits, so stated: two values in three bytes; and a PGM whose white is 4095
    values = np.arange(0, 4096, 4)
    pairs = b"".join(((a << 12) | b).to_bytes(3, "big") for a, b in values.reshape(-1, 2).tolist())
    yield "12-bit TIFF", tiff(pairs, 32, 32, 12), (values // 16).reshape(1, 32, 32)
    pgm = b"P5 32 32 4095\n" + values.astype(">u2").tobytes()
    yield "12-bit PGM", ("a.pgm", pgm), np.floor(np.round(values / 4095 * 65535) / 256).reshape(1, 32, 32)
    dark = b"P5 32 32 65535\n" + (RAMP // 16).astype(">u2").tobytes()
    yield "a dark PGM, whose white is stated", ("a.pgm", dark), (RAMP // 4096)[None]
    colour = np.dstack([RAMP, RAMP[::-1], RAMP.T])
    yield "RGB PNG", png(colour, 2), colour.transpose(2, 0, 1) // 256
    yield "RGB TIFF", tiff(colour.astype("<u2").tobytes(), 32, 32, 16, samples=3), colour.transpose(2, 0, 1) // 256
    one_bright = np.dstack([RAMP // 32, RAMP, RAMP // 64])
    yield "RGB, one bright", png(one_bright, 2), one_bright.transpose(2, 0, 1) // 256
    dim = b"".join(((a << 12) | b).to_bytes(3, "big") for a, b in (values // 8).reshape(-1, 2).tolist())
    yield "a dark 12-bit TIFF, whose white is stated", tiff(dim, 32, 32, 12), (values // 8 // 16).reshape(1, 32, 32)
    # BMP with 5, 6 and 5 bits a channel, which Pillow's decoder calls BGR;16
    head = struct.pack("<IIIHHIIIIII", 40, 32, 32, 1, 16, 3, 2048, 0, 0, 0, 0) + struct.pack(
        "<III", 0xF800, 0x7E0, 0x1F
    )
    bmp = b"BM" + struct.pack("<IHHI", 66 + 2048, 0, 0, 66) + head + struct.pack("<H", 3 << 11 | 4 << 5 | 2) * 1024
    levels = np.array([3 * 255 / 31, 4 * 255 / 63, 2 * 255 / 31]).astype(int)[:, None, None]
    yield "a dark BMP of 16 bits in all", ("a.bmp", bmp), np.broadcast_to(levels, (3, 32, 32))


def sixteen_bits_keep_the_upper_eight(module, tmp_path):
    for what, file, right in deep():
        found = one(tmp_path, file, 32, module)
        assert found.shape == right.shape, what
        assert np.abs(found - right.astype(int)).max() == 0, what


def test_more_than_eight_bits(tmp_path):
    sixteen_bits_keep_the_upper_eight(folders, tmp_path)


def ambiguous():
    """(what, file, how it is refused)"""
    many = np.arange(1024).reshape(32, 32)
    yield (
        "I",
        saved(Image.fromarray(many.astype(np.int32) * 64), "TIFF"),
        "a.tiff holds integers of another kind than 8 or",
    )
    yield (
        "F, 0 to 1",
        saved(Image.fromarray((many / 1023).astype(np.float32)), "TIFF"),
        "a.tiff holds floats, and which v",
    )
    yield "F, 0 to 255", saved(Image.fromarray((many / 4).astype(np.float32)), "TIFF"), "a.tiff holds floats"
    yield "PFM", ("a.pfm", b"Pf 32 32 -1.0\n" + many.astype("<f4").tobytes()), "a.pfm holds floats"
    yield (
        "16 with a sign",
        tiff(many.astype("<i2").tobytes(), 32, 32, 16, 2),
        "a.tif holds integers of another kind than",
    )
    for name, top in {"12 in 16": 4, "10 in 16": 1, "14 in 16": 15.9}.items():
        few = (many * top).astype(np.uint16)
        yield (
            name,
            saved(Image.fromarray(few), "PNG"),
            "none of the 1 training images of 16 bits .* reaches 16,384 of 65",
        )
    yield (
        "12 in 16, colour",
        png(np.dstack([many * 4] * 3), 2),
        "none of the 1 training images of 16 bits .* reaches 16,384",
    )
    yield "8 in 16, colour", png(np.dstack([many // 4] * 3), 2), "none of the 1 training images"  # all upper 8 are 0
    yield (
        "12 in 16, colour TIFF",
        tiff(np.dstack([many * 4] * 3).astype("<u2").tobytes(), 32, 32, 16, samples=3),
        "none of the",
    )
    yield "12 in 16, alpha", png(np.dstack([*[many * 4] * 3, many * 64]), 6), "none of the 1 training images of 16 bits"
    yield (
        "12 in 16, TIFF",
        saved(Image.fromarray((many * 4).astype(">u2")), "TIFF"),
        "none of the 1 training images of 16",
    )


@pytest.mark.parametrize(("what", "file", "message"), list(ambiguous()), ids=[each[0] for each in ambiguous()])
def test_what_has_no_known_white_is_refused(tmp_path, what, file, message):
    with pytest.raises(data.DataError, match=message):
        one(tmp_path, file, 32)


def test_what_reaches_a_quarter_of_white_has_16_bits(tmp_path):
    assert one(tmp_path, png(np.full((8, 8), 16384), 0)).max() == 64
    with pytest.raises(data.DataError, match="reaches 16,384 of 65,535"):
        one(tmp_path, png(np.full((8, 8), 16383), 0))


def test_a_dark_picture_in_a_bright_set_of_16_bits_is_dark(tmp_path):
    Image.fromarray(RAMP).save(tmp_path / "1.png")
    Image.fromarray(RAMP // 64).save(tmp_path / "2.png")
    x = folders.read(tmp_path, True, 32)[0]
    assert int(x[0].max()) == 255
    assert torch.equal(x[1, 0], torch.from_numpy(RAMP // 64 // 256).to(torch.uint8))


# ---- grey or colour


def test_a_set_is_grey_if_all_of_both_sets_are(tmp_path):
    for k in range(10):
        picture(tmp_path / f"{k}.png", 10 * k, mode="L")
    assert folders.read(tmp_path, True, None)[0].shape == (9, 1, 20, 20)
    Image.new("RGB", (20, 20), (1, 2, 3)).save(tmp_path / "9.png")  # the test image
    for train, count in ((True, 9), (False, 1)):
        x = folders.read(tmp_path, train, None)[0]
        assert x.shape == (count, 3, 20, 20)
    assert x[0, :, 0, 0].tolist() == [1, 2, 3]


@pytest.mark.parametrize(("mode", "channels"), [("1", 1), ("L", 1), ("P", 3), ("RGB", 3), ("CMYK", 3), ("LAB", 3)])
def test_kinds_of_colour(tmp_path, mode, channels):
    image = Image.new("RGB", (8, 8), (255, 255, 255) if channels == 1 else (200, 40, 40)).convert(mode)
    found = one(tmp_path, saved(image, "PNG" if mode in ("1", "L", "P", "RGB") else "TIFF"))
    assert found.shape == (channels, 8, 8)
    right = np.full(3, 255) if channels == 1 else np.asarray(image.convert("RGB"))[0, 0].astype(int)
    assert np.abs(found[:, 0, 0] - right[:channels]).max() <= 1


def test_palettes_of_greys_are_grey_and_others_are_not(tmp_path):
    for name, colours, channels in (
        ("greys", 16 * [1, 1, 1], 1),
        ("yellows", 16 * [1, 1, 0], 3),
        ("cyans", 16 * [0, 1, 1], 3),
    ):
        image = Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8) % 16).convert("P")
        palette = [16 * (k // 3) * each for k, each in enumerate(colours)]
        image.putpalette(palette)
        found = one(tmp_path, saved(image, "PNG"))
        right = np.array(palette).reshape(16, 3)[np.arange(64).reshape(8, 8) % 16].transpose(2, 0, 1)
        assert np.array_equal(found, right[:channels]), name


# ---- turned pictures, pages


# EXIF 2.32, tag 274: the side of the scene at which the file's first row lies, and its first column
SIDES = {1: "top left", 2: "top right", 3: "bottom right", 4: "bottom left", 5: "left top", 6: "right top"}
SIDES |= {7: "right bottom", 8: "left bottom"}


def stored(scene, orientation):
    """The pixels that a camera held so writes to its file."""
    row, column = SIDES[orientation].split()
    pixels = (
        scene if row in ("top", "bottom") else scene.swapaxes(0, 1)
    )  # a row of the file is a row, or a column, of the scene
    pixels = pixels[::-1] if row in ("bottom", "right") else pixels
    return pixels[:, ::-1] if column in ("bottom", "right") else pixels


def pictures_stand_upright(module, tmp_path):
    scene = np.kron(RNG.permutation(16).reshape(4, 4) * 16, np.ones((8, 8))).astype(np.uint8)
    wide = np.pad(scene, ((0, 0), (8, 8)), constant_values=255)  # the file is not square; what was cropped is white
    for orientation, kind in itertools.product(SIDES, ("JPEG", "PNG", "TIFF", "WEBP")):
        exif = Image.Exif()
        exif[0x0112] = orientation
        image = Image.fromarray(np.ascontiguousarray(stored(wide, orientation)))
        image = image.convert("RGB") if kind == "WEBP" else image
        lossless = {"JPEG": {"quality": 100}, "WEBP": {"lossless": True}}.get(kind, {})
        found = one(tmp_path, saved(image, kind, exif=exif, **lossless), 32, module)
        assert np.abs(found[0].astype(int) - scene).max() <= (8 if kind == "JPEG" else 0), (orientation, kind)


def test_exif_orientation(tmp_path):
    pictures_stand_upright(folders, tmp_path)


def test_damaged_exif_leaves_a_picture_as_it_is(tmp_path):
    image = Image.new("L", (8, 8), 90)
    assert (one(tmp_path, saved(image, "JPEG", exif=b"Exif\0\0no such thing")) == 90).all()
    text = PngImagePlugin.PngInfo()
    text.add_text("Raw profile type exif", "\nexif\n 8\nno such thing")  # Pillow raises ValueError
    assert (one(tmp_path, saved(image, "PNG", pnginfo=text)) == 90).all()


def test_of_several_pages_the_first(tmp_path, capsys):
    pages = [Image.new("RGB", (8, 8), colour) for colour in ((255, 0, 0), (0, 255, 0), (0, 0, 255))]
    for kind, settings in {"gif": {}, "webp": {"lossless": True}, "tiff": {}, "png": {}}.items():
        pages[0].save(tmp_path / f"a.{kind}", save_all=True, append_images=pages[1:], **settings)
    pages[0].save(
        tmp_path / "photo.jpg", "MPO", save_all=True, append_images=pages[1:2]
    )  # as phones write it: one photo
    pages[0].save(tmp_path / "one.tiff")
    x = folders.read(tmp_path, True, None)[0]
    assert (x[:, :, 0, 0] - torch.tensor([255.0, 0, 0])).abs().max() <= 2
    assert len(x) == 6
    assert "4 of several pages or frames, the first taken: a.gif, a.png, a.tiff, a.webp." in capsys.readouterr().out


# ---- folders that are no data


def test_folders_that_are_no_data(tmp_path, capsys):
    copies = [".ipynb_checkpoints", ".thumbnails", "__MACOSX", "@eaDir", "deep/.hidden", "deep/@eaDir/more", "#recycle"]
    files = {f"{label}/{k}.png": 10 * k for label in ("cat", "dog") for k in range(3)}
    files |= {f"{folder}/{name}": 200 for folder in copies for name in ("0.png", "cat/1.png")}
    files |= {f"cat/{folder}/0.png": 200 for folder in copies}
    files |= {
        "cat/._0.png": 200,
        "cat/Thumbs.db": "not a picture",
        "notes/a.txt": "hello",
        "broken/a.png": saved(Image.new("L", (8, 8), 7), "PNG")[1][:50],  # its head is whole
        "none/b.png": "",
    }
    tree(tmp_path, files)
    (tmp_path / "empty").mkdir()
    read, names = levels(tmp_path, True)
    assert read == [(0, 0), (10, 0), (20, 0), (0, 1), (10, 1), (20, 1)]
    assert names == ("cat", "dog")
    said = capsys.readouterr().out
    assert "2 labels: 0 cat, 1 dog; 1 empty: none/b.png; 2 unreadable: broken/a.png, notes/a.txt." in said


def test_a_hidden_folder_can_be_given(tmp_path):
    assert levels(tree(tmp_path / ".data", {"a/1.png": 10}), True) == ([(10, 0)], ("a",))


def test_labels_agree_between_the_sets_and_have_no_gaps(tmp_path, capsys):
    files = {"train/b/1.png": 1, "train/c/1.png": 2, "train/aa/1.png": "broken"}
    tree(tmp_path, files | {"test/a/1.png": 3, "test/c/1.png": 4, "test/d/1.png": 5})
    names = ("a", "b", "c", "d")
    assert levels(tmp_path, True) == ([(1, 1), (2, 2)], names)
    assert levels(tmp_path, False) == ([(3, 0), (4, 2), (5, 3)], names)
    first, second = capsys.readouterr().out.splitlines()
    labels = "4 labels: 0 a, 1 b, 2 c, 3 d"
    assert f"2 training images of 1x8x8 from train/; {labels}; no image of a, d; 1 unreadable: train/aa/1.png." in first
    assert f"3 test images of 1x8x8 from test/; {labels}; no image of b; 1 unreadable: train/aa/1.png." in second


def test_empty_files_are_not_opened(tmp_path, monkeypatch, capsys):
    tree(tmp_path, {"a/0.png": 7, **{f"a/{k}.png": "" for k in range(1, 7)}, "b/x.png": "no", "b/y.png": "no"})
    opened = []
    monkeypatch.setattr(
        Image, "open", lambda file, _open=Image.open: (opened.append(os.path.basename(file.name)), _open(file))[1]
    )
    assert levels(tmp_path, True)[0] == [(7, 0)]
    assert set(opened) == {"0.png", "x.png", "y.png"}
    assert (
        "6 empty: a/1.png, a/2.png, a/3.png, a/4.png, a/5.png and more; 2 unreadable: b/x.png, b/y.png."
        in capsys.readouterr().out
    )


# ---- layouts


CAT_DOG = {"cat/1.png": 1, "cat/2.png": 2, "dog/1.png": 3}
HELD = {"cat/1.png": 11, "dog/1.png": 13}
THIRD = {"cat/1.png": 21, "dog/1.png": 23}


def under(folder, files):
    return {f"{folder}/{name}": level for name, level in files.items()}


UNDERSTOOD = {  # the sets of two folders -> training, test, what is in neither
    "train, test": (under("train", CAT_DOG) | under("test", HELD), ""),
    "Train, Test": (under("Train", CAT_DOG) | under("Test", HELD), ""),
    "TRAINING, testing": (under("TRAINING", CAT_DOG) | under("testing", HELD), ""),
    "train, val": (under("train", CAT_DOG) | under("val", HELD), ""),
    "train, valid": (under("train", CAT_DOG) | under("valid", HELD), ""),
    "training, Validation": (under("training", CAT_DOG) | under("Validation", HELD), ""),
    "train, test, val": (
        under("train", CAT_DOG) | under("test", HELD) | under("val", THIRD),
        "2 in neither set: val/cat/1.png, val/dog/1.png",
    ),
    "more beside them": (
        under("train", CAT_DOG) | under("test", HELD) | under("extra", THIRD) | {"a.png": 31, "labels.csv": "1,2"},
        "4 in neither set: a.png, extra/cat/1.png, extra/dog/1.png, labels.csv",
    ),
    "a copy beside them": (
        under("train", CAT_DOG) | under("test", HELD) | under("copy/train", THIRD) | under("copy/test", THIRD),
        "4 in neither set: copy/test/cat/1.png, copy/test/dog/1.png, copy/train/cat/1.png, copy/train/dog/1.png",
    ),
    "loose beside labels": (
        under("train", CAT_DOG) | under("test", HELD) | {"train/a.png": 31, "test/readme.txt": "hello"},
        "2 in neither set: test/readme.txt, train/a.png",
    ),
}


def the_split_is_understood(module, tmp_path, said, names=tuple(UNDERSTOOD)):
    for name in names:
        files, rest = UNDERSTOOD[name]
        root = tree(tmp_path / name, files)
        assert levels(root, True, module) == ([(1, 0), (2, 0), (3, 1)], ("cat", "dog")), name
        assert levels(root, False, module) == ([(11, 0), (13, 1)], ("cat", "dog")), name
        for line in said():
            assert line.endswith(f"2 labels: 0 cat, 1 dog{rest and '; '}{rest}."), (name, line)


def lines(capsys):
    return lambda: capsys.readouterr().out.splitlines()


def test_layouts_that_are_understood(tmp_path, capsys):
    the_split_is_understood(folders, tmp_path, lines(capsys))


def test_other_layouts_that_are_understood(tmp_path, capsys):
    flat = tree(tmp_path / "flat", under("train", {"1.png": 1, "2.png": 2}) | under("val", {"1.png": 3}))
    assert levels(flat, True) == ([(1, 0), (2, 0)], ())
    assert levels(flat, False) == ([(3, 0)], ())
    assert "1 test images of 1x8x8 from val/; no sub-folders, so no labels: all are 0." in capsys.readouterr().out

    vehicles = tree(
        tmp_path / "vehicles", {"bus/1.png": 1, "car/1.png": 2, "train/1.png": 3}
    )  # a train is a vehicle, too
    assert levels(vehicles, True) == ([(1, 0), (2, 1), (3, 2)], ("bus", "car", "train"))

    nested = tree(tmp_path / "nested", {f"cat/{k % 2}/more/{k:02d}.png": k for k in range(20)})
    assert levels(nested, True)[0] == [(k, 0) for k in [*range(0, 18, 2), *range(1, 19, 2)]]
    assert levels(nested, False)[0] == [(18, 0), (19, 0)]

    mixed = tree(tmp_path / "mixed", CAT_DOG | {"a.png": 9, "list.txt": "hello"})
    capsys.readouterr()
    assert levels(mixed, True) == ([(1, 0), (2, 0), (3, 1)], ("cat", "dog"))
    assert capsys.readouterr().out.endswith("2 labels: 0 cat, 1 dog; 2 in neither set: a.png, list.txt.\n")

    loose = tree(tmp_path / "loose", {"1.png": 1, "2.png": 2, "notes/a.txt": "hello"})  # no label: no image in it
    assert levels(loose, True) == ([(1, 0), (2, 0)], ())
    assert (
        "2 training images of 1x8x8; no sub-folders, so no labels: all are 0; 1 unreadable: notes/a.txt"
        in capsys.readouterr().out
    )


def test_every_file_ends_in_one_set_or_is_named(tmp_path, capsys):
    files = {f"{label}/{k:02d}.png": k for label in "ab" for k in range(25)} | {"a/10.png": "broken", "x.png": 99}
    tree(tmp_path, files)
    train, test = levels(tmp_path, True)[0], levels(tmp_path, False)[0]
    assert sorted(train + test) == [(k, label) for k in range(25) for label in (0, 1) if (k, label) != (10, 0)]
    assert test == [(9, 0), (19, 0), (9, 1), (19, 1)]
    first, second = capsys.readouterr().out.splitlines()
    assert first.endswith("; 1 in neither set: x.png; 1 unreadable: a/10.png.")
    assert second.endswith("; 1 in neither set: x.png.")


REFUSED = {
    "train alone": (
        under("train", CAT_DOG),
        "holds train/, but no test/ or val/ with files: add that, or give folder:.*train,",
    ),
    "train alone, flat": ({"train/1.png": 1}, "holds train/, but no test/ or val/"),
    "test alone, beside loose": ({"test/1.png": 1, "1.png": 2}, "holds test/, but no train/ with files"),
    "train and an empty test": (
        under("train", CAT_DOG) | {"test/.keep": ""},
        "holds train/, but no test/ or val/ with files",
    ),
    "train and others, labelled": (
        under("train", CAT_DOG) | under("unlabelled", {"1.png": 1}),
        "holds train/, but no test/",
    ),
    "test and val": (under("test", CAT_DOG) | under("val", HELD), "holds test/ and val/, but no train/ with files"),
    "two trains alone": (
        under("train", CAT_DOG) | under("training", HELD),
        "holds train/ and training/, but no test/ or val/ with files",
    ),
    "two trains": (
        under("train", CAT_DOG) | under("training", HELD) | under("test", HELD),
        "holds train/ and training/: keep",
    ),
    "two tests": (
        under("train", CAT_DOG) | under("test", HELD) | under("testing", HELD),
        "holds test/ and testing/: keep one",
    ),
    "two vals": (
        under("train", CAT_DOG) | under("val", HELD) | under("valid", HELD),
        "holds val/ and valid/: keep one of them",
    ),
    "the split inside each label": (
        {"cat/train/1.png": 1, "cat/test/1.png": 2, "dog/train/1.png": 3, "dog/test/1.png": 4},
        "has training and test images inside cat/: give folder:.*cat, or put train/ and test/ outermost, with the labels in each",
    ),
    "the split one level deeper": (
        under("pets/train", CAT_DOG) | under("pets/val", HELD),
        "inside pets/: give folder:.*pets,",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_layouts_that_are_refused_by_name(tmp_path, name):
    files, message = REFUSED[name]
    tree(tmp_path, files)
    for train in (True, False):
        with pytest.raises(data.DataError, match=message):
            folders.read(tmp_path, train, None)


def test_a_set_with_labels_and_one_without(tmp_path):
    """As competitions hand them out."""
    tree(tmp_path, under("train", CAT_DOG) | {"test/1.png": 11, "test/2.png": 12})
    assert levels(tmp_path, True) == ([(1, 0), (2, 0), (3, 1)], ("cat", "dog"))
    with pytest.raises(
        data.DataError, match=r"no readable test image among 0 file\(s\); 2 in neither set: test/1.png, test/2.png\.$"
    ):
        folders.read(tmp_path, False, None)


# ---- links and rights


@needs_links
def test_links_are_followed_and_loops_end(tmp_path, capsys):
    root = tree(tmp_path / "sets", {"cat/1.png": 1, "dog/1.png": 2})
    elsewhere = tree(tmp_path / "elsewhere", {"1.png": 3, "more/1.png": 4})
    (root / "bird").symlink_to(elsewhere)
    (root / "dog" / "extra").symlink_to(tree(tmp_path / "extra", {"x.png": 5}))
    (root / "ape").symlink_to(root / "cat")  # sorted first, and yet cat goes by its own name
    (root / "cat" / "loop").symlink_to(root)
    (root / "cat" / "up").symlink_to(tmp_path)
    (root / "dog" / "self.png").symlink_to(root / "dog" / "self.png")
    (root / "dog" / "nowhere.png").symlink_to(tmp_path / "nowhere.png")
    assert levels(root, True) == ([(3, 0), (4, 0), (1, 1), (2, 2), (5, 2)], ("bird", "cat", "dog"))
    said = capsys.readouterr().out
    assert "3 link(s) to a folder read already: ape, cat/loop, cat/up" in said
    assert "2 unreadable: dog/nowhere.png, dog/self.png" in said


@needs_links
def test_linked_sets(tmp_path):
    root = tmp_path / "sets"
    root.mkdir()
    (root / "train").symlink_to(tree(tmp_path / "one", CAT_DOG))
    (root / "test").symlink_to(tree(tmp_path / "two", HELD))
    assert levels(root, True)[0] == [(1, 0), (2, 0), (3, 1)]
    assert levels(root, False)[0] == [(11, 0), (13, 1)]


@needs_links
def test_a_pipe_is_not_opened(tmp_path, capsys):
    tree(tmp_path, {"a/1.png": 1})
    os.mkfifo(tmp_path / "a" / "pipe.png")  # to open it would wait for ever
    assert levels(tmp_path, True)[0] == [(1, 0)]
    assert "1 unreadable: a/pipe.png" in capsys.readouterr().out


def test_what_may_not_be_read_is_named(tmp_path, monkeypatch, capsys):
    tree(tmp_path, {"a/1.png": 1, "a/2.png": 2, "b/2.png": 2, "b/3.png": "broken", "private/1.png": 3})

    def guarded(function, name):
        def run(path, *rest):
            if str(getattr(path, "name", path)).endswith(name):
                raise PermissionError(13, "Permission denied")
            return function(path, *rest)

        return run

    monkeypatch.setattr(Image, "open", guarded(Image.open, "2.png"))
    monkeypatch.setattr(os, "scandir", guarded(os.scandir, "private"))
    assert levels(tmp_path, True) == ([(1, 0)], ("a",))
    said = capsys.readouterr().out
    assert "1 label: 0 a; 3 without permission to read: private, b/2.png, a/2.png; 1 unreadable: b/3.png.\n" in said
    monkeypatch.setattr(os, "scandir", guarded(os.scandir, tmp_path.name))
    with pytest.raises(data.DataError, match=r"holds no readable image.*; 1 without permission to read: \.\."):
        folders.read(tmp_path, True, None)


# ---- labels and names


@pytest.mark.parametrize(
    ("names", "right"),
    [
        (["2", "7", "10"], ("2", "7", "10")),
        (["-1", "0", "1.5", "01"], ("-1", "0", "01", "1.5")),
        (["10", "9", "9" * 40, "9" * 39 + "8"], ("9", "10", "9" * 39 + "8", "9" * 40)),
        (["10000000000000000001", "9999999999999999999"], ("9999999999999999999", "10000000000000000001")),
        (["2", "10", "nan"], ("10", "2", "nan")),
        (["class2", "class10", "Class3"], ("Class3", "class10", "class2")),
        (["1_0", "9"], ("1_0", "9")),
    ],
)
def test_label_order(tmp_path, names, right):
    tree(tmp_path, {f"{name}/1.png": k for k, name in enumerate(names)})
    read, labels = levels(tmp_path, True)
    assert labels == right
    assert read == [(names.index(name), k) for k, name in enumerate(right)]


def test_labels_that_are_one_number_have_one_order():
    assert folders._ordered(["1", "01", "1.0"]) == folders._ordered(["1.0", "01", "1"]) == ("01", "1", "1.0")


def test_many_labels_are_said_in_short(tmp_path, capsys):
    tree(tmp_path, {f"{k}/1.png": 1 for k in range(1, 31)})
    assert levels(tmp_path, True)[1] == tuple(str(k) for k in range(1, 31))
    assert "30 labels: 0 1, 1 2, 2 3, 3 4, 4 5, 5 6, 6 7, 7 8, 8 9, 9 10, …, 29 30.\n" in capsys.readouterr().out


@pytest.mark.skipif(sys.platform != "linux", reason="such names cannot be there")
def test_names_cannot_steer_the_terminal(tmp_path, capsys):
    bad = "a\x1b[31m\r\n\u202eb"
    root = tree(tmp_path / f"set{bad}", {f"{bad}/1.png": 1, f"{bad}/{bad}.txt": "hello", "ü b/1.png": 2})
    (root / os.fsdecode(b"\xff.txt")).write_text("hello")
    assert levels(root, True)[1] == (bad, "ü b")
    said = capsys.readouterr().out
    assert said.endswith("\n")
    assert said[:-1].isprintable()
    shown = r"a\x1b[31m\r\n\u202eb"
    assert f"folder:set{shown}: 2 training" in said
    assert f"2 labels: 0 {shown}, 1 ü b; 1 in neither set: \\udcff.txt; 1 unreadable: {shown}/{shown}.txt." in said
    with pytest.raises(data.DataError) as error:
        folders.read(root / "nowhere", True, None)
    assert str(error.value).isprintable()


# ---- memory


def test_a_set_that_memory_cannot_hold_is_refused_before_it_is_read(tmp_path, monkeypatch):
    tree(tmp_path, {f"{k}.png": k for k in range(9)})
    monkeypatch.setattr(folders, "MOST_BYTES", 9 * 100 * 100)
    assert folders.read(tmp_path, True, 100)[0].shape == (9, 1, 100, 100)
    monkeypatch.setattr(folders, "_pixels", lambda *_: pytest.fail("a picture was read"))
    with pytest.raises(ValueError, match=r"9 images of 1x101x101 take 0.0 GiB, .* use size=100 or less"):
        folders.read(tmp_path, True, 101)
    monkeypatch.undo()
    tree(tmp_path / "many", {f"{k}.png": "hello" if k else 1 for k in range(600)})
    with pytest.raises(
        ValueError, match=r"540 images of 1x4096x4096 take 8.4 GiB, and a set may take 8: use size=3988 or l"
    ):
        folders.read(tmp_path / "many", True, 4096)
    assert 540 * 3988**2 <= 2**33 < 540 * 3989**2


def large_ones_are_taken_in_strips(module, tmp_path):
    """A smooth picture with many pixels is nearly what it is when it is taken at once, whatever its kind; and none is lost."""
    y, x = np.mgrid[:300, :450] / 300
    ramp = 60 + np.dstack([135 * y, 90 * x, 135 * (1 - y), 135 * (x / 1.5) ** 2])
    ramp += np.where(np.indices(y.shape).sum(0) % 2, 60, -60)[:, :, None]  # a fine pattern, to be averaged
    eight = ramp.astype(np.uint8)
    for what, file in {
        "L": saved(Image.fromarray(eight[:, :, 0]), "PNG"),
        "RGBA": saved(Image.fromarray(eight), "PNG"),
        "16": saved(Image.fromarray((ramp[:, :, 1] * 257).astype(np.uint16)), "PNG"),
        "P": saved(Image.fromarray(eight[:, :, :3]).quantize(200), "PNG", transparency=7),
        "turned": saved(Image.fromarray(eight[:, :, :3]), "PNG", exif=b"Exif\0\0" + TURNED),
    }.items():
        plainly = one(tmp_path, file, 16)
        module._MANY, before = 2**14, module._MANY
        try:
            in_strips = one(tmp_path, file, 16, module)
        finally:
            module._MANY = before
        assert in_strips.shape == plainly.shape, what
        assert np.abs(in_strips.astype(int) - plainly).max() <= (12 if what == "P" else 2), what


TURNED = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"


def test_large_pictures_in_strips(tmp_path):
    large_ones_are_taken_in_strips(folders, tmp_path)


def test_strips_are_narrow_and_reach_the_edges(tmp_path, monkeypatch):
    values = np.full((130, 130), 40, np.uint8)
    values[:, -2:] = values[-2:] = 250  # the last of the blocks are half empty
    file = saved(Image.fromarray(values), "PNG")
    in_blocks = np.asarray(Image.fromarray(values).resize((8, 8), reducing_gap=4))  # Pillow's own: of 4x4, here
    areas, crop = [], Image.Image.crop
    monkeypatch.setattr(folders, "_MANY", 2**13)
    monkeypatch.setattr(Image.Image, "crop", lambda i, box: (areas.append(box[2] * (box[3] - box[1])), crop(i, box))[1])
    assert np.array_equal(one(tmp_path, file, 8)[0], in_blocks)
    assert sum(areas) == 130 * 130
    assert max(areas) == 130 * 4  # a row of blocks, or a sixteenth of _MANY, if that is more


def test_one_bright_strip_shows_where_white_is(tmp_path, monkeypatch):
    monkeypatch.setattr(folders, "_MANY", 2**10)
    for top, colour in itertools.product((0, 60, 119), (0, 2)):
        values = np.full((120, 120, 3)[: 3 if colour else 2], 4000)
        values[top] = 65535
        assert np.median(one(tmp_path, png(values, colour), 8)) == 4000 // 256  # accepted, and dark


def test_large_pictures_are_decoded_one_at_a_time(tmp_path, monkeypatch):
    """In one thread: memory that a thread of a pool has freed is often not used by the next."""
    from PIL import ImageFile

    tree(tmp_path, {f"a/{k:02d}.png": k for k in range(20)})
    for k in (3, 5, 12):
        Image.new("L", (80, 80), 100 + k).save(tmp_path / "a" / f"{k:02d}.png")
    threads, count = {}, []
    load = ImageFile.ImageFile.load

    def watched(image):
        if image.tile:
            count.append(image)
            threads.setdefault(image.width, set()).add(threading.current_thread())
        return load(image)

    monkeypatch.setattr(folders, "_MANY", 1000)
    monkeypatch.setattr(ImageFile.ImageFile, "load", watched)
    x = folders.read(tmp_path, True, 8)[0]
    assert len(count) == 1 + 18  # the first, to see whether a is a label; and each of the set once
    assert threads[80] == {threading.main_thread()}
    assert threads[8] - {threading.main_thread()}
    assert x[:, 0, 4, 4].tolist() == [k + 100 * (k in (3, 5, 12)) for k in range(20) if k % 10 != 9]


def test_a_large_jpeg_is_decoded_small(tmp_path, monkeypatch):
    y, x = np.mgrid[:400, :600] / 400
    photo = Image.fromarray(np.dstack([255 * y, 170 * x, 255 * (1 - y)]).astype(np.uint8))
    sizes = []
    crop = Image.Image.crop
    monkeypatch.setattr(Image.Image, "crop", lambda image, box: (sizes.append(image.size), crop(image, box))[1])
    found = one(tmp_path, saved(photo, "JPEG", quality=95), 16)
    assert sizes[-1] == (150, 100)  # a quarter: an eighth would be less than 4 * 16
    right = np.asarray(ImageOps.fit(photo, (16, 16))).transpose(2, 0, 1)
    assert np.abs(found.astype(int) - right).max() <= 3


def test_a_picture_above_pillows_limit_is_named(tmp_path, monkeypatch, capsys, recwarn):
    tree(tmp_path, {"1.png": 1, "2.png": 2})
    picture(tmp_path / "3.png", 3, (11, 11), "L")
    picture(tmp_path / "4.png", 4, (30, 30), "L")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)  # a warning above it, an error above twice that
    assert levels(tmp_path, True)[0] == [(1, 0), (2, 0), (3, 0)]
    assert "1 too large: 4.png." in capsys.readouterr().out
    assert not recwarn.list


# ---- wrong codes


PLANTED = [
    (shows_white_where_it_is_clear, '"white"), strip)', '"black"), strip)'),
    (shows_white_where_it_is_clear, "if strip.has_transparency_data:", 'if strip.mode in ("RGBA", "LA", "La", "PA"):'),
    (shows_white_where_it_is_clear, "value >> 8 for value in key", "value for value in key"),
    (shows_white_where_it_is_clear, "upper[values == key] = 255", "upper[upper == key >> 8] = 255"),
    (shows_white_where_it_is_clear, '("1", "L", "LA", "La")', '("1", "L")'),
    (shows_white_where_it_is_clear, ' or "LA;16" in str(image.tile)', ""),
    (sixteen_bits_keep_the_upper_eight, "(depth.bits - 8)", "8"),
    (sixteen_bits_keep_the_upper_eight, "if depth.inverted", "if False"),
    (sixteen_bits_keep_the_upper_eight, "(values >> (depth.bits - 8))", "values.clip(0, 255)"),
    (pictures_stand_upright, '6: "ROTATE_270"', '6: "ROTATE_90"'),
    (pictures_stand_upright, '5: "TRANSPOSE"}', '5: "TRANSVERSE"}'),
    (large_ones_are_taken_in_strips, "(0, top // step)", "(0, top)"),
    (large_ones_are_taken_in_strips, "min(image.size) // (4 * size)", "min(image.size) // (size // 4)"),
]


@pytest.mark.parametrize(("check", "old", "new"), PLANTED)
def test_planted_errors(check, old, new, tmp_path, plant, caught):
    mutant = plant("vaelib.outside.folders", old, new)
    mutant.DataError = folders.DataError
    caught(f"{old} -> {new}", lambda: check(mutant, tmp_path))
