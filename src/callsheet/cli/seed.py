"""``callsheet seed``: fill a database with a studio to try things on."""

from __future__ import annotations

import click

from callsheet.cli.serve import require_extra
from callsheet.errors import UsageError

__all__ = ["command"]


@click.command("seed")
@click.option(
    "--preset",
    type=click.Choice(["vfx"]),
    default="vfx",
    show_default=True,
    help="vfx: people, workflow, and a project with sequences, shots, tasks, versions and notes.",
)
@click.option(
    "--database",
    envvar="CALLSHEET_DATABASE",
    default="sqlite:///callsheet.db",
    show_default=True,
    show_envvar=True,
    metavar="URL",
    help="sqlite:///FILE, or postgresql+psycopg://USER:PASSWORD@HOST/NAME; no server may have it open.",
)
@click.option(
    "--schema", default=None, metavar="FILE", help="The list of schemas of an ftrack site, for a new database."
)
def command(preset: str, database: str, schema: str | None) -> None:
    """Fill a database that serves ftrack's clients with a small studio.

    Seeding again does nothing.
    """
    require_extra()
    from callsheet.dialects.ftrack.schema import vendor_schemas
    from callsheet.dialects.ftrack.seeding import studio_operations
    from callsheet.model.operation import ChangeSet
    from callsheet.server.service import Service

    with Service.open(database, schema or "production", seed=True, administrator=False) as service:
        if not vendor_schemas(service.store.schema.document):
            raise UsageError(
                "this database has no ftrack schema; make a new one with `--schema FILE`, where FILE is what "
                "`query_schemas` of a site answers"
            )
        for number, operations in enumerate(studio_operations(service.store.schema)):
            result = service.commit(ChangeSet(f"seed-{preset}-{number}", operations), "admin")
            done = "were there already" if result.replayed else "made"
            click.echo(f"{len(operations):,} entities {done}")
