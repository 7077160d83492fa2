"""Jobs: long operations with a state, a description and a progress."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from callsheet.core.core import Core
from callsheet.errors import UsageError
from callsheet.flow import Flow
from callsheet.production.queries import known

__all__ = ["Progressing", "update_job"]


class Progressing:
    """The methods of jobs. Each changes the job; the next commit sends it to the server."""

    __slots__ = ()
    session: Any

    def start(self, description: str | None = None) -> Any:
        """Mark the job as running."""
        return self.session.run(update_job(self.session, self, "running", 0.0, description))

    def report(self, progress: float, description: str | None = None, **data: Any) -> Any:
        """Set the progress, from 0 to 1; ``description`` is for people, more ``data`` for programs."""
        return self.session.run(update_job(self.session, self, None, progress, description, data))

    def finish(self, description: str | None = None) -> Any:
        """Mark the job as done."""
        return self.session.run(update_job(self.session, self, "done", 1.0, description))

    def fail(self, description: str | None = None) -> Any:
        """Mark the job as failed."""
        return self.session.run(update_job(self.session, self, "failed", None, description))


def update_job(
    core: Core,
    job: Any,
    state: str | None,
    progress: float | None,
    description: str | None,
    data: Mapping[str, Any] | None = None,
) -> Flow[Any]:
    """Set state, progress and description of a job: in its attributes if the type has them, else in its ``data``."""
    if progress is not None and not (math.isfinite(progress) and 0 <= progress <= 1):
        raise UsageError(f"the progress of a job is a number from 0 to 1, not {progress!r}")
    (before,) = yield from known(core, job, "data")
    kept = {**(before or {}), **(data or {})}
    for name, value in (("progress", progress), ("description", description)):
        if value is None:
            continue
        if name in job._type.attributes:
            core.unit.assign(job, name, value)
        else:
            kept[name] = value
    if kept != (before or {}):
        core.unit.assign(job, "data", kept)
    if state is not None:
        _set_state(core, job, state)
    return job


def _set_state(core: Core, job: Any, state: str) -> None:
    names = job._type.attributes
    core.unit.assign(job, "state" if "state" in names else "status", state)
    moment = {"running": "started_at", "done": "finished_at", "failed": "finished_at"}[state]
    if moment in names:
        core.unit.assign(job, moment, datetime.now(UTC))
