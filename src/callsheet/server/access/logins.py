"""Logging in and out: a name and a password, or an invitation, become the tokens of a login.

An unknown name, a wrong password, an account without one and a disabled account are refused by the same text after the
same work, so that nobody finds out which accounts there are.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import Connection

from callsheet.dialects.accounts import IssuedTokens
from callsheet.errors import Forbidden, Invalid, Unauthorised, Unavailable
from callsheet.server.access.access_tokens import AccessTokens
from callsheet.server.access.accounts import Accounts
from callsheet.server.access.audit import Audit
from callsheet.server.access.browser_logins import BrowserLogin, BrowserLogins
from callsheet.server.access.families import REUSED, Families, Login
from callsheet.server.access.forwarding_tokens import ForwardingTokens
from callsheet.server.access.invitations import REFUSED as WITHDRAWN
from callsheet.server.access.invitations import Invitation, Invitations
from callsheet.server.access.login_attempts import Attempt, LoginAttempts
from callsheet.server.access.login_secret import LoginSecret
from callsheet.server.access.passwords import Passwords
from callsheet.server.access.refresh_tokens import REFUSED, read_token
from callsheet.server.limits import Limits
from callsheet.server.store.store import Store

__all__ = ["Logins"]

DEVICE = 200
"""Characters of a device's label."""
REQUEST = 200
"""Characters of the name that a client gives to a request."""
_WRONG = "the name or the password is wrong"


