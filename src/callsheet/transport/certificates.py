"""The certificates that a transport trusts. An error for unreadable ones names the setting."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

from callsheet.errors import UsageError

__all__ = ["BUNDLES", "checked_certificate", "checked_verify", "presenting", "trusted"]

BUNDLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_DIR")
"""The variables with a file or a folder of certificates; the first one that is set is used."""


def checked_verify(verify: object) -> bool | Path:
    """The option ``verify``: True, False, or a path that exists."""
    if isinstance(verify, bool):
        return verify
    if not isinstance(verify, str | os.PathLike) or not str(verify):
        raise UsageError(f"`verify` is True, False, or a file or folder of certificates, not {verify!r}")
    path = Path(os.fspath(verify))
    if not _exists(path):
        raise UsageError(f"there is no certificate file or folder `{path}` (verify=…)")
    return path


def trusted(verify: bool | Path) -> ssl.SSLContext | bool:
    """The argument for httpx: certificates, False for no verification, or True for the default ones."""
    if isinstance(verify, Path):
        return _context(verify, "verify")
    if not verify:
        return False
    for name in BUNDLES:
        # SSL_CERT_DIR may name several folders.
        for place in filter(None, os.environ.get(name, "").split(os.pathsep if name == "SSL_CERT_DIR" else "\n")):
            if not _exists(Path(place)):
                raise UsageError(f"{name} names `{place}`, which does not exist")
            return _context(Path(place), name)
    return True


def checked_certificate(certificate: object) -> tuple[Path, Path] | None:
    """The option ``certificate``: the files of a client's certificate and its key; None for no certificate."""
    if certificate is None:
        return None
    fine = isinstance(certificate, tuple | list) and len(certificate) == 2
    if not fine or not all(isinstance(each, str | os.PathLike) for each in certificate):  # type: ignore[attr-defined]
        raise UsageError("`certificate` is two files: (certificate, key), each in PEM")
    files = tuple(Path(os.fspath(each)) for each in certificate)  # type: ignore[attr-defined]
    missing = next((each for each in files if not _exists(each)), None)
    if missing is not None:
        raise UsageError(f"there is no file `{missing}` (certificate=…)")
    return files[0], files[1]


def presenting(certificate: tuple[Path, Path], verify: bool | Path) -> ssl.SSLContext:
    """A context that presents a client's certificate, and trusts what ``verify`` says."""
    import httpx

    found = trusted(verify)
    context = found if isinstance(found, ssl.SSLContext) else httpx.create_ssl_context(verify=found)
    try:
        # An encrypted key would ask for its password in the terminal.
        context.load_cert_chain(*certificate, password=lambda: b"")
    except (OSError, ValueError) as error:
        both = f"{certificate[0]} and {certificate[1]}"
        raise UsageError(f"{both} are no certificate and key that can be used: {error}") from None
    return context


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _context(path: Path, setting: str) -> ssl.SSLContext:
    try:
        if path.is_dir():
            return ssl.create_default_context(capath=path)
        return ssl.create_default_context(cafile=path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"`{path}` ({setting}) has no certificates that can be read: {reason}") from None
