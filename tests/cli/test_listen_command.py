"""``callsheet listen`` runs handlers until a signal, and ``callsheet events`` sees to what they could not do."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from click.testing import Result

import callsheet
from callsheet.model.event import event_from_plain
from callsheet.model.values import unpack
from callsheet.server.process import Server

Invoke = Callable[..., Result]
MAIN = "from callsheet.cli import main; main()"


@pytest.fixture
def desk(server: Server) -> Iterator[callsheet.Session]:
    with callsheet.Session(server.url, "admin", "a key for tests") as session:
        yield session


def until(condition: Callable[[], Any]) -> Any:
    end = time.monotonic() + 60
    while not (found := condition()):
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.02)
    return found


@contextmanager
def listening(server: Server, folder: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """``callsheet listen`` on a folder of plugins; what it writes is in the folder's ``log``."""
    environment = {
        **os.environ,
        "CALLSHEET_SERVER": server.url,
        "CALLSHEET_API_USER": "admin",
        "CALLSHEET_API_KEY": "a key for tests",
    }
    arguments = ["listen", "--plugins", str(folder), *options]
    with (folder / "log").open("wb") as output:
        listener = subprocess.Popen([sys.executable, "-c", MAIN, *arguments], env=environment, stderr=output)
        try:
            yield listener
        finally:
            listener.kill()
            listener.wait()


@pytest.fixture
def dead(desk: callsheet.Session) -> Iterator[tuple[str, str]]:
    """A handler with one dead letter: its name, and the event's id."""
    with dead_letter(desk, "ValueError: no such luck") as made:
        yield made


@contextmanager
def dead_letter(desk: callsheet.Session, error: str) -> Iterator[tuple[str, str]]:
    name = f"handler-{uuid4().hex[:8]}"
    claim = {"handler": name, "expression": "topic=callsheet.update and entity.type=Tag", "worker": "w"}
    desk.call("handlers.claim", **claim)
    desk.create("Tag", {"name": name})
    desk.commit()
    (claimed,) = desk.call("handlers.claim", **claim)
    event = event_from_plain(claimed["event"])
    assert event.position is not None
    desk.call(
        "handlers.fail",
        handler=name,
        position=event.position.commit,
        index=event.position.index,
        lease=claimed["lease"],
        error=error,
        traceback="Traceback (most recent call last): …",
    )
    yield name, event.id
    desk.call("handlers.remove", handler=name)


def test_dead_letters_are_listed(invoke: Invoke, dead: tuple[str, str]) -> None:
    """With the handler, the entity and the error."""
    listed = invoke("events", "list", "--handler", dead[0])
    assert listed.exit_code == 0
    assert "ValueError: no such luck" in listed.output
    assert dead[0] in listed.output


def test_a_list_fits_a_window_of_80_columns(invoke: Invoke, desk: callsheet.Session) -> None:
    """However long the error; ids are whole, since they are what the other commands want."""
    with dead_letter(desk, error="ValueError: " + "it was not to be done " * 10) as (name, event):
        for columns in ("80", "160"):
            lines = invoke("events", "list", "--handler", name, columns=columns).output.splitlines()
            assert event in lines
            assert max(map(len, lines)) <= 80
            assert f"  {name}: dead, attempt 1" in lines
            assert " ".join(line.strip() for line in lines).count("it was not to be done") == 10


def test_nothing_to_replay_is_a_mistake(invoke: Invoke) -> None:
    """It is not that all is well."""
    result = invoke("events", "replay")
    assert result.exit_code == 1
    assert "name the events to replay" in result.output


def test_an_event_is_shown_with_its_traceback(invoke: Invoke, dead: tuple[str, str]) -> None:
    """And all that it says."""
    shown = invoke("events", "show", dead[1])
    assert shown.exit_code == 0
    assert f"{dead[0]}: dead, attempt 1, 1 failure" in shown.output
    assert '"topic": "callsheet.update"' in shown.output
    assert "Traceback (most recent call last): …" in shown.output


def test_events_are_written_for_tests_to_replay(invoke: Invoke, dead: tuple[str, str]) -> None:
    """One a line, times included."""
    (line,) = invoke("events", "list", "--handler", dead[0], "--json").output.splitlines()
    event = event_from_plain(unpack(json.loads(line)))
    assert event.id == dead[1]
    assert event.data["time"].tzinfo is not None


