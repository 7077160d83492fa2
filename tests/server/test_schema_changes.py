"""A changed schema: the database becomes one of the new schema, and only what the plan says is lost is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import inspect, select

from callsheet.errors import Conflict, Invalid, SchemaError
from callsheet.model.operation import ChangeSet, Create, Update
from callsheet.model.record import Identity
from callsheet.server.migration.applying import WantedSchema, plan_schema
from callsheet.server.migration.cells import Cure
from callsheet.server.migration.plan import SchemaPlan
from callsheet.server.migration.running import change_schema
from callsheet.server.schemas.document import load_schema_document, read_schema
from callsheet.server.service import Service
from callsheet.server.store.store import Store
from server.changing_schemas import Document, changed, documents, entities
from server.databases import new_database, postgres_database

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)

TINY: Document = {
    "name": "tiny",
    "types": {
        "Shot": {"attributes": {"name": {"type": "string"}, "bid": {"type": "string"}}},
        "Task": {"attributes": {"name": {"type": "string"}, "shot": {"type": "reference", "target": "Shot"}}},
    },
}


@pytest.fixture(params=["memory", "file", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with new_database(request.param, tmp_path) as found:
        yield found


def wanted(document: Document, **cures: Cure) -> WantedSchema:
    """A wanted schema; cures by ``Type__attribute``."""
    read, former = read_schema(document)
    return WantedSchema(read, former, {tuple(place.split("__")): cure for place, cure in cures.items()})  # type: ignore[misc]


def with_attributes(document: Document, kind: str, /, **attributes: Any) -> Document:
    """The document with other attributes of a type; None takes one away."""
    types = dict(document["types"])
    own = {**types[kind]["attributes"], **attributes}
    types[kind] = {**types[kind], "attributes": {key: value for key, value in own.items() if value is not None}}
    return {**document, "types": types}


def contents(store: Store) -> dict[str, dict[str, dict[str, Any]]]:
    """All values that are there, by type, key and attribute; collections as sorted keys."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    with store.reading() as connection:
        for root, table in store.tables.items():
            for row in connection.execute(select(table)).mappings():
                kind = store.schema.types[row["_type"]]
                assert kind.root == root
                own = {name: row[name] for name in kind.attributes if name in table.c and name != "id"}
                for name, attribute in kind.attributes.items():
                    assert (
                        attribute.kind != "reference"
                        or f"{name}__type" not in row
                        or ((row[name] is None) == (row[f"{name}__type"] is None))
                    )
                    if store.is_link(kind.name, name):
                        link = store.link(kind.name, name)
                        pairs = select(link.far).where(link.near == row["id"]).order_by(link.far)
                        own[name] = connection.execute(pairs).scalars().all() or None
                kept = {name: value for name, value in own.items() if value is not None}
                found.setdefault(kind.name, {})[row["id"]] = kept
    return found


def tables(store: Store) -> dict[str, Any]:
    """The tables of a database: columns with their types, and indexes."""
    with store.reading() as connection:
        found = inspect(connection)
        return {
            name: (
                {column["name"]: str(column["type"]) for column in found.get_columns(name)},
                {index["name"]: index["column_names"] for index in found.get_indexes(name)},
                {each["name"]: each["column_names"] for each in found.get_unique_constraints(name)},
            )
            for name in found.get_table_names()
            if name not in ("sqlite_stat1", "_audit")
        }


def filled(service: Service, rows: list[tuple[str, dict[str, Any]]]) -> None:
    """Commit entities; their keys are ``k0``, ``k1``, …"""
    if not rows:
        return
    schema, creates, links = service.store.schema, [], []
    for index, (kind, values) in enumerate(rows):
        attributes, own, added = schema.types[kind].attributes, {}, {}
        for name, value in values.items():
            if attributes[name].kind == "collection":
                added[name] = tuple(Identity(rows[each][0], f"k{each}") for each in value)
            elif attributes[name].kind == "reference":
                own[name] = Identity(rows[value][0], f"k{value}")
            else:
                own[name] = _read(attributes[name].data_type, value)
        creates.append(Create(Identity(kind, f"k{index}"), own))
        links.append(Update(Identity(kind, f"k{index}"), added=added))
    service.commit(ChangeSet("fill", (*creates, *(each for each in links if each.added))), "admin")


