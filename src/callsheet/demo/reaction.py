"""The demo's second act: a handler reacts to what the others do, is killed in the middle, and misses nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import define
from rich.console import Console

from callsheet.private import opener

if TYPE_CHECKING:
    from callsheet.server.process import Server
    from callsheet.session.blocking import Session

__all__ = ["ListenerProcess", "await_handler", "listener", "tell_reaction"]

NAME = "estimate"
PATIENCE = 60.0


@define
class ListenerProcess:
    """`callsheet listen` in a process of its own, with the plugin of the demo; its log is beside the plugin."""

    environment: dict[str, str]
    folder: Path
    process: subprocess.Popen[bytes] | None = None
    killed: int = 0

    def start(self) -> None:
        command = [sys.executable, "-c", "from callsheet.cli import main; main()", "listen"]
        command += ["--plugins", str(self.folder / "estimate.py"), "--lease", "2"]
        with open(self.folder / "listen.log", "ab", opener=opener) as log:
            self.process = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)

    def kill(self) -> None:
        """End it as a power cut would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.killed += 1

    def close(self) -> None:
        """Ask it to stop, and see that it does."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()


@contextmanager
def listener(server: Server, folder: Path) -> Iterator[ListenerProcess]:
    """A listener on the server, running already; it ends with the block."""
    plugin = resources.files("callsheet.demo") / "data" / "estimate.py"
    (folder / "estimate.py").write_text(plugin.read_text(encoding="utf-8"), encoding="utf-8")
    account = {"CALLSHEET_SERVER": server.url, "CALLSHEET_API_USER": "admin"}
    made = ListenerProcess({**os.environ, **account, "CALLSHEET_API_KEY": server.admin_key or ""}, folder)
    made.start()
    try:
        yield made
    finally:
        made.close()


def await_handler(session: Session, idle: bool = False) -> dict[str, Any]:
    """What the server says of the handler, once it is known, or (``idle``) has nothing left to do."""
    until = time.monotonic() + PATIENCE
    while True:
        found = next((each for each in session.call("handlers.status") if each["handler"] == NAME), None)
        if found is not None and not (idle and (found["behind"] or found["ready"] or found["leased"])):
            return dict(found)
        if time.monotonic() > until:
            raise TimeoutError("the handler did not come to an end; its log may say why")
        time.sleep(0.05)


def tell_reaction(console: Console, session: Session, running: ListenerProcess, project: str) -> None:
    """What the handler did meanwhile: one effect for each event, though it was killed."""
    console.rule("4 · Somebody reacts")
    text = "A handler ran beside all this: [bold]a task's bid follows the length of its shot[/bold]."
    if running.killed:
        text += " It was killed when the cut changed, without a warning, and started again."
    console.print(text)
    with console.status("waiting for it to be through …"):
        await_handler(session, idle=True)
    tasks = session.query("select bid from Task").where(f'project.name is "{project}"')
    hours = sum(task["bid"] or 0.0 for task in tasks) / 3600.0
    commits = [each for each in session.commits(limit=None) if each.origin == f"handler:{NAME}"]
    shots = {change.identity.key for each in commits for change in each.changes}
    console.print(
        f"[green]✓[/green] {len(commits)} commits of the handler, {len(shots)} tasks have a bid: {hours:,.0f} hours of "
        "work. Each event was handled once: its effect and its checkpoint are one commit."
    )
