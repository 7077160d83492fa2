"""A plan is shown, and applied only if somebody says so; the exit statuses that tell what is left."""

from __future__ import annotations

import sys
from typing import Any

import click
import msgspec
from attrs import frozen

from callsheet.cli.terminal import Terminal, data
from callsheet.errors import UsageError

__all__ = ["CONFLICT", "PENDING", "REFUSED", "Asking"]

PENDING, REFUSED, CONFLICT = 2, 3, 4


@frozen
class Asking:
    """How a plan is shown, and whether it is applied."""

    dry_run: bool = False
    yes: bool = False
    as_json: bool = False

    def show(self, plan: Any) -> Terminal:
        """Print the plan; gives the terminal."""
        terminal = Terminal()
        if self.as_json:
            data(msgspec.json.encode(plan.to_json()).decode())
        else:
            terminal.say(str(plan))
        return terminal

    def may_apply(self) -> bool:
        """Whether the plan is to be applied; the user is asked, if nothing else says it."""
        if self.dry_run or self.yes:
            return not self.dry_run
        if self.as_json or not sys.stdin.isatty():
            raise UsageError("nothing was changed: --yes applies the plan, --dry-run only shows it")
        return click.confirm("Apply?")
