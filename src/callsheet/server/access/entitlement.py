"""Whether what was read for an account may still go out to it: decided at each delivery, by what the server knows then.

Reading takes a while, answers are shared, and a reader may be slow. So whoever delivers to an account (a stream of
events, a socket) holds an `Entitlement`, takes its standing before each reading, and asks whether that still holds
before each sending.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Protocol

from attrs import frozen

from callsheet.server.access.access import Access

__all__ = ["Entitlement", "Standing"]


class Changing(Protocol):
    """What counts the changes of accounts, keys, roles, grants and private projects."""

    @property
    def generation(self) -> int: ...


@frozen
class Standing:
    """What an account was entitled to at one moment; accounts of one ``audience`` are told the same."""

    audience: Hashable
    generation: int


@frozen
class Entitlement:
    """The right of one connection to be told things: its credentials, and what its account may read."""

    account: str
    _check: Callable[[], object]
    _access: Callable[[str], Access]
    _changes: Changing

    def standing(self) -> Standing:
        """Look at the credentials and rights. Raises what is refused; may block."""
        generation = self._changes.generation
        self._check()
        return Standing(self._access(self.account).audience, generation)

    def is_current(self, standing: Standing) -> bool:
        """Whether nothing that this server knows of has changed since. Never blocks."""
        return standing.generation == self._changes.generation

    def still_holds(self, standing: Standing) -> bool:
        """Whether what was read then may be told now: the account may read the same. Raises as `standing` does."""
        return self.is_current(standing) or self.standing().audience == standing.audience
