"""What a mirror knows of itself, in a table of its own: of which store it is, how far it is, and what its tables are.

The digest of each table says whether it still has the columns of the store's: a table that is new in the store, or
has other columns, is copied alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256

from attrs import field, frozen
from sqlalchemy import Column, Connection, MetaData, Table, Text, select
from sqlalchemy.schema import CreateTable

from callsheet.server.mirror.keys import UuidColumns
from callsheet.server.store.store import Store

__all__ = ["MirrorFacts", "commit_at", "create_facts", "last_commit", "read_facts", "table_digests", "write_facts"]

_FACTS = Table("_mirror", MetaData(), Column("name", Text()), Column("value", Text()))
_TABLE = "table "
_EMPTY = ""


@frozen
class MirrorFacts:
    """``origin`` names the store and the mirror's form; ``commit`` is the id of the commit at ``position``.

    ``tables`` are the digests of its tables by their names; ``texts`` are the root types whose keys are not all UUIDs.
    """

    origin: str = _EMPTY
    position: int = 0
    commit: str = _EMPTY
    tables: dict[str, str] = field(factory=dict)
    texts: frozenset[str] = frozenset()

    @property
    def rows(self) -> dict[str, str]:
        """The facts as they are kept: values by name."""
        tables = {_TABLE + name: digest for name, digest in self.tables.items()}
        texts = "\n".join(sorted(self.texts))
        return {"origin": self.origin, "position": f"{self.position} {self.commit}", "texts": texts, **tables}


def create_facts(connection: Connection) -> None:
    """Create the table of facts, if there is none."""
    connection.execute(CreateTable(_FACTS, if_not_exists=True))


def read_facts(connection: Connection) -> MirrorFacts:
    """The facts of the mirror in this transaction; empty ones before its rows were copied."""
    rows = {row.name: row.value for row in connection.execute(select(_FACTS))}
    position, _, commit = rows.get("position", "0 ").partition(" ")
    tables = {name.removeprefix(_TABLE): digest for name, digest in rows.items() if name.startswith(_TABLE)}
    texts = frozenset(rows.get("texts", _EMPTY).splitlines())
    return MirrorFacts(rows.get("origin", _EMPTY), int(position), commit, tables, texts)


def write_facts(connection: Connection, old: MirrorFacts, new: MirrorFacts) -> None:
    """Write the facts that have changed."""
    had, has = old.rows, new.rows
    if changed := [name for name in {*had, *has} if had.get(name) != has.get(name)]:
        connection.execute(_FACTS.delete().where(_FACTS.c.name.in_(changed)))
    if rows := [{"name": name, "value": has[name]} for name in changed if name in has]:
        connection.execute(_FACTS.insert(), rows)


def last_commit(store: Store, connection: Connection) -> tuple[int, str]:
    """The position and the id of the last commit of a store."""
    table = store.table("_log")
    wanted = select(table.c.position, table.c.user_name, table.c.commit_id).order_by(table.c.position.desc()).limit(1)
    found = connection.execute(wanted).first()
    return (0, _EMPTY) if found is None else (found[0], f"{found[1]}:{found[2]}")


def commit_at(store: Store, connection: Connection, position: int) -> str:
    """The id of the commit at a position; empty if there is none."""
    table = store.table("_log")
    found = connection.execute(select(table.c.user_name, table.c.commit_id).where(table.c.position == position)).first()
    return _EMPTY if found is None else f"{found[0]}:{found[1]}"


def table_digests(tables: Iterable[Table], uuids: UuidColumns) -> dict[str, str]:
    """A digest of the columns of each table, by its name; some are UUIDs."""
    return {table.name: _digest(table, uuids) for table in tables}


def _digest(table: Table, uuids: UuidColumns) -> str:
    kinds = {
        column.name: "uuid" if (table.name, column.name) in uuids else repr(column.type) for column in table.columns
    }
    text = ",".join(f"{name} {kind}" for name, kind in kinds.items())
    return sha256(text.encode()).hexdigest()[:16]
