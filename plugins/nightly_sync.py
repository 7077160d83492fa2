"""Every working day at two in the morning, a sync file is run: rows of a table go in, as they are then.

Run it with ``callsheet listen --plugins plugins/``. The variable ``STUDIO_NIGHTLY_SYNC`` names the file; without it,
``nightly.toml`` in the folder where the listener was started is run. All that the file changes is one commit together
with the note that this night is done, so a listener that is killed leaves either both or neither. A file with rows
that cannot go in is a dead letter, whose error names them: mend the table, and ``callsheet events replay`` it.
"""

from __future__ import annotations

import logging
import os
from typing import Any

import callsheet

__all__ = ["nightly", "register"]

FILE = "nightly.toml"

log = logging.getLogger("studio.nightly")


@callsheet.schedule("0 2 * * mon-fri", zone="Europe/Stockholm", name="nightly-sync", retries=2, delay=60.0)
def nightly(tick: callsheet.Tick, session: Any) -> None:
    """Bring the table in."""
    plan = session.plan_file(os.environ.get("STUDIO_NIGHTLY_SYNC", FILE))
    log.info("%s, last done for %s: %r", tick.due, tick.previous, plan)
    plan.apply()


def register(session: Any) -> None:
    """Nothing to register: the schedule is found by `callsheet listen`."""
