"""Expressions that each database writes in its own way."""

from __future__ import annotations

from typing import Any

from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

__all__ = ["SqlTemplate"]


class SqlTemplate(FunctionElement[Any]):
    """An expression with a text for each database, in which ``{0}`` is the first argument."""

    inherit_cache = True
    sqlite, postgres = "", ""


@compiles(SqlTemplate, "sqlite")
def _on_sqlite(element: SqlTemplate, compiler: Any, **options: Any) -> str:
    return _filled(element.sqlite, element, compiler, options)


@compiles(SqlTemplate, "postgresql", "duckdb")
def _on_postgres(element: SqlTemplate, compiler: Any, **options: Any) -> str:
    return _filled(element.postgres, element, compiler, options)


def _filled(template: str, element: SqlTemplate, compiler: Any, options: dict[str, Any]) -> str:
    return template.format(*(compiler.process(clause, **options) for clause in element.clauses))
