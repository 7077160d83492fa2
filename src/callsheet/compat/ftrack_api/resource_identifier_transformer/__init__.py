"""Transformers of resource identifiers."""

from __future__ import annotations

from callsheet.compat.ftrack_api.resource_identifier_transformer import base

__all__ = ["base"]
