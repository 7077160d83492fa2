"""What a pivot of the page is about: a cube by its name, its levels and measures by their names or their texts.

The questions are those of `Cube.query`, asked through a session on the backend of the account: what it may not read,
no number counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any

from attrs import frozen
from msgspec import Struct, field

from callsheet.analytics.cube_questions import level_columns, question_cells
from callsheet.analytics.frame_cells import FrameCells
from callsheet.core.past.causes import position_of
from callsheet.errors import CallsheetError, Invalid, NotFound, ServerError
from callsheet.export.layout import ExportColumn
from callsheet.model.measure import TOTAL
from callsheet.model.schema import did_you_mean
from callsheet.session.blocking import Session
from callsheet.session.connection import over

__all__ = ["AskedPivot", "PivotBody", "asked_of", "cell_values", "cube_of", "moments_of", "pivot_session", "said"]

MOST = 40
"""Levels, measures and conditions of one pivot, each."""
STATES = 12
"""Scenarios times moments of one pivot."""


class PivotBody(Struct, forbid_unknown_fields=True):
    """A pivot: levels on rows and columns, measures, conditions that all hold, scenarios and moments.

    ``scenarios`` has null for what is, ``at`` has positions, days and times as text, and null for now.
    """

    cube: str
    rows: list[str] = []
    cols: list[str] = []
    measures: list[str] = []
    where: list[str] = []
    scenarios: list[str | None] = field(default_factory=lambda: [None])
    at: list[int | str | None] = field(default_factory=lambda: [None])


@frozen
class AskedPivot:
    """A pivot whose names are known: its cube, the columns of its levels, and how many of them are on rows."""

    cube: Any
    measures: list[str]
    levels: list[str]
    columns: list[ExportColumn]
    rows: int
    where: str | None
    totals: list[list[str]]

    def cells(self) -> FrameCells:
        """Its cells, to be asked about one by one."""
        return question_cells(self.cube, self.measures, self.levels, self.where, self.totals)


@contextmanager
def pivot_session(backend: Any) -> Iterator[Session]:
    """A session of the account that a request acts for."""
    session = Session(connection=over(backend), plugin_paths=False)
    try:
        yield session
    finally:
        session.close()


@contextmanager
def said() -> Iterator[None]:
    """What is wrong with a question is the request's fault, whatever part of the analysis found it."""
    try:
        yield
    except ServerError:
        raise
    except CallsheetError as error:
        raise Invalid(str(error)) from error


def asked_of(session: Session, body: PivotBody) -> AskedPivot:
    """The pivot of a request; raises `Invalid` or `NotFound` for what the cube does not have."""
    for name, given in (("rows", body.rows), ("cols", body.cols), ("measures", body.measures), ("where", body.where)):
        if len(given) > MOST:
            raise Invalid(f"`{name}` has {len(given):,} entries; a pivot has at most {MOST}")
    if not body.scenarios or not body.at or len(body.scenarios) * len(body.at) > STATES:
        raise Invalid(f"a pivot shows 1 to {STATES} states: scenarios times moments")
    with said():
        cube = cube_of(session, body.cube)
        levels = [*body.rows, *body.cols]
        columns = level_columns(cube, levels)
        rows = len(level_columns(cube, body.rows))
        measures = body.measures or list(cube.measures)[:1]
        return AskedPivot(cube, measures, levels, columns, rows, _where(body.where), _totals(columns, rows))


def cube_of(session: Session, name: str) -> Any:
    """A cube that is kept; else the one that the schema suggests for the entity type of this name."""
    kept = session.cubes
    if name in kept:
        return kept[name]
    if name in session.schema.types:
        return session.create_cube(name, name, keep=False)
    names = [*kept, *session.schema.types]
    raise NotFound(f"there is no cube and no entity type `{name:.80}`{did_you_mean(name, names)}")


def _where(given: Sequence[str]) -> str | None:
    parts = [each.strip() for each in given if each.strip()]
    return " and ".join(f"({each})" for each in parts) if len(parts) > 1 else parts[0] if parts else None


def _totals(columns: Sequence[ExportColumn], rows: int) -> list[list[str]]:
    """The levels that stay in each kind of total: those of the first rows with those of the first columns."""
    names = [each.name for each in columns]
    above, beside = names[:rows], names[rows:]
    kept = [above[:here] + beside[:there] for here in range(len(above) + 1) for there in range(len(beside) + 1)]
    return kept[:-1]


def moments_of(session: Session, given: Sequence[int | str | None]) -> list[int | None]:
    """Positions of the log; a day is its end, in UTC."""
    return [_moment(session, each) for each in given]


def _moment(session: Session, given: int | str | None) -> int | None:
    if given is None or isinstance(given, int):
        return given
    try:
        if len(given) == len("2026-12-01"):
            day = date.fromisoformat(given)
            moment = datetime(day.year, day.month, day.day, 23, 59, 59, 999_999, UTC)
        else:
            moment = datetime.fromisoformat(given)
    except ValueError:
        raise Invalid(f"{given!r:.60} is no moment; write a position, or a day such as 2026-12-01") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    found: int = session.run(position_of(session, moment))
    return found


def cell_values(columns: Sequence[ExportColumn], given: Sequence[Any], totals: int) -> tuple[Any, ...]:
    """The values of a cell as the question has them; ``totals`` has a bit for each level that is summed up."""
    if len(given) != len(columns):
        raise Invalid(f"a cell of this pivot has {len(columns)} values, not {len(given)}")
    return tuple(
        TOTAL if totals >> place & 1 else _value(column.kind, value)
        for place, (column, value) in enumerate(zip(columns, given))
    )


def _value(kind: str, value: Any) -> Any:
    if not isinstance(value, str) or kind not in ("date", "datetime"):
        return value
    try:
        return date.fromisoformat(value) if kind == "date" else datetime.fromisoformat(value)
    except ValueError:
        raise Invalid(f"{value!r:.60} is no {kind}") from None
