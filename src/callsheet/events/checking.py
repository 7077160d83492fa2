"""Expressions that no event can fulfil are errors: their names and values are checked against the data of events.

An unknown field, a topic that is never published, an entity type or an attribute that is not in the schema: such an
expression is never true, and a callback that is never called looks like one without events. Events under your own
topics may have any data, but the expression must name such a topic; otherwise it is checked as one for updates of
entities.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from attrs import frozen

from callsheet.errors import QueryError, UsageError
from callsheet.events.topics import PAYLOADS, UPDATE
from callsheet.model.event import FIELDS, SHORT, Event
from callsheet.model.language.events import parse_expression, topics_of
from callsheet.model.language.matching import matches
from callsheet.model.query import And, Any_, Comparison, Condition, Not, Or, Path
from callsheet.model.schema import Attribute, Schema, did_you_mean

__all__ = ["check_event", "check_expression"]

ACTIONS = ("create", "update", "delete")
LOCAL = ("callsheet.session.", "callsheet.hub.")
NEAR = 0.9
_UPDATE_DATA = tuple(PAYLOADS[UPDATE].__annotations__)
_TYPE_PATHS = {("entity", "type"), ("entity", "types", "name"), ("entity_type",)}


def check_expression(expression: str | Condition, schema: Schema | None = None, *, local: bool = False) -> None:
    """Raise `QueryError` for an expression that no event can fulfil.

    Without a schema, entity types and attributes are not checked. Durable handlers get only events of servers; with
    ``local``, the expression may also name topics of a session.

    >>> check_expression("topic=callsheet.update and chnges.status")
    Traceback (most recent call last):
    ...
    callsheet.errors.QueryError: no event has `chnges`; did you mean `changes`?
      topic=callsheet.update and chnges.status
                                 ^
    """
    condition = parse_expression(expression)
    text = expression if isinstance(expression, str) else ""
    _Check(text, schema, local).walk(And((condition,)), _Scope())


def check_event(event: Event, schema: Schema) -> None:
    """Raise `UsageError` for an event that no server publishes, by its topic or its data."""
    if problem := _topic_problem(event.topic, local=False):
        raise UsageError(problem)
    payload = PAYLOADS.get(event.topic)
    if payload is None or not isinstance(event.data, Mapping):
        return
    for name in event.data:
        if name not in payload.__annotations__:
            near = did_you_mean(str(name), payload.__annotations__)
            raise UsageError(f"the data of `{event.topic}` has no `{name}`{near}")
    if event.topic == UPDATE:
        _check_update(event, schema)


def _check_update(event: Event, schema: Schema) -> None:
    action = event.data.get("action", "update")
    if action not in ACTIONS:
        raise UsageError(f"an action is `create`, `update` or `delete`, not {action!r:.80}")
    kind = event.entity.get("type")
    types = list(schema.types) if kind is None else [schema.type(kind).name]
    for name in event.changes:
        if problem := _change_problem(schema, types, name):
            raise UsageError(problem)


@frozen
class _Scope:
    """The conditions on the topic, and the entity types, that hold wherever a part of an expression is evaluated."""

    topics: tuple[Condition, ...] = ()
    types: tuple[str, ...] | None = None

    def narrowed(self, parts: Iterable[Condition]) -> _Scope:
        """The scope of conditions that all hold."""
        topics, types = list(self.topics), self.types
        for part in parts:
            if isinstance(part, And):
                inner = _Scope(tuple(topics), types).narrowed(part.conditions)
                topics, types = list(inner.topics), inner.types
            elif isinstance(part, Comparison) and part.path.names == ("topic",):
                topics.append(part)
            elif isinstance(part, Comparison) and _held(part.path) in _TYPE_PATHS and part.operator in ("=", "in"):
                types = tuple(_texts(part))
        return _Scope(tuple(topics), types)

    @property
    def may_be_update(self) -> bool:
        return all(matches(condition, {"topic": UPDATE}) for condition in self.topics)

    @property
    def keys(self) -> Collection[str] | None:
        """The possible fields of the data; None if unknown."""
        topics = topics_of(And(self.topics)) if self.topics else None
        if topics is None or not all(PAYLOADS.get(topic) for topic in topics):
            return None
        return [key for topic in topics for key in PAYLOADS[topic].__annotations__]


@frozen
class _Check:
    """Walks through an expression, and raises at the first part that no event can fulfil."""

    text: str
    schema: Schema | None
    local: bool = False

    def walk(self, condition: Condition, scope: _Scope) -> None:
        if isinstance(condition, And):
            inner = scope.narrowed(condition.conditions)
            for part in condition.conditions:
                self.walk(part, inner)
        elif isinstance(condition, Or):
            for part in condition.conditions:
                self.walk(part, scope.narrowed([part]))
        elif isinstance(condition, Not):
            self.walk(condition.condition, scope)
        elif isinstance(condition, Any_):
            self._path(condition.path, scope)
        elif condition.path.names == ("topic",):
            self._topic(condition)
        else:
            self._path(condition.path, scope)
            self._values(condition, scope)

    def _topic(self, comparison: Comparison) -> None:
        for topic in _texts(comparison):
            pattern = comparison.operator in ("like", "not_like")
            check = _pattern_problem if pattern else _topic_problem
            problem = check(topic, self.local)
            self._refuse(problem, comparison.path)

    def _path(self, path: Path, scope: _Scope) -> None:
        first = path.names[0]
        if first not in FIELDS and first not in SHORT:
            near = (
                f"; did you mean `data.{first}`?" if first in _UPDATE_DATA else did_you_mean(first, (*FIELDS, *SHORT))
            )
            self._refuse(f"no event has `{first}`{near}", path)
        held = _held(path)
        if held and scope.keys is not None and held[0] not in scope.keys:
            self._refuse(f"the data of such events has no `{held[0]}`{did_you_mean(held[0], scope.keys)}", path)
        if len(held) > 1 and scope.may_be_update:
            self._refuse(self._update_problem(held, scope), path)

    def _update_problem(self, held: tuple[str, ...], scope: _Scope) -> str:
        """The error of a path into the data of an update; empty if there is none."""
        part, name, *rest = held
        if part == "entity" and name not in ("type", "id", "types"):
            return (
                f"the entity of an event has `type`, `id` and `types`, no `{name}`; its values are read in the handler"
            )
        if part == "changes" and rest and rest[0] not in ("old", "new") and self._kind(name, scope) != "mapping":
            return f"a change has `old` and `new`, no `{rest[0]}`"
        if self.schema is None or part not in ("changes", "added", "removed"):
            return ""
        types = _types(self.schema, scope.types)
        return (
            _change_problem(self.schema, types, name)
            if part == "changes"
            else _members_problem(self.schema, types, name)
        )

    def _kind(self, name: str, scope: _Scope) -> str:
        if self.schema is None:
            return ""
        found = _attributes(self.schema, _types(self.schema, scope.types), name)
        return found[0].kind if found else ""

    def _values(self, comparison: Comparison, scope: _Scope) -> None:
        if not scope.may_be_update:
            return
        held = _held(comparison.path)
        if held == ("action",):
            self._known(comparison, ACTIONS, "an action is `create`, `update` or `delete`, not")
        elif held in _TYPE_PATHS and self.schema is not None:
            self._known(comparison, self.schema.types, "there is no entity type")

    def _known(self, comparison: Comparison, names: Collection[str], problem: str) -> None:
        """Raise if a compared value is not one of these names, or if no name matches a pattern."""
        for value in _texts(comparison):
            if comparison.operator in ("like", "not_like"):
                found = any(_is_like(comparison.value, name) for name in names)
            else:
                found = comparison.operator not in ("=", "!=", "in", "not_in") or value in names
            self._refuse("" if found else f"{problem} `{value}`{did_you_mean(value, names)}", comparison.path)

    def _refuse(self, problem: str, path: Path) -> None:
        if problem:
            raise QueryError(problem, path.position, text=self.text)


def _held(path: Path) -> tuple[str, ...]:
    """The part of a path that is within the event's data; empty for other paths."""
    first, *rest = path.names
    return tuple(rest) if first == "data" else path.names if first in SHORT else ()


