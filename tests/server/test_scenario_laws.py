"""Scenarios, as laws: a scenario is an edited copy, for every account, by every way in, however deep it stands.

The oracle is a *copy*: the same database, in which the commits were made that in the other one were kept in scenarios.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from databases import new_database
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from studio import Studio, open_studio
from test_permissions_twin import GRANTS, MEASURES, OTHERS, SIMPLE, everything, fill, operations, queries

from callsheet.errors import Invalid, ServerError
from callsheet.model.language.parser import parse
from callsheet.model.measure import Aggregate
from callsheet.model.operation import ChangeSet, Create, Operation
from callsheet.model.query import Path as AttributePath
from callsheet.model.query import Sample, Select, Top
from callsheet.model.question import Question
from callsheet.model.record import Identity
from callsheet.server.backend import ServiceBackend
from callsheet.server.log import commits as log
from callsheet.server.scenarios.difference import changes_in
from callsheet.server.scenarios.scenario import ScenarioRow

QUICK = (Phase.explicit, Phase.generate)
TOGETHER = settings(deadline=None, suppress_health_check=list(HealthCheck), phases=QUICK)
BATCHES = st.lists(st.lists(operations(), min_size=1, max_size=4), min_size=1, max_size=6)
BRANCHES = st.lists(st.booleans(), min_size=6, max_size=6)


@contextmanager
def two_studios(
    seed: int, grants: list[tuple[str, str | None]], url: str = "memory:", mirrored: bool = False
) -> Iterator[tuple[Studio, Studio]]:
    """Two equal databases; the account `anna` has these grants in both."""
    with open_studio(url, analytics=mirrored) as studio, open_studio() as copy:
        for each in (studio, copy):
            fill(each, seed)
            for role, place in grants:
                each.service.roles.grant("anna", role, place)
        yield studio, copy


def fresh(batch: list[Operation], number: int) -> tuple[Operation, ...]:
    """A batch whose new entities have keys that no other batch uses."""
    return tuple(
        evolve(each, identity=Identity(each.identity.entity_type, f"{each.identity.key}-{number}-{place}"))
        if isinstance(each, Create)
        else each
        for place, each in enumerate(batch)
    )


def outcome(backend: ServiceBackend, changes: ChangeSet) -> Any:
    """What a commit gives or raises, without its position and its time, which are of the log."""
    try:
        found = backend.commit(changes)
    except ServerError as error:
        return type(error), error.operation, error.entity, error.attribute, error.details
    # Consequences have no order: they come as a database finds them.
    return (
        found.versions,
        found.merged,
        set(found.deleted),
        {(*t.identity, t.version, *t.emptied) for t in found.touched},
    )


def stage_all(
    studio: Studio,
    copy: Studio,
    account: str,
    batches: list[list[Operation]],
    branches: list[bool],
    policy: str = "raise",
    still: bool = False,
) -> list[str]:
    """Commit batches into scenarios, and into the copy; gives the scenarios, the last of which has all of it.

    ``still`` stops the clock, so that a later commit of the scenarios sets the same times.
    """
    base, other = studio.service.backend(account), copy.service.backend(account)
    base.call("scenarios.create", {"name": "0"})
    names = ["0"]
    for number, batch in enumerate(batches):
        if branches[number]:
            names.append(str(number + 1))
            base.call("scenarios.create", {"name": names[-1], "origin": names[-2]})
        changes = ChangeSet(f"batch-{number}", fresh(batch, number), policy=policy)
        inside = base.scenario(names[-1])
        before = outcome(inside, changes)
        assert before == outcome(other, changes), batch
        if not still:
            # Both clocks move with each commit.
            studio.count += 1
            copy.count += 1
        assert outcome(inside, changes) == before, "once more is no more"
    return names


def without_versions(pages: list[Any]) -> list[Any]:
    return [
        ([(kind, names, [(row[0], *row[2:]) for row in rows]) for kind, names, rows in blocks], *rest)
        for blocks, *rest in pages
    ]


def compare(inside: ServiceBackend, copy: ServiceBackend, texts: list[str], counted: str, size: int) -> None:
    """Every page, group and count is the same."""
    for text in [*texts, *OTHERS]:
        assert everything(inside, text, size) == everything(copy, text, size), text
    condition = parse("Task where " + counted.format(n="'n0'", k="'T0k'"))
    queried: list[Any] = [condition, evolve(condition, top=Top(1, per=AttributePath.of("parent")))]
    asked = [Aggregate(query, MEASURES, ("parent.name", "buddy.name"), totals=True) for query in queried]
    asked.append(
        Aggregate(Select("Task", sample=Sample(3, None, "stratified", 7, AttributePath.of("buddy"))), MEASURES)
    )
    asked += [Aggregate(Select(kind)) for kind in ("Task", "Node", "Tag")]
    for aggregate in asked:
        assert inside.aggregate(aggregate) == copy.aggregate(aggregate)
    answers = inside.ask([Question(each) for each in asked])
    assert [each.rows for each in answers] == [each.rows for each in copy.ask([Question(each) for each in asked])]


@settings(TOGETHER, max_examples=3)
@given(
    seed=st.integers(0, 10**6),
    grants=GRANTS,
    batches=BATCHES,
    branches=BRANCHES,
    policy=st.sampled_from(["raise", "ours", "theirs"]),
    texts=st.lists(queries(), min_size=2, max_size=5),
    counted=st.sampled_from(SIMPLE),
    size=st.integers(1, 9),
)
def test_a_scenario_is_an_edited_copy(
    seed: int,
    grants: list[tuple[str, str | None]],
    batches: list[list[Operation]],
    branches: list[bool],
    policy: str,
    texts: list[str],
    counted: str,
    size: int,
) -> None:
    """For its owner and for a reader with few rights: pages, cursors, groups, counts; and the base stays as it was."""
    with two_studios(seed, grants) as (studio, copy):
        before = {text: everything(studio.service.backend("admin"), text, 50) for text in OTHERS}
        names = stage_all(studio, copy, "admin", batches, branches, policy)
        studio.service.backend("admin").call("scenarios.share", {"name": names[-1], "accounts": ["anna"]})
        inside = studio.service.backend("admin").scenario(names[-1])
        compare(inside, copy.service.backend("admin"), texts, counted, size)
        if studio.service.access("anna").acts:
            reader = studio.service.backend("anna").scenario(f"admin/{names[-1]}")
            compare(reader, copy.service.backend("anna"), texts, counted, size)
        assert {text: everything(studio.service.backend("admin"), text, 50) for text in OTHERS} == before


@settings(TOGETHER, max_examples=4)
@given(
    seed=st.integers(0, 10**6),
    places=st.sets(st.sampled_from(["P0k", "P1k", "P2k"]), min_size=1, max_size=2),
    batches=BATCHES,
    branches=BRANCHES,
    texts=st.lists(queries(), min_size=1, max_size=3),
)
def test_who_may_not_change_an_entity_may_not_in_a_scenario(
    seed: int, places: set[str], batches: list[list[Operation]], branches: list[bool], texts: list[str]
) -> None:
    """A restricted account's commits do, answer and refuse in a scenario what they would in a copy."""
    with two_studios(seed, [("all", place) for place in sorted(places)]) as (studio, copy):
        names = stage_all(studio, copy, "anna", batches, branches, "raise")
        inside = studio.service.backend("anna").scenario(names[-1])
        compare(inside, copy.service.backend("anna"), texts, SIMPLE[0], 5)


