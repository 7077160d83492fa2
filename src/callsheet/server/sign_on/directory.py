"""Who somebody at a provider is here: an account, linked to the provider's identity, with the roles of its groups.

An identity never becomes an account by its name alone: an account that exists already is linked by an administrator, or
by the setting ``link_existing``, and one that administers this server by an administrator only.

While an account with an identity is used, its provider is read at least once every ``FRESH_SECONDS``: by requests, and
by a thread for connections that stay open. What has changed counts from the next delivery on. If the provider cannot be
reached, what it last said holds for ``away_seconds``, and then the account is refused until it answers again.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Protocol

from attrs import evolve, field, frozen

from callsheet.bounded import BoundedDict
from callsheet.errors import CallsheetError, Forbidden, Unauthorised, Unavailable
from callsheet.server.access.identities import Identities, KnownIdentity
from callsheet.server.context import ServerContext
from callsheet.server.members import add_person
from callsheet.server.sign_on.settings import ProviderSettings

__all__ = ["ExternalPerson", "PeopleDirectory", "PeopleSource"]

log = logging.getLogger("callsheet.server.sign_on")

FRESH_SECONDS = 45.0
"""What a provider said is used for so long; the thread looks every `LOOK_SECONDS`, so a minute is never reached."""
LOOK_SECONDS = 10.0
ACTIVE = timedelta(hours=2)
"""An account counts as used for so long after its last request: longer than any stream of events stays open."""
READERS = 2
"""Requests that wait for a provider at the same time; the others are refused meanwhile."""
PAUSE_SECONDS = 5.0
"""After a provider did not answer, it is left alone for so long."""
MOST = 10_000


@frozen
class ExternalPerson:
    """What a provider says of somebody. ``subject`` is never given to another person; ``name`` may be."""

    provider: str
    subject: str
    name: str
    groups: frozenset[str] = frozenset()
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    state: str = field(default="", repr=False)
    """What the provider needs to read the person again."""


class ProviderBusy(Unavailable):
    """The provider was not read, because it is silent, or busy with others."""


class PeopleSource(Protocol):
    """A provider whose people can be read without them."""

    @property
    def settings(self) -> ProviderSettings: ...

    def is_readable(self, identity: KnownIdentity) -> bool:
        """Whether there is what it takes to read the person: it has signed on, if that is needed."""

    def read(self, identity: KnownIdentity) -> ExternalPerson | None:
        """The person as it is now; None if the provider no longer vouches for it. Raises `Unavailable`."""


class PeopleDirectory:
    """The people of all providers of one server."""

    def __init__(self, context: ServerContext) -> None:
        self._context, self._identities = context, Identities(context.store)
        self._sources: dict[str, PeopleSource] = {}
        self._read: BoundedDict[tuple[str, str], datetime] = BoundedDict(MOST)
        self._used: BoundedDict[str, datetime] = BoundedDict(MOST)
        self._known: BoundedDict[str, tuple[int, list[KnownIdentity]]] = BoundedDict(MOST)
        self._silent: dict[str, datetime] = {}
        self._room = threading.Semaphore(READERS)
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def add_source(self, provider: str, source: PeopleSource) -> None:
        """Read the people of a provider from here."""
        self._sources[provider] = source

    # Signing on

    def admit(self, person: ExternalPerson, settings: ProviderSettings, address: str = "") -> str:
        """The account of somebody whom a provider vouches for. Raises `Forbidden` or `Unauthorised`."""
        roles = mapped_roles(person, settings)
        known = self._identities.find(person.provider, person.subject)
        account = self._newcomer(person, settings) if known is None else known.account
        found = self._context.accounts.get(account)
        if known is not None and (found is None or found.disabled):
            raise Unauthorised(f"the account `{account}` is disabled")
        now = self._context.now()
        if found is None:
            self._make(account, person)
            self._context.audit.happened(
                "sign-on", f"first signed on by {person.provider}", account=account, address=address
            )
        self._save(KnownIdentity(person.provider, person.subject, account, roles, now, state=person.state), known)
        self._read[person.provider, person.subject] = now
        return account

    def _newcomer(self, person: ExternalPerson, settings: ProviderSettings) -> str:
        """The account of a person who signs on for the first time."""
        name, accounts = person.name, self._context.accounts
        if not 0 < len(name) <= 255 or not name.isprintable() or name != name.strip():
            raise Forbidden(f"{person.provider} gives you no name that an account can have; ask your administrator")
        found = accounts.get(name)
        if found is None:
            near = next((each.name for each in accounts.list() if each.name.casefold() == name.casefold()), None)
            if near is not None:
                raise Forbidden(
                    f"there is an account `{near}` already, whose name differs from `{name}` in its case only"
                )
            if not settings.create:
                raise Forbidden(f"you have no account here: ask an administrator to add `{name}`, and to link it")
            return name
        taken = self._identities.of(name)
        administers = self._context.access(name).permissions.admin if not found.disabled else True
        if taken or administers or not settings.link_existing:
            raise Forbidden(
                f"there is an account `{name}` already, which is not linked to you at {person.provider}; an "
                f"administrator links it by `callsheet users link {name} {person.provider} {person.subject}`"
            )
        return name

    def _make(self, account: str, person: ExternalPerson) -> None:
        given = {"first_name": person.first_name, "last_name": person.last_name, "email": person.email}
        add_person(self._context, account, "guest", given)

    def _save(self, identity: KnownIdentity, known: KnownIdentity | None) -> None:
        before = None if known is None else evolve(known, read=identity.read)
        if before == identity:
            return
        self._context.store.write(lambda connection: self._identities.link(connection, identity))
        if before is None or evolve(before, state="") != evolve(identity, state=""):
            self._context.accounts.changed()

    # Being signed on

    def check(self, account: str) -> None:
        """Raise `Unauthorised` if a provider of the account no longer vouches for it; may wait for the provider."""
        identities = self._identities_of(account)
        if not identities:
            return
        self._used.renew(account, self._context.now())
        for identity in identities:
            if identity.ended is not None:
                raise Unauthorised(f"{identity.reason or 'your sign-on has ended'}; sign on again")
            source = self._sources.get(identity.provider)
            if source is not None and source.is_readable(identity) and not self._is_fresh(identity):
                self._refresh(identity, source, waits=False)

    def read_all(self) -> None:
        """Read every identity whose account is in use and was not read for a while; failures are logged."""
        now = self._context.now()
        for account, used in list(self._used.items()):
            if now - used > ACTIVE:
                continue
            for identity in self._identities_of(account):
                source = self._sources.get(identity.provider)
                due = identity.ended is None and not self._is_fresh(identity, LOOK_SECONDS)
                if source is not None and due and source.is_readable(identity):
                    try:
                        self._refresh(identity, source, waits=True)
                    except CallsheetError as error:
                        log.info("%s of %s: %s", identity.provider, identity.account, error)

    def start(self) -> None:
        """Read in a thread of its own, for connections that stay open, until `close`."""
        if self._sources and self._thread is None:
            self._thread = threading.Thread(target=self._look, name="callsheet-sign-on", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(10)

    def _look(self) -> None:
        while not self._ended.wait(LOOK_SECONDS):
            try:
                self.read_all()
            except Exception:
                log.exception("people could not be read")

    def _identities_of(self, account: str) -> list[KnownIdentity]:
        generation = self._context.accounts.generation
        found = self._known.get(account)
        if found is None or found[0] != generation:
            found = (generation, self._identities.of(account))
            self._known[account] = found
        return found[1]

    def _is_fresh(self, identity: KnownIdentity, less: float = 0.0) -> bool:
        read = self._read.get((identity.provider, identity.subject))
        return read is not None and self._context.now() - read < timedelta(seconds=FRESH_SECONDS - less)

    def _refresh(self, identity: KnownIdentity, source: PeopleSource, waits: bool) -> None:
        """Read an identity again. Raises `Unauthorised` if it has ended, `Unavailable` after ``away_seconds``."""
        try:
            with self._turn(identity.provider, waits):
                # Somebody else may have read it meanwhile, or stored another token.
                newest = self._identities.find(identity.provider, identity.subject)
                if newest is None:
                    raise Unauthorised("your account is no longer linked; sign on again")
                if self._is_fresh(newest) and newest.ended is None:
                    return
                person = source.read(newest)
        except ProviderBusy as error:
            self._bear(identity, source.settings, error)
            return
        except Unavailable as error:
            self._silent[identity.provider] = self._context.now()
            self._bear(identity, source.settings, error)
            return
        self._silent.pop(identity.provider, None)
        now = self._context.now()
        self._read[identity.provider, identity.subject] = now
        if person is None:
            raise self._end(newest, f"{identity.provider} no longer vouches for `{identity.account}`")
        try:
            roles = mapped_roles(person, source.settings)
        except Forbidden as error:
            raise self._end(newest, str(error)) from None
        self._save(evolve(newest, roles=roles, read=now, state=person.state), newest)

    def _end(self, identity: KnownIdentity, reason: str) -> Unauthorised:
        """End an identity, and the logins of its account; returns the error for who used it."""
        now, logins = self._context.now(), self._context.logins
        ended = evolve(identity, roles=(), ended=now, reason=reason, state="", read=now)
        self._context.store.write(lambda connection: self._identities.link(connection, ended))
        logins.sign_out(identity.account, reason)
        self._context.audit.happened("sign-on", reason, account=identity.account)
        return Unauthorised(f"{reason}; sign on again")

    def _bear(self, identity: KnownIdentity, settings: ProviderSettings, error: Unavailable) -> None:
        """Let what the provider last said hold for a while."""
        read = self._read.get((identity.provider, identity.subject)) or identity.read
        if self._context.now() - read > timedelta(seconds=max(FRESH_SECONDS, settings.away_seconds)):
            refused = Unavailable(f"{identity.provider} cannot be reached, so nobody can say who may be here: {error}")
            refused.retry_after = PAUSE_SECONDS
            raise refused

    @contextmanager
    def _turn(self, provider: str, waits: bool) -> Iterator[None]:
        """One of the few places of requests that wait for a provider; raises `ProviderBusy` if there is none."""
        silent = self._silent.get(provider)
        if silent is not None and self._context.now() - silent < timedelta(seconds=PAUSE_SECONDS):
            raise ProviderBusy(f"{provider} did not answer a moment ago")
        if not self._room.acquire(blocking=waits):
            raise ProviderBusy(f"{provider} is being read for others")
        try:
            yield
        finally:
            self._room.release()


def mapped_roles(person: ExternalPerson, settings: ProviderSettings) -> tuple[str, ...]:
    """The roles of a person: those of its groups, by the exact names in the settings, or the one of all people.

    >>> settings = ProviderSettings(roles={"artists": "user"})
    >>> mapped_roles(ExternalPerson("oidc", "7", "anna", frozenset({"artists", "admin"})), settings)
    ('user',)
    """
    found = {role for group, role in settings.roles.items() if group in person.groups}
    if not found and settings.default_role:
        found = {settings.default_role}
    if not found:
        raise Forbidden(f"no group of `{person.name}` at {person.provider} has a role here; ask an administrator")
    return tuple(sorted(found))


def check_roles(mapping: Mapping[str, ProviderSettings], known: Mapping[str, object]) -> Iterator[str]:
    """What is wrong with the roles that settings name."""
    for place, settings in mapping.items():
        for role in {*settings.roles.values(), settings.default_role} - {""}:
            if role not in known:
                yield f"`authentication.{place}.roles`: there is no role `{role}`; there are {', '.join(known)}"
