"""A query is brought to what a schema knows: names resolved, values coerced, forms made few.

What comes back holds only this, so that the readers of data (SQL, `matches`) need to know no more:

- the path of a comparison leads to a scalar, or to one item of a mapping; a reference compared with a key
  has become ``reference.id``, a foreign key (``parent_id``) too;
- ``has`` belongs to references and ``any`` to collections; ``And`` and ``Or`` have at least two parts;
- values have the attribute's type: date-times are in UTC, numbers are floats where the attribute is one;
- projections are attributes or lead to attributes; a mapping's item is projected as the whole mapping;
- a sub-query projects one path.

Checking what was checked changes nothing.
"""

from __future__ import annotations

import re
from typing import Final

from attrs import evolve

from callsheet.errors import QueryError
from callsheet.model.language.coercion import FAMILIES, ORDERED, coerce, plain_operand
from callsheet.model.language.items import item_condition
from callsheet.model.language.leniency import exact, lenient_value, ways, without_row
from callsheet.model.language.parser import NESTING
from callsheet.model.language.resolution import Chain, ResolvedPath, resolve
from callsheet.model.language.text import in_parentheses, path_text
from callsheet.model.query import (
    OPERATORS,
    SAMPLING,
    And,
    Any_,
    Comparison,
    Condition,
    Literal,
    Not,
    Or,
    Order,
    Path,
    Sample,
    Select,
    Step,
    Top,
)
from callsheet.model.record import Identity
from callsheet.model.scalar import shown
from callsheet.model.schema import EntityType, Schema, did_you_mean

__all__ = ["QueryChecker", "check", "check_condition", "check_natural", "check_path"]

LITERALS: Final = 10_000
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_INTEGERS: Final = range(2**63)


def check(select: Select, schema: Schema, text: str = "") -> Select:
    """The select with all names resolved and all values coerced; `QueryError` for what the schema lacks.

    >>> schema = Schema({"types": {"Dot": {"attributes": {"size": {"type": "number"}}}}})
    >>> from callsheet.model.language.parser import parse
    >>> check(parse("Dot where size > 3"), schema).where.value
    3.0
    """
    return QueryChecker(schema, text).select(select)


def check_condition(condition: Condition, entity_type: str | EntityType, schema: Schema, text: str = "") -> Condition:
    """The condition on entities of a type, checked as `check` does."""
    return QueryChecker(schema, text).condition(condition, _typed(entity_type, schema))


def check_path(path: Path, entity_type: str | EntityType, schema: Schema, text: str = "") -> Chain:
    """For each step of the path, the entity type it starts from and the attribute it names.

    A foreign key gives its reference. The item of a mapping gives a pair of its own, after the mapping's.
    """
    return resolve(path, _typed(entity_type, schema), schema, text).chain


def check_natural(name: str, number: object) -> None:
    """Raise `QueryError` unless this is an integer from 0, of 64 bits, or None."""
    if number is not None and (not isinstance(number, int) or isinstance(number, bool) or number not in _INTEGERS):
        raise QueryError(f"{name} must be an integer from 0, not {shown(number)}")


def _typed(entity_type: str | EntityType, schema: Schema) -> EntityType:
    return schema.type(entity_type) if isinstance(entity_type, str) else entity_type


