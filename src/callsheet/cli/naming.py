"""One entity as people name it on the command line: ``Task:ID``, a query, or a path of names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callsheet.errors import NoResult, UsageError
from callsheet.model.query import And, Comparison, Condition, Path, Step
from callsheet.model.record import Identity
from callsheet.model.schema import Schema, did_you_mean

if TYPE_CHECKING:
    from callsheet.entity.entity import Entity
    from callsheet.session.blocking import Session

__all__ = ["named_entity"]


def named_entity(session: Session, text: str) -> Identity:
    """The entity that a text names; an error if there is none, or several.

    ``Task:ID`` may name a deleted one. ``sintel/sq010/sh020`` are labels, the outermost first. Anything else is a query
    with one result.
    """
    schema = session.schema
    name, colon, key = text.partition(":")
    if colon and name in schema.types:
        if not key:
            raise UsageError(f"{text!r:.80} has no key: write {name}:ID")
        return Identity(name, key)
    words = text.split()
    if words and (words[0] in schema.types or words[0].lower() in ("select", "from")):
        found: Identity = session.query(text).one().identity
        return found
    return _by_path(session, text)


def _by_path(session: Session, text: str) -> Identity:
    names = [part.strip() for part in text.strip().strip("/").split("/")]
    if not all(names):
        raise UsageError(f"{text!r:.80} names no entity: write Task:ID, a query, or a path such as sintel/sq010/sh020")
    found: list[Identity] = []
    for entity_type in _roots(session.schema):
        found += [entity.identity for entity in _matching(session, entity_type, names)]
    if len(found) > 1:
        listed = ", ".join(f"{each.entity_type}:{each.key}" for each in found[:5])
        raise UsageError(f"{text!r:.80} is the path of several entities: {listed}; name one of them")
    if not found:
        near = did_you_mean(text.partition(":")[0], session.schema.types)
        raise NoResult(f"there is nothing at {text!r:.80}{near}")
    return found[0]


def _matching(session: Session, entity_type: str, names: list[str]) -> list[Entity]:
    """Entities whose label, and those of what they are in, are these."""
    terms: list[Condition] = []
    holder: str | None = entity_type
    for above, name in enumerate(reversed(names)):
        found = session.schema.types[holder] if holder is not None else None
        if found is None or found.label not in found.attributes:
            return []
        terms.append(Comparison(Path((*(Step("parent") for _ in range(above)), Step(found.label))), "=", name))
        holder = found.attributes["parent"].target if "parent" in found.attributes else None
    where = terms[0] if len(terms) == 1 else And(tuple(terms))
    return list(session.query(entity_type).where(where).limit(6))


def _roots(schema: Schema) -> list[str]:
    """The topmost types whose entities have a label and are in each other."""
    fit = [
        each
        for each in schema.types.values()
        if "parent" in each.attributes
        and each.attributes["parent"].kind == "reference"
        and each.label in each.attributes
    ]
    names = {each.name for each in fit}
    return [each.name for each in fit if not names & set(each.ancestors)]
