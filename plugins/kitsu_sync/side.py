"""A Kitsu project as a side of a two-way sync."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, TypeVar

from callsheet.errors import NoResult
from callsheet.flow import Flow
from callsheet.model.schema import did_you_mean
from callsheet.sync.side import SideChange, SideChanges, SideOutcome, SideRow
from callsheet.transport.drive import run
from callsheet.transport.http import HttpTransport
from kitsu_sync.account import KitsuAccount
from kitsu_sync.log import ProjectLog
from kitsu_sync.reading import ProjectReader
from kitsu_sync.studio import StudioLists
from kitsu_sync.writing import ProjectWriter

__all__ = ["KitsuSide"]

T = TypeVar("T")


class KitsuSide:
    """One project of a Kitsu server.

    ``project`` is its id. ``full_every`` is how often everything is compared even if the log says what changed.
    """

    def __init__(
        self, url: str, account: KitsuAccount, project: str, full_every: timedelta = timedelta(hours=1)
    ) -> None:
        self.url, self.account, self.project = url, account, project
        self._transport = HttpTransport(url, timeout=120)
        lists = StudioLists(account)
        self._reader = ProjectReader(account, lists, project)
        self._writer = ProjectWriter(account, lists, self._reader, project)
        self._log = ProjectLog(account, lists, project, full_every)

    @classmethod
    def named(
        cls, url: str, account: KitsuAccount, project: str, full_every: timedelta = timedelta(hours=1)
    ) -> KitsuSide:
        """The side of the project of this exact name. Raises `NoResult` where Kitsu has none."""
        side = cls(url, account, "", full_every)
        try:
            projects = side.run(account.rows("/data/projects", fields="id,name"))
        finally:
            side.close()
        found = {each["name"]: each["id"] for each in projects}
        if project not in found:
            # Kitsu itself looks for names by LIKE, and would give another one.
            raise NoResult(f"Kitsu has no project {project!r:.60}{did_you_mean(project, found)}: make it there first")
        return cls(url, account, found[project], full_every)

    @property
    def name(self) -> str:
        """``kitsu``: ids of Kitsu's rows are unique on one server."""
        return "kitsu"

    def run(self, flow: Flow[T]) -> T:
        """The result of a flow, over this side's own connection."""
        return run(flow, self._transport)

    def changes(self, types: Sequence[str], since: Any, origin: str) -> Flow[SideChanges]:
        """The position now, and which ids changed since another."""
        return self._log.changes(types, since)

    def read(self, type: str, attributes: Sequence[str], ids: Sequence[str] | None = None) -> Flow[Sequence[SideRow]]:
        """The rows of a type, of all the project or of these ids."""
        return self._reader.rows(type, attributes, ids)

    def write(self, changes: Sequence[SideChange], origin: str) -> Flow[Sequence[SideOutcome]]:
        """Write changes, with an outcome for each. Kitsu has no place for the origin."""
        return self._writer.write(changes)

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()
