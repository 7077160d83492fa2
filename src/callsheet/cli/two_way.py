"""A sync file of two ways is run between the servers that it names, by a plan that is shown first."""

from __future__ import annotations

import os
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from callsheet.cli.asking import CONFLICT, PENDING, REFUSED, Asking
from callsheet.cli.connection import ServerChoice
from callsheet.cli.terminal import Terminal
from callsheet.errors import UsageError

if TYPE_CHECKING:
    from callsheet.session.blocking import Session
    from callsheet.sync.two_way.applying import SideResult
    from callsheet.sync.two_way.sync import TwoWayPlan
    from callsheet.sync.two_way.tables import SideTable

__all__ = ["run_two_way"]

ACCOUNT = ("CALLSHEET_API_USER", "CALLSHEET_API_KEY", "CALLSHEET_PROFILE", "CALLSHEET_WORKSPACE")
"""The variables of the command's own account."""


def run_two_way(
    document: dict[str, Any], file: Path, account: dict[str, Any], ask: Asking, chunk: int | None, whole: bool
) -> int:
    """Plan, show, apply; gives the exit status. ``account`` is that of the left side, if the file names no server."""
    from callsheet.sync.two_way.definition import two_way_definition
    from callsheet.sync.two_way.sync import Sync

    definition = two_way_definition(document, file)
    with ExitStack() as opened:
        left = opened.enter_context(closing(_session(definition.left, "left", account)))
        right = opened.enter_context(closing(_session(definition.right, "right")))
        sync = Sync(*definition.sides(left, right), definition.mapping, name=definition.name)
        return _run(sync.plan(whole=whole), ask, chunk or 100)


def _session(side: SideTable, where: str, account: dict[str, Any] | None = None) -> Session:
    if not side.server and not side.profile:
        if account is None or side.user or side.key:
            raise UsageError(f"{where}.server: an address is needed, in the file, by `environment` or by `profile`")
        return ServerChoice(**account).session()
    from callsheet.config import resolve
    from callsheet.session.blocking import Session
    from callsheet.session.connection import connect

    # The account of another server is never sent to this one.
    known = {name: value for name, value in os.environ.items() if name not in ACCOUNT}
    try:
        settings = resolve(
            side.server or None,
            side.user,
            side.key,
            None,
            known,
            side.dialect or None,
            profile=side.profile or None,
            workspace=side.workspace or None,
        )
    except UsageError as error:
        cure = "" if side.key else f"; in {where}, `key` names a variable ${{NAME}}, or `environment` what begins it"
        raise UsageError(f"{where}: {error}{cure}") from None
    way = connect(
        settings, blocking=True, dialect=side.dialect or None, schema=None, seed=False, headers={}, options={}
    )
    return Session(connection=way)


def _run(plan: TwoWayPlan, ask: Asking, chunk: int) -> int:
    from callsheet.core.meter import meter_for

    terminal = ask.show(plan)
    if not plan.is_empty:
        if not ask.may_apply():
            return PENDING
        meter = meter_for(True, len(plan.left) + len(plan.right), "sync")
        try:
            result = plan.apply(chunk=chunk, progress=meter.display.show if meter.display else None)
        finally:
            meter.close()
        if not ask.as_json:
            counts = f"{_count(result.left)} on the left, {_count(result.right)} on the right"
            terminal.say(f"Done: {counts}, {result.linked:,} linked.")
        for each in result.refused[:20]:
            Terminal(err=True).say(f"{each.outcome.status}: {each.write.label}: {each.outcome.reason}")
        if result.refused:
            return REFUSED
    return REFUSED if plan.refused else CONFLICT if plan.conflicts else 0


def _count(results: tuple[SideResult, ...]) -> str:
    return f"{sum(each.outcome.status == 'done' for each in results):,} written"
