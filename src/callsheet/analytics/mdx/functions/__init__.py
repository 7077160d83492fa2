"""The functions of MDX, one file for each family. Importing this package declares them all."""

from __future__ import annotations

from callsheet.analytics.mdx.functions import (
    aggregation,
    dates,
    drilling,
    finance,
    logic,
    navigation,
    ordering,
    properties,
    ranking,
    sets,
    statistics,
    texts,
    time,
    totals,
)

__all__ = [
    "aggregation",
    "dates",
    "drilling",
    "finance",
    "logic",
    "navigation",
    "ordering",
    "properties",
    "ranking",
    "sets",
    "statistics",
    "texts",
    "time",
    "totals",
]
