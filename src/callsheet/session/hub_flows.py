"""The verbs of an event hub, as flows: `EventHub` blocks on them, `AsyncEventHub` awaits them.

A flow waits by a `Call` of a method that each hub implements (``events.py``): in a blocking hub it returns when it has
the result, in an awaiting one it is a coroutine. Callbacks are called in the same way: an awaiting hub awaits what they
return.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from inspect import isawaitable
from threading import current_thread, main_thread
from time import monotonic
from typing import TYPE_CHECKING, Any

from callsheet.deferred import abandon
from callsheet.errors import CallsheetError, StateError, Timeout, UsageError
from callsheet.events.hub import Callback, Hub, report
from callsheet.flow import Call, Flow
from callsheet.model.event import Event, Position
from callsheet.session.subscribing import PATIENCE, check_event, failure

if TYPE_CHECKING:
    from callsheet.session.waiting import WaitingHub

__all__ = ["connect", "disconnect", "dispatch", "publish", "publish_reply", "request", "step", "wait"]

_log = logging.getLogger("callsheet.events")


def connect(hub: WaitingHub, after: Position | str | None = None, timeout: float = PATIENCE) -> Flow[None]:
    """Listen to the server's events, which are queued for `wait` or `start`. A session that is not open is opened.

    ``after`` is a position to continue from (`position` of an earlier hub): all events after it are received, in
    order, each once. None continues from this hub's own position, or from now. Raises `QueryError` for a subscription
    that does not match the schema, the server's error, or `Timeout` after ``timeout`` seconds without a connection.
    Later, broken connections are re-established automatically. An awaiting hub reads in a task: of ``task_group``
    (anyio's, asyncio's, or a nursery of trio), or under asyncio of its own.
    """
    hub._check_connectable()
    yield Call(hub._open_session)
    hub._check_subscriptions()
    begin = hub._beginning(after)
    hub._begin_inbox(begin)
    known = hub._flag()
    outcome: list[Any] = []

    def on_state(state: Any) -> None:
        outcome[:] = [state]
        if state.kind == "connected":
            hub._set_position(listener)
        if state.kind != "disconnected":
            known.set()
        if event := hub._state_event(state.kind, state.error):
            hub._put_own(event)
        if state.kind == "failed":
            hub._end_inbox()

    listener = hub._listener = hub._listen(on_state, begin)
    hub._hub.on_change.append(hub._resubscribed)
    hub._run(listener)
    yield Call(partial(hub._wait_for, known, timeout))
    if not listener.connected:
        yield from disconnect(hub)
        raise failure(outcome, timeout)


def disconnect(hub: WaitingHub) -> Flow[None]:
    """Stop listening, and dispatching in the background. Events that were not dispatched are discarded."""
    listener, hub._listener = hub._listener, None
    hub._stream = None
    if listener is None:
        return
    hub._hub.on_change.remove(hub._resubscribed)
    yield Call(partial(hub._end, listener))


def publish(
    hub: WaitingHub,
    event: Event,
    synchronous: bool = False,
    on_reply: Callback | None = None,
    on_error: str = "raise",
) -> Flow[list[Any] | None]:
    """Publish an event.

    With ``synchronous``, only the subscribers here are called, now; returns their results, in order. Otherwise the
    event goes to the server, and from there to all subscribers; without a connection, the subscribers here are called
    at once. ``on_reply`` is called with each reply. ``on_error="ignore"`` suppresses errors of the server.
    """
    check_event(event)
    if synchronous:
        return (yield from dispatch(hub._hub, event))
    if on_reply is not None:
        hub._await_replies(event, on_reply)
    try:
        if hub._dialect is not None:
            yield from hub._dialect.publish(hub._outgoing(event))
    except CallsheetError:
        hub._replies.pop(event.id, None)
        if on_error != "ignore":
            raise
        _log.info("the event %s of %s could not be published", event.id, event.topic, exc_info=True)
    if hub._listener is None:
        results = yield from dispatch(hub._hub, event)
        if hub._replies.pop(event.id, None) is not None and on_reply is not None:
            for reply in hub._replies_here(event, results):
                yield from _called(partial(on_reply, reply))
    return None


def publish_reply(
    hub: WaitingHub, source_event: Event, data: Any, source: Mapping[str, Any] | None = None
) -> Flow[None]:
    """Reply to an event: ``data`` goes to the hub that published it."""
    yield from publish(hub, hub._reply(source_event, data, source))


def request(hub: WaitingHub, event: Event, timeout: float = PATIENCE) -> Flow[Event]:
    """Publish an event and wait for the first reply; other events are dispatched while waiting, as in `wait`.

    Raises `Timeout` if there is no reply within ``timeout`` seconds.
    """
    if not hub._has_inbox:
        raise StateError("the hub is not connected, so it cannot receive a reply; `connect()` first")
    answers: list[Event] = []
    answered = hub._flag()

    def note(reply: Event) -> None:
        answers.append(reply)
        answered.set()

    yield from publish(hub, event, on_reply=note)
    end = monotonic() + timeout
    try:
        while not answers and (left := end - monotonic()) > 0:
            if hub._has_background and not hub._is_background:
                yield Call(partial(hub._wait_for, answered, left))
            elif not (yield from step(hub, left)):
                break
    finally:
        hub._replies.pop(event.id, None)
    if not answers:
        raise Timeout(f"no reply to the event {event.id} of {event.topic} within {timeout} seconds")
    return answers[0]


def wait(hub: WaitingHub, duration: float | None = None) -> Flow[None]:
    """Dispatch events for ``duration`` seconds (None: until the hub is disconnected); callbacks are called here."""
    if not hub._has_inbox:
        raise StateError("the hub is not connected, so it receives no events; `connect()` first")
    if hub._has_background:
        raise StateError("events are dispatched in the background already; `stop()` first")
    end = None if duration is None else monotonic() + duration
    while hub._has_inbox:
        left = None if end is None else end - monotonic()
        if left is not None and left <= 0:
            return
        if not (yield from step(hub, left)) and hub._is_over:
            return


def step(hub: WaitingHub, timeout: float | None) -> Flow[bool]:
    """Dispatch the next event, if there is one in time; returns whether there was."""
    event: Event | None = yield Call(partial(hub._receive, timeout))
    if event is None:
        return False
    try:
        yield from _deliver(hub, hub._received(event))
    except Exception:
        _advance(hub, event)
        raise
    # An event whose callback was cancelled is received again with the next connection.
    _advance(hub, event)
    return True


def _advance(hub: WaitingHub, event: Event) -> None:
    """Set the hub's position: a later connection continues after this event."""
    if event.position is not None:
        hub.position = event.position


