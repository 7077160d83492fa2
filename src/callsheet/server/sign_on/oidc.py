"""Signing on by an OpenID provider: in a browser by the code flow with PKCE, in a terminal by the device flow.

Theory. What begins in a browser must end in the same one. So the state of a sign-on (its name, the nonce, the verifier,
where to go afterwards) is sealed in a cookie of that browser, and the address that the provider sends the browser back
to has its name. A callback without the cookie, with another one, or for the second time is refused. The code is worth
nothing without the verifier, which never leaves the cookie and this server; the ID token is bound by the nonce. There
is one provider, its addresses come from its own discovery, and its name in an answer has to be its own.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from attrs import frozen

from callsheet.bounded import BoundedDict
from callsheet.errors import Invalid, Unauthorised, Unavailable
from callsheet.server.access.identities import Identities, KnownIdentity
from callsheet.server.sign_on.directory import ExternalPerson
from callsheet.server.sign_on.oidc_metadata import KeyRing, ProviderMetadata
from callsheet.server.sign_on.oidc_tokens import person_of, verified_claims
from callsheet.server.sign_on.outbound import Outbound, ProviderReply
from callsheet.server.sign_on.sealing import Seals
from callsheet.server.sign_on.settings import OidcSettings
from callsheet.transport.address import read_address

__all__ = ["BrowserBegin", "DeviceBegin", "OidcProvider"]

MINUTES = 10
CALLBACK = "explorer/x/oidc/callback"
"""Where the provider sends a browser back to, below the server's address."""
PAGE = "explorer/"
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
USED = 10_000
_ERROR = re.compile(r"[a-z_]{1,40}")


@frozen
class BrowserBegin:
    """Where a browser goes to sign on, and the cookie that it keeps meanwhile."""

    location: str
    name: str
    cookie: str
    seconds: float = MINUTES * 60.0


@frozen
class DeviceBegin:
    """What a terminal shows, and the handle by which it looks how far its person is."""

    user_code: str
    verification_uri: str
    verification_uri_complete: str
    interval: float
    expires_in: float
    handle: str


