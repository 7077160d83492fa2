"""A file that one process or thread at a time holds, for the milliseconds in which it reads and writes another."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from callsheet.errors import StorageError
from callsheet.private import opener

__all__ = ["held"]

PATIENCE, PAUSE = 20.0, 0.02

if sys.platform == "win32":
    import msvcrt

    def _take(handle: int) -> None:
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _take(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Inside the block, this file is held. It is released also if the process dies.

    Raises `StorageError` if another holds it for longer than anything here takes, or if it cannot be made.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, held(Path(folder, "one.lock")):
    ...     Path(folder, "one.lock").exists()
    True
    """
    try:
        handle = opener(str(path), os.O_CREAT | os.O_RDWR)
    except OSError as error:
        raise StorageError(f"{path} cannot be made: {error.strerror or error}") from None
    try:
        until = time.monotonic() + PATIENCE
        while not _taken(handle):
            if time.monotonic() > until:
                raise StorageError(
                    f"another process holds {path} for more than {PATIENCE:.0f} s; end it, and try again"
                )
            time.sleep(PAUSE)
        yield
    finally:
        os.close(handle)


def _taken(handle: int) -> bool:
    try:
        _take(handle)
    except OSError:
        return False
    return True