class Logins:
    """The logins of one server; ``provider`` recognises their access tokens, ``browsers`` their cookies.

    ``forwarding`` says to other programs who calls.
    """

    def __init__(
        self,
        store: Store,
        accounts: Accounts,
        audit: Audit,
        limits: Limits,
        clock: Callable[[], datetime],
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._accounts, self._audit, self._limits = store, accounts, audit, limits
        self._secret = LoginSecret(store)
        self._families = Families(store, self._secret, limits, clock)
        self._passwords = Passwords(store, limits, clock)
        self._invitations = Invitations(store, clock)
        self._attempts = LoginAttempts(limits, timer)
        self.provider = AccessTokens(store, accounts, self._secret, clock)
        self.forwarding = ForwardingTokens(self._secret, clock)
        self._elsewhere: Callable[[str, str, str], str | None] | None = None
        self.browsers = BrowserLogins(store, accounts, self._secret, self._families, limits, clock)

    def ask_elsewhere(self, elsewhere: Callable[[str, str, str], str | None]) -> None:
        """Let a directory decide on passwords that are not right here: it returns the account, or None."""
        self._elsewhere = elsewhere

    def count_addresses_with(self, other: Logins) -> None:
        """Count attempts of an address, and the hashes that are computed, together with those of another workspace."""
        self._attempts.count_addresses_with(other._attempts)
        self._passwords.take_turns_with(other._passwords)

    def login(self, name: str, password: str, device: str = "", address: str = "") -> IssuedTokens:
        """The tokens of a new login. Raises `Unauthorised`, or `TooManyAttempts`."""
        label = _label(device)
        if len(name) > 255 or not name.isprintable():
            name = ""  # No account has this name, and not every database can look it up.
        account = self._account_of(name, password, address)
        return self._begun(account, label, address, "logged in")

    def sign_in(self, name: str, password: str, device: str = "", address: str = "") -> BrowserLogin:
        """A new login of a browser. Raises `Unauthorised`, or `TooManyAttempts`."""
        label = _label(device)
        if len(name) > 255 or not name.isprintable():
            name = ""
        account = self._account_of(name, password, address)
        return self._in_browser(self.browsers.begin(account, label, address), label, address)

    def sign_in_by_code(self, code: str, device: str = "", address: str = "") -> BrowserLogin:
        """The login of a code that a session made. Raises `Unauthorised`, or `TooManyAttempts`."""
        label, attempt = _label(device), self._attempts.begin("", address, known=False)
        found = self.browsers.use(code, address)
        attempt.was_right()
        return self._in_browser(found, label, address)

    def login_as(self, account: str, device: str = "", address: str = "", by: str = "") -> IssuedTokens:
        """The tokens of a new login of an account that a provider vouches for."""
        return self._begun(account, _label(device), address, f"signed on by {by}")

    def sign_in_as(self, account: str, device: str = "", address: str = "") -> BrowserLogin:
        """A new login of a browser, for an account that a provider vouches for."""
        label = _label(device)
        return self._in_browser(self.browsers.begin(account, label, address), label, address)

    def refresh(self, token: str, request: str, address: str = "") -> IssuedTokens:
        """The next tokens of a login. Raises `Unauthorised`; a token that was used before ends its login."""
        if not 0 < len(request) <= REQUEST or not request.isprintable():
            raise Invalid(f"`request` has 1 to {REQUEST} printable characters; make a UUID for each refresh")
        outcome = self._families.refresh(read_token(self._secret.known(), token), request, address)
        if isinstance(outcome, IssuedTokens):
            return outcome
        if isinstance(outcome, Login):
            self._accounts.changed()
            what = f"{REUSED}; the login{_of(outcome.device)} has ended"
            self._audit.note("login.refresh", what, account=outcome.account, address=address)
        raise Unauthorised(REFUSED)

    def logout(self, account: str, login: str, everywhere: bool, address: str = "") -> None:
        """End a login of an account, or all of them."""
        if everywhere:
            self._store.write(lambda connection: self._families.end_all(connection, account, "logged out everywhere"))
        elif login:
            self._families.end(login, "logged out")
        else:
            raise Invalid("an API key is not a login, and cannot log out; `everywhere` ends the logins of its account")
        self._accounts.changed()
        what = "logged out everywhere" if everywhere else "logged out"
        self._audit.happened("logout", what, account=account, address=address)

    def forget(self, token: str, everywhere: bool, address: str = "") -> None:
        """End the login of a refresh token, whether it was used before or not. Raises `Unauthorised` for no token."""
        login = read_token(self._secret.known(), token).login
        account = self._families.account_of(login)
        if account is not None:
            self.logout(account, login, everywhere, address)

    def set_password(self, account: str, password: str) -> None:
        """Give an account a password, and end its logins and its invitation."""
        hashed = self._passwords.hashed(account, password)

        def save(connection: Connection) -> None:
            self._accounts.check_exists(connection, account)
            self._passwords.save(connection, account, hashed)
            self._invitations.withdraw(connection, account)
            self._families.end_all(connection, account, "the password was changed")

        self._store.write(save)
        self._accounts.changed()

    def change_password(self, account: str, old: str, new: str, login: str = "", address: str = "") -> None:
        """Replace the password of an account by another, and end its logins but this one."""
        if not self._passwords.has(account):
            raise Invalid("your account has no password; ask an administrator for an invitation")
        try:
            self._check_password(account, old, address)
        except Unauthorised:
            # Not `Unauthorised`: a client would take its login for ended, renew it, and try the password again.
            raise Forbidden("the old password is wrong; nothing was changed") from None
        hashed = self._passwords.hashed(account, new)

        def save(connection: Connection) -> None:
            self._passwords.save(connection, account, hashed)
            self._families.end_all(connection, account, "the password was changed", but=login)

        self._store.write(save)
        self._accounts.changed()
        self._audit.happened("password", "changed the password", account=account, address=address)

    def invite(self, connection: Connection, account: str, days: float | None = None) -> Invitation:
        """An invitation of an account, in this transaction."""
        self._accounts.check_exists(connection, account)
        valid = timedelta(days=self._limits.invitation_days if days is None else days)
        return self._invitations.make(connection, account, valid)

    def accept(self, code: str, password: str, device: str = "", address: str = "") -> IssuedTokens:
        """Set the password of the account that an invitation is for, and log in. Its other logins end."""
        label, attempt = _label(device), self._attempts.begin("", address, known=False)
        account = self._invitations.account_of(code)
        attempt.was_right()
        known = self._accounts.get(account)
        if known is None or known.disabled:
            raise Unauthorised(WITHDRAWN)
        hashed = self._passwords.hashed(account, password)

        def save(connection: Connection) -> None:
            self._invitations.use(connection, code)
            self._passwords.save(connection, account, hashed)
            self._families.end_all(connection, account, "an invitation was accepted")

        self._store.write(save)
        self._accounts.changed()
        return self._begun(account, label, address, "accepted an invitation")

    def of(self, account: str) -> list[Login]:
        """The logins of an account, valid ones and those that have ended."""
        with self._store.reading() as connection:
            self._accounts.check_exists(connection, account)
        return self._families.of(account)

    def sign_out(self, account: str, reason: str = "signed out by an administrator") -> int:
        """End all logins of an account; returns how many there were."""

        def work(connection: Connection) -> int:
            self._accounts.check_exists(connection, account)
            return self._families.end_all(connection, account, reason)

        count = self._store.write(work)
        self._accounts.changed()
        return count

    def drop_old(self, connection: Connection) -> None:
        """Delete logins whose longest time is over."""
        self._families.drop_old(connection)

    def _check_password(self, name: str, password: str, address: str) -> None:
        """Raise `Unauthorised` unless this is the password that an account has here."""
        attempt = self._counted(name, address)
        if not self._is_right_here(name, password):
            raise self._wrong(name, address)
        attempt.was_right()

    def _account_of(self, name: str, password: str, address: str) -> str:
        """The account of a name and a password, here or in the directory; wrong ones of both are counted together."""
        attempt = self._counted(name, address)
        found = name if self._is_right_here(name, password) else None
        if found is None and self._elsewhere is not None:
            try:
                found = self._elsewhere(name, password, address)
            except (Forbidden, Unavailable):
                # The password was right, or nobody knows: it was no guess that failed.
                attempt.was_right()
                raise
        if found is None:
            raise self._wrong(name, address)
        attempt.was_right()
        return found

    def _is_right_here(self, name: str, password: str) -> bool:
        account = self._accounts.get(name)
        right = self._passwords.is_right(name, password)
        return account is not None and not account.disabled and right

    def _wrong(self, name: str, address: str) -> Unauthorised:
        # An unknown name is not recorded: it may be a password in the wrong field.
        known = self._accounts.get(name) is not None
        self._audit.note("login", _WRONG, account=name if known else "", address=address)
        return Unauthorised(_WRONG)

    def _counted(self, name: str, address: str) -> Attempt:
        return self._attempts.begin(name, address, self._families.is_known(name, address))

    def _in_browser(self, login: BrowserLogin, device: str, address: str) -> BrowserLogin:
        self._audit.happened("login", f"signed in a browser{_of(device)}", account=login.account, address=address)
        return login

    def _begun(self, account: str, device: str, address: str, what: str) -> IssuedTokens:
        issued = self._families.begin(account, device, address)
        self._audit.happened("login", f"{what}{_of(device)}", account=account, address=address)
        return issued


def _label(device: str) -> str:
    """The label of a device."""
    if len(device) > DEVICE or not device.isprintable():
        raise Invalid(f"`device` is a label of at most {DEVICE} printable characters")
    return device.strip()


def _of(device: str) -> str:
    return f" on {device}" if device else ""
