"""The JSON Schema of queries as JSON, made of a server's schema: types, attributes, and what each compares with.

What it accepts `read_query` accepts too, except for what JSON Schema has no words for: names behind a dot, days that no
month has, time zones. It is stricter in a few places where a query can be written in several ways.
"""

from __future__ import annotations

import re
from typing import Any, Final

from callsheet.model.language.coercion import FAMILIES
from callsheet.model.language.json_names import PAGE_SIZES, PATTERNS, TIME
from callsheet.model.relative_time import MOST, STARTS, UNITS
from callsheet.model.scalar import INTEGER_LIMIT
from callsheet.model.schema import Attribute, EntityType, Schema

__all__ = ["query_schema"]

JsonSchema = dict[str, Any]

_TEXT: Final[JsonSchema] = {"$ref": "#/$defs/string"}
_PATTERN: Final[JsonSchema] = {"$ref": "#/$defs/pattern"}
_STRING: Final[JsonSchema] = {"type": "string", "pattern": "^[^\\u0000]*$"}
_COUNT: Final[JsonSchema] = {"type": "integer", "minimum": 0, "maximum": INTEGER_LIMIT - 1}
_NUMBER: Final[JsonSchema] = {"type": "number", "minimum": -INTEGER_LIMIT, "maximum": INTEGER_LIMIT - 1}
_DAY: Final[JsonSchema] = {"type": "string", "format": "date", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}
_MOMENT: Final[JsonSchema] = {"type": "string", "format": "date-time", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T"}
_WORDS: Final = {
    "text": (_TEXT,),
    "number": (_NUMBER,),
    "boolean": ({"type": "boolean"},),
    "date": (_DAY, {"$ref": "#/$defs/tagged_date"}, {"$ref": "#/$defs/time"}),
    "datetime": (_MOMENT, {"$ref": "#/$defs/tagged_datetime"}, {"$ref": "#/$defs/time"}),
    "json": (),
}
_DIRECTIONS: Final = "( (asc|ascending|desc|descending))?"


def query_schema(schema: Schema) -> JsonSchema:
    """The JSON Schema of all queries on a server of this schema.

    >>> found = query_schema(Schema({"types": {"Dot": {"attributes": {"size": {"type": "number"}}}}}))
    >>> sorted(found["$defs"]["conditions_Dot"]["properties"])
    ['__and__', '__not__', '__or__', 'id', 'size']
    """
    made: JsonSchema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"A query on {schema.name}" if schema.name else "A query",
        "type": "object",
        "required": ["__model__"],
        "anyOf": [{"$ref": f"#/$defs/query_{name}"} for name in schema.types],
        "$defs": _shared(),
    }
    kinds = (
        ("query", _query),
        ("conditions", _conditions),
        ("where", _where),
        ("reference", _reference),
        ("members", _members),
        ("return", _return),
        ("options", _options),
    )
    for entity_type in schema.types.values():
        for kind, make in kinds:
            made["$defs"][f"{kind}_{entity_type.name}"] = make(entity_type, schema)
    return made


# -- what all types share ------------------------------------------------------------------------------------


def _shared() -> JsonSchema:
    return {
        "time": _time({"minimum": -MOST, "maximum": MOST}, start=True),
        "past": _time({"minimum": -MOST, "maximum": -1}, start=True),
        "to_come": _time({"minimum": 1, "maximum": MOST}, start=False),
        "string": _STRING,
        "pattern": {**_STRING, "maxLength": 400},
        "wildcards": {**_STRING, "maxLength": 400, "pattern": "^[^\\u0000?]*$"},
        **{family: _family(family) for family in _WORDS},
        "tagged_date": _object({"__date__": _DAY}, required=["__date__"]),
        "tagged_datetime": _object({"__datetime__": _MOMENT}, required=["__datetime__"]),
    }


def _time(bounds: JsonSchema, start: bool) -> JsonSchema:
    units: JsonSchema = {word: {"type": "integer", **bounds} for word, name in TIME.items() if name in UNITS}
    if start:
        units["__start__"] = {"enum": list(STARTS)}
    inside = _object({**units, "__zone__": {"type": "string", "maxLength": 100}})
    inside["anyOf"] = [{"required": [word]} for word in units]
    return _object({"__time__": inside}, required=["__time__"])


def _object(properties: JsonSchema, required: list[str] | None = None) -> JsonSchema:
    found: JsonSchema = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**found, "required": required} if required else found


def _some(*choices: JsonSchema) -> JsonSchema:
    return choices[0] if len(choices) == 1 else {"anyOf": list(choices)}


