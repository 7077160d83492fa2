"""A third dialect, in a package of its own, needs no line of the shared rooms."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from callsheet import Event, Server, Session, serve
from callsheet import dialects as known
from callsheet.config import resolve
from callsheet.flow import Request, Response
from callsheet.session.connection import ServerConnection
from callsheet.testing.contract import DialectContract

FOLDER = Path(__file__).with_name("toy")
KEY = "the key of the toy"


@pytest.fixture(scope="module", autouse=True)
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The package as pip would install it: modules on the path, and metadata with an entry point."""
    site = tmp_path_factory.mktemp("site")
    metadata = site / "toy_dialect-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-dialect\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[callsheet.dialects]\ntoy = toy_dialect.declaration:TOY\n")
    places = [str(site), str(FOLDER)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [*sys.path, *places])
        patch.setenv("PYTHONPATH", os.pathsep.join([*places, os.environ.get("PYTHONPATH", "")]))
        known._entries.cache_clear()
        yield
    known._entries.cache_clear()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serve(admin_key=KEY) as one:
        yield one


class Direct:
    """A transport without a wire: the server's half answers in this process."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend

    def send(self, request: Request) -> Response:
        from toy_dialect.server import answer

        return answer(self._backend, request.path, request.content)

    def close(self) -> None:
        """Nothing is open."""


class TestToyInProcess(DialectContract):
    @pytest.fixture
    def session_factory(self, service: Any) -> Callable[[], Session]:
        def connect() -> Session:
            spoken = known.dialect_class("toy")
            return Session(connection=ServerConnection(spoken(), Direct(service.backend("admin")), None))

        return connect


class TestToyOverHttp(DialectContract):
    @pytest.fixture
    def session_factory(self, server: Server) -> Callable[[], Session]:
        return lambda: Session(server.url, "admin", KEY, dialect="toy", schema_cache=False)


def test_its_variables_and_addresses_are_known() -> None:
    """The toy's variables name a server and the caller; its recogniser knows its addresses, and no others."""
    environment = {"TOY_SERVER": "https://here.test/", "TOY_USER": "ann", "TOY_KEY": "k"}
    found = resolve(None, None, None, environment=environment)
    assert (found.url, found.user, found.key, found.dialect) == ("https://here.test", "ann", "k", "toy")
    assert resolve("https://studio.toy.example", "a", "k", environment={}).dialect == "toy"
    assert resolve("https://toy.example.org", "a", "k", environment={}).dialect == "native"


def test_its_names_of_topics_are_known(server: Server) -> None:
    """A subscriber to the toy's name of a topic gets the event under Callsheet's."""
    with Session(server.url, "admin", KEY, dialect="toy", schema_cache=False, plugin_paths=False) as session:
        got: list[str] = []
        session.event_hub.subscribe("topic=toy.ready", lambda event: got.append(event.topic))
        session.event_hub.publish(Event("callsheet.session.ready"), synchronous=True)
    assert got == ["callsheet.session.ready"]


def test_the_guard_reads_type_and_size_from_its_route(server: Server) -> None:
    """Its own type of content passes on its own route only; its body may be larger than elsewhere, but not endless."""
    headers = {"toy-user": "admin", "toy-key": KEY, "content-type": "application/x-toy"}
    with httpx.Client(base_url=server.url, headers=headers) as client:
        assert client.post("/toy/nothing", content=b"x" * 9 * 2**20).status_code == 404
        assert client.post("/toy/nothing", content=b"x" * 21 * 2**20).status_code == 413
        bearer = {"authorization": f"Bearer {KEY}"}
        assert client.post("/v1/select", content=b"x", headers=bearer).status_code == 415
        assert client.post("/toy/nothing", json={}, headers={"content-type": "application/json"}).status_code == 415
        assert client.post("/toy/describe", content=b"x", headers={"toy-key": "wrong"}).status_code == 401