def _read(data_type: str, value: Any) -> Any:
    if data_type == "date":
        return date.fromisoformat(value)
    return datetime.fromisoformat(value) if data_type == "datetime" else value


def test_an_attribute_is_added(url: str) -> None:
    """The database has it afterwards, its entities are as they were, and the log says who did it and why."""
    with Service.open(url, TINY, administrator=False) as service:
        filled(service, [("Shot", {"name": "010"}), ("Task", {"name": "layout", "shot": 0})])
        new = with_attributes(TINY, "Task", hours={"type": "number"})
        plan = plan_schema(service.store, wanted(new), NOW)
        assert [(each.change.action, each.change.place) for each in plan.changes] == [("add", "Task.hours")]
        done = change_schema(service.store, wanted(new), "ann", "to plan", keep=False, now=NOW)
        assert done.position == 2
        assert plan_schema(service.store, wanted(new), NOW).changes == ()
        update = Update(Identity("Task", "k1"), {"hours": 2.5})
        service.commit(ChangeSet("later", (update,)), "admin")
        assert contents(service.store)["Task"]["k1"] == {"name": "layout", "shot": "k0", "hours": 2.5}
        with service.store.reading() as connection:
            row = connection.execute(select(service.store.table("_schema_change"))).one()
        assert (row.position, row.user_name, row.why, row.lost) == (2, "ann", "to plan", 0)


def test_rows_that_do_not_fit_are_named_and_nothing_changes(url: str) -> None:
    """A text that is no number keeps the change from being applied, until somebody says what it becomes."""
    with Service.open(url, TINY, administrator=False) as service:
        filled(service, [("Shot", {"bid": "7"}), ("Shot", {"bid": "many"})])
        new = with_attributes(TINY, "Shot", bid={"type": "integer", "required": True})
        with pytest.raises(Invalid, match=r"Shot\.bid: Shot k1: 'many' is no integer"):
            change_schema(service.store, wanted(new), "ann", keep=False, now=NOW)
        assert contents(service.store)["Shot"] == {"k0": {"bid": "7"}, "k1": {"bid": "many"}}
        change_schema(service.store, wanted(new, Shot__bid=Cure(replace={"many": "99"})), "ann", keep=False, now=NOW)
        assert contents(service.store)["Shot"] == {"k0": {"bid": 7}, "k1": {"bid": 99}}


def test_a_plan_for_another_schema_is_refused() -> None:
    """What was planned for one schema is not applied to another."""
    with Service.open("memory:", TINY, administrator=False) as service:
        new = wanted(with_attributes(TINY, "Task", hours={"type": "number"}))
        with pytest.raises(Conflict, match="plan again"):
            change_schema(service.store, new, "ann", keep=False, now=NOW, expected="other")


def test_former_names_are_no_part_of_a_schema() -> None:
    """A database that is new takes a file with them; ones that contradict it are refused."""
    named = with_attributes(TINY, "Task", title={"type": "string", "was": "name"}, name=None)
    assert "was" not in load_schema_document(named)["types"]["Task"]["attributes"]["title"]
    both = with_attributes(TINY, "Task", title={"type": "string", "was": "name"})
    with pytest.raises(SchemaError, match=r"Task\.title: `was` names `name`, which the schema describes too"):
        load_schema_document(both)


def check_laws(url: Callable[[], AbstractContextManager[str]], examples: int) -> None:
    """Check them for so many random changes."""

    @given(st.data())
    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    def check(data: st.DataObject) -> None:
        with url() as found:
            check_law(found, data)

    check()


