"""How a hub waits, as its flows see it; each kind of hub does so in its own way (``events.py``)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from callsheet.model.event import Event, Position
from callsheet.session.subscribing import Subscribing

__all__ = ["WaitingHub"]


class WaitingHub(Subscribing):
    """What `EventHub` returns from when it is there, and `AsyncEventHub` gives to be awaited."""

    #: Whether events that come have a place to wait in: from `connect` to `disconnect`.
    _has_inbox: bool
    #: Whether nothing more will come.
    _is_over: bool
    #: Whether callbacks are called in the background, and whether that is where the caller is.
    _has_background: bool
    _is_background: bool = False

    if TYPE_CHECKING:
        # A flag that is set once, and the wait for it; the next event, or None after so many seconds.
        def _flag(self) -> Any: ...
        def _wait_for(self, flag: Any, seconds: float) -> Any: ...
        def _receive(self, timeout: float | None) -> Any: ...
        # The place where events wait; an event of the hub itself is put there without waiting.
        def _begin_inbox(self, begin: Position | None) -> None: ...
        def _put_own(self, event: Event) -> None: ...
        def _end_inbox(self) -> None: ...
        # The listener that puts the server's events there; its end, and that of all in the background.
        def _listen(self, on_state: Callable[[Any], None], begin: Position | None) -> Any: ...
        def _run(self, listener: Any) -> None: ...
        def _end(self, listener: Any) -> Any: ...
