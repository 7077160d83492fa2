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
from callsheet.dialects.ftrack.server.schema.configurations import BETWEEN, Configuration, applies
from callsheet.dialects.ftrack.server.translation.any_case import holds_key, in_any_case
from callsheet.dialects.ftrack.server.translation.normal_form import SignedComparison, disjuncts
from callsheet.errors import QueryError
from callsheet.model.language.coercion import coerce
from callsheet.model.language.leniency import lenient_value
from callsheet.model.language.matching import matches
from callsheet.model.query import And, Any_, Comparison, Condition, Not, Or, Order, Path, Select, Step
from callsheet.model.schema import Attribute, did_you_mean

__all__ = ["Translator"]

METADATA = "Metadata"
DEEPEST = 6
"""Levels of parents that ``ancestors`` and ``descendants`` look at in a condition."""

_ID = Step("id")
Steps = Sequence[Step]
NEVER = Comparison(Path((_ID,)), "in", ())


class End(Protocol):
    """What stands at the end of a path: a comparison, or a condition on what the path leads to."""

    def arrive(self, prop: Property, taken: Steps, target: VendorType | None) -> Condition: ...

    def inside(self, target: VendorType) -> Condition | None: ...

    def rest(self, steps: Steps) -> Condition | None: ...


class Translator:
    """Translates conditions; ``configurations`` and ``values`` are asked only when a condition needs them."""

    def __init__(
        self,
        catalogue: Catalogue,
        configurations: Callable[[], Sequence[Configuration]],
        values: Callable[[Select], list[Any]],
    ) -> None:
        self.catalogue, self.configurations, self.values = catalogue, configurations, values

    def condition(self, condition: Condition, found: VendorType) -> Condition:
        """The condition on entities of a type, as the store understands it."""
        if isinstance(condition, And | Or):
            return type(condition)(tuple(self.condition(part, found) for part in condition.conditions))
        if isinstance(condition, Not):
            return Not(self.condition(condition.condition, found))
        end: End = _Compared(self, condition) if isinstance(condition, Comparison) else _MemberScope(self, condition)
        return self.walk(condition.path.steps, found, (), end)

    def select(self, told: Select) -> Select:
        """A query within a query."""
        found = self.catalogue.type(told.entity_type)
        assert found.entity_type is not None
        return Select(
            found.entity_type.name,
            tuple(self.path(path, found) for path in told.projections),
            None if told.where is None else self.condition(told.where, found),
            tuple(Order(self.path(each.path, found), each.descending) for each in told.order),
            told.limit,
            told.offset,
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
        """The type that a relation leads to, cast where the step says so."""
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
                return Comparison(Path((_ID,)), "in", Select(below.entity_type.name, (Path.of("id"),), where))
            if below is not None:
                found, taken = below, (*taken[:-1], Step(taken[-1].name, below.name))
            prop = self.property(found, step)
            if prop.kind in ("metadata", "custom"):
                return self._items(found, prop, taken, end.rest(rest))
            if prop.kind in ("related", "lineage"):
                target = self.reached(prop, step)
                inner = self.walk(rest, target, (), end) if rest else end.inside(target)
                made = self._related if prop.kind == "related" else self._lineage
                return made(found, prop, taken, inner, step.cast)
            if prop.kind == "pointer":
                target = self.reached(prop, step)
                assert target.entity_type is not None
                held = self.walk(rest, target, (), end) if rest else end.inside(target)
                inside = Select(target.entity_type.name, (Path((_ID,)),), held)
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

    def _related(
        self, found: VendorType, prop: Property, taken: Steps, inner: Condition | None, cast: str | None
    ) -> Condition:
        related = prop.related
        assert related is not None
        parts: list[Condition] = []
        if related.name is not None:
            parts.append(Comparison(Path.of(related.name), "=", related.value))
        if inner is not None and related.far is not None:
            parts.append(Any_(Path((Step(related.far),)), inner, "has"))
        elif inner is not None:
            parts.append(inner)
        entity_type = cast if cast is not None and related.far is None else related.entity_type
        where = None if not parts else parts[0] if len(parts) == 1 else And(tuple(parts))
        return Comparison(Path((*taken, _ID)), "in", Select(entity_type, (Path((Step(related.near),)),), where))

    def _lineage(
        self, found: VendorType, prop: Property, taken: Steps, inner: Condition | None, cast: str | None
    ) -> Condition:
        kind = cast or "TypedContext"
        if prop.name == "ancestors":
            up = Step("parent")
            ways = [(*taken, *[up] * level, Step("parent", kind)) for level in range(DEEPEST)]
            return Or(tuple(Any_(Path(way), inner, "has") for way in ways))
        if found.name == "Project":
            of_all = Select(kind, (Path.of("project_id"),), inner)
            return Comparison(Path((*taken, _ID)), "in", of_all)
        up = Step("parent")
        below = [Select(kind, (Path((*[up] * level, _ID)),), inner) for level in range(1, DEEPEST + 1)]
        return Or(tuple(Comparison(Path((*taken, _ID)), "in", each) for each in below))

    # Items of mappings

    def _items(self, found: VendorType, prop: Property, taken: Steps, inner: Condition | None) -> Condition:
        if inner is None:
            if prop.kind == "custom":
                return Comparison(Path((*taken, _ID)), "!=", None)
            return self._owners(prop.target, taken, None)
        translate = self._metadata if prop.kind == "metadata" else self._custom
        ways: list[Condition] = []
        for clause in disjuncts(inner):
            ways += translate(found, taken, clause)
        return _any_of(ways)

    def _owners(self, rows: str, taken: Steps, inner: Condition | None) -> Condition:
        """The owners of such rows, where no key says which item is meant: the rows are looked through."""
        owners = self.values(Select(rows, (Path.of("parent_id"),), inner))
        return Comparison(Path((*taken, _ID)), "in", tuple(owners))

    def _metadata(self, found: VendorType, taken: Steps, clause: Sequence[SignedComparison]) -> list[Condition]:
        keys: set[str] | None = None
        others: list[SignedComparison] = []
        for literal in clause:
            told = literal.condition
            if (
                isinstance(told, Comparison)
                and told.path.names == ("key",)
                and not literal.negated
                and told.operator in ("=", "in")
            ):
                named = {str(key) for key in (told.value if isinstance(told.value, tuple) else (told.value,))}
                keys = named if keys is None else keys & named
            else:
                others.append(literal)
        if keys is None:
            parts = tuple(Not(each.condition) if each.negated else each.condition for each in clause)
            return [self._owners(METADATA, taken, parts[0] if len(parts) == 1 else And(parts))]
        found_ways: list[Condition] = []
        for key in sorted(keys):
            item = Path((*taken, Step("metadata"), Step(key)))
            held: list[Condition] = [Comparison(item, "!=", None)]
            for literal in others:
                told = literal.condition
                if not isinstance(told, Comparison) or told.path.names != ("value",) or isinstance(told.value, Select):
                    raise QueryError("A condition on metadata compares key and value.")
                compared = Comparison(item, told.operator, _texts(told.value))
                held.append(Not(compared) if literal.negated else compared)
            found_ways.append(And(tuple(held)) if len(held) > 1 else held[0])
        return found_ways

    def _custom(self, found: VendorType, taken: Steps, clause: Sequence[SignedComparison]) -> list[Condition]:
        values = [literal for literal in clause if _is_value(literal)]
        others = [literal for literal in clause if not _is_value(literal)]
        ways: list[Condition] = []
        wrong: QueryError | None = None
        for each in self.configurations():
            restrictions = self._restrictions(each, found, taken)
            if restrictions is None or not all(
                matches(literal.condition, each.record) is not literal.negated for literal in others
            ):
                continue
            item = Path((*taken, Step("custom_attributes"), Step(each.item)))
            try:
                parts = [*restrictions, *(_compared(each, item, literal) for literal in values)]
            except QueryError as error:
                wrong = error
                continue
            ways.append(And(tuple(parts)) if len(parts) > 1 else parts[0] if parts else _always(taken))
        if wrong is not None and not ways:
            raise wrong
        return ways

    def _restrictions(self, found: Configuration, of: VendorType, taken: Steps) -> list[Condition] | None:
        """What makes an entity of the type have the item; None: nothing does."""
        if of.entity_type is None:
            return None
        line = (of.entity_type.name, *of.entity_type.ancestors)
        held = applies(found, line, of.discriminator)
        if held is False:
            return None
        parts: list[Condition] = []
        if held is None:
            kind = (
                "TypedContext" if found.entity_type == "task" else "Project" if found.entity_type == "show" else "User"
            )
            where = None
            if found.entity_type == "task":
                where = Comparison(Path.of("object_type_id"), "=", found.object_type)
            parts.append(Comparison(Path((*taken, _ID)), "in", Select(kind, (Path.of("id"),), where)))
        if found.project is not None:
            way = {"Asset": ("parent",), "AssetVersion": ("asset", "parent")}.get(line[-1], ())
            if line[-1] in ("Context", "Asset", "AssetVersion"):
                path = Path((*taken, *(Step(name) for name in way), Step("project_id")))
                parts.append(Comparison(path, "=", found.project))
        return parts


def _is_value(literal: SignedComparison) -> bool:
    return isinstance(literal.condition, Comparison) and literal.condition.path.names == ("value",)


def _compared(found: Configuration, item: Path, literal: SignedComparison) -> Condition:
    told = literal.condition
    assert isinstance(told, Comparison)
    value: Any = told.value
    if isinstance(value, Select):
        raise QueryError("Values of custom attributes cannot be compared with a query.")
    attribute = found.value_attribute
    held = [lenient_value(attribute, each) for each in (value if isinstance(value, tuple) else (value,))]
    for each in held:
        coerce(found.key, attribute, each, told.operator)
    value = tuple(held) if isinstance(value, tuple) else held[0]
    condition: Condition = Comparison(item, told.operator, value)
    if found.kind in ("enumerator", "dynamic enumerator") and told.operator in ("=", "in") and value is not None:
        wanted = value if isinstance(value, tuple) else (value,)
        patterns = [("{}" + BETWEEN + "%"), ("%" + BETWEEN + "{}"), ("%" + BETWEEN + "{}" + BETWEEN + "%")]
        some: list[Condition] = [Comparison(item, "in", wanted)]
        some += [Comparison(item, "like", p.replace("{}", _escaped(str(each)))) for each in wanted for p in patterns]
        condition = Or(tuple(some))
    return Not(condition) if literal.negated else condition


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%")


def _always(taken: Steps) -> Condition:
    return Comparison(Path((*taken, _ID)), "!=", None)


def _any_of(ways: Sequence[Condition]) -> Condition:
    return NEVER if not ways else ways[0] if len(ways) == 1 else Or(tuple(ways))


def _texts(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_texts(each) for each in value)
    return value if value is None else lenient_value(Attribute("value"), value)


def _step(prop: Property, step: Step) -> Step:
    if prop.kind == "key":
        assert prop.attribute is not None
        return Step(prop.attribute.foreign_key or prop.stored)
    return Step(prop.stored, step.cast)


@frozen
class _Compared:
    """The end of a comparison's path."""

    translator: Translator
    told: Comparison

    def arrive(self, prop: Property, taken: Steps, target: VendorType | None) -> Condition:
        path = Path(tuple(taken)) if target is None else Path((*taken, _ID))
        attribute = Attribute("id") if target is not None or prop.kind == "key" else prop.attribute
        compared = Comparison(path, self.told.operator, self._value(attribute or Attribute("id")))
        return compared if attribute is None or holds_key(attribute) else in_any_case(compared)

    def inside(self, target: VendorType) -> Condition:
        return Comparison(Path((_ID,)), self.told.operator, self._value(Attribute("id")))

    def rest(self, steps: Steps) -> Condition:
        return Comparison(Path(tuple(steps) or (Step("value"),)), self.told.operator, self.told.value)

    def _value(self, attribute: Attribute) -> Any:
        value = self.told.value
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
    told: Any_

    def arrive(self, prop: Property, taken: Steps, target: VendorType | None) -> Condition:
        if target is None:
            raise QueryError(f"{prop.name} is a value; {self.told.word} asks about related entities.")
        return Any_(Path(tuple(taken)), self.inside(target), self.told.word)

    def inside(self, target: VendorType) -> Condition | None:
        return None if self.told.condition is None else self.translator.condition(self.told.condition, target)

    def rest(self, steps: Steps) -> Condition | None:
        return Any_(Path(tuple(steps)), self.told.condition, self.told.word) if steps else self.told.condition
