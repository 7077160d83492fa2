"""The fast compression of a log agrees with the one that holds for every log."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from callsheet.entity.log import CREATE, DELETE, LINK, UPDATE, Entry, compressed, operation
from callsheet.model.compression import compress
from callsheet.model.operation import Create, Update
from callsheet.model.record import NOT_SET, Identity

KEYS = [Identity("Thing", key) for key in "abcde"]
VALUES = st.sampled_from([None, "a", "b", 1, 1.0, True, [1], [True], {"x": 1}])


@st.composite
def logs(draw: st.DrawFn) -> list[Entry]:
    """Entries in which each refers only to what exists at its place."""
    alive = set(draw(st.lists(st.sampled_from(KEYS), unique=True)))
    log: list[Entry] = []
    with_rare = draw(st.booleans())
    for _ in range(draw(st.integers(0, 12))):
        kind = draw(st.sampled_from([CREATE, UPDATE, UPDATE, UPDATE, *([LINK, DELETE] if with_rare else [])]))
        if kind == CREATE:
            free = sorted(set(KEYS) - alive)
            if free:
                values = _cells(draw, alive)
                members = {"tags": (draw(st.sampled_from(sorted(alive))),)} if with_rare and alive else {}
                log.append((CREATE, draw(st.sampled_from(free)), values, members, None, None))
                alive.add(log[-1][1])
        elif alive:
            log.append(_change(draw, kind, sorted(alive)))
            if kind == DELETE:
                alive.discard(log[-1][1])
    return log


def _cells(draw: st.DrawFn, alive: set[Identity]) -> dict[str, Any]:
    cells = draw(st.dictionaries(st.sampled_from(["name", "bid", "metadata.x"]), VALUES, max_size=3))
    if alive and draw(st.booleans()):
        cells["parent"] = draw(st.sampled_from(sorted(alive)))
    return cells


def _change(draw: st.DrawFn, kind: int, alive: list[Identity]) -> Entry:
    identity, other = draw(st.sampled_from(alive)), draw(st.sampled_from(alive))
    version = draw(st.sampled_from([None, 1, 2]))
    if kind == DELETE:
        return DELETE, identity, None, None, None, version
    if kind == LINK:
        return (
            LINK,
            identity,
            ("tags", other),
            draw(st.booleans()),
            draw(st.sampled_from([NOT_SET, True, False])),
            version,
        )
    if draw(st.booleans()):
        old = draw(st.sampled_from([NOT_SET, None, *alive]))
        return UPDATE, identity, "parent", draw(st.sampled_from([None, other])), old, version
    name = draw(st.sampled_from(["name", "bid", "metadata.x"]))
    return UPDATE, identity, name, draw(VALUES), draw(st.one_of(st.just(NOT_SET), VALUES)), version


@settings(max_examples=1_500, deadline=None)
@given(logs())
def test_the_fast_compression_agrees_to_the_letter(log: list[Entry]) -> None:
    """Operations, their order, and the order of their attributes are the same, whatever the log holds."""
    assert repr(compressed(log)) == repr(compress([operation(entry) for entry in log]))


def test_the_order_in_which_attributes_were_set_does_not_show() -> None:
    """Entity by entity or attribute by attribute gives the same operations."""
    one, two = KEYS[:2]
    by_entity = [(UPDATE, key, name, 1, NOT_SET, 3) for key in (one, two) for name in ("bid", "sort")]
    by_attribute = [(UPDATE, key, name, 1, NOT_SET, 3) for name in ("sort", "bid") for key in (one, two)]
    expected = (Update(one, {"bid": 1, "sort": 1}, version=3), Update(two, {"bid": 1, "sort": 1}, version=3))
    assert compressed(by_entity) == compressed(by_attribute) == expected


def test_a_reference_to_what_was_created_later_waits_for_it() -> None:
    """An entity touched before the create of what it refers to gets a second operation after the create."""
    one, two = KEYS[:2]
    log: list[Entry] = [
        (UPDATE, one, "name", "a", NOT_SET, 3),
        (CREATE, two, {}, {}, None, None),
        (UPDATE, one, "parent", two, None, 3),
    ]
    assert compressed(log) == (
        Update(one, {"name": "a"}, version=3),
        Create(two),
        Update(one, {"parent": two}, {"parent": None}, version=3),
    )
