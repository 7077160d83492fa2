"""``callsheet sync`` runs a file of two ways: both servers from the file, the same plan, the same exit statuses."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import callsheet
from callsheet import Session, SessionSide, Sync, UsageError, serve
from callsheet.cli.commands import callsheet as commands
from callsheet.server.process import Server

MIRROR = """
name = "mirror"
[right]
server = "${MIRROR_DATABASE}"
scope = { Shot = 'project.name is "sintel"' }

[[pair]]
left = "Project"
attributes = ["name"]
adopt = "name"
creates = "none"

[[pair]]
left = "Shot"
attributes = { name = "name", parent = "parent", fstart = { to = "fstart" } }
adopt = ["parent", "name"]
"""


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two databases, the left one with two shots, and a file that keeps them in step."""
    for side in ("left", "right"):
        with Session(f"sqlite:///{tmp_path / side}.db") as session:
            project = session.create("Project", {"name": "sintel"})
            if side == "left":
                for name in ("sh010", "sh020"):
                    session.create("Shot", {"name": name, "parent": project, "fstart": 1001})
            else:
                session.create("Shot", {"name": "other", "parent": session.create("Project", {"name": "spring"})})
            session.commit()
    monkeypatch.setenv("CALLSHEET_SERVER", f"sqlite:///{tmp_path / 'left.db'}")
    monkeypatch.setenv("MIRROR_DATABASE", f"sqlite:///{tmp_path / 'right.db'}")
    (tmp_path / "mirror.toml").write_text(MIRROR)
    return tmp_path


def run(*arguments: Any) -> Any:
    return CliRunner().invoke(commands, ["sync", *map(str, arguments)])


def edit(folder: Path, side: str, name: str, **values: Any) -> None:
    with Session(f"sqlite:///{folder / side}.db") as session:
        shot = session.query(f'Shot where name is "{name}"').one()
        for attribute, value in values.items():
            shot[attribute] = value
        session.commit()


def shots(folder: Path, side: str) -> dict[str, Any]:
    with Session(f"sqlite:///{folder / side}.db") as session:
        return {each["name"]: each["fstart"] for each in session.query("Shot")}


def test_a_dry_run_changes_neither_side(mirror: Path) -> None:
    """Exit status 2 while anything is pending on either side; without a terminal nobody can be asked."""
    shown = run(mirror / "mirror.toml", "--dry-run")
    assert shown.exit_code == 2
    assert "Shot: on the right 2 created, 0 unchanged\n  > + sh010\n  > + sh020" in shown.output
    assert shots(mirror, "right") == {"other": None}
    asked = run(mirror / "mirror.toml")
    assert (asked.exit_code, "--yes applies the plan" in asked.output) == (1, True)


def test_edits_go_both_ways(mirror: Path) -> None:
    """Exit status 0 when done, and 0 when there is nothing to do; what is out of scope stays where it is."""
    done = run(mirror / "mirror.toml", "--yes", "--chunk", 1)
    assert (done.exit_code, "Done: 0 written on the left, 2 written on the right, 1 linked." in done.output) == (
        0,
        True,
    )
    edit(mirror, "left", "sh010", fstart=1005)
    edit(mirror, "right", "sh020", fstart=990)
    assert run(mirror / "mirror.toml", "--yes").exit_code == 0
    assert shots(mirror, "left") == {"sh010": 1005, "sh020": 990}
    assert shots(mirror, "right") == {"sh010": 1005, "sh020": 990, "other": None}
    for more in ((), ("--whole",)):
        again = run(mirror / "mirror.toml", "--yes", *more)
        assert (again.exit_code, "Done" in again.output) == (0, False)


def test_conflicts_and_refusals_are_in_the_exit_status(mirror: Path) -> None:
    """4 where both changed the same, with the rest done; 3 where a row is refused."""
    run(mirror / "mirror.toml", "--yes")
    edit(mirror, "left", "sh010", fstart=1)
    edit(mirror, "right", "sh010", fstart=2)
    edit(mirror, "right", "sh020", fstart=3)
    undecided = run(mirror / "mirror.toml", "--yes")
    assert (undecided.exit_code, "the left has 1, the right 2 (was 1001)" in undecided.output) == (4, True)
    assert shots(mirror, "left") == {"sh010": 1, "sh020": 3}
    with Session(f"sqlite:///{mirror / 'left.db'}") as session:
        sequence = session.create("Sequence", {"name": "sq1", "parent": session.query("Project").one()})
        session.create("Shot", {"name": "sh030", "parent": sequence})
        session.commit()
    refused = run(mirror / "mirror.toml", "--yes")
    assert (refused.exit_code, "which has no partner" in refused.output) == (3, True)


def test_the_plan_of_two_ways_as_json(mirror: Path) -> None:
    """One document with a pair for each type."""
    document = json.loads(run(mirror / "mirror.toml", "--dry-run", "--json").stdout)
    assert [each["left"] for each in document["pairs"]] == ["Project", "Shot"]
    assert [each["label"] for each in document["pairs"][1]["writes"]] == ["sh010", "sh020"]


