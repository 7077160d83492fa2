"""The cube that a query is about: one that is given, or the one of the session that ``FROM`` names."""

from __future__ import annotations

from typing import Any

from callsheet.analytics.cube_catalog import cubes
from callsheet.analytics.mdx.errors import MdxError, nearest_name
from callsheet.analytics.mdx.syntax import CellsStatement, DrillthroughStatement, ExplainStatement, MdxStatement
from callsheet.core.core import Core
from callsheet.errors import UsageError
from callsheet.flow import Flow
from callsheet.model.cube import CubeDefinition

__all__ = ["definition_of"]


def definition_of(core: Core, statement: MdxStatement, given: Any, text: str) -> Flow[CubeDefinition]:
    """The definition of the cube that a statement is about."""
    if isinstance(given, CubeDefinition):
        return given
    if isinstance(getattr(given, "definition", None), CubeDefinition):
        found: CubeDefinition = given.definition
        return found
    if given is not None and not isinstance(given, str):
        raise UsageError(f"query_mdx needs a cube, its name, or its definition, not {type(given).__name__}")
    known = yield from cubes(core)
    name, position = (given, -1) if given is not None else _named(statement)
    for each in known:
        if each.lower() == name.lower():
            definition: CubeDefinition = known[each].definition
            return definition
    hint = nearest_name(name, known) or (f"there are {', '.join(sorted(known))}" if known else "create_cube makes one")
    raise MdxError(f"there is no cube `{name}`", position, hint, text)


def _named(statement: MdxStatement) -> tuple[str, int]:
    """The cube's name in a statement, and where it stands."""
    while isinstance(statement, ExplainStatement):
        statement = statement.statement
    query = statement.query if isinstance(statement, DrillthroughStatement) else statement
    while isinstance(query.source, CellsStatement):
        query = query.source
    return query.source.segments[-1].name, query.source.position
