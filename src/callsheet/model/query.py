"""Queries and their conditions as data: what to select, under which condition, in which order, how many.

A condition is a tree with three readers that must agree: Python (``language/matching.py``), text
(``language/parser.py`` and ``language/text.py``) and SQL (the server). ``language/checking.py`` resolves names and
values against a schema.

The meaning of a condition, the same for all three readers:

- Logic has two values. A comparison is true or false, never unknown; ``not`` of one is its complement.
- A path that meets None on its way has the value None; so has a downcast to a type the entity is not of.
- ``=`` compares values, None included; ``!=`` is its complement. The orders (``<`` …), ``like`` and their
  negations are false where the value is None, except that ``not_like`` is the complement of ``like``.
- ``like`` matches the whole text; ``%`` stands for any run of characters, ``\\%`` for a percent sign and
  ``\\\\`` for a backslash (any other backslash stands for itself); ASCII letters match in either case.
  Everything else is compared exactly.
- A time relative to now (``now(-7 days)``) is compared as the time it is by the clock of the one who answers; in one
  query ``now`` is one moment.
- A reference compared with text is compared by its label (``status is Done`` is ``status.name is Done``), with
  a UUID by its key; any condition on a key can also name ``status.id`` or ``status_id``.
- A path through a collection holds when it holds for *any* member (for none of them, when it is empty);
  so ``children.name != "x"`` says that some child has another name. What is None before the collection
  is reached is met None: ``parent.children.name is None`` holds where there is no parent; and a member
  that is not of the type of a downcast (``children[Shot].fps``) has the value None.
- ``path any (condition)``: some member fulfils it; ``path has (condition)``: the reference is set and its
  entity fulfils it. Without a condition: there is a member, the reference is set. A downcast leaves out
  what is not of the type.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from functools import lru_cache
from typing import TypeAlias

from attrs import field, frozen

from callsheet.errors import QueryError
from callsheet.model.relative_time import RelativeTime

__all__ = [
    "And",
    "Any_",
    "Comparison",
    "Condition",
    "Not",
    "OPERATORS",
    "Or",
    "Order",
    "Path",
    "SAMPLING",
    "Sample",
    "Select",
    "Step",
    "Top",
]

SAMPLING = ("random", "first", "stratified")
OPERATORS = ("=", "!=", "<", "<=", ">", ">=", "like", "not_like", "in", "not_in")

Literal: TypeAlias = bool | int | float | str | date | datetime | RelativeTime | None


@frozen
class Step:
    """One name on a path, with the type it is cast down to: ``parent[Shot]``."""

    name: str
    cast: str | None = None


@frozen
class Path:
    """The way from an entity to a value: ``parent[Shot].fps``, ``metadata."frame rate"``."""

    steps: tuple[Step, ...]
    position: int = field(default=-1, eq=False, repr=False)

    @classmethod
    def of(cls, text: str) -> Path:
        """The path of a simple text: names, dots and casts (`parse_path` also takes quoted names).

        >>> Path.of("parent[Shot].fps").steps
        (Step(name='parent', cast='Shot'), Step(name='fps', cast=None))
        """
        # Very long texts are not worth the memory they would take in the cache.
        return _simple_path(text) if len(text) <= 200 else _simple_path.__wrapped__(text)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(step.name for step in self.steps)


_STEP = r"\w+(?:\[[^\W\d]\w*\])?"
_SIMPLE = re.compile(rf"(?!\d){_STEP}(?:\.{_STEP})*")


@lru_cache(maxsize=4096)
def _simple_path(text: str) -> Path:
    if _SIMPLE.fullmatch(text) is None:
        raise QueryError(f"`{text:.80}` is not a path of plain names", hint="like `parent[Shot].fps`", text=text[:200])
    steps = []
    for part in text.split("."):
        name, bracket, cast = part.partition("[")
        steps.append(Step(name, cast[:-1] if bracket else None))
    return Path(tuple(steps))


class Combinable:
    """What can be joined: ``a & b``, ``a | b``, ``~a``.

    >>> (Comparison(Path.of("bid"), ">", 1) & ~Comparison(Path.of("name"), "=", "x")).conditions[1].condition.value
    'x'
    """

    __slots__ = ()

    def __and__(self, other: Condition) -> And:
        return And((self, other))  # type: ignore[arg-type]

    def __or__(self, other: Condition) -> Or:
        return Or((self, other))  # type: ignore[arg-type]

    def __invert__(self) -> Not:
        return Not(self)  # type: ignore[arg-type]

    def __bool__(self) -> bool:
        raise QueryError("a condition is neither true nor false here", hint="join conditions with `&`, `|` and `~`")


@frozen
class Comparison(Combinable):
    """``path operator value``; for ``in`` and ``not_in`` the value is a tuple of literals or a `Select`."""

    path: Path
    operator: str
    value: Literal | tuple[Literal, ...] | Select


@frozen
class Any_(Combinable):
    """``path any (condition)`` and ``path has (condition)``: the path's last step is a relation."""

    path: Path
    condition: Condition | None = None
    word: str = "any"


@frozen
class And(Combinable):
    conditions: tuple[Condition, ...]


@frozen
class Or(Combinable):
    conditions: tuple[Condition, ...]


@frozen
class Not(Combinable):
    condition: Condition


Condition: TypeAlias = Comparison | Any_ | And | Or | Not


@frozen
class Order:
    """Order by the value at a path; nulls come first when ascending, last when descending."""

    path: Path
    descending: bool = False


@frozen
class Top:
    """The first ``number`` entities for each value at ``per`` (None is a value, too; without a path: of all).

    First are those that come first in the order ``by``; then the smallest key decides.

    >>> Top(3, (Order(Path.of("bid"), descending=True),), Path.of("parent")).number
    3
    """

    number: int
    by: tuple[Order, ...] = ()
    per: Path | None = None


@frozen
class Sample:
    """Some of the entities: a ``number`` of them (all, if there are fewer), or a ``fraction`` from 0 to 1.

    ``random`` draws by a hash of ``seed`` and key: the same seed draws the same entities of the same data, on every
    server, and a larger sample contains the smaller one. ``first`` takes those that come first in the query's order.
    ``stratified`` draws so that each value at ``per`` has its share, rounded up or down. A fraction of n entities are
    n times fraction, rounded (half up).
    """

    number: int | None = None
    fraction: float | None = None
    method: str = "random"
    seed: int = 0
    per: Path | None = None


@frozen
class Select:
    """The entities of a type (subtypes included) that fulfil a condition.

    ``projections`` are the paths whose values come with the answer, through relations where dotted; empty:
    every scalar, reference and mapping of the type. Results are ordered by ``order``, then by key, so the
    order is always total. ``top`` keeps some of the entities that fulfil the condition, ``sample`` some of those;
    then ``order``, ``offset`` and ``limit`` apply.
    """

    entity_type: str
    projections: tuple[Path, ...] = ()
    where: Condition | None = None
    order: tuple[Order, ...] = ()
    limit: int | None = None
    offset: int = 0
    top: Top | None = None
    sample: Sample | None = None
