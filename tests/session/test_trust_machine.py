"""Whatever fails between sessions and server, both hold what plain dictionaries hold, and nothing is done twice.

The machine of ``test_state_machine.py`` with more steps: answers are lost before and after the work is done, also
of single parts of a commit (this server takes three operations at once); sessions die and are followed by others
that resume from their journals; commits in doubt are sent again or given up; forks commit in threads of their own.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import rule, run_state_machine_as_test
from plain_model import Party, World
from test_state_machine import ACTIONS, WHO, Machine, Sessions, at_once, merged_keys

from callsheet import CommitError, Session, StateError
from callsheet.errors import Disconnected, Unavailable, WrongThread
from callsheet.session.connection import over
from strategies import EXAMPLES

OPERATIONS = 3
"""How many operations the server takes at once."""
FAULTS = st.sampled_from(["before", "after", "unavailable", "part before", "part after"])
POLICIES = st.sampled_from(["raise", "ours", "theirs"])
THEN = st.sampled_from(["wait", "wait", "send_again", "give_up", "die"])
LOSE = {"who": WHO, "policy": POLICIES, "fault": FAULTS, "then": THEN}
MORE: list[st.SearchStrategy[tuple[str, dict[str, Any]]]] = [
    *[st.tuples(st.just("lose_answer"), st.fixed_dictionaries(LOSE))] * 4,
    st.tuples(st.just("send_again"), st.fixed_dictionaries({"who": WHO})),
    st.tuples(st.just("send_again"), st.fixed_dictionaries({"who": WHO})),
    st.tuples(st.just("give_up"), st.fixed_dictionaries({"who": WHO})),
    st.tuples(st.just("die"), st.fixed_dictionaries({"who": WHO, "fault": st.none() | FAULTS})),
    st.tuples(st.just("work_in_threads"), st.fixed_dictionaries({"who": WHO, "fault": st.none() | FAULTS})),
]
STEPS = st.one_of(ACTIONS + MORE * 3)


class Faulty:
    """A backend whose next answer can be lost. ``done`` says whether a commit was done whose answer was lost."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self.fault: str | None = None
        self.done = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def lose(self, fault: str | None) -> None:
        """From now on: one answer, or none."""
        self.fault, self.done = fault, False

    def describe(self, known_hash: str = "") -> Any:
        told = self._backend.describe(known_hash)
        return attrs.evolve(told, features=attrs.evolve(told.features, operations=OPERATIONS))

    def stage(self, commit_id: str, number: int, operations: Any) -> None:
        if self.take("part before"):
            raise Disconnected("the connection was lost")
        self._backend.stage(commit_id, number, operations)
        if self.take("part after"):
            raise Disconnected("the connection was lost")

    def commit(self, changes: Any) -> Any:
        assert len(changes.operations) <= OPERATIONS
        if self.take("before"):
            raise Disconnected("the connection was lost")
        if self.take("unavailable"):
            raise Unavailable("come back later")
        result = self._backend.commit(changes)
        if self.take("after"):
            self.done = True
            raise Disconnected("the connection was lost")
        return result

    def take(self, fault: str) -> bool:
        if self.fault != fault:
            return False
        self.fault = None
        return True


@attrs.define
class Doubt:
    """A commit without an answer; ``done`` is the world before and after it, where the server has done it."""

    policy: str
    done: tuple[World, World] | None = None


class Client(Sessions):
    """A party whose connection is bad and who keeps a journal."""

    def __init__(self, backend: Faulty, path: Path, model: Party) -> None:
        super().__init__(Session(connection=over(backend), journal=path), model)
        self.backend, self.path = backend, path
        self.doubt: Doubt | None = None


