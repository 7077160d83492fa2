"""A conversation with several systems: a generator that says whose flow runs next.

A flow (``flow.py``) talks to one server. A conversation with several servers yields a `Turn` for each flow: the party
runs it over its own connection, blocking or awaited, and the result is sent to the conversation.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Protocol, TypeAlias, TypeVar

from attrs import frozen

from callsheet.flow import Flow

__all__ = ["Conversation", "Turn", "aconverse", "converse"]

T = TypeVar("T")


class Party(Protocol):
    """Who runs flows over a connection of its own: a session, a side."""

    def run(self, flow: Flow[Any]) -> Any: ...


@frozen
class Turn:
    """One flow, and who runs it."""

    party: Party
    flow: Flow[Any]


Conversation: TypeAlias = Generator[Turn, Any, T]


def converse(conversation: Conversation[T]) -> T:
    """The result of a conversation, blocking until it is there."""
    try:
        turn = next(conversation)
        while True:
            try:
                answer = turn.party.run(turn.flow)
            except Exception as error:
                turn = conversation.throw(error)
            else:
                turn = conversation.send(answer)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]
    except BaseException:
        conversation.close()
        raise


async def aconverse(conversation: Conversation[T]) -> T:
    """The result of a conversation, awaited."""
    try:
        turn = next(conversation)
        while True:
            try:
                answer = await turn.party.run(turn.flow)
            except Exception as error:
                turn = conversation.throw(error)
            else:
                turn = conversation.send(answer)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]
    except BaseException:
        conversation.close()
        raise
