"""A login is renewed between requests: once, however many threads and tasks notice that it is due.

Tokens that expire soon are renewed while the next request is on its way, which takes no extra time. Expired ones are
renewed before it. If the server refuses the token all the same (its clock is another, or it restarted with other keys),
they are renewed and the request is sent again: a refused request (401) has had no effect, so that is safe for a commit
too.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from callsheet.errors import ServerError, TransportError, Unauthorised
from callsheet.flow import Request, Response
from callsheet.later import Later

if TYPE_CHECKING:
    from callsheet.credentials.login import SessionLogin
    from callsheet.secret import Secret
    from callsheet.transport import drive
else:
    drive = Later("callsheet.transport.drive")

__all__ = ["Renewals"]

PAUSE = 10.0
"""Seconds without another attempt in advance, after one that failed."""
GLANCE = 0.02
"""Seconds between two attempts of a task to take the lock, which a thread that listens to events may have."""
_log = logging.getLogger("callsheet")


class Renewals:
    """The renewals of one login, for a transport, its copies and its connections for events.

    ``transmit`` is always the sending of one request with the present token, without any renewal.
    """

    def __init__(self, login: SessionLogin) -> None:
        self.login = login
        self._turn = Lock()
        self._tasks: Any = None
        self._paused_until = 0.0
        _alive.add(self)

    # -- blocking ----------------------------------------------------------------------------------------

    def send(self, request: Request, transmit: Callable[[Request], Response]) -> Response:
        """Send a request, renewing the tokens before, meanwhile or after, as needed."""
        need = self.login.need()
        if need == "now":
            self.renew(self.login.access, transmit)
        used = self.login.access
        response = self._meanwhile(used, request, transmit) if self._is_due(need) else transmit(request)
        if response.status == 401 and used is not None:
            self.renew(used, transmit)
            response = transmit(request)
        return response

    def renew(self, stale: Secret | None, transmit: Callable[[Request], Response]) -> None:
        """Renew the tokens unless another thread has done it; blocks until they are new."""
        with self._turn:
            drive.run(self.login.renewing(stale), _Sender(transmit))

    def _meanwhile(self, stale: Secret | None, request: Request, transmit: Callable[[Request], Response]) -> Response:
        def renew() -> None:
            try:
                self.renew(stale, transmit)
            except (TransportError, ServerError) as error:
                self._failed(error)

        thread = Thread(target=copy_context().run, args=(renew,), name="callsheet-renewal", daemon=True)
        thread.start()
        try:
            return transmit(request)
        finally:
            thread.join()

    # -- awaiting ----------------------------------------------------------------------------------------

    async def asend(self, request: Request, transmit: Callable[[Request], Awaitable[Response]]) -> Response:
        """The same, awaited."""
        need = self.login.need()
        if need == "now":
            await self.arenew(self.login.access, transmit)
        used = self.login.access
        if self._is_due(need):
            response = await self._ameanwhile(used, request, transmit)
        else:
            response = await transmit(request)
        if response.status == 401 and used is not None:
            await self.arenew(used, transmit)
            response = await transmit(request)
        return response

    async def arenew(self, stale: Secret | None, transmit: Callable[[Request], Awaitable[Response]]) -> None:
        """The same, awaited."""
        import anyio

        if self._tasks is None:
            self._tasks = anyio.Lock()
        async with self._tasks:
            # Not awaited in a worker thread: a cancelled task would leave the lock taken.
            while not self._turn.acquire(blocking=False):
                await anyio.sleep(GLANCE)
            try:
                await drive.arun(self.login.renewing(stale), _AsyncSender(transmit))
            finally:
                self._turn.release()

    async def _ameanwhile(
        self, stale: Secret | None, request: Request, transmit: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        from anyio import create_task_group

        async def renew() -> None:
            try:
                await self.arenew(stale, transmit)
            except (TransportError, ServerError) as error:
                self._failed(error)

        outcome: Response | None = None
        failure: BaseException | None = None
        async with create_task_group() as group:
            group.start_soon(renew)
            try:
                outcome = await transmit(request)
            except Exception as error:
                # Raised outside: a task group would wrap it.
                failure = error
        if failure is not None:
            raise failure
        assert outcome is not None
        return outcome

    # -- both --------------------------------------------------------------------------------------------

    def after_fork(self) -> None:
        """In a forked process: a thread of the parent, which does not exist here, may have had the lock."""
        self._turn, self._tasks = Lock(), None

    def _is_due(self, need: str) -> bool:
        """Whether to renew in advance: nobody does so now, and the last attempt did not fail just before."""
        return need == "soon" and not self._turn.locked() and time.monotonic() >= self._paused_until

    def _failed(self, error: Exception) -> None:
        """The old token is still valid, so the request went on; the next one tries again."""
        self._paused_until = time.monotonic() + PAUSE
        level = logging.WARNING if isinstance(error, Unauthorised) else logging.INFO
        _log.log(level, "the login could not be renewed in advance: %s", error)


_alive: WeakSet[Renewals] = WeakSet()


def _after_fork() -> None:
    for each in _alive:
        each.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class _Sender:
    """A transport of one function, for the flow of a renewal."""

    def __init__(self, transmit: Callable[[Request], Response]) -> None:
        self.send = transmit

    def close(self) -> None:
        """There is nothing to close."""


class _AsyncSender:
    """The same, awaited."""

    def __init__(self, transmit: Callable[[Request], Awaitable[Response]]) -> None:
        self._transmit = transmit

    async def send(self, request: Request) -> Response:
        return await self._transmit(request)

    async def aclose(self) -> None:
        """There is nothing to close."""
