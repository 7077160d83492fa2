"""The contract of dialects, over every way to our own server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from urllib.parse import quote

import pytest
from tests.dialects.stepwise import StepwiseBackend, StepwiseDialect

from callsheet import Server, Session, serve
from callsheet.dialects.native.client import NativeDialect
from callsheet.dialects.native.server import handle
from callsheet.flow import Request, Response
from callsheet.session.connection import ServerConnection
from callsheet.testing import session_on
from callsheet.testing.contract import DialectContract
from callsheet.transport.local import LocalTransport


class Direct:
    """A transport without a wire: the server's half of the dialect answers in this process."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend

    def send(self, request: Request) -> Response:
        path = quote(request.path, safe="/%")
        return handle(self._backend, request.method, path, request.params, request.headers, request.content)

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serve() as server:
        yield server


class TestLocal(DialectContract):
    @pytest.fixture
    def session_factory(self, service: Any) -> Callable[[], Session]:
        return partial(session_on, service)


class TestNativeInProcess(DialectContract):
    @pytest.fixture
    def session_factory(self, service: Any) -> Callable[[], Session]:
        def connect() -> Session:
            return Session(connection=ServerConnection(NativeDialect(), Direct(service.backend("admin")), None))

        return connect


class TestNativeOverHttp(DialectContract):
    @pytest.fixture
    def session_factory(self, server: Server) -> Callable[[], Session]:
        return partial(Session, server.url, "admin", server.admin_key, schema_cache=False)


class TestStepwise(DialectContract):
    """A server without transactions keeps the contract, except what its features do not promise."""

    @pytest.fixture
    def session_factory(self, service: Any) -> Callable[[], Session]:
        def connect() -> Session:
            dialect = StepwiseDialect(StepwiseBackend(service.backend("admin")))
            return Session(connection=ServerConnection(dialect, LocalTransport(), None))

        return connect
