"""`Session` with the vendor's arguments and methods. It opens when it is made, as the vendor's does."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

from attrs import fields_dict, frozen

from callsheet import config
from callsheet.compat.ftrack_api import calling
from callsheet.compat.ftrack_api.cache import KeptEntities
from callsheet.compat.ftrack_api.entity.base import EntityMethods, LocationMethods, UserMethodsThatCommit
from callsheet.compat.ftrack_api.event.hub import NamedHub
from callsheet.compat.ftrack_api.exception import translated, translating
from callsheet.compat.ftrack_api.operation import Operations, PendingOperations, push
from callsheet.compat.ftrack_api.times import LenientUnit
from callsheet.core import calls
from callsheet.dialects.protocol import Description
from callsheet.entity.types import Types
from callsheet.entity.unit_of_work import UnitOfWork
from callsheet.errors import CallsheetError, SchemaError, StateError, UsageError
from callsheet.flow import Flow
from callsheet.model.schema import did_you_mean
from callsheet.session.blocking import Session as BlockingSession

__all__ = ["NamedSession", "ServerFacts", "Session"]

T = TypeVar("T")
DIALECT = "ftrack"


@frozen
class ServerFacts(Description):
    """What the server said of itself, as items too."""

    told: Mapping[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        return self.told[name]

    def __contains__(self, name: object) -> bool:
        return name in self.told

    def get(self, name: str, default: Any = None) -> Any:
        """What the server said under this name."""
        return self.told.get(name, default)


class NamedSession(BlockingSession):
    """`callsheet.Session` under the vendor's name, with its arguments, for servers that speak its language.

    What is not used is said in the log (``cache``, ``cache_key_maker``). ``strict_api`` is always on: an error of the
    server is an exception either way.
    """

    def __init__(
        self,
        server_url: str | None = None,
        api_key: str | None = None,
        api_user: str | None = None,
        auto_populate: Any = True,
        plugin_paths: Sequence[str | Path] | None = None,
        cache: Any = None,
        cache_key_maker: Any = None,
        auto_connect_event_hub: bool = False,
        schema_cache_path: str | Path | Literal[False] | None = None,
        plugin_arguments: Mapping[str, Any] | None = None,
        timeout: float = 60,
        cookies: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        strict_api: bool = False,
        **options: Any,
    ) -> None:
        self.logger = logging.getLogger(f"ftrack_api.session.{type(self).__name__}")
        self.said_of_locations: dict[str, dict[str, Any]] = {}
        self._told: Mapping[str, Any] = {}
        self._schemas: list[Any] | None = None
        self.cache, self.cache_key_maker = KeptEntities(self), None
        self.api_key = api_key
        self._connects = auto_connect_event_hub
        self._opens = "connection" not in options
        if self._opens:
            _check_kinds(cookies, headers, strict_api)
            self._say_what_is_not_used(cache=cache, cache_key_maker=cache_key_maker)
            options |= self._resolved(server_url, api_key, api_user, schema_cache_path, options)
            if not options.pop("embedded"):
                options |= {"timeout": timeout, "headers": _sent_headers(headers, cookies)}
        options |= {"plugin_paths": plugin_paths, "plugin_arguments": plugin_arguments}
        super().__init__(auto_populate=auto_populate, **options)

    def _resolved(self, url: Any, key: Any, user: Any, cache: Any, options: Mapping[str, Any]) -> dict[str, Any]:
        """Where to connect and as whom, as `callsheet.Session` takes it."""
        dialect = options.get("dialect", DIALECT)
        try:
            found = config.resolve(url, user, key, cache, dialect=dialect)
        except UsageError as error:
            raise TypeError(f'Required "server_url" or "api_key" not specified: {error}') from None
        if not found.embedded and not found.key:
            raise TypeError('Required "api_key" not specified. Pass it, or set FTRACK_API_KEY.')
        self.api_key = found.key
        known: dict[str, Any] = {"server_url": found.url, "api_user": found.user, "api_key": found.key}
        if not found.embedded:
            known |= {"dialect": dialect, "schema_cache": cache}
        return {**known, "embedded": found.embedded}

    def _say_what_is_not_used(self, **given: Any) -> None:
        for name, value in given.items():
            if value is not None:
                self.logger.warning("`%s` is not used: a session keeps its entities itself", name)

    def _made(self) -> None:
        if not self._opens:
            return
        self._open_or_close()
        if self._connects:
            try:
                self.event_hub.connect()
            except CallsheetError as error:
                self.logger.warning("the event hub is not connected: %s", error)

    def fork(self) -> Any:
        forked = super().fork()
        forked.api_key, forked._told, forked._schemas = self.api_key, self._told, self._schemas
        forked.said_of_locations = self.said_of_locations
        return forked

    # -- around a flow -----------------------------------------------------------------------------------

    def _drive(self, flow: Flow[T]) -> T:
        with translating():
            return super()._drive(flow)

    def untranslated(self, flow: Flow[T]) -> T:
        """Run a flow; its errors are Callsheet's alone."""
        return super()._drive(flow)

    def _check_open(self) -> None:
        with translating():
            super()._check_open()

    def _opening(self) -> Flow[Description]:
        description = yield from super()._opening()
        if self._dialect.name == DIALECT:
            told = yield from calls.call(self, "query_server_information", {})
            self._told = told if isinstance(told, Mapping) else {}
        return description

    def _attach(self) -> None:
        super()._attach()
        for name, entity_type in self.types.schema.types.items():
            if entity_type.parent is None:
                self.types.behave(name, lambda: EntityMethods)
        self.types.behave("Location", lambda: LocationMethods)
        if {"Timer", "Timelog"} <= self.types.schema.types.keys():
            self.types.behave("User", lambda: UserMethodsThatCommit)

    def _new_unit(self, types: Types) -> UnitOfWork:
        if self.moment is not None:
            return super()._new_unit(types)
        return LenientUnit(self, types, self.identities, self._who)

    def _shared_hub(self) -> NamedHub:
        if self._event_hub is None:
            self._event_hub = NamedHub(self.hub, self._connection, self.open, self._schema_if_open)
        hub: NamedHub = self._event_hub
        return hub

    # -- what the vendor's session has more ---------------------------------------------------------------

    @property
    def auto_populate(self) -> Any:
        """Whether reading what is not loaded fetches it."""
        return self._policy

    @auto_populate.setter
    def auto_populate(self, value: Any) -> None:
        self._policy = "peers" if value is True else value

    @property
    def record_operations(self) -> bool:
        """Whether changes are recorded."""
        return self.unit.recording

    @record_operations.setter
    def record_operations(self, value: bool) -> None:
        self.unit.recording = bool(value)

    @property
    def recorded_operations(self) -> Any:
        """What is pending, as a stack that takes more operations."""
        return PendingOperations(self)

    @recorded_operations.setter
    def recorded_operations(self, operations: Operations) -> None:
        if isinstance(operations, PendingOperations) and operations.session is self:
            return
        if self.pending:
            with translating("OperationError"):
                raise StateError("other operations are pending, which would be lost; commit or roll back first")
        for each in operations:
            push(self, each)

    @property
    def server_url(self) -> str:
        """The address of the server."""
        return self._connection.server

    @property
    def server_information(self) -> ServerFacts:
        """What the server said of itself."""
        known = super().server_information
        facts = {name: getattr(known, name) for name in fields_dict(Description)}
        return ServerFacts(**facts, told={"version": known.version, "schema_hash": known.schema_hash, **self._told})

    @property
    def schemas(self) -> list[Any]:
        """The schemas that the server tells, one for each entity type."""
        if self._schemas is None:
            self._schemas = self.call([{"action": "query_schemas"}])[0]
        return self._schemas

    @property
    def request_timeout(self) -> float:
        """Seconds that the server is waited for."""
        return float(self._connection.transport._settings.timeouts.read)

    def create(self, entity_type: Any, data: Mapping[str, Any] | None = None, reconstructing: bool = False) -> Any:
        """A new entity, pending. Names that the type has not are passed over, with a warning in the log.

        With ``reconstructing`` the values count as the server's, and nothing is recorded.
        """
        self._check_type(entity_type)
        known = self.types[entity_type]._type
        taken = {name: value for name, value in (data or {}).items() if name in known.names or name in known.key}
        for name in (data or {}).keys() - taken.keys():
            self.logger.warning(
                "%s has no attribute `%s`%s: not set", entity_type, name, did_you_mean(name, known.names)
            )
        with translating(), self.operation_recording(self.unit.recording and not reconstructing):
            return super().create(entity_type, taken)

    def ensure(self, entity_type: Any, data: Any, identifying_keys: Any = None, commit: bool = True) -> Any:
        """The entity with these identifying values, found or created, and brought up to date; it commits."""
        self._check_type(entity_type)
        if not data:
            raise ValueError("Could not determine any identifying data to check against when ensuring.")
        return super().ensure(entity_type, data, list(identifying_keys or data), commit=commit)

    def get(self, entity_type: Any, entity_key: Any) -> Any:  # type: ignore[override]
        """The entity of a primary key, or None; a key may be a list of its parts."""
        self._check_type(entity_type)
        if isinstance(entity_key, Sequence) and not isinstance(entity_key, str) and len(entity_key) == 1:
            entity_key = entity_key[0]
        return super().get(entity_type, entity_key)

    def query(self, expression: Any, page_size: int | None = 500, use_cache: bool = False) -> Any:
        """What an expression selects."""
        with translating():
            return super().query(str(expression), page_size, use_cache)

    def delete(self, entity: Any) -> None:
        """Delete an entity with the next commit."""
        with translating():
            super().delete(entity)

    def call(self, action: Any, /, **arguments: Any) -> Any:  # type: ignore[override]
        """Operations of the vendor's wire, in one request: a list of them, one for each a result.

        An action's name with its arguments is one operation, as in `callsheet.Session`.
        """
        if isinstance(action, str):
            return super().call(action, **arguments)
        return self.run(calling.call_batch(self, list(action)))

    def entity_reference(self, entity: Any) -> dict[str, Any]:
        """The type and key of an entity, as the wire has them."""
        key = entity.identity.key
        parts = key if isinstance(key, tuple) else (key,)
        return {"__entity_type__": entity.entity_type, **dict(zip(entity._type.key, parts))}

    def get_upload_metadata(
        self, component_id: str, file_name: str, file_size: int, checksum: str | None = None
    ) -> Any:
        """Where the file of a component may be sent."""
        told = {"component_id": component_id, "file_name": file_name, "file_size": file_size, "checksum": checksum}
        return self.call([{"action": "get_upload_metadata", **told}])[0]

    def send_user_invites(self, users: Sequence[Any]) -> None:
        """Let the server send invitations to users."""
        self.send_user_invite(users)

    def send_review_session_invites(self, invitees: Sequence[Any]) -> None:
        """Let the server send invitations to invitees of a review."""
        self.send_review_session_invite(invitees)

    def check_server_compatibility(self) -> None:
        """Opening has found out already."""

    def _check_type(self, entity_type: Any) -> None:
        """Raise ``UnrecognisedEntityTypeError`` for the name of no type."""
        self._check_open()
        if isinstance(entity_type, str) and entity_type not in self.types:
            error = SchemaError(f"there is no entity type `{entity_type}`{did_you_mean(entity_type, self.types)}")
            raise translated(error, "UnrecognisedEntityTypeError")


Session = NamedSession


def _check_kinds(cookies: Any, headers: Any, strict_api: Any) -> None:
    for name, value in (("cookies", cookies), ("headers", headers)):
        if value is not None and not isinstance(value, Mapping):
            raise TypeError(f"The {name} argument is required to be a mapping, not {type(value).__name__}.")
    if not isinstance(strict_api, bool):
        raise TypeError(f"The strict_api argument is required to be a boolean, not {type(strict_api).__name__}.")


def _sent_headers(headers: Mapping[str, str] | None, cookies: Mapping[str, str] | None) -> dict[str, str]:
    joined = "; ".join(f"{name}={value}" for name, value in (cookies or {}).items())
    return {**(headers or {}), "cookie": joined} if joined else dict(headers or {})
