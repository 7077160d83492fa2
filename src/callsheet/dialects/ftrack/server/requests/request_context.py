"""What the operations of one request share: a reader, the writes that wait, the answers so far."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from attrs import define, field

from callsheet.dialects.ftrack.server.reading.query_execution import QueryExecutor
from callsheet.dialects.ftrack.server.reading.store_reader import StoreReader
from callsheet.dialects.ftrack.server.requests.vendor_request import Files, TransactionalBackend, VendorRequest
from callsheet.dialects.ftrack.server.schema.catalogue import Catalogue
from callsheet.dialects.ftrack.server.writing.batch import Batch

__all__ = ["RequestContext"]


@define(eq=False)
class RequestContext:
    """One request on its way; what the actions need."""

    backend: TransactionalBackend
    asked: VendorRequest
    reader: StoreReader
    answered: dict[int, Any] = field(factory=dict)
    _batch: Batch | None = None

    @property
    def files(self) -> Files:
        """The uploaded files, as far as the caller may see and change them."""
        return self.backend.files

    @property
    def catalogue(self) -> Catalogue:
        return self.reader.catalogue

    @property
    def answers(self) -> QueryExecutor:
        return QueryExecutor(self.reader)

    @property
    def batch(self) -> Batch:
        """The writes that wait."""
        if self._batch is None:
            self._batch = Batch(self.reader, self.asked.user, datetime.now(UTC), self.asked.origin)
        return self._batch

    def flush(self) -> None:
        """Do the writes that wait, so that what comes next sees them."""
        if self._batch is not None:
            waiting, self._batch = self._batch, None
            self.answered.update(waiting.run())
            self.reader.forget()
