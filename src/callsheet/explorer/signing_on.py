"""A browser signs on by the OpenID provider of the house, and comes back with an answer or a reason."""

from __future__ import annotations

from html import escape
from typing import Any
from urllib.parse import urlsplit

from callsheet.dialects.cookies import cookie_header, cookies_of
from callsheet.dialects.routes import Visit
from callsheet.errors import CallsheetError, NotFound, ServerError, Unavailable
from callsheet.explorer.answers import answer
from callsheet.explorer.page import PREFIX, SECURITY
from callsheet.flow import Response

__all__ = ["begin_oidc", "finish_oidc", "ways"]

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Callsheet</title></head>
<body><main><h1>You are not signed in</h1><p role="alert">{reason}</p>
<p><a href="{back}">Back to the sign-in</a></p></main>
</body></html>
"""


def ways(visit: Visit) -> Response:
    """By what a browser may sign in here, for the page of somebody who is not."""
    found: dict[str, Any] = {"password": visit.logins is not None, "oidc": None}
    return answer(found if visit.sign_on is None else {**found, **visit.sign_on.ways()})


def begin_oidc(visit: Visit) -> Response:
    """Send a browser to the provider; ``to`` is the page that it sees afterwards."""
    try:
        begun = _sign_on(visit).checked_oidc().begin(visit.request.url, visit.request.params.get("to", ""))
    except CallsheetError as error:
        return _refused(visit, error)
    cookie = f"{begun.name}={begun.cookie}; {_scope(visit)}; Max-Age={int(begun.seconds)}"
    return _to(begun.location, cookie)


def finish_oidc(visit: Visit) -> Response:
    """Sign a browser in that comes back from the provider. Its login is a new one, whatever cookie it had."""
    request = visit.request
    try:
        sign_on = _sign_on(visit)
        provider = sign_on.checked_oidc()
        cookies = cookies_of(request.header("cookie"))
        person, to = provider.finish(request.url, request.pairs, cookies)
        login = sign_on.browser_login(person, provider.settings, _device(visit), visit.address)
    except CallsheetError as error:
        return _refused(visit, error)
    own = cookie_header(request, login.cookie, login.seconds, sign_on.same_site)
    return _to(f"{urlsplit(request.url).path.rstrip('/')}/{to}", own)


def _sign_on(visit: Visit) -> Any:
    if visit.sign_on is None:
        raise NotFound("this server has no single sign-on")
    return visit.sign_on


def _device(visit: Visit) -> str:
    """A label of the browser: what it says of itself, as far as that is a label."""
    found = "".join(filter(str.isprintable, visit.request.header("user-agent")))
    return found[:100].strip()


def _scope(visit: Visit) -> str:
    """Where the cookie of a sign-on is sent: with the provider's answer, which comes from another site."""
    address = urlsplit(visit.request.url)
    secure = "; Secure" if address.scheme == "https" else ""
    return f"Path={address.path.rstrip('/')}{PREFIX}x/oidc/; HttpOnly; SameSite=Lax{secure}"


def _to(location: str, cookie: str) -> Response:
    return Response(302, b"", {"location": location, "set-cookie": cookie, "cache-control": "no-store", **SECURITY})


def _refused(visit: Visit, error: CallsheetError) -> Response:
    """A page with the reason; nothing of the request is in it."""
    found = error if isinstance(error, ServerError) else Unavailable(str(error))
    back = urlsplit(visit.request.url).path.rstrip("/") + PREFIX
    text = _PAGE.format(reason=escape(str(found)), back=escape(back, quote=True))
    headers = {"content-type": "text/html; charset=utf-8", "cache-control": "no-store", **SECURITY}
    return Response(found.status, text.encode(), headers)