def test_a_dead_letter_is_given_back(invoke: Invoke, desk: callsheet.Session, dead: tuple[str, str]) -> None:
    """To its handler, as if it were new; one event, or all of them."""
    assert invoke("events", "replay", dead[1]).output == "1 given back\n"
    (found,) = desk.call("handlers.deliveries", handler=dead[0])
    assert (found["state"], found["failures"]) == ("ready", 0)
    assert invoke("events", "replay", "--all", "--handler", dead[0]).output == "0 given back\n"
    assert "goes with --handler NAME" in invoke("events", "replay", "--all").output


def test_an_event_is_dropped(invoke: Invoke, desk: callsheet.Session, dead: tuple[str, str]) -> None:
    """For good."""
    assert invoke("events", "skip", dead[1]).output == "1 dropped\n"
    assert desk.call("handlers.deliveries", handler=dead[0]) == []
    missing = invoke("events", "skip", dead[1])
    assert missing.exit_code == 1
    assert f"no handler has the event {dead[1]}" in missing.output


def test_what_is_not_done_is_explained(invoke: Invoke, desk: callsheet.Session, dead: tuple[str, str]) -> None:
    """An event that is being handled is not dropped; one that is no dead letter is not given back."""
    name, event = dead
    assert invoke("events", "replay", event).output == "1 given back\n"
    again = invoke("events", "replay", event).output
    assert again.startswith(f"{event}: not done, since it is no dead letter: {name} will try it (again) at ")
    assert again.endswith("0 given back\n")
    desk.call("handlers.claim", handler=name, expression="topic=callsheet.update and entity.type=Tag", worker="w")
    skipped = invoke("events", "skip", event)
    assert skipped.output == (
        f"{event}: not done, since {name} is handling it now; try again when that is over, or end its listener first\n"
        "0 dropped\n"
    )


def test_a_handler_is_forgotten(invoke: Invoke, desk: callsheet.Session) -> None:
    """With its dead letters; one that is not there is named."""
    name = f"handler-{uuid4().hex[:8]}"
    desk.call("handlers.claim", handler=name, expression="topic=callsheet.update", worker="w")
    assert invoke("events", "remove", name).output == f"{name} is forgotten\n"
    assert all(each["handler"] != name for each in desk.call("handlers.status"))
    assert f"there is no handler `{name}`" in invoke("events", "remove", name).output


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_it_listens_until_a_signal(server: Server, desk: callsheet.Session, tmp_path: Path) -> None:
    """What it handles is logged as JSON; SIGTERM ends it in order."""
    name = f"listen-{uuid4().hex[:8]}"
    (tmp_path / "plugin.py").write_text(
        dedent(
            f"""
            import callsheet

            @callsheet.handler("topic=callsheet.update and entity.type=Tag and action=create", name="{name}")
            def run(event, session):
                tag = session.get("Tag", event.entity["id"])
                if tag["name"] == "{name}":
                    tag["name"] = "heard {name}"
            """
        )
    )
    with listening(server, tmp_path, "--log-format", "json", "--health", "127.0.0.1:0") as listener:
        until(lambda: name in [each["handler"] for each in desk.call("handlers.status")])
        tag = desk.create("Tag", {"name": name})
        desk.commit()

        def heard() -> bool:
            desk.refresh(tag)
            return bool(tag["name"] == f"heard {name}")

        until(heard)
        listener.send_signal(signal.SIGTERM)
        assert listener.wait(60) == 0
    lines = (tmp_path / "log").read_text().splitlines()
    told = [json.loads(line) for line in lines if line.startswith("{")]
    assert [each["outcome"] for each in told if each.get("event_id")] == ["handled"]
    desk.call("handlers.remove", handler=name)


def health(folder: Path) -> Any:
    """What the health page of a listener says; None while there is none."""
    shown = re.findall(r"http://\S+/health", (folder / "log").read_text())
    try:
        with urllib.request.urlopen(shown[-1]) as page:
            return json.load(page)
    except (IndexError, OSError):
        return None


