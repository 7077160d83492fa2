"""One request of the vendor's client: the caller, the server's address, and the form of the response."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

from attrs import field, frozen

from callsheet.dialects.ftrack.server.reading.store_reader import AnswerFormat
from callsheet.dialects.protocol import Backend
from callsheet.model.schema import Schema

__all__ = ["ORIGIN", "VendorRequest", "Files", "TransactionalBackend"]

T = TypeVar("T")

ORIGIN = "ftrack"
"""The origin of commits of the vendor's clients that sent no token."""
LONGEST_TOKEN = 255


class Files(Protocol):
    """Uploaded files as an account may see and change them: addresses to put them to, parts put together."""

    def upload_addresses(self, key: str, parts: Sequence[int] = (0,)) -> list[str]: ...

    def reading_address(self, key: str) -> str: ...

    def join(self, key: str, upload: str, numbers: Sequence[int]) -> None: ...

    def new_upload(self, key: str, parts: int) -> str: ...


class TransactionalBackend(Backend, Protocol):
    """A backend that can do several things in one transaction."""

    @property
    def schema(self) -> Schema: ...

    @property
    def files(self) -> Files: ...

    def may(self, verb: str, entity_type: str, key: str) -> bool:
        """Whether the user may do this with the entity of a key; with no key, with any at all."""
        ...

    def together(self, function: Callable[[TransactionalBackend], T]) -> T:
        """Call the function with a backend whose verbs all happen in one transaction; raising undoes all."""
        ...


@frozen
class VendorRequest:
    """One request: the caller, the form of the response, the server's own address."""

    user: str
    url: str
    body: bytes
    headers: Mapping[str, str] = field(factory=dict)

    @property
    def origin(self) -> str:
        """What the client calls itself, to know its own changes again; ``ftrack`` where it does not."""
        token = self.headers.get("ftrack-clienttoken", "")
        return token if token.isprintable() and 0 < len(token) <= LONGEST_TOKEN else ORIGIN

    @property
    def manner(self) -> AnswerFormat:
        """Strictness and de-duplication, from two headers."""
        given = self.headers.get("ftrack-api-options", "").replace("=", ":").split(";")
        options = {name.strip(): value.strip() for name, _, value in (each.partition(":") for each in given)}
        strict = self.headers.get("ftrack-strict-api", "").lower() == "true" or options.get("strict") == "1"
        return AnswerFormat(strict, strict and options.get("denormalize") == "1", self.url)
