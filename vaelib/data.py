"""Images: the built-in sets, the real ones, your own folder; minibatches; and the download command.

    python -m vaelib.data download mnist fashion-mnist cifar10

Real sets live in the folder that the environment variable ``VAELIB_DATA`` names, else in the user's cache folder. Only the
command above uses the network.
"""

import argparse
import contextlib
import hashlib
import io
import os
import shutil
import socket
import sys
from collections.abc import Iterable, Iterator
from http.client import HTTPException, InvalidURL
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from vaelib import folders, given
from vaelib.console import say
from vaelib.device import setting
from vaelib.files import DataError, unread, written_whole

BUILT_IN = ("glyphs", "glyphs-rgb")
BUILT_IN_COUNTS = {True: 12_000, False: 2_000}  # train, test


class Images(NamedTuple("Images", [("x", torch.Tensor), ("y", torch.Tensor), ("name", str)])):
    """A labelled image set in memory: ``x, y, name = images``.

    x: uint8 (N, C, H, W), 0 to 255.  y: int64 (N,), labels from 0.  name: what ``load`` was asked for.
    labels: for ``folder:PATH`` the name of each label, the sub-folder's: ``images.labels[int(images.y[0])]``; else empty.
    """

    labels: tuple[str, ...] = ()  # not a fourth field: an image set is still unpacked into three

    def __new__(cls, x: torch.Tensor, y: torch.Tensor, name: str, labels: Iterable[str] = ()):
        self = super().__new__(cls, x, y, name)
        self.labels = tuple(labels)
        return self

    def _replace(self, **changes) -> "Images":
        return Images(**{**self._asdict(), "labels": self.labels, **changes})


class _Unread(DataError):
    """A set that may be whole, and is not to be replaced."""


class _RealSet(NamedTuple):
    torchvision_class: str
    folder: str  # below the data folder, in torchvision's own layout
    shape: tuple[int, int, int]
    counts: dict[bool, int]  # train, test


REAL = {
    "mnist": _RealSet("MNIST", "MNIST", (1, 28, 28), {True: 60_000, False: 10_000}),
    "fashion-mnist": _RealSet("FashionMNIST", "FashionMNIST", (1, 28, 28), {True: 60_000, False: 10_000}),
    "cifar10": _RealSet("CIFAR10", "cifar-10-batches-py", (3, 32, 32), {True: 50_000, False: 10_000}),
}
_SUMS = "sums.md5"
_FAILURES = (OSError, HTTPException, ValueError, RuntimeError)  # of the network, the disk, an address, torchvision
_TIMEOUT_S = 10  # a server that stays silent this long counts as out of reach


def folder(root: str | os.PathLike | None = None) -> Path:
    """The data folder: ``root`` if given, else ``VAELIB_DATA``, else the user's cache folder.

    Raises:
        ValueError: it is a file, or no path.
    """
    from platformdirs import user_cache_path

    if root is not None:
        given.path("root", root, "a folder for the image sets")
    path = Path(os.path.expanduser(root or setting("VAELIB_DATA") or user_cache_path("vaelib", appauthor=False)))
    if os.path.isfile(path):
        source = "root" if root else "VAELIB_DATA"
        raise ValueError(f"{source} is {str(path)!r}, a file: give a folder for the image sets.")
    return path


