"""A query as JSON is read: the same `Select` that its text or its builder gives.

The form is described in ``docs/reference/query-language.md``. `JsonReader` keeps where each path was read, so that
also what the schema refuses afterwards is reported at its place: ``__query__.created_at.__time__.__dayz__``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from attrs import evolve, frozen

from callsheet.errors import QueryError
from callsheet.model.language.checking import check, check_condition
from callsheet.model.language.hints import NESTING
from callsheet.model.language.json_names import (
    COMPARISONS,
    LITERALS,
    OPTIONS,
    PAGE_SIZES,
    PARTS,
    PATTERNS,
    SAMPLE_PARTS,
    TOP,
    TOP_PARTS,
    VALUE_WORDS,
    is_word,
)
from callsheet.model.language.json_places import Place, is_entity, is_list, names, number, read, wrong
from callsheet.model.language.json_values import one, value_of
from callsheet.model.language.parser import parse_orders, parse_path
from callsheet.model.patterns import literal_pattern, wildcard_pattern
from callsheet.model.query import And, Any_, Comparison, Condition, Not, Or, Order, Path, Sample, Select, Step, Top
from callsheet.model.record import Identity
from callsheet.model.relative_time import RelativeTime
from callsheet.model.scalar import shown
from callsheet.model.schema import Schema, did_you_mean

__all__ = ["JsonQuery", "read_condition", "read_query"]

_PATTERNS: Final[dict[str, Callable[[str], str]]] = {
    "__contains__": lambda text: f"%{literal_pattern(text)}%",
    "__starts_with__": lambda text: f"{literal_pattern(text)}%",
    "__ends_with__": lambda text: f"%{literal_pattern(text)}",
    "__matches__": wildcard_pattern,
}
_COMPLEMENTS: Final = {"=": "!=", "in": "not_in", "like": "not_like", "!=": "=", "not_in": "in", "not_like": "like"}


@frozen
class JsonQuery:
    """What a query as JSON says. ``plain``: rows instead of entities are asked for."""

    select: Select
    page_size: int | None = None
    plain: bool = False


def read_query(data: Mapping[str, Any], schema: Schema | None = None) -> JsonQuery:
    """The query, checked by the schema if one is given; `QueryError` with the place of what is wrong.

    >>> read_query({"__model__": "Task", "__query__": {"status": {"__not__": "Done"}}}).select.where.operator
    '!='
    >>> read_query({"__model__": "Task", "__query__": {"bid": {"__gte__": 3}}})
    Traceback (most recent call last):
    callsheet.errors.QueryError: __query__.bid.__gte__: there is no such word; did you mean `__gt__` or ...
      hint: ...
    """
    reader = _JsonReader()
    found = reader.query(data)
    if schema is not None:
        with reader.placed(("__model__",)):
            found = evolve(found, select=check(found.select, schema))
    return found


def read_condition(data: Mapping[str, Any], entity_type: str, schema: Schema) -> Condition:
    """The condition of what stands under ``__query__``, on entities of a type."""
    reader = _JsonReader()
    with reader.placed(()):
        found = reader.condition(data, ())
        if found is None:
            raise QueryError("there is no condition in this object")
        return check_condition(found, entity_type, schema)


class _JsonReader:
    """One query: how deep it is, and where each of its paths was read."""

    def __init__(self) -> None:
        self._places: list[Place] = []
        self._depth = 0

    # -- places ------------------------------------------------------------------------------------------

    @contextmanager
    def placed(self, otherwise: Place) -> Iterator[None]:
        """Errors of the schema's check get the place of the path that they are about."""
        try:
            yield
        except QueryError as error:
            if error.text or error.place:
                raise
            known = 0 <= error.position < len(self._places)
            place = self._places[error.position] if known else otherwise
            raise wrong(place, error.message, error.hint) from None

    @contextmanager
    def _deeper(self, place: Place) -> Iterator[None]:
        self._depth += 1
        if self._depth > NESTING:
            raise wrong(place[:4], f"the query is nested more than {NESTING} deep")
        yield
        self._depth -= 1

    # -- the whole ---------------------------------------------------------------------------------------

    def query(self, data: Any, place: Place = (), inner: bool = False) -> JsonQuery:
        names(data, TOP, place)
        model = data.get("__model__")
        if not isinstance(model, str):
            problem = "a query names its type" if model is None else f"a type is named by a text, not {shown(model)}"
            raise wrong((*place, "__model__"), problem, 'like {"__model__": "Item"}')
        if not isinstance(data.get("__description__", ""), str):
            raise wrong((*place, "__description__"), f"a description is a text, not {shown(data['__description__'])}")
        plain = data.get("__json__", False)
        if not isinstance(plain, bool):
            raise wrong((*place, "__json__"), f"takes true or false, not {shown(plain)}")
        if inner:
            for name in ("__json__", "__description__"):
                if name in data:
                    raise wrong((*place, name), "belongs to the whole query, not to one within it")
        if "__query__" in data and "query" in data:
            raise wrong((*place, "query"), "`query` is another spelling of `__query__`, which stands here too")
        word = "query" if "query" in data else "__query__"
        inside = data.get(word, {})
        rest = {}
        if isinstance(inside, Mapping):
            rest = {name: inside[name] for name in ("__options__", "__return__") if name in inside}
            inside = {name: value for name, value in inside.items() if name not in rest}
        for name in rest:
            if name in data:
                raise wrong((*place, word, name), f"`{name}` stands twice: here and beside `{word}`")
        where = self.condition(inside, (*place, word))
        options, options_place = data.get("__options__", {}), (*place, "__options__")
        if "__options__" in rest:
            options, options_place = rest["__options__"], (*place, word, "__options__")
        returned, return_place = data.get("__return__", []), (*place, "__return__")
        if "__return__" in rest:
            returned, return_place = rest["__return__"], (*place, word, "__return__")
        numbers, order = self._options(options, options_place)
        size = numbers.get("page_size", numbers.get("pageSize"))
        if inner and size is not None:
            raise wrong((*options_place, "page_size"), "belongs to the whole query, not to one within it")
        select = Select(
            model,
            tuple(self._returned(returned, return_place, ())),
            where,
            order,
            numbers.get("limit"),
            numbers.get("offset", 0),
            self._top(options["top"], (*options_place, "top")) if "top" in options else None,
            self._sample(options["sample"], (*options_place, "sample")) if "sample" in options else None,
        )
        return JsonQuery(select, size, plain)

    def _options(self, data: Any, place: Place) -> tuple[dict[str, int], tuple[Order, ...]]:
        names(data, OPTIONS, place)
        if "page_size" in data and "pageSize" in data:
            raise wrong((*place, "pageSize"), "`pageSize` is another spelling of `page_size`, which stands here too")
        others = ("order", "top", "sample")
        numbers = {name: number(value, (*place, name)) for name, value in data.items() if name not in others}
        for name in ("page_size", "pageSize"):
            if not 1 <= numbers.get(name, 1) <= PAGE_SIZES:
                raise wrong((*place, name), f"a page has from 1 to {PAGE_SIZES:,} rows")
        return numbers, self._orders(data.get("order", []), (*place, "order"))

    def _orders(self, given: Any, place: Place) -> tuple[Order, ...]:
        several = given if is_list(given) else [given]
        order: list[Order] = []
        for index, each in enumerate(several):
            where = (*place, index) if is_list(given) else place
            if not isinstance(each, str):
                raise wrong(where, f"an order is a text, not {shown(each)}", '"name", or "created_at descending"')
            order += (evolve(found, path=self._noted(found.path, where)) for found in read(parse_orders, each, where))
        return tuple(order)

    def _top(self, data: Any, place: Place) -> Top:
        names(data, TOP_PARTS, place)
        if "number" not in data:
            raise wrong(
                (*place, "number"), "a top says of how many", 'like {"number": 3, "by": "created_at descending"}'
            )
        by = self._orders(data.get("by", []), (*place, "by"))
        per = self._path(data.get("per"), (*place, "per"))
        if not by and per is None:
            raise wrong(place, "a top needs `by` or `per`", "a plain `limit` is without both")
        return Top(number(data["number"], (*place, "number")), by, per)

    def _sample(self, data: Any, place: Place) -> Sample:
        names(data, SAMPLE_PARTS, place)
        fraction = data.get("fraction")
        if ("number" in data) == ("fraction" in data):
            raise wrong(place, "a sample has a `number` or a `fraction`")
        if "fraction" in data and (isinstance(fraction, bool) or not isinstance(fraction, int | float)):
            raise wrong((*place, "fraction"), f"takes a number from 0 to 1, not {shown(fraction)}")
        method = data.get("method", "random")
        if not isinstance(method, str):
            raise wrong((*place, "method"), f"takes a text, not {shown(method)}")
        return Sample(
            number(data["number"], (*place, "number")) if "number" in data else None,
            None if fraction is None else float(fraction),
            method,
            number(data.get("seed", 0), (*place, "seed")),
            self._path(data.get("per"), (*place, "per")),
        )

    def _path(self, text: Any, place: Place) -> Path | None:
        return None if text is None else self._noted(read(parse_path, text, place), place)

    def _returned(self, data: Any, place: Place, before: tuple[Step, ...]) -> Iterable[Path]:
        """The projections of names, lists of them, and objects of relations with what is wanted of each."""
        if isinstance(data, str):
            yield self._noted(Path((*before, *read(parse_path, data, place).steps)), place)
        elif is_list(data):
            for index, each in enumerate(data):
                yield from self._returned(each, (*place, index), before)
        elif isinstance(data, Mapping):
            with self._deeper(place):
                for name, inside in data.items():
                    steps = (*before, *read(parse_path, name, (*place, name)).steps)
                    found = list(self._returned(inside, (*place, name), steps))
                    yield from found or [self._noted(Path(steps), (*place, name))]
        else:
            raise wrong(place, f"projections are texts, not {shown(data)}", 'like ["name", "sample.name"]')

    # -- conditions --------------------------------------------------------------------------------------

    def condition(self, data: Any, place: Place) -> Condition | None:
        """The condition of a query object; None for an empty one."""
        if not isinstance(data, Mapping):
            raise wrong(place, f"conditions stand in an object, not {shown(data)}", 'like {"name": "P12"}')
        with self._deeper(place):
            terms: list[Condition] = []
            for key, value in data.items():
                here = (*place, f"{key!s:.80}")
                if not isinstance(key, str):
                    raise wrong(here, "the names of attributes are texts")
                if is_word(key):
                    terms.append(self._joined(key, value, here))
                else:
                    terms += self._terms(self._noted(read(parse_path, key, here), here), value, here)
        return _all(terms)

    def _joined(self, word: str, value: Any, place: Place) -> Condition:
        if word in ("__options__", "__return__"):
            cure = "to limit what a relation leads to, compare its id with `__in__` and a query of its own"
            raise wrong(place, "belongs to the whole query, not to a part of it", cure)
        if word not in PARTS:
            raise wrong(place, f"there is no such word{did_you_mean(word, PARTS)}", f"one of {', '.join(PARTS)}")
        if word == "__not__":
            return Not(self._some(value, place))
        if not is_list(value) or not value:
            raise wrong(place, "takes a list of objects, each with conditions", 'like [{"name": "a"}, {"name": "b"}]')
        parts = tuple(self._some(each, (*place, index)) for index, each in enumerate(value))
        if len(parts) == 1:
            return parts[0]
        return And(parts) if word == "__and__" else Or(parts)

    def _some(self, value: Any, place: Place) -> Condition:
        found = self.condition(value, place)
        if found is None:
            raise wrong(place, "there is no condition in this object")
        return found

    def _terms(self, path: Path, value: Any, place: Place) -> list[Condition]:
        """The conditions on one attribute."""
        if not isinstance(value, Mapping) or is_entity(value):
            return [_equal(path, value_of(value, place))]
        if not value:
            raise wrong(place, "there is no condition in this object", 'like {"__not__": "deleted"}')
        literal = [word for word in value if word in LITERALS]
        if literal:
            found = value_of(value, place)
            return [_within(path, found, place) if isinstance(found, RelativeTime) else _equal(path, found)]
        return [term for word, operand in value.items() for term in self._term(path, word, operand, (*place, word))]

    def _term(self, path: Path, word: Any, operand: Any, place: Place) -> list[Condition]:
        if word in ("__query__", "query", "__any__", "__has__"):
            return [Any_(path, self.condition(operand, place), "has" if word == "__has__" else "any")]
        if word in COMPARISONS:
            return [self._comparison(path, COMPARISONS[word], operand, place)]
        if word in PATTERNS:
            if not isinstance(operand, str):
                raise wrong(place, f"takes a text, not {shown(operand)}")
            return [Comparison(path, "like", read(_PATTERNS[word], operand, place))]
        if word == "__not__":
            with self._deeper(place):
                return [_complement(self._terms(path, operand, place))]
        if word == "__between__":
            if not is_list(operand) or len(operand) != 2:
                raise wrong(place, "takes a list of two values, the least and the greatest")
            low, high = (one(each, (*place, index)) for index, each in enumerate(operand))
            return [Comparison(path, ">=", low), Comparison(path, "<=", high)]
        if word == "__is_null__":
            if not isinstance(operand, bool):
                raise wrong(place, f"takes true or false, not {shown(operand)}")
            return [Comparison(path, "=" if operand else "!=", None)]
        if isinstance(word, str) and not is_word(word):
            shape = '{"__query__": {…}}'
            raise wrong(place, f"`{word:.80}` is no word of a condition", f"conditions on a relation: {shape}")
        near = did_you_mean(word, VALUE_WORDS) if isinstance(word, str) else ""
        raise wrong(place, f"there is no such word{near}", f"one of {', '.join(VALUE_WORDS)}")

    def _comparison(self, path: Path, operator: str, operand: Any, place: Place) -> Condition:
        if operator not in ("in", "not_in"):
            return _compared(path, operator, one(operand, place))
        if isinstance(operand, Mapping) and "__model__" in operand:
            with self._deeper(place):
                select = self.query(operand, place, inner=True).select
            if len(select.projections) > 1:
                raise wrong((*place, "__return__"), "a query within a query returns one attribute")
            return Comparison(path, operator, select)
        if not is_list(operand):
            cure = 'like ["a", "b"], or {"__model__": "Item", "__query__": {…}}'
            raise wrong(place, f"takes a list of values, or a query, not {shown(operand)}", cure)
        return _compared(path, operator, tuple(one(each, (*place, i)) for i, each in enumerate(operand)))

    def _noted(self, path: Path, place: Place) -> Path:
        self._places.append(place)
        return Path(path.steps, len(self._places) - 1)


