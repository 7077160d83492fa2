"""The service: a backend for each user, with limits, roles and a schema that grows."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from studio import DOCUMENT, START, Identity, Studio, open_studio, project, status, task, update

from callsheet.dialects.protocol import Backend, Features
from callsheet.errors import Conflict, Forbidden, Invalid, NotFound, QueryError, StorageError, TooLarge, Unauthorised
from callsheet.model.language.parser import parse
from callsheet.model.measure import Aggregate
from callsheet.model.operation import ChangeSet, Create
from callsheet.server.service import Service
from callsheet.server.store import engine

P, A = Identity("Project", "p"), Identity("Task", "a")


def test_it_is_a_backend(studio: Studio) -> None:
    """Every verb of the protocol is there; the description says who asks and what the server takes."""
    backend: Backend = studio.service.backend("anna")
    told = backend.describe()
    served = "handlers adjustments schedules relative_times counts measures questions causes scenarios tables watches"
    known: dict[str, Any] = dict.fromkeys(served.split(), True)
    features = Features(**known, rows=2_000, columns=told.features.columns)
    assert (told.server, told.user, told.features, told.time) == ("callsheet", "anna", features, START)
    assert told.schema is studio.store.schema
    assert told.schema_hash == studio.store.schema.hash
    assert backend.describe(told.schema_hash).schema is None


def test_what_is_committed_can_be_selected(studio: Studio) -> None:
    """Names are resolved, values coerced, pages clipped to what was asked for."""
    studio.commit(project("p"), task("a", P, bid=1), task("b", P, bid=2), task("c", P, bid=3))
    backend = studio.service.backend("admin")
    page = backend.select(parse("select name from Task where parent.name is p and bid > 1 order by bid descending"), 1)
    assert [list(row) for row in page.records[0].rows] == [["c", 1, "c"]]
    page = backend.select(
        parse("select name from Task where parent.name is p and bid > 1 order by bid descending"), 1, page.cursor
    )
    assert [list(row) for row in page.records[0].rows] == [["b", 1, "b"]]
    assert backend.aggregate(Aggregate(parse("Task where bid > 1"))) == [(2,)]


def test_pages_are_no_larger_than_the_server_gives(studio: Studio) -> None:
    """A size beyond the limit is clipped, not refused."""
    studio.commit(*[status(f"s{number:04}") for number in range(2_001)])
    page = studio.service.backend("admin").select(parse("Status"), 5_000)
    assert len(page) == 2_000
    assert page.cursor is not None


def test_what_is_read_in_a_transaction_takes_no_longer_than_elsewhere(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The deadline of reads holds between writes, too; the transaction is undone, and the service goes on."""
    studio.commit(*[status(f"s{number:04}") for number in range(50)])
    backend = studio.service.backend("admin")
    monkeypatch.setattr(engine, "STEPS_BETWEEN_CHECKS", 10)
    studio.store.deadline = -1.0
    for read in (
        lambda inside: inside.select(parse("Status where name like '%zzz%'"), 10),
        lambda inside: inside.aggregate(Aggregate(parse("Status where name like '%zzz%'"))),
    ):
        with pytest.raises(Invalid, match="query takes too long"):
            backend.together(read)
    studio.store.deadline = 10.0
    assert backend.together(lambda inside: inside.aggregate(Aggregate(parse("Status")))) == [(50,)]


def test_wrong_queries(studio: Studio) -> None:
    """What the schema does not know is told with the nearest names."""
    with pytest.raises(QueryError, match="did you mean"):
        studio.service.backend("admin").select(parse("Task where nmae is x"), 10)


def test_requests_are_bounded(studio: Studio) -> None:
    """One request takes as many operations as the features say, a commit or a part of one."""
    operations = tuple(task(f"t{number}") for number in range(5_001))
    backend = studio.service.backend("admin")
    with pytest.raises(TooLarge, match="stage larger commits"):
        backend.commit(ChangeSet("x", operations))
    with pytest.raises(TooLarge):
        backend.stage("x", 0, operations)
    for number in (-1, 10**9):
        with pytest.raises(Invalid):
            backend.stage("x", number, operations[:1])
    for commit_id in ("", "a\x00b", "x" * 300):
        with pytest.raises(Invalid, match="commit id"):
            backend.commit(ChangeSet(commit_id, operations[:1]))


def test_the_schema_grows_with_custom_attributes(studio: Studio) -> None:
    """A configured attribute is there for the next request, and gone with its configuration."""
    identity = Identity("CustomAttributeConfiguration", "c")
    backend = studio.service.backend("admin")
    before = backend.describe().schema_hash
    studio.commit(Create(identity, {"key": "lens", "entity_type": "Node", "data_type": "integer", "default": 50}))
    told = backend.describe(before)
    assert told.schema is not None
    assert told.schema.types["Task"].custom["lens"].default == 50
    studio.commit(task("a", None, **{"custom_attributes.lens": 35}))
    page = backend.select(parse("select custom_attributes from Task where custom_attributes.lens is 35"), 10)
    assert [list(row) for row in page.records[0].rows] == [["a", 1, {"lens": 35}]]


