"""``callsheet listen``: run the durable handlers of plugin files, in the foreground."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from attrs import evolve

from callsheet.cli.connection import connected
from callsheet.cli.logs import log_options, set_up
from callsheet.config import log_level

if TYPE_CHECKING:
    from callsheet.listening.state import StateFile
    from callsheet.session.blocking import Session

__all__ = ["command"]


@click.command("listen")
@click.option(
    "--plugins",
    "paths",
    multiple=True,
    required=True,
    type=click.Path(exists=True, path_type=Path),
    help="A folder of plugin files, or a file; may be given again.",
)
@click.option(
    "--workers", default=4, show_default=True, type=click.IntRange(1, 64), help="Events of a handler at once."
)
@click.option(
    "--lease",
    default=30.0,
    show_default=True,
    type=click.FloatRange(1, 3600),
    metavar="SECONDS",
    help="After so long without a sign of life from a worker, its event goes to another.",
)
@click.option("--health", metavar="HOST:PORT", help="Serve /health (JSON) and /metrics (Prometheus) on this machine.")
@click.option(
    "--state",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Keep the queues in this file: for servers that keep none.",
)
@log_options
@connected
def command(
    session: Session,
    paths: tuple[Path, ...],
    workers: int,
    lease: float,
    health: str | None,
    state: Path | None,
    log_file: Path | None,
    log_format: str,
) -> None:
    """Run the handlers in plugin files until you press Ctrl-C.

    Each event is handled at least once; on a Callsheet server its effect happens exactly once. Several listeners may
    run at the same time and share the work. An edited file is used within two seconds. When a handler does not end
    within its timeout, this program restarts itself.
    """
    from callsheet.listening.health import HealthPage, address_of
    from callsheet.listening.restart import Legacy, begin_anew, legacy
    from callsheet.listening.runner import Runner
    from callsheet.listening.shelf import Shelf
    from callsheet.listening.station import Pace
    from callsheet.plugins import environment_paths

    address, before = None if health is None else address_of(health), legacy(os.environ)
    set_up(log_level(), log_format == "json", log_file)
    # The handlers' sessions have what the same files register (types, operators, defaults).
    session.plugging = evolve(session.plugging, paths=[*paths, *environment_paths(os.environ, session._dialect.name)])
    with ExitStack() as stack:
        file = None if state is None else stack.enter_context(_state_in(state))
        # With a state file, events are lost during a restart, which is worse than a thread that hangs.
        anew = file is None
        runner = Runner(session, Shelf(paths), file, Pace(workers), lease, restarts=anew, timeouts=before.timeouts)
        port = None
        if address is not None:
            page = HealthPage(runner, (address[0], before.port or address[1]))
            stack.callback(page.close)
            port = page.port
            click.echo(f"health: http://{address[0]}:{page.port}/health", err=True)
        _stop_on_signals(runner.stop)
        ended = runner.run()
    if runner.hung and not runner.stopping:
        begin_anew(Legacy(runner.hung, port))
    if not ended:
        # The thread of a handler that does not end would keep the process alive; another worker has its event by now.
        click.echo("stopped; handlers that did not end in time were left, their events are handled again", err=True)
        sys.stderr.flush()
        os._exit(0)


def _state_in(path: Path) -> StateFile:
    """Queues in a local file, filled by the session's events."""
    from callsheet.cli.serve import require_extra
    from callsheet.listening.state import StateFile

    require_extra()
    return StateFile(path)


def _stop_on_signals(stop: Any) -> None:
    """Stop in order on SIGTERM and Ctrl-C."""
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda number, frame: stop())
