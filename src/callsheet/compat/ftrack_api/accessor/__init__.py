"""Accessors: how the files of a location are reached."""

from __future__ import annotations

from callsheet.compat.ftrack_api.accessor import base, disk, server

__all__ = ["base", "disk", "server"]
