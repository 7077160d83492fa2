"""The mirror has what the store has: after any commits, after a restart, and made again when it must be."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from databases import new_database
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from test_matches_equals_sql import DOCUMENT, SETTINGS, worlds
from test_measures_equal_python import World, aggregates, choices_agree, chosen, numbers_agree, small

from callsheet import Session
from callsheet.errors import CallsheetError, Invalid, Unavailable
from callsheet.model.language.aggregates import check_aggregate
from callsheet.model.measure import Aggregate, AggregateFunction
from callsheet.model.operation import ChangeSet, Create, Delete, Operation, Update
from callsheet.model.query import Select
from callsheet.model.record import Identity
from callsheet.model.schema import Schema
from callsheet.server.mirror import turn as turn_module
from callsheet.server.mirror.database import MirrorDatabase
from callsheet.server.mirror.feed import create_tables, mirrored_tables
from callsheet.server.mirror.mirror import Mirror
from callsheet.server.process import serve
from callsheet.server.reading.aggregates import read_aggregate
from callsheet.server.service import Service
from callsheet.server.store.layout import layout_of
from callsheet.server.store.store import Store


@pytest.fixture(scope="module")
def empty_mirror() -> Iterator[Store]:
    """A store on DuckDB, filled anew for each example."""
    store = Store("mirror:", MirrorDatabase(None, 30.0))
    store.schema = Schema(DOCUMENT)
    store.layout = layout_of(store.schema)
    store.write(lambda connection: create_tables(mirrored_tables(store), connection))
    yield store
    store.close()


@pytest.mark.proof
@pytest.mark.timeout(1_800)
def test_numbers_mean_the_same_in_duckdb_and_in_python(empty_mirror: Store) -> None:
    """Every group, in order, with every measure and total, equals what Python computes of the entities."""

    @settings(SETTINGS, max_examples=40)
    @given(worlds(), aggregates())
    def law(world: World, aggregate: Aggregate) -> None:
        numbers_agree(empty_mirror, small(world), aggregate)

    law()


@pytest.mark.proof
@pytest.mark.timeout(1_800)
def test_tops_and_samples_mean_the_same_in_duckdb_and_in_python(empty_mirror: Store) -> None:
    """All pages together, and a query inside a query, keep what Python keeps."""

    @settings(SETTINGS, max_examples=20)
    @given(worlds(), st.sampled_from(["Thing", "Node", "Leaf"]).flatmap(chosen), st.integers(1, 4))
    def law(world: World, select: Any, size: int) -> None:
        choices_agree(empty_mirror, small(world), select, size)

    law()


def content(store: Store) -> dict[str, list[Any]]:
    """All rows of entities and links, as Python values."""
    with store.reading() as connection:
        return {
            table.name: sorted((tuple(row) for row in connection.execute(select(*table.c))), key=repr)
            for table in mirrored_tables(store)
        }


def agrees(service: Service, mirror: Mirror) -> bool:
    """Whether the mirror's rows are the store's, of the last commit."""
    with mirror.reading() as state:
        return content(state.store) == content(service.store)


THINGS = [Identity(kind, f"{kind}{number}") for kind in ("Node", "Leaf", "Tag") for number in range(3)]
VALUES: dict[str, dict[str, Any]] = {
    "Node": {"name": "é", "size": 1.5, "n": 2**53 + 1},
    "Leaf": {"flag": True, "kind": "a", "metadata.a b": "x", "custom_attributes.n": 3},
    "Tag": {"name": ""},
}


@st.composite
def commits(draw: st.DrawFn) -> list[tuple[Operation, ...]]:
    """Some commits of entities that are made, changed, linked and deleted."""
    alive: set[Identity] = set()
    found = []
    for _ in range(draw(st.integers(1, 4))):
        operations: list[Operation] = []
        for identity in draw(st.lists(st.sampled_from(THINGS), unique=True, max_size=4)):
            if identity not in alive:
                operations.append(Create(identity, VALUES[identity.entity_type] if draw(st.booleans()) else {}))
                alive.add(identity)
            elif draw(st.booleans()):
                operations.append(Delete(identity))
                alive.discard(identity)
            else:
                operations.append(Update(identity, {"name": draw(st.sampled_from(["a", "b", None]))}))
        if operations:
            found.append(tuple(operations))
    return found


@settings(SETTINGS, max_examples=25)
@given(commits())
def test_it_has_what_the_store_has_after_each_commit(made: list[tuple[Operation, ...]]) -> None:
    """Entities and links, with all their values; rows are copied once, then only what changed."""
    with Service.open("memory:", DOCUMENT) as service:
        mirror = Mirror(service.store)
        assert agrees(service, mirror)
        for number, operations in enumerate(made):
            service.commit(ChangeSet(f"c{number}", operations), "admin")
            assert agrees(service, mirror)
        assert mirror.copies == 1
        mirror.close()


TASKS: dict[str, Any] = {"types": {"Dot": {"attributes": {"name": {"type": "string"}, "size": {"type": "number"}}}}}


def dots(first: int, number: int) -> ChangeSet:
    """A commit of so many new entities."""
    made = (
        Create(Identity("Dot", f"d{n}"), {"name": f"n{n % 7}", "size": n / 2}) for n in range(first, first + number)
    )
    return ChangeSet(f"from {first}", tuple(made))


SIZES = Aggregate(Select("Dot"), (AggregateFunction("sum", "size"), AggregateFunction("count")), ("name",))


@pytest.mark.parametrize("kind", ["memory", "file", "postgres"])
def test_a_server_with_analytics_gives_the_same_numbers(kind: str, tmp_path: Path) -> None:
    """Groups come from the mirror, also of what was committed a moment ago, on each kind of database."""
    with (
        new_database(kind, tmp_path) as url,
        Service.open(url, TASKS, analytics=True) as service,
    ):
        service.commit(dots(0, 100), "admin")
        for more in range(2):
            service.commit(dots(100 + more, 1), "admin")
            with service.store.reading() as connection:
                expected = read_aggregate(service.store, connection, check_aggregate(SIZES, service.store.schema))
            assert service.backend("admin").aggregate(SIZES) == expected
        assert service.mirror is not None
        assert service.mirror.copies == 1


def test_it_goes_on_after_a_restart(tmp_path: Path) -> None:
    """The file keeps its position: nothing is copied again."""
    url = f"sqlite:///{(tmp_path / 'show.db').as_posix()}"
    for turn, copies in enumerate([1, 0, 0]):
        with Service.open(url, TASKS, analytics=True) as service:
            service.commit(dots(turn * 10, 10), "admin")
            assert service.mirror is not None
            assert agrees(service, service.mirror)
            assert service.mirror.copies == copies


@pytest.mark.parametrize("damage", ["deleted", "overwritten", "restored", "of another database"])
def test_it_is_made_again_when_it_must_be(damage: str, tmp_path: Path) -> None:
    """A mirror that is lost, damaged, of another database or of another past is copied anew."""
    path, mirror_folder = tmp_path / "show.db", tmp_path / "show.db.mirror"
    url = f"sqlite:///{path.as_posix()}"
    with Service.open(url, TASKS, analytics=True) as service:
        service.commit(dots(0, 10), "admin")
        service.backup(tmp_path / "backup.db")
        service.commit(dots(10, 10), "admin")
        assert agrees(service, service.mirror)  # type: ignore[arg-type]
    if damage == "deleted":
        shutil.rmtree(mirror_folder)
    elif damage == "overwritten":
        (mirror_folder / "mirror.duckdb").write_bytes(b"not a database" * 1_000)
    else:
        path.unlink()
        if damage == "restored":
            shutil.copy(tmp_path / "backup.db", path)
    with Service.open(url, TASKS, analytics=True) as service:
        service.commit(dots(20, 10), "admin")
        assert service.mirror is not None
        assert agrees(service, service.mirror)
        assert service.mirror.copies == 1


def test_a_copy_outlives_the_request_that_began_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks while rows are copied is refused in time; the copy goes on, and answers the next question."""
    go_on = threading.Event()
    copy = turn_module.copy_tables

    def slow(*arguments: Any) -> None:
        assert go_on.wait(30)
        copy(*arguments)

    monkeypatch.setattr(turn_module, "copy_tables", slow)
    with Service.open("memory:", TASKS, analytics=True) as service:
        service.commit(dots(0, 10), "admin")
        service.store.deadline = 0.1
        with pytest.raises(Unavailable, match="is being made"):
            service.backend("admin").aggregate(SIZES)
        service.store.deadline = 30.0
        go_on.set()
        assert sum(row[2] for row in service.backend("admin").aggregate(SIZES)) == 10
        assert service.mirror is not None
        assert service.mirror.copies == 1


