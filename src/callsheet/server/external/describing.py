"""A table that a catalogue has becomes an entity type: its key, its attributes, what it refers to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from attrs import evolve
from sqlalchemy import Column, Connection, MetaData, Table, func, or_, select

from callsheet.errors import Invalid, QueryError, SchemaError, UsageError
from callsheet.model.language.checking import check
from callsheet.model.language.parser import parse_condition
from callsheet.model.language.relative import fixed_select
from callsheet.model.query import Condition, Select
from callsheet.model.schema import Schema, did_you_mean
from callsheet.model.user_table import word_of
from callsheet.server.external.definition import DescribedTable, ExternalColumn, ExternalReference
from callsheet.server.external.forms import KEYS
from callsheet.server.external.keys import key_text
from callsheet.server.external.reflection import ForeignKey, FoundTable

__all__ = ["check_key", "checked_filter", "described", "joined", "with_references"]

_FOREIGN = re.compile(r"(?i)[ _-](id|key|code|no|number|nr)$")
COLUMNS = 500


def described(
    database: str,
    found: FoundTable,
    name: str | None,
    keys: Sequence[str],
    columns: Mapping[str, str] | Sequence[str],
    schema: Schema,
) -> DescribedTable:
    """The table under a name; ``columns`` are those that are read (by default all), maybe with other names."""
    try:
        entity_type = word_of("table", name or found.name[:1].upper() + found.name[1:], ())
    except SchemaError as error:
        raise Invalid(str(error)) from None
    if taken := next((each for each in schema.types if each.casefold() == entity_type.casefold()), None):
        raise Invalid(f"there is `{taken}` already; add the table under another name")
    key = tuple(keys) or (found.unique[0] if found.unique else ())
    if not key:
        raise Invalid(f"nothing says which columns tell the rows of `{found.name}` apart; name them as `keys`")
    _check_named(found, (*key, *columns))
    forms = {each.name: each.form for each in found.columns}
    for each in key:
        if forms[each] not in KEYS:
            raise Invalid(f"the column `{each}` makes no key; keys are whole numbers, texts, UUIDs and dates")
    return DescribedTable(database, entity_type, found.schema, found.name, key, tuple(_columns(found, key, columns)))


def _check_named(found: FoundTable, names: Sequence[str]) -> None:
    for name in names:
        column = next((each for each in found.columns if each.name == name), None)
        if column is None:
            near = did_you_mean(str(name), found.column_names)
            raise Invalid(f"`{found.name}` has no column `{name!s:.80}`{near}")
        if column.form is None:
            raise Invalid(f"the column `{name}` holds {column.stated}, which no attribute can hold; leave it out")


def _columns(
    found: FoundTable, key: tuple[str, ...], wanted: Mapping[str, str] | Sequence[str]
) -> Iterator[ExternalColumn]:
    read = [each for each in found.columns if each.form is not None]
    given = wanted if isinstance(wanted, Mapping) else {}
    if wanted:
        named = {*key, *wanted}
        read = [each for each in read if each.name in named]
    if len(read) > COLUMNS:
        raise Invalid(f"`{found.name}` has {len(read):,} columns; name at most {COLUMNS} as `columns`")
    words: list[str] = []
    for each in read:
        if each.name == "id" and key == ("id",):
            word = "id"
        else:
            word = _word(given.get(each.name, each.name), ["id", *words])
        words.append(word)
        yield ExternalColumn(word, each.name, str(each.data_type), str(each.form))


def _word(name: str, taken: Sequence[str]) -> str:
    try:
        return word_of("column", name, taken)
    except SchemaError as error:
        raise Invalid(str(error)) from None


def with_references(
    table: DescribedTable, foreign: Sequence[ForeignKey], others: Sequence[DescribedTable]
) -> DescribedTable:
    """The table with a reference for each foreign key whose other table is described."""
    known = {each.columns for each in table.references}
    references = list(table.references)
    forms = {each.column for each in table.columns}
    taken = ["id", *(each.attribute for each in table.columns), *(each.attribute for each in references)]
    for key in foreign:
        other = next((each for each in others if (each.schema, each.table) == (key.schema, key.table)), None)
        if other is None or set(key.others) != set(other.key) or not forms.issuperset(key.columns):
            continue
        places = dict(zip(key.others, key.columns))
        columns = tuple(places[each] for each in other.key)
        if columns in known:
            continue
        single = _FOREIGN.sub("", columns[0]) if len(columns) == 1 else other.entity_type
        stem = single if len(columns) == 1 and single != columns[0] else other.entity_type
        attribute = _word(stem[:1].lower() + stem[1:], taken)
        taken.append(attribute)
        references.append(ExternalReference(attribute, columns, other.entity_type))
    return evolve(table, references=tuple(references))


def joined(
    table: DescribedTable, other: DescribedTable, columns: Mapping[str, str], name: str | None
) -> DescribedTable:
    """The table with a reference to the row of another one whose key is equal to columns here: many to one."""
    mine, theirs = _by_name(table), _by_name(other)
    pairs = {_named(other, theirs, there): _named(table, mine, here) for here, there in columns.items()}
    if set(pairs) != set(other.key) or len(pairs) != len(columns):
        raise Invalid(
            f"`{table.entity_type}` can refer to rows of `{other.entity_type}` by the columns that tell these apart, "
            f"{', '.join(other.key)}; else several rows there would be meant"
        )
    for there, here in pairs.items():
        if table.form(here) != other.form(there):
            forms = f"{table.form(here)}, and `{there}` a {other.form(there)}"
            raise Invalid(f"`{here}` is a {forms}: they are never equal")
    taken = ["id", *(each.attribute for each in table.columns), *(each.attribute for each in table.references)]
    wanted = name or other.entity_type[:1].lower() + other.entity_type[1:]
    attribute = _word(wanted, taken)
    if name is not None and attribute != name:
        raise Invalid(f"`{table.entity_type}` cannot have a reference `{name:.80}`; choose another name")
    found = ExternalReference(attribute, tuple(pairs[each] for each in other.key), other.entity_type)
    return evolve(table, references=(*table.references, found))


def _by_name(table: DescribedTable) -> dict[str, str]:
    return {**{each.attribute: each.column for each in table.columns}, **{c.column: c.column for c in table.columns}}


def _named(table: DescribedTable, known: Mapping[str, str], name: str) -> str:
    if name not in known:
        raise Invalid(f"`{table.entity_type}` has no column `{name!s:.80}`{did_you_mean(str(name), known)}")
    return known[name]


def checked_filter(table: DescribedTable, schema: Schema) -> Condition:
    """The condition of a table's rows; `Invalid` for one that the tables of its database do not know."""
    try:
        found = check(Select(table.entity_type, where=parse_condition(table.where)), schema)
    except (QueryError, SchemaError, UsageError) as error:
        raise Invalid(f"the condition of `{table.entity_type}`: {error}") from None
    if found.where is None or fixed_select(found, datetime(2000, 1, 1, tzinfo=UTC)) != found:
        raise Invalid(f"the condition of `{table.entity_type}` is no condition, or one of times relative to now")
    return found.where


def check_key(connection: Connection, engine: str, table: DescribedTable) -> None:
    """Raise `Invalid` if rows have no key, or two have the same: the database does not see to it itself."""
    source = Table(table.table, MetaData(), *(Column(name) for name in table.key), schema=table.schema)
    parts = [(source.c[name], table.form(name)) for name in table.key]
    names = ", ".join(f"`{name}`" for name in table.key)
    empty = select(1).where(or_(*(column.is_(None) for column, _ in parts))).limit(1)
    if connection.execute(empty).first() is not None:
        raise Invalid(f"rows of `{table.table}` have no value of {names}; choose other keys")
    keys = select(key_text(engine, parts).label("id")).subquery()
    twice = select(keys.c.id).group_by(keys.c.id).having(func.count() > 1).limit(1)
    if connection.execute(twice).first() is not None:
        raise Invalid(f"several rows of `{table.table}` have the same {names}; choose keys that tell rows apart")
