"""Servers for the tests of scenarios: a small production on each database, in this process, over HTTP, and mirrored."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from databases import new_database

from callsheet import Session
from callsheet.dialects.native.client import NativeDialect
from callsheet.dialects.native.server import handle
from callsheet.flow import Request, Response
from callsheet.model.operation import ChangeSet, Create, Update
from callsheet.model.record import Identity
from callsheet.server.service import Service
from callsheet.session.connection import ServerConnection, over
from callsheet.transport.local import LocalTransport

SCHEMA: dict[str, Any] = {
    "name": "scenarios",
    "types": {
        "Project": {"attributes": {"name": {"type": "string", "required": True}, "rate": {"type": "number"}}},
        "Person": {
            "attributes": {
                "name": {"type": "string"},
                "tasks": {"type": "collection", "target": "Task", "inverse": "people"},
            }
        },
        "Task": {
            "unique": [["project", "name"]],
            "attributes": {
                "name": {"type": "string", "required": True},
                "bid": {"type": "number"},
                "state": {"type": "enum", "choices": ["open", "done"], "default": "open"},
                "project": {"type": "reference", "target": "Project", "on_delete": "cascade"},
                "after": {"type": "reference", "target": "Task", "on_delete": "nullify"},
                "people": {"type": "collection", "target": "Person", "inverse": "tasks"},
                "notes": {"type": "mapping"},
            },
        },
    },
}
KINDS = ("memory", "file", "postgres", "mirror", "wire")


class WireTransport(LocalTransport):
    """Sends requests in the native language to the server's half, as the web server does."""

    def __init__(self, service: Service, account: str) -> None:
        super().__init__()
        self._service, self._account = service, account

    def send(self, request: Request) -> Response:  # type: ignore[override]
        headers = {name.lower(): value for name, value in request.headers.items()}
        backend = self._service.backend(self._account)
        return handle(backend, request.method, request.path, request.params, headers, request.content)


@contextmanager
def scenario_service(kind: str, folder: Path) -> Iterator[Service]:
    """A service of one kind."""
    database = {"mirror": "file", "wire": "memory"}.get(kind, kind)
    with new_database(database, folder) as url, Service.open(url, SCHEMA, analytics=kind == "mirror") as service:
        yield service


def session_of(service: Service, kind: str, account: str = "admin") -> Session:
    """A session of an account on a service."""
    if kind != "wire":
        return Session(connection=over(service.backend(account)))
    return Session(connection=ServerConnection(NativeDialect(), WireTransport(service, account), None))


@contextmanager
def scenario_session(kind: str, folder: Path) -> Iterator[Session]:
    """A session of the account `admin` on a new service."""
    with scenario_service(kind, folder) as service, session_of(service, kind) as session:
        yield session


def staged(number: int) -> ChangeSet:
    """A new task, and one more of the project's rate."""
    made = Create(Identity("Task", f"t{number}"), {"name": f"n{number}", "project": Identity("Project", "p")})
    raised = Update(Identity("Project", "p"), {"rate": float(number + 1)}, {"rate": float(number)})
    return ChangeSet(f"stage {number}", (made, raised))
