"""What a flow and its driver exchange.

A *flow* is a generator. It yields a `Request` and is sent the `Response`; it yields `Work` or a `Call` and is sent
the function's result; an `Overlap` is both at once; the flow returns its result. The driver (``transport/drive.py``)
blocks or awaits; the flow is the same for both. Flows compose by ``yield from``.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Any, TypeAlias, TypeVar

from attrs import field, frozen

__all__ = ["Call", "Flow", "Overlap", "Request", "Response", "Work"]


@frozen
class Request:
    """One message to a server. ``path`` is relative to the server's URL; a ``safe`` one may be sent twice.

    An ``anonymous`` one is sent without the session's login, because it is what a login is made by. Contents and
    headers may be secret, so the repr has neither.
    """

    method: str
    path: str
    content: bytes = field(default=b"", repr=False)
    params: Mapping[str, str] = field(factory=dict)
    headers: Mapping[str, str] = field(factory=dict, repr=False)
    safe: bool = False
    anonymous: bool = False


@frozen
class Response:
    """The answer to a `Request`; header names are in lower case. The repr has neither contents nor headers."""

    status: int
    content: bytes = field(default=b"", repr=False)
    headers: Mapping[str, str] = field(factory=dict, repr=False)


@frozen
class Work:
    """Something local that may block: a database in this process, a file, a hash, a journal write."""

    function: Callable[[], Any]


@frozen
class Call(Work):
    """Work that must run in the thread of the driver: a callback of the user's.

    If the driver awaits, an awaitable result is awaited first.
    """


@frozen
class Overlap:
    """A request that is in flight while a function processes the previous response.

    ``function`` runs in the flow's thread, and does not block. The flow is sent a pair: the result of the function, and
    the `Response`, or its error, which is raised only by the flow that needs the response. An error of ``function`` is
    thrown into the flow, and the response is dropped.
    """

    request: Request
    function: Callable[[], Any]


T = TypeVar("T")
Flow: TypeAlias = Generator[Request | Work | Overlap, Any, T]
