"""Whatever a script does with two sessions, they and the server hold what plain dictionaries hold.

One machine drives `Session`, and `AsyncSession` under asyncio and under trio. Its steps are coroutines: a
blocking session never suspends them, so they run to their end at once; those of an awaiting session run in
the thread of an event loop, where the session lives. ``CALLSHEET_EXAMPLES=20`` makes it twenty times as long.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import plain_model
import pytest
from anyio.from_thread import start_blocking_portal
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from plain_model import CONTEXTS, DEFAULTS, TARGETS, Party, Refused, World, alike

from callsheet import NOT_SET, AsyncSession, CommitError, Session
from callsheet.entity.frozen import thaw
from callsheet.errors import Detached
from callsheet.session.connection import over
from callsheet.testing import memory_service
from strategies import EXAMPLES

COLLECTIONS = {
    "Project": ("children", "tags"),
    "Task": ("children", "tags"),
    "Status": ("tasks",),
    "Kind": (),
    "Tag": ("contexts",),
}
JSON = st.sampled_from([None, 1, True, {"a": [1]}, {"a": [True]}, "text"])
NAMES = st.sampled_from(["a", "b", "c", None])
SCALARS = st.one_of(
    st.tuples(st.just("name"), NAMES),
    st.tuples(st.just("bid"), st.sampled_from([0, 1, None])),
    st.tuples(st.just("done"), st.sampled_from([True, False, None])),
    st.tuples(st.just("data"), JSON),
)
COLOURS = st.sampled_from(["red", "blue", None])
WHO = st.sampled_from([0, 1])
PICK = st.integers(0, 9)
MAYBE = st.none() | PICK

Step = Callable[[], Awaitable[None]]
#: What the machine can do: the name of a method and its arguments, as often as it is likely.
ACTIONS: list[st.SearchStrategy[tuple[str, dict[str, Any]]]] = []


def action(weight: int, **arguments: Any) -> Callable[[Any], Any]:
    """Make a method one of the actions."""

    def keep(method: Any) -> Any:
        ACTIONS.extend([st.tuples(st.just(method.__name__), st.fixed_dictionaries(arguments))] * weight)
        return method

    return keep


def merged_keys(operations: Any, result: Any) -> set[str]:
    """The keys of the entities of which the result says that others had changed them."""
    return {operations[index].identity.key for index in result.merged} if result is not None else set()


async def answer(value: Any) -> Any:
    """What a verb gives, of either kind of session."""
    return await value if inspect.isawaitable(value) else value


class Sessions:
    """A party's session, with the entities it holds."""

    def __init__(self, session: Any, model: Party) -> None:
        self.session, self.model = session, model
        self.entities: dict[str, Any] = {}

    async def load(self, entity: Any, name: str) -> Any:
        """The value of an attribute, fetched where it is not known."""
        if isinstance(self.session, Session):
            return entity[name]
        value = entity.peek(name)
        if value is NOT_SET or not getattr(value, "loaded", True):
            await self.session.populate(entity, name)
        return entity[name]

    def pick(self, number: int | None, *types: str) -> str | None:
        usable = self.model.usable(*types)
        return usable[number % len(usable)] if usable and number is not None else None