def keys_in(backend: ServiceBackend) -> set[Any]:
    """The keys of all entities that a backend shows."""
    pages = [page for text in OTHERS[:5] for page in everything(backend, text, 50)]
    return {row[0] for blocks, *_ in pages for _, _, rows in blocks for row in rows}


@settings(TOGETHER, max_examples=4)
@given(seed=st.integers(0, 10**6), grants=GRANTS, batches=BATCHES, branches=BRANCHES)
def test_a_difference_names_nothing_that_its_reader_may_not_read(
    seed: int, grants: list[tuple[str, str | None]], batches: list[list[Operation]], branches: list[bool]
) -> None:
    """Neither an entity, nor a reference, nor a member; and what the reader may read is named."""
    with two_studios(seed, [("nodes", "P0k"), *grants]) as (studio, copy):
        names = stage_all(studio, copy, "admin", batches, branches)
        admin, anna = studio.service.backend("admin"), studio.service.backend("anna")
        admin.call("scenarios.share", {"name": names[-1]})
        label = f"admin/{names[-1]}"
        seen = keys_in(anna) | keys_in(anna.scenario(label))
        if len(names) > 1:
            admin.call("scenarios.share", {"name": names[-2]})
            seen |= keys_in(anna.scenario(f"admin/{names[-2]}"))
        whole = {each["key"] for each in admin.call("scenarios.diff", {"name": names[-1]})["changes"]}
        found = anna.call("scenarios.diff", {"name": label})["changes"]
        assert {each["key"] for each in found} == whole & seen
        for each in found:
            values = [*each.get("before", {}).values(), *each.get("after", {}).values()]
            named = {str(value.key) for value in values if isinstance(value, Identity)}
            for side in ("added", "removed"):
                named.update(member[1] for members in each.get(side, {}).values() for member in members)
            assert named <= seen


