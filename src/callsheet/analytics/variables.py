"""Variables: attributes as an analyst sees them, from which selections, dimensions and measures are made."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Generic, TypeVar

from attrs import frozen

from callsheet.analytics import comparisons
from callsheet.analytics.asked import Asked, AwaitingMember, BlockingMember
from callsheet.analytics.dimensions import BandedVariable, MeasuredVariable
from callsheet.analytics.display import Shown
from callsheet.analytics.naming import type_word
from callsheet.analytics.selections import AsyncSelection, Selection
from callsheet.core.aggregating import aggregate
from callsheet.core.verb import Verb
from callsheet.errors import UsageError
from callsheet.flow import Flow
from callsheet.model.measure import Aggregate, Level
from callsheet.model.query import Condition, Path, Select, Step
from callsheet.model.schema import Attribute

__all__ = ["AsyncVariable", "Code", "Variable", "VariableVerbs"]

S = TypeVar("S")


@frozen
class Code:
    """One value of a selector: as it is stored, what it stands for, and how many entities have it, if that is known."""

    code: Any
    description: str
    count: int | None = None


class VariableVerbs(BandedVariable, MeasuredVariable, Shown, Generic[S]):
    """An attribute of a table; see `Variable`."""

    def __init__(self, table: Any, attribute: Attribute, path: Path | None = None, many: bool = False) -> None:
        self.table, self._attribute = table, attribute
        self._many = many
        self._path = Path((Step(attribute.name),)) if path is None else path
        self._dictionary = table._dictionary
        self._core: Any = table._core

    # -- what it is ----------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """The name of the attribute; of an item of a mapping: ``mapping.key``."""
        return ".".join(self._path.names)

    @property
    def label(self) -> str:
        """Its name for people: the label in the schema, else the name."""
        return self._attribute.label or self.name

    @property
    def description(self) -> str:
        """What it is: the description in the schema, else the label, else the name."""
        return self._attribute.description or self.label

    @property
    def type(self) -> str:
        """What it holds: one of `callsheet.analytics.TYPES`."""
        return type_word(self.table._type, self._attribute)

    @property
    def table_name(self) -> str:
        """The name of its table."""
        return str(self.table.name)

    @property
    def codes(self) -> tuple[Code, ...]:
        """The values that a selector can have, in the order of the schema. Others have no codes."""
        attribute = self._attribute
        if attribute.data_type == "boolean":
            return Code(False, "no"), Code(True, "yes")
        if attribute.data_type != "enum":
            raise UsageError(f"{self._full} is of type {self.type} and has no codes; only a Selector has")
        texts = self.table._type.codes.get(attribute.name, {}) if len(self._path.steps) == 1 else {}
        return tuple(Code(choice, texts.get(choice, choice)) for choice in attribute.choices)

    @Verb
    def counts(self) -> Flow[tuple[Code, ...]]:
        """The codes of a selector with how many entities have each; at the end those without a value, if any."""
        codes = self.codes
        rows = yield from aggregate(self._core, Aggregate(Select(self.table.name), group=(Level(self._path),)))
        found = {value: int(number) for value, number in rows}
        counted = [Code(each.code, each.description, found.pop(each.code, 0)) for each in codes]
        return (*counted, *(Code(value, "", number) for value, number in found.items()))

    @Asked
    def minimum(self) -> Flow[Any]:
        """The smallest value of a number or date, None without any; `Table.refresh` lets it be read again."""
        return self._extreme(0)

    @Asked
    def maximum(self) -> Flow[Any]:
        """The largest value of a number or date, None without any; `Table.refresh` lets it be read again."""
        return self._extreme(1)

    def _extreme(self, place: int) -> Flow[Any]:
        if len(self._path.steps) > 1:
            raise UsageError(
                f"{self._full} has no minimum and no maximum: a cube computes `smallest()` and `largest()`"
            )
        found = yield from self._dictionary.figures.extremes(self.table._type, self._attribute)
        return found[place]

    def __getitem__(self, key: str) -> Any:
        """The variable of an item of a mapping."""
        if self._attribute.kind != "mapping":
            raise UsageError(f"{self._full} is of type {self.type}; only a Mapping has items")
        if not isinstance(key, str):
            raise TypeError(f"an item of {self._full} is looked up by its name, not by {key!r:.80}")
        item = self.table._type.item(self._attribute.name, key)
        return type(self)(self.table, item, Path((*self._path.steps, Step(key))))

    def __iter__(self) -> Any:
        raise TypeError(
            f"{self._full} is a variable: it has no values of its own; iterate a selection of {self.table_name}"
        )

    @property
    def _full(self) -> str:
        return f"{self.table.name}.{self.name}"

    @property
    def _shown(self) -> str:
        return f"`{self._full}`" if self.label == self.name else f"`{self._full}` ({self.label})"

    @property
    def _identity(self) -> tuple[str, str]:
        return self._dictionary.schema.hash, self._full

    @property
    def _names(self) -> tuple[str, ...]:
        attribute = self._attribute
        people = dict.fromkeys(text for text in (attribute.label, attribute.description) if text)
        return (*people, *(f"{self.table.name}.{text}" for text in people), self.name, self._full)

    @property
    def _cells(self) -> tuple[str, ...]:
        return self.name, self.description, self.table.name, self.type

    def _grid(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        return ("variable", "description", "table", "type"), [self._cells]

    def _title(self) -> str:
        return f"<{type(self).__name__} {self._full}>"

    def __repr__(self) -> str:
        label = "" if self.description == self.name else f" “{self.description}”"
        return f"<{type(self).__name__} {self._full}{label}: {self.type}>"

    # -- conditions ------------------------------------------------------------------------------------------

    def _selection(self, condition: Condition) -> S:
        found: S = self._dictionary.kinds.selection(self._dictionary, Select(self.table.name, where=condition))
        return found

    def _compared(self, operator: str, value: Any) -> S:
        return self._selection(comparisons.compared(self, operator, value))

    def __eq__(self, other: object) -> Any:
        """Whether it has this value, or one of a list; compared with a variable: whether both are the same."""
        if isinstance(other, VariableVerbs):
            return self._identity == other._identity
        return self._compared("=", other)

    def __ne__(self, other: object) -> Any:
        """Whether it has another value, None included."""
        if isinstance(other, VariableVerbs):
            return self._identity != other._identity
        return self._compared("!=", other)

    def __hash__(self) -> int:
        return hash(self._identity)

    def __lt__(self, other: Any) -> S:
        return self._compared("<", other)

    def __le__(self, other: Any) -> S:
        return self._compared("<=", other)

    def __gt__(self, other: Any) -> S:
        return self._compared(">", other)

    def __ge__(self, other: Any) -> S:
        return self._compared(">=", other)

    def is_in(self, values: Iterable[Any]) -> S:
        """Has one of these values. None among them means: no value."""
        return self._selection(comparisons.listed(self, values))

    def is_not_in(self, values: Iterable[Any]) -> S:
        """Has none of these values."""
        return self._selection(comparisons.listed(self, values, negated=True))

    def between(self, low: Any, high: Any) -> S:
        """Has a value from ``low`` to ``high``, both included."""
        return self._selection(comparisons.between(self, low, high))

    def is_null(self) -> S:
        """Has no value; of an array: has no members."""
        return self._selection(comparisons.null(self))

    def is_not_null(self) -> S:
        """Has a value; of an array: has members."""
        return self._selection(comparisons.null(self, negated=True))

    def equals(self, *values: Any) -> S:
        """Has one of these values."""
        return self._selection(comparisons.listed(self, values))

    def contains(self, *texts: str) -> S:
        """Has one of these texts in it. ASCII letters match in either case; here and below no character is special."""
        return self._selection(comparisons.matching(self, texts, "%{}%"))

    def starts_with(self, *texts: str) -> S:
        """Begins with one of these texts."""
        return self._selection(comparisons.matching(self, texts, "{}%"))

    def ends_with(self, *texts: str) -> S:
        """Ends with one of these texts."""
        return self._selection(comparisons.matching(self, texts, "%{}"))

    def matches(self, *patterns: str) -> S:
        r"""Matches one of these patterns as a whole; ``*`` stands for any run of characters, ``\*`` for an asterisk."""
        return self._selection(comparisons.patterned(self, patterns))

    startswith = starts_with
    endswith = ends_with


class Variable(BlockingMember, VariableVerbs[Selection]):
    """An attribute as an analyst sees it. Comparisons make selections of its table.

    >>> cost = session.variables["Cost"]  # doctest: +SKIP
    >>> cost.type, cost.minimum, (cost > 200).count()  # doctest: +SKIP
    ('Numeric', 12.5, 310)
    """


class AsyncVariable(AwaitingMember, VariableVerbs[AsyncSelection]):
    """`Variable` of an `AsyncSession`: what the server is asked for is awaited."""
