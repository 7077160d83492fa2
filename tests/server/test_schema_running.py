"""The schema of a running server changes: administrators alone do it, no commit fails, all read the new one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import callsheet
from callsheet import Session
from callsheet.errors import Forbidden, Invalid
from callsheet.server.process import Server
from callsheet.server.service import Service
from callsheet.session.connection import over
from server.databases import new_database

TINY = {"name": "tiny", "types": {"Dot": {"attributes": {"name": {"type": "string"}, "size": {"type": "integer"}}}}}


@pytest.fixture(params=["file", "postgres"])
def service(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Service]:
    with new_database(request.param, tmp_path) as url, Service.open(url, TINY, admin_key="a key for tests") as opened:
        yield opened


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with callsheet.serve(schema=TINY, admin_key="a key for tests") as running:
        yield running


def test_types_and_attributes_are_added_over_http(server: Server) -> None:
    """The session that adds them has them at once, another one when it reads the schema again."""
    with (
        Session(server.url, api_user="admin", api_key="a key for tests") as session,
        Session(server.url, api_user="admin", api_key="a key for tests") as other,
    ):
        assert "Line" not in other.types
        session.create("Dot", {"name": "before"})
        session.commit()
        session.add_attribute("Dot", "colour", "enum", choices=["red", "green"], required=True, fill="red", why="print")
        session.create_type("Line", {"start": {"type": "reference", "target": "Dot"}}, label="id")
        dot = session.query("Dot").one()
        assert dot["colour"] == "red"
        session.create("Line", {"start": dot})
        session.commit()
        other.reload_schema()
        assert other.query("Line").one()["start"]["colour"] == "red"


def test_others_may_not(server: Server) -> None:
    """Whoever is no administrator is refused, by every action."""
    with Session(server.url, api_user="admin", api_key="a key for tests") as session:
        key = session.call("users.add", name="ann", role="user")["key"]
    with Session(server.url, api_user="ann", api_key=key) as session:
        for action, arguments in (
            ("schema.plan", {"schema": TINY}),
            ("schema.apply", {"schema": TINY}),
            ("schema.add_type", {"name": "X", "definition": {}}),
            ("schema.add_attribute", {"type": "Dot", "name": "x", "definition": {}}),
        ):
            with pytest.raises(Forbidden):
                session.call(action, **arguments)


@pytest.mark.parametrize(
    ("action", "arguments", "words"),
    [
        ("schema.apply", {"schema": "/etc/passwd"}, "name of a preset"),
        ("schema.apply", {"schema": {"extends": "../secret.toml", "types": {"A": {}}}}, "name of a preset"),
        ("schema.apply", {"schema": {"types": {"A": {"attributes": 3}}}}, "problem"),
        ("schema.plan", {"schema": TINY, "fill": {"Dot.nothing": 1}}, "no Dot.nothing"),
        ("schema.plan", {"schema": TINY, "fill": 3}, "table"),
        ("schema.plan", {"schema": TINY, "clear": [3]}, "TYPE.ATTRIBUTE"),
        ("schema.plan", {"schema": TINY, "cure": {}}, "did you mean|no argument"),
        ("schema.add_type", {"name": "Dot", "definition": {}}, "already"),
        ("schema.add_type", {"name": "_x", "definition": {}}, "problem"),
        ("schema.add_attribute", {"type": "Dto", "name": "x", "definition": {}}, "did you mean `Dot`"),
        ("schema.add_attribute", {"type": "Dot", "name": "size", "definition": {}}, "already"),
        ("schema.add_attribute", {"type": "Dot", "name": "x", "definition": {"type": "intger"}}, "integer"),
    ],
)
def test_what_is_wrong_is_named(server: Server, action: str, arguments: dict[str, object], words: str) -> None:
    """Bad input is an error of the request that names the thing."""
    with (
        Session(server.url, api_user="admin", api_key="a key for tests") as session,
        pytest.raises(Invalid, match=words),
    ):
        session.call(action, **arguments)


def test_no_commit_fails_while_the_schema_changes(service: Service) -> None:
    """Writers and readers go on while attributes are added and renamed; each commit is there once, in the end."""
    failures: list[BaseException] = []
    counts = [0, 0, 0]
    done = threading.Event()

    def work(number: int) -> None:
        try:
            with Session(connection=over(service.backend("admin"))) as session:
                while not done.is_set() or counts[number] < 3:
                    session.create("Dot", {"name": f"{number} {counts[number]}", "size": counts[number]})
                    session.commit()
                    counts[number] += 1
                    assert session.query(f"Dot where name is '{number} 0'").count() == 1
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    admin = service.backend("admin")
    for number in range(5):
        admin.call("schema.add_attribute", {"type": "Dot", "name": f"extra_{number}", "definition": {"type": "number"}})
    done.set()
    for thread in threads:
        thread.join()
    assert failures == []
    with service.store.reading() as connection:
        assert len(connection.execute(service.store.tables["Dot"].select()).all()) == sum(counts)


def test_the_mirror_and_the_events_follow(tmp_path: Path) -> None:
    """Aggregates are answered by the new schema, and an event says that it changed."""
    pytest.importorskip("duckdb")
    url = f"sqlite:///{(tmp_path / 'a.db').as_posix()}"
    with Service.open(url, TINY, admin_key="a key for tests", analytics=True) as service:
        admin = service.backend("admin")
        start = admin.events(None, ["topic=*"], {}, 10).place
        new = {
            "name": "tiny",
            "types": {"Spot": {"was": "Dot", "attributes": {"width": {"type": "number", "was": "size"}}}},
        }
        admin.call("schema.apply", {"schema": new, "why": "spots", "backup": False})
        batch = admin.events(start, ["topic=callsheet.schema-changed"], {}, 10)
        assert [event.topic for event in batch.events] == ["callsheet.schema-changed"]
        assert "Spot" in admin.describe().schema.types  # type: ignore[union-attr]
