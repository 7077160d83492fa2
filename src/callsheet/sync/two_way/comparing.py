"""Rows of both sides paired and compared three ways. Pure: what was read goes in, a plan comes out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID, uuid5

from attrs import define, evolve, field

from callsheet.model.record import NOT_SET, Identity
from callsheet.sync.policies import merged
from callsheet.sync.registry import ForeignLink
from callsheet.sync.side import ChangeKind, SideReference, SideRow
from callsheet.sync.two_way.outcome import Paired, PairPlan, SideWrite, TwoWayConflict, TwoWayRefusal
from callsheet.sync.two_way.pairing import Carried, SideName, TypePair
from callsheet.sync.two_way.terms import Pairs, RightOnly, based, from_base, references, same

__all__ = ["PairComparison", "compared"]

NAMESPACE = UUID("c3a1f0f6-9a0f-5b7a-8a0f-3d1b3f5f2c55")
OTHER: Mapping[SideName, SideName] = {"left": "right", "right": "left"}

Rows = Mapping[str, SideRow]


def compared(system: str, pairs: Pairs, read: Iterable[tuple[TypePair, Rows, Rows]]) -> list[PairPlan]:
    """The plan of each pair of types; ``pairs`` learns of rows that are paired."""
    works = [PairComparison(system, pairs, pair, left, right) for pair, left, right in read]
    # A row whose key is a reference can be paired once what it refers to is, whatever type comes first.
    while any(work.pair_the_unpaired() for work in works):
        pass
    for work in works:
        work.compare()
    coming = {reference for work in works for reference in work.coming()}
    while sum(work.refuse_without_place(coming) for work in works):
        coming = {reference for work in works for reference in work.coming()}
    return [work.plan(coming) for work in works]


@define(eq=False)
class PairComparison:
    """One pair of types in the making."""

    system: str
    pairs: Pairs
    pair: TypePair
    left: Rows
    right: Rows
    linked: list[Paired] = field(factory=list)
    writes: list[SideWrite] = field(factory=list)
    conflicts: list[TwoWayConflict] = field(factory=list)
    overridden: list[TwoWayConflict] = field(factory=list)
    refused: list[TwoWayRefusal] = field(factory=list)
    settled: dict[tuple[str, str], dict[str, Any]] = field(factory=dict)
    unchanged: int = 0
    living: int = 0
    kept: int = 0

    # -- pairing ---------------------------------------------------------------------------------------------

    def pair_the_unpaired(self) -> bool:
        """Pair rows that one side made for the other, then those of the same natural key; whether any were."""
        before = len(self.linked)
        self._pair_by_token()
        if self.pair.adopt:
            self._pair_by_key()
        return len(self.linked) > before

    def _open(self, side: SideName) -> list[SideRow]:
        """The rows of a side without a partner."""
        if side == "left":
            return [row for row in self.left.values() if self.pairs.right_of(self._left(row.id)) is None]
        return [row for row in self.right.values() if self.pairs.left_of(self._right(row.id)) is None]

    def _left(self, id: str) -> SideReference:
        return SideReference(self.pair.left, id)

    def _right(self, id: str) -> SideReference:
        return SideReference(self.pair.right, id)

    def _pair_by_token(self) -> None:
        for side in ("left", "right"):
            other: SideName = OTHER[side]
            made = {row.token: row for row in self._open(other) if row.token}
            for row in self._open(side):
                if (partner := made.get(self.token(side, row.id))) is not None:
                    self._link(*((row, partner) if side == "left" else (partner, row)))

    def token(self, source: SideName, id: str) -> str:
        """The token of the row that is made on the other side for this one."""
        return str(uuid5(NAMESPACE, repr((self.system, source, self.pair.left, self.pair.right, id))))

    def _link(self, left: SideRow, right: SideRow) -> None:
        entity = Identity(self.pair.left, left.id)
        self.pairs.add(ForeignLink(self.system, self.pair.right, right.id, entity))
        self.linked.append(Paired(left.id, right.id, left.label or right.label))

    def _pair_by_key(self) -> None:
        lefts, rights = self._by_key("left"), self._by_key("right")
        found = [(lefts[key][0], rights[key][0]) for key in lefts if len(lefts[key]) == len(rights.get(key, ())) == 1]
        for left, right in found:
            self._link(left, right)

    def _by_key(self, side: SideName) -> dict[tuple[Any, ...], list[SideRow]]:
        found: dict[tuple[Any, ...], list[SideRow]] = {}
        for row in self._open(side):
            key = tuple(self._value(side, row, name) for name in self.pair.adopt)
            if not any(each is None or each is NOT_SET or isinstance(each, RightOnly | dict | list) for each in key):
                found.setdefault(key, []).append(row)
        return found

    def _value(self, side: SideName, row: SideRow, name: str) -> Any:
        """A value of a row in the left's terms; `NOT_SET` where the row does not give it."""
        carried = self.pair.columns[name]
        if side == "left":
            return row.values.get(name, NOT_SET)
        value = row.values.get(carried.to, NOT_SET)
        return value if value is NOT_SET else self.pairs.from_right(carried, value)

    # -- comparing -------------------------------------------------------------------------------------------

    def compare(self) -> None:
        """Compare what is paired, and make what has no partner."""
        for reference, link in list(self.pairs.links.items()):
            if reference.type == self.pair.left and link.type == self.pair.right:
                self._compare_pair(link, self.left.get(reference.id), self.right.get(link.foreign_id))
        doubtful = self._ambiguous()
        for side in ("left", "right"):
            for row in self._open(side):
                if row.id not in doubtful[side] and self.pair.creates_on(OTHER[side]):
                    self._create(side, row)

    def _ambiguous(self) -> dict[SideName, set[str]]:
        """Rows that might be partners of several; each is refused, and nothing is made of them."""
        found: dict[SideName, set[str]] = {"left": set(), "right": set()}
        if not self.pair.adopt:
            return found
        by_key: dict[SideName, dict[tuple[Any, ...], list[SideRow]]] = {
            "left": self._by_key("left"),
            "right": self._by_key("right"),
        }
        for side in ("left", "right"):
            for key, rows in by_key[side].items():
                others = by_key[OTHER[side]].get(key, [])
                if len(rows) > 1 or len(others) > 1:
                    what = " and ".join(f"{name} {_shown(value)}" for name, value in zip(self.pair.adopt, key))
                    reason = f"{len(rows)} rows of the {side} and {len(others)} of the other side have the {what}"
                    for row in rows:
                        found[side].add(row.id)
                        left, right = (row.id, None) if side == "left" else (None, row.id)
                        self.refused.append(TwoWayRefusal(self.pair.left, left, right, row.label, "", reason))
        return found

    def _create(self, side: SideName, row: SideRow) -> None:
        values = {}
        for name, carried in self.pair.columns.items():
            value = self._value(side, row, name)
            if value is not NOT_SET and carried.only != side:
                values[name] = value
        left, right = (row.id, None) if side == "left" else (None, row.id)
        token = self.token(side, row.id)
        self.writes.append(SideWrite(OTHER[side], "create", self.pair, left, right, row.label, values, {}, token))

    def _compare_pair(self, link: ForeignLink, left: SideRow | None, right: SideRow | None) -> None:
        base = from_base(link.base)
        if left is None and right is None:
            return
        self.living += 1
        if left is None or right is None:
            self._compare_single(link, base, left, right)
            return
        towards: dict[SideName, tuple[dict[str, Any], dict[str, Any]]] = {"left": ({}, {}), "right": ({}, {})}
        for name, carried in self.pair.columns.items():
            mine, theirs = self._value("left", left, name), self._value("right", right, name)
            if mine is NOT_SET or theirs is NOT_SET:
                continue
            old = based(base, name, (mine, theirs))
            if same(mine, theirs):
                if old is NOT_SET or not same(old, mine):
                    self.settled.setdefault((left.id, right.id), {})[name] = mine
                continue
            value, kept, is_open = self._decide(name, carried, old, (left, mine), (right, theirs))
            if is_open or kept:
                label = left.label or right.label
                self._note(TwoWayConflict(self.pair.left, left.id, right.id, label, name, old, mine, theirs, kept))
            if is_open:
                continue
            for side, now in (("left", mine), ("right", theirs)):
                if not same(now, value):
                    towards[side][0][name], towards[side][1][name] = value, now  # type: ignore[index]
        for side, (values, before) in towards.items():
            if values:
                label = left.label or right.label
                self.writes.append(SideWrite(side, "update", self.pair, left.id, right.id, label, values, before))
        if not any(values for values, _ in towards.values()):
            self.unchanged += 1

    def _decide(
        self, name: str, carried: Carried, old: Any, left: tuple[SideRow, Any], right: tuple[SideRow, Any]
    ) -> tuple[Any, str, bool]:
        """The value that both get, whose edit stands where the other's does not, and whether nobody decides."""
        mine, theirs = left[1], right[1]
        known = old is not NOT_SET
        if carried.only:
            # One side is written, and the other decides.
            value, other, kept = (mine, theirs, "left") if carried.only == "right" else (theirs, mine, "right")
            return value, "" if known and same(other, old) else kept, False
        if known and same(theirs, old):
            return mine, "", False
        if known and same(mine, old):
            return theirs, "", False
        policy = self.pair.policy(name)
        if policy == "newest":
            policy = _newest(left[0], right[0])
        if policy == "merge" and _is_many(mine) and _is_many(theirs):
            return merged(old if known else None, mine, theirs), "", False
        if policy in ("left", "right"):
            return (mine if policy == "left" else theirs), policy, False
        return NOT_SET, "", True

    def _compare_single(
        self, link: ForeignLink, base: Mapping[str, Any], left: SideRow | None, right: SideRow | None
    ) -> None:
        """One of the two is gone."""
        side: SideName = "right" if left is None else "left"
        row = right if left is None else left
        assert row is not None
        if self.pair.delete == "keep":
            self.kept += 1
            return
        there = {name: self._value(side, row, name) for name in self.pair.columns}
        edited = link.base is None or any(
            value is not NOT_SET and not same(based(base, name, (value,)), value) for name, value in there.items()
        )
        before = {name: value for name, value in there.items() if value is not NOT_SET}
        own_left, own_right = str(link.entity.key), link.foreign_id
        ending: ChangeKind = "omit" if self.pair.delete == "omit" else "delete"
        write = SideWrite(side, ending, self.pair, own_left, own_right, row.label, {}, before)
        if not edited:
            self.writes.append(write)
            return
        own = self.pair.conflicts if isinstance(self.pair.conflicts, str) else "raise"
        kept = own if own in ("left", "right") else ""
        reason = f"is gone on the {OTHER[side]}, and was changed on the {side}"
        if link.base is None:
            reason = f"is gone on the {OTHER[side]}, and is there on the {side}; nobody knows since when"
        mine, theirs = (None, before) if side == "right" else (before, None)
        names = (own_left, own_right, row.label)
        self._note(TwoWayConflict(self.pair.left, *names, "", dict(base), mine, theirs, kept, reason))
        if kept == OTHER[side]:
            self.writes.append(write)
        elif kept:
            self._create(side, row)

    def _note(self, conflict: TwoWayConflict) -> None:
        (self.overridden if conflict.kept else self.conflicts).append(conflict)

    # -- what can be carried ---------------------------------------------------------------------------------

    def coming(self) -> Iterable[SideReference | RightOnly]:
        """The rows that get a partner by this plan."""
        for each in self.writes:
            if each.kind == "create":
                yield RightOnly(self.pair.right, each.right) if each.right else self._left(each.left or "")

    def refuse_without_place(self, coming: set[SideReference | RightOnly]) -> bool:
        """Refuse rows whose natural key refers to what has no partner and gets none; whether there were any."""
        refused = [each for each in self.writes if each.kind == "create" and self._lost_place(each, coming)]
        for write in refused:
            name, lost = self._lost_place(write, coming)[0]
            own = (write.left, write.right, write.label)
            self.refused.append(TwoWayRefusal(self.pair.left, *own, name, _without_partner(lost, write.side)))
        self.writes = [each for each in self.writes if each not in refused]
        return bool(refused)

    def _lost_place(self, write: SideWrite, coming: set[SideReference | RightOnly]) -> list[tuple[str, Any]]:
        values = ((name, write.values.get(name)) for name in self.pair.adopt)
        found = ((name, each) for name, value in values for each in references(value))
        return [(name, each) for name, each in found if not self._has_partner(write.side, each, coming)]

    def plan(self, coming: set[SideReference | RightOnly]) -> PairPlan:
        """The plan, without values that refer to what has no partner and gets none."""
        writes = [write for each in self.writes if (write := self._carried(each, coming)) is not None]
        return PairPlan(
            self.pair,
            tuple(writes),
            tuple(self.linked),
            tuple(self.conflicts),
            tuple(self.overridden),
            tuple(self.refused),
            self.settled,
            self.unchanged,
            self.living,
            self.kept,
        )

    def _carried(self, write: SideWrite, coming: set[SideReference | RightOnly]) -> SideWrite | None:
        values = dict(write.values)
        for name, value in write.values.items():
            lost = [each for each in references(value) if not self._has_partner(write.side, each, coming)]
            if lost:
                del values[name]
                reason = _without_partner(lost[0], write.side)
                own = (write.left, write.right, write.label)
                self.refused.append(TwoWayRefusal(self.pair.left, *own, name, reason))
        if write.kind == "update" and not values:
            return None
        return evolve(write, values=values)

    def _has_partner(self, side: SideName, reference: SideReference | RightOnly, coming: set[Any]) -> bool:
        if isinstance(reference, RightOnly):
            return side == "right" or reference in coming
        return side == "left" or reference in coming or self.pairs.right_of(reference) is not None


def _without_partner(reference: SideReference | RightOnly, side: SideName) -> str:
    return f"refers to {reference.type} {reference.id}, which has no partner on the {side}"


def _newest(left: SideRow, right: SideRow) -> str:
    if left.updated_at is None or right.updated_at is None or left.updated_at == right.updated_at:
        return "raise"
    return "left" if left.updated_at > right.updated_at else "right"


def _is_many(value: Any) -> bool:
    return value is None or isinstance(value, list | tuple | frozenset)


def _shown(value: Any) -> str:
    return f"{value.type} {value.id}" if isinstance(value, SideReference) else f"{value!r:.60}"
