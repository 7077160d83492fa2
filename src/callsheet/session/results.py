"""The results of a query: lazy, in pages. `QueryResult` blocks, `AsyncQueryResult` is awaited.

Both have the same verbs, each declared once as a flow. A result runs them by its core, which is a session.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterator
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

from attrs import evolve

from callsheet.core import aggregating, cached, reading
from callsheet.core.paging import ReadProgress, all_pages, every_page, next_page
from callsheet.core.rows import flat_records, json_records
from callsheet.core.verb import Awaiting, Blocking, Verb
from callsheet.entity.entity import E
from callsheet.flow import Flow, Overlap, Request, Work
from callsheet.later import Later
from callsheet.session.query import Query

if TYPE_CHECKING:
    from callsheet.export import files, tables
    from callsheet.session import grouping
    from callsheet.session.grouping import GroupOrdersGiven, HavingGiven, LevelsGiven, MeasureGiven, TotalsGiven
else:
    grouping = Later("callsheet.session.grouping")
    files = Later("callsheet.export.files")
    tables = Later("callsheet.export.tables")

__all__ = ["AsyncPlainResult", "AsyncQueryResult", "PlainResult", "QueryResult"]

T = TypeVar("T")


class QueryVerbs(Query[E]):
    """The verbs of a result that send requests."""

    @Verb
    def all(self) -> Flow[list[E]]:
        """All results, as a list."""
        return self._range(0, None)

    @Verb
    def first(self) -> Flow[E | None]:
        """The first result, or None."""
        found = yield from self._range(0, 1)
        return found[0] if found else None

    @Verb
    def one(self) -> Flow[E]:
        """The only result; raises `NoResult` or `MultipleResults` otherwise."""
        found = yield from self._range(0, 2)
        return cast(E, reading.one(found, str(self)))

    @Verb
    def count(self) -> Flow[int]:
        """The number of results, by one request that fetches none of them."""
        rows = yield from aggregating.aggregate(self._core, self._counting())
        return self._clip(int(rows[0][0]) if rows else 0)

    @Verb
    def exists(self) -> Flow[bool]:
        """Whether there is any result."""
        select = evolve(self._window(0, 1), projections=self._id_only())
        return bool(len((yield from reading.page(self._core, select, 1, None))))

    @Verb
    def aggregate(
        self,
        *measures: MeasureGiven,
        group_by: LevelsGiven = (),
        having: HavingGiven = None,
        order_by: GroupOrdersGiven = (),
        limit: int | None = None,
        offset: int = 0,
        totals: TotalsGiven = False,
    ) -> Flow[list[dict[str, Any]]]:
        """Measures of the results, by group: ``aggregate("count", "sum(bid)", group_by=["month(due_date)"])``.

        A measure is a short text, one of `callsheet.measures`, or a mapping of names to such. ``group_by`` takes paths,
        ``"month(due_date)"``, and levels; each result is a dict of the levels' and the measures' names. ``having`` is a
        condition on measures (``"sum(bid) > 3"``, ``total("bid") > 3``); ``order_by`` takes levels and measures, and
        texts that may end in ``descending``. ``totals`` adds rows with `TOTAL` in place of a level's value: True for
        all prefixes of the levels, or a list of the levels that stay (``[[]]`` is the grand total).
        """
        question, names = grouping.aggregate(
            self._core, self.select_statement, measures, group_by, having, order_by, limit, offset, totals
        )
        rows = yield from aggregating.aggregate(self._core, question)
        return [dict(zip(names, row)) for row in rows]

    to_arrow = Verb(tables.to_arrow)
    to_pandas = Verb(tables.to_pandas)
    to_polars = Verb(tables.to_polars)
    to_csv = Verb(files.to_csv)
    to_excel = Verb(files.to_excel)
    to_jsonl = Verb(files.to_jsonl)
    to_parquet = Verb(files.to_parquet)
    export = Verb(files.export)

    def _range(self, start: int, stop: int | None) -> Flow[list[E]]:
        """The results from ``start`` to ``stop``."""
        if self._rows is not None:
            return self._rows[start:stop]
        if (keys := self._named_keys()) is not None:
            named: list[E] = yield from cached.keyed(self._core, self._window(start, stop), keys)
            return named
        part = self
        if start or stop is not None:
            part = type(self)(self._core, self._window(start, stop), self._page_size)
        return (yield from all_pages(self._core, part._next_select(), self._page_size, part._peers))

    def _page(self, progress: ReadProgress) -> Flow[list[E]]:
        """The entities of the next page."""
        if self._named_keys() is not None:
            progress.done = True
            return self._range(0, None)
        read = partial(reading.merge_page, self._core, peers=self._peers)
        return next_page(self._core, self._next_select(), self._page_size, progress, read)

    def _flat_page(self, progress: ReadProgress) -> Flow[list[dict[str, Any]]]:
        """The next page as plain dicts."""
        read = partial(flat_records, self._core, self.select_statement)
        return next_page(self._core, self.select_statement, self._page_size, progress, read)

    def _records(self) -> Flow[list[dict[str, Any]]]:
        """All results as plain dicts."""
        read = partial(flat_records, self._core, self.select_statement)
        pages = yield from every_page(self._core, self.select_statement, self._page_size, read)
        return list(chain.from_iterable(pages))


class PlainVerbs(QueryVerbs[Any]):
    """A result whose rows are plain data, as JSON has it."""

    def _range(self, start: int, stop: int | None) -> Flow[list[Any]]:
        if self._rows is not None:
            return self._rows[start:stop]
        select = self._window(start, stop) if start or stop is not None else self.select_statement
        pages = yield from every_page(self._core, select, self._page_size, partial(json_records, self._core, select))
        return list(chain.from_iterable(pages))

    def _page(self, progress: ReadProgress) -> Flow[list[Any]]:
        read = partial(json_records, self._core, self.select_statement)
        return next_page(self._core, self.select_statement, self._page_size, progress, read)


class BegunFlow(Generator[Request | Work | Overlap, Any, T]):
    """A flow that has been started already: it yields its first message again."""

    def __init__(self, flow: Flow[T], first: Request | Work | Overlap) -> None:
        self._flow, self._first = flow, [first]

    def send(self, value: Any) -> Request | Work | Overlap:
        return self._first.pop() if self._first else self._flow.send(value)

    def throw(self, *error: Any) -> Request | Work | Overlap:
        return self._flow.throw(*error)

    def close(self) -> None:
        self._flow.close()


class QueryResult(Blocking, QueryVerbs[E]):
    """The results of a query, fetched page by page on first use.

    Iterating streams: each page is released when the next one is read. ``len(result)`` fetches all results and keeps
    them; ``count()`` requests only their number.
    """

    def run(self, flow: Flow[T]) -> T:
        """Run a flow in the session that the result belongs to."""
        if self._rows is not None:
            # Kept results can be read without the session, also after it was closed.
            try:
                flow = BegunFlow(flow, next(flow))
            except StopIteration as end:
                return cast(T, end.value)
        return cast(Blocking, self._core).run(flow)

    def __iter__(self) -> Iterator[E]:
        if self._rows is not None:
            yield from self._rows
            return
        progress = ReadProgress()
        while not progress.done:
            yield from self.run(self._page(progress))

    def records(self) -> Iterator[dict[str, Any]]:
        """Plain dicts instead of entities: dotted names for projections through relations."""
        progress = ReadProgress()
        while not progress.done:
            yield from self.run(self._flat_page(progress))

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        """The rows as an Arrow stream: ``polars.DataFrame(result)``, ``duckdb.sql("from result")``."""
        from callsheet.export.tables import stream_of

        return stream_of(self).__arrow_c_stream__(requested_schema)

    def __len__(self) -> int:
        if self._rows is None:
            self._rows = self.all()
        return len(self._rows)

    def __bool__(self) -> bool:
        return bool(self._rows) if self._rows is not None else self.exists()

    @overload
    def __getitem__(self, index: int) -> E: ...
    @overload
    def __getitem__(self, index: slice) -> list[E]: ...
    def __getitem__(self, index: int | slice) -> E | list[E]:
        if self._rows is not None:
            return self._rows[index]
        if isinstance(index, slice):
            found = self.run(self._range(index.start or 0, index.stop))
            return found[:: index.step] if index.step not in (None, 1) else found
        if index < 0:
            len(self)
            return self[index]
        found = self.run(self._range(index, index + 1))
        if not found:
            raise IndexError(f"there is no result {index} of: {self}")
        return found[0]


class AsyncQueryResult(Awaiting, QueryVerbs[E]):
    """The results of a query, fetched page by page when first awaited; ``async for`` streams."""

    async def run(self, flow: Flow[T]) -> T:
        """Run a flow in the session that the result belongs to."""
        return await cast(Awaiting, self._core).run(flow)

    async def __aiter__(self) -> AsyncIterator[E]:
        progress = ReadProgress()
        while not progress.done:
            for entity in await self.run(self._page(progress)):
                yield entity

    async def records(self) -> AsyncIterator[dict[str, Any]]:
        """Plain dicts instead of entities: dotted names for projections through relations."""
        progress = ReadProgress()
        while not progress.done:
            for record in await self.run(self._flat_page(progress)):
                yield record

    async def slice(self, start: int, stop: int | None = None) -> list[E]:
        """The results from ``start`` to ``stop``."""
        return await self.run(self._range(start, stop))


class PlainResult(PlainVerbs, QueryResult[Any]):
    """The rows of a query as plain data: what a query as JSON with ``"__json__": true`` gives."""


class AsyncPlainResult(PlainVerbs, AsyncQueryResult[Any]):
    """The rows of a query as plain data, awaited."""
