"""Subscriptions that an ftrack server can read, made of expressions of ours that it could not.

The hub checks every event again, so the server may send more events than are wanted, never fewer. It gets
topics only: those that an expression surely names, or else for all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from zlib import crc32

from callsheet.dialects.ftrack.common.envelope import REPLY, TOPICS, UPDATE

__all__ = ["ALL", "OURS", "subscriptions", "subscribed_topics"]

ALL = "*"
OURS = "callsheet.update"
_TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|[=<>!~]+|[()]|[^\s()=<>!~]+')
_WIRE = {OURS: UPDATE, **{ours: theirs for theirs, ours in TOPICS.items()}}


def subscribed_topics(expression: str) -> list[str]:
    """The topics that an expression's events have, by their names on the wire.

    >>> subscribed_topics("topic=callsheet.update and entity.type=Task")
    ['ftrack.update']
    >>> subscribed_topics("topic=studio.* and data.take > 2 or topic='x'"), subscribed_topics("not topic=x")
    (['studio.*', 'x'], ['*'])
    """
    tokens = _TOKEN.findall(expression)
    if any(token.lower() == "not" for token in tokens):
        return [ALL]
    found = []
    segment: list[str] = []
    for token in [*tokens, "or"]:
        if token.lower() == "or":
            found.append(_topic(segment))
            segment = []
        elif token not in "()":
            segment.append(token)
    return [ALL] if ALL in found or ("(" in expression and len(found) > 1) else list(dict.fromkeys(found))


def _topic(tokens: Sequence[str]) -> str:
    """The topic that all these conditions together name; all, where they name none."""
    for index, token in enumerate(tokens[:-2]):
        begins = index == 0 or tokens[index - 1].lower() == "and"
        if begins and token == "topic" and tokens[index + 1] == "=":
            value = tokens[index + 2]
            quoted = value[0] in "\"'"
            return _named(value[1:-1] if quoted else value)
    return ALL


def _named(value: str) -> str:
    stem, star, rest = value.partition("*")
    if "\\" in value or '"' in value or rest:
        return ALL
    if star and ("callsheet.".startswith(stem) or stem.startswith("callsheet.")):
        # Some of ours have other names there.
        return ALL
    return _WIRE.get(value, value)


def subscriptions(expressions: Iterable[str], subscriber: Mapping[str, Any]) -> dict[str, tuple[dict[str, Any], str]]:
    """By subscriber's id, the server's data about it, and the expression to subscribe to.

    Replies come to the hub's own id. All else is subscribed to under an id that changes with the subscription, so that
    the new one can begin before the old one ends; and under each subscriber's id, for events that are sent to it alone.
    """
    hub = str(subscriber["id"])
    found = {hub: ({"id": hub}, f"topic={REPLY}")}
    topics = dict.fromkeys(
        topic for expression in expressions for topic in subscribed_topics(expression) if topic != REPLY
    )
    if not topics:
        return found
    asked = f"topic={ALL}" if ALL in topics else " or ".join(f'topic="{topic}"' for topic in topics)
    name = f"{hub}-{crc32(asked.encode()):08x}"
    found[name] = ({"id": name}, asked)
    for each in subscriber.get("subscribers", ()):
        found[str(each["id"])] = ({**each, "id": str(each["id"])}, asked)
    return found
