"""Which levels a query will surely need, as far as its names show: so that they are read together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from callsheet.analytics.mdx.cells import CubeDescription, HierarchyDescription, LevelName
from callsheet.analytics.mdx.errors import MdxError
from callsheet.analytics.mdx.parser import parse_expression
from callsheet.analytics.mdx.syntax import MemberFormula, NameExpression, SetFormula, StringLiteral, nodes_of

__all__ = ["levels_named"]


def levels_named(statement: Any, cube: CubeDescription) -> list[LevelName]:
    """The levels down to the lowest that names reach, of each hierarchy; and those of default members."""
    depths = {each.name: len(each.default or (None,)) - 1 for each in cube.hierarchies if each.all_name is None}
    depths |= {each.name: len(each.default) - 1 for each in cube.hierarchies if each.default}
    known = {each.name.lower(): each for each in cube.hierarchies}
    for name in _names(statement):
        found = known.get(name.segments[0].name.lower())
        if found is not None:
            depths[found.name] = max(_depth(name, found), depths.get(found.name, -1))
    return [(name, depth) for name, lowest in depths.items() for depth in range(lowest + 1)]


def _depth(name: NameExpression, hierarchy: HierarchyDescription) -> int:
    """How deep a name leads: a level's name to that level, each other part one level further."""
    levels = [level.name.lower() for level in hierarchy.levels]
    words = [segment.name.lower() for segment in name.segments[1:]]
    depth = -1
    for word in words:
        if word in ("members", "allmembers") and depth < 0:
            depth = len(levels) - 1
        elif word in levels and depth < levels.index(word):
            depth = levels.index(word)
        elif word not in ((hierarchy.all_name or "").lower(), hierarchy.all_level.lower()) and word not in _STAYING:
            depth += 1
    return min(depth, len(levels) - 1)


_STAYING = frozenset(
    ("currentmember", "members", "parent", "name", "uniquename", "caption", "level", "hierarchy", "dimension",
     "prevmember", "nextmember", "defaultmember", "siblings", "firstsibling", "lastsibling", "count", "current",
     "ordinal", "key")
)  # fmt: skip


def _names(node: Any) -> Iterator[NameExpression]:
    for each in nodes_of(node):
        if isinstance(each, NameExpression):
            yield each
        elif isinstance(each, MemberFormula | SetFormula) and isinstance(each.expression, StringLiteral):
            yield from _within_quotes(each.expression)


def _within_quotes(text: StringLiteral) -> Iterator[NameExpression]:
    if text.quote != "'":
        return
    try:
        yield from _names(parse_expression(text.value))
    except MdxError:
        # What cannot be read is said when the formula is evaluated.
        return
