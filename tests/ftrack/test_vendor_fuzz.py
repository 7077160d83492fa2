"""Requests that no client would send are refused like any other: never a fault, never half a change."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from vendor_requests import Requests

from callsheet.dialects.ftrack.actions import ACTIONS, AFTERWARDS
from callsheet.dialects.ftrack.asking import Asked
from callsheet.dialects.ftrack.catalogue import catalogue_of
from callsheet.dialects.ftrack.seeding import studio_operations
from callsheet.dialects.ftrack.server import handle
from callsheet.flow import Response
from callsheet.model.operation import ChangeSet
from callsheet.server.log import last_position
from callsheet.server.service import Service


@pytest.fixture
def service(recorded: Path) -> Iterator[Service]:
    """A studio on the recorded schema."""
    with Service.open("memory:", recorded, "the key of admin") as found:
        for number, operations in enumerate(studio_operations(found.store.schema)):
            found.commit(ChangeSet(f"studio-{number}", operations), "admin")
        yield found


def _ask(service: Service, body: bytes, strict: bool = False) -> Response:
    asked = Asked("admin", "http://server", body, {"ftrack-strict-api": "true" if strict else "false"})
    return handle(service.backend("admin"), service.files, asked)


def _keys(service: Service) -> dict[str, list[list[str]]]:
    """The keys of some entities of every type."""
    catalogue, _ = catalogue_of(service.store.schema)
    queries = [{"action": "query", "expression": f"{name} limit 20"} for name in catalogue.types]
    answers = msgspec.json.decode(_ask(service, msgspec.json.encode(queries)).content)
    keys: dict[str, list[list[str]]] = {}
    for (name, found), answer in zip(catalogue.types.items(), answers):
        keys[name] = [[row[part] for part in found.key] for row in answer["data"]]
    return keys


def _position(service: Service) -> int:
    with service.store.reading() as connection:
        return last_position(service.store, connection)


def _judge(service: Service, request: list[Any], strict: bool) -> None:
    before = _position(service)
    response = _ask(service, msgspec.json.encode(request), strict)
    told = msgspec.json.decode(response.content)
    assert response.status < 500, request
    if isinstance(told, dict):
        assert "{" not in told["content"]
        assert "Traceback" not in told["content"]
        assert _position(service) == before, request
    else:
        assert len(told) == len(request)


def _many(service: Service, number: int, seed: int) -> None:
    catalogue, _ = catalogue_of(service.store.schema)
    requests = Requests(catalogue, _keys(service), [*ACTIONS, *AFTERWARDS], seed)
    for index in range(number):
        _judge(service, requests.request(), bool(index % 2))


def test_no_request_is_a_fault(service: Service) -> None:
    """Two thousand requests out of the protocol's words are all answered or refused; refusals change nothing."""
    _many(service, 2_000, 1)


@pytest.mark.deep
@pytest.mark.parametrize("seed", range(2, 12))
def test_no_request_is_a_fault_at_length(service: Service, seed: int) -> None:
    """The same for ten thousand more."""
    _many(service, 1_000, seed)


@pytest.mark.parametrize("body", [b"", b"\x00", b"[", b"nul", b'{"action": "query"}', b"[" * 100_000, b'["\\ud800"]'])
def test_bytes_that_are_no_request(service: Service, body: bytes) -> None:
    """What is no JSON, or no list of operations, is refused."""
    assert b'"exception"' in _ask(service, body).content
