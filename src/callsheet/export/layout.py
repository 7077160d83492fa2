"""Which columns a query has, and of which type each is: the schema says it, so an empty result has its columns too."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import evolve, frozen

from callsheet.errors import UsageError
from callsheet.model.language.checking import check
from callsheet.model.language.parser import parse_path
from callsheet.model.query import Path, Select
from callsheet.model.schema import Attribute, EntityType, Schema

__all__ = ["ExportColumn", "columns_of", "select_for", "with_key"]


@frozen
class ExportColumn:
    """One column: its name, the path of its values, the attribute at the end of that path.

    ``kind`` is the data type of the values (``key`` for the key of a reference, ``keys`` and ``list`` for what a path
    through a collection gives, ``mapping`` for all items of one, ``type`` for the name of the entity's type).
    ``labels`` names the type whose labels stand in the place of the keys at the path.
    """

    name: str
    path: Path
    kind: str
    choices: tuple[str, ...] = ()
    labels: str = ""


def columns_of(schema: Schema, select: Select) -> tuple[ExportColumn, ...]:
    """The columns of a query: its projections; without any, the key, values and references of its type.

    A reference without a projection is two columns: its key (``status_id``) and its label (``status``). A type that has
    others below it has the columns of all of them.
    """
    entity_type = schema.types[select.entity_type]
    if select.projections:
        return tuple(_column(schema, entity_type, path) for path in select.projections)
    found = [
        _column(schema, entity_type, parse_path(name)) for name in entity_type.key if name in entity_type.attributes
    ]
    several = schema.polymorphic(entity_type.name)
    if several:
        found.append(ExportColumn("entity_type", Path(()), "type"))
    for each in (entity_type, *(schema.types[name] for name in schema.concrete(entity_type.name))):
        for attribute in each.attributes.values():
            if attribute.name not in each.key and attribute.kind != "collection":
                found += _plain_columns(schema, each, attribute, several)
    return tuple(_united(found))


def _united(columns: Iterable[ExportColumn]) -> Iterable[ExportColumn]:
    """Each name once; where types that have it hold different things in it, the column is of text."""
    found: dict[str, ExportColumn] = {}
    for column in columns:
        first = found.setdefault(column.name, column)
        if first.kind != column.kind or first.labels != column.labels:
            found[column.name] = evolve(first, kind="string", choices=(), labels="")
        elif first.choices != column.choices:
            found[column.name] = evolve(first, choices=tuple(dict.fromkeys((*first.choices, *column.choices))))
    return found.values()


def with_key(schema: Schema, select: Select) -> Select:
    """The query with the key of its type before its projections, unless they have it."""
    key = [parse_path(name) for name in schema.types[select.entity_type].key]
    if not select.projections or all(path in select.projections for path in key):
        return select
    return check(evolve(select, projections=tuple(dict.fromkeys((*key, *select.projections)))), schema)


def select_for(schema: Schema, select: Select) -> Select:
    """The query that brings these columns; without projections each type brings what it has."""
    if not select.projections and schema.polymorphic(select.entity_type):
        return select
    paths = tuple(dict.fromkeys(column.path for column in columns_of(schema, select) if column.path.steps))
    return check(evolve(select, projections=paths), schema)


def _plain_columns(schema: Schema, entity_type: EntityType, attribute: Attribute, several: bool) -> list[ExportColumn]:
    if attribute.kind != "reference":
        return [_column(schema, entity_type, parse_path(attribute.name))]
    target = schema.types[str(attribute.target)]
    key = ExportColumn(attribute.foreign_key or f"{attribute.name}_id", parse_path(attribute.name), "key")
    if target.label not in target.attributes or target.attributes[target.label].kind != "scalar":
        return [key]
    label = _column(schema, entity_type, parse_path(f"{attribute.name}.{target.label}"))
    if several and len(target.key) == 1:
        # A projection names what all types have; this one may be of a few of them.
        label = evolve(label, path=key.path, labels=target.name)
    return [key, evolve(label, name=attribute.name)]


def _column(schema: Schema, entity_type: EntityType, path: Path) -> ExportColumn:
    name = ".".join(path.names)
    many, owner = False, entity_type
    for place, step in enumerate(path.steps):
        attribute = owner.attribute(step.name)
        last = place == len(path.steps) - 1
        if attribute.kind == "mapping":
            return _of_mapping(owner, attribute, path, name, many, last)
        many = many or attribute.kind == "collection"
        if last:
            relation = attribute.kind in ("reference", "collection")
            kind = "key" if relation else attribute.data_type
            return ExportColumn(name, path, "list" if many else kind, attribute.choices)
        if attribute.kind == "scalar":
            break
        owner = schema.types[step.cast or str(attribute.target)]
    raise UsageError(f"`{name}` of {entity_type.name} does not end at a value")


def _of_mapping(owner: EntityType, attribute: Attribute, path: Path, name: str, many: bool, last: bool) -> ExportColumn:
    if last:
        return ExportColumn(name, path, "list" if many else "mapping")
    item = owner.item(attribute.name, path.steps[-1].name)
    return ExportColumn(name, path, "list" if many else item.data_type, item.choices)
