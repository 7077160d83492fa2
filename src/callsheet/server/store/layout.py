"""The tables of a schema: one for each root type, one for each many-to-many relation, and the server's own.

A root type's table has the rows of all its subtypes; its columns are the union of their attributes. In addition
``_type`` is the concrete type, ``_version`` counts the entity's changes, and ``_commit`` is the position of the last
commit that changed it. A reference's key is stored in a column of its name, and, if several types are possible, the
target's type in ``<name>__type``. A text that must not look like another has its `alike_form` in ``<name>__alike``.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

from attrs import define, field, frozen
from sqlalchemy import Column, Dialect, Index, MetaData, PrimaryKeyConstraint, Table, UniqueConstraint
from sqlalchemy.schema import CreateIndex, CreateTable

from callsheet.bounded import BoundedDict
from callsheet.errors import SchemaError
from callsheet.model.schema import Attribute, EntityType, Schema, did_you_mean
from callsheet.server.store.alike import alike_columns
from callsheet.server.store.columns import INTEGER, TEXT, column_type
from callsheet.server.store.system_tables import system_tables

__all__ = ["Layout", "Link", "declarer", "layout_of", "stored"]

NAME_LENGTH = 63
"""Characters of a name that PostgreSQL keeps."""


@frozen
class Link:
    """A many-to-many relation from one side: ``near`` is the column of this side's keys, ``far`` of the members'."""

    table: Table
    near: Column[str]
    far: Column[str]


@define
class Layout:
    """All tables of a schema, and the script that creates them."""

    metadata: MetaData
    tables: dict[str, Table]
    links: dict[tuple[str, str], Link]
    positions: dict[str, dict[str, int]] = field(init=False)
    """The index of each column in the rows of a root type's table."""

    @positions.default
    def _positions(self) -> dict[str, dict[str, int]]:
        return {
            root: {column.name: index for index, column in enumerate(table.columns)}
            for root, table in self.tables.items()
        }

    def statements(self, dialect: Dialect) -> Iterator[str]:
        """The statements that create everything, in order."""
        for table in self.metadata.sorted_tables:
            yield str(CreateTable(table).compile(dialect=dialect)).strip()
            for index in sorted(table.indexes, key=lambda index: str(index.name)):
                yield str(CreateIndex(index).compile(dialect=dialect)).strip()


def stored(attribute: Attribute) -> bool:
    """Whether the attribute has a column: collections have none, nor has ``link``, which is computed on reading."""
    return attribute.kind != "collection" and attribute.computed != "link"


_LAYOUTS: BoundedDict[str, Layout] = BoundedDict(16)


def layout_of(schema: Schema) -> Layout:
    """The tables of a schema, made once in a process, so that compiled statements are shared."""
    layout = _LAYOUTS.get(schema.hash)
    if layout is None:
        layout = _LAYOUTS[schema.hash] = _layout(schema)
    return layout


def _layout(schema: Schema) -> Layout:
    metadata = MetaData()
    system_tables(metadata)
    tables = {name: _family(schema, name, metadata) for name, found in schema.types.items() if not found.parent}
    links: dict[tuple[str, str], Link] = {}
    for entity_type in schema.types.values():
        for attribute in entity_type.attributes.values():
            if attribute.kind == "collection" and not _follows(schema, entity_type, attribute):
                links[entity_type.name, attribute.name] = _link(schema, entity_type, attribute, metadata)
    return Layout(metadata, tables, links)


def _family(schema: Schema, root: str, metadata: MetaData) -> Table:
    """The table of a root type and everything below it."""
    family = [found for found in schema.types.values() if found.root == root]
    attributes: dict[str, Attribute] = {}
    lower: dict[str, str] = {}
    for entity_type in family:
        for attribute in entity_type.attributes.values():
            if not stored(attribute):
                continue
            known = attributes.setdefault(attribute.name, attribute)
            if _column_kind(schema, known) != _column_kind(schema, attribute):
                raise SchemaError(
                    f"{entity_type.name}.{attribute.name} has another type than the attribute of the same name in "
                    f"another subtype of {root}; attributes of one family need one type for each name"
                )
            if lower.setdefault(attribute.name.lower(), attribute.name) != attribute.name:
                raise SchemaError(
                    f"{entity_type.name}.{attribute.name} differs from `{lower[attribute.name.lower()]}` by case only"
                )
            if attribute.name.startswith("_") or "__" in attribute.name:
                raise SchemaError(f"{entity_type.name}.{attribute.name}: names with `_` first or `__` are the server's")
    columns: list[Column[object]] = [
        Column("id", TEXT, nullable=False),
        Column("_type", TEXT, nullable=False),
        Column("_version", INTEGER, nullable=False),
        Column("_commit", INTEGER, nullable=False, default=0),
    ]
    for attribute in attributes.values():
        if attribute.name != "id":
            columns.append(Column(attribute.name, column_type(attribute), nullable=True))
            if attribute.kind == "reference" and schema.polymorphic(str(attribute.target)):
                columns.append(Column(f"{attribute.name}__type", TEXT, nullable=True))
    alike = {name: None for entity_type in family for name in alike_columns(entity_type).values()}
    columns += [Column(name, TEXT, nullable=True) for name in alike]
    table = Table(root, metadata, *columns, PrimaryKeyConstraint("id", name=f"_key_{root}"), sqlite_strict=True)
    for name, others in _indexed(family).items():
        if name != "id":
            Index(_shortened(f"_index_{root}_{name}"), *(table.c[each] for each in (name, *others)))
    for name in alike:
        Index(_shortened(f"_index_{root}_{name}"), table.c[name])
    if len(family) > 1:
        # With the key as second column, so that pages and reads by key of one type need neither sort nor scan.
        Index(f"_index_{root}__type", table.c._type, table.c.id)
    for names in _unique_at_root(schema.types[root]):
        constraint = UniqueConstraint(
            *names, name=_shortened(f"_unique_{root}_{'_'.join(names)}"), deferrable=True, initially="DEFERRED"
        )
        table.append_constraint(constraint.ddl_if(dialect="postgresql"))
    return table