@settings(TOGETHER, max_examples=5)
@given(
    seed=st.integers(0, 10**6),
    batches=BATCHES,
    branches=BRANCHES,
    policy=st.sampled_from(["raise", "ours", "theirs"]),
    texts=st.lists(queries(), min_size=1, max_size=3),
)
def test_a_committed_scenario_is_what_it_showed(
    seed: int, batches: list[list[Operation]], branches: list[bool], policy: str, texts: list[str]
) -> None:
    """Each scenario is committed into the one below it, the last one into the base: queries answer as before."""
    with two_studios(seed, []) as (studio, copy):
        names = stage_all(studio, copy, "admin", batches, branches, policy, still=True)
        admin = studio.service.backend("admin")
        shown = {text: without_versions(everything(admin.scenario(names[-1]), text, 50)) for text in [*texts, *OTHERS]}
        for name in reversed(names):
            admin.call("scenarios.commit", {"name": name})
        assert admin.call("scenarios.list", {}) == []
        for text, pages in shown.items():
            assert without_versions(everything(admin, text, 50)) == pages, text


@settings(TOGETHER, max_examples=4)
@given(seed=st.integers(0, 10**6), batches=BATCHES, branches=BRANCHES)
def test_a_rebase_changes_nothing_where_nothing_moved(
    seed: int, batches: list[list[Operation]], branches: list[bool]
) -> None:
    """It names nothing, and the scenario shows what it showed."""
    with two_studios(seed, []) as (studio, copy):
        names = stage_all(studio, copy, "admin", batches, branches, still=True)
        admin = studio.service.backend("admin")
        shown = {text: without_versions(everything(admin.scenario(names[-1]), text, 50)) for text in OTHERS}
        found = admin.call("scenarios.rebase", {"name": names[-1]})
        assert (found["moved"], found["conflicts"], found["done"]) == ([], [], True)
        assert {text: without_versions(everything(admin.scenario(names[-1]), text, 50)) for text in OTHERS} == shown


@settings(TOGETHER, max_examples=6)
@given(
    seed=st.integers(0, 10**6),
    batches=BATCHES,
    later=BATCHES,
    policy=st.sampled_from(["raise", "ours", "theirs"]),
)
def test_a_rebase_names_exactly_what_moved(
    seed: int, batches: list[list[Operation]], later: list[list[Operation]], policy: str
) -> None:
    """Of what the scenario touched, what the log of the base has since; afterwards nothing, or nothing was done."""
    with two_studios(seed, []) as (studio, copy):
        stage_all(studio, copy, "admin", batches, [False] * 6)
        admin, store = studio.service.backend("admin"), studio.store
        with store.reading() as connection:
            begun = log.last_position(store, connection)
            row = connection.execute(store.table("_scenario").select()).one()
            touched = {each.identity.key for each in changes_in(store, connection, [ScenarioRow.of(row)])}
        for number, batch in enumerate(later):
            outcome(admin, ChangeSet(f"later-{number}", fresh(batch, 100 + number)))
        with store.reading() as connection:
            since = {each.identity.key for found in log.entries(store, connection, begun) for each in found.changes}
        before = [everything(admin.scenario("0"), text, 50) for text in OTHERS]
        try:
            found = admin.call("scenarios.rebase", {"name": "0", "conflicts": policy})
        except ServerError:
            # What the scenario refers to, or what it names, is taken or gone.
            assert [everything(admin.scenario("0"), text, 50) for text in OTHERS] == before
            return
        assert {each["key"] for each in found["moved"]} == touched & since
        if found["done"]:
            again = admin.call("scenarios.rebase", {"name": "0"})
            assert (again["done"], again["moved"], again["conflicts"]) == (True, [], [])
        else:
            assert found["conflicts"]
            assert {each["entity"][1] for each in found["conflicts"]} <= touched & since
            assert [everything(admin.scenario("0"), text, 50) for text in OTHERS] == before