class Machine(RuleBasedStateMachine):
    """Two sessions on one server, and the dictionaries that say what must be so."""

    def __init__(self, run: Callable[[Step], None], kind: type) -> None:
        super().__init__()
        self.run = run
        self.kind = kind
        self.service = memory_service(plain_model.DOCUMENT)
        self.world = World()
        self.run(self.open)

    async def open(self) -> None:
        first = self.kind(connection=over(self.service.backend("admin")))
        await answer(first.open())
        self.parties = [Sessions(first, Party()), Sessions(first.fork(), Party())]

    def teardown(self) -> None:
        self.run(self.check_world)
        self.run(self.close)
        self.service.close()

    async def close(self) -> None:
        for party in reversed(self.parties):
            await answer(party.session.close())

    @initialize(committed=st.booleans())
    def populate(self, committed: bool) -> None:
        """Something to work on, known to both sessions; or nothing."""
        if not committed:
            return
        self.create(0, "Project", [("name", "a")], None, None, None, None, None)
        for _ in range(2):
            self.create(0, "Status", [], None, None, None, None, None)
            self.create(0, "Tag", [], None, None, None, None, None)
            self.create(0, "Kind", [], None, None, None, None, None)
        for number in range(3):
            self.create(0, "Task", [("bid", 1)], number, number, None, number, "red")
        self.commit(0, "raise")
        self.catch_up(1)

    # -- recording ---------------------------------------------------------------------------------------

    @action(
        2,
        who=WHO,
        kind=st.sampled_from(["Task", "Task", "Project", "Status", "Tag", "Kind"]),
        scalars=st.lists(SCALARS, max_size=2),
        parent=MAYBE,
        status=MAYBE,
        own_kind=MAYBE,
        tag=MAYBE,
        item=st.none() | st.sampled_from(["red", "blue"]),
    )
    def create(
        self, who: int, kind: str, scalars: Any, parent: Any, status: Any, own_kind: Any, tag: Any, item: Any
    ) -> None:
        party = self.parties[who]
        values = {name: value for name, value in scalars if name in DEFAULTS[kind]}
        picks = {"parent": parent, "status": status, "kind": own_kind}
        keys = {name: party.pick(picks[name], *TARGETS[name]) for name in TARGETS if name in DEFAULTS[kind]}
        keys = {name: key for name, key in keys.items() if key is not None}
        member = party.pick(tag, "Tag") if kind in CONTEXTS else None
        metadata = {"colour": item} if item and kind in CONTEXTS else {}

        async def step() -> None:
            data = {**values, **{name: party.entities[key] for name, key in keys.items()}}
            if metadata:
                data["metadata"] = metadata
            if member:
                data["tags"] = [party.entities[member]]
            entity = party.session.create(kind, data)
            party.entities[entity.id] = entity
            rows = {**values, **keys, **({"metadata": dict(metadata)} if metadata else {})}
            party.model.create(entity.id, kind, rows, [member] if member else [])

        self.run(step)

    @action(3, who=WHO, pick=PICK, scalar=SCALARS)
    def set_scalar(self, who: int, pick: int, scalar: tuple[str, Any]) -> None:
        party, (name, value) = self.parties[who], scalar
        key = party.pick(pick, *(kind for kind in DEFAULTS if name in DEFAULTS[kind]))
        if key is None:
            return

        async def step() -> None:
            party.entities[key][name] = value
            party.model.set(key, name, value)

        self.run(step)

    @action(4, who=WHO, pick=PICK, name=st.sampled_from(sorted(TARGETS)), other=MAYBE, by_key=st.booleans())
    def set_reference(self, who: int, pick: int, name: str, other: Any, by_key: bool) -> None:
        party = self.parties[who]
        key = party.pick(pick, *(kind for kind in DEFAULTS if name in DEFAULTS[kind]))
        target = party.pick(other, *TARGETS[name])
        if key is None or (name == "parent" and party.model.below(key, target)):
            return

        was = party.entities[key].peek(name)
        if target is None and was and was.state == "detached":
            return

        async def step() -> None:
            if by_key:
                party.entities[key][f"{name}_id"] = target
            else:
                party.entities[key][name] = party.entities[target] if target else None
            party.model.set(key, name, target)

        self.run(step)

    @action(2, pick=PICK, ours=SCALARS, theirs=SCALARS, parent=st.tuples(MAYBE, MAYBE))
    def clash(self, pick: int, ours: tuple[str, Any], theirs: tuple[str, Any], parent: Any) -> None:
        """Both change the same entity."""
        for who, scalar in enumerate((ours, theirs)):
            self.set_scalar(who, pick, scalar)
            self.set_reference(who, pick, "parent", parent[who], False)

    @action(
        2, who=WHO, pick=PICK, item=st.sampled_from(["colour", "grade"]), value=st.sampled_from(["red", "blue", None])
    )
    def set_item(self, who: int, pick: int, item: str, value: str | None) -> None:
        party = self.parties[who]
        key = party.pick(pick, *CONTEXTS)
        if key is None:
            return

        async def step() -> None:
            party.entities[key]["metadata"][item] = value
            party.model.set(key, f"metadata.{item}", value)

        self.run(step)

    @action(3, who=WHO, pick=PICK, other=PICK, present=st.booleans(), far=st.booleans())
    def link(self, who: int, pick: int, other: int, present: bool, far: bool) -> None:
        """Many to many, from either side."""
        party = self.parties[who]
        key, tag = party.pick(pick, *CONTEXTS), party.pick(other, "Tag")
        if key is None or tag is None:
            return

        async def step() -> None:
            owner, name, member = (tag, "contexts", key) if far else (key, "tags", tag)
            collection = party.session.unit.collection(party.entities[owner], name)
            if not collection.loaded or not party.model.current:
                party.model.blind.add(key)
            (collection.append if present else collection.discard)(party.entities[member])
            party.model.link(key, tag, present)

        self.run(step)

    @action(2, who=WHO, pick=PICK, other=PICK, present=st.booleans(), name=st.sampled_from(["children", "tasks"]))
    def join(self, who: int, pick: int, other: int, present: bool, name: str) -> None:
        """One to many, from the side of the one."""
        party = self.parties[who]
        reference = "parent" if name == "children" else "status"
        owner = party.pick(pick, *TARGETS[reference])
        member = party.pick(other, *(CONTEXTS if name == "children" else ("Task",)))
        if owner is None or member is None or not party.model.current:
            return
        if reference == "parent" and party.model.below(member, owner):
            return

        async def step() -> None:
            collection = party.entities[owner][name] if party.entities[owner].peek(name) is not NOT_SET else None
            if collection is None:
                collection = party.session.unit.collection(party.entities[owner], name)
            (collection.append if present else collection.discard)(party.entities[member])
            if present or party.model.local[member][reference] == owner:
                party.model.set(member, reference, owner if present else None)

        self.run(step)

    @action(3, who=WHO, pick=PICK, kind=st.sampled_from(sorted(DEFAULTS)))
    def delete(self, who: int, pick: int, kind: str) -> None:
        party = self.parties[who]
        key = party.pick(pick, kind)
        if key is None:
            return

        async def step() -> None:
            party.session.delete(party.entities[key])
            party.model.delete(key)

        self.run(step)

    # -- talking -----------------------------------------------------------------------------------------

    @action(5, who=WHO, policy=st.sampled_from(["raise", "raise", "ours", "theirs"]))
    def commit(self, who: int, policy: str) -> None:
        party = self.parties[who if self.parties[who].model.log else 1 - who]
        if not party.model.log:
            return
        policy = "ours" if policy == "theirs" and party.model.dead else policy

        async def step() -> None:
            await self.commit_and_compare(party, policy)
            await self.check_world()

        self.run(step)

    async def commit_and_compare(self, party: Sessions, policy: str) -> None:
        before, foreseen = party.session.pending, self.foresee(party, policy)
        result, failure = await self.attempt(party, policy)
        if failure is not None:
            self.check_refusal(party, foreseen)
            assert party.session.pending == before
            return
        assert (result is None) == (before == ())
        was, after = self.world, await self.outcome(party, foreseen)
        self.move_world(party, after)
        await self.settle(party, was, after, merged_keys(before, result))

    def foresee(self, party: Sessions, policy: str) -> World | Refused:
        """What the world should be after a commit, or why it should be refused."""
        try:
            return plain_model.commit(self.world, party.model, policy)
        except Refused as refusal:
            return refusal

    def check_refusal(self, party: Sessions, foreseen: World | Refused) -> None:
        """Others may have deleted, or changed what is deleted here: the version tells."""
        assert isinstance(foreseen, Refused) or not party.model.current, foreseen

    async def outcome(self, party: Sessions, foreseen: World | Refused) -> World:
        """What the world is after a commit that was done, which is what was foreseen, as far as that can be."""
        if isinstance(foreseen, World) and party.model.current:
            return foreseen
        told = await self.read_all()
        if isinstance(foreseen, Refused):
            assert not foreseen.certain, foreseen
            assert not party.model.current, foreseen
        else:
            assert told.rows == foreseen.rows
        return told

    def move_world(self, party: Sessions | None, after: World) -> None:
        """Somebody's commit was done, which others do not know of."""
        if after != self.world:
            for other in self.parties:
                other.model.current &= other is party
        self.world = after

    async def settle(self, party: Sessions, was: World, after: World, merged: set[str]) -> None:
        """The party knows that its commit was done."""
        party.model.settle(was, after, merged)
        for key in party.entities.keys() - party.model.local.keys():
            gone = party.entities.pop(key)
            assert gone.state == "detached"
            with pytest.raises(Detached):
                await party.load(gone, "name")

    async def attempt(self, party: Sessions, policy: str) -> tuple[Any, CommitError | None]:
        try:
            return await answer(party.session.commit(policy)), None
        except CommitError as error:
            return None, error

    @action(1, who=WHO)
    def rollback(self, who: int) -> None:
        party = self.parties[who]

        async def step() -> None:
            party.session.rollback()
            party.model.rollback()
            for key in party.entities.keys() - party.model.local.keys():
                assert party.entities.pop(key).state == "detached"
            assert party.session.recorded_operations == []

        self.run(step)

    @action(2, who=WHO, kind=st.sampled_from(["Context", *sorted(DEFAULTS)]))
    def query(self, who: int, kind: str) -> None:
        """A query sees only what is committed, gives the entities that are known, and keeps what is pending."""
        party = self.parties[who]

        async def step() -> None:
            await self.fetch(party, kind)

        self.run(step)

    async def fetch(self, party: Sessions, kind: str) -> None:
        kinds = CONTEXTS if kind == "Context" else (kind,)
        found = await answer(party.session.query(kind).all())
        expected = [key for key, row in self.world.rows.items() if row["@type"] in kinds]
        assert sorted(entity.id for entity in found) == sorted(expected)
        for entity in found:
            assert party.entities.setdefault(entity.id, entity) is entity
        party.model.merge(self.world, expected)

    @action(2, who=WHO)
    def catch_up(self, who: int) -> None:
        """Fetch all there is, and all that is known again."""
        party = self.parties[who]

        async def step() -> None:
            for kind in DEFAULTS:
                await self.fetch(party, kind)
            held = [party.entities[key] for key in party.model.local]
            await answer(party.session.refresh(held))
            party.model.rebase(self.world)
            for key in party.entities.keys() - party.model.local.keys():
                assert party.entities.pop(key).state == "detached"

        self.run(step)

    @action(2, who=WHO, pick=PICK, kind=st.sampled_from(sorted(DEFAULTS)), keep=st.sampled_from(["local", "remote"]))
    def refresh(self, who: int, pick: int, kind: str, keep: str) -> None:
        party = self.parties[who]
        keys = [key for key, row in party.model.local.items() if row["@type"] == kind and key not in party.model.born]
        if not keys:
            return
        key = keys[pick % len(keys)]

        async def step() -> None:
            await answer(party.session.refresh(party.entities[key], keep))
            if keep == "remote":
                party.model.forget(key)
            party.model.refresh(self.world, key)
            if key not in party.model.local:
                assert party.entities.pop(key).state == "detached"

        self.run(step)

    @action(2, who=WHO, pick=PICK, kind=st.sampled_from(sorted(DEFAULTS)))
    def read_collections(self, who: int, pick: int, kind: str) -> None:
        """Loads them; the invariants say what must be in them."""
        party = self.parties[who]
        key = party.pick(pick, kind)
        if key is None or (key not in self.world.rows and key not in party.model.born):
            return

        async def step() -> None:
            for name in COLLECTIONS[kind]:
                await party.load(party.entities[key], name)
                if isinstance(party.session, Session):
                    len(party.entities[key][name])

        self.run(step)

    @action(1, who=WHO)
    def fork(self, who: int) -> None:
        """A fork begins with nothing, and knows what is committed; here it takes the place of its origin."""
        party = self.parties[1]
        if who == 0 or party.model.log:
            return

        async def step() -> None:
            await answer(party.session.close())
            self.parties[1] = Sessions(self.parties[0].session.fork(), Party(current=not self.world.rows))
            assert self.parties[1].session.pending == ()

        self.run(step)

    @rule(step=st.deferred(lambda: st.one_of(ACTIONS)))
    def act(self, step: tuple[str, dict[str, Any]]) -> None:
        """One of all the actions: as rules of their own, most would be left out of most runs."""
        getattr(self, step[0])(**step[1])

    # -- what always holds -------------------------------------------------------------------------------

    @invariant()
    def sessions_agree(self) -> None:
        for party in self.parties:
            self.run(lambda party=party: self.check(party))

    async def check(self, party: Sessions) -> None:
        model = party.model
        assert party.entities.keys() == model.local.keys()
        for key, row in model.local.items():
            await self.check_entity(party, party.entities[key], key, row)
        self.check_states(party)
        if model.has_nothing():
            assert party.session.pending == ()
        elif model.changed_cells():
            assert party.session.pending != ()

    async def check_entity(self, party: Sessions, entity: Any, key: str, row: dict[str, Any]) -> None:
        assert (entity.id, entity.entity_type) == (key, row["@type"])
        if key not in self.world.rows and key not in party.model.born:
            return
        for name in row.keys() - {"@type"}:
            value = await party.load(entity, name)
            if name == "metadata":
                value = dict(value)
            elif name in TARGETS:
                assert entity[f"{name}_id"] == (value.id if value is not None else None)
                # A reference to what was deleted here is left as it was; reading it says that it is gone.
                value = None if value is None or (row[name] is None and value.state == "detached") else value.id
            assert alike(thaw(value), row[name]), (entity, name, value, row[name])
        if party.model.current:
            self.check_collections(party, entity, key, row["@type"])

    def check_collections(self, party: Sessions, entity: Any, key: str, kind: str) -> None:
        model = party.model
        for name in COLLECTIONS[kind]:
            collection = entity.peek(name)
            if collection is NOT_SET or not collection.loaded:
                continue
            if name in ("children", "tasks"):
                reference = "parent" if name == "children" else "status"
                members = {other for other, row in model.local.items() if row.get(reference) == key}
            else:
                members = {link[name == "tags"] for link in model.links if link[name == "contexts"] == key}
            told = [member.id for member in collection]
            assert sorted(told) == sorted((members & model.local.keys()) - model.dead), (entity, name)

    def check_states(self, party: Sessions) -> None:
        model, session = party.model, party.session
        assert {entity.id for entity in session.created} == model.born - model.dead
        assert {entity.id for entity in session.deleted} == model.dead - model.born
        touched = model.blind | {step[1] for step in model.log if step[0] == "link"}
        modified = {entity.id for entity in session.modified}
        changed = {cell[0] for cell in model.changed_cells()} - model.dead
        assert modified - touched == changed - touched
        if model.current and not model.blind:
            changed |= {link[0] for link in model.changed_links()} - model.dead - model.born
            assert modified == changed

    async def check_world(self) -> None:
        told = await self.read_all()
        assert told.rows == self.world.rows
        assert told.links == self.world.links

    async def read_all(self) -> World:
        """What a fresh fork reads."""
        fork = self.parties[0].session.fork()
        told = World()
        for kind, defaults in DEFAULTS.items():
            for entity in await answer(fork.query(kind).all()):
                row = {"@type": kind, **{name: thaw(entity.peek(name)) for name in defaults if name not in TARGETS}}
                for name in TARGETS.keys() & defaults.keys():
                    row[name] = entity[f"{name}_id"]
                if kind in CONTEXTS:
                    row["metadata"] = dict(entity["metadata"])
                told.rows[entity.id] = row
        for entity in await answer(fork.query("select tags from Context").all()):
            told.links |= {(entity.id, tag.id) for tag in entity["tags"]}
        await answer(fork.close())
        return deepcopy(told)


