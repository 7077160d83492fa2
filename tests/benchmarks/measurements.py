"""What is measured: each function asks the clients for its figures and gives lines of the table."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence

from attrs import frozen

from .instructions import instructions
from .processes import ROOT, Client, environment, stub_counts
from .table import Line, at_least, at_most, exponent, fact

__all__ = ["MEASUREMENTS", "Run"]


@frozen
class Run:
    """The clients of a run, the stub they talk to, and how much of everything is done."""

    url: str
    ours: Client
    floor: Client
    peer: Client
    quick: bool

    @property
    def size(self) -> int:
        """The number of entities at which clients are compared."""
        return 1_000 if self.quick else 10_000

    @property
    def sizes(self) -> tuple[int, ...]:
        return (1_000, 4_000) if self.quick else (1_000, 10_000, 100_000)

    def rounds(self, client: Client, size: int) -> int:
        """The peer needs seconds where the others need milliseconds."""
        if client is self.peer:
            return 1 if size > 2_000 else 2
        return 3 if size > 20_000 else 7

    def least(self, job: str, size: int, *clients: Client, **arguments: object) -> list[float]:
        """The least CPU seconds of each client, in interleaved rounds."""
        found: dict[str, float] = {}
        for turn in range(7):
            for client in clients:
                if turn < self.rounds(client, size):
                    cost = float(client.do(job, **arguments)["cpu"])
                    found[client.name] = min(cost, found.get(client.name, cost))
        return [found[client.name] for client in clients]


def query(run: Run) -> list[Line]:
    """Decode rate against the peer and the floor."""
    lines = []
    ours, floor = {}, {}
    for size in run.sizes:
        ours[size], floor[size] = run.least("query", size, run.ours, run.floor, count=size)
        detail = f" (floor {floor[size] / size * 1e6:.2f})"
        lines.append(fact(f"query of {size:,}, CPU µs per entity", f"{ours[size] / size * 1e6:.2f}{detail}"))
    size = run.size
    (peer,) = run.least("query", size, run.peer, count=size)
    lines.append(fact(f"the peer's query of {size:,}, CPU µs per entity", f"{peer / size * 1e6:.0f}"))
    lines.append(at_least(f"query of {size:,}: times faster than the peer", peer / ours[size], 60))
    lines.append(at_most(f"query of {size:,}: times the floor", ours[size] / floor[size], 2.5))
    lines.append(at_most("query: exponent of CPU time", exponent(ours), 1.1))
    return lines


def instruction_counts(run: Run) -> list[Line]:
    """Instructions, where callgrind is installed."""
    ours, floor = instructions("ours", run.url), instructions("floor", run.url)
    if ours is None or floor is None:
        return [fact("instructions per entity", "not measured: valgrind is not installed")]
    detail = f" (floor {floor:,.0f}; peer 3,263,000 as known)"
    return [at_most("instructions per entity of the query", ours, 60_000, detail=detail)]


def memory(run: Run) -> list[Line]:
    """What an entity holds, and what remains of those that were let go."""
    count = 1_000 if run.quick else 5_000
    ours, floor, peer = (client.do("memory", count=count) for client in (run.ours, run.floor, run.peer))
    dropped, theirs = (client.do("dropped", count=15_000)["megabytes"] for client in (run.ours, run.peer))
    known = f" (floor {floor['bytes']:,.0f}, peer {peer['bytes']:,.0f})"
    tracked = f" (floor {floor['tracked']:.2f}, peer {peer['tracked']:.1f})"
    return [
        at_most("traced bytes per entity", ours["bytes"], 1_400, detail=known),
        at_most("collector-tracked objects per entity", ours["tracked"], 3, detail=tracked),
        at_most("growth by 15,000 rows read and dropped", dropped, 3, " MB", f" (peer {theirs:.0f} MB)"),
    ]


def commits(run: Run) -> list[Line]:
    """One change and its commit, with more and more entities in memory."""
    sizes = (100, 1_000, 4_000) if run.quick else (100, 1_000, 10_000, 100_000)
    ours = {}
    for size in sizes:
        (ours[size],) = run.least("commit_one", size, run.ours, cached=size)
    size = run.size
    (peer,) = run.least("commit_one", size, run.peer, cached=size)
    shown = ", ".join(f"{cost * 1e3:.2f}" for cost in ours.values())
    return [
        fact(f"commit of one change with {', '.join(f'{size:,}' for size in sizes)} in memory, CPU ms", shown),
        at_most("commit of one change: exponent", exponent(ours), 0.1),
        at_least(f"commit of one change, {size:,} in memory: times faster than the peer", peer / ours[size], 1_000),
    ]


def writing(run: Run) -> list[Line]:
    """Many creates, many updates, and what they send in either order."""
    lines = []
    for job, title in (("create", "create + 3 sets each + commit"), ("update", "update of 3 each + commit")):
        ours = {}
        for size in run.sizes:
            (ours[size],) = run.least(job, size, run.ours, count=size)
        size = run.size
        (peer,) = run.least(job, size, run.peer, count=size)
        detail = f" ({peer * 1e3:,.0f} / {ours[size] * 1e3:,.0f} ms)"
        lines.append(at_least(f"{size:,}: {title}: times faster than the peer", peer / ours[size], 30, detail=detail))
        lines.append(at_most(f"{title}: exponent of CPU time", exponent(ours), 1.25))
        lines += _either_order(run, job, title)
    return lines


def _either_order(run: Run, job: str, title: str) -> list[Line]:
    counts = []
    for by_attribute in (False, True):
        stub_counts(run.url)
        run.ours.do(job, count=1_000, by_attribute=by_attribute)
        counts.append(stub_counts(run.url))
    sent = [count["actions"] for count in counts]
    # The keys of creates are new each time, and so is the commit's; they are all of one length.
    alike = sent[0] == sent[1] and counts[0]["bytes"] == counts[1]["bytes"]
    value = f"{sent[0]:,} / {sent[1]:,} actions, {counts[0]['bytes']:,} / {counts[1]['bytes']:,} bytes"
    return [Line(f"1,000: {title}, by entity / by attribute", value, "the same", alike)]


def attributes(run: Run) -> list[Line]:
    """Reading and writing one attribute."""
    ours: dict[str, float] = {}
    peer: dict[str, float] = {}
    for _ in range(3):
        for found, client in ((ours, run.ours), (peer, run.peer)):
            for name, cost in client.do("attributes").items():
                found[name] = min(cost, found.get(name, cost))
    lines = []
    for name, title, budget in (
        ("get", "attribute get", 12),
        ("get item", "item get", 8),
        ("set item", "recorded item set", 6),
        ("set first", "recorded item set, the first of its entity", None),
    ):
        detail = f" ({peer[name]:,.0f} / {ours[name]:,.0f} ns)"
        ratio = peer[name] / ours[name]
        if budget is None:
            lines.append(fact(f"{title}: times faster than the peer", f"{ratio:.1f}{detail}"))
        else:
            lines.append(at_least(f"{title}: times faster than the peer", ratio, budget, detail=detail))
    return lines


def loading(run: Run) -> list[Line]:
    """Attributes that were not asked for, and loading in bulk."""
    found = {}
    for client in (run.ours, run.peer):
        requests = []
        for job in ("query", "touch"):
            stub_counts(run.url)
            client.do(job, count=1_000)
            requests.append(stub_counts(run.url)["requests"])
        found[client.name] = requests[1] - requests[0]
    lines = [at_most("requests for 1,000 touches", found["ours"], 3, detail=f" (peer {found['peer']:,})")]
    sent = {}
    for client in (run.ours, run.peer):
        stub_counts(run.url)
        client.do("populate", count=8_000)
        sent[client.name] = stub_counts(run.url)["bytes"] / 1e6
    detail = f" (peer {sent['peer']:.2f} MB)"
    return [*lines, at_most("populate 8,000 keys, sent", sent["ours"], 0.35, " MB", detail)]


def starting(run: Run) -> list[Line]:
    """Import and the opening of a session."""
    package, session = (_import(code) for code in ("import callsheet", "from callsheet import Session"))
    ours, peer = run.least("open", 0, run.ours, run.peer)
    return [
        at_most("`import callsheet`, CPU", package[0] * 1e3, 60, " ms"),
        at_most("`import callsheet`, modules", package[1], 130),
        fact("`from callsheet import Session`", f"{session[0] * 1e3:.0f} ms CPU, {session[1]} modules"),
        at_most("session, schema of 100 types cached, CPU", ours * 1e3, 5, " ms", f" (peer {peer * 1e3:.1f} ms)"),
    ]


def _import(code: str) -> tuple[float, int]:
    """The least CPU seconds of several processes, and how many modules came."""
    script = (
        "import sys, time; before = set(sys.modules); start = time.process_time()\n"
        f"{code}\nprint(time.process_time() - start, len(set(sys.modules) - before))"
    )
    found = []
    for _ in range(7):
        done = subprocess.run(
            [sys.executable, "-c", script], cwd=ROOT, env=environment(), capture_output=True, text=True, check=True
        )
        seconds, modules = done.stdout.split()
        found.append((float(seconds), int(modules)))
    return min(found)


def threads(run: Run) -> list[Line]:
    """Eight threads, five milliseconds to the server and back."""
    lines = []
    for kind in ("create", "update"):
        arrived = {}
        for client in (run.ours, run.peer):
            stub_counts(run.url, 5.0)
            told = client.do("threads", kind=kind)
            arrived[client.name] = (stub_counts(run.url), told["errors"])
        ours, errors = arrived["ours"]
        peer, _ = arrived["peer"]
        value = f"{ours['arrived']} arrived, {ours['twice']} twice (peer {peer['arrived']}, {peer['twice']} twice)"
        met = ours["arrived"] == 320 and not ours["twice"] and not errors
        lines.append(Line(f"8 threads {kind} 320", value, "320, once each", met))
    return lines


MEASUREMENTS: dict[str, Callable[[Run], Sequence[Line]]] = {
    "query": query,
    "instructions": instruction_counts,
    "memory": memory,
    "commits": commits,
    "writing": writing,
    "attributes": attributes,
    "loading": loading,
    "starting": starting,
    "threads": threads,
}
