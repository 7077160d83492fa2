"""`Session`: the session whose verbs block."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar, overload

from callsheet.core.statistics import talking
from callsheet.core.verb import Blocking
from callsheet.later import Later
from callsheet.session.front_door import FrontDoor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from callsheet.analytics import cube_catalog
    from callsheet.analytics.catalog import Catalog
    from callsheet.analytics.live_cube import Cube
    from callsheet.analytics.selections import Selection
    from callsheet.analytics.tables import Table
    from callsheet.analytics.variables import Variable
    from callsheet.core import account
    from callsheet.credentials import passwords
    from callsheet.dialects.protocol import Description
    from callsheet.entity.entity import E, Entity
    from callsheet.flow import Flow
    from callsheet.model.query import Select
    from callsheet.secret import Secret
    from callsheet.session import accessors, browser, events, query, results
    from callsheet.session.accessors import TypeAccessor
    from callsheet.session.browser import Browser
    from callsheet.session.events import EventHub
    from callsheet.session.query import Query
    from callsheet.session.results import QueryResult
    from callsheet.transport import drive
else:
    cube_catalog = Later("callsheet.analytics.cube_catalog")
    accessors = Later("callsheet.session.accessors")
    account = Later("callsheet.core.account")
    drive = Later("callsheet.transport.drive")
    browser = Later("callsheet.session.browser")
    events = Later("callsheet.session.events")
    passwords = Later("callsheet.credentials.passwords")
    query = Later("callsheet.session.query")
    results = Later("callsheet.session.results")

__all__ = ["Session"]

T = TypeVar("T")


class Session(Blocking, FrontDoor):
    """A unit of work on an entity server: it reads lazily, records changes, and commits them as one batch.

    ``server_url`` is ``https://…`` (default CALLSHEET_SERVER), or a database to open in this process:
    ``sqlite:///show.db``, ``memory:``. ``api_user`` and ``api_key`` default to CALLSHEET_API_USER and
    CALLSHEET_API_KEY. ``schema`` is the preset or schema file of a new database, and ``seed`` creates the standard
    statuses, types and priorities in it. ``auto_populate``, ``page_size`` (rows) and ``conflicts`` are the defaults of
    `auto_populating`, `query` and `commit`; ``timeout`` is in seconds, ``retries`` a count, ``verify`` False or a file
    of certificates; ``schema_cache`` is a folder, or False; ``journal`` is a file to which every commit is written
    before it is sent (see `resume`); ``plugin_paths`` are folders and files of plugins (None: CALLSHEET_PLUGIN_PATH,
    False: none), which get ``plugin_arguments``; ``strict_plugins`` raises if a plugin fails; ``headers`` are sent with
    each request; ``naive_times`` is the zone of times that name none (else they are refused). A session belongs to one
    thread; see `fork`.

    Nothing is sent before the first use, except that a session with plugin paths opens at once. Raises `UsageError` for
    an invalid address, and for an unknown option.

    >>> with Session("memory:") as session:
    ...     project = session.create("Project", {"name": "sintel"})
    ...     result = session.commit()
    ...     session.query("Project").one() is project
    True
    """

    def _made(self) -> None:
        login = self._connection.login
        if self.plugging.paths and not (login and login.awaits_password):
            self._open_or_close()

    def __enter__(self) -> Self:
        self._open_or_close()
        return self

    def _open_or_close(self) -> None:
        """Open; if that fails, close, because the caller gets no session that it could close."""
        try:
            self.open()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open_now(self) -> None:
        self.open()

    def run(self, flow: Flow[T]) -> T:
        """Run a flow, yours or one of Callsheet's. The same flow runs in both kinds of session."""
        if self._description is None:
            self.open()
        return self._drive(flow)

    def _drive(self, flow: Flow[T]) -> T:
        token = self._begin(flow)
        try:
            return drive.run(flow, self._transport)
        finally:
            talking.reset(token)
            self._busy = False

    async def _run_elsewhere(self, flow: Flow[T]) -> T:
        """Run a flow in a thread, so that an event loop goes on; nothing else may use the session meanwhile."""
        from anyio import to_thread

        def run() -> T:
            try:
                return self.run(flow)
            finally:
                self.hand_over()

        self.hand_over()
        return await to_thread.run_sync(run)

    def talk(self, flow: Flow[Any], entity: Any, name: str) -> Any:
        """Run a flow for a lazy read."""
        return self.run(flow)

    def open(self) -> Description:
        """Connect and read the schema; called automatically on first use."""
        self._check_open()
        if self._description is None:
            self._drive(self._opening())
        return self.server_information

    def close(self) -> None:
        """End the session. Pending changes are discarded; loaded attributes of entities stay readable."""
        if self._closed:
            return
        if self._announces_closing:
            self._drive(self._farewell())
        self._closed = True
        self._close_watches()
        if self._owns_connection:
            if self._event_hub is not None:
                self._event_hub.disconnect()
            self._connection.transport.close()
            self._close_local()

    def change_password(self, old: str | Secret, new: str | Secret) -> None:
        """Replace the password of the session's account, and end the account's other logins; this one goes on.

        Raises `Forbidden` if the old one is wrong, `Invalid` for a new one that the server does not accept (it says
        why), `Unavailable` after too many attempts, and `UsageError` where the server has no logins.

        >>> session.change_password(getpass("Old: "), getpass("New: "))  # doctest: +SKIP
        """
        hidden = passwords.hidden(old), passwords.hidden(new)
        del old, new
        self._drive(account.changing_password(self, *hidden))

    @property
    def event_hub(self) -> EventHub:
        """The hub for subscribing to events and publishing them; forks share it."""
        return self._shared_hub()

    def _shared_hub(self) -> EventHub:
        if self._event_hub is None:
            self._event_hub = events.EventHub(self.hub, self._connection, self.open, self._schema_if_open)
        hub: EventHub = self._event_hub
        return hub

    @overload
    def query(self, text: str, page_size: int | None = None, use_cache: bool = False) -> QueryResult: ...
    @overload
    def query(self, text: type[E], page_size: int | None = None, use_cache: bool = False) -> QueryResult[E]: ...
    @overload
    def query(
        self, text: Mapping[str, Any], page_size: int | None = None, use_cache: bool = False
    ) -> QueryResult[Any]: ...
    def query(
        self, text: str | type[Entity] | Mapping[str, Any], page_size: int | None = None, use_cache: bool = False
    ) -> QueryResult[Any]:
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
            return query.from_json((results.QueryResult, results.PlainResult), self, text, page_size, use_cache)
        return query.from_text(results.QueryResult, self, text, page_size, use_cache)

    def select(self, select: Select, page_size: int | None = None) -> QueryResult:
        """The query of a `Select`."""
        return results.QueryResult(self, select, page_size)

    def model_interface(self, entity_type: str | type[E]) -> TypeAccessor[E]:
        """The verbs of an entity type: ``session.Task`` is ``session.model_interface("Task")``."""
        return accessors.TypeAccessor(self, entity_type)

    @overload
    def browse(self, what: str) -> Browser: ...
    @overload
    def browse(self, what: type[E] | Query[E]) -> Browser[E]: ...
    def browse(self, what: str | type[Entity] | Query[Any]) -> Browser[Any]:
        """A browser of many entities at once: of a type (its name or class), of the text of a query, or of a query.

        >>> session.browse("Sample").where(project="p53").search("^P[0-9]+$")  # doctest: +SKIP
        """
        return browser.browser_of(browser.Browser, results.QueryResult, self, what)

    def __getitem__(self, name: str) -> TypeAccessor:
        return accessors.TypeAccessor(self, name)

    # -- looking at what there is ------------------------------------------------------------------------

    @property
    def tables(self) -> Catalog[Table]:
        """The entity types as an analyst sees them: a sequence, and a mapping by name, singular and plural."""
        return self._dictionary.tables

    @property
    def variables(self) -> Catalog[Variable]:
        """The attributes of all tables: a sequence, and a mapping by name, label and description."""
        return self._dictionary.variables

    @property
    def master_table(self) -> Table:
        """The table that the others belong to: the schema's ``master``, else the root with the most below it."""
        found: Table = self._dictionary.master_table
        return found

    def create_cube(
        self,
        table: Any,
        name: str | None = None,
        mode: str = "auto",
        filter: Any = None,
        keep: bool = True,
        stored: bool = False,
    ) -> Cube:
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
        found: Cube = cube_catalog.create_cube(self, table, name, mode, filter, keep, stored)
        return found

    def create_cube_from_toml(self, text: str, replace: bool = False, keep: bool = True) -> Cube:
        """The cube of a text that `Cube.to_toml` wrote, or somebody; an error names its line.

        With ``replace``, a cube of its name that the session knows becomes equal to the text, and only what differs
        is recorded.

        >>> session.create_cube_from_toml(Path("hours.toml").read_text())  # doctest: +SKIP
        """
        found: Cube = cube_catalog.cube_of_toml(self, text, replace, keep)
        return found

    def selection(self, stored: str | Mapping[str, Any]) -> Selection:
        """A selection of its JSON (`to_json`), or of a text of the query language."""
        found: Selection = self._stored_selection(stored)
        return found
