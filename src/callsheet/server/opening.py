"""The first steps after a database was opened, before the server accepts requests.

A new database gets its first rows; in an existing one, expired rows are deleted.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, insert, select

from callsheet.errors import UsageError
from callsheet.model.operation import Operation
from callsheet.server.context import ServerContext
from callsheet.server.log import receipts
from callsheet.server.log.publications import drop_old_events
from callsheet.server.migration.correspondence import Correspondence
from callsheet.server.migration.difference import difference
from callsheet.server.scenarios.reviving import revive
from callsheet.server.schemas.document import load_schema_document
from callsheet.server.schemas.formats import format_of
from callsheet.server.schemas.seeding import seed_operations
from callsheet.server.store.rules import rules_of
from callsheet.server.store.store import Store
from callsheet.server.store.user_tables import COUNTER as TABLES
from callsheet.server.writing import custom_attributes as customs
from callsheet.server.writing.computed import MOVES
from callsheet.server.writing.constraints import lock_name

if TYPE_CHECKING:
    from callsheet.server.mirror.mirror import Mirror

__all__ = [
    "ADMINISTRATOR",
    "DEFAULT_SCHEMA",
    "first_operations",
    "make_administrator",
    "mirror_of",
    "prepare",
    "say_ignored",
    "schema_document",
]

ADMINISTRATOR = "admin"
_log = logging.getLogger("callsheet.server")
MOST_SAID = 5
"""How many differences of a schema the log names."""
DEFAULT_SCHEMA = "production"
"""The preset of a new database without a given schema."""


def schema_document(schema: str | Path | Mapping[str, Any]) -> Mapping[str, Any]:
    """The document of a preset, a file, or the document itself."""
    return _preset(schema) if isinstance(schema, str) else load_schema_document(schema)


@lru_cache(maxsize=8)
def _preset(name: str) -> Mapping[str, Any]:
    return load_schema_document(name)


def prepare(context: ServerContext) -> None:
    """Delete expired rows, make lost rows of scenarios again, and create the rows that writers lock."""
    store, now = context.store, context.clock()
    if not store.created:
        store.write(lambda connection: _drop_old(context, connection, now))
        revive(store, context.scenarios)
    if store.engine_name != "sqlite":
        _make_locks(store)


def say_ignored(store: Store) -> None:
    """Log that the database has another schema than the one that was given, and in what they differ."""
    given = store.ignored
    if given is None:
        return
    found = difference(Correspondence(store.described, given))
    shown_ones = [f"{each.action} {each.place}" for each in found[:MOST_SAID]]
    more = f", and {len(found) - MOST_SAID:,} more" if len(found) > MOST_SAID else ""
    _log.warning(
        "%s keeps the schema it was made with, `%s`; the schema given now, `%s`, differs and is not used: "
        "leave it out, or name another database; `callsheet schema diff` shows all that differs (%s%s), "
        "`callsheet schema apply` changes it",
        store.url,
        store.schema.name,
        given.name,
        ", ".join(shown_ones) or "texts only",
        more,
    )


def make_administrator(context: ServerContext, key: str | None, create: bool) -> str | None:
    """Give the account ``admin`` this key, with ``create`` a missing account too; returns the key if generated."""
    if create and context.accounts.get(ADMINISTRATOR) is None:
        generated = context.accounts.add(ADMINISTRATOR, "admin", key)
        return generated if key is None else None
    if key is not None:
        context.accounts.new_key(ADMINISTRATOR, key)
    return None


def mirror_of(context: ServerContext, folder: Path | None) -> Mirror:
    """The mirror of a server's store; it is made when the first commit or question comes.

    Raises `UsageError` if the libraries of the extra ``analytics`` are missing.
    """
    if missing := [name for name in ("duckdb", "nanoarrow") if find_spec(name) is None]:
        raise UsageError(f"analytics needs {', '.join(missing)}: pip install 'callsheet[analytics]'")
    from callsheet.server.mirror.mirror import Mirror

    return Mirror(context.store, folder, context.limits)


def first_operations(context: ServerContext, seed: bool, essentials: bool) -> tuple[Operation, ...]:
    """The first operations of a new database: the essential rows of a dialect's schema, or the standard entities."""
    schema = context.store.schema
    if not context.store.created or not essentials:
        return ()
    made_from = format_of(schema.document)
    if made_from is not None:
        # The dialect's clients refer to these rows by well-known ids, and cannot create a task without them.
        return tuple(made_from.essentials(schema))
    return tuple(seed_operations(schema)) if seed else ()


def _drop_old(context: ServerContext, connection: Connection, now: datetime) -> None:
    """Delete old staged parts, old published events and old logins."""
    receipts.drop_old_parts(context.store, connection, now)
    drop_old_events(context.store, connection, now)
    context.logins.drop_old(connection)


def _make_locks(store: Store) -> None:
    """Create the counter row, and a row to lock for each unique combination, for concurrent writers."""
    counter, schema = store.table("_counter"), store.schema
    rules = rules_of(schema)
    combinations = [rules.of(schema, name).unique for name, each in schema.types.items() if not each.abstract]
    names = {lock_name(each) for unique in combinations for each in unique} | {"log", MOVES, customs.COUNTER, TABLES}
    with store.reading() as connection:
        existing = set(connection.execute(select(counter.c.name)).scalars())
    if missing := sorted(names - existing):
        rows = [{"name": name, "value": 0} for name in missing]
        store.write(lambda connection: connection.execute(insert(counter), rows))
