"""The stub of a schema: a module of types that editors complete names from, and that type checkers check scripts by.

The text depends on the schema and on the methods that its types have, and on nothing else: types and attributes are in
the order of their names. So a stub that is kept shows by a difference that the schema has changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from callsheet.entity.types import Types
from callsheet.model.schema import EntityType, Schema
from callsheet.session.awaiting import AsyncSession
from callsheet.session.blocking import Session
from callsheet.stubs.annotations import function_of, methods
from callsheet.stubs.answers import answer_class, given, given_type
from callsheet.stubs.attributes import StubWords
from callsheet.stubs.entities import accessor_classes, data_class, entity_class, item_classes, path_class
from callsheet.stubs.names import attribute_names, class_names
from callsheet.stubs.sessions import TypeNames, accessors_class, session_class, types_class

__all__ = ["public_names", "stub_of"]

_SESSIONS = ("Session", "AsyncSession", "Types")
_HEAD = '''\
"""The types of {title}, for editors and type checkers.

Made by `callsheet stubs`; `callsheet stubs --check FILE` says whether the schema has changed since.
"""
# mypy: disable-error-code="assignment, misc, overload-overlap, override"
# pyright: reportIncompatibleMethodOverride=false, reportIncompatibleVariableOverride=false
# pyright: reportInconsistentOverload=false, reportOverlappingOverload=false, reportPrivateUsage=false
# ruff: noqa
import builtins as _builtins
import collections.abc as _abc
import datetime as _datetime
import pathlib as _pathlib
import typing as _typing

import callsheet as _callsheet
import callsheet.entity.collection as _collection
import callsheet.entity.types as _types
import callsheet.stubs.declarations as _declared
'''


def stub_of(types: Types) -> str:
    """The text of a stub file (``.pyi``) for the types of a session.

    >>> from callsheet.model.schema import Schema
    >>> text = stub_of(Types(Schema({"types": {"Dot": {"attributes": {"name": {"type": "string"}}}}})))
    >>> "class Dot(_declared.TypedEntity):" in text
    True
    """
    schema = types.schema
    classes, data = public_names(schema)
    words = _vocabulary(schema, classes)
    lines = _HEAD.format(title=_title(schema)).splitlines()
    for entity_type in _by_depth(schema):
        name = entity_type.name
        lines += ["", "", *entity_class(words, entity_type, classes[name], types.behaviours(name))]
        lines += ["", "", *path_class(words, entity_type, words.paths[name])]
        if name in words.items and _has_own_items(schema, entity_type):
            lines += ["", "", *item_classes(words, entity_type)]
        if not entity_type.abstract:
            lines += ["", "", *data_class(words, entity_type, data[name])]
        lines += accessor_classes(words, entity_type, classes[name], data.get(name))
    for name in sorted({classes[each] for each in _given(types) if each in classes}):
        lines += ["", "", *answer_class(name)]
    lines += _aliases(words, classes)
    known = [TypeNames(each.name, classes[each.name], data.get(each.name)) for each in reversed(_by_depth(schema))]
    lines += ["", "", *types_class(known, "Types")]
    for kind in (Session, AsyncSession):
        lines += ["", "", *accessors_class(kind, known)]
        lines += ["", "", *session_class(kind, known, kind.__name__, "Types")]
    return "\n".join(lines) + "\n"


def _given(types: Types) -> Iterator[str]:
    """The entity types whose entities some method gives."""
    for name in types.schema.types:
        for behaviour in types.behaviours(name):
            for _, found in methods(behaviour):
                if gives := given(function_of(found)):
                    yield given_type(gives)


def public_names(schema: Schema) -> tuple[dict[str, str], dict[str, str]]:
    """The names in the stub of each type's class, and of the dictionary that `create` takes for it."""
    classes = class_names(schema.types, _SESSIONS)
    concrete = [name for name in schema.types if not schema.types[name].abstract]
    taken = {*classes.values(), *_SESSIONS}
    data = class_names([f"{classes[name]}Data" for name in concrete], taken)
    return classes, {name: data[f"{classes[name]}Data"] for name in concrete}


def _vocabulary(schema: Schema, classes: dict[str, str]) -> StubWords:
    """Names for the bodies of classes: an attribute of the same name would stand before a class."""
    attributes = {after for each in schema.types.values() for after in (*attribute_names(each), *each.names)}
    entities = {name: f"_{each}_" if each in attributes else each for name, each in classes.items()}
    paths = {name: f"_{each}Path" for name, each in classes.items()}
    items: dict[str, str] = {}
    item_data: dict[str, str] = {}
    for entity_type in _by_depth(schema):
        name, parent = entity_type.name, str(entity_type.parent)
        if entity_type.custom and _has_own_items(schema, entity_type):
            items[name], item_data[name] = f"_{classes[name]}Items", f"_{classes[name]}ItemData"
        elif parent in items:
            items[name], item_data[name] = items[parent], item_data[parent]
    return StubWords(schema, entities, paths, items, item_data)


def _has_own_items(schema: Schema, entity_type: EntityType) -> bool:
    return not entity_type.parent or entity_type.custom != schema.types[entity_type.parent].custom


def _by_depth(schema: Schema) -> list[EntityType]:
    """The types, each after the one that it extends."""
    return sorted(schema.types.values(), key=lambda each: (len(each.ancestors), each.name))


def _aliases(words: StubWords, classes: dict[str, str]) -> Iterator[str]:
    renamed: Sequence[str] = [name for name in sorted(classes) if words.entities[name] != classes[name]]
    if renamed:
        yield from ("", "")
    for name in renamed:
        yield f"{words.entities[name]}: _typing.TypeAlias = {classes[name]}"


def _title(schema: Schema) -> str:
    name = "".join(each for each in schema.name if each.isprintable() and each not in "\\\"'")
    return f"the schema {name}" if name else "a schema"
