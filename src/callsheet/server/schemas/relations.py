"""Problems between the attributes of a schema document: relations, computed rules, families."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from callsheet.model.schema import did_you_mean
from callsheet.server.schemas.outline import Outline

__all__ = ["computed_problems", "family_problems", "relation_problems"]

_RULES = {
    "created_at": "datetime",
    "created_by": "reference",
    "updated_at": "datetime",
    "updated_by": "reference",
    "link": "json",
    "ancestor:": "reference",
    "next:": "integer",
}


def relation_problems(outline: Outline, owner: str, name: str, definition: dict[str, Any]) -> Iterator[str]:
    """Problems of a reference or collection: its target must be a type, and its inverse must lead back."""
    place, target = f"{owner}.{name}", definition.get("target")
    if target is None:
        yield f"{place}: a {definition['type']} needs a `target`, the entity type at its other end"
        return
    if target not in outline.types:
        yield f"{place}: its target `{target}` is not described{did_you_mean(target, outline.types)}"
        return
    foreign_key = definition.get("foreign_key", f"{name}_id")
    if definition["type"] == "reference" and foreign_key in outline.attributes(owner):
        yield f"{place}: its foreign key `{foreign_key}` is also an attribute of {owner}; set another `foreign_key`"
    if "default" in definition and outline.polymorphic(target):
        yield f"{place}: cannot have a default key, because {target} is one of several types; remove the default"
    if "inverse" in definition:
        yield from _inverse(outline, owner, name, definition)


def _inverse(outline: Outline, owner: str, name: str, definition: dict[str, Any]) -> Iterator[str]:
    """Both sides of a relation must name each other."""
    place, target, inverse = f"{owner}.{name}", definition["target"], definition["inverse"]
    attributes = outline.attributes(target)
    other = attributes.get(inverse)
    if other is None:
        yield f"{place}: its inverse `{inverse}` is not an attribute of {target}{did_you_mean(inverse, attributes)}"
        return
    kind, there = other.definition.get("type"), f"{target}.{inverse}"
    if kind != "collection" and (definition["type"], kind) != ("collection", "reference"):
        wanted = "collection" if definition["type"] == "reference" else "reference or a collection"
        yield f"{place}: its inverse {there} must be a {wanted}, not a {kind or 'string'}"
    elif other.definition.get("inverse") != name:
        elsewhere = other.definition.get("inverse")
        yield f"{place}: its inverse {there} points elsewhere, to `{elsewhere}`; the two must name each other"
    elif not outline.related(str(other.definition.get("target")), owner):
        elsewhere = other.definition.get("target")
        yield f"{place}: its inverse {there} points elsewhere, to {elsewhere}; its target must be {owner}"
    elif kind == "reference" and name not in outline.attributes(str(other.definition.get("target"))):
        yield (
            f"{place}: {there} may refer to any {other.definition.get('target')}, which has no `{name}`; "
            f"move the collection there, or set the reference's target to {owner}"
        )


def computed_problems(outline: Outline, owner: str, name: str, definition: dict[str, Any]) -> Iterator[str]:
    """Problems of a computed rule: it must exist, have the attribute's type, and find its inputs."""
    place, stated, computed = f"{owner}.{name}", definition.get("type", "string"), definition["computed"]
    rule, colon, argument = computed.partition(":")
    expected = _RULES.get(f"{rule}{colon}")
    if expected is None or (colon and not argument):
        examples = ("ancestor:Project", "next:asset", *_RULES)
        rules = ", ".join(_RULES).replace("ancestor:", "ancestor:<Type>").replace("next:", "next:<reference>")
        yield f"{place}: there is no computed rule `{computed}`{did_you_mean(computed, examples)} (rules: {rules})"
    elif stated != expected:
        yield f"{place}: the computed rule `{computed}` gives a {expected}, not a {stated}; set its type"
    elif cure := _needs(outline, owner, rule, argument, definition.get("target")):
        yield f"{place}: the computed rule `{computed}` {cure}"


def _needs(outline: Outline, owner: str, rule: str, argument: str, target: Any) -> str:
    """The missing input of a rule; empty if there is none."""
    attributes = outline.attributes(owner)
    references = [name for name, found in attributes.items() if found.definition.get("type") == "reference"]
    if rule in ("link", "ancestor") and "parent" not in references:
        return f"needs a reference `parent`, which {owner} does not have"
    if rule == "ancestor" and argument != target:
        return f"gives a {argument}, but the attribute's target is {target}"
    if rule == "next" and argument not in references:
        near = did_you_mean(argument, references)
        return f"counts by the reference `{argument}`, which {owner} does not have{near}"
    if rule.endswith("_by") and "username" not in outline.attributes(str(target)):
        return "finds the user by the attribute `username`, which the target does not have"
    return ""


def family_problems(outline: Outline) -> Iterator[str]:
    """Types of one root share a table, so attributes of the same name must have the same type."""
    seen: dict[tuple[str, str], tuple[str, tuple[str, ...]]] = {}
    for owner in outline.types:
        root = outline.line(owner)[-1]
        for name, definition in outline.declared(owner).items():
            shape = _shape(outline, definition)
            first, expected = seen.setdefault((root, name.lower()), (f"{owner}.{name}", shape))
            if first.rpartition(".")[2] != name:
                yield f"{owner}.{name}: differs from {first} by case only; databases cannot tell them apart"
            elif shape != expected:
                yield (
                    f"{owner}.{name}: is a {' '.join(shape)}, but {first} is a {' '.join(expected)}; "
                    f"types below {root} share one table, so rename one, or give both the same type"
                )


def _shape(outline: Outline, definition: dict[str, Any]) -> tuple[str, ...]:
    """The properties that must be equal for two attributes to share a column."""
    stated, target = str(definition.get("type", "string")), definition.get("target")
    if stated == "mapping":
        return "mapping", "of", str(definition.get("items", "string")), "items"
    if stated == "reference" and isinstance(target, str) and target in outline.types:
        kind = "one of several types" if outline.polymorphic(target) else "one type"
        return "reference", "to", outline.line(target)[-1], f"({kind})"
    return (stated,)
