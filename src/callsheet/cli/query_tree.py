"""What a query finds as a tree: each entity below what it is in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from attrs import define, field

from callsheet.cli.terminal import Terminal, printable
from callsheet.display import cut
from callsheet.entity.showing import holder_name, plain_text
from callsheet.model.record import Identity

if TYPE_CHECKING:
    from callsheet.session.blocking import Session

__all__ = ["Branch", "drawn", "grown"]

DEEPEST = 50


@define
class Branch:
    """An entity in the tree; ``found`` if the query found it, with the values that it was to show."""

    text: str
    found: bool = False
    branches: dict[Identity, Branch] = field(factory=dict)


def grown(session: Session, text: str, most: int) -> tuple[dict[Identity, Branch], int]:
    """The roots of the tree of a query's results, at most so many, and how many there are up to one more."""
    query = session.query(text)
    paths = [path.names for path in query.select_statement.projections]
    entities = query.limit(most + 1 if query.select_statement.limit is None else query.select_statement.limit)[:]
    roots: dict[Identity, Branch] = {}
    for entity in entities[:most]:
        level = roots
        branch = Branch("")
        for each in _way(entity):
            branch = level.setdefault(each.identity, Branch(_title(each)))
            level = branch.branches
        branch.found = True
        shown = [plain_text(_value(entity, names)) for names in paths if names != (entity._type.label,)]
        branch.text = " · ".join([branch.text, *filter(None, shown)])
    return roots, len(entities)


def _way(entity: Any) -> list[Any]:
    """An entity and what it is in, the outermost first; what is missing is fetched for all of its peers."""
    found = [entity]
    while len(found) < DEEPEST:
        name = holder_name(found[-1]._type)
        holder = found[-1][name] if name is not None else None
        if not holder or holder in found:
            break
        found.append(holder)
    return found[::-1]


def _title(entity: Any) -> str:
    label = entity._type.label
    text = plain_text(entity[label]) if label in entity._type.attributes else ""
    return f"{entity._name} {text or entity._key}"


def _value(entity: Any, names: tuple[str, ...]) -> Any:
    for name in names:
        if entity is None or not hasattr(entity, "__getitem__"):
            return None
        entity = entity.get(name) if hasattr(entity, "get") else None
    return entity


def drawn(terminal: Terminal, roots: dict[Identity, Branch]) -> None:
    """Print the tree: with lines on a terminal, with blanks elsewhere."""
    on_terminal = terminal.console.is_terminal
    for start, branch in _lines(roots, on_terminal):
        text = printable(branch.text, lines=False)
        room = terminal.console.width - len(start)
        text = cut(text, max(8, room)) if on_terminal else text
        terminal.say(start, (text, "bold" if branch.found else "dim"))


def _lines(branches: dict[Identity, Branch], with_lines: bool, start: str = "", root: bool = True) -> Iterator[Any]:
    listed = list(branches.values())
    for number, branch in enumerate(listed):
        last = number == len(listed) - 1
        own, below = ("└── ", "    ") if last else ("├── ", "│   ")
        if not with_lines:
            own = below = "  "
        yield ("" if root else start + own), branch
        yield from _lines(branch.branches, with_lines, "" if root else start + below, False)
