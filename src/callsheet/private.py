"""Files and folders that only their owner can read (0600, 0700), whatever the umask says.

What Callsheet keeps for itself is made so: databases, journals, uploaded files, logs. What exists keeps its mode. On
Windows the folder's own permissions decide.
"""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["FILE", "make_file", "make_folder", "opener"]

FILE = 0o600
FOLDER = 0o700


def opener(path: str, flags: int) -> int:
    """For `open(path, mode, opener=…)`: a file that is made is its owner's."""
    return os.open(path, flags, FILE)


def make_file(path: Path) -> None:
    """Make an empty file of the owner's, if there is none."""
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, FILE))


def make_folder(path: Path) -> None:
    """Make a folder of the owner's, and those above it that are missing.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     make_folder(Path(folder, "a", "b"))
    ...     oct(Path(folder, "a").stat().st_mode & 0o777)
    '0o700'
    """
    for each in (*reversed(path.parents), path):
        if not each.exists():
            each.mkdir(FOLDER, exist_ok=True)
