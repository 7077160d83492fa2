"""Rows of an SQL query over any database that SQLAlchemy reaches, one after the other as the database gives them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from importlib import import_module
from importlib.util import find_spec
from typing import Any
from uuid import UUID

from attrs import field, frozen

from callsheet.config import shown
from callsheet.errors import StorageError, UsageError
from callsheet.sync.cells import Row

__all__ = ["DatabaseRows"]

AT_ONCE = 1_000
"""Rows that are fetched at once."""
DRIVERS = {
    "postgresql": ("psycopg2", "postgresql+psycopg"),
    "postgres": ("", "postgresql+psycopg"),
    "mysql": ("MySQLdb", "mysql+pymysql"),
    "mariadb": ("MySQLdb", "mariadb+pymysql"),
}
"""For addresses that name no driver: the one that SQLAlchemy would take, and what is taken where that is missing."""


@frozen
class DatabaseRows:
    """The rows of a query. Iterating sends it again, so a plan can be made again.

    Without ``parameters`` the query goes to the database as it is; with them, ``:name`` stands for a value.
    """

    address: str = field(repr=shown)
    query: str
    parameters: Mapping[str, Any] = field(factory=dict, repr=False)

    def numbered_rows(self) -> Iterator[Row]:
        """The rows with their numbers, from 1."""
        alchemy = _sqlalchemy()
        engine = self._engine(alchemy)
        try:
            with self._connected(alchemy, engine) as connection:
                with closing(self._sent(alchemy, connection)) as found:
                    names = self._columns(list(found.keys()))
                    yield from self._read(alchemy, found, names)
                # Nothing that the query may have done stays.
                connection.rollback()
        finally:
            engine.dispose()

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        return (row.values for row in self.numbered_rows())

    def _engine(self, alchemy: Any) -> Any:
        kind, mark, rest = self.address.partition("://")
        usual, other = DRIVERS.get(kind, ("", ""))
        address = f"{other}{mark}{rest}" if other and not (usual and find_spec(usual)) else self.address
        try:
            return alchemy.create_engine(address, poolclass=alchemy.pool.NullPool)
        except ImportError as error:
            cure = f"the package {error.name} is needed: `pip install {error.name}`"
            raise UsageError(f"{shown(self.address)}: {cure}") from None
        except (alchemy.exc.ArgumentError, alchemy.exc.NoSuchModuleError, ValueError):
            like = "sqlite:///FILE, postgresql://HOST/NAME, mysql://HOST/NAME"
            raise UsageError(f"{shown(self.address)} is no address of a database, like {like}") from None

    def _connected(self, alchemy: Any, engine: Any) -> Any:
        try:
            return engine.connect().execution_options(stream_results=True, max_row_buffer=AT_ONCE)
        except alchemy.exc.SQLAlchemyError as error:
            raise StorageError(f"{shown(self.address)} cannot be read: {self._reason(error)}") from None

    def _sent(self, alchemy: Any, connection: Any) -> Any:
        try:
            if self.parameters:
                found = connection.execute(alchemy.text(self.query), dict(self.parameters))
            else:
                # As it is: a colon or a percent sign is no parameter.
                found = connection.execution_options(no_parameters=True).exec_driver_sql(self.query)
        except alchemy.exc.SQLAlchemyError as error:
            raise UsageError(f"{shown(self.address)} does not take the query: {self._reason(error)}") from None
        if not found.returns_rows:
            raise UsageError("the query gives no rows: it begins with `select`")
        return found

    def _columns(self, names: list[str]) -> list[str]:
        doubles = sorted({name for name in names if names.count(name) > 1})
        if doubles:
            raise UsageError(f"the query has two columns called {' and '.join(map(repr, doubles))}: name one with `as`")
        return names

    def _read(self, alchemy: Any, found: Any, names: list[str]) -> Iterator[Row]:
        number = 0
        try:
            for part in found.partitions(AT_ONCE):
                for values in part:
                    number += 1
                    yield Row(number, {name: _plain(value) for name, value in zip(names, values)})
        except alchemy.exc.SQLAlchemyError as error:
            told = f"{shown(self.address)} gave {number:,} rows and no more"
            raise StorageError(f"{told}: {self._reason(error)}") from None

    def _reason(self, error: Any) -> str:
        """What the database says, without the password."""
        text = " ".join(str(getattr(error, "orig", None) or error).split())
        with suppress(Exception):
            password = _sqlalchemy().make_url(self.address).password
            text = text.replace(password, "***") if password else text
        return text[:300]


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, UUID) else value


def _sqlalchemy() -> Any:
    try:
        return import_module("sqlalchemy")
    except ImportError:
        cure = "`pip install sqlalchemy`, or the extra callsheet[sync]"
        raise UsageError(f"rows of a database need the package sqlalchemy: {cure}") from None
