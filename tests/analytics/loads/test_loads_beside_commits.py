"""A long load keeps no commit waiting: it takes its place in the log at its end. On PostgreSQL, where many write."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from callsheet.analytics.loads import sending
from callsheet.server.service import Service
from callsheet.server.tables.loading import Loading
from callsheet.testing import session_on

sys.path.insert(0, str(Path(__file__).parents[2] / "server"))

from databases import new_database

pytest.importorskip("pyarrow")
ROWS = [{"n": number, "name": f"row {number}"} for number in range(50)]
PATIENCE = 60


@pytest.fixture(params=[False, True], ids=["store", "mirror"])
def service(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Service]:
    """A service on PostgreSQL, perhaps with a mirror."""
    if request.param:
        pytest.importorskip("duckdb")
    with (
        new_database("postgres", tmp_path) as url,
        Service.open(url, "production", administrator=False, analytics=request.param or None) as service,
    ):
        yield service


class Halted:
    """A load that stops after its second part, until it may go on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reached, self.goes_on = threading.Event(), threading.Event()
        self.error: BaseException | None = None
        add, parts = Loading.add, [0]

        def halting(loading: Loading, part: bytes) -> None:
            add(loading, part)
            parts[0] += 1
            if parts[0] == 2:
                self.reached.set()
                assert self.goes_on.wait(PATIENCE)

        monkeypatch.setattr(Loading, "add", halting)
        # Small parts, so that few rows are many parts.
        monkeypatch.setattr(sending, "ROWS", 10)

    def start(self, load: Any) -> threading.Thread:
        def run() -> None:
            try:
                load()
            except BaseException as error:
                self.error = error

        thread = threading.Thread(target=run)
        thread.start()
        assert self.reached.wait(PATIENCE)
        return thread

    def finish(self, thread: threading.Thread) -> None:
        self.goes_on.set()
        thread.join(PATIENCE)
        assert not thread.is_alive()
        assert self.error is None


def test_commits_and_loads_go_on_during_a_long_load(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their positions come first; the load's rows are there afterwards, in copies, too."""
    with session_on(service, "anna") as one, session_on(service, "bert") as two:
        one.create_table("Long", {"n": "integer", "name": "text"}, keys=["n"])
        two.create_table("Short", {"n": "integer"})
        assert one.query("Long").aggregate("count") == [{"count": 0}]
        halted = Halted(monkeypatch)
        loading = halted.start(lambda: session_load(service, "anna", "Long"))
        # The load is in the middle, and others write and read.
        two.create("Project", {"name": "sintel"})
        done = two.commit()
        assert done is not None
        report = two.tables["Short"].load([{"n": 1}])
        assert report.position > done.position
        assert two.query("Long").aggregate("count") == [{"count": 0}]
        halted.finish(loading)
        two.create("Project", {"name": "later"})
        last = two.commit()
        assert last is not None
        assert last.position == report.position + 2
        assert two.query("Long").aggregate("count", "sum(n)") == [{"count": 50, "sum(n)": sum(range(50))}]
        # What is replaced afterwards is followed row by row.
        one.tables["Long"].load([{"n": 3, "name": "new"}, {"n": 100, "name": "more"}])
        assert two.query('Long where name is "new"').aggregate("count", "sum(n)") == [{"count": 1, "sum(n)": 3}]
        assert two.query("Long").aggregate("count") == [{"count": 51}]


def session_load(service: Service, account: str, name: str) -> None:
    with session_on(service, account) as session:
        session.tables[name].load(ROWS)


def test_rows_that_refer_to_a_table_that_is_being_loaded_are_resolved(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A join that is made, and rows that are loaded, while the other table's rows are not visible yet."""
    with session_on(service, "anna") as one, session_on(service, "bert") as two:
        one.create_table("Long", {"n": "integer", "name": "text"}, keys=["n"])
        two.create_table("Remark", {"about": "text", "text": "text"})
        halted = Halted(monkeypatch)
        loading = halted.start(lambda: session_load(service, "anna", "Long"))
        two.tables["Remark"].load([{"about": "row 1", "text": "early"}])
        two.tables["Remark"].join("Long", columns={"about": "name"}, name="row")
        two.tables["Remark"].load([{"about": "row 7", "text": "late"}])
        halted.finish(loading)
        found = two.query("select text, row.n from Remark order by text")
        assert [(each["text"], each["row"]["n"]) for each in found] == [("early", 1), ("late", 7)]
        assert two.query("Remark").aggregate("sum(row.n)") == [{"sum(row.n)": 8}]
