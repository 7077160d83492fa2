"""The vendor's query language, read by the native parser, after the vendor's own parts are cut out.

Such are ``group by`` and the functions before it, and a relation named ``from`` among the projections.
"""

from __future__ import annotations

from attrs import frozen

from callsheet.errors import QueryError
from callsheet.model.language.parser import parse, parse_path
from callsheet.model.language.tokens import WORD, Tokens, cut
from callsheet.model.query import Condition, Order, Path

__all__ = ["LONGEST", "VendorQuery", "parse_vendor_query"]

LONGEST = 4 * 2**20
"""Characters in a query: the vendor's client puts thousands of keys in one."""

_FUNCTIONS = {"count": "count", "sum": "sum", "avg": "average", "min": "minimum", "max": "maximum"}


@frozen
class VendorQuery:
    """A query as written. ``functions`` are pairs of the word used and the path; ``group`` is what to group by."""

    entity_type: str
    projections: tuple[Path, ...] = ()
    where: Condition | None = None
    order: tuple[Order, ...] = ()
    limit: int | None = None
    offset: int = 0
    functions: tuple[tuple[str, Path], ...] = ()
    group: tuple[Path, ...] | None = None


def parse_vendor_query(text: str) -> VendorQuery:
    """The query of a text; `QueryError` if it cannot be read.

    >>> parse_vendor_query('select id from Task where name="a"and id is b offset 2 limit 3').offset
    2
    >>> parse_vendor_query("select count(id), status_id from Task group by status_id").functions
    (('count', Path(steps=(Step(name='id', cast=None),))),)
    """
    if len(text) > LONGEST:
        raise QueryError(f"the query has {len(text):,} characters; at most {LONGEST:,} are read")
    tokens = cut(text)
    group, rest = _group(tokens)
    projections: list[Path] = []
    functions: list[tuple[str, Path]] = []
    if tokens.keys[0] == "select":
        start = _source(tokens)
        for part in _parts(tokens, 1, start):
            _projection(tokens, part, projections, functions)
        rest = rest[tokens.starts[start + 1] :] if start + 1 < len(tokens.keys) else ""
    select = parse(rest, longest=LONGEST)
    return VendorQuery(
        select.entity_type,
        tuple(projections),
        select.where,
        select.order,
        select.limit,
        select.offset,
        tuple(functions),
        group,
    )


def aggregate_functions() -> dict[str, str]:
    return dict(_FUNCTIONS)


def _source(tokens: Tokens) -> int:
    """Where the ``from`` is that the entity type follows; a relation may be called ``from``, too."""
    for index, key in enumerate(tokens.keys):
        if key == "from" and index > 1 and tokens.keys[index - 1] != ",":
            return index
    raise QueryError(
        "expected `from` after the projections", hint="like `select name from Task`", text=tokens.text[:200]
    )


def _parts(tokens: Tokens, start: int, stop: int) -> list[tuple[int, int]]:
    """The places between commas outside of parentheses."""
    parts: list[tuple[int, int]] = []
    depth, begin = 0, start
    for index in range(start, stop):
        depth += {"(": 1, ")": -1}.get(tokens.keys[index], 0)
        if tokens.keys[index] == "," and depth == 0:
            parts.append((begin, index))
            begin = index + 1
    return [*parts, (begin, stop)]


def _projection(
    tokens: Tokens, part: tuple[int, int], projections: list[Path], functions: list[tuple[str, Path]]
) -> None:
    start, stop = part
    text = tokens.text[tokens.starts[start] : tokens.starts[stop]].strip()
    if stop - start >= 3 and tokens.keys[start] in _FUNCTIONS and tokens.keys[start + 1] == "(":
        inner = tokens.text[tokens.starts[start + 2] : tokens.starts[stop - 1]].strip()
        functions.append((tokens.keys[start], parse_path(inner)))
    elif text.lower() == "from":
        projections.append(Path.of(text))
    else:
        projections.append(parse_path(text))


def _group(tokens: Tokens) -> tuple[tuple[Path, ...] | None, str]:
    """The paths after ``group by``, and the text without them."""
    depth = 0
    for index, key in enumerate(tokens.keys[:-1]):
        depth += {"(": 1, ")": -1}.get(key, 0)
        if key == "group" and tokens.keys[index + 1] == "by" and tokens.kinds[index] == WORD and depth == 0:
            stop = index + 2
            while tokens.keys[stop] not in ("", "order", "limit", "offset") or tokens.texts[stop]:
                if tokens.keys[stop] in ("order", "limit", "offset"):
                    break
                stop += 1
            paths = [
                parse_path(tokens.text[tokens.starts[begin] : tokens.starts[end]].strip())
                for begin, end in _parts(tokens, index + 2, stop)
            ]
            blank = " " * (tokens.starts[stop] - tokens.starts[index])
            return tuple(paths), tokens.text[: tokens.starts[index]] + blank + tokens.text[tokens.starts[stop] :]
    return None, tokens.text
