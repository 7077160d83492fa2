"""Several questions by one request are answered in one snapshot, and each answer says what it is as of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
from databases import new_database

from callsheet import Session
from callsheet.core import asking as core_asking
from callsheet.errors import Invalid, NotFound, QueryError, TooLarge, UsageError
from callsheet.model.measure import TOTAL, Aggregate, AggregateFunction
from callsheet.model.operation import ChangeSet, Create, Update
from callsheet.model.query import Select
from callsheet.model.question import Answer, Question
from callsheet.model.record import Identity
from callsheet.server import asking
from callsheet.server.process import serve
from callsheet.server.service import Service

DOTS: dict[str, Any] = {"types": {"Dot": {"attributes": {"name": {"type": "string"}, "size": {"type": "number"}}}}}
SIZES = Aggregate(Select("Dot"), (AggregateFunction("sum", "size"),), ("name",), totals=True)
COUNT = Aggregate(Select("Dot"))
FIRST: list[tuple[Any, ...]] = [("a", 1.0), ("b", 2.0), (TOTAL, 3.0)]


def fill(service: Service) -> None:
    """Two commits: two dots, then one of them larger."""
    dots = [Create(Identity("Dot", name), {"name": name, "size": size}) for name, size in (("a", 1.0), ("b", 2.0))]
    service.commit(ChangeSet("first", tuple(dots)), "admin")
    service.commit(ChangeSet("second", (Update(Identity("Dot", "b"), {"size": 5.0}),)), "admin")


@pytest.fixture(params=["memory", "file", "postgres", "mirror"])
def service(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Service]:
    """A service with two commits, on each database, and with a mirror."""
    kind = request.param
    with (
        new_database("file" if kind == "mirror" else kind, tmp_path) as url,
        Service.open(url, DOTS, analytics=kind == "mirror") as service,
    ):
        fill(service)
        yield service


def test_answers_say_what_they_are_as_of(service: Service) -> None:
    """The present with the log's last position, the past with its own, in the order of the questions."""
    backend = service.backend("admin")
    now, past, count = backend.ask([Question(SIZES), Question(SIZES, at=1), Question(COUNT)])
    assert now == Answer([("a", 1.0), ("b", 5.0), (TOTAL, 6.0)], 2)
    assert past == Answer(FIRST, 1)
    assert count == Answer([(2,)], 2)
    assert backend.at(1).ask([Question(SIZES), Question(SIZES, at=2)]) == [past, past]
    inside = backend.together(lambda within: within.ask([Question(SIZES)]))
    assert inside == [now]
    assert backend.ask([]) == []


def test_an_answer_explains_itself(service: Service) -> None:
    """The engine, the statement without its values, the times, and the number of rows."""
    named = attrs.evolve(SIZES, having=AggregateFunction("sum", "size") > 4.0)
    (answer,) = service.backend("admin").ask([Question(named, explain=True)])
    assert answer.rows == [("b", 5.0), (TOTAL, 6.0)]
    plan = answer.plan
    assert plan is not None
    assert plan["engine"] == ("duckdb" if service.mirror is not None else service.store.database.engine_name)
    assert "sum(" in plan["sql"]
    assert "4.0" not in plan["sql"]
    assert set(plan["milliseconds"]) == {"plan", "run", "read"}
    assert plan["groups"] == 2


def test_groups_beyond_the_limit_are_cut(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer has the first groups and says at which limit it was cut; so do later answers to one request."""
    monkeypatch.setattr(asking, "GROUPS", 2)
    backend = service.backend("admin")
    assert backend.ask([Question(SIZES)]) == [Answer([("a", 1.0), ("b", 5.0)], 2, 2)]
    assert backend.ask([Question(attrs.evolve(SIZES, totals=False))])[0].truncated is None
    monkeypatch.setattr(asking, "GROUPS_TOGETHER", 3)
    assert [(len(each.rows), each.truncated) for each in backend.ask([Question(SIZES)] * 2)] == [(2, 2), (1, 1)]
    with pytest.raises(TooLarge, match="more than 3 groups in one request"):
        backend.ask([Question(SIZES)] * 3)


def test_what_cannot_be_answered_is_refused(service: Service) -> None:
    """Unknown scenarios, moments that are not there yet, and too many questions."""
    backend = service.backend("admin")
    with pytest.raises(NotFound, match="there is no scenario 'less'"):
        backend.ask([Question(SIZES, scenario="less")])
    with pytest.raises(Invalid, match="no commit 7 yet"):
        backend.ask([Question(SIZES, at=7)])
    with pytest.raises(TooLarge, match="the limit is 200"):
        backend.ask([Question(COUNT)] * 201)
    with pytest.raises(QueryError, match="nme"):
        backend.ask([Question(COUNT), Question(Aggregate(Select("Dot"), group=("nme",)))])


def test_a_session_asks_over_http(tmp_path: Path) -> None:
    """One request, with the same answers as those of a session in the server's process; also in the past."""
    url = f"sqlite:///{(tmp_path / 'a.db').as_posix()}"
    asked = [Question(SIZES), Question(SIZES, at=1), Question(COUNT, explain=True)]
    with (
        serve(DOTS, url) as server,
        Session(server.url, "admin", server.admin_key, schema_cache=False) as session,
    ):
        for name, size in (("a", 1.0), ("b", 2.0)):
            dot = session.create("Dot", {"name": name, "size": size})
        session.commit()
        dot["size"] = 5.0
        session.commit()
        before = session.statistics.requests
        now, past, count = session.run(core_asking.ask(session, asked))
        assert session.statistics.requests == before + 1
        assert now == Answer([("a", 1.0), ("b", 5.0), (TOTAL, 6.0)], 2)
        assert past == Answer(FIRST, 1)
        assert count.plan is not None
        assert count.plan["engine"] == "sqlite"
        with session.at(1) as then:
            assert then.run(core_asking.ask(then, asked[:1])) == [past]
        with pytest.raises(NotFound, match="no scenario"):
            session.run(core_asking.ask(session, [Question(SIZES, scenario="less")]))


def test_a_server_without_questions_answers_plain_ones() -> None:
    """One aggregate after the other, without a position; what it cannot do is refused by name."""
    with Session("memory:", schema=DOTS) as session:
        session.create("Dot", {"name": "a", "size": 1.0})
        session.commit()
        old = attrs.evolve(session.features, questions=False)
        session._description = attrs.evolve(session.server_information, features=old)
        assert session.run(core_asking.ask(session, [Question(COUNT), Question(COUNT)])) == [Answer([(1,)])] * 2
        for question, name in (
            (Question(COUNT, at=1), "an earlier position"),
            (Question(COUNT, scenario="less"), "a scenario"),
            (Question(COUNT, explain=True), "an explanation"),
        ):
            with pytest.raises(UsageError, match=name):
                session.run(core_asking.ask(session, [question]))
