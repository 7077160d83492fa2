"""A request's body, read within bounds: how large, how fast, of which type, and unfolded as it comes.

A compressed body is never held: each chunk is unfolded when it comes, piece by piece, and each piece is counted before
the next one is made. So memory is bounded by the limits, whatever a body unfolds to.
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

__all__ = ["BodyReader", "Late", "Refusal", "Unfolding", "paced", "replay"]

PIECE = 64 * 2**10
"""Bytes that are unfolded at a time."""
IN_PLACE = 2 * 2**10
"""Compressed bytes that are unfolded without a thread: they make two million bytes at most."""
UNFOLDERS = 4
"""Threads that unfold for all requests together."""
ENCODINGS = ("deflate", "gzip")


class Refusal(Exception):
    """A request that is not let through; ``unread`` when its body may still be on its way."""

    def __init__(self, response: Response, unread: bool = False) -> None:
        super().__init__(response.status)
        self.response, self.unread = response, unread


class Late(Unavailable):
    """A body came more slowly than the server waits for it."""

    status = 408


def refused(error: ServerError, status: int | None = None, unread: bool = False) -> Refusal:
    """A refusal in the words of the native wire, after which the connection ends."""
    return Refusal(error_response(error, status, {"connection": "close"}), unread)


class Unfolding:
    """Unfolds a compressed body chunk by chunk, never to more than ``most`` bytes. ``take`` counts each piece.

    >>> unfolding = Unfolding("deflate", 1_000, lambda size: None)
    >>> b"".join(unfolding.pieces(zlib.compress(b"shot")))
    b'shot'
    >>> unfolding.end()
    """

    def __init__(self, encoding: str, most: int, take: Callable[[int], None]) -> None:
        self._left, self._most, self._take = most, most, take
        # 31: gzip; 15: deflate in zlib's frame, as HTTP has it.
        self._engine = zlib.decompressobj(wbits=31 if encoding == "gzip" else 15)

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        """What a chunk unfolds to. Raises `Refusal`, and what ``take`` raises."""
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
                raise refused(Invalid("the compressed body is whole, and something follows it"), unread=True)
            chunk = self._engine.unconsumed_tail
            more = bool(chunk) or len(piece) == room

    def end(self) -> None:
        """The body has come; `Refusal` where it is not whole."""
        if not self._engine.eof:
            raise refused(Invalid("the compressed body is cut short"))

    def _count(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            error = TooLarge(f"the body unfolds to more than {self._most} bytes; send less at a time")
            raise refused(error, unread=True)
        self._take(size)


class BodyReader:
    """Reads bodies for the guard."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._unfolders: CapacityLimiter | None = None

    async def read(self, scope: Scope, receive: Receive, intake: Intake, share: Share) -> bytes:
        """The whole body, unfolded; its bytes are the share's. Raises `Refusal`, `Gone`, and what the share raises."""
        limit = self._limits.body(intake.size)
        check_length(scope, limit)
        encoding = _encoding(scope)
        unfolding = Unfolding(encoding, self._limits.decompressed_bytes, share.take) if encoding else None
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
            if unfolding is None:
                share.take(len(chunk))
                pieces.append(chunk)
            elif chunk:
                await self._unfold(unfolding, chunk, pieces)
        if unfolding is not None and size:
            unfolding.end()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def _unfold(self, unfolding: Unfolding, chunk: bytes, pieces: list[bytes]) -> None:
        if len(chunk) <= IN_PLACE:
            pieces.extend(unfolding.pieces(chunk))
            return
        self._unfolders = self._unfolders or CapacityLimiter(UNFOLDERS)
        await to_thread.run_sync(lambda: pieces.extend(unfolding.pieces(chunk)), limiter=self._unfolders)


def paced(receive: Receive, limits: Limits) -> Receive:
    """A ``receive`` that raises `Late` where a body comes too slowly, and bounds nothing once the body is whole.

    A body has some seconds, and more for each byte that is there.
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
        f"the request took longer than {limits.body_seconds:g} s to arrive, and came with fewer than "
        f"{limits.body_rate:,} bytes a second; send less at a time, or over a faster network"
    )


def check_length(scope: Scope, limit: int) -> None:
    """Refuse at once what says itself that it is too large."""
    told = header(scope, b"content-length")
    if told and not (told.isascii() and told.isdigit()):
        raise refused(Invalid("the content length is no number"), 400, unread=True)
    if told and (len(told) > 15 or int(told) > limit):
        raise refused(too_large(limit), unread=True)


def _check_type(scope: Scope, intake: Intake, unread: bool) -> None:
    if header(scope, b"content-type").partition(";")[0].strip().lower() not in intake.content_types:
        types = " or ".join(sorted(intake.content_types))
        raise refused(Invalid(f"a request's body has the content type {types}"), 415, unread)


def _encoding(scope: Scope) -> str:
    encoding = header(scope, b"content-encoding").strip().lower()
    if encoding in ("", "identity"):
        return ""
    if encoding not in ENCODINGS:
        known = " and ".join(ENCODINGS)
        error = Invalid(f"the content encoding {encoding!r:.40} is not understood; {known} are")
        raise refused(error, 415, unread=True)
    return encoding


def replay(body: bytes, receive: Receive) -> Receive:
    """A ``receive`` that gives the whole body once, then what comes after it."""
    given = False

    async def replayed() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed


def too_large(limit: int) -> TooLarge:
    """A body has more bytes than its route takes."""
    return TooLarge(f"the request's body is larger than {limit} bytes; larger commits are staged in parts")