STUCK = """
import callsheet

@callsheet.handler(
    "topic=callsheet.update and entity.type=Tag and action=create", name="{name}", retries=1, delay=0.01, timeout=0.5
)
def run(event, session):
    while session.get("Tag", event.entity["id"])["name"].endswith("{name}"):
        pass
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_handler_that_never_ends_becomes_a_dead_letter(
    server: Server, desk: callsheet.Session, invoke: Invoke, tmp_path: Path
) -> None:
    """The listener begins anew, in the same process; health says what is stuck; the mended code gets the event."""
    name = f"stuck-{uuid4().hex[:8]}"
    plugin = tmp_path / "plugin.py"
    plugin.write_text(STUCK.format(name=name))

    with listening(server, tmp_path, "--health", "127.0.0.1:0") as listener:
        until(lambda: name in [each["handler"] for each in desk.call("handlers.status")])
        desk.create("Tag", {"name": name})
        desk.commit()
        (dead,) = until(lambda: desk.call("handlers.deliveries", handler=name, state="dead"))
        assert dead["error"] == "Timeout: the handler did not end within its 0.5 s"
        assert 'while session.get("Tag"' in dead["traceback"]
        # Twice given up, and twice begun anew.
        told = until(
            lambda: (found := health(tmp_path)) and found["handlers"] and found["worker"] != dead["worker"] and found
        )
        assert told["status"] == "degraded"
        assert told["problems"][f"handler {name}"].startswith("stuck: ")
        assert [(each["stuck"], each["timeouts"]) for each in told["handlers"]] == [(1, 2)]
        assert listener.poll() is None
        plugin.write_text(STUCK.format(name=name).replace("while", "if"))
        until(lambda: (found := health(tmp_path)) and found["handlers"] and not found["handlers"][0]["stuck"])
        assert invoke("events", "replay", dead["event"]["id"]).output == "1 given back\n"
        until(lambda: (found := health(tmp_path)) and found["handlers"][0]["handled"])
        assert health(tmp_path)["status"] == "ok"
    shown = set(re.findall(r"http://\S+/health", (tmp_path / "log").read_text()))
    assert len(shown) == 1
    desk.call("handlers.remove", handler=name)


def test_with_a_state_file_it_does_not_start_anew(server: Server, desk: callsheet.Session, tmp_path: Path) -> None:
    """It would miss what happens meanwhile; the attempt has failed all the same, and mended code gets the event."""
    name = f"stuck-{uuid4().hex[:8]}"
    plugin = tmp_path / "plugin.py"
    text = STUCK.format(name=name).replace("retries=1", "retries=50")
    plugin.write_text(text)

    def told(**facts: int) -> bool:
        found = health(tmp_path)
        (handler,) = (found and found["handlers"]) or ({},)
        return all(handler.get(fact) == value for fact, value in facts.items()) and bool(handler)

    def given_up() -> bool:
        # What happens before the listener hears the server is not for it.
        if told(timeouts=0, busy=0):
            desk.create("Tag", {"name": f"{uuid4()} {name}"})
            desk.commit()
        return told(stuck=1)

    with listening(server, tmp_path, "--health", "127.0.0.1:0", "--state", str(tmp_path / "state.db")):
        until(given_up)
        plugin.write_text(text.replace("while", "if"))
        until(lambda: health(tmp_path)["handlers"][0]["handled"])
    log = (tmp_path / "log").read_text()
    assert "Timeout: the handler did not end within its 0.5 s" in log
    assert "and restarts" not in log


def test_a_missing_folder_is_named(invoke: Invoke, tmp_path: Path) -> None:
    """Before anything is run."""
    assert "does not exist" in invoke("listen", "--plugins", str(tmp_path / "missing")).output


def test_schedules_are_listed_with_the_next_time_they_are_due(
    server: Server, desk: callsheet.Session, invoke: Invoke
) -> None:
    """Beside the handlers; a tick in the dead letters is shown and given back like an event."""
    told = {"schedule": "nightly", "expression": "0 2 1 1 *", "zone": "Europe/Stockholm", "worker": "w"}
    desk.call("handlers.claim_ticks", **told)
    year = datetime.now(UTC).astimezone(ZoneInfo("Europe/Stockholm")).year + 1
    listed = invoke("events", "list").output
    assert "schedule" in listed
    assert f"{year}-01-01 02:00 CET" in listed
    assert "No dead letters." in listed
    invoke("events", "remove", "nightly")
    assert "nightly" not in invoke("events", "list").output


def test_a_schedule_that_this_machine_cannot_read_is_listed_too(
    server: Server, desk: callsheet.Session, invoke: Invoke
) -> None:
    """Of another client's expression, or a zone that is not on this machine, the rest is shown."""
    told = {"schedule": "odd", "expression": "H 2 * * *", "zone": "Mars/Olympus", "worker": "w"}
    desk.call("handlers.claim_ticks", **told)
    listed = invoke("events", "list")
    assert (listed.exit_code, "in Mars/Olympus; this machine cannot read when" in listed.output) == (0, True)
    desk.call("handlers.remove", handler="odd")
