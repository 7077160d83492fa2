"""The cookie by which a page of the server acts for a login, as requests present it and responses set it.

Browsers send the cookie with requests that other sites cause, too. So a request that may change something also has the
login's token, in the header `TOKEN`: other sites can neither read the token nor send the header.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from callsheet.dialects.routes import Credentials, WebRequest

__all__ = ["COOKIE", "TOKEN", "browser_credentials", "cookie_header", "cookies_of"]

COOKIE = "callsheet"
TOKEN = "x-callsheet-token"
SAFE = ("GET", "HEAD")


def browser_credentials(request: WebRequest) -> Credentials | None:
    """The credentials of a page's request; None if it has no cookie of ours.

    >>> found = browser_credentials(WebRequest("GET", "/v1/me", headers={"cookie": "a=b; callsheet=cw_1"}))
    >>> found.kind, found.secret
    ('browser reads', 'cw_1')
    >>> browser_credentials(WebRequest("POST", "/v1/select", headers={"cookie": "callsheet=cw_1"})).missing
    'this request has a cookie, but not the header x-callsheet-token; reload the page'
    """
    value = _cookie(request.header("cookie"))
    if not value:
        return None
    if request.method in SAFE:
        return Credentials(None, value, "browser reads")
    token = request.header(TOKEN)
    missing = "" if token else f"this request has a cookie, but not the header {TOKEN}; reload the page"
    return Credentials(None, f"{value} {token}", "browser writes", missing)


def cookie_header(request: WebRequest, value: str, seconds: float, same_site: str = "lax") -> str:
    """The header that sets the cookie for the pages of the server that was asked; an empty value takes it away.

    >>> cookie_header(WebRequest("POST", "/x", url="https://s.example/workspaces/a"), "cw_1", 60)
    'callsheet=cw_1; Path=/workspaces/a/; Max-Age=60; HttpOnly; SameSite=Lax; Secure'
    """
    address = urlsplit(request.url)
    parts = [f"{COOKIE}={value}", f"Path={address.path.rstrip('/')}/", f"Max-Age={int(seconds) if value else 0}"]
    parts += ["HttpOnly", f"SameSite={same_site.capitalize()}"]
    if address.scheme == "https":
        parts.append("Secure")
    return "; ".join(parts)


def cookies_of(header: str) -> dict[str, str]:
    """The cookies of a header by name; of several with one name the first.

    >>> cookies_of("a=1; b=2; a=3")
    {'a': '1', 'b': '2'}
    """
    found: dict[str, str] = {}
    for part in header.split(";"):
        name, _, value = part.strip().partition("=")
        found.setdefault(name, value)
    return found


def _cookie(header: str) -> str:
    """The value of our cookie; of several the first, which browsers take from the longest path."""
    for part in header.split(";"):
        name, _, value = part.strip().partition("=")
        if name == COOKIE:
            return value
    return ""
