"""Whatever valid batches are committed, the database holds what a plain dictionary would."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from studio import Identity, Studio, open_studio

from callsheet.errors import Invalid, NotFound
from callsheet.model.operation import Create, Delete, Operation, Update

KEYS = ("a", "b", "c", "d", "e")
VALUES = st.fixed_dictionaries(
    {},
    optional={
        "bid": st.none() | st.integers(0, 3),
        "note": st.none() | st.sampled_from(["x", "y"]),
        "parent": st.none() | st.sampled_from(KEYS),
        "buddy": st.none() | st.sampled_from(KEYS),
        "metadata.k": st.none() | st.sampled_from(["1", "2"]),
    },
)
STEP = st.tuples(st.sampled_from(["create", "update", "delete"]), st.sampled_from(KEYS), VALUES)
BATCHES = st.lists(st.lists(STEP, min_size=1, max_size=6), min_size=1, max_size=6)

World = dict[str, dict[str, Any]]


def operation(kind: str, key: str, values: dict[str, Any]) -> Operation:
    identity = Identity("Task", key)
    if kind == "delete":
        return Delete(identity)
    told = {
        name: Identity("Task", value) if name in ("parent", "buddy") and value is not None else value
        for name, value in values.items()
    }
    return Create(identity, {"name": key, **told}) if kind == "create" else Update(identity, told)


def predicted(world: World, batch: list[tuple[str, str, dict[str, Any]]]) -> World | None:
    """What the batch makes of the world; None if it should be refused."""
    now = {key: dict(values) for key, values in world.items()}
    gone: set[str] = set()
    cascaded: set[str] = set()

    def kill(key: str) -> None:
        del now[key]
        gone.add(key)
        for other in [name for name, values in now.items() if values["parent"] == key]:
            if other in now:
                cascaded.add(other)
                kill(other)
        for values in now.values():
            if values["buddy"] == key:
                values["buddy"] = None

    for kind, key, values in batch:
        if kind == "create":
            if key in now or key in gone:
                return None
            now[key] = {"bid": None, "note": None, "parent": None, "buddy": None, "metadata.k": None, **values}
        elif kind == "update":
            if key not in now:
                return None
            now[key].update(values)
        elif key in now:
            kill(key)
        elif key not in cascaded:
            return None
    return now if _sound(now) else None


def _sound(world: World) -> bool:
    for key, values in world.items():
        if any(values[name] is not None and values[name] not in world for name in ("parent", "buddy")):
            return False
        above, seen = values["parent"], {key}
        while above is not None:
            if above in seen:
                return False
            seen.add(above)
            above = world[above]["parent"] if above in world else None
    return True


def stored(studio: Studio) -> World:
    with studio.store.reading() as connection:
        rows = connection.execute(studio.store.tables["Node"].select()).mappings().all()
    return {
        row["id"]: {
            **{name: row[name] for name in ("bid", "note", "parent", "buddy")},
            "metadata.k": (row["metadata"] or {}).get("k"),
        }
        for row in rows
    }


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(BATCHES)
def test_the_database_equals_the_dictionary(batches: list[list[tuple[str, str, dict[str, Any]]]]) -> None:
    """A batch is applied as predicted, or refused when predicted, and then nothing of it is there."""
    world: World = {}
    with open_studio() as studio:
        for batch in batches:
            expected = predicted(world, batch)
            try:
                studio.commit(*[operation(*step) for step in batch])
            except (Invalid, NotFound):
                assert expected is None, f"{batch} should have been applied"
            else:
                assert expected is not None, f"{batch} should have been refused"
                world = expected
            assert stored(studio) == world
