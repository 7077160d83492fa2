"""Whatever fails, and wherever: a row's file is there and whole, and a file without a row is known to an intent.

Every call of the disk and of the server is made to fail in turn, once with an error and once as if the process
had been killed there. After a kill, another session recovers.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from callsheet.errors import CallsheetError, Invalid, RegistrationInDoubt, StorageError, TransportError
from callsheet.storage.disk import DiskAccessor
from callsheet.storage.structure import StandardStructure

BOUND = 200
"""More steps than a run has."""


class Killed(BaseException):
    """Stands for the end of the process."""


class Extended:
    """A studio with a disk and a location of their own, that remembers its components."""

    def __init__(self, studio: Any, number: int = 0) -> None:
        self._studio = studio
        self.components: list[Any] = []
        self.place, self.disk = f"disk{number}", studio.disk / str(number)
        self.disk.mkdir()
        backend = studio.session._dialect._backend
        self.backend = studio.session._dialect._backend = getattr(backend, "plain", backend)
        disk = DiskAccessor(self.disk)
        studio.session.locations.add(self.place, accessor=disk, structure=StandardStructure(), priority=1)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._studio, name)

    def stored(self) -> list[str]:
        """All files on the disk."""
        return sorted(path.relative_to(self.disk).as_posix() for path in self.disk.rglob("*") if path.is_file())


class Faults:
    """Lets so many steps happen; before the next one, or right after it, raises."""

    def __init__(self, after: int, error: Callable[[], BaseException], late: bool = False) -> None:
        self.left, self._error, self._late = after, error, late
        self.hit = False

    def step(self, function: Callable[[], Any]) -> Any:
        if self.hit:
            # Who cleans up after an error meets no further one; a process that was killed does nothing more.
            if isinstance(self._error(), Killed):
                raise self._error()
            return function()
        self.left -= 1
        if self.left >= 0:
            return function()
        self.hit = True
        if self._late:
            done = function()
            if hasattr(done, "close"):
                # The system closes what a dead process had open.
                done.close()
        raise self._error()


class Faulty:
    """Every method call of an object, and of what its ``begin`` gives, is a step."""

    def __init__(self, inner: Any, faults: Faults) -> None:
        self._inner, self._faults = inner, faults

    @property
    def received(self) -> int:
        return int(self._inner.received)

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)
        if name == "close":
            return method

        def call(*arguments: Any) -> Any:
            found = self._faults.step(lambda: method(*arguments))
            return Faulty(found, self._faults) if name == "begin" else found

        return call


def arm(studio: Any, faults: Faults) -> None:
    """From now on each call of the disk, and each commit, is a step."""
    accessor = Faulty(DiskAccessor(studio.disk), faults)
    studio.session.locations.add(studio.place, accessor=accessor, structure=StandardStructure(), priority=1)
    backend = studio.backend
    commit = backend.commit
    studio.session._dialect._backend = Committing(backend, lambda changes: faults.step(lambda: commit(changes)))


class Committing:
    """A backend with another commit."""

    def __init__(self, backend: Any, commit: Callable[[Any], Any]) -> None:
        self.plain, self.commit = backend, commit

    def __getattr__(self, name: str) -> Any:
        return getattr(self.plain, name)


def rows(studio: Any) -> dict[str, int]:
    """The identifiers that the server has for files at the studio's disk, and the sizes they should have."""
    with studio.session.fork() as session:
        found = session.query(
            f"select resource_identifier, component.size from ComponentLocation where location.name is {studio.place}"
        ).all()
        return {
            row["resource_identifier"]: row["component"]["size"]
            for row in found
            if row["component"].entity_type == "FileComponent"
        }


def visible(studio: Any) -> dict[str, int]:
    """The files that anybody would see, and their sizes."""
    return {
        name: (studio.disk / name).stat().st_size
        for name in studio.stored()
        if not name.startswith(".callsheet/") and not Path(name).name.startswith(".")
    }


def intended(studio: Any) -> set[str]:
    """The files that intents tell of."""
    found = (studio.disk / ".callsheet/pending").glob("*.json")
    return {item["identifier"] for path in found for item in json.loads(path.read_text())["items"]}


def check_meanwhile(studio: Any) -> None:
    """What must hold at any moment."""
    files, known = visible(studio), rows(studio)
    leaving = intended(studio)
    assert {name: size for name, size in known.items() if files.get(name) != size} == {}, "a row without its file"
    assert set(files) - set(known) <= leaving, "a file that nobody knows of"


def check_afterwards(studio: Any) -> None:
    """What must hold when all is over."""
    assert visible(studio) == rows(studio)
    assert [name for name in studio.stored() if name not in visible(studio)] == []


def recover(studio: Any) -> None:
    """What a session of another process does, some time later."""
    with studio.session.fork() as session:
        session.locations.add(studio.place, accessor=DiskAccessor(studio.disk), structure=StandardStructure())
        session._dialect = type(studio.session._dialect)(studio.backend)
        session.location(studio.place).recover(older_than=0)


def put(studio: Any) -> None:
    """A sequence and a file, two committed components and their three files."""
    studio.session.location(studio.place).add_components(studio.components, "origin")