def load(name: str, train: bool = True, root: str | os.PathLike | None = None, size: int | None = None) -> Images:
    """Load a whole image set into memory.

    Args:
        name: ``glyphs`` (28x28 grey) or ``glyphs-rgb`` (32x32 colour), built in: 12,000 training and 2,000 test images,
            drawn once and kept in the data folder; ``mnist``, ``fashion-mnist`` or ``cifar10``, once downloaded; or
            ``folder:PATH``, your own images, see below.
        train: the training set, else the test set.
        root: the data folder, see ``folder``.
        size: side in pixels, 1 to 4096, for ``folder:PATH`` only. Default: that of the first image if it is square and at
            most 64 pixels wide, else 32. Others are scaled, and cropped around the middle.

    ``folder:PATH``. One line says what was read, what each label is, and names the files that are in neither set.

    - Labels are the sub-folders with a readable image, numbered from 0 and alike in both sets: in numeric order if all names are
      numbers, else in the order of texts. ``Images.labels`` has the names. Without sub-folders all labels are 0; beside them, loose
      files are in neither set. Links to folders are followed.
    - Sets: ``PATH/train`` and ``PATH/test``, each with the labels in it; without test, ``PATH/val`` is the test set. ``training``,
      ``testing``, ``valid``, ``validation``, ``dev`` and ``eval`` mean the same, in any case. Else every tenth file of a label
      is a test image. A layout that can be read in two ways is refused.
    - No data: names that begin with a dot, ``__MACOSX``, ``@eaDir`` and the like, at any depth; empty files.
    - Colour: grey if every image of both sets is stored as grey, with or without transparency; else all have three channels.
    - Transparency: what is transparent shows white, and hidden colours do not show.
    - More than 8 bits a channel: the upper 8 of 16 (or of the 12 that a TIFF states). Refused, since their white is not known:
      16-bit sets in which no value reaches a quarter of 65,535, as with 12 bits in 16; 32-bit and signed integers; floats.
    - EXIF orientation is applied. Of several pages or frames the first is taken.
    - Memory: at most 8 GiB for a set. Of images above 4 megapixels one is decoded at a time, with up to 8 bytes a pixel;
      above Pillow's limit of 179 megapixels they are left out. JPEGs are decoded at a reduced size.

    Raises:
        ValueError: an unknown name, no path behind ``folder:``, or a ``train``, ``root`` or ``size`` that cannot be.
        DataError: the set is not there, or damaged, or may not be read; or the folder holds no readable image, or is refused for a
            reason above.
    """
    given.text("name", name, f"one of {', '.join([*BUILT_IN, *REAL])}, or folder:PATH")
    train = given.flag("train", train)
    if name.startswith("folder:"):
        if not (place := name.removeprefix("folder:")).strip():
            raise given.refuse("name", name, "a path behind the colon; folder:. is the current folder")
        path = Path(os.path.expanduser(place))  # Path's own raises where there is no such home
        x, y, labels = folders.read(path, train, size)
        return Images(x, y, f"folder:{path}", labels)
    if size is not None:
        raise ValueError(f"size={size} was given with {name!r}, whose size is fixed: it is for folder:PATH only.")
    if name in BUILT_IN:
        return _load_built_in(name, train, folder(root))
    if name in REAL:
        return _load_real(name, train, folder(root))
    raise ValueError(f"unknown image set {name!r}: the known ones are {', '.join([*BUILT_IN, *REAL])} and folder:PATH.")


def at_hand(name: str, otherwise: str) -> str:
    """``name`` if that real set is on disk, else ``otherwise``; prints which, and how to get the other.

    Raises:
        ValueError: ``name`` is no real set, or ``otherwise`` no built-in one.
    """
    given.one_of("name", name, REAL), given.one_of("otherwise", otherwise, BUILT_IN)
    if os.path.isdir(folder() / REAL[name].folder):
        say(f"Data: {name}, from your data folder.")
        return name
    say(f"Data: {otherwise}, built in. For {name} instead: python -m vaelib.data download {name}, then run this again.")
    return otherwise


# ---- built in


