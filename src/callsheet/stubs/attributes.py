"""Attributes as the text of Python types: how they are read, written, and compared with."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen

from callsheet.model.schema import Attribute, EntityType, Schema

__all__ = ["AttributeTypes", "StubWords", "literal"]

_READ = {
    "string": "_builtins.str",
    "integer": "_builtins.int",
    "number": "_builtins.float",
    "boolean": "_builtins.bool",
    "date": "_datetime.date",
    "datetime": "_datetime.datetime",
    "key": "_builtins.str",
}
_WRITTEN = {"date": "_datetime.date | _builtins.str", "datetime": "_datetime.datetime | _builtins.str"}
_COMPARED = {"integer": "_builtins.float", "date": "_declared.Moment", "datetime": "_declared.Moment"}


@frozen
class AttributeTypes:
    """The Python types of an attribute; ``written`` is None if it cannot be set, ``given`` is what `create` takes."""

    read: str
    written: str | None
    given: str | None
    path: str
    optional: bool = True

    @property
    def declaration(self) -> str:
        """The descriptor that the class of entities has."""
        if self.written is None:
            return f"_declared.ComputedAttribute[{self.read}, {self.path}]"
        return f"_declared.TypedAttribute[{self.read}, {self.written}, {self.path}]"


@frozen
class StubWords:
    """The Python names of the schema's types, as they are written inside the bodies of classes."""

    schema: Schema
    #: The class of entities, by type.
    entities: Mapping[str, str]
    #: The class of paths that reach an entity of a type.
    paths: Mapping[str, str]
    #: The class of a type's custom attributes; only of types that have some of their own.
    items: Mapping[str, str] = field(factory=dict)
    #: The dictionary that `create` takes as a type's custom attributes.
    item_data: Mapping[str, str] = field(factory=dict)

    def types_of(self, entity_type: EntityType, name: str) -> AttributeTypes:
        """The Python types of an attribute, or of a foreign key."""
        attribute = entity_type.attribute(name)
        if name in entity_type.aliases:
            return self._scalar(entity_type, Attribute(name, required=attribute.required), attribute)
        if attribute.kind == "reference":
            return self._reference(entity_type, attribute)
        if attribute.kind == "collection":
            return self._collection(attribute)
        if attribute.kind == "mapping":
            return self._mapping(entity_type, attribute)
        return self._scalar(entity_type, attribute, attribute)

    def item(self, attribute: Attribute) -> AttributeTypes:
        """The Python types of a custom attribute; one with a default is never None."""
        value = _scalar(attribute)
        has_default = attribute.default is not None and not attribute.inherited
        written = None if attribute.computed else _optional(_written(attribute))
        return AttributeTypes(value if has_default else _optional(value), written, written, _compared(attribute))

    def _scalar(self, entity_type: EntityType, attribute: Attribute, rules: Attribute) -> AttributeTypes:
        optional = not (rules.required or attribute.name in entity_type.key)
        read, written = _scalar(attribute), _written(attribute)
        if optional:
            read, written = _optional(read), _optional(written)
        path = f"_declared.ScalarPath[{_compared(attribute)}]"
        return AttributeTypes(read, *_writing(entity_type, rules, attribute.name, written), path, optional)

    def _reference(self, entity_type: EntityType, attribute: Attribute) -> AttributeTypes:
        target = str(attribute.target)
        read = self.entities[target] if attribute.required else _optional(self.entities[target])
        written, given = _writing(entity_type, attribute, attribute.name, read)
        return AttributeTypes(read, written, given, self.paths[target], not attribute.required)

    def _collection(self, attribute: Attribute) -> AttributeTypes:
        target = str(attribute.target)
        member = self.entities[target]
        written = None if attribute.computed else f"_abc.Iterable[{member}]"
        return AttributeTypes(f"_callsheet.Collection[{member}]", written, written, self.paths[target], False)

    def _mapping(self, entity_type: EntityType, attribute: Attribute) -> AttributeTypes:
        custom = attribute.data_type == "custom"
        item = "_typing.Any" if custom else _optional(_written(Attribute("", data_type=attribute.data_type)))
        compared = "_typing.Any" if custom else _compared(Attribute("", data_type=attribute.data_type))
        read = self.items.get(entity_type.name, "_declared.TypedItems") if custom else "_collection.MappingView"
        given = f"_abc.Mapping[_builtins.str, {item}]"
        if custom:
            given = self.item_data.get(entity_type.name, given)
        written = None if attribute.computed else given
        return AttributeTypes(read, written, written, f"_declared.ItemsPath[{compared}]", False)


def literal(names: list[str]) -> str:
    """One of these texts, as a type."""
    return f"_typing.Literal[{', '.join(map(repr, names))}]"


def _scalar(attribute: Attribute) -> str:
    if attribute.data_type == "enum" and attribute.choices:
        return literal(list(dict.fromkeys(attribute.choices)))
    if attribute.data_type == "enum":
        return "_builtins.str"
    return _READ.get(attribute.data_type, "_typing.Any")


def _written(attribute: Attribute) -> str:
    return _WRITTEN.get(attribute.data_type) or _scalar(attribute)


def _compared(attribute: Attribute) -> str:
    return _COMPARED.get(attribute.data_type) or _scalar(attribute)


def _optional(text: str) -> str:
    return text if text == "_typing.Any" else f"{text} | None"


def _writing(entity_type: EntityType, rules: Attribute, name: str, written: str) -> tuple[str | None, str | None]:
    """The types that an entity and `create` take: keys and what is immutable are given to `create` only."""
    if rules.computed:
        return None, None
    fixed = rules.immutable or name in entity_type.key or rules.foreign_key in entity_type.key
    return (None if fixed else written), written
