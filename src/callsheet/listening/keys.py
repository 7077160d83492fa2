"""Keys derived from an event, so that handling it again creates no entity a second time."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from itertools import count

__all__ = ["key_maker"]


def key_maker(handler: str, event_id: str) -> Callable[[], str]:
    """A function that returns keys for the entities that a handler creates for an event, the same on every attempt.

    >>> first, again = key_maker("roll-up", "e1"), key_maker("roll-up", "e1")
    >>> [first(), first()] == [again(), again()], len(first())
    (True, 36)
    """
    ordinals = count()

    def next_key() -> str:
        seed = f"callsheet handler\n{handler}\n{event_id}\n{next(ordinals)}"
        value = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:16], "big")
        # Version 8 of RFC 9562: a UUID with a custom algorithm.
        value = value & ~(0xF << 76) & ~(0x3 << 62) | 0x8 << 76 | 0x2 << 62
        text = f"{value:032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    return next_key