def prepare(studio: Any) -> None:
    """Two committed components in no location."""
    sequence = studio.session.create_component(studio.frames(2), {"version": studio.version, "name": "a"}, None)
    movie = studio.file("b.mov", b"movie" * 100)
    single = studio.session.create_component(movie, {"version": studio.version, "name": "b"}, None)
    studio.session.commit()
    studio.components = [sequence, single]
    studio.session.location(studio.place)


def take(studio: Any) -> None:
    studio.session.location(studio.place).remove_components(studio.components)


KINDS: dict[str, tuple[Callable[[], BaseException], bool]] = {
    "error": (lambda: StorageError("the disk is full"), False),
    "error after": (lambda: StorageError("the disk is full"), True),
    "killed before": (lambda: Killed(), False),
    "killed after": (lambda: Killed(), True),
    "network": (lambda: TransportError("the line is dead"), False),
    "lost answer": (lambda: TransportError("the line is dead"), True),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("removing", [False, True], ids=["add", "remove"])
def test_every_step_may_fail(new_studio: Any, kind: str, removing: bool) -> None:
    """Adding, or removing, with a fault at each step in turn; then recovery, and once more without a fault."""
    error, late = KINDS[kind]
    whole = new_studio("whole")
    for number in range(BOUND):
        studio = Extended(whole, number)
        prepare(studio)
        if removing:
            put(studio)
        faults = Faults(number, error, late)
        arm(studio, faults)
        try:
            (take if removing else put)(studio)
        except (Killed, CallsheetError):
            assert faults.hit
        check_meanwhile(studio)
        if not faults.hit:
            assert number > 8, "a run has more steps than these"
            check_afterwards(studio)
            return
        faults.hit, faults.left = False, BOUND * 10
        recover(studio)
        check_afterwards(studio)
        there = bool(rows(studio))
        if removing == there:
            (take if removing else put)(studio)
        check_afterwards(studio)
        assert bool(rows(studio)) == (not removing)
    pytest.fail("the faults never ended")


def test_an_error_leaves_nothing_to_recover(new_studio: Any) -> None:
    """A disk that fails once while a file is copied: files, halves and intents are gone when the error comes."""
    whole = new_studio("whole")
    for number in range(6, 14):
        studio = Extended(whole, number)
        prepare(studio)
        arm(studio, Faults(number, lambda: StorageError("the disk is full")))
        with pytest.raises(StorageError, match="the disk is full"):
            put(studio)
        assert studio.stored() == []
        assert rows(studio) == {}


def test_a_refused_registration_takes_the_files_back(new_studio: Any) -> None:
    """The server refuses the rows: nothing is left of the copies, and the component can be added later."""
    studio = Extended(new_studio("refused"))
    prepare(studio)
    arm(studio, Faults(BOUND, lambda: Invalid("no")))
    backend = studio.session._dialect._backend

    def refuse(changes: Any) -> Any:
        raise Invalid("not on a Sunday")

    commit, backend.commit = backend.commit, refuse
    with pytest.raises(Invalid, match="Sunday"):
        put(studio)
    assert studio.stored() == []
    backend.commit = commit
    put(studio)
    check_afterwards(studio)


def test_a_registration_in_doubt_keeps_the_files(new_studio: Any) -> None:
    """The rows are committed and no answer ever comes: the files stay, and recovery finds the rows."""
    studio = Extended(new_studio("doubt"))
    prepare(studio)
    arm(studio, Faults(BOUND, lambda: Invalid("no")))
    backend = studio.session._dialect._backend
    commit = backend.commit

    def lose(changes: Any) -> Any:
        commit(changes)
        raise TransportError("the line is dead")

    backend.commit = lose
    with pytest.raises(RegistrationInDoubt, match="recover"):
        put(studio)
    check_meanwhile(studio)
    backend.commit = commit
    told = studio.session.location(studio.place).recover()
    assert {each.outcome for each in told} == {"kept"}
    check_afterwards(studio)
    assert len(rows(studio)) == 3


def test_a_pending_component_is_placed_with_all_that_is_pending_or_not_at_all(new_studio: Any) -> None:
    """Component and rows are one commit; where it is refused, neither is there, and the component is withdrawn."""
    studio = Extended(new_studio("pending"))
    studio.session.location(studio.place)
    arm(studio, Faults(BOUND, lambda: Invalid("no")))
    backend = studio.session._dialect._backend
    commits: list[int] = []
    commit = backend.commit

    def count(changes: Any) -> Any:
        commits.append(len(changes.operations))
        if len(commits) == 1:
            raise Invalid("not on a Sunday")
        return commit(changes)

    backend.commit = count
    data = {"version": studio.version, "name": "a"}
    with pytest.raises(CallsheetError, match="Sunday"):
        studio.session.create_component(studio.frames(2), data, studio.place)
    assert studio.stored() == []
    assert studio.session.pending == ()
    component = studio.session.create_component(studio.frames(2), data, studio.place)
    # One sequence, two members, and a row for each.
    assert commits == [6, 6]
    assert component.state == "clean"
    check_afterwards(studio)
