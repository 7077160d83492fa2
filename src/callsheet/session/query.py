"""A query is built step by step; the two results that run it are in ``results.py``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Generic, TypeAlias, TypeVar

from attrs import evolve

from callsheet.core import cached
from callsheet.core.core import Core
from callsheet.entity.entity import E, Entity, type_name
from callsheet.entity.expressions import Expression, compare
from callsheet.entity.peers import Peers
from callsheet.errors import QueryError, UsageError
from callsheet.model.language.checking import check
from callsheet.model.language.json_query import read_condition, read_query
from callsheet.model.language.json_text import select_json
from callsheet.model.language.parser import parse, parse_condition, parse_path
from callsheet.model.language.text import select_text
from callsheet.model.measure import Aggregate
from callsheet.model.query import And, Any_, Comparison, Condition, Not, Or, Order, Path, Sample, Select, Top

__all__ = ["Query"]

Q = TypeVar("Q", bound="Query[Any]")
Orders: TypeAlias = Order | Expression | str | Iterable[Order | Expression | str]


class Query(Generic[E]):
    """An immutable query; every step returns a new one.

    ``E`` is the class of its results: `Entity` if only the name of the type is known.

    >>> query = session.query("Task").where(status="Done").order_by("name").limit(10)  # doctest: +SKIP
    """

    def __init__(
        self, core: Core, select: Select, page_size: int | None = None, text: str = "", use_cache: bool = False
    ) -> None:
        self._core = core
        self._page_size = page_size or core.page_size
        self._use_cache = use_cache
        self.select_statement = check(select, core.schema, text)
        if (select.top or select.sample) and not core.features.measures:
            raise UsageError("this server draws no samples, and has no limit for each value: limit what you have read")
        self._peers = Peers(core.schema.types[select.entity_type].root)
        self._rows: list[E] | None = None

    def __repr__(self) -> str:
        from callsheet.display import printable

        return f"<{type(self).__name__} {printable(str(self), lines=False)}>"

    def _repr_html_(self) -> str:
        """The query, and its results if they are kept; nothing is fetched to be shown."""
        from callsheet.display import html_text
        from callsheet.entity.showing import members_html

        if self._rows is None:
            return f"<p><code>{html_text(str(self), 1_000)}</code> (not fetched)</p>"
        return members_html(str(self), list(self._rows))

    def __str__(self) -> str:
        """The query as text."""
        return select_text(self.select_statement)

    def where(self: Q, *conditions: Condition | str | Mapping[str, Any], **equals: Any) -> Q:
        """Add conditions, all of which must hold.

        Conditions are texts (``'name like "a%"'``), expressions (``Task.due_date < today``), or mappings as they stand
        under ``__query__`` in a query as JSON. A keyword compares an attribute; a list means any of its values; an
        entity is compared by its key.
        """
        terms = [self.select_statement.where] if self.select_statement.where is not None else []
        for condition in conditions:
            if isinstance(condition, str):
                terms.append(parse_condition(condition, self._core.operators))
            elif isinstance(condition, Mapping):
                terms.append(read_condition(condition, self.select_statement.entity_type, self._core.schema))
            else:
                terms.append(_condition(condition))
        for name, value in equals.items():
            terms.append(_equal(parse_path(name), value))
        return self._with(where=terms[0] if len(terms) == 1 else And(tuple(terms)) if terms else None)

    def to_json(self) -> dict[str, Any]:
        """The query as JSON, which `Session.query` takes: the same query, for configurations and other programs."""
        return select_json(self.select_statement)

    def order_by(self: Q, *orders: Order | Expression | str) -> Q:
        """Order by these, the first one first; texts may end in ``descending``."""
        return self._with(order=(*self.select_statement.order, *(_order(order) for order in orders)))

    def limit(
        self: Q,
        count: int | None,
        *,
        by: Orders | None = None,
        per: str | Expression | None = None,
    ) -> Q:
        """Return at most ``count`` results; with ``per``, at most so many for each value at a path.

        ``by`` is the order in which they are counted: ``limit(3, by="bid descending", per="parent")`` keeps the three
        largest bids of each parent. It is not the order of the results.
        """
        if by is None and per is None:
            return self._with(limit=_natural("limit", count))
        number = _natural("limit", count)
        if number is None:
            return self._with(top=None)
        return self._with(top=Top(number, _orders(by), None if per is None else next(iter(_paths(per)))))

    def sample(
        self: Q,
        size: int | None = None,
        *,
        fraction: float | None = None,
        method: str = "",
        per: str | Expression | None = None,
        seed: int = 0,
    ) -> Q:
        """Keep some of the results: ``size`` of them, or a ``fraction`` from 0 to 1.

        ``random`` draws the same entities for the same ``seed``; ``first`` takes the first ones in the query's order;
        ``stratified`` gives each value at ``per`` its share. The server draws; the condition and `limit` with ``per``
        or ``by`` apply before, order, limit and offset after.
        """
        path = None if per is None else next(iter(_paths(per)))
        method = method or ("random" if path is None else "stratified")
        return self._with(sample=Sample(_natural("sample", size), fraction, method, seed, path))

    def offset(self: Q, count: int) -> Q:
        """Skip the first ``count`` results."""
        return self._with(offset=_natural("offset", count) or 0)

    def select(self: Q, *projections: str | Expression) -> Q:
        """Load these attributes too; dotted paths go through relations (``"status.name"``)."""
        paths = [path for projection in projections for path in _paths(projection)]
        return self._with(projections=(*self.select_statement.projections, *paths))

    def pages_of(self: Q, size: int) -> Q:
        """Set the page size."""
        return type(self)(self._core, self.select_statement, size, use_cache=self._use_cache)

    def _with(self: Q, **changes: Any) -> Q:
        select = evolve(self.select_statement, **changes)
        return type(self)(self._core, select, self._page_size, use_cache=self._use_cache)

    def _named_keys(self) -> tuple[Any, ...] | None:
        """The keys that name its entities, if what is here may be used and the query says nothing else of them."""
        if not self._use_cache:
            return None
        return cached.named_keys(self.select_statement, self._core.schema.types[self.select_statement.entity_type])

    def _counting(self) -> Aggregate:
        select = self.select_statement
        order = select.order if select.sample and select.sample.method == "first" else ()
        return Aggregate(evolve(select, projections=(), order=order, limit=None, offset=0))

    def _id_only(self) -> tuple[Path, ...]:
        """The smallest projection: the key."""
        return (Path.of(self._core.schema.types[self.select_statement.entity_type].key[0]),)

    def _clip(self, total: int) -> int:
        """How many of ``total`` results the query's own limit and offset leave."""
        rest = max(0, total - self.select_statement.offset)
        limit = self.select_statement.limit
        return rest if limit is None else min(rest, limit)

    def _window(self, start: int, stop: int | None) -> Select:
        """The part of the query's results from ``start`` to ``stop``."""
        if start < 0 or (stop is not None and stop < 0):
            raise UsageError("a query counts from its start; a negative index needs `all()` first")
        rest = None if self.select_statement.limit is None else max(0, self.select_statement.limit - start)
        count = rest if stop is None else max(0, stop - start) if rest is None else min(rest, max(0, stop - start))
        return evolve(self.select_statement, offset=self.select_statement.offset + start, limit=count)

    def _next_select(self) -> Select:
        """The query, with the paths that were loaded lazily from its earlier pages."""
        select = self.select_statement
        if not self._peers.learned:
            return select
        projections = select.projections or _plain(self._core, select.entity_type)
        for text in self._peers.learned:
            try:
                checked = check(Select(select.entity_type, (parse_path(text),)), self._core.schema)
            except QueryError:
                # An attribute that only some of the types have cannot be selected for all of them.
                continue
            projections = (*projections, *(path for path in checked.projections if path not in projections))
        return evolve(select, projections=projections)


