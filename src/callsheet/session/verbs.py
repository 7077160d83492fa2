"""The verbs of a session, each declared once. In a `Session` they block; in an `AsyncSession` they are awaited.

A verb has the parameters and the docstring of its flow (see ``core/verb.py``), which is imported when the verb is first
used (see ``later.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from callsheet.core.lazy import LazyCore
from callsheet.core.verb import FindingVerb, GivingVerb, Verb, VerbProperty
from callsheet.later import Later

if TYPE_CHECKING:
    from callsheet.analytics import cube_catalog, mdx_queries
    from callsheet.analytics import external as external_flows
    from callsheet.analytics import parameters as parameter_tables
    from callsheet.analytics.loads import making, transactions
    from callsheet.core import account as account_flows
    from callsheet.core import announcements, calls, opening, populating, reading, settlement
    from callsheet.core import capabilities as capability_flows
    from callsheet.core import commit as commit_flows
    from callsheet.core import ensure as ensure_flows
    from callsheet.core import resume as resume_flows
    from callsheet.core import schema_changes as schema_flows
    from callsheet.core.past import history as history_flows
    from callsheet.core.past import undo as undo_flows
    from callsheet.core.plain import copies, dumping, loads
    from callsheet.dialects.protocol import Description
    from callsheet.flow import Flow
    from callsheet.production import remote
    from callsheet.session import savepoints
    from callsheet.session import scenarios as scenario_flows
    from callsheet.storage import components, finding, media
    from callsheet.sync import foreign, planning, runs
else:
    cube_catalog = Later("callsheet.analytics.cube_catalog")
    mdx_queries = Later("callsheet.analytics.mdx_queries")
    external_flows = Later("callsheet.analytics.external")
    parameter_tables = Later("callsheet.analytics.parameters")
    making = Later("callsheet.analytics.loads.making")
    transactions = Later("callsheet.analytics.loads.transactions")
    account_flows = Later("callsheet.core.account")
    announcements = Later("callsheet.core.announcements")
    capability_flows = Later("callsheet.core.capabilities")
    calls = Later("callsheet.core.calls")
    opening = Later("callsheet.core.opening")
    populating = Later("callsheet.core.populating")
    reading = Later("callsheet.core.reading")
    settlement = Later("callsheet.core.settlement")
    commit_flows = Later("callsheet.core.commit")
    ensure_flows = Later("callsheet.core.ensure")
    resume_flows = Later("callsheet.core.resume")
    schema_flows = Later("callsheet.core.schema_changes")
    history_flows = Later("callsheet.core.past.history")
    undo_flows = Later("callsheet.core.past.undo")
    copies = Later("callsheet.core.plain.copies")
    dumping = Later("callsheet.core.plain.dumping")
    loads = Later("callsheet.core.plain.loads")
    remote = Later("callsheet.production.remote")
    savepoints = Later("callsheet.session.savepoints")
    scenario_flows = Later("callsheet.session.scenarios")
    components = Later("callsheet.storage.components")
    finding = Later("callsheet.storage.finding")
    media = Later("callsheet.storage.media")
    foreign = Later("callsheet.sync.foreign")
    planning = Later("callsheet.sync.planning")
    runs = Later("callsheet.sync.runs")

__all__ = ["SessionVerbs"]


class SessionVerbs(LazyCore):
    """The verbs that use the server or the disk."""

    reset = Verb(announcements.reset)
    populate = Verb(populating.populate)
    refresh = Verb(populating.refresh)
    commit = Verb(commit_flows.commit)
    resume = Verb(resume_flows.resume)
    settle = Verb(settlement.settle)
    abandon = Verb(settlement.abandon)
    history = Verb(history_flows.history, needs="history.read")
    commits = Verb(history_flows.commits, needs="history.read")
    undo = Verb(undo_flows.undo)
    plan = Verb(planning.plan)
    plan_file = Verb(planning.plan_file)
    external = Verb(foreign.external)
    external_ids = Verb(foreign.external_ids)
    sync_runs = Verb(runs.sync_runs)
    undo_sync = Verb(runs.undo_sync)

    create_type = Verb(schema_flows.create_type)
    add_attribute = Verb(schema_flows.add_attribute)
    create_scenario = Verb(scenario_flows.create_scenario, needs="scenarios.create")
    delete_scenario = Verb(scenario_flows.delete_scenario)
    scenarios = VerbProperty(scenario_flows.scenarios)
    create_table = Verb(making.create_table, needs="tables.create")
    drop_table = Verb(making.drop_table)
    read_csv = Verb(making.read_csv, needs="tables.load.path")
    read_parquet = Verb(making.read_parquet, needs="tables.load.path")
    read_pandas = Verb(making.read_pandas, needs="tables.create")
    read_arrow = Verb(making.read_arrow, needs="tables.create")
    read_numpy = Verb(making.read_numpy, needs="tables.create")
    read_sql = Verb(making.read_sql, needs="tables.create")
    read_spark = Verb(making.read_spark, needs="tables.create")
    connect_to_external_database = Verb(external_flows.connect_to_external_database, needs="external.connect")
    disconnect_external_database = Verb(external_flows.disconnect_external_database, needs="external.connect")
    external_databases = Verb(external_flows.external_databases)
    add_external_table = Verb(external_flows.add_external_table, needs="external.connect")
    drop_external_table = Verb(external_flows.drop_external_table, needs="external.connect")

    def start_transaction(self: Any, allow_nested: bool = True) -> Any:
        """A block whose changes of user tables, cubes and other entities are made together, or not at all if it fails.

        If it records changes of entities, such as cubes and their measures, its end commits all that is pending. Until
        then everybody reads the old state, as this session does of tables. A transaction inside another one is a part
        of it, unless ``allow_nested`` is false: then it raises `StateError`. In async code it is an ``async with``.

        >>> with session.start_transaction():  # doctest: +SKIP
        ...     sales.drop("day < 2026-01-01")
        ...     sales.load(frame)
        """
        return transactions.start_transaction(self, allow_nested)

    query_mdx = Verb(mdx_queries.query_mdx, needs="mdx.query")
    explain_mdx_query = Verb(mdx_queries.explain_mdx_query, needs="mdx.query")

    cubes = VerbProperty(cube_catalog.cubes)
    parameters = VerbProperty(parameter_tables.parameters)

    def create_parameter_table(
        self: Any, name: str, table: Any, keys: Mapping[str, Any], rules: Any = (), description: str = ""
    ) -> parameter_tables.ParameterTable:
        """A new table of rates, capacities or other numbers, which measures of cubes are multiplied with.

        ``keys`` name the levels of ``table`` that rules may tell apart, the most significant first. ``rules`` are pairs
        of texts by key, and a value: the most specific one wins, and of two with equally many keys the one with the
        earlier keys. The table and its rules are recorded as entities; a commit shares them, and a scenario may have
        rules of its own.

        >>> rates = session.create_parameter_table(  # doctest: +SKIP
        ...     "Rates", "Timelog", {"Artist": "user.username"}, [({}, 40.0), ({"Artist": "anna"}, 55.0)]
        ... )
        """
        return parameter_tables.create_parameter_table(self, name, table, keys, rules, description)

    dump = Verb(dumping.dump)
    dump_json = Verb(dumping.to_json)
    dump_yaml = Verb(dumping.to_yaml)
    load = Verb(loads.load)
    copy = Verb(copies.copy)

    get = FindingVerb(reading.get)
    ensure = GivingVerb(ensure_flows.ensure)

    def savepoint(self: Any) -> AbstractContextManager[None]:
        """A block that takes back what it recorded if it fails: values, creates, deletes, links, adjustments.

        What was pending before stays pending. Blocks may be nested. Inside one, `commit` and `rollback` raise
        `StateError`. In async code too, this is an ordinary ``with``.

        >>> with session.savepoint():  # doctest: +SKIP
        ...     session.create("Shot", {"name": "sh010"})
        ...     raise ValueError("no: the shot is gone again")
        """
        return savepoints.savepoint(self)

    @Verb
    def call(self: Any, /, action: str, **arguments: Any) -> Flow[Any]:
        """Call another action of the server by name."""
        return calls.call(self, action, arguments)

    @Verb
    def reload_schema(self: Any) -> Flow[Description]:
        """Read custom attributes that were added since the session was opened."""
        return opening.open_(self)

    user = VerbProperty(account_flows.person)
    system_info = VerbProperty(account_flows.system_info)
    current_user = VerbProperty(account_flows.current_user)
    logged_in = Verb(account_flows.logged_in, opens=False)
    logout = Verb(account_flows.logout, opens=False)
    ping = Verb(account_flows.ping)
    capabilities = VerbProperty(capability_flows.capabilities)
    open_page = Verb(account_flows.open_page)
    link = VerbProperty(account_flows.link)

    create_component = Verb(components.create)
    location = Verb(finding.named)
    pick_location = Verb(finding.pick_one)
    pick_locations = Verb(finding.pick_entities)
    get_component_availability = Verb(finding.availability)
    get_component_availabilities = Verb(finding.availabilities)
    encode_media = Verb(media.encode)

    get_widget_url = Verb(remote.widget_url)
    reset_remote = Verb(remote.reset_remote)
    send_user_invite = Verb(remote.invite_users)
    send_review_session_invite = Verb(remote.invite_reviewers)
    delayed_job = Verb(remote.delayed_job)
    search = Verb(remote.search)
