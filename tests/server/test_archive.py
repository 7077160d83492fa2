"""A database written to one file is the same when it is loaded, on any engine, however often that was interrupted."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callsheet import Session
from callsheet.cli.commands import callsheet as commands
from callsheet.errors import Invalid, StorageError
from callsheet.server.archive import dumping, tables
from callsheet.server.archive.dumping import dump
from callsheet.server.archive.loading import load
from callsheet.server.service import Service
from callsheet.server.store.store import Store
from server.databases import new_database, postgres_database


@pytest.fixture(autouse=True)
def short_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of three rows, so that small tables have several."""
    monkeypatch.setattr(tables, "RUN", 3)


@pytest.fixture(params=[("file", "postgres"), ("postgres", "file")], ids="to".join)
def way(request: pytest.FixtureRequest) -> tuple[str, str]:
    """From which engine to which."""
    found: tuple[str, str] = request.param
    return found


@pytest.fixture
def source(way: tuple[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a database with something of everything."""
    with new_database(way[0], tmp_path_factory.mktemp("source")) as url:
        fill(url)
        yield url


@pytest.fixture
def target(way: tuple[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a database that is new."""
    with new_database(way[1], tmp_path_factory.mktemp("target")) as url:
        yield url


def fill(url: str) -> None:
    """Entities with values of every type, links, deleted ones, accounts, a handler, two commits of one value."""
    with Service.open(url, admin_key="of the administrator") as service:
        service.accounts.add("ann", "user", "a key of ann's own")
    with Session(url) as session:
        tags = [session.create("Tag", {"name": name}) for name in ("t1", "ü", "a\nb")]
        project = session.create("Project", {"name": "sintel", "is_private": True})
        for number in range(7):
            data = {"name": f"task {number}", "parent": project, "bid": 0.1 + 0.2, "tags": tags[: number % 3]}
            task = session.create("Task", {**data, "end_date": date(987, 5, 1), "metadata": {"z": "1", "a": "é🎬"}})
        session.commit()
        task["bid"] = -0.0
        gone = session.create("Tag", {"name": "gone"})
        session.commit()
        session.delete(gone)
        session.commit()


def written(url: str, path: Path, **options: Any) -> Any:
    store = Store.open(url)
    try:
        return dump(store, path, **options)
    finally:
        store.close()


def contents(url: str) -> tuple[Any, ...]:
    """What somebody sees of a database: entities, links, history, the past."""
    with Session(url) as session:
        tasks = list(session.query("select name, bid, end_date, metadata, tags.name, created_at from Task").records())
        tasks = [{**each, "tags.name": sorted(each["tags.name"])} for each in tasks]
        commits = [(each.position, each.commit_id, each.user, each.time, each.changes) for each in session.commits()]
        with session.at(commits[0][0]) as past:
            before = [each["bid"] for each in past.query("Task order by name")]
        return sorted(tasks, key=str), commits, before


def test_a_copy_is_the_same_on_any_engine(source: str, target: str, tmp_path: Path) -> None:
    """Entities, links, history, the past, keys of accounts; and what is dumped of the copy has the same digests."""
    first = written(source, tmp_path / "show.dump")
    assert load(target, tmp_path / "show.dump") == first
    assert contents(target) == contents(source)
    second = written(target, tmp_path / "again.dump")
    assert second.tables == first.tables
    assert second.position == first.position == 3
    with Service.open(target) as service:
        assert service.accounts.authenticate("ann", "a key of ann's own") is not None
    with Session(target) as session:
        session.create("Tag", {"name": "new"})
        session.commit()
        assert session.commits()[-1].position == 4


def test_a_load_goes_on_where_it_was_cut_off(source: str, target: str, tmp_path: Path) -> None:
    """Wherever that was; until it is done nobody else opens the database, and no row is there twice."""
    path = tmp_path / "show.dump"
    manifest = written(source, path)
    runs = sum(table.runs for table in manifest.tables)
    for stop in range(1, runs, 5):
        seen: list[str] = []

        def progress(name: str, done: int, stop: int = stop, seen: list[str] = seen) -> None:
            seen.append(name)
            if len(seen) == min(stop, 4):
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            load(target, path, progress=progress)
        with pytest.raises(StorageError, match=r"is not loaded to its end: run `callsheet load` with the same archive"):
            Session(target).close()
        if runs <= stop + 5:
            break
    load(target, path)
    assert written(target, tmp_path / "again.dump").tables == manifest.tables


def test_a_database_that_has_something_is_left_as_it_is(source: str, tmp_path: Path) -> None:
    """Unless it is to be replaced, by a database of another schema, too."""
    path = tmp_path / "any.dump"
    with Session(f"sqlite:///{tmp_path / 'any.db'}", schema=SCHEMA) as session:
        session.create("Thing", {"text": "a"})
        session.commit()
    written(f"sqlite:///{tmp_path / 'any.db'}", path)
    before = contents(source)
    with pytest.raises(StorageError, match="has entities, accounts or a log; load into a new database, or replace"):
        load(source, path)
    assert contents(source) == before
    load(source, path, replace=True)
    with Session(source) as session:
        assert [each["text"] for each in session.query("Thing")] == ["a"]


def test_an_unfinished_load_of_another_archive_is_not_continued(source: str, target: str, tmp_path: Path) -> None:
    """It says so; replacing it begins anew."""
    first, second = tmp_path / "a.dump", tmp_path / "b.dump"
    written(source, first)
    manifest = written(source, second, log=False)

    def stop(name: str, done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load(target, first, progress=stop)
    with pytest.raises(StorageError, match="has an unfinished load of another archive"):
        load(target, second)
    assert load(target, second, replace=True) == manifest


def test_without_the_log_the_past_is_not_guessed(source: str, target: str, tmp_path: Path) -> None:
    """Positions go on, the history begins with the load, and what was before cannot be read."""
    written(source, tmp_path / "show.dump", log=False)
    load(target, tmp_path / "show.dump")
    assert contents_now(target) == contents_now(source)
    with Session(target) as session:
        assert session.commits() == []
        with pytest.raises(Invalid, match="the log begins after position 3: what came before was left out"):
            session.at(1).query("Tag").count()
        session.create("Tag", {"name": "new"})
        session.commit()
        assert [each.position for each in session.commits()] == [4]
        with session.at(3) as past:
            assert past.query("Tag where name is new").count() == 0


def contents_now(url: str) -> list[Any]:
    with Session(url) as session:
        return list(session.query("select name, bid, metadata from Task order by name").records())


def test_a_damaged_archive_is_found_out(source: str, target: str, tmp_path: Path) -> None:
    """One that was cut off, one with another value, and one that is something else."""
    path = tmp_path / "show.dump"
    written(source, path)
    (tmp_path / "cut.dump").write_bytes(path.read_bytes()[:-50])
    with pytest.raises(StorageError, match="is no dump, or one that was cut off"):
        load(target, tmp_path / "cut.dump")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(tmp_path / "other.dump", "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(b"task 3", b"task X"))
    with pytest.raises(StorageError, match="has other values in Context than the archive"):
        load(target, tmp_path / "other.dump")
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as other:
        other.writestr("a", "b")
    with pytest.raises(StorageError, match="is no dump of Callsheet's"):
        load(target, tmp_path / "x.zip")
    with pytest.raises(StorageError, match="cannot be read: No such file"):
        load(target, tmp_path / "nix")


def test_files_come_along(source: str, target: str, tmp_path: Path) -> None:
    """With their contents; one that is there already is not written again, and none leaves the folder."""
    files, copy = tmp_path / "files", tmp_path / "copy"
    (files / "ab").mkdir(parents=True)
    (files / "ab" / "abc").write_bytes(b"\x00\xff" * 1000)
    (files / "callsheet-files").write_text("mark")
    manifest = written(source, tmp_path / "show.dump", files=files)
    load(target, tmp_path / "show.dump", files=copy)
    assert (copy / "ab" / "abc").read_bytes() == b"\x00\xff" * 1000
    assert [each.path for each in manifest.files] == ["ab/abc"]
    assert (tmp_path / "show.dump").stat().st_mode & 0o777 == 0o600


def test_a_dump_that_fails_leaves_nothing(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No file of its name, and none beside it; what was there is never overwritten."""
    path = tmp_path / "a" / "show.dump"
    path.parent.mkdir()
    monkeypatch.setattr(dumping, "last_position", interrupted)
    with pytest.raises(KeyboardInterrupt):
        written(source, path)
    assert list(path.parent.iterdir()) == []
    path.write_text("mine")
    with pytest.raises(StorageError, match="exists already; a dump is a new file"):
        written(source, path)
    assert path.read_text() == "mine"


@pytest.mark.parametrize("leaves", ["as it is", "killed"])
def test_a_dump_goes_on_where_it_was_cut_off(source: str, tmp_path: Path, leaves: str) -> None:
    """Wherever that was, by Ctrl-C or by a kill; complete tables are not read again, and the archive is the same."""
    whole = written(source, tmp_path / "whole.dump")
    folder, at = tmp_path / "a", tmp_path / "at"
    for each in (folder, at):
        each.mkdir()
    path = folder / "show.dump"
    names = dumped(source, tmp_path / "named.dump")
    for stop in range(2, len(names), 4):
        seen: list[str] = []

        def cut_off(name: str, done: int, stop: int = stop, seen: list[str] = seen) -> None:
            seen.append(name)
            if len(seen) == stop:
                for each in folder.iterdir():
                    shutil.copy(each, at)
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            written(source, path, progress=cut_off)
        if leaves == "killed":
            # What is on disk is what was there at that moment, whatever was written on the way out.
            for each in (*folder.iterdir(),):
                each.unlink()
            for each in at.iterdir():
                shutil.copy(each, folder)
        assert not path.exists()
    kept = {each["name"] for each in json.loads((folder / "show.dump.unfinished.json").read_text())["tables"]}
    assert len(kept) > 5
    with unread(kept):
        manifest = written(source, path)
    assert manifest.tables == whole.tables
    assert [each.name for each in folder.iterdir()] == ["show.dump"]
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(tmp_path / "whole.dump") as other:
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == sorted(other.namelist())
        rows = [name for name in other.namelist() if name.startswith("rows/")]
        assert all(archive.read(name) == other.read(name) for name in rows)


@contextmanager
def unread(kept: set[str]) -> Iterator[None]:
    """No table that is kept is read."""
    read = dumping.lines_of

    def reading(connection: Any, table: Any, columns: Any) -> Any:
        assert table.name not in kept
        return read(connection, table, columns)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(dumping, "lines_of", reading)
        yield


def dumped(source: str, path: Path) -> list[str]:
    names: list[str] = []
    written(source, path, progress=lambda name, done: names.append(name))
    return names


def test_a_dump_after_a_commit_begins_anew(source: str, tmp_path: Path) -> None:
    """What was complete is of another moment: it is dropped, and the archive has the new row."""
    path = tmp_path / "show.dump"

    def cut_off(name: str, done: int) -> None:
        if name == "_log":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        written(source, path, progress=cut_off)
    assert (tmp_path / "show.dump.unfinished.json").exists()
    with Session(source) as session:
        session.create("Tag", {"name": "late"})
        session.commit()
    written(source, path)
    with zipfile.ZipFile(path) as archive:
        rows = b"".join(archive.read(name) for name in archive.namelist() if name.startswith("rows/Tag/"))
    assert b'"late"' in rows
    assert sorted(each.name for each in tmp_path.iterdir() if "show.dump" in each.name) == ["show.dump"]


def test_files_that_were_written_are_not_written_again(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dump with files that is cut off among them goes on behind the last one that it kept."""
    monkeypatch.setattr(dumping, "KEPT_BYTES", 1)
    files, path, again = tmp_path / "files", tmp_path / "show.dump", list[str]()
    files.mkdir()
    for name in "abc":
        (files / name).write_bytes(name.encode() * 100)

    def cut_off(name: str, done: int) -> None:
        if (name, done) == ("files", 200):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        written(source, path, files=files, progress=cut_off)
    write = dumping._file

    def writing(archive: Any, folder: Path, each: Path) -> Any:
        again.append(each.name)
        return write(archive, folder, each)

    monkeypatch.setattr(dumping, "_file", writing)
    manifest = written(source, path, files=files)
    assert again == ["c"]
    assert [each.path for each in manifest.files] == ["a", "b", "c"]
    with zipfile.ZipFile(path) as archive:
        assert [archive.read(f"files/{name}") for name in "abc"] == [name.encode() * 100 for name in "abc"]


def interrupted(*_: object) -> int:
    raise KeyboardInterrupt


def test_a_dump_is_of_one_moment(tmp_path: Path) -> None:
    """What is committed while it is written is in none of its tables."""
    with postgres_database() as url:
        fill(url)

        def commit(name: str, done: int) -> None:
            if name == "Context" and done == 3:
                with Session(url) as session:
                    session.create("Tag", {"name": "late"})
                    session.commit()

        manifest = written(url, tmp_path / "show.dump", progress=commit)
        load(f"sqlite:///{tmp_path / 'copy.db'}", tmp_path / "show.dump")
    assert manifest.position == 3
    with Session(f"sqlite:///{tmp_path / 'copy.db'}") as session:
        assert session.query("Tag where name is late").count() == 0


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
SCHEMA = {
    "name": "any",
    "types": {
        "Thing": {
            "attributes": {
                "text": {"type": "string"},
                "number": {"type": "number"},
                "whole": {"type": "integer"},
                "at": {"type": "datetime"},
                "data": {"type": "json"},
            }
        }
    },
}
THINGS = st.lists(
    st.fixed_dictionaries(
        {
            "text": st.none() | st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])),
            "number": st.none() | st.floats(allow_nan=False, allow_infinity=False),
            "whole": st.none() | st.integers(-(2**63), 2**63 - 1),
            "at": st.none() | st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=st.just(UTC)),
            "data": JSON,
        }
    ),
    max_size=4,
)


@pytest.fixture(scope="module")
def other_engine() -> Iterator[str]:
    """A PostgreSQL database that is filled again and again."""
    with postgres_database() as url:
        yield url


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(things=THINGS)
def test_every_value_survives_the_way_there_and_back(other_engine: str, tmp_path_factory: Any, things: Any) -> None:
    """From SQLite to PostgreSQL to SQLite."""
    folder = tmp_path_factory.mktemp("values")
    here, there = f"sqlite:///{folder / 'a.db'}", f"sqlite:///{folder / 'b.db'}"
    with Session(here, schema=SCHEMA) as session:
        for thing in things:
            session.create("Thing", thing)
        session.commit()
    first = written(here, folder / "a.dump")
    load(other_engine, folder / "a.dump", replace=True)
    second = written(other_engine, folder / "b.dump")
    load(there, folder / "b.dump")
    assert second.tables == first.tables
    with Session(here) as before, Session(there) as after:
        query = "select text, number, whole, at, data from Thing order by id"
        assert list(after.query(query).records()) == list(before.query(query).records())


def test_the_commands_write_and_load(tmp_path: Path) -> None:
    """Each says what it did."""
    fill(f"sqlite:///{tmp_path / 'a.db'}")

    def run(*arguments: str) -> Any:
        return CliRunner().invoke(commands, arguments)

    path, copy = str(tmp_path / "a.dump"), f"sqlite:///{tmp_path / 'b.db'}"
    done = run("dump", path, "--database", f"sqlite:///{tmp_path / 'a.db'}")
    assert done.exit_code == 0, done.output
    assert done.output.endswith(f" are in {path}.\n")
    manifest = json.loads(zipfile.ZipFile(path).read("manifest.json"))
    loaded = run("load", path, "--database", copy)
    assert loaded.output.endswith(f"rows of {len(manifest['tables'])} tables are loaded and compared.\n")
    again = run("load", path, "--database", copy)
    assert (again.exit_code, "load into a new database" in again.output) == (1, True)
    missing = run("dump", str(tmp_path / "x.dump"), "--database", f"sqlite:///{tmp_path / 'nix.db'}")
    said = f"Error: there is no database sqlite:///{tmp_path / 'nix.db'}: name one with --database\n"
    assert (missing.exit_code, missing.output) == (1, said)
    assert not (tmp_path / "nix.db").exists()


def test_user_tables_are_in_the_archive(way: tuple[str, str], target: str, tmp_path: Path) -> None:
    """Their rows, keys and joins come along, also into a database that has others."""
    with new_database(way[0], tmp_path) as url:
        with Session(url) as session:
            towns = session.create_table("Some towns", {"town": "text", "founded": "date"}, keys=["town"])
            sales = session.create_table("Sales", {"town": "text", "price": "decimal(2)"})
            towns.load([(f"town {number}", date(1900, 1, number)) for number in range(1, 9)])
            sales.load([("town 3", 1.25)] * 4)
            sales.join(towns)
        source = Store.open(url)
        dump(source, tmp_path / "tables.dump")
        source.close()
    for replace in (False, True):
        load(target, tmp_path / "tables.dump", replace=replace)
        with Session(target) as session:
            sales = session.tables["Sales"]
            assert sales.query("price", filter="Some_towns.founded is 1900-01-03").to_rows() == [{"price": 1.25}] * 4
            sales.append(("town 4", 2))
            session.create_table("Another", {"n": "integer"})
