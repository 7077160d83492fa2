"""The external databases of a server: which there are, which of their tables are entity types, and their stores.

They are kept in one row of ``_meta``, without passwords. A password that came in a URL is in the memory of this process
only: after a restart the database says that it is missing. An address that the environment holds is read again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import evolve
from sqlalchemy import Connection, delete, insert, select

from callsheet.errors import CallsheetError, Invalid, NotFound, Unavailable
from callsheet.model.operation import Operation
from callsheet.model.schema import Schema, did_you_mean
from callsheet.model.user_table import word_of
from callsheet.server.external.addresses import AllowedPlaces, ExternalAddress, address_of
from callsheet.server.external.database import ExternalDatabase
from callsheet.server.external.definition import DescribedTable, document_of
from callsheet.server.external.describing import check_key, checked_filter, described, joined, with_references
from callsheet.server.external.kept import KeptExternals, tables_without
from callsheet.server.external.reflection import FoundTable, found_table, table_names
from callsheet.server.external.store import ExternalStore
from callsheet.server.store.store import Store

__all__ = ["ExternalDatabases"]

ROW = "external"
TABLES = 500
"""The most tables of which a list has the columns, and the most that are added."""


class ExternalDatabases:
    """The external databases of one store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.allowed = AllowedPlaces.listed()
        self._lock = threading.RLock()
        self._addresses: dict[str, ExternalAddress] = {}
        self._open: dict[str, ExternalDatabase] = {}
        self._stores: dict[str, tuple[list[DescribedTable], ExternalStore, ExternalDatabase]] = {}
        self._text: str | None = None
        self._kept = KeptExternals({}, ())
        self._merged: tuple[Schema, KeptExternals, Schema] | None = None

    def allow_any_place(self) -> None:
        """Addresses may lead anywhere: the caller is in this process, and could connect by itself."""
        self.allowed = AllowedPlaces(None)

    # What is there

    @property
    def kept(self) -> KeptExternals:
        if self._text is None:
            self.refresh()
        return self._kept

    def refresh(self) -> None:
        """Read what another server process may have changed."""
        if self._text is not None and self._store.engine_name == "sqlite":
            return
        with self._store.reading() as connection:
            self._take(self._saved(connection))

    def merged(self, schema: Schema) -> Schema:
        """A schema of the store with the types of external tables."""
        kept = self.kept
        if not kept.tables:
            return schema
        known = self._merged
        if known is None or known[0] is not schema or known[1] is not kept:
            types = document_of(each for each in kept.tables if each.entity_type not in schema.types)["types"]
            document = {**schema.document, "types": {**schema.document["types"], **types}}
            known = self._merged = (schema, kept, Schema(document))
        return known[2]

    def database_of(self, entity_type: str) -> str | None:
        """The database that has the rows of a type; None for the server's own types."""
        if entity_type in self._store.schema.types:
            return None
        return next((each.database for each in self.kept.tables if each.entity_type == entity_type), None)

    def check_own(self, operations: Sequence[Operation]) -> None:
        """Raise `Invalid` if operations would change external tables."""
        for name in {operation.identity.entity_type for operation in operations}:
            database = self.database_of(name)
            if database is not None:
                raise Invalid(f"{name} is a table of the external database `{database}`, which can only be read")

    def explained(self, error: CallsheetError) -> CallsheetError:
        """The same error, or one that says that the type it names is in another database."""
        for each in self.kept.tables:
            if str(error).startswith(f"there is no entity type `{each.entity_type}`"):
                return Invalid(
                    f"{each.entity_type} is a table of the external database `{each.database}`: a question is about "
                    "the tables of one database; load it into a table of this server to ask for both"
                )
        return error

    def store(self, name: str) -> ExternalStore:
        """The store over the tables of a database."""
        with self._lock:
            database, tables = self._database(name), self.kept.of(name)
            known = self._stores.get(name)
            if known is None or known[0] != tables or known[2] is not database:
                known = self._stores[name] = (tables, ExternalStore(database, tables), database)
            return known[1]

    def close(self) -> None:
        with self._lock:
            while self._open:
                self._open.popitem()[1].close()

    # What administrators do

    def connected(self) -> list[dict[str, Any]]:
        """Each database with its address, without its password, and the names of its entity types."""
        kept = self.kept
        return [
            {
                "name": name,
                "engine": facts["engine"],
                "address": facts["address"],
                "types": [each.entity_type for each in kept.of(name)],
            }
            for name, facts in kept.databases.items()
        ]

    def connect(self, url: str, name: str | None) -> dict[str, Any]:
        """Connect a database, or connect it again under the same name; gives what it has."""
        address = address_of(url)
        self.allowed.check(address)
        name = word_of("database", name or address.name, ())
        database = ExternalDatabase(name, address, self._store.deadline)
        try:
            found = self._described(database)
        except BaseException:
            database.close()
            raise
        with self._lock:
            facts = {"engine": address.engine, "address": address.stated, "durable": address.durable}
            known = self.kept.databases.get(name)
            if known is not None and known["engine"] != address.engine:
                database.close()
                raise Invalid(f"`{name}` is a database of the kind {known['engine']}; choose another name")
            old = self._open.pop(name, None)
            self._addresses[name], self._open[name] = address, database
            self._change(lambda kept: evolve(kept, databases={**kept.databases, name: facts}))
        if old is not None:
            old.close()
        return {"name": name, "engine": address.engine, "address": address.stated, "tables": found}

    def tables(self, name: str) -> list[dict[str, Any]]:
        """The tables and views that a connected database has, each with its columns and its key."""
        return self._described(self._database(name))

    def add(
        self,
        database: str,
        table: str,
        name: str | None,
        keys: Sequence[str],
        columns: Mapping[str, str] | Sequence[str],
        where: str = "",
    ) -> dict[str, Any]:
        """Add a table, or its rows that fulfil a condition, as an entity type; gives its name."""
        opened = self._database(database)
        with opened.reading() as connection:
            found = _found(connection, table)
            made = described(database, found, name, keys, columns, self.merged(self._store.schema))
            if made.key not in found.unique:
                check_key(connection, opened.engine_name, made)
            others = self.kept.of(database)
            foreign = {(each.schema, each.table): _foreign(connection, each) for each in others}
        if len(self.kept.tables) >= TABLES:
            raise Invalid(f"there are {TABLES} external tables already, the most of a server; drop some")

        def change(kept: KeptExternals) -> KeptExternals:
            own = with_references(made, found.foreign_keys, [*kept.of(database), made])
            if where:
                own = evolve(own, where=where)
                checked_filter(own, Schema(document_of([*kept.of(database), own])))
            rest = [
                with_references(each, foreign.get((each.schema, each.table), ()), [made])
                if each.database == database
                else each
                for each in kept.tables
            ]
            return evolve(kept, tables=(*rest, own))

        self._change(change)
        return {"name": made.entity_type, "database": database}

    def join(self, name: str, target: str, columns: Mapping[str, str], attribute: str | None) -> dict[str, Any]:
        """Let the rows of a table refer to those of another one of the same database; gives the reference's name."""
        made: list[DescribedTable] = []

        def change(kept: KeptExternals) -> KeptExternals:
            table, other = _named(kept, name), _named(kept, target)
            if table.database != other.database:
                raise Invalid(f"`{name}` and `{target}` are in two databases, and a question is about one of them")
            made[:] = [joined(table, other, columns, attribute)]
            return evolve(kept, tables=tuple(made[0] if each is table else each for each in kept.tables))

        self._change(change)
        return {"name": made[0].references[-1].attribute}

    def drop(self, name: str) -> None:
        """Take an entity type away; the table stays where it is."""
        _named(self.kept, name)
        self._change(lambda kept: evolve(kept, tables=tables_without(kept.tables, {name})))

    def disconnect(self, name: str) -> None:
        """Forget a database, and its entity types."""
        self._facts(name)
        gone = {each.entity_type for each in self.kept.of(name)}

        def change(kept: KeptExternals) -> KeptExternals:
            databases = {each: facts for each, facts in kept.databases.items() if each != name}
            return KeptExternals(databases, tables_without(kept.tables, gone))

        self._change(change)
        with self._lock:
            self._addresses.pop(name, None)
            self._stores.pop(name, None)
            old = self._open.pop(name, None)
        if old is not None:
            old.close()

    # How

    def _facts(self, name: str) -> Mapping[str, Any]:
        found = self.kept.databases.get(name)
        if found is None:
            raise NotFound(f"no external database `{name:.80}` is connected{did_you_mean(name, self.kept.databases)}")
        return found

    def _database(self, name: str) -> ExternalDatabase:
        """The connected database; it is opened when it is first asked."""
        with self._lock:
            found = self._open.get(name)
            if found is not None:
                return found
            facts = self._facts(name)
            address = self._addresses.get(name)
            if address is None:
                if not facts["durable"]:
                    raise Unavailable(
                        f"the password of the external database `{name}` is not kept on disk: an administrator "
                        "connects it again, or the server's environment holds the address"
                    )
                address = address_of(facts["address"])
                self.allowed.check(address)
            found = self._open[name] = ExternalDatabase(name, address, self._store.deadline)
            return found

    def _described(self, database: ExternalDatabase) -> list[dict[str, Any]]:
        with database.reading() as connection:
            names = table_names(connection)
            detailed = len(names) <= TABLES
            return [_plain(schema, name, connection if detailed else None) for schema, name in names]

    def _change(self, function: Callable[[KeptExternals], KeptExternals]) -> None:
        """Keep something else, in one transaction."""
        meta = self._store.table("_meta")

        def work(connection: Connection) -> str:
            wanted = select(meta.c.value).where(meta.c.name == ROW)
            text = connection.execute(wanted.with_for_update()).scalar() or ""
            changed = function(KeptExternals.read(text)).text
            connection.execute(delete(meta).where(meta.c.name == ROW))
            connection.execute(insert(meta), {"name": ROW, "value": changed})
            return changed

        self._take(self._store.write(work))

    def _saved(self, connection: Connection) -> str:
        meta = self._store.table("_meta")
        return connection.execute(select(meta.c.value).where(meta.c.name == ROW)).scalar() or ""

    def _take(self, text: str) -> None:
        if text != self._text:
            self._text, self._kept = text, KeptExternals.read(text)


def _named(kept: KeptExternals, name: str) -> DescribedTable:
    known = {each.entity_type: each for each in kept.tables}
    if name not in known:
        raise NotFound(f"there is no external table `{name:.80}`{did_you_mean(name, known)}")
    return known[name]


def _found(connection: Connection, table: str) -> FoundTable:
    names = {_shown(*each): each for each in table_names(connection)}
    if table not in names:
        raise NotFound(f"the database has no table `{table:.80}`{did_you_mean(table, names)}")
    return found_table(connection, *names[table])


def _foreign(connection: Connection, table: DescribedTable) -> Sequence[Any]:
    names = table_names(connection)
    if (table.schema, table.table) not in names:
        return ()
    return found_table(connection, table.schema, table.table).foreign_keys


def _shown(schema: str | None, name: str) -> str:
    return name if schema is None else f"{schema}.{name}"


def _plain(schema: str | None, name: str, connection: Connection | None) -> dict[str, Any]:
    plain: dict[str, Any] = {"name": _shown(schema, name)}
    if connection is not None:
        found = found_table(connection, schema, name)
        plain["columns"] = {each.name: each.data_type or each.stated for each in found.columns}
        plain["key"] = list(found.key)
    return plain
