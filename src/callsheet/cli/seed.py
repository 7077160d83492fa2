"""``callsheet seed``: fill a database with a studio to try things on."""

from __future__ import annotations

from pathlib import Path

import click

from callsheet.cli.serve import database_option, require_extra
from callsheet.errors import UsageError

__all__ = ["command"]


@click.command("seed", short_help="Fill a database for ftrack's clients with a small studio.")
@click.option(
    "--preset",
    type=click.Choice(["vfx"]),
    default="vfx",
    show_default=True,
    help="vfx: people, workflow, and a project with sequences, shots, tasks, versions and notes.",
)
@database_option("sqlite:///FILE, or postgresql+psycopg://USER:PASSWORD@HOST/NAME; no server may have it open.")
@click.option(
    "--schema", default=None, metavar="FILE", help="The list of schemas of an ftrack site, for a new database."
)
def command(preset: str, database: str, schema: str | None) -> None:
    """Fill a database that serves ftrack's clients with a small studio.

    Seeding again does nothing.
    """
    require_extra()
    from callsheet.dialects.ftrack.common.schema import vendor_schemas
    from callsheet.dialects.ftrack.server.seeding import studio_operations
    from callsheet.model.operation import ChangeSet
    from callsheet.server.service import Service

    if schema is None and database.startswith("sqlite:///") and not Path(database[len("sqlite:///") :]).exists():
        # Else a database would be made that can never be seeded.
        raise UsageError(
            f"{database} is new, and a new database needs `--schema FILE` of a site: "
            "callsheet schema --dialect ftrack --server https://STUDIO.ftrackapp.com --save FILE"
        )
    with Service.open(database, schema or "production", seed=True, administrator=False) as service:
        if not vendor_schemas(service.store.schema.document):
            raise UsageError(
                f"{database} has no ftrack schema; name a new database, and `--schema FILE` of a site: "
                "callsheet schema --dialect ftrack --server https://STUDIO.ftrackapp.com --save FILE"
            )
        for number, operations in enumerate(studio_operations(service.store.schema)):
            result = service.commit(ChangeSet(f"seed-{preset}-{number}", operations), "admin")
            done = "were there already" if result.replayed else "made"
            click.echo(f"{len(operations):,} entities {done}")
