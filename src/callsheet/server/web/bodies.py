"""Request bodies are read within limits of size, speed and content type, and decompressed while they stream in.

A compressed body is never held in memory: each chunk is decompressed on arrival, piece by piece, and each piece is
counted before the next one is produced. So the limits bound the memory, whatever the compression ratio.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Iterator

from anyio import CapacityLimiter, to_thread

from callsheet.dialects.native.server import error_response
from callsheet.dialects.routes import Intake
from callsheet.errors import Invalid, ServerError, TooLarge, Unavailable
from callsheet.flow import Response
from callsheet.server.limits import Limits
from callsheet.server.web.asgi import Gone, Message, Receive, Scope, header
from callsheet.server.web.shares import Share

__all__ = ["BodyReader", "Decompression", "Late", "Refusal", "paced", "replay"]

PIECE = 64 * 2**10
"""Decompressed bytes per piece."""
IN_PLACE = 2 * 2**10
"""Chunks up to this size (compressed bytes) are decompressed without a thread: they yield two million bytes at most."""
DECOMPRESSION_THREADS = 4
"""For all requests together."""
ENCODINGS = ("deflate", "gzip")


class Refusal(Exception):
    """The request is refused with this response; ``unread`` if part of its body may not have been read."""

    def __init__(self, response: Response, unread: bool = False) -> None:
        super().__init__(response.status)
        self.response, self.unread = response, unread


class Late(Unavailable):
    """The body arrived more slowly than the limits allow."""

    status = 408


def refused(error: ServerError, status: int | None = None, unread: bool = False) -> Refusal:
    """A refusal in the native wire's format; the connection closes after it."""
    return Refusal(error_response(error, status, {"connection": "close"}), unread)


class Decompression:
    """Decompresses a body chunk by chunk, to at most ``most`` bytes; calls ``take`` with the size of each piece.

    >>> body = Decompression("deflate", 1_000, lambda size: None)
    >>> b"".join(body.pieces(zlib.compress(b"shot")))
    b'shot'
    >>> body.end()
    """

    def __init__(self, encoding: str, most: int, take: Callable[[int], None]) -> None:
        self._left, self._most, self._take = most, most, take
        # 31: gzip; 15: zlib format, which HTTP calls deflate.
        self._engine = zlib.decompressobj(wbits=31 if encoding == "gzip" else 15)

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        """The decompressed pieces of a chunk. Raises `Refusal`, and what ``take`` raises."""
        more = True
        while more:
            room = min(PIECE, self._left + 1)
            try:
                piece = self._engine.decompress(chunk, room)
            except zlib.error as error:
                raise refused(Invalid(f"the compressed body is damaged: {error}"), unread=True) from None
            self._count(len(piece))
            yield piece
            if self._engine.unused_data:
                raise refused(Invalid("data follows the end of the compressed body"), unread=True)
            chunk = self._engine.unconsumed_tail
            more = bool(chunk) or len(piece) == room

    def end(self) -> None:
        """The body has ended; raises `Refusal` if the compressed data is incomplete."""
        if not self._engine.eof:
            raise refused(Invalid("the compressed body is truncated"))

    def _count(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            error = TooLarge(f"the body decompresses to more than {self._most} bytes; send less at a time")
            raise refused(error, unread=True)
        self._take(size)


class BodyReader:
    """Reads bodies for the guard."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._decompressors: CapacityLimiter | None = None

    async def read(self, scope: Scope, receive: Receive, intake: Intake, share: Share) -> bytes:
        """The whole body, decompressed, counted in the share. Raises `Refusal`, `Gone`, and what the share raises."""
        limit = self._limits.body(intake.size)
        check_length(scope, limit)
        encoding = _encoding(scope)
        most = self._limits.decompressed_bytes
        compressed = (
            Decompression(encoding, min(most, limit) if intake.anonymous else most, share.take) if encoding else None
        )
        pieces: list[bytes] = []
        receive, size, more = paced(receive, self._limits), 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Gone
            chunk, more = message.get("body", b""), message.get("more_body", False)
            if chunk and not size:
                _check_type(scope, intake, more)
            size += len(chunk)
            if size > limit:
                raise refused(too_large(limit), unread=True)
            if compressed is None:
                share.take(len(chunk))
                pieces.append(chunk)
            elif chunk:
                await self._decompress(compressed, chunk, pieces)
        if compressed is not None and size:
            compressed.end()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def _decompress(self, compressed: Decompression, chunk: bytes, pieces: list[bytes]) -> None:
        if len(chunk) <= IN_PLACE:
            pieces.extend(compressed.pieces(chunk))
            return
        self._decompressors = self._decompressors or CapacityLimiter(DECOMPRESSION_THREADS)
        await to_thread.run_sync(lambda: pieces.extend(compressed.pieces(chunk)), limiter=self._decompressors)


def paced(receive: Receive, limits: Limits) -> Receive:
    """A ``receive`` that raises `Late` if the body arrives too slowly. After the end of the body, nothing is limited.

    The deadline is ``body_seconds`` plus the time that the received bytes take at ``body_rate``.
    """
    clock = asyncio.get_running_loop()
    began, size, whole = clock.time(), 0, False

    async def timed() -> Message:
        nonlocal size, whole
        if whole:
            return await receive()
        try:
            async with asyncio.timeout_at(began + limits.body_seconds + size / limits.body_rate):
                message = await receive()
        except TimeoutError:
            raise _late(limits) from None
        size += len(message.get("body", b""))
        whole = not message.get("more_body", False)
        return message

    return timed


def _late(limits: Limits) -> Late:
    return Late(
        f"the request took longer than {limits.body_seconds:g} s to arrive, at fewer than "
        f"{limits.body_rate:,} bytes a second; send less at a time, or over a faster network"
    )


def check_length(scope: Scope, limit: int) -> None:
    """Refuse a body whose ``Content-Length`` exceeds the limit before any of it is read."""
    length = header(scope, b"content-length")
    if length and not (length.isascii() and length.isdigit()):
        raise refused(Invalid("the content length is not a number"), 400, unread=True)
    if length and (len(length) > 15 or int(length) > limit):
        raise refused(too_large(limit), unread=True)


def _check_type(scope: Scope, intake: Intake, unread: bool) -> None:
    taken = intake.content_types
    if taken and header(scope, b"content-type").partition(";")[0].strip().lower() not in taken:
        types = " or ".join(sorted(taken))
        raise refused(Invalid(f"the content type of the body must be {types}"), 415, unread)


def _encoding(scope: Scope) -> str:
    encoding = header(scope, b"content-encoding").strip().lower()
    if encoding in ("", "identity"):
        return ""
    if encoding not in ENCODINGS:
        known = " and ".join(ENCODINGS)
        error = Invalid(f"the content encoding {encoding!r:.40} is not supported; {known} are")
        raise refused(error, 415, unread=True)
    return encoding


def replay(body: bytes, receive: Receive) -> Receive:
    """A ``receive`` that returns the whole body once, then the messages that follow it."""
    given = False

    async def replayed() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed


def too_large(limit: int) -> TooLarge:
    """The body has more bytes than the route accepts."""
    return TooLarge(f"the request's body is larger than {limit} bytes; larger commits are staged in parts")
