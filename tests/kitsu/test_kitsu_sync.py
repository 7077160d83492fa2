"""A project is kept in step with a real Kitsu server, both ways, whatever is killed in between."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from kitsu_sync.account import KitsuAccount
from kitsu_sync.side import KitsuSide

import kitsu
from callsheet import Session
from callsheet.errors import NoResult, UsageError
from callsheet.sync.side import SideChange, SideReference

pytestmark = pytest.mark.proof

KINDS = ("Layout", "Animation", "Lighting")


class Show:
    """One project on both servers: ``session`` on ours, ``side`` on Kitsu's."""

    def __init__(self, url: str, name: str, side: KitsuSide) -> None:
        self.url, self.name, self.side = url, name, side

    def session(self) -> Session:
        return Session(self.url)

    def sync(self, **options: Any) -> Any:
        """One run; what it planned and what came of it."""
        with self.session() as session:
            plan = kitsu.kitsu_sync(session, self.name, self.side, kitsu.kitsu_pairs(**options)).plan()
            return plan, plan.apply()

    def ours(self) -> dict[str, Any]:
        """Shots with their values and tasks, by path, as our server has them."""
        with self.session() as session:
            shots = session.query(
                f'select name, parent.name, fstart, frame_count from Shot where project.name is "{self.name}"'
            )
            found = {f"{s['parent']['name']}/{s['name']}": [s["fstart"], s["frame_count"]] for s in shots}
            tasks = session.query(
                "select type.name, status.name, parent.name, parent.parent.name from Task "
                f'where project.name is "{self.name}"'
            )
            for task in tasks:
                path = f"{task['parent']['parent']['name']}/{task['parent']['name']}/{task['type']['name']}"
                assert path not in found, f"{path} is doubled"
                found[path] = task["status"]["name"]
            return found

    def theirs(self) -> dict[str, Any]:
        """The same, as Kitsu has them, in our words."""
        read = self.side
        sequences = {r.id: r.values["name"] for r in read.run(read.read("Sequence", ["name"]))}
        found: dict[str, Any] = {}
        paths = {}
        for row in read.run(read.read("Shot", ["name", "parent", "frame_in", "nb_frames"])):
            path = paths[row.id] = f"{sequences[row.values['parent'].id]}/{row.values['name']}"
            assert path not in found, f"{path} is doubled"
            found[path] = [row.values["frame_in"], row.values["nb_frames"]]
        names = {theirs: ours for ours, theirs in kitsu.STATUSES.items()}
        for row in read.run(read.read("Task", ["entity", "type", "status"])):
            path = f"{paths[row.values['entity'].id]}/{row.values['type']}"
            found[path] = names.get(row.values["status"], row.values["status"])
        return found

    def fill(self, shots: int, types: Sequence[str] = KINDS) -> None:
        """A sequence with so many shots, each with a task of each type."""
        with self.session() as session:
            project = session.query("Project").where(session.types["Project"].name == self.name).one()
            sequence = session.ensure("Sequence", {"name": "sq01", "parent": project}, ["name", "parent"])
            kinds = {each["name"]: each for each in session.query("Type")}
            begun = session.query('Status where name is "Not started"').one()
            for number in range(shots):
                values = {"name": f"sh{number:04}", "parent": sequence, "fstart": 1001, "frame_count": number}
                shot = session.create("Shot", values)
                for kind in types:
                    session.create("Task", {"name": kind, "parent": shot, "type": kinds[kind], "status": begun})
            session.commit()

    def shot(self, session: Session, name: str) -> Any:
        """A shot of ours."""
        return session.query("Shot").where(session.types["Shot"].name == name).one()

    def their_shot(self, name: str) -> str:
        """The id of a shot of theirs."""
        rows = self.side.run(self.side.read("Shot", ["name"]))
        return next(row.id for row in rows if row.values["name"] == name)

    def put_if_there(self, name: str, **columns: Any) -> None:
        """The same, if Kitsu has the shot by now."""
        if any(row.values["name"] == name for row in self.side.run(self.side.read("Shot", ["name"]))):
            self.put(name, **columns)

    def put(self, shot: str, /, **columns: Any) -> None:
        """Somebody changes a shot in Kitsu."""
        self.side.run(self.side.account.put(f"/data/entities/{self.their_shot(shot)}", columns))


