"""Accounts: who gets in, and who does not any more."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from callsheet.errors import Invalid, NotFound, Unauthorised
from callsheet.server.access.accounts import Account, Accounts
from callsheet.server.store.store import Store

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store() -> Iterator[Store]:
    opened = Store.open("memory:", {"types": {"Dot": {}}})
    yield opened
    opened.close()


@pytest.fixture
def accounts(store: Store, clock: Clock) -> Accounts:
    return Accounts(store, clock)


def test_a_key_lets_its_account_in(accounts: Accounts) -> None:
    """With or without the name; the form of the key is fixed, so that scanners can find it."""
    key = accounts.add("anna")
    assert re.fullmatch(r"cs_[0-9a-f]{12}_[0-9a-f]{64}_[0-9a-f]{8}", key)
    assert accounts.authenticate(None, key) == "anna"
    assert accounts.authenticate("anna", key) == "anna"


def test_nobody_else_gets_in(accounts: Accounts) -> None:
    """A key for another name, an unknown key, a mistyped one, none at all; no message holds the key."""
    key, other = accounts.add("anna"), accounts.add("ben")
    # The key of an account that was never here, with a checksum that fits.
    unknown = "cs_0123456789ab_" + "5" * 64
    unknown += f"_{zlib.crc32(unknown.encode()):08x}"
    mistyped = key[:-1] + ("0" if key[-1] != "0" else "1")
    for name, wrong in (
        ("anna", other),
        (None, unknown),
        (None, mistyped),
        (None, ""),
        (None, "admin"),
        (None, "\udc80"),
    ):
        with pytest.raises(Unauthorised) as error:
            accounts.authenticate(name, wrong)
        assert not wrong or wrong not in str(error.value)
    with pytest.raises(Unauthorised, match="checksum"):
        accounts.authenticate(None, mistyped)


def test_a_right_id_with_a_wrong_secret(accounts: Accounts) -> None:
    """The public id alone, with a fitting checksum, is worth nothing."""
    public = accounts.add("anna").split("_")[1]
    text = f"cs_{public}_{'0' * 64}"
    with pytest.raises(Unauthorised):
        accounts.authenticate(None, f"{text}_{zlib.crc32(text.encode()):08x}")


def test_only_a_hash_is_stored(accounts: Accounts, store: Store) -> None:
    """Neither the key nor its secret is anywhere in the database, or in what is shown of accounts."""
    key = accounts.add("anna")
    secret = key.split("_")[2]
    with store.reading() as connection:
        stored = repr(connection.execute(store.table("_account").select()).all())
    assert key not in stored
    assert secret not in stored
    assert accounts.list() == [Account("anna", "user", False, NOW)]
    assert secret not in repr(accounts.list())


def test_disabled_at_once(accounts: Accounts) -> None:
    """Somebody disabled is out with the next request, and in again when enabled."""
    key = accounts.add("anna")
    accounts.disable("anna")
    with pytest.raises(Unauthorised):
        accounts.authenticate("anna", key)
    accounts.enable("anna")
    assert accounts.authenticate("anna", key) == "anna"


def test_a_new_key_ends_the_old_one(accounts: Accounts) -> None:
    """There is one key for an account."""
    old = accounts.add("anna")
    new = accounts.new_key("anna")
    with pytest.raises(Unauthorised):
        accounts.authenticate(None, old)
    assert accounts.authenticate(None, new) == "anna"


def test_a_key_expires(accounts: Accounts, clock: Clock) -> None:
    """From the moment it names, a key does not work."""
    key = accounts.add("anna", expires=NOW + timedelta(hours=1))
    assert accounts.authenticate(None, key) == "anna"
    clock.now += timedelta(hours=1)
    with pytest.raises(Unauthorised):
        accounts.authenticate(None, key)


def test_a_key_cannot_outlive_itself(accounts: Accounts, clock: Clock) -> None:
    """Who renews a key of one's own gets one that expires when the old one would have."""
    old = accounts.add("anna", expires=NOW + timedelta(hours=1))
    new = accounts.renew("anna")
    with pytest.raises(Unauthorised):
        accounts.authenticate(None, old)
    assert accounts.authenticate(None, new) == "anna"
    clock.now += timedelta(hours=1)
    with pytest.raises(Unauthorised):
        accounts.authenticate(None, new)


def test_roles_are_known(accounts: Accounts) -> None:
    """Those built in, and those added."""
    accounts.add("anna", "reader")
    accounts.set_role("anna", "guest")
    assert accounts.list()[0].role == "guest"
    with pytest.raises(Invalid, match="no role 'king'"):
        accounts.set_role("anna", "king")


def test_changes_are_counted(accounts: Accounts) -> None:
    """Every change of who may get in raises the generation; being used does not."""
    seen = [accounts.generation]
    key = accounts.add("anna")
    seen.append(accounts.generation)
    accounts.authenticate(None, key)
    assert accounts.generation == seen[-1]
    for change in (accounts.new_key, accounts.disable, accounts.enable, accounts.renew):
        change("anna")
        seen.append(accounts.generation)
    assert seen == [0, 1, 2, 3, 4, 5]


def test_use_is_noted_once_a_minute(accounts: Accounts, clock: Clock) -> None:
    """The time of last use is at most a minute behind."""
    key = accounts.add("anna")
    seen = []
    for seconds in (0, 59, 60, 61):
        clock.now = NOW + timedelta(seconds=seconds)
        accounts.authenticate(None, key)
        seen.append(accounts.list()[0].last_used)
    assert seen == [NOW, NOW, NOW + timedelta(seconds=60), NOW + timedelta(seconds=60)]


def test_a_key_of_ones_own(accounts: Accounts) -> None:
    """Any text of eight characters and more may be a key."""
    assert accounts.add("anna", key="correct horse") == "correct horse"
    assert accounts.authenticate("anna", "correct horse") == "anna"
    with pytest.raises(Invalid, match="at least 8"):
        accounts.add("ben", key="short")


def test_another_process_knows_the_same(accounts: Accounts, store: Store) -> None:
    """What is needed to check a key is in the database."""
    assert Accounts(store).authenticate(None, accounts.add("anna")) == "anna"


def test_wrong_calls(accounts: Accounts) -> None:
    """Names are unique and printable, roles known, accounts there."""
    accounts.add("anna")
    for name, role in (("anna", "user"), ("", "user"), ("a\nb", "user"), ("ben", "king")):
        with pytest.raises(Invalid):
            accounts.add(name, role)
    for call in (accounts.disable, accounts.enable, accounts.new_key):
        with pytest.raises(NotFound, match="no account `ben`"):
            call("ben")
