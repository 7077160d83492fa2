"""Numbered files as one: ``frame.%04d.exr [1-100]``, ``frame.####.exr [1-10, 12]``, ``frame.####.exr``."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from attrs import frozen

from callsheet.errors import FileMissing, UsageError

__all__ = ["FileSequence", "find_frames", "parse_sequence", "ranges"]

_EXPRESSION = re.compile(
    r"(?P<head>.*?)(?P<number>%0?\d*d|#+)(?P<tail>[^/\\\[\]#%]*?)\s*(?:\[(?P<range>[^\]]*)\])?", re.DOTALL
)
_RANGE = re.compile(r"\s*-?[0-9]{1,12}\s*(-\s*-?[0-9]{1,12}\s*([xy:]\s*-?[0-9]{1,6}\s*)?)?")
LARGEST = 1_000_000
"""The most files of one sequence."""


@frozen
class FileSequence:
    """Files that differ in a number: ``head``, the frame with ``padding`` digits (0: no padding), ``tail``."""

    head: str
    tail: str
    padding: int
    frames: tuple[int, ...]

    def __str__(self) -> str:
        digits = f"%0{self.padding}d" if self.padding else "%d"
        return f"{self.head}{digits}{self.tail} [{ranges(self.frames)}]"

    def index(self, frame: int) -> str:
        """The frame's number as in the file's name.

        >>> FileSequence("a.", ".exr", 4, (7,)).index(7)
        '0007'
        """
        return str(frame).zfill(self.padding)

    def member(self, frame: int) -> str:
        """The path of one file."""
        return f"{self.head}{self.index(frame)}{self.tail}"

    @property
    def missing(self) -> tuple[int, ...]:
        """The frames between the first and the last that are not part of it."""
        if not self.frames:
            return ()
        known = set(self.frames)
        return tuple(frame for frame in range(self.frames[0], self.frames[-1] + 1) if frame not in known)


def parse_sequence(text: str) -> FileSequence | None:
    """Parse an expression; None if it is not a sequence. Without a range, the frames are found on disk.

    Raises `UsageError` for an invalid range, `FileMissing` if there is no such file on disk. Ranges are those of
    fileseq: ``1-5``, ``1-5, 8``, ``1-20x2``.

    >>> parse_sequence("plate.%04d.exr [1-3, 5]").frames
    (1, 2, 3, 5)
    >>> parse_sequence("plate.exr") is None
    True
    """
    match = _EXPRESSION.fullmatch(text)
    if match is None:
        return None
    number = match["number"]
    padding = len(number) if number[0] == "#" else int(number.strip("%d") or 0)
    head, tail, given = match["head"], match["tail"], match["range"]
    frames = _frames(given, text) if given is not None else find_frames(head, tail, padding)
    if not frames:
        raise FileMissing(f"{text}: there is no file of this sequence")
    return FileSequence(head, tail, padding, frames)


def _frames(given: str, text: str) -> tuple[int, ...]:
    try:
        from fileseq.frameset import FrameSet
    except ImportError as error:
        raise UsageError(f"sequences need the extra `storage`: pip install 'callsheet[storage]' ({error})") from error
    wrong = next((each for each in given.split(",") if not _RANGE.fullmatch(each)), None)
    if wrong is not None:
        raise UsageError(f"{text}: the range {wrong.strip()!r:.40} cannot be read; write frames as [1-5, 8, 10-20x2]")
    try:
        found = FrameSet(given.replace(" ", ""))
        if len(found) > LARGEST:
            raise UsageError(f"{text}: a sequence has at most {LARGEST:,} files")
        return tuple(sorted({int(frame) for frame in found}))
    except UsageError:
        raise
    except Exception as error:
        # fileseq raises its own errors, and others for very large ranges.
        raise UsageError(f"{text}: the range cannot be read; write frames as [1-5, 8, 10-20x2]") from error


def find_frames(head: str, tail: str, padding: int) -> tuple[int, ...]:
    """The frames of the files on disk."""
    folder, name = os.path.split(head)
    pattern = re.compile(re.escape(name) + r"(-?\d+)" + re.escape(tail))
    try:
        names = os.listdir(folder or ".")
    except OSError as error:
        raise FileMissing(f"{folder}: {error.strerror or error}") from error
    matches = filter(None, map(pattern.fullmatch, names))
    return tuple(sorted({int(match[1]) for match in matches if _fits(match[1], padding)}))


def _fits(digits: str, padding: int) -> bool:
    """Whether a number has this padding."""
    return digits == str(int(digits)).zfill(padding)


def ranges(frames: Iterable[int]) -> str:
    """Frames as a short text.

    >>> ranges([1, 2, 3, 5, 8, 9])
    '1-3, 5, 8-9'
    """
    runs: list[list[int]] = []
    for frame in sorted(set(frames)):
        if runs and frame == runs[-1][-1] + 1:
            runs[-1] = [runs[-1][0], frame]
        else:
            runs.append([frame])
    return ", ".join("-".join(map(str, run)) for run in runs)
