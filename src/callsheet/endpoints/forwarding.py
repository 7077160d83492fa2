"""Requests that are forwarded to another program: ``TOOLS = callsheet.forward("tools/{path:path}", to=…)``.

The program gets no key and no cookie of the caller, but a token that says who calls, for a minute, signed for it alone:
``Authorization: Bearer …``, a JSON web token with ``sub`` (the account; empty for nobody),
``roles``, ``administrator``, and the address ``to`` as ``aud``. The program checks it by the keys at
``/endpoints/.keys``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from attrs import evolve, field, frozen

from callsheet.dialects.routes import Answered, StreamedContent, Visit
from callsheet.endpoints.callers import account_facts, check_caller
from callsheet.endpoints.content import safe_headers
from callsheet.endpoints.declaration import METHODS, names_of
from callsheet.errors import Invalid, Unavailable, UsageError
from callsheet.flow import Response
from callsheet.model.plain import encode

if TYPE_CHECKING:
    import httpx

__all__ = ["KEYS_PATH", "Forwarding", "forward", "forward_request", "forwardings_in", "key_set"]

KEYS_PATH = "/endpoints/.keys"
SENT = ("accept", "accept-language", "content-type", "if-none-match", "if-modified-since", "range")
"""Headers that a target sees of a request."""
RETURNED = ("content-type", "content-disposition", "content-range", "accept-ranges", "etag", "last-modified")
"""Headers that a caller sees of the target's answer."""
CONNECT, READ = 5.0, 60.0
"""Seconds in which a target is reached, and in which it sends something."""
PIECE = 64 * 2**10


@frozen
class Forwarding:
    """The addresses below ``/endpoints/`` that a target answers, and who may call it; as `Endpoint` has them."""

    path: str
    to: str
    methods: tuple[str, ...] = METHODS
    roles: tuple[str, ...] = ()
    public: bool = False
    description: str = ""
    arguments: tuple[Any, ...] = ()
    file: str = field(default="", eq=False)


def forward(
    path: str,
    *,
    to: str,
    methods: Iterable[str] = METHODS,
    roles: str | Iterable[str] = (),
    public: bool = False,
    description: str = "",
) -> Forwarding:
    """Requests for ``/endpoints/PATH`` are answered by another program, at the address ``to``.

    Assign the result to a name in a plugin file. ``path`` may end with ``{path:path}``, which is then appended to
    ``to``. Callers need an account, and one of ``roles`` if there are any, unless it is ``public``. Raises `UsageError`
    for a path or an address that is none.

    >>> forward("tools/{path:path}", to="http://127.0.0.1:9000/api").to
    'http://127.0.0.1:9000/api'
    """
    names = names_of(path, rest=True)
    if names and not path.endswith(":path}"):
        raise UsageError(f"`{path}`: what is forwarded has one named part, the rest of the address: `{{path:path}}`")
    parts = urlsplit(to)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise UsageError(f"`{path}` is forwarded to an address such as http://127.0.0.1:9000/api, not {to!r:.120}")
    allowed = (roles,) if isinstance(roles, str) else tuple(roles)
    if public and allowed:
        raise UsageError(f"`{path}` is public, so everybody may call it: it cannot have roles")
    taken = tuple(methods)
    if not taken or set(taken) - set(METHODS):
        raise UsageError(f"`{path}`: methods are some of {', '.join(METHODS)}, not {methods!r:.80}")
    return Forwarding(path, to.rstrip("/"), taken, allowed, public, description)


def forwardings_in(namespace: dict[str, Any], file: str = "") -> list[Forwarding]:
    """The forwardings of a module, each once."""
    found = {id(value): evolve(value, file=file) for value in namespace.values() if isinstance(value, Forwarding)}
    return list(found.values())


def key_set(visit: Visit) -> Response:
    """The public keys of the tokens that targets get."""
    return Response(200, encode(visit.logins.forwarding.public_keys()), {"content-type": "application/json"})


def forward_request(forwarding: Forwarding, visit: Visit) -> Answered:
    """The target's answer to a request, sent on as it comes. Raises `Unavailable` if it cannot be reached."""
    import httpx

    check_caller(forwarding, visit)
    request, token = visit.request, visit.logins.forwarding.token(visit.account, account_facts(visit), forwarding.to)
    headers = {name: value for name in SENT if (value := request.header(name))}
    headers["authorization"] = f"Bearer {token}"
    address = _address(forwarding, request.names.get("path", "")) + (f"?{request.query}" if request.query else "")
    # No proxies and no credentials of the server's own environment.
    client = httpx.Client(timeout=httpx.Timeout(READ, connect=CONNECT), trust_env=False, follow_redirects=False)
    try:
        sent = client.build_request(request.method, address, headers=headers, content=request.body or None)
        answer = client.send(sent, stream=True)
    except httpx.HTTPError as error:
        client.close()
        raise Unavailable(f"the target of `{forwarding.path}` cannot be reached: {type(error).__name__}") from error
    shown = {name: answer.headers[name] for name in RETURNED if name in answer.headers}
    return StreamedContent(_pieces(client, answer), safe_headers(shown), answer.status_code)


def _address(forwarding: Forwarding, rest: str) -> str:
    """The target's address; what is appended stays below ``to``.

    >>> _address(forward("t/{path:path}", to="http://h/a"), "b c/d")
    'http://h/a/b%20c/d'
    """
    if not rest:
        return forwarding.to
    parts = rest.split("/")
    if any(part in (".", "..") for part in parts) or "\\" in rest or not rest.isprintable():
        raise Invalid(f"{rest!r:.120} is no path of an address")
    return f"{forwarding.to}/" + "/".join(quote(part, safe="~") for part in parts)


def _pieces(client: httpx.Client, answer: httpx.Response) -> Iterator[bytes]:
    import httpx

    try:
        yield from answer.iter_bytes(PIECE)
    except httpx.HTTPError as error:
        raise Unavailable(f"the target ended in the middle of its answer: {type(error).__name__}") from error
    finally:
        answer.close()
        client.close()