class QueryChecker:
    """One check: counts the values and the nesting of the whole query."""

    def __init__(self, schema: Schema, text: str) -> None:
        self._schema, self._text = schema, text
        self._literals = self._depth = 0

    # Selects

    def select(self, select: Select, inner: bool = False) -> Select:
        entity_type = self._entity_type(select.entity_type)
        check_natural("limit", select.limit)
        check_natural("offset", select.offset)
        if inner:
            projections: tuple[Path, ...] = (self._selected(select, entity_type),)
        else:
            paths = [meant for path in select.projections for meant in self._meant(path, entity_type)]
            projections = tuple(dict.fromkeys(self._projection(path, entity_type) for path in paths))
        return Select(
            entity_type.name,
            projections,
            None if select.where is None else self.condition(select.where, entity_type),
            self._orders(select.order, entity_type),
            select.limit,
            select.offset,
            None if select.top is None else self._top(select.top, entity_type),
            None if select.sample is None else self._sample(select.sample, entity_type),
        )

    def _orders(self, orders: tuple[Order, ...], entity_type: EntityType) -> tuple[Order, ...]:
        return tuple(Order(self.single(order.path, entity_type, "order by"), order.descending) for order in orders)

    def _top(self, top: Top, entity_type: EntityType) -> Top:
        check_natural("limit", top.number)
        if top.per is None and not top.by:
            raise QueryError("a top needs an order or a path", hint="like `limit 3 per parent by bid descending`")
        per = None if top.per is None else self.single(top.per, entity_type, "limit per")
        return Top(top.number, self._orders(top.by, entity_type), per)

    def _sample(self, sample: Sample, entity_type: EntityType) -> Sample:
        if sample.method not in SAMPLING:
            near = did_you_mean(sample.method, SAMPLING)
            raise QueryError(f"there is no method `{sample.method:.80}` of sampling{near}", hint=", ".join(SAMPLING))
        if (sample.number is None) == (sample.fraction is None):
            raise QueryError("a sample has either a number of entities or a fraction of them")
        check_natural("sample", sample.number)
        check_natural("the seed of a sample", sample.seed)
        fraction = sample.fraction
        if fraction is not None and (isinstance(fraction, bool) or not 0 <= fraction <= 1):
            raise QueryError(f"the fraction of a sample is a number from 0 to 1, not {shown(fraction)}")
        if (sample.per is None) == (sample.method == "stratified"):
            raise QueryError("a stratified sample needs a path, and only that has one", hint="sample 100 per status")
        per = None if sample.per is None else self.single(sample.per, entity_type, "sample per")
        return evolve(sample, per=per, fraction=None if fraction is None else float(fraction))

    def _entity_type(self, name: str) -> EntityType:
        found = self._schema.types.get(name)
        if found is None:
            hint = did_you_mean(name, self._schema.types).removeprefix("; ")
            raise QueryError(f"there is no entity type `{name:.80}`", self._text.find(name), hint, self._text)
        return found

    def _meant(self, path: Path, entity_type: EntityType) -> list[Path]:
        """The paths that one stands for; none for what only subtypes have, which is fetched when it is read."""
        if self._schema.leniency is None:
            return [path]
        path = without_row(path, entity_type, self._schema)
        found = ways(path, entity_type, self._schema)
        return [Path(way.steps, path.position) for way in found if way.start is entity_type] if found else [path]

    def _projection(self, path: Path, entity_type: EntityType) -> Path:
        way = resolve(path, entity_type, self._schema, self._text)
        if way.relation and way.steps[-1].cast:
            raise self.error(way, "a projection cannot end with a cast", "name an attribute: `parent[Shot].name`")
        steps = way.steps[:-1] if way.item else way.steps
        return Path(steps, path.position)

    def _selected(self, select: Select, entity_type: EntityType) -> Path:
        """What a sub-query selects: one value for each entity, its key where nothing is said."""
        if len(select.projections) > 1:
            hint = "like `id in (select task_id from Timelog)`"
            position = select.projections[1].position
            raise QueryError("a query in parentheses selects one attribute", position, hint, self._text)
        return self.single(select.projections[0] if select.projections else Path.of("id"), entity_type, "select")

    def single(self, path: Path, entity_type: EntityType, verb: str) -> Path:
        """A path to one scalar, as order, group and sub-queries need it."""
        path = next(iter(self._meant(path, entity_type)), path)
        way = self.valued(path, entity_type)
        if way.collections:
            name = path_text(path)
            raise self.error(way, f"cannot {verb} `{name}`: it leads through a collection, to many values")
        if way.attribute.data_type == "json":
            raise self.error(way, f"cannot {verb} `{path_text(path)}`: JSON data can be neither ordered nor compared")
        return Path(way.steps, path.position)

    # Conditions

    def condition(self, condition: Condition, entity_type: EntityType) -> Condition:
        while isinstance(condition, And | Or) and len(condition.conditions) == 1:
            condition = condition.conditions[0]
        if isinstance(condition, Comparison | Any_):
            meant = [] if self._schema.leniency is None else exact(condition, entity_type, self._schema)
            return self._any_of(meant, entity_type) if meant else self._leaf(condition, entity_type)
        if isinstance(condition, Not):
            self._enter()
            checked = Not(self._part(condition.condition, condition, entity_type))
            self._depth -= 1
            return checked
        if not condition.conditions:
            raise QueryError(f"an `{type(condition).__name__.lower()}` needs conditions")
        return type(condition)(tuple(self._part(part, condition, entity_type) for part in condition.conditions))

    def _leaf(self, condition: Comparison | Any_, entity_type: EntityType) -> Condition:
        if isinstance(condition, Any_):
            return self._member(condition, entity_type)
        return self._comparison(condition, entity_type)

    def _any_of(self, meant: list[Condition], entity_type: EntityType) -> Condition:
        """What a lenient condition may mean: whichever of it can be asked, or what is wrong with the last."""
        checked: list[Condition] = []
        wrong: QueryError | None = None
        for each in meant:
            depth = self._depth
            try:
                checked.append(self.condition(each, entity_type))
            except QueryError as error:
                wrong, self._depth = error, depth
        if not checked and wrong is not None:
            raise wrong
        return checked[0] if len(checked) == 1 else Or(tuple(checked))

    def _part(self, part: Condition, whole: And | Or | Not, entity_type: EntityType) -> Condition:
        deeper = in_parentheses(part, whole)
        self._enter(deeper)
        checked = self.condition(part, entity_type)
        self._depth -= deeper
        return checked

    def _enter(self, levels: int = 1) -> None:
        """Go deeper: as deep as the parser does, so that what passes here can be written and read again."""
        self._depth += levels
        if self._depth > NESTING:
            raise QueryError(f"the query is nested more than {NESTING} deep")

    def _member(self, condition: Any_, entity_type: EntityType) -> Condition:
        way = resolve(condition.path, entity_type, self._schema, self._text)
        item = item_condition(condition) if way.attribute.kind == "mapping" else None
        if item is not None:
            return self.condition(item, entity_type)
        if not way.relation:
            name, word = path_text(condition.path), condition.word
            raise self.error(way, f"`{name}` is no relation: `{word}` asks about other entities", f"like `{name} is …`")
        inner = None
        if condition.condition is not None:
            self._enter()
            inner = self.condition(condition.condition, way.target)
            self._depth -= 1
        word = "any" if way.attribute.kind == "collection" else "has"
        return Any_(Path(way.steps, condition.path.position), inner, word)

    def _comparison(self, comparison: Comparison, entity_type: EntityType) -> Condition:
        operator = comparison.operator
        if operator not in OPERATORS:
            near = did_you_mean(operator, OPERATORS)
            raise QueryError(f"there is no operator `{operator}`{near}", hint=f"one of {', '.join(OPERATORS)}")
        comparison = self._labelled(evolve(comparison, value=plain_operand(comparison.value)), entity_type)
        way = self.valued(comparison.path, entity_type)
        self._operator(comparison, way)
        return Comparison(Path(way.steps, comparison.path.position), operator, self._value(comparison, way))

    def _labelled(self, comparison: Comparison, entity_type: EntityType) -> Comparison:
        """A reference compared with text that is no UUID is compared by the label of what it refers to."""
        value = comparison.value
        texts = value if isinstance(value, tuple | list) and not isinstance(value, Identity) else (value,)
        words = [text for text in texts if isinstance(text, str)]
        keys = sum(_UUID.fullmatch(word) is not None for word in words)
        # None in a list is no label: what has no label, or refers to nothing.
        if not words or len(words) + sum(text is None for text in texts) < len(texts) or keys == len(words):
            return comparison
        way = resolve(comparison.path, entity_type, self._schema, self._text)
        if way.attribute.kind != "reference" or way.alias:
            return comparison
        if keys:
            name = path_text(comparison.path)
            hint = f"compare keys with `{name}.id`, labels with `{name}.{way.target.label}`"
            raise self.error(way, f"`{name}` is compared with keys and with labels in one list", hint)
        label = way.target.attributes.get(way.target.label)
        if label is None or label.kind != "scalar" or label.data_type not in ("string", "enum") or label.name == "id":
            return comparison
        return evolve(comparison, path=Path((*way.steps, Step(label.name)), comparison.path.position))

    def valued(self, path: Path, entity_type: EntityType) -> ResolvedPath:
        """The way to a scalar; a reference at its end goes on to the key."""
        way = resolve(path, entity_type, self._schema, self._text)
        name = path_text(path)
        if way.attribute.kind == "collection":
            hint = f"ask about its members: `{name} any (name is …)`; whether there are any: `{name} any ()`"
            raise self.error(way, f"`{name}` is a collection and has no value of its own", hint)
        if way.attribute.kind == "mapping" and not way.item:
            raise self.error(
                way, f"`{name}` is a mapping and has no value of its own", f"name an item: `{name}.colour`"
            )
        if way.attribute.kind != "reference":
            return way
        key = way.target.attributes.get("id")
        if key is None:
            parts = ", ".join(f"`{name}.{part}`" for part in way.target.key)
            raise self.error(way, f"a {way.target.name} has a key of several parts", f"compare each: {parts}")
        return evolve(way, steps=(*way.steps, Step("id")), chain=[*way.chain, (way.target, key)], bare=not way.alias)

    def _operator(self, comparison: Comparison, way: ResolvedPath) -> None:
        """Whether the operator suits the attribute."""
        operator, name = comparison.operator, path_text(comparison.path)
        family = FAMILIES[way.attribute.data_type]
        if way.attribute.data_type == "json":
            exactly = operator in ("=", "!=") and comparison.value is None
            if not exactly and self._schema.leniency is None:
                raise self.error(way, f"`{name}` is JSON data and can only be compared with None", f"`{name} is None`")
        elif operator[0] in "<>":
            if way.bare or family not in ORDERED:
                kind = "reference" if way.bare else way.attribute.data_type
                raise self.error(way, f"`{name}` is a {kind}, which has no order: `{operator}`", "use `is` or `in`")
        elif operator in ("like", "not_like") and (way.bare or family != "text"):
            kind = "reference" if way.bare else way.attribute.data_type
            hint = f"name an attribute of it: `{name}.name {operator} …`" if way.bare else "`like` compares strings"
            raise self.error(way, f"`{name}` is a {kind}: `{operator}` does not apply", hint)

    # Values

    def _value(self, comparison: Comparison, way: ResolvedPath) -> Literal | tuple[Literal, ...] | Select:
        operator, value, name = comparison.operator, comparison.value, path_text(comparison.path)
        if operator in ("in", "not_in"):
            if isinstance(value, Select):
                return self._inner(value, way, name)
            # An identity is a tuple, too, and is one value.
            if not isinstance(value, tuple | list) or isinstance(value, Identity):
                raise self.error(way, f"`{operator}` takes a list of values, not {shown(value)}", "or a query")
            return tuple([self._literal(item, operator, way) for item in value])
        if isinstance(value, Select | tuple | list) and not isinstance(value, Identity):
            raise self.error(way, f"`{operator}` compares `{name}` with one value", "use `in` for several")
        if value is None and operator not in ("=", "!="):
            raise self.error(way, f"`{operator}` needs a value, not None", f"write `{name} is None` or `is_not None`")
        return self._literal(value, operator, way)

    def _inner(self, select: Select, way: ResolvedPath, name: str) -> Select:
        self._enter()
        checked = self.select(select, inner=True)
        self._depth -= 1
        path = checked.projections[0]
        selected = check_path(path, checked.entity_type, self._schema)[-1][1]
        if FAMILIES[selected.data_type] != FAMILIES[way.attribute.data_type]:
            facts = f"`{name}` is a {way.attribute.data_type}, `{path_text(path)}` a {selected.data_type}"
            raise self.error(way, f"the query gives values that `{name}` never has: {facts}")
        return checked

    def _literal(self, value: object, operator: str, way: ResolvedPath) -> Literal:
        self._literals += 1
        if self._literals > LITERALS:
            raise QueryError(f"the query holds more than {LITERALS:,} values", hint="ask in several queries")
        owner, attribute = way.chain[-1]
        if self._schema.leniency is not None:
            value = lenient_value(attribute, value)
        try:
            return coerce(owner.name, attribute, value, operator)
        except QueryError as error:
            raise self.error(way, error.message, error.hint) from None

    def error(self, way: ResolvedPath, message: str, hint: str = "") -> QueryError:
        return QueryError(message, way.position, hint, self._text)
