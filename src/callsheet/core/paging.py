"""Reading a query page by page, with the next page under way while this one is read.

Theory. Reading a page (decoding its rows, making entities, dicts or columns of them) takes about as long as a server
near by takes to make the next one. A dialect that knows the next page's cursor before it has read this page's rows
(`PagedDialect`) lets both go on at once: the step is an `Overlap`. It ends within the drive that began it, so
no request is in flight while user code runs; the next page is then *ahead*: received, as bytes.

A caller that reads all pages fetches ahead from the start. A loop, which may stop at any entity, does so only after
the second page is requested; so a loop left early has requested at most one page too many. A page that came before a
commit or a refresh is dropped, since its values may be old. A script that commits as it reads would lose each page;
for it no more pages are fetched ahead.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from itertools import chain
from typing import Any, TypeVar

from attrs import define, frozen

from callsheet.core import reading
from callsheet.core.core import Core
from callsheet.dialects.protocol import PagedDialect
from callsheet.entity.peers import Peers
from callsheet.flow import Flow, Overlap, Request, Response
from callsheet.model.language import relative
from callsheet.model.query import Select
from callsheet.model.record import Page

__all__ = ["PageForm", "ReadProgress", "all_pages", "every_page", "next_page"]

T = TypeVar("T")


@define
class ReadProgress:
    """How far the reading of a query has got.

    ``ahead`` is the prefetched response, or the exception raised while fetching it; ``moment`` is what ``now`` is in
    the query, where the server does not know times relative to now: all pages are of one.
    """

    runs_ahead: bool = False
    cursor: str | None = None
    done: bool = False
    ahead: Response | Exception | None = None
    epoch: int = 0
    outdated: bool = False
    moment: datetime | None = None


@frozen
class PageForm:
    """The form in which pages come: how one is requested, how its answer is opened, and what counts its entities.

    ``open`` gives the cursor of the next page, and the function that decodes this one.
    """

    ask: Callable[[Select, int, str | None], Request]
    open: Callable[[Response], tuple[str | None, Callable[[], Any]]]
    count: Callable[[Core, Any], None]


def all_pages(core: Core, select: Select, size: int, peers: Peers) -> Flow[list[Any]]:
    """All entities of a query."""
    pages = yield from every_page(core, select, size, partial(reading.merge_page, core, peers=peers))
    return list(chain.from_iterable(pages))


def every_page(core: Core, select: Select, size: int, read: Callable[[Page], T]) -> Flow[list[T]]:
    """What ``read`` makes of each page of a query."""
    progress = ReadProgress(runs_ahead=select.limit is None or select.limit > size)
    found: list[T] = []
    while not progress.done:
        found.append((yield from next_page(core, select, size, progress, read)))
    return found


def next_page(
    core: Core,
    select: Select,
    size: int,
    progress: ReadProgress,
    read: Callable[[Any], T],
    form: PageForm | None = None,
) -> Flow[T]:
    """What ``read`` makes of the next page; the progress notes what comes after it."""
    dialect = core._dialect
    if not core.features.relative_times and relative.is_relative(select):
        progress.moment = progress.moment or core.server_now()
        select = relative.fixed_select(select, progress.moment)
    if form is None and isinstance(dialect, PagedDialect):
        form = PageForm(dialect.ask_page, dialect.open_page, reading.count_rows)
    if form is not None:
        found = yield from _overlapping(core, form, select, size, progress, read)
    else:
        page = yield from reading.page(core, select, size, progress.cursor)
        found, progress.cursor = read(page), page.cursor
    progress.done = progress.cursor is None
    progress.runs_ahead = not progress.outdated
    return found


def _overlapping(
    core: Core, form: PageForm, select: Select, size: int, progress: ReadProgress, read: Callable[[Any], T]
) -> Flow[T]:
    answer = _what_is_ahead(core, progress)
    if answer is None:
        core.statistics.count("select")
        answer = yield form.ask(select, size, progress.cursor)
    cursor, decode = form.open(answer)

    def decoded() -> T:
        page = decode()
        form.count(core, page)
        return read(page)

    if cursor is None or not progress.runs_ahead:
        found = decoded()
    else:
        core.statistics.count("select")
        progress.epoch = core.unit.epoch
        found, progress.ahead = yield Overlap(form.ask(select, size, cursor), decoded)
    progress.cursor = cursor
    return found


def _what_is_ahead(core: Core, progress: ReadProgress) -> Response | None:
    """The page that is here already; what went wrong with it is raised now that it is wanted."""
    ahead, progress.ahead = progress.ahead, None
    if ahead is not None and progress.epoch != core.unit.epoch:
        progress.runs_ahead, progress.outdated = False, True
        return None
    if isinstance(ahead, BaseException):
        raise ahead
    return ahead
