"""All providers of one server together: what a person may sign on by, and who somebody is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from callsheet.dialects.accounts import IssuedTokens
from callsheet.errors import NotFound, UsageError
from callsheet.server.access.authentication import Provider
from callsheet.server.access.browser_logins import BrowserLogin
from callsheet.server.access.identities import Identities
from callsheet.server.access.login_secret import LoginSecret
from callsheet.server.context import ServerContext
from callsheet.server.sign_on.client_certificates import ClientCertificates
from callsheet.server.sign_on.directory import ExternalPerson, PeopleDirectory, check_roles
from callsheet.server.sign_on.external_tokens import ExternalTokens
from callsheet.server.sign_on.ldap import LdapDirectory
from callsheet.server.sign_on.oidc import OidcProvider
from callsheet.server.sign_on.sealing import Seals
from callsheet.server.sign_on.settings import ProviderSettings, SignOnSettings, read_sign_on

__all__ = ["SignOn", "client_authority", "sign_on_by"]


def sign_on_by(context: ServerContext, authentication: Mapping[str, Any], same_site: str = "lax") -> None:
    """Let people sign on to a server by these providers, and set its cookie's ``same_site``."""
    if authentication or same_site != "lax":
        context.sign_on = SignOn(context, read_sign_on(authentication), same_site)
        context.sign_on.start()


def client_authority(authentication: Mapping[str, Any]) -> dict[str, Any]:
    """Whose certificates clients present, as options of the server's connections."""
    found = read_sign_on(authentication).client_certificate
    return {} if found is None else {"authority": found.authority, "required": found.required}


class SignOn:
    """The providers of one server, as its settings name them. `start` reads people again; `close` ends that."""

    def __init__(self, context: ServerContext, settings: SignOnSettings, same_site: str = "lax") -> None:
        self._context, self.settings, self.same_site = context, settings, same_site
        self.directory = PeopleDirectory(context)
        self._identities = Identities(context.store)
        seals = Seals(LoginSecret(context.store), context.now)
        self.oidc: OidcProvider | None = None
        self.jwt: ExternalTokens | None = None
        self.providers: list[Provider] = []
        """What recognises credentials of their own, before those of this server."""
        self._check_roles()
        if settings.oidc is not None:
            self.oidc = OidcProvider(settings.oidc, self._identities, seals, context.now)
            self.directory.add_source("oidc", self.oidc)

        if settings.jwt is not None:
            self.jwt = ExternalTokens(settings.jwt, self._identities, self.directory, context.now)
            self.providers.append(self.jwt)
        self.ldap: LdapDirectory | None = None
        if settings.ldap is not None:
            self.ldap = LdapDirectory(settings.ldap)
            self.directory.add_source("ldap", self.ldap)
            context.logins.ask_elsewhere(self._by_password)
        if settings.client_certificate is not None:
            self.providers.append(ClientCertificates(settings.client_certificate, context.accounts, context.now))

    def start(self) -> None:
        """Read the people of connections that stay open, from now on."""
        self.directory.start()

    def close(self) -> None:
        self.directory.close()
        if self.oidc is not None:
            self.oidc.close()
        if self.jwt is not None:
            self.jwt.close()
        if self.ldap is not None:
            self.ldap.close()

    def ways(self) -> dict[str, Any]:
        """By what a person may sign on here, beside a name and a password."""
        return {"oidc": None if self.oidc is None else {"name": self.oidc.settings.name}}

    def checked_oidc(self) -> OidcProvider:
        """The OpenID provider. Raises `NotFound` if there is none."""
        if self.oidc is None:
            raise NotFound("this server has no single sign-on; sign in with a name and a password, or an API key")
        return self.oidc

    def browser_login(
        self, person: ExternalPerson, settings: ProviderSettings, device: str, address: str
    ) -> BrowserLogin:
        """A new login of a browser, for somebody whom a provider vouches for."""
        account = self.directory.admit(person, settings, address)
        return self._context.logins.sign_in_as(account, device, address)

    def tokens(self, person: ExternalPerson, settings: ProviderSettings, device: str, address: str) -> IssuedTokens:
        """The tokens of a new login, for somebody whom a provider vouches for."""
        account = self.directory.admit(person, settings, address)
        return self._context.logins.login_as(account, device, address, person.provider)

    def _by_password(self, name: str, password: str, address: str) -> str | None:
        """The account of a name and a password of the directory; None if one of them is wrong."""
        assert self.ldap is not None
        person = self.ldap.authenticated(name, password)
        return None if person is None else self.directory.admit(person, self.ldap.settings, address)

    def leave(self, account: str, server: str) -> str:
        """Where a browser ends the login at the provider, too; empty if there is nothing to end."""
        if self.oidc is None:
            return ""
        found = [each for each in self._identities.of(account) if each.provider == "oidc" and each.ended is None]
        return self.oidc.leave(found[0] if found else None, server)

    def _check_roles(self) -> None:
        found = self.settings
        mapping: dict[str, ProviderSettings | None] = {"oidc": found.oidc, "jwt": found.jwt, "ldap": found.ldap}
        present = {name: each for name, each in mapping.items() if each is not None}
        for wrong in check_roles(present, self._context.roles.list()):
            raise UsageError(wrong)
