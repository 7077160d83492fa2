"""Values as a server sent them: identities and rectangular blocks of rows. Not live."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from attrs import frozen

__all__ = ["NOT_SET", "Identity", "Key", "NotSet", "Page", "Records", "equal", "new_key", "same"]

Key: TypeAlias = str | int | tuple[str | int, ...]


class NotSet:
    """No value is known. Not None, which is a value; false in a condition."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "NOT_SET"

    def __bool__(self) -> bool:
        return False

    def __copy__(self) -> NotSet:
        return self

    def __deepcopy__(self, memo: object) -> NotSet:
        return self

    def __reduce__(self) -> str:
        return "NOT_SET"


NOT_SET: Final = NotSet()


class Identity(NamedTuple):
    """Which entity: its concrete type and its primary key.

    >>> Identity("Task", "018f")
    Identity(entity_type='Task', key='018f')
    """

    entity_type: str
    key: Any


def new_key() -> str:
    """A new primary key: a UUID of version 7 (RFC 9562), so keys sort by the time they were made.

    >>> len(new_key())
    36
    """
    milliseconds, rest = divmod(time.time_ns(), 1_000_000)
    # The 12 bits after the version hold the fraction of the millisecond, so keys made one after another sort.
    value = (milliseconds << 80) | (0x7000 | (rest * 4096) // 1_000_000) << 64 | int.from_bytes(os.urandom(8), "big")
    value = value & ~(0xC000 << 48) | (0x8000 << 48)
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal and of the same type, all the way down (so that True is not 1).

    >>> same([1], [True]), same({"a": 1.5}, {"a": 1.5})
    (False, True)
    """
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def equal(one: Any, other: Any) -> bool:
    """Whether two values are the same to a commit: of a reference the key decides, and 24 is 24.0 but True is not 1.

    >>> equal(24, 24.0), equal(1, True), equal(Identity("Task", "1"), Identity("TypedContext", "1"))
    (True, False, True)
    """
    if isinstance(one, Identity) and isinstance(other, Identity):
        return bool(one.key == other.key)
    if isinstance(one, dict | list | bool) or isinstance(other, bool):
        return same(one, other)
    return bool(one == other)


@frozen
class Records:
    """Rows of one concrete entity type that hold the same attributes.

    A row is ``[key, version, *values]``, with one value for each name in ``attributes``; ``version`` is
    an integer, or None where the server has none. Values are Python objects:

    - scalar: str, int, float, bool, date, datetime (with zone), JSON data, or None
    - reference: None, the key where the target is a type without subtypes, else ``(type, key)``
    - collection: a list of such keys or pairs, complete
    - mapping: a dict, complete
    """

    entity_type: str
    attributes: tuple[str, ...]
    rows: Sequence[Sequence[Any]]


@frozen
class Page:
    """One page of an answer.

    The first ``roots`` blocks of ``records`` hold what was selected, the later ones what the projections
    reach through relations. ``order`` gives the results as indices into the concatenated rows of the root
    blocks (None: as they come). ``cursor`` asks for the next page; None after the last.
    """

    records: tuple[Records, ...]
    roots: int = 1
    order: Sequence[int] | None = None
    cursor: str | None = None

    def __len__(self) -> int:
        if self.order is not None:
            return len(self.order)
        return sum(len(block.rows) for block in self.records[: self.roots])
