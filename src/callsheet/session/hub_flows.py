"""The verbs of an event hub, as flows: `EventHub` blocks on them, in `AsyncEventHub` they are awaited.

What waits is a `Call` of a method that each hub has in its own way (``events.py``): in a blocking hub it returns when
there is an answer, in an awaiting one it is a coroutine. So are callbacks: what they return is awaited where the hub
awaits.
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
    """Listen to the server; what comes waits for `wait` or `start`. A session that is not open is opened first.

    ``after`` is a position to go on from (`position` of an earlier hub): everything after it comes, in order, each
    once. None goes on from this hub's own position, or from now. Raises `QueryError` for a subscription to what the
    schema does not have, what the server answers, or `Timeout` (after ``timeout`` seconds without connection);
    afterwards connections that break are made again.
    An awaiting hub reads in a task: of ``task_group`` (anyio's, asyncio's, or a nursery of trio), or under asyncio of
    its own.
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
            hub._arrived(listener)
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
    """Stop listening, and dispatching in the background. What came and was not dispatched is let go."""
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

    ``synchronous`` calls only those who subscribed here, now; gives what they returned, in order. Otherwise the
    event goes to the server, and through it to everybody who subscribed; without a connection those who subscribed
    here are called at once. ``on_reply`` is called with each answer. ``on_error="ignore"`` suppresses its errors.
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
    """Answer an event: ``data`` goes to the hub that published it."""
    yield from publish(hub, hub._reply(source_event, data, source))


def request(hub: WaitingHub, event: Event, timeout: float = PATIENCE) -> Flow[Event]:
    """Publish an event and wait for the first answer; other events are dispatched meanwhile, as in `wait`.

    Raises `Timeout` where none comes in so many seconds.
    """
    if not hub._has_inbox:
        raise StateError("the hub is not connected, so no answer can come; `connect()` first")
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
        raise Timeout(f"nobody answered the event {event.id} of {event.topic} within {timeout} seconds")
    return answers[0]


def wait(hub: WaitingHub, duration: float | None = None) -> Flow[None]:
    """Call the callbacks of what comes, here, for so many seconds (None: until the hub is disconnected)."""
    if not hub._has_inbox:
        raise StateError("the hub is not connected, so nothing will come; `connect()` first")
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
    """Dispatch the next event, if one comes in time; whether one did."""
    event: Event | None = yield Call(partial(hub._receive, timeout))
    if event is None:
        return False
    try:
        yield from _tell(hub, hub._received(event))
    except Exception:
        _passed(hub, event)
        raise
    # One whose callback was cancelled comes again with the next connection.
    _passed(hub, event)
    return True


def _passed(hub: WaitingHub, event: Event) -> None:
    """Whoever connects later goes on behind this event."""
    if event.position is not None:
        hub.position = event.position


def _tell(hub: WaitingHub, event: Event) -> Flow[None]:
    """Call those whom the event concerns; what one returns goes to the hub that asks for it."""
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
    """`Hub.dispatch`, where what a callback returns is awaited if the hub awaits."""
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
    """What a callback returns. `UsageError` for one that is to be awaited, in a hub that does not await."""
    result = yield Call(partial(_outlived, call))
    if isawaitable(result):
        abandon(result)
        raise UsageError("an `async` callback needs an AsyncSession")
    return result


def _outlived(call: Callable[[], Any]) -> Any:
    """Call, so that no thread but the main one is ended by what is raised; there `sys.exit()` is meant."""
    try:
        return call()
    except BaseException as error:
        if isinstance(error, Exception) or current_thread() is main_thread():
            raise
        raise UsageError(f"the callback raised {type(error).__name__}, which ends nothing but the call") from error
