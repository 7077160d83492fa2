"""The backend of one principal: every verb of the protocol, implemented once, on any view.

The principal's rights (``permissions.py``, compiled in ``access.py``) are passed with every read to ``reading/`` and
with every commit to ``writing/``; refusals are recorded in ``access/audit.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial, wraps
from importlib.util import find_spec
from typing import Any, NoReturn, ParamSpec, TypeVar

from attrs import evolve
from sqlalchemy import Connection, select

from callsheet import __version__, collector
from callsheet.dialects.protocol import ColumnPage, CommitResult, Description, EventBatch, Features
from callsheet.errors import CallsheetError, Closed, Forbidden, Invalid, NotFound, TooLarge, UsageError
from callsheet.export.layout import columns_of, select_for
from callsheet.export.pages import page_values
from callsheet.model.cause import CellQuestion, NumberChange
from callsheet.model.event import Event, Position
from callsheet.model.language.aggregates import check_aggregate
from callsheet.model.language.checking import check
from callsheet.model.language.relative import fixed_aggregate
from callsheet.model.measure import Aggregate
from callsheet.model.operation import ChangeSet, Delete, Operation, Update
from callsheet.model.plain import Malformed
from callsheet.model.query import Select
from callsheet.model.question import Answer, Question
from callsheet.model.record import Page
from callsheet.model.schema import Schema
from callsheet.model.table_steps import steps_from_plain
from callsheet.model.watching import Watch
from callsheet.server import asking
from callsheet.server.access.access import Access
from callsheet.server.access.confidential import deciding_types
from callsheet.server.access.people import NAME
from callsheet.server.access.principal import Principal
from callsheet.server.actions import perform
from callsheet.server.context import ServerContext
from callsheet.server.deadline import check_deadline, without_deadline
from callsheet.server.external import calls as external
from callsheet.server.external.rights import rights_on
from callsheet.server.external.store import ExternalStore
from callsheet.server.files.access import FileAccess
from callsheet.server.log import history, receipts
from callsheet.server.log.filters import filter_of
from callsheet.server.migration import calls as schemas
from callsheet.server.own_account import own_account
from callsheet.server.own_capabilities import own_capabilities
from callsheet.server.queues import handlers
from callsheet.server.queues.request import HandlerRequest
from callsheet.server.reading import clock
from callsheet.server.reading.aggregates import read_aggregate
from callsheet.server.reading.answers import read_answer
from callsheet.server.reading.cost import GROUPS, check_cost
from callsheet.server.reading.counts import counts
from callsheet.server.reading.pages import read_page
from callsheet.server.reading.why import explain_cell
from callsheet.server.scenarios import actions as scenarios
from callsheet.server.scenarios.call import ScenarioCall
from callsheet.server.store.store import Store
from callsheet.server.tables import changing as tables
from callsheet.server.tables.arrow_columns import can_read
from callsheet.server.user_content import UserContent
from callsheet.server.views import ExternalView, PastView, PresentView, ScenarioView, TransactionView, View
from callsheet.server.watching.reader import WatchReader
from callsheet.server.writing import apply as writing
from callsheet.server.writing.custom_attributes import CONFIGURATION

__all__ = ["FEATURES", "ServiceBackend", "apply_changes"]

T = TypeVar("T")
P = ParamSpec("P")

FEATURES = Features(
    handlers=True,
    adjustments=True,
    schedules=True,
    rows=2_000,
    commit_operations=writing.OPERATIONS,
    columns=find_spec("nanoarrow") is not None,
    relative_times=True,
    counts=True,
    measures=True,
    questions=True,
    causes=True,
    scenarios=True,
    watches=True,
    tables=can_read(),
)
SCHEMAS = 8
"""How often a verb is done again because the schema was changed meanwhile."""
EVENTS = 1_000
"""The most events in one batch."""


def _follows(context: ServerContext) -> bool:
    """Whether the schema was changed, and is read now; False, too, if it cannot be read: the first error says why."""
    try:
        return context.configured.follow()
    except Exception:
        return False


def _by_present_schema(method: Callable[P, T]) -> Callable[P, T]:
    """A verb that is done again if it failed because the schema was changed meanwhile."""

    @wraps(method)
    def verb(*arguments: P.args, **options: P.kwargs) -> T:
        backend = arguments[0]
        assert isinstance(backend, ServiceBackend)
        store = backend._context.store
        for _ in range(SCHEMAS):
            known = store.schema_number
            try:
                return method(*arguments, **options)
            except CallsheetError:
                if not backend._view.limited:
                    raise
                if not _follows(backend._context) and store.schema_number == known:
                    raise
        return method(*arguments, **options)

    return verb


class ServiceBackend:
    """A `Backend` for one principal; ``view`` is the state that it reads and writes (see ``views.py``)."""

    def __init__(self, context: ServerContext, principal: Principal, view: View) -> None:
        self._context, self._principal, self._view = context, principal, view
        self._user = principal.account

    def __repr__(self) -> str:
        return f"<Backend for {self._user!r}, {self._view!r}>"

    @property
    def user_content(self) -> UserContent:
        """What people keep of the page, in a database of its own."""
        return self._context.user_content

    def describe(self, known_hash: str = "") -> Description:
        """The server, its features, and its schema (None if its hash is ``known_hash``)."""
        self._access()
        self._context.configured.refresh()
        self._context.external.refresh()
        schema = self.schema
        return Description(
            server="callsheet",
            version=__version__,
            time=self._view.now(),
            schema_hash=schema.hash,
            schema=None if known_hash == schema.hash else schema,
            user=self._user,
            features=FEATURES,
            workspace=self._context.workspace,
        )

    @_by_present_schema
    def select(self, select: Select, size: int, cursor: str | None = None) -> Page:
        """At most ``size`` results after ``cursor``, and no more than the server's page limit."""
        if (there := self._there(select.entity_type)) is not None:
            return there.select(select, size, cursor)
        rows = min(size, FEATURES.rows) if self._view.limited else size
        with self._reading() as (store, access):
            checked = self._checked(lambda: check(select, store.schema))
            check_cost(checked)
            moment, cursor = clock.begun(checked, cursor, self._view.now)
            with self._view.connect(store) as connection:
                page = read_page(store, connection, clock.at(checked, moment), rows, cursor, access)
            return clock.stamped(page, moment)

    def columns(self, select: Select, size: int, cursor: str | None = None) -> ColumnPage:
        """The same results as columns, one for each projection; without projections, those of the type."""
        if (there := self._there(select.entity_type)) is not None:
            return there.columns(select, size, cursor)
        schema = self.schema
        checked = self._checked(lambda: check(select, schema))
        try:
            layout = columns_of(schema, checked)
        except UsageError as error:
            raise Invalid(str(error)) from None
        if any(column.labels for column in layout):
            raise Invalid(f"columns of {select.entity_type}, which has types below it, need the projections named")
        page = self.select(select_for(schema, checked), size, cursor)
        names, kinds = [column.name for column in layout], [column.kind for column in layout]
        return ColumnPage(names, kinds, page_values(schema, layout, page), page.cursor)

    @_by_present_schema
    def aggregate(self, aggregate: Aggregate) -> list[tuple[Any, ...]]:
        """One tuple for each group: the group's values (`TOTAL` where a total has none), then the measures."""
        if (there := self._there(aggregate.select.entity_type)) is not None:
            return there.aggregate(aggregate)
        with self._reading() as (store, access):
            fixed = self._fixed(aggregate, store)
            most, mirror = GROUPS if self._view.limited else None, self._view.mirror
            if mirror is not None and not fixed.counts_only:
                with mirror.reading() as state:
                    plan = None if state.cells is None else state.cells.plan(access, fixed)[0]
                    return read_aggregate(state.store, state.connection, fixed, access, most, plan)
            with self._view.connect(store) as connection:
                return read_aggregate(store, connection, fixed, access, most)

    @_by_present_schema
    def ask(self, questions: Sequence[Question]) -> list[Answer]:
        """An answer for each question; all those of the same state are of one snapshot of it."""
        asking.check_number(questions)
        answers: dict[int, Answer] = {}
        for places in asking.by_state(questions, self._context.external.database_of).values():
            asked = [questions[place] for place in places]
            view = asking.view_of(self._context, self._view, asked[0], self._user)
            backend = ServiceBackend(self._context, self._principal, view)
            answers.update(zip(places, backend._answers(asked, list(answers.values()))))
        return [answers[place] for place in range(len(questions))]

    def watch(self, watches: Sequence[Watch]) -> WatchReader:
        """A reader of these questions, which gets their answers whenever commits have changed them."""
        if not isinstance(self._view, PresentView):
            raise Invalid(f"what is watched is of the present, and this is {self._view!r}")
        for each in watches:
            entity_type = each.question.aggregate.select.entity_type
            if (database := self._context.external.database_of(entity_type)) is not None:
                raise Invalid(
                    f"{entity_type} is a table of the external database `{database}`, whose commits are not seen here: "
                    "ask for it again, or load it into a table of this server"
                )
        return self._context.watches.open(self._user, self._access, lambda question: self.ask([question])[0], watches)

    def why(self, question: CellQuestion) -> NumberChange:
        """The commits that changed a cell of an aggregate between two positions, as far as the user may read them."""
        store, access = self._context.store, self._access()
        asked = evolve(question, aggregate=self._fixed(question.aggregate, store))
        with self._view.connect(store) as connection:
            return explain_cell(store, connection, access, asked, self._view.until)

    def _answers(self, questions: Sequence[Question], before: Sequence[Answer]) -> list[Answer]:
        """The answers of this view, beside those ``before`` of the same request."""
        with self._reading() as (store, access):
            asked = [evolve(each, aggregate=self._fixed(each.aggregate, store)) for each in questions]
            answers: list[Answer] = []
            with asking.snapshot(self._view, store, asked) as state:
                for question in asked:
                    most = asking.most_groups((*before, *answers)) if self._view.limited else None
                    answers.append(read_answer(state, question, access, most))
            return answers

    def _fixed(self, aggregate: Aggregate, store: Store) -> Aggregate:
        """An aggregate that is checked, and whose times are of now."""
        checked = self._checked(lambda: check_aggregate(aggregate, store.schema))
        check_cost(checked)
        return fixed_aggregate(checked, self._view.now())

    def stage(self, commit_id: str, number: int, operations: Sequence[Operation]) -> None:
        """Keep part ``number`` (from 0) of a commit that is too large for one request; may be repeated."""
        if not self._access().writes:
            self._refuse("stage", "may not write, so it may not stage")
        self._check_size(operations)
        writing.check_commit_id(commit_id)
        most = writing.OPERATIONS // 100
        if not 0 <= number < most:
            raise Invalid(f"the number of a part is from 0 to {most - 1:,}, not {number}")
        store, user, now = self._context.store, self._user, self._view.now()
        part = receipts.StagedPart(user, commit_id, number, receipts.part_content(operations), now)
        most = self._context.limits.account_staged_bytes
        self._view.write(lambda connection: receipts.stage(store, connection, part, most))

    def stage_rows(self, load: str, number: int, data: bytes) -> None:
        """Keep part ``number`` (from 0) of the rows of a load: an Arrow IPC stream; may be repeated."""
        self._view.begin()
        if not self._access().writes:
            self._refuse("stage", "may not write, so it may not stage")
        writing.check_commit_id(tables.part_name(load))
        if not 0 <= number < tables.PARTS:
            raise Invalid(f"the number of a part is from 0 to {tables.PARTS - 1:,}, not {number}")
        if len(data) > self._context.limits.parts_bytes:
            raise TooLarge(
                f"a part of a load has at most {self._context.limits.parts_bytes:,} bytes, not {len(data):,}"
            )
        part = receipts.StagedPart(self._user, tables.part_name(load), number, data, self._view.now())
        store, most = self._context.store, self._context.limits.account_staged_bytes
        self._view.write(lambda connection: receipts.stage(store, connection, part, most))

    @_by_present_schema
    def commit(self, changes: ChangeSet) -> CommitResult:
        """Apply all operations, or none; once, however often it is sent."""
        access = self._active("tables.change") if changes.steps else self._access()
        self._check_size(changes.operations)
        self._context.external.check_own(changes.operations)
        if changes.parts or any(name.startswith("custom_attributes.") for name in _names(changes.operations)):
            self._context.configured.refresh()
        with self._auditing(changes, access):
            return apply_changes(self._context, self._view, changes, self._user, access)

    @_by_present_schema
    def together(self, function: Callable[[ServiceBackend], T]) -> T:
        """Call the function with a backend whose verbs all run in one transaction; an exception rolls it back.

        On PostgreSQL the function may be called again.
        """

        def work(connection: Connection) -> tuple[T, TransactionView]:
            check_deadline()
            view = TransactionView(self._context, connection)
            with collector.paused():
                return function(ServiceBackend(self._context, self._principal, view)), view

        self._view.check_present()
        with self._auditing():
            answer, inside = self._view.write(work)
        if inside.position:
            self._view.committed(inside.position, inside.configured, inside.seen)
        return answer

    def call(self, action: str, arguments: Mapping[str, Any]) -> Any:
        """History (``log/history.py``), durable handlers, accounts, roles, grants and the audit (``actions.py``).

        ``counts`` gives the numbers of entities of several types, as far as the caller may read them.
        ``own.key`` gives the caller's own account another key with the same expiry; every account may call it.
        ``own.page`` gives it a code by which a browser signs in, once. ``own.user`` returns the account's user, who may
        have been renamed, and ``own.account`` says who the caller is, ``own.capabilities`` what it may do.
        """
        if action in history.ACTIONS:
            return self._history(action, arguments)
        if action == "counts":
            return counts(self.aggregate, arguments)
        if action == "own.user":
            return {"name": self._user, "key": self._access().user_key}
        if action == "own.account":
            return own_account(self._context, self._user, self._access().permissions)
        if action == "own.capabilities":
            remote = bool(self._principal.address)
            return own_capabilities(self.schema, self._user, self._access().permissions, remote)
        self._view.begin()
        access = self._access()
        if action == "tables.change":
            return self._change_tables(arguments)
        if action == "own.key":
            key = self._context.accounts.renew(self._user)
            address = self._principal.address
            self._context.audit.happened("own.key", "made another key", account=self._user, address=address)
            return {"name": self._user, "key": key}
        if action == "own.page":
            code = self._context.logins.browsers.code(self._user, "a browser", self._principal.address)
            return {"code": code}
        if action in handlers.ACTIONS:
            context = self._context
            rights = partial(self._active, action)
            request = HandlerRequest(context.store, context.now, self._user, rights, context.broker.recent)
            return handlers.answer(request, action, arguments)
        if action in scenarios.ACTIONS:
            return scenarios.answer(self._scenario_call(action), action, arguments)
        try:
            access.permissions.authorise(action)
        except Forbidden as error:
            self._note(action, str(error))
            raise
        if action in schemas.ACTIONS:
            return self._call_schema(action, arguments)
        if action in external.ACTIONS:
            return self._call_external(action, arguments)
        return perform(self._context, self._principal, action, arguments)

    def _call_schema(self, action: str, arguments: Mapping[str, Any]) -> Any:
        context = self._context
        call = schemas.SchemaCall(context.store, self._user, self._view.now(), context.schema_changed)
        done = schemas.answer(call, action, arguments)
        if done.get("position"):
            what = f"changed the schema, by commit {done['position']}"
            context.audit.happened(action, what, account=self._user, address=self._principal.address)
        return done

    def _call_external(self, action: str, arguments: Mapping[str, Any]) -> Any:
        found = external.answer(self._context.external, action, arguments)
        if action in external.RECORDED:
            name = arguments.get("name") if found is None else found["name"]
            what = f"{external.RECORDED[action]} `{name}`"
            self._context.audit.happened(action, what, account=self._user, address=self._principal.address)
        return found

    def _there(self, entity_type: str) -> ServiceBackend | None:
        """The backend of the external database that has the rows of a type; None for the server's own types."""
        if isinstance(self._view, ExternalView):
            return None
        database = self._context.external.database_of(entity_type)
        if database is None:
            return None
        view = asking.external_view(self._context, self._view, entity_type, database)
        return ServiceBackend(self._context, self._principal, view)

    def _scenario_call(self, action: str) -> ScenarioCall:
        context, most = self._context, self._context.limits.account_staged_bytes
        access = self._active(action)
        return ScenarioCall(
            context.store, context.scenarios, self._view.now, self._user, access, most, self._view.committed
        )

    def _change_tables(self, arguments: Mapping[str, Any]) -> Any:
        """All steps of a change of user tables, or none; once, however often it is sent."""
        change_id = arguments.get("id")
        if set(arguments) != {"id", "steps"} or not isinstance(change_id, str):
            raise Invalid("tables.change: takes `id`, a text, and `steps`")
        try:
            steps = steps_from_plain(arguments["steps"])
        except Malformed as error:
            raise Invalid(str(error)) from None
        writing.check_commit_id(change_id)
        access, context, now = self._active("tables.change"), self._context, self._view.now()

        def apply(connection: Connection) -> dict[str, Any]:
            check_deadline()
            with without_deadline(), collector.paused():
                return tables.change_tables(context.store, connection, change_id, steps, self._user, access, now)

        with self._auditing():
            done = self._view.write(apply)
        self._view.committed(done["position"], done["configured"])
        return done

    def publish(self, event: Event) -> Position:
        """Store the event for some days and deliver it to all subscribers; once for an id, however often it is sent."""
        self._view.begin()
        self._active("publish")
        return self._context.broker.publish(event, self._user)

    def events(
        self, after: Position | None, expressions: Sequence[str], subscriber: Mapping[str, Any], limit: int
    ) -> EventBatch:
        """Events after a position (None: from now on) that fulfil any of the expressions (see `Broker.batch`)."""
        self._view.begin()
        wanted = filter_of(expressions)
        return self._context.broker.batch(self._active("events"), after, wanted, subscriber, min(limit, EVENTS))

    def wait_events(self, after: Position, timeout: float) -> bool:
        """Whether there are events after a position; blocks up to ``timeout`` seconds for them."""
        self._view.begin()
        if self._context.broker.closed:
            raise Closed("the service is closed; open it again to receive events")
        return self._context.broker.wait(after, timeout)

    def at(self, position: int) -> ServiceBackend:
        """A read-only backend of the state after the commit of this position, at most this view's."""
        view = PastView(self._context, min(position, self._view.until))
        return ServiceBackend(self._context, self._principal, view)

    def scenario(self, label: str) -> ServiceBackend:
        """A backend of the present with a scenario over it; its commits are kept in the scenario."""
        self._view.begin()
        return ServiceBackend(self._context, self._principal, ScenarioView(self._context, self._user, label))

    @property
    def schema(self) -> Schema:
        """The schema in this view, custom attributes included."""
        with self._view.open() as store:
            return store.schema if isinstance(self._view, ExternalView) else self._context.external.merged(store.schema)

    @property
    def files(self) -> FileAccess:
        """The uploaded files, with the user's rights."""
        self._view.check_present()
        self._active("files")
        return FileAccess(self._context.files, self._context.addresses, self, self._user, self._seen_by)

    def _seen_by(self, account: str) -> ServiceBackend:
        """The backend of another account, with the same view."""
        return ServiceBackend(self._context, Principal(account), self._view)

    def exists(self, entity_type: str, key: str) -> bool:
        """Whether an entity of this type and key exists, also if the user may not read it."""
        if (there := self._there(entity_type)) is not None:
            return there.exists(entity_type, key)
        with self._view.open() as store, self._view.connect(store) as connection:
            table = store.tables[store.schema.type(entity_type).root]
            here = select(table.c.id).where(table.c.id == key, table.c._type.in_(store.schema.concrete(entity_type)))
            return connection.execute(here).first() is not None

    def may(self, verb: str, entity_type: str, key: str) -> bool:
        """Whether the verb is allowed on the entity of a key; if there is none, only if it is allowed on all.

        With an empty key: whether it is allowed on any entity of the type.
        """
        if (there := self._there(entity_type)) is not None:
            return verb == "read" and there.may(verb, entity_type, key)
        with self._reading() as (store, access):
            if not key:
                return access.anywhere(verb, entity_type)
            if access.everywhere(verb, entity_type):
                return True
            root = store.schema.type(entity_type).root
            with self._view.connect(store) as connection:
                return key in access.among(verb, connection, root, [key])

    @contextmanager
    def _reading(self) -> Iterator[tuple[Store, Access]]:
        """The store of this view, and the principal's rights on its entities."""
        access = self._access()
        with self._view.open() as store:
            if isinstance(store, ExternalStore):
                yield store, rights_on(store, access)
                return
            # The project of an entity is looked up in the store that is read.
            yield store, access if store is self._context.store else access.over(store)

    def _history(self, action: str, arguments: Mapping[str, Any]) -> Any:
        """The history up to this view, as far as the user may read it."""
        access, present = self._access(), self._context.store
        with self._view.open() as store, self._view.connect(present) as connection:
            past = None if store is present else store
            scope = history.HistoryScope(present, connection, access, self._view.until, past)
            return history.answer(scope, action, arguments)

    def _access(self) -> Access:
        return self._context.access(self._user)

    def _active(self, action: str) -> Access:
        """The access of an account with any right; raises `Forbidden` for a guest without a grant."""
        access = self._access()
        if not access.acts:
            self._refuse(action, f"has no rights, and may not use {action}")
        return access

    def _refuse(self, action: str, why: str) -> NoReturn:
        error = Forbidden(f"`{self._user}` {why}; ask an administrator for a role")
        self._note(action, str(error))
        raise error

    def _checked(self, function: Callable[[], T]) -> T:
        """The result of a check; if it fails, it is repeated if another process has changed custom attributes."""
        try:
            return function()
        except UsageError as error:
            if not self._context.configured.refresh():
                raise self._context.external.explained(error) from None
        return function()

    def _check_size(self, operations: Sequence[Operation]) -> None:
        if self._view.limited and len(operations) > FEATURES.operations:
            raise TooLarge(
                f"{len(operations):,} operations in one request; the limit is {FEATURES.operations:,}: "
                "stage larger commits in parts"
            )

    @contextmanager
    def _auditing(self, changes: ChangeSet | None = None, access: Access | None = None) -> Iterator[None]:
        """Record a commit that is forbidden, or that names an entity that its author may not read."""
        try:
            yield
        except Forbidden as error:
            self._note("commit", str(error), error.entity)
            raise
        except (Invalid, NotFound) as error:
            if changes is not None and access is not None and not access.reads_all:
                self._note_hidden(changes, access, str(error))
            raise

    def _note(self, action: str, reason: str, entity: tuple[str, Any] | None = None) -> None:
        if self._view.audits:
            address = self._principal.address
            self._context.audit.note(action, reason, account=self._user, entity=entity, address=address)

    def _note_hidden(self, changes: ChangeSet, access: Access, reason: str) -> None:
        """Record an existing entity that a refused commit names, and that its author may not read."""
        if not self._view.audits:
            return
        store = self._context.store
        # Recorded even if the client has already disconnected.
        with without_deadline(), self._view.connect(store) as connection:
            hidden = writing.hidden_from(store, connection, access, changes, self._user)
        for identity in hidden[:1]:
            self._note("commit", f"may not read it; the error was: {reason}", identity)


