"""``callsheet schema``: the entity types of a server, one of them in full, or all in a file; its changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from callsheet.cli.connection import connected
from callsheet.cli.schema_changes import apply, diff
from callsheet.cli.terminal import Terminal
from callsheet.errors import StorageError
from callsheet.model.schema import Attribute, EntityType, Schema

if TYPE_CHECKING:
    from callsheet.session.blocking import Session

__all__ = ["command", "schema_document"]


class SchemaGroup(click.Group):
    """The commands about schemas. Without the name of one it is ``show``, so that ``callsheet schema TYPE`` works."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or args[0] not in (*self.commands, *ctx.help_option_names):
            args = ["show", *args]
        return super().parse_args(ctx, args)


@click.group("schema", cls=SchemaGroup, short_help="List the entity types, compare and change the schema.")
def command() -> None:
    """Show the schema of a server, or compare that of a database with a file, and change it.

    `callsheet schema TYPE` is short for `callsheet schema show TYPE`.
    """


command.add_command(diff)
command.add_command(apply)


@command.command("show", short_help="List the entity types, or the attributes of one.")
@click.argument("entity_type", required=False, metavar="[TYPE]")
@click.option("--save", type=click.Path(path_type=Path, dir_okay=False), help="Write the schema to this .json file.")
@connected
def show(session: Session, entity_type: str | None, save: Path | None) -> None:
    """List the entity types of the server, or the attributes of one TYPE."""
    schema = session.schema
    terminal = Terminal()
    if save is not None:
        _save(schema_document(session), save)
        terminal.say(f"{len(schema.types)} entity types are written to {save}.")
    elif entity_type is not None:
        _print_type(terminal, schema.type(entity_type))
    else:
        _print_types(terminal, schema)


def schema_document(session: Session) -> Any:
    """The schema as a server can be started with: in the format of its dialect, or Callsheet's document."""
    if "query_schemas" in session.declaration.actions:
        return session.call("query_schemas")
    # A vendor's schema on our own wire has the vendor's list with it; what was made of it is no file of ours.
    document = session.schema.document
    if "vendor" not in document:
        return document
    from callsheet.server.schemas.formats import format_of

    made_from = format_of(document)
    return document if made_from is None else made_from.original(document) or document


def _save(document: Any, path: Path) -> None:
    if path.suffix != ".json":
        raise StorageError(f"a schema is saved as JSON; name the file {path.with_suffix('.json')}")
    try:
        path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror}") from None


def _print_types(terminal: Terminal, schema: Schema) -> None:
    rows = []
    for entity_type in schema.types.values():
        name = f"({entity_type.name})" if entity_type.abstract else entity_type.name
        rows.append((name, entity_type.parent, str(len(entity_type.attributes)), entity_type.description))
    terminal.table(("type", "extends", "attributes", "what it is"), rows, title=f"Schema {schema.name}")
    terminal.say("Types in parentheses are abstract. One type in full: callsheet schema TYPE", style="dim")


def _print_type(terminal: Terminal, entity_type: EntityType) -> None:
    ancestors = " → ".join((entity_type.name, *entity_type.ancestors))
    terminal.say((ancestors, "bold"), f"  {entity_type.description}")
    rows = [(each.name, _holds(each), _rules(each), each.description) for each in entity_type.attributes.values()]
    for key, item in entity_type.custom.items():
        rows.append((f"custom_attributes.{key}", _holds(item), _rules(item), item.description or item.label))
    terminal.table(("attribute", "holds", "rules", "what it is"), rows)
    for names in entity_type.unique:
        terminal.say(f"Unique together: {', '.join(names)}", style="dim")


def _holds(attribute: Attribute) -> str:
    if attribute.kind in ("reference", "collection"):
        arrow = "→" if attribute.kind == "reference" else "⇉"
        return f"{arrow} {attribute.target}"
    if attribute.kind == "mapping":
        return f"mapping of {attribute.data_type}"
    return " | ".join(attribute.choices) if attribute.choices else attribute.data_type


def _rules(attribute: Attribute) -> str:
    """What the server sees to, in words."""
    words = [name for name in ("required", "immutable", "unique") if getattr(attribute, name)]
    if attribute.agree is not None:
        words.append("equal writes agree" if attribute.agrees else "equal writes conflict")
    if attribute.computed:
        words.append(f"computed: {attribute.computed}")
    if attribute.default is not None:
        words.append(f"default: {json.dumps(attribute.default)}")
    if attribute.kind == "reference" and attribute.on_delete != "nullify":
        words.append(f"on delete: {attribute.on_delete}")
    if attribute.inverse:
        words.append(f"inverse: {attribute.inverse}")
    return ", ".join(words)
