"""The keyring of the operating system, if the extra `keyring` is installed and the system has one."""

from __future__ import annotations

import logging
from typing import Any

from callsheet.errors import StorageError
from callsheet.secret import Secret

__all__ = ["is_there", "keep", "password", "remove"]

_log = logging.getLogger("callsheet")


def _backend() -> Any:
    """The keyring, or None. Backends that keep nothing have a priority of 0 or less."""
    try:
        import keyring

        found = keyring.get_keyring()
        return found if found.priority > 0 else None
    except Exception as error:
        _log.debug("the keyring cannot be used: %s", type(error).__name__)
        return None


def is_there() -> bool:
    """Whether secrets can be kept in a keyring."""
    return _backend() is not None


def password(service: str, entry: str) -> Secret | None:
    """The secret of an entry; None if there is none, or no keyring that can be read now."""
    backend = _backend()
    if backend is None:
        return None
    try:
        found = backend.get_password(service, entry)
    except Exception as error:
        _log.warning("the keyring cannot be read: %s", type(error).__name__)
        return None
    return Secret(found) if found else None


def keep(service: str, entry: str, secret: Secret) -> None:
    """Keep a secret; raises `StorageError` if the keyring does not keep it."""
    backend = _backend()
    try:
        if backend is None:
            raise LookupError("no keyring")
        backend.set_password(service, entry, secret.reveal())
        kept = backend.get_password(service, entry) == secret.reveal()
    except Exception as error:
        reason = type(error).__name__
        raise StorageError(f"the keyring did not keep a secret ({reason}): unlock it, and try again") from None
    if not kept:
        raise StorageError("the keyring did not keep a secret: unlock it, and try again")


def remove(service: str, entry: str) -> None:
    """Remove an entry, if there is one."""
    backend = _backend()
    if backend is not None and password(service, entry) is not None:
        try:
            backend.delete_password(service, entry)
        except Exception as error:
            raise StorageError(f"the keyring did not remove a secret ({type(error).__name__}): unlock it") from None
