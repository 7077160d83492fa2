"""A browser signs in, by name and password or by a code, and out again."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from callsheet.dialects.cookies import cookie_header
from callsheet.dialects.routes import Visit
from callsheet.errors import Invalid, NotFound
from callsheet.explorer.answers import answer, body_of
from callsheet.flow import Response

__all__ = ["sign_in", "sign_out"]


class SignIn(Struct, forbid_unknown_fields=True):
    """A name and a password, or a code; its ``repr`` shows neither."""

    name: str = ""
    password: str = ""
    code: str = ""
    device: str = ""

    def __repr__(self) -> str:
        return "<SignIn>"


def sign_in(visit: Visit) -> Response:
    """Set the cookie of a new login; the answer has its account and its token."""
    body = body_of(visit, SignIn)
    if visit.logins is None:
        raise NotFound("this server has no logins, so nobody can sign in")
    if bool(body.code) == bool(body.name):
        raise Invalid("sign in with a name and a password, or with a code")
    if body.code:
        found = visit.logins.sign_in_by_code(body.code, body.device, visit.address)
    else:
        found = visit.logins.sign_in(body.name, body.password, body.device, visit.address)
    said: dict[str, Any] = {"account": found.account, "token": found.token}
    return answer(said, {"set-cookie": cookie_header(visit.request, found.cookie, found.seconds, _same_site(visit))})


def sign_out(visit: Visit) -> Response:
    """End the login of the cookie, or all of the account's (``?everywhere=1``), and take the cookie away.

    The answer's ``leave`` is where the browser ends its login at the provider of the house, too.
    """
    caller, leave = visit.caller, ""
    if caller is not None:
        everywhere = visit.request.params.get("everywhere") == "1"
        if visit.sign_on is not None:
            leave = visit.sign_on.leave(caller.account, visit.request.url)
        visit.logins.logout(caller.account, caller.login, everywhere, visit.address)
    said = {"leave": leave} if leave else {}
    return answer(said, {"set-cookie": cookie_header(visit.request, "", 0, _same_site(visit))})


def _same_site(visit: Visit) -> str:
    """From which sites' links the cookie is sent, as the server's settings say."""
    return "lax" if visit.sign_on is None else str(visit.sign_on.same_site)
