"""Real image sets: fetched, checked against sums, repaired, read. The command is ``python -m vaelib.data download NAME``.

They live in the folder that the environment variable ``VAELIB_DATA`` names, else in the user's cache folder.
"""

import argparse
import contextlib
import hashlib
import os
import shutil
import socket
import sys
from http.client import HTTPException, InvalidURL
from pathlib import Path
from typing import NamedTuple

import torch

from vaelib.outside import given
from vaelib.outside.console import say
from vaelib.outside.files import DataError, unread


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
    path = Path(os.path.expanduser(root or given.setting("VAELIB_DATA") or user_cache_path("vaelib", appauthor=False)))
    if os.path.isfile(path):
        source = "root" if root else "VAELIB_DATA"
        raise ValueError(f"{source} is {str(path)!r}, a file: give a folder for the image sets.")
    return path


def read(name: str, train: bool, root: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """The images and labels of a real set in the data folder ``root``, as ``data.load`` has them, through torchvision.

    Raises:
        DataError: it is not there, or damaged, or may not be read.
    """
    spec = REAL[name]
    command = f"python -m vaelib.data download {name}"
    if not os.path.isdir(root / spec.folder):
        raise DataError(f"{name} is not in {root}: run `{command}`, or use the built-in glyphs or glyphs-rgb.")
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
    return x, y


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
            read(name, train, root)
    except DataError:
        raise
    except _FAILURES as error:
        where = f"it could not be fetched or written to {root}"
        raise DataError(
            f"{name} was not downloaded: {where} ({_reason(error)}). Mend that, then run it again."
        ) from error


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m vaelib.data", description="Images for the course.")
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


def _is_whole(name: str, root: Path, told: bool = False) -> bool:
    try:
        for train in (True, False):
            read(name, train, root)
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
    # torchvision's RuntimeError says at its end how it failed
    line = text.strip().splitlines()[-1 if isinstance(error, RuntimeError) else 0][:200].rstrip(":.")
    line = "".join(letter if letter.isprintable() else "?" for letter in line)  # it may be a server's
    if isinstance(error, InvalidURL):
        return f"a bad address: {line}"
    return f"a bad answer: {line}" if isinstance(error, HTTPException) else line