@pytest.mark.parametrize("kind", ["file", "postgres"])
@settings(TOGETHER, max_examples=1)
@given(
    seed=st.integers(0, 10**6),
    batches=BATCHES,
    branches=BRANCHES,
    texts=st.lists(queries(), min_size=2, max_size=4),
    counted=st.sampled_from(SIMPLE),
)
def test_the_same_holds_on_other_databases(
    kind: str,
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    batches: list[list[Operation]],
    branches: list[bool],
    texts: list[str],
    counted: str,
) -> None:
    """A scenario in a file, and on PostgreSQL, is a copy in memory."""
    with (
        new_database(kind, Path(tmp_path_factory.mktemp("laws"))) as url,
        two_studios(seed, [("tasks", "P0k")], url) as (studio, copy),
    ):
        names = stage_all(studio, copy, "admin", batches, branches, "raise")
        admin = studio.service.backend("admin")
        compare(admin.scenario(names[-1]), copy.service.backend("admin"), texts, counted, 5)
        admin.call("scenarios.share", {"name": names[-1]})
        reader = studio.service.backend("anna").scenario(f"admin/{names[-1]}")
        compare(reader, copy.service.backend("anna"), texts, counted, 5)
        for name in reversed(names):
            admin.call("scenarios.commit", {"name": name})


@settings(TOGETHER, max_examples=1)
@given(
    seed=st.integers(0, 10**6),
    batches=BATCHES,
    branches=BRANCHES,
    texts=st.lists(queries(), min_size=1, max_size=2),
    counted=st.sampled_from(SIMPLE),
)
def test_the_mirror_answers_as_the_store(
    seed: int, batches: list[list[Operation]], branches: list[bool], texts: list[str], counted: str
) -> None:
    """Also after the scenario has changed, for a reader with few rights too."""
    with two_studios(seed, [("tasks", "P0k")], mirrored=True) as (studio, copy):
        assert studio.service.mirror is not None
        admin = studio.service.backend("admin")
        names = stage_all(studio, copy, "admin", batches[:2], branches, "raise")
        compare(admin.scenario(names[-1]), copy.service.backend("admin"), texts, counted, 5)
        for number, batch in enumerate(batches[2:]):
            changes = ChangeSet(f"later-{number}", fresh(batch, 10 + number))
            assert outcome(admin.scenario(names[-1]), changes) == outcome(copy.service.backend("admin"), changes)
            compare(admin.scenario(names[-1]), copy.service.backend("admin"), [], counted, 5)
        admin.call("scenarios.share", {"name": names[-1]})
        reader = studio.service.backend("anna").scenario(f"admin/{names[-1]}")
        compare(reader, copy.service.backend("anna"), texts, counted, 5)


def test_custom_attributes_are_not_configured_in_a_scenario() -> None:
    """They are columns of everybody's rows."""
    with open_studio() as studio:
        studio.service.backend("admin").call("scenarios.create", {"name": "less"})
        inside = studio.service.backend("admin").scenario("less")
        values = {"key": "fps", "entity_type": "Shot", "data_type": "number"}
        made = Create(Identity("CustomAttributeConfiguration", "a"), values)
        with pytest.raises(Invalid, match="custom attributes are configured for all"):
            inside.commit(ChangeSet("one", (made,)))
