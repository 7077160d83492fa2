"""Entities that arrived together, so that what one of them lacks can be fetched for all at once."""

from __future__ import annotations

from typing import Any

__all__ = ["Peers"]


class Peers:
    """The keys of entities of one family that came in the same answer.

    ``origin`` says how they were reached: the peers and the relation they hang from, or None for what was
    queried itself. ``learned`` collects the paths that were loaded lazily, from the first peers on; later
    pages of the same answer bring these along.
    """

    __slots__ = ("keys", "learned", "origin", "root")

    def __init__(self, root: str, origin: tuple[Peers, str] | None = None) -> None:
        self.root = root
        self.keys: list[Any] = []
        self.origin = origin
        self.learned: dict[str, None] = {}

    def path(self, name: str) -> str:
        """The projection, from the first peers, that would have brought this attribute along."""
        peers: Peers | None = self
        while peers is not None and peers.origin is not None:
            peers, relation = peers.origin
            name = f"{relation}.{name}"
        return name

    def first(self) -> Peers:
        """The peers that were queried themselves."""
        peers = self
        while peers.origin is not None:
            peers = peers.origin[0]
        return peers
