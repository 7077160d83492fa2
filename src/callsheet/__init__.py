"""Callsheet: a unit-of-work SDK for entity servers, and the embedded server that goes with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from callsheet import measures as measures
    from callsheet.analytics.cube_frames import CubeFrame
    from callsheet.analytics.datagrids import DataGrid
    from callsheet.analytics.live_cube import AsyncCube, Cube
    from callsheet.analytics.networks import RelationNetwork
    from callsheet.analytics.selections import Selection
    from callsheet.analytics.tables import Table
    from callsheet.analytics.variables import Variable
    from callsheet.core.statistics import Statistics
    from callsheet.dialects.protocol import CommitResult, Description, Features
    from callsheet.endpoints.declaration import endpoint
    from callsheet.endpoints.forwarding import forward
    from callsheet.entity.collection import Collection
    from callsheet.entity.entity import Entity
    from callsheet.errors import (
        CallsheetError,
        CapabilityError,
        CommitError,
        ConflictError,
        QueryError,
        ResultError,
        SchemaError,
        ServerError,
        StateError,
        TransportError,
        UsageError,
    )
    from callsheet.listening.declaration import handler
    from callsheet.listening.schedule import Tick, schedule
    from callsheet.model.capability import Capabilities
    from callsheet.model.event import Event
    from callsheet.model.history import Commit, EntityChange, HistoryEntry
    from callsheet.model.operation import Create, Delete, Operation, Update
    from callsheet.model.record import NOT_SET, Identity
    from callsheet.model.relative_time import RelativeTime, now
    from callsheet.model.schema import Attribute, EntityType, Schema
    from callsheet.server.process import Server, serve
    from callsheet.session.accessors import AsyncTypeAccessor, TypeAccessor
    from callsheet.session.awaiting import AsyncSession
    from callsheet.session.blocking import Session
    from callsheet.session.browser import AsyncBrowser, Browser
    from callsheet.session.connect import ApiKey, BasicAuthentication, connect, connect_async
    from callsheet.session.invitation import accept_invitation, accept_invitation_async
    from callsheet.session.login import login, login_async, login_with_password, login_with_password_async
    from callsheet.session.results import AsyncQueryResult, QueryResult
    from callsheet.session.security import AsyncSecurity, Security
    from callsheet.session.sign_on import sign_on
    from callsheet.session.start import HttpsConfig, SecurityConfig, SessionConfig
    from callsheet.sync.applying import SyncResult
    from callsheet.sync.cells import RefusedRow
    from callsheet.sync.external import External, external
    from callsheet.sync.foreign import ForeignId
    from callsheet.sync.mapping import Children, Column, RowMapping
    from callsheet.sync.plan import AsyncPlan, Plan
    from callsheet.sync.rows.opening import rows
    from callsheet.sync.side import Side, SideChange, SideChanges, SideOutcome, SideReference, SideRow
    from callsheet.sync.two_way.applying import TwoWayResult
    from callsheet.sync.two_way.pairing import Carried, TypePair
    from callsheet.sync.two_way.session_side import SessionSide
    from callsheet.sync.two_way.sync import AsyncSync, AsyncTwoWayPlan, Sync, TwoWayPlan

__version__ = "0.2.0"

#: The public names, and where each is at home. They are imported when first used.
_HOMES = {
    "ApiKey": "session.connect",
    "AsyncBrowser": "session.browser",
    "AsyncCube": "analytics.live_cube",
    "AsyncPlan": "sync.plan",
    "AsyncQueryResult": "session.results",
    "AsyncSecurity": "session.security",
    "AsyncSession": "session.awaiting",
    "AsyncSync": "sync.two_way.sync",
    "AsyncTwoWayPlan": "sync.two_way.sync",
    "AsyncTypeAccessor": "session.accessors",
    "Attribute": "model.schema",
    "BasicAuthentication": "session.connect",
    "Browser": "session.browser",
    "CallsheetError": "errors",
    "Capabilities": "model.capability",
    "CapabilityError": "errors",
    "Carried": "sync.two_way.pairing",
    "Children": "sync.mapping",
    "Collection": "entity.collection",
    "Column": "sync.mapping",
    "Commit": "model.history",
    "CommitError": "errors",
    "CommitResult": "dialects.protocol",
    "ConflictError": "errors",
    "Create": "model.operation",
    "Cube": "analytics.live_cube",
    "CubeFrame": "analytics.cube_frames",
    "DataGrid": "analytics.datagrids",
    "Delete": "model.operation",
    "Description": "dialects.protocol",
    "Entity": "entity.entity",
    "EntityChange": "model.history",
    "EntityType": "model.schema",
    "Event": "model.event",
    "External": "sync.external",
    "Features": "dialects.protocol",
    "ForeignId": "sync.foreign",
    "HistoryEntry": "model.history",
    "HttpsConfig": "session.start",
    "Identity": "model.record",
    "NOT_SET": "model.record",
    "Operation": "model.operation",
    "Plan": "sync.plan",
    "QueryError": "errors",
    "QueryResult": "session.results",
    "RefusedRow": "sync.cells",
    "RelationNetwork": "analytics.networks",
    "RelativeTime": "model.relative_time",
    "ResultError": "errors",
    "RowMapping": "sync.mapping",
    "Schema": "model.schema",
    "SchemaError": "errors",
    "Security": "session.security",
    "SecurityConfig": "session.start",
    "Selection": "analytics.selections",
    "Server": "server.process",
    "ServerError": "errors",
    "Session": "session.blocking",
    "SessionConfig": "session.start",
    "SessionSide": "sync.two_way.session_side",
    "Side": "sync.side",
    "SideChange": "sync.side",
    "SideChanges": "sync.side",
    "SideOutcome": "sync.side",
    "SideReference": "sync.side",
    "SideRow": "sync.side",
    "StateError": "errors",
    "Statistics": "core.statistics",
    "Sync": "sync.two_way.sync",
    "SyncResult": "sync.applying",
    "Table": "analytics.tables",
    "Tick": "listening.schedule",
    "TransportError": "errors",
    "TwoWayPlan": "sync.two_way.sync",
    "TwoWayResult": "sync.two_way.applying",
    "TypeAccessor": "session.accessors",
    "TypePair": "sync.two_way.pairing",
    "Update": "model.operation",
    "UsageError": "errors",
    "Variable": "analytics.variables",
    "accept_invitation": "session.invitation",
    "accept_invitation_async": "session.invitation",
    "connect": "session.connect",
    "connect_async": "session.connect",
    "endpoint": "endpoints.declaration",
    "external": "sync.external",
    "forward": "endpoints.forwarding",
    "handler": "listening.declaration",
    "login": "session.login",
    "login_async": "session.login",
    "login_with_password": "session.login",
    "login_with_password_async": "session.login",
    "now": "model.relative_time",
    "rows": "sync.rows.opening",
    "schedule": "listening.schedule",
    "serve": "server.process",
    "sign_on": "session.sign_on",
}

__all__ = [
    "ApiKey",
    "AsyncBrowser",
    "AsyncCube",
    "AsyncPlan",
    "AsyncQueryResult",
    "AsyncSecurity",
    "AsyncSession",
    "AsyncSync",
    "AsyncTwoWayPlan",
    "AsyncTypeAccessor",
    "Attribute",
    "BasicAuthentication",
    "Browser",
    "CallsheetError",
    "Capabilities",
    "CapabilityError",
    "Carried",
    "Children",
    "Collection",
    "Column",
    "Commit",
    "CommitError",
    "CommitResult",
    "ConflictError",
    "Create",
    "Cube",
    "CubeFrame",
    "DataGrid",
    "Delete",
    "Description",
    "Entity",
    "EntityChange",
    "EntityType",
    "Event",
    "External",
    "Features",
    "ForeignId",
    "HistoryEntry",
    "HttpsConfig",
    "Identity",
    "NOT_SET",
    "Operation",
    "Plan",
    "QueryError",
    "QueryResult",
    "RefusedRow",
    "RelationNetwork",
    "RelativeTime",
    "ResultError",
    "RowMapping",
    "Schema",
    "SchemaError",
    "Security",
    "SecurityConfig",
    "Selection",
    "Server",
    "ServerError",
    "Session",
    "SessionConfig",
    "SessionSide",
    "Side",
    "SideChange",
    "SideChanges",
    "SideOutcome",
    "SideReference",
    "SideRow",
    "StateError",
    "Statistics",
    "Sync",
    "SyncResult",
    "Table",
    "Tick",
    "TransportError",
    "TwoWayPlan",
    "TwoWayResult",
    "TypeAccessor",
    "TypePair",
    "Update",
    "UsageError",
    "Variable",
    "accept_invitation",
    "accept_invitation_async",
    "connect",
    "connect_async",
    "endpoint",
    "external",
    "forward",
    "handler",
    "login",
    "login_async",
    "login_with_password",
    "login_with_password_async",
    "now",
    "rows",
    "schedule",
    "serve",
    "sign_on",
]


if not TYPE_CHECKING:
    # Type checkers are not shown this, so that to them a misspelt name is an error.

    def __getattr__(name: str) -> Any:
        from importlib import import_module

        if name == "measures":
            return import_module("callsheet.measures")
        home = _HOMES.get(name)
        if home is None:
            raise AttributeError(f"module 'callsheet' has no attribute {name!r}")
        value = getattr(import_module(f"callsheet.{home}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
