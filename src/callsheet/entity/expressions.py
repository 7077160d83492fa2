"""Conditions written in Python: ``Task.status.name == "Done"`` is a `Comparison`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from callsheet.errors import UnknownAttribute
from callsheet.model.patterns import literal_pattern, wildcard_pattern
from callsheet.model.query import Any_, Comparison, Condition, Order, Path, Step
from callsheet.model.record import Identity
from callsheet.model.schema import Schema, did_you_mean

__all__ = ["Expression", "compare", "listed", "literal"]


def literal(value: Any) -> Any:
    """A value as it stands in a condition: an entity is compared by its key."""
    identity = getattr(value, "identity", None)
    return identity.key if isinstance(identity, Identity) else value


class Expression:
    """A path from an entity type, which operators turn into conditions.

    ``type_name`` is the type the path has reached, or None at a scalar.
    """

    __slots__ = ("_path", "_schema", "_type_name")

    def __init__(self, schema: Schema, type_name: str | None, path: Path) -> None:
        self._schema, self._type_name, self._path = schema, type_name, path

    def __repr__(self) -> str:
        return ".".join(self._path.names)

    def __getattr__(self, name: str) -> Expression:
        if name.startswith("__"):
            raise AttributeError(name)
        return self[name]

    def __getitem__(self, name: str) -> Expression:
        """The attribute of this name; on a mapping, the item under this key."""
        if self._type_name is None:
            return Expression(self._schema, None, self._longer(name))
        entity_type = self._schema.type(self._type_name)
        if name not in entity_type.names:
            raise UnknownAttribute(
                f"{entity_type.name} has no attribute `{name}`{did_you_mean(name, entity_type.names)}"
            )
        target = entity_type.attribute(name).target if name in entity_type.attributes else None
        return Expression(self._schema, target, self._longer(name))

    def cast(self, type_name: str) -> Expression:
        """The same relation, seen as the entity type below: ``Task.parent.cast("Shot").fps``."""
        self._schema.type(type_name)
        steps = (*self._path.steps[:-1], Step(self._path.steps[-1].name, type_name))
        return Expression(self._schema, type_name, Path(steps))

    def _longer(self, name: str) -> Path:
        return Path((*self._path.steps, Step(name)))

    def _compare(self, operator: str, value: Any) -> Comparison:
        return compare(self._path, operator, value)

    def __eq__(self, other: object) -> Comparison:  # type: ignore[override]
        return self._compare("=", other)

    def __ne__(self, other: object) -> Comparison:  # type: ignore[override]
        return self._compare("!=", other)

    def __lt__(self, other: Any) -> Comparison:
        return self._compare("<", other)

    def __le__(self, other: Any) -> Comparison:
        return self._compare("<=", other)

    def __gt__(self, other: Any) -> Comparison:
        return self._compare(">", other)

    def __ge__(self, other: Any) -> Comparison:
        return self._compare(">=", other)

    def __hash__(self) -> int:
        return hash(self._path)

    def like(self, pattern: str) -> Comparison:
        """Matches the pattern; ``%`` stands for any run of characters."""
        return self._compare("like", pattern)

    def not_like(self, pattern: str) -> Comparison:
        """Does not match the pattern."""
        return self._compare("not_like", pattern)

    def contains(self, text: str) -> Comparison:
        """Has this text in it, whatever characters it holds; ASCII letters match in either case."""
        return self.like(f"%{literal_pattern(text)}%")

    def starts_with(self, text: str) -> Comparison:
        """Begins with this text; ASCII letters match in either case."""
        return self.like(f"{literal_pattern(text)}%")

    def ends_with(self, text: str) -> Comparison:
        """Ends with this text; ASCII letters match in either case."""
        return self.like(f"%{literal_pattern(text)}")

    startswith, endswith = starts_with, ends_with

    def matches(self, wildcards: str) -> Comparison:
        r"""Matches the whole text; ``*`` stands for any run of characters, ``\*`` for a star.

        It is no regular expression: databases and Python do not read those alike.
        """
        return self.like(wildcard_pattern(wildcards))

    def in_(self, values: Iterable[Any]) -> Comparison:
        """Is one of the values (or of the results of a query)."""
        return listed(self._path, "in", values)

    def not_in(self, values: Iterable[Any]) -> Comparison:
        """Is none of the values (nor of the results of a query)."""
        return listed(self._path, "not_in", values)

    def any(self, condition: Condition | None = None) -> Any_:
        """Some member of the collection fulfils the condition; without one: there is a member."""
        return Any_(self._path, condition, "any")

    def has(self, condition: Condition | None = None) -> Any_:
        """The entity referred to fulfils the condition; without one: there is one."""
        return Any_(self._path, condition, "has")

    def ascending(self) -> Order:
        """Order by this, smallest first."""
        return Order(self._path)

    def descending(self) -> Order:
        """Order by this, largest first."""
        return Order(self._path, True)


def compare(path: Path, operator: str, value: Any) -> Comparison:
    """A comparison with a value; an entity is compared by its key."""
    if isinstance(getattr(value, "identity", None), Identity):
        path = Path((*path.steps, Step("id")))
    return Comparison(path, operator, literal(value))


def listed(path: Path, operator: str, values: Any) -> Comparison:
    select = getattr(values, "select_statement", None)
    if select is not None:
        return Comparison(path, operator, select)
    listed = list(values)
    if listed and isinstance(getattr(listed[0], "identity", None), Identity):
        path = Path((*path.steps, Step("id")))
    return Comparison(path, operator, tuple(literal(value) for value in listed))
