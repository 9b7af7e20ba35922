"""Files written whole or not at all, and read whole or not at all."""

import hashlib
import io
import os
import random
import re
import signal
import time
import zipfile
from pathlib import Path

import pytest
import torch
from fresh import Fresh
from machine import a_disk_with_room_for, bound_by_modes, flipped, posix

from vaelib.outside import files
from vaelib.outside.files import WriteError, written_whole


def write(path, content=b"new"):
    with written_whole(path) as file:
        file.write(content)


def names(folder):
    return sorted(p.name for p in folder.iterdir())


# ---- written


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "deep" / "file"
    write(path, b"old")
    with pytest.raises(RuntimeError), written_whole(path) as file:  # noqa: PT012
        file.write(b"half of the ne")
        raise RuntimeError
    assert path.read_bytes() == b"old"
    write(str(path), b"new")
    assert path.read_bytes() == b"new"
    assert names(path.parent) == ["file"]


@posix
@pytest.mark.parametrize("umask", [0o022, 0o027, 0o077, 0o002])
def test_a_new_file_has_the_mode_that_any_program_gives_and_a_replaced_one_keeps_its_own(tmp_path, umask):
    before = os.umask(umask)
    try:
        write(tmp_path / "ours")
        (tmp_path / "plain").write_bytes(b"")
        for mode in (0o600, 0o664):
            (tmp_path / "ours").chmod(mode)
            write(tmp_path / "ours", b"again")
            assert (tmp_path / "ours").stat().st_mode & 0o777 == mode
        write(tmp_path / "second")
    finally:
        os.umask(before)
    for name in ("plain", "second"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o666 & ~umask, name


@posix
def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "scratch").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "scratch" / "file")
    for content in (b"first", b"second"):  # the link leads nowhere at first
        write(tmp_path / "link", content)
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "scratch" / "file").read_bytes() == content


@posix
def test_a_file_that_one_may_not_write_to_is_not_replaced(shared):
    write(shared / "theirs", b"good")
    (shared / "theirs").chmod(0o444)
    with bound_by_modes():
        with pytest.raises(WriteError, match=r"theirs was not written \(Permission denied\), and what was there is as"):
            write(shared / "theirs")
        with pytest.raises(WriteError, match="Permission denied"):
            files.check_writable(shared / "theirs")
        write(shared / "mine")  # the folder is open
    assert (shared / "theirs").read_bytes() == b"good"
    assert names(shared) == ["mine", "theirs"]