class OidcProvider:
    """One OpenID provider, and this server as its client."""

    name = "oidc"

    def __init__(
        self, settings: OidcSettings, identities: Identities, seals: Seals, clock: Callable[[], datetime]
    ) -> None:
        self.settings, self._identities, self._seals, self._clock = settings, identities, seals, clock
        self._outbound = Outbound(settings.certificate_authority)
        self._metadata = ProviderMetadata(settings.issuer, self._outbound, clock)
        self._keys = KeyRing(lambda: self._metadata.get().keys, self._outbound, clock)
        self._used: BoundedDict[str, bool] = BoundedDict(USED)

    def close(self) -> None:
        self._outbound.close()

    # In a browser

    def begin(self, server: str, to: str) -> BrowserBegin:
        """Where a browser of this server goes, and comes back to see the page ``to``."""
        from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
        from authlib.oauth2.rfc7636 import create_s256_code_challenge

        state, nonce, verifier = secrets.token_hex(16), secrets.token_hex(16), secrets.token_urlsafe(48)
        location = prepare_grant_uri(
            self._metadata.get().authorization,
            self.settings.client_id,
            "code",
            self._callback(server),
            " ".join(self.settings.scopes),
            state,
            nonce=nonce,
            code_challenge=create_s256_code_challenge(verifier),
            code_challenge_method="S256",
            **({"prompt": "consent"} if "offline_access" in self.settings.scopes else {}),
        )
        kept = {"state": state, "nonce": nonce, "verifier": verifier, "to": page_path(to)}
        return BrowserBegin(location, cookie_name(state), self._seals.seal("oidc state", kept, MINUTES * 60))

    def finish(
        self, server: str, answer: Sequence[tuple[str, str]], cookies: Mapping[str, str]
    ) -> tuple[ExternalPerson, str]:
        """Who came back from the provider, and the page to show. Raises `Unauthorised`, which says what is wrong."""
        said = dict(answer)
        if len(said) != len(answer):
            raise Unauthorised("a parameter of this sign-on is there twice; begin again")
        state = said.get("state", "")
        kept = self._kept(state, cookies.get(cookie_name(state), ""))
        self._check_issuer(said.get("iss"))
        if "error" in said:
            code = said["error"] if _ERROR.fullmatch(said["error"]) else "an error without a name"
            raise Unauthorised(f"the provider did not sign you on: {code}")
        if not said.get("code"):
            raise Unauthorised("the provider sent no code; begin again")
        tokens = self._token_request(
            "authorization_code",
            code=said["code"],
            redirect_uri=self._callback(server),
            code_verifier=kept["verifier"],
        )
        return self._signed_on(tokens, kept["nonce"]), str(kept["to"])

    def _kept(self, state: str, cookie: str) -> Mapping[str, str]:
        """The state of a sign-on that this browser began, and did not finish before."""
        if not state or not cookie:
            raise Unauthorised("this sign-on was not begun in this browser, or is finished; begin again")
        try:
            kept: Mapping[str, str] = self._seals.open("oidc state", cookie)
        except Unauthorised as error:
            raise Unauthorised(f"this sign-on cannot go on: {error}; begin again") from None
        if not hmac.compare_digest(kept["state"].encode(), state.encode()):
            raise Unauthorised("this is the answer to another sign-on; begin again")
        digest = hashlib.sha256(state.encode()).hexdigest()
        if digest in self._used:
            raise Unauthorised("this sign-on is finished; begin again")
        self._used[digest] = True
        return kept

    def _check_issuer(self, issuer: str | None) -> None:
        """Raise `Unauthorised` for the answer of another provider (a mix-up, RFC 9207)."""
        if issuer is None and not self._metadata.get().names_itself:
            return
        if issuer != self.settings.issuer:
            raise Unauthorised("this is the answer of another provider: iss; begin again")

    def _callback(self, server: str) -> str:
        if self.settings.public_url:
            return f"{self.settings.public_url.rstrip('/')}/{CALLBACK}"
        if not read_address(server).loopback:
            # The host name is what the request says, so it is not sent to the provider.
            raise Invalid("signing on needs the setting `authentication.oidc.public_url`, this server's own address")
        return f"{server.rstrip('/')}/{CALLBACK}"

    # In a terminal

    def begin_device(self) -> DeviceBegin:
        """A code that somebody enters at the provider, in any browser."""
        address = self._metadata.get().device
        if not address:
            raise Invalid("the provider has no sign-on for terminals; open the explorer's page, or use an API key")
        reply = self._post(address, [("scope", " ".join(self.settings.scopes))])
        said = reply.data
        code, shown, where = (said.get(name) for name in ("device_code", "user_code", "verification_uri"))
        if reply.status != 200 or not all(isinstance(each, str) and each for each in (code, shown, where)):
            raise Unauthorised(f"the provider began no sign-on: {_error_of(reply)}")
        seconds = min(_positive(said.get("expires_in"), 600), 1800)
        handle = self._seals.seal("oidc device", code, seconds)
        complete = said.get("verification_uri_complete")
        return DeviceBegin(
            str(shown),
            str(where),
            complete if isinstance(complete, str) else "",
            min(_positive(said.get("interval"), 5), 60),
            seconds,
            handle,
        )

    def finish_device(self, handle: str) -> ExternalPerson | None:
        """Who signed on by a device code; None while nobody has. Raises `Unauthorised` if it was refused."""
        code = self._seals.open("oidc device", handle)
        try:
            tokens = self._token_request(DEVICE_GRANT, device_code=code)
        except PendingSignOn:
            return None
        return self._signed_on(tokens, None)

    # Reading again

    def is_readable(self, identity: KnownIdentity) -> bool:
        """Whether the person has signed on, so that there are tokens of it."""
        return bool(identity.state)

    def read(self, identity: KnownIdentity) -> ExternalPerson | None:
        """The person as the provider describes it now; None if its tokens are not accepted any more."""
        try:
            kept = self._seals.open("oidc tokens", identity.state)
        except Unauthorised:
            return None
        now, person = self._clock().timestamp(), None
        if kept["until"] > now + 5:
            person = self._described(kept, identity)
        if person is None and kept["refresh"]:
            kept = self._refreshed(kept, identity)
            person = None if kept is None else self._described(kept, identity)
        return person

    def _refreshed(self, kept: Mapping[str, Any], identity: KnownIdentity) -> dict[str, Any] | None:
        try:
            tokens = self._token_request("refresh_token", refresh_token=kept["refresh"])
        except Unauthorised:
            return None
        fresh = self._tokens(tokens, {**kept})
        # The old refresh token may be used up: the new one is stored before anything else can fail.
        self._identities.keep_state(identity.provider, identity.subject, self._seals.seal("oidc tokens", fresh))
        return fresh

    def _described(self, kept: Mapping[str, Any], identity: KnownIdentity) -> ExternalPerson | None:
        """The person, by the provider's user information; None if the token is not accepted."""
        claims = dict(kept["claims"])
        address = self._metadata.get().userinfo
        if address:
            reply = self._outbound.get(address, {"authorization": f"Bearer {kept['access']}"})
            if reply.status in (400, 401, 403):
                return None
            if reply.status != 200 or not reply.data:
                raise Unavailable(f"the provider's user information answers {reply.status}")
            claims |= reply.data
        person = person_of(claims, self.settings, self._seals.seal("oidc tokens", {**kept}))
        return person if person.subject == identity.subject else None

    def leave(self, identity: KnownIdentity | None, server: str) -> str:
        """Where a browser ends its login at the provider, too; empty if the provider has no such place."""
        from authlib.common.urls import add_params_to_uri

        try:
            metadata = self._metadata.get()
            back = self._callback(server).removesuffix(CALLBACK) + PAGE
        except (Unavailable, Invalid):
            return ""
        if not metadata.end_session or identity is None:
            return ""
        parameters = [("client_id", self.settings.client_id), ("post_logout_redirect_uri", back)]
        try:
            hint = self._seals.open("oidc tokens", identity.state)["id"]
        except Unauthorised:
            hint = ""
        found: str = add_params_to_uri(
            metadata.end_session, [*parameters, *([("id_token_hint", hint)] if hint else [])]
        )
        return found

    # Tokens

    def _signed_on(self, tokens: Mapping[str, Any], nonce: str | None) -> ExternalPerson:
        """The person of a token response."""
        access = tokens.get("access_token")
        if not isinstance(access, str) or not access:
            raise Unauthorised("the provider's answer has no access token")
        claims = dict(verified_claims(tokens.get("id_token"), nonce, access, self.settings, self._keys, self._clock()))
        kept = self._tokens(tokens, {"refresh": "", "id": tokens.get("id_token", "")})
        address = self._metadata.get().userinfo
        if address:
            reply = self._outbound.get(address, {"authorization": f"Bearer {access}"})
            if reply.status == 200:
                if reply.data.get("sub") != claims.get("sub"):
                    raise Unauthorised("the provider's user information is of somebody else: sub")
                claims |= reply.data
        names = ("sub", self.settings.name_claim, self.settings.groups_claim, "email", "email_verified")
        kept["claims"] = {name: claims[name] for name in names if name in claims}
        return person_of(claims, self.settings, self._seals.seal("oidc tokens", kept))

    def _tokens(self, tokens: Mapping[str, Any], before: dict[str, Any]) -> dict[str, Any]:
        access, refresh = tokens.get("access_token"), tokens.get("refresh_token")
        if not isinstance(access, str):
            raise Unauthorised("the provider's answer has no access token")
        until = self._clock().timestamp() + _positive(tokens.get("expires_in"), 300)
        kept = refresh if isinstance(refresh, str) and refresh else before["refresh"]
        return {**before, "access": access, "until": until, "refresh": kept}

    def _token_request(self, grant: str, **parameters: str) -> Mapping[str, Any]:
        """The answer to a token request. Raises `Unauthorised` with the provider's reason."""
        reply = self._post(self._metadata.get().token, [("grant_type", grant), *parameters.items()])
        if reply.status == 200 and reply.data:
            return reply.data
        error = _error_of(reply)
        if error in ("authorization_pending", "slow_down"):
            raise PendingSignOn(error)
        if error in ("invalid_client", "unauthorized_client"):
            raise Unavailable("the provider does not know this server: check `client_id` and `client_secret`")
        raise Unauthorised(f"the provider refused: {error}")

    def _post(self, address: str, parameters: list[tuple[str, str]]) -> ProviderReply:
        from authlib.common.urls import url_encode
        from authlib.oauth2.auth import ClientAuth

        settings = self.settings
        method = settings.client_authentication if settings.client_secret else "none"
        headers = {"content-type": "application/x-www-form-urlencoded"}
        client = ClientAuth(settings.client_id, settings.client_secret, method)
        address, headers, body = client.prepare("POST", address, headers, url_encode(parameters))
        return self._outbound.post(address, body, headers)


