"""What `Session` and `AsyncSession` share: options, forks, sessions of the past, and the steps around each flow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from contextvars import Token
from datetime import tzinfo
from threading import get_ident
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NoReturn, Self, Unpack
from weakref import WeakSet

from callsheet.core.core import Policy
from callsheet.core.statistics import Statistics, talking
from callsheet.errors import Closed, StateError, UsageError
from callsheet.later import Later
from callsheet.session.verbs import SessionVerbs

if TYPE_CHECKING:
    from pathlib import Path

    import attrs

    from callsheet import config, secret
    from callsheet.analytics import colours, storing
    from callsheet.analytics.dictionary import DataDictionary
    from callsheet.core import announcements, opening
    from callsheet.core.past import history, restoring
    from callsheet.core.past.history import Moment
    from callsheet.credentials.login import SessionLogin
    from callsheet.dialects.protocol import Description
    from callsheet.flow import Flow
    from callsheet.model import workspace as names
    from callsheet.model.language import json_schema
    from callsheet.model.schema import Schema
    from callsheet.session import (
        accessors,
        builtin,
        derived,
        moving,
        options,
        plugging,
        security,
        serialized,
        watching,
    )
    from callsheet.session import connection as connecting
    from callsheet.session import start as starting
    from callsheet.session.connection import ServerConnection
    from callsheet.session.serialized import SerializedSession
    from callsheet.session.start import SessionConfig
    from callsheet.transport import log as transport_log
    from callsheet.transport.exchange import TransportOptions
else:
    accessors = Later("callsheet.session.accessors")
    announcements = Later("callsheet.core.announcements")
    attrs = Later("attrs")
    builtin = Later("callsheet.session.builtin")
    colours = Later("callsheet.analytics.colours")
    config = Later("callsheet.config")
    json_schema = Later("callsheet.model.language.json_schema")
    connecting = Later("callsheet.session.connection")
    derived = Later("callsheet.session.derived")
    history = Later("callsheet.core.past.history")
    moving = Later("callsheet.session.moving")
    names = Later("callsheet.model.workspace")
    opening = Later("callsheet.core.opening")
    options = Later("callsheet.session.options")
    plugging = Later("callsheet.session.plugging")
    restoring = Later("callsheet.core.past.restoring")
    secret = Later("callsheet.secret")
    security = Later("callsheet.session.security")
    starting = Later("callsheet.session.start")
    serialized = Later("callsheet.session.serialized")
    transport_log = Later("callsheet.transport.log")
    storing = Later("callsheet.analytics.storing")
    watching = Later("callsheet.session.watching")

__all__ = ["FrontDoor"]


class FrontDoor(SessionVerbs):
    """The base of both kinds of session."""

    #: A name that its maker gave the session.
    name: str | None
    #: Whether each request is logged with its time and size.
    verbose: bool
    _awaits: ClassVar[bool]
    _known_dictionary: DataDictionary | None = None
    #: The cubes that were made or read here; see `create_cube`.
    _known_cubes: Any = None
    _restored: SerializedSession | None = None
    #: Why the pending work of a serialised session could not be restored.
    _unusable: Exception | None = None
    _event_hub: Any = None
    #: The watches that end with this session.
    _watches: Any = None
    _owns_connection = True

    def __init__(
        self,
        server_url: str | None = None,
        api_user: str | None = None,
        api_key: str | None = None,
        *,
        workspace: str | None = None,
        data_view: str | None = None,
        system: str | None = None,
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
        headers: Mapping[str, str] | None = None,
        naive_times: str | tzinfo | None = None,
        profile: str | None = None,
        login: SessionLogin | None = None,
        name: str | None = None,
        verbose: bool = False,
        connection: ServerConnection | None = None,
        **transport: Unpack[TransportOptions],
    ) -> None:
        if transport:
            _check_options(transport)
        if connection is None:
            # By name, so that an option is listed once: in the signature.
            options.check_kinds(locals())
            named = names.chosen_name(workspace, data_view, system)
            account = server_url, api_user, api_key
            settings = config.resolve(
                *account,
                schema_cache,
                dialect=dialect,
                profile=profile,
                login=login,
                workspace=named,
                keyless=bool(transport.get("certificate")),
            )
            connection = self._connected(settings, dialect, schema, seed, headers or {}, transport)
        self._connection = connection
        self.name, self.verbose = name, verbose
        self.plugging = plugging.Plugging(plugin_paths, plugin_arguments or {}, strict_plugins, allow_writable_plugins)
        super().__init__(
            connection.dialect,
            get_ident,
            cache=connection.cache,
            page_size=page_size,
            window=window,
            auto_populate=auto_populate,
            conflicts=conflicts,
            journal=connecting.journal_at(journal, connection),
            account=connection.user,
            naive_times=options.zone_of(naive_times) if naive_times is not None else None,
        )
        self._login = connection.login
        self.started_server = connection.service is not None
        self._made()

    def _connected(
        self,
        settings: config.ConnectionSettings,
        dialect: str | None,
        schema: str | Path | dict[str, Any] | None,
        seed: bool,
        headers: Mapping[str, str],
        transport: TransportOptions,
    ) -> ServerConnection:
        return connecting.connect(
            settings,
            blocking=not self._awaits,
            dialect=dialect,
            schema=schema,
            seed=seed,
            headers=headers,
            options=transport,
        )

    def _made(self) -> None:
        """Called at the end of the constructor; a blocking session with plugin paths opens here."""

    def __repr__(self) -> str:
        server = self._connection.server or "in this process"
        name = "" if self.name is None else f"{self.name!r} "
        return f"<{type(self).__name__} {name}{server}{' (closed)' if self._closed else ''}>"

    # -- watches -----------------------------------------------------------------------------------------

    def _watch(self, question: Any, make: Any, since: Any) -> Any:
        """A watch of a question, in the kind of this session."""
        kind = watching.AsyncWatch if self._awaits else watching.BlockingWatch
        return kind(self, question, make, since)

    def _watching(self, watch: Any) -> None:
        """Note a watch that ends with this session."""
        if self._watches is None:
            self._watches = WeakSet()
        self._watches.add(watch)

    def _close_watches(self) -> None:
        for watch in list(self._watches or ()):
            watch._stop(0.0 if self._awaits else 1.0)

    # -- who and where -----------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """The address of the server or database, with the path of the workspace, and without a password."""
        return self._connection.server

    @property
    def base_url(self) -> str:
        """The address of the server, without the path of a workspace."""
        return names.split_address(self._connection.server)[0]

    @property
    def access_token(self) -> str | None:
        """The token that requests are sent with now: a secret. None if the session has an API key."""
        access = None if self._login is None else self._login.access
        return None if access is None else access.reveal()

    @property
    def session_id(self) -> str | None:
        """The server's id of the login; None if the session has an API key."""
        tokens = None if self._login is None else self._login.tokens
        return None if tokens is None else tokens.session_id

    @property
    def api_client(self) -> Any:
        """The transport, for a raw request: ``session.api_client.send(Request("GET", "/v1/me"))`` gives a `Response`.

        It adds the login or the key, and raises `TransportError` if no answer comes. A server in this process has none.
        """
        return self._connection.transport

    def set_timeout(self, seconds: float) -> None:
        """Set the longest wait for the next bytes of an answer, for this session and not for its forks.

        Raises `UsageError` unless it is a positive number. A server in this process needs no time limit.
        """
        connecting.set_timeout(self._connection, seconds)

    @classmethod
    def start(cls, config: SessionConfig | None = None) -> Any:
        """Start a server in a process of its own, and give an open session of its administrator.

        The session also has ``port``, ``ready``, ``logs_path``, ``logs(tail=100)`` and ``wait()``, and closing it ends
        the server. A new session of the same `SessionConfig.name` in this process closes the older one. An
        `AsyncSession` is awaited. Raises `UsageError` for wrong options.

        >>> with Session.start(SessionConfig(name="rehearsal")) as session:  # doctest: +SKIP
        ...     session.create_table("Example", {"Id": "string"})
        """
        return starting.start_async(cls, config) if cls._awaits else starting.start(cls, config)

    @property
    def security(self) -> Any:
        """The accounts of the server, their passwords and roles, for administrators: a `Security`."""
        return security.AsyncSecurity(self) if self._awaits else security.Security(self)

    def serialize(self, *, include_token: bool = False, passphrase: str | None = None, pending: bool = False) -> str:
        """The session as a text without secrets, for `deserialize`: server, account, workspace, profile, schema hash.

        With ``include_token`` the login is in it, encrypted under the ``passphrase`` (extra ``server``): go on with one
        of the two sessions, because a login belongs to one. With ``pending`` the recorded changes are in it. An API key
        never is.

        >>> text = session.serialize(pending=True)  # doctest: +SKIP
        """
        phrase = None if passphrase is None else secret.Secret(passphrase)
        del passphrase
        return serialized.to_text(self, include_token, phrase, pending)

    @classmethod
    def deserialize(cls, text: str, passphrase: str | None = None, **options: Any) -> Self:
        """The session of a text that `serialize` made; ``options`` are those of the constructor, such as ``api_key``.

        Pending changes are recorded again when it opens; a value that has changed on the server meanwhile is a
        conflict, decided by the option ``conflicts``. Another schema than before is logged as a warning. Raises
        `UsageError` for a text of another kind or version, a damaged one, and a wrong passphrase.

        >>> session = Session.deserialize(text)  # doctest: +SKIP
        """
        phrase = None if passphrase is None else secret.Secret(passphrase)
        del passphrase
        found = serialized.from_text(text)
        login = serialized.login_of(found, phrase)
        given: dict[str, Any] = {"name": found.name or None, **options}
        if found.profile and not {"api_key", "profile"} & set(options):
            session = cls(profile=found.profile, **given)
            if session.url != found.url:
                raise UsageError(f"profile `{found.profile}` is a login to {session.url} now, not to {found.url}")
        else:
            own = {"api_user": found.user or None, "dialect": found.dialect or None, "login": login}
            session = cls(found.url, **{**own, **given})
        session._restored = found
        return session

    def __reduce__(self) -> NoReturn:
        raise UsageError(
            "a session is not pickled or copied, because its login and its connections are this process's: "
            "`session.serialize()` gives a text for `Session.deserialize`, and `session.fork()` another session"
        )

    if not TYPE_CHECKING:
        # Type checkers are not shown this, so that to them a misspelt verb is an error; they know `session["Task"]`.

        def __getattr__(self, name: str) -> Any:
            """The accessor of the entity type of this name, when it is no name of the session itself."""
            if name.startswith("_") or "_types" not in self.__dict__:
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            if hasattr(type(self), name):
                # A property whose own code failed so; its error is more useful than one about a type.
                return object.__getattribute__(self, name)
            return accessors.of_session(self, name)

    def __dir__(self) -> list[str]:
        schema = self._schema_if_open()
        return sorted({*object.__dir__(self), *(schema.types if schema is not None else ())})

    def _ipython_key_completions_(self) -> list[str]:
        schema = self._schema_if_open()
        return [] if schema is None else sorted(schema.types)

    @property
    def models(self) -> list[str]:
        """The names of all entity types."""
        return list(self.schema.types)

    @property
    def query_schema(self) -> dict[str, Any]:
        """The JSON Schema of the queries that `query` takes as JSON, made of the server's schema."""
        return json_schema.query_schema(self.schema)

    @property
    def workspace(self) -> str:
        """The name of the workspace on the server: ``default``, ``lab``, or ``holidays/uk``."""
        return self._connection.workspace or "default"

    @property
    def data_view(self) -> str:
        """The first part of the workspace's name."""
        return self.workspace.partition("/")[0]

    @property
    def system(self) -> str:
        """The second part of the workspace's name, empty if it has one part."""
        return self.workspace.partition("/")[2]

    def _repr_html_(self) -> str:
        from callsheet.display import html_table

        rows = [("server", self._connection.server or "in this process")]
        if self._description is not None and self._unit is not None:
            changes = f"{len(self._unit.compressed()):,} operations"
            rows += [("user", self.api_user or "nobody"), ("schema", self.schema.name), ("pending", changes)]
        state = "closed" if self._closed else "open" if self._description is not None else "not open yet"
        return html_table(("session", state), rows)

    def fork(self) -> Self:
        """A new session for another thread, without pending changes, with the same schema, types and connections."""
        # A session of the past, or in a scenario, has its dialect once it is open.
        if self._types is None:
            self._open_now()
        forked = type(self)(
            connection=attrs.evolve(self._connection, dialect=self._dialect, service=None),
            auto_populate=self.auto_populate,
            page_size=self.page_size,
            window=self._window,
            conflicts=self.conflicts,
            naive_times=self.naive_times,
            name=self.name,
            verbose=self.verbose,
        )
        forked._owns_connection = False
        forked._event_hub, forked.plugging = self._shared_hub(), self.plugging
        self._lend(forked)
        forked.journal, forked.journal_checked = self.journal, self.journal_checked
        return forked

    def with_cache(
        self,
        using_requests: bool = True,
        using_models: bool = True,
        timeout: float | None = None,
        verbose: bool | None = None,
    ) -> AbstractContextManager[Self]:
        """A fork for a block; it starts with copies of all entities that this session knows, if ``using_models``.

        Without ``using_requests`` it may not talk: what would need its server raises `ForbiddenRequest`. The copies
        have the server's values; pending work stays here. At the end the fork is closed, and nothing of it comes back
        but what `move` was called for. In async code too, this is an ordinary ``with``.

        >>> with session.with_cache(using_requests=False) as offline:  # doctest: +SKIP
        ...     shot = offline.get("Shot", key)
        ...     shot["name"] = "sh020"
        ...     offline.move(shot, to=session)
        """
        return derived.with_cache(self, using_requests, using_models, timeout, verbose)

    def move(self, entities: Any, to: FrontDoor) -> list[Any]:
        """Move what is pending on entities to another session, and copy what is known of them; gives them there.

        New entities are detached here. All of it is moved, or nothing: raises `StateError` if one refers to a new
        entity that is not moved with it, `UsageError` for a session with another schema or, unless all are new, on
        another server.
        """
        return moving.move(self, entities, to)

    def at(self, moment: Moment) -> Self:
        """A read-only session of a past state of the server: at a time, or after a commit (or its position).

        Use it as a context manager: ``with session.at(friday) as past:``, or ``async with`` for an `AsyncSession`.
        """
        past = type(self)(
            connection=attrs.evolve(self._connection, dialect=self._dialect, cache=None, service=None),
            auto_populate=self.auto_populate,
            page_size=self.page_size,
            window=self._window,
            naive_times=self.naive_times,
            name=self.name,
            verbose=self.verbose,
        )
        past._owns_connection = False
        past.plugging = self.plugging
        past.look_back(self, history.moment_of(moment))
        return past

    def scenario(self, name: str) -> Self:
        """A session in a scenario: it reads the base with the scenario over it, and its commits are kept there.

        It has entities of its own; those of this session stay as they are. Use it as a context manager:
        ``with session.scenario("two artists less") as plan:``, or ``async with`` for an `AsyncSession`. What is not
        committed at the end of the block is dropped. Raises `NotFound` when it opens, if there is no such scenario.

        >>> with session.scenario("two artists less") as plan:  # doctest: +SKIP
        ...     plan.get("Task", key)["bid"] = 12
        ...     plan.commit()
        """
        self.check_present()
        inside = type(self)(
            connection=attrs.evolve(self._connection, dialect=self._base_dialect, cache=None, service=None),
            auto_populate=self.auto_populate,
            page_size=self.page_size,
            window=self._window,
            conflicts=self.conflicts,
            naive_times=self.naive_times,
            name=self.name,
            verbose=self.verbose,
        )
        inside._owns_connection = False
        inside.plugging = self.plugging
        inside.look_into(self, name)
        return inside

    @property
    def _base_dialect(self) -> Any:
        """The dialect of the base; also in a session that is in a scenario itself."""
        return self._connection.dialect if self.scenario_name is not None else self._dialect

    @property
    def _transport(self) -> Any:
        """The transport for a flow; one that logs if the session is verbose."""
        transport = self._connection.transport
        return transport_log.logged(transport, self._awaits) if self.verbose else transport

    @property
    def _dictionary(self) -> DataDictionary:
        """The tables and variables of the present schema, made once for it."""
        self._check_open()
        known = self._known_dictionary
        if known is None:
            known = self._known_dictionary = colours.dictionary_of(self)
        known.follow()
        return known

    def _stored_selection(self, stored: str | Mapping[str, Any]) -> Any:
        """The selection that was stored as JSON, or as a text of the query language."""
        dictionary = self._dictionary
        return dictionary.kinds.selection(dictionary, storing.from_stored(stored, dictionary.schema))

    def _schema_if_open(self) -> Schema | None:
        return None if self._types is None else self._types.schema

    def _shared_hub(self) -> Any:
        raise NotImplementedError

    def _new_locations(self) -> Any:
        if self.scenario_name is not None:
            raise UsageError(f"a scenario has no files: use the session that {self.scenario_name!r} was opened from")
        from callsheet.storage.locations import Locations

        return Locations(self, self._connection.server)

    # -- around a flow -----------------------------------------------------------------------------------

    def _begin(self, flow: Flow[Any]) -> Token[Statistics | None]:
        """Check that a flow may begin; a session runs one at a time."""
        if self._closed:
            flow.close()
            raise Closed("this session is closed; open a new one")
        if self._busy:
            flow.close()
            raise StateError("this session is running another request; a session runs one at a time")
        if self._unusable is not None:
            flow.close()
            raise self._unusable
        if self._unit is not None:
            self._unit.check_thread()
        self._busy = True
        return talking.set(self.statistics)

    def _opening(self) -> Flow[Description]:
        """Read the schema, attach the behaviours that come with Callsheet, register the plugins."""
        description = yield from opening.open_(self)
        self._attach()
        yield from plugging.enter(self)
        if self._restored is not None:
            yield from self._restoring(self._restored, description)
        return description

    def _restoring(self, found: SerializedSession, description: Description) -> Flow[None]:
        """Record what was pending when the session was serialised. If that fails, the session is of no use."""
        found.compare(description.schema_hash)
        try:
            yield from restoring.restore(self, found.operations)
        except Exception as error:
            self._unusable = error
            raise
        self._restored = None

    def _attach(self) -> None:
        """Attach the behaviours that come with Callsheet."""
        builtin.attach(self)

    def _farewell(self) -> Flow[list[Any]]:
        """Publish the event that the session closes."""
        from callsheet.events.topics import CLOSED

        return announcements.tell(self, CLOSED)

    @property
    def _announces_closing(self) -> bool:
        from callsheet.events.topics import CLOSED

        return not self._busy and self._unusable is None and self.hub.wants(CLOSED)

    def _close_local(self) -> None:
        """Close the journal, and the server in this process."""
        if self.journal is not None:
            self.journal.close()
        if self._connection.service is not None:
            self._connection.service.close()


def _check_options(given: Mapping[str, Any]) -> None:
    """Raise `UsageError` for an unknown option."""
    from inspect import signature

    from callsheet.model.schema import did_you_mean
    from callsheet.transport.exchange import TransportOptions

    of_transport = TransportOptions.__annotations__
    for name in given:
        if name not in of_transport:
            known = [*signature(FrontDoor).parameters, *of_transport]
            raise UsageError(f"a session has no option `{name}`{did_you_mean(name, known)}")
