"""Profiles: a server, an account and its login under a name, so that scripts name neither of them.

A profile is two files in the folder of profiles, both their owner's: ``studio.json`` says where and who, and
``studio.tokens.json`` has the login, unless the system's keyring has it.
"""

from __future__ import annotations

import os
import re
import sys
import uuid
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from attrs import asdict, evolve, frozen

from callsheet.credentials import system_keyring
from callsheet.credentials.token_store import (
    ProfileKeeper,
    TokenFile,
    TokenKeyring,
    TokenStore,
    write_privately,
)
from callsheet.dialects.accounts import LoginTokens
from callsheet.errors import StorageError, UsageError
from callsheet.private import make_folder

__all__ = ["DEFAULT", "Profile", "Profiles", "profile_in_use"]

DEFAULT = "default"
VERSION = 1
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")


@frozen
class Profile:
    """Where a login is (the address ends with the workspace), and whose.

    ``tokens`` says where the login is kept: ``keyring`` (as ``entry``) or ``file``.
    """

    name: str
    url: str
    user: str
    dialect: str = "native"
    tokens: str = "file"
    entry: str = ""


class Profiles:
    """The profiles in a folder: ``CALLSHEET_PROFILES``, or ``callsheet/profiles`` where the user's settings are.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Profiles({"CALLSHEET_PROFILES": folder}).names()
    []
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        known = os.environ if environment is None else environment
        stated = known.get("CALLSHEET_PROFILES", "")
        self.folder = Path(stated) if stated else _settings_folder() / "callsheet" / "profiles"

    def names(self) -> list[str]:
        """The names of all profiles."""
        found = (path.name.removesuffix(".json") for path in self.folder.glob("*.json"))
        return sorted(name for name in found if not name.endswith(".tokens") and NAME.fullmatch(name))

    def has(self, name: str) -> bool:
        """Whether there is a profile of this name."""
        return self._place(name).exists()

    def read(self, name: str) -> Profile:
        """The profile of a name; raises `UsageError` if there is none, `StorageError` if it cannot be read."""
        place = self._place(name)
        try:
            plain = msgspec.json.decode(place.read_bytes(), type=dict[str, Any])
            version = plain.pop("version")
            if version != VERSION:
                raise StorageError(f"{place} was written by another version of Callsheet ({version!r:.20})")
            return Profile(name, **msgspec.convert(plain, dict[str, str]))
        except FileNotFoundError:
            raise UsageError(self._none(name)) from None
        except OSError as error:
            raise StorageError(f"the profile {place} cannot be read: {error.strerror or error}") from None
        except (ValueError, LookupError, TypeError, msgspec.MsgspecError):
            raise StorageError(f"the profile {place} is damaged; log in again: `{_command(name)}`") from None

    def keep(self, profile: Profile, tokens: LoginTokens) -> Profile:
        """Write a profile and its login, instead of what had its name; returns it as it was written."""
        place = self._place(profile.name)
        try:
            make_folder(self.folder)
        except OSError as error:
            raise StorageError(f"{self.folder} cannot be made: {error.strerror or error}") from None
        with suppress(UsageError, StorageError):
            self._store(self.read(profile.name)).remove()
        for kind in ("keyring", "file") if system_keyring.is_there() else ("file",):
            kept = evolve(profile, tokens=kind, entry=uuid.uuid4().hex[:12] if kind == "keyring" else "")
            try:
                self.keeper(kept).write(tokens)
            except StorageError:
                if kind == "file":
                    raise
                continue
            plain = {name: value for name, value in asdict(kept).items() if name != "name"}
            write_privately(place, msgspec.json.encode({"version": VERSION, **plain}))
            return kept
        raise AssertionError("a file is always tried")

    def keeper(self, profile: Profile) -> ProfileKeeper:
        """What reads and renews the login of a profile."""
        return ProfileKeeper(profile.name, self._store(profile), self.folder / f"{profile.name}.lock")

    def remove(self, name: str) -> None:
        """Remove a profile and its login."""
        place = self._place(name)
        with suppress(StorageError):
            self._store(self.read(name)).remove()
        for path in (place, self.folder / f"{name}.tokens.json", self.folder / f"{name}.lock"):
            path.unlink(missing_ok=True)

    def _store(self, profile: Profile) -> TokenStore:
        if profile.tokens == "keyring":
            return TokenKeyring(f"{profile.name} {profile.entry}")
        return TokenFile(self.folder / f"{profile.name}.tokens.json")

    def _place(self, name: str) -> Path:
        if not NAME.fullmatch(name) or name.endswith(".tokens"):
            raise UsageError(
                f"{name!r:.80} cannot be the name of a profile: letters, digits, `_`, `-` and `.`, at most 64"
            )
        return self.folder / f"{name}.json"

    def _none(self, name: str) -> str:
        from callsheet.model.schema import did_you_mean

        return f"there is no profile `{name}`{did_you_mean(name, self.names())}: `{_command(name)}` makes it"


def profile_in_use(
    stated: str | None, url: str | None, key: str | None, environment: Mapping[str, str], named_elsewhere: bool
) -> str | None:
    """The name of the profile that a session uses: the stated one, ``CALLSHEET_PROFILE``, or the default one.

    An address or a key in the code wins over the variable. The default profile is used where nothing else names a
    server (``named_elsewhere``).
    """
    if stated is not None:
        if url or key:
            given = "server_url" if url else "api_key"
            raise UsageError(f"a profile has its server and its login; give `profile` or `{given}`, not both")
        return stated
    if url or key:
        return None
    named = environment.get("CALLSHEET_PROFILE", "")
    if named:
        return named
    return DEFAULT if not named_elsewhere and Profiles(environment).has(DEFAULT) else None


def _command(name: str) -> str:
    return "callsheet login URL" if name == DEFAULT else f"callsheet login URL --profile {name}"


def _settings_folder() -> Path:
    """Where a user's settings are on this kind of system."""
    if sys.platform == "win32":
        return Path(os.environ.get("APPDATA", Path.home() / "AppData" / "Roaming"))
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support"
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
