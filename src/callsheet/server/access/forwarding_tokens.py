"""Tokens by which a forwarded request says who calls: signed for one target, for a minute, readable by a public key.

They are no credentials here: a target that received one can do nothing on this server with it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from callsheet.server.access.login_secret import LoginSecret

__all__ = ["ForwardingTokens"]

ALGORITHM, ISSUER, SECONDS = "ES256", "callsheet", 60


class ForwardingTokens:
    """The tokens of one database: each of its servers signs with the same key, also after a restart."""

    def __init__(self, secret: LoginSecret, clock: Callable[[], datetime]) -> None:
        self._secret, self._clock = secret, clock
        self._key: Any = None

    def token(self, account: str, facts: Mapping[str, Any], audience: str) -> str:
        """A token with the caller's account (empty for nobody) and further facts, for the target ``audience``."""
        from joserfc import jwt

        key, now = self._signing_key(), int(self._clock().timestamp())
        said = {**facts, "sub": account, "iat": now, "exp": now + SECONDS, "jti": secrets.token_hex(16)}
        content = {"iss": ISSUER, "aud": audience, **said}
        header = {"alg": ALGORITHM, "kid": key.thumbprint()}
        return jwt.encode(header, content, key, algorithms=[ALGORITHM])

    def public_keys(self) -> dict[str, Any]:
        """The key set (RFC 7517) that a target checks the signatures by."""
        key = self._signing_key()
        public = key.as_dict(private=False)
        return {"keys": [{**public, "kid": key.thumbprint(), "use": "sig", "alg": ALGORITHM}]}

    def _signing_key(self) -> Any:
        if self._key is None:
            from cryptography.hazmat.primitives import serialization
            from cryptography.hazmat.primitives.asymmetric import ec
            from joserfc.jwk import ECKey

            # Any number below the order of the curve is a key; one of 32 random bytes that is not is never met.
            made = ec.derive_private_key(int.from_bytes(self._secret.made().forwarding), ec.SECP256R1())
            shape = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            self._key = ECKey.import_key(made.private_bytes(*shape))
        return self._key
