"""Expressions are evaluated in a context: one member for each hierarchy, measures first.

A context is a tuple of members, by the index of their hierarchies. The value of a context is that of its calculated
member that is solved first, if it has one, and else a cell of the cube. What is computed is remembered, unless it rests
on a cell that is not known yet (see `reading`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import Any, TypeAlias, TypeVar

from callsheet.analytics.mdx.cells import CubeReading, GroupedRows, LevelName, MembersMissing
from callsheet.analytics.mdx.conversion import Conversion, MemberLiteral, SetLiteral
from callsheet.analytics.mdx.dependence import dependence
from callsheet.analytics.mdx.errors import MdxError, MdxLimit
from callsheet.analytics.mdx.limits import QueryClock
from callsheet.analytics.mdx.members import Context, CubeSpace, MdxHierarchy, MdxMember
from callsheet.analytics.mdx.names import MdxNames
from callsheet.analytics.mdx.operators import binary, crossed, unary
from callsheet.analytics.mdx.reading import CellReader, Cover
from callsheet.analytics.mdx.registry import find_function, is_property
from callsheet.analytics.mdx.scope import NamedSet, QueryScope
from callsheet.analytics.mdx.syntax import (
    AliasedExpression,
    BinaryExpression,
    CallExpression,
    CaseExpression,
    Expression,
    NameExpression,
    NullLiteral,
    NumberLiteral,
    OmittedArgument,
    SetExpression,
    StringLiteral,
    TupleExpression,
    UnaryExpression,
)
from callsheet.analytics.mdx.values import as_truth, compare, number_of_text

__all__ = ["Context", "Evaluation", "Reading"]

_R = TypeVar("_R")

Reading: TypeAlias = Generator[CubeReading, Sequence[GroupedRows], _R]
"""A computation that now and then needs something of the cube, and gets the answers sent."""

MOST_PLACES = 32
"""Of so many sets it is kept where their tuples are."""

MOST_DEPTH = 16
"""How deep formulas use each other, before what is deepest is computed first."""

MOST_FORMULAS = 10_000
"""So many formulas may use each other in a row."""


class _TooDeep(Exception):
    """A context whose value must be known before the evaluation can go on."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self.context = context


