"""Shots that know their frames: how many there are, where the handles end, and the timecode of each.

Use it in a script, with the session whose shots should have this::

    import frame_range
    frame_range.register(session)
    shot = session.query("Shot").first()
    shot.frame_range()           # (1001, 1042)
    shot.frame_range(handles=True)
"""

from __future__ import annotations

from typing import Any

__all__ = ["FrameRange", "register"]


class FrameRange:
    """Behaviour of a type with ``fstart``, ``fend``, ``handles`` and ``fps``."""

    __slots__ = ()

    def frame_range(self: Any, handles: bool = False) -> tuple[int, int] | None:
        """First and last frame, both included; with the handles where asked. None where the cut is not known."""
        first, last = self["fstart"], self["fend"]
        if first is None or last is None:
            return None
        more = (self["handles"] or 0) if handles else 0
        return first - more, last + more

    def frame_total(self: Any, handles: bool = False) -> int:
        """How many frames there are; 0 where the cut is not known."""
        found = self.frame_range(handles)
        return 0 if found is None else found[1] - found[0] + 1

    def timecode_at(self: Any, frame: int) -> str:
        """The timecode of a frame, ``hh:mm:ss:ff``, counted from frame 0; ``fps`` of the shot or its project.

        Fractional rates count frames in whole seconds of their nearest rate, without dropping any.
        """
        rate = round(self["fps"] or self["project"]["fps"] or 24)
        seconds, frames = divmod(frame, rate)
        minutes, seconds = divmod(seconds, 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours:02}:{minutes:02}:{seconds:02}:{frames:02}"


def register(session: Any) -> None:
    """Give the session's shots this behaviour."""
    session.types.extend("Shot", FrameRange)