@pytest.fixture
def show(kitsu_server: Mapping[str, str], account: KitsuAccount, tmp_path: Path) -> Iterator[Show]:
    """A project of the same name on both servers."""
    name = f"show{uuid4().hex[:8]}"
    side = KitsuSide(kitsu_server["KITSU_API"], account, "")
    side.run(account.post("/data/projects", {"name": name}))
    side.close()
    url = f"sqlite:///{tmp_path / 'show.db'}"
    with Session(url, seed=True) as session:
        session.create("Project", {"name": name})
        session.commit()
    found = KitsuSide.named(kitsu_server["KITSU_API"], account, name)
    yield Show(url, name, found)
    found.close()


class TestBothSidesAreEqual:
    def test_there_and_back(self, show: Show, account: KitsuAccount) -> None:
        """Shots and tasks go there, what is made there comes back, and then there is nothing to do."""
        show.fill(5)
        show.sync()
        sequence = next(row.id for row in show.side.run(show.side.read("Sequence", ["name"])))
        new = SideChange(
            "create",
            "Shot",
            None,
            {"name": "sh0100", "parent": SideReference("Sequence", sequence)},
            token=str(uuid4()),
        )
        show.side.run(show.side.write([new], ""))
        show.sync()
        assert show.ours() == show.theirs()
        assert len(show.ours()) == 5 * 4 + 1
        before = account.requests
        plan, _ = show.sync()
        assert plan.is_empty
        assert account.requests - before <= 20

    def test_edits_and_renames_of_both_sides_meet(self, show: Show) -> None:
        """Different values of one shot merge; a rename stays a rename; nothing is doubled."""
        show.fill(3)
        show.sync()
        with show.session() as session:
            show.shot(session, "sh0000")["fstart"] = 990
            show.shot(session, "sh0001")["name"] = "sh0001_new"
            session.commit()
        show.put("sh0000", nb_frames=77)
        show.put("sh0002", name="sh0002_new")
        show.sync()
        ours = show.ours()
        assert ours == show.theirs()
        assert ours["sq01/sh0000"] == [990, 77]
        assert {"sq01/sh0001_new", "sq01/sh0002_new"} <= set(ours)
        assert len(ours) == 3 * 4

    def test_what_both_changed_stays_until_somebody_decides(self, show: Show) -> None:
        """A conflict is shown in every plan and overwrites neither; a policy decides, and says whose edit went."""
        show.fill(1)
        show.sync()
        with show.session() as session:
            show.shot(session, "sh0000")["frame_count"] = 50
            session.commit()
        show.put("sh0000", nb_frames=60)
        for _ in range(2):
            plan, _ = show.sync()
            (conflict,) = plan.conflicts
            assert (conflict.attribute, conflict.left_value, conflict.right_value) == ("frame_count", 50, 60)
        assert (show.ours()["sq01/sh0000"], show.theirs()["sq01/sh0000"]) == ([1001, 50], [1001, 60])
        plan, _ = show.sync(conflicts="right")
        assert [each.kept for each in plan.overridden] == ["right"]
        assert show.ours() == show.theirs()
        assert show.ours()["sq01/sh0000"] == [1001, 60]

    def test_what_is_gone_on_one_side_goes_on_the_other_if_it_may(self, show: Show) -> None:
        """By default its partner stays; with a policy it goes, whether it was deleted or cancelled in Kitsu."""
        show.fill(12)
        show.sync()
        show.put("sh0003", canceled=True)
        show.sync()
        assert "sq01/sh0003" in show.ours()
        show.sync(delete="delete")
        assert "sq01/sh0003" not in show.ours()
        assert show.ours() == show.theirs()

    def test_rows_made_by_hand_on_both_sides_are_paired(self, show: Show) -> None:
        """They are adopted by their path, the pairs are shown first, and a look-alike is another shot."""
        show.fill(1)
        sequence = SideChange("create", "Sequence", None, {"name": "sq01"}, token=str(uuid4()))
        parent = SideReference("Sequence", sequence.token)
        shots = [
            SideChange("create", "Shot", None, {"name": name, "parent": parent}, token=str(uuid4()))
            for name in ("sh0000", "shX000")
        ]
        show.side.run(show.side.write([sequence, *shots], ""))
        plan, _ = show.sync(conflicts="left")
        assert [each.label for each in plan.linked if each.label.startswith("s")][1:] == ["sq01", "sh0000"]
        assert show.ours() == show.theirs()
        assert {"sq01/sh0000", "sq01/shX000"} <= set(show.ours())


