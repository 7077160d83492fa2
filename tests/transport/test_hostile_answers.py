"""Whatever a server answers, a session raises errors of its own, and none of a library's."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from attrs import evolve

import callsheet
from callsheet.errors import CallsheetError
from callsheet.flow import Request, Response
from callsheet.transport.http import HttpTransport
from studios import KEY, served_vendor_studio

Change = Callable[[Response], Response]
Script = Callable[[callsheet.Session], object]


class Tampering(HttpTransport):
    """A transport that changes one answer."""

    place = -1
    seen = 0
    change: Change = staticmethod(lambda response: response)

    def send(self, request: Request) -> Response:
        response = super().send(request)
        self.seen += 1
        return type(self).change(response) if self.seen == self.place else response


@pytest.fixture(scope="module")
def native() -> Iterator[tuple[str, str, str]]:
    with callsheet.serve(admin_key="a key for these tests", seed=True) as server:
        yield server.url, "a key for these tests", "native"


@pytest.fixture(scope="module")
def ftrack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str, str]]:
    with served_vendor_studio(tmp_path_factory.mktemp("site")) as server:
        yield server.url, KEY, "ftrack"


def native_script(session: callsheet.Session) -> None:
    """A little of each verb."""
    name = f"p{uuid4().hex}"
    project = session.create("Project", {"name": name, "full_name": "H"})
    shot = session.create("Shot", {"name": "sh010", "parent": project})
    session.commit()
    found = session.query(f"select name, parent.name, status from Shot where project.name is {name}").all()
    _ = [each["name"] for each in found]
    session.query("Shot").count()
    fork = session.fork()
    _ = [(each["fstart"], each["parent"], list(each["children"])) for each in fork.query("Shot limit 3")]
    list(session.history(shot))
    session.call("users.list")


def ftrack_script(session: callsheet.Session) -> None:
    """A little of each verb, on the studio that is there."""
    _ = [(each["name"], each["project"]["name"]) for each in session.query("select name from Task").all()]
    session.query("Task").count()
    project = session.query("Project").first()
    _ = [each["name"] for each in project["children"]] if project else []
    note = session.create("Note", {"content": "x"})
    session.commit()
    session.delete(note)
    session.commit()


def run(server: tuple[str, str, str], script: Script, place: int, change: Change) -> tuple[int, BaseException | None]:
    """Run the script while one answer is changed; how many answers came, and the error, if any."""
    url, key, dialect = server
    Tampering.place, Tampering.change = place, staticmethod(change)
    session = callsheet.Session(url, "admin", key, dialect=dialect, schema_cache=False, plugin_paths=False, retries=0)
    transport = Tampering(url, session._connection.dialect.credentials("admin", key), retries=0, timeout=10)
    session._connection.transport.close()
    session._connection.transport = transport
    try:
        script(session)
    except CallsheetError as error:
        return transport.seen, error
    finally:
        Tampering.place = -1
        transport.seen = 10_000
        try:
            session.close()
        except CallsheetError:
            pass
    return transport.seen, None


JSON = {"content-type": "application/json"}
DEEP = b"[" * 100_000 + b"]" * 100_000
ANSWERS: dict[str, Response] = {
    "nothing": Response(200, b"", JSON),
    "no content": Response(204, b"", {}),
    "null": Response(200, b"null", JSON),
    "a number": Response(200, b"5", JSON),
    "text": Response(200, b'"x"', JSON),
    "a list": Response(200, b"[]", JSON),
    "lists": Response(200, b"[[], [null], 5]", JSON),
    "an object": Response(200, b"{}", JSON),
    "objects": Response(200, b"[{}, {}, {}]", JSON),
    "nulls": Response(200, b"[null]", JSON),
    "html": Response(200, b"<html>hello", {"content-type": "text/html"}),
    "html as json": Response(200, b"<html>hello", JSON),
    "no utf-8": Response(200, b'{"a": "\xff\xfe"}', JSON),
    "utf-16": Response(200, '{"a": 1}'.encode("utf-16"), JSON),
    "truncated": Response(200, b'{"records": [{"type"', JSON),
    "deep": Response(200, DEEP, JSON),
    "not a number": Response(200, b"[NaN, Infinity, 1e999]", JSON),
    "huge number": Response(200, b"[" + b"9" * 10_000 + b"]", JSON),
    "surrogate": Response(200, b'{"data": "\\ud800"}', JSON),
    "nul bytes": Response(200, b"\0" * 50, JSON),
    "moved": Response(302, b"", {"location": "https://elsewhere.example.org"}),
    "moved nowhere": Response(301, b"", {}),
    "refused": Response(403, b"{}", JSON),
    "refused oddly": Response(403, b'{"error": 5}', JSON),
    "refused in a list": Response(400, b"[]", JSON),
    "broken": Response(500, b"null", JSON),
    "broken in words": Response(500, b"oops", {"content-type": "text/plain"}),
    "an odd error": Response(500, b'{"error": {"kind": [], "message": 7, "details": {"$": 1}}}', JSON),
    "an exception": Response(200, b'{"exception": 5, "content": {}, "error_code": []}', JSON),
    "teapot": Response(418, b"", {"retry-after": "soon"}),
}


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("dialect", ["native", "ftrack"])
def test_odd_answers(dialect: str, name: str, request: pytest.FixtureRequest) -> None:
    """Each answer of a script replaced by what is none: errors of ours, each in words."""
    server = request.getfixturevalue(dialect)
    script = native_script if dialect == "native" else ftrack_script
    seen, error = run(server, script, -1, lambda response: response)
    assert error is None
    assert seen > 4
    failed = 0
    for place in range(1, min(seen, 6) + 1):
        _, error = run(server, script, place, lambda _: ANSWERS[name])
        failed += error is not None and bool(str(error))
    assert failed >= 3


@pytest.mark.parametrize("dialect", ["native", "ftrack"])
def test_answers_with_odd_values(dialect: str, request: pytest.FixtureRequest) -> None:
    """Answers with other values in a few places: read, or refused with an error of ours."""
    server = request.getfixturevalue(dialect)
    script = native_script if dialect == "native" else ftrack_script
    seen, _ = run(server, script, -1, lambda response: response)
    generator = random.Random(7)
    for _ in range(120):
        run(server, script, generator.randint(1, seen), lambda response: odd(response, generator))


ODD: list[Any] = [None, True, -1, 2**70, 1.5, "", "x", "\x00", [], [[]], {}, {"$": "x"}, {"$date": 5}, ["a", 1]]


def odd(response: Response, generator: random.Random) -> Response:
    """The answer with one to three values replaced."""
    try:
        tree = json.loads(response.content)
    except ValueError:
        return response
    holders = [holder for holder in _holders(tree) if holder]
    for _ in range(generator.randint(1, 3)):
        if holders:
            holder = generator.choice(holders)
            key = generator.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
            holder[key] = generator.choice(ODD)
    return evolve(response, content=json.dumps(tree).encode())


def _holders(tree: Any) -> Iterator[Any]:
    if isinstance(tree, dict | list):
        yield tree
        for each in tree.values() if isinstance(tree, dict) else tree:
            yield from _holders(each)