def _load_built_in(name: str, train: bool, root: Path) -> Images:
    from vaelib import glyphs

    path = root / f"{name}-{'train' if train else 'test'}-v{glyphs.VERSION}.npz"
    drawing = {"count": BUILT_IN_COUNTS[train], "seed": 0 if train else 1, "rgb": name == "glyphs-rgb"}
    keep = True
    try:
        with np.load(io.BytesIO(path.read_bytes())) as file:  # a zip file: every member carries a checksum
            x, y = file["x"], file["y"]
        if glyphs.is_drawn(x, y, **drawing):
            return Images(torch.from_numpy(x), torch.from_numpy(y), name)
        raise ValueError("something else")
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:  # the file may be whole, and others use it
        say(f"{unread(path, error)}. So {name} is drawn anew each time, in about a second.")
        keep = False
    except MemoryError:
        raise
    except Exception:  # a damaged archive makes NumPy raise almost anything
        say(f"{path.name} in the data folder is damaged, so its images are drawn again.")
    x, y = glyphs.draw(**drawing)
    try:
        if keep:
            with written_whole(path) as file:
                np.savez(file, x=x, y=y)
    except OSError as error:
        say(f"{name} cannot be kept in {root} ({error.strerror}), so it is drawn anew each time, in about a second.")
    return Images(torch.from_numpy(x), torch.from_numpy(y), name)


# ---- real sets, through torchvision


def _load_real(name: str, train: bool, root: Path) -> Images:
    spec = REAL[name]
    command = f"python -m vaelib.data download {name}"
    if not os.path.isdir(root / spec.folder):
        raise DataError(f"{name} is not in {root}: run `{command}`, or use the built-in {'/'.join(BUILT_IN)}.")
    import torchvision  # slow (2 s), so only here

    try:
        _check_sums(root / spec.folder)
        dataset = getattr(torchvision.datasets, spec.torchvision_class)(root, train=train, download=False)
        x, y = torch.as_tensor(dataset.data), torch.as_tensor(dataset.targets)
        x = x.permute(0, 3, 1, 2).contiguous() if x.dim() == 4 else x.unsqueeze(1)
        if tuple(x.shape) != (spec.counts[train], *spec.shape) or y.shape != x.shape[:1]:
            raise ValueError(f"its shape is {tuple(x.shape)}")
    except PermissionError as error:
        raise _Unread(f"{name}: {unread(error.filename, error)}.") from error
    except MemoryError:
        raise
    except Exception as error:  # damaged files make torchvision raise almost anything
        raise DataError(f"{name} in {root} is damaged ({_reason(error)}): run `{command}` to repair it.") from error
    return Images(x, y, name)


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _write_sums(path: Path) -> None:
    files = sorted(p for p in path.rglob("*") if p.is_file())
    (path / _SUMS).write_text("".join(f"{_md5(p)}  {p.relative_to(path).as_posix()}\n" for p in files))


def _check_sums(path: Path) -> None:
    """Compare with the sums written after the download. A set laid out by hand has none, and is checked by its shape alone."""
    try:
        lines = (path / _SUMS).read_text().splitlines()
    except FileNotFoundError:
        return
    for line in lines:
        md5, _, file = line.partition("  ")
        if _md5(path / file) != md5:
            raise ValueError(f"the checksum of {Path(file).name} is wrong")


def _reason(error: BaseException) -> str:
    text = getattr(error, "strerror", None) or str(getattr(error, "reason", "")) or str(error) or type(error).__name__
    lines = text.strip().splitlines()
    line = lines[
        -1 if isinstance(error, RuntimeError) else 0
    ]  # torchvision's RuntimeError says how it failed at its end
    line = "".join(
        letter if letter.isprintable() else "?" for letter in line[:200].rstrip(":.")
    )  # it may be a server's
    kind = (
        "a bad address: "
        if isinstance(error, InvalidURL)
        else "a bad answer: "
        if isinstance(error, HTTPException)
        else ""
    )
    return kind + line


