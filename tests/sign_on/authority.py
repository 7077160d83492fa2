"""An authority made for a test: certificates of servers and clients, and its list of revoked ones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from attrs import define, field
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

__all__ = ["Authority"]

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


@define
class Authority:
    """Writes PEM files into a folder."""

    folder: Path
    name: str = "Test Authority"
    key: Any = field(factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    certificate: Any = field(init=False)
    serials: dict[str, int] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        basic = x509.BasicConstraints(ca=True, path_length=None)
        made = self._begun(self.name, self.key, NOW - DAY, NOW + 365 * DAY).add_extension(basic, critical=True)
        self.certificate = made.sign(self.key, SHA256())
        self.path.write_bytes(self.certificate.public_bytes(Encoding.PEM))

    @property
    def path(self) -> Path:
        return self.folder / f"{self.name}.pem"

    def issue(
        self, common: str, start: datetime = NOW - DAY, end: datetime = NOW + 30 * DAY, email: str = ""
    ) -> tuple[Path, Path]:
        """The files of a new certificate and its key; every one is good for this machine."""
        key = ec.generate_private_key(ec.SECP256R1())
        names: list[x509.GeneralName] = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
        names += [x509.RFC822Name(email)] if email else []
        made = self._begun(common, key, start, end).add_extension(x509.SubjectAlternativeName(names), critical=False)
        found = made.sign(self.key, SHA256())
        self.serials[common] = found.serial_number
        stem = self.folder / f"{self.name}-{len(self.serials)}-{found.serial_number}"
        certificate, secret = stem.with_suffix(".pem"), stem.with_suffix(".key")
        certificate.write_bytes(found.public_bytes(Encoding.PEM))
        secret.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return certificate, secret

    def revoke(self, path: Path, *common: str, end: datetime = NOW + DAY) -> None:
        """Write the list of revoked certificates to a file."""
        made = x509.CertificateRevocationListBuilder().issuer_name(self.certificate.subject)
        made = made.last_update(min(NOW, end) - DAY).next_update(end)
        for each in common:
            entry = x509.RevokedCertificateBuilder().serial_number(self.serials[each]).revocation_date(NOW)
            made = made.add_revoked_certificate(entry.build())
        path.write_bytes(made.sign(self.key, SHA256()).public_bytes(Encoding.PEM))

    def _begun(self, common: str, key: Any, start: datetime, end: datetime) -> x509.CertificateBuilder:
        made = x509.CertificateBuilder().subject_name(_name(common)).issuer_name(_name(self.name))
        made = made.public_key(key.public_key()).serial_number(x509.random_serial_number())
        return made.not_valid_before(start).not_valid_after(end)
