"""The package that a stub is installed as: its types for checkers, and the same names at run time."""

from __future__ import annotations

from collections.abc import Mapping
from keyword import iskeyword
from pathlib import Path

from callsheet.entity.types import Types
from callsheet.errors import StorageError, UsageError
from callsheet.stubs.names import is_plain
from callsheet.stubs.writing import public_names, stub_of

__all__ = ["check_name", "installed", "package_files"]

_MARK = "# Made by `callsheet stubs --install`."


def package_files(types: Types, name: str) -> dict[str, str]:
    """The files of the package by their names.

    >>> from callsheet.model.schema import Schema
    >>> sorted(package_files(Types(Schema({"types": {"Dot": {}}})), "my_studio"))
    ['__init__.py', '__init__.pyi', 'py.typed']
    """
    classes, data = public_names(types.schema)
    return {"__init__.py": _module(name, classes, data), "__init__.pyi": stub_of(types), "py.typed": ""}


def _module(name: str, classes: Mapping[str, str], data: Mapping[str, str]) -> str:
    lines = [
        _MARK,
        "from callsheet import AsyncSession, Session",
        "from callsheet.entity.types import Types",
        "from callsheet.stubs.named import named_types",
        "",
        "__getattr__ = named_types(",
        f"    {name!r},",
        "    {",
        *(f"        {classes[each]!r}: {each!r}," for each in sorted(classes)),
        "    },",
        f"    {tuple(sorted(data.values()))!r},",
        ")",
    ]
    return "\n".join(lines) + "\n"


def check_name(name: str) -> None:
    """Raise `UsageError` unless a package may have this name."""
    if not is_plain(name) or iskeyword(name) or name == "callsheet":
        raise UsageError(f"{name!r:.80} cannot be the name of a package that is imported; try callsheet_studio")


def installed(types: Types, name: str, folder: Path) -> Path:
    """Write the package into a folder; `StorageError` if another package has the name, or the folder refuses it."""
    check_name(name)
    package = folder / name
    if package.exists() and not _is_ours(package):
        raise StorageError(f"{package} exists, and `callsheet stubs` has not made it; choose another name with --name")
    try:
        package.mkdir(parents=True, exist_ok=True)
        for file, text in package_files(types, name).items():
            (package / file).write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise StorageError(
            f"{error.filename or package}: {error.strerror}; choose a folder of the import path with --into"
        ) from None
    return package


def _is_ours(package: Path) -> bool:
    module = package / "__init__.py"
    try:
        return module.read_text(encoding="utf-8").startswith(_MARK)
    except (OSError, UnicodeDecodeError):
        return False
