"""What a server keeps of external databases: their names, what may be shown of their addresses, described tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from attrs import evolve, frozen

from callsheet.server.external.definition import DescribedTable, table_read

__all__ = ["KeptExternals", "tables_without"]


@frozen
class KeptExternals:
    """What is kept: for each database what may be shown of its address, and whether a password is missing there."""

    databases: Mapping[str, Mapping[str, Any]]
    tables: tuple[DescribedTable, ...]

    @staticmethod
    def read(text: str) -> KeptExternals:
        plain = msgspec.json.decode(text) if text else {"databases": {}, "tables": []}
        return KeptExternals(plain["databases"], tuple(map(table_read, plain["tables"])))

    @property
    def text(self) -> str:
        plain = {"databases": self.databases, "tables": [each.plain for each in self.tables]}
        return msgspec.json.encode(plain).decode()

    def of(self, database: str) -> list[DescribedTable]:
        """The tables of a database."""
        return [each for each in self.tables if each.database == database]


def tables_without(tables: Sequence[DescribedTable], gone: set[str]) -> tuple[DescribedTable, ...]:
    return tuple(
        evolve(each, references=tuple(one for one in each.references if one.target not in gone))
        for each in tables
        if each.entity_type not in gone
    )
