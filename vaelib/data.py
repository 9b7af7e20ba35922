"""Images: the built-in sets, the real ones, your own folder; minibatches; and the download command.

    python -m vaelib.data download mnist fashion-mnist cifar10

Real sets live in the folder that the environment variable ``VAELIB_DATA`` names, else in the user's cache folder. Only the
command above uses the network.
"""

import argparse
import contextlib
import hashlib
import os
import pickle
import shutil
import socket
import sys
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from vaelib import folders, given
from vaelib.console import say
from vaelib.files import DataError, written_whole

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
_TIMEOUT_S = 10  # a server that stays silent this long counts as out of reach


def folder(root: str | os.PathLike | None = None) -> Path:
    """The data folder: ``root`` if given, else ``VAELIB_DATA``, else the user's cache folder.

    Raises:
        ValueError: it is a file.
    """
    from platformdirs import user_cache_path

    path = Path(root or os.environ.get("VAELIB_DATA") or user_cache_path("vaelib", appauthor=False)).expanduser()
    if path.is_file():
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
        ValueError: an unknown name, no path behind ``folder:``, or a ``size`` that cannot be.
        DataError: the set is not there, or damaged; the folder holds no readable image, or is refused for a reason above.
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
    """``name`` if that real set is on disk, else ``otherwise``; prints which, and how to get the other."""
    if name not in REAL or otherwise not in BUILT_IN:
        raise ValueError(
            f"at_hand takes one of {', '.join(REAL)} and one of {', '.join(BUILT_IN)}: got {name!r}, {otherwise!r}."
        )
    if (folder() / REAL[name].folder).is_dir():
        say(f"Data: {name}, from your data folder.")
        return name
    say(f"Data: {otherwise}, built in. For {name} instead: python -m vaelib.data download {name}, then run this again.")
    return otherwise


# ---- built in


def _load_built_in(name: str, train: bool, root: Path) -> Images:
    from vaelib import glyphs

    path = root / f"{name}-{'train' if train else 'test'}-v{glyphs.VERSION}.npz"
    count = BUILT_IN_COUNTS[train]
    try:
        with np.load(path) as file:  # a zip file: every member carries a checksum
            x, y = file["x"], file["y"]
        if len(x) == len(y) == count:
            return Images(torch.from_numpy(x), torch.from_numpy(y), name)
        raise ValueError("wrong count")
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        say(f"{path.name} in the data folder is damaged, so its images are drawn again.")
    x, y = glyphs.draw(count, seed=0 if train else 1, rgb=name == "glyphs-rgb")
    try:
        with written_whole(path) as file:
            np.savez(file, x=x, y=y)
    except OSError as error:
        say(f"{name} cannot be kept in {root} ({error.strerror}), so it is drawn anew each time, in about a second.")
    return Images(torch.from_numpy(x), torch.from_numpy(y), name)


# ---- real sets, through torchvision


def _load_real(name: str, train: bool, root: Path) -> Images:
    spec = REAL[name]
    command = f"python -m vaelib.data download {name}"
    if not (root / spec.folder).is_dir():
        raise DataError(f"{name} is not in {root}: run `{command}`, or use the built-in {'/'.join(BUILT_IN)}.")
    import torchvision  # slow (2 s), so only here

    try:
        _check_sums(root / spec.folder)
        dataset = getattr(torchvision.datasets, spec.torchvision_class)(root, train=train, download=False)
        x, y = torch.as_tensor(dataset.data), torch.as_tensor(dataset.targets)
        x = x.permute(0, 3, 1, 2).contiguous() if x.dim() == 4 else x.unsqueeze(1)
        if tuple(x.shape) != (spec.counts[train], *spec.shape) or y.shape != x.shape[:1]:
            raise ValueError(f"its shape is {tuple(x.shape)}")
    except (
        OSError,
        RuntimeError,
        ValueError,
        AssertionError,
        EOFError,
        KeyError,
        TypeError,
        pickle.UnpicklingError,
    ) as error:
        raise DataError(f"{name} in {root} is damaged ({_first_line(error)}): run `{command}` to repair it.") from error
    return Images(x, y, name)


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _write_sums(path: Path) -> None:
    files = sorted(p for p in path.rglob("*") if p.is_file())
    (path / _SUMS).write_text("".join(f"{_md5(p)}  {p.relative_to(path).as_posix()}\n" for p in files))


def _check_sums(path: Path) -> None:
    """Compare with the sums written after the download. A set laid out by hand has none, and is checked by its shape alone."""
    if (path / _SUMS).exists():
        for line in (path / _SUMS).read_text().splitlines():
            md5, _, file = line.partition("  ")
            if _md5(path / file) != md5:
                raise ValueError(f"the checksum of {Path(file).name} is wrong")


def _first_line(error: BaseException) -> str:
    text = getattr(error, "strerror", None) or str(getattr(error, "reason", "")) or str(error) or type(error).__name__
    return text.strip().splitlines()[0].rstrip(":.")


