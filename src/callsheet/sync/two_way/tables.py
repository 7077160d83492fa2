"""The tables of a sync file of two ways, as they are written."""

from __future__ import annotations

from typing import Any

from attrs import field, frozen

from callsheet.sync.files.tables import about
from callsheet.sync.two_way.pairing import CREATES, DELETES, POLICIES, Carried

__all__ = ["PairTable", "SideTable", "TwoWayDocument"]


@frozen
class SideTable:
    """A table ``[left]`` or ``[right]``: a server, and which of its entities the sync is about."""

    name: str = field(default="", metadata=about("What the registry calls the server; the side's own word."))
    server: str = field(default="", metadata=about("The server's address; ${NAME} is a variable of the environment."))
    user: str = field(default="", metadata=about("The account there."))
    key: str = field(default="", metadata=about("Its API key: write a variable, like ${MIRROR_KEY}."))
    environment: str = field(
        default="", metadata=about("What begins the variables NAME_SERVER, NAME_API_USER and NAME_API_KEY.")
    )
    profile: str = field(default="", metadata=about("A login that `callsheet login` keeps; it has its server."))
    workspace: str = field(default="", metadata=about("A workspace of the server."))
    dialect: str = field(default="", metadata=about("The server's language, if its address does not decide it."))
    scope: dict[str, str] = field(factory=dict, metadata=about("A condition by type: what the sync is about."))
    omitted: str = field(default="", metadata=about("The name of the status of what is gone."))


@frozen
class PairTable:
    """A table ``[[pair]]``: a type on both sides, and its attributes."""

    left: str = field(metadata=about("The entity type on the left."))
    attributes: tuple[str, ...] | dict[str, str | Carried] = field(
        metadata=about("Names that both sides have, or a table of left and right names.")
    )
    right: str = field(default="", metadata=about("The entity type on the right; the left's."))
    adopt: str | tuple[str, ...] = field(default=(), metadata=about("Left attributes by which rows are paired."))
    conflicts: str | dict[str, Any] = field(
        default="raise",
        metadata=about("What happens to values that both sides changed: for all, or by name.", words=POLICIES),
    )
    delete: str = field(default="keep", metadata=about("What becomes of rows whose partner is gone.", words=DELETES))
    creates: str = field(default="both", metadata=about("The side on which missing rows are made.", words=CREATES))
    max_deleted: float = field(default=0.1, metadata=about("The largest share of the pairs that may go."))


@frozen
class TwoWayDocument:
    """A sync file of two ways as it is written."""

    pair: tuple[PairTable, ...] = field(metadata=about("One table for each type."))
    right: SideTable = field(metadata=about("The right side."))
    left: SideTable = field(factory=SideTable, metadata=about("The left side; the command's own server."))
    name: str = field(default="", metadata=about("What the log calls the runs; the file's name."))
