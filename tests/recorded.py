"""Where the replies recorded from a real ftrack server are, if they are on this machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

__all__ = ["recorded_schemas"]

HERE = Path(__file__).parent
SCHEMAS = "CALLSHEET_FTRACK_SCHEMAS"


def recorded_schemas() -> Path:
    """The list of schemas that a real site gave."""
    told = os.environ.get(SCHEMAS)
    found = [Path(told)] if told else [parent / "shared/data/ftrack/query_schemas.json" for parent in HERE.parents]
    path = next((path for path in found if path.is_file()), None)
    if path is None:
        pytest.skip(f"the recorded list of schemas is not here; {SCHEMAS} names it")
    return path
