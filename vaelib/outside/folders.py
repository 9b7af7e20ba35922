"""Your own images: layouts of folders, formats of files."""

import contextlib
import math
import os
import re
import warnings
from collections import defaultdict, deque
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from vaelib.outside import given
from vaelib.outside.console import say
from vaelib.outside.files import DataError

MOST_PIXELS_WIDE = 4096
MOST_BYTES = 2**33  # a set is held in memory
_TRAIN, _TEST, _VAL = {"train", "training"}, {"test", "testing"}, {"val", "valid", "validation", "dev", "eval"}
# thumbnails, bins and the like, which file managers, network drives and archives leave behind
_NO_DATA = {"__macosx", "__pycache__", "@eadir", "@recycle", "#recycle", "$recycle.bin", "system volume information"}
_NO_DATA |= {"lost+found", "thumbs.db", "desktop.ini"}
_NEITHER, _UNREADABLE, _NOT_PERMITTED = "in neither set", "unreadable", "without permission to read"
_MANY = 2**22  # pixels; a picture of more is decoded when no other is
# EXIF orientation: how to undo it
_TURNS = {2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE"}
_TURNS |= {6: "ROTATE_270", 7: "TRANSVERSE", 8: "ROTATE_90"}

Parts = tuple[str, ...]  # the path of a file or folder below the one that was given


def read(path: Path, train: bool, size: int | None) -> tuple[torch.Tensor, torch.Tensor, Parts]:
    """The training or test images of a folder, their labels, and the labels' names, as ``data.load`` has them.

    Raises:
        ValueError: a ``size`` that cannot be.
        DataError: no folder, no readable image in it, a layout that can be read in two ways, or values without a known white.
    """
    if size is not None:
        size = given.whole("size", size, 1, MOST_PIXELS_WIDE)
    if not os.path.isdir(path):
        raise DataError(f"{_shown(path)} is not a folder: give one that holds images, or sub-folders of images.")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")  # what cannot be read is said below
        return _read(path, train, size)


def _read(path: Path, train: bool, size: int | None) -> tuple[torch.Tensor, torch.Tensor, Parts]:
    files, left = _walk(path)
    split = _split(path, files)
    sets, labels = _sets(path, files, split, left)
    looks = (_look(path.joinpath(*parts)) for parts, _ in sets[True] + sets[False])
    first = next((look for look in looks if look), None)
    if first is None:
        raise DataError(
            f"{_shown(path)} holds no readable image: it needs .png, .jpg or other files that Pillow opens"
            f"{''.join(f'; {_named(names, reason)}' for reason, names in left.items() if names)}."
        )
    # no further than the first in colour
    mode = "L" if first.grey and all(look.grey for look in looks if look) else "RGB"
    if size is None:
        size = first.width if first.width == first.height <= 64 else 32

    items, what = sets[train], "training" if train else "test"
    shape = (len(items), 1 if mode == "L" else 3, size, size)
    if math.prod(shape) > MOST_BYTES:
        raise ValueError(
            f"{len(items):,} images of {shape[1]}x{size}x{size} take {math.prod(shape) / 2**30:.1f} GiB, and a set may take "
            f"{MOST_BYTES / 2**30:g}: use size={math.isqrt(MOST_BYTES // (shape[0] * shape[1]))} or less."
        )
    x = np.empty(shape, np.uint8)

    def fill(k: int, large: bool = False) -> _Pixels | None:
        found = _pixels(path, items[k][0], mode, size, large)
        if found is None or found.values is None:
            return found
        x[k] = found.values
        return found._replace(values=True)  # only x keeps the numbers

    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        found = list(pool.map(fill, range(len(items))))
    # the large ones here, and not in turns in the pool: what a thread has freed often stays that thread's
    found = [each or fill(k, large=True) for k, each in enumerate(found)]
    for (parts, _), each in zip(items, found, strict=True):
        if each.note:
            left[each.note].append(parts)
    good = np.array([bool(each.values) for each in found], bool)
    said = [_named(names, reason) for reason, names in left.items() if names]
    if not good.any():
        if not train and not split:
            said.insert(0, "with fewer than ten files a label, add train/ and test/")
        raise DataError(
            f"{_shown(path)} holds no readable {what} image among {len(items)} file(s){''.join(f'; {each}' for each in said)}."
        )
    highest = [each.highest for each in found if each.highest is not None]
    if highest and max(highest) < 64:  # of 255
        raise DataError(
            f"none of the {len(highest)} {what} images of 16 bits in {_shown(path)} reaches 16,384 of 65,535, so they may hold "
            "fewer bits (12, often), and which value is white is not known: save them with white at 65,535, or with 8 bits."
        )
    y = torch.tensor([k for (_, k), keep in zip(items, good, strict=True) if keep])
    count = y.bincount(minlength=len(labels)).tolist()
    if absent := [(name,) for k, name in enumerate(labels) if count[k] == 0]:
        said.insert(0, f"no image of {_some(absent)}")
    source = f" from {_escaped(split[not train])}/" if split else ""
    counted = f"{len(y)} {what} images of {shape[1]}x{size}x{size}{source}"
    say(f"folder:{_escaped(path.resolve().name or path)}: {'; '.join([counted, _mapping(labels), *said])}.")
    return torch.from_numpy(x if good.all() else x[good]), y, labels


# ---- layouts of folders


def _walk(root: Path) -> tuple[list[Parts], dict[str, list[Parts]]]:
    """The files below ``root``, in order, without what is no data; and what was left out, by its reason.

    Links to folders are followed, but no folder is read twice, nor one that ``root`` lies in, so that loops end. Level by level,
    and folders before links, so that a folder goes by its own name.
    """
    files, left = [], defaultdict(list)
    top = Path(os.path.realpath(root))
    met = {str(each) for each in top.parents}
    folders = deque([()])
    while folders:
        folder = folders.popleft()
        place = os.path.realpath(root.joinpath(*folder))
        if place in met:
            left["link(s) to a folder read already"].append(folder)
            continue
        met.add(place)
        try:
            entries = sorted(os.scandir(root.joinpath(*folder)), key=lambda entry: (entry.is_symlink(), entry.name))
        except OSError as error:
            left[_NOT_PERMITTED if isinstance(error, PermissionError) else _UNREADABLE].append(folder)
            continue
        for entry in entries:
            if entry.name[0] == "." or entry.name.casefold() in _NO_DATA:
                continue
            parts = (*folder, entry.name)
            try:
                if entry.is_dir():
                    folders.append(parts)
                elif not entry.is_file():  # a pipe, say, or a link to nowhere
                    left[_UNREADABLE].append(parts)
                elif entry.stat().st_size == 0:
                    left["empty"].append(parts)
                else:
                    files.append(parts)
            except OSError:
                left[_UNREADABLE].append(parts)
    return sorted(files), left


def _split(path: Path, files: list[Parts]) -> Parts | None:
    """The sub-folders with the training and the test images, or None where there are no such two."""
    below = defaultdict(set)  # folder -> its sub-folders that hold files
    for parts in files:
        for k in range(len(parts) - 1):
            below[parts[:k]].add(parts[k])

    def called(names: set[str], folder: Parts = ()) -> list[str]:
        return sorted(name for name in below.get(folder, ()) if name.casefold() in names)

    train, test = called(_TRAIN), called(_TEST) or called(_VAL)
    for names in (train, test):
        if train and test and len(names) > 1:
            raise DataError(f"{_shown(path)} holds {' and '.join(f'{name}/' for name in names)}: keep one of them.")
    split = (train[0], test[0]) if train and test else None
    for folder in sorted(below):
        used = folder and (not split or folder[0] in split)
        if used and called(_TRAIN, folder) and called(_TEST | _VAL, folder):
            raise DataError(
                f"{_shown(path)} has training and test images inside {_escaped('/'.join(folder))}/: give "
                f"{_shown(path.joinpath(*folder))}, or put train/ and test/ outermost, with the labels in each."
            )
    alone = called(_TRAIN | _TEST | _VAL)
    if not split and alone and (len(alone) == len(below[()]) or any((name,) in below for name in alone)):
        raise DataError(
            f"{_shown(path)} holds {' and '.join(f'{name}/' for name in alone)}, but no {'test/ or val/' if train else 'train/'} "
            f"with files: add that, or give {_shown(path / alone[0])}, of which every tenth file is a test image."
        )
    return split


def _sets(
    path: Path, files: list[Parts], split: Parts | None, left: dict[str, list[Parts]]
) -> tuple[dict[bool, list[tuple[Parts, int]]], Parts]:
    """The training and the test files, each with its label; and the labels' names. The rest goes to ``left``."""
    depth = 1 if split else 0
    labelled, loose = defaultdict(list), []
    for parts in files:
        if split and parts[0] not in split:
            left[_NEITHER].append(parts)
        elif len(parts) > depth + 1:
            labelled[parts[depth]].append(parts)
        else:
            loose.append(parts)
    for name in list(labelled):
        tried = []
        for parts in labelled[name]:
            found = _pixels(path, parts, "L", 1)
            if found.values is not None:
                break
            tried.append((found.note, parts))
        else:  # no label
            del labelled[name]
            for note, parts in tried:
                left[note].append(parts)
    names = _ordered(labelled)
    if names:
        left[_NEITHER] += loose
    sets = {True: [], False: []}
    for k, group in enumerate([labelled[name] for name in names] or [loose]):
        for i, parts in enumerate(group):
            sets[parts[0] == split[0] if split else i % 10 != 9].append((parts, k))
    return sets, names


def _ordered(names: Iterable[str]) -> Parts:
    """Numbers in their order, if all are numbers; else texts in theirs."""
    numbers = all(re.fullmatch(r"[+-]?\d+(\.\d+)?", name) for name in names)
    return tuple(sorted(names, key=lambda name: (Decimal(name) if numbers else 0, name)))


# ---- formats of files


class _Pixels(NamedTuple):
    values: np.ndarray | bool | None  # (C, size, size) uint8
    note: str = ""  # why there are none, or what is left out of them
    highest: int | None = None  # of 16 bits a channel: the highest of the upper 8


class _Depth(NamedTuple):
    bits: int  # of a channel, in the file
    inverted: bool  # 0 is white
    stated: bool  # the file says which value is white


class _Look(NamedTuple):
    width: int
    height: int
    grey: bool


def _pixels(path: Path, parts: Parts, mode: str, size: int, large: bool = True) -> _Pixels | None:
    """A picture as ``data.load`` gives it; None if it has many pixels, unless ``large``.

    Raises:
        DataError: values without a known white.
    """
    from PIL import Image

    try:
        # not by its name, by which Pillow would map a plain TIFF into memory, and mix up its rows if they are to be columns
        with open(path.joinpath(*parts), "rb") as file, Image.open(file) as image:
            depth = _depth(image, parts)
            image.draft(None, (4 * size, 4 * size))  # a large JPEG comes out smaller, but not below this
            if image.width * image.height > _MANY and not large:
                return None
            pages = getattr(image, "is_animated", False) and image.format != "MPO"  # that is a photo with a preview
            image.load()
            plain, highest = _plain(image, mode, depth, size)
            with contextlib.suppress(Exception):  # damaged EXIF says nothing of how to turn
                if turn := _TURNS.get(image.getexif().get(0x0112)):
                    plain = plain.transpose(Image.Transpose[turn])
        values = np.asarray(plain).reshape(size, size, -1).transpose(2, 0, 1)
        return _Pixels(values, "of several pages or frames, the first taken" if pages else "", highest)
    except DataError:
        raise
    except PermissionError:
        return _Pixels(None, _NOT_PERMITTED)
    except (Image.DecompressionBombError, MemoryError):
        return _Pixels(None, "too large")
    except Exception:  # Pillow's readers raise what they like on a damaged file
        return _Pixels(None, _UNREADABLE)


def _look(path: Path) -> _Look | None:
    """A picture's size, and whether it is of a grey kind, from the start of its file; None if Pillow cannot open it."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            grey = image.mode in ("1", "L", "LA", "La") or image.mode[0] in "IF" or "LA;16" in str(image.tile)
            size = image.size
            if image.mode in ("P", "PA"):
                palette = image.getpalette()
                grey = palette[0::3] == palette[1::3] == palette[2::3]
            return _Look(*size, grey)
    except Exception:
        return None


def _depth(image, parts: Parts) -> _Depth:
    """Of a picture that is not yet decoded, which forgets it."""
    kind = (image.mode[:4], image.format)
    if kind in (("I;16", "PNG"), ("I;16", "TIFF"), ("I;16", "JPEG2000"), ("I", "PPM")):
        tags = getattr(image, "tag_v2", {})
        bits = tags.get(258, (16,))[0]
        return _Depth(bits, tags.get(262) == 0, bits < 16 or image.format == "PPM")
    if image.mode[0] in "IF":
        kind = "floats" if image.mode == "F" else "integers of another kind than 8 or 16 bits"
        raise DataError(
            f"{_escaped('/'.join(parts))} holds {kind}, and which value is white is not known: save it with 8 bits a channel, "
            "0 for black and 255 for white, or with 16, where white is 65,535."
        )
    sixteen = ";16" in str(image.tile) and image.format in ("PNG", "TIFF")
    return _Depth(16, False, False) if sixteen else _Depth(8, False, True)


def _plain(image, mode: str, depth: _Depth, size: int):
    """A decoded picture with 8 bits a channel, on white, in ``mode``, scaled and cropped; and the highest of 16 bits.

    Many pixels are taken strip by strip, which needs little memory, and averaged in blocks that are small for ``size``.
    """
    from PIL import Image

    (width, height), step = image.size, 1
    rows = height
    if width * height > _MANY:
        step = max(1, min(image.size) // (4 * size))
        rows = step * max(1, _MANY // 16 // (width * step))
    plain, highest = Image.new(mode, (-(-width // step), -(-height // step))), 0
    for top in range(0, height, rows):
        strip = image.crop((0, top, width, min(top + rows, height)))
        if strip.mode[0] == "I":
            values = np.asarray(strip)
            upper = (values >> (depth.bits - 8)).astype(np.uint8)
            highest = max(highest, int(upper.max()))
            upper = 255 - upper if depth.inverted else upper
            if (key := strip.info.get("transparency")) is not None:
                upper[values == key] = 255
            strip = Image.fromarray(upper)
        elif not depth.stated:  # Pillow has kept the upper 8
            highest = max(highest, *(high for _, high in strip.getextrema()[:3]))
            if isinstance(key := strip.info.get("transparency"), tuple):
                strip.info["transparency"] = tuple(value >> 8 for value in key)
        if strip.has_transparency_data:
            strip = strip.convert("LA") if strip.mode == "La" else strip  # the one way from there
            strip = strip.convert("RGBA")
            strip = Image.alpha_composite(Image.new("RGBA", strip.size, "white"), strip)
        plain.paste(strip.convert(mode).reduce(step), (0, top // step))
    side = min(width, height)
    middle = ((width - side) / 2, (height - side) / 2, (width + side) / 2, (height + side) / 2)
    plain = plain.resize((size, size), Image.Resampling.BICUBIC, box=[each / step for each in middle])
    return plain, None if depth.stated else highest


# ---- what is said


def _escaped(text: object) -> str:
    r"""Control characters, which a terminal would obey, and what else has no shape, as escapes: \x1b."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))


def _shown(path: Path) -> str:
    return f"folder:{_escaped(path)}"


def _some(files: list[Parts]) -> str:
    return ", ".join(_escaped("/".join(parts) or ".") for parts in files[:5]) + (" and more" if len(files) > 5 else "")


def _named(files: list[Parts], reason: str) -> str:
    return f"{len(files)} {reason}: {_some(files)}"


def _mapping(labels: Parts) -> str:
    if not labels:
        return "no sub-folders, so no labels: all are 0"
    pairs = [f"{k} {_escaped(name)}" for k, name in enumerate(labels)]
    if len(pairs) > 12:
        pairs[10:-1] = ["…"]
    return f"{len(labels)} label{'s' if len(labels) > 1 else ''}: {', '.join(pairs)}"
