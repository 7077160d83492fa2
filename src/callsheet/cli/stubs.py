"""``callsheet stubs``: the types of a server's schema, for editors and type checkers."""

from __future__ import annotations

import sysconfig
from difflib import unified_diff
from pathlib import Path
from typing import TYPE_CHECKING

import click

from callsheet.cli.connection import connected
from callsheet.cli.terminal import Terminal, data_stream
from callsheet.errors import StorageError

if TYPE_CHECKING:
    from callsheet.entity.types import Types
    from callsheet.session.blocking import Session

__all__ = ["command"]


@click.command("stubs", short_help="Print the types of the schema, for editors and type checkers.")
@click.option("--install", is_flag=True, help="Write them as a package that this Python's editors and scripts find.")
@click.option("--name", default="callsheet_studio", show_default=True, help="The package that --install writes.")
@click.option("--into", type=click.Path(path_type=Path, file_okay=False), help="The folder that --install writes to.")
@click.option(
    "--check", type=click.Path(path_type=Path), help="Compare with this stub, or package; fail if it differs."
)
@connected
def command(session: Session, install: bool, name: str, into: Path | None, check: Path | None) -> None:
    """Print the types of the server's schema, custom attributes included, as a stub file.

    callsheet stubs > my_studio.pyi

    With --install it becomes a package: `from callsheet_studio import Session, Task` then works in scripts, too. With
    --check nothing is written: the command fails and prints the difference if the schema has changed.
    """
    if check is not None and (install or into is not None):
        raise click.UsageError("--check compares, and --install writes: give one of them.")
    session.open()
    if check is not None:
        _check(session.types, check)
    elif install or into is not None:
        _install(session.types, name, into)
    else:
        _print(session.types)


def _print(types: Types) -> None:
    from callsheet.stubs.writing import stub_of

    text = stub_of(types)
    with data_stream() as stream:
        stream.write(text)


def _install(types: Types, name: str, into: Path | None) -> None:
    from callsheet.stubs.package import installed

    package = installed(types, name, into or Path(sysconfig.get_path("purelib")))
    Terminal().say(f"{len(types)} entity types are written to {package}: from {name} import Session")


def _check(types: Types, path: Path) -> None:
    from callsheet.stubs.writing import stub_of

    file = path / "__init__.pyi" if path.is_dir() else path
    try:
        kept = file.read_text(encoding="utf-8")
    except OSError as error:
        raise StorageError(f"{file} cannot be read: {error.strerror}; `callsheet stubs > {file}` makes it") from None
    except UnicodeDecodeError:
        raise StorageError(f"{file} is no stub: it is not UTF-8") from None
    text = stub_of(types)
    if kept == text:
        Terminal().say(f"{file} is up to date.")
        return
    difference = unified_diff(kept.splitlines(), text.splitlines(), str(file), "the server's schema", lineterm="")
    terminal = Terminal()
    for line in difference:
        terminal.say(line)
    raise click.ClickException(f"{file} differs from the schema; make it again with `callsheet stubs`")