def _texts(comparison: Comparison) -> list[str]:
    """The texts that something is compared with."""
    values = comparison.value if isinstance(comparison.value, tuple) else (comparison.value,)
    return [value for value in values if isinstance(value, str)]


def _is_like(pattern: Any, text: str) -> bool:
    return matches(Comparison(Path.of("name"), "like", pattern), {"name": text})


def _published(local: bool) -> list[str]:
    """The topics that a server publishes, and with ``local`` those of a session."""
    return [known for known in PAYLOADS if local or not known.startswith(LOCAL)]


def _topic_problem(topic: str, local: bool) -> str:
    if topic.startswith(LOCAL) and not local:
        return f"`{topic}` is published only within a session, never to handlers; subscribe on its event hub"
    if topic in PAYLOADS:
        return ""
    published = _published(local)
    if topic.startswith("callsheet."):
        return f"there is no topic `{topic}`{did_you_mean(topic, published)}"
    near = get_close_matches(topic, published, 1, NEAR)
    return f"nobody publishes `{topic}`; did you mean `{near[0]}`?" if near else ""


def _pattern_problem(pattern: str, local: bool) -> str:
    published = _published(local)
    if not pattern.lower().startswith("callsheet.") or any(_is_like(pattern, topic) for topic in published):
        return ""
    those = "there are" if local else "those of a server are"
    return f"there is no topic like `{pattern.replace('%', '*')}`; {those} {', '.join(published)}"


