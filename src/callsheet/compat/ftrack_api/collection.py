"""Collections and mappings of entities; Callsheet's own."""

from __future__ import annotations

from callsheet.entity.collection import Collection, MappingView

__all__ = ["Collection", "CustomAttributeCollectionProxy", "KeyValueMappedCollectionProxy", "MappedCollectionProxy"]

MappedCollectionProxy = KeyValueMappedCollectionProxy = CustomAttributeCollectionProxy = MappingView
