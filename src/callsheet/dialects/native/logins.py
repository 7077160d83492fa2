"""The client half of logging in: passwords become tokens, tokens new tokens."""

from __future__ import annotations

import time
from typing import Any

from callsheet.dialects.accounts import AccountDescription, DeviceSignOn, IssuedTokens, LoginTokens, account_of
from callsheet.dialects.answers import reads_answers
from callsheet.dialects.native import shapes
from callsheet.dialects.native.reply import read_reply, refuse
from callsheet.flow import Flow, Request, Response
from callsheet.model.values import unpack
from callsheet.secret import Secret

__all__ = ["NativeLogins"]


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
    def begin_sign_on(self) -> Flow[DeviceSignOn]:
        response: Response = yield _post("/v1/login/device", {}, safe=True)
        return read_reply(response, DeviceSignOn, secret=True)

    @reads_answers
    def finish_sign_on(self, handle: Secret, device: str) -> Flow[LoginTokens | None]:
        message = _post("/v1/login/device/tokens", {"handle": handle.reveal(), "device": device}, safe=False)
        sent = time.time()
        response: Response = yield message
        if response.status == 202:
            return None
        return read_reply(response, IssuedTokens, secret=True).counted_from(sent)

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
    def change_password(self, old: Secret, new: Secret) -> Flow[None]:
        body = {"old": old.reveal(), "new": new.reveal()}
        message = _post("/v1/password", body, safe=False, anonymous=False)
        del body
        response: Response = yield message
        if response.status not in (200, 204):
            refuse(response)

    @reads_answers
    def account(self) -> Flow[AccountDescription]:
        response: Response = yield Request("GET", "/v1/me", safe=True)
        return account_of(unpack(read_reply(response, dict[str, Any])))


def _post(path: str, body: dict[str, Any], safe: bool, anonymous: bool = True) -> Request:
    headers = {"content-type": "application/json"}
    return Request("POST", path, shapes.encode(body), headers=headers, safe=safe, anonymous=anonymous)


def _exchanged(request: Request) -> Flow[LoginTokens]:
    """The tokens of an answer."""
    sent = time.time()
    response: Response = yield request
    return read_reply(response, IssuedTokens, secret=True).counted_from(sent)