def test_its_doors_are_closed(tmp_path: Path) -> None:
    """No SQL that reaches it can read files, attach databases, load code or change settings."""
    database = MirrorDatabase(tmp_path / "mirror.duckdb", 5.0)
    secret = tmp_path / "secret.csv"
    secret.write_text("word\nhidden\n")
    tries = [
        f"SELECT * FROM read_csv('{secret}')",
        f"SELECT * FROM '{secret}'",
        f"ATTACH '{tmp_path / 'other.duckdb'}' AS other",
        f"COPY (SELECT 1) TO '{tmp_path / 'out.csv'}'",
        f"ATTACH '{tmp_path / 'mirror.duckdb'}' AS same (READ_ONLY)",
        f"COPY (SELECT 1) TO '{tmp_path / 'out.parquet'}' (FORMAT parquet)",
        f"EXPORT DATABASE '{tmp_path / 'out'}'",
        f"SELECT * FROM read_text('{secret}')",
        f"SELECT * FROM read_blob('{secret}')",
        f"SELECT * FROM read_json('{secret}')",
        f"SELECT * FROM glob('{tmp_path}/*')",
        f"CREATE TABLE t AS FROM '{secret}'",
        "SELECT * FROM 'https://127.0.0.1:1/x.csv'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "FORCE INSTALL sqlite",
        "SET GLOBAL enable_external_access = true",
        "PRAGMA enable_external_access = true",
        "RESET memory_limit",
        "RESET enable_external_access",
        "SET lock_configuration = false",
        "SET temp_directory = '/tmp'",
        "PRAGMA threads = 64",
        "SET enable_external_access = true",
        "SET memory_limit = '8GB'",
    ]
    for statement in tries:
        with pytest.raises(CallsheetError):
            database.write(lambda connection, text=statement: connection.exec_driver_sql(text))  # type: ignore[misc]
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("out")]
    database.close()