class Evaluation(Conversion):
    """Evaluates the expressions of one query."""

    def __init__(self, space: CubeSpace, clock: QueryClock, now: dt.datetime) -> None:
        self.space, self.clock = space, clock
        self.reader = CellReader(space, clock)
        self.scope = QueryScope(space)
        self.names = MdxNames(space, self.scope)
        self.start: Context = ()
        self.axis_sets: Callable[[int], list[Any]] | None = None
        self._named: dict[int, tuple[Any, list[str], Expression]] = {}
        self._kept: dict[Any, Any] = {}
        self._turn: dict[Any, Any] = {}
        self._depth = 0
        self._shown: dict[int, Any] = {}
        self._depends: dict[int, Any] = {}
        self._places: dict[int, Any] = {}
        self._covers: dict[Any, list[MdxMember]] = {}
        self.parameters: dict[str, Expression] = {}
        self.totals: dict[Any, MdxMember] = {}
        self.now = now

    # Turns: evaluate, read what was missing, evaluate again.

    def begin(self) -> None:
        """The context of a query that names nothing, and what the cube calculates."""
        self.start = self.space.defaults()
        self.scope.add_cube_formulas(self.names)

    def settled(self, compute: Callable[[], _R]) -> Reading[_R]:
        """The result of a computation, once every cell and member that it needs is known."""
        reader = self.reader
        while True:
            reader.missing = 0
            self._turn.clear()
            missing: tuple[LevelName, ...] = ()
            try:
                result = compute()
            except MembersMissing as error:
                missing = error.levels
            except _TooDeep as deep:
                if not reader.missing:
                    yield from self._deepest_first(deep.context)
                    continue
            except (MdxError, RecursionError) as error:
                if not reader.missing:
                    if isinstance(error, RecursionError):
                        raise MdxError("expressions nest too deep") from None
                    raise
            else:
                if not reader.missing:
                    return result
            yield from self._read(missing)

    def _read(self, levels: tuple[LevelName, ...] = ()) -> Reading[None]:
        if self.reader.turns > self.clock.limits.turns:
            raise MdxLimit(f"the query needs more than {self.clock.limits.turns} turns (limit `turns`)")
        self._depth = 0
        questions = self.reader.prepare()
        self.reader.take((yield CubeReading(questions, levels)))

    def _deepest_first(self, context: Context) -> Reading[None]:
        """The value of a context becomes known, and those that it needs before it."""
        waiting = {context: None}
        while waiting:
            last = next(reversed(waiting))
            self._depth, self.reader.missing = 0, 0
            self._turn.clear()
            self.clock.check()
            missing: tuple[LevelName, ...] = ()
            try:
                self.value(last)
            except MembersMissing as error:
                missing = error.levels
            except _TooDeep as deep:
                if not self.reader.missing:
                    if deep.context in waiting or len(waiting) > MOST_FORMULAS:
                        raise MdxError("a formula refers to itself, or formulas nest too deep") from None
                    waiting[deep.context] = None
                    continue
            except MdxError:
                if not self.reader.missing:
                    raise
            if self.reader.missing or missing:
                yield from self._read(missing)
            else:
                del waiting[last]
        self._depth = 0

    def kept(self, key: Any, compute: Callable[[], _R]) -> _R:
        """A result under a key: kept for the whole query, or for this turn if it rests on a missing cell."""
        if key in self._kept:
            kept: _R = self._kept[key]
            return kept
        if key in self._turn:
            self.reader.missing += 1
            tainted: _R = self._turn[key]
            return tainted
        before = self.reader.missing
        result = compute()
        (self._kept if self.reader.missing == before else self._turn)[key] = result
        return result

    # Contexts and their values.

    def at(self, context: Context, members: Iterable[MdxMember]) -> Context:
        """A context with some of its members replaced."""
        changed = list(context)
        for member in members:
            changed[member.level.hierarchy.index] = member
        return tuple(changed)

    def over(self, tuples: list[Any], context: Context) -> Iterator[tuple[Any, Context]]:
        """Each tuple of a set, with the context in which it is."""
        tick = self.clock.tick
        for members in tuples:
            tick()
            yield members, self.at(context, members)

    def value(self, context: Context) -> Any:
        """The value of a context."""
        kept = self._kept
        if context in kept:
            return kept[context]
        return self.kept(context, lambda: self._compute(context))

    def solved_first(self, context: Context) -> MdxMember | None:
        """The calculated member that gives the value: that of the highest solve order; ties: the first."""
        first = None
        for member in context:
            if member.formula is not None and (first is None or member.solve_order > first.solve_order):
                first = member
        return first

    def _compute(self, context: Context) -> Any:
        member = self.solved_first(context)
        if member is None:
            return self.reader.read(context)
        assert member.formula is not None
        hierarchy = member.level.hierarchy
        if self._depth > MOST_DEPTH:
            raise _TooDeep(context)
        self._depth += 1
        try:
            return self.scalar(member.formula, self.at(context, (hierarchy.default,)))
        finally:
            self._depth -= 1

    def covered(self, tuples: list[Any], context: Context) -> Context:
        """A context over all facts of a set of tuples, each fact once."""
        key = tuple(tuples)
        if key not in self._covers:
            cover = Cover(tuples)
            self._covers[key] = [cover.member(index, self.space) for index in cover.hierarchies]
        return self.at(context, self._covers[key])

    def restrict(self, cover: Cover) -> None:
        """From now on only these facts count, and of their hierarchies only the members that have to do with them."""
        self.reader.restriction += (cover,)
        for place, index in enumerate(cover.hierarchies):
            known = {above for each in cover.tuples for above in each[place].ancestors()}
            self._shown[index] = (known, {each[place] for each in cover.tuples}, self._shown.get(index))
        self._kept.clear()
        defaults = [self._first_shown(hierarchy) for hierarchy in self.space.hierarchies]
        self.start = self.at(self.start, [member for member in defaults if member is not None])

    def _first_shown(self, hierarchy: MdxHierarchy) -> MdxMember | None:
        member = hierarchy.default
        if hierarchy.index not in self._shown or self.shows(member):
            return None
        return next((each for each in member.level.members() if self.shows(each)), None)

    def shows(self, member: MdxMember) -> bool:
        """True unless a subselect leaves a member out."""
        shown = self._shown.get(member.level.hierarchy.index)
        while shown is not None:
            known, chosen, shown = shown
            if member not in known and not any(each in chosen for each in member.ancestors()):
                return False
        return True

    def shown(self, members: Iterable[MdxMember]) -> list[Any]:
        """Members as a set, without those that a subselect leaves out."""
        if not self._shown:
            return [(member,) for member in members]
        return [(member,) for member in members if self.shows(member)]

    # Expressions.

    def evaluate(self, node: Any, context: Context) -> Any:
        """What an expression is: members, tuples, sets, levels, hierarchies or scalars."""
        return _EVALUATE[type(node)](self, node, context)

    def _name(self, node: NameExpression, context: Context) -> Any:
        known = self._named.get(id(node))
        if known is None:
            known = self._named[id(node)] = (*self.looked_up(node), node)
        found, properties, _ = known
        for name in properties:
            found = self._applied(name, "property", [found], node, context)
        return found

    def looked_up(self, node: NameExpression) -> tuple[Any, list[str]]:
        """What a name means, and the properties that are read of it."""
        segments = node.segments
        for at in range(1, len(segments)):
            if not segments[at].quoted and is_property(segments[at].name):
                rest = segments[at:]
                wrong = next((each for each in rest if each.quoted or not is_property(each.name)), None)
                if wrong is not None:
                    raise MdxError(f"there is no property `{wrong.name}`", wrong.position)
                return self.names.find(segments[:at]), [each.name for each in rest]
        return self.names.find(segments), []

    def call(self, node: CallExpression, context: Context) -> Any:
        """The result of a function."""
        return self._applied(node.name, node.style, list(node.arguments), node, context)

    def _applied(self, name: str, style: str, arguments: list[Any], node: Expression, context: Context) -> Any:
        try:
            function = find_function(name, style, len(arguments))
            given = [self.argument(function.kind(place), each, context) for place, each in enumerate(arguments)]
            return function.compute(self, context, *given)
        except (ArithmeticError, ValueError) as error:
            raise MdxError(f"`{name}` cannot be computed: {error}", node.position) from None
        except MdxError as error:
            if error.position < 0 <= node.position:
                raise MdxError(error.message, node.position, error.hint, error.text) from None
            raise

    def _set(self, node: SetExpression, context: Context) -> list[Any]:
        found: list[Any] = []
        for element in node.elements:
            found += self.set(element, context)
        return found

    def _tuple(self, node: TupleExpression, context: Context) -> Any:
        members: list[MdxMember] = []
        parts = [self.evaluate(element, context) for element in node.elements]
        if any(isinstance(part, list | NamedSet) for part in parts):
            return crossed(self, [self.as_set(part, context) for part in parts])
        for part in parts:
            members += self.as_tuple(part, context)
        indexes = [member.level.hierarchy.index for member in members]
        if len(set(indexes)) < len(indexes):
            raise MdxError("a tuple has two members of one hierarchy", node.position)
        return tuple(members)

    def _case(self, node: CaseExpression, context: Context) -> Any:
        if node.operand is None:
            for condition, result in node.branches:
                if as_truth(self.scalar(condition, context)):
                    return self.evaluate(result, context)
        else:
            value = self.scalar(node.operand, context)
            for wanted, result in node.branches:
                if compare("=", value, self.scalar(wanted, context)):
                    return self.evaluate(result, context)
        return None if node.otherwise is None else self.evaluate(node.otherwise, context)

    def _alias(self, node: AliasedExpression, context: Context) -> Any:
        name = node.name.segments[-1].name
        named = self.scope.sets.get(name.lower())
        if named is None or named.expression is not node.expression:
            named = self.scope.sets[name.lower()] = NamedSet(name, node.expression)
        named.tuples = self.set(node.expression, context)
        return named.tuples

    def tuples_of(self, named: NamedSet) -> list[Any]:
        """The tuples of a named set, in the context of the slicer."""
        if named.tuples is not None:
            return named.tuples
        return self.kept(named, lambda: self.set(named.expression, self.start))

    @staticmethod
    def literal(member: MdxMember) -> Any:
        """A member as an expression."""
        return MemberLiteral(member)

    def set(self, node: Any, context: Context) -> list[Any]:
        """An expression as a set. It is computed once for all contexts that make no difference to it."""
        if isinstance(node, MemberLiteral):
            return [(node.member,)]
        if isinstance(node, SetLiteral):
            return node.tuples
        known = self._depends.get(id(node))
        if known is None:
            known = self._depends[id(node)] = (dependence(self, node), node)
        which = known[0]
        if which is None:
            if context is self.start:
                return self.kept(("set", id(node), context), lambda: self.as_set(self.evaluate(node, context), context))
            return self.as_set(self.evaluate(node, context), context)
        defaults = [self.space.hierarchies[index].default for index in which]
        key: Any = self.at(context, defaults) if which else ()
        return self.kept(("set", id(node), key), lambda: self.as_set(self.evaluate(node, context), context))

    def places(self, tuples: list[Any]) -> dict[Any, int]:
        """The place of each tuple in a set, from 1; the first, if there are several."""
        known = self._places.get(id(tuples))
        if known is None:
            if len(self._places) >= MOST_PLACES:
                self._places.clear()
            places: dict[Any, int] = {}
            for place, members in enumerate(tuples, start=1):
                places.setdefault(members, place)
            known = self._places[id(tuples)] = (places, tuples)
        return known[0]

    def members_of(self, hierarchy: MdxHierarchy) -> list[MdxMember]:
        """All members of a hierarchy, parents before their children."""
        found: list[MdxMember] = []
        stack = list(reversed(hierarchy.roots))
        while stack:
            member = stack.pop()
            found.append(member)
            stack.extend(reversed(member.children))
        return found


def _number(_evaluation: Evaluation, node: NumberLiteral, _context: Context) -> Any:
    return number_of_text(node.text)


_EVALUATE: dict[type, Callable[[Evaluation, Any, Context], Any]] = {
    NameExpression: Evaluation._name,
    CallExpression: Evaluation.call,
    SetExpression: Evaluation._set,
    TupleExpression: Evaluation._tuple,
    CaseExpression: Evaluation._case,
    AliasedExpression: Evaluation._alias,
    NumberLiteral: _number,
    StringLiteral: lambda _evaluation, node, _context: node.value,
    NullLiteral: lambda _evaluation, _node, _context: None,
    OmittedArgument: lambda _evaluation, _node, _context: None,
    UnaryExpression: unary,
    MemberLiteral: lambda _evaluation, node, _context: node.member,
    SetLiteral: lambda _evaluation, node, _context: node.tuples,
    BinaryExpression: binary,
}
