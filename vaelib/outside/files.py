"""Files that are written whole or not at all, and read whole or not at all."""

import contextlib
import errno
import glob
import hashlib
import io
import os
import secrets
import stat
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from vaelib.outside import given

if TYPE_CHECKING:
    import torch

try:
    import fcntl
except ImportError:  # on Windows an open file cannot be removed, which is lock enough
    fcntl = None


class DataError(RuntimeError):
    """Image files are missing or damaged, or cannot be fetched or written; the message says what to do."""


class WriteError(OSError):
    """A file was not written; what was there before is as it was. One sentence, with the system's reason in ``strerror``."""

    def __str__(self) -> str:
        return f"{self.filename} was not written ({self.strerror}), and what was there is as it was: mend that, or give another place."


@contextlib.contextmanager
def written_whole(path: str | os.PathLike) -> Iterator[io.BytesIO]:
    """A binary file to write to, whose bytes appear under ``path`` only once they are complete.

    They go to a file beside it, ``.NAME.*.part``, which replaces ``path`` in one step at the end. A full disk, an exception or a
    killed process leaves the old file, if there was one, as it was. Parts that killed processes left are removed by the next write.

    A new file may be read by whom the umask allows, as any file that a program makes; one that is replaced keeps its mode, and a
    link stays a link. A file that you may not write to (another user's, or your own after ``chmod a-w``) is not replaced.

    Raises:
        ValueError: no path.
        WriteError: a full disk, a folder that may not be written to, a path through a file, a path that is a folder.
    """
    content = io.BytesIO()
    with _told(path):
        file, part, place = _begin(path)
    try:
        yield content
        with _told(path):
            with file:
                file.write(content.getbuffer())
                file.flush()
                os.fsync(file.fileno())
                if fcntl is not None:  # while it is locked
                    os.replace(part, place)
            if fcntl is None:
                os.replace(part, place)
    except BaseException:
        file.close()
        part.unlink(missing_ok=True)
        raise


def check_writable(path: str | os.PathLike) -> None:
    """Raise the WriteError that ``written_whole`` would begin with: now, before the hours whose result is to go to ``path``."""
    with _told(path):
        file, part, _ = _begin(path)
        file.close()
        part.unlink(missing_ok=True)


def read_whole(path: str | os.PathLike, what: str, fields: Mapping[str, type | tuple], cure: str) -> dict:
    """The dict that ``torch.save`` wrote to a file, on the CPU: as it was written, or not at all.

    Each value is compared with the checksum that the file keeps of it (CRC-32: no flipped bit passes, and of other damage one case
    in 4e9), and nothing in the file is run (``weights_only``).

    Args:
        what: for the messages, such as "checkpoint of train.fit".
        fields: what the dict holds: keys, each with the type of its value, as for isinstance.
        cure: for the message on a damaged file, such as "delete it to start again".

    Raises:
        ValueError: no file, a folder, a file that may not be read, a damaged one, or one that holds something else: a sentence each.
    """
    import torch

    try:
        content = given.path("path", path).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise ValueError(f"there is no file {path}: give the path of a {what}.") from None
    except OSError as error:
        if os.path.isdir(path):
            raise ValueError(f"{path} is a folder: give the path of a {what}.") from None
        raise ValueError(f"{unread(path, error)}.") from error
    other = ValueError(f"{path} is no {what}: give another path.")
    checked = io.BytesIO()
    try:
        # a copy of the values, which zipfile compares with their checksums, without the headers, which have none and mislead torch
        with zipfile.ZipFile(io.BytesIO(content)) as archive, zipfile.ZipFile(checked, "w") as copy:
            for member in archive.infolist():
                copy.writestr(member.filename, archive.read(member))
    except MemoryError:
        raise
    except Exception as error:  # a damaged archive makes zipfile raise almost anything
        ours = not content or b"data.pkl" in content
        raise (ValueError(f"{path} is damaged: {cure}.") if ours else other) from error
    try:
        checked.seek(0)
        state = torch.load(checked, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception as error:
        raise other from error
    if not isinstance(state, dict) or not all(isinstance(state.get(key, ...), kind) for key, kind in fields.items()):
        raise other
    return state


def unread(path: str | os.PathLike, error: OSError) -> str:
    """Words for a file that is there and was not read, which says nothing about what is in it."""
    if isinstance(error, PermissionError):
        return f"{path} may not be read by you: its owner can change that"
    return f"{path} cannot be read ({error.strerror})"


@contextlib.contextmanager
def _told(path: str | os.PathLike) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise WriteError(error.errno, error.strerror or str(error), os.fspath(path)) from error


def _begin(path: str | os.PathLike) -> tuple[BinaryIO, Path, Path]:
    """A new part, locked for as long as it is open; its path; and the place where it will go."""
    place = Path(os.path.realpath(given.path("path", path)))
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise NotADirectoryError(errno.ENOTDIR, "its folder is a file") from None
    mode = None
    if place.exists():
        if not place.is_file():
            raise IsADirectoryError(errno.EISDIR, "it is a folder" if place.is_dir() else "it is no file")
        place.open("rb+").close()  # raises where it may not be written to
        mode = stat.S_IMODE(place.stat().st_mode)
    for old in place.parent.glob(f".{glob.escape(place.name)}.{'?' * 8}.part") if fcntl is not None else ():
        with contextlib.suppress(OSError), old.open("rb+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails for one that is being written
            old.unlink()
    while True:
        part = place.with_name(f".{place.name}.{secrets.token_hex(4)}.part")
        file = part.open("xb")
        with contextlib.suppress(OSError):  # a file system without locks, or without modes
            if fcntl is not None:
                fcntl.flock(file, fcntl.LOCK_EX)
            if mode is not None:
                part.chmod(mode)
        if part.exists():  # else another process took it for an old one, before it was locked
            return file, part, place
        file.close()


def checksum(*tensors: "torch.Tensor") -> str:
    """SHA-256 of the bytes of tensors, one after the other, on whichever device: 64 digits that any other number or order changes."""
    import torch

    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()
