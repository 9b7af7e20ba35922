"""Users and disks as tests need them: one whom the modes of files bind, one that is full."""

import contextlib
import os
import sys

import pytest

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes, limits and signals")


@contextlib.contextmanager
def bound_by_modes():
    """As a user whom the modes of the tests' files bind: another one, if root runs the tests."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def flipped(content, bits):
    """A file's bytes with one bit changed, for each of these bits in turn."""
    for bit in bits:
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        yield bytes(damaged)


@contextlib.contextmanager
def a_disk_with_room_for(count):
    """Files end at so many bytes, as they do where a disk is full."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (count, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
