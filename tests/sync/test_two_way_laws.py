"""Laws of two-way syncs: both sides end alike, whichever is left, and no edit is lost without a word."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from callsheet import Session, Sync, TypePair
from callsheet.sync.side import SideReference
from callsheet.sync.two_way.sync import TwoWayPlan
from sync.table_side import TableSide, killed

SCHEMA = """
name = "registry"
[types.ExternalId]
label = "foreign_id"
unique = [["system", "type", "foreign_id"]]
[types.ExternalId.attributes]
system = { type = "string", required = true, immutable = true }
type = { type = "string", required = true, immutable = true }
foreign_id = { type = "string", required = true, immutable = true }
entity_type = { type = "string" }
entity_id = { type = "string", indexed = true }
base = { type = "json" }
seen = { type = "datetime" }
"""
POLICIES = ["raise", "left", "right", "merge"]
MIRRORED = {"left": "right", "right": "left", "raise": "raise", "merge": "merge"}

TAGS = st.frozensets(st.sampled_from([SideReference("Tag", tag) for tag in ("t1", "t2", "t3")]))
VALUES = st.fixed_dictionaries({}, optional={"text": st.sampled_from([None, "x", "y", "z"]), "tags": TAGS})
EDIT = st.one_of(
    st.tuples(st.just("put"), st.sampled_from(["left", "right"]), st.integers(0, 3), VALUES),
    st.tuples(st.just("remove"), st.sampled_from(["left", "right"]), st.integers(0, 3), st.just({})),
)
EDITS = st.lists(EDIT, max_size=8)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """One registry for all examples, emptied before each."""
    schema = tmp_path_factory.mktemp("registry") / "registry.toml"
    schema.write_text(SCHEMA)
    with Session("memory:", schema=schema) as session:
        yield session


class World:
    """Two sides with the same three tags, and a registry without links."""

    def __init__(self, registry: Session, whole: bool = False) -> None:
        own = registry.fork()
        for link in own.query("ExternalId").all():
            own.delete(link)
        if own.pending:
            own.commit()
        self.registry = registry
        self.sides = {name: TableSide(name, whole) for name in ("left", "right")}
        for side in self.sides.values():
            for tag in ("t1", "t2", "t3"):
                side.put("Tag", tag, name=tag)
        #: The rows that people know, by number: the ids on both sides, as far as they are there.
        self.known: dict[int, dict[str, str]] = {}

    def sync(self, policy: str, delete: str, swapped: bool = False) -> Sync:
        tags = TypePair("Tag", "Tag", ["name"], adopt=["name"], creates="none")
        own = MIRRORED[policy] if swapped else policy
        rows = TypePair("Row", "Row", ["text", "tags"], conflicts=own, delete=delete, max_deleted=1)
        left, right = self.sides["left"], self.sides["right"]
        if swapped:
            left, right = right, left
        return Sync(left, right, [tags, rows], registry=self.registry.fork(), name="law")

    def edit(self, edits: Any) -> None:
        for kind, side, number, values in edits:
            own = f"{side}{number}"
            target = self.partner(side, number) or own
            if kind == "put":
                self.sides[side].put("Row", target, **values)
            else:
                self.sides[side].remove("Row", target)

    def partner(self, side: str, number: int) -> str | None:
        """What a side calls its row of a number, or the other side's if it has none of its own."""
        links, other = self.links(), "right" if side == "left" else "left"
        names = (f"{side}{number}", f"{other}{number}")
        link = next((each for name in names for each in links if name in each), None)
        return None if link is None else next((id for id in link if id in self.sides[side].tables.get("Row", {})), None)

    def links(self) -> list[tuple[str, str]]:
        found = self.registry.fork().query('select foreign_id, entity_id from ExternalId where type is "Row"')
        return [(each["entity_id"], each["foreign_id"]) for each in found]

    def rows(self, side: str) -> dict[str, dict[str, Any]]:
        """The rows of a side, by the id of the row that was there first."""
        links = {id: min(pair, key=lambda each: ("-" in each, each)) for pair in self.links() for id in pair}
        empty = {"text": None, "tags": frozenset()}
        return {
            links.get(id, id): {**empty, **{n: v for n, v in row.items() if v is not None}}
            for id, row in self.sides[side].tables.get("Row", {}).items()
        }


