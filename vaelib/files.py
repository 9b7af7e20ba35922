"""Files that are written whole or not at all."""

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path


class DataError(RuntimeError):
    """Image files are missing or damaged, or cannot be fetched or written; the message says what to do."""


@contextmanager
def written_whole(path: Path):
    """Open a binary file that appears under ``path`` only once it is complete.

    The bytes go to a temporary file in the same folder, which replaces ``path`` in one step at the end. A full disk, an
    exception or a killed process leaves the old file, if there was one, as it was.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
