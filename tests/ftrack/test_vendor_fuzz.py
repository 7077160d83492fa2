"""Requests that no client would send are refused like any other: never a fault, never half a change."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import exists, select
from vendor_requests import Requests

from callsheet.dialects.ftrack.server.actions.offered import ACTIONS, AFTERWARDS
from callsheet.dialects.ftrack.server.dispatch import handle
from callsheet.dialects.ftrack.server.requests.vendor_request import VendorRequest
from callsheet.dialects.ftrack.server.schema.catalogue import catalogue_of
from callsheet.flow import Response
from callsheet.server.log.commits import last_position
from callsheet.server.service import Service
from studios import vendor_studio


@pytest.fixture
def service(schemas: Path) -> Iterator[Service]:
    """A studio with an account that may only read."""
    with vendor_studio("memory:", schemas) as found:
        found.accounts.add("tomas", "reader")
        yield found


def _ask(service: Service, body: bytes, strict: bool = False, user: str = "admin") -> Response:
    asked = VendorRequest(user, "http://server", body, {"ftrack-strict-api": "true" if strict else "false"})
    return handle(service.backend(user), asked)


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


def _judge(service: Service, request: list[Any], strict: bool, user: str = "admin") -> None:
    before = _position(service)
    response = _ask(service, msgspec.json.encode(request), strict, user)
    told = msgspec.json.decode(response.content)
    assert response.status < 500, request
    assert b"key_hash" not in response.content
    if isinstance(told, dict):
        assert "{" not in told["content"]
        assert "Traceback" not in told["content"]
        assert _position(service) == before, request
    else:
        assert len(told) == len(request)


def _many(service: Service, number: int, seed: int, user: str = "admin") -> None:
    catalogue, _ = catalogue_of(service.store.schema)
    requests = Requests(catalogue, _keys(service), [*ACTIONS, *AFTERWARDS], seed)
    for index in range(number):
        _judge(service, requests.request(), bool(index % 2), user)


def _who(service: Service) -> list[Any]:
    """All that the server knows of accounts and roles, hashes of keys included."""
    table = service.store.table("_account")
    with service.store.reading() as connection:
        return [*connection.execute(select(table).order_by(table.c.name)).all(), service.roles.list()]


def _dangling(service: Service) -> list[str]:
    """References to what is not there."""
    found, types = [], service.store.schema.types
    with service.store.reading() as connection:
        for entity_type in types.values():
            table = service.store.tables[entity_type.root]
            for name, attribute in entity_type.attributes.items():
                if attribute.kind != "reference" or name not in table.c:
                    continue
                target, column = service.store.tables[types[str(attribute.target)].root].alias(), table.c[name]
                lost = select(table.c.id).where(column.is_not(None), ~exists().where(target.c.id == column))
                found += [f"{entity_type.name}.{name} of {key}" for key in connection.scalars(lost)]
    return found


@pytest.mark.proof
def test_no_request_is_a_fault(service: Service) -> None:
    """Two thousand requests out of the protocol's words are answered or refused; refusals change nothing.

    What the others changed is as whole as ever, and no account is touched.
    """
    before = _who(service)
    _many(service, 2_000, 1)
    assert _who(service) == before
    assert _dangling(service) == []


@pytest.mark.proof
def test_who_may_only_read_changes_nothing(service: Service) -> None:
    """Whatever such a user asks for."""
    before = _position(service), _who(service)
    _many(service, 1_000, 12, "tomas")
    assert (_position(service), _who(service)) == before


@pytest.mark.deep
@pytest.mark.parametrize("seed", range(2, 12))
def test_no_request_is_a_fault_at_length(service: Service, seed: int) -> None:
    """The same for ten thousand more (``pytest -m deep tests/ftrack/test_vendor_fuzz.py``)."""
    before = _who(service)
    _many(service, 1_000, seed)
    assert _who(service) == before
    assert _dangling(service) == []


@pytest.mark.parametrize("others", [[], [{"action": "query", "expression": "User"}]])
def test_a_key_is_made_anew_by_itself(service: Service, others: list[Any]) -> None:
    """What cannot be undone is refused beside other changes, and once only, so that nothing is done by halves."""
    with service.store.reading() as connection:
        table = service.store.tables["Resource"]
        user = connection.scalars(select(table.c.id).where(table.c.username == "admin")).one()
    reset = {"action": "reset_remote", "reset_type": "api_key", "entity_type": "User", "entity_key": user}
    create = {"action": "create", "entity_type": "Scope", "entity_data": {"name": "halves"}}
    before = _position(service), _who(service)
    for request in ([*others, reset, create], [create, *others, reset], [reset, *others, reset]):
        assert b"request of its own" in _ask(service, msgspec.json.encode(request)).content
    assert (_position(service), _who(service)) == before
    told = msgspec.json.decode(_ask(service, msgspec.json.encode([*others, reset])).content)
    assert told[-1]["data"]["api_key"]
    assert _who(service) != before[1]


@pytest.mark.parametrize("body", [b"", b"\x00", b"[", b"nul", b'{"action": "query"}', b"[" * 100_000, b'["\\ud800"]'])
def test_bytes_that_are_no_request(service: Service, body: bytes) -> None:
    """What is no JSON, or no list of operations, is refused."""
    assert b'"exception"' in _ask(service, body).content
