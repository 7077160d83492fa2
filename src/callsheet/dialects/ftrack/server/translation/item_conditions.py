"""Conditions on items of mappings: a row of key and value becomes a comparison of the item."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from attrs import frozen

from callsheet.dialects.ftrack.server.schema.catalogue import Property, VendorType
from callsheet.dialects.ftrack.server.schema.configurations import BETWEEN, Configuration, applies
from callsheet.dialects.ftrack.server.translation.normal_form import SignedComparison, disjuncts
from callsheet.dialects.ftrack.server.translation.relations import ID, Steps
from callsheet.errors import QueryError
from callsheet.model.language.coercion import coerce
from callsheet.model.language.leniency import lenient_value
from callsheet.model.language.matching import matches
from callsheet.model.query import And, Comparison, Condition, Not, Or, Path, Select, Step
from callsheet.model.schema import Attribute

__all__ = ["ItemConditions"]

METADATA = "Metadata"
NEVER = Comparison(Path((ID,)), "in", ())


@frozen
class ItemConditions:
    """Translates such conditions; ``configurations`` and ``values`` are called only if a condition needs them."""

    configurations: Callable[[], Sequence[Configuration]]
    values: Callable[[Select], list[Any]]

    def condition(self, found: VendorType, prop: Property, taken: Steps, inner: Condition | None) -> Condition:
        """A condition on the items of a mapping, as conditions on those that can fit."""
        if inner is None:
            if prop.kind == "custom":
                return Comparison(Path((*taken, ID)), "!=", None)
            return self._owners(prop.target, taken, None)
        translate = self._metadata if prop.kind == "metadata" else self._custom
        ways: list[Condition] = []
        for clause in disjuncts(inner):
            ways += translate(found, taken, clause)
        return _any_of(ways)

    def _owners(self, rows: str, taken: Steps, inner: Condition | None) -> Condition:
        """The owners of such rows, if no key names an item: all rows are checked."""
        owners = self.values(Select(rows, (Path.of("parent_id"),), inner))
        return Comparison(Path((*taken, ID)), "in", tuple(owners))

    def _metadata(self, found: VendorType, taken: Steps, clause: Sequence[SignedComparison]) -> list[Condition]:
        keys: set[str] | None = None
        others: list[SignedComparison] = []
        for literal in clause:
            comparison = literal.condition
            if (
                isinstance(comparison, Comparison)
                and comparison.path.names == ("key",)
                and not literal.negated
                and comparison.operator in ("=", "in")
            ):
                named = {
                    str(key)
                    for key in (comparison.value if isinstance(comparison.value, tuple) else (comparison.value,))
                }
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
                comparison = literal.condition
                if (
                    not isinstance(comparison, Comparison)
                    or comparison.path.names != ("value",)
                    or isinstance(comparison.value, Select)
                ):
                    raise QueryError("A condition on metadata compares key and value.")
                compared = Comparison(item, comparison.operator, _texts(comparison.value))
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
            parts.append(Comparison(Path((*taken, ID)), "in", Select(kind, (Path.of("id"),), where)))
        if found.project is not None:
            way = {"Asset": ("parent",), "AssetVersion": ("asset", "parent")}.get(line[-1], ())
            if line[-1] in ("Context", "Asset", "AssetVersion"):
                path = Path((*taken, *(Step(name) for name in way), Step("project_id")))
                parts.append(Comparison(path, "=", found.project))
        return parts


def _is_value(literal: SignedComparison) -> bool:
    return isinstance(literal.condition, Comparison) and literal.condition.path.names == ("value",)


def _compared(found: Configuration, item: Path, literal: SignedComparison) -> Condition:
    comparison = literal.condition
    assert isinstance(comparison, Comparison)
    value: Any = comparison.value
    if isinstance(value, Select):
        raise QueryError("Values of custom attributes cannot be compared with a query.")
    attribute = found.value_attribute
    held = [lenient_value(attribute, each) for each in (value if isinstance(value, tuple) else (value,))]
    for each in held:
        coerce(found.key, attribute, each, comparison.operator)
    value = tuple(held) if isinstance(value, tuple) else held[0]
    condition: Condition = Comparison(item, comparison.operator, value)
    if found.kind in ("enumerator", "dynamic enumerator") and comparison.operator in ("=", "in") and value is not None:
        wanted = value if isinstance(value, tuple) else (value,)
        patterns = [("{}" + BETWEEN + "%"), ("%" + BETWEEN + "{}"), ("%" + BETWEEN + "{}" + BETWEEN + "%")]
        some: list[Condition] = [Comparison(item, "in", wanted)]
        some += [Comparison(item, "like", p.replace("{}", _escaped(str(each)))) for each in wanted for p in patterns]
        condition = Or(tuple(some))
    return Not(condition) if literal.negated else condition


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%")


def _always(taken: Steps) -> Condition:
    return Comparison(Path((*taken, ID)), "!=", None)


def _any_of(ways: Sequence[Condition]) -> Condition:
    return NEVER if not ways else ways[0] if len(ways) == 1 else Or(tuple(ways))


def _texts(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_texts(each) for each in value)
    return value if value is None else lenient_value(Attribute("value"), value)
