"""Histories of many concurrent sessions, checked for lost updates and for an order that explains them.

Each session reads a few registers and appends to all it has read, in one commit, or adds one to the number of each,
or only reads; faults on the way included. What each saw, and when, goes to ``checker.py``. The versions of each
register must count its changes without a gap.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from random import Random
from typing import Any

from attrs import define, field
from sqlalchemy import select, update

from callsheet.errors import CommitError, ConflictError
from callsheet.model.operation import ChangeSet, Create
from callsheet.model.record import Identity, new_key
from callsheet.server.process import serve
from callsheet.server.service import Service
from callsheet.server.store.store import Store
from callsheet.server.writing import saving
from callsheet.server.writing.conflicts import Conflicts
from callsheet.server.writing.overlay import Overlay
from callsheet.session.blocking import Session
from callsheet.session.connection import over
from callsheet.transport.retry import RetryPolicy

from .checker import Transaction, check
from .commit_cut import forks_of, until_answered
from .ledger import DOCUMENT, disagreements
from .outcome import Outcome, Scale
from .proxy import FaultProxy
from .workplace import postgres_database, temporary_folder

REGISTERS = [f"r{number:02}" for number in range(30)]
KINDS = ("refuse", "cut", "gone", "mute", "truncate", "bad gateway", "slice")


@define
class History:
    """What sessions saw and did."""

    transactions: list[Transaction] = field(factory=list)
    conflicts: int = 0
    problems: list[str] = field(factory=list)


def prove_sqlite(scale: Scale, seed: int) -> Outcome:
    """50 sessions; deep 200."""
    with temporary_folder() as folder:
        outcome = _prove("SQLite", f"sqlite:///{folder}/ledger.db", scale, seed)
    with Service.open("memory:", DOCUMENT) as service:
        control = in_process(service, seed, "ours")
    with Service.open("memory:", DOCUMENT) as service, equal_ends_agree():
        numbers = in_process(service, seed, "raise")
    blind = [each for each in check(control.transactions) if each.startswith("lost append")]
    equal = [each for each in check(numbers.transactions) if each.startswith("lost update")]
    outcome.control = 'reading and writing blindly with conflicts="ours", or equal ends for no conflict, loses updates'
    outcome.caught = len(blind) + len(equal) if blind and equal else 0
    return outcome


def prove_postgres(scale: Scale, seed: int) -> Outcome:
    """The same on PostgreSQL; its control is a store that takes no locks."""
    with postgres_database() as url:
        if url is None:
            return Outcome("histories on PostgreSQL", "no PostgreSQL answers", problems=["no PostgreSQL answers"])
        outcome = _prove("PostgreSQL", url, scale, seed)
    with postgres_database() as url, _without_locks():
        assert url is not None
        with Service.open(url, DOCUMENT) as service:
            control = in_process(service, seed, "raise")
    outcome.control = "no row locks and no version check loses updates"
    outcome.caught = len(check(control.transactions))
    return outcome


def _prove(engine: str, url: str, scale: Scale, seed: int) -> Outcome:
    sessions, each = scale.choose((20, 12), (50, 16), (200, 60))
    history = History()
    policy = RetryPolicy(retries=4, first=0.005, longest=0.1)
    with ExitStack() as stack:
        server = stack.enter_context(serve(DOCUMENT, url))
        proxy = stack.enter_context(FaultProxy(server._port, seed, 0.06, 0.1, b"/v1/", KINDS))
        session = Session(proxy.url, "admin", server.admin_key, schema_cache=False, retries=policy, timeout=10)
        until_answered(session.open)
        stack.callback(session.close)
        _make_registers(session)
        _run(forks_of(session, sessions), each, seed, "raise", history)
    outcome = Outcome(f"histories on {engine}", "", proxy.injected + history.conflicts)
    done = sum(told.done for told in history.transactions)
    outcome.size = f"{sessions} sessions, {done:,} transactions, {history.conflicts:,} conflicts"
    outcome.problems += history.problems + check(history.transactions) + _versions(url, history)
    outcome.lost = sum(problem.startswith("lost append") for problem in outcome.problems)
    outcome.doubled = sum(problem.startswith("duplicate") for problem in outcome.problems)
    if not history.conflicts or not proxy.injected:
        outcome.problems.append(f"{history.conflicts} conflicts and {proxy.injected} faults on the way: too quiet")
    return outcome


def _make_registers(session: Any) -> None:
    for name in REGISTERS:
        session.create("Register", {"id": name, "name": name, "items": [], "count": 0})
    until_answered(session.commit)


def _versions(url: str, history: History) -> list[str]:
    """Each register's version is one more than the number of its changes, and the log tells the same."""
    changed = [key for told in history.transactions if told.done for key in (*told.appends, *told.wrote)]
    store = Store.open(url)
    try:
        with store.reading() as connection:
            table = store.tables["Register"]
            rows = connection.execute(select(table.c.id, table.c._version)).all()
            wrong = [f"{key} has version {version}" for key, version in rows if version != changed.count(key) + 1]
            return wrong + disagreements(store, connection)
    finally:
        store.close()


