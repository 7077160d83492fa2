"""The waiting of a hub, as its flows need it; each kind of hub implements it (``events.py``)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from callsheet.model.event import Event, Position
from callsheet.session.subscribing import Subscribing

__all__ = ["WaitingHub"]


class WaitingHub(Subscribing):
    """The methods that wait: `EventHub` blocks in them, `AsyncEventHub` returns coroutines."""

    #: Whether there is a queue for events: from `connect` to `disconnect`.
    _has_inbox: bool
    #: Whether no more events will be received.
    _is_over: bool
    #: Whether callbacks are called in the background, and whether the caller runs there.
    _has_background: bool
    _is_background: bool = False

    if TYPE_CHECKING:
        # A flag that is set once, and the wait for it; the next event, or None after the timeout.
        def _flag(self) -> Any: ...
        def _wait_for(self, flag: Any, seconds: float) -> Any: ...
        def _receive(self, timeout: float | None) -> Any: ...
        # The queue of events; an event of the hub itself is added without waiting.
        def _begin_inbox(self, begin: Position | None) -> None: ...
        def _put_own(self, event: Event) -> None: ...
        def _end_inbox(self) -> None: ...
        # The listener that adds the server's events; its end, and that of all background work.
        def _listen(self, on_state: Callable[[Any], None], begin: Position | None) -> Any: ...
        def _run(self, listener: Any) -> None: ...
        def _end(self, listener: Any) -> Any: ...