def _list(item: JsonSchema) -> JsonSchema:
    return {"type": "array", "items": item}


# -- one type ------------------------------------------------------------------------------------------------


def _query(entity_type: EntityType, schema: Schema) -> JsonSchema:
    name = entity_type.name
    options, returned = ({"$ref": f"#/$defs/{kind}_{name}"} for kind in ("options", "return"))
    inside: JsonSchema = {"$ref": f"#/$defs/conditions_{name}", "unevaluatedProperties": False}
    inside["properties"] = {"__options__": options, "__return__": returned}
    twice = [
        {"required": [word, part], "properties": {word: {"required": [part]}}}
        for word in ("__query__", "query")
        for part in inside["properties"]
    ]
    return {
        **_object(
            {
                "__model__": {"const": name},
                "__query__": inside,
                "query": inside,
                "__description__": {"type": "string"},
                "__options__": options,
                "__return__": returned,
                "__json__": {"type": "boolean"},
            },
            required=["__model__"],
        ),
        "not": {"anyOf": [{"required": ["__query__", "query"]}, *twice]},
    }


def _options(entity_type: EntityType, schema: Schema) -> JsonSchema:
    names = [each.name for each in entity_type.attributes.values() if _orders(each, schema)]
    plain = {
        "type": "string",
        "pattern": f"^({'|'.join(map(re.escape, [*names, *entity_type.aliases]))}){_DIRECTIONS}$",
    }
    order = _some(plain, _beyond(entity_type, "[^,]*$"))
    per = _some({"enum": [*names, *entity_type.aliases]}, _beyond(entity_type, "[^,]*$"))
    found = _object(
        {
            "limit": _COUNT,
            "offset": _COUNT,
            "order": _some(order, _list(order)),
            "top": {
                **_object({"number": _COUNT, "by": _some(order, _list(order)), "per": per}, required=["number"]),
                "anyOf": [{"required": ["by"]}, {"required": ["per"]}],
            },
            "sample": _some(
                _sample({"method": {"enum": ["random", "first"]}}),
                _sample({"method": {"const": "stratified"}, "per": per}, "method", "per"),
            ),
            "page_size": {"type": "integer", "minimum": 1, "maximum": PAGE_SIZES},
            "pageSize": {"type": "integer", "minimum": 1, "maximum": PAGE_SIZES},
        }
    )
    return {**found, "not": {"required": ["page_size", "pageSize"]}}


def _sample(more: JsonSchema, *required: str) -> JsonSchema:
    share = {"type": "number", "minimum": 0, "maximum": 1}
    found = _object({"number": _COUNT, "fraction": share, "seed": _COUNT, **more})
    sizes = [{"required": [size, *required]} for size in ("number", "fraction")]
    return {**found, "oneOf": sizes}


def _return(entity_type: EntityType, schema: Schema) -> JsonSchema:
    relations = {each.name: each.target for each in entity_type.attributes.values() if each.target}
    name = _some({"enum": [*entity_type.attributes, *entity_type.aliases]}, _beyond(entity_type, "[^,]*$"))
    inside = {relation: {"$ref": f"#/$defs/return_{target}"} for relation, target in relations.items()}
    return _some(name, _list(_some(name, _object(inside))), _object(inside))


def _where(entity_type: EntityType, schema: Schema) -> JsonSchema:
    return {"$ref": f"#/$defs/conditions_{entity_type.name}", "unevaluatedProperties": False}


def _conditions(entity_type: EntityType, schema: Schema) -> JsonSchema:
    itself = {"$ref": f"#/$defs/where_{entity_type.name}"}
    some = {"allOf": [itself, {"minProperties": 1}]}
    properties: JsonSchema = {
        each.name: _attribute(each, schema)
        for each in entity_type.attributes.values()
        if each.kind != "mapping" and each.computed != "link"
    }
    for alias, reference in entity_type.aliases.items():
        target = schema.types[str(entity_type.attributes[reference].target)]
        if "id" in target.attributes:
            properties[alias] = _scalar(target.attributes["id"])
    for mapping in entity_type.attributes.values():
        for custom in entity_type.custom if mapping.data_type == "custom" else ():
            if custom.isidentifier():
                properties[f"{mapping.name}.{custom}"] = _scalar(entity_type.item(mapping.name, custom))
    joined = {"type": "array", "items": some, "minItems": 1}
    found = {"type": "object", "properties": {**properties, "__and__": joined, "__or__": joined, "__not__": some}}
    pattern = _beyond(entity_type, "").get("pattern")
    return {**found, "patternProperties": {pattern: True}} if pattern else found


