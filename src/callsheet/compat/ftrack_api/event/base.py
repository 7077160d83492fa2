"""Events as scripts make them and get them: mappings that can be changed."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from callsheet.model.event import Event as FrozenEvent
from callsheet.model.record import new_key

__all__ = ["ChangeableEvent", "Event"]


class ChangeableEvent(FrozenEvent):
    """An event, with its arguments in the vendor's order, and items that can be set.

    >>> event = ChangeableEvent("studio.render.done", data={"take": 3})
    >>> event["data"]["take"], event["topic"], event["in_reply_to_event"]
    (3, 'studio.render.done', None)
    """

    def __init__(
        self,
        topic: str,
        id: str | None = None,
        data: Any = None,
        sent: Any = None,
        source: Any = None,
        target: str = "",
        in_reply_to_event: str | None = None,
        position: Any = None,
    ) -> None:
        super().__init__(topic, data or {}, id or new_key(), sent, source or {}, target, in_reply_to_event, position)

    def __setitem__(self, name: str, value: Any) -> None:
        self[name]
        setattr(self, name, value)

    def __delitem__(self, name: str) -> None:
        self[name] = None


MutableMapping.register(ChangeableEvent)
Event = ChangeableEvent
