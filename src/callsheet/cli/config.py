"""``callsheet config``: what a server's settings are, and what is wrong with them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from callsheet.errors import UsageError

__all__ = ["command", "config_options"]

F = TypeVar("F", bound=Callable[..., Any])


def config_options(function: F) -> F:
    """Add ``--config`` and ``--set``."""
    chosen = click.option(
        "--set",
        "stated",
        multiple=True,
        metavar="NAME=VALUE",
        help="A setting, such as authentication.oidc.issuer=https://…; may be repeated.",
    )(function)
    return click.option(
        "--config",
        type=click.Path(path_type=Path, dir_okay=False, exists=True),
        envvar="CALLSHEET_CONFIG",
        show_envvar=True,
        help="A TOML file with settings of signing on.",
    )(chosen)


@click.group("config")
def command() -> None:
    """See and check the settings of a server."""


@command.command("check")
@config_options
def check(config: Path | None, stated: tuple[str, ...]) -> None:
    """Print the settings of file, environment and --set, and all that is wrong with them; secrets are hidden."""
    from callsheet.server.sign_on.configuring import faults_of, gathered

    found = gathered(config, os.environ, stated)
    for line in found.shown():
        click.echo(line)
    faults = faults_of(found)
    if faults:
        raise UsageError("\n".join(faults))
    click.echo("These settings are fine." if found.stated else "No settings are stated, which is fine.")
