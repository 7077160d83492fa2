"""An account's rights are checked again at each delivery of events.

Reading takes time, results are shared, and a reader may be slow. So an event stream or socket has an `Entitlement`. It
takes the `standing` before each read, and checks that the standing still holds before each send.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Protocol

from attrs import frozen

from callsheet.server.access.access import Access

__all__ = ["Entitlement", "Standing"]


class Changing(Protocol):
    """A counter of changes of accounts, keys, roles, grants and confidential projects."""

    @property
    def generation(self) -> int: ...


@frozen
class Standing:
    """The rights of an account at one time; accounts with equal ``audience`` may read the same."""

    audience: Hashable
    generation: int


@frozen
class Entitlement:
    """The right of one connection to receive events: its credentials, and the rights of its account."""

    account: str
    _check: Callable[[], object]
    _access: Callable[[str], Access]
    _changes: Changing

    def standing(self) -> Standing:
        """Check the credentials and read the rights. Raises if the credentials are refused; may block."""
        generation = self._changes.generation
        self._check()
        return Standing(self._access(self.account).audience, generation)

    def is_current(self, standing: Standing) -> bool:
        """Whether no change was made since in this process. Never blocks."""
        return standing.generation == self._changes.generation

    def still_holds(self, standing: Standing) -> bool:
        """Whether the account may still read the same. Raises as `standing` does; may block."""
        return self.is_current(standing) or self.standing().audience == standing.audience