def _beyond(entity_type: EntityType, rest: str) -> JsonSchema:
    """Paths that go on behind a relation or a mapping; they are checked when the query is read."""
    names = [re.escape(each.name) for each in entity_type.attributes.values() if each.kind != "scalar"]
    return {"type": "string", "pattern": f"^({'|'.join(names)})[.\\[]{rest}"} if names else {"enum": []}


def _orders(attribute: Attribute, schema: Schema) -> bool:
    if attribute.kind == "reference":
        return "id" in schema.types[str(attribute.target)].attributes
    return attribute.kind == "scalar" and attribute.data_type != "json" and attribute.computed != "link"


def _attribute(attribute: Attribute, schema: Schema) -> JsonSchema:
    if attribute.kind == "scalar":
        return _scalar(attribute)
    return {"$ref": f"#/$defs/{'members' if attribute.kind == 'collection' else 'reference'}_{attribute.target}"}


def _relation(target: EntityType) -> JsonSchema:
    where = {"$ref": f"#/$defs/where_{target.name}"}
    return dict.fromkeys(("__query__", "query", "__any__", "__has__"), where)


def _members(target: EntityType, schema: Schema) -> JsonSchema:
    """What a collection compares with."""
    relation = _relation(target)
    negated = {**_object(relation), "minProperties": 1}
    return {**_object({**relation, "__not__": negated}), "minProperties": 1}


def _reference(target: EntityType, schema: Schema) -> JsonSchema:
    """What a reference compares with: labels, and conditions on what it refers to."""
    if "id" not in target.attributes:
        return _members(target, schema)
    relation = _relation(target)
    label = target.attributes.get(target.label)
    by_label = label is not None and label.kind == "scalar" and label.data_type in ("string", "enum")
    literals: tuple[JsonSchema, ...] = (_TEXT,)
    if by_label and label is not None and label.data_type == "enum" and label.choices:
        literals = ({"enum": list(label.choices)},)
    return _values(literals, orders=by_label and label is not None and label.name != "id", text=by_label, more=relation)


def _scalar(attribute: Attribute) -> JsonSchema:
    if attribute.data_type == "enum" and attribute.choices:
        return _values(({"enum": list(attribute.choices)},), orders=True, text=True)
    return {"$ref": f"#/$defs/{FAMILIES[attribute.data_type]}"}


def _family(family: str) -> JsonSchema:
    """What all attributes of a family compare with."""
    literals = _WORDS[family]
    if family == "json":
        null = {"type": "null"}
        return _some(
            null, {**_object({"__eq__": null, "__ne__": null, "__is_null__": {"type": "boolean"}}), "minProperties": 1}
        )
    return _values(literals, orders=family != "boolean", text=family == "text")


def _values(literals: tuple[JsonSchema, ...], orders: bool, text: bool, more: JsonSchema | None = None) -> JsonSchema:
    """The value forms of an attribute: a literal, a list, an object of words."""
    null: JsonSchema = {"type": "null"}
    relative = [each for each in literals if each.get("$ref") == "#/$defs/time"]
    exact = [each for each in literals if each not in relative]
    one, null_or_one = _some(*literals), _some(null, *literals)
    ordered = _some(_TEXT) if text else one
    words: JsonSchema = {
        **(more or {}),
        "__eq__": null_or_one,
        "__ne__": null_or_one,
        "__is_null__": {"type": "boolean"},
    }
    words |= dict.fromkeys(("__in__", "__not_in__"), _list(null_or_one))
    if orders:
        words |= dict.fromkeys(("__lt__", "__le__", "__gt__", "__ge__"), ordered)
        words["__between__"] = {**_list(ordered), "minItems": 2, "maxItems": 2}
    if text and orders:
        words |= dict.fromkeys(("__like__", "__not_like__"), _PATTERN)
        words |= dict.fromkeys(PATTERNS[:3], _PATTERN)
        words["__matches__"] = {"$ref": "#/$defs/wildcards"}
    negated = {"anyOf": [null_or_one, _list(null_or_one), {**_object(dict(words)), "minProperties": 1}]}
    choices = [null, *exact, _list(null_or_one), {**_object({**words, "__not__": negated}), "minProperties": 1}]
    if relative:
        choices += [{"$ref": "#/$defs/past"}, {"$ref": "#/$defs/to_come"}]
        negated["anyOf"][0] = _some(null, *exact, {"$ref": "#/$defs/past"}, {"$ref": "#/$defs/to_come"})
    return {"anyOf": choices}