@pytest.mark.deep
@pytest.mark.timeout(1200)
def test_a_whole_show_goes_there_and_back(
    show: Show, account: KitsuAccount, capsys: pytest.CaptureFixture[str]
) -> None:
    """500 shots with 3,000 tasks are written, an unchanged run costs a handful of requests, and so does one edit."""
    show.fill(500, ("Layout", "Animation", "Lighting", "Compositing", "FX", "Rendering"))
    figures = []
    for what in ("all", "nothing", "one edit"):
        if what == "one edit":
            show.put("sh0007", nb_frames=4321)
        before, began = account.requests, time.monotonic()
        _, result = show.sync()
        assert result.refused == ()
        figures.append((what, account.requests - before, round(time.monotonic() - began, 1)))
    assert show.ours() == show.theirs()
    assert len(show.ours()) == 3_500
    assert figures[1][1] <= 40
    assert figures[2][1] <= 40
    with capsys.disabled():
        print(figures)


class TestKilled:
    def test_a_sync_that_is_killed_is_finished_by_the_next(self, show: Show, kitsu_server: Mapping[str, str]) -> None:
        """At random moments, on both sides' work: no row is lost or doubled, and both sides are equal at the end."""
        show.fill(12)
        chance = random.Random(7)
        for turn in range(2):
            process = run_in_background(show, kitsu_server)
            time.sleep(chance.uniform(1.0, 4.0))
            process.send_signal(signal.SIGKILL)
            process.wait()
            show.put_if_there(f"sh{turn:04}", nb_frames=100 + turn)
        for _ in range(2):
            plan, _ = show.sync()
        ours, theirs = show.ours(), show.theirs()
        # An edit in Kitsu that came before the killed run had noted the base is a conflict: it is shown, and stays.
        open_paths = {f"sq01/{each.label}" for each in plan.conflicts}
        assert {path for path in ours if ours[path] != theirs[path]} == open_paths
        for _ in range(2):
            plan, _ = show.sync(conflicts="right")
        assert plan.is_empty
        assert show.ours() == show.theirs() == theirs
        assert len(theirs) == 12 * 4

    def test_a_server_process_that_dies_loses_and_doubles_nothing(
        self, show: Show, kitsu_server: Mapping[str, str]
    ) -> None:
        """Kitsu's worker is killed while rows are written; the runs after it finish the work."""
        show.fill(8)
        process = run_in_background(show, kitsu_server)
        time.sleep(2.5)
        kill_worker(kitsu_server)
        process.wait(120)
        for _ in range(4):
            plan, _ = show.sync()
            if plan.is_empty:
                break
        assert show.ours() == show.theirs()
        assert len(show.ours()) == 8 * 4

    def test_its_redis_that_dies_loses_and_doubles_nothing(
        self, show: Show, kitsu_server: Mapping[str, str], kitsu_redis: Any
    ) -> None:
        """Kitsu keeps its log-ins there and sends its events by it: killed while rows are written, and empty later."""
        show.fill(8)
        process = run_in_background(show, kitsu_server)
        time.sleep(2.5)
        kitsu_redis.kill()
        time.sleep(1.5)
        kitsu_redis.start()
        process.wait(120)
        for _ in range(4):
            plan, _ = show.sync()
            if plan.is_empty:
                break
        assert plan.is_empty
        assert show.ours() == show.theirs()
        assert len(show.ours()) == 8 * 4