class PendingSignOn(Unauthorised):
    """Nobody has signed on by this code yet."""


def page_path(to: str) -> str:
    """The page that a browser sees after signing on: a path of the explorer, whatever was wished.

    >>> page_path("explorer/Task/7?view=board"), page_path("https://evil.example/"), page_path("//evil.example")
    ('explorer/Task/7?view=board', 'explorer/', 'explorer/')
    """
    path = to.lstrip("/") if not to.startswith("//") else ""
    plain = path.isprintable() and path.isascii() and "\\" not in path and len(path) <= 2_000
    # Below the page, and not among the addresses that answer its requests.
    inside = path.startswith(PAGE) and not path.startswith(PAGE + "x/") and ".." not in path and "//" not in path
    return path if plain and inside else PAGE


def cookie_name(state: str) -> str:
    """The name of the cookie of one sign-on, so that two tabs do not disturb each other."""
    return f"callsheet_sign_on_{hashlib.sha256(state.encode()).hexdigest()[:12]}"


def _positive(value: object, default: float) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and value > 0 else default


def _error_of(reply: ProviderReply) -> str:
    """The provider's own name of an error, if it is one."""
    error = reply.data.get("error")
    return error if isinstance(error, str) and _ERROR.fullmatch(error) else f"status {reply.status}"
