"""The tables of durable handlers and schedules: their positions, and their open deliveries."""

from __future__ import annotations

from sqlalchemy import Column, Index, MetaData

from callsheet.server.store.columns import INTEGER, TEXT, Moment, Truth
from callsheet.server.store.declaring import filled, key, optional, system_table

__all__ = ["delivery_tables"]


def delivery_tables(metadata: MetaData) -> None:
    """``_handler`` and ``_schedule`` have a row for each of an account, ``_delivery`` one for each open event."""
    system_table(
        metadata,
        "_handler",
        key("user_name", "name"),
        filled(TEXT, "expression"),
        filled(Truth, "ignore_own"),
        # Events up to this position in the log have become deliveries.
        filled(INTEGER, "position", "event_index"),
        filled(Moment, "created"),
        optional(Moment, "claimed"),
    )
    system_table(
        metadata,
        "_schedule",
        key("user_name", "name"),
        # ``missed`` is once, all or skip
        filled(TEXT, "expression", "zone", "missed"),
        # Seconds since 1970: ticks up to ``due`` have become deliveries; ``done`` is the latest handled tick.
        filled(INTEGER, "due"),
        optional(INTEGER, "done"),
        filled(Moment, "created"),
    )
    system_table(
        metadata,
        "_delivery",
        key("user_name", "handler"),
        *(Column(name, INTEGER, primary_key=True, autoincrement=False) for name in ("position", "event_index")),
        # Deliveries of one stream are handled in order: the stream of an entity, or of one event.
        # ``state`` is ready, leased or dead.
        filled(TEXT, "event_id", "stream", "state"),
        filled(INTEGER, "attempts", "failures"),
        optional(TEXT, "lease", "worker"),
        optional(Moment, "leased_until"),
        filled(Moment, "next_try"),
        filled(TEXT, "event"),
        optional(TEXT, "error", "traceback"),
        filled(Moment, "made", "changed"),
        Index("_index_delivery_state", "user_name", "handler", "state", "position"),
        Index("_index_delivery_stream", "user_name", "handler", "stream", "position", "event_index"),
        Index("_index_delivery_event", "user_name", "event_id"),
    )