class TrustMachine(Machine):
    """The same machine where connections break and clients die."""

    parties: list[Any]

    def __init__(self) -> None:
        self.folder = TemporaryDirectory()
        super().__init__(at_once, Session)

    async def open(self) -> None:
        self.parties = [
            Client(Faulty(self.service.backend("admin")), Path(self.folder.name) / name, Party()) for name in "ab"
        ]

    def teardown(self) -> None:
        super().teardown()
        self.folder.cleanup()

    @rule(step=STEPS)
    def act(self, step: tuple[str, dict[str, Any]]) -> None:
        """One of all the actions, unless it needs a session that has a commit in doubt."""
        name, arguments = step
        free = name in ("send_again", "give_up", "die") or not self.in_doubt(name, arguments)
        if free and name != "fork":
            getattr(self, name)(**arguments)

    def in_doubt(self, name: str, arguments: dict[str, Any]) -> bool:
        both = "who" not in arguments or name == "commit"
        concerned = self.parties if both else [self.parties[arguments["who"]]]
        return any(party.doubt is not None for party in concerned)

    def lose_answer(self, who: int, policy: str, fault: str, then: str) -> None:
        """A commit whose answer is lost; then nothing else can be recorded, and nothing is forgotten."""
        party = self.parties[who]
        # Something to send, in more than one part where it is a part that shall be lost.
        for _ in range(OPERATIONS + 1 if fault.startswith("part") else not party.model.log):
            self.create(who, "Tag", [], None, None, None, None, None)
        policy = "ours" if policy == "theirs" and party.model.dead else policy

        async def step() -> None:
            before, foreseen = party.session.pending, self.foresee(party, policy)
            party.backend.lose(fault)
            result, failure = await self.attempt(party, policy)
            done = party.backend.done
            party.backend.lose(None)
            if failure is not None and "no answer" in str(failure):
                with pytest.raises(StateError, match="in doubt"):
                    party.session.create("Tag")
                assert party.session.pending == before
                party.doubt = Doubt(policy)
                if done:
                    was, after = self.world, await self.outcome(party, foreseen)
                    party.doubt.done = (was, after)
                    self.move_world(party, after)
            elif failure is not None:
                self.check_refusal(party, foreseen)
            else:
                was, after = self.world, await self.outcome(party, foreseen)
                self.move_world(party, after)
                await self.settle(party, was, after, merged_keys(before, result))
            await self.check_world()

        self.run(step)
        if then == "die":
            self.die(who, None)
        elif then != "wait":
            getattr(self, then)(who)

    def send_again(self, who: int) -> None:
        """A commit in doubt is sent again: what was done is not done again, and what was not is done now."""
        party = self.parties[who]
        if (doubt := party.doubt) is None:
            return

        async def step() -> None:
            party.doubt = None
            if doubt.done is None:
                await self.commit_and_compare(party, doubt.policy)
            else:
                before = party.session.pending
                result = party.session.commit()
                assert result.replayed
                await self.settle(party, *doubt.done, merged_keys(before, result))
                if self.world != doubt.done[1]:
                    self.catch_up(who)
            assert party.session.journal.unfinished() == []
            await self.check_world()

        self.run(step)

    def give_up(self, who: int) -> None:
        """A commit in doubt is given up, done or not; nobody sends it again."""
        party = self.parties[who]
        if party.doubt is None:
            return

        async def step() -> None:
            party.doubt = None
            party.session.rollback()
            party.model.rollback()
            for key in party.entities.keys() - party.model.local.keys():
                assert party.entities.pop(key).state == "detached"
            assert (party.session.pending, party.session.journal.unfinished()) == ((), [])
            self.catch_up(who)
            await self.check_world()

        self.run(step)

    def die(self, who: int, fault: str | None) -> None:
        """A client dies; another one resumes from its journal, even where answers are lost again."""
        dead = self.parties[who]
        dead.session.journal.close()  # As the end of its process would.

        async def step() -> None:
            party = self.parties[who] = Client(dead.backend, dead.path, Party())
            if dead.doubt is not None:
                await self.resume(party, dead, fault)
            assert party.session.resume() == []
            assert party.session.journal.unfinished() == []
            party.model.current = not self.world.rows
            await self.check_world()

        self.run(step)

    async def resume(self, party: Any, dead: Any, fault: str | None) -> None:
        foreseen = self.foresee(dead, dead.doubt.policy)
        done = dead.doubt.done is not None
        party.backend.lose(fault)
        try:
            (resumed,) = party.session.resume()
        except (Disconnected, Unavailable):
            done = done or party.backend.done
            (resumed,) = party.session.resume()
        party.backend.lose(None)
        if resumed.outcome == "refused":
            assert not done
            self.check_refusal(dead, foreseen)
            return
        assert resumed.outcome == ("had finished" if done else "finished now")
        if dead.doubt.done is None:
            self.move_world(None, await self.outcome(dead, foreseen))

    def work_in_threads(self, who: int, fault: str | None) -> None:
        """Forks of a session, made here and used there, commit side by side; each commit is done once."""
        origin, made = self.parties[who], {}

        def work(fork: Session, name: str) -> None:
            with pytest.raises(WrongThread):
                origin.session.create("Tag")
            tag = fork.create("Tag", {"name": "new"})
            made[tag.id] = name
            commit_until_answered(fork)
            tag["name"] = name
            commit_until_answered(fork)

        origin.session.query("Tag").first()
        origin.backend.lose(fault)
        forks = [origin.session.fork() for _ in range(3)]
        threads = [Thread(target=work, args=(fork, f"thread {place}")) for place, fork in enumerate(forks)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        origin.backend.lose(None)
        assert len(made) == 3

        async def step() -> None:
            after = World({**self.world.rows}, set(self.world.links))
            after.rows |= {key: {"@type": "Tag", "name": name} for key, name in made.items()}
            self.move_world(None, after)
            assert origin.session.journal.unfinished() == []
            await self.check_world()

        self.run(step)


def commit_until_answered(session: Session) -> None:
    """One fault takes one answer, so the second time there is one."""
    try:
        session.commit()
    except CommitError:
        session.commit()


@pytest.mark.parametrize("examples", [10, pytest.param(200, marks=[pytest.mark.deep, pytest.mark.timeout(3_600)])])
def test_trust_holds_whatever_fails(examples: int) -> None:
    """Lost answers, conflicts, staged commits, deaths and threads, in any order."""
    run_state_machine_as_test(
        TrustMachine,
        settings=settings(
            max_examples=examples * EXAMPLES,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )
