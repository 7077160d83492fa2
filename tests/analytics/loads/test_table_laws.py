"""A keyed table is a dict and an unkeyed one a list, after any loads, drops and transactions, also in the mirror."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callsheet import Session
from callsheet.errors import Invalid, StateError
from callsheet.server.opening import mirror_of

SETTINGS = settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=25)
COLUMNS = {"k": "text", "part": "integer", "n": "integer", "price": "decimal(2)"}
TEXTS = st.sampled_from(["", "a", "A", "ä", "ä ", "a,1", '"', "\x1f"]) | st.text(
    st.characters(blacklist_characters="\0", blacklist_categories=("Cs",)), max_size=5
)
ROWS = st.tuples(
    TEXTS, st.integers(-2, 2), st.integers(0, 9) | st.none(), st.integers(-999, 999).map(lambda n: n / 100)
)
LOAD = st.tuples(st.just("load"), st.lists(ROWS, max_size=6))
DROP = st.tuples(st.just("drop"), st.integers(0, 9) | st.none())
BLOCK = st.tuples(st.sampled_from(["block", "failing", "nested", "inner failing"]), st.lists(LOAD | DROP, max_size=3))
STEPS = st.lists(LOAD | DROP | BLOCK, max_size=6)


class Model:
    """What the tables are after the same steps, in plain Python."""

    def __init__(self) -> None:
        self.keyed: dict[tuple[str, int], tuple[Any, ...]] = {}
        self.unkeyed: list[tuple[Any, ...]] = []

    def apply(self, step: Any) -> None:
        word, given = step
        if word == "load":
            self.keyed |= {row[:2]: row for row in given}
            self.unkeyed += given
        elif word == "drop":
            self.keyed = {key: row for key, row in self.keyed.items() if given is not None and row[2] != given}
            self.unkeyed = [row for row in self.unkeyed if given is not None and row[2] != given]
        elif word in ("block", "nested"):
            for each in given:
                self.apply(each)


def do(session: Any, tables: Any, step: Any) -> None:
    """One step in both tables."""
    word, given = step
    if word == "load":
        for table in tables:
            table.load(given)
    elif word == "drop":
        for table in tables:
            table.drop(None if given is None else f"n = {given}")
    elif word == "inner failing":
        with session.start_transaction():
            fail(session, tables, given)
    elif word == "failing":
        fail(session, tables, given)
    else:
        with session.start_transaction():
            for each in given:
                if word == "nested":
                    with session.start_transaction():
                        do(session, tables, each)
                else:
                    do(session, tables, each)


def fail(session: Any, tables: Any, steps: Any) -> None:
    """A transaction that fails after some steps."""
    with suppress(ZeroDivisionError), session.start_transaction():
        for each in steps:
            do(session, tables, each)
        raise ZeroDivisionError


def agrees(tables: Any, model: Model) -> None:
    """The rows, and sums of groups, are those of the model."""
    keyed, unkeyed = ([tuple(row.values()) for row in table.query().to_rows()] for table in tables)
    assert sorted(keyed, key=repr) == sorted(model.keyed.values(), key=repr)
    assert Counter(unkeyed) == Counter(model.unkeyed)
    for table, rows in zip(tables, (list(model.keyed.values()), model.unkeyed)):
        cube = table.cube(["part"], {"price": table["price"].sum(), "n": table["n"].sum()}).to_rows()
        cents: Counter[int] = Counter()
        for row in rows:
            cents[row[1]] += round(row[3] * 100)
        assert {row["part"]: row["price"] for row in cube} == {part: cents[part] / 100 for part in {r[1] for r in rows}}


def law(session: Any, steps: Any) -> None:
    tables = [session.create_table("Keyed", COLUMNS, keys=["k", "part"]), session.create_table("Unkeyed", COLUMNS)]
    try:
        model = Model()
        for step in steps:
            do(session, tables, step)
            model.apply(step)
            agrees(tables, model)
    finally:
        with session.start_transaction():
            for table in tables:
                session.drop_table(table)


@SETTINGS
@given(STEPS)
def test_tables_are_dicts_and_lists(steps: Any) -> None:
    """After each step the rows and the sums are those that Python gives."""
    with Session("memory:") as session:
        law(session, steps)


@pytest.fixture(scope="module")
def mirrored() -> Any:
    """A session whose aggregates are answered by a mirror."""
    with Session("memory:") as session:
        session.open()
        service = session._connection.service
        service.mirror = mirror_of(service, None)
        yield session


def test_the_mirror_has_the_same_rows(mirrored: Any) -> None:
    """Its sums equal those of the rows, after each step."""

    @settings(SETTINGS, max_examples=10)
    @given(STEPS)
    def holds(steps: Any) -> None:
        law(mirrored, steps)

    holds()


@pytest.mark.deep
@pytest.mark.timeout(600)
def test_the_law_holds_on_postgres_and_over_http(session: Any) -> None:
    """The same on every server."""

    @settings(SETTINGS, max_examples=30)
    @given(STEPS)
    def holds(steps: Any) -> None:
        law(session, steps)

    holds()


def test_a_transaction_is_all_or_nothing(session: Any) -> None:
    """Tables are added, loaded and dropped together; until the end everybody reads the old state."""
    old = session.create_table("Old", {"n": "integer"})
    old += (1,)
    with session.start_transaction():
        new = session.create_table("New", {"n": "integer", "text": "text"}, keys=["n"])
        new += (1, "one")
        report = new.load([(2, "two")])
        old.drop()
        assert old.row_count == 1
        assert "New" not in session.tables
        assert report.position is None
    assert report.position is not None
    assert session.tables["New"].row_count == 2
    assert old.row_count == 0
    with suppress(ZeroDivisionError), session.start_transaction():
        session.drop_table("New")
        old += (5,)
        raise ZeroDivisionError
    assert session.tables["New"].row_count == 2
    assert old.row_count == 0
    with pytest.raises(StateError, match="nested"), session.start_transaction():
        session.start_transaction(allow_nested=False)
    block = session.start_transaction()
    block.__enter__()
    old += (7,)
    session.tables["New"].join(old, {"n": "m"})
    with pytest.raises(Invalid, match="no column"):
        block.__exit__(None, None, None)
    assert old.row_count == 0


def test_a_join_needs_one_row_there(session: Any) -> None:
    """Columns that are no keys must be unique, when joined and when loaded; rows are found when they come later."""
    towns = session.create_table("Towns", {"town": "text", "code": "text", "size": "integer"})
    visits = session.create_table("Visits", {"code": "text", "n": "integer"})
    visits.load([("P", 1), ("R", 2), (None, 3)])
    towns.load([("Paris", "P", 5)])
    visits.join(towns, {"code": "code"}, name="place")
    shown = [tuple(row.values()) for row in visits.query("n", "place.town").to_rows()]
    assert sorted(shown) == [(1, "Paris"), (2, None), (3, None)]
    towns += ("Rome", "R", 4)
    assert [row["n"] for row in session.query('Visits where place.town is "Rome"')] == [2]
    with pytest.raises(Exception, match="several with 'R'"):
        towns += ("Rimini", "R", 1)
    assert towns.row_count == 2
    towns.drop('code is "P"')
    assert visits.query("place.town", filter="n = 1").to_rows() == [{"place.town": None}]
    with pytest.raises(Exception, match="has no keys"):
        visits.join(towns)
    numbers = session.create_table("Numbers", {"code": "integer"}, keys=["code"])
    with pytest.raises(Exception, match="cannot be equal"):
        visits.join(numbers)


def test_entities_are_joined_by_their_id(session: Any) -> None:
    """A column of ids refers to entities; one that is deleted leads nowhere."""
    state = session.create("State", {"name": "Somewhere", "short": "some"})
    session.commit()
    notes = session.create_table("Extra", {"entity": "text", "n": "integer"})
    notes.load([(state["id"], 1), ("nothing", 2)])
    notes.join("State", {"entity": "id"})
    assert notes.query("n", filter='State.name is "Somewhere"').to_rows() == [{"n": 1}]
    session.delete(state)
    session.commit()
    assert notes.row_count == 2
    assert notes.query("n", filter='State.name is "Somewhere"').to_rows() == []


WORKER = """
import sys
from callsheet import Session
with Session(sys.argv[1]) as session:
    one, two = session.tables["One"], session.tables["Two"]
    number = int(sys.argv[2])
    while True:
        number += 1
        with session.start_transaction():
            one.load([(place, number) for place in range(300)])
            two.load([(number,)] * 5)
            if number % 3 == 0:
                two.drop(f"n < {number - 4}")
        print(number, flush=True)
