"""The tables of durable handlers and schedules: their positions, and their open deliveries."""

from __future__ import annotations

from sqlalchemy import Column, Index, MetaData, Table

from callsheet.server.store.columns import INTEGER, TEXT, Moment, Truth

__all__ = ["delivery_tables"]


def delivery_tables(metadata: MetaData) -> None:
    """``_handler`` and ``_schedule`` have a row for each of an account, ``_delivery`` one for each open event."""
    Table(
        "_handler",
        metadata,
        Column("user_name", TEXT, primary_key=True),
        Column("name", TEXT, primary_key=True),
        Column("expression", TEXT, nullable=False),
        Column("ignore_own", Truth, nullable=False),
        # Events up to this position in the log have become deliveries.
        Column("position", INTEGER, nullable=False),
        Column("event_index", INTEGER, nullable=False),
        Column("created", Moment, nullable=False),
        Column("claimed", Moment),
        sqlite_strict=True,
    )
    Table(
        "_schedule",
        metadata,
        Column("user_name", TEXT, primary_key=True),
        Column("name", TEXT, primary_key=True),
        Column("expression", TEXT, nullable=False),
        Column("zone", TEXT, nullable=False),
        # once, all or skip
        Column("missed", TEXT, nullable=False),
        # Seconds since 1970: ticks up to ``due`` have become deliveries; ``done`` is the latest handled tick.
        Column("due", INTEGER, nullable=False),
        Column("done", INTEGER),
        Column("created", Moment, nullable=False),
        sqlite_strict=True,
    )
    Table(
        "_delivery",
        metadata,
        Column("user_name", TEXT, primary_key=True),
        Column("handler", TEXT, primary_key=True),
        Column("position", INTEGER, primary_key=True, autoincrement=False),
        Column("event_index", INTEGER, primary_key=True, autoincrement=False),
        Column("event_id", TEXT, nullable=False),
        # Deliveries of one stream are handled in order: the stream of an entity, or of one event.
        Column("stream", TEXT, nullable=False),
        # ready, leased or dead
        Column("state", TEXT, nullable=False),
        Column("attempts", INTEGER, nullable=False),
        Column("failures", INTEGER, nullable=False),
        Column("lease", TEXT),
        Column("worker", TEXT),
        Column("leased_until", Moment),
        Column("next_try", Moment, nullable=False),
        Column("event", TEXT, nullable=False),
        Column("error", TEXT),
        Column("traceback", TEXT),
        Column("made", Moment, nullable=False),
        Column("changed", Moment, nullable=False),
        Index("_index_delivery_state", "user_name", "handler", "state", "position"),
        Index("_index_delivery_stream", "user_name", "handler", "stream", "position", "event_index"),
        Index("_index_delivery_event", "user_name", "event_id"),
        sqlite_strict=True,
    )