def _plain(core: Core, type_name: str) -> tuple[Path, ...]:
    attributes = core.schema.types[type_name].attributes.values()
    return tuple(Path.of(a.name) for a in attributes if a.kind != "collection" and a.name != "id")


def _condition(given: Any) -> Condition:
    if isinstance(given, Comparison | Any_ | And | Or | Not):
        return given
    raise UsageError(f"where takes conditions and texts, not {type(given).__name__}: {given!r:.80}")


def _equal(path: Path, value: Any) -> Condition:
    if isinstance(value, list | tuple | set | frozenset) or hasattr(value, "select_statement"):
        from callsheet.entity.expressions import listed

        return listed(path, "in", value)
    return compare(path, "=", value)


def _order(given: Any) -> Order:
    if isinstance(given, Order):
        return given
    if isinstance(given, Expression):
        return Order(object.__getattribute__(given, "_path"))
    words = str(given).split()
    direction = words.pop().lower() if len(words) > 1 else "ascending"
    if direction not in ("asc", "ascending", "desc", "descending") or len(words) != 1:
        raise QueryError(f"`{given}` is not an order", hint='write "name", or "name descending"')
    return Order(parse_path(words[0]), direction.startswith("desc"))


def _orders(given: Orders | None) -> tuple[Order, ...]:
    if given is None:
        return ()
    if isinstance(given, str | Order | Expression):
        given = given.split(",") if isinstance(given, str) else [given]
    return tuple(_order(each) for each in given)


def _paths(given: str | Expression) -> Iterable[Path]:
    if isinstance(given, Expression):
        return [object.__getattribute__(given, "_path")]
    return [parse_path(text.strip()) for text in given.split(",") if text.strip()]


def _natural(name: str, count: int | None) -> int | None:
    if count is not None and (not isinstance(count, int) or isinstance(count, bool) or count < 0):
        raise UsageError(f"{name} is a whole number from 0, not {count!r}")
    return count


def from_text(cls: type[Q], core: Core, text: str | type[Entity], page_size: int | None, use_cache: bool = False) -> Q:
    """A query from its text, or from the name or class of a type."""
    text = type_name(text)
    return cls(core, parse(text, operators=core.operators), page_size, text, use_cache)


def from_json(
    kinds: tuple[type[Q], type[Q]],
    core: Core,
    data: Mapping[str, Any],
    page_size: int | None,
    use_cache: bool = False,
) -> Q:
    """A query from JSON: of entities, or of plain rows if it asks for them (``__json__``)."""
    read = read_query(data, core.schema)
    return kinds[read.plain](core, read.select, page_size or read.page_size, use_cache=use_cache)