def test_a_question_that_takes_too_long_is_stopped() -> None:
    """The statement is interrupted at the deadline, and the connection answers the next question."""
    database = MirrorDatabase(None, 0.3)
    long = "SELECT count(*) FROM range(100000000) a, range(1000000) b WHERE (a.range * b.range) % 7 = 3"
    with pytest.raises(Invalid, match="takes too long"), database.reading() as connection:
        connection.exec_driver_sql(long)
    with database.reading() as connection:
        assert connection.exec_driver_sql("SELECT 1").scalar() == 1
    database.close()


def test_a_restricted_account_gets_the_numbers_of_what_it_may_read() -> None:
    """Row rules are in every statement of the mirror, as in those of the store."""
    with Service.open("memory:", seed=True, analytics=True) as service:
        backend = service.backend("admin")
        for name in ("open", "hidden"):
            project = Identity("Project", name)
            tasks = [Create(Identity("Task", f"{name}{n}"), {"name": f"t{n}", "bid": 2.0}) for n in range(3)]
            parents = [Update(each.identity, {"parent": project}) for each in tasks]
            service.commit(ChangeSet(name, (Create(project, {"name": name}), *tasks, *parents)), "admin")
        service.accounts.add("anna", "guest")
        backend.call("grants.add", {"account": "anna", "role": "reader", "project": "open"})
        asked = Aggregate(Select("Task"), (AggregateFunction("sum", "bid"),), ("project.name",))
        assert backend.aggregate(asked) == [("hidden", 6.0), ("open", 6.0)]
        assert service.backend("anna").aggregate(asked) == [("open", 6.0)]


def test_the_server_process_answers_from_it(tmp_path: Path) -> None:
    """`serve(analytics=True)`: a session over HTTP gets numbers of what it committed itself."""
    url = f"sqlite:///{(tmp_path / 'a.db').as_posix()}"
    with (
        serve(TASKS, url, analytics=True) as server,
        Session(server.url, "admin", server.admin_key, schema_cache=False) as session,
    ):
        for number in range(5):
            session.create("Dot", {"name": "a", "size": float(number)})
            session.commit()
            rows = session.query("Dot").aggregate("sum(size)", group_by=["name"])
            assert rows == [{"name": "a", "sum(size)": sum(range(number + 1))}]
    assert (tmp_path / "a.db.mirror" / "mirror.duckdb").exists()
    assert (tmp_path / "a.db.mirror").stat().st_mode & 0o077 == 0