@contextmanager
def equal_ends_agree() -> Iterator[None]:
    """A server to which a number that both wrote alike is no conflict: the negative control."""
    agree = Conflicts._agree
    Conflicts._agree = lambda *_: True  # type: ignore[method-assign]
    try:
        yield
    finally:
        Conflicts._agree = agree  # type: ignore[method-assign]


def in_process(service: Service, seed: int, policy: str) -> History:
    """A few sessions on a service in this process: how the controls run."""
    made = (Create(Identity("Register", name), {"name": name, "items": [], "count": 0}) for name in REGISTERS[:4])
    service.commit(ChangeSet(new_key(), tuple(made)), "anna")
    sessions = []
    for number in range(8):
        session = Session(connection=over(service.backend(f"user{number}")))
        session.open()
        session.hand_over()
        sessions.append(session)
    history = History()
    _run(sessions, 25, seed, policy, history, REGISTERS[:4])
    return history


def _run(
    sessions: list[Session], each: int, seed: int, policy: str, history: History, names: list[str] = REGISTERS
) -> None:
    """Let the sessions do so many transactions each, side by side; in the end, read everything."""
    threads = [
        threading.Thread(target=_work, args=(session, number, each, Random(seed + number), policy, history, names))
        for number, session in enumerate(sessions)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    last = sessions[0]
    last._unit.owner = threading.get_ident()  # type: ignore[union-attr]
    start = time.monotonic()
    entities, reads = _read(last, names)
    saw = {key: entity["count"] for key, entity in entities.items()}
    history.transactions.append(Transaction(start, start + 1, reads, saw=saw))


def _work(
    session: Session, number: int, each: int, random: Random, policy: str, history: History, names: list[str]
) -> None:
    try:
        for turn in range(each):
            some = random.sample(names, random.randint(1, 3))
            kind = random.random()
            appends = {key: f"{number}.{turn}.{key}" for key in some} if kind < 0.4 else {}
            history.transactions.append(_transaction(session, some, appends, 0.4 <= kind < 0.8, policy, history))
    except Exception as error:
        history.problems.append(f"session {number}: {type(error).__name__}: {error}")


def _transaction(
    session: Session, names: list[str], appends: dict[str, str], counts: bool, policy: str, history: History
) -> Transaction:
    start = time.monotonic()
    entities, reads = _read(session, names)
    saw = {key: entity["count"] for key, entity in entities.items()}
    for key, element in appends.items():
        entities[key]["items"] = [*reads[key], element]
    wrote = {key: value + 1 for key, value in saw.items()} if counts else {}
    for key, value in wrote.items():
        entities[key]["count"] = value
    done = True
    if appends or wrote:
        try:
            until_answered(lambda: session.commit(policy))
        except ConflictError:
            history.conflicts += 1
            done = False
            session.rollback()
        except CommitError as error:
            history.problems.append(f"{type(error).__name__}: {error}")
            done = False
            session.rollback()
    # What a commit has read and does not write, it may have read before others wrote it: that is not promised.
    return Transaction(start, time.monotonic(), {} if wrote else reads, appends, done, {} if appends else saw, wrote)


def _read(session: Session, names: list[str]) -> tuple[dict[str, Any], dict[str, tuple[str, ...]]]:
    """The registers, read in one request."""
    told = ", ".join(f'"{name}"' for name in names)
    query: Callable[[], Any] = lambda: session.query(f"select items, count from Register where id in ({told})").all()  # noqa: E731
    entities = {entity["id"]: entity for entity in until_answered(query)}
    return entities, {key: tuple(entity["items"]) for key, entity in entities.items()}


@contextmanager
def _without_locks() -> Iterator[None]:
    """A store that locks nothing and writes without looking: the negative control."""

    def blind(overlay: Any, root: str, names: frozenset[str], rows: list[dict[str, Any]]) -> None:
        table = overlay.store.tables[root]
        for row in rows:
            values = {name: row[name] for name in names - {"_key", "_seen"}}
            overlay.connection.execute(update(table).where(table.c.id == row["_key"]).values(values))

    locks, writes = Overlay._rows, saving._update
    Overlay._rows = lambda *told: locks(*told[:-1], False)  # type: ignore[method-assign]
    saving._update = blind
    try:
        yield
    finally:
        Overlay._rows = locks  # type: ignore[method-assign]
        saving._update = writes
