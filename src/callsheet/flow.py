"""What crosses the line between thinking and talking.

A *flow* is a generator. It yields a `Request` and is sent the `Response`; it yields `Work` and is sent
what the work returned; it returns the answer. Whoever drives it (``transport/drive.py``) blocks or awaits;
the flow cannot tell. Flows compose by ``yield from``.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Any, TypeAlias, TypeVar

from attrs import field, frozen

__all__ = ["Flow", "Request", "Response", "Work"]


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


T = TypeVar("T")
Flow: TypeAlias = Generator[Request | Work, Any, T]