def test_accounts_are_for_administrators(studio: Studio) -> None:
    """``users.*`` manage accounts; a user may not, a disabled account may nothing."""
    admin = studio.service.backend("admin")
    added = admin.call("users.add", {"name": "anna", "role": "user"})
    assert added["name"] == "anna"
    assert studio.service.accounts.authenticate("anna", added["key"]) == "anna"
    listed = admin.call("users.list", {})
    assert [(each["name"], each["role"]) for each in listed] == [("admin", "admin"), ("anna", "user")]
    anna = studio.service.backend("anna")
    for action in ("users.list", "users.add", "users.key", "users.disable"):
        with pytest.raises(Forbidden, match=action):
            anna.call(action, {"name": "x"})
    renewed = admin.call("users.key", {"name": "anna"})["key"]
    with pytest.raises(Unauthorised):
        studio.service.accounts.authenticate("anna", added["key"])
    admin.call("users.disable", {"name": "anna"})
    with pytest.raises(Unauthorised):
        studio.service.accounts.authenticate("anna", renewed)
    with pytest.raises(Unauthorised, match="disabled"):
        studio.service.backend("anna").describe()


def test_unknown_actions_and_arguments(studio: Studio) -> None:
    """The answer says what is known."""
    admin = studio.service.backend("admin")
    with pytest.raises(NotFound, match=r"users\.add, users\.disable"):
        admin.call("users.remove", {})
    with pytest.raises(Invalid, match=r"users\.disable: missing a required argument: 'name'"):
        admin.call("users.disable", {"nmae": "anna"})


def test_the_first_start(tmp_path: Path) -> None:
    """A new database gets an administrator, whose key is told once; a given key replaces it later."""
    url = f"sqlite:///{tmp_path}/first.db"
    with Service.open(url, DOCUMENT) as service:
        key = service.new_admin_key
        assert key is not None
        assert service.accounts.authenticate("admin", key) == "admin"
        assert key not in repr(service)
    with Service.open(url, DOCUMENT) as service:
        assert service.new_admin_key is None
        assert service.accounts.authenticate("admin", key) == "admin"
    with Service.open(url, DOCUMENT, admin_key="another key") as service:
        assert service.new_admin_key is None
        assert service.accounts.authenticate("admin", "another key") == "admin"
        with pytest.raises(Unauthorised):
            service.accounts.authenticate("admin", key)


def test_one_process_for_a_file(tmp_path: Path) -> None:
    """A database that is open cannot be opened again; after an error it is let go."""
    url = f"sqlite:///{tmp_path}/one.db"
    with pytest.raises(Invalid):
        Service.open(url, DOCUMENT, admin_key="short")
    with Service.open(url, DOCUMENT), pytest.raises(StorageError, match="in use"):
        Service.open(url, DOCUMENT)


def test_old_parts_are_forgotten(tmp_path: Path) -> None:
    """Parts of commits that never came are dropped after a day, at the next start."""
    url = f"sqlite:///{tmp_path}/parts.db"
    with open_studio(url) as studio:
        studio.service.backend("admin").stage("x", 0, [task("a")])

    def kept(now: datetime) -> int:
        with Service.open(url, DOCUMENT, clock=lambda: now) as service, service.store.reading() as connection:
            return int(connection.exec_driver_sql("SELECT count(*) FROM _part").scalar_one())

    assert kept(datetime(2026, 5, 2, 11, tzinfo=UTC)) == 1
    assert kept(datetime(2026, 5, 2, 13, tzinfo=UTC)) == 0


def test_a_seeded_database() -> None:
    """A new production database may begin with standard entities."""
    with Service.open("memory:", seed=True) as service:
        page = service.backend("anna").select(parse("select name from Status where name is Done"), 10)
        assert [row[2] for row in page.records[0].rows] == ["Done"]


def test_writers_side_by_side(tmp_path: Path) -> None:
    """What several threads append to one text, each to what it has read, is all there."""
    with open_studio(f"sqlite:///{tmp_path}/side.db") as studio:
        studio.commit(task("a", note=""))

        def work(name: str) -> None:
            backend, done = studio.service.backend(name), 0
            while done < 10:
                note = studio.value(A, "note")
                change = update(A, None, {"note": note}, note=f"{note}{name}{done} ")
                try:
                    backend.commit(ChangeSet(f"{name}{done} on {len(note)}", (change,)))
                except Conflict:
                    continue
                done += 1

        threads = [Thread(target=work, args=(name,)) for name in "wxyz"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        wanted = [f"{name}{number}" for name in "wxyz" for number in range(10)]
        assert sorted(studio.value(A, "note").split()) == wanted
        assert studio.value(A, "_version") == 41