@posix
@pytest.mark.parametrize("size", [100_001, 3_000_000])  # a little, and a lot, more than there is room for
def test_a_full_disk_is_one_sentence_and_the_old_file_stays(tmp_path, size):
    path = tmp_path / "weights.pt"
    write(path, b"old")
    with a_disk_with_room_for(100_000), pytest.raises(WriteError) as raised, written_whole(path) as file:
        torch.save(torch.zeros(size // 4 + 1), file)
    assert str(raised.value) == (
        f"{path} was not written (File too large), and what was there is as it was: mend that, or give another place."
    )
    assert raised.value.strerror == "File too large"
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["weights.pt"]


CANNOT = {  # path below a folder that holds "file" and "folder" -> the reason
    "file/below": "its folder is a file",
    "file/far/below": "its folder is a file",
    "folder": "it is a folder",
    "closed/below": "Permission denied",
    "closed/far/below": "Permission denied",
    "n" * 300: "File name too long",
}


@posix
@pytest.mark.parametrize("name", CANNOT)
def test_a_place_that_cannot_be_is_said_before_the_work_is_done(shared, name):
    (shared / "file").write_bytes(b"old")
    (shared / "folder").mkdir()
    (shared / "closed").mkdir(mode=0o555)
    worked = []
    with bound_by_modes():
        with (
            pytest.raises(WriteError, match=re.escape(f"was not written ({CANNOT[name]})")),
            written_whole(shared / name),
        ):
            worked.append(1)
        with pytest.raises(WriteError, match=re.escape(f"was not written ({CANNOT[name]})")):
            files.check_writable(shared / name)
        assert files.check_writable(shared / "good") is None
    assert not worked
    assert names(shared) == ["closed", "file", "folder"]
    assert names(shared / "folder") == names(shared / "closed") == []


@posix
def test_what_is_no_file_is_not_replaced_by_one(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(WriteError, match="it is no file"):
        write(tmp_path / "pipe")
    assert (tmp_path / "pipe").is_fifo()
    with pytest.raises(ValueError, match="path=None was given: use the path of a file"):
        write(None)


def test_an_error_of_the_one_who_writes_stays_as_it_is(tmp_path):
    with pytest.raises(FileNotFoundError), written_whole(tmp_path / "a") as file:  # noqa: PT012
        file.write(b"half")
        (tmp_path / "nowhere").read_bytes()
    assert names(tmp_path) == []


# ---- what killed processes leave

STOPPED_IN_A_WRITE = """
import time
from vaelib.outside import files
os.fsync = lambda handle: (open(ready, "w").close(), time.sleep(60))
with files.written_whole(path) as file:
    file.write(b"x" * 1000)
"""


@posix
def test_parts_of_killed_writers_go_and_those_of_living_ones_stay(tmp_path):
    path, ready = tmp_path / "weights [1].pt", tmp_path / "ready"
    write(path, b"old")
    others = [".other.pt.abcdefgh.part", ".weights [1].pt.mine.part"]
    for name in others:
        (tmp_path / name).touch()
    process = Fresh(STOPPED_IN_A_WRITE, path=str(path), ready=str(ready))
    for _ in range(3000):
        if ready.exists():
            break
        time.sleep(0.02)
    (part,) = (p for p in tmp_path.glob(".*.part") if p.name not in others)
    write(path)
    assert part.stat().st_size == 1000  # it lives
    assert path.read_bytes() == b"new"
    process.kill(signal.SIGKILL)
    process.finish()
    assert part.exists()
    write(path)
    assert names(tmp_path) == [*others, "ready", path.name]


@posix
def test_a_part_is_locked_until_it_is_in_its_place(tmp_path, monkeypatch):
    placed = []

    def place(part, path, _replace=os.replace):
        with open(part, "rb+") as file, pytest.raises(BlockingIOError):
            files.fcntl.flock(file, files.fcntl.LOCK_EX | files.fcntl.LOCK_NB)
        placed.append(Path(path).name)
        _replace(part, path)

    monkeypatch.setattr(os, "replace", place)
    write(tmp_path / "file")
    assert placed == names(tmp_path) == ["file"]


@posix
def test_a_part_that_is_taken_for_an_old_one_before_it_is_locked_is_made_again(tmp_path, monkeypatch):
    taken = []

    def slow(file, how, _lock=files.fcntl.flock):
        if not taken:
            taken.append(file.name)
            os.unlink(file.name)
        _lock(file, how)

    monkeypatch.setattr(files.fcntl, "flock", slow)
    write(tmp_path / "file")
    assert len(taken) == 1
    assert names(tmp_path) == ["file"]


@posix
def test_without_locks_files_are_written_and_parts_stay(tmp_path, monkeypatch):
    def none(file, how):
        raise OSError(37, "No locks available")

    (tmp_path / ".file.abcdefgh.part").touch()
    monkeypatch.setattr(files.fcntl, "flock", none)
    write(tmp_path / "file")
    assert names(tmp_path) == [".file.abcdefgh.part", "file"]


# ---- read

STATE = {
    "done": 3,
    "model": {"w": torch.arange(150.0).view(50, 3), "b": torch.arange(7).bool()},
    "codes": torch.arange(900).view(100, 3, 3) % 64,
    "history": [{"step": 1.0}],
    "rate": None,
}
FIELDS = {"done": int, "model": dict, "history": list, "rate": (float, type(None))}


def saved(path, state):
    with written_whole(path) as file:
        torch.save(state, file)
    return path.read_bytes()


def read(path, module=files):
    return module.read_whole(path, "checkpoint", FIELDS, "delete it")


def refused(path, text):
    with pytest.raises(ValueError, match=f"^{re.escape(f'{path} {text}')}$"):
        read(path)


def same(a, b):
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    return a == b


def no_flipped_bit_gives_other_numbers(module, path):
    """300 bits anywhere, and every bit in the directory of one member: it says where the member lies and what it is."""
    content = saved(path, STATE)
    assert same(read(path, module), STATE)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        directory, members = archive.start_dir, archive.infolist()
        kept = sum(member.file_size for member in members)
    entry = content.index(b"archive/data/1", directory) - 46
    bits = [*random.Random(0).sample(range(8 * len(content)), 300), *range(8 * entry, 8 * (entry + 60))]
    noticed = 0
    for k, damaged in enumerate(flipped(content, bits)):
        path.write_bytes(damaged)
        try:
            found = read(path, module)
        except ValueError:
            noticed += k < 300
        else:
            assert same(found, STATE), f"bit {bits[k]} gives other numbers"
    assert noticed >= 0.95 * 300 * kept / len(content)  # what is not noticed lies between the members


def test_no_flipped_bit_gives_other_numbers(tmp_path, plant, caught):
    no_flipped_bit_gives_other_numbers(files, tmp_path / "right.pt")
    for old, new in (
        ("copy.writestr(member.filename, archive.read(member))", "pass\n        checked = io.BytesIO(content)"),
        (
            "copy.writestr(member.filename, archive.read(member))",
            "archive.read(member)\n        checked = io.BytesIO(content)",
        ),
    ):
        mutant = plant("vaelib.outside.files", old, new)
        caught(new, lambda mutant=mutant: no_flipped_bit_gives_other_numbers(mutant, tmp_path / "wrong.pt"))


@pytest.mark.parametrize("kept", [0, 100, 0.5, 0.9, -1, -30])
def test_a_file_that_was_cut_is_damaged(tmp_path, kept):
    path = tmp_path / "a.pt"
    content = saved(path, STATE)
    path.write_bytes(content[: int(kept * len(content)) if isinstance(kept, float) else kept])
    refused(path, "is damaged: delete it.")


def test_a_flipped_bit_in_a_value_is_damage(tmp_path):
    path = tmp_path / "a.pt"
    content = bytearray(saved(path, STATE))
    content[content.index(STATE["model"]["w"].numpy().tobytes()) + 100] ^= 1
    path.write_bytes(content)
    refused(path, "is damaged: delete it.")


class Runs:
    def __reduce__(self):
        return os.system, ("echo it ran",)


OTHERS = {
    "text": lambda path: path.write_text("hello"),
    "another archive": lambda path: zipfile.ZipFile(path, "w").close(),
    "a tensor": lambda path: saved(path, torch.zeros(3)),
    "a field too few": lambda path: saved(path, {key: STATE[key] for key in FIELDS if key != "model"}),
    "one too few that may be None": lambda path: saved(path, {key: STATE[key] for key in FIELDS if key != "rate"}),
    "a field that is None": lambda path: saved(path, {**STATE, "model": None}),
    "a field of another type": lambda path: saved(path, {**STATE, "done": "3"}),
    "a whole model": lambda path: saved(path, torch.nn.Linear(1, 1)),
    "code": lambda path: saved(path, Runs()),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_a_whole_file_of_something_else_is_not_called_damaged(tmp_path, kind, capfd):
    path = tmp_path / "a.pt"
    OTHERS[kind](path)
    refused(path, "is no checkpoint: give another path.")
    assert capfd.readouterr().out == ""


def test_a_whole_file_is_not_called_damaged_where_memory_is_short(tmp_path, monkeypatch):
    def short(*arguments, **settings):
        raise MemoryError

    saved(tmp_path / "a.pt", STATE)
    for place, name in ((torch, "load"), (zipfile.ZipFile, "read")):
        with monkeypatch.context() as patch:
            patch.setattr(place, name, short)
            with pytest.raises(MemoryError):
                read(tmp_path / "a.pt")


@posix
def test_what_cannot_be_read_is_said(shared):
    path = shared / "a.pt"
    saved(path, STATE)
    path.chmod(0o000)
    with bound_by_modes():
        refused(path, "may not be read by you: its owner can change that.")
    path.chmod(0o644)
    with bound_by_modes():
        assert same(read(str(path)), STATE)
    refused(shared, "is a folder: give the path of a checkpoint.")
    refused(shared / ("n" * 300), "cannot be read (File name too long).")
    for nothing in (path / "below", shared / "nowhere"):
        with pytest.raises(ValueError, match=f"^there is no file {nothing}: give the path of a checkpoint.$"):
            read(nothing)
    with pytest.raises(ValueError, match="path=None was given"):
        read(None)


def test_a_checksum_is_that_of_the_bytes():
    """Of all tensors in turn: of no dimension, of several, not in one piece, and in types that NumPy lacks."""
    count, table = torch.tensor(3), torch.arange(6.0).reshape(2, 3)
    small = table.bfloat16()
    wanted = hashlib.sha256(
        count.numpy().tobytes() + table.t().numpy().tobytes() + small.view(torch.int16).numpy().tobytes()
    )
    assert files.checksum(count, table.t(), small) == wanted.hexdigest()
