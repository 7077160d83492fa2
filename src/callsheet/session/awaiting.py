"""`AsyncSession`: the session whose verbs are awaited, under asyncio and trio."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar, overload

from callsheet.core.statistics import talking
from callsheet.core.verb import Awaiting
from callsheet.later import Later
from callsheet.session.front_door import FrontDoor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from callsheet.analytics import cube_catalog
    from callsheet.analytics.catalog import Catalog
    from callsheet.analytics.live_cube import AsyncCube
    from callsheet.analytics.selections import AsyncSelection
    from callsheet.analytics.tables import AsyncTable
    from callsheet.analytics.variables import AsyncVariable
    from callsheet.core import account
    from callsheet.credentials import passwords
    from callsheet.dialects.protocol import Description
    from callsheet.entity.entity import E, Entity
    from callsheet.flow import Flow
    from callsheet.model.event import Event
    from callsheet.model.query import Select
    from callsheet.secret import Secret
    from callsheet.session import accessors, browser, events, hub_flows, query, results
    from callsheet.session.accessors import AsyncTypeAccessor
    from callsheet.session.browser import AsyncBrowser
    from callsheet.session.events import AsyncEventHub
    from callsheet.session.query import Query
    from callsheet.session.results import AsyncQueryResult
    from callsheet.transport import drive
else:
    cube_catalog = Later("callsheet.analytics.cube_catalog")
    accessors = Later("callsheet.session.accessors")
    account = Later("callsheet.core.account")
    drive = Later("callsheet.transport.drive")
    browser = Later("callsheet.session.browser")
    events = Later("callsheet.session.events")
    hub_flows = Later("callsheet.session.hub_flows")
    passwords = Later("callsheet.credentials.passwords")
    query = Later("callsheet.session.query")
    results = Later("callsheet.session.results")

__all__ = ["AsyncSession"]

T = TypeVar("T")


class AsyncSession(Awaiting, FrontDoor):
    """A unit of work on an entity server, for ``async`` code, with the verbs of `Session`.

    Reading an attribute that is not loaded raises `NotLoaded`; load it before: ``await session.populate(…)``.
    Before the first use: ``await session.open()``, or ``async with``.

    >>> async with AsyncSession("memory:") as session:  # doctest: +SKIP
    ...     task = await session.query("Task").first()
    """

    async def __aenter__(self) -> Self:
        try:
            await self.open()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def run(self, flow: Flow[T]) -> T:
        """Run a flow, yours or one of Callsheet's. The same flow runs in both kinds of session."""
        if self._description is None:
            await self.open()
        return await self._drive(flow)

    async def _drive(self, flow: Flow[T]) -> T:
        token = self._begin(flow)
        try:
            return await drive.arun(flow, self._transport)
        finally:
            talking.reset(token)
            self._busy = False

    async def open(self) -> Description:
        """Connect and read the schema; called automatically on first use."""
        self._check_open()
        if self._description is None:
            await self._drive(self._opening())
        return self.server_information

    async def close(self) -> None:
        """End the session. Pending changes are discarded; loaded attributes of entities stay readable."""
        if self._closed:
            return
        if self._announces_closing:
            await self._drive(self._farewell())
        self._closed = True
        self._close_watches()
        if self._owns_connection:
            if self._event_hub is not None:
                await self._event_hub.disconnect()
            await self._connection.transport.aclose()
            self._close_local()

    def _dispatch(self, event: Event, raises: tuple[type[Exception], ...] = ()) -> Any:
        """Call the hub's subscribers; returns an awaitable of their results."""
        return drive.arun(hub_flows.dispatch(self.hub, event, raises), self._connection.transport)

    async def change_password(self, old: str | Secret, new: str | Secret) -> None:
        """Replace the password of the session's account, and end the account's other logins; this one goes on.

        Raises `Forbidden` if the old one is wrong, `Invalid` for a new one that the server does not accept (it says
        why), `Unavailable` after too many attempts, and `UsageError` where the server has no logins.

        >>> session.change_password(getpass("Old: "), getpass("New: "))  # doctest: +SKIP
        """
        hidden = passwords.hidden(old), passwords.hidden(new)
        del old, new
        await self._drive(account.changing_password(self, *hidden))

    @property
    def event_hub(self) -> AsyncEventHub:
        """The hub for subscribing to events and publishing them; forks share it."""
        return self._shared_hub()

    def _shared_hub(self) -> AsyncEventHub:
        if self._event_hub is None:
            self._event_hub = events.AsyncEventHub(self.hub, self._connection, self.open, self._schema_if_open)
        hub: AsyncEventHub = self._event_hub
        return hub

    @overload
    def query(self, text: str, page_size: int | None = None, use_cache: bool = False) -> AsyncQueryResult: ...
    @overload
    def query(self, text: type[E], page_size: int | None = None, use_cache: bool = False) -> AsyncQueryResult[E]: ...
    @overload
    def query(
        self, text: Mapping[str, Any], page_size: int | None = None, use_cache: bool = False
    ) -> AsyncQueryResult[Any]: ...
    def query(
        self, text: str | type[Entity] | Mapping[str, Any], page_size: int | None = None, use_cache: bool = False
    ) -> AsyncQueryResult[Any]:
        """The query of a text, or of a type's name or class, to be refined: ``session.query("Task").where(…)``.

        A mapping is a query as JSON: ``{"__model__": "Task", "__query__": {"status": "Done"}}``; `query_schema` is its
        form. With ``"__json__": true`` its rows are plain data instead of entities.

        The server decides which entities fulfil a query, and their values become the known ones. With ``use_cache``, a
        query that names its entities by their keys alone uses those that the session has, as they are here, and
        requests the others only; of those it has, what they lack of the projections. Plain rows are always requested.

        >>> session.query('Task where status.name is "Done" order by name').first()  # doctest: +SKIP
        """
        self._check_open()
        if isinstance(text, Mapping):
            kinds = results.AsyncQueryResult, results.AsyncPlainResult
            return query.from_json(kinds, self, text, page_size, use_cache)
        return query.from_text(results.AsyncQueryResult, self, text, page_size, use_cache)

    def select(self, select: Select, page_size: int | None = None) -> AsyncQueryResult:
        """The query of a `Select`."""
        return results.AsyncQueryResult(self, select, page_size)

    def model_interface(self, entity_type: str | type[E]) -> AsyncTypeAccessor[E]:
        """The verbs of an entity type: ``session.Task`` is ``session.model_interface("Task")``."""
        return accessors.AsyncTypeAccessor(self, entity_type)

    @overload
    def browse(self, what: str) -> AsyncBrowser: ...
    @overload
    def browse(self, what: type[E] | Query[E]) -> AsyncBrowser[E]: ...
    def browse(self, what: str | type[Entity] | Query[Any]) -> AsyncBrowser[Any]:
        """A browser of many entities at once: of a type (its name or class), of the text of a query, or of a query.

        >>> session.browse("Sample").where(project="p53").search("^P[0-9]+$")  # doctest: +SKIP
        """
        return browser.browser_of(browser.AsyncBrowser, results.AsyncQueryResult, self, what)

    def __getitem__(self, name: str) -> AsyncTypeAccessor:
        return accessors.AsyncTypeAccessor(self, name)

    # -- looking at what there is ------------------------------------------------------------------------

    @property
    def tables(self) -> Catalog[AsyncTable]:
        """The entity types as an analyst sees them: a sequence, and a mapping by name, singular and plural."""
        return self._dictionary.tables

    @property
    def variables(self) -> Catalog[AsyncVariable]:
        """The attributes of all tables: a sequence, and a mapping by name, label and description."""
        return self._dictionary.variables

    @property
    def master_table(self) -> AsyncTable:
        """The table that the others belong to: the schema's ``master``, else the root with the most below it."""
        found: AsyncTable = self._dictionary.master_table
        return found

    def create_cube(
        self,
        table: Any,
        name: str | None = None,
        mode: str = "auto",
        filter: Any = None,
        keep: bool = True,
        stored: bool = False,
    ) -> AsyncCube:
        """A new cube over the entities of a table; nothing is read for it.

        ``name`` is by default what several of the entities are called. The mode ``auto`` makes hierarchies of what the
        entities are in, of dates and of categories, and the sum and the mean of each amount; ``no_measures`` makes the
        hierarchies; ``manual`` neither. The number of entities is a measure of each. ``filter`` is a condition, a
        selection, or a text of the query language, that all facts of the cube fulfil.

        Where the server's schema has the type ``Cube``, the cube is recorded as an entity, which a commit shares with
        others; with ``keep=False`` it is of this session alone. With ``stored`` the server keeps its numbers, by all
        levels, of all measures that can be kept (see `Cube.store`).

        >>> cube = session.create_cube("Timelog", "Hours")  # doctest: +SKIP
        """
        found: AsyncCube = cube_catalog.create_cube(self, table, name, mode, filter, keep, stored)
        return found

    def create_cube_from_toml(self, text: str, replace: bool = False, keep: bool = True) -> AsyncCube:
        """The cube of a text that `Cube.to_toml` wrote, or somebody; an error names its line.

        With ``replace``, a cube of its name that the session knows becomes equal to the text, and only what differs
        is recorded.

        >>> session.create_cube_from_toml(Path("hours.toml").read_text())  # doctest: +SKIP
        """
        found: AsyncCube = cube_catalog.cube_of_toml(self, text, replace, keep)
        return found

    def selection(self, stored: str | Mapping[str, Any]) -> AsyncSelection:
        """A selection of its JSON (`to_json`), or of a text of the query language."""
        found: AsyncSelection = self._stored_selection(stored)
        return found
