"""What crosses the line between thinking and talking.

A *flow* is a generator. It yields a `Request` and is sent the `Response`; it yields `Work` or a `Call` and is
sent what that returned; an `Overlap` is both at once; it returns the answer. Whoever drives it
(``transport/drive.py``) blocks or awaits; the flow cannot tell. Flows compose by ``yield from``.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Any, TypeAlias, TypeVar

from attrs import field, frozen

__all__ = ["Call", "Flow", "Overlap", "Request", "Response", "Work"]


@frozen
class Request:
    """One message to a server. ``path`` is relative to the server's URL; a ``safe`` one may be sent twice."""

    method: str
    path: str
    content: bytes = b""
    params: Mapping[str, str] = field(factory=dict)
    headers: Mapping[str, str] = field(factory=dict)
    safe: bool = False


@frozen
class Response:
    """The answer to a `Request`; header names are in lower case."""

    status: int
    content: bytes = b""
    headers: Mapping[str, str] = field(factory=dict)


@frozen
class Work:
    """Something local that may block: a database in this process, a file, a hash, a journal write."""

    function: Callable[[], Any]


@frozen
class Call(Work):
    """Work that belongs to whoever drives the flow, and to no other thread: a callback of the user's.

    What it returns is awaited first, where the driver awaits and it can be awaited.
    """


@frozen
class Overlap:
    """A request that is under way while something is done with what came before.

    ``function`` runs where the flow runs, and does not block. The flow is sent the pair of what it returned and
    the `Response`, or the error instead of it: whoever needs the answer raises it, and nobody else. An error of
    ``function`` is thrown into the flow, and the answer is let go.
    """

    request: Request
    function: Callable[[], Any]


T = TypeVar("T")
Flow: TypeAlias = Generator[Request | Work | Overlap, Any, T]
