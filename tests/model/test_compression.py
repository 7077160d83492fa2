"""The laws of compression, against a store that is a plain dictionary and cascades."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callsheet.model.adjustment import Adjustment, increment, lower_to, raise_to
from callsheet.model.compression import compress
from callsheet.model.operation import Create, Delete, Operation, Update
from callsheet.model.record import Identity

A, B, C, X, Y = (Identity("Thing", key) for key in "abcxy")


ADJUSTMENTS = st.one_of(
    st.integers(-5, 5).map(increment), st.integers(-5, 9).map(raise_to), st.integers(-5, 9).map(lower_to)
)
VALUES = st.none() | st.integers(-20, 20)


class Store:
    """Things with a name, a count, a parent (deletes cascade), a friend (deletes nullify) and tags (many to many).

    ``before`` is what the things that were there before had counted, ``adjusted`` those whose count is adjusted since.
    """

    def __init__(self) -> None:
        self.rows: dict[Identity, dict[str, Any]] = {}
        self.before: dict[Identity, Any] = {}
        self.adjusted: set[Identity] = set()

    def counted(self, identity: Identity, adjust: bool) -> dict[str, Any]:
        """What a session notes as the count before it is adjusted or set."""
        now = self.rows[identity]["count"]
        server = self.before.get(identity, now)
        if identity not in self.before:
            return {"count": now}
        based = identity in self.adjusted or (adjust and now == server)
        (self.adjusted.add if adjust and based else self.adjusted.discard)(identity)
        return {"count": server if based else now}

    def apply(self, operations: list[Operation] | tuple[Operation, ...]) -> Store:
        for operation in operations:
            identity = operation.identity
            if isinstance(operation, Create):
                assert identity not in self.rows, f"{identity} is created twice"
                self.rows[identity] = {"name": None, "parent": None, "friend": None, "count": None, "tags": set()}
                self.before.pop(identity, None)
                self._write(identity, operation, {})
            elif isinstance(operation, Update):
                assert identity in self.rows, f"{identity} does not exist"
                self._write(identity, operation, operation.removed)
            else:
                assert identity in self.rows, f"{identity} does not exist"
                self._delete(identity)
        return self

    def _write(self, identity: Identity, operation: Create | Update, removed: Any) -> None:
        row = self.rows[identity]
        for name, value in operation.values.items():
            if isinstance(value, Identity):
                assert value in self.rows, f"{value} does not exist yet"
            row[name] = value
        for name, adjustment in operation.adjusted.items() if isinstance(operation, Update) else ():
            row[name] = adjustment.apply(row.get(name))
        for member in operation.added.get("tags", ()):
            assert member in self.rows, f"{member} does not exist yet"
            row["tags"].add(member)
        row["tags"] -= set(removed.get("tags", ()))

    def _delete(self, identity: Identity) -> None:
        del self.rows[identity]
        for other, row in list(self.rows.items()):
            if other not in self.rows:
                continue
            row["tags"].discard(identity)
            if row["friend"] == identity:
                row["friend"] = None
            if row["parent"] == identity:
                self._delete(other)


@st.composite
def histories(draw: st.DrawFn) -> tuple[Store, list[Operation]]:
    """A store, and a log that is valid on it, recorded as a session would."""
    store = Store()
    keys = [Identity("Thing", f"t{number}") for number in range(6)]
    initial = draw(st.lists(st.sampled_from(keys), unique=True, max_size=4))
    for identity in initial:
        store.apply([Create(identity, {"name": "start", "count": draw(st.sampled_from([None, 0, 3]))})])
    for identity in initial:
        for name in ("parent", "friend"):
            other = draw(st.sampled_from([None, *initial]))
            if other is not None and not _would_cycle(store, name, identity, other):
                store.apply([Update(identity, {name: other})])
    store.before = {identity: row["count"] for identity, row in store.rows.items()}
    begin, log = deepcopy(store), []
    for _ in range(draw(st.integers(0, 14))):
        operation = _draw_operation(draw, store, keys)
        if operation is not None:
            store.apply([operation])
            log.append(operation)
    return begin, log


def _draw_operation(draw: st.DrawFn, store: Store, keys: list[Identity]) -> Operation | None:
    alive = sorted(store.rows)
    what = draw(st.sampled_from(["create", "name", "count", "adjust", "parent", "friend", "tag", "untag", "delete"]))
    if what == "create":
        free = [key for key in keys if key not in store.rows]
        return Create(draw(st.sampled_from(free)), {"name": "new"}) if free else None
    if not alive:
        return None
    identity = draw(st.sampled_from(alive))
    row = store.rows[identity]
    if what == "delete":
        return Delete(identity)
    if what == "adjust":
        return Update(identity, before=store.counted(identity, True), adjusted={"count": draw(ADJUSTMENTS)})
    if what == "count":
        return Update(identity, {"count": draw(st.sampled_from([None, 0, 5]))}, store.counted(identity, False))
    if what == "name":
        return Update(identity, {"name": draw(st.sampled_from(["start", "p", "q"]))}, {"name": row["name"]})
    other = draw(st.sampled_from(alive))
    if what in ("tag", "untag"):
        before = {"tags": (other,) if other in row["tags"] else ()} if draw(st.booleans()) else {}
        return Update(identity, before=before, **{"added" if what == "tag" else "removed": {"tags": (other,)}})
    value = draw(st.sampled_from([None, other]))
    if value is not None and _would_cycle(store, what, identity, value):
        return None
    return Update(identity, {what: value}, {what: row[what]})


def _would_cycle(store: Store, name: str, identity: Identity, parent: Identity | None) -> bool:
    while name == "parent" and parent is not None:
        if parent == identity:
            return True
        parent = store.rows[parent]["parent"]
    return False


@settings(max_examples=600, deadline=None)
@given(histories())
def test_a_compressed_log_has_the_same_effect_in_a_valid_order(history: tuple[Store, list[Operation]]) -> None:
    """The store ends the same, and no operation refers to what does not exist at its place."""
    store, log = history
    expected = deepcopy(store).apply(log)
    assert deepcopy(store).apply(compress(log)).rows == expected.rows


@settings(max_examples=300, deadline=None)
@given(histories())
def test_compressing_never_lengthens_and_is_idempotent(history: tuple[Store, list[Operation]]) -> None:
    """At most as many operations as were recorded; compressing the result changes nothing."""
    _, log = history
    compressed = compress(log)
    assert len(compressed) <= len(log)
    assert compress(compressed) == compressed


@given(st.lists(ADJUSTMENTS, min_size=1), VALUES)
def test_adjustments_one_after_the_other_are_one(adjustments: list[Adjustment], value: int | None) -> None:
    """Their sum does to each number, and to none, what they do in their order; a change set has one operation."""
    expected = value
    for each in adjustments:
        expected = each.apply(expected)
    (operation,) = compress([Update(A, adjusted={"count": each}) for each in adjustments])
    assert isinstance(operation, Update)
    assert operation.adjusted["count"].apply(value) == expected


def test_adjustments_of_what_is_set_or_created_here_are_values() -> None:
    """Set, then increment, is set; create, then increment, is create; a value set over an increment is set."""
    two = Update(A, adjusted={"count": increment(2)})
    assert compress([Update(A, {"count": 5}, {"count": 1}), two]) == (Update(A, {"count": 7}, {"count": 1}),)
    assert compress([Create(A, {"count": 5}), two, two]) == (Create(A, {"count": 9}),)
    assert compress([Create(A), two]) == (Create(A, {"count": 2}),)
    assert compress([two, Update(A, {"count": 5}, {"count": 1})]) == (Update(A, {"count": 5}, {"count": 1}),)
    assert compress([two, Update(A, {"count": 1}, {"count": 1})]) == ()
    assert compress([two, Delete(A)]) == (Delete(A),)


def test_an_increment_after_a_value_that_was_taken_back_counts_on_from_the_server() -> None:
    """Nothing is set then."""
    back = [Update(A, {"count": 5}, {"count": 1}), Update(A, {"count": 1}, {"count": 5})]
    two = Update(A, before={"count": 1}, adjusted={"count": increment(2)})
    assert compress([*back, two]) == (two,)


def test_a_create_absorbs_later_updates_whatever_lies_between() -> None:
    """One create for each entity, in the order of the creates."""
    log = [Create(A, {"x": 1}), Create(B, {"x": 1}), Update(A, {"y": 2}), Update(B, {"x": 3}), Update(A, {"x": 4})]
    assert compress(log) == (Create(A, {"x": 4, "y": 2}), Create(B, {"x": 3}))


def test_a_reference_to_something_created_later_stays_behind_it() -> None:
    """The value moves no further than to the first operation at which its target exists."""
    log = [Create(A), Create(B), Update(A, {"friend": B}), Update(A, {"name": "a"})]
    assert compress(log) == (Create(A, {"name": "a"}), Create(B), Update(A, {"friend": B}))


def test_an_assignment_taken_back_disappears() -> None:
    """Nothing is sent for an attribute that has its old value again."""
    log = [Update(A, {"name": "q"}, {"name": "p"}), Update(A, {"name": "p"}, {"name": "q"})]
    assert compress(log) == ()


def test_true_is_not_one() -> None:
    """A value of another type is another value."""
    log = [Update(A, {"data": True}, {"data": 1})]
    assert compress(log) == tuple(log)


def test_born_and_dead_here_never_happened() -> None:
    """Neither the entity nor anything done to it is sent."""
    assert compress([Create(A), Update(A, {"name": "n"}), Delete(A)]) == ()


def test_born_and_dead_stays_when_something_that_stays_refers_to_it() -> None:
    """What remains must have something to refer to."""
    log = [Create(X), Update(A, {"friend": X}), Delete(X)]
    assert compress(log) == tuple(log)


def test_updates_before_a_delete_are_dropped() -> None:
    """Nobody will see them."""
    assert compress([Update(A, {"name": "n"}, {"name": "m"}), Delete(A)]) == (Delete(A),)


def test_a_child_moved_away_before_its_parent_is_deleted_survives() -> None:
    """The move to safety is kept although a later value replaces it, which can only stand after the delete."""
    log = [
        Update(C, {"parent": A}, {"parent": X}),
        Delete(X),
        Create(Y),
        Update(C, {"parent": Y}, {"parent": A}),
    ]
    assert compress(log) == tuple(log)


def test_delete_and_create_of_one_key_keep_their_order() -> None:
    """A row replaced by another under the same key is two lives."""
    log = [Delete(A), Create(A, {"name": "new"}), Update(A, {"name": "newer"}, {"name": "new"})]
    assert compress(log) == (Delete(A), Create(A, {"name": "newer"}))


@pytest.mark.parametrize("before", [{}, {"tags": ()}])
def test_a_membership_begun_and_ended_leaves_nothing_where_it_is_known_to_be_new(before: Any) -> None:
    """Where it is not known whether the member was there, the removal is kept."""
    log = [Update(A, before=before, added={"tags": (B,)}), Update(A, before={"tags": (B,)}, removed={"tags": (B,)})]
    assert compress(log) == (() if before else (Update(A, removed={"tags": (B,)}),))


def test_the_order_of_assignments_does_not_matter() -> None:
    """Entity by entity or attribute by attribute: the same change set."""
    names = ("p", "q", "r")
    by_entity = [Create(A), Create(B), *(Update(e, {n: n}) for e in (A, B) for n in names)]
    by_attribute = [Create(A), Create(B), *(Update(e, {n: n}) for n in reversed(names) for e in (A, B))]
    assert repr(compress(by_entity)) == repr(compress(by_attribute))


def test_work_is_linear_in_the_length_of_the_log() -> None:
    """Ten times the log costs ten times the calls, give or take little."""
    import sys

    def calls(count: int) -> int:
        things = [Identity("Thing", str(number)) for number in range(count)]
        log = [Create(t) for t in things] + [Update(t, {n: 1}) for n in ("p", "q", "r") for t in things]
        seen = 0

        def note(frame: Any, event: str, argument: Any) -> None:
            nonlocal seen
            seen += event == "call"

        sys.setprofile(note)
        try:
            compress(log)
        finally:
            sys.setprofile(None)
        return seen

    assert calls(1_000) < 10.5 * calls(100)


def test_a_value_that_was_there_before_is_not_written_before_a_delete() -> None:
    """A reference assigned the value it has, then replaced, on an entity that is deleted: compressing is idempotent."""
    log = [
        Update(A, {"friend": None}, {"friend": None}),
        Create(C),
        Delete(B),
        Update(A, {"friend": A}, {"friend": None}),
        Create(B),
        Delete(A),
    ]
    assert compress(log) == (Create(C), Delete(B), Create(B), Delete(A))
