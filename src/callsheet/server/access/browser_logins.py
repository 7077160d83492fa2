"""Logins of browsers: a cookie says which login a page acts for, and a token in a header that the page itself asks.

A cookie is ``cw_<login>_<signature>``: no script reads it, and it is good while its login is. A browser sends cookies
with requests that other sites cause, too. So whatever may change something also needs the login's token, which only a
page of this server can read.

A session in Python hands its account to a browser by a code: it is good for half a minute, and once.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from attrs import field, frozen
from sqlalchemy import Connection, Row, delete, select, update

from callsheet.dialects.routes import Credentials
from callsheet.errors import Unauthorised
from callsheet.server.access.accounts import Accounts
from callsheet.server.access.families import Families
from callsheet.server.access.login_secret import LoginKeys, LoginSecret
from callsheet.server.access.principal import Principal
from callsheet.server.limits import Limits
from callsheet.server.store.store import Store

__all__ = ["BrowserLogin", "BrowserLogins"]

CODE_SECONDS = 30
NOTED = timedelta(seconds=60)
"""A login's last use is written down at most this often."""
READS, WRITES = "browser reads", "browser writes"
"""Kinds of credentials: a cookie; a cookie and the token."""
_COOKIE = re.compile(r"cw_([0-9a-f]{32})_([0-9a-f]{64})")
_CODE = re.compile(r"cc_[0-9a-f]{64}")
_UNUSED = "code"
"""What the row of a login has as ``request`` until its code is used."""
_ENDED = "you are signed out; sign in again"
_REFUSED = "this code was used, or is older than half a minute; open the page from your session again"


@frozen
class BrowserLogin:
    """A login of a browser: its cookie, and the token that requests which change something carry."""

    account: str
    id: str
    cookie: str = field(repr=False)
    token: str = field(repr=False)
    seconds: float = 0.0
    """How long the cookie is good at most."""


class BrowserLogins:
    """The logins of browsers of one server; it is also the provider that recognises their cookies."""

    name = "browser"

    def __init__(
        self,
        store: Store,
        accounts: Accounts,
        secret: LoginSecret,
        families: Families,
        limits: Limits,
        clock: Callable[[], datetime],
    ) -> None:
        self._store, self._accounts, self._secret, self._clock = store, accounts, secret, clock
        self._families, self._table = families, store.table("_login")
        self._idle, self._most = timedelta(hours=limits.browser_idle_hours), timedelta(hours=limits.browser_most_hours)

    # Signing in

    def begin(self, account: str, device: str, address: str) -> BrowserLogin:
        """A new login of an account whose password was right."""
        login = secrets.token_hex(16)
        self._insert(account, login, device, address, self._most, None, secrets.token_hex(32))
        return self._issued(account, login, self._most)

    def code(self, account: str, device: str, address: str) -> str:
        """A code by which a browser signs in as an account: once, within half a minute."""
        code = f"cc_{secrets.token_hex(32)}"
        lasting = timedelta(seconds=CODE_SECONDS)
        self._insert(account, secrets.token_hex(16), device, address, lasting, _UNUSED, _digest(code))
        return code

    def use(self, code: str, address: str) -> BrowserLogin:
        """The login of a code. Raises `Unauthorised` for one that was used, or that is too old."""
        if _CODE.fullmatch(code) is None:
            raise Unauthorised(_REFUSED)
        digest, table, accounts = _digest(code), self._table, self._store.table("_account")

        def work(connection: Connection) -> Row[Any] | None:
            here = (table.c.token == digest) & (table.c.request == _UNUSED) & table.c.ended.is_(None)
            row = connection.execute(select(table).where(here).with_for_update()).first()
            now = self._clock()
            if row is None or row.expires <= now:
                return None
            # A browser that a key signs in is not signed in for longer than the key is good.
            key = connection.execute(select(accounts.c.expires).where(accounts.c.name == row.account)).scalar()
            expires = now + self._most
            values = {
                "token": _digest(secrets.token_hex(32)),
                "request": None,
                "last_used": now,
                "expires": min(expires, key) if key is not None and key > now else expires,
                "address": address or row.address,
            }
            connection.execute(update(table).where(table.c.id == row.id), values)
            return row

        row = self._store.write(work)
        if row is None:
            raise Unauthorised(_REFUSED)
        return self._issued(row.account, row.id, self._most)

    def token(self, login: str) -> str:
        """The token of a login, for a page whose cookie was recognised."""
        return _signature(self._secret.made(), "token", login)[:32]

    # Recognising

    @property
    def generation(self) -> int:
        return self._accounts.generation

    def is_guessable(self, credentials: Credentials) -> bool:
        """False for what has a signature, which nobody guesses."""
        return credentials.kind not in (READS, WRITES) or _COOKIE.match(credentials.secret) is None

    def authenticate(self, credentials: Credentials) -> Principal | None:
        """The account of a cookie; None for credentials of another kind."""
        if credentials.kind not in (READS, WRITES):
            return None
        cookie, _, token = credentials.secret.partition(" ")
        login = self._login_of(cookie)
        if credentials.kind == WRITES and not hmac.compare_digest(token.encode(), self.token(login).encode()):
            raise Unauthorised("this request lacks the token of your login; reload the page")
        account, expires = self._valid(login)
        return Principal(account, provider=self.name, login=login, expires=expires)

    def _login_of(self, cookie: str) -> str:
        found, keys = _COOKIE.fullmatch(cookie), self._secret.known()
        if found is None or keys is None or not hmac.compare_digest(found[2], _signature(keys, "cookie", found[1])):
            raise Unauthorised(_ENDED)
        return found[1]

    def _valid(self, login: str) -> tuple[str, datetime]:
        """The account of a login that has not ended, and until when it is good unused; its use is written down."""
        table, accounts = self._table, self._store.table("_account")
        wanted = select(table, accounts.c.disabled).join(accounts, accounts.c.name == table.c.account)
        with self._store.reading() as connection:
            row = connection.execute(wanted.where(table.c.id == login)).first()
        now = self._clock()
        if row is None or row.ended is not None or row.disabled or row.request == _UNUSED or row.expires <= now:
            raise Unauthorised(_ENDED)
        if row.last_used + self._idle <= now:
            self._families.end(login, "it was not used for too long")
            raise Unauthorised(_ENDED)
        used = row.last_used
        if used + NOTED <= now:
            used, here = now, update(table).where(table.c.id == login)
            self._store.write(lambda connection: connection.execute(here, {"last_used": now}))
        return row.account, min(row.expires, used + self._idle)

    # Rows

    def _insert(
        self, account: str, login: str, device: str, address: str, lasting: timedelta, request: str | None, token: str
    ) -> None:
        now = self._clock()
        row = {
            "id": login,
            "account": account,
            "device": device,
            "address": address,
            "created": now,
            "last_used": now,
            "rotated": now,
            "expires": now + lasting,
            "token": token,
            "request": request,
        }
        columns = self._table.c
        unused = (columns.account == account) & (columns.request == _UNUSED) & (columns.expires <= now)

        def save(connection: Connection) -> None:
            connection.execute(delete(self._table).where(unused))
            self._families.add(connection, row)

        self._store.write(save)

    def _issued(self, account: str, login: str, lasting: timedelta) -> BrowserLogin:
        signature = _signature(self._secret.made(), "cookie", login)
        return BrowserLogin(account, login, f"cw_{login}_{signature}", self.token(login), lasting.total_seconds())


def _signature(keys: LoginKeys, purpose: str, login: str) -> str:
    return hmac.new(keys.browser, f"{purpose}\n{login}".encode(), "sha256").hexdigest()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
