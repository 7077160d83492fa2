"""What an OpenID provider says of itself: its addresses, and the keys that it signs with, which it may replace.

A key that is not known yet is looked for once, at most every `AGAIN_SECONDS`, so that unknown keys in forged tokens do
not make this server request without end.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from attrs import frozen

from callsheet.errors import Unauthorised, Unavailable, UsageError
from callsheet.server.sign_on.outbound import Outbound
from callsheet.server.sign_on.settings import check_address

__all__ = ["KeyRing", "Metadata", "ProviderMetadata"]

KEPT = timedelta(hours=1)
AGAIN_SECONDS = 10.0


class KeyRing:
    """The public keys at one address."""

    def __init__(self, address: Callable[[], str], outbound: Outbound, clock: Callable[[], datetime]) -> None:
        self._address, self._outbound, self._clock = address, outbound, clock
        self._keys: dict[str, Any] = {}
        self._read: datetime | None = None
        self._lock = threading.Lock()

    def key(self, key_id: str | None) -> Any:
        """The key of this id; without an id, the only one there is. Raises `Unauthorised` if there is none."""
        with self._lock:
            now = self._clock()
            if self._read is None or now - self._read > KEPT:
                self._load(now)
            found = self._found(key_id)
            if found is None and self._read is not None and now - self._read >= timedelta(seconds=AGAIN_SECONDS):
                self._load(now)
                found = self._found(key_id)
        if found is None:
            raise Unauthorised("the token is signed with a key that the provider does not have")
        return found

    def _found(self, key_id: str | None) -> Any:
        if key_id is not None:
            return self._keys.get(key_id)
        return next(iter(self._keys.values())) if len(self._keys) == 1 else None

    def _load(self, now: datetime) -> None:
        from joserfc.errors import JoseError
        from joserfc.jwk import JWKRegistry

        reply = self._outbound.get(self._address())
        given = reply.data.get("keys")
        if reply.status != 200 or not isinstance(given, list):
            raise Unavailable(f"the provider's keys cannot be read (status {reply.status})")
        self._keys, self._read = {}, now
        for number, each in enumerate(given[:100]):
            # A shared secret in a list of public keys would let others sign.
            if not isinstance(each, dict) or each.get("kty") not in ("RSA", "EC", "OKP"):
                continue
            if each.get("use", "sig") != "sig":
                continue
            try:
                self._keys[str(each.get("kid", f"number {number}"))] = JWKRegistry.import_key(each)
            except (JoseError, ValueError, TypeError, KeyError):
                continue


@frozen
class Metadata:
    """The addresses of a provider; empty for those that it does not have."""

    issuer: str
    authorization: str
    token: str
    keys: str
    userinfo: str = ""
    device: str = ""
    end_session: str = ""
    revocation: str = ""
    names_itself: bool = False
    """Whether each of its answers has its name as ``iss`` (RFC 9207)."""


class ProviderMetadata:
    """The metadata of one issuer, discovered when first needed, and again after an hour."""

    def __init__(self, issuer: str, outbound: Outbound, clock: Callable[[], datetime]) -> None:
        self._issuer, self._outbound, self._clock = issuer, outbound, clock
        self._found: Metadata | None = None
        self._read: datetime | None = None

    def get(self) -> Metadata:
        """The metadata. Raises `Unavailable` if they cannot be read, or are those of another issuer."""
        now = self._clock()
        if self._found is None or self._read is None or now - self._read > KEPT:
            try:
                self._found, self._read = self._discovered(), now
            except Unavailable:
                if self._found is None:
                    raise
        return self._found

    def _discovered(self) -> Metadata:
        reply = self._outbound.get(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
        said = reply.data
        if reply.status != 200 or said.get("issuer") != self._issuer:
            raise Unavailable(
                f"{self._issuer} is no OpenID provider of this name: its discovery answers {reply.status}"
                f" for the issuer {said.get('issuer')!r:.200}"
            )
        return Metadata(
            self._issuer,
            _address(said, "authorization_endpoint", True),
            _address(said, "token_endpoint", True),
            _address(said, "jwks_uri", True),
            _address(said, "userinfo_endpoint"),
            _address(said, "device_authorization_endpoint"),
            _address(said, "end_session_endpoint"),
            _address(said, "revocation_endpoint"),
            said.get("authorization_response_iss_parameter_supported") is True,
        )


def _address(said: Mapping[str, Any], name: str, needed: bool = False) -> str:
    found = said.get(name)
    if not found and not needed:
        return ""
    if not isinstance(found, str):
        raise Unavailable(f"the provider has no `{name}`")
    try:
        check_address(name, found.partition("?")[0])
    except UsageError as error:
        raise Unavailable(str(error)) from None
    return found
