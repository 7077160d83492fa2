"""Plain data: what JSON can hold, as the form in which the model travels and is stored."""

from __future__ import annotations

__all__ = ["Malformed"]


class Malformed(ValueError):
    """Data does not have the shape that its format demands; the reader turns this into an error of its own side."""
