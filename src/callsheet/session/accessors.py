"""``session.Task``: the verbs of one entity type. `TypeAccessor` blocks, `AsyncTypeAccessor` is awaited.

A name after the dot is an attribute of the type where it has one, and a verb otherwise: ``session.Task.name`` is the
expression ``types["Task"].name``. ``session.Task["first"]`` is an attribute whatever verbs there are.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from random import SystemRandom
from typing import TYPE_CHECKING, Any, Final, Generic, TypeAlias, TypeVar, cast

from attrs import evolve

from callsheet.core import aggregating, reading
from callsheet.core import ensure as ensuring
from callsheet.core.core import Core
from callsheet.core.name_search import name_of_type
from callsheet.core.paging import ReadProgress, every_page
from callsheet.core.verb import Awaiting, Blocking, Verb
from callsheet.entity.entity import E, Entity, type_name
from callsheet.entity.expressions import Expression
from callsheet.errors import MultipleResults, StateError, UnknownAttribute, UnknownType, UsageError
from callsheet.flow import Flow
from callsheet.model.query import Comparison, Condition, Order, Path, Sample, Select
from callsheet.model.scalar import shown
from callsheet.model.schema import EntityType, did_you_mean
from callsheet.session.results import AsyncQueryResult, QueryResult, QueryVerbs

__all__ = ["AsyncTypeAccessor", "Narrowing", "TypeAccessor", "age_order", "of_session"]

T = TypeVar("T")
_RANDOM: Final = SystemRandom()

#: What narrows: a condition, its text, or the object that stands under ``__query__`` in a query as JSON.
Narrowing: TypeAlias = Condition | str | Mapping[str, Any] | None


class AccessorVerbs(Generic[E]):
    """What both kinds have."""

    __slots__ = ("_core", "_type")
    _results: type[QueryVerbs[Any]]

    def __init__(self, core: Core, entity_type: str | type[Entity]) -> None:
        if not isinstance(entity_type, str) and not hasattr(entity_type, "__name__"):
            raise UsageError(f"an entity type is given by its name or its class, not by {shown(entity_type)}")
        self._core = core
        self._type = core.schema.type(type_name(entity_type))

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Expression: ...

    else:

        def __getattribute__(self, name: str) -> Any:
            if not name.startswith("_") and name != "run":
                entity_type = object.__getattribute__(self, "_type")
                if name in entity_type.attributes or name in entity_type.aliases:
                    return self[name]
            return object.__getattribute__(self, name)

        def __getattr__(self, name: str) -> Any:
            if name.startswith("_"):
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            names = [*self._type.names, *_verb_names(type(self))]
            raise UnknownAttribute(
                f"{self._type.name} has no attribute and no verb `{name}`{did_you_mean(name, names)}"
            )

    def __getitem__(self, name: str) -> Expression:
        """The attribute of this name, for conditions."""
        return Expression(self._core.schema, self._type.name, Path(()))[name]

    def __call__(self, data: Mapping[str, Any] | None = None, /, **values: Any) -> E:
        """A new entity, pending until the next commit: what `new` does."""
        return cast(E, self._core.create(self._type.name, {**(data or {}), **values}))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._type.name}>"

    @property
    def __name__(self) -> str:
        # So that the accessor stands for its type: ``session.query(session.Task)``.
        return self._type.name

    def __dir__(self) -> list[str]:
        return sorted({*_verb_names(type(self)), *filter(str.isidentifier, self._type.names)})

    def _ipython_key_completions_(self) -> list[str]:
        return sorted(self._type.names)

    @property
    def model(self) -> type[E]:
        """The class of the entities: ``isinstance(found, session.Task.model)``."""
        return cast(type[E], self._core.types[self._type.name])

    def new(self, data: Mapping[str, Any] | None = None, /, **values: Any) -> E:
        """A new entity of these values, pending until the next commit."""
        return AccessorVerbs.__call__(self, data, **values)

    @Verb
    def find(self: Any, key: Any) -> Flow[Any]:
        """The entity of a primary key, or None; for several keys a list in their order, None in place of the missing.

        Entities that the session has already cost no request; all others cost one together.
        """
        if key is None:
            raise UsageError(f"find needs a key of a {self._type.name}, not None")
        if not _is_several(self._type, key):
            return (yield from reading.get(self._core, self._type.name, key))
        return (yield from reading.get_each(self._core, self._type.name, list(key)))

    @Verb
    def find_by_name(self: Any, name: str) -> Flow[E | None]:
        """The entity of this name, or None; `MultipleResults` if there are several.

        A type without a ``name`` is searched by its label.
        """
        if not isinstance(name, str):
            raise UsageError(f"find_by_name needs a text, not {shown(name)}")
        attribute = name_of_type(self._type)
        if not name.strip():
            return None
        named = _narrowed(self).where(Comparison(Path.of(attribute), "=", name))
        found = yield from named._range(0, 2)
        if len(found) > 1:
            raise MultipleResults(f"several have this name: {named}; `where` gives all of them")
        return found[0] if found else None

    @Verb
    def one(self: Any, query: Narrowing = None, first: bool = False) -> Flow[E | None]:
        """The newest that fulfils the query, or None; the oldest with ``first``.

        ``session.query(…).one()`` is stricter: it raises unless there is exactly one.
        """
        found = yield from _by_age(self, 1, query, descending=not first)
        return found[0] if found else None

    @Verb
    def first(self: Any, number: int = 1, query: Narrowing = None) -> Flow[list[E]]:
        """The oldest ones, oldest first: by ``created_at`` where the type has it, then by key."""
        return cast("list[E]", (yield from _by_age(self, number, query, descending=False)))

    @Verb
    def last(self: Any, number: int = 1, query: Narrowing = None) -> Flow[list[E]]:
        """The newest ones, newest first: the exact reverse of `first`."""
        return cast("list[E]", (yield from _by_age(self, number, query, descending=True)))

    @Verb
    def all(self: Any) -> Flow[list[E]]:
        """All of them, ordered by key."""
        return cast("list[E]", (yield from _narrowed(self)._range(0, None)))

    @Verb
    def count(self: Any, query: Narrowing = None) -> Flow[int]:
        """How many fulfil the query."""
        rows = yield from aggregating.aggregate(self._core, _narrowed(self, query)._counting())
        return int(rows[0][0]) if rows else 0

    @Verb
    def exists(self: Any, query: Narrowing = None) -> Flow[bool]:
        """Whether any fulfils the query."""
        narrowed = _narrowed(self, query)
        select = evolve(narrowed._window(0, 1), projections=narrowed._id_only())
        return bool(len((yield from reading.page(self._core, select, 1, None))))

    @Verb
    def upsert(
        self: Any,
        data: Mapping[str, Any] | None = None,
        /,
        identifying_keys: Sequence[str] = (),
        commit: bool = False,
        **values: Any,
    ) -> Flow[E]:
        """The entity that has these values under the identifying keys, brought up to date, or a new one; see `ensure`.

        Without keys, the attributes that tell entities of the type apart (its unique ones) identify it if they are
        given, else all plain values.
        """
        given = {**(data or {}), **values}
        keys = identifying_keys or _unique_of(self._type, given)
        return cast(E, (yield from ensuring.ensure(self._core, self._type.name, given, keys, commit)))

    @Verb
    def random(self: Any, number: int = 1, query: Narrowing = None) -> Flow[list[E]]:
        """So many different ones chosen at random, in random order; all of them where there are fewer."""
        wanted = _natural("random", number)
        if not wanted:
            return []
        narrowed = _narrowed(self, query)
        if self._core.features.measures:
            # The server draws: as many rows as are wanted, by one request.
            sample = Sample(wanted, seed=_RANDOM.randrange(2**31))
            found: list[E] = yield from narrowed._with(sample=sample)._range(0, None)
        else:
            chosen = yield from _chosen(self._core, narrowed, wanted)
            each_of = yield from reading.get_each(self._core, self._type.name, chosen)
            found = [each for each in each_of if each is not None]
        _RANDOM.shuffle(found)
        return found


class TypeAccessor(Blocking, AccessorVerbs[E]):
    """The verbs of one entity type, in a session that blocks.

    >>> session.Task.last(10, query={"status": "Done"})  # doctest: +SKIP
    """

    __slots__ = ()
    _results = QueryResult

    def run(self, flow: Flow[T]) -> T:
        """Run a flow in the session."""
        return cast(Blocking, self._core).run(flow)

    def where(self, query: Narrowing = None, /, *conditions: Condition | str, **equals: Any) -> QueryResult[E]:
        """The query of those that fulfil all of this; nothing is sent until it is read."""
        return cast("QueryResult[E]", _narrowed(self, query, *conditions, **equals))

    def paginate(self, size: int = 100, query: Narrowing = None) -> Iterator[list[E]]:
        """Pages of at most ``size``, in the order of the keys; each is fetched when it is wanted."""
        narrowed, progress = _narrowed(self, query).pages_of(_size(size)), ReadProgress()
        while not progress.done:
            if page := self._core.run(narrowed._page(progress)):  # type: ignore[attr-defined]
                yield page


class AsyncTypeAccessor(Awaiting, AccessorVerbs[E]):
    """The verbs of one entity type, awaited.

    >>> await session.Task.last(10, query={"status": "Done"})  # doctest: +SKIP
    """

    __slots__ = ()
    _results = AsyncQueryResult

    async def run(self, flow: Flow[T]) -> T:
        """Run a flow in the session."""
        return await cast(Awaiting, self._core).run(flow)

    def where(self, query: Narrowing = None, /, *conditions: Condition | str, **equals: Any) -> AsyncQueryResult[E]:
        """The query of those that fulfil all of this; nothing is sent until it is read."""
        return cast("AsyncQueryResult[E]", _narrowed(self, query, *conditions, **equals))

    async def paginate(self, size: int = 100, query: Narrowing = None) -> AsyncIterator[list[E]]:
        """Pages of at most ``size``, in the order of the keys; each is fetched when it is wanted."""
        narrowed, progress = _narrowed(self, query).pages_of(_size(size)), ReadProgress()
        while not progress.done:
            if page := await self._core.run(narrowed._page(progress)):  # type: ignore[attr-defined]
                yield page


def of_session(core: Any, name: str) -> Any:
    """What ``session.Task`` is; `UnknownType` where the session has nothing of this name."""
    try:
        schema = core.schema
    except StateError as error:
        raise UnknownType(f"a session has no `{name}` before it knows its schema: {error}") from error
    if name in schema.types:
        return (AsyncTypeAccessor if core._awaits else TypeAccessor)(core, name)
    kind = type(core)
    if name in _verb_names(TypeAccessor):
        like = next(iter(schema.types), "Task")
        raise UnknownType(f"a session has no `{name}`, but its types have: `session.{like}.{name}`")
    own = [each for each in dir(kind) if not each.startswith("_")]
    raise UnknownType(f"a session has no type and no method `{name}`{did_you_mean(name, [*schema.types, *own])}")


def age_order(entity_type: EntityType, descending: bool) -> tuple[Order, ...]:
    """Oldest first, or newest first: by when they were created where the type says so, then by key."""
    created = [each.name for each in entity_type.attributes.values() if each.computed == "created_at"]
    if not created and "created_at" in entity_type.attributes:
        created = ["created_at"]
    paths = [*map(Path.of, created[:1]), *reading.key_paths(entity_type)]
    return tuple(Order(path, descending) for path in paths)


def _narrowed(accessor: Any, query: Narrowing = None, *conditions: Any, **equals: Any) -> Any:
    """The query of a type, narrowed."""
    found = accessor._results(accessor._core, Select(accessor._type.name))
    given = [each for each in (query, *conditions) if each is not None and each != {}]
    return found.where(*given, **equals) if given or equals else found


def _by_age(accessor: Any, number: int, query: Narrowing, descending: bool) -> Flow[list[Any]]:
    wanted = _natural("last" if descending else "first", number)
    if not wanted:
        return []
    ordered = _narrowed(accessor, query).order_by(*age_order(accessor._type, descending))
    return cast("list[Any]", (yield from ordered.limit(wanted)._range(0, None)))


def _chosen(core: Core, narrowed: Any, wanted: int) -> Flow[list[Any]]:
    """Keys of results, chosen at random."""
    select = evolve(narrowed.select_statement, projections=narrowed._id_only(), order=())

    def keys(page: Any) -> list[Any]:
        return [row[0] for records in page.records[: page.roots] for row in records.rows]

    pages = yield from every_page(core, select, core.features.rows, keys)
    found = [key for page in pages for key in page]
    return _RANDOM.sample(found, min(wanted, len(found)))


def _unique_of(entity_type: EntityType, given: Mapping[str, Any]) -> tuple[str, ...]:
    """The first unique attributes, or the first unique combination, of which all values are given."""
    for each in entity_type.attributes.values():
        if each.unique and given.get(each.name) is not None:
            return (each.name,)
    for names in entity_type.unique:
        if all(given.get(name) is not None for name in names):
            return tuple(names)
    return ()


def _is_several(entity_type: EntityType, key: Any) -> bool:
    if isinstance(key, str | bytes) or not isinstance(key, Iterable):
        return False
    return len(entity_type.key) == 1 or not isinstance(key, tuple)


def _natural(verb: str, number: Any) -> int:
    if isinstance(number, bool) or not isinstance(number, int) or number < 0:
        raise UsageError(f"{verb} takes a whole number from 0, not {shown(number)}")
    return number


def _size(size: Any) -> int:
    if not _natural("paginate", size):
        raise UsageError("a page has at least one entity")
    return int(size)


def _verb_names(kind: type) -> list[str]:
    return [name for name in dir(kind) if not name.startswith("_") and name != "run"]
