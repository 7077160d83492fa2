"""``python -m tests.faults [--share | --deep] [--only NAME] [--seed N]``: runs the proofs and prints their table."""

from __future__ import annotations

import argparse
import importlib
import sys
import time

from .outcome import Outcome, Scale, table

PROOFS = {
    "commit-cut": "commit_cut",
    "client-kill": "client_kill",
    "journal-full": "journal_full",
    "server-kill": "server_kill",
    "postgres-kill": "postgres_kill",
    "power-cut": "power_cut",
    "backup": "backup",
    "listener-kill": "listener",
    "listener-server": "listener",
    "listener-cut": "listener",
    "listener-postgres": "listener_postgres",
    "counter-sqlite": "counter",
    "counter-postgres": "counter",
    "ticks-sqlite": "missed_ticks",
    "ticks-postgres": "missed_ticks",
    "network-away": "outage",
    "histories-sqlite": "histories",
    "histories-postgres": "histories",
    "fuzz": "fuzz",
}


def prove(name: str, scale: Scale, seed: int) -> Outcome:
    """Run one proof."""
    module = importlib.import_module(f".{PROOFS[name]}", __package__)
    function = getattr(module, f"prove_{name.partition('-')[2]}", None) or module.prove
    start = time.monotonic()
    outcome: Outcome = function(scale, seed)
    outcome.seconds = time.monotonic() - start
    return outcome


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument("--share", action="store_true", help="the size of every test run: about a third")
    sizes.add_argument("--deep", action="store_true", help="full size: about half an hour")
    parser.add_argument("--only", action="append", choices=list(PROOFS), help="this proof; may be given again")
    parser.add_argument("--seed", type=int, help="repeat the choices of an earlier run")
    arguments = parser.parse_args()
    seed = arguments.seed if arguments.seed is not None else time.time_ns() % 1_000_000
    scale = Scale.SHARE if arguments.share else Scale.DEEP if arguments.deep else Scale.GATE
    print(f"seed {seed}, sizes of the {scale.value}", flush=True)
    outcomes = []
    for name in arguments.only or PROOFS:
        outcome = prove(name, scale, seed)
        outcomes.append(outcome)
        print(f"{'holds' if outcome.holds else 'FAILS'}  {name}  {outcome.seconds:.1f} s", flush=True)
        for problem in outcome.problems:
            print(f"    {problem}", flush=True)
    print(f"\n{table(outcomes)}")
    return 0 if all(outcome.holds for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
