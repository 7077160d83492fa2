"""Listeners are killed, their server is killed, their line is cut: every event is handled, no effect is there twice.

Numbered entities are created; the handler under test makes one piece for each, in the commit that settles the
event. Listeners are `callsheet listen` as users run it, in processes that were forked with everything imported. Two
controls show that the proof would see what it looks for: a checkpoint before its effect loses, and an effect that
is not fenced by its checkpoint doubles.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import Any

from attrs import define, field

from callsheet.listening import attempt as attempts
from callsheet.listening import station
from callsheet.server.process import Server, serve
from callsheet.session.blocking import Session

from .ledger import DOCUMENT
from .outcome import Outcome, Scale
from .proxy import FaultProxy
from .workplace import temporary_folder

PLUGIN = """
import os
import callsheet

@callsheet.handler(
    "topic=callsheet.update and entity.type=Register and changes.name", name="pieces", retries=1000, delay=0.05
)
def pieces(event, session):
    number = int(event.changes["name"]["new"])
    os.write({output}, b"%d\\n" % number)
    session.create("Piece", {{"work": number, "place": 0}})
"""
Address = tuple[str, str, str]


@define
class Run:
    """What one run came to."""

    made: int = 0
    faults: int = 0
    in_flight: int = 0
    lost: int = 0
    doubled: int = 0
    problems: list[str] = field(factory=list)


def prove_kill(scale: Scale, seed: int) -> Outcome:
    """15 kills while 1,000 events flow; deep 300 and 10,000, then 60 and 2,000 with two and with four listeners."""
    outcome = Outcome("listener killed", "")
    shapes = scale.choose(
        [(6, 300, 1), (4, 150, 2)],
        [(15, 1_000, 1), (8, 300, 2)],
        [(300, 10_000, 1), (60, 2_000, 2), (60, 2_000, 4)],
    )
    runs = [_killed(kills, events, listeners, seed) for kills, events, listeners in shapes]
    _note(outcome, runs)
    if sum(run.in_flight for run in runs) < outcome.faults // 5:
        outcome.problems.append("hardly any kill came while an event was in flight")
    lost = _killed(12, 300, 1, seed, careless(early=True)).lost
    doubled = _killed(12, 300, 1, seed, careless(early=False)).doubled
    outcome.control = "checkpoint first loses, effect without fence doubles"
    outcome.caught = lost + doubled if lost and doubled else 0
    return outcome


def prove_server(scale: Scale, seed: int) -> Outcome:
    """The server is killed under two listeners: 3 times and 300 events; deep 30 and 3,000."""
    outcome = Outcome("server killed under listeners", "")
    kills, events = scale.choose((2, 150), (3, 300), (30, 3_000))
    _note(outcome, [_server_killed(kills, events, seed)])
    outcome.control = "effect without fence doubles"
    outcome.caught = _killed(12, 300, 1, seed, careless(early=False)).doubled
    return outcome


def prove_cut(scale: Scale, seed: int) -> Outcome:
    """One in ten exchanges of two listeners breaks: 400 events; deep 5,000."""
    outcome = Outcome("line of listeners cut", "")
    _note(outcome, [_cut(scale.choose(150, 400, 5_000), seed)])
    outcome.control = "effect without fence doubles"
    outcome.caught = _cut(300, seed, control=True).doubled
    return outcome


def _note(outcome: Outcome, runs: list[Run]) -> None:
    outcome.faults = sum(run.faults for run in runs)
    outcome.lost, outcome.doubled = sum(run.lost for run in runs), sum(run.doubled for run in runs)
    outcome.problems += [problem for run in runs for problem in run.problems]
    outcome.size = f"{outcome.faults:,} faults, {sum(run.made for run in runs):,} events"


# -- the runs ------------------------------------------------------------------------------------------------


def _killed(
    kills: int, events: int, listeners: int, seed: int, control: Callable[..., Any] | None = None, url: str = ""
) -> Run:
    run, random = Run(), Random(seed)
    with ExitStack() as stack:
        folder = stack.enter_context(temporary_folder())
        server = stack.enter_context(serve(DOCUMENT, url or f"sqlite:///{folder}/ledger.db"))
        address = (server.url, "admin", server.admin_key or "")
        session = stack.enter_context(Session(*address, schema_cache=folder))
        group = stack.enter_context(Listeners(folder, address, listeners, control))
        group.until_known(session)
        for number in range(kills):
            make(run, session, events * (number + 1) // kills)
            group.hear(random.choice((1, 2, 3, 5, 8, 13)), random.uniform(0, 0.02))
            run.in_flight += _leased(session) > 0
            group.kill(random.randrange(listeners))
            run.faults += 1
        _finish(run, session, control is not None)
    return run


def _server_killed(kills: int, events: int, seed: int) -> Run:
    run, random = Run(), Random(seed)
    with ExitStack() as stack:
        folder = stack.enter_context(temporary_folder())
        url = f"sqlite:///{folder}/ledger.db"
        server = serve(DOCUMENT, url)
        port, key = server._port, server.admin_key or ""
        address = (server.url, "admin", key)
        session = stack.enter_context(Session(*address, schema_cache=folder))
        group = stack.enter_context(Listeners(folder, address, 2))
        group.until_known(session)
        for number in range(kills):
            make(run, session, events * (number + 1) // kills)
            group.hear(random.choice((1, 5, 13, 34)), random.uniform(0, 0.05))
            run.in_flight += _leased(session) > 0
            server = _again(server, url, port)
            run.faults += 1
        stack.callback(server.close)
        _finish(run, session)
    return run


def _again(server: Server, url: str, port: int) -> Server:
    """Kill the server and start it again at the same address."""
    os.kill(server.process_id, signal.SIGKILL)
    server.close()
    time.sleep(0.3)
    return serve(DOCUMENT, url, port=port)


def _cut(events: int, seed: int, control: bool = False) -> Run:
    run = Run()
    with ExitStack() as stack:
        folder = stack.enter_context(temporary_folder())
        server = stack.enter_context(serve(DOCUMENT, f"sqlite:///{folder}/ledger.db"))
        key = server.admin_key or ""
        session = stack.enter_context(Session(server.url, "admin", key, schema_cache=folder))
        proxy = stack.enter_context(FaultProxy(server._port, seed, rate=0.1, paths=b"/v1/c"))
        address = (proxy.url, "admin", key)
        careless_one = careless(False, address) if control else None
        group = stack.enter_context(Listeners(folder, address, 2, careless_one))
        group.until_known(session)
        for part in range(1, 11):
            make(run, session, events * part // 10)
            time.sleep(0.05)
        _finish(run, session, control)
        run.faults = proxy.injected
    return run


def make(run: Run, session: Session, until: int) -> None:
    """Create what there are events of, in commits of ten."""
    for start in range(run.made, until, 10):
        for number in range(start, min(start + 10, until)):
            session.create("Register", {"name": str(number)})
        _commit(session)
    run.made = until


def _commit(session: Session) -> None:
    for _ in range(60):
        try:
            session.commit()
            return
        except Exception:
            time.sleep(0.2)
    session.commit()


def _leased(session: Session) -> int:
    return sum(each["leased"] for each in session.call("handlers.status"))


def settled(run: Run, session: Session) -> dict[str, Any]:
    """Wait until everything is handled; gives how the handler does."""
    end = time.monotonic() + max(60.0, run.made / 10)
    while True:
        told: dict[str, Any]
        (told,) = session.call("handlers.status")
        if told["behind"] == told["ready"] == told["leased"] == 0:
            return told
        if time.monotonic() > end:
            run.problems.append(f"not everything was handled: {told}")
            return told
        time.sleep(0.1)


def _finish(run: Run, session: Session, control: bool = False) -> None:
    """Wait until everything is handled, and count."""
    told = settled(run, session)
    time.sleep(0.2 if control else 0)
    with session.fork() as fork:
        pieces = Counter(piece["work"] for piece in fork.query("select work from Piece").all())
    run.lost = len(set(range(run.made)) - set(pieces))
    run.doubled = sum(count > 1 for count in pieces.values())
    if strays := set(pieces) - set(range(run.made)):
        run.problems.append(f"pieces of nothing: {sorted(strays)[:5]}")
    if told["dead"]:
        run.problems.append(f"{told['dead']} dead letters")


# -- listeners -----------------------------------------------------------------------------------------------


class Listeners:
    """Some processes that listen. What they begin to handle can be heard."""

    def __init__(
        self,
        folder: Path,
        address: Address,
        count: int,
        control: Callable[..., Any] | None = None,
        plugin: str = PLUGIN,
    ) -> None:
        self._folder, self._address, self._control = folder, address, control
        self._children: list[int] = []
        self._count = count
        self._output, self._told = os.pipe()
        os.set_inheritable(self._told, True)
        self._plugins = folder / "plugins"
        self._plugins.mkdir()
        (self._plugins / "pieces.py").write_text(plugin.format(output=self._told))

    def __enter__(self) -> Listeners:
        self._children = [self._start() for _ in range(self._count)]
        return self

    def __exit__(self, *_: object) -> None:
        for child in self._children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        os.close(self._output)
        os.close(self._told)

    def until_known(self, session: Session) -> None:
        """Wait until the handler has its place in the log."""
        end = time.monotonic() + 60
        while not session.call("handlers.status") and time.monotonic() < end:
            time.sleep(0.02)

    def hear(self, events: int, then: float) -> None:
        """Wait until so many more were begun, however fast this machine is, and then for a moment."""
        while select.select([self._output], [], [], 0)[0]:
            os.read(self._output, 65_536)
        heard = 0
        while heard < events and select.select([self._output], [], [], 10)[0]:
            heard += os.read(self._output, 64).count(b"\n")
        time.sleep(then)

    def kill(self, number: int) -> None:
        """Kill one and start another in its place."""
        os.kill(self._children[number], signal.SIGKILL)
        os.waitpid(self._children[number], 0)
        self._children[number] = self._start()

    def _start(self) -> int:
        child = os.fork()
        if child == 0:
            self._listen()
        return child

    def _listen(self) -> None:
        """The life of a listener; it does not return."""
        try:
            os.dup2(os.open(self._folder / "listeners.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
            if self._control is not None:
                station.attempt = self._control  # type: ignore[assignment]
            server, user, key = self._address
            os.environ |= {"CALLSHEET_SCHEMA_CACHE": str(self._folder), "CALLSHEET_LOG_LEVEL": "WARNING"}
            from callsheet.cli.listen import command

            where = ["--server", server, "--user", user, "--key", key]
            command([*where, "--plugins", str(self._plugins), "--lease", "1"], standalone_mode=False)
        except BaseException as error:
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
        finally:
            os._exit(0)


def careless(early: bool, alone: Address | None = None) -> Callable[..., attempts.Outcome]:
    """The negative controls: effect and checkpoint are two things, one after the other.

    ``alone`` has each attempt talk to a server by itself, and say everything once.
    """

    def attempt(handler: Any, claimed: Any, session: Any, queue: Any, stopping: Any) -> attempts.Outcome:
        fork = session.fork() if alone is None else Session(*alone, retries=0, plugin_paths=False)
        try:
            handler.function(claimed.event, fork)
            first, second = (queue.settle, fork.commit) if early else (fork.commit, queue.settle)
            _call(first, claimed)
            time.sleep(0.01)
            _call(second, claimed)
            return attempts.Outcome("handled")
        except Exception as error:
            try:
                queue.fail(claimed, str(error), "", 0.05)
            except Exception:
                pass
            return attempts.Outcome("failed", error=str(error))
        finally:
            fork.close()

    return attempt


def _call(step: Callable[..., Any], claimed: Any) -> None:
    step() if step.__name__ == "commit" else step(claimed)
