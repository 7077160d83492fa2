"""The subscriptions of one connection; they count towards its account's limit."""

from __future__ import annotations

from collections import Counter
from typing import Any

from callsheet.errors import UsageError
from callsheet.events.hub import Hub, Subscriber
from callsheet.model.language.events import parse_expression
from callsheet.server.log.filters import comparisons

__all__ = ["AccountHub"]


class AccountHub(Hub):
    """The subscriptions of one connection, up to the limit of its account."""

    def __init__(self, account: str, sizes: Counter[str], most: int) -> None:
        super().__init__()
        self._account, self._sizes, self._most = account, sizes, most
        self.on_change.append(self._count)
        self._size = 0

    def subscribe(self, expression: Any, *arguments: Any, **options: Any) -> str:
        """Subscribe; `UsageError` if each event would need more comparisons than the account may have."""
        if self._sizes[self._account] + comparisons(parse_expression(expression)) > self._most:
            raise UsageError(
                f"the subscriptions of `{self._account}` would compare each event {self._most:,} times and more, its "
                "limit; ask for topics, and choose in your own process"
            )
        return super().subscribe(expression, *arguments, **options)

    def end(self) -> None:
        """The connection has ended: release its share."""
        self._sizes[self._account] -= self._size
        self._sizes += Counter()

    def _count(self, changed: Subscriber) -> None:
        size = comparisons(changed.condition)
        size = size if self.get_subscriber_by_identifier(changed.id) is changed else -size
        self._size += size
        self._sizes[self._account] += size
