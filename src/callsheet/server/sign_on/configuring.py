"""The settings of signing on, of a TOML file, the environment and the command line; the later of these wins.

A setting has one name everywhere: the table ``[authentication.oidc]`` has ``issuer``, the environment has
``CALLSHEET_AUTHENTICATION_OIDC_ISSUER``, and the command line ``--set authentication.oidc.issuer=…``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import field, fields_dict, frozen

from callsheet.errors import UsageError
from callsheet.model.schema import did_you_mean
from callsheet.server.sign_on.settings import PLACES_OF, SECTIONS, checked_sign_on, https_files, read_section

__all__ = ["SignOnConfiguration", "faults_of", "gathered"]

_FLAT = {"https": ("certificate", "key")}


@frozen
class SignOnConfiguration:
    """What was stated, by the full name of each setting; ``origins`` says where."""

    stated: Mapping[str, Any] = field(repr=False)
    origins: Mapping[str, str]

    @property
    def same_site(self) -> str:
        return str(self.stated.get("same_site", "lax"))

    @property
    def https(self) -> tuple[str, str] | None:
        """The server's certificate and its key."""
        found = self._table("https")
        return https_files(found) if found else None

    @property
    def authentication(self) -> dict[str, dict[str, Any]]:
        """The tables of the providers, by section."""
        tables = {section: self._table(place) for section, place in PLACES_OF.items()}
        return {section: table for section, table in tables.items() if table}

    def _table(self, place: str) -> dict[str, Any]:
        start = f"{place}."
        return {name[len(start) :]: value for name, value in self.stated.items() if name.startswith(start)}

    def shown(self) -> Iterator[str]:
        """A line for each setting that was stated, with its origin; secrets are hidden."""
        for name, value in sorted(self.stated.items()):
            yield f"{name} = {'(hidden)' if name in _secrets() else repr(value)}  # {self.origins[name]}"


def gathered(path: Path | None, environment: Mapping[str, str], given: Sequence[str] = ()) -> SignOnConfiguration:
    """The settings of a file, the environment and ``NAME=VALUE`` of a command line. Raises `UsageError`."""
    stated: dict[str, Any] = {}
    origins: dict[str, str] = {}
    known = _known()
    for name, value in _of_file(path):
        stated[name], origins[name] = value, str(path)
    for name in known:
        variable = f"CALLSHEET_{name.replace('.', '_').upper()}"
        if environment.get(variable):
            stated[name], origins[name] = environment[variable], variable
    for text in given:
        name, equals, value = text.partition("=")
        name = name.strip()
        if not equals or name not in known:
            hint = did_you_mean(name, known) if equals else "; write NAME=VALUE"
            raise UsageError(f"there is no setting `{name:.80}`{hint}")
        stated[name], origins[name] = value, "--set"
    return SignOnConfiguration(stated, origins)


def faults_of(configuration: SignOnConfiguration, encrypted: bool = False) -> list[str]:
    """All that is wrong with settings: each fault names the setting and what it should be."""
    found, fine = [], {}
    try:
        encrypted = configuration.https is not None or encrypted
        if configuration.https is not None:
            missing = [each for each in configuration.https if not Path(each).is_file()]
            found += [f"`https`: there is no file {each}" for each in missing]
    except UsageError as error:
        found.append(str(error))
    for section, table in configuration.authentication.items():
        try:
            read_section(SECTIONS[section], table, PLACES_OF[section])
            fine[section] = table
        except UsageError as error:
            found.append(str(error))
    try:
        checked_sign_on(fine, configuration.same_site, encrypted)
    except UsageError as error:
        found.append(str(error))
    return found


def _of_file(path: Path | None) -> Iterator[tuple[str, Any]]:
    if path is None:
        return
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is no TOML: {error}") from None
    known = _known()
    for name, value in _flat(data, ""):
        if name not in known:
            raise UsageError(f"{path}: there is no setting `{name:.80}`{did_you_mean(name, known)}")
        yield name, value


def _flat(data: Mapping[str, Any], place: str) -> Iterator[tuple[str, Any]]:
    """The settings of nested tables by full names; a table that is a setting itself stays whole."""
    known = _known()
    for key, value in data.items():
        name = f"{place}{key}"
        if isinstance(value, Mapping) and name not in known:
            yield from _flat(value, f"{name}.")
        else:
            yield name, value


def _known() -> dict[str, bool]:
    """All settings by their full names, and whether each is a secret."""
    names: dict[str, bool] = {"same_site": False}
    names |= {f"{table}.{each}": False for table, parts in _FLAT.items() for each in parts}
    for section, place in PLACES_OF.items():
        parts = fields_dict(SECTIONS[section])
        names |= {f"{place}.{name}": bool(part.metadata.get("secret")) for name, part in parts.items()}
    return names


def _secrets() -> frozenset[str]:
    return frozenset(name for name, secret in _known().items() if secret)