@pytest.mark.deep
@pytest.mark.timeout(3_600)
def test_a_whole_show_survives_kills_edits_and_deletes(
    show: Show, kitsu_server: Mapping[str, str], kitsu_redis: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """500 shots and 3,000 tasks, the sync, Kitsu's worker and its Redis killed at random; then edits of both sides."""
    show.fill(500, ("Layout", "Animation", "Lighting", "Compositing", "FX", "Rendering"))
    chance, killed = random.Random(11), []
    for what in ("sync", "worker", "redis", *chance.choices(("sync", "worker", "redis"), k=3)):
        process = run_in_background(show, kitsu_server)
        time.sleep(chance.uniform(3.0, 15.0))
        if what == "sync":
            process.send_signal(signal.SIGKILL)
        elif what == "worker":
            kill_worker(kitsu_server)
        else:
            kitsu_redis.kill()
            time.sleep(2)
            kitsu_redis.start()
        if process.poll() is None:
            killed.append(what)
        process.wait(900)
    until_nothing_is_left(show)
    assert show.ours() == show.theirs()
    assert len(show.ours()) == 3_500
    expected = edited(show, chance)
    until_nothing_is_left(show, delete="delete")
    assert show.ours() == show.theirs() == expected
    with capsys.disabled():
        print("killed under way:", killed)


def until_nothing_is_left(show: Show, **options: Any) -> None:
    """Run until a plan is empty; what the server refused while it was down goes in later."""
    for _ in range(6):
        plan, _ = show.sync(**options)
        if plan.is_empty:
            return
    raise AssertionError(f"after six runs there is something left to do:\n{plan}")


def edited(show: Show, chance: random.Random) -> dict[str, Any]:
    """Change and delete shots on both sides, never the same on both; what there has to be afterwards."""
    expected = show.ours()
    shots = sorted(path for path in expected if path.count("/") == 1)
    chosen = chance.sample(shots, 100)
    mine, theirs, gone, taken = (chosen[place::4] for place in range(4))
    with show.session() as session:
        own = {each["name"]: each for each in session.query("Shot")}
        for number, path in enumerate(mine):
            own[path.partition("/")[2]]["fstart"] = expected[path][0] = 2_000 + number
        for path in gone:
            session.delete(own[path.partition("/")[2]])
        session.commit()
    ids = {row.values["name"]: row.id for row in show.side.run(show.side.read("Shot", ["name"]))}
    for number, path in enumerate(theirs):
        expected[path][1] = 5_000 + number
        columns = {"nb_frames": 5_000 + number}
        show.side.run(show.side.account.put(f"/data/entities/{ids[path.partition('/')[2]]}", columns))
    for path in taken:
        show.side.run(show.side.account.delete(f"/data/shots/{ids[path.partition('/')[2]]}"))
    lost = {*gone, *taken}
    return {path: each for path, each in expected.items() if "/".join(path.split("/")[:2]) not in lost}


class TestTheCommand:
    def test_a_project_is_found_by_its_exact_name(self, show: Show, kitsu_server: Mapping[str, str]) -> None:
        """Kitsu itself would take other capitals, or a wildcard, for the same."""
        with pytest.raises(NoResult, match="has no project"):
            KitsuSide.named(kitsu_server["KITSU_API"], show.side.account, show.name.upper())

    def test_the_plan_is_shown_and_then_applied(
        self, show: Show, kitsu_server: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Without ``--apply`` nothing is written; with it, the counts are said."""
        for name, value in kitsu_server.items():
            monkeypatch.setenv(name, value)
        show.fill(1)
        with show.session() as session:
            assert "> + sh0000" in kitsu.kitsu(session, show.name)
            assert show.theirs() == {}
            assert "0 changes here, 5 in Kitsu, 0 refused" in kitsu.kitsu(session, show.name, apply=True)
        assert show.ours() == show.theirs()

    def test_an_address_is_needed(self, show: Show, monkeypatch: pytest.MonkeyPatch) -> None:
        """The error says how to give it."""
        monkeypatch.delenv("KITSU_API", raising=False)
        with show.session() as session, pytest.raises(UsageError, match="--url https"):
            kitsu.kitsu(session, show.name)


def run_in_background(show: Show, kitsu_server: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """The command in a process of its own."""
    plugins = str(Path(kitsu.__file__).parent)
    code = (
        f"import sys; sys.path.insert(0, {plugins!r}); import kitsu; from callsheet import Session\n"
        f"with Session({show.url!r}) as session: print(kitsu.kitsu(session, {show.name!r}, apply=True))"
    )
    quiet = subprocess.DEVNULL
    return subprocess.Popen(
        [sys.executable, "-c", code], env={**os.environ, **kitsu_server}, stdout=quiet, stderr=quiet
    )


def kill_worker(kitsu_server: Mapping[str, str]) -> None:
    """Kill the process that answers requests; its master starts another one."""
    port = kitsu_server["KITSU_API"].rpartition(":")[2]
    found = subprocess.run(["pgrep", "-f", f"gunicorn --bind 127.0.0.1:{port} "], capture_output=True, text=True)
    numbers = {int(each) for each in found.stdout.split()}
    parents = {n: int(Path(f"/proc/{n}/stat").read_text().rsplit(")", 1)[1].split()[1]) for n in numbers}
    for number in numbers:
        if parents[number] in numbers and number not in parents.values():
            os.kill(number, signal.SIGKILL)
