"""The mirror follows commits by itself, tells its followers what each batch changes, and copies new tables alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
from databases import new_database
from sqlalchemy import func, select
from sqlalchemy.schema import CreateTable

from callsheet.errors import Closed, StorageError
from callsheet.model.operation import ChangeSet, Create, Delete, Update
from callsheet.model.record import Identity
from callsheet.model.schema import Schema
from callsheet.server.mirror.feeder import Feeder
from callsheet.server.mirror.following import AppliedBatch
from callsheet.server.mirror.mirror import Mirror
from callsheet.server.service import Service
from callsheet.server.store.layout import layout_of

DOT = {"attributes": {"name": {"type": "string"}, "size": {"type": "number"}}}
DOTS: dict[str, Any] = {"types": {"Dot": DOT}}
DOTS_AND_LINES: dict[str, Any] = {"types": {"Dot": DOT, "Line": {"attributes": {"length": {"type": "integer"}}}}}


def dot(number: int) -> Identity:
    return Identity("Dot", f"d{number}")


class SizeFollower:
    """Sums the sizes of touched rows before and after each batch."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, int, list[str], float, float]] = []
        self.total = 0.0

    def _worth(self, batch: AppliedBatch) -> float:
        dots = batch.store.tables["Dot"]
        wanted = select(func.coalesce(func.sum(dots.c.size), 0.0))
        if "Dot" not in batch.copied:
            wanted = wanted.where(dots.c.id.in_(batch.touched.entities.get("Dot", ())))
        return float(batch.connection.execute(wanted).scalar_one())

    @contextmanager
    def following(self, batch: AppliedBatch) -> Iterator[None]:
        before = 0.0 if batch.copied else self._worth(batch)
        yield
        after = self._worth(batch)
        self.total += after - before
        self.seen.append((batch.after, batch.position, sorted(batch.copied), before, after))


def test_followers_see_each_batch_before_and_after_it_is_applied() -> None:
    """Rows that a batch touches have their old values when a block is entered, and their new ones when it is left."""
    with Service.open("memory:", DOTS) as service:
        service.commit(ChangeSet("a", (Create(dot(1), {"size": 1.0}), Create(dot(2), {"size": 2.0}))), "admin")
        mirror, follower = Mirror(service.store), SizeFollower()
        mirror.followers.append(follower)
        with mirror.reading():
            pass
        service.commit(ChangeSet("b", (Update(dot(1), {"size": 5.0}), Delete(dot(2)))), "admin")
        service.commit(ChangeSet("c", (Create(dot(3), {"size": 0.5}),)), "admin")
        with mirror.reading() as state:
            assert state.position == 3
        assert follower.seen == [(0, 1, ["Dot"], 0.0, 3.0), (1, 3, [], 3.0, 5.5)]
        assert follower.total == 5.5
        mirror.close()


def test_a_follower_that_fails_rolls_its_batch_back() -> None:
    """Rows and position stay as they were; the next question applies the batch again."""
    with Service.open("memory:", DOTS) as service:
        mirror, fails = Mirror(service.store), [True]

        class Failing:
            @contextmanager
            def following(self, batch: AppliedBatch) -> Iterator[None]:
                yield
                if batch.after and fails.pop():
                    raise StorageError("not now")

        mirror.followers.append(Failing())
        service.commit(ChangeSet("a", (Create(dot(1), {"size": 1.0}),)), "admin")
        with mirror.reading():
            pass
        service.commit(ChangeSet("b", (Create(dot(2), {"size": 1.0}),)), "admin")
        with pytest.raises(StorageError, match="not now"), mirror.reading():
            pass
        assert mirror.position == 1
        fails.append(False)
        with mirror.reading() as state:
            assert state.connection.execute(select(func.count()).select_from(state.store.tables["Dot"])).scalar() == 2
        mirror.close()


def test_a_table_that_is_added_is_copied_alone(tmp_path: Path) -> None:
    """While the mirror is open, and after a restart; a table that is gone leaves the mirror."""
    wider, narrower = Schema(DOTS_AND_LINES), Schema(DOTS)
    with Service.open(f"sqlite:///{tmp_path / 'a.db'}", DOTS) as service:
        service.commit(ChangeSet("a", (Create(dot(1), {"size": 1.0}),)), "admin")
        follower = SizeFollower()
        for schema, copied in ((narrower, [["Dot"]]), (wider, [["Line"]]), (narrower, []), (wider, [["Line"]])):
            if schema is wider:
                lines = layout_of(wider).tables["Line"]
                service.store.write(
                    lambda connection, table=lines: connection.execute(CreateTable(table, if_not_exists=True))
                )
            mirror = Mirror(service.store, tmp_path / "mirror")
            mirror.followers.append(follower)
            service.store.schema, service.store.layout = schema, layout_of(schema)
            with mirror.reading() as state:
                names = state.connection.exec_driver_sql("SELECT table_name FROM duckdb_tables()").scalars().all()
            assert sorted(names) == sorted(["_mirror", *schema.types])
            assert [seen[2] for seen in follower.seen if seen[2]] == copied
            follower.seen.clear()
            mirror.close()


