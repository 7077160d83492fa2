"""How people sign on by a provider of the house: the settings of each provider, read from plain data and checked.

The same names are keys of ``serve(authentication=…)``, of a TOML file, of the environment and of the command line
(``configuring.py``). ``roles`` maps groups of the provider to roles of this server. A group that is not in it gives no
role, whatever its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from importlib.util import find_spec
from typing import Any, TypeVar
from urllib.parse import urlsplit

from attrs import Attribute, field, fields, fields_dict, frozen

from callsheet.errors import UsageError
from callsheet.transport.address import is_loopback

__all__ = [
    "CertificateSettings",
    "JwtSettings",
    "LdapSettings",
    "OidcSettings",
    "ProviderSettings",
    "SignOnSettings",
    "check_address",
    "check_algorithms",
    "checked_sign_on",
    "https_files",
    "read_section",
    "read_sign_on",
]

T = TypeVar("T")
SECRET = {"secret": True}
"""The metadata of a setting that is never shown."""
SIGNATURES = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
"""Algorithms by which a provider may sign: those with a public key only."""


@frozen(kw_only=True)
class ProviderSettings:
    """Which accounts the people of a provider have here, and what they may do."""

    roles: Mapping[str, str] = field(factory=dict)
    """A group of the provider → a role of this server."""
    default_role: str = ""
    """The role of people in none of these groups; empty refuses them."""
    create: bool = True
    """Whether somebody who signs on for the first time gets an account."""
    link_existing: bool = False
    """Whether an account of the same name, which is not an administrator's, becomes the person's."""
    away_seconds: float = 600.0
    """How long people stay signed on while the provider cannot be reached."""


@frozen(kw_only=True)
class OidcSettings(ProviderSettings):
    """An OpenID provider: ``issuer`` is its address, and this server is known there as ``client_id``."""

    issuer: str
    client_id: str
    client_secret: str = field(default="", repr=False, metadata=SECRET)
    name: str = "single sign-on"
    public_url: str = ""
    """This server's address as browsers know it; needed unless it serves this machine only."""
    scopes: tuple[str, ...] = ("openid", "profile", "email", "offline_access")
    name_claim: str = "preferred_username"
    groups_claim: str = "groups"
    algorithms: tuple[str, ...] = ("RS256", "PS256", "ES256", "EdDSA", "Ed25519")
    client_authentication: str = "client_secret_basic"
    certificate_authority: str = ""
    """A PEM file with the authority of the provider's certificate, if it is the house's own."""
    leeway_seconds: float = 30.0

    def __attrs_post_init__(self) -> None:
        check_address("authentication.oidc.issuer", self.issuer)
        if self.public_url:
            check_address("authentication.oidc.public_url", self.public_url)
        check_algorithms("authentication.oidc.algorithms", self.algorithms)
        if "openid" not in self.scopes:
            raise UsageError("`authentication.oidc.scopes` lacks `openid`, without which no provider says who signs on")
        if self.client_authentication not in ("client_secret_basic", "client_secret_post"):
            raise UsageError("`authentication.oidc.client_authentication` is client_secret_basic or client_secret_post")


@frozen(kw_only=True)
class JwtSettings(ProviderSettings):
    """An external issuer of tokens, which programs present where an API key is."""

    issuer: str
    audience: str
    keys: str = ""
    """The address of the issuer's public keys; by default it is discovered, as an OpenID provider's is."""
    name_claim: str = "sub"
    groups_claim: str = "groups"
    algorithms: tuple[str, ...] = ("RS256", "PS256", "ES256", "EdDSA", "Ed25519")
    certificate_authority: str = ""
    leeway_seconds: float = 30.0

    def __attrs_post_init__(self) -> None:
        check_address("jwt.issuer", self.issuer)
        if self.keys:
            check_address("jwt.keys", self.keys)
        check_algorithms("jwt.algorithms", self.algorithms)


