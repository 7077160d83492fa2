"""The health of a listener over HTTP, on this machine only: ``/health`` as JSON, ``/metrics`` for Prometheus."""

from __future__ import annotations

import json
import logging
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from callsheet.errors import UsageError
from callsheet.listening.metrics import prometheus
from callsheet.listening.runner import Runner
from callsheet.transport.address import is_loopback

__all__ = ["HealthPage", "address_of"]

_log = logging.getLogger(__name__)


def address_of(text: str) -> tuple[str, int]:
    """Parse ``HOST:PORT`` or ``PORT``; raises `UsageError` for a host that other machines can reach.

    >>> address_of("9100"), address_of("127.0.0.1:0")
    (('127.0.0.1', 9100), ('127.0.0.1', 0))
    """
    host, _, port = text.rpartition(":")
    host = host.strip("[]") or "127.0.0.1"
    if not (port.isascii() and port.isdigit() and int(port) < 65536):
        raise UsageError(f"`{text}` is not an address; write 127.0.0.1:9100")
    if not is_loopback(host) and host != "localhost":
        raise UsageError(f"the health page needs no key, so it is only for this machine: 127.0.0.1:{port}, not {host}")
    return host, int(port)


class _HealthServer(ThreadingHTTPServer):
    """An HTTP server that ignores clients that disconnect, and logs other errors in one line."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            _log.error("the health page could not answer: %s: %s", type(error).__name__, error)


def _bound(address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> _HealthServer:
    try:
        return _HealthServer(address, handler)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"the health page cannot listen at {address[0]}, port {address[1]}: {reason}") from None


class HealthPage:
    """Serves the health of a runner from a thread, until closed."""

    def __init__(self, runner: Runner, address: tuple[str, int]) -> None:
        class HealthHandler(_Page):
            listener = runner

        self._server = _bound(address, HealthHandler)
        self.port: int = self._server.server_address[1]
        self._thread = Thread(target=self._server.serve_forever, args=(0.1,), name="callsheet-health", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Page(BaseHTTPRequestHandler):
    listener: Runner
    server_version = "callsheet"

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/metrics":
            handlers = self.listener.health()["handlers"]
            self._answer(200, prometheus(handlers), "text/plain; version=0.0.4; charset=utf-8")
        elif path in ("/", "/health", "/healthz"):
            health = self.listener.health()
            status = 503 if "server" in health["problems"] else 200
            self._answer(status, json.dumps(health, default=str), "application/json")
        else:
            self._answer(404, "there are /health and /metrics\n", "text/plain; charset=utf-8")

    def _answer(self, status: int, text: str, kind: str) -> None:
        content = text.encode()
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(content)))
        self.send_header("cache-control", "no-store")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are not logged, because the page is polled every few seconds."""