@pytest.mark.parametrize("kind", ["memory", "file", "postgres"])
def test_it_follows_commits_without_a_question(kind: str, tmp_path: Path) -> None:
    """The mirror of a service reaches the position of a commit by itself."""
    with new_database(kind, tmp_path) as url, Service.open(url, DOTS, analytics=True) as service:
        mirror = service.mirror
        assert mirror is not None
        for number in range(3):
            position = service.commit(ChangeSet(f"c{number}", (Create(dot(number)),)), "admin").position
            until = monotonic() + 30
            while mirror.position < position and monotonic() < until:
                sleep(0.002)
            assert mirror.position == position


def test_rings_share_a_turn_and_questions_get_one_of_their_own() -> None:
    """A turn that has begun does not answer who asks later; rings in between are one turn."""
    turns: list[int] = []
    go_on = threading.Semaphore(0)

    def turn() -> None:
        turns.append(len(turns))
        assert go_on.acquire(timeout=30)

    feeder = Feeder(turn)
    feeder.ring()
    while not turns:
        sleep(0.001)
    for _ in range(5):
        feeder.ring()
    with pytest.raises(TimeoutError):
        feeder.wait(0.01)
    go_on.release(2)
    feeder.close()
    assert len(turns) <= 2
    with pytest.raises(Closed):
        feeder.wait(1.0)


def test_an_error_of_a_turn_reaches_who_waits_for_it() -> None:
    """The thread lives on: the next turn may be without one."""
    errors: list[Exception] = [StorageError("torn")]

    def turn() -> None:
        if errors:
            raise errors.pop()

    feeder = Feeder(turn)
    with pytest.raises(StorageError, match="torn"):
        feeder.wait(30.0)
    feeder.wait(30.0)
    feeder.close()


def folders(service: Service) -> Path | None:
    assert service.mirror is not None
    with service.mirror.reading():
        return service.mirror.place.folder


def test_each_server_of_a_database_has_a_folder_of_its_own(tmp_path: Path) -> None:
    """In a named folder, which they may share; others cannot read it. After a restart a server goes on with it."""
    with new_database("postgres", tmp_path) as url:
        named = tmp_path / "mirrors"
        for copies in (1, 0):
            with (
                Service.open(url, DOTS, analytics=True, analytics_folder=named) as first,
                Service.open(url, DOTS, analytics=True, analytics_folder=named) as second,
            ):
                found = [folders(first), folders(second)]
                assert found == [named / first.store.id, named / f"{first.store.id}-2"]
                assert [service.mirror and service.mirror.copies for service in (first, second)] == [copies, copies]
                assert all(folder.stat().st_mode & 0o077 == 0 for folder in found if folder is not None)
                first.commit(ChangeSet(f"a{copies}", (Create(dot(copies)),)), "admin")
                for service in (first, second):
                    with service.mirror.reading() as state:  # type: ignore[union-attr]
                        dots = state.connection.execute(select(state.store.tables["Dot"].c.id)).all()
                        assert len(dots) == 2 - copies


def test_a_folder_that_nobody_named_goes_with_the_server(tmp_path: Path) -> None:
    """The mirror of a PostgreSQL database is in a temporary folder; that of a database in memory is in none."""
    with new_database("postgres", tmp_path) as url:
        with Service.open(url, DOTS, analytics=True) as service:
            folder = folders(service)
            assert folder is not None
            assert (folder / "mirror.duckdb").exists()
        assert not folder.exists()
    with Service.open("memory:", DOTS, analytics=True) as service:
        assert folders(service) is None


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """The question fails with the cure; the server itself goes on."""
    (tmp_path / "file").write_text("")
    with Service.open("memory:", DOTS, analytics=True, analytics_folder=tmp_path / "file" / "mirrors") as service:
        service.commit(ChangeSet("a", (Create(dot(1)),)), "admin")
        with pytest.raises(StorageError, match=r"cannot keep a mirror in .*file.*--analytics-folder"):
            folders(service)
        service.commit(ChangeSet("b", (Create(dot(2)),)), "admin")