def _deliver(hub: WaitingHub, event: Event) -> Flow[None]:
    """Call the matching subscribers; a result is sent as reply to the hub that published the event."""
    waiting = hub._answered(event)
    if waiting is not None:
        yield from _called(partial(waiting, event))
    for subscriber, call in hub._hub.calls(event):
        try:
            result = yield from _called(call)
            if hub._wants_reply(event, result):
                yield from publish(hub, hub._reply(event, result, {"id": subscriber.id}), on_error="ignore")
        except Exception:
            report(event, subscriber)


def dispatch(hub: Hub, event: Event, raises: tuple[type[Exception], ...] = ()) -> Flow[list[Any]]:
    """`Hub.dispatch` as a flow: an awaiting hub awaits what callbacks return."""
    results = []
    for subscriber, call in hub.calls(event):
        try:
            results.append((yield from _called(call)))
        except raises:
            raise
        except Exception:
            report(event, subscriber)
    return results


def _called(call: Callable[[], Any]) -> Flow[Any]:
    """The result of a callback. Raises `UsageError` for an ``async`` callback in a blocking hub."""
    result = yield Call(partial(_contained, call))
    if isawaitable(result):
        abandon(result)
        raise UsageError("an `async` callback needs an AsyncSession")
    return result


def _contained(call: Callable[[], Any]) -> Any:
    """Call a callback; outside the main thread, `SystemExit` and the like become `UsageError`, and end no thread."""
    try:
        return call()
    except BaseException as error:
        if isinstance(error, Exception) or current_thread() is main_thread():
            raise
        raise UsageError(f"the callback raised {type(error).__name__}, which ends only this call") from error
