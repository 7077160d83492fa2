"""Pivots of the page: a cube's numbers as columns, totals included, all of one position; and what a cube is made of."""

from __future__ import annotations

from decimal import Decimal
from time import perf_counter
from typing import Any

from msgspec import Struct

from callsheet.analytics.cube_axes import AT, SCENARIO
from callsheet.analytics.cube_frames import CubeFrame
from callsheet.dialects.routes import Visit
from callsheet.explorer.answers import answer, body_of
from callsheet.explorer.pivot_question import AskedPivot, PivotBody, asked_of, cube_of, moments_of, pivot_session, said
from callsheet.flow import Response
from callsheet.model.language.reaching import reaching
from callsheet.model.language.text import condition_text, path_text
from callsheet.model.measure import TOTAL
from callsheet.session.blocking import Session

__all__ = ["cube", "cubes", "describe", "shown_pivot"]


class CubeName(Struct, forbid_unknown_fields=True):
    """The name of a cube, or of an entity type."""

    cube: str


def cubes(visit: Visit) -> Response:
    """The cubes that are kept, and the entity types, each of which is a cube, too."""
    with pivot_session(visit.backend) as session, said():
        kept = [
            {"name": name, "table": found.definition.table, "description": found.description}
            for name, found in session.cubes.items()
        ]
        types = [each.name for each in session.schema.types.values() if not each.abstract]
        return answer({"cubes": kept, "types": types, "scenarios": _scenarios(session)})


def describe(visit: Visit) -> Response:
    """The levels and measures of a cube."""
    body = body_of(visit, CubeName)
    with pivot_session(visit.backend) as session, said():
        return answer(_described(cube_of(session, body.cube)))


def _described(found: Any) -> dict[str, Any]:
    definition = found.definition
    names = [level.name for each in definition.hierarchies for level in each.levels]
    levels = [
        {
            "key": level.name if names.count(level.name) == 1 else f"{each.name}.{level.name}",
            "name": level.name,
            "hierarchy": each.name,
            "path": path_text(level.path),
            "band": level.band,
        }
        for each in definition.hierarchies
        for level in each.levels
    ]
    measures = [
        {"name": each.name, "format": each.format or "", "description": each.description or ""}
        for each in definition.measures
    ]
    where = "" if definition.where is None else condition_text(definition.where)
    facts = {"name": found.name, "table": definition.table, "description": found.description, "filter": where}
    return {**facts, "kept": found.entity is not None, "levels": levels, "measures": measures}


def _scenarios(session: Session) -> list[dict[str, Any]]:
    if not session.features.scenarios:
        return []
    return [
        {"name": each.name, "owner": each.owner, "position": each.position, "description": each.description}
        for each in session.scenarios.values()
    ]


def cube(visit: Visit) -> Response:
    """The numbers of a pivot, as columns: levels with a bit for each that is summed up, and measures."""
    body = body_of(visit, PivotBody)
    begun = perf_counter()
    with pivot_session(visit.backend) as session:
        asked = asked_of(session, body)
        at = moments_of(session, body.at)
        with said():
            frame = asked.cube.query(
                asked.measures,
                levels=asked.levels,
                filter=asked.where,
                totals=asked.totals,
                scenario=body.scenarios,
                at=at,
            )
        return answer(
            {**shown_pivot(asked, frame, body, at), "milliseconds": round((perf_counter() - begun) * 1000, 1)}
        )


def shown_pivot(asked: AskedPivot, frame: CubeFrame, body: PivotBody, at: list[int | None]) -> dict[str, Any]:
    """An answer as columns."""
    values = {name: frame[name] for name in frame.columns}
    levels = [each.name for each in asked.columns]
    length = len(frame)
    totals = [0] * length
    for place, name in enumerate(levels):
        for row, value in enumerate(values[name]):
            if value is TOTAL:
                totals[row] |= 1 << place
    cells = frame._known_cells()
    kinds = {each.name: each.kind for each in frame._export_columns}
    return {
        "cube": asked.cube.name,
        "table": cells.question.select.entity_type,
        "position": frame.position,
        "truncated": frame.truncated,
        "rows": asked.rows,
        "levels": [{"name": name, "kind": kinds[name], "values": list(map(_member, values[name]))} for name in levels],
        "totals": totals,
        "scenarios": body.scenarios,
        "at": at,
        "states": _states(values[SCENARIO], values[AT], body, at, frame.position),
        "measures": [
            {"name": name, "format": frame._formats.get(name, ""), "values": list(map(_number, values[name]))}
            for name in frame.measures
        ],
        # Commits that change entities of these types may change the numbers.
        "types": sorted(reaching(cells.question, asked.cube._core.schema).roots),
    }


def _states(
    scenarios: list[Any], positions: list[Any], body: PivotBody, at: list[int | None], now: int | None
) -> list[int]:
    """For each row, which state it is of: the place of its scenario times the moments, and that of its moment."""
    moments: dict[Any, int] = {}
    for place, each in enumerate(at):
        moments.setdefault(now if each is None else each, place)
    names = {name: place for place, name in enumerate(body.scenarios)}
    return [names[scenario] * len(at) + moments.get(position, 0) for scenario, position in zip(scenarios, positions)]


def _member(value: Any) -> Any:
    return None if value is TOTAL else _number(value)


def _number(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value
