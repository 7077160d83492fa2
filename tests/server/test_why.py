"""Why a cell changed: the values before and after each commit are those of the states, and effects add up."""

from __future__ import annotations

from typing import Any

import pytest
from changing_worlds import DOCUMENT, History, commit_all, histories
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from studio import open_studio, project, shot
from test_matches_equals_sql import SETTINGS
from test_measures_equal_python import aggregates

from callsheet.model.cause import CellQuestion
from callsheet.model.measure import Aggregate, AggregateFunction
from callsheet.model.operation import Update
from callsheet.model.query import Select
from callsheet.model.record import Identity
from callsheet.server.service import Service


def value_at(backend: Any, aggregate: Aggregate, cell: tuple[Any, ...], position: int, nothing: Any) -> Any:
    """The value of a cell in a past state."""
    for row in backend.at(position).aggregate(aggregate):
        if row[: len(cell)] == cell:
            return row[len(cell)]
    return nothing


def same(found: Any, expected: Any) -> bool:
    if isinstance(found, float) or isinstance(expected, float):
        return found == pytest.approx(expected, abs=1e-9)
    return bool(found == expected)


def plain(aggregate: Aggregate) -> Aggregate:
    """The same groups with the first measure, and all of them."""
    return Aggregate(aggregate.select, aggregate.functions[:1], aggregate.group, totals=aggregate.totals)


def causes_agree(service: Service, aggregate: Aggregate, since: int, data: st.DataObject) -> None:
    backend = service.backend("admin")
    aggregate = plain(aggregate)
    last = backend.call("at", {"position": 0}) and max(
        (commit["position"] for commit in backend.call("commits", {"limit": 1000})["commits"]), default=0
    )
    since = min(since, last)
    rows = [*backend.aggregate(aggregate), *backend.at(since).aggregate(aggregate)]
    assume(rows)
    cell = data.draw(st.sampled_from(rows))[: len(aggregate.group)]
    found = backend.why(CellQuestion(aggregate, cell, since))
    nothing = 0 if found.additive else None
    values = {at: value_at(backend, aggregate, cell, at, nothing) for at in range(since, last + 1)}
    assert same(found.before, values[since]), found
    assert same(found.after, values[last]), found
    told = {cause.position: cause for cause in found}
    for at in range(since + 1, last + 1):
        if at in told:
            assert same(told[at].before, values[at - 1]), (at, found, values)
            assert same(told[at].after, values[at]), (at, found, values)
            assert told[at].changed > 0, (at, found)
        else:
            assert same(values[at - 1], values[at]), (at, found, values)
    if found.difference is not None and all(cause.effect is not None for cause in found):
        assert sum(cause.effect for cause in found) == pytest.approx(found.difference, abs=1e-9)


@settings(SETTINGS, max_examples=12)
@given(histories(), aggregates(), st.integers(0, 6), st.data())
def test_each_commit_has_the_effect_that_it_had(
    history: History, aggregate: Aggregate, since: int, data: st.DataObject
) -> None:
    """Of any measure, in any cell, since any position: as the states before and after say; the effects add up."""
    with Service.open("memory:", DOCUMENT) as service:
        commit_all(service, history)
        causes_agree(service, aggregate, since, data)


@pytest.mark.deep
@pytest.mark.timeout(3_600)
@settings(SETTINGS, max_examples=500)
@given(histories(), aggregates(), st.integers(0, 6), st.data())
def test_each_commit_has_the_effect_that_it_had_deeply(
    history: History, aggregate: Aggregate, since: int, data: st.DataObject
) -> None:
    """The same law, with many more examples."""
    with Service.open("memory:", DOCUMENT) as service:
        commit_all(service, history)
        causes_agree(service, aggregate, since, data)


def test_an_account_gets_what_it_may_read() -> None:
    """Neither commits nor values of other projects; what left its project for another is a sum without a name."""
    asked = Aggregate(Select("Shot"), (AggregateFunction("sum", "fps"),))
    with open_studio() as studio:
        studio.service.accounts.add("maria", "guest")
        studio.service.roles.add("crew", ["read,create,update,delete:*"])
        for key in ("p", "q"):
            studio.commit(project(key))
            for name in ("one", "two"):
                studio.commit(shot(f"{name}-{key}", Identity("Project", key), name=f"{name}-{key}"))
        studio.service.roles.grant("maria", "crew", "p")
        maria, admin = studio.service.backend("maria"), studio.service.backend("admin")
        since = max(each["position"] for each in admin.call("commits", {})["commits"])
        assert maria.why(CellQuestion(asked, (), 0)).after == 48
        studio.commit(Update(Identity("Shot", "one-p"), {"fps": 25.0}))
        studio.commit(Update(Identity("Shot", "one-q"), {"fps": 100.0}))
        studio.commit(Update(Identity("Shot", "two-p"), {"parent": Identity("Project", "q")}))
        everything = admin.why(CellQuestion(asked, (), since))
        assert [cause.effect for cause in everything] == [76.0, 1.0]
        found = maria.why(CellQuestion(asked, (), since))
        assert (found.before, found.after) == (48.0, 25.0)
        assert [(cause.effect, cause.user, cause.entities) for cause in found] == [
            (-24.0, "", ()),
            (1.0, "admin", (Identity("Shot", "one-p"),)),
        ]
        assert found.causes[0].position is None
