"""Windows of a sheet: rows of a query with the work on each, and with the first the groups and totals of all rows.

Counts, totals, groups and statuses are answered in one snapshot; the answer names its position.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from attrs import asdict, evolve
from msgspec import Meta, Struct

from callsheet.dialects.native.codec import select_in
from callsheet.dialects.native.server import page_out
from callsheet.dialects.native.shapes import WireSelect
from callsheet.dialects.routes import Visit
from callsheet.errors import Invalid
from callsheet.explorer.answers import answer, body_of
from callsheet.explorer.summaries import SummaryRequest, grouped, summary
from callsheet.explorer.work import WorkType, work_of
from callsheet.flow import Response
from callsheet.model.plain import Malformed
from callsheet.model.query import Comparison, Condition, Order, Path, Select
from callsheet.model.schema import EntityType, Schema

__all__ = ["rows"]

USUAL = "*"
MOST = 200
"""Rows of one window."""
TOTALS = 50
"""Numbers that are summed."""
TASKS = 20_000
"""Pieces of work, and people, of the rows of one window."""


class RowsBody(Struct, forbid_unknown_fields=True):
    """A window of a query, as its offset and limit say. ``group`` is a path, which orders the rows before their order.

    ``work`` is the type of work that each row has cells for, ``*`` the usual one. ``summary`` adds the numbers of all
    rows of ``whole`` (without offset and limit of the window), ``totals`` are numbers whose sums it has.
    """

    select: WireSelect
    group: str = ""
    work: str = ""
    totals: Annotated[list[str], Meta(max_length=TOTALS)] = []
    summary: bool = False
    whole: WireSelect | None = None


def rows(visit: Visit) -> Response:
    """The window: a page of the query, pages of the work on its rows and of the people, and the summary."""
    body = body_of(visit, RowsBody)
    backend, select = visit.backend, _read(body.select)
    schema = backend.schema
    if select.entity_type not in schema.types:
        raise Invalid(f"the schema has no type `{select.entity_type:.80}`")
    entity_type = schema.type(select.entity_type)
    work = _work(schema, entity_type, body.work) if body.work else None
    level = grouped(schema, entity_type, body.group) if body.group else None
    most = MOST if select.limit is None else min(MOST, select.limit)
    asked = evolve(select, limit=most, order=select.order if level is None else (*level.order, *select.order))
    found: dict[str, Any] = {"work": None if work is None else asdict(work)}
    page = backend.select(asked, max(1, most))
    found["page"] = page_out(page)
    if work is not None:
        keys = [str(row[0]) for block in page.records[: page.roots] for row in block.rows]
        found["tasks"], found["people"], found["cut"] = _work_pages(backend, work, keys)
    if body.summary:
        whole = evolve(select, limit=None, offset=0) if body.whole is None else _read(body.whole)
        found["summary"] = summary(backend, SummaryRequest(whole, level, work, tuple(map(Path.of, body.totals))))
    return answer(found)


def _read(wire: WireSelect) -> Select:
    try:
        return select_in(wire)
    except Malformed as error:
        raise Invalid(str(error)) from None


def _work(schema: Schema, entity_type: EntityType, wanted: str) -> WorkType:
    found = work_of(schema, entity_type, "" if wanted == USUAL else wanted)
    if found is None:
        kind = "" if wanted == USUAL else f" of type {wanted:.80}"
        raise Invalid(f"{entity_type.name} has no work{kind} with a step and a status")
    return found


def _work_pages(backend: Any, work: WorkType, keys: Sequence[str]) -> tuple[list[Any], list[Any], bool]:
    """The work on entities in the order of its steps, and who is assigned to it, a page for each request."""
    if not keys:
        return [], [], False
    of_these = Comparison(Path.of(f"{work.parent}.id"), "in", tuple(keys))
    names = [work.parent, work.step, work.status, f"{work.status}.{work.status_label}", f"{work.status}.state.short"]
    names += [work.due] if work.due else []
    label = backend.schema.type(work.type).label
    tasks, cut = _all(backend, work.type, of_these, [label, *names])
    people: list[Any] = []
    if work.assigning is not None:
        each = work.assigning
        held = Comparison(Path.of(f"{each.work}[{work.type}].{work.parent}.id"), "in", tuple(keys))
        shown = [f"{each.person}.{each.label}", f"{each.person}[{each.people}].{each.people_label}"]
        people, more = _all(backend, each.type, held, [each.work, each.person, *shown])
        cut = cut or more
    return tasks, people, cut


def _all(backend: Any, name: str, where: Condition, paths: Sequence[str]) -> tuple[list[Any], bool]:
    select = Select(name, tuple(map(Path.of, paths)), where, (Order(Path.of("id")),))
    pages: list[Any] = []
    cursor, many = None, 0
    while many < TASKS:
        page = backend.select(select, TASKS, cursor)
        pages.append(page_out(page))
        many += sum(len(block.rows) for block in page.records[: page.roots])
        cursor = page.cursor
        if cursor is None:
            return pages, False
    return pages, True
