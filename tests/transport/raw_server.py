"""A server on loopback that passes requests on to another one, and lets chosen answers go wrong on the socket."""

from __future__ import annotations

import http.client
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Self

__all__ = ["FAULTS", "Fault", "RawServer"]

Fault = Callable[[socket.socket, bytes, bytes], None]
"""Called with the connection, and the head and the body of the answer that should go out."""


def reset(connection: socket.socket) -> None:
    """Close a connection such that the other end is told it was reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _sent(part: Callable[[bytes, bytes], bytes], then: Callable[[socket.socket], None] = lambda _: None) -> Fault:
    def fault(connection: socket.socket, head: bytes, body: bytes) -> None:
        connection.sendall(part(head, body))
        then(connection)

    return fault


def _dripped(part: Callable[[bytes, bytes], tuple[bytes, bytes]]) -> Fault:
    """Some bytes at once, then one byte at a time, faster than any time limit between bytes, for ever."""

    def fault(connection: socket.socket, head: bytes, body: bytes) -> None:
        at_once, slowly = part(head, body)
        connection.sendall(at_once)
        while True:
            connection.sendall(slowly)
            time.sleep(0.02)

    return fault


def _with_length(length: str) -> Callable[[bytes, bytes], bytes]:
    def part(head: bytes, body: bytes) -> bytes:
        lines = [line for line in head.split(b"\r\n") if line and not line.lower().startswith(b"content-length")]
        told = [b"content-length: " + each.encode() for each in length.format(len(body), len(body) * 2).split("|")]
        return b"\r\n".join([*lines, *told]) + b"\r\n\r\n" + body

    return part


def _chunked(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n" + body


FAULTS: dict[str, Fault] = {
    "closes at once": _sent(lambda head, body: b""),
    "closes in the status line": _sent(lambda head, body: head[:7]),
    "closes in a header": _sent(lambda head, body: head[: len(head) // 2]),
    "closes before the body": _sent(lambda head, body: head),
    "closes in the body": _sent(lambda head, body: head + body[: len(body) // 2]),
    "resets at once": _sent(lambda head, body: b"", reset),
    "resets in a header": _sent(lambda head, body: head[: len(head) // 2], reset),
    "resets in the body": _sent(lambda head, body: head + body[: len(body) // 2], reset),
    "sends garbage": _sent(lambda head, body: bytes(range(256)) * 4),
    "speaks another protocol": _sent(lambda head, body: b"220 mail.example.org ESMTP\r\n250 OK\r\n"),
    "sends garbage as a header": _sent(lambda head, body: b"HTTP/1.1 200 OK\r\n\x00\xff : \x01\r\n\r\n" + body),
    "has no end of the head": _sent(lambda head, body: b"HTTP/1.1 200 OK\r\n" + b"x-long: " + b"a" * 500_000),
    "tells a length that is too great": _sent(_with_length("{1}")),
    "tells a length that is too small": _sent(_with_length("7")),
    "tells no number as the length": _sent(_with_length("many")),
    "tells a negative length": _sent(_with_length("-5")),
    "tells two lengths": _sent(_with_length("{0}|{1}")),
    "tells a chunk of no size": _sent(lambda head, body: _chunked(b"zz\r\n" + body)),
    "cuts a chunk off": _sent(lambda head, body: _chunked(b"fffff\r\n" + body)),
    "ends before the last chunk": _sent(lambda head, body: _chunked(b"%x\r\n%b\r\n" % (len(body), body))),
    "drips the head": _dripped(lambda head, body: (b"HTTP/1.1 200 OK\r\nx-slow: ", b"a")),
    "drips the body": _dripped(lambda head, body: (_chunked(b""), b"1\r\n \r\n")),
}
"""What may happen to an answer on its way."""


class RawServer:
    """Passes requests on to ``port`` of this machine; the next ``faulty`` ones whose path has ``path`` get a fault."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self.fault: Fault | None = None
        self.path, self.faulty, self.hit = "", 0, 0
        #: Set when the connection of a fault is closed.
        self.over = threading.Event()
        self._thread = threading.Thread(target=self._accept, name="raw-server", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(5)

    def break_next(self, fault: Fault, path: str, times: int = 1) -> None:
        """Let the next answers to requests with this path go wrong."""
        self.fault, self.path, self.faulty, self.hit = fault, path, times, 0
        self.over.clear()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        if self._answer(connection):
            self.over.set()

    def _answer(self, connection: socket.socket) -> bool:
        """Answer what comes on a connection, until it is closed; whether that was by a fault."""
        went_wrong = False
        with suppress(OSError, http.client.HTTPException), connection, connection.makefile("rb") as reading:
            while request := reading.readline():
                method, path, _ = request.decode().split(" ")
                headers = http.client.parse_headers(reading)
                body = reading.read(int(headers.get("content-length", "0")))
                head, answer = self._passed_on(method, path, dict(headers.items()), body)
                if self.faulty and self.path in path and self.fault is not None:
                    self.faulty, self.hit = self.faulty - 1, self.hit + 1
                    went_wrong = True
                    self.fault(connection, head, answer)
                    break
                connection.sendall(head + answer)
        return went_wrong

    def _passed_on(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[bytes, bytes]:
        """The head and the body of the other server's answer."""
        upstream = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        try:
            upstream.request(method, path, body, {**headers, "host": f"127.0.0.1:{self._port}"})
            answer = upstream.getresponse()
            content = answer.read()
        finally:
            upstream.close()
        kind = answer.headers.get("content-type", "application/json")
        head = f"HTTP/1.1 {answer.status} OK\r\ncontent-type: {kind}\r\ncontent-length: {len(content)}\r\n\r\n"
        return head.encode(), content
