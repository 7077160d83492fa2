"""Listeners are killed (see ``listener.py``) where the queues are in PostgreSQL, of which this has its own."""

from __future__ import annotations

from .listener import _killed, _note, careless
from .outcome import Outcome, Scale
from .postgres_cluster import Cluster, cluster
from .postgres_kill import MISSING


def prove(scale: Scale, seed: int) -> Outcome:
    """15 kills and 600 events, for one listener and for two; deep 60 and 3,000."""
    outcome = Outcome("listener killed, on PostgreSQL", "")
    kills, events = scale.choose((5, 200), (15, 600), (60, 3_000))
    with cluster() as made:
        if made is None:
            return Outcome(outcome.name, MISSING, problems=[MISSING])
        runs = [_killed(kills, events, listeners, seed, url=_database(made, listeners)) for listeners in (1, 2)]
        _note(outcome, runs)
        control = careless(early=False)
        outcome.caught = _killed(12, 300, 1, seed, control, _database(made, 3)).doubled
    outcome.control = "effect without fence doubles"
    return outcome


def _database(made: Cluster, number: int) -> str:
    """The URL of a new database."""
    with made.connect() as connection:
        connection.execute(f"CREATE DATABASE ledger_{number}")
    return f"{made.url}_{number}"
