"""``session.browse("Sample")``: many entities of one type at once. `Browser` blocks, `AsyncBrowser` is awaited.

A browser has no cache and no identity map of its own: its entities are the session's. So it reads like the session, and
an offset, a refresh or a pending change means the same in both.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Generic, Self, TypeAlias, TypeVar, cast

from callsheet.core import aggregating, name_search
from callsheet.core.core import Core
from callsheet.core.plain.fetching import fetch_tree, related
from callsheet.core.plain.trees import Tree, tree_of, wrong_names
from callsheet.core.verb import Awaiting, Blocking, Verb
from callsheet.entity.entity import E, Entity
from callsheet.errors import SchemaError, StateError, UsageError
from callsheet.flow import Flow
from callsheet.later import Later
from callsheet.model.query import Condition
from callsheet.model.record import Identity
from callsheet.model.scalar import shown
from callsheet.session.query import Query, from_text
from callsheet.session.results import AsyncQueryResult, PlainVerbs, QueryResult, QueryVerbs

if TYPE_CHECKING:
    from callsheet.analytics import networks
    from callsheet.analytics.networks import RelationNetwork
    from callsheet.export import tables
    from callsheet.session import moving
else:
    networks = Later("callsheet.analytics.networks")
    tables = Later("callsheet.export.tables")
    moving = Later("callsheet.session.moving")

__all__ = ["AsyncBrowser", "Browser", "browser_of"]

T = TypeVar("T")
B = TypeVar("B", bound="BrowserVerbs[Any]")

#: Entities that a verb is for: one, several, or those of a query; None stands for all of the browser.
Browsed: TypeAlias = Entity | Iterable[Entity] | Query[Any] | None


class BrowserVerbs(Generic[E]):
    """What both kinds have."""

    def __init__(self, query: QueryVerbs[E], held: dict[Identity, Any] | None = None) -> None:
        self._core: Core = query._core
        self._query = query
        self._held = {} if held is None else held

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {str(self._query)!r:.200}>"

    def where(self, *conditions: Condition | str | Mapping[str, Any], **equals: Any) -> Self:
        """A browser of those that fulfil all of this too; it takes what `QueryResult.where` takes."""
        return type(self)(self._query.where(*conditions, **equals), self._held)

    @Verb
    def all(self: Any) -> Flow[list[E]]:
        """All entities of the browser, as a list."""
        return cast("Flow[list[E]]", self._query._range(0, None))

    @Verb
    def count(self: Any) -> Flow[int]:
        """How many entities the browser has, by one request that fetches none of them."""
        rows = yield from aggregating.aggregate(self._core, self._query._counting())
        return int(self._query._clip(int(rows[0][0]) if rows else 0))

    @Verb
    def get(self: Any, entities: Browsed = None, relations: Any = ()) -> Flow[Any]:
        """Load what relations of many entities lead to, all together, and give it: by dotted path, each entity once.

        ``relations`` is nested as deep as is needed: ``{"sample_type": {"field_types": []}}``, or a list of dotted
        paths. A single text gives the list of what its path leads to. After it, reading these relations and the plain
        values behind them sends nothing, also where they lead to nothing. It takes a request for each concrete type of
        the entities, and one for each type below those that relations lead to; in bounded parts.

        >>> samples = session.Sample.last(40)  # doctest: +SKIP
        >>> session.browse("Sample").get(samples, {"sample_type": {"field_types": []}})  # doctest: +SKIP
        {'sample_type': [...], 'sample_type.field_types': [...]}
        """
        tree = tree_of(relations)
        chosen = yield from _chosen(self, entities)
        types = {each._name: each._type for each in chosen} or {"": self._type}
        problems = [
            text
            for kind in types.values()
            for text in wrong_names(tree, kind, self._core.schema, "get", relations=True)
        ]
        if problems:
            raise SchemaError("; ".join(dict.fromkeys(problems)))
        yield from fetch_tree(self._core, chosen, tree)
        found: dict[str, list[Any]] = {}
        _collect(chosen, tree, "", found)
        if isinstance(relations, str) and tree:
            return found[".".join(name.strip() for name in relations.split("."))]
        return found

    @Verb
    def search(
        self: Any, pattern: str | re.Pattern[str], attribute: str | None = None, ignore_case: bool = True
    ) -> Flow[list[E]]:
        """The entities in whose name the regular expression is found, in the order of the query.

        It is Python's `re.search`, done here: the names are fetched as one column, in pages of bounded size, and the
        entities that match are fetched after that. So its cost is that of reading a column of all entities of the
        browser; narrow it by `where`. The names are those on the server, without what is pending. ``attribute`` is
        another text to search in (``"description"``, ``"sample_type.name"``). A compiled pattern has its own flags.

        >>> session.browse("Sample").where(project="p53").search(r"^P\\d+$")  # doctest: +SKIP
        """
        return name_search.search(self._core, self._query.select_statement, pattern, attribute, ignore_case)

    @Verb
    def close_matches(
        self: Any,
        name: str,
        number: int = 5,
        cutoff: float = 0.6,
        attribute: str | None = None,
        ignore_case: bool = True,
    ) -> Flow[list[E]]:
        """The entities whose names are most like this one, the most alike first, as `difflib` counts it.

        At most ``number``, none less alike than ``cutoff`` (from 0 to 1, where 1 is equal). Names are fetched as by
        `search`.

        >>> session.browse("Sample").close_matches("pGPF")  # doctest: +SKIP
        [<Sample 'pGFP' ...>]
        """
        select = self._query.select_statement
        return name_search.close_matches(self._core, select, name, number, cutoff, attribute, ignore_case)

    def update_cache(self, entities: Entity | Iterable[Entity], recursive: bool = True) -> dict[str, list[Any]]:
        """Add entities to what this session knows, and give them as its own, by type; nothing is sent.

        With ``recursive`` those too that their loaded relations lead to. They may be of another session on the same
        server, such as one of `with_cache`: what the server said of them is copied, what is pending is not (so new ones
        are left out), and values that are loaded or changed here stay: `Session.refresh` fetches them again. The
        session has them at hand as long as the browser exists.
        """
        given = [entities] if isinstance(entities, Entity) else list(_iterable(entities))
        found = _copied(self._core, _closure(given) if recursive else given)
        by_type: dict[str, list[Any]] = {}
        for each in found:
            self._held[each.identity] = each
            by_type.setdefault(each._name, []).append(each)
        return by_type

    @Verb
    def network(
        self: Any, entities: Browsed = None, relations: Iterable[str] = (), depth: int | None = None, most: int = 10_000
    ) -> Flow[RelationNetwork]:
        """The network of what entities are related to, by the relations of these names, on any type that has them.

        Each level is fetched together, ``depth`` levels or until nothing new is found; `UsageError` for more than
        ``most`` entities. Its ``graph`` is one of networkx, and ``draw("network.png")`` its picture (extra ``graph``).

        >>> network = session.browse("Sample").network(relations=["parents", "sample_type"])  # doctest: +SKIP
        """
        chosen = yield from _chosen(self, entities)
        return (yield from networks.network_of(self._core, chosen, relations, depth, most))

    @Verb
    def to_dataframe(self: Any, *projections: str) -> Flow[Any]:
        """All entities of the browser as a ``pandas.DataFrame``, with the types of the schema.

        Without projections its columns are the key, the values and the references; with some, these paths
        (``"name"``, ``"sample_type.name"``). It is `QueryResult.to_pandas`: no entity is made.
        """
        return tables.to_pandas(self._query.select(*projections) if projections else self._query)

    @property
    def _type(self) -> Any:
        return self._core.schema.types[self._query.select_statement.entity_type]


class Browser(Blocking, BrowserVerbs[E]):
    """Many entities of one type at once, in a session that blocks.

    >>> session.browse("Sample").where(project="p53").search("^P[0-9]+$")  # doctest: +SKIP
    """

    def run(self, flow: Flow[T]) -> T:
        """Run a flow in the session."""
        return cast(Blocking, self._core).run(flow)

    @property
    def query(self) -> QueryResult[E]:
        """The query whose results the browser is about; everything else that can be done with it, is done there."""
        return cast("QueryResult[E]", self._query)


class AsyncBrowser(Awaiting, BrowserVerbs[E]):
    """Many entities of one type at once, awaited.

    >>> await session.browse("Sample").where(project="p53").search("^P[0-9]+$")  # doctest: +SKIP
    """

    async def run(self, flow: Flow[T]) -> T:
        """Run a flow in the session."""
        return await cast(Awaiting, self._core).run(flow)

    @property
    def query(self) -> AsyncQueryResult[E]:
        """The query whose results the browser is about; everything else that can be done with it, is done there."""
        return cast("AsyncQueryResult[E]", self._query)


def browser_of(kind: type[B], results: type[QueryVerbs[Any]], core: Core, given: Any) -> B:
    """The browser of a type (its name or class), of the text of a query, or of a query."""
    core._check_open()
    if not isinstance(given, Query):
        if not isinstance(given, str) and not hasattr(given, "__name__"):
            raise UsageError(f"browse takes a type, its name, or a query, not {shown(given)}")
        return kind(from_text(results, core, given, None))
    if given._core is not core:
        raise StateError("this query belongs to another session; browse it there")
    if isinstance(given, PlainVerbs) or not isinstance(given, QueryVerbs):
        raise UsageError("this query gives plain rows; browse one that gives entities")
    return kind(given)


def _chosen(browser: Any, entities: Browsed) -> Flow[list[Any]]:
    """The entities that are meant, each once."""
    if entities is None:
        entities = browser._query
    if isinstance(entities, Query):
        if entities._core is not browser._core:
            raise StateError("this query belongs to another session; browse it there")
        found = yield from entities._range(0, None)  # type: ignore[attr-defined]
    else:
        found = browser._core._check_entities(_iterable(entities) if not isinstance(entities, Entity) else entities)
    return list({id(each): each for each in found}.values())


def _iterable(entities: Any) -> Iterable[Any]:
    if isinstance(entities, str | bytes | Mapping) or not isinstance(entities, Iterable):
        raise UsageError(f"this takes entities, not {shown(entities)}")
    return entities


def _collect(entities: Iterable[Any], tree: Tree, path: str, found: dict[str, list[Any]]) -> None:
    """What the relations of a tree lead to, each entity once, under its path."""
    for name, below in tree.items():
        reached = {id(other): other for each in entities for other in related(each, name)}
        found[path + name] = list(reached.values())
        _collect(reached.values(), below, f"{path}{name}.", found)


def _closure(entities: Iterable[Any]) -> list[Any]:
    """The entities, and those that loaded relations lead to, on and on."""
    found: dict[int, Any] = {}
    pending = list(entities)
    while pending:
        each = pending.pop()
        if not isinstance(each, Entity) or id(each) not in found:
            found[id(each)] = each
            if isinstance(each, Entity) and each.state != "detached":
                relations = [name for name, attribute in each._type.attributes.items() if attribute.target is not None]
                pending += [other for name in relations for other in related(each, name)]
    return list(found.values())


def _copied(core: Core, entities: Iterable[Any]) -> list[Any]:
    """The entities as those of this session."""
    found: list[Any] = []
    others: list[Any] = []
    for each in entities:
        if not isinstance(each, Entity):
            raise UsageError(f"this takes entities, not {shown(each)}")
        if each.state == "detached":
            raise each._gone()
        (found if cast(Any, each._core) is core else others).append(each)
    for each in others:
        moving.check_schemas(cast(Core, each._core), core)
        if not moving.are_on_one_server(cast(Core, each._core), core):
            raise UsageError(f"{each!r} is of another server than this session")
    return found + moving.copy_known(others, core)
