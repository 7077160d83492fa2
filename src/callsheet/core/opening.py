"""Opening a session: what the server is, its schema, and the moment that is read."""

from __future__ import annotations

from datetime import datetime

from callsheet.core.core import Core
from callsheet.dialects.protocol import Description, HistoricDialect, ScenarioDialect
from callsheet.errors import UsageError
from callsheet.flow import Flow, Work

__all__ = ["open_"]


def open_(core: Core) -> Flow[Description]:
    """Request the server's description; its schema comes from the cache on disk if that is current."""
    cached = core._known_schema
    if core.moment is not None:
        yield from _enter(core)
    elif core.scenario_name is not None:
        _enter_scenario(core, core.scenario_name)
    elif core._cache is not None:
        cached = yield Work(core._cache.read)
    core.statistics.count("describe")
    description: Description = yield from core._dialect.describe(cached.hash if cached else "")
    schema = description.schema or cached
    if schema is None:
        raise UsageError("the server did not send its schema")
    if description.schema is not None and core._cache is not None:
        cache, fresh = core._cache, description.schema
        yield Work(lambda: cache.write(fresh))
    core.opened(description, schema)
    return description


def _enter_scenario(core: Core, name: str) -> None:
    """Let a session talk to the server as it is with a scenario over it."""
    dialect = core._dialect
    if not isinstance(dialect, ScenarioDialect):
        raise UsageError("this server has no scenarios")
    core._dialect = dialect.scenario(name)


def _enter(core: Core) -> Flow[None]:
    """Let a session that looks back talk to the server as it was; its moment becomes a position."""
    dialect = core._dialect
    if not isinstance(dialect, HistoricDialect):
        raise UsageError("this server keeps no history that could be read")
    name = "time" if isinstance(core.moment, datetime) else "position"
    core.statistics.count("call")
    answer = yield from dialect.call("at", {name: core.moment})
    core.moment = int(answer["position"])
    core._dialect = dialect.at(core.moment)
