"""The tables of scenarios: ``_scenario`` and ``_scenario_stage``, and those with the rows that lie over the entities'.

A scenario's own version of a row is in the *overlay table* of the row's table: ``_over_Task`` has the columns of
``Task``, the scenario, whether the row is gone there, and the version that the row had in the scenario's origin when
the scenario first changed it (0: there was none). An overlay table is created with the first row in it.
"""

from __future__ import annotations

from sqlalchemy import Column, LargeBinary, MetaData, Table, UniqueConstraint

from callsheet.bounded import BoundedDict
from callsheet.server.store.columns import INTEGER, TEXT, Json, Moment, Truth
from callsheet.server.store.declaring import LIKE, filled, optional, system_table

__all__ = ["GONE", "SCENARIO", "SEEN", "key_columns", "overlay_table", "scenario_tables"]

SCENARIO, GONE, SEEN = "_scenario", "_gone", "_seen"


def scenario_tables(metadata: MetaData) -> None:
    """``_scenario``: scenarios. ``_scenario_stage``: what was committed into them, in order."""
    system_table(
        metadata,
        "_scenario",
        Column("id", INTEGER, primary_key=True, autoincrement=True),
        Column("uid", TEXT, nullable=False, unique=True),
        filled(TEXT, "name", "owner", "description"),
        optional(INTEGER, "origin"),
        filled(Moment, "created"),
        optional(Moment, "expires"),
        filled(INTEGER, "position", "revision"),
        filled(Json(), "overlaid", "readers"),
        UniqueConstraint("owner", "name", name="_unique_scenario_name"),
    )
    system_table(
        metadata,
        "_scenario_stage",
        Column("scenario", INTEGER, primary_key=True, autoincrement=False),
        Column("number", INTEGER, primary_key=True, autoincrement=False),
        filled(TEXT, "commit_id", "user_name", "digest"),
        filled(Moment, "time"),
        filled(LargeBinary, "operations", "changes", "result"),
        UniqueConstraint("scenario", "commit_id", name="_unique_scenario_stage"),
    )


_OVERLAYS: BoundedDict[Table, Table] = BoundedDict(4_096)


def key_columns(table: Table) -> tuple[str, ...]:
    """The key of an entities' table, or of a link table."""
    return tuple(column.name for column in table.primary_key.columns)


def overlay_table(table: Table) -> Table:
    """The overlay table of a table of entities, or of a link table; it may not exist yet."""
    found = _OVERLAYS.get(table)
    if found is None:
        found = _OVERLAYS[table] = _overlay_table(table)
    return found


def _overlay_table(table: Table) -> Table:
    keys = key_columns(table)
    columns: list[Column[object]] = [
        Column(SCENARIO, INTEGER, primary_key=True, autoincrement=False),
        *(Column(name, TEXT, primary_key=True) for name in keys),
        Column(GONE, Truth, nullable=False),
        Column(SEEN, INTEGER, nullable=False),
        *(Column(column.name, column.type) for column in table.columns if column.name not in keys),
    ]
    name = f"_over{table.name}" if table.name.startswith("_") else f"_over_{table.name}"
    return Table(name, MetaData(), *columns, sqlite_strict=True, info={LIKE: table.name})
