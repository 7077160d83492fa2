"""Access tokens: signed JSON web tokens that say who calls, for some minutes, and carry no rights.

The algorithm is fixed, and a token is for one database. A token is valid while its login is: that is looked up as a
key is, at most once a second, and again after any change of accounts or logins.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from attrs import frozen
from sqlalchemy import select

from callsheet.dialects.routes import Credentials
from callsheet.errors import Unauthorised
from callsheet.server.access.accounts import Accounts
from callsheet.server.access.login_secret import LoginKeys, LoginSecret
from callsheet.server.access.principal import Principal
from callsheet.server.store.store import Store

__all__ = ["AccessTokens", "Claims", "signed"]

ALGORITHM, ISSUER = "HS256", "callsheet"
_TOKEN = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]*", re.ASCII)
_SIGNED = re.compile(r"[\w-]+\.[\w-]+\.[\w-]{43}", re.ASCII)
_REFUSED = "the access token is not valid here, or has expired; refresh it, or log in again"
_ENDED = "the login of this access token has ended; log in again"


@frozen
class Claims:
    """What a token says: the account, its login, and the seconds since 1970 from and until which it is valid."""

    account: str
    login: str
    issued: int
    expires: int
    number: str


def signed(keys: LoginKeys, claims: Claims) -> str:
    """The token of these claims; the same claims give the same token."""
    from joserfc import jwt
    from joserfc.jwk import OctKey

    said = {"sub": claims.account, "sid": claims.login, "iat": claims.issued, "exp": claims.expires}
    content = {"iss": ISSUER, "aud": keys.audience, **said, "jti": claims.number}
    return jwt.encode({"alg": ALGORITHM}, content, OctKey.import_key(keys.access))


class AccessTokens:
    """The provider for access tokens, whichever way a dialect sends them: where an API key goes, a token may go."""

    name = "login"

    def __init__(self, store: Store, accounts: Accounts, secret: LoginSecret, clock: Callable[[], datetime]) -> None:
        self._store, self._accounts, self._secret, self._clock = store, accounts, secret, clock

    @property
    def generation(self) -> int:
        return self._accounts.generation

    def is_guessable(self, credentials: Credentials) -> bool:
        """False for what has a signature, which nobody guesses."""
        return not _is_token(credentials) or _SIGNED.fullmatch(credentials.secret) is None

    def authenticate(self, credentials: Credentials) -> Principal | None:
        """The account of a token; None for what does not look like one."""
        if not _is_token(credentials):
            return None
        claims = self._claims(credentials.secret)
        self._check_login(claims)
        if credentials.user is not None and credentials.user != claims.account:
            raise Unauthorised("the access token belongs to another user than the one given")
        expires = datetime.fromtimestamp(claims.expires, UTC)
        return Principal(claims.account, provider=self.name, login=claims.login, expires=expires)

    def _claims(self, token: str) -> Claims:
        keys = self._secret.known()
        if keys is None:
            raise Unauthorised(_REFUSED)
        from joserfc import jwt
        from joserfc.errors import JoseError
        from joserfc.jwk import OctKey

        now = int(self._clock().timestamp())
        there: dict[str, Any] = {name: {"essential": True} for name in ("sub", "sid", "iat", "exp", "jti")}
        our: dict[str, Any] = {"iss": ISSUER, "aud": keys.audience}
        exact: dict[str, Any] = {name: {"essential": True, "value": value} for name, value in our.items()}
        registry = jwt.JWTClaimsRegistry(now, **there, **exact)
        try:
            content = jwt.decode(token, OctKey.import_key(keys.access), algorithms=[ALGORITHM]).claims
            registry.validate(content)
        except (JoseError, ValueError, TypeError, RecursionError):
            raise Unauthorised(_REFUSED) from None
        account, login, number = (content[name] for name in ("sub", "sid", "jti"))
        if not all(isinstance(each, str) for each in (account, login, number)):
            raise Unauthorised(_REFUSED)
        return Claims(account, login, int(content["iat"]), int(content["exp"]), number)

    def _check_login(self, claims: Claims) -> None:
        """Raise `Unauthorised` if the login has ended, or its account is disabled; one read, as for a key."""
        logins, accounts = self._store.table("_login"), self._store.table("_account")
        wanted = select(logins.c.ended, logins.c.expires, accounts.c.disabled).join(
            accounts, accounts.c.name == logins.c.account
        )
        here = (logins.c.id == claims.login) & (logins.c.account == claims.account)
        with self._store.reading() as connection:
            row = connection.execute(wanted.where(here)).first()
        if row is None or row.ended is not None or row.disabled or row.expires <= self._clock():
            raise Unauthorised(_ENDED)


def _is_token(credentials: Credentials) -> bool:
    return credentials.kind in ("bearer", "key") and _TOKEN.fullmatch(credentials.secret) is not None