def apply_changes(
    context: ServerContext, view: View, changes: ChangeSet, user: str, access: Access | None = None
) -> CommitResult:
    """Apply a change set in a transaction of the view, and update the schema if it configures custom attributes.

    Without ``access`` the user's permissions are not checked.
    """
    store, now = context.store, view.now()

    def apply(connection: Connection) -> CommitResult:
        # If the client has disconnected, the commit does not begin; once begun, it is completed.
        check_deadline()
        with without_deadline():
            return view.apply(connection, changes, user, now, access)

    result = view.write(apply)
    configured = bool(changes.parts) or bool(changes.steps) or _configures(changes, result)
    view.committed(result.position, configured, _is_seen(store, changes, result))
    return result


def _is_seen(store: Store, changes: ChangeSet, result: CommitResult) -> bool:
    """Whether a commit may have changed which projects accounts may read, or which user an account belongs to."""
    if changes.parts or NAME in _names(changes.operations):
        return True
    deciding = deciding_types(store.schema)
    if not deciding:
        return False
    named = {operation.identity.entity_type for operation in changes.operations}
    return not deciding.isdisjoint(named) or any(each.entity_type in deciding for each in result.deleted)


def _names(operations: Sequence[Operation]) -> Iterator[str]:
    """The attributes that operations write."""
    for operation in operations:
        if not isinstance(operation, Delete):
            yield from operation.values
        if isinstance(operation, Update):
            yield from operation.adjusted


def _configures(changes: ChangeSet, result: CommitResult) -> bool:
    """Whether a commit changed the configuration of a custom attribute."""
    if any(operation.identity.entity_type == CONFIGURATION for operation in changes.operations):
        return True
    return any(identity.entity_type == CONFIGURATION for identity in result.deleted)
