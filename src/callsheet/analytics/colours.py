"""The data dictionary of a session, with classes that block or are awaited, as the session is."""

from __future__ import annotations

from typing import Any

from callsheet.analytics.datagrids import AsyncDataGrid, DataGrid
from callsheet.analytics.dictionary import DataDictionary, Kinds
from callsheet.analytics.quantified import AsyncQuantified, Quantified
from callsheet.analytics.selections import AsyncSelection, Selection
from callsheet.analytics.tables import AsyncTable, Table
from callsheet.analytics.variables import AsyncVariable, Variable

__all__ = ["dictionary_of"]

BLOCKING = Kinds(Table, Variable, Selection, Quantified, DataGrid)
AWAITING = Kinds(AsyncTable, AsyncVariable, AsyncSelection, AsyncQuantified, AsyncDataGrid)


def dictionary_of(core: Any) -> DataDictionary:
    """The data dictionary of a session's present schema."""
    return DataDictionary(core, AWAITING if core._awaits else BLOCKING)
