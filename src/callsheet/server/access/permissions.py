"""Permissions: a role has rules, and an account is granted roles, everywhere or in one project.

A rule names verbs and entity types: ``read,update:Task`` (subtypes included), ``read:*`` for all types,
``create:*,!Setting`` for all but one. Rules only allow; what no rule allows is refused. A role granted in a project
applies to the entities of the project (see ``belonging.py``); on types without a project (statuses, users) it allows
only reading.

The verb ``decide`` is for what the schema marks as administrative. Administrative attributes, such as paths of files or
identities of people, are set by accounts that may update (or create) and decide. Entities of administrative types are
written by roles that may decide, or whose rules name the type.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from attrs import frozen

from callsheet.errors import Forbidden, Invalid
from callsheet.model.schema import Schema, did_you_mean

__all__ = ["BUILT_IN", "VERBS", "Grant", "Permissions", "Role", "Rule", "check_role_name", "read_rule"]

VERBS = ("read", "create", "update", "delete", "decide")
WRITING = ("create", "update", "delete")

_NAME = re.compile(r"[\w.-]{1,80}")


@frozen
class Rule:
    """Verbs on entity types (``*``: all) and their subtypes, except on the ``excluded``."""

    verbs: tuple[str, ...]
    entity_types: tuple[str, ...] = ("*",)
    excluded: tuple[str, ...] = ()

    def covers(self, schema: Schema, entity_type: str) -> bool:
        """Whether the rule applies to entities of a concrete type."""
        above = {entity_type, *schema.types[entity_type].ancestors}
        return ("*" in self.entity_types or not above.isdisjoint(self.entity_types)) and above.isdisjoint(self.excluded)


def read_rule(text: str, schema: Schema | None = None) -> Rule:
    """Parse a rule; raises `Invalid` if the text is not a rule, or names a type that the schema does not have.

    >>> read_rule("read,update:*,!Setting")
    Rule(verbs=('read', 'update'), entity_types=('*',), excluded=('Setting',))
    """
    verbs, colon, types = str(text).replace(" ", "").partition(":")
    given = tuple(verbs.split(","))
    if not colon or not types:
        raise Invalid(f"{text!r:.80} is not a rule; write verbs and entity types, like `read,update:Task,Note`")
    if unknown := [verb for verb in given if verb not in VERBS]:
        raise Invalid(f"{text!r:.80}: there is no verb `{unknown[0]}`{did_you_mean(unknown[0], VERBS)}")
    named = types.split(",")
    for name in named if schema is not None else ():
        bare = name.removeprefix("!")
        if bare != "*" and schema is not None and bare not in schema.types:
            near = did_you_mean(bare, schema.types)
            raise Invalid(f"{text!r:.80}: there is no entity type `{bare:.80}`{near}")
    excluded = tuple(name[1:] for name in named if name.startswith("!"))
    entity_types = tuple(name for name in named if not name.startswith("!"))
    if not entity_types or "*" in excluded:
        raise Invalid(f"{text!r:.80} names nothing to allow; write `*,!Setting` for all but one")
    return Rule(given, entity_types, excluded)


@frozen
class Role:
    """Named rules. Only the built-in ``admin`` may manage accounts, roles and the audit."""

    name: str
    rules: tuple[Rule, ...] = ()


BUILT_IN: dict[str, Role] = {
    "admin": Role("admin", (Rule(VERBS),)),
    "user": Role("user", (Rule(("read",)), Rule(WRITING))),
    "reader": Role("reader", (Rule(("read",)),)),
    "guest": Role("guest"),
}
"""Roles that every server has. ``guest`` allows nothing: it is for accounts with grants in projects."""


def check_role_name(name: str) -> None:
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        raise Invalid(f"a role's name has 1 to 80 letters, digits, `.`, `_` and `-`, not {name!r:.80}")


@frozen
class Grant:
    """A role granted to an account in one project (its key), or everywhere (None)."""

    role: Role
    project: str | None = None


@frozen
class Permissions:
    """The permissions of one account.

    >>> Permissions("anna", (Grant(BUILT_IN["user"]),)).authorise("users.list")
    Traceback (most recent call last):
    callsheet.errors.Forbidden: `anna` may not do users.list; ask an administrator
    """

    user: str
    grants: tuple[Grant, ...] = (Grant(BUILT_IN["admin"]),)

    @property
    def admin(self) -> bool:
        """Whether the account may do everything, and manage accounts."""
        return any(grant.role.name == "admin" and grant.project is None for grant in self.grants)

    def authorise(self, action: str) -> None:
        """Raise `Forbidden` unless the account may call this action."""
        if action.partition(".")[0] in MANAGED and not self.admin:
            raise Forbidden(f"`{self.user}` may not do {action}; ask an administrator")

    def granted(self, verb: str, schema: Schema, entity_type: str) -> Iterable[Grant]:
        """The grants that allow a verb on a concrete type, somewhere."""
        for grant in self.grants:
            if any(verb in rule.verbs and rule.covers(schema, entity_type) for rule in grant.role.rules) and (
                verb not in WRITING or _may_administer(grant.role, schema, entity_type)
            ):
                yield grant


def _may_administer(role: Role, schema: Schema, entity_type: str) -> bool:
    """Whether a role may write a type: an administrative one only if the role decides, or names the type."""
    if not schema.types[entity_type].administrative:
        return True
    rules = [rule for rule in role.rules if rule.covers(schema, entity_type)]
    return any("decide" in rule.verbs or "*" not in rule.entity_types for rule in rules)


MANAGED = ("users", "roles", "grants", "audit", "uploads", "workspaces", "externals", "schema")
"""The first words of actions that only administrators may call."""
