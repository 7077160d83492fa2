"""MariaDB as a database of SQLAlchemy: its language, where ours needs more than SQLAlchemy has.

- NULL comes first in ascending order, last in descending order, as it is here; there are no words for it.
- ``IN`` takes no query with a limit, unless it is inside another one.
- ``FILTER`` becomes CASE; ``CAST(… AS DOUBLE)`` is written out.
- Texts are compared by their code points, blanks at the end included.

Times are in UTC, and the mode in which PyMySQL's quoting is safe is set on every connection.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import case, literal
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.mysql.base import MySQLCompiler
from sqlalchemy.dialects.mysql.mariadb import MariaDBDialect
from sqlalchemy.dialects.mysql.pymysql import MySQLDialect_pymysql
from sqlalchemy.types import Boolean, Double

__all__ = ["COLLATION", "SETTINGS", "MariaDialect"]

COLLATION = "utf8mb4_nopad_bin"
"""By code points; unlike ``utf8mb4_bin`` it does not ignore blanks at the end."""
SETTINGS = (
    "SET SESSION sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION', SESSION time_zone = '+00:00', "
    "SESSION tx_read_only = 1"
)


_CASTS: tuple[tuple[type[Any], str], ...] = ((Double, "DOUBLE"), (Boolean, "SIGNED"))
"""Types that SQLAlchemy does not cast to here."""


class _MariaCompiler(MySQLCompiler):
    def visit_nulls_first_op_unary_modifier(self, unary: Any, operator: Any, **options: Any) -> str:
        return self.process(unary.element, **options)

    visit_nulls_last_op_unary_modifier = visit_nulls_first_op_unary_modifier

    def visit_in_op_binary(self, binary: Any, operator: Any, **options: Any) -> str:
        left, right = (self.process(side, **options) for side in (binary.left, binary.right))
        limited = getattr(getattr(binary.right, "element", None), "_limit_clause", None) is not None
        # MariaDB takes no limit directly inside IN.
        return f"{left} IN (SELECT * FROM {right} AS limited)" if limited else f"{left} IN {right}"

    def visit_funcfilter(self, funcfilter: Any, **options: Any) -> str:
        arguments = list(funcfilter.func.clauses) or [literal(1)]
        chosen = [case((funcfilter.criterion, each)) for each in arguments]
        return f"{funcfilter.func.name}({', '.join(self.process(each, **options) for each in chosen)})"

    def visit_cast(self, cast: Any, **options: Any) -> str:
        found = cast.type.dialect_impl(self.dialect)
        for kind, name in _CASTS:
            if isinstance(found, kind) or isinstance(getattr(found, "impl", None), kind):
                return f"CAST({self.process(cast.clause, **options)} AS {name})"
        return super().visit_cast(cast, **options)


class MariaDialect(MariaDBDialect, MySQLDialect_pymysql):
    """MariaDB by PyMySQL, for questions."""

    name = "mariadb"
    label = "MariaDB"
    driver = "callsheet"
    statement_compiler = _MariaCompiler  # type: ignore[assignment]
    supports_statement_cache = True


registry.register("mariadb.callsheet", __name__, "MariaDialect")
