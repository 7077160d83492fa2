"""The tables of logins. None of them has a password, a token or a code, only what these are compared with."""

from __future__ import annotations

from sqlalchemy import Column, Index, MetaData, Table

from callsheet.server.store.columns import TEXT, Moment

__all__ = ["login_tables"]


def login_tables(metadata: MetaData) -> None:
    """``_password``: hashes of passwords. ``_login``: who is logged in. ``_invitation``: who may choose a password."""
    Table(
        "_password",
        metadata,
        Column("account", TEXT, primary_key=True),
        Column("hash", TEXT, nullable=False),
        Column("changed", Moment, nullable=False),
        sqlite_strict=True,
    )
    Table(
        "_login",
        metadata,
        Column("id", TEXT, primary_key=True),
        Column("account", TEXT, nullable=False),
        *(Column(name, TEXT, nullable=False) for name in ("device", "address")),
        *(Column(name, Moment, nullable=False) for name in ("created", "last_used", "expires")),
        # Digests of the refresh token that is valid now, and of the one before, with the request that replaced it.
        Column("token", TEXT, nullable=False),
        Column("previous", TEXT),
        Column("request", TEXT),
        Column("rotated", Moment, nullable=False),
        Column("ended", Moment),
        Column("reason", TEXT),
        Index("_index_login_account", "account", "last_used"),
        sqlite_strict=True,
    )
    Table(
        "_invitation",
        metadata,
        Column("id", TEXT, primary_key=True),
        Column("account", TEXT, nullable=False),
        Column("digest", TEXT, nullable=False),
        Column("created", Moment, nullable=False),
        Column("expires", Moment, nullable=False),
        Index("_index_invitation_account", "account"),
        sqlite_strict=True,
    )