def _shortened(name: str) -> str:
    """The name of an index or a constraint in as many characters as PostgreSQL keeps; a digest tells two apart.

    >>> _shortened("_index_Shot_name"), len(_shortened("_unique_" + 80 * "x"))
    ('_index_Shot_name', 63)
    """
    if len(name) <= NAME_LENGTH:
        return name
    return f"{name[: NAME_LENGTH - 9]}_{sha256(name.encode()).hexdigest()[:8]}"


def _column_kind(schema: Schema, attribute: Attribute) -> tuple[str, str, bool]:
    """What must be the same for two attributes to share a column."""
    if attribute.kind == "reference":
        target = schema.type(str(attribute.target))
        return ("reference", target.root, schema.polymorphic(target.name))
    data_type = "string" if attribute.data_type == "enum" else attribute.data_type
    return (attribute.kind, data_type, False)


def _indexed(family: list[EntityType]) -> dict[str, tuple[str, ...]]:
    """References, attributes marked unique or indexed, and unique combinations: the first, and those that follow it.

    With all of a combination in one index, whether a name is taken is found without reading all children of a parent.
    """
    names: dict[str, tuple[str, ...]] = {}
    for entity_type in family:
        for attribute in entity_type.attributes.values():
            if stored(attribute) and (attribute.kind == "reference" or attribute.unique or attribute.indexed):
                names.setdefault(attribute.name, ())
        for first, *others in entity_type.unique:
            names[first] = names.get(first) or tuple(others)
        for first, *_ in entity_type.distinct:
            names.setdefault(first, ())
    return names


def _unique_at_root(root: EntityType) -> list[tuple[str, ...]]:
    """Combinations that are unique in the whole family, so that the database can check them too.

    The write path checks all combinations itself. These constraints guard against concurrent commits on PostgreSQL;
    they are checked at COMMIT, so that values can be swapped.
    """
    singles = [(a.name,) for a in root.attributes.values() if a.unique and stored(a) and a.name != "id"]
    columns = alike_columns(root)
    distinct = [tuple(columns.get(name, name) for name in names) for names in root.distinct]
    return singles + [names for names in (*root.unique, *distinct) if names not in singles]


def _follows(schema: Schema, entity_type: EntityType, attribute: Attribute) -> bool:
    """Whether a collection follows from a reference of its members; `SchemaError` where it names none that is there."""
    target = schema.type(str(attribute.target))
    if attribute.inverse is not None and schema.inverse(attribute) is None:
        raise SchemaError(
            f"{entity_type.name}.{attribute.name}: its inverse `{attribute.inverse}` is not an attribute of "
            f"{target.name}{did_you_mean(attribute.inverse, target.attributes)}"
        )
    return schema.is_one_to_many(attribute)


def declarer(schema: Schema, entity_type: EntityType, attribute: Attribute) -> str:
    """The topmost type that has this attribute, not one that a subtype redefines.

    >>> schema = Schema({"types": {"A": {}, "B": {"extends": "A"}}})
    >>> declarer(schema, schema.types["B"], schema.types["B"].attributes["id"])
    'A'
    """
    found = entity_type.name
    for name in entity_type.ancestors:
        if schema.types[name].attributes.get(attribute.name) is attribute:
            found = name
    return found


def _link(schema: Schema, entity_type: EntityType, attribute: Attribute, metadata: MetaData) -> Link:
    """The relation's table from this side; both sides of a relation share one."""
    side = (declarer(schema, entity_type, attribute), attribute.name)
    owner = side
    if attribute.inverse is not None:
        target = schema.type(str(attribute.target))
        other = target.attributes[attribute.inverse]
        owner = min(side, (declarer(schema, target, other), other.name))
    name = f"_link_{owner[0]}_{owner[1]}"
    table = metadata.tables.get(name)
    if table is None:
        table = Table(
            name,
            metadata,
            Column("owner", TEXT, primary_key=True),
            Column("member", TEXT, primary_key=True),
            Index(_shortened(f"_index{name}_member"), "member"),
            sqlite_strict=True,
            sqlite_with_rowid=False,
        )
    near, far = ("owner", "member") if side == owner else ("member", "owner")
    return Link(table, table.c[near], table.c[far])
