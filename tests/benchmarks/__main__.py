"""Callsheet against its peer and against the floor, in one run on one machine.

``python -m tests.benchmarks`` from the root of the repository prints the table; ``--quick`` takes smaller
sizes, ``--only NAME`` one measurement (may be repeated), ``--json FILE`` keeps the figures.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from .measurements import MEASUREMENTS, Run
from .processes import Client, peer_python, stub_server
from .table import Line, shown


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller sizes")
    parser.add_argument("--only", action="append", choices=sorted(MEASUREMENTS), help="this measurement")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the figures in a file")
    arguments = parser.parse_args()
    python = peer_python()
    lines: list[Line] = []
    for name in arguments.only or MEASUREMENTS:
        print(f"{name} …", file=sys.stderr, flush=True)
        lines += measure(name, python, arguments.quick)
    print(f"CPython {platform.python_version()}, {datetime.now(UTC):%Y-%m-%d}\n\n{shown(lines)}")
    if arguments.json is not None:
        arguments.json.write_text(json.dumps([line.plain() for line in lines], indent=1, ensure_ascii=False) + "\n")
    return 0


def measure(name: str, peer: str, quick: bool) -> list[Line]:
    """The lines of one measurement, by processes that did nothing else before."""
    with (
        stub_server() as url,
        closing(Client("ours", sys.executable, url)) as ours,
        closing(Client("floor", sys.executable, url)) as floor,
        closing(Client("peer", peer, url)) as theirs,
    ):
        return list(MEASUREMENTS[name](Run(url, ours, floor, theirs, quick)))


if __name__ == "__main__":
    sys.exit(main())
