"""The parts of a server: one database and the objects that work on it. Views and backends share one context."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from callsheet.model.workspace import DEFAULT
from callsheet.server.access.access import Access
from callsheet.server.access.accounts import Accounts
from callsheet.server.access.audit import Audit
from callsheet.server.access.cache import AccessCache
from callsheet.server.access.entitlement import Entitlement
from callsheet.server.access.logins import Logins
from callsheet.server.access.roles import Roles
from callsheet.server.external.registry import ExternalDatabases
from callsheet.server.files.abandoned import AbandonedUploads
from callsheet.server.files.addresses import SignedAddresses
from callsheet.server.files.folder import UploadFolder
from callsheet.server.files.uploads import FileStore
from callsheet.server.limits import Limits
from callsheet.server.log.broker import Broker
from callsheet.server.migration.past_names import PastNames
from callsheet.server.reading.snapshot import Snapshots
from callsheet.server.scenarios.overlaying import ScenarioStores
from callsheet.server.store.store import Store
from callsheet.server.user_content import UserContent
from callsheet.server.watching.watches import Watches
from callsheet.server.workspaces.hosting import Workspaces
from callsheet.server.writing.schema_refresh import SchemaRefresh

if TYPE_CHECKING:
    from callsheet.server.mirror.mirror import Mirror
    from callsheet.server.scenarios.mirrored import MirroredScenarios

__all__ = ["ServerContext", "utc_now"]


def utc_now() -> datetime:
    return datetime.now(UTC)


class ServerContext:
    """The store, its accounts, log, snapshots and files, each made once for a workspace.

    ``workspace`` is its name. The ``default`` one has the others as ``workspaces``.
    """

    def __init__(
        self,
        store: Store,
        clock: Callable[[], datetime] = utc_now,
        files: Path | None = None,
        limits: Limits | None = None,
        workspace: str = DEFAULT,
    ) -> None:
        self.store, self.clock, self.workspace = store, clock, workspace
        self.workspaces: Workspaces[Any] | None = None
        self.user_content: UserContent
        """What people keep of the page; a service has it."""
        self.sign_on: Any = None
        """By what people sign on, if the server was opened with providers (``sign_on/``)."""
        self.mirror: Mirror | None = None
        """What answers aggregates, if the server was opened with ``analytics``."""
        self.limits = limits or Limits()
        self._folder = UploadFolder(store, files)
        self.abandoned = AbandonedUploads(store, lambda: self._folder.path, self.now, self.limits.upload_days)
        self.files = FileStore(lambda: self._folder.path, begun=self.abandoned.keep)
        self.addresses = SignedAddresses(store, self.now)
        self.accounts = Accounts(store, clock)
        self.external = ExternalDatabases(store)
        self.roles = Roles(store, self.accounts, lambda: self.external.merged(store.schema))
        self.accesses = AccessCache(store, self.accounts, self.roles)
        self.audit = Audit(store, clock)
        self.logins = Logins(store, self.accounts, self.audit, self.limits, clock)
        self.snapshots = Snapshots(store)
        self.scenarios = ScenarioStores()
        self._mirrored: MirroredScenarios | None = None
        self.configured = SchemaRefresh(store)
        self.broker = Broker(store, self.now, self.limits)
        store.past = PastNames(store)
        self.watches = Watches(store, self.broker, self.limits, lambda: self.mirror is not None)

    def now(self) -> datetime:
        return self.clock()

    def access(self, account: str) -> Access:
        """The rights of an account (see `AccessCache.of`)."""
        return self.accesses.of(account)

    @property
    def mirrored_scenarios(self) -> MirroredScenarios | None:
        """The scenarios in the mirror, if there is one."""
        if self._mirrored is None and self.mirror is not None:
            from callsheet.server.scenarios.mirrored import MirroredScenarios

            self._mirrored = MirroredScenarios(self.mirror, self.store, self.scenarios)
        return self._mirrored

    def entitlement(self, account: str, check: Callable[[], object]) -> Entitlement:
        """The right of a connection to receive events; ``check`` validates its credentials, or raises."""
        return Entitlement(account, check, self.access, self.accounts)

    def schema_changed(self, position: int) -> None:
        """Follow up a change of the schema: what was made for the one before is not used again."""
        self.snapshots.close()
        self.accesses.clear()
        self.committed(position, configured=True)

    def committed(self, position: int, configured: bool, seen: bool = False) -> None:
        """Follow up a committed transaction: wake readers that wait for events, and reload what it may have changed."""
        if seen:
            self.accounts.changed()
        self.broker.announce(position)
        if configured:
            self.configured.reload()
        if self.mirror is not None:
            self.mirror.ring()
        self.addresses.keep()

    @property
    def upload_folder(self) -> Path | None:
        """The folder of uploaded files, if there is one already."""
        return self._folder.existing

    def stop(self) -> None:
        """End the event streams, here and in all workspaces. From now on, no reader waits for events."""
        self.broker.close()
        if self.workspaces is not None:
            self.workspaces.stop()

    def close(self) -> None:
        """Finish pending writes and close the database, and those of all workspaces."""
        self.stop()
        if self.sign_on is not None:
            self.sign_on.close()
        if self.workspaces is not None:
            self.workspaces.close()
        self.watches.close()
        if self.mirror is not None:
            self.mirror.close()
        self.user_content.close()
        self.snapshots.close()
        self.external.close()
        self._folder.close()
        self.store.close()
