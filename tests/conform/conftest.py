"""Files with edits, and a production."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from timelines import Write, otio


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a timeline, text or bytes to a file; gives its path."""

    def to(content: Any, name: str = "edit.otio") -> Path:
        path = tmp_path / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif isinstance(content, str):
            path.write_bytes(content.encode())
        else:
            otio.adapters.write_to_file(content, str(path))
        return path

    return to
