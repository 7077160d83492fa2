"""``callsheet seed``: fill a database with a studio to try things on."""

from __future__ import annotations

from pathlib import Path

import click

from callsheet.cli.serve import database_option, require_extra
from callsheet.cli.terminal import Terminal
from callsheet.errors import UsageError

__all__ = ["command"]


@click.command("seed", short_help="Fill a database for a dialect's clients with a small studio.")
@click.option(
    "--preset",
    type=click.Choice(["vfx"]),
    default="vfx",
    show_default=True,
    help="vfx: people, workflow, and a project with sequences, shots, tasks, versions and notes.",
)
@database_option("sqlite:///FILE, or postgresql+psycopg://USER:PASSWORD@HOST/NAME; no server may have it open.")
@click.option(
    "--schema", default=None, metavar="FILE", help="The schema of a site, in its dialect's format, for a new database."
)
def command(preset: str, database: str, schema: str | None) -> None:
    """Fill a database that serves a dialect's clients with a small studio.

    Seeding again does nothing.
    """
    require_extra()
    from callsheet.model.operation import ChangeSet
    from callsheet.server.schemas.formats import format_of, formats
    from callsheet.server.service import Service

    seeded = {name: each for name, each in formats().items() if preset in each.studios}
    names, advice = " or ".join(seeded), " or ".join(each.advice for each in seeded.values())
    if schema is None and database.startswith("sqlite:///") and not Path(database[len("sqlite:///") :]).exists():
        # Else a database would be made that can never be seeded.
        raise UsageError(f"{database} is new, and a new database needs `--schema FILE` of a site: {advice}")
    with Service.open(database, schema, seed=True, administrator=False) as service:
        made_from = format_of(service.store.schema.document)
        if made_from is None or preset not in made_from.studios:
            raise UsageError(
                f"{database} has no {names} schema; name a new database, and `--schema FILE` of a site: {advice}"
            )
        for number, operations in enumerate(made_from.studios[preset](service.store.schema)):
            result = service.commit(ChangeSet(f"seed-{preset}-{number}", operations), "admin")
            done = "were there already" if result.replayed else "made"
            Terminal().say(f"{len(operations):,} entities {done}")
