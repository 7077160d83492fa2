"""Dashboards of the page: all tiles by one request to the server, so all their numbers are of one position."""

from __future__ import annotations

from time import perf_counter
from typing import Any

from msgspec import Struct

from callsheet.analytics.cubes_together import together
from callsheet.dialects.routes import Visit
from callsheet.errors import CallsheetError, Invalid
from callsheet.explorer.answers import answer, body_of
from callsheet.explorer.pivot_question import AskedPivot, PivotBody, asked_of, moments_of, pivot_session
from callsheet.explorer.pivots import shown_pivot
from callsheet.flow import Response
from callsheet.session.blocking import Session

__all__ = ["dashboard"]

TILES = 60
"""Tiles of one dashboard."""


class DashboardBody(Struct, forbid_unknown_fields=True):
    """The pivots of the tiles."""

    tiles: list[PivotBody]


def dashboard(visit: Visit) -> Response:
    """The numbers of every tile, or what is wrong with it; a tile that fails fails alone."""
    body = body_of(visit, DashboardBody)
    if len(body.tiles) > TILES:
        raise Invalid(f"a dashboard has at most {TILES} tiles, not {len(body.tiles)}")
    begun = perf_counter()
    with pivot_session(visit.backend) as session:
        found = _answers(session, body.tiles)
    positions = [each["position"] for each in found if "error" not in each]
    spent = round((perf_counter() - begun) * 1000, 1)
    return answer({"position": max(positions, default=None), "tiles": found, "milliseconds": spent})


def _answers(session: Session, tiles: list[PivotBody]) -> list[dict[str, Any]]:
    found: dict[int, dict[str, Any]] = {}
    asked: dict[int, tuple[AskedPivot, list[int | None]]] = {}
    for place, tile in enumerate(tiles):
        try:
            asked[place] = asked_of(session, tile), moments_of(session, tile.at)
            asked[place][0].cells()
        except CallsheetError as error:
            asked.pop(place, None)
            found[place] = {"error": str(error)}
    try:
        found.update(_together(session, tiles, asked))
    except CallsheetError:
        # The server refused one of them: which one is found by asking each alone, then the others together.
        for place in list(asked):
            try:
                _together(session, tiles, {place: asked[place]})
            except CallsheetError as error:
                del asked[place]
                found[place] = {"error": str(error)}
        found.update(_together(session, tiles, asked))
    return [found[place] for place in range(len(tiles))]


def _together(
    session: Session, tiles: list[PivotBody], asked: dict[int, tuple[AskedPivot, list[int | None]]]
) -> dict[int, dict[str, Any]]:
    if not asked:
        return {}
    wanted = [
        (each.cube, each.measures, each.levels, each.where, each.totals, tiles[place].scenarios, at)
        for place, (each, at) in asked.items()
    ]
    frames = session.run(together(session, wanted))
    return {
        place: shown_pivot(each, frame, tiles[place], at) for (place, (each, at)), frame in zip(asked.items(), frames)
    }
