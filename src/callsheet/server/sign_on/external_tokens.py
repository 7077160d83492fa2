"""Tokens of an external issuer, presented where an API key is: who calls, and in which groups, until they expire.

Of several tokens of one person the newest decides what it may do: an older one, issued with other groups, does not give
them back.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from callsheet.dialects.routes import Credentials
from callsheet.errors import Forbidden, Unauthorised
from callsheet.server.access.identities import Identities
from callsheet.server.access.principal import Principal
from callsheet.server.sign_on.directory import ExternalPerson, PeopleDirectory
from callsheet.server.sign_on.oidc_metadata import KeyRing, ProviderMetadata
from callsheet.server.sign_on.oidc_tokens import decoded, groups_of, said_unverified
from callsheet.server.sign_on.outbound import Outbound
from callsheet.server.sign_on.settings import JwtSettings

__all__ = ["ExternalTokens"]

_TOKEN = re.compile(r"eyJ[\w-]+\.eyJ[\w-]+\.[\w-]{40,}", re.ASCII)


class ExternalTokens:
    """The provider for tokens of one issuer. Tokens of others are not its business."""

    name = "jwt"
    generation = 0

    def __init__(
        self, settings: JwtSettings, identities: Identities, directory: PeopleDirectory, clock: Callable[[], datetime]
    ) -> None:
        self.settings, self._identities, self._directory, self._clock = settings, identities, directory, clock
        self._outbound = Outbound(settings.certificate_authority)
        metadata = ProviderMetadata(settings.issuer, self._outbound, clock)
        self._keys = KeyRing(lambda: settings.keys or metadata.get().keys, self._outbound, clock)

    def close(self) -> None:
        self._outbound.close()

    def is_guessable(self, credentials: Credentials) -> bool:
        """False for what looks signed, which nobody guesses."""
        return not self._is_ours(credentials)

    def authenticate(self, credentials: Credentials) -> Principal | None:
        """The account of a token of this issuer; None for anything else. Raises `Unauthorised`, with the reason."""
        if not self._is_ours(credentials):
            return None
        claims = self._claims(credentials.secret)
        try:
            account = self._account(claims)
        except Forbidden as error:
            raise Unauthorised(str(error)) from None
        if credentials.user is not None and credentials.user != account:
            raise Unauthorised("the token belongs to another user than the one given")
        expires = datetime.fromtimestamp(int(claims["exp"]), UTC)
        return Principal(account, provider=self.name, expires=expires)

    def _is_ours(self, credentials: Credentials) -> bool:
        if credentials.kind not in ("bearer", "key") or _TOKEN.fullmatch(credentials.secret) is None:
            return False
        return said_unverified(credentials.secret).get("iss") == self.settings.issuer

    def _claims(self, token: str) -> dict[str, Any]:
        from joserfc.errors import JoseError
        from joserfc.jwt import JWTClaimsRegistry

        settings, found = self.settings, decoded(token, self._keys, self.settings.algorithms)
        kind = found.header.get("typ", "JWT")
        if not isinstance(kind, str) or kind.lower() not in ("jwt", "at+jwt", "application/at+jwt"):
            raise Unauthorised("this is a token for another purpose: typ")
        wanted: Any = {
            "iss": {"essential": True, "value": settings.issuer},
            "aud": {"essential": True, "value": settings.audience},
            "exp": {"essential": True},
            "iat": {"essential": True},
            "sub": {"essential": True},
        }
        try:
            registry = JWTClaimsRegistry(int(self._clock().timestamp()), int(settings.leeway_seconds), **wanted)
            registry.validate(found.claims)
        except (JoseError, ValueError, TypeError) as error:
            raise Unauthorised(f"the token is not valid here: {getattr(error, 'claim', '') or error}") from None
        claims = dict(found.claims)
        if not isinstance(claims["sub"], str) or not all(_is_moment(claims[name]) for name in ("exp", "iat")):
            raise Unauthorised("the token is not valid here: sub, exp or iat")
        return claims

    def _account(self, claims: dict[str, Any]) -> str:
        settings, issued = self.settings, str(int(claims["iat"]))
        subject, name = f"{settings.issuer}#{claims['sub']}"[:600], claims.get(settings.name_claim)
        known = self._identities.find(self.name, subject)
        if known is not None and known.state.isdigit() and int(known.state) > int(issued):
            return known.account
        if not isinstance(name, str):
            raise Unauthorised(f"the token says nothing in `{settings.name_claim}`, which is the account's name here")
        groups = groups_of(claims.get(settings.groups_claim))
        return self._directory.admit(ExternalPerson(self.name, subject, name, groups, state=issued), settings)


def _is_moment(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e11
