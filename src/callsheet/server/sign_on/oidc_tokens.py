"""ID tokens of an OpenID provider, verified: by the provider's keys and the allowed algorithms, for this client.

What a token says of its own key or algorithm decides nothing: the key is one of the provider's published ones, and the
algorithm one of those in the settings.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

import msgspec

from callsheet.errors import Forbidden, Unauthorised
from callsheet.server.sign_on.directory import ExternalPerson
from callsheet.server.sign_on.oidc_metadata import KeyRing
from callsheet.server.sign_on.settings import OidcSettings

__all__ = ["decoded", "groups_of", "person_of", "said_unverified", "verified_claims"]

LONGEST = 16 * 2**10
_COMPACT = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
_GROUPS = 1_000


def decoded(token: object, keys: KeyRing, algorithms: Collection[str]) -> Any:
    """A signed token after a check of its signature: ``header`` and ``claims``. Raises `Unauthorised`."""
    from joserfc import jwt
    from joserfc.errors import JoseError

    if not isinstance(token, str) or len(token) > LONGEST or _COMPACT.fullmatch(token) is None:
        raise Unauthorised("the provider's token cannot be read")
    header = _header(token)
    if header.get("alg") not in algorithms:
        raise Unauthorised(
            f"the token is signed by {header.get('alg')!r:.20}, and accepted are {', '.join(algorithms)}"
        )
    key_id = header.get("kid")
    if key_id is not None and not isinstance(key_id, str):
        raise Unauthorised("the provider's token cannot be read")
    try:
        return jwt.decode(token, keys.key(key_id), algorithms=list(algorithms))
    except (JoseError, ValueError, TypeError, RecursionError):
        raise Unauthorised("the signature of the token is wrong") from None


def verified_claims(
    token: object, nonce: str | None, access_token: str | None, settings: OidcSettings, keys: KeyRing, now: datetime
) -> Mapping[str, Any]:
    """The claims of an ID token of this client. Raises `Unauthorised`, which names the claim that is wrong."""
    from authlib.oidc.core import CodeIDToken
    from joserfc.errors import JoseError

    found = decoded(token, keys, settings.algorithms)
    options = {
        "iss": {"essential": True, "value": settings.issuer},
        "aud": {"essential": True, "value": settings.client_id},
    }
    wanted = {"client_id": settings.client_id, "nonce": nonce, "access_token": access_token}
    try:
        claims = CodeIDToken(found.claims, found.header, options, wanted)
        claims.validate(int(now.timestamp()), int(settings.leeway_seconds))
    except (JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
        claim = getattr(error, "claim", "") or str(error)[:80]
        raise Unauthorised(f"the ID token is not for this sign-on: {claim}") from None
    if nonce is None and "nonce" in found.claims:
        raise Unauthorised("the ID token is of another sign-on: nonce")
    return dict(found.claims)


def person_of(claims: Mapping[str, Any], settings: OidcSettings, state: str = "") -> ExternalPerson:
    """The person that claims are about. Raises `Unauthorised` without a subject, `Forbidden` without a usable name."""
    subject, name = claims.get("sub"), claims.get(settings.name_claim)
    if not isinstance(subject, str) or not 0 < len(subject) <= 255 or not subject.isprintable():
        raise Unauthorised("the provider does not say who signs on: sub")
    if not isinstance(name, str) or not name:
        raise Forbidden(f"the provider says nothing in `{settings.name_claim}`, which is the account's name here")
    if settings.name_claim == "email" and claims.get("email_verified") is not True:
        raise Forbidden("the provider has not verified your e-mail address, so it names no account here")
    return ExternalPerson(
        "oidc",
        f"{settings.issuer}#{subject}",
        name,
        groups_of(claims.get(settings.groups_claim)),
        _text(claims.get("given_name")),
        _text(claims.get("family_name")),
        _text(claims.get("email")),
        state,
    )


def groups_of(value: object) -> frozenset[str]:
    """The groups in a claim: a list of texts. A single text is one group, whatever is in it."""
    given = [value] if isinstance(value, str) else value
    return (
        frozenset(each for each in given[:_GROUPS] if isinstance(each, str)) if isinstance(given, list) else frozenset()
    )


def _text(value: object) -> str:
    return value.strip()[:255] if isinstance(value, str) and value.isprintable() else ""


def said_unverified(token: str) -> Mapping[str, Any]:
    """What a token says before its signature is checked: whose it claims to be, and nothing more."""
    return _part(token, 1)


def _header(token: str) -> Mapping[str, Any]:
    return _part(token, 0)


def _part(token: str, number: int) -> Mapping[str, Any]:
    text = token.split(".")[number]
    try:
        found = msgspec.json.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
