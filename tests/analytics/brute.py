"""Selections, limits and cubes computed by plain Python over the rows: what the server's answers must equal.

Nothing here uses Callsheet, except that each term also builds the selection that it stands for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any

from attrs import field, frozen
from holidays import PARENTS, TYPES, Rows


class World:
    """The rows, and which of them belong together."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows

    @cached_property
    def below(self) -> dict[tuple[str, str], dict[str, list[str]]]:
        """For a type and one of its references: the keys of those who refer to a key."""
        found: dict[tuple[str, str], dict[str, list[str]]] = {}
        for name, (reference, _) in [*PARENTS.items(), ("Bookings", ("boAgen", "People"))]:
            index = found[name, reference] = {}
            for key, row in self.rows[name].items():
                index.setdefault(row[reference], []).append(key)
        return found

    def reach(self, start: str, key: str, target: str) -> set[str]:
        """The keys of another type that a row leads to: up to what both belong to, and down from there."""
        ups, downs = line(start), line(target)
        meeting = next(name for name in ups if name in downs)
        keys = {key}
        for name in ups[: ups.index(meeting)]:
            keys = {self.rows[name][each][PARENTS[name][0]] for each in keys} - {None}
        for name in reversed(downs[: downs.index(meeting)]):
            index = self.below[name, PARENTS[name][0]]
            keys = {each for parent in keys for each in index.get(parent, ())}
        return keys


def line(name: str) -> list[str]:
    """A type and those that it belongs to."""
    found = [name]
    while found[-1] in PARENTS:
        found.append(PARENTS[found[-1]][1])
    return found


def fold(text: str) -> str:
    """ASCII letters without their case."""
    return "".join(chr(ord(each) + 32) if "A" <= each <= "Z" else each for each in text)


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    return lambda value, other: value is not None and compare(value, other)


TESTS: dict[str, Callable[[Any, Any], bool]] = {
    "==": lambda value, other: value == other,
    "!=": lambda value, other: value != other,
    "<": _ordered(lambda value, other: value < other),
    "<=": _ordered(lambda value, other: value <= other),
    ">": _ordered(lambda value, other: value > other),
    ">=": _ordered(lambda value, other: value >= other),
    "is_in": lambda value, others: value in others,
    "is_not_in": lambda value, others: value not in others,
    "between": lambda value, both: value is not None and both[0] <= value <= both[1],
    "is_null": lambda value, _: value is None,
    "is_not_null": lambda value, _: value is not None,
    "contains": _ordered(lambda value, text: fold(text) in fold(value)),
    "starts_with": _ordered(lambda value, text: fold(value).startswith(fold(text))),
    "matches": _ordered(
        lambda value, parts: bool(re.fullmatch(".*".join(re.escape(fold(each)) for each in parts), fold(value), re.S))
    ),
    "ends_with": _ordered(lambda value, text: fold(value).endswith(fold(text))),
}
BUILDS: dict[str, Callable[[Any, Any], Any]] = {
    "==": lambda variable, value: variable == value,
    "!=": lambda variable, value: variable != value,
    "<": lambda variable, value: variable < value,
    "<=": lambda variable, value: variable <= value,
    ">": lambda variable, value: variable > value,
    ">=": lambda variable, value: variable >= value,
    "between": lambda variable, both: variable.between(*both),
    "matches": lambda variable, parts: variable.matches("*".join(each.replace("\\", "\\\\") for each in parts)),
    "is_null": lambda variable, _: variable.is_null(),
    "is_not_null": lambda variable, _: variable.is_not_null(),
}


@frozen
class Compared:
    """A variable compared with a value."""

    table: str
    attribute: str
    operator: str
    value: Any = None

    def holds(self, world: World, key: str) -> bool:
        return TESTS[self.operator](world.rows[self.table][key][self.attribute], self.value)

    def build(self, session: Any) -> Any:
        variable = session.tables[self.table][TYPES[self.table]["attributes"][self.attribute]["label"]]
        build = BUILDS.get(self.operator)
        return build(variable, self.value) if build else getattr(variable, self.operator)(self.value)


@frozen
class Both:
    """Two terms joined; the result is about the left one's table."""

    word: str
    left: Any
    right: Any

    @property
    def table(self) -> str:
        return str(self.left.table)

    def holds(self, world: World, key: str) -> bool:
        one, other = self.left.holds(world, key), carried(world, self.right, self.table, key)
        return (one and other) if self.word == "&" else (one or other)

    def build(self, session: Any) -> Any:
        one, other = self.left.build(session), self.right.build(session)
        return one & other if self.word == "&" else one | other


@frozen
class Opposite:
    """The rows of the table for which a term does not hold."""

    inner: Any

    @property
    def table(self) -> str:
        return str(self.inner.table)

    def holds(self, world: World, key: str) -> bool:
        return not self.inner.holds(world, key)

    def build(self, session: Any) -> Any:
        return ~self.inner.build(session)


@frozen
class Of:
    """A term carried over to another table."""

    table: str
    inner: Any

    def holds(self, world: World, key: str) -> bool:
        return carried(world, self.inner, self.table, key)

    def build(self, session: Any) -> Any:
        return self.inner.build(session).of(session.tables[self.table])


@frozen
class Some:
    """Any, all or none of the rows of another table that a row leads to."""

    word: str
    about: str
    inner: Any
    table: str

    def holds(self, world: World, key: str) -> bool:
        found = [carried(world, self.inner, self.about, each) for each in world.reach(self.table, key, self.about)]
        return {"any": any(found), "all": all(found), "none": not any(found)}[self.word]

    def build(self, session: Any) -> Any:
        about = session.tables[self.about]
        return getattr(about, self.word)(self.inner.build(session)).of(self.table)


def carried(world: World, term: Any, table: str, key: str) -> bool:
    """Whether a term holds for any row of its table that a row of another one leads to."""
    if term.table == table:
        return bool(term.holds(world, key))
    return any(term.holds(world, each) for each in world.reach(table, key, term.table))


def selected(world: World, term: Any) -> list[str]:
    """The keys for which a term holds, sorted."""
    return sorted(key for key in world.rows[term.table] if term.holds(world, key))


def counts(world: World, table: str, keys: Iterable[str]) -> dict[str, int]:
    """How many there are, and how many of each table above they belong to."""
    keys = list(keys)
    return {name: len({above for key in keys for above in world.reach(table, key, name)}) for name in line(table)}


@frozen
class Ranked:
    """Order by a value, None first when ascending and last when descending; then by key."""

    values: dict[str, Any] = field(factory=dict)

    def sorted(self, keys: Iterable[str], ascending: bool) -> list[str]:
        keys = sorted(keys)
        empty = [key for key in keys if self.values[key] is None]
        full = sorted((key for key in keys if self.values[key] is not None), key=lambda key: self.values[key])
        if ascending:
            return empty + full
        full.sort(key=lambda key: self.values[key], reverse=True)
        return full + empty
