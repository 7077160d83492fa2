"""Permissions, as a law: what an account sees and does is what it would if the hidden were not there.

The oracle is a *twin*: the same database with the hidden rows taken out. Whatever a restricted account asks
must be answered as an administrator of the twin would be, to the last cursor; whatever it commits must do,
answer and refuse the same in both.
"""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from attrs import evolve, frozen
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete
from studio import Create, Delete, Identity, Studio, Update, open_studio, task

from callsheet.errors import ServerError
from callsheet.measures import count, distinct, median, mode, total
from callsheet.model.language.parser import parse
from callsheet.model.measure import Aggregate
from callsheet.model.operation import ChangeSet, Operation
from callsheet.model.query import Path, Sample, Select, Top

MEASURES = (
    count(where="buddy has (bid > 1)"),
    total("buddy.bid"),
    median("bid"),
    mode("parent.name"),
    distinct("buddy"),
)
EVERYTHING = "read,create,update,delete:*"


@frozen
class World:
    """A random database, an account with random grants, and which entities that account may read."""

    studio: Studio
    twin: Studio
    hidden: frozenset[str]


ROLES = {
    "all": [EVERYTHING],
    "tasks": ["read,update:Task,Version,Status"],
    "no-shots": ["read:*,!Shot", "create:Task"],
    "nodes": ["read,create,update,delete:Node"],
    "blind": ["create:*"],
}
GLOBAL = ("Status", "Tag", "User")


def fill(studio: Studio, seed: int) -> None:
    """Some of everything, with references to and fro."""
    pick = random.Random(seed)
    projects = [Identity("Project", f"P{number}k") for number in range(3)]
    shots = [Identity("Shot", f"S{number}k") for number in range(4)]
    tasks = [Identity("Task", f"T{number}k") for number in range(7)]
    statuses = [Identity("Status", f"X{number}k") for number in range(2)]
    users = [Identity("User", f"U{number}k") for number in range(2)]

    def maybe(things: list[Identity]) -> Identity | None:
        return pick.choice([None, *things])

    operations = [Create(each, {"name": f"n{number}"}) for number, each in enumerate(projects)]
    operations += [Create(each, {"name": f"n{number % 2}"}) for number, each in enumerate(statuses)]
    operations += [Create(each, {"username": f"n{number}"}) for number, each in enumerate(users)]
    for number, each in enumerate(shots):
        operations.append(Create(each, {"name": f"n{number}s", "parent": pick.choice(projects)}))
    for number, each in enumerate(tasks):
        values: dict[str, Any] = {
            "name": f"n{number}t",
            "parent": maybe(projects + shots),
            "bid": pick.choice([None, 1, 2]),
            "status": maybe(statuses),
            "buddy": maybe(tasks),
            "about": maybe(projects + shots + tasks),
        }
        operations.append(Create(each, values, {"watchers": tuple(pick.sample(users, pick.randrange(3)))}))
    for number in range(2):
        members = tuple(pick.sample(tasks, pick.randrange(4)))
        operations.append(Create(Identity("Tag", f"G{number}k"), {"name": f"n{number}"}, {"tasks": members}))
    operations += [Create(Identity("Version", f"V{number}k"), {"task": pick.choice(tasks)}) for number in range(5)]
    studio.commit(*operations)
    studio.service.accounts.add("anna", "guest", key="a key of anna's")
    for name, rules in ROLES.items():
        studio.service.roles.add(name, rules)


def belongs(studio: Studio) -> dict[tuple[str, str], str | None]:
    """The project of each entity, said once more and more simply: tasks and shots know it, versions by their task."""
    found: dict[tuple[str, str], str | None] = {}
    with studio.store.reading() as connection:
        for root in ("Node", "Status", "Tag", "User"):
            for row in connection.execute(studio.store.tables[root].select()).mappings():
                found[row["_type"], row["id"]] = row["project"] if root == "Node" else None
        for row in connection.execute(studio.store.tables["Version"].select()).mappings():
            found["Version", row["id"]] = found["Task", row["task"]]
    return found


READS: dict[str, Any] = {
    "all": lambda kind: True,
    "tasks": lambda kind: kind in ("Task", "Version", "Status"),
    "no-shots": lambda kind: kind != "Shot",
    "nodes": lambda kind: kind in ("Project", "Shot", "Task"),
    "blind": lambda kind: False,
}


@contextmanager
def world(seed: int, grants: list[tuple[str, str | None]], dangling: bool = False) -> Iterator[World]:
    """``dangling``: the twin's references to what is hidden stay, to nothing."""
    with open_studio() as studio, open_studio() as twin:
        for each in (studio, twin):
            fill(each, seed)
            for role, place in grants:
                each.service.roles.grant("anna", role, place)
        hidden = {
            (kind, key)
            for (kind, key), place in belongs(studio).items()
            if not any(
                READS[role](kind) and (where is None or kind in GLOBAL or where == place) for role, where in grants
            )
        }
        remove(twin, {key for _, key in hidden}, dangling)
        yield World(studio, twin, frozenset(key for _, key in hidden))


