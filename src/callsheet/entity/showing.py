"""How entities are shown: only what is loaded, so showing never talks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from callsheet.display import cut, html_table, html_text, number_text, printable
from callsheet.model.record import NOT_SET
from callsheet.model.schema import EntityType

__all__ = ["entity_html", "entity_text", "members_html", "plain_text"]

WIDEST = 80
"""Characters of a label."""
DEEPEST = 12
"""Entities of a path."""
ROWS = 50


def entity_text(entity: Any) -> str:
    """The type of an entity, its label, version and place as far as they are loaded, its key and its state."""
    parts = [entity._name, *_details(entity)]
    if above := path_above(entity):
        parts.append(f"in {printable(' / '.join(above), lines=False)}")
    state = "" if entity._changes is None else f" ({entity._changes.state})"
    return f"<{' '.join(parts)} {entity._key}{state}>"


def _details(entity: Any) -> Iterator[str]:
    label = _label(entity)
    if label is not None:
        yield repr(cut(label, WIDEST) if isinstance(label, str) else label)
    number = _number(entity)
    if number:
        yield number


def _label(entity: Any) -> Any:
    """Its label, if it has one that is loaded and is not its key."""
    label = entity._type.label
    if label not in entity._type.attributes or label in entity._type.key:
        return None
    value = entity.peek(label)
    return None if value is NOT_SET else value


def _number(entity: Any) -> str:
    number = entity.peek("version") if "version" in entity._type.attributes else NOT_SET
    return f"v{number:03d}" if isinstance(number, int) else ""


def path_above(entity: Any) -> list[str]:
    """The labels of what it is in, the outermost first; an ellipsis stands for those that are not loaded."""
    found: list[str] = []
    known = {entity}
    if _holder(entity) is None:
        return _linked(entity)
    while (holder := _holder(entity)) is not None:
        if holder in known or len(found) == DEEPEST:
            found.append("…")
            break
        known.add(holder)
        label = _label(holder)
        if not isinstance(label, str):
            found.append("…")
            break
        found.append(cut(label, WIDEST))
        entity = holder
    else:
        found += ["…"] if found and _is_unknown(entity) else []
    return [] if found == ["…"] else found[::-1]


def _linked(entity: Any) -> list[str]:
    """The names above an entity as the server gave them with it, where its type has an attribute ``link`` for them."""
    link = entity.peek("link") if "link" in entity._type.attributes else None
    names = [step.get("name") for step in link if isinstance(step, Mapping)] if isinstance(link, Sequence) else []
    return [cut(name, WIDEST) for name in names[:-1] if isinstance(name, str)][-DEEPEST:]


def _holder(entity: Any) -> Any:
    """What an entity is in, if that is loaded: its parent, or else what it is deleted with."""
    name = holder_name(entity._type)
    value = entity.peek(name) if name is not None else None
    return value if value else None


def _is_unknown(entity: Any) -> bool:
    name = holder_name(entity._type)
    return name is not None and entity._type.attributes[name].required and entity.peek(name) is NOT_SET


def holder_name(entity_type: EntityType) -> str | None:
    """The reference to what an entity of a type is in; None if it is in nothing."""
    references = [each for each in entity_type.attributes.values() if each.kind == "reference" and not each.computed]
    names = {each.name for each in references}
    if "parent" in names:
        return "parent"
    for each in references:
        if each.required and each.on_delete == "cascade":
            return each.name
    return next((name for name in ("asset", "project") if name in names), None)


def plain_text(value: Any) -> str:
    """A value as text: numbers with all their digits, entities by their label."""
    if value is None:
        return ""
    if isinstance(value, float):
        return number_text(value)
    label = _label(value) if hasattr(type(value), "_slot_of") else value
    return str(value) if label is None else str(label)


def entity_html(entity: Any) -> str:
    """A table of the attributes that are loaded."""
    rows = []
    for name, attribute in entity._type.attributes.items():
        value = entity.peek(name)
        if attribute.kind in ("scalar", "reference") and value is not NOT_SET and value is not None:
            rows.append((name, plain_text(value)))
    words = [entity._name, *map(str, filter(None, (_label(entity), _number(entity))))]
    place = " / ".join(path_above(entity))
    return html_table(("attribute", "value"), rows, " ".join(words) + (f" in {place}" if place else ""))


def members_html(title: str, entities: list[Any]) -> str:
    """A table of entities, each by its label, place and key."""
    rows = [
        (each._name, plain_text(_label(each)), _number(each), " / ".join(path_above(each)), str(each._key))
        for each in entities[:ROWS]
    ]
    more = f"<p>{html_text(f'{len(entities) - ROWS:,} more')}</p>" if len(entities) > ROWS else ""
    return html_table(("type", "label", "version", "in", "key"), rows, title) + more