def test_a_program_uses_the_same_file(mirror: Path) -> None:
    """`Sync.from_file` takes names, scopes and pairs from the file, and sessions from the program."""
    with Session(f"sqlite:///{mirror / 'left.db'}") as left, Session(f"sqlite:///{mirror / 'right.db'}") as right:
        sync = Sync.from_file(mirror / "mirror.toml", left, right)
        assert (sync.name, sync.right.name, sync.right.scope) == (
            "mirror",
            "mirror",
            {"Shot": 'project.name is "sintel"'},
        )
        assert len(sync.plan().right) == 2
        with pytest.raises(UsageError, match=r"mirror\.toml is a sync of two ways"):
            left.plan_file(mirror / "mirror.toml")
        with pytest.raises(UsageError, match=r"right\.scope is for sessions"):
            Sync.from_file(mirror / "mirror.toml", left, SessionSide(right, "own"))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("MIRROR_DATABASE", "NOWHERE", "right.server: there is no environment variable NOWHERE"),
        ('server = "${MIRROR_DATABASE}"', "", "right.server: an address is needed"),
        ('server = "${MIRROR_DATABASE}"', 'environment = "NO"', "there is no environment variable NO_SERVER"),
        ('server = "', 'serve = "', "right: `serve` is unknown; did you mean `server`"),
        ("${MIRROR_DATABASE}", "http://127.0.0.1:1", "right: no API key is given"),
        ('left = "Shot"', 'left = "Project"', "Project of the left is in several pairs"),
        ('fstart = { to = "fstart" }', 'fstart = { from = "x" }', "pair[1].attributes"),
        ('creates = "none"', 'creates = "nobody"', "creates is one of both, left, right, none"),
        ("[[pair]]\nleft", "[[sync]]\nleft", "is unknown"),
        ("[right]", "[wrong]", "`right` is missing"),
        ("[[pair]]", "[[pairs]]", "pair: one table for each type is needed"),
    ],
)
def test_everything_wrong_with_a_file_of_two_ways_is_said(mirror: Path, old: str, new: str, told: str) -> None:
    """With the place of each, and exit status 1."""
    (mirror / "bad.toml").write_text(MIRROR.replace(old, new))
    found = run(mirror / "bad.toml", "--dry-run")
    assert (found.exit_code, told in found.output.replace("\n", " ")) == (1, True), found.output


def test_each_side_has_its_own_account(mirror: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables with a prefix say where and who; the key of the left is never sent to the right."""
    with serve() as server, Session(server.url, "admin", server.admin_key) as session:
        session.create("Project", {"name": "sintel"})
        session.commit()
        text = MIRROR.replace('server = "${MIRROR_DATABASE}"', 'environment = "MIRROR"')
        (mirror / "mirror.toml").write_text(text)
        monkeypatch.setenv("MIRROR_SERVER", server.url)
        monkeypatch.setenv("CALLSHEET_API_KEY", server.admin_key or "")
        monkeypatch.setenv("CALLSHEET_API_USER", "admin")
        told = run(mirror / "mirror.toml", "--yes")
        assert (told.exit_code, "right: no API key is given" in told.output) == (1, True)
        monkeypatch.setenv("MIRROR_API_KEY", server.admin_key or "")
        assert run(mirror / "mirror.toml", "--yes").exit_code == 0
        assert sorted(each["name"] for each in session.query("Shot")) == ["sh010", "sh020"]


def test_both_kinds_of_file_fit_the_schema(mirror: Path) -> None:
    """The schema of sync files says what a file of two ways may have, and that it has nothing of the other kind."""
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(run("schema").output)
    validator = jsonschema.Draft202012Validator(schema)
    assert list(validator.iter_errors(tomllib.loads(MIRROR))) == []
    mixed = MIRROR + '\n[[sync]]\ntype = "Shot"\nrows = "shots.csv"\nkey = "name"\n'
    assert list(validator.iter_errors(tomllib.loads(mixed))) != []
    (mirror / "mixed.toml").write_text(mixed)
    with Session("memory:") as session, pytest.raises(callsheet.UsageError, match="`pair` is unknown"):
        session.plan_file(mirror / "mixed.toml")


def test_sides_are_named_by_profile_and_by_workspace(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A login that is kept, and a workspace of the same server: each side has its own account and its own database."""
    password = "a password for tests"
    with Session(server.url, "admin", "a key for tests") as session:
        session.call("users.add", name="mia", role="admin")
        session.call("users.password", name="mia", password=password)
        key = session.call("workspaces.add", name="copy", schema="production")["key"]
    for name in ("SERVER", "API_KEY", "API_USER", "PROFILE", "WORKSPACE"):
        monkeypatch.delenv(f"CALLSHEET_{name}", raising=False)
    monkeypatch.setenv("CALLSHEET_PROFILES", str(tmp_path / "profiles"))
    arguments = ["login", server.url, "--user", "mia", "--password-stdin", "--profile", "studio"]
    done = CliRunner().invoke(commands, arguments, input=f"{password}\n")
    assert done.exit_code == 0, done.output
    monkeypatch.setenv("COPY_KEY", key)
    (tmp_path / "copy.toml").write_text(
        'name = "copy"\n[left]\nprofile = "studio"\n'
        f'[right]\nserver = "{server.url}"\nworkspace = "copy"\nuser = "admin"\nkey = "${{COPY_KEY}}"\n'
        '[[pair]]\nleft = "Project"\nattributes = ["name"]\nadopt = "name"\n'
    )
    assert "Project: on the right 1 created" in run(tmp_path / "copy.toml", "--dry-run").output
    assert run(tmp_path / "copy.toml", "--yes").exit_code == 0
    assert run(tmp_path / "copy.toml", "--dry-run").exit_code == 0
    with Session(server.url, "admin", key, workspace="copy") as session:
        assert [each["name"] for each in session.query("Project")] == ["sintel"]
        session.query("Project").one()["name"] = "spring"
        session.commit()
    assert "Project: on the left 1 changed" in run(tmp_path / "copy.toml", "--dry-run").output
    (tmp_path / "copy.toml").write_text((tmp_path / "copy.toml").read_text().replace('"studio"', '"stduio"'))
    refused = run(tmp_path / "copy.toml", "--dry-run")
    assert refused.exit_code == 1
    assert "left: there is no profile `stduio`" in refused.output
    with Session(server.url, "admin", "a key for tests") as session:
        session.call("workspaces.drop", name="copy", data="delete")
