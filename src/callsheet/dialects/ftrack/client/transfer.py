"""The client's half for files: addresses that the server signs, to put parts to and to read from.

The user's key is never part of an address. If a server signs no addresses for reading, its own is used with
the key in a header. What a signed address leads to is another server, which gets no key at all.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from typing import Any, Protocol
from urllib.parse import quote

from callsheet.errors import Forbidden, Invalid, NotFound, ServerError, TransportError, Unavailable
from callsheet.flow import Flow, Request, Response

__all__ = ["Addresses", "VendorUpload", "begin", "read", "remove", "size_of"]

PART = 8 * 2**20
LARGER_PARTS = ((128 * 2**20, PART), (2**30, 2 * PART), (8 * 2**30, 4 * PART), (64 * 2**30, 8 * PART))
LARGEST_PART = 16 * PART
REDIRECTS = 3
KEPT = 256


class SigningDialect(Protocol):
    """What is needed of a dialect."""

    def call(self, action: str, arguments: Mapping[str, Any]) -> Flow[Any]: ...


def part_of(size: int) -> int:
    """How large the parts of a file are.

    >>> part_of(2**20) >> 20, part_of(2**30) >> 20
    (8, 16)
    """
    return next((part for limit, part in LARGER_PARTS if size <= limit), LARGEST_PART)


def begin(dialect: SigningDialect, key: str, name: str, size: int) -> Flow[VendorUpload]:
    """An upload: in one piece if it is small, else in parts, whose addresses are requested at once."""
    part = part_of(size)
    arguments = {"component_id": key, "file_name": name, "file_size": size}
    if size <= 2 * part:
        return VendorUpload(dialect, arguments, max(1, size), {}, "")
    count = -(-size // part)
    answer = yield from dialect.call("get_upload_metadata", {**arguments, "parts": count})
    try:
        urls = {int(each["part_number"]): str(each["signed_url"]) for each in answer["urls"]}
        upload = str(answer["upload_id"])
    except (KeyError, TypeError, ValueError):
        raise TransportError(f"the server gave no addresses for {count} parts: {answer!r:.120}") from None
    return VendorUpload(dialect, arguments, part, urls, upload)


class VendorUpload:
    """A file on its way: one request for each part, which may be repeated."""

    received = 0

    def __init__(
        self, dialect: SigningDialect, arguments: Mapping[str, Any], part: int, urls: Mapping[int, str], upload: str
    ) -> None:
        self._dialect, self._arguments, self._urls, self._upload = dialect, arguments, urls, upload
        self.part = part
        self._tags: list[str] = []

    def send(self, data: bytes) -> Flow[None]:
        digest = hashlib.md5(data, usedforsecurity=False)
        number = len(self._tags) + 1
        if self._urls:
            url, headers = self._urls[number], {"content-type": "application/octet-stream"}
        else:
            checksum = base64.b64encode(digest.digest()).decode()
            answer = yield from self._dialect.call("get_upload_metadata", {**self._arguments, "checksum": checksum})
            url, headers = str(answer["url"]), {str(k).lower(): str(v) for k, v in answer["headers"].items()}
        response = yield Request("PUT", url, data, headers=headers, safe=True)
        if not 200 <= response.status < 300:
            raise _refusal(response, "the upload was refused")
        tag = response.headers.get("etag", "").strip('"')
        if self._urls and not tag:
            raise TransportError("the storage did not confirm a part of the upload")
        if len(tag) == 32 and tag != digest.hexdigest() and not response.headers.get("x-amz-server-side-encryption"):
            raise TransportError("a part of the upload was damaged on its way; try again")
        self._tags.append(tag)

    def finish(self, checksum: str) -> Flow[None]:
        if not self._tags:
            yield from self.send(b"")
        if self._urls:
            parts = [{"part_number": number, "e_tag": tag} for number, tag in enumerate(self._tags, 1)]
            arguments = {"component_id": self._arguments["component_id"], "upload_id": self._upload, "parts": parts}
            yield from self._dialect.call("complete_multipart_upload", arguments)

    def abandon(self) -> Flow[None]:
        if self._tags:
            yield from remove(str(self._arguments["component_id"]))


class Addresses:
    """Signed addresses of files that are being read, kept until they are refused."""

    def __init__(self, dialect: SigningDialect) -> None:
        self._dialect = dialect
        self._known: dict[str, str] = {}

    def ask(self, key: str) -> Flow[str]:
        """Where a file can be read by anybody for a while; a path on the server where it signs none."""
        if key not in self._known:
            try:
                answer = yield from self._dialect.call("generate_signed_url", {"component_id": key})
                url = str(answer["url"])
            except (Invalid, TypeError, KeyError):
                url = f"/component/get?id={quote(key, safe='')}"
            if len(self._known) >= KEPT:
                self._known.clear()
            self._known[key] = url
        return self._known[key]

    def forget(self, key: str) -> None:
        self._known.pop(key, None)

    def get(self, key: str, span: str) -> Flow[Response]:
        """The answer to a reading of some bytes; once more with a new address where the old one is over."""
        for attempt in (1, 2):
            url = yield from self.ask(key)
            response = yield from _follow(url, {"range": f"bytes={span}"})
            if response.status in (401, 403) and attempt == 1:
                self.forget(key)
                continue
            break
        return response


def _follow(url: str, headers: Mapping[str, str]) -> Flow[Response]:
    for _ in range(REDIRECTS + 1):
        response: Response = yield Request("GET", url, headers=headers, safe=True)
        place = response.headers.get("location", "")
        if response.status not in (301, 302, 303, 307, 308) or not place:
            return response
        url = place
    raise TransportError("too many redirects from the address of the file")


def size_of(addresses: Addresses, key: str) -> Flow[int | None]:
    """The bytes of a file; None where there is none."""
    try:
        response = yield from addresses.get(key, "0-0")
    except NotFound:
        return None
    if response.status == 404:
        addresses.forget(key)
        return None
    total = response.headers.get("content-range", "").rpartition("/")[2]
    if response.status in (206, 416) and total.isdigit():
        return int(total)
    if response.status == 200:
        return len(response.content)
    raise _refusal(response, "the file cannot be read")


def read(addresses: Addresses, key: str, offset: int, size: int) -> Flow[bytes]:
    """A part of a file, empty beyond its end."""
    response = yield from addresses.get(key, f"{offset}-{offset + size - 1}")
    if response.status == 416:
        return b""
    if response.status == 206:
        content: bytes = response.content
        return content
    if response.status == 200:
        # A storage that does not know ranges.
        return bytes(response.content[offset : offset + size])
    raise _refusal(response, "the file cannot be read")


def remove(key: str) -> Flow[None]:
    """Remove the bytes of a component; they need not be there."""
    response = yield Request("GET", "/component/remove", params={"id": key}, safe=True)
    if response.status >= 400 and response.status != 404:
        raise _refusal(response, "the file cannot be removed")


_KINDS: dict[int, Callable[[str], ServerError]] = {401: Forbidden, 403: Forbidden, 404: NotFound}


def _refusal(response: Response, what: str) -> ServerError:
    kind = _KINDS.get(response.status, Unavailable if response.status >= 500 else Invalid)
    return kind(f"{what}: status {response.status}, {response.content[:120].decode('utf-8', 'replace')}")
