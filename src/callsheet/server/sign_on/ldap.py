"""People of an LDAP directory (Active Directory too): their passwords, their groups, and that they are still there.

The server finds a person by an account of its own, and binds as the person to check the password. Connections of its
own account are kept in a pool. What people type is escaped before it is part of a filter, and is never part of a name.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from callsheet.errors import Forbidden, Unavailable
from callsheet.server.access.identities import KnownIdentity
from callsheet.server.sign_on.directory import ExternalPerson
from callsheet.server.sign_on.settings import LdapSettings

__all__ = ["LdapDirectory"]

IN_CHAIN = "1.2.840.113556.1.4.1941"
"""Active Directory's rule that follows groups in groups by itself."""
LEVELS = 10
MOST_GROUPS = 1_000
NOBODY = "cn=nobody of this name,"


class LdapDirectory:
    """One directory."""

    name = "ldap"

    def __init__(self, settings: LdapSettings) -> None:
        self.settings = settings
        self._pool: Any = None

    def close(self) -> None:
        if self._pool is not None and not self._pool.closed:
            self._pool.close()

    def is_readable(self, identity: KnownIdentity) -> bool:
        """Always: the server reads by an account of its own."""
        return True

    def authenticated(self, name: str, password: str) -> ExternalPerson | None:
        """The person of a name and a password; None if one of them is wrong. Raises `Unavailable`."""
        if not password or "\0" in password or not name:
            # A bind without a password succeeds for every name.
            return None
        with self._connection() as connection:
            entry = self._found(connection, self.settings.user_filter, name)
            person = None if entry is None else self._person(connection, entry)
        # An unknown name takes as long as a wrong password: nobody learns who is in the directory.
        dn = NOBODY + self.settings.base if entry is None else str(entry.dn)
        return person if self._binds(dn, password) else None

    def named(self, name: str) -> ExternalPerson | None:
        """The person of a name that another provider vouches for; None if there is none. Raises `Unavailable`."""
        with self._connection() as connection:
            entry = self._found(connection, self.settings.user_filter, name)
            return None if entry is None else self._person(connection, entry)

    def read(self, identity: KnownIdentity) -> ExternalPerson | None:
        """The person as the directory has it now; None if it has left, or the filter of users leaves it out."""
        settings, subject = self.settings, identity.subject.rpartition("#")[2]
        with self._connection() as connection:
            everybody = _filled(settings.user_filter, "name", "*", verbatim=True)
            condition = f"(&{everybody}({settings.subject_attribute}={_octets(subject)}))"
            entries = self._search(connection, settings.base, condition)
            return self._person(connection, entries[0]) if len(entries) == 1 else None

    # Entries

    def _found(self, connection: Any, template: str, name: str) -> Any:
        """The one entry of a name; None if there is none, or several."""
        if len(name) > 255 or not name.isprintable():
            return None
        entries = self._search(connection, self.settings.base, _filled(template, "name", name))
        return entries[0] if len(entries) == 1 else None

    def _search(self, connection: Any, base: str, condition: str, most: int = 2) -> list[Any]:
        import bonsai

        settings = self.settings
        wanted = [settings.name_attribute, settings.subject_attribute, "givenName", "sn", "mail"]
        wanted.append(settings.group_name_attribute)
        scope = bonsai.LDAPSearchScope.SUBTREE
        try:
            # One of several is as wrong as none, so a few are enough.
            return list(
                connection.search(base, scope, condition, wanted, timeout=settings.timeout_seconds, sizelimit=most)
            )
        except bonsai.SizeLimitError:
            return [None, None]
        except bonsai.NoSuchObjectError:
            return []

    def _person(self, connection: Any, entry: Any) -> ExternalPerson:
        settings = self.settings
        subject, name = _octets_of(entry, settings.subject_attribute), _first(entry, settings.name_attribute)
        if not subject:
            raise Forbidden(f"the directory has no `{settings.subject_attribute}` of you, so you cannot be known again")
        groups = frozenset(self._groups(connection, str(entry.dn)))
        first, last, email = (_first(entry, each) for each in ("givenName", "sn", "mail"))
        return ExternalPerson(self.name, f"{settings.base}#{subject}", name, groups, first, last, email)

    def _groups(self, connection: Any, dn: str) -> set[str]:
        """The names of the groups that somebody is in, directly or by other groups."""
        import bonsai

        settings, names, seen, level = self.settings, set[str](), set[str](), [dn]
        base = settings.groups_base or settings.base
        if settings.nested == "chain":
            condition = f"(member:{IN_CHAIN}:={bonsai.escape_filter_exp(dn)})"
            return {_first(each, settings.group_name_attribute) for each in self._members(connection, base, condition)}
        for _ in range(LEVELS if settings.nested == "walk" else 1):
            found = [
                each
                for member in level
                for each in self._members(connection, base, _filled(settings.group_filter, "dn", member))
            ]
            # Groups may contain each other.
            level = [str(each.dn) for each in found if str(each.dn) not in seen]
            seen.update(level)
            names.update(_first(each, settings.group_name_attribute) for each in found)
            if not level or len(names) > MOST_GROUPS:
                break
        return names - {""}

    def _members(self, connection: Any, base: str, condition: str) -> list[Any]:
        return [each for each in self._search(connection, base, condition, MOST_GROUPS) if each is not None]

    # Connections

    def _binds(self, dn: str, password: str) -> bool:
        """Whether the directory accepts a password for a name."""
        import bonsai

        client = self._client()
        client.set_credentials("SIMPLE", user=dn, password=password)
        try:
            client.connect(timeout=self.settings.timeout_seconds).close()
        except (bonsai.AuthenticationError, bonsai.InvalidDN, bonsai.NoSuchObjectError, bonsai.PasswordPolicyError):
            return False
        except bonsai.UnwillingToPerform:
            return False
        except bonsai.LDAPError as error:
            raise _away(error) from None
        return True

    @contextmanager
    def _connection(self) -> Iterator[Any]:
        """A connection of the server's own account. One that was closed meanwhile is opened again, once."""
        import bonsai

        pool = self._opened()
        try:
            connection = pool.get()
        except (bonsai.LDAPError, bonsai.pool.PoolError) as error:
            self._drop()
            raise _away(error) from None
        try:
            yield connection
        except bonsai.LDAPError as error:
            # The next one begins with connections that work.
            connection.close()
            self._drop()
            raise _away(error) from None
        finally:
            self._put(pool, connection)

    def _put(self, pool: Any, connection: Any) -> None:
        import bonsai

        try:
            pool.put(connection)
        except bonsai.pool.PoolError:
            connection.close()

    def _drop(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None and not pool.closed:
            pool.close()

    def _opened(self) -> Any:
        import bonsai
        import bonsai.pool

        pool = self._pool
        if pool is None:
            client = self._client()
            if self.settings.bind_dn:
                client.set_credentials("SIMPLE", user=self.settings.bind_dn, password=self.settings.bind_password)
            pool = bonsai.pool.ThreadedConnectionPool(
                client, 1, max(1, int(self.settings.connections)), timeout=self.settings.timeout_seconds
            )
            try:
                pool.open()
            except bonsai.LDAPError as error:
                raise _away(error) from None
            self._pool = pool
        return pool

    def _client(self) -> Any:
        import bonsai

        settings = self.settings
        client = bonsai.LDAPClient(settings.url, settings.start_tls)
        client.set_cert_policy("demand")
        if settings.certificate_authority:
            client.set_ca_cert(settings.certificate_authority)
        # A referral leads to a server that the settings do not name.
        client.set_ignore_referrals(True)
        client.set_server_chase_referrals(False)
        client.set_raw_attributes([settings.subject_attribute])
        return client


def _filled(template: str, place: str, value: str, verbatim: bool = False) -> str:
    """A filter with a value in its place, in which nothing means anything but itself."""
    import bonsai

    return template.replace("{" + place + "}", value if verbatim else bonsai.escape_filter_exp(value))


def _first(entry: Any, attribute: str) -> str:
    values = entry.get(attribute) or [""]
    return str(values[0])


def _octets_of(entry: Any, attribute: str) -> str:
    """A value as a text that means the same bytes: readable ones as they are."""
    values = entry.get(attribute) or [b""]
    value = values[0] if isinstance(values[0], bytes) else str(values[0]).encode()
    try:
        text = value.decode("ascii")
    except UnicodeDecodeError:
        text = ""
    readable = text.isprintable() and text.replace("-", "").isalnum()
    return text if readable else "base64:" + base64.b64encode(value).decode()


def _octets(subject: str) -> str:
    """A value in a filter, each byte of it escaped."""
    value = base64.b64decode(subject[7:]) if subject.startswith("base64:") else subject.encode()
    return "".join(f"\\{each:02x}" for each in value)


def _away(error: Exception) -> Unavailable:
    return Unavailable(f"the directory does not answer ({type(error).__name__})")
