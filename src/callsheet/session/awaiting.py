"""`AsyncSession`: the front door that awaits, under asyncio and trio."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from threading import get_ident
from typing import Any, Literal, TypeVar

from attrs import evolve

from callsheet import config
from callsheet.core import announcements as occasions
from callsheet.core import calls, commit, opening, populating, reading, resume
from callsheet.core import ensure as ensuring
from callsheet.core.core import Policy
from callsheet.core.lazy import LazyCore
from callsheet.core.past import history, undo
from callsheet.core.past.history import CommitName, Moment
from callsheet.core.resume import Resumed
from callsheet.dialects.protocol import CommitResult, Description
from callsheet.errors import Closed, StateError
from callsheet.events.topics import CLOSED
from callsheet.flow import Flow
from callsheet.model.event import Event
from callsheet.model.history import Commit, HistoryEntry
from callsheet.model.operation import Change
from callsheet.model.query import Select
from callsheet.session import builtin, plugging
from callsheet.session.awaited_events import AsyncEventHub, dispatch_awaiting
from callsheet.session.connection import ServerConnection, connect, journal_at, talking
from callsheet.session.plugging import Plugging
from callsheet.session.query import from_text
from callsheet.session.results import AsyncQueryResult
from callsheet.session.verbs import Verbs
from callsheet.transport import drive

__all__ = ["AsyncSession"]

T = TypeVar("T")


class AsyncSession(Verbs, LazyCore):
    """A unit of work on an entity server, for ``async`` code; see `Session`, whose verbs it has.

    Reading what is not loaded raises `NotLoaded`, whose text is the cure: ``await session.populate(…)``.
    Before the first use: ``await session.open()``, or ``async with``.

    >>> async with AsyncSession("memory:") as session:  # doctest: +SKIP
    ...     task = await session.query("Task").first()
    """

    def __init__(
        self,
        server_url: str | None = None,
        api_user: str | None = None,
        api_key: str | None = None,
        *,
        dialect: str | None = None,
        schema: str | Path | dict[str, Any] | None = None,
        seed: bool = False,
        auto_populate: Policy | Literal[True] = "peers",
        page_size: int = 1_000,
        window: int = 1_000,
        conflicts: str = "raise",
        schema_cache: str | Path | bool | None = None,
        journal: str | Path | None = None,
        plugin_paths: Sequence[str | Path] | Literal[False] | None = None,
        plugin_arguments: Mapping[str, Any] | None = None,
        strict_plugins: bool = False,
        allow_writable_plugins: bool = False,
        connection: ServerConnection | None = None,
        **transport: Any,
    ) -> None:
        if connection is None:
            settings = config.resolve(server_url, api_user, api_key, schema_cache, dialect=dialect)
            connection = connect(settings, blocking=False, dialect=dialect, schema=schema, seed=seed, options=transport)
        self._connection = connection
        self._event_hub: AsyncEventHub | None = None
        self.plugging = Plugging(plugin_paths, plugin_arguments or {}, strict_plugins, allow_writable_plugins)
        self._owns_connection = True
        super().__init__(
            connection.dialect,
            get_ident,
            cache=connection.cache,
            page_size=page_size,
            window=window,
            auto_populate=auto_populate,
            conflicts=conflicts,
            journal=journal_at(journal, connection),
            account=connection.user,
        )

    def __repr__(self) -> str:
        server = self._connection.server or "in this process"
        return f"<{type(self).__name__} {server}{' (closed)' if self._closed else ''}>"

    async def __aenter__(self) -> AsyncSession:
        try:
            await self.open()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def run(self, flow: Flow[T]) -> T:
        """Run a flow: yours, or one of Callsheet's. It works the same under both kinds of session."""
        if self._description is None:
            await self.open()
        return await self._drive(flow)

    async def _drive(self, flow: Flow[T]) -> T:
        if self._closed:
            flow.close()
            raise Closed("this session is closed; open a new one")
        if self._busy:
            flow.close()
            raise StateError("this session is talking to the server already")
        if self._unit is not None:
            self._unit.check_thread()
        self._busy = True
        token = talking.set(self.statistics)
        try:
            return await drive.arun(flow, self._connection.transport)
        finally:
            talking.reset(token)
            self._busy = False

    def _new_locations(self) -> Any:
        from callsheet.storage.locations import Locations

        return Locations(self, self._connection.server)

    async def open(self) -> Description:
        """Connect and learn the schema; done by itself when first needed."""
        if self._description is None:
            await self._drive(opening.open_(self))
            builtin.attach(self)
            await self._drive(plugging.enter(self))
        return self.server_information

    async def close(self) -> None:
        """End the session. What is pending is dropped; entities stay readable where loaded."""
        if self._closed:
            return
        if self.hub.wants(CLOSED) and not self._busy:
            await self._drive(occasions.tell(self, CLOSED))
        self._closed = True
        if self._owns_connection:
            if self._event_hub is not None:
                await self._event_hub.disconnect()
            await self._connection.transport.aclose()
            if self.journal is not None:
                self.journal.close()
            if self._connection.service is not None:
                self._connection.service.close()

    def _dispatch(self, event: Event, raises: tuple[type[Exception], ...] = ()) -> Any:
        """Tell the hub's subscribers; what they returned, to be awaited where their session awaits."""
        return dispatch_awaiting(self.hub, event, raises)

    @property
    def event_hub(self) -> AsyncEventHub:
        """Where one subscribes to events and publishes them; forks share it."""
        if self._event_hub is None:
            self._event_hub = AsyncEventHub(self.hub, self._connection)
        return self._event_hub

    async def reset(self) -> None:
        """Forget everything local: what is pending, and all entities; those that are held are detached."""
        await self.run(occasions.reset(self))

    def fork(self) -> AsyncSession:
        """A new session with nothing pending, for another thread: same schema, types and connections."""
        forked = type(self)(
            connection=evolve(self._connection, dialect=self._dialect, service=None),
            auto_populate=self.auto_populate,
            page_size=self.page_size,
            window=self._window,
            conflicts=self.conflicts,
        )
        forked._owns_connection = False
        forked._event_hub, forked.plugging = self.event_hub, self.plugging
        self._lend(forked)
        forked.journal, forked.journal_checked = self.journal, self.journal_checked
        return forked

    def query(self, text: str, page_size: int | None = None) -> AsyncQueryResult:
        """What a text selects, or a type's name to build on: ``session.query("Task").where(…)``.

        >>> session.query('Task where status.name is "Done" order by name').first()  # doctest: +SKIP
        """
        self._check_open()
        return from_text(AsyncQueryResult, self, text, page_size)

    def select(self, select: Select, page_size: int | None = None) -> AsyncQueryResult:
        """What a `Select` selects."""
        return AsyncQueryResult(self, select, page_size)

    async def get(self, entity_type: str, key: Any) -> Any:
        """The entity of this primary key, from memory or from the server; None if there is none."""
        return await self.run(reading.get(self, entity_type, key))

    async def populate(self, entities: Any, projections: str | Iterable[str]) -> None:
        """Load paths such as ``"status.name, parent.name"`` for one or many entities, of any types."""
        await self.run(populating.populate(self, entities, projections))

    async def commit(self, conflicts: str | None = None) -> CommitResult | None:
        """Send everything pending as one atomic batch, exactly once; None when there is nothing pending."""
        return await self.run(commit.commit(self, conflicts))

    async def resume(self) -> list[Resumed]:
        """Finish the commits that the journal holds from a session that ended before their answers came.

        Each is done once, whatever had become of it; the result says of each what became of it.
        """
        return await self.run(resume.resume(self))

    async def refresh(self, entities: Any, keep: str = "local") -> None:
        """Fetch what is known of entities again; ``keep`` says whose pending changes stand."""
        await self.run(populating.refresh(self, entities, keep))

    async def ensure(
        self, entity_type: str, data: Mapping[str, Any], identifying_keys: Sequence[str] = (), commit: bool = False
    ) -> Any:
        """The entity with these identifying values, brought up to date or created; pending, not committed.

        With ``commit`` all that is pending is committed, and two who ensure the same at the same moment get one
        entity, where the server keeps it unique. Without keys, all plain values of the data identify the entity.
        """
        return await self.run(ensuring.ensure(self, entity_type, data, identifying_keys, commit))

    async def history(self, entity: Any, limit: int | None = 100) -> list[HistoryEntry]:
        """What happened to an entity, newest first: who, when, what it was before and is after.

        ``entity`` may be an `Identity`, so that deleted ones have a history too; ``limit`` None tells all of it.
        """
        return await self.run(history.history(self, entity, limit))

    async def commits(
        self,
        after: int = 0,
        limit: int | None = 100,
        user: str | None = None,
        since: datetime | None = None,
    ) -> list[Commit]:
        """The commits after a position of the server's log, oldest first, with all that they changed."""
        return await self.run(history.commits(self, after, limit, user, since))

    async def undo(self, commit: CommitName, conflicts: str = "raise") -> tuple[Change, ...]:
        """Record the inverse of a commit (its id, its position, itself), pending until you commit.

        Where something changed since, ``conflicts`` says what happens: ``"raise"`` a `ConflictError` and record
        nothing, ``"skip"`` what is concerned, or ``"force"`` the old values. Gives the conflicts passed over.
        """
        return await self.run(undo.undo(self, commit, conflicts))

    def at(self, moment: Moment) -> AsyncSession:
        """A session that reads the server as it was: at a time, or after a commit (its position, itself).

        Nothing can be changed in it. Use it as a context manager: ``async with session.at(friday) as past:``.
        """
        past = type(self)(
            connection=evolve(self._connection, dialect=self._dialect, cache=None, service=None),
            auto_populate=self.auto_populate,
            page_size=self.page_size,
            window=self._window,
        )
        past._owns_connection = False
        past.plugging = self.plugging
        past.look_back(self, history.moment_of(moment))
        return past

    async def call(self, action: str, **arguments: Any) -> Any:
        """Anything else the server offers, by name."""
        return await self.run(calls.call(self, action, arguments))

    async def create_component(
        self,
        path: Any = None,
        data: dict[str, Any] | None = None,
        location: Any = "auto",
        progress: Callable[[Any], None] | None = None,
    ) -> Any:
        """A component of a file, of numbered files (``frame.%04d.exr [1-100]``), or of a list of both.

        With a location its files are put there and all that is pending is committed; ``"auto"`` is the preferred
        one, None leaves the files where they are and the component pending. ``progress`` is told how far it is.
        """
        from callsheet.storage import components

        return await self.run(components.create(self, path, data, location, progress))

    async def location(self, name: str) -> Any:
        """The location of this name, or ``"server"``, ``"unmanaged"`` and the like; made where there is none."""
        from callsheet.storage import finding

        return await self.run(finding.named(self, name))

    async def pick_location(self, component: Any = None) -> Any:
        """The preferred location that this session can reach (and that has some of a component), or None."""
        from callsheet.storage import finding

        return await self.run(finding.pick_one(self, component))

    async def pick_locations(self, components: Sequence[Any]) -> list[Any]:
        """For each component the preferred location that has some of it and can be reached, or None."""
        from callsheet.storage import finding

        return await self.run(finding.pick_entities(self, components))

    async def get_component_availability(self, component: Any, locations: Any = None) -> dict[str, float]:
        """How much of a component is in each location, by the location's key, in percent."""
        from callsheet.storage import finding

        return (await self.run(finding.availabilities(self, [component], locations)))[0]

    async def get_component_availabilities(
        self, components: Sequence[Any], locations: Any = None
    ) -> list[dict[str, float]]:
        """How much of each component is in each location, by the location's key, in percent."""
        from callsheet.storage import finding

        return await self.run(finding.availabilities(self, list(components), locations))

    async def reload_schema(self) -> Description:
        """Learn custom attributes that were added since the session was opened."""
        return await self.run(opening.open_(self))