def download(name: str, root: str | os.PathLike | None = None) -> None:
    """Download a real set, or repair it; return at once if it is there and whole, also where you may not write.

    Archives go to a private folder beside the set's place, are checked against torchvision's checksums and unpacked there; the
    set then moves to its place in one step. A mirror that fails, in whatever way, is followed by the next. A run that was stopped is
    continued: archives that arrived whole are kept. A second process waits for the first.

    Raises:
        ValueError: not the name of a real set.
        DataError: no network, a bad answer, a damaged transfer, a folder that cannot be written, a full disk; or a set that is there
            and may not be read, which is left alone.
    """
    given.one_of("name", name, REAL)
    from filelock import FileLock

    spec, root = REAL[name], folder(root)
    place, partial = root / spec.folder, root / f"{spec.folder}.partial"
    if _is_whole(name, root):
        return
    try:
        root.mkdir(parents=True, exist_ok=True)
        with FileLock(root / f".{spec.folder}.lock"):
            if _is_whole(name, root, told=True):  # another process was there first
                return
            _fetch(spec, partial)
            if place.exists():
                shutil.rmtree(place)
            os.replace(partial / spec.folder, place)
            shutil.rmtree(partial)
        for train in (True, False):
            _load_real(name, train, root)
    except DataError:
        raise
    except _FAILURES as error:
        where = f"it could not be fetched or written to {root}"
        raise DataError(
            f"{name} was not downloaded: {where} ({_reason(error)}). Mend that, then run it again."
        ) from error


def _is_whole(name: str, root: Path, told: bool = False) -> bool:
    try:
        for train in (True, False):
            _load_real(name, train, root)
    except _Unread:
        raise
    except DataError as problem:
        if told and (root / REAL[name].folder).exists():
            say(str(problem))
        return False
    return True


def _fetch(spec: _RealSet, partial: Path) -> None:
    """Download and unpack below ``partial``, from the first mirror that has all that is still wanted."""
    import torchvision

    source = getattr(torchvision.datasets, spec.torchvision_class)
    mirrors = [{"mirrors": [mirror]} for mirror in getattr(source, "mirrors", ())] or [{}]
    timeout = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_TIMEOUT_S)
    try:
        for k, mirror in enumerate(mirrors, 1):
            for path in sorted(partial.rglob("*")) if partial.exists() else ():
                if path.is_file() and path.suffix != ".gz":  # may be half unpacked
                    path.unlink()
            try:
                with contextlib.redirect_stdout(None):  # torchvision's chatter; its progress bar is on stderr
                    type(source.__name__, (source,), mirror)(partial, download=True)
                break
            except _FAILURES:  # torchvision itself goes on to the next mirror after a URLError alone
                if k == len(mirrors):
                    raise
    finally:
        socket.setdefaulttimeout(timeout)
    for archive in (partial / spec.folder).rglob("*.gz"):
        archive.unlink()
    _write_sums(partial / spec.folder)


# ---- batches


def as_float(x: torch.Tensor) -> torch.Tensor:
    """uint8 images 0 to 255 become float32 in [0, 1]; any other tensor is returned as it is.

    Raises:
        ValueError: no tensor.
    """
    given.tensor("x", x, kind="any", least=0)
    return x.float().div_(255) if x.dtype == torch.uint8 else x


def binarize(x: torch.Tensor, generator: torch.Generator | None = None) -> torch.Tensor:
    """Draw black or white pixels: each is 1 with probability ``x`` (dynamic binarization; Burda et al. 2016).

    Args:
        x: float images in [0, 1], any shape.
        generator: on the device of ``x``.

    Returns:
        float tensor of zeros and ones, the shape of ``x``.

    Raises:
        ValueError: ``x`` is not float, or (seen on the CPU only: looking would stall a GPU) outside [0, 1].
    """
    given.tensor("x", x, least=0, cure="data.as_float makes floats of 0 to 255.")
    given.within("x", x, 0, 1, "images in [0, 1], data.as_float makes them of uint8 0 to 255")
    given.generator("generator", generator, x.device)
    return (torch.rand(x.shape, generator=generator, device=x.device, dtype=x.dtype) < x).to(x.dtype)


