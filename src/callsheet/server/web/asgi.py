"""Types of ASGI, and functions that read a request and send a response."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

from callsheet.flow import Response

__all__ = [
    "ACCOUNT", "Application", "Gone", "Message", "Receive", "Scope", "Send", "WORKSPACE", "client_address", "has_body",
    "header", "holder", "peer_certificate", "read_body", "send_response",
]  # fmt: skip

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Application: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]


ACCOUNT = "callsheet.account"
"""In the scope: the `holder` of the account that the request is authenticated as."""
WORKSPACE = "callsheet.workspace"
"""In the scope: the name of the workspace, if it is not the default one."""


PEER = "callsheet.peer_certificate"
"""In a connection's state: the client's certificate, DER in base64, as TLS verified it."""


class Gone(Exception):
    """The client disconnected before the end of its request."""


def header(scope: Scope, name: bytes) -> str:
    """The value of a header, empty if absent; ``name`` is in lower case."""
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value).decode("utf-8", "replace")
    return ""


def holder(scope: Scope, account: str) -> str:
    """What counts the requests and connections of an account: equal names in two workspaces are two accounts.

    >>> holder({}, "anna"), holder({WORKSPACE: "lab"}, "anna")
    ('anna', 'anna\\nlab')
    """
    workspace = scope.get(WORKSPACE, "")
    # No name of an account has a line break.
    return f"{account}\n{workspace}" if workspace and account else account


def has_body(scope: Scope) -> bool:
    """Whether the headers say that a body follows."""
    return header(scope, b"content-length") not in ("", "0") or bool(header(scope, b"transfer-encoding"))


def client_address(scope: Scope) -> str:
    """The client's network address, empty if unknown."""
    client: Any = scope.get("client")
    return "" if client is None else str(client[0])


def peer_certificate(scope: Scope) -> str:
    """The certificate that the client of a connection has presented, empty if none."""
    return str((scope.get("state") or {}).get(PEER, ""))


async def read_body(receive: Receive) -> bytes:
    """The whole body; raises `Gone` if the client disconnects before its end."""
    pieces, more = [], True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        pieces.append(message.get("body", b""))
        more = message.get("more_body", False)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


async def send_response(send: Send, response: Response) -> None:
    headers = [(name.encode("latin-1"), value.encode()) for name, value in response.headers.items()]
    if response.status not in (204, 304):
        headers.append((b"content-length", str(len(response.content)).encode()))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.content})
