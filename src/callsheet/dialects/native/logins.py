"""The client half of logging in: passwords become tokens, tokens new tokens."""

from __future__ import annotations

import time
from typing import Any

from msgspec import Struct

from callsheet.dialects.accounts import AccountDescription, LoginTokens, account_of
from callsheet.dialects.answers import reads_answers
from callsheet.dialects.native import shapes
from callsheet.dialects.native.reply import read_reply, refuse
from callsheet.errors import Unavailable
from callsheet.flow import Flow, Request, Response
from callsheet.model.values import unpack
from callsheet.secret import Secret

__all__ = ["NativeLogins"]


class TokenAnswer(Struct):
    """The answer to a login and to a renewal; its repr shows no token."""

    access_token: str
    expires_in: float
    refresh_token: str
    refresh_expires_in: float
    session_id: str
    account: str

    def __repr__(self) -> str:
        return f"<TokenAnswer of {self.account}>"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("account", self.account)]


class NativeLogins:
    """The flows of logins; `NativeDialect` has them."""

    @reads_answers
    def login(self, name: str, password: Secret, device: str) -> Flow[LoginTokens]:
        body = {"name": name, "password": password.reveal(), "device": device}
        request = _post("/v1/login", body, safe=False)
        del body
        return (yield from _exchanged(request))

    @reads_answers
    def accept_invitation(self, code: Secret, password: Secret, device: str) -> Flow[LoginTokens]:
        body = {"code": code.reveal(), "password": password.reveal(), "device": device}
        request = _post("/v1/invitations/accept", body, safe=False)
        del body
        return (yield from _exchanged(request))

    @reads_answers
    def renew(self, refresh: Secret, request: str) -> Flow[LoginTokens]:
        # Safe to retry although it uses the token up: the server gives the same answer to the same request id.
        body = {"refresh_token": refresh.reveal(), "request": request}
        message = _post("/v1/login/refresh", body, safe=True)
        del body
        return (yield from _exchanged(message))

    @reads_answers
    def logout(self, refresh: Secret, everywhere: bool) -> Flow[None]:
        body: dict[str, Any] = {"refresh_token": refresh.reveal(), **({"everywhere": True} if everywhere else {})}
        message = _post("/v1/logout", body, safe=True)
        del body
        response: Response = yield message
        if response.status not in (200, 204):
            refuse(response)

    @reads_answers
    def account(self) -> Flow[AccountDescription]:
        response: Response = yield Request("GET", "/v1/me", safe=True)
        return account_of(unpack(read_reply(response, dict[str, Any])))


def _post(path: str, body: dict[str, Any], safe: bool) -> Request:
    headers = {"content-type": "application/json"}
    return Request("POST", path, shapes.encode(body), headers=headers, safe=safe, anonymous=True)


def _exchanged(request: Request) -> Flow[LoginTokens]:
    """The tokens of an answer. They expire counted from when the request was sent, which is on the safe side."""
    sent = time.time()
    response: Response = yield request
    if response.status == 429:
        _too_many(response)
    answer = read_reply(response, TokenAnswer, secret=True)
    return LoginTokens(
        Secret(answer.access_token),
        Secret(answer.refresh_token),
        sent + answer.expires_in,
        answer.expires_in,
        sent + answer.refresh_expires_in,
        answer.session_id,
        answer.account,
    )


def _too_many(response: Response) -> None:
    """Raise `Unavailable` with the time to wait: it is for a person to try again."""
    try:
        refuse(response)
    except Unavailable as error:
        if error.retry_after is None:
            raise
        refused = Unavailable(f"{error}; try again in {error.retry_after:.0f} s")
        refused.retry_after = error.retry_after
        raise refused from None