@frozen(kw_only=True)
class LdapSettings(ProviderSettings):
    """A directory: where it is, the account that reads it, and where people and groups are in it."""

    url: str
    base: str
    bind_dn: str = ""
    bind_password: str = field(default="", repr=False, metadata=SECRET)
    start_tls: bool = False
    certificate_authority: str = ""
    user_filter: str = "(uid={name})"
    name_attribute: str = "uid"
    subject_attribute: str = "entryUUID"
    """What is never given to another entry; Active Directory's is ``objectGUID``."""
    groups_base: str = ""
    group_filter: str = "(member={dn})"
    group_name_attribute: str = "cn"
    nested: str = "walk"
    """Groups in groups: ``walk`` looks for them, ``chain`` lets Active Directory do so, ``no`` leaves them out."""
    timeout_seconds: float = 5.0
    connections: float = 4.0

    def __attrs_post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("ldap", "ldaps") or not parts.hostname:
            raise UsageError(f"`authentication.ldap.url` is like ldaps://ldap.example.org, not {self.url!r:.80}")
        if parts.scheme == "ldap" and not self.start_tls and not is_loopback(parts.hostname):
            raise UsageError("`authentication.ldap.url`: passwords need ldaps://, or `start_tls = true`")
        if "{name}" not in self.user_filter or "{dn}" not in self.group_filter:
            raise UsageError("`authentication.ldap.user_filter` has {name} in it, and `group_filter` has {dn}")
        if self.nested not in ("walk", "chain", "no"):
            raise UsageError(f"`authentication.ldap.nested` is walk, chain or no, not {self.nested!r:.40}")


@frozen(kw_only=True)
class CertificateSettings:
    """Certificates of clients: the authority that issues them, and what in them is the account's name."""

    authority: str
    """A PEM file with the authorities whose certificates count."""
    revoked: str = ""
    """A PEM file with the authorities' lists of revoked certificates; it is read again when it changes."""
    account: str = "subject.CN"
    accounts: Mapping[str, str] = field(factory=dict)
    """What a certificate says → an account; by default the account is what it says."""
    required: bool = False
    """Whether a connection without a certificate is refused."""

    def __attrs_post_init__(self) -> None:
        if self.account not in PLACES:
            raise UsageError(f"`client_certificate.account` is one of {', '.join(PLACES)}, not {self.account!r:.40}")


PLACES = ("subject.CN", "san.email", "san.dns", "san.uri")


@frozen(kw_only=True)
class SignOnSettings:
    """The providers of a server; None for those that it does not use."""

    oidc: OidcSettings | None = None
    jwt: JwtSettings | None = None
    ldap: LdapSettings | None = None
    client_certificate: CertificateSettings | None = None


def checked_sign_on(given: Mapping[str, Any], same_site: str, encrypted: bool) -> SignOnSettings:
    """The settings, after a check of the libraries that they need, and of the cookie's ``same_site``."""
    if same_site not in ("lax", "strict", "none"):
        raise UsageError(f"`same_site` is lax, strict or none, not {same_site!r:.40}")
    if same_site == "none" and not encrypted:
        raise UsageError("`same_site` none needs HTTPS: browsers drop such a cookie of an address without")
    found = read_sign_on(given)
    if found.client_certificate is not None and not encrypted:
        raise UsageError("`client_certificate` needs HTTPS: give the server a certificate and its key")
    for section, libraries in LIBRARIES.items():
        missing = [each for each in libraries if find_spec(each) is None]
        if missing and getattr(found, section) is not None:
            extra = EXTRAS.get(section, "oidc")
            raise UsageError(f"`{section}` needs {', '.join(missing)}: pip install 'callsheet[{extra}]'")
    return found


def https_files(given: Mapping[str, str]) -> tuple[str, str]:
    """The files of ``https``: the server's certificate and its key."""
    if not isinstance(given, Mapping) or set(given) != {"certificate", "key"}:
        raise UsageError("`https` has two settings: `certificate` and `key`, each a PEM file")
    return str(given["certificate"]), str(given["key"])


def check_address(place: str, address: str) -> None:
    """Raise `UsageError` for what is not an address by HTTPS, or by HTTP of this machine."""
    parts = urlsplit(address)
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.query or parts.fragment:
        raise UsageError(f"`{place}` is an address like https://login.example.org, not {address!r:.80}")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise UsageError(
            f"`{place}` starts with https://: over http others could answer in the name of {parts.hostname}"
        )


def check_algorithms(place: str, algorithms: tuple[str, ...]) -> None:
    """Raise `UsageError` unless all of them sign with a key that only the provider has."""
    wrong = next((each for each in algorithms if each not in SIGNATURES), None)
    if wrong is not None or not algorithms:
        raise UsageError(f"`{place}` lists some of {', '.join(SIGNATURES)}; {wrong or 'nothing'} is none of them")


