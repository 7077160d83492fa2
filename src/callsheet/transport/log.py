"""Requests are logged with their time and their size, for a session that is verbose.

The log has paths, never contents, parameters or headers, because these may be secret. It is the logger
``callsheet.requests``; where nobody configured logging, it writes to standard error.
"""

from __future__ import annotations

import logging
from time import perf_counter
from typing import Any

from callsheet.flow import Request, Response

__all__ = ["logged"]

_log = logging.getLogger("callsheet.requests")


class LoggedTransport:
    """Sends by another transport, and logs each request."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport

    def send(self, request: Request) -> Response:
        begun = perf_counter()
        try:
            response: Response = self._transport.send(request)
        except Exception as error:
            _failed(request, error, perf_counter() - begun)
            raise
        _answered(request, response, perf_counter() - begun)
        return response

    def close(self) -> None:
        """The other transport stays open."""


class AsyncLoggedTransport:
    """The same, awaited."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport

    async def send(self, request: Request) -> Response:
        begun = perf_counter()
        try:
            response: Response = await self._transport.send(request)
        except Exception as error:
            _failed(request, error, perf_counter() - begun)
            raise
        _answered(request, response, perf_counter() - begun)
        return response

    async def aclose(self) -> None:
        """The other transport stays open."""


def logged(transport: Any, awaits: bool) -> Any:
    """A transport that logs what it sends by this one."""
    if not logging.getLogger().handlers and not _log.hasHandlers():
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(message)s"))
        _log.addHandler(handler)
    if not _log.isEnabledFor(logging.INFO):
        _log.setLevel(logging.INFO)
    return AsyncLoggedTransport(transport) if awaits else LoggedTransport(transport)


def _answered(request: Request, response: Response, seconds: float) -> None:
    sent, received = len(request.content), len(response.content)
    _log.info(
        "%s %s: %d in %.0f ms, %s bytes sent, %s received",
        request.method, _place(request), response.status, seconds * 1e3, f"{sent:,}", f"{received:,}",
    )  # fmt: skip


def _failed(request: Request, error: Exception, seconds: float) -> None:
    kind = type(error).__name__
    _log.info("%s %s: %s after %.0f ms", request.method, _place(request), kind, seconds * 1e3)


def _place(request: Request) -> str:
    return request.path.partition("?")[0]
