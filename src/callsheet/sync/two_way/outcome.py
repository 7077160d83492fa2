"""What a two-way plan consists of. Plain data, values in the terms of the left side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from callsheet.sync.side import ChangeKind
from callsheet.sync.two_way.pairing import SideName, TypePair

__all__ = ["PairPlan", "Paired", "SideWrite", "TwoWayConflict", "TwoWayRefusal"]


@frozen
class SideWrite:
    """One change to one side. ``before`` has what is there, ``values`` what is to be, by left attribute."""

    side: SideName
    kind: ChangeKind
    pair: TypePair = field(repr=False)
    left: str | None
    right: str | None
    label: str
    values: Mapping[str, Any] = field(factory=dict)
    before: Mapping[str, Any] = field(factory=dict)
    token: str = ""


@frozen
class Paired:
    """Two rows that are linked from now on, because they have the same natural key, or one was made for the other."""

    left: str
    right: str
    label: str


@frozen
class TwoWayConflict:
    """An attribute that both sides changed. ``kept`` says whose value stands; it is empty where nobody has decided.

    ``attribute`` is empty where one side changed the row, and it is gone on the other. ``base`` is `NOT_SET` where
    it is not known.
    """

    type: str
    left: str
    right: str
    label: str
    attribute: str
    base: Any
    left_value: Any
    right_value: Any
    kept: str = ""
    reason: str = ""


@frozen
class TwoWayRefusal:
    """What cannot be carried, and why: a row of one side, a pair, or one attribute of it. ``type`` is the left's."""

    type: str
    left: str | None
    right: str | None
    label: str
    attribute: str
    reason: str


@frozen
class PairPlan:
    """What was found for one pair of types.

    ``settled`` has the values that both sides have already, of pairs whose base in the registry is older.
    ``living`` is how many linked pairs there are, ``kept`` how many rows are left without their partner.
    """

    pair: TypePair
    writes: tuple[SideWrite, ...] = ()
    linked: tuple[Paired, ...] = ()
    conflicts: tuple[TwoWayConflict, ...] = ()
    overridden: tuple[TwoWayConflict, ...] = ()
    refused: tuple[TwoWayRefusal, ...] = ()
    settled: Mapping[tuple[str, str], Mapping[str, Any]] = field(factory=dict)
    unchanged: int = 0
    living: int = 0
    kept: int = 0

    def on(self, side: SideName) -> tuple[SideWrite, ...]:
        """The changes to a side."""
        return tuple(each for each in self.writes if each.side == side)

    def too_many_end(self, side: SideName) -> bool:
        """Whether more rows of a side would go than ``max_deleted`` allows."""
        ended = sum(each.kind in ("delete", "omit") for each in self.on(side))
        return ended > 0 and ended / max(self.living, 1) > self.pair.max_deleted
