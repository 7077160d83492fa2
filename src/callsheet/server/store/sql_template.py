"""Expressions that each database writes in its own way."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from callsheet.errors import Invalid

__all__ = ["SqlTemplate"]


class SqlTemplate(FunctionElement[Any]):
    """An expression with a text for each database, in which ``{0}`` is the first argument.

    DuckDB takes PostgreSQL's where it has none of its own. Another database for which there is no text refuses the
    expression by ``meaning``.
    """

    inherit_cache = True
    sqlite, postgres, duckdb, mariadb = "", "", "", ""
    meaning = ""


@compiles(SqlTemplate)
def _elsewhere(element: SqlTemplate, compiler: Any, **options: Any) -> str:
    meaning = element.meaning or re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(element).__name__.lstrip("_")).lower()
    database = getattr(compiler.dialect, "label", compiler.dialect.name)
    raise Invalid(f"{database} cannot compute {meaning}; leave it out, or load the rows into a table of this server")


@compiles(SqlTemplate, "sqlite")
def _on_sqlite(element: SqlTemplate, compiler: Any, **options: Any) -> str:
    return _filled(element.sqlite, element, compiler, options)


@compiles(SqlTemplate, "postgresql")
def _on_postgres(element: SqlTemplate, compiler: Any, **options: Any) -> str:
    return _filled(element.postgres, element, compiler, options)


@compiles(SqlTemplate, "duckdb")
def _on_duckdb(element: SqlTemplate, compiler: Any, **options: Any) -> str:
    return _filled(element.duckdb or element.postgres, element, compiler, options)


@compiles(SqlTemplate, "mariadb")
def _on_mariadb(element: SqlTemplate, compiler: Any, **options: Any) -> str:
    return _filled(element.mariadb, element, compiler, options)


def _filled(template: str, element: SqlTemplate, compiler: Any, options: dict[str, Any]) -> str:
    if not template:
        return _elsewhere(element, compiler, **options)
    return template.format(*(compiler.process(clause, **options) for clause in element.clauses))
