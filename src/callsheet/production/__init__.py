"""Behaviours of production entities: notes, lists, timers and what else has methods of its own."""

from callsheet.production.registry import register

__all__ = ["register"]
