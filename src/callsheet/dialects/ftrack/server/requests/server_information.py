"""What a client reads of the server first: its version, its schema, where files are kept.

The storage scenario is the setting ``storage_scenario`` of the group ``STORAGE``, which the vendor's desktop
application writes, and which any script can.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from callsheet.dialects.ftrack.common.codec import COMPARES
from callsheet.dialects.ftrack.server.reading.store_reader import StoreReader
from callsheet.model.query import And, Comparison, Path

__all__ = ["AUTOMATIC", "SCENARIO", "information"]

AUTOMATIC = {"scenario": "ftrack.automatic", "data": {}}
"""The scenario in which each client chooses where files are kept."""
SCENARIO = {"name": "storage_scenario", "group": "STORAGE"}
"""What identifies the setting."""
_IS_SCENARIO = And(tuple(Comparison(Path.of(name), "=", value) for name, value in SCENARIO.items()))


def information(reader: StoreReader, schema_hash: str) -> dict[str, Any]:
    """The answer to ``query_server_information``."""
    return {
        "version": "dev",
        "storage_scenario": _scenario(reader),
        "is_timezone_support_enabled": True,
        COMPARES: True,
        "schema_hash": schema_hash,
    }


def _scenario(reader: StoreReader) -> Mapping[str, Any]:
    """The scenario of the setting; `AUTOMATIC` if it cannot be read."""
    if "Setting" not in reader.catalogue.types:
        return AUTOMATIC
    for row in reader.rows("Setting", _IS_SCENARIO, ["value"]).values():
        try:
            decoded = msgspec.json.decode(str(row["value"]))
        except msgspec.DecodeError:
            continue
        if isinstance(decoded, dict) and isinstance(decoded.get("scenario"), str):
            return decoded
    return AUTOMATIC
