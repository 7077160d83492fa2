"""An edit becomes sequences, shots and tasks; the next edit changes what differs.

Use it in a script::

    import cut_ingest
    report = cut_ingest.ingest(session, "sintel", "edit_v2.otio")
    print(report)                     # 3 made, 5 changed, 1 omitted, 64 as they were
    session.commit()                  # or look at session.pending first

or as a command, where the plugin is on the plugin path::

    callsheet cut-ingest sintel edit_v2.edl --rate 24 --dry-run

``callsheet conform`` is the same with all options; this plugin shows how a studio makes a command of its own of the
application `callsheet.conform`. What is read, and what is refused, is said there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from callsheet.conform.edit import EditOptions
from callsheet.conform.reading import read_edit
from callsheet.conform.report import ConformReport
from callsheet.conform.writing import TASKS, ConformOptions, conform

__all__ = ["cut_ingest", "ingest", "register"]


def ingest(
    session: Any,
    project: str,
    path: str | Path,
    tasks: tuple[str, ...] = TASKS,
    scope: tuple[str, ...] = (),
    options: EditOptions | None = None,
) -> ConformReport:
    """Make a project's shots agree with an edit; nothing is committed.

    The project is made if there is none of this name. New shots get a task of each of the types ``tasks``; with
    ``scope`` only shots of these sequences are written.
    """
    return conform(session, project, read_edit(path, options), ConformOptions(tasks=tasks, scope=scope))


def cut_ingest(
    session: Any,
    project: str,
    path: str,
    rate: float = 0.0,
    scope: str = "",
    number_repeats: bool = False,
    dry_run: bool = False,
) -> str:
    """Make the shots of PROJECT agree with the edit in the file PATH; a dry run only says what would change.

    SCOPE names sequences, separated by commas; RATE is for files that do not say theirs.
    """
    options = EditOptions(rate=rate or None, number_repeats=number_repeats)
    sequences = tuple(filter(None, (each.strip() for each in scope.split(","))))
    report = ingest(session, project, path, scope=sequences, options=options)
    if dry_run:
        session.rollback()
    else:
        session.commit()
    lines = ["  ".join(filter(None, row)) for row in report.rows]
    return "\n".join([*lines, f"{report}{' (nothing was written)' if dry_run else ''}"])


def register(session: Any) -> None:
    """Give the command line the command ``cut-ingest``."""
    session.commands["cut-ingest"] = cut_ingest
