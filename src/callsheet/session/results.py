"""The results of a query: lazy, in pages, in two colours."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any, overload

from attrs import evolve

from callsheet.core import reading
from callsheet.core.paging import ReadProgress, all_pages, next_page
from callsheet.session.query import Query, flat_records

if TYPE_CHECKING:
    from callsheet.session.awaiting import AsyncSession
    from callsheet.session.blocking import Session

__all__ = ["AsyncQueryResult", "QueryResult"]


class QueryResult(Query):
    """What a query finds, fetched page by page when it is first needed.

    Iterating streams: each page is let go when the next one comes. ``len(result)`` fetches everything and
    keeps it; ``count()`` asks the server for the number alone.
    """

    _core: Session

    def __iter__(self) -> Iterator[Any]:
        if self._rows is not None:
            yield from self._rows
            return
        course = ReadProgress()
        while not course.done:
            yield from self._core.run(next_page(self._core, self._next_select(), self._page_size, self._peers, course))

    def all(self) -> list[Any]:
        """All of them, as a list."""
        if self._rows is not None:
            return list(self._rows)
        return self._core.run(all_pages(self._core, self._next_select(), self._page_size, self._peers))

    def first(self) -> Any:
        """The first, or None."""
        found = self._window_of(0, 1)
        return found[0] if found else None

    def one(self) -> Any:
        """The only one; `NoResult` or `MultipleResults` otherwise."""
        return reading.one(self._window_of(0, 2), str(self))

    def count(self) -> int:
        """How many there are, by one request that fetches none of them."""
        rows = self._core.run(reading.aggregate(self._core, self._counting()))
        return self._clip(int(rows[0][0]) if rows else 0)

    def exists(self) -> bool:
        """Whether there is any."""
        select = evolve(self._window(0, 1), projections=self._id_only())
        return bool(len(self._core.run(reading.page(self._core, select, 1, None))))

    def records(self) -> Iterator[dict[str, Any]]:
        """Plain dicts instead of entities: dotted names for projections through relations."""
        cursor: str | None = None
        while True:
            page = self._core.run(reading.page(self._core, self.select_statement, self._page_size, cursor))
            yield from flat_records(self._core, self.select_statement, page)
            cursor = page.cursor
            if cursor is None:
                return

    def aggregate(self, *functions: str, group_by: tuple[str, ...] | list[str] = ()) -> list[dict[str, Any]]:
        """Numbers by group: ``aggregate("count", "sum(bid)", group_by=["status.name"])``."""
        question, names = self._aggregate(functions, group_by)
        return [dict(zip(names, row)) for row in self._core.run(reading.aggregate(self._core, question))]

    def _window_of(self, start: int, stop: int | None) -> list[Any]:
        if self._rows is not None:
            return self._rows[start:stop]
        return type(self)(self._core, self._window(start, stop), self._page_size).all()

    def __len__(self) -> int:
        if self._rows is None:
            self._rows = self.all()
        return len(self._rows)

    def __bool__(self) -> bool:
        return bool(self._rows) if self._rows is not None else self.exists()

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if self._rows is not None:
            return self._rows[index]
        if isinstance(index, slice):
            found = self._window_of(index.start or 0, index.stop)
            return found[:: index.step] if index.step not in (None, 1) else found
        if index < 0:
            len(self)
            return self[index]
        found = self._window_of(index, index + 1)
        if not found:
            raise IndexError(f"there is no result {index} of: {self}")
        return found[0]


class AsyncQueryResult(Query):
    """What a query finds, fetched page by page when it is first awaited; ``async for`` streams."""

    _core: AsyncSession

    async def __aiter__(self) -> AsyncIterator[Any]:
        course = ReadProgress()
        while not course.done:
            for entity in await self._core.run(
                next_page(self._core, self._next_select(), self._page_size, self._peers, course)
            ):
                yield entity

    async def all(self) -> list[Any]:
        """All of them, as a list."""
        return await self._core.run(all_pages(self._core, self._next_select(), self._page_size, self._peers))

    async def first(self) -> Any:
        """The first, or None."""
        found = await self._window_of(0, 1)
        return found[0] if found else None

    async def one(self) -> Any:
        """The only one; `NoResult` or `MultipleResults` otherwise."""
        return reading.one(await self._window_of(0, 2), str(self))

    async def count(self) -> int:
        """How many there are, by one request that fetches none of them."""
        rows = await self._core.run(reading.aggregate(self._core, self._counting()))
        return self._clip(int(rows[0][0]) if rows else 0)

    async def exists(self) -> bool:
        """Whether there is any."""
        select = evolve(self._window(0, 1), projections=self._id_only())
        return bool(len(await self._core.run(reading.page(self._core, select, 1, None))))

    async def records(self) -> AsyncIterator[dict[str, Any]]:
        """Plain dicts instead of entities: dotted names for projections through relations."""
        cursor: str | None = None
        while True:
            page = await self._core.run(reading.page(self._core, self.select_statement, self._page_size, cursor))
            for record in flat_records(self._core, self.select_statement, page):
                yield record
            cursor = page.cursor
            if cursor is None:
                return

    async def aggregate(self, *functions: str, group_by: tuple[str, ...] | list[str] = ()) -> list[dict[str, Any]]:
        """Numbers by group: ``aggregate("count", "sum(bid)", group_by=["status.name"])``."""
        question, names = self._aggregate(functions, group_by)
        return [dict(zip(names, row)) for row in await self._core.run(reading.aggregate(self._core, question))]

    async def slice(self, start: int, stop: int | None = None) -> list[Any]:
        """The results from ``start`` to ``stop``."""
        return await self._window_of(start, stop)

    async def _window_of(self, start: int, stop: int | None) -> list[Any]:
        return await type(self)(self._core, self._window(start, stop), self._page_size).all()
