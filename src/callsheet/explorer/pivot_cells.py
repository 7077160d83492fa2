"""One cell of a pivot of the page: the entities behind it, and why it changed."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from callsheet.dialects.routes import Visit
from callsheet.explorer.answers import answer, body_of
from callsheet.explorer.pivot_question import PivotBody, asked_of, cell_values, moments_of, pivot_session, said
from callsheet.flow import Response
from callsheet.model.cause import Cause, NumberChange
from callsheet.model.language.text import select_text
from callsheet.model.query import Comparison, Path, Select
from callsheet.model.record import Identity
from callsheet.session.blocking import Session

__all__ = ["PivotCell", "drill", "why"]

CAUSES = 200
"""Commits in one answer."""
NAMED = 3
"""Entities of a commit that are named."""


class PivotCell(Struct, forbid_unknown_fields=True):
    """A cell of a pivot: its values at the levels, a bit in ``totals`` for each that is summed up, and its measure."""

    pivot: PivotBody
    cell: list[Any]
    totals: int = 0
    measure: str | None = None
    scenario: str | None = None
    at: int | str | None = None
    since: int | str | None = None
    until: int | str | None = None


def drill(visit: Visit) -> Response:
    """The query of the entities behind a cell, totals included, as text."""
    body = body_of(visit, PivotCell)
    with pivot_session(visit.backend) as session:
        asked = asked_of(session, body.pivot)
        with said():
            cells = asked.cells()
            values = cell_values(asked.columns, body.cell, body.totals)
            found = cells.drill(values, body.measure)
            return answer({"query": select_text(found.select_statement)})


def why(visit: Visit) -> Response:
    """The commits that changed a cell between two moments, by the size of what each did, with who and what."""
    body = body_of(visit, PivotCell)
    with pivot_session(visit.backend) as session:
        asked = asked_of(session, body.pivot)
        since, until = moments_of(session, [body.since if body.since is not None else 0, body.until])
        with said():
            values = cell_values(asked.columns, body.cell, body.totals)
            found: NumberChange = asked.cells().why(values, since, until, body.measure)
        return answer(_change(session, found))


def _change(session: Session, found: NumberChange) -> dict[str, Any]:
    causes = found.causes[:CAUSES]
    labels = _labels(session, [each for cause in causes for each in cause.entities[:NAMED]])
    return {
        "since": found.since,
        "until": found.until,
        "before": found.before,
        "after": found.after,
        "difference": found.difference,
        "additive": found.additive,
        "hidden": len(found.causes) - len(causes),
        "causes": [_cause(each, labels) for each in causes],
    }


def _cause(cause: Cause, labels: dict[Identity, str]) -> dict[str, Any]:
    named = [(each.entity_type, str(each.key), labels.get(each, str(each.key))) for each in cause.entities[:NAMED]]
    return {
        "position": cause.position,
        "commit": cause.commit_id,
        "user": cause.user,
        "time": cause.time,
        "handler": cause.handler,
        "effect": cause.effect,
        "changed": cause.changed,
        "entities": named,
    }


def _labels(session: Session, entities: list[Identity]) -> dict[Identity, str]:
    """What entities are called now; those that are gone, or that the account may not read, are left out."""
    found: dict[Identity, str] = {}
    kinds: dict[str, list[Identity]] = {}
    for each in dict.fromkeys(entities):
        kinds.setdefault(each.entity_type, []).append(each)
    for kind, identities in kinds.items():
        label = session.schema.type(kind).label
        if label not in session.schema.type(kind).attributes:
            continue
        select = Select(
            kind, (Path.of(label),), Comparison(Path.of("id"), "in", tuple(each.key for each in identities))
        )
        for entity in session.select(select):
            found[entity.identity] = str(entity[label])
    return found