LIBRARIES: Mapping[str, tuple[str, ...]] = {
    "oidc": ("authlib", "cryptography"),
    "jwt": ("joserfc", "cryptography"),
    "ldap": ("bonsai",),
    "client_certificate": ("cryptography",),
}
"""What each provider needs: the extra ``oidc`` has it all, but for those of an extra of their name."""
EXTRAS: Mapping[str, str] = {"ldap": "ldap"}
PLACES_OF: Mapping[str, str] = {
    "oidc": "authentication.oidc",
    "ldap": "authentication.ldap",
    "jwt": "jwt",
    "client_certificate": "client_certificate",
}
"""The table of each section."""
SECTIONS: Mapping[str, type[Any]] = {
    "oidc": OidcSettings,
    "jwt": JwtSettings,
    "ldap": LdapSettings,
    "client_certificate": CertificateSettings,
}


def read_sign_on(given: Mapping[str, Any]) -> SignOnSettings:
    """The settings in plain data: ``{"oidc": {"issuer": …}}``. Raises `UsageError` that names the wrong one.

    >>> read_sign_on({"oidc": {"issuer": "https://login.example.org", "client_id": "callsheet"}}).oidc.client_id
    'callsheet'
    >>> read_sign_on({"oidc": {"isuer": "https://login.example.org"}})
    Traceback (most recent call last):
    callsheet.errors.UsageError: there is no setting `authentication.oidc.isuer`; did you mean `issuer`?
    """
    if not isinstance(given, Mapping):
        raise UsageError(f"`authentication` has a table for each provider: {', '.join(SECTIONS)}")
    for name in given:
        if name not in SECTIONS:
            raise UsageError(f"there is no provider `authentication.{name:.40}`; {_hint(name, SECTIONS)}")
    read = {name: read_section(SECTIONS[name], section, PLACES_OF[name]) for name, section in given.items()}
    return SignOnSettings(**read)


def read_section(kind: type[T], given: object, place: str) -> T:
    """The settings of one table, each of its kind."""
    known = fields_dict(kind)  # type: ignore[arg-type]
    if not isinstance(given, Mapping):
        raise UsageError(f"`{place}` is a table of settings: {', '.join(known)}")
    for name in given:
        if name not in known:
            raise UsageError(f"there is no setting `{place}.{name:.40}`; {_hint(name, known)}")
    for each in fields(kind):  # type: ignore[arg-type]
        if each.default is None or isinstance(each.default, bool):
            continue
        if _is_required(each) and not given.get(each.name):
            raise UsageError(f"`{place}.{each.name}` is missing")
    return kind(**{name: _value(known[name], value, f"{place}.{name}") for name, value in given.items()})


def _is_required(each: Attribute[Any]) -> bool:
    from attrs import NOTHING

    return each.default is NOTHING


def _hint(name: str, known: Mapping[str, object]) -> str:
    near = get_close_matches(name, known, 1)
    return f"did you mean `{near[0]}`?" if near else f"there are {', '.join(known)}"


def _value(each: Attribute[Any], value: object, place: str) -> object:
    """A value of the kind that a setting has; texts, as the environment has them, are read."""
    kind = str(each.type)
    if kind == "bool":
        return _truth(value, place)
    if kind == "float":
        return _number(value, place)
    if kind.startswith("tuple"):
        return _texts(value, place)
    if kind.startswith("Mapping"):
        return _pairs(value, place)
    if not isinstance(value, str) or not value.isprintable():
        raise UsageError(f"`{place}` is a text, not {type(value).__name__}")
    return value.strip()


def _truth(value: object, place: str) -> bool:
    found = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}.get(str(value).lower())
    if found is None:
        raise UsageError(f"`{place}` is true or false, not {value!r:.40}")
    return found


def _number(value: object, place: str) -> float:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = -1.0
    if isinstance(value, bool) or not 0 <= number < 1e9:
        raise UsageError(f"`{place}` is a number that is not negative, not {value!r:.40}")
    return number


def _texts(value: object, place: str) -> tuple[str, ...]:
    given = value.replace(",", " ").split() if isinstance(value, str) else value
    if not isinstance(given, list | tuple) or not all(isinstance(each, str) and each for each in given):
        raise UsageError(f"`{place}` is a list of texts, not {value!r:.40}")
    return tuple(given)


def _pairs(value: object, place: str) -> dict[str, str]:
    given: object = value
    if isinstance(value, str):
        # A group of a directory may have commas and `=` in it; a role has neither.
        given = {group.strip(): role.strip() for group, _, role in (p.rpartition("=") for p in value.split(";") if p)}
    fine = isinstance(given, Mapping) and all(
        isinstance(name, str) and name and isinstance(role, str) and role for name, role in given.items()
    )
    if not fine or not isinstance(given, Mapping):
        raise UsageError(f"`{place}` is a table of groups and their roles, such as GROUP=ROLE;GROUP=ROLE")
    return dict(given)
