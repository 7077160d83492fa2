"""People log in with the password that the house's directory has of them, against Debian's slapd."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from slapd_desk import BASE, LdapDesk, Slapd, open_ldap_desk, running_slapd

from callsheet.errors import UsageError
from callsheet.server.sign_on.settings import read_sign_on


@pytest.fixture(scope="module")
def slapd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slapd]:
    with running_slapd(tmp_path_factory.mktemp("slapd")) as found:
        yield found


@pytest.fixture
def desk(slapd: Slapd) -> Iterator[LdapDesk]:
    with open_ldap_desk(slapd) as opened:
        yield opened


def member(change: str, name: str, group: str = "compositors") -> str:
    return (
        f"dn: cn={group},ou=groups,{BASE}\nchangetype: modify\n{change}: member\nmember: uid={name},ou=people,{BASE}\n"
    )


def test_a_person_logs_in_by_the_directory(desk: LdapDesk) -> None:
    """By StartTLS; the role is that of a group in a group in which the person is."""
    answer = desk.login("anna")
    assert answer.status_code == 200, answer.text
    about = desk.me(answer).json()
    assert (about["account"], about["roles"], about["user"]["email"]) == ("anna", ["guest", "user"], "anna@example.org")
    browser = desk.client.post("/v1/login", json={"name": "ANNA", "password": "the password of anna"})
    assert browser.json()["account"] == "anna"


@pytest.mark.parametrize("password", ["wrong", "", "\0", "the password of anna\0", "the password of ben"])
def test_a_wrong_password_is_refused(desk: LdapDesk, password: str) -> None:
    """An empty one too, with which a directory lets everybody bind, as nobody."""
    answer = desk.login("anna", password)
    assert answer.status_code == 401, answer.text
    assert answer.json()["error"]["message"] == "the name or the password is wrong"


@pytest.mark.parametrize(
    "name",
    [
        "*",
        "ann*",
        "anna)(uid=*",
        "*)(|(uid=*",
        "anna)(!(uid=eve)",
        "anna\0",
        "\\61nna",
        f"uid=anna,ou=people,{BASE}",
        "an\nna",
        "x" * 256,
        "",
        "anna)(member=*))(|(a=b",
    ],
)
def test_a_name_is_only_a_name(desk: LdapDesk, name: str) -> None:
    """LDAP injection: the right password of anna, with a name that would find her if it were part of the filter."""
    answer = desk.login(name, "the password of anna")
    assert answer.status_code == 401, answer.text
    assert [each.name for each in desk.service.accounts.list()] == ["admin"]


def test_a_group_called_admin_gives_nothing(desk: LdapDesk) -> None:
    """Escalation by group names: eve is in a group of that name, and in none that has a role here."""
    answer = desk.login("eve")
    assert answer.status_code == 403
    assert "has a role here" in answer.text


def test_nobody_takes_the_administrator_over(desk: LdapDesk) -> None:
    """A person of the directory who is called like the account is not the account."""
    desk.slapd.change(
        "dn: uid=admin,ou=people,{base}\nchangetype: add\nobjectClass: inetOrgPerson\nuid: admin\ncn: a\nsn: a\n"
        "userPassword: the password of admin\n"
    )
    desk.slapd.change(member("add", "admin"))
    try:
        answer = desk.login("admin")
        assert answer.status_code == 403
        assert "users link admin ldap" in answer.text
    finally:
        desk.slapd.change(member("delete", "admin"))
        desk.slapd.change("dn: uid=admin,ou=people,{base}\nchangetype: delete\n")


def test_who_leaves_a_group_is_out_within_a_minute(desk: LdapDesk) -> None:
    """The directory is read again; before, what it last said holds."""
    desk.slapd.change(member("add", "ben"))
    login = desk.login("ben")
    assert desk.me(login).status_code == 200
    desk.slapd.change(member("delete", "ben"))
    desk.later(seconds=30)
    assert desk.me(login).status_code == 200
    desk.later(seconds=30)
    answer = desk.me(login)
    assert answer.status_code == 401
    assert desk.login("ben").status_code == 403


def test_who_leaves_the_house_is_out_within_a_minute(desk: LdapDesk) -> None:
    """And somebody else who gets the name later is somebody else: the account is not theirs."""
    desk.slapd.change(member("add", "ben"))
    login = desk.login("ben")
    assert desk.me(login).status_code == 200
    entry = (
        "dn: uid=ben,ou=people,{base}\nchangetype: add\nobjectClass: inetOrgPerson\nuid: ben\ncn: b\nsn: b\n"
        "userPassword: the password of ben\n"
    )
    desk.slapd.change("dn: uid=ben,ou=people,{base}\nchangetype: delete\n")
    desk.later(seconds=60)
    assert "no longer vouches" in desk.me(login).text
    desk.slapd.change(entry)
    try:
        answer = desk.login("ben")
        assert answer.status_code == 403
        assert "users link ben ldap" in answer.text
    finally:
        desk.slapd.change(member("delete", "ben"))


def test_a_directory_that_is_away(desk: LdapDesk) -> None:
    """Logging in by it is 503, local passwords work, and who is logged in stays so for ten minutes."""
    login = desk.login("anna")
    desk.service.accounts.add("local")
    desk.service.logins.set_password("local", "a long walk home")
    desk.slapd.stop()
    try:
        away = desk.login("anna")
        assert away.status_code == 503
        assert "the directory does not answer" in away.text
        assert desk.login("local", "a long walk home").status_code == 200
        desk.later(seconds=60)
        assert desk.me(login).status_code == 200
        desk.later(minutes=10)
        answer = desk.me(login)
        assert answer.status_code == 503
        assert "ldap cannot be reached" in answer.text
    finally:
        desk.slapd.start()
    assert desk.login("anna").status_code == 200


def test_wrong_passwords_are_counted_for_directory_and_server_together(slapd: Slapd) -> None:
    """Brute force: one allowance for a name, and one for an address, whoever would have known the password."""
    with open_ldap_desk(slapd, limits={"account_logins": 3, "address_logins": 5}) as desk:
        for address in ("10.0.0.1", "10.0.0.2", "10.0.0.3"):
            assert desk.login("anna", "wrong", address).status_code == 401
        answer = desk.login("anna", address="10.0.0.4")
        assert answer.status_code == 429
        assert "for this account" in answer.text
        for name in ("a", "b", "c", "d", "e"):
            assert desk.login(name, "wrong", "10.0.0.9").status_code == 401
        answer = desk.login("ben", "wrong", "10.0.0.9")
        assert answer.status_code == 429
        assert "from your address" in answer.text


def test_a_certificate_of_somebody_else_is_no_directory(slapd: Slapd, tmp_path: Any) -> None:
    """StartTLS verifies the directory's certificate by the named authority; no password is sent without."""
    from authority import Authority

    other = Authority(tmp_path, "Other Authority")
    with open_ldap_desk(slapd, certificate_authority=str(other.path)) as desk:
        assert desk.login("anna").status_code == 503


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"url": "ldap://ldap.example.org"}, "passwords need ldaps"),
        ({"url": "https://ldap.example.org"}, "is like ldaps"),
        ({"base": ""}, "`authentication.ldap.base` is missing"),
        ({"user_filter": "(uid=anna)"}, "has {name} in it"),
        ({"nested": "deep"}, "walk, chain or no"),
    ],
)
def test_wrong_settings_of_a_directory_are_named(changes: dict[str, Any], reason: str) -> None:
    """Before the server starts."""
    with pytest.raises(UsageError) as raised:
        read_sign_on({"ldap": {"url": "ldaps://ldap.example.org", "base": BASE, **changes}})
    assert reason in str(raised.value)
