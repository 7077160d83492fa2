"""Former names: ``was = "…"`` on a type or an attribute says which one of the database's it is, when a schema changes.

They say nothing of what a schema is, so they are taken out of a document when it is read, and no database keeps them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from attrs import field, frozen

__all__ = ["WAS", "FormerNames", "former_names"]

WAS = "was"


@frozen
class FormerNames:
    """The former names of types, and of attributes by their type; items of ``custom`` are ``custom.NAME``."""

    types: Mapping[str, str] = field(factory=dict)
    attributes: Mapping[tuple[str, str], str] = field(factory=dict)

    def problems(self, document: Mapping[str, Any]) -> Iterator[str]:
        """What is wrong with them: no text, or a name that something else has, or two that had the same."""
        types = document.get("types", {})
        held = [(name, "", old, types) for name, old in self.types.items()]
        for (owner, name), old in self.attributes.items():
            part, _, _ = name.rpartition(".")
            held.append((f"{owner}.{name}", f"{owner}.", old, types[owner].get(part or "attributes", {})))
        seen: dict[tuple[str, str], str] = {}
        for place, above, old, others in held:
            if not isinstance(old, str) or not old:
                yield f"{place}: `{WAS}` takes the former name, a text, not {old!r:.60}"
            elif old in others:
                yield f"{place}: `{WAS}` names `{old}`, which the schema describes too; remove one of them"
            elif (other := seen.setdefault((above, old), place)) != place:
                yield f"{place}: `{WAS}` names `{old}`, as {other} does; one of them is new"


def former_names(document: dict[str, Any]) -> FormerNames:
    """Take the former names out of a document, which may be invalid in any way.

    >>> document = {"types": {"Clip": {"was": "Shot", "attributes": {"fps": {"type": "number", "was": "rate"}}}}}
    >>> former_names(document)
    FormerNames(types={'Clip': 'Shot'}, attributes={('Clip', 'fps'): 'rate'})
    >>> document
    {'types': {'Clip': {'attributes': {'fps': {'type': 'number'}}}}}
    """
    types: dict[str, Any] = {}
    attributes: dict[tuple[str, str], Any] = {}
    described = document.get("types")
    for name, definition in described.items() if isinstance(described, dict) else ():
        if not isinstance(definition, dict):
            continue
        if WAS in definition:
            types[name] = definition.pop(WAS)
        for part, before in (("attributes", ""), ("custom", "custom.")):
            inside = definition.get(part)
            for attribute, value in inside.items() if isinstance(inside, dict) else ():
                if isinstance(value, dict) and WAS in value:
                    attributes[name, f"{before}{attribute}"] = value.pop(WAS)
    return FormerNames(types, attributes)
