"""The results of a query; Callsheet's own."""

from __future__ import annotations

from callsheet.session.results import QueryResult

__all__ = ["QueryResult"]
