"""The events that a session publishes about itself: opened, reset, before and after a commit, …

Subscribers are called in the session's own thread, while no flow of it waits for a server, so they may read and
change what they like. Where nobody subscribed, no event is made.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any
from weakref import ref

from callsheet.errors import SchemaError
from callsheet.events.topics import CONFIGURE_LOCATION, CONSTRUCT_ENTITY_TYPE, READY, RESET
from callsheet.flow import Call, Flow
from callsheet.model.event import Event
from callsheet.model.schema import EntityType

__all__ = ["constructing", "reset", "tell", "welcome"]

_log = logging.getLogger("callsheet.events")


def tell(core: Any, topic: str, raises: tuple[type[Exception], ...] = (), **data: Any) -> Flow[list[Any]]:
    """Call the subscribers of a topic, and return their results. They may use the session meanwhile."""
    if not core.hub.wants(topic):
        return []
    event = occasion(core, topic, **data)
    core._busy = False
    try:
        found: list[Any] = yield Call(partial(core._dispatch, event, raises))
    finally:
        core._busy = True
    return found


def occasion(core: Any, topic: str, **data: Any) -> Event:
    """An event of the session's own."""
    return Event(topic, {"session": core, **data}, source={"id": core.hub.id})


def welcome(core: Any) -> Flow[None]:
    """Publish that the session is open, and that locations may be configured."""
    yield from tell(core, CONFIGURE_LOCATION)
    yield from tell(core, READY)


def reset(core: Any) -> Flow[None]:
    """Forget everything local: what is pending, and all entities; those that are held are detached."""
    core._forget()
    yield from tell(core, CONFIGURE_LOCATION)
    yield from tell(core, RESET)


def constructing(session: ref[Any]) -> Callable[[EntityType], None]:
    """What the types of a session call before they make a class: subscribers may return behaviours for it."""

    def construct(entity_type: EntityType) -> None:
        core = session()
        if core is None or not core.hub.wants(CONSTRUCT_ENTITY_TYPE):
            return
        event = occasion(core, CONSTRUCT_ENTITY_TYPE, entity_type=entity_type, schema=core.schema)
        for result in core.hub.dispatch(event):
            if isinstance(result, type):
                _extend(core, entity_type.name, result)

    return construct


def _extend(core: Any, name: str, behaviour: type) -> None:
    try:
        core.types.extend(name, behaviour)
    except SchemaError:
        _log.exception("the type %s does not get the behaviour %s", name, behaviour.__qualname__)
