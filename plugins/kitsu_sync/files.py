"""Files to and from Kitsu, a part at a time: no file is ever whole in memory.

Theory. A flow's request has its content in memory, so files go over a connection of their own. A file is uploaded into
a preview that has none yet; Kitsu refuses a second one, so sending it again after a lost answer does no harm. Pictures
and other files are downloaded from one route, movies from another.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO, cast

import httpx

from callsheet.errors import Disconnected, Timeout
from callsheet.flow import Flow, Response
from kitsu_sync.account import KitsuAccount, refusal

__all__ = ["MOVIES", "PICTURES", "KitsuFiles", "LocationStream", "kept_ending"]

PICTURES = frozenset({".jpe", ".jpeg", ".jpg", ".png"})
MOVIES = frozenset({".avi", ".m4v", ".mkv", ".mov", ".mp4", ".webm", ".wmv"})
SECONDS = 120
"""The longest silence of the server within a transfer: it works on a file before it answers."""


def kept_ending(ending: str) -> str:
    """What Kitsu makes of an ending, without its dot: pictures are kept as PNG, movies as MP4.

    >>> kept_ending(".jpg"), kept_ending(".mov"), kept_ending(".pdf")
    ('png', 'mp4', 'pdf')
    """
    return "png" if ending in PICTURES else "mp4" if ending in MOVIES else ending.removeprefix(".")


class LocationStream:
    """The file of a component in a location, as a stream that is read once, and hashed on its way."""

    def __init__(self, read: Callable[[int], bytes], size: int) -> None:
        self._read, self._size, self._at = read, size, 0
        self._digest = sha256()

    @property
    def checksum(self) -> str:
        """The SHA-256 of what was read."""
        return self._digest.hexdigest()

    def read(self, size: int = 2**20) -> bytes:
        """The next bytes; none at the end."""
        part = self._read(size)
        self._digest.update(part)
        self._at += len(part)
        return part

    def tell(self) -> int:
        """How many bytes were read."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """The size, for the end; the stream itself cannot go back."""
        if whence == os.SEEK_END:
            return self._size
        if offset != self._at:
            raise OSError("a file of a location is read once, from its beginning")
        return offset


class KitsuFiles:
    """The files of one server; ``run`` runs the account's flows, as `KitsuSide.run` does."""

    def __init__(self, url: str, account: KitsuAccount, run: Callable[[Flow[Any]], Any]) -> None:
        self._account, self._run = account, run
        self._client = httpx.Client(base_url=url, timeout=SECONDS)

    def upload(self, preview: str, name: str, stream: LocationStream) -> None:
        """Give a preview its file. ``name`` has the ending, from which Kitsu knows what it is."""
        path = f"/pictures/preview-files/{preview}"
        content = {"file": (name, cast("BinaryIO", stream))}
        try:
            answer = self._client.post(path, files=content, headers=self._login())
        except httpx.HTTPError as error:
            raise _lost(error, path) from error
        self._check("POST", path, answer.status_code, answer.content)

    def download(self, preview: Mapping[str, Any], target: Path) -> str:
        """Write the file of a preview; gives its SHA-256. Kitsu keeps pictures as PNG, and movies as it made them."""
        ending, digest = preview["extension"], sha256()
        kind = "movies" if f".{ending}" in MOVIES else "pictures"
        path = f"/{kind}/originals/preview-files/{preview['id']}.{ending}"
        try:
            with self._client.stream("GET", path, headers=self._login()) as answer, target.open("wb") as file:
                if answer.status_code != 200:
                    self._check("GET", path, answer.status_code, answer.read())
                for part in answer.iter_bytes(2**20):
                    digest.update(part)
                    file.write(part)
        except httpx.HTTPError as error:
            raise _lost(error, path) from error
        return digest.hexdigest()

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _login(self) -> dict[str, str]:
        """A token that is taken now: a stream cannot be sent again with another one."""
        token = self._run(self._account.token())
        self._account.requests += 1
        return {"authorization": f"Bearer {token}"}

    def _check(self, method: str, path: str, status: int, content: bytes) -> None:
        if status >= 400 or status == 202:
            raise refusal(method, path, Response(status, content))


def _lost(error: httpx.HTTPError, path: str) -> Disconnected | Timeout:
    kind = Timeout if isinstance(error, httpx.TimeoutException) else Disconnected
    return kind(f"Kitsu did not finish {path}: {error or type(error).__name__}")
