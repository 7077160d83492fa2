"""An attribute whose value the server has: read where its object blocks, awaited where its object is awaited."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar, cast, overload

from callsheet.core.verb import Awaiting, Blocking
from callsheet.flow import Flow

__all__ = ["Asked", "AwaitingMember", "BlockingMember"]

T = TypeVar("T")


class Asked(Generic[T]):
    """An attribute made of a flow: ``table.total_records``, ``await table.total_records``."""

    def __init__(self, flow: Callable[[Any], Flow[T]]) -> None:
        self.flow = flow
        self.__doc__ = flow.__doc__

    @overload
    def __get__(self, instance: None, owner: type) -> Asked[T]: ...
    @overload
    def __get__(self, instance: Blocking, owner: type | None = None) -> T: ...
    @overload
    def __get__(self, instance: Awaiting, owner: type | None = None) -> Coroutine[Any, Any, T]: ...
    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else instance.run(self.flow(instance))


class BlockingMember(Blocking):
    """What belongs to a session that blocks; ``_core`` is the session."""

    _core: Any

    def run(self, flow: Flow[T]) -> T:
        """Run a flow in the session that this belongs to."""
        return cast(Blocking, self._core).run(flow)


class AwaitingMember(Awaiting):
    """What belongs to a session that is awaited; ``_core`` is the session."""

    _core: Any

    async def run(self, flow: Flow[T]) -> T:
        """Run a flow in the session that this belongs to."""
        return await cast(Awaiting, self._core).run(flow)