"""


@pytest.mark.deep
@pytest.mark.timeout(900)
def test_nothing_is_torn_by_a_kill(tmp_path: Path) -> None:
    """A process is killed while it loads, twenty times: each transaction is there as a whole, or not at all."""
    url = f"sqlite:///{(tmp_path / 'killed.db').as_posix()}"
    with Session(url) as session:
        session.create_table("One", {"place": "integer", "n": "integer"}, keys=["place"])
        session.create_table("Two", {"n": "integer"})
    last = 0
    for attempt in range(20):
        worker = subprocess.Popen([sys.executable, "-c", WORKER, url, str(last)], stdout=subprocess.PIPE, text=True)
        assert worker.stdout is not None
        worker.stdout.readline()
        time.sleep(0.05 + 0.013 * attempt)
        os.kill(worker.pid, signal.SIGKILL)
        told = [int(line) for line in worker.stdout.read().split()]
        worker.stdout.close()
        worker.wait()
        with Session(url) as session:
            numbers = {row["n"] for row in session.tables["One"].query("n").to_rows()}
            assert len(numbers) <= 1
            here = max(numbers, default=0)
            assert here >= max(told, default=0)
            counts = Counter(row["n"] for row in session.tables["Two"].query("n").to_rows())
            assert set(counts.values()) <= {5}
            assert max(counts, default=0) == here
            last = here