def check_law(url: str, data: st.DataObject) -> None:
    """Diff, then apply, then diff is empty; what the plan says is lost is lost, and nothing else."""
    old = data.draw(documents())
    rows = data.draw(entities(old))
    new = data.draw(changed(old))
    try:
        load_schema_document(new)
        Store.open("memory:", load_schema_document(new)).close()
    except SchemaError:
        return
    with Service.open(url, old, administrator=False) as service:
        filled(service, rows)
        before = contents(service.store)
        aim = wanted(new)
        plan = plan_schema(service.store, aim, NOW)
        if plan.unfit:
            with pytest.raises(Invalid):
                change_schema(service.store, aim, "ann", keep=False, now=NOW)
            assert contents(service.store) == before
            cures = {(name, each): Cure(clear=True) for name, kind in _types(new) for each in kind}
            aim = WantedSchema(aim.document, aim.former, cures)
            plan = plan_schema(service.store, aim, NOW)
        if plan.unfit:
            with pytest.raises(Invalid):
                change_schema(service.store, aim, "ann", keep=False, now=NOW)
            return
        change_schema(service.store, aim, "ann", keep=False, now=NOW)
        assert plan_schema(service.store, wanted(new), NOW).changes == ()
        after = contents(service.store)
        assert _size(before, old, new) - _size(after, new, new) == plan.lost, plan
        if service.store.engine_name == "sqlite":
            fresh = Store.open("memory:", aim.document)
            try:
                assert tables(service.store) == tables(fresh)
            finally:
                fresh.close()
        _check_the_rest(before, after, new, plan)


def _names(new: Document) -> dict[str, str]:
    """The former name of each type."""
    return {name: described.get("was", name) for name, described in new["types"].items()}


def _types(document: Document) -> Iterator[tuple[str, list[str]]]:
    """The types, each with the attributes that it and those above describe, without collections."""
    types = document["types"]
    for name, described in types.items():
        above = types[described["extends"]]["attributes"] if described.get("extends") else {}
        own = {**above, **described["attributes"]}
        yield name, [key for key, value in own.items() if value["type"] != "collection"]


def _size(found: dict[str, dict[str, dict[str, Any]]], document: Document, new: Document) -> int:
    """Entities, and the values of those whose type stays; a pair of a relation is a value."""
    staying = set(document["types"]) if document is new else set(_names(new).values()) | set(new["types"])
    total = 0
    for kind, rows in found.items():
        total += len(rows)
        if kind in staying:
            total += sum(
                len(v) if _is_pairs(document, kind, k) else 1 for each in rows.values() for k, v in each.items()
            )
    return total


def _is_pairs(document: Document, kind: str, attribute: str) -> bool:
    line = [kind, *([document["types"][kind]["extends"]] if document["types"][kind].get("extends") else [])]
    found = [d for each in line if (d := document["types"][each]["attributes"].get(attribute)) is not None]
    return bool(found) and found[0]["type"] == "collection"


def _check_the_rest(before: Any, after: Any, new: Document, plan: SchemaPlan) -> None:
    """Whatever is other than it was is in the plan."""
    planned = {each.change.attribute for each in plan.changes if each.lost or each.changed}
    former = _names(new)
    for kind, rows in after.items():
        renamed = {k: d["was"] for each in new["types"].values() for k, d in each["attributes"].items() if "was" in d}
        old = before.get(kind) or before[former[kind]]
        for key, values in rows.items():
            for name in {*values, *old[key]}:
                source = renamed.get(name, name)
                if source not in planned and name not in planned and name not in renamed.values():
                    assert values.get(name) == old[key].get(source, old[key].get(name)), (kind, key, name)


def test_the_laws_hold_in_memory() -> None:
    """On SQLite."""
    check_laws(lambda: nullcontext("memory:"), 20)


def test_the_laws_hold_on_postgres() -> None:
    """On PostgreSQL."""
    check_laws(postgres_database, 4)


@pytest.mark.deep
def test_the_laws_hold_for_many_examples() -> None:
    """The long form."""
    check_laws(lambda: nullcontext("memory:"), 3_000)
