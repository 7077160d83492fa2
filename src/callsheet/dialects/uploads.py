"""An upload to a server that appends each part to those before (``FileBackend``)."""

from __future__ import annotations

from typing import Protocol

from callsheet.flow import Flow

__all__ = ["PART", "StagedUpload"]

PART = 8 * 2**20


class UploadVerbs(Protocol):
    """What an upload needs of a dialect."""

    def write_file(self, key: str, offset: int, data: bytes) -> Flow[int]: ...

    def finish_file(self, key: str, size: int, checksum: str) -> Flow[None]: ...

    def remove_file(self, key: str) -> Flow[None]: ...


class StagedUpload:
    """Sends parts one after another; bytes that the server has already are not sent again."""

    def __init__(self, verbs: UploadVerbs, key: str, received: int) -> None:
        self._verbs, self._key = verbs, key
        self.received = received
        self.part = PART
        self._sent = 0

    def send(self, data: bytes) -> Flow[None]:
        """Send the part, without the bytes that the server has already."""
        start, end = self._sent, self._sent + len(data)
        if end > self.received:
            known = max(0, self.received - start)
            self.received = yield from self._verbs.write_file(self._key, start + known, data[known:])
        self._sent = end

    def finish(self, checksum: str) -> Flow[None]:
        yield from self._verbs.finish_file(self._key, self._sent, checksum)

    def abandon(self) -> Flow[None]:
        yield from self._verbs.remove_file(self._key)
