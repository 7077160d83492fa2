"""The OpenAPI description: valid, true of the server's own wire, and complete for those who ask."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from endpoint_desk import EndpointDesk

from callsheet.endpoints.native_wire import WIRE

Desk = Callable[[str], EndpointDesk]

SOURCE = """
    from datetime import date
    from enum import Enum

    import attrs

    class Size(Enum):
        SMALL = "small"
        LARGE = "large"

    @attrs.define
    class Crate:
        label: str
        size: Size = Size.SMALL

    @callsheet.endpoint("crates/{number}")
    def crate(number: int, since: date | None = None, tag: list[str] = ()):
        '''One crate.

        With all that is in it.
        '''

    @callsheet.endpoint("crates", methods=["POST", "PUT"], roles="producer")
    def add(crates: list[Crate], note: str = ""):
        '''Adds crates.'''

    @callsheet.endpoint("upload", methods="POST")
    def upload(body: bytes):
        return len(body)

    @callsheet.endpoint("open", public=True)
    def everybody():
        pass

    TOOLS = callsheet.forward("tools/{path:path}", to="http://127.0.0.1:9", description="The tools of the stage.")
"""


def described(desk: EndpointDesk, account: str) -> dict[str, Any]:
    found: dict[str, Any] = desk.client(account).get("/openapi.json").json()
    return found


def test_the_description_is_valid(desk: Desk) -> None:
    """By a validator of the specification, with and without endpoints of plugins."""
    validator = pytest.importorskip("openapi_spec_validator")
    opened = desk(SOURCE)
    for account in ("admin", ""):
        validator.validate(described(opened, account))


def test_endpoints_are_described_as_they_were_declared(desk: Desk) -> None:
    """Arguments with their types, the docstring, the roles; a reference leads to each type."""
    paths = described(desk(SOURCE), "admin")["paths"]
    crate = paths["/endpoints/crates/{number}"]["get"]
    assert (crate["summary"], crate["description"]) == ("One crate.", "With all that is in it.")
    assert [(each["name"], each["in"]) for each in crate["parameters"]] == [
        ("number", "path"),
        ("since", "query"),
        ("tag", "query"),
    ]
    assert crate["parameters"][0]["schema"] == {"type": "integer"}
    add = paths["/endpoints/crates"]
    assert set(add) == {"post", "put"}
    schema = add["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert schema["required"] == ["crates"]
    assert schema["properties"]["crates"]["items"] == {"$ref": "#/components/schemas/Crate"}
    assert add["post"]["x-callsheet-roles"] == ["producer"]
    assert paths["/endpoints/upload"]["post"]["requestBody"]["content"] == {"*/*": {}}
    assert paths["/endpoints/open"]["get"]["security"] == []
    assert paths["/endpoints/tools/{path}"]["get"]["summary"] == "The tools of the stage."


def test_callers_see_what_they_may_call(desk: Desk) -> None:
    """A name of an endpoint may be a secret: nobody without its roles reads it."""
    opened = desk(SOURCE)
    assert "/endpoints/crates" in described(opened, "vera")["paths"]
    anna, nobody = (described(opened, account)["paths"] for account in ("anna", ""))
    assert "/endpoints/crates" not in anna
    assert "/endpoints/crates/{number}" in anna
    assert [path for path in nobody if path.startswith("/endpoints/")] == ["/endpoints/open"]


FINITE = [each for each in WIRE if (each.method, each.path) != ("get", "/v1/events")]
"""All but the stream of events, which does not end."""


@pytest.mark.parametrize("each", FINITE, ids=lambda each: f"{each.method} {each.path}")
def test_each_described_address_is_there(desk: Desk, each: Any) -> None:
    """The server has each address and method of the description, whatever it says to what is sent there."""
    opened = desk("# no endpoint")
    path = each.path.format(id="1", number="0", action="own.account", key="none")
    answer = opened.client("admin").request(each.method.upper(), path, json={})
    assert answer.status_code != 405
    assert "there is nothing at" not in answer.text


def test_each_address_of_the_wire_is_described() -> None:
    """The reference page of the native wire and the description list the same addresses, logins aside."""
    import re
    from pathlib import Path

    page = (Path(__file__).parents[2] / "docs" / "reference" / "native-protocol.md").read_text("utf-8")
    listed = set(re.findall(r"^\| `(?:GET|POST|PUT|DELETE) (/[^`?]*)", page, re.MULTILINE))
    words = {"ID": "{id}", "N": "{number}", "KEY": "{key}", "ACTION": "{action}"}
    shown = {"/".join(words.get(part, part) for part in path.split("/")) for path in listed}
    apart = ("/v1/login", "/v1/logout", "/v1/password", "/v1/invitations", "/v1/call/")
    wanted = {path for path in shown if not path.startswith(apart)} | {"/v1/call/{action}"}
    assert {each.path for each in WIRE} == wanted