# -- what needs no place in the query ------------------------------------------------------------------------


def _within(path: Path, time: RelativeTime, place: Place) -> Condition:
    """A time alone: since then if it is past, until then if it is to come."""
    if not time.direction:
        raise wrong(place, "it is not plain whether this time is past or to come", 'say {"__ge__": {"__time__": …}}')
    return Comparison(path, ">=" if time.direction < 0 else "<=", time)


def _equal(path: Path, value: Any) -> Condition:
    return _compared(path, "in" if isinstance(value, tuple) and not isinstance(value, Identity) else "=", value)


def _compared(path: Path, operator: str, value: Any) -> Condition:
    """A comparison; entities, which a Python caller may give, are compared by their keys."""
    first = value[0] if isinstance(value, tuple) and value else value
    if is_entity(first):
        path = Path((*path.steps, Step("id")), path.position)
    plain = tuple(map(_plain, value)) if operator in ("in", "not_in") else _plain(value)
    return Comparison(path, operator, plain)


def _plain(value: Any) -> Any:
    return value.identity.key if is_entity(value) else value


def _complement(terms: list[Condition]) -> Condition:
    found = _all(terms)
    assert found is not None
    if isinstance(found, Comparison) and found.operator in _COMPLEMENTS:
        return evolve(found, operator=_COMPLEMENTS[found.operator])
    return Not(found)


def _all(terms: Sequence[Condition]) -> Condition | None:
    if len(terms) < 2:
        return terms[0] if terms else None
    return And(tuple(terms))