def remove(twin: Studio, hidden: set[str], dangling: bool) -> None:
    """Take rows out of a database, and out of whatever refers to them."""

    def work(connection: Any) -> None:
        for root, table in twin.store.tables.items():
            connection.execute(delete(table).where(table.c.id.in_(hidden)))
            for attribute in twin.store.schema.types.values():
                for each in attribute.attributes.values() if attribute.root == root and not dangling else ():
                    if each.kind == "reference":
                        column = table.c[each.name]
                        connection.execute(table.update().where(column.in_(hidden)).values({each.name: None}))
        for name, table in twin.store.layout.metadata.tables.items():
            if name.startswith("_link_"):
                connection.execute(delete(table).where(table.c.owner.in_(hidden) | table.c.member.in_(hidden)))

    twin.store.write(work)


KEYS = ["P0k", "P1k", "S0k", "S1k", "T0k", "T1k", "T2k", "X0k", "U0k", "V0k", "G0k"]
NAMES = ["n0", "n1", "n0s", "n0t", "n1t", "n2t"]
SIMPLE = [
    "name is {n}",
    "name != {n}",
    "bid > 1",
    "parent.id is {k}",
    "parent_id != {k}",
    "parent is None",
    "parent.name is {n}",
    "parent.parent.name is_not {n}",
    "status.name is {n}",
    "not status.id is {k}",
    "buddy.name like '%t'",
    "buddy.buddy.bid is None",
    "buddy.id not_in ({k}, None)",
    "about.name is {n}",
    "about[Task].bid is 1",
    "about[Shot] has ()",
    "children.name is {n}",
    "children.name is_not {n}",
    "children any ()",
    "children[Task] any (bid > 0)",
    "tags.name is {n}",
    "tags any (tasks any (id is {k}))",
    "tags any (name is {n})",
    "watchers any ()",
    "watchers.username != {n}",
    "project.id is {k}",
    "project.name is {n}",
    "project is None",
    "id in (select task.id from Version)",
    "id not_in (select buddy.id from Task where bid is 1)",
    "parent.children any (name is {n})",
    "parent has (children[Task] any (watchers any ()))",
    "created_by is None",
    "buddy.tags.name is {n}",
    "id in (select about.id from Task order by about.name limit 2)",
    "id is {k}",
]
PROJECTIONS = [
    "",
    "name",
    "parent",
    "parent.name",
    "status.name",
    "buddy.name, buddy.buddy.name",
    "about",
    "about.name",
    "children",
    "children.name",
    "tags.tasks.name",
    "watchers",
    "project.name",
    "parent.children.parent, name",
    "tags, children.children",
]
ORDERS = [
    "",
    " order by name",
    " order by parent.name descending, bid",
    " order by buddy.name",
    " order by status.id",
    " order by project.name, parent_id descending",
]


@st.composite
def queries(draw: Any) -> str:
    def part() -> str:
        name, key = draw(st.sampled_from(NAMES)), draw(st.sampled_from(KEYS))
        text: str = draw(st.sampled_from(SIMPLE)).format(n=f"'{name}'", k=f"'{key}'")
        return f"not ({text})" if draw(st.booleans()) else text

    where = f" {draw(st.sampled_from(['and', 'or']))} ".join(f"({part()})" for _ in range(draw(st.integers(1, 3))))
    projections = draw(st.sampled_from(PROJECTIONS))
    return f"{f'select {projections} from ' if projections else ''}Task where {where}{draw(st.sampled_from(ORDERS))}"


QUICK = (Phase.explicit, Phase.generate)
"""An example is a whole database: a failure is told by its seed, and not made smaller."""

PLACES = st.sampled_from([None, "P0k", "P0k", "P1k", "P2k"])
GRANTS = st.lists(st.tuples(st.sampled_from(list(ROLES)), PLACES), max_size=3, unique=True)


def everything(backend: Any, text: str, size: int) -> list[Any]:
    """All pages, as plain data that can be compared."""
    pages, cursor = [], None
    while True:
        page = backend.select(parse(text), size, cursor)
        blocks = [(block.entity_type, block.attributes, [list(row) for row in block.rows]) for block in page.records]
        pages.append((blocks, page.roots, None if page.order is None else list(page.order), page.cursor))
        cursor = page.cursor
        if cursor is None:
            return pages


