"""Conditions of the vendor's language as conditions on the store.

Attributes go by the store's names; values are brought to the attribute's type as leniently as the vendor does.
A relation that the store does not have becomes a query within the query, items of mappings are addressed
directly: ``custom_attributes any (key is "fps" and value > 24)`` is a comparison of one item.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from attrs import frozen

from callsheet.dialects.ftrack.server.schema.catalogue import Catalogue, Property, VendorType
from callsheet.dialects.ftrack.server.schema.configurations import Configuration
from callsheet.dialects.ftrack.server.translation.any_case import holds_key, in_any_case
from callsheet.dialects.ftrack.server.translation.item_conditions import ItemConditions
from callsheet.dialects.ftrack.server.translation.relations import ID, Steps, lineage_condition, related_condition
from callsheet.errors import QueryError
from callsheet.model.language.leniency import lenient_value
from callsheet.model.query import And, Any_, Comparison, Condition, Not, Or, Order, Path, Select, Step
from callsheet.model.schema import Attribute, did_you_mean

__all__ = ["Translator"]


class End(Protocol):
    """What stands at the end of a path: a comparison, or a condition on what the path leads to."""

    def arrive(self, prop: Property, taken: Steps, target: VendorType | None) -> Condition: ...

    def inside(self, target: VendorType) -> Condition | None: ...

    def rest(self, steps: Steps) -> Condition | None: ...


class Translator:
    """Translates conditions; ``configurations`` and ``values`` are called only if a condition needs them."""

    def __init__(
        self,
        catalogue: Catalogue,
        configurations: Callable[[], Sequence[Configuration]],
        values: Callable[[Select], list[Any]],
    ) -> None:
        self.catalogue, self.values = catalogue, values
        self.items = ItemConditions(configurations, values)

    def condition(self, condition: Condition, found: VendorType) -> Condition:
        """The condition on entities of a type, as the store understands it."""
        if isinstance(condition, And | Or):
            return type(condition)(tuple(self.condition(part, found) for part in condition.conditions))
        if isinstance(condition, Not):
            return Not(self.condition(condition.condition, found))
        end: End = _Compared(self, condition) if isinstance(condition, Comparison) else _MemberScope(self, condition)
        return self.walk(condition.path.steps, found, (), end)

    def select(self, query: Select) -> Select:
        """A query within a query."""
        found = self.catalogue.type(query.entity_type)
        assert found.entity_type is not None
        return Select(
            found.entity_type.name,
            tuple(self.path(path, found) for path in query.projections),
            None if query.where is None else self.condition(query.where, found),
            tuple(Order(self.path(each.path, found), each.descending) for each in query.order),
            query.limit,
            query.offset,
        )

    def path(self, path: Path, found: VendorType) -> Path:
        """A path to a value, for an order or a group."""
        taken: list[Step] = []
        at: VendorType | None = found
        for step in path.steps:
            if at is None:
                raise QueryError(f"Nothing can follow {taken[-1].name!r} in a path.")
            prop = self.property(at, step)
            if prop.kind not in ("value", "key", "reference", "collection"):
                raise QueryError(f"{at.name}.{step.name} cannot be ordered or grouped by.")
            taken.append(_step(prop, step))
            at = self.reached(prop, step) if prop.kind in ("reference", "collection") else None
        return Path(tuple(taken))

    def reached(self, prop: Property, step: Step) -> VendorType:
        """The type that a relation leads to, or the one that the step casts to."""
        target = self.catalogue.type(prop.target)
        if step.cast is None:
            return target
        found = self.catalogue.type(step.cast)
        if not self.catalogue.is_a(found.name, target.name) and not self.catalogue.is_a(target.name, found.name):
            raise QueryError(f"{step.name} is a {target.name}, never a {found.name}.")
        return found

    def property(self, found: VendorType, step: Step) -> Property:
        prop = self.catalogue.property(found, step.name)
        if prop is None:
            near = did_you_mean(step.name, found.properties)
            raise QueryError(f"Attribute {step.name!r:.80} not found on {found.name}{near}")
        return prop

    def walk(self, steps: Steps, found: VendorType, taken: Steps, end: End) -> Condition:
        """Go along a path to its end, through queries within the query where the store has no relation."""
        for index, step in enumerate(steps):
            rest = steps[index + 1 :]
            below = None if self.catalogue.property(found, step.name) else self.catalogue.below(found, step.name)
            if below is not None and not taken:
                assert below.entity_type is not None
                where = self.walk(steps[index:], below, (), end)
                return Comparison(Path((ID,)), "in", Select(below.entity_type.name, (Path.of("id"),), where))
            if below is not None:
                found, taken = below, (*taken[:-1], Step(taken[-1].name, below.name))
            prop = self.property(found, step)
            if prop.kind in ("metadata", "custom"):
                return self.items.condition(found, prop, taken, end.rest(rest))
            if prop.kind in ("related", "lineage"):
                target = self.reached(prop, step)
                inner = self.walk(rest, target, (), end) if rest else end.inside(target)
                if prop.kind == "related":
                    return related_condition(prop, taken, inner, step.cast)
                return lineage_condition(found, prop, taken, inner, step.cast)
            if prop.kind == "pointer":
                target = self.reached(prop, step)
                assert target.entity_type is not None
                held = self.walk(rest, target, (), end) if rest else end.inside(target)
                inside = Select(target.entity_type.name, (Path((ID,)),), held)
                return Comparison(Path((*taken, Step(prop.stored))), "in", inside)
            if prop.kind == "made" or found.entity_type is None:
                raise QueryError(f"{found.name}.{step.name} is computed and cannot be used in a condition.")
            taken = (*taken, _step(prop, step))
            relation = prop.kind in ("reference", "collection")
            if not rest:
                return end.arrive(prop, taken, self.reached(prop, step) if relation else None)
            if not relation:
                raise QueryError(f"{found.name}.{step.name} is a value; nothing can follow it.")
            found = self.reached(prop, step)
        raise QueryError("A condition needs an attribute.")


def _step(prop: Property, step: Step) -> Step:
    if prop.kind == "key":
        assert prop.attribute is not None
        return Step(prop.attribute.foreign_key or prop.stored)
    return Step(prop.stored, step.cast)


@frozen
class _Compared:
    """The end of a comparison's path."""

    translator: Translator
    written: Comparison

    def arrive(self, prop: Property, taken: Steps, target: VendorType | None) -> Condition:
        path = Path(tuple(taken)) if target is None else Path((*taken, ID))
        attribute = Attribute("id") if target is not None or prop.kind == "key" else prop.attribute
        compared = Comparison(path, self.written.operator, self._value(attribute or Attribute("id")))
        return compared if attribute is None or holds_key(attribute) else in_any_case(compared)

    def inside(self, target: VendorType) -> Condition:
        return Comparison(Path((ID,)), self.written.operator, self._value(Attribute("id")))

    def rest(self, steps: Steps) -> Condition:
        return Comparison(Path(tuple(steps) or (Step("value"),)), self.written.operator, self.written.value)

    def _value(self, attribute: Attribute) -> Any:
        value = self.written.value
        if isinstance(value, Select):
            if self.translator.catalogue.type(value.entity_type).entity_type is None:
                return tuple(self.translator.values(value))
            return self.translator.select(value)
        if isinstance(value, tuple):
            return tuple(lenient_value(attribute, each) for each in value)
        return lenient_value(attribute, value)


@frozen
class _MemberScope:
    """The end of the path of ``any`` and ``has``."""

    translator: Translator
    written: Any_

    def arrive(self, prop: Property, taken: Steps, target: VendorType | None) -> Condition:
        if target is None:
            raise QueryError(f"{prop.name} is a value; {self.written.word} needs a relation.")
        return Any_(Path(tuple(taken)), self.inside(target), self.written.word)

    def inside(self, target: VendorType) -> Condition | None:
        return None if self.written.condition is None else self.translator.condition(self.written.condition, target)

    def rest(self, steps: Steps) -> Condition | None:
        return Any_(Path(tuple(steps)), self.written.condition, self.written.word) if steps else self.written.condition
