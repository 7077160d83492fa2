"""What the page asks beside the native wire: who it acts for, and what a text of the query language means."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, to_builtins

from callsheet.dialects.native.codec import select_out
from callsheet.dialects.routes import Visit
from callsheet.errors import QueryError, SchemaError
from callsheet.explorer.answers import answer, body_of
from callsheet.explorer.work import work_of
from callsheet.flow import Response
from callsheet.model.language.checking import check
from callsheet.model.language.parser import parse

__all__ = ["about", "read_query"]

LONGEST = 20_000
"""Characters of a query."""


class QueryText(Struct, forbid_unknown_fields=True):
    """A text of the query language."""

    text: str


def about(visit: Visit) -> Response:
    """Who the page acts for, and the token that its requests carry."""
    caller = visit.caller
    assert caller is not None, "the route needs an account"
    said = visit.backend.call("own.account", {})
    shown = {name: said[name] for name in ("account", "administrator", "roles", "workspace", "server", "user")}
    token = visit.logins.browsers.token(caller.login) if caller.login else ""
    schema = visit.backend.schema
    work = [name for name, each in schema.types.items() if work_of(schema, each) is not None]
    return answer({**shown, "token": token, "expires": caller.expires, "work": work})


def read_query(visit: Visit) -> Response:
    """The query that a text means, as the native wire has it; or where the text is wrong, and what may be meant."""
    text = body_of(visit, QueryText).text
    if len(text) > LONGEST:
        return answer({"error": f"a query has at most {LONGEST:,} characters", "position": LONGEST, "hint": ""})
    schema = visit.backend.schema
    try:
        select = parse(text)
        check(select, schema)
    except QueryError as error:
        return answer({"error": str(error), "position": error.position, "hint": error.hint})
    except SchemaError as error:
        return answer({"error": str(error), "position": None, "hint": ""})
    found: Any = to_builtins(select_out(select))
    return answer({"select": found})