def batchable(*tensors: torch.Tensor | np.ndarray) -> tuple[torch.Tensor, ...]:
    """Tensors from which ``minibatches`` can draw, looked at once; NumPy arrays become tensors.

    Raises:
        ValueError: none, other things than tensors and arrays, an empty one, unequal lengths, several devices; or uint8 images of 0 and
            1, which would come out as 0 and 1/255.
    """
    if not tensors:
        raise ValueError("no tensor was given: use at least one, such as images.x.")
    found = []
    for k, value in enumerate(tensors):
        if isinstance(value, Images):
            raise ValueError("an Images was given, which is pictures and labels: use images.x, or images.x, images.y.")
        if isinstance(value, np.ndarray):
            with contextlib.suppress(TypeError):  # text, objects
                value = torch.from_numpy(np.require(value, value.dtype.newbyteorder("="), "CW"))
        given.tensor(f"tensors[{k}]", value, kind="any", least=1, on=found[0].device if found else None)
        if value.dtype == torch.uint8 and value.dim() == 4 and int(value.max()) == 1:
            raise ValueError(f"tensors[{k}] has uint8 images of 0 and 1, and uint8 counts as 0 to 255: use x.float().")
        found.append(value)
    if len({len(value) for value in found}) > 1:
        lengths = ", ".join(str(len(value)) for value in found)
        raise ValueError(f"the tensors to batch have {lengths} examples: they must be equally long.")
    return tuple(found)


def minibatches(
    *tensors: torch.Tensor, batch_size: int, seed: int = 0, start: int = 0
) -> Iterator[tuple[torch.Tensor, ...]]:
    """Endless shuffled minibatches; the one at step ``start`` is the same whether or not the earlier ones were drawn.

    Each pass over the data has its own order and drops what does not fill a batch. Everything stays on the tensors' device.

    Args:
        tensors: equally long, for example images and labels, tensors or NumPy arrays. uint8 images (N, C, H, W) come out as float in
            [0, 1]. All else comes out as it is: labels (N,) and codes (N, H, W) in uint8, too.
        seed: 0 to 2**64 - 1, of which the last 32 bits count.

    Raises:
        ValueError: what ``batchable`` refuses; a batch size below 1 or above the number of examples; a seed or a start that cannot be.
    """
    tensors, seed, start = batchable(*tensors), given.seed(seed), given.whole("start", start, 0)
    n, batch_size = len(tensors[0]), given.whole("batch_size", batch_size)
    if not 1 <= batch_size <= n:
        raise ValueError(f"batch_size={batch_size} was given for {n} examples: use 1 to {n}.")

    def draw() -> Iterator[tuple[torch.Tensor, ...]]:
        step, order = start, None
        while True:
            epoch, place = divmod(step, n // batch_size)
            if order is None or place == 0:
                generator = torch.Generator().manual_seed((seed * 1_000_003 + epoch) % 2**64)
                order = torch.randperm(n, generator=generator)
                if tensors[0].is_cuda:
                    order = order.pin_memory()  # from other memory the copy would wait for the GPU
                order = order.to(tensors[0].device, non_blocking=True)
            index = order[place * batch_size : (place + 1) * batch_size]
            batch = (t.index_select(0, index) for t in tensors)
            yield tuple(as_float(t) if t.dim() == 4 else t for t in batch)
            step += 1

    return draw()


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m vaelib.data", description=__doc__.splitlines()[0])
    command = parser.add_subparsers(dest="command", required=True).add_parser(
        "download", help="fetch or repair real image sets"
    )
    command.add_argument("names", nargs="+", choices=sorted(REAL), metavar="NAME", help=", ".join(REAL))
    failed = 0
    for name in (names := parser.parse_args(arguments).names):
        try:
            download(name)
            say(
                f"{name}: {REAL[name].counts[True]:,} training and {REAL[name].counts[False]:,} test images, whole, in {folder()}"
            )
        except (DataError, ValueError) as error:
            say(str(error), file=sys.stderr)
            failed += 1
        except KeyboardInterrupt:
            say(f"{name}: stopped; what arrived whole is kept. Run it again to go on.", file=sys.stderr)
            return 130
    return 1 if failed else int(not names)


if __name__ == "__main__":
    sys.exit(main())
