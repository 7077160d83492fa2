"""MDX over the cubes of a session: the cube that a query names, its answer, and how that was found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from callsheet.analytics.cube_catalog import cubes
from callsheet.analytics.mdx.errors import MdxError, nearest_name
from callsheet.analytics.mdx.explanation import MdxExplanation
from callsheet.analytics.mdx.parser import parse_mdx
from callsheet.analytics.mdx.parted_cells import joined
from callsheet.analytics.mdx.querying import answered, drilled, explained
from callsheet.analytics.mdx.syntax import CellsStatement, DrillthroughStatement, ExplainStatement, MdxStatement
from callsheet.core.core import Core
from callsheet.errors import UsageError
from callsheet.flow import Flow
from callsheet.model.cube import CubeDefinition
from callsheet.model.schema import did_you_mean

__all__ = ["explain_mdx_query", "query_mdx"]


def query_mdx(
    core: Core, query: str, cube: Any = None, *, at: int | None = None, scenario: str | None = None
) -> Flow[Any]:
    """The answer to a query in MDX over a cube of the session; ``FROM`` names the cube.

    ``cube`` is another one: a cube, its name, or a `CubeDefinition`. ``at`` is a position of the server's log,
    ``scenario`` the name of one. The numbers are those of the entities that the account may read, all of one state of
    the server. ``EXPLAIN PLAN FOR …`` gives what ``explain_mdx_query`` does, ``DRILLTHROUGH …`` the entities behind a
    cell, as rows. Raises `MdxError`, with its position, for
    what cannot be read or found. It needs the extra ``mdx``.

    >>> session.query_mdx("select [Measures].[Bid] on columns from Bids").to_pandas()  # doctest: +SKIP
    """
    statement = parse_mdx(query)
    if isinstance(statement, ExplainStatement):
        return (yield from explain_mdx_query(core, query, cube, at=at, scenario=scenario))
    definition = yield from _definition(core, statement, cube, query)
    if isinstance(statement, DrillthroughStatement):
        if at is not None or scenario is not None:
            raise UsageError("DRILLTHROUGH gives entities of the present: ask without `at` and `scenario`")
        return (yield from drilled(core, definition, query, statement))
    return (yield from answered(core, definition, query, statement, at, scenario))


def explain_mdx_query(
    core: Core, query: str, cube: Any = None, *, at: int | None = None, scenario: str | None = None
) -> Flow[MdxExplanation]:
    """How a query in MDX is answered: its requests, the statements of each, and where the time went.

    The query is evaluated as a whole; its result is in the explanation.

    >>> print(session.explain_mdx_query("select [Measures].[Bid] on columns from Bids"))  # doctest: +SKIP
    """
    statement = parse_mdx(query)
    if isinstance(statement, ExplainStatement):
        statement = statement.statement
    definition = yield from _definition(core, statement, cube, query)
    return (yield from explained(core, definition, query, statement, at, scenario))


def _definition(core: Core, statement: MdxStatement, given: Any, text: str) -> Flow[CubeDefinition]:
    """The definition of the cube that a statement is about."""
    found = given if isinstance(given, CubeDefinition) else getattr(given, "definition", None)
    if isinstance(found, CubeDefinition):
        known = (yield from cubes(core)) if any(isinstance(each, str) for each in found.parts) else {}
        return _whole(found, known)
    if given is not None and not isinstance(given, str):
        raise UsageError(f"query_mdx needs a cube, its name, or its definition, not {type(given).__name__}")
    known = yield from cubes(core)
    name, position = (given, -1) if given is not None else _named(statement)
    for each in known:
        if each.lower() == name.lower():
            definition: CubeDefinition = known[each].definition
            return _whole(definition, known)
    hint = nearest_name(name, known) or (f"there are {', '.join(sorted(known))}" if known else "create_cube makes one")
    raise MdxError(f"there is no cube `{name}`", position, hint, text)


def _whole(definition: CubeDefinition, known: Mapping[str, Any]) -> CubeDefinition:
    """A cube with what its parts have."""
    if not definition.parts:
        return definition
    return joined(definition, [_part(definition, each, known) for each in definition.parts])


def _part(whole: CubeDefinition, part: str | CubeDefinition, known: Mapping[str, Any]) -> CubeDefinition:
    """A cube that another one is made of."""
    if isinstance(part, CubeDefinition):
        return part
    if part not in known:
        raise UsageError(f"there is no cube `{part}`, a part of the cube `{whole.name}`{did_you_mean(part, known)}")
    found: CubeDefinition = known[part].definition
    return found


def _named(statement: MdxStatement) -> tuple[str, int]:
    """The cube's name in a statement, and where it stands."""
    while isinstance(statement, ExplainStatement):
        statement = statement.statement
    query = statement.query if isinstance(statement, DrillthroughStatement) else statement
    while isinstance(query.source, CellsStatement):
        query = query.source
    return query.source.segments[-1].name, query.source.position
