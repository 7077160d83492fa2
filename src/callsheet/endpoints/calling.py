"""An endpoint's function is called: with the caller's session, blocking or awaited, at once or piece by piece."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

from callsheet.dialects.routes import Answered, StreamedContent, Visit
from callsheet.endpoints.arguments import read_arguments
from callsheet.endpoints.callers import check_caller
from callsheet.endpoints.content import content_of, is_stream, piece_of, safe_headers
from callsheet.endpoints.declaration import Endpoint
from callsheet.errors import CallsheetError, PluginError
from callsheet.session.awaiting import AsyncSession
from callsheet.session.blocking import Session
from callsheet.session.connection import over

__all__ = ["call"]

S = TypeVar("S", Session, AsyncSession)

STREAM = {"content-type": "application/x-ndjson"}


def call(endpoint: Endpoint, visit: Visit) -> Answered:
    """What the function says to a request. Raises `Forbidden` without a role, `Invalid` for wrong arguments."""
    check_caller(endpoint, visit)
    arguments = read_arguments(endpoint.arguments, visit.request)
    taken = inspect.signature(endpoint.function).parameters
    if "request" in taken:
        arguments["request"] = visit.request
    called = _Invocation(endpoint, arguments, visit if "session" in taken else None)
    if inspect.iscoroutinefunction(endpoint.function) or inspect.isasyncgenfunction(endpoint.function):
        return called.awaited()
    return called.blocking()


class _Invocation:
    """One call of a function; ``visit`` None if it takes no session."""

    def __init__(self, endpoint: Endpoint, arguments: dict[str, Any], visit: Visit | None) -> None:
        self._function: Callable[..., Any] = endpoint.function
        self._arguments = arguments
        self._visit = visit
        self._name = f"the endpoint `{endpoint.path}`"

    def blocking(self) -> Answered:
        session = self._given(Session)
        with ExitStack() as ending:
            if session is not None:
                ending.callback(session.close)
            with self._own_errors():
                result = self._function(**self._arguments)
            if is_stream(result):
                _hand_over(session)
                return _streamed(self._pieces(result, session, ending.pop_all()))
            if session is not None:
                # What was changed and is not committed yet: the answer is sent only if it could be.
                session.commit()
            return content_of(result)

    def awaited(self) -> Answered:
        loop = asyncio.new_event_loop()
        session = self._given(AsyncSession)
        with ExitStack() as ending:
            ending.callback(loop.close)
            if session is not None:
                ending.callback(lambda: loop.run_until_complete(session.close()))
                loop.run_until_complete(session.open())
            with self._own_errors():
                result = self._function(**self._arguments)
                if inspect.iscoroutine(result):
                    result = loop.run_until_complete(result)
            if isinstance(result, AsyncIterator):
                _hand_over(session)
                return _streamed(self._awaited_pieces(result, session, loop, ending.pop_all()))
            if session is not None:
                loop.run_until_complete(session.commit())
            return content_of(result)

    def _pieces(self, result: Iterator[Any], session: Session | None, ending: ExitStack) -> Iterator[bytes]:
        """The pieces of a stream, each of which may be made in another thread."""
        with ending:
            ending.callback(getattr(result, "close", lambda: None))
            with self._own_errors():
                for value in result:
                    _hand_over(session)
                    yield piece_of(value)
            if session is not None:
                session.commit()

    def _awaited_pieces(
        self,
        result: AsyncIterator[Any],
        session: AsyncSession | None,
        loop: asyncio.AbstractEventLoop,
        ending: ExitStack,
    ) -> Iterator[bytes]:
        end = object()

        async def next_value() -> Any:
            return await anext(result, end)

        with ending:
            if hasattr(result, "aclose"):
                ending.callback(lambda: loop.run_until_complete(result.aclose()))
            with self._own_errors():
                while (value := loop.run_until_complete(next_value())) is not end:
                    _hand_over(session)
                    yield piece_of(value)
            if session is not None:
                loop.run_until_complete(session.commit())

    def _given(self, kind: type[S]) -> S | None:
        """A session of the caller, which the function takes as an argument; None without a caller."""
        if self._visit is None:
            return None
        session = None
        if self._visit.caller is not None:
            session = kind(connection=over(self._visit.backend), plugin_paths=False)
        self._arguments["session"] = session
        return session

    @contextmanager
    def _own_errors(self) -> Iterator[None]:
        """Errors of the function: ours are for the caller, all others stay on the server, and end nothing."""
        try:
            yield
        except (CallsheetError, GeneratorExit):
            raise
        except Exception as error:
            raise PluginError(f"{self._name} failed: {type(error).__name__}: {error}") from error
        except BaseException as error:
            raise PluginError(f"{self._name} raised {type(error).__name__}: it cannot end the server") from error


def _streamed(pieces: Iterator[bytes]) -> StreamedContent:
    return StreamedContent(pieces, safe_headers(STREAM))


def _hand_over(session: Session | AsyncSession | None) -> None:
    """The next piece is made by whichever thread is free."""
    if session is not None:
        session.hand_over()
