"""The classes of entity types as text: entities, paths to them, custom attributes, and what `create` takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from callsheet.entity.expressions import Expression
from callsheet.model.schema import EntityType
from callsheet.stubs.annotations import documented, method, methods
from callsheet.stubs.attributes import StubWords, literal
from callsheet.stubs.names import attribute_names, is_plain

__all__ = ["accessor_classes", "data_class", "entity_class", "item_classes", "path_class"]

_TAKEN_BY_PATHS = frozenset(name for name in vars(Expression) if not name.startswith("_"))


def entity_class(words: StubWords, entity_type: EntityType, name: str, behaviours: Sequence[type]) -> Iterator[str]:
    """The class of a type's entities: what its parent has not, and item access to all of it."""
    base = words.entities[entity_type.parent] if entity_type.parent else "_declared.TypedEntity"
    yield f"class {name}({base}):"
    yield f"    {documented(entity_type.description) or repr(f'Entities of type {entity_type.name}.')}"
    reached = attribute_names(entity_type)
    for after, attribute in reached.items():
        declaration = words.types_of(entity_type, attribute).declaration
        if declaration != _inherited(words, entity_type, attribute):
            yield f"    {after}: {declaration}"
            if text := documented(entity_type.attribute(attribute).description):
                yield f"    {text}"
    for behaviour in behaviours:
        for called, found in methods(behaviour):
            if called not in reached:
                yield method(called, found, words.entities)
    yield from _item_access({each: words.types_of(entity_type, each) for each in entity_type.names})


def _inherited(words: StubWords, entity_type: EntityType, attribute: str) -> str | None:
    parent = words.schema.types[entity_type.parent] if entity_type.parent else None
    if parent is None or attribute not in parent.names:
        return None
    return words.types_of(parent, attribute).declaration


def path_class(words: StubWords, entity_type: EntityType, name: str) -> Iterator[str]:
    """The paths that lead on from an entity of the type, and the class of paths that reach one."""
    parent = words.schema.types[entity_type.parent] if entity_type.parent else None
    yield f"class {_onward(name)}{f'({_onward(words.paths[parent.name])})' if parent else ''}:"
    paths = {each: words.types_of(entity_type, each).path for each in entity_type.names}
    above = {each: words.types_of(parent, each).path for each in parent.names} if parent else {}
    own = [each for each in sorted(paths) if paths[each] != above.get(each)]
    lines = [f"    {each}: {paths[each]}" for each in own if is_plain(each) and each not in _TAKEN_BY_PATHS]
    yield from lines or ["    ..."]
    yield from ("", "")
    yield f"class {name}({_onward(name)}, _declared.EntityPath[{words.entities[entity_type.name]}]):"
    yield from _casts(words, entity_type.name) or ["    ..."]


def _onward(path: str) -> str:
    return path.removesuffix("Path") + "Onward"


def accessor_classes(words: StubWords, entity_type: EntityType, name: str, data: str | None) -> Iterator[str]:
    """The classes of ``session.Task``, blocking and awaited: verbs, and paths of attributes."""
    entity, onward = words.entities[entity_type.name], _onward(words.paths[entity_type.name])
    for kind in ("Accessor", "AsyncAccessor"):
        yield from ("", "")
        yield f"class _{name}{kind}({onward}, _declared.Typed{kind}[{entity}]):"
        if data is None:
            yield "    ..."
        else:
            given = f"_data: {data} | None = ..., /, **values: _typing.Unpack[{data}]"
            yield f"    def __call__(self, {given}) -> {entity}: ..."
            yield f"    def new(self, {given}) -> {entity}: ..."


def _casts(words: StubWords, name: str) -> list[str]:
    below = [each for each in sorted(words.schema.types) if each != name and words.schema.is_a(each, name)]
    found = [(literal([each]), words.paths[each]) for each in below]
    return list(_overloaded(found, lambda key, path: f"def cast(self, type_name: {key}) -> {path}: ..."))


def item_classes(words: StubWords, entity_type: EntityType) -> Iterator[str]:
    """The classes of a type's custom attributes, as they are read and as `create` takes them."""
    types = {key: words.item(found) for key, found in entity_type.custom.items()}
    parent = words.items.get(str(entity_type.parent), "_declared.TypedItems")
    yield f"class {words.items[entity_type.name]}({parent}):"
    for key, found in sorted(entity_type.custom.items()):
        if text := documented(found.description or found.label):
            yield f"    # {key!a}: {text}"
    yield from _item_access(types)
    given = {key: each.given for key, each in types.items() if each.given is not None}
    yield from _dictionary(words.item_data[entity_type.name], given)


def data_class(words: StubWords, entity_type: EntityType, name: str) -> Iterator[str]:
    """The dictionary that `create` takes."""
    types = {each: words.types_of(entity_type, each) for each in entity_type.names}
    yield from _dictionary(name, {each: found.given for each, found in types.items() if found.given is not None})


def _dictionary(name: str, given: Mapping[str, str]) -> Iterator[str]:
    yield f'{name} = _typing.TypedDict("{name}", {{'
    for key in sorted(given):
        yield f"    {key!r}: {given[key]},"
    yield "}, total=False)"


def _item_access(types: Mapping[str, object]) -> Iterator[str]:
    """Reading and writing by key, overloaded by the type of the value."""
    read, written = _grouped(types, "read"), _grouped(types, "written")
    yield from _overloaded(read, lambda key, kind: f"def __getitem__(self, name: {key}) -> {kind}: ...")
    nothing = [("_typing.Never", "_typing.Never")]
    yield from _overloaded(
        written or nothing, lambda key, kind: f"def __setitem__(self, name: {key}, value: {kind}) -> None: ..."
    )


def _grouped(types: Mapping[str, object], how: str) -> list[tuple[str, str]]:
    groups: dict[str, list[str]] = {}
    for name in sorted(types):
        kind = getattr(types[name], how)
        if kind is not None:
            groups.setdefault(kind, []).append(name)
    return [(literal(names), kind) for kind, names in groups.items()]


def _overloaded(cases: Sequence[tuple[str, str]], line: Callable[[str, str], str]) -> Iterator[str]:
    for case in cases:
        if len(cases) > 1:
            yield "    @_typing.overload"
        yield f"    {line(*case)}"
