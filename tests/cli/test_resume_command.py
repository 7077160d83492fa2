"""``callsheet resume`` finishes what a journal holds, and says what became of each commit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from click.testing import Result

from callsheet.model.operation import ChangeSet, Create
from callsheet.model.record import Identity, new_key
from callsheet.server.process import Server
from callsheet.transport.journal import Journal

Invoke = Callable[..., Result]


def _journal(path: Path, server: Server, *names: str) -> list[str]:
    """A journal as a session leaves it that died before the answers came."""
    journal = Journal(path, server.url, "admin")
    ids = [new_key() for _ in names]
    for commit_id, name in zip(ids, names):
        journal.write(ChangeSet(commit_id, (Create(Identity("Tag", new_key()), {"name": name}),)))
    journal.close()
    return ids


def test_it_finishes_commits_once(invoke: Invoke, server: Server, tmp_path: Path) -> None:
    """A second run finds nothing to do."""
    (commit_id,) = _journal(tmp_path / "j", server, "resumed once")
    first = invoke("resume", str(tmp_path / "j"))
    assert (first.exit_code, f"{commit_id}  1 operation  finished now" in first.output) == (0, True)
    assert "Nothing is unfinished" in invoke("resume", str(tmp_path / "j")).output
    assert "resumed once" in invoke("query", "Tag", "--format", "csv").output


def test_it_says_that_a_commit_had_finished(invoke: Invoke, server: Server, tmp_path: Path) -> None:
    """When the server had done it before the client died."""
    _journal(tmp_path / "j", server, "done before")
    copy = (tmp_path / "j").read_bytes()
    invoke("resume", str(tmp_path / "j"))
    (tmp_path / "again").write_bytes(copy)
    assert "had finished" in invoke("resume", str(tmp_path / "again")).output


def test_refused_commits_stay_until_they_are_dropped(invoke: Invoke, server: Server, tmp_path: Path) -> None:
    """With the reason; an unfinished one cannot be dropped."""
    first, second = _journal(tmp_path / "j", server, "twice", "twice")
    assert "not finished" in invoke("resume", str(tmp_path / "j"), "--drop", second).output
    result = invoke("resume", str(tmp_path / "j"))
    assert (result.exit_code, "must be unique" in result.output, "1 commits were refused" in result.output) == (
        1,
        True,
        True,
    )
    assert "refused" in invoke("resume", str(tmp_path / "j"), "--list").output
    assert invoke("resume", str(tmp_path / "j"), "--drop", second).exit_code == 0
    assert first not in invoke("resume", str(tmp_path / "j"), "--list").output


def test_a_commit_is_ended_by_looking_it_up_or_by_decision(invoke: Invoke, server: Server, tmp_path: Path) -> None:
    """Neither sends it; what was not done or is given up stays in the journal, marked, until it is dropped."""
    first, second = _journal(tmp_path / "j", server, "never sent", "given up")
    looked = invoke("resume", str(tmp_path / "j"), "--settle", first)
    assert (looked.exit_code, "not done" in looked.output) == (0, True)
    decided = invoke("resume", str(tmp_path / "j"), "--abandon", second, "--reason", "poison")
    assert (decided.exit_code, "abandoned (poison): outcome unknown" in decided.output) == (0, True)
    assert [entry.refusal for entry in Journal(tmp_path / "j").entries()] == [
        "looked up: not done",
        "abandoned (poison): outcome unknown",
    ]
    assert "Nothing is unfinished" in invoke("resume", str(tmp_path / "j")).output
    assert "never sent" not in invoke("query", "Tag", "--format", "csv").output
    assert "no unfinished commit" in invoke("resume", str(tmp_path / "j"), "--settle", first).output