def settled(world: World, policy: str, delete: str, swapped: bool = False) -> list[TwoWayPlan]:
    """Run until nothing is left to do; the plans."""
    plans = []
    for _ in range(5):
        plan = world.sync(policy, delete, swapped).plan()
        plans.append(plan)
        assert plan.apply(chunk=2).refused == ()
        if plan.is_empty:
            return plans
    raise AssertionError("it does not come to an end")


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    first=EDITS,
    second=EDITS,
    policy=st.sampled_from(POLICIES),
    delete=st.sampled_from(["keep", "delete"]),
    whole=st.booleans(),
)
def test_both_sides_end_alike(
    registry: Session, first: Any, second: Any, policy: str, delete: str, whole: bool
) -> None:
    """After one run but for conflicts and kept rows; the next plan is empty, also one that compares everything."""
    world = World(registry, whole)
    for edits in (first, second):
        world.edit(edits)
        plans = settled(world, policy, delete)
        assert len(plans) <= 2
    assert world.sync(policy, delete).plan(whole=True).is_empty
    left, right = world.rows("left"), world.rows("right")
    final = world.sync(policy, delete).plan(whole=True)
    open_ones = {each.left for each in final.conflicts} | {each.right for each in final.conflicts}
    for id in left.keys() | right.keys():
        pair = next((each for each in world.links() if id in each), (id,))
        if open_ones.isdisjoint(pair) and (delete == "delete" or (id in left and id in right)):
            assert left[id] == right[id]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=EDITS, second=EDITS, policy=st.sampled_from(POLICIES), delete=st.sampled_from(["keep", "delete"]))
@example(
    [("put", "left", 1, {"text": "x"}), ("put", "right", 1, {})], [("put", "left", 1, {"text": None})], "raise", "keep"
)
def test_both_orders_give_the_same(registry: Session, first: Any, second: Any, policy: str, delete: str) -> None:
    """Whichever side is the left, the same values end on both."""
    ends = []
    for swapped in (False, True):
        world = World(registry)
        for edits in (first, second):
            world.edit(edits)
            settled(world, policy, delete, swapped)
        ends.append([sorted(map(_sortable, world.rows(side).values())) for side in ("left", "right")])
    assert ends[0] == ends[1]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(base=VALUES, left=VALUES, right=VALUES, policy=st.sampled_from(POLICIES))
def test_no_policy_loses_an_edit_silently(registry: Session, base: Any, left: Any, right: Any, policy: str) -> None:
    """An edit that does not stand on both sides in the end is listed."""
    world = World(registry)
    world.edit([("put", "left", 0, base)])
    settled(world, policy, "keep")
    world.edit([("put", "left", 0, left), ("put", "right", 0, right)])
    plans = settled(world, policy, "keep")
    listed = {each.attribute for plan in plans for each in (*plan.conflicts, *plan.overridden)}
    for name, empty in (("text", None), ("tags", frozenset())):
        old = base.get(name) or empty
        mine, theirs = (each.get(name, old) for each in (left, right))
        ends = [world.rows(side)["left0"][name] for side in ("left", "right")]
        if policy == "merge" and name == "tags":
            wanted = ((mine | theirs) - (old - mine)) - (old - theirs)
            assert ends == [wanted, wanted]
            continue
        for edit in (mine, theirs):
            assert edit == old or ends == [edit, edit] or name in listed


#: A row is removed and comes back under its old name, while its partner is removed.
BACK_AGAIN = [("remove", "left", 0, {}), ("put", "left", 0, {}), ("remove", "right", 0, {})]


