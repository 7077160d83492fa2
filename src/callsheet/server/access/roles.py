"""The roles that a server defines, and the grants of roles to accounts.

An account has one role of its own, everywhere (``accounts.py``); grants add roles, everywhere or in a project. Roles
are stored as the texts of their rules, which ``permissions.py`` parses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from attrs import frozen
from sqlalchemy import Connection, delete, insert, select

from callsheet.errors import Invalid, NotFound
from callsheet.model.schema import Schema
from callsheet.server.access.accounts import Account, Accounts
from callsheet.server.access.belonging import PROJECT
from callsheet.server.access.identities import Identities
from callsheet.server.access.permissions import BUILT_IN, Grant, Permissions, Role, check_role_name, read_rule
from callsheet.server.store.store import Store

__all__ = ["Granted", "Roles"]

RULES = 100
"""The most rules in one role, and the most grants of one account."""


@frozen
class Granted:
    """A stored grant; ``project`` is a key, or None for everywhere."""

    account: str
    role: str
    project: str | None


class Roles:
    """The roles and grants of one server.

    >>> store = Store.open("memory:", {"types": {"Dot": {}}})
    >>> accounts = Accounts(store)
    >>> roles = Roles(store, accounts)
    >>> roles.add("painter", ["read,update:Dot"])
    >>> key = accounts.add("anna", role="painter")
    >>> [str(rule.entity_types) for rule in roles.permissions(accounts.get("anna")).grants[0].role.rules]
    ["('Dot',)"]
    >>> store.close()
    """

    def __init__(self, store: Store, accounts: Accounts, named: Callable[[], Schema] | None = None) -> None:
        """``named`` gives the schema whose types rules may name; by default the store's."""
        self._store, self._accounts = store, accounts
        self._named = named or (lambda: store.schema)
        self._roles, self._grants = store.table("_role"), store.table("_grant")
        self._identities = Identities(store)

    def list(self) -> dict[str, list[str]]:
        """The rules of each role as texts, built-in roles first."""
        built_in = {name: [_text(rule) for rule in role.rules] for name, role in BUILT_IN.items()}
        with self._store.reading() as connection:
            rows = connection.execute(select(self._roles.c.name, self._roles.c.rules).order_by(self._roles.c.name))
            return built_in | {name: msgspec.json.decode(rules) for name, rules in rows}

    def add(self, name: str, rules: Sequence[str]) -> None:
        """Add a role; each rule is a text like ``read,update:Task,Note`` (see ``permissions.py``)."""
        check_role_name(name)
        if isinstance(rules, str) or not 0 < len(rules) <= RULES:
            raise Invalid(f"a role has a list of 1 to {RULES} rules, like `read:*`")
        texts = [_text(read_rule(text, self._named())) for text in rules]

        def save(connection: Connection) -> None:
            if name in self._known(connection):
                raise Invalid(f"there is a role `{name}` already; remove it first")
            connection.execute(insert(self._roles), {"name": name, "rules": msgspec.json.encode(texts).decode()})

        self._store.write(save)
        self._accounts.changed()

    def remove(self, name: str) -> None:
        """Remove a role that no account has."""
        if name in BUILT_IN:
            raise Invalid(f"the role `{name}` is built in and stays")

        def save(connection: Connection) -> None:
            held = select(self._grants.c.account).where(self._grants.c.role == name).limit(1)
            account = connection.execute(held).scalar() or self._accounts.with_role(connection, name)
            if account is not None:
                raise Invalid(f"`{account}` has the role `{name}`; revoke it first")
            if connection.execute(delete(self._roles).where(self._roles.c.name == name)).rowcount == 0:
                raise _no_role(name)

        self._store.write(save)
        self._accounts.changed()

    def grant(self, account: str, role: str, project: str | None = None) -> None:
        """Grant a role to an account, everywhere or in a project (its key, or its name if that is unique)."""

        def save(connection: Connection) -> None:
            self._accounts.check_exists(connection, account)
            if role not in self._known(connection):
                raise _no_role(role)
            if role == "admin" and project is not None:
                raise Invalid("the role `admin` is for the whole server; it cannot be granted in a project")
            row = {"account": account, "role": role, "project": self._place(connection, project)}
            held = connection.execute(select(self._grants).where(self._grants.c.account == account)).mappings().all()
            if len(held) >= RULES:
                raise Invalid(f"`{account}` has {RULES} grants already; combine them in one role")
            if row not in [dict(each) for each in held]:
                connection.execute(insert(self._grants), row)

        self._store.write(save)
        self._accounts.changed()

    def revoke(self, account: str, role: str, project: str | None = None) -> None:
        """Revoke a granted role; grants in other places stay."""

        def save(connection: Connection) -> None:
            columns = self._grants.c
            place = project or ""
            mine = (columns.account == account) & (columns.role == role)
            if connection.execute(delete(self._grants).where(mine, columns.project == place)).rowcount == 0:
                place = self._place(connection, project)
                if connection.execute(delete(self._grants).where(mine, columns.project == place)).rowcount == 0:
                    where = "everywhere" if project is None else f"in project {project:.80}"
                    raise NotFound(f"`{account:.80}` was not granted `{role:.80}` {where}")

        self._store.write(save)
        self._accounts.changed()

    def grants(self, account: str | None = None) -> Sequence[Granted]:
        """All grants, or those of one account."""
        columns = self._grants.c
        statement = select(columns.account, columns.role, columns.project)
        if account is not None:
            statement = statement.where(columns.account == account)
        with self._store.reading() as connection:
            rows = connection.execute(statement.order_by(columns.account, columns.role, columns.project))
            return [Granted(name, role, project or None) for name, role, project in rows]

    def permissions(self, account: Account) -> Permissions:
        """What an account may do."""
        given = ((role, None) for role in self._identities.roles_of(account.name))
        held = [(account.role, None), *given, *((each.role, each.project) for each in self.grants(account.name))]
        own = self._own() if any(name not in BUILT_IN for name, _ in held) else {}
        roles = {**own, **BUILT_IN}
        return Permissions(account.name, tuple(Grant(roles[name], project) for name, project in held if name in roles))

    def _own(self) -> Mapping[str, Role]:
        with self._store.reading() as connection:
            rows = connection.execute(select(self._roles.c.name, self._roles.c.rules)).all()
        return {name: Role(name, tuple(map(read_rule, msgspec.json.decode(rules)))) for name, rules in rows}

    def _known(self, connection: Connection) -> set[str]:
        return {*BUILT_IN, *connection.execute(select(self._roles.c.name)).scalars()}

    def _place(self, connection: Connection, project: str | None) -> str:
        """The key of a project, given by key or name; empty for everywhere."""
        if project is None:
            return ""
        schema = self._store.schema
        if PROJECT not in schema.types:
            raise Invalid("this server's schema has no projects; grant the role everywhere")
        found = schema.types[PROJECT]
        table = self._store.tables[found.root]
        rows = select(table.c.id).where(table.c._type.in_(schema.concrete(PROJECT)))
        keys: list[Any] = list(connection.execute(rows.where(table.c.id == project)).scalars())
        if not keys and found.label in table.c:
            keys = list(connection.execute(rows.where(table.c[found.label] == project)).scalars())
        if len(keys) != 1:
            raise NotFound(f"there are {len(keys) or 'no'} projects with the key or name {project!r:.80}")
        return str(keys[0])


def _text(rule: Any) -> str:
    """The text of a rule."""
    types = [*rule.entity_types, *(f"!{name}" for name in rule.excluded)]
    return f"{','.join(rule.verbs)}:{','.join(types)}"


def _no_role(name: str) -> NotFound:
    return NotFound(f"there is no role `{name:.80}`; `roles.list` lists all roles")
