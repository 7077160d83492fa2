"""What an account may read of external tables: all rows of a type, or none.

External rows belong to no project, so a role that is granted in a project gives no right to them: only roles that are
granted everywhere count, by the entity types that their rules name.
"""

from __future__ import annotations

from attrs import evolve

from callsheet.server.access.access import Access
from callsheet.server.external.store import ExternalStore

__all__ = ["rights_on"]


def rights_on(store: ExternalStore, access: Access) -> Access:
    """The rights on the tables of an external database of an account with these rights here."""
    everywhere = tuple(grant for grant in access.permissions.grants if grant.project is None)
    return Access(evolve(access.permissions, grants=everywhere), store)
