"""A small production with stored cubes, random changes of it, and questions that are answered twice."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from hypothesis import strategies as st

from callsheet import Session
from callsheet.dialects.local import LocalDialect
from callsheet.model.language.measures import parse_level, parse_measure
from callsheet.model.language.parser import parse_condition
from callsheet.model.measure import Aggregate
from callsheet.model.operation import Create, Delete, Operation, Update
from callsheet.model.query import Select
from callsheet.model.question import Answer, Question
from callsheet.model.record import Identity
from callsheet.server.backend import ServiceBackend
from callsheet.server.service import Service
from callsheet.session.connection import ServerConnection
from callsheet.transport.local import LocalTransport

SCHEMA: dict[str, Any] = {
    "types": {
        "Project": {"attributes": {"name": {"type": "string"}}},
        "Shot": {
            "attributes": {
                "name": {"type": "string"},
                "project": {"type": "reference", "target": "Project"},
                "tags": {"type": "collection", "target": "Tag"},
            }
        },
        "Tag": {"attributes": {"name": {"type": "string"}}},
        "Task": {
            "attributes": {
                "kind": {"type": "string"},
                "bid": {"type": "number"},
                "shot": {"type": "reference", "target": "Shot"},
            }
        },
        "Entry": {
            "attributes": {
                "hours": {"type": "number"},
                "cost": {"type": "number"},
                "frames": {"type": "integer"},
                "day": {"type": "date"},
                "open": {"type": "boolean"},
                "task": {"type": "reference", "target": "Task"},
            }
        },
        "Cube": {
            "attributes": {
                "name": {"type": "string"},
                "table": {"type": "string"},
                "filter": {"type": "string"},
                "stored": {"type": "json"},
            }
        },
        "CubeHierarchy": {
            "attributes": {
                "name": {"type": "string"},
                "cube": {"type": "reference", "target": "Cube"},
                "levels": {"type": "json"},
                "sort": {"type": "integer"},
            }
        },
        "CubeMeasure": {
            "attributes": {
                "name": {"type": "string"},
                "cube": {"type": "reference", "target": "Cube"},
                "definition": {"type": "string"},
                "sort": {"type": "integer"},
            }
        },
    }
}
LEVELS = ("task.shot.project.name", "task.kind", "month(day)")
MEASURES = (
    "count",
    "count(task)",
    "sum(hours)",
    "average(hours)",
    "sum(cost)",
    "average(cost)",
    "sum(frames)",
    "average(frames)",
    "sum(hours) where open = true",
    "count where task.kind = anim",
    "minimum(hours)",
    "maximum(day)",
    "distinct(task)",
    "median(hours)",
    "deviation(hours)",
    "latest(hours, day)",
    "sum(task.bid)",
    "distinct(task.shot.name)",
)
MERGED = MEASURES[:12]
"""Measures of several cells that are known from those of each."""


def cube(
    name: str,
    levels: Sequence[str] = LEVELS,
    measures: Sequence[str] = MEASURES,
    where: str | None = None,
    table: str = "Entry",
    stored: Any = True,
) -> list[Operation]:
    """The creates of a stored cube."""
    of = Identity("Cube", name)
    made: list[Operation] = [Create(of, {"name": name, "table": table, "filter": where, "stored": stored})]
    for place, level in enumerate(levels):
        values = {"name": f"h{place}", "cube": of, "levels": [{"name": f"L{place}", "level": level}], "sort": place}
        made.append(Create(Identity("CubeHierarchy", f"{name}-h{place}"), values))
    for place, measure in enumerate(measures):
        values = {"name": f"m{place}", "cube": of, "definition": measure, "sort": place}
        made.append(Create(Identity("CubeMeasure", f"{name}-m{place}"), values))
    return made


def question(
    measures: Sequence[str] = MEASURES, levels: Sequence[str] = LEVELS, where: str | None = None, **options: Any
) -> Aggregate:
    return Aggregate(
        Select("Entry", where=None if where is None else parse_condition(where)),
        tuple(map(parse_measure, measures)),
        tuple(map(parse_level, levels)),
        **options,
    )


QUESTIONS = {
    "all levels": question(),
    "one level": question(MERGED, LEVELS[:1]),
    "totals": question(MERGED, LEVELS[:2], totals=True),
    "no level": question(MERGED, ()),
    "filtered": question(MERGED, LEVELS[2:], 'task.kind in ("anim", none) and task.shot.project.name != "p1"'),
    "a share": question(("share(sum(frames))",), LEVELS[:2]),
}

_KEYS = {"Project": 3, "Shot": 4, "Task": 5, "Entry": 12}
_HOURS = st.sampled_from([0.1, 0.2, 0.7, 7.5, 1e-7, 1e12, 3.3e-20, -2.4, None])
_VALUES: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "Project": {"name": st.sampled_from(["p0", "p1", None])},
    "Shot": {"name": st.sampled_from(["s0", "s1"]), "project": st.integers(0, 2)},
    "Task": {
        "kind": st.sampled_from(["anim", "comp", None]),
        "bid": st.sampled_from([1.0, 2.5, None]),
        "shot": st.integers(0, 3),
    },
    "Entry": {
        "hours": _HOURS,
        "cost": st.sampled_from([0.1, 19.99, -3.0, None]),
        "frames": st.sampled_from([1, 2, 1_000_000, None]),
        "day": st.sampled_from(["2026-01-31", "2026-02-01", "2026-02-28", None]),
        "open": st.booleans(),
        "task": st.integers(0, 4),
    },
}
_TARGETS = {"project": "Project", "shot": "Shot", "task": "Task"}


def identity(kind: str, number: int) -> Identity:
    return Identity(kind, f"{kind[0].lower()}{number}")


@st.composite
def edits(draw: st.DrawFn) -> tuple[str, str, int, dict[str, Any]]:
    """What to do with one entity: put it there, or delete it."""
    kind = draw(st.sampled_from([*_KEYS, "Entry", "Entry"]))
    number = draw(st.integers(0, _KEYS[kind] - 1))
    verb = draw(st.sampled_from(["put", "put", "put", "delete"]))
    names = draw(st.sets(st.sampled_from(sorted(_VALUES[kind])), min_size=1))
    values = {name: draw(_VALUES[kind][name]) for name in sorted(names)}
    return verb, kind, number, values


commits = st.lists(st.lists(edits(), min_size=1, max_size=6), min_size=1, max_size=5)


def operations(given: Sequence[tuple[str, str, int, dict[str, Any]]], there: set[Identity]) -> Iterator[Operation]:
    """The operations of some edits; ``there`` are the entities that exist, and becomes those afterwards.

    One entity is edited once. References to what does not exist are left out; those to what is deleted become None.
    """
    before, seen = set(there), set[Identity]()
    deleted = {identity(kind, number) for verb, kind, number, _ in given if verb == "delete"}
    for verb, kind, number, values in given:
        key = identity(kind, number)
        if key in seen:
            continue
        seen.add(key)
        if verb == "delete":
            if key in before and key in deleted:
                there.discard(key)
                yield Delete(key)
            continue
        if key in deleted:
            continue
        found: dict[str, Any] = {}
        for name, value in values.items():
            if name in _TARGETS:
                target = identity(_TARGETS[name], value)
                found[name] = target if target in before and target not in deleted else None
            else:
                found[name] = value
        yield (Update if key in before else Create)(key, found)
        there.add(key)


def undo(service: Service, position: int) -> None:
    """Take a commit back, and commit that."""
    connection = ServerConnection(LocalDialect(service.backend("admin")), LocalTransport(), None, user="admin")
    with Session(connection=connection, plugin_paths=False) as session:
        session.undo(position)
        if session.pending:
            session.commit()


def asked(backend: ServiceBackend, **options: Any) -> dict[str, Answer]:
    """The answers of all questions, by the server."""
    questions = [Question(each, explain=True, **options) for each in QUESTIONS.values()]
    return dict(zip(QUESTIONS, backend.ask(questions)))


def recomputed(service: Service, backend: ServiceBackend, **options: Any) -> dict[str, Answer]:
    """The answers without the mirror: from the store."""
    mirror, service.mirror = service.mirror, None
    mirrored, service._mirrored = service._mirrored, None
    try:
        return asked(backend, **options)
    finally:
        service.mirror, service._mirrored = mirror, mirrored


def agree(one: Answer, other: Answer) -> None:
    """The same groups in the same order, and the same numbers; floats as far as sums of them can be."""
    assert len(one.rows) == len(other.rows)
    for mine, theirs in zip(one.rows, other.rows):
        for left, right in zip(mine, theirs, strict=True):
            if isinstance(left, float) and isinstance(right, float):
                assert math.isclose(left, right, rel_tol=1e-9, abs_tol=1e-4), (mine, theirs)
            else:
                assert left == right, (mine, theirs)
