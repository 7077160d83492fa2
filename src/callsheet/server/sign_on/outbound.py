"""Requests of this server to a provider: bounded in time and size, and never to another place than the one named."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any

import httpx
import msgspec
from attrs import frozen

from callsheet.errors import Unavailable, UsageError

__all__ = ["Outbound", "ProviderReply"]

SECONDS = 5.0
LARGEST = 2**20
"""Bytes of an answer."""


@frozen
class ProviderReply:
    """An answer of a provider: its status, and the JSON object in it, which is empty if it is none."""

    status: int
    data: Mapping[str, Any]


class Outbound:
    """A client for one provider. Redirects are not followed."""

    def __init__(self, certificate_authority: str = "", seconds: float = SECONDS) -> None:
        verify: Any = True
        if certificate_authority:
            try:
                verify = ssl.create_default_context(cafile=certificate_authority)
            except (OSError, ValueError) as error:
                raise UsageError(f"`certificate_authority`: {certificate_authority} cannot be read: {error}") from None
        self._client = httpx.Client(timeout=seconds, follow_redirects=False, verify=verify)

    def close(self) -> None:
        self._client.close()

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> ProviderReply:
        return self._sent("GET", url, headers or {}, None)

    def post(self, url: str, body: str, headers: Mapping[str, str]) -> ProviderReply:
        return self._sent("POST", url, headers, body)

    def _sent(self, method: str, url: str, headers: Mapping[str, str], body: str | None) -> ProviderReply:
        """The answer. Raises `Unavailable` if there is none, or if the provider says that it cannot answer."""
        sent = {"accept": "application/json", **headers}
        try:
            with self._client.stream(method, url, headers=sent, content=body) as response:
                content = b""
                for piece in response.iter_bytes():
                    content += piece
                    if len(content) > LARGEST:
                        raise Unavailable(f"{_place(url)} answers with more than {LARGEST} bytes")
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise Unavailable(f"{_place(url)} does not answer ({type(error).__name__})") from None
        if response.status_code >= 500 or response.status_code == 429:
            raise Unavailable(f"{_place(url)} answers {response.status_code}")
        return ProviderReply(response.status_code, _object(content))


def _object(content: bytes) -> Mapping[str, Any]:
    try:
        found = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _place(url: str) -> str:
    """An address without what may be secret in it."""
    return url.partition("?")[0][:200]
