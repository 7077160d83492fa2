"""Accounts and their people: who is added gets a user entity, and a user entity can be let in."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from login_desk import ADMIN, PASSWORD, Desk, open_desk
from studio import DOCUMENT

from callsheet.errors import Invalid, NotFound
from callsheet.model.operation import ChangeSet, Create, Update
from callsheet.model.record import Identity
from callsheet.server.service import Service

NAMES = {name: {"type": "string"} for name in ("first_name", "last_name", "email")}
PEOPLE = {
    **DOCUMENT,
    "types": {
        **DOCUMENT["types"],
        "User": {"attributes": {"username": {"type": "string", "unique": True}, **NAMES}},
        "Note": {"attributes": {"author": {"type": "reference", "target": "User", "default": "{user}"}}},
    },
}


@pytest.fixture
def desk() -> Iterator[Desk]:
    with open_desk(document=PEOPLE) as opened:
        yield opened


def call(desk: Desk, action: str, **arguments: Any) -> Any:
    return desk.service.backend("admin").call(action, arguments)


def users(service: Service) -> list[dict[str, Any]]:
    table = service.store.tables[service.store.schema.type("User").root]
    with service.store.reading() as connection:
        return [dict(row) for row in connection.execute(table.select()).mappings()]


def test_who_is_added_has_a_user(desk: Desk) -> None:
    """With the names given, and it is what `/v1/me` says."""
    made = call(desk, "users.add", name="carl", first_name="Carl", email="carl@example.org")
    (row,) = users(desk.service)
    assert (row["id"], row["username"], row["first_name"]) == (made["user"], "carl", "Carl")
    assert desk.me(made["key"]).json()["user"] == {
        "id": made["user"],
        "username": "carl",
        "first_name": "Carl",
        "last_name": None,
        "email": "carl@example.org",
    }


def test_notes_of_a_new_account_have_an_author(desk: Desk) -> None:
    made = call(desk, "users.add", name="carl")
    desk.service.backend("carl").commit(ChangeSet("note", (Create(Identity("Note", "n"), {}),)))
    table = desk.service.store.tables["Note"]
    with desk.service.store.reading() as connection:
        assert connection.execute(table.select()).one().author == made["user"]


def test_a_user_that_is_there_becomes_the_accounts(desk: Desk) -> None:
    """It is not made twice, and gets what was said of it."""
    user = Create(Identity("User", "u"), {"username": "carl", "first_name": "Karl"})
    desk.service.backend("admin").commit(ChangeSet("user", (user,)))
    assert call(desk, "users.add", name="carl", last_name="Berg")["user"] == "u"
    (row,) = users(desk.service)
    assert (row["first_name"], row["last_name"]) == ("Karl", "Berg")


def test_an_account_that_is_refused_leaves_no_user(desk: Desk) -> None:
    """Both come in one transaction."""
    with pytest.raises(Invalid, match="there is an account `anna` already"):
        call(desk, "users.add", name="anna")
    with pytest.raises(Invalid, match="no role"):
        call(desk, "users.add", name="carl", role="nothing")
    assert users(desk.service) == []


def test_a_schema_without_people() -> None:
    """The account is made all the same, but names are refused that would be lost."""
    with open_desk(document={"types": {"Dot": {}}}) as desk:
        assert call(desk, "users.add", name="carl")["user"] is None
        with pytest.raises(Invalid, match="users of this server have no `email`"):
            call(desk, "users.add", name="dora", email="dora@example.org")
        assert desk.service.accounts.get("dora") is None


def test_a_schema_that_requires_more() -> None:
    """A user that cannot be made of a name alone is left to who knows the rest."""
    more = {"username": {"type": "string"}, "first_name": {"type": "string", "required": True}}
    with open_desk(document={"types": {"User": {"attributes": more}}}) as desk:
        assert call(desk, "users.add", name="carl")["user"] is None
        assert call(desk, "users.add", name="dora", first_name="Dora")["user"] is not None


@pytest.mark.parametrize("schema", ["production", "lab"])
def test_the_presets_have_people(schema: str) -> None:
    with Service.open("memory:", schema, seed=True) as service:
        made = service.backend("admin").call("users.add", {"name": "carl"})
        assert made["user"] in [row["id"] for row in users(service)]


def test_a_user_made_over_the_wire_gets_a_key(desk: Desk) -> None:
    """And nobody else does who is not there."""
    desk.service.backend("admin").commit(ChangeSet("u", (Create(Identity("User", "u"), {"username": "carl"}),)))
    key = call(desk, "users.key", name="carl")["key"]
    assert desk.me(key).json()["user"]["id"] == "u"
    with pytest.raises(NotFound, match="there is no account `nobody`"):
        call(desk, "users.key", name="nobody")
    with pytest.raises(NotFound, match="there is no account `nobody`"):
        call(desk, "users.invite", name="nobody")


def test_a_renamed_user_has_one_account(desk: Desk) -> None:
    """A new name of a user is not the name of another account."""
    made = call(desk, "users.add", name="carl")
    renamed = Update(Identity("User", made["user"]), {"username": "charles"})
    desk.service.backend("admin").commit(ChangeSet("rename", (renamed,)))
    with pytest.raises(NotFound, match="was renamed; its account is `carl`"):
        call(desk, "users.key", name="charles")


def accept(desk: Desk, code: str, password: str = "far over the hills", **more: Any) -> Any:
    return desk.post("/v1/invitations/accept", {"code": code, "password": password, **more})


def test_an_invitation_lets_a_user_choose_a_password(desk: Desk) -> None:
    """A user made over the wire has no account until then, and no key."""
    desk.service.backend("admin").commit(ChangeSet("u", (Create(Identity("User", "u"), {"username": "carl"}),)))
    made = call(desk, "users.invite", name="carl")
    response = accept(desk, made["code"], device="the laptop")
    assert response.status_code == 200
    assert desk.me(response.json()["access_token"]).json()["user"]["id"] == "u"
    assert desk.login("carl", "far over the hills").status_code == 200
    assert ("carl", "login", "accepted an invitation on the laptop") in desk.audit()


def test_an_invitation_is_accepted_once(desk: Desk) -> None:
    code = call(desk, "users.invite", name="anna")["code"]
    assert accept(desk, code).status_code == 200
    again = accept(desk, code, "another long walk")
    assert again.status_code == 401
    assert "log in with your password" in again.json()["error"]["message"]
    assert desk.login("anna", "far over the hills").status_code == 200
    assert desk.login("anna", PASSWORD).status_code == 401


def test_a_weak_password_does_not_use_up_an_invitation(desk: Desk) -> None:
    code = call(desk, "users.invite", name="anna")["code"]
    assert accept(desk, code, "short").status_code == 422
    assert accept(desk, code).status_code == 200


def test_an_invitation_ends(desk: Desk) -> None:
    """At its time, with the next one, and with its account."""
    old = call(desk, "users.invite", name="anna", days=2)
    assert old["expires"] == desk.clock.now + timedelta(days=2)
    new = call(desk, "users.invite", name="anna", days=2)
    assert accept(desk, old["code"]).status_code == 401
    desk.clock.move(days=2)
    assert accept(desk, new["code"]).status_code == 401
    last = call(desk, "users.invite", name="anna")
    desk.service.accounts.disable("anna")
    assert accept(desk, last["code"]).status_code == 401
    with pytest.raises(Invalid, match="366 days"):
        call(desk, "users.invite", name="anna", days=1000)


def test_an_invitation_ends_what_was_before(desk: Desk) -> None:
    """Who accepts takes over the account: its other logins end."""
    before = desk.tokens()
    accept(desk, call(desk, "users.invite", name="anna")["code"])
    assert desk.me(before["access_token"]).status_code == 401


def test_only_administrators_invite(desk: Desk) -> None:
    for action in ("users.invite", "users.password", "users.sessions", "users.sign_out"):
        body = {"name": "ben"} | ({"password": PASSWORD} if action == "users.password" else {})
        assert desk.post(f"/v1/call/{action}", body, desk.keys["anna"]).status_code == 403
    assert desk.post("/v1/call/users.invite", {"name": "ben"}, ADMIN).status_code == 200
