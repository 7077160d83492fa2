"""Reading and writing that end at the deadline of an exchange, however slowly bytes come.

httpx bounds the time between bytes. A server that sends one now and then would keep a blocking caller for ever, as long
as the head of its answer is not complete. So the streams of a blocking client look at the deadline of the exchange that
their thread is in; where the transport is awaited, the event loop does that.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import local
from typing import Any

import httpcore

__all__ = ["keep_deadlines", "until"]


class _Current(local):
    """The deadline of the exchange that this thread is in, on the monotonic clock."""

    deadline: float | None = None


_current = _Current()


@contextmanager
def until(deadline: float) -> Iterator[None]:
    """Let reading and writing in this thread end at a moment of the monotonic clock, by a time limit of httpx."""
    before, _current.deadline = _current.deadline, deadline
    try:
        yield
    finally:
        _current.deadline = before


def keep_deadlines(client: Any) -> None:
    """Let all connections of an httpx client keep the deadlines of their threads."""
    for transport in (client._transport, *client._mounts.values()):
        pool = getattr(transport, "_pool", None)
        if pool is not None:
            pool._network_backend = _Backend(pool._network_backend)


def _left(timeout: float | None, error: type[Exception]) -> float | None:
    """The seconds that one step may take."""
    if _current.deadline is None:
        return timeout
    left = _current.deadline - time.monotonic()
    if left <= 0:
        raise error("the deadline of the exchange is over")
    return left if timeout is None else min(timeout, left)


class _Backend(httpcore.NetworkBackend):
    """Opens streams that keep deadlines."""

    def __init__(self, inner: httpcore.NetworkBackend) -> None:
        self._inner = inner

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        return _TimelyStream(self._inner.connect_tcp(host, port, timeout, local_address, socket_options))

    def sleep(self, seconds: float) -> None:
        self._inner.sleep(seconds)


class _TimelyStream(httpcore.NetworkStream):
    """A stream that keeps deadlines."""

    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, _left(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _TimelyStream(self._inner.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
