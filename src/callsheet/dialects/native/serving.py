"""The server half for files. A file is sent in parts of a few megabytes, so that any size needs little memory. Pure.

The path of a file is ``/v1/files/KEY`` with the key of its component.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence

from callsheet.dialects.native import shapes
from callsheet.dialects.protocol import Backend, FileBackend
from callsheet.errors import Invalid, NotFound
from callsheet.flow import Response

__all__ = ["answer"]

LARGEST_PART = 16 * 2**20
KEY_LENGTH = 255
JSON = {"content-type": "application/json"}


def answer(
    backend: Backend, method: str, key: str, rest: Sequence[str], params: Mapping[str, str], body: bytes
) -> Response:
    """Answer one request about a file: its state, a part of it, its end."""
    files: FileBackend | None = getattr(backend, "files", None)
    if files is None:
        raise NotFound("there are no files here")
    if not 0 < len(key) <= KEY_LENGTH or not key.isprintable():
        raise Invalid(f"the key of a file has 1 to {KEY_LENGTH} printable characters, not {key!r:.40}")
    match [method, *rest]:
        case ["GET"]:
            state = files.state(key)
            return _json(shapes.FileReply(state.size, state.received))
        case ["DELETE"]:
            files.remove(key)
            return _json({})
        case ["PUT", "data"]:
            return _json(shapes.FileReply(None, _write(files, key, params, body)))
        case ["GET", "data"]:
            return _read(files, key, _number(params, "offset"), _number(params, "size"))
        case ["POST", "finish"]:
            wanted = shapes.decode(body, shapes.FinishBody)
            files.finish(key, wanted.size, wanted.checksum)
            return _json({})
        case ["GET", "address"]:
            return _json(shapes.AddressReply(files.address(key)))
    raise NotFound(f"there is no {method:.20} of a file's {'/'.join(rest)!r:.80}")


def _write(files: FileBackend, key: str, params: Mapping[str, str], body: bytes) -> int:
    checksum = params.get("checksum", "")
    if len(body) > LARGEST_PART:
        raise Invalid(f"a part of a file has at most {LARGEST_PART:,} bytes")
    if not hmac.compare_digest(hashlib.sha256(body).hexdigest().encode(), checksum.encode("utf-8", "replace")):
        raise Invalid("the part does not match its checksum; send it again")
    return files.write(key, _number(params, "offset"), body)


def _read(files: FileBackend, key: str, offset: int, size: int) -> Response:
    content = files.read(key, offset, min(size, LARGEST_PART))
    headers = {"content-type": "application/octet-stream", "x-callsheet-checksum": hashlib.sha256(content).hexdigest()}
    return Response(200, content, headers)


def _number(params: Mapping[str, str], name: str) -> int:
    text = params.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise Invalid(f"`{name}` is a number of bytes, not {text!r:.40}")
    return int(text)


def _json(data: object) -> Response:
    return Response(200, shapes.encode(data), JSON)
