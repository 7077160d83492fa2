"""Where the tokens of a profile are kept: the system's keyring, else a file that only its owner can read."""

from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import msgspec

from callsheet.credentials import system_keyring
from callsheet.credentials.file_lock import held
from callsheet.credentials.login import Renewable
from callsheet.dialects.accounts import LoginTokens
from callsheet.errors import StorageError
from callsheet.private import FILE
from callsheet.secret import Secret

__all__ = [
    "TokenFile",
    "TokenKeyring",
    "ProfileKeeper",
    "TokenStore",
    "tokens_from_plain",
    "tokens_to_plain",
    "write_privately",
]

SERVICE = "callsheet"
VERSION = 1


class TokenStore(Protocol):
    """A place for one secret text."""

    def read(self) -> bytes | None:
        """The text, or None if there is none."""

    def write(self, content: bytes) -> None:
        """Replace the text."""

    def remove(self) -> None:
        """Remove the text, if there is one."""


class TokenFile:
    """A file that only its owner can read. One that others can read is refused, as ``ssh`` refuses such keys."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> bytes | None:
        """The text of the file; raises `StorageError` if others can read it."""
        try:
            with open(self.path, "rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                if os.name == "posix" and mode & 0o077:
                    raise StorageError(
                        f"others can read the login in {self.path}: log in again, and keep the file for yourself "
                        f"(chmod 600), because who has it is you"
                    )
                return file.read()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StorageError(f"the login in {self.path} cannot be read: {error.strerror or error}") from None

    def write(self, content: bytes) -> None:
        """Replace the file as a whole."""
        write_privately(self.path, content)

    def remove(self) -> None:
        """Remove the file."""
        self.path.unlink(missing_ok=True)


class TokenKeyring:
    """An entry of the system's keyring."""

    def __init__(self, entry: str) -> None:
        self._entry = entry

    def read(self) -> bytes | None:
        """The text of the entry."""
        found = system_keyring.password(SERVICE, self._entry)
        return None if found is None else found.reveal().encode()

    def write(self, content: bytes) -> None:
        """Replace the entry."""
        system_keyring.keep(SERVICE, self._entry, Secret(content.decode()))

    def remove(self) -> None:
        """Remove the entry."""
        system_keyring.remove(SERVICE, self._entry)


class ProfileKeeper:
    """The tokens of a profile, for all processes that use it.

    Theory. The lock is held while the store is read and written, never while the server is talked to, so a process that
    hangs stops no other. Two that renew at once find the same request id, and get the same answer. The one that stores
    its answer later leaves newer tokens alone.
    """

    def __init__(self, name: str, store: TokenStore, lock: Path) -> None:
        self.cure = f"log in again: `callsheet login --profile {name}`"
        self._name, self._store, self._lock = name, store, lock

    def read(self) -> LoginTokens | None:
        """The tokens; raises `StorageError` if what is there cannot be read."""
        found = self._read()
        return None if found is None else found.tokens

    def begin(self, tokens: LoginTokens) -> Renewable:
        """The newest tokens, and the id that renews them: the one that another process has begun with, or a new one."""
        with held(self._lock):
            found = self._read()
            if found is None:
                return Renewable(tokens, str(uuid.uuid4()))
            if not found.request:
                found = Renewable(found.tokens, str(uuid.uuid4()))
                self._store.write(_written(found))
            return found

    def finish(self, sent: LoginTokens, fresh: LoginTokens) -> LoginTokens:
        """Store ``fresh``, if what is stored is still what it was exchanged for; returns what is stored."""
        with held(self._lock):
            found = self._read()
            if found is None:
                # Another process has logged out.
                return fresh
            if found.tokens.refresh == sent.refresh:
                self._store.write(_written(Renewable(fresh, "")))
                return fresh
            return found.tokens

    def write(self, tokens: LoginTokens) -> None:
        """Store the tokens of a new login."""
        with held(self._lock):
            self._store.write(_written(Renewable(tokens, "")))

    def forget(self) -> None:
        """Remove the tokens."""
        with held(self._lock):
            self._store.remove()

    def _read(self) -> Renewable | None:
        content = self._store.read()
        if content is None:
            return None
        try:
            return _renewable(msgspec.json.decode(content))
        except (ValueError, LookupError, TypeError, msgspec.MsgspecError):
            raise StorageError(f"the login kept for profile `{self._name}` is damaged; {self.cure}") from None


def _written(renewable: Renewable) -> bytes:
    tokens = renewable.tokens
    return msgspec.json.encode(
        {
            "version": VERSION,
            "access": tokens.access.reveal(),
            "refresh": tokens.refresh.reveal(),
            "expires": tokens.expires,
            "lifetime": tokens.lifetime,
            "refresh_expires": tokens.refresh_expires,
            "session_id": tokens.session_id,
            "account": tokens.account,
            "request": renewable.request,
        }
    )


def tokens_to_plain(tokens: LoginTokens) -> bytes:
    """Tokens as JSON: a secret."""
    return _written(Renewable(tokens, ""))


def tokens_from_plain(content: bytes) -> LoginTokens:
    """The tokens that `tokens_to_plain` was given; raises `StorageError` if they cannot be read."""
    try:
        return _renewable(msgspec.json.decode(content)).tokens
    except (ValueError, LookupError, TypeError, msgspec.MsgspecError):
        raise StorageError("the login cannot be read: it is damaged") from None


def _renewable(plain: Any) -> Renewable:
    if plain["version"] != VERSION:
        raise ValueError("another version")
    text, number = _typed(plain, str), _typed(plain, (int, float))
    tokens = LoginTokens(
        Secret(text("access")),
        Secret(text("refresh")),
        number("expires"),
        number("lifetime"),
        number("refresh_expires"),
        text("session_id"),
        text("account"),
    )
    return Renewable(tokens, text("request"))


def _typed(plain: Any, kinds: Any) -> Callable[[str], Any]:
    def value(name: str) -> Any:
        if not isinstance(plain[name], kinds):
            raise TypeError(name)
        return plain[name]

    return value


def write_privately(path: Path, content: bytes) -> None:
    """Replace a file as a whole by one that only its owner can read; it is on disk when this returns."""
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                if os.name == "posix":
                    os.fchmod(file.fileno(), FILE)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror or error}") from None
