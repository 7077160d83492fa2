"""Behaviours of production entities: the methods of notes, assignments, timers and others."""

from callsheet.production.registry import register

__all__ = ["register"]
