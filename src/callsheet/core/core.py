"""Everything a session holds in memory, and the verbs that need no network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from time import monotonic
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, overload
from weakref import ref

from callsheet.core.counting import Counting
from callsheet.core.statistics import Statistics
from callsheet.entity.identity_map import IdentityMap
from callsheet.entity.peers import Peers
from callsheet.errors import Closed, StateError, UsageError
from callsheet.later import Later

if TYPE_CHECKING:
    from datetime import datetime, tzinfo

    from callsheet import dialects
    from callsheet.core import announcements, defaults
    from callsheet.core.errand import Errand
    from callsheet.core.journal import JournalProtocol
    from callsheet.core.schema_cache import SchemaCache
    from callsheet.credentials.login import SessionLogin
    from callsheet.dialects.accounts import AccountDescription
    from callsheet.dialects.protocol import Description, Dialect, Features
    from callsheet.entity import read_only, types, unit_of_work
    from callsheet.entity.entity import E, Entity
    from callsheet.entity.types import Types
    from callsheet.entity.unit_of_work import UnitOfWork
    from callsheet.events import hub
    from callsheet.model import record, schema
    from callsheet.model.capability import Capabilities
    from callsheet.model.event import Event
    from callsheet.model.language.parser import AddedOperator
    from callsheet.model.operation import Operation
    from callsheet.model.schema import Schema
else:
    announcements = Later("callsheet.core.announcements")
    defaults = Later("callsheet.core.defaults")
    dialects = Later("callsheet.dialects")
    hub = Later("callsheet.events.hub")
    read_only = Later("callsheet.entity.read_only")
    record = Later("callsheet.model.record")
    schema = Later("callsheet.model.schema")
    types = Later("callsheet.entity.types")
    unit_of_work = Later("callsheet.entity.unit_of_work")

__all__ = ["Core", "Policy"]

#: What happens when a value that is not loaded is read: it is fetched for all peers, or for this entity
#: only; `NotLoaded` is raised with the projection that would have brought it along; or it is `NOT_SET`.
Policy: TypeAlias = Literal["peers", "one", "strict", False]


class Core(Counting):
    """The memory of a session: its schema, types, entities and pending work.

    ``talk`` runs a flow for a lazy read: a blocking session answers it, any other raises `NotLoaded`.
    """

    def __init__(
        self,
        dialect: Dialect,
        who: Callable[[], int],
        *,
        cache: SchemaCache | None = None,
        page_size: int = 1_000,
        window: int = 1_000,
        auto_populate: Policy | Literal[True] = "peers",
        conflicts: str = "raise",
        journal: JournalProtocol | None = None,
        account: str = "",
        naive_times: tzinfo | None = None,
    ) -> None:
        self._dialect = dialect
        #: The zone of times that name none; None where they are refused.
        self.naive_times = naive_times
        #: What is particular to the dialect.
        self.declaration = dialects.declaration_of(dialect)
        self._who = who
        self._cache = cache
        self._window = window
        self._account = account
        self._busy = False
        self._closed = False
        self._unit: UnitOfWork | None = None
        self._types: Types | None = None
        self._description: Description | None = None
        #: When it was received, on the monotonic clock.
        self._described = 0.0
        self.page_size = page_size
        self.auto_populate: Policy = "peers" if auto_populate is True else auto_populate
        self.conflicts = conflicts
        self.origin = record.new_key()
        #: Whether the subscribers to "before commit" are being called.
        self.asking = False
        #: Who subscribed to what; forks share it, as they share what follows.
        self.hub = hub.Hub(self.declaration.topics)
        #: Operators that plugins gave the query language, by name.
        self.operators: dict[str, AddedOperator] = {}
        #: Commands that plugins gave the command line, by name.
        self.commands: dict[str, Callable[..., Any]] = {}
        #: Values that new entities get where none is given.
        self.defaults = defaults.Defaults()
        #: The event that the session was made for, in a durable handler.
        self.errand: Errand | None = None
        #: The open transaction of user tables.
        self._table_block: Any = None
        self.journal = journal
        self.journal_checked = False
        #: How far the commit under way has come, on a server without transactions; see ``core/each.py``.
        self.progress: Any = None
        #: Which moment is read: None for the present, else a position in the server's log, or a time.
        self.moment: int | datetime | None = None
        #: The scenario that the session is in; None for the base.
        self.scenario_name: str | None = None
        self._known_schema: Schema | None = None
        self._locations: Any = None
        self.identities = IdentityMap(window)
        self.statistics = Statistics()
        #: The login of a person; None if the session has an API key, or its server in this process.
        self._login: SessionLogin | None = None
        #: What the server said of the caller, and the caller's user entity; None before somebody asked.
        self._caller: AccountDescription | None = None
        self._account_user: Any = None
        #: What the account may do here; None before somebody asked.
        self.known_capabilities: Capabilities | None = None
        #: Whether the server is this session's own: started by it, or in its process.
        self.started_server = False

    # -- what is known once the session is open ----------------------------------------------------------

    @property
    def unit(self) -> UnitOfWork:
        """The pending work."""
        if self._unit is None:
            self._open_now()
        assert self._unit is not None
        return self._unit

    @property
    def types(self) -> Types:
        """The entity classes by name."""
        if self._types is None:
            self._open_now()
        assert self._types is not None
        return self._types

    @property
    def schema(self) -> Schema:
        """The server's schema: entity types and their attributes."""
        return self.types.schema

    @property
    def server_information(self) -> Description:
        """The server's description of itself, received when the session was opened."""
        if self._description is None:
            self._open_now()
        assert self._description is not None
        return self._description

    @property
    def api_user(self) -> str:
        """The name of the account that the session acts for."""
        return self.server_information.user or self._account

    @property
    def features(self) -> Features:
        """The optional features that the server has."""
        return self.server_information.features

    @property
    def closed(self) -> bool:
        """Whether the session was closed."""
        return self._closed

    @property
    def locations(self) -> Any:
        """The locations of files, with this session's access to them (see ``callsheet.storage.locations``)."""
        if self._locations is None:
            self._locations = self._new_locations()
        return self._locations

    def _new_locations(self) -> Any:
        raise StateError("only a session has locations")

    def server_now(self) -> datetime:
        """The time on the server, as far as it is known: what it said when it was described, and what passed since."""
        said = self.server_information.time
        return said + timedelta(seconds=monotonic() - self._described)

    def _open_now(self) -> None:
        raise StateError("this session is not open yet: `await session.open()`, or use `async with`")

    def opened(self, description: Description, schema: Schema) -> None:
        """Take what the server said; types already built are kept."""
        self._description, self._described = description, monotonic()
        if self.naive_times is not None:
            schema = schema.in_zone(self.naive_times)
        if self._types is None:
            self._types = types.Types(schema)
            self._types.constructing = announcements.constructing(ref(self))
        elif self._types.schema.hash != schema.hash:
            self._check_left(self._types.stale(schema))
            self._leave(self._types.replace(schema))
        self._dialect.learn(schema)
        if self._unit is None:
            self._unit = self._new_unit(self._types)

    def _check_left(self, stale: Sequence[str]) -> None:
        """Raise `UsageError` if entities of types that have changed have changes that are not committed."""
        operations = () if self._unit is None else self._unit.compressed()
        own = {name for name in stale if self._types is not None and self._types.schema.types[name].table is None}
        if kinds := sorted({each.identity.entity_type for each in operations} & own):
            raise UsageError(
                f"the server's schema has changed, and {', '.join(kinds)} with it: commit or roll back what is "
                "pending, then `session.reload_schema()`"
            )

    def _leave(self, stale: Sequence[str]) -> None:
        """Detach the entities of types that are not what they were."""
        for name in stale:
            for entity in list(self.identities):
                if entity._type.name == name and self._unit is not None:
                    self._unit.detach(entity)
                    self.identities.family(entity._type.root).remove(entity._key)

    def _new_unit(self, types: Types) -> UnitOfWork:
        kind = unit_of_work.UnitOfWork if self.moment is None else read_only.ReadOnlyUnit
        return kind(self, types, self.identities, self._who)

    def look_back(self, present: Core, moment: int | datetime) -> None:
        """Read what ``present`` reads, as it was at another moment."""
        self.moment = moment
        if present._types is not None:
            # A copy: the present may learn of custom attributes that were not there then.
            self._known_schema = schema.Schema(present._types.schema.document, tolerant=True)

    def look_into(self, base: Core, scenario: str) -> None:
        """Read what ``base`` reads, and write, in a scenario."""
        self.scenario_name = scenario
        if base._types is not None:
            self._known_schema = schema.Schema(base._types.schema.document, tolerant=True)

    def check_present(self) -> None:
        """Raise `UsageError` in a session that reads the past."""
        if self.moment is not None:
            raise UsageError(
                f"this session reads the past (at {self.moment}): nothing can be changed there; "
                "`undo` of a session in the present takes a commit back"
            )

    def _check_capability(self, name: str) -> None:
        """Raise `CapabilityError` if the account may not do it here; nothing, where capabilities are not known."""
        if self.known_capabilities is not None:
            self.known_capabilities.check(name)

    def _dispatch(self, event: Event, raises: tuple[type[Exception], ...] = ()) -> Any:
        """Call the hub's subscribers; gives what they returned, to be awaited where the session awaits."""
        return self.hub.dispatch(event, raises)

    def _forget(self) -> None:
        """Drop everything pending and everything known of entities; those that are held are detached."""
        self._check_open()
        self.rollback()
        for entity in self.identities:
            self.unit.detach(entity)
        self.identities.clear()

    # -- recording ---------------------------------------------------------------------------------------

    @overload
    def create(self, entity_type: str, data: Mapping[str, Any] | None = None) -> Entity: ...
    @overload
    def create(self, entity_type: type[E], data: Mapping[str, Any] | None = None) -> E: ...
    def create(self, entity_type: str | type[Entity], data: Mapping[str, Any] | None = None) -> Any:
        """A new entity, pending until the next commit.

        ``data`` maps attribute names to values; references take entities, foreign keys (``parent_id``)
        take keys. Raises `SchemaError` for a type, name or value that is wrong, and records nothing then.

        >>> project = session.create("Project", {"name": "sintel"})  # doctest: +SKIP
        """
        from callsheet.entity.entity import type_name

        self._check_open()
        name = type_name(entity_type)
        if self.defaults:
            data = self.defaults.filled(self, name, data or {})
        return self.unit.create(name, data or {})

    def delete(self, entity: Any) -> None:
        """Delete an entity with the next commit. It leaves collections at once."""
        self._check_open()
        self.unit.delete(entity)

    def rollback(self) -> None:
        """Forget everything recorded since the last commit; entities created since are detached.

        A commit in doubt is given up: it may have been done, and is not sent again.
        """
        unit = self.unit
        unit.check_thread()
        unit.check_no_savepoint("rollback")
        if unit.doubtful is not None and self.journal is not None:
            self.journal.finish(unit.doubtful.commit_id)
        self.progress = None
        unit.rollback()

    @property
    def recorded_operations(self) -> list[Operation]:
        """The operations recorded since the last commit, in their order."""
        return self.unit.operations()

    @property
    def pending(self) -> tuple[Operation, ...]:
        """The compressed change set that a commit would send now; printed, it is a table."""
        from callsheet.core.operation_table import PendingTable, names_of

        found = PendingTable(self.unit.compressed())
        found.names = names_of(self)
        return found

    @property
    def created(self) -> list[Any]:
        """Entities that the next commit will create."""
        return self.unit.in_state("created")

    @property
    def modified(self) -> list[Any]:
        """Entities that the next commit will update."""
        return self.unit.in_state("modified")

    @property
    def deleted(self) -> list[Any]:
        """Entities that the next commit will delete; those born since the last one just vanish."""
        return [entity for entity in self.unit.in_state("deleted") if not entity._changes.born]

    @contextmanager
    def operation_recording(self, record: bool) -> Iterator[None]:
        """Inside the block, changes are (not) recorded; unrecorded ones count as known from the server."""
        unit = self.unit
        before, unit.recording = unit.recording, record
        try:
            yield
        finally:
            unit.recording = before

    @contextmanager
    def auto_populating(self, policy: Policy | Literal[True]) -> Iterator[None]:
        """Inside the block, reading what is not loaded fetches it for all peers (``"peers"``, True), for the
        one entity (``"one"``), raises `NotLoaded` (``"strict"``), or gives `NOT_SET` (False)."""
        before, self.auto_populate = self.auto_populate, "peers" if policy is True else policy
        try:
            yield
        finally:
            self.auto_populate = before

    def hand_over(self) -> None:
        """Let the next thread that uses the session own it."""
        self._check_open()
        self.unit.hand_over()

    # -- other cores, and entities that belong together ---------------------------------------------------

    def _lend(self, other: Core) -> None:
        """Let another core use the schema and types of this one."""
        other._types = self.types
        if self._locations is not None:
            other._locations = self._locations.lend(other)
        other._description, other._described = self.server_information, self._described
        other.moment, other.scenario_name = self.moment, self.scenario_name
        other.known_capabilities, other.started_server = self.known_capabilities, self.started_server
        other.hub, other.defaults = self.hub, self.defaults
        other.operators, other.commands = self.operators, self.commands
        other._unit = other._new_unit(self.types)
        # It belongs to the thread that uses it first, which need not be the one that made it.
        other._unit.hand_over()

    def group(self, entities: list[Any]) -> None:
        """Entities created together are peers."""
        groups: dict[str, Peers] = {}
        for entity in entities:
            root = entity._type.root
            peers = groups.get(root)
            if peers is None:
                peers = groups[root] = Peers(root)
            peers.keys.append(entity._key)
            object.__setattr__(entity, "_peers", peers)
        self.identities.keep(entities)

    def live(self, name: str) -> list[Any]:
        """The live entities of a type (subtypes included)."""
        entity_class = self.types[name]
        family: Sequence[Any] = list(self.identities.family(entity_class._type.root))
        return [entity for entity in family if isinstance(entity, entity_class)]

    def _check_open(self) -> None:
        if self._closed:
            raise Closed("this session is closed; open a new one")

    def _check_entities(self, entities: Any) -> list[Any]:
        from callsheet.entity.entity import Entity

        found = [entities] if isinstance(entities, Entity) else list(entities)
        for entity in found:
            if not isinstance(entity, Entity):
                raise UsageError(f"this takes entities, not {type(entity).__name__}: {entity!r:.80}")
            core: Any = entity._core
            if core is not self:
                raise StateError(f"{entity!r} belongs to another session; fetch it here with `session.get(…)`")
        return found
