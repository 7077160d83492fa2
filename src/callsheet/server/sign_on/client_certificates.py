"""Programs that present a certificate: who it is issued to, if it is not expired and not revoked.

TLS has verified that an authority of the settings issued the certificate, and that the client has its key. Dates and
revocation are checked again at each look, so that they count for connections that stay open. Requests of browsers do
not count as presenting one: a browser presents it with requests that other sites cause.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from callsheet.dialects.routes import CERTIFICATE, Credentials
from callsheet.errors import Unauthorised, UsageError
from callsheet.server.access.accounts import Accounts
from callsheet.server.access.principal import Principal
from callsheet.server.sign_on.settings import CertificateSettings

__all__ = ["ClientCertificates"]


class ClientCertificates:
    """The provider for certificates of clients."""

    name = "certificate"
    generation = 0

    def __init__(self, settings: CertificateSettings, accounts: Accounts, clock: Callable[[], datetime]) -> None:
        self._settings, self._accounts, self._clock = settings, accounts, clock
        self._lists: list[Any] = []
        self._read: tuple[float, int] | None = None
        self._issuers = _certificates(settings.authority)
        if settings.revoked:
            self._revocations()

    def is_guessable(self, credentials: Credentials) -> bool:
        """False for a certificate, whose key nobody guesses."""
        return credentials.kind != CERTIFICATE

    def authenticate(self, credentials: Credentials) -> Principal | None:
        """The account of a certificate; None for anything else."""
        if credentials.kind != CERTIFICATE:
            return None
        from cryptography import x509

        try:
            found = x509.load_der_x509_certificate(base64.b64decode(credentials.secret))
        except ValueError:
            raise Unauthorised("the certificate cannot be read") from None
        now = self._clock()
        if not found.not_valid_before_utc <= now < found.not_valid_after_utc:
            raise Unauthorised("the certificate has expired, or is not valid yet")
        self._check_revoked(found, now)
        account = self._account(found)
        known = self._accounts.get(account)
        if known is None or known.disabled:
            raise Unauthorised(
                f"the certificate is issued to `{account:.80}`, which is no account here, or is disabled"
            )
        return Principal(account, provider=self.name, expires=found.not_valid_after_utc)

    def _account(self, found: Any) -> str:
        values = _values(found, self._settings.account)
        if len(values) != 1 or not values[0].isprintable():
            raise Unauthorised(f"the certificate has {len(values)} of `{self._settings.account}`; one is an account")
        named = self._settings.accounts
        if named and values[0] not in named:
            raise Unauthorised(f"the settings name no account for the certificate of `{values[0]:.80}`")
        return named[values[0]] if named else values[0]

    def _check_revoked(self, found: Any, now: datetime) -> None:
        if not self._settings.revoked:
            return
        lists = [each for each in self._revocations() if each.issuer == found.issuer]
        if not lists:
            raise Unauthorised("there is no list of revoked certificates of this certificate's issuer")
        newest = max(lists, key=lambda each: each.last_update_utc)
        if newest.next_update_utc is not None and newest.next_update_utc <= now:
            raise Unauthorised("the list of revoked certificates is out of date; the operator has to renew it")
        if any(each.get_revoked_certificate_by_serial_number(found.serial_number) is not None for each in lists):
            raise Unauthorised("the certificate was revoked")

    def _revocations(self) -> list[Any]:
        """The lists in the file, read again when it changes; only those that a known authority signed."""
        from cryptography import x509

        path = Path(self._settings.revoked)
        try:
            stat = path.stat()
            version = (stat.st_mtime, stat.st_size)
            if version != self._read:
                mark = b"-----BEGIN X509 CRL-----"
                parts = [mark + part for part in path.read_bytes().split(mark)[1:]]
                self._lists = [each for each in map(x509.load_pem_x509_crl, parts) if self._is_signed(each)]
                self._read = version
        except (OSError, ValueError) as error:
            raise Unauthorised(f"the list of revoked certificates cannot be read: {type(error).__name__}") from None
        return self._lists

    def _is_signed(self, revocations: Any) -> bool:
        issuers = [each for each in self._issuers if each.subject == revocations.issuer]
        return any(revocations.is_signature_valid(each.public_key()) for each in issuers)


def _values(found: Any, place: str) -> list[str]:
    """What a certificate has at a place: ``subject.CN``, ``san.email``, ``san.dns`` or ``san.uri``."""
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    if place == "subject.CN":
        return [str(each.value) for each in found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    kinds = {"san.email": x509.RFC822Name, "san.dns": x509.DNSName, "san.uri": x509.UniformResourceIdentifier}
    try:
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [str(each) for each in names.get_values_for_type(kinds[place])]


def _certificates(path: str) -> list[Any]:
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificates(Path(path).read_bytes())
    except (OSError, ValueError) as error:
        raise UsageError(
            f"`client_certificate.authority`: {path} has no certificates that can be read: {error}"
        ) from None