OTHERS = [
    "Node",
    "Status",
    "Tag",
    "User",
    "Version",
    "select task.parent.name, number from Version",
    "select tasks.buddy from Tag",
]


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), phases=QUICK)
@given(
    seed=st.integers(0, 10**6),
    grants=GRANTS,
    texts=st.lists(queries(), min_size=4, max_size=8),
    counted=st.sampled_from(SIMPLE),
    size=st.integers(1, 9),
)
def test_reading_is_reading_the_twin(
    seed: int, grants: list[tuple[str, str | None]], texts: list[str], counted: str, size: int
) -> None:
    """Every page of every query, every group and count, is what it would be if the hidden were not there."""
    with world(seed, grants) as made:
        anna, admin = made.studio.service.backend("anna"), made.twin.service.backend("admin")
        for text in [*texts, *OTHERS]:
            got = everything(anna, text, size)
            assert got == everything(admin, text, size), text
            cursors = [base64.urlsafe_b64decode(page[3] + "===").decode() for page in got if page[3]]
            told = repr(got) + repr(cursors)
            assert not [key for key in made.hidden if key in told], text
        condition = parse("Task where " + counted.format(n="'n0'", k="'T0k'"))
        functions = (("count", None), ("count", Path.of("buddy")), ("sum", Path.of("bid")))
        for path in ("status", "parent", "buddy.name", "project.name", "parent.parent.name"):
            asked = Aggregate(condition, functions, (Path.of(path),))
            assert anna.aggregate(asked) == admin.aggregate(asked)
        for query in (condition, evolve(condition, top=Top(1, per=Path.of("parent"))), evolve(condition, limit=2)):
            asked = Aggregate(query, MEASURES, ("parent.name", "buddy.name"), totals=True)
            assert anna.aggregate(asked) == admin.aggregate(asked)
        drawn = Select("Task", sample=Sample(3, None, "stratified", 7, Path.of("buddy")))
        assert anna.aggregate(Aggregate(drawn, MEASURES)) == admin.aggregate(Aggregate(drawn, MEASURES))


@st.composite
def operations(draw: Any) -> Operation:
    """Something done to one entity or another, which may be hidden."""

    def pick(*kinds: str) -> Identity:
        kind = draw(st.sampled_from(kinds))
        return Identity(kind, f"{kind[0]}{draw(st.integers(0, 3))}k")

    number = draw(st.integers(0, 10**9))
    choice = draw(st.integers(0, 7))
    if choice == 0:
        return Delete(pick("Task", "Shot", "Version"), draw(st.sampled_from([None, 1, 2])))
    if choice == 1:
        return Create(Identity("Version", f"new{number}"), {"task": pick("Task")})
    if choice == 2:
        return task(f"new{number}", pick("Project", "Shot"), buddy=pick("Task"))
    if choice == 3:
        return Update(pick("Task"), {"parent": pick("Project", "Shot")}, draw(st.sampled_from([{}, {"parent": None}])))
    if choice == 4:
        base = draw(st.sampled_from([None, Identity("Task", "T1k")]))
        return Update(pick("Task"), {"buddy": pick("Task")}, {"buddy": base}, version=1)
    if choice == 5:
        members = {"watchers": (pick("User"),)}
        return Update(pick("Task"), {}, added=members) if number % 2 else Update(pick("Task"), {}, removed=members)
    return Update(pick("Task", "Shot"), {"name": f"name{number}"}, version=draw(st.sampled_from([None, 1])))


def outcome(backend: Any, changes: ChangeSet) -> Any:
    try:
        return backend.commit(changes)
    except ServerError as error:
        return type(error), str(error), error.operation, error.entity, error.attribute, error.details


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), phases=QUICK)
@given(
    seed=st.integers(0, 10**6),
    places=st.sets(st.sampled_from(["P0k", "P1k", "P2k"]), max_size=2),
    batches=st.lists(st.lists(operations(), min_size=1, max_size=4), min_size=1, max_size=5),
    policy=st.sampled_from(["raise", "ours", "theirs"]),
)
def test_writing_is_writing_to_the_twin(
    seed: int, places: set[str], batches: list[list[Operation]], policy: str
) -> None:
    """Every commit does, answers and refuses what it would if the hidden were not there; and leaves them alone."""
    with world(seed, [("all", place) for place in places], dangling=True) as made:
        anna, in_twin = made.studio.service.backend("anna"), made.twin.service.backend("anna")
        before = {identity.key: made.studio.row(identity) for identity in hidden_identities(made)}
        for number, batch in enumerate(batches):
            changes = ChangeSet(f"batch-{number}", tuple(batch), policy=policy)
            assert outcome(anna, changes) == outcome(in_twin, changes), batch
        for text in ("Node", "Version"):
            assert everything(anna, text, 50) == everything(in_twin, text, 50)
        for identity in hidden_identities(made):
            assert unlinked(made.studio.row(identity)) == unlinked(before[identity.key])


def hidden_identities(made: World) -> list[Identity]:
    kinds = {"P": "Project", "S": "Shot", "T": "Task", "V": "Version"}
    return [Identity(kinds[key[0]], key) for key in sorted(made.hidden) if key[0] in kinds]


def unlinked(row: dict[str, Any] | None) -> Any:
    """A row without its version and what a delete elsewhere takes from it: references to what is gone."""
    assert row is not None
    dropped = ("_version", "_commit", "updated_at", "updated_by", "buddy", "about", "about__type")
    return {name: value for name, value in row.items() if name not in dropped}
