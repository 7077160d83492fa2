"""Frame rates and whole frames."""

from __future__ import annotations

import math

from callsheet.errors import UsageError

__all__ = ["canonical", "exact", "is_frame_rate", "same_rate", "whole"]

NTSC = (24, 30, 48, 60, 120)
LARGEST = 2**31 - 1
"""Of a frame number: more is a mistake, and some databases hold no more."""
_NEAR = 0.006
_WHOLE = 0.01


def canonical(rate: float) -> float:
    """The rate as it is written everywhere: 23.98 and 24000/1001 are both 23.976.

    >>> canonical(24000 / 1001), canonical(59.94005994), canonical(25)
    (23.976, 59.94, 25.0)
    """
    for whole_rate in NTSC:
        if abs(rate - whole_rate * 1000 / 1001) < _NEAR:
            return round(whole_rate * 1000 / 1001, 3)
    return round(float(rate), 3)


def exact(rate: float) -> float:
    """The rate to count with: 23.976 is 24000/1001."""
    for whole_rate in NTSC:
        if abs(rate - whole_rate * 1000 / 1001) < _NEAR:
            return whole_rate * 1000 / 1001
    return float(rate)


def same_rate(one: float, other: float) -> bool:
    return canonical(one) == canonical(other)


def is_frame_rate(rate: float) -> bool:
    """Whether frames are counted by it. Seconds (1) and the time scales of containers (600, 90000) are no frames."""
    return math.isfinite(rate) and 1 < rate < 500


def whole(value: float, what: str) -> int:
    """A number of frames; ``what`` is the beginning of the refusal if it is none.

    >>> whole(23.9999999, "sh010 is")
    24
    """
    if not math.isfinite(value) or abs(value) > LARGEST:
        raise UsageError(f"{what} {value:g} frames, which is no number of frames")
    if abs(value - round(value)) > _WHOLE:
        raise UsageError(f"{what} {value:.3f} frames; a shot has whole frames (is --rate right?)")
    return round(value)
