"""External databases: connected by an administrator, their tables added as tables that stay where they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from attrs import field, frozen

from callsheet.core.calls import call
from callsheet.core.opening import open_
from callsheet.errors import UsageError
from callsheet.flow import Flow
from callsheet.model.schema import did_you_mean

__all__ = [
    "ConnectedDatabase",
    "RemoteTable",
    "add_external_table",
    "connect_to_external_database",
    "disconnect_external_database",
    "drop_external_table",
    "external_databases",
]


@frozen
class RemoteTable:
    """A table or view of a connected database: its columns with their types, and its primary key."""

    database: str
    name: str
    columns: Mapping[str, str]
    key: tuple[str, ...]


@frozen
class ConnectedDatabase(Mapping[str, RemoteTable]):
    """A connected database, by the names of its tables. ``address`` has no password."""

    name: str
    engine: str
    address: str
    types: tuple[str, ...] = ()
    """The entity types that its tables were added as."""
    tables: Mapping[str, RemoteTable] = field(factory=dict, repr=False)

    def __getitem__(self, name: str) -> RemoteTable:
        found = self.tables.get(name)
        if found is None:
            raise UsageError(f"`{self.name}` has no table `{name!s:.80}`{did_you_mean(str(name), self.tables)}")
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self.tables)

    def __len__(self) -> int:
        return len(self.tables)


def connect_to_external_database(session: Any, url: str, name: str | None = None) -> Flow[ConnectedDatabase]:
    """Connect the server to another database, whose tables stay there; gives what it has.

    ``url`` is ``postgresql://…``, ``mariadb://…``, ``sqlite:///…``, ``duckdb:///…``, or ``env:CALLSHEET_EXTERNAL_…``, a
    variable of the server's environment that holds it. ``name`` is by default that of the database. Only administrators
    connect databases, and only to places that the server's operator allows. A password in a URL is kept in the memory
    of the server's process alone, and is shown to nobody.

    >>> warehouse = session.connect_to_external_database("env:CALLSHEET_EXTERNAL_WAREHOUSE")  # doctest: +SKIP
    >>> list(warehouse.tables)  # doctest: +SKIP
    ['sales', 'shops']
    """
    found = yield from call(session, "externals.connect", {"url": url, "name": name})
    return _connected(found)


def add_external_table(
    session: Any,
    table: RemoteTable,
    name: str | None = None,
    *,
    keys: Sequence[str] = (),
    columns: Mapping[str, str] | Sequence[str] = (),
    where: str = "",
) -> Flow[Any]:
    """Add a table of a connected database; gives it as a table of the session. Its rows stay where they are.

    ``keys`` are the columns that tell rows apart, by default those of the primary key. ``columns`` are those that are
    read, by default all; a mapping gives them other names. A foreign key to a table that was added is a reference.
    ``where`` is a condition of the query language, such as ``"amount > 0"``: only rows that fulfil it are there.

    >>> sales = session.add_external_table(warehouse["sales"], "Sale")  # doctest: +SKIP
    >>> session.query("Sale where shop.city is Paris").all()  # doctest: +SKIP
    """
    if not isinstance(table, RemoteTable):
        raise UsageError(f"add a table of a connected database, such as warehouse['sales'], not {table!r:.60}")
    named = [keys] if isinstance(keys, str) else list(keys)
    asked = {"database": table.database, "table": table.name, "name": name, "keys": named}
    wanted = dict(columns) if isinstance(columns, Mapping) else list(columns)
    found = yield from call(
        session, "externals.add", {**asked, "columns": wanted, **({"where": where} if where else {})}
    )
    yield from open_(session)
    return session.tables[found["name"]]


def drop_external_table(session: Any, table: Any) -> Flow[None]:
    """Take an added table away from the server. In its own database nothing changes."""
    yield from call(session, "externals.drop", {"name": table if isinstance(table, str) else table.name})
    yield from open_(session)


def disconnect_external_database(session: Any, database: Any) -> Flow[None]:
    """Forget a connected database, with the tables that were added from it."""
    yield from call(session, "externals.disconnect", {"name": database if isinstance(database, str) else database.name})
    yield from open_(session)


def external_databases(session: Any) -> Flow[list[ConnectedDatabase]]:
    """The connected databases, each with the types of its added tables; only administrators see them."""
    found = yield from call(session, "externals.list", {})
    databases = []
    for each in found:
        databases.append(ConnectedDatabase(each["name"], each["engine"], each["address"], tuple(each["types"])))
    return databases


def _connected(found: Mapping[str, Any]) -> ConnectedDatabase:
    name = found["name"]
    tables = {
        each["name"]: RemoteTable(name, each["name"], each.get("columns", {}), tuple(each.get("key", ())))
        for each in found["tables"]
    }
    return ConnectedDatabase(name, found["engine"], found["address"], (), tables)
