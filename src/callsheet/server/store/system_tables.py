"""The server's own tables, beside those of the schema: facts, workspaces, the log, events, accounts."""

from __future__ import annotations

from sqlalchemy import Column, Index, LargeBinary, MetaData, UniqueConstraint

from callsheet.server.store.columns import INTEGER, TEXT, Moment, Truth
from callsheet.server.store.declaring import filled, key, optional, system_table
from callsheet.server.store.login_tables import login_tables
from callsheet.server.store.queue_tables import delivery_tables
from callsheet.server.store.scenario_tables import scenario_tables

__all__ = ["system_tables"]


def system_tables(metadata: MetaData) -> None:
    """All of them."""
    delivery_tables(metadata)
    _database_tables(metadata)
    _log_tables(metadata)
    _account_tables(metadata)
    _user_tables(metadata)
    login_tables(metadata)
    scenario_tables(metadata)


def _database_tables(metadata: MetaData) -> None:
    """``_meta``: facts of the database by name. ``_counter``: positions and locks. ``_workspace``: other databases.

    ``_schema_change``: changes of the schema, with the schema before, beside the log.
    """
    system_table(metadata, "_meta", key("name"), optional(TEXT, "value"))
    system_table(metadata, "_counter", key("name"), optional(INTEGER, "value"))
    system_table(
        metadata,
        "_workspace",
        key("name"),
        filled(TEXT, "state", "address"),
        optional(TEXT, "files"),
        filled(TEXT, "schema_name", "description"),
        filled(Moment, "created"),
    )
    system_table(
        metadata,
        "_schema_change",
        _position(),
        filled(TEXT, "user_name", "why"),
        filled(Moment, "time"),
        filled(TEXT, "before", "types", "names", "plan"),
        filled(INTEGER, "lost"),
    )


def _log_tables(metadata: MetaData) -> None:
    """``_log``: commits. ``_event``: published events. ``_tombstone``: deleted entities. ``_part``: staged parts."""
    system_table(
        metadata,
        "_log",
        _position(),
        filled(TEXT, "commit_id", "user_name"),
        optional(TEXT, "origin"),
        filled(Moment, "time"),
        filled(TEXT, "digest"),
        optional(LargeBinary, "changes", "result"),
        UniqueConstraint("user_name", "commit_id", name="_unique_log_commit"),
        Index("_index_log_time", "time"),
        Index("_index_log_user", "user_name", "position"),
        Index("_index_log_commit", "commit_id"),
    )
    system_table(
        metadata,
        "_event",
        _position(),
        Column("id", TEXT, nullable=False, unique=True),
        filled(TEXT, "topic"),
        filled(LargeBinary, "data", "source"),
        filled(TEXT, "target"),
        optional(TEXT, "in_reply_to"),
        filled(TEXT, "user_name"),
        optional(Moment, "sent"),
        filled(Moment, "time"),
        Index("_index_event_time", "time"),
    )
    system_table(metadata, "_tombstone", key("root", "key"), filled(INTEGER, "position"))
    system_table(
        metadata,
        "_part",
        key("user_name", "commit_id"),
        _position("number"),
        filled(LargeBinary, "operations"),
        filled(Moment, "time"),
    )


def _user_tables(metadata: MetaData) -> None:
    """``_table``: user tables. ``_table_change``: what commits did to them, beside the log."""
    system_table(
        metadata,
        "_table",
        key("name"),
        filled(INTEGER, "number"),
        filled(TEXT, "definition", "owner"),
        filled(Moment, "created"),
    )
    system_table(
        metadata,
        "_table_change",
        _position(),
        _position("place"),
        filled(TEXT, "name"),
        filled(INTEGER, "number"),
        filled(TEXT, "kind"),
        filled(INTEGER, "rows"),
        Index("_index_table_change_number", "number", "position"),
    )


def _position(name: str = "position") -> Column[int]:
    """A number of the key that the server counts itself."""
    return Column(name, INTEGER, primary_key=True, autoincrement=False)


def _account_tables(metadata: MetaData) -> None:
    """``_account``: accounts and their keys. ``_role`` and ``_grant``: their rights. ``_audit``: what was refused."""
    system_table(
        metadata,
        "_account",
        key("name"),
        filled(TEXT, "role"),
        Column("key_id", TEXT, unique=True),
        optional(TEXT, "key_hash"),
        Column("disabled", Truth, nullable=False, default=False),
        optional(Moment, "created", "expires", "last_used"),
    )
    system_table(metadata, "_account_user", key("account"), filled(TEXT, "key"))
    system_table(metadata, "_role", key("name"), optional(TEXT, "rules"))
    # An empty project is everywhere.
    system_table(metadata, "_grant", key("account", "role", "project"))
    system_table(
        metadata,
        "_audit",
        Column("position", INTEGER, primary_key=True, autoincrement=True),
        filled(Moment, "time"),
        optional(TEXT, "account", "action", "entity_type", "key", "reason", "address"),
    )
