"""The story of the demo: a cut is imported, changes, is reacted to and read back, explained as it happens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from callsheet.conform.edit import Edit
from callsheet.conform.show import Show, load_show
from callsheet.conform.writing import TASKS, write_edit
from callsheet.core.operation_table import counts_table, operations_table
from callsheet.demo.cut import project_name, revised
from callsheet.demo.reaction import await_handler, listener, tell_reaction
from callsheet.demo.reading import Reading, read_project
from callsheet.model.operation import Operation
from callsheet.model.record import Identity

if TYPE_CHECKING:
    from callsheet.server.process import Server
    from callsheet.session.blocking import Session

__all__ = ["introduce", "play"]

FIRST = 6


def play(console: Console, cut: Edit, database: Path) -> str:
    """The whole story on one database; gives the administrator's key."""
    from callsheet.server.process import serve

    with console.status("starting a server …"):
        server: Server = serve(schema="production", database=f"sqlite:///{database.as_posix()}", seed=True)
    with server:
        console.print(f"A server of its own runs at [bold]{server.url}[/bold], process {server.process_id}.")
        with connect(server) as session, listener(server, database.parent) as running:
            await_handler(session)
            show = import_cut(console, session, cut)
            running.kill()
            change_cut(console, session, show, revised(cut))
            running.start()
            tell_reaction(console, session, running, project_name(cut))
        with connect(server) as session:
            read_back(console, session, project_name(cut))
        return server.admin_key or ""


def connect(server: Server) -> Session:
    """A session as any client would open it, over HTTP."""
    from callsheet.session.blocking import Session

    return Session(server.url, api_user="admin", api_key=server.admin_key, workspace="default")


def introduce(console: Console, cut: Edit) -> None:
    frames = sum(clip.duration for clip in cut.clips)
    seconds = sum(clip.duration / clip.rate for clip in cut.clips)
    console.rule("1 · The cut")
    console.print(
        f"[bold]{escape(cut.name)}[/bold]: {len(cut.clips)} clips, {frames:,} frames, "
        f"{seconds // 60:.0f} min {seconds % 60:.0f} s at {cut.clips[0].rate:g} frames per second."
    )
    if cut.credit:
        console.print(f"Source: {escape(cut.credit)}", style="dim")


def import_cut(console: Console, session: Session, cut: Edit) -> Show:
    """Project, sequences, shots and tasks: recorded one by one, sent as one batch."""
    console.rule("2 · Everything you do is written down")
    show = load_show(session, project_name(cut), TASKS)
    with _progress(console, "recording", len(cut.clips)) as step:
        write_edit(session, show, cut, step=step)
    recorded, pending = list(session.recorded_operations), session.pending
    console.print(operations_table(f"The first {FIRST} operations", recorded[:FIRST], _names(session, show)))
    console.print(counts_table("Recorded, and after compression", recorded, pending))
    commit(console, session)
    return show


def change_cut(console: Console, session: Session, show: Show, cut: Edit) -> None:
    """The new cut is written over the old in full; only what differs is pending."""
    console.rule("3 · The cut changes")
    console.print("One shot gets longer, one is dropped, one is new. The script sets every value of every shot again:")
    write_edit(session, show, cut)
    console.print(operations_table("What is pending is what differs", session.pending, _names(session, show)))
    commit(console, session)


def commit(console: Console, session: Session) -> None:
    """Send what is pending, and print what that took."""
    pending = len(session.pending)
    before = session.statistics.requests, session.statistics.bytes_sent
    with console.status("committing …"):
        result = session.commit()
    requests = session.statistics.requests - before[0]
    sent = session.statistics.bytes_sent - before[1]
    position = result.position if result is not None else "-"
    console.print(
        f"[green]✓[/green] {pending:,} operations, [bold]{requests} request{'s' if requests != 1 else ''}[/bold], "
        f"{sent:,} bytes: all or nothing, commit number {position} in the server's log."
    )


def read_back(console: Console, session: Session, name: str) -> Reading:
    """A second session that knows nothing reads everything, value by value."""
    console.rule("5 · Another session reads it back, lazily")
    session.open()
    before = session.statistics.requests
    total = session.query(f'Shot where project.name is "{name}"').count()
    counting = session.statistics.requests - before
    with _progress(console, "reading", total) as step:
        read = read_project(session, name, step)
    requests = session.statistics.requests - before - counting
    table = Table(title=f"{read.values:,} values were read", title_justify="left")
    table.add_column("way")
    table.add_column("requests", justify="right")
    table.add_row("lazily: a missing value is fetched for all its peers", f"[bold]{requests:,}[/bold]")
    table.add_row("one by one: each entity and each collection on its own", f"{read.one_by_one:,} or more")
    console.print(table)
    return read


@contextmanager
def _progress(console: Console, text: str, total: int) -> Iterator[Any]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("shots"))
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(text, total=total)
        yield lambda: progress.advance(task)


def _names(session: Session, show: Show) -> Any:
    """Names for identities, from what this session knows."""
    known = [show.project, *show.statuses, *show.types.values(), *show.sequences, *show.shots]
    by_identity: dict[Identity, str] = {entity.identity: entity["name"] for entity in known}
    operations: list[Operation] = [*session.recorded_operations]
    for operation in operations:
        name = getattr(operation, "values", {}).get("name")
        if name is not None:
            by_identity.setdefault(operation.identity, name)
    return lambda identity: by_identity.get(identity, f"…{str(identity.key)[-8:]}")
