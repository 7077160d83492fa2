"""``callsheet log``: the commits of the server, newest first."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click
import msgspec

from callsheet.cli.connection import connected
from callsheet.cli.moments import read_moment
from callsheet.cli.terminal import Terminal, data_stream
from callsheet.display import cut
from callsheet.model.history import Commit

if TYPE_CHECKING:
    from callsheet.session.blocking import Session

__all__ = ["command"]

_DONE = {"create": "created", "update": "changed", "delete": "deleted"}


@click.command("log", short_help="List the commits of the server, newest first.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="At most so many commits.")
@click.option("--since", help="Only since then: 2026-01-31, 2026-01-31T18:30, or how long ago: 30m, 12h, 2d, 1w.")
@click.option("--by", help="Only commits of this account.")
@click.option("--type", "entity_type", help="Only commits that changed entities of this type.")
@click.option("--origin", help="Only commits whose origin begins so: sync/ for those of syncs.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@connected
def command(session: Session, limit: int, since: str | None, as_json: bool, **wanted: Any) -> None:
    """List the commits of the server, newest first: who, when, how many entities, and from where."""
    from callsheet.core.past.newest import newest_commits

    moment = None if since is None else read_moment(since, datetime.now().astimezone())
    session.open()
    found = session.run(newest_commits(session, limit, wanted["by"], moment, wanted["origin"], wanted["entity_type"]))
    if as_json:
        with data_stream() as stream:
            for commit in found:
                stream.write(msgspec.json.encode(_plain(commit)).decode() + "\n")
        return
    terminal = Terminal()
    if not found:
        terminal.say("No commits.")
        return
    columns = ("commit", "time", "by", "done", "types", "origin")
    terminal.table(columns, map(_line, found), whole=("commit", "time"), short=True)


def _line(commit: Commit) -> list[str]:
    kinds, types = _counts(commit)
    done = ", ".join(f"{kinds[kind]:,} {word}" for kind, word in _DONE.items() if kinds[kind])
    names = ", ".join(name if count == 1 else f"{name} ({count:,})" for name, count in types.most_common())
    when = f"{commit.time.astimezone():%Y-%m-%d %H:%M}"
    return [str(commit.position), when, commit.user, done, cut(names, 200), commit.origin]


def _plain(commit: Commit) -> dict[str, Any]:
    kinds, types = _counts(commit)
    return {
        "position": commit.position,
        "commit_id": commit.commit_id,
        "time": commit.time,
        "user": commit.user,
        "origin": commit.origin,
        **{word: kinds[kind] for kind, word in _DONE.items()},
        "types": dict(sorted(types.items())),
    }


def _counts(commit: Commit) -> tuple[Counter[str], Counter[str]]:
    kinds: Counter[str] = Counter(change.kind for change in commit.changes)
    return kinds, Counter(change.identity.entity_type for change in commit.changes)
