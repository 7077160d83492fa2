"""Schema documents are checked: each problem is reported with its place and its remedy."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from typing import Any

from callsheet.errors import SchemaError
from callsheet.model.normalisation import normalised
from callsheet.model.schema import CHANGES, NUMBERS, SCALARS, Attribute, did_you_mean
from callsheet.server.schemas.analysis import analysis_problems
from callsheet.server.schemas.outline import Outline
from callsheet.server.schemas.relations import computed_problems, family_problems, relation_problems

__all__ = ["problems"]

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")
_DOCUMENT_KEYS = {"name": str, "description": str, "master": str, "types": dict}
_TYPE_KEYS = {
    "extends": str,
    "abstract": bool,
    "label": str,
    "unique": list,
    "distinct": list,
    "names": list,
    "description": str,
    "administrative": bool,
    "attributes": dict,
    "custom": dict,
    "singular": str,
    "plural": str,
    "belongs_to": str,
    "codes": dict,
}
_TEXTS = {"type": str, "label": str, "description": str}
_FLAGS = {"required": bool, "immutable": bool, "unique": bool, "indexed": bool, "agree": bool}
_LISTS = {"choices": list, "within": list, "confidential": list}
_SCALAR = {**_TEXTS, **_FLAGS, **_LISTS, "key_of": str, "administrative": object, "computed": str, "default": object}
_RELATION = {"target": str, "inverse": str}
_REFERENCE = {"administrative": object, "foreign_key": str, "computed": str, "on_delete": str, "default": str}
_KEYS: dict[str, dict[str, type]] = {
    **dict.fromkeys(SCALARS, _SCALAR),
    "reference": {**_TEXTS, **_FLAGS, **_RELATION, **_REFERENCE},
    "collection": {**_TEXTS, **_RELATION},
    "mapping": {**_TEXTS, "items": str, "agree": bool},
}
_CUSTOM_KEYS = {**_TEXTS, "default": object, "choices": list, "agree": bool}
_WORDS = {str: "a text", bool: "true or false", list: "a list", dict: "a table"}
_ON_DELETE = ("nullify", "cascade", "restrict")
_ITEMS = ("string", "custom")


def problems(document: dict[str, Any]) -> list[str]:
    """All problems of a document, in its order.

    >>> problems({"types": {"Dot": {"extend": "Point"}}})
    ['Dot: unknown key `extend`; did you mean `extends`?']
    """
    found = list(_keys("the document", document, _DOCUMENT_KEYS))
    types = document.get("types")
    if not isinstance(types, dict) or not types:
        return found if types else [*found, "the document describes no `types`"]
    outline = Outline(document)
    found += analysis_problems(outline, document)
    found += _same_but_for_case("type", types)
    for name, definition in types.items():
        if not isinstance(definition, dict):
            found.append(f"{name}: a type is a table, not {type(definition).__name__}")
            continue
        found += _type(outline, name, definition)
        for key, attribute in _table(definition, "attributes"):
            found += _attribute(outline, name, key, attribute)
        for key, item in _table(definition, "custom"):
            found += _custom(f"{name}.custom.{key}", item)
    return found + list(family_problems(outline))


def _table(definition: dict[str, Any], key: str) -> Iterable[tuple[str, Any]]:
    value = definition.get(key)
    return value.items() if isinstance(value, dict) else ()


def _keys(place: str, definition: dict[str, Any], allowed: Mapping[str, type]) -> Iterator[str]:
    for key, value in definition.items():
        expected = allowed.get(key)
        if expected is None:
            yield f"{place}: unknown key `{key}`{did_you_mean(key, allowed)}"
        elif not isinstance(value, expected):
            yield f"{place}: `{key}` takes {_WORDS[expected]}, not {value!r:.60}"


def _named(place: str, what: str, name: str) -> Iterator[str]:
    if name.startswith(("_", "@")) or "__" in name:
        yield f"{place}: {what} names with `_` or `@` first, or `__` inside, are the server's; choose another name"
    elif not _NAME.match(name):
        yield f"{place}: {what} names are letters, digits and underscores, and begin with a letter"


def _same_but_for_case(what: str, names: Iterable[str]) -> Iterator[str]:
    lower: dict[str, str] = {}
    for name in names:
        if lower.setdefault(name.lower(), name) != name:
            yield f"{name}: differs from {what} `{lower[name.lower()]}` by case only; databases cannot tell them apart"


def _type(outline: Outline, name: str, definition: dict[str, Any]) -> Iterator[str]:
    yield from _named(name, "type", name)
    yield from _keys(name, definition, _TYPE_KEYS)
    above = definition.get("extends")
    line = outline.line(name)
    if isinstance(above, str) and above not in outline.types:
        yield f"{name}: extends `{above}`, which is not described{did_you_mean(above, outline.types)}"
    elif outline.types[line[-1]].get("extends") == name:
        yield f"{name}: extends itself: {' → '.join((*line, name))}; one of them must be the root"
    label = definition.get("label")
    if isinstance(label, str) and label not in outline.names(name):
        yield f"{name}: its label `{label}` is not one of its attributes{did_you_mean(label, outline.names(name))}"
    yield from _unique(outline, name, "unique", definition.get("unique"))
    yield from _unique(outline, name, "distinct", definition.get("distinct"))
    yield from _composed(outline, name, definition.get("names"))


def _composed(outline: Outline, name: str, listed: Any) -> Iterator[str]:
    attributes = outline.attributes(name)
    for item in listed if isinstance(listed, list) else ():
        if item not in attributes:
            yield f"{name}: `names` lists `{item}`, which is not an attribute{did_you_mean(str(item), attributes)}"
        elif attributes[item].definition.get("type", "string") != "string":
            yield f"{name}: `names` lists `{item}`; only strings are names"


def _unique(outline: Outline, name: str, rule: str, groups: Any) -> Iterator[str]:
    attributes = outline.attributes(name)
    for group in groups if isinstance(groups, list) else ():
        if not isinstance(group, list) or not group or not all(isinstance(item, str) for item in group):
            example = '[["parent", "name"]]'
            yield f"{name}: `{rule}` is a list of lists of attribute names, as in {example}, not {group!r:.60}"
            continue
        for item in group:
            if item not in attributes:
                yield f"{name}: {rule} names `{item}`, which is not an attribute{did_you_mean(item, attributes)}"
            elif attributes[item].definition.get("type") in ("collection", "mapping", "json"):
                yield f"{name}: {rule} names `{item}`; only references and simple values can be {rule}"


def _attribute(outline: Outline, owner: str, name: str, definition: Any) -> Iterator[str]:
    place = f"{owner}.{name}"
    if name == "id":
        yield f"{place}: every type has `id` already; remove it, or choose another name"
    yield from _named(place, "attribute", name)
    if not isinstance(definition, dict):
        yield f'{place}: an attribute is a table, as in {{ type = "string" }}, not {definition!r:.60}'
        return
    stated = definition.get("type", "string")
    if not isinstance(stated, str) or stated not in _KEYS:
        yield f"{place}: there is no attribute type `{stated}`{did_you_mean(str(stated), _KEYS)}"
        return
    wrong = list(_keys(place, definition, _KEYS[stated]))
    yield from wrong
    if wrong:
        return
    if definition.get("administrative", False) not in (True, False, CHANGES):
        yield f'{place}: `administrative` is true, false or "{CHANGES}", not {definition["administrative"]!r:.60}'
    if stated == "json" and (definition.get("indexed") or definition.get("unique")):
        yield f"{place}: JSON data is neither indexed nor unique; use an attribute of its own for what is searched"
    if "key_of" in definition:
        yield from _key_of(outline, owner, name, definition)
    if stated in SCALARS:
        yield from _value(place, stated, definition)
    elif stated == "mapping":
        yield from _one_of(place, "items", definition.get("items", "string"), _ITEMS)
    else:
        yield from _one_of(place, "on_delete", definition.get("on_delete", "nullify"), _ON_DELETE)
        yield from relation_problems(outline, owner, name, definition)
    if "computed" in definition:
        yield from computed_problems(outline, owner, name, definition)


def _key_of(outline: Outline, owner: str, name: str, definition: dict[str, Any]) -> Iterator[str]:
    attributes, other = outline.attributes(owner), definition["key_of"]
    if definition.get("type", "string") != "string":
        yield f"{owner}.{name}: only a string is `key_of` an entity"
    if other == name or other not in attributes:
        hint = did_you_mean(other, attributes)
        yield f"{owner}.{name}: `key_of` names the attribute that holds the entity's type; there is no `{other}`{hint}"
    elif attributes[other].definition.get("type", "string") != "string":
        yield f"{owner}.{name}: `key_of` names `{other}`, which is no string and holds no type"


def _one_of(place: str, key: str, value: str, allowed: tuple[str, ...]) -> Iterator[str]:
    if value not in allowed:
        yield f"{place}: `{key}` is one of {', '.join(allowed)}, not `{value}`{did_you_mean(value, allowed)}"


def _time(place: str, stated: str, default: Any) -> Iterator[str]:
    """A date or datetime is written as ISO 8601 text, or as ``{now}``."""
    try:
        zoned = default == "{now}" or (stated == "date" and date.fromisoformat(default))
        if zoned or datetime.fromisoformat(default).tzinfo is not None:
            return
    except (TypeError, ValueError):
        pass
    example = "2026-05-01" if stated == "date" else "2026-05-01T12:00:00+00:00"
    yield f'{place}: bad default: takes "{{now}}" or a text like "{example}", not {default!r:.60}'


def _custom(place: str, definition: Any) -> Iterator[str]:
    if not isinstance(definition, dict):
        yield f'{place}: a custom attribute is a table, as in {{ type = "number" }}, not {definition!r:.60}'
        return
    stated = definition.get("type", "string")
    if stated not in SCALARS:
        yield f"{place}: a custom attribute is one of {', '.join(SCALARS)}, not `{stated}`"
        return
    wrong = list(_keys(place, definition, _CUSTOM_KEYS))
    yield from wrong or _value(place, stated, definition)


def _value(place: str, stated: str, definition: dict[str, Any]) -> Iterator[str]:
    """Choices, default and agreement of a scalar."""
    choices = definition.get("choices")
    if definition.get("agree") and stated in NUMBERS:
        yield f"{place}: writers of the same number never agree, because both may have added to it; remove `agree`"
    if stated == "enum":
        texts = [choice for choice in choices or () if isinstance(choice, str) and choice]
        if not texts or len(set(texts)) != len(choices or ()):
            yield f'{place}: an enum needs `choices`, a list of different texts, as in ["open", "done"]'
            return
    elif choices is not None:
        yield f'{place}: only an enum has `choices`; set type = "enum", or remove them'
    if "default" in definition:
        yield from _default(place, stated, definition["default"], tuple(choices or ()))


def _default(place: str, stated: str, default: Any, choices: tuple[str, ...]) -> Iterator[str]:
    if stated in ("date", "datetime"):
        yield from _time(place, stated, default)
        return
    owner, _, name = place.rpartition(".")
    try:
        held = normalised(owner, Attribute(name, data_type=stated, choices=choices), default)
    except SchemaError as error:
        yield f"{place}: bad default: {str(error).removeprefix(f'{place} ')}"
    else:
        if stated != "number" and type(held) is not type(default):
            yield f"{place}: bad default: write {held!r}, not {default!r:.80}"
