"""Subscribers; Callsheet's own."""

from __future__ import annotations

from callsheet.events.hub import Subscriber

__all__ = ["Subscriber"]
