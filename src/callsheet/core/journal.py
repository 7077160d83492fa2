"""What the core needs of a journal, the file that keeps change sets until their outcome is known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from callsheet.model.operation import ChangeSet

__all__ = ["JournalProtocol"]


class JournalProtocol(Protocol):
    """What the core needs of a journal (``transport/journal.py``)."""

    def write(self, changes: ChangeSet) -> None: ...

    def finish(self, commit_id: str) -> None: ...

    def refuse(self, commit_id: str, reason: str) -> None: ...

    def note(self, commit_id: str, states: Mapping[int, tuple[str, str]]) -> None: ...

    def noted(self, commit_id: str) -> dict[int, tuple[str, str]]: ...

    def unfinished(self) -> list[Any]: ...

    def left_behind(self) -> list[Any]: ...

    def close(self) -> None: ...