def at_once(step: Step) -> None:
    """Run what never suspends."""
    coroutine: Any = step()
    with pytest.raises(StopIteration):
        coroutine.send(None)


@contextmanager
def runner(backend: str) -> Iterator[Callable[[Step], None]]:
    """Runs steps: at once, or in the thread of an event loop."""
    if backend == "blocking":
        yield at_once
        return
    with start_blocking_portal(backend) as portal:
        yield portal.call


DEEP = [pytest.mark.deep, pytest.mark.timeout(3_600)]


@pytest.mark.parametrize(
    ("backend", "examples"),
    [
        ("blocking", 25),
        ("asyncio", 8),
        ("trio", 8),
        *(pytest.param(each, 400, marks=DEEP) for each in ("blocking", "asyncio", "trio")),
    ],
)
def test_sessions_and_server_hold_what_dictionaries_hold(backend: str, examples: int) -> None:
    """Two sessions that create, change, relate, delete, commit, roll back and refresh, in any order."""
    kind = Session if backend == "blocking" else AsyncSession
    with runner(backend) as run:
        run_state_machine_as_test(
            lambda: Machine(run, kind),
            settings=settings(
                max_examples=examples * EXAMPLES,
                stateful_step_count=40,
                deadline=None,
                suppress_health_check=list(HealthCheck),
                database=None,
            ),
        )
