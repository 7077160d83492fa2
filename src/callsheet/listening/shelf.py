"""The plugin files of a listener, with their handlers and schedules; a changed file is read again.

Files are polled (time and size, twice a second). That needs a few system calls for a folder, and works on the network
file systems where studios keep their plugins, which do not notify about changes by other machines. A file is run only
if it marks a handler, so that modules imported by plugins are not run. If a file cannot be read or run, its previous
handlers are kept, and the error is reported.
"""

from __future__ import annotations

import ast
import logging
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from attrs import define, field

from callsheet import plugins
from callsheet.errors import PluginError, UsageError
from callsheet.failure import ends_program, failure_of
from callsheet.listening.declaration import Declared, handlers_of
from callsheet.listening.schedule import Schedule
from callsheet.model.schema import Schema

__all__ = ["Shelf", "load_handlers", "marks_handlers"]

log = logging.getLogger("callsheet.listening")

_MARKS = ("handler", "schedule")
_FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef


@define
class _LoadedFile:
    """A file when it was last read: its stamp, the handlers in use, and its error since then."""

    stamp: tuple[int, int]
    handlers: list[Declared] = field(factory=list)
    problem: str = ""


class Shelf:
    """Handlers by name, from plugin files and the files in folders (recursively)."""

    def __init__(self, paths: Iterable[str | Path], allow_writable: bool = False) -> None:
        self.paths = [Path(path) for path in paths]
        #: The schema that expressions are checked against; set when it is known.
        self.schema: Schema | None = None
        self._allow_writable = allow_writable or os.environ.get("CALLSHEET_ALLOW_WRITABLE_PLUGINS", "") == "1"
        self._held: dict[Path, _LoadedFile] = {}
        self.handlers: dict[str, Declared] = {}
        self._doubles: dict[str, str] = {}

    @property
    def problems(self) -> dict[str, str]:
        """Files that cannot be used, each with the reason."""
        return {str(path): held.problem for path, held in self._held.items() if held.problem} | self._doubles

    def refresh(self) -> bool:
        """Read changed files; returns whether the handlers changed."""
        found = {path: (root, stamp) for path, root, stamp in _files(self.paths)}
        changed = False
        for path in [path for path in self._held if path not in found]:
            changed |= bool(self._held.pop(path).handlers)
        for path, (root, stamp) in found.items():
            held = self._held.get(path)
            if held is None or held.stamp != stamp:
                changed |= self._read(path, root, stamp, held or _LoadedFile(stamp))
        if changed:
            self._sort()
        return changed

    def _read(self, path: Path, root: Path, stamp: tuple[int, int], held: _LoadedFile) -> bool:
        self._held[path] = held
        held.stamp = stamp
        try:
            handlers = load_handlers(path, root, self._allow_writable, self.schema)
        except PluginError as error:
            held.problem = str(error)
            kept = "; its previous handlers are kept" if held.handlers else ""
            log.error("%s%s", error, kept, extra={"facts": {"file": str(path), "error": str(error)}})
            return False
        changed = bool(handlers or held.handlers)
        held.handlers, held.problem = handlers, ""
        if changed:
            names = ", ".join(each.name for each in handlers) or "no handlers"
            log.info("%s: %s", path, names, extra={"facts": {"file": str(path), "handlers": names}})
        return changed

    def _sort(self) -> None:
        """Choose one handler for each name: the file that has the name keeps it; among new files, the first by path."""
        owners = {name: each.file for name, each in self.handlers.items()}
        self.handlers, self._doubles = {}, {}
        every = [each for path in sorted(self._held) for each in self._held[path].handlers]
        for each in sorted(every, key=lambda each: owners.get(each.name) != each.file):
            owner = self.handlers.setdefault(each.name, each)
            if owner is not each:
                self._refuse(each, owner)

    def _refuse(self, double: Declared, owner: Declared) -> None:
        problem = f"the name `{double.name}` is taken by {owner.file}; this one does not run"
        self._doubles[f"{double.file} ({double.name})"] = problem
        log.error("%s: %s", double.file, problem, extra={"facts": {"file": double.file, "handler": double.name}})


def _files(paths: Iterable[Path]) -> Iterator[tuple[Path, Path, tuple[int, int]]]:
    """The Python files, each with the path it was found in, and its stamp, which changes with the file."""
    for path in paths:
        if path.is_file():
            stat = path.stat()
            yield path.resolve(), path.resolve(), (stat.st_mtime_ns, stat.st_size)
            continue
        for folder, names, files in os.walk(path):
            names[:] = sorted(name for name in names if not name.startswith((".", "__")))
            for name in sorted(files):
                if name.endswith(".py") and not name.startswith("."):
                    try:
                        stat = os.stat(os.path.join(folder, name))
                    except OSError:
                        continue
                    yield Path(folder, name).resolve(), path.resolve(), (stat.st_mtime_ns, stat.st_size)


def load_handlers(
    path: Path, root: Path | None = None, allow_writable: bool = False, schema: Schema | None = None
) -> list[Declared]:
    """Run a plugin file if it marks handlers or schedules; returns these.

    Raises `PluginError` for a file that cannot be read, parsed or run, that all users may write, or that has a handler
    whose expression no event can fulfil.
    """
    try:
        tree = ast.parse(path.read_bytes(), filename=str(path))
    except (OSError, SyntaxError, ValueError) as error:
        raise PluginError(f"{path} cannot be read: {error}") from error
    if not marks_handlers(tree):
        return []
    if not allow_writable and (place := plugins.writable_by_all(path, root or path)) is not None:
        raise PluginError(
            f"all users may write {place}, and so run code here: `chmod o-w` it, or allow it with "
            "CALLSHEET_ALLOW_WRITABLE_PLUGINS=1"
        )
    # Cached bytecode has a resolution of a second, and a file may be edited twice in one.
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        found = handlers_of(vars(plugins.run(path)), str(path))
    except BaseException as error:
        if ends_program(error):
            raise
        failure = failure_of(error)
        raise PluginError(f"{path} cannot be run: {failure.error}\n{failure.traceback.strip()}") from error
    finally:
        sys.dont_write_bytecode = before
    for each in found:
        _check(each, schema)
    return found


def _check(handler: Declared, schema: Schema | None) -> None:
    try:
        handler.check(schema)
    except UsageError as error:
        kind = "schedule" if isinstance(handler, Schedule) else "handler"
        raise PluginError(f"{handler.file}: the {kind} `{handler.name}` would never be called: {error}") from error


def marks_handlers(tree: ast.Module) -> bool:
    """Whether a file marks a function with ``@callsheet.handler(…)`` or ``@callsheet.schedule(…)``.

    Imports under other names are recognised.

    >>> marks_handlers(ast.parse("from callsheet import handler as on\\n@on('x', name='y')\\ndef f(event, session): 1"))
    True
    >>> marks_handlers(ast.parse("def handler(): ..."))
    False
    """
    names = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "callsheet"
        for alias in node.names
        if alias.name in _MARKS
    }
    marks = (mark for node in ast.walk(tree) if isinstance(node, _FUNCTIONS) for mark in node.decorator_list)
    called = (mark.func for mark in marks if isinstance(mark, ast.Call))
    return any(
        function.attr in _MARKS if isinstance(function, ast.Attribute) else getattr(function, "id", None) in names
        for function in called
    )
