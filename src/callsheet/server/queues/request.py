"""The request of an action of handlers or schedules: its account, and the store."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from attrs import field, frozen
from sqlalchemy import Connection

from callsheet.errors import Forbidden
from callsheet.server.access.access import Access
from callsheet.server.log.recent import Recent
from callsheet.server.queues.deliveries import Queue
from callsheet.server.store.store import Store

__all__ = ["HandlerRequest"]

T = TypeVar("T")


@frozen
class HandlerRequest:
    """The account that calls an action, and the store. ``recent`` caches decoded changes.

    ``rights`` returns the account's rights at the time of the call: a claim may have waited for the writer.
    """

    store: Store
    clock: Callable[[], datetime]
    user: str
    rights: Callable[[], Access]
    recent: Recent = field(factory=Recent)

    @property
    def access(self) -> Access:
        """What the account may do now."""
        return self.rights()

    def queue(self, connection: Connection, handler: str, user: str | None = None) -> Queue:
        """The queue of a handler of this account; an administrator may name another account."""
        return Queue(self.store, connection, self.owner(user), handler, self.clock())

    def owner(self, user: str | None) -> str:
        if user is not None and user != self.user and not self.access.permissions.admin:
            raise Forbidden(f"only administrators may use the handlers of `{user:.80}`; ask an administrator")
        return user or self.user

    def write(self, handler: str, function: Callable[[Queue], T], user: str | None = None) -> T:
        """Call a function with the queue of a handler, in a transaction."""
        return self.store.write(lambda connection: function(self.queue(connection, handler, user)))