def download(name: str, root: str | os.PathLike | None = None) -> None:
    """Download a real set, or repair it; return at once if it is there and whole.

    Archives go to a private folder beside the set's place, are checked against torchvision's checksums and unpacked there; the
    set then moves to its place in one step. A run that was stopped is continued: archives that arrived whole are kept.
    A second process waits for the first.

    Raises:
        ValueError: not the name of a real set.
        DataError: no network, a damaged transfer, a folder that cannot be written, or a full disk.
    """
    if name not in REAL:
        raise ValueError(f"there is nothing to download for {name!r}: the real sets are {', '.join(REAL)}.")
    from filelock import FileLock

    spec, root = REAL[name], folder(root)
    place, partial = root / spec.folder, root / f"{spec.folder}.partial"
    try:
        root.mkdir(parents=True, exist_ok=True)
        with FileLock(root / f".{spec.folder}.lock"):
            try:
                for train in (True, False):
                    _load_real(name, train, root)
                return
            except DataError as problem:
                if place.exists():
                    say(problem)
            _fetch(spec, partial)
            if place.exists():
                shutil.rmtree(place)
            os.replace(partial / spec.folder, place)
            shutil.rmtree(partial)
            for train in (True, False):
                _load_real(name, train, root)
    except OSError as error:  # URLError is one too
        where = f"it could not be fetched or written to {root}"
        raise DataError(
            f"{name} was not downloaded: {where} ({_first_line(error)}). Mend that, then run it again."
        ) from error


def _fetch(spec: _RealSet, partial: Path) -> None:
    """Download and unpack below ``partial``. Unpacked files of an earlier try may be half written, so only archives stay."""
    import torchvision

    for path in sorted(partial.rglob("*")) if partial.exists() else ():
        if path.is_file() and path.suffix != ".gz":
            path.unlink()
    timeout = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_TIMEOUT_S)
    try:
        with contextlib.redirect_stdout(None):  # torchvision's chatter; its progress bar is on stderr
            getattr(torchvision.datasets, spec.torchvision_class)(partial, download=True)
    except RuntimeError as error:  # every mirror failed, or a checksum did; the last line says how
        reason = str(error).strip().splitlines()[-1]
        raise DataError(
            f"{spec.torchvision_class} was not downloaded ({reason}): check the connection, then run it again."
        ) from error
    finally:
        socket.setdefaulttimeout(timeout)
    for archive in (partial / spec.folder).rglob("*.gz"):
        archive.unlink()
    _write_sums(partial / spec.folder)


# ---- batches


def as_float(x: torch.Tensor) -> torch.Tensor:
    """uint8 images 0 to 255 become float32 in [0, 1]; any other tensor is returned as it is."""
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
    if not x.is_floating_point():
        raise ValueError(f"binarize takes float images in [0, 1], and got {x.dtype}: use data.as_float first.")
    if x.device.type == "cpu" and x.numel():
        low, high = (float(v) for v in torch.aminmax(x))
        if not 0 <= low <= high <= 1:
            raise ValueError(
                f"binarize takes images in [0, 1], and got values from {low:g} to {high:g}: use data.as_float on 0 to 255."
            )
    return (torch.rand(x.shape, generator=generator, device=x.device, dtype=x.dtype) < x).to(x.dtype)


def minibatches(
    *tensors: torch.Tensor, batch_size: int, seed: int = 0, start: int = 0
) -> Iterator[tuple[torch.Tensor, ...]]:
    """Endless shuffled minibatches; the one at step ``start`` is the same whether or not the earlier ones were drawn.

    Each pass over the data has its own order and drops what does not fill a batch. Everything stays on the tensors' device.

    Args:
        tensors: equally long, for example images and labels. uint8 comes out as float in [0, 1].

    Raises:
        ValueError: unequal lengths, or a batch size below 1 or above the number of examples.
    """
    n = len(tensors[0])
    if any(len(t) != n for t in tensors):
        raise ValueError(
            f"the tensors to batch have {', '.join(str(len(t)) for t in tensors)} examples: they must be equally long."
        )
    if not 1 <= batch_size <= n:
        raise ValueError(f"batch_size={batch_size} was given for {n} examples: use 1 to {n}.")

    def draw() -> Iterator[tuple[torch.Tensor, ...]]:
        step, order = start, None
        while True:
            epoch, place = divmod(step, n // batch_size)
            if order is None or place == 0:
                order = torch.randperm(n, generator=torch.Generator().manual_seed(seed * 1_000_003 + epoch)).to(
                    tensors[0].device
                )
            index = order[place * batch_size : (place + 1) * batch_size]
            yield tuple(as_float(t.index_select(0, index)) for t in tensors)
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
            say(error, file=sys.stderr)
            failed += 1
        except KeyboardInterrupt:
            say(f"{name}: stopped; what arrived whole is kept. Run it again to go on.", file=sys.stderr)
            return 130
    return 1 if failed else int(not names)


if __name__ == "__main__":
    sys.exit(main())
