"""Which stored cubes a mirror has: a table in its file, so it is of the same position as the cells."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import asdict, frozen
from sqlalchemy import Column, Connection, MetaData, Table, Text, select
from sqlalchemy.schema import CreateTable

from callsheet.server.store.columns import INTEGER

__all__ = ["KeptCube", "create_registry", "forget", "kept_cubes", "remember"]

_STORED = Table(
    "_stored",
    MetaData(),
    *(Column(name, Text()) for name in ("key", "name", "text", "schema", "problem")),
    *(Column(name, INTEGER) for name in ("number", "cells")),
)


@frozen
class KeptCube:
    """A stored cube of a mirror: its cells are in the table of its ``number``; with a ``problem`` it has none.

    ``text`` is that of its aggregate, ``schema`` the hash of the schema that it was made for.
    """

    key: str
    name: str
    text: str
    schema: str
    number: int
    cells: int = 0
    problem: str = ""

    @property
    def table(self) -> str:
        """The name of the table of its cells."""
        return f"_cells_{self.number}"


def create_registry(connection: Connection) -> None:
    """Create the table, if there is none."""
    connection.execute(CreateTable(_STORED, if_not_exists=True))


def kept_cubes(connection: Connection) -> list[KeptCube]:
    """What is kept in this transaction's state, in the order in which it was made."""
    rows = connection.execute(select(_STORED).order_by(_STORED.c.number))
    return [KeptCube(**row._mapping) for row in rows]


def remember(connection: Connection, cube: KeptCube) -> None:
    """Write what is known of a cube."""
    forget(connection, [cube.key])
    connection.execute(_STORED.insert(), asdict(cube))


def forget(connection: Connection, keys: Iterable[str]) -> None:
    """Forget cubes."""
    connection.execute(_STORED.delete().where(_STORED.c.key.in_(list(keys))))
