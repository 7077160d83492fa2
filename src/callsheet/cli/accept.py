"""``callsheet accept``: choose the password of an account, with an invitation."""

from __future__ import annotations

import sys

import click

from callsheet.cli.terminal import Terminal

__all__ = ["command"]


@click.command("accept", short_help="Choose your password, with an invitation.")
@click.argument("url", envvar="CALLSHEET_SERVER")
@click.option("--stdin", "from_stdin", is_flag=True, help="Read both from standard input, a line each.")
def command(url: str, from_stdin: bool) -> None:
    """Choose your password for the server at URL, with an invitation from an administrator.

    Nothing is shown as you type the password.
    """
    from callsheet.session.invitation import accept_invitation

    code, password = _lines() if from_stdin else _typed()
    with accept_invitation(url, code, password) as session:
        account = session.api_user
        session.logout()
    Terminal().say(f"You have a password now. Log in: callsheet login {url} --user {account}")


def _lines() -> tuple[str, str]:
    return sys.stdin.readline().strip(), sys.stdin.readline().rstrip("\r\n")


def _typed() -> tuple[str, str]:
    if not sys.stdin.isatty():
        raise click.UsageError("there is no terminal to type in; use --stdin")
    code = click.prompt("Invitation", err=True)
    return str(code).strip(), str(click.prompt("New password", hide_input=True, confirmation_prompt=True, err=True))
