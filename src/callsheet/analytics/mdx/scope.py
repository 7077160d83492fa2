"""What a query may name beside the cube's members: calculated members, named sets and aliases."""

from __future__ import annotations

from typing import Any, Protocol

from callsheet.analytics.mdx.cells import CalculatedDescription
from callsheet.analytics.mdx.errors import MdxError
from callsheet.analytics.mdx.members import CubeSpace, MdxHierarchy, MdxMember
from callsheet.analytics.mdx.parser import parse_expression
from callsheet.analytics.mdx.syntax import (
    Expression,
    FormulaProperty,
    MemberFormula,
    NameExpression,
    NumberLiteral,
    SetFormula,
    StringLiteral,
    UnaryExpression,
)
from callsheet.analytics.mdx.text import quoted_name

__all__ = ["NamedSet", "QueryScope"]

_FORMATS = ("format_string", "format", "formatstring")


class NameFinder(Protocol):
    """What finds the members that a name begins with."""

    def parent_of_new(self, name: NameExpression) -> MdxHierarchy | MdxMember:
        """What a calculated member is defined under."""


class NamedSet:
    """A set with a name; its tuples are evaluated once."""

    def __init__(self, name: str, expression: Expression) -> None:
        self.name, self.expression = name, expression
        self.tuples: list[Any] | None = None

    def __repr__(self) -> str:
        return quoted_name(self.name)


class QueryScope:
    """The calculated members and named sets of a cube and of one query; those of the query hide the cube's."""

    def __init__(self, space: CubeSpace) -> None:
        self.space = space
        self.calculated: list[list[MdxMember]] = [[] for _ in space.hierarchies]
        self.sets: dict[str, NamedSet] = {}
        self.count = 0

    def add_cube_formulas(self, names: NameFinder) -> None:
        """What the cube calculates becomes known."""
        for each in self.space.description.calculated:
            self._add_described(each, names)
        for name, text in self.space.description.named_sets.items():
            self.sets[name.lower()] = NamedSet(name, parse_expression(text))

    def _add_described(self, described: CalculatedDescription, names: NameFinder) -> None:
        name = parse_expression(described.name)
        assert isinstance(name, NameExpression)
        member = self._member(name, parse_expression(described.formula), names)
        member.solve_order, member.visible = described.solve_order, described.visible
        member.format, member.caption = described.format or None, described.caption or member.name

    def add_query_formulas(self, formulas: tuple[MemberFormula | SetFormula, ...], names: NameFinder) -> None:
        """What the query defines becomes known."""
        for formula in formulas:
            expression = _body(formula.expression)
            if isinstance(formula, SetFormula):
                name = formula.name.segments[-1].name
                self.sets[name.lower()] = NamedSet(name, expression)
                continue
            member = self._member(formula.name, expression, names)
            for each in formula.properties:
                _set_property(member, each)

    def _member(self, name: NameExpression, formula: Expression, names: NameFinder) -> MdxMember:
        parent = names.parent_of_new(name)
        hierarchy = parent if isinstance(parent, MdxHierarchy) else parent.hierarchy
        level = hierarchy.levels[0]
        if isinstance(parent, MdxMember):
            below = parent.level.below
            level = below if below is not None else parent.level
        last = name.segments[-1].name
        member = MdxMember(level, last, (), parent if isinstance(parent, MdxMember) else None)
        if isinstance(parent, MdxMember):
            member.unique_name = f"{parent.unique_name}.{quoted_name(last)}"
        member.formula, member.solve_order = formula, 0
        known = self.calculated[hierarchy.index]
        known[:] = [each for each in known if each.unique_name.lower() != member.unique_name.lower()]
        self.count += 1
        member.ordinal = 1_000_000 + self.count
        known.append(member)
        return member

    def under(self, parent: MdxMember | None, hierarchy: MdxHierarchy) -> list[MdxMember]:
        """The calculated members that have this parent."""
        return [member for member in self.calculated[hierarchy.index] if member.parent is parent]


def _body(expression: Expression) -> Expression:
    """A formula in single quotes is read; one in double quotes is a text."""
    if isinstance(expression, StringLiteral) and expression.quote == "'":
        # Blanks in front keep the positions of the whole text.
        return parse_expression(" " * (expression.position + 1) + expression.value)
    return expression


def _set_property(member: MdxMember, given: FormulaProperty) -> None:
    name, value = given.name.lower(), given.value
    if name == "solve_order":
        member.solve_order = _number(value, given)
    elif name in _FORMATS:
        member.format = value.value if isinstance(value, StringLiteral) and _is_plain(value) else _body(value)
    elif name in ("visible", "$visible"):
        member.visible = not (isinstance(value, NumberLiteral) and value.text == "0")
    elif name in ("caption", "member_caption") and isinstance(value, StringLiteral):
        member.caption = value.value
    member.own[name] = value


def _is_plain(value: StringLiteral) -> bool:
    """A format in single quotes may be a text in quotes itself, or an expression."""
    if value.quote == '"':
        return True
    text = value.value.strip()
    return not (text.startswith('"') or text.lower().startswith(("iif", "case")))


def _number(value: Expression, given: FormulaProperty) -> int:
    sign = 1
    if isinstance(value, StringLiteral) and value.quote == "'":
        value = parse_expression(value.value)
    if isinstance(value, UnaryExpression):
        sign, value = (-1 if value.operator == "-" else 1), value.operand
    if isinstance(value, NumberLiteral):
        return sign * int(float(value.text))
    raise MdxError(f"`{given.name}` is a whole number", given.position)