def _types(schema: Schema, names: tuple[str, ...] | None) -> list[str]:
    """The possible entity types of an entity of one of these types."""
    if names is None:
        return list(schema.types)
    return [each for name in names if name in schema.types for each in (name, *schema.concrete(name))]


def _attributes(schema: Schema, types: Iterable[str], name: str) -> list[Attribute]:
    """The attributes of the types with this name; a dotted name is an item of a mapping."""
    mapping, dot, item = name.partition(".")
    found = [schema.types[each] for each in types if mapping in schema.types[each].attributes]
    if not dot:
        return [each.attributes[name] for each in found]
    held = [each for each in found if each.attributes[mapping].kind == "mapping"]
    return [
        each.item(mapping, item)
        for each in held
        if each.attributes[mapping].data_type != "custom" or item in each.custom
    ]


def _change_problem(schema: Schema, types: list[str], name: str) -> str:
    """The reason why changes of these types never have this name; empty if they may."""
    kinds = {each.kind for each in _attributes(schema, types, name)}
    if not types or kinds & {"scalar", "reference"}:
        return ""
    if "mapping" in kinds:
        return f"the changes of a mapping are listed by item: `changes.'{name}.KEY'`"
    if "collection" in kinds:
        return f"`{name}` is a collection: its changes are in `data.added` and `data.removed`, or those of its members"
    alias = next((schema.types[each].aliases[name] for each in types if name in schema.types[each].aliases), "")
    near = f"; did you mean `{alias}`?" if alias else did_you_mean(name, _changing(schema, types))
    return f"{_of(types)} no attribute `{name}` that changes{near}"


def _members_problem(schema: Schema, types: list[str], name: str) -> str:
    """The reason why added or removed members of these types never have this name; empty if they may."""
    found = [each for each in _attributes(schema, types, name) if each.kind == "collection"]
    if not types or any(not schema.is_one_to_many(each) for each in found):
        return ""
    for each in found:
        cure = f"`entity.type={each.target} and changes.{each.inverse}`"
        return f"`{name}` changes with the `{each.inverse}` of its members: {cure}"
    near = did_you_mean(name, _changing(schema, types, "collection"))
    return f"{_of(types)} no collection `{name}` whose members are in events{near}"


def _changing(schema: Schema, types: Iterable[str], *kinds: str) -> list[str]:
    wanted = kinds or ("scalar", "reference")
    held: list[Mapping[str, Any]] = [schema.types[each].attributes for each in types]
    return sorted({name for attributes in held for name, each in attributes.items() if each.kind in wanted})


def _of(types: list[str]) -> str:
    return f"{types[0]} has" if len(set(types)) == 1 else "an entity of such a type has"
