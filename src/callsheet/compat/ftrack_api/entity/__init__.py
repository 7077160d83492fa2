"""Entities."""

from __future__ import annotations

from callsheet.compat.ftrack_api.entity import base, factory, location

__all__ = ["base", "factory", "location"]
