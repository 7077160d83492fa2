"""The rows that the vendor's clients expect in every store: those of ``data/seed.toml``, locations and a setting."""

from __future__ import annotations

import json
from collections.abc import Iterator

from callsheet.dialects.ftrack.declaration import FTRACK
from callsheet.dialects.ftrack.server.requests.server_information import AUTOMATIC, SCENARIO
from callsheet.dialects.ftrack.server.seed.rows import SeedRow, essential_rows, operations, rows_of
from callsheet.model.operation import Operation
from callsheet.model.schema import Schema
from callsheet.model.well_known import LOCATION_KEYS

__all__ = ["essential_operations"]


def essential_operations(schema: Schema) -> tuple[Operation, ...]:
    """The creates without which the vendor's clients cannot work, as far as the schema has their types."""
    return operations(schema, _essentials())


def _essentials() -> Iterator[SeedRow]:
    for name in LOCATION_KEYS:
        full = f"{FTRACK.location_prefix}{name}"
        yield SeedRow("Location", full, {"name": full, "label": full})
    yield SeedRow("Setting", None, {**SCENARIO, "value": json.dumps(AUTOMATIC)})
    yield from rows_of(essential_rows())
