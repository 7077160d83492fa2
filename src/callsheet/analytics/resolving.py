"""Variables and tables that somebody names, as paths from the table that is asked."""

from __future__ import annotations

import re
from typing import Any

from attrs import evolve

from callsheet.analytics.carrying import path_along, route_between
from callsheet.analytics.relations import TablePath
from callsheet.errors import UnknownName, UsageError
from callsheet.model.language.checking import check_path
from callsheet.model.language.parser import parse_path
from callsheet.model.query import Path, Step
from callsheet.model.schema import did_you_mean

__all__ = ["is_selection", "is_table", "label_path", "path_to", "value_path", "variable_of", "written_variable"]

_START = re.compile(r"(\w+)[.\[]")


def is_selection(given: Any) -> bool:
    """Whether this is a selection; also one whose table is not known yet."""
    return hasattr(type(given), "select_statement") and hasattr(type(given), "of")


def is_table(given: Any) -> bool:
    """Whether this is a table. Its class is looked at, since its numbers would be requested."""
    return hasattr(type(given), "total_records")


def variable_of(table: Any, given: Any) -> Any:
    """The variable that is given or named: of the table, else of the tables above, else of all (``Bookings.Cost``).

    A text may be a path from the table, too.
    """
    if not isinstance(given, str):
        if not hasattr(given, "_attribute") or not hasattr(given, "table"):
            raise UsageError(f"a variable is needed, or its name, not {given!r:.80}")
        if given._dictionary.schema.hash != table._dictionary.schema.hash:
            raise UsageError(f"{given!r} is of another schema than {table.name}")
        return given
    for near in (table, *table.ancestors):
        if given in near.variables:
            return near.variables[given]
    if given in table._dictionary.variables:
        return table._dictionary.variables[given]
    return written_variable(table, given) or _named_in(table, given)


def written_variable(table: Any, text: str) -> Any:
    """The variable at a path of the query language: ``parent[Shot].name``; None for a text that is no path from here.

    Raises `QueryError` for a path that begins with an attribute of the table, and is wrong further on.
    """
    start = _START.match(text)
    if start is None or start[1] not in table._type.names:
        return None
    path = parse_path(text)
    chain = check_path(path, table._type, table._dictionary.schema)
    many = any(attribute.kind == "collection" for _, attribute in chain[:-1])
    return table._dictionary.kinds.variable(table, evolve(chain[-1][1], label=text), path, many)


def _named_in(table: Any, given: str) -> Any:
    """``People.Occupation`` where the table is called so in any way; else the error with the nearest names."""
    name, dot, rest = given.partition(".")
    if dot and name in table._dictionary.tables:
        return table._dictionary.tables[name][rest]
    above = [name for each in (table, *table.ancestors) for name in each.variables.names_like(given)]
    near = did_you_mean(given, above) or did_you_mean(given, table._dictionary.variables.names_like(given))
    raise UnknownName(f"{table.name}: there is no variable `{given:.80}`{near}")


def path_to(table: Any, variable: Any, through: str | TablePath | None = None) -> tuple[Path, TablePath]:
    """The path from a table to a variable's values, and the route to the variable's table."""
    dictionary = table._dictionary
    route = route_between(dictionary.relations, dictionary.schema, table.name, variable.table.name, through)
    if not route.links and not dictionary.schema.is_a(table.name, variable.table.name):
        raise UsageError(f"{variable._shown} is not a variable of every {table.singular}: some have no such value")
    return Path((*path_along(route), *variable._path.steps)), route


def label_path(variable: Any, path: Path) -> Path:
    """The path to what stands for a reference: the label of its entity, if that is a value; else its key."""
    if variable._attribute.kind != "reference":
        return path
    target = variable._dictionary.schema.types[str(variable._attribute.target)]
    label = target.attributes.get(target.label)
    name = target.label if label is not None and label.kind == "scalar" else target.key[0]
    return Path((*path.steps, Step(name)))


def value_path(table: Any, given: Any, word: str) -> Path:
    """The path to one value for each entity: of a variable here or above, or the key of a table above."""
    if is_table(given) or (isinstance(given, str) and _names_a_table(table, given)):
        above = table._table_of(given)
        dictionary = table._dictionary
        route = route_between(dictionary.relations, dictionary.schema, table.name, above.name, None)
        key = dictionary.schema.types[above.name].key[0]
        found = Path((*path_along(route), Step(key)))
    else:
        variable = variable_of(table, given)
        found, route = path_to(table, variable)
        if variable.type in ("Array", "Mapping", "Json"):
            raise UsageError(f"`{word}` needs one value for each entity; {variable._shown} is of type {variable.type}")
        found = label_path(variable, found) if word != "per" else found
        if variable._many:
            raise UsageError(f"`{word}` needs one value for each entity of {table.name}, but {variable._shown} is many")
    if route.many:
        raise UsageError(f"`{word}` needs one value for each entity of {table.name}, but `{route}` leads to many")
    return found


def _names_a_table(table: Any, name: str) -> bool:
    known = any(name in near.variables for near in (table, *table.ancestors))
    return not known and name in table._dictionary.tables
