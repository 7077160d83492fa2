"""What a lenient server takes, in the exact words that the checker knows.

Theory. Some servers accept more than a schema says word for word: a path may name what only subtypes of a relation's
type have (``resource.username``, where only users have one), a number or a boolean may be quoted, and the rows of a
mapping may be asked about like entities (``metadata any (value is "x")``). A schema whose server is so has a
`Leniency`. For it, each comparison and each ``any`` is rewritten: the path gets the casts it leaves out (several ways
become an ``or``), what only subtypes of the selected type have becomes a query within the query, and so do rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from typing import Any, Final, TypeAlias

from attrs import evolve, frozen

from callsheet.model.language.items import item_condition
from callsheet.model.query import Any_, Comparison, Condition, Path, Select, Step
from callsheet.model.schema import Attribute, EntityType, Schema

__all__ = ["Way", "exact", "lenient_value", "of_rows", "ways", "without_row"]

Steps: TypeAlias = tuple[Step, ...]
WAYS: Final = 12
"""Ways that one path may stand for, at most."""


@frozen
class Way:
    """A path with all casts: the type it begins at, which may be below the one that was asked for, and its steps."""

    start: EntityType
    steps: Steps


def exact(condition: Comparison | Any_, owner: EntityType, schema: Schema) -> list[Condition]:
    """The conditions that this one stands for: any of them may hold. Empty where it is exact already, or wrong.

    >>> from callsheet.model.schema import Leniency
    >>> user = {"extends": "Resource", "attributes": {"email": {}}}
    >>> job = {"attributes": {"by": {"type": "reference", "target": "Resource"}}}
    >>> schema = Schema({"types": {"Resource": {"abstract": True}, "User": user, "Job": job}})
    >>> schema.leniency = Leniency()
    >>> (found,) = exact(Comparison(Path.of("by.email"), "=", "x"), schema.types["Job"], schema)
    >>> found.path.steps[0]
    Step(name='by', cast='User')
    """
    rows = of_rows(condition, owner, schema)
    if rows is not None:
        return [rows]
    found = ways(condition.path, owner, schema)
    if found == [Way(owner, condition.path.steps)]:
        return []
    return [each for way in found if (each := _along(condition, way, owner)) is not None]


def _along(condition: Comparison | Any_, way: Way, owner: EntityType) -> Condition | None:
    moved = evolve(condition, path=Path(way.steps, condition.path.position))
    if way.start is owner:
        return moved
    if owner.key != ("id",):
        return None
    return Comparison(Path((Step("id"),), condition.path.position), "in", Select(way.start.name, (), moved))


def ways(path: Path, owner: EntityType, schema: Schema) -> list[Way]:
    """What the path may mean, with all casts; its own steps where it needs none, nothing where it leads nowhere."""
    walk = _WayFinder(schema, path.steps)
    return [Way(start, taken) for start, taken in _first(walk.go(owner, owner, 0, ()))]


def _first(found: Iterator[tuple[EntityType, Steps]]) -> list[tuple[EntityType, Steps]]:
    return [each for each, _ in zip(found, range(WAYS))]


class _WayFinder:
    """Follows the steps of one path along all types that have them."""

    def __init__(self, schema: Schema, steps: Steps) -> None:
        self._schema, self._steps = schema, steps

    def go(self, start: EntityType, owner: EntityType, index: int, taken: Steps) -> Iterator[tuple[EntityType, Steps]]:
        """The ends of the path from its step ``index`` on, at ``owner``."""
        if index == len(self._steps):
            yield start, taken
            return
        step = self._steps[index]
        attribute = _attribute(owner, step.name)
        rest = len(self._steps) - index - 1
        if attribute is None:
            yield from self._below(start, owner, index, taken, lambda kind: _attribute(kind, step.name) is not None)
        elif attribute.kind == "mapping":
            yield from self._item(start, owner, index, taken, attribute)
        elif attribute.kind == "scalar" or (rest and step.name in owner.aliases and step.name not in owner.attributes):
            if not rest:
                yield start, (*taken, step)
        else:
            target = self._schema.types.get(step.cast or str(attribute.target))
            if target is not None:
                yield from self.go(start, target, index + 1, (*taken, step))

    def _item(
        self, start: EntityType, owner: EntityType, index: int, taken: Steps, mapping: Attribute
    ) -> Iterator[tuple[EntityType, Steps]]:
        steps = self._steps[index:]
        if len(steps) > 2:
            return
        if len(steps) == 1 or mapping.data_type != "custom" or steps[1].name in owner.custom:
            yield start, (*taken, *steps)
            return
        yield from self._below(start, owner, index, taken, lambda kind: steps[1].name in kind.custom)

    def _below(
        self, start: EntityType, owner: EntityType, index: int, taken: Steps, has: Callable[[EntityType], bool]
    ) -> Iterator[tuple[EntityType, Steps]]:
        """The same step at the uppermost subtypes that have what it names."""
        having = [kind for kind in self._schema.types.values() if owner.name in kind.ancestors and has(kind)]
        names = {kind.name for kind in having}
        for kind in having:
            if names.isdisjoint(kind.ancestors):
                if taken:
                    yield from self.go(start, kind, index, (*taken[:-1], Step(taken[-1].name, kind.name)))
                else:
                    yield from self.go(kind, kind, index, ())


def _attribute(owner: EntityType, name: str) -> Attribute | None:
    found = owner.attributes.get(name)
    return owner.attributes[owner.aliases[name]] if found is None and name in owner.aliases else found


def of_rows(condition: Comparison | Any_, owner: EntityType, schema: Schema) -> Condition | None:
    """A condition on the rows of a mapping as a query within the query; None where it is about one item, or none."""
    leniency = schema.leniency
    for index, (kind, attribute) in enumerate(_relations(condition.path, owner, schema)):
        rows = leniency.rows(kind, attribute.name) if leniency and attribute.kind == "mapping" else None
        if rows is None:
            continue
        steps, rest = condition.path.steps[:index], condition.path.steps[index + 1 :]
        inner: Condition | None
        if isinstance(condition, Any_):
            if rest or item_condition(condition) is not None:
                return None
            inner = condition.condition
        else:
            if not rest or _attribute(schema.types[rows[0]], rest[0].name) is None or rest[0].name in kind.custom:
                return None
            inner = evolve(condition, path=Path(rest, condition.path.position))
        path = Path((*steps, Step("id")), condition.path.position)
        return Comparison(path, "in", Select(rows[0], (Path.of(rows[1]),), inner))
    return None


def without_row(path: Path, owner: EntityType, schema: Schema) -> Path:
    """The path without what it names of the rows of a mapping: a mapping is fetched as a whole."""
    for index, (kind, attribute) in enumerate(_relations(path, owner, schema)):
        rows = schema.leniency.rows(kind, attribute.name) if schema.leniency and attribute.kind == "mapping" else None
        rest = path.steps[index + 1 :]
        if rows and rest and rest[0].name not in kind.custom and _attribute(schema.types[rows[0]], rest[0].name):
            return Path(path.steps[: index + 1], path.position)
    return path


def _relations(path: Path, owner: EntityType, schema: Schema) -> Iterator[tuple[EntityType, Attribute]]:
    """The steps of a path with the types they begin at, as far as they are known without a cast."""
    for step in path.steps:
        attribute = _attribute(owner, step.name)
        if attribute is None:
            return
        yield owner, attribute
        target = schema.types.get(step.cast or str(attribute.target))
        if target is None:
            return
        owner = target


def lenient_value(attribute: Attribute, value: Any) -> Any:
    """A value as the attribute holds it, where it can be read so; else as it is, for the checker to refuse.

    >>> lenient_value(Attribute("version", data_type="integer"), "3"), lenient_value(Attribute("name"), 12)
    (3, '12')
    """
    if value is None or isinstance(value, tuple):
        return value
    convert = _CONVERSIONS.get(attribute.data_type)
    try:
        return value if convert is None else convert(value)
    except (ValueError, OverflowError):
        return value


def _text(value: Any) -> Any:
    return value if isinstance(value, str) else value.isoformat() if isinstance(value, date) else str(value)


def _number(value: Any) -> Any:
    if isinstance(value, bool):
        return float(value)
    return float(value) if isinstance(value, str) else value


def _integer(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str):
        return int(value) if value.strip().lstrip("+-").isdigit() and len(value) < 20 else float(value)
    return value


def _boolean(value: Any) -> Any:
    if isinstance(value, str):
        return {"true": True, "false": False, "1": True, "0": False}.get(value.lower(), value)
    return bool(value) if value in (0, 1) else value


def _datetime(value: Any) -> Any:
    if isinstance(value, str):
        value = datetime.fromisoformat(value.strip())
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    return value


def _date(value: Any) -> Any:
    if isinstance(value, str):
        value = datetime.fromisoformat(value.strip())
    return value.date() if isinstance(value, datetime) else value


_CONVERSIONS: dict[str, Callable[[Any], Any]] = {
    "string": _text,
    "enum": _text,
    "key": _text,
    "number": _number,
    "integer": _integer,
    "boolean": _boolean,
    "datetime": _datetime,
    "date": _date,
}
