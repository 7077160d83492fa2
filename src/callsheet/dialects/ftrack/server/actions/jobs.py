"""Jobs of the vendor's server: it runs none, so a job is made as it ends."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from callsheet.dialects.ftrack.server.actions.arguments import text_of
from callsheet.dialects.ftrack.server.requests.request_context import RequestContext
from callsheet.dialects.ftrack.server.translation.query_text import VendorQuery
from callsheet.errors import Invalid
from callsheet.model.query import Comparison, Path
from callsheet.model.record import new_key

__all__ = ["add_job", "delayed_job"]

Arguments = Mapping[str, Any]


def add_job(work: RequestContext, values: dict[str, Any]) -> str:
    """The key of a new job."""
    key = new_key()
    if "Job" not in work.catalogue.types:
        raise Invalid("This server has no jobs.")
    work.batch.add(-1, "create", {"entity_type": "Job", "entity_key": [key], "entity_data": values})
    work.flush()
    return key


def delayed_job(work: RequestContext, arguments: Arguments) -> dict[str, Any]:
    """A job that is done, with all its attributes."""
    key = add_job(work, {"data": json.dumps({"description": text_of(arguments, "job_type")}), "status": "done"})
    found = work.catalogue.types["Job"]
    question = VendorQuery("Job", tuple(Path.of(name) for name in found.scalars), Comparison(Path.of("id"), "=", key))
    return {"action": "delayed_job", "data": work.answers.answer(question)[0][0]}
