"""``callsheet clone``: a project of a server copied to a database, for tests and work without the server."""

from __future__ import annotations

import json
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.progress import Progress

from callsheet.cli.connection import ServerChoice, account_options
from callsheet.cli.schema import schema_document
from callsheet.cli.serve import require_extra
from callsheet.cli.terminal import Terminal
from callsheet.errors import UsageError

if TYPE_CHECKING:
    from callsheet.batch.cloning import Copied
    from callsheet.session.blocking import Session

__all__ = ["command"]


@click.command("clone", short_help="Copy a project of a server to a database of your own.")
@click.argument("server", metavar="[SERVER]", required=False)
@account_options
@click.option("--project", required=True, help="The name of the project, or its key.")
@click.option("--database", required=True, metavar="URL", help="sqlite:///FILE or postgresql+psycopg://…; the copy.")
def command(
    project: str,
    database: str,
    **choice: str | None,
) -> None:
    """Copy a PROJECT of SERVER, or of your profile's server, and all it refers to, to a database of your own.

    Statuses, workflows, people and configurations are copied too; the bytes of files are not. Run it again after an
    interruption: it continues, and does not change what the copy already has.
    """
    require_extra()
    from callsheet.batch.cloning import clone

    terminal = Terminal()
    with (
        ServerChoice(**choice).session() as source,
        _copy(source, database) as target,
        Progress(console=terminal.console, transient=True) as bars,
    ):
        rows: dict[str, Any] = {}

        def progress(family: str, done: int, total: int) -> None:
            if family not in rows:
                rows[family] = bars.add_task(family, total=total)
            bars.update(rows[family], completed=done)

        copied = clone(source, target, project, progress)
    _report(terminal, copied, database)


@contextmanager
def _copy(source: Session, database: str) -> Iterator[Session]:
    """A session on the copy, with the source's dialect, so that no value is translated."""
    from callsheet.server.process import serve
    from callsheet.server.service import Service
    from callsheet.session.blocking import Session

    key = secrets.token_urlsafe(32)
    with tempfile.TemporaryDirectory(prefix="callsheet-") as folder:
        schema = Path(folder) / "schema.json"
        schema.write_text(json.dumps(schema_document(source), ensure_ascii=False), encoding="utf-8")
        Service.open(database, schema, essentials=False, administrator=False).close()
        with serve(schema, database, admin_key=key) as server:
            # The dialect `local` is for a database in this process.
            dialect = "native" if source._dialect.name == "local" else source._dialect.name
            with Session(server.url, "admin", key, dialect=dialect, workspace="default", schema_cache=False) as target:
                yield target


def _report(terminal: Terminal, copied: Copied, database: str) -> None:
    made, there = sum(copied.made.values()), sum(copied.there.values())
    terminal.say(f"{made:,} entities are copied; {there:,} were there already.")
    if copied.empty:
        terminal.say(f"{copied.empty:,} references stay empty: what they name is deleted, or hidden from you.")
    for (family, key), reason in list(copied.refused.items())[:20]:
        terminal.say(f"not copied: {family} {key}: {reason}")
    if len(copied.refused) > 20:
        terminal.say(f"… and {len(copied.refused) - 20:,} more.")
    terminal.say("Serve it, with a key of your choice for the account admin:", style="dim")
    terminal.say(f"  CALLSHEET_ADMIN_KEY=… callsheet serve --database {database}")
    if copied.refused and not made and not there:
        raise UsageError("nothing was copied")
