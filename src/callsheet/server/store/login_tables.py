"""The tables of logins. None of them has a password, a token or a code, only what these are compared with."""

from __future__ import annotations

from sqlalchemy import Index, MetaData

from callsheet.server.store.columns import TEXT, Moment
from callsheet.server.store.declaring import filled, key, optional, system_table

__all__ = ["login_tables"]


def login_tables(metadata: MetaData) -> None:
    """``_password``: hashes of passwords. ``_login``: who is logged in. ``_invitation``: who may choose a password.

    ``_identity``: who signs on by a provider of the house.
    """
    system_table(metadata, "_password", key("account"), filled(TEXT, "hash"), filled(Moment, "changed"))
    system_table(
        metadata,
        "_login",
        key("id"),
        filled(TEXT, "account", "device", "address"),
        filled(Moment, "created", "last_used", "expires"),
        # Digests of the refresh token that is valid now, and of the one before, with the request that replaced it.
        filled(TEXT, "token"),
        optional(TEXT, "previous", "request"),
        filled(Moment, "rotated"),
        optional(Moment, "ended"),
        optional(TEXT, "reason"),
        Index("_index_login_account", "account", "last_used"),
    )
    system_table(
        metadata,
        "_invitation",
        key("id"),
        filled(TEXT, "account", "digest"),
        filled(Moment, "created", "expires"),
        Index("_index_invitation_account", "account"),
    )
    system_table(
        metadata,
        "_identity",
        key("provider", "subject"),
        filled(TEXT, "account", "roles"),
        filled(Moment, "read"),
        optional(Moment, "ended"),
        # Sealed, where it holds a token of the provider.
        optional(TEXT, "reason", "state"),
        Index("_index_identity_account", "account"),
    )