@example(first=[("put", "left", 0, {"tags": frozenset()})], second=BACK_AGAIN, kills=[], policy="left", whole=False)
@example(first=[("put", "left", 0, {"tags": frozenset()})], second=BACK_AGAIN, kills=[], policy="left", whole=True)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    first=EDITS,
    second=EDITS,
    kills=st.lists(st.tuples(st.integers(0, 25), st.booleans(), st.integers(0, 6) | st.none()), max_size=3),
    policy=st.sampled_from(POLICIES),
    whole=st.booleans(),
)
def test_killed_anywhere_the_same_call_finishes_it(
    registry: Session, first: Any, second: Any, kills: Any, policy: str, whole: bool
) -> None:
    """Between two turns, within a write, or with the reply lost: no row is lost, none doubled, and both end alike."""
    worlds = []
    for faults in ((), kills):
        world = World(registry, whole)
        world.edit(first)
        settled(world, policy, "delete")
        world.edit(second)
        for turns, after, writes in faults:
            for side in world.sides.values():
                side.left_to_write = writes
            sync = world.sync(policy, "delete")
            killed(_whole_run(sync), turns, after)
            for side in world.sides.values():
                side.left_to_write = None
        settled(world, policy, "delete")
        assert world.sync(policy, "delete").plan(whole=True).is_empty
        values = [sorted(map(_sortable, world.rows(side).values())) for side in ("left", "right")]
        worlds.append(values)
    assert worlds[0] == worlds[1]


def _sortable(row: Any) -> Any:
    return (row["text"] or "", sorted(row["tags"]))


def _whole_run(sync: Sync) -> Any:
    """Planning and applying as one conversation."""
    found = yield from sync._planning(False).plan()
    return (yield from TwoWayPlan(sync, found)._applying(2, None).apply())


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=EDITS, second=EDITS, policy=st.sampled_from(POLICIES), order=st.lists(st.booleans(), max_size=40))
def test_two_jobs_at_once_do_not_double(
    registry: Session, first: Any, second: Any, policy: str, order: list[bool]
) -> None:
    """Turns of two runs of the same sync in any order: afterwards both sides are as after one."""
    alone, together = World(registry), None
    alone.edit(first)
    alone.edit(second)
    settled(alone, policy, "delete")
    expected = [sorted(map(_sortable, alone.rows(side).values())) for side in ("left", "right")]
    together = World(registry)
    together.edit(first)
    together.edit(second)
    jobs = [_whole_run(together.sync(policy, "delete")) for _ in range(2)]
    turns = [next(job, None) for job in jobs]
    for choice in [*order, *[False] * 200, *[True] * 200]:
        turn = turns[choice]
        if turn is None:
            continue
        try:
            turns[choice] = jobs[choice].send(turn.party.run(turn.flow))
        except StopIteration:
            turns[choice] = None
    settled(together, policy, "delete")
    assert [sorted(map(_sortable, together.rows(side).values())) for side in ("left", "right")] == expected


@pytest.mark.parametrize(("tokens", "adopt", "rows"), [(True, [], 1), (False, ["text"], 1), (False, [], 2)])
def test_what_keeps_a_killed_run_from_doubling(registry: Session, tokens: bool, adopt: list[str], rows: int) -> None:
    """A token that the other side keeps, or a natural key; without both (the control) a row is there twice."""
    world = World(registry)
    settled(world, "raise", "keep")
    world.sides["left"].put("Row", "left0", text="x")

    def sync() -> Sync:
        pair = TypePair("Row", "Row", ["text"], adopt=adopt)
        return Sync(world.sides["left"], world.sides["right"], [pair], registry=registry.fork(), name="law")

    writing = _whole_run(sync())
    turn = next(writing)
    while not world.sides["right"].written:
        turn = writing.send(turn.party.run(turn.flow))
        if turn.party is world.sides["right"] and "write" in turn.flow.__qualname__:
            turn.party.run(turn.flow)
    writing.close()
    if not tokens:
        world.sides["right"].tokens.clear()
    plan = sync().plan(whole=True)
    plan.apply()
    assert len(world.sides["right"].tables["Row"]) == rows
