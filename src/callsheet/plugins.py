"""Plugins: Python files, and modules of installed packages, with a function ``register(session)``.

A session that opens registers, in this order, what comes with Callsheet, the entry points of the group
``callsheet.plugins``, and the files below its plugin paths, sorted by path. What a plugin may do is what a script may
do; there is no sandbox, so what is run is logged, and files that every account may write are refused.

Which files are plugins is read, not tried: only a file that binds ``register`` at its top level is run. Any other is
left alone, so that a plugin can import a module beside it. A module is run once in a process, unless it changed.
Modules have names of their own, so two files may be called the same; one beside another is imported as
``import helper`` at the top of the file, or as ``from . import helper`` anywhere.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.util
import inspect
import logging
import os
import stat
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

from attrs import define, field

from callsheet.deferred import abandon, deferred, deferring
from callsheet.dialects import declaration_named
from callsheet.errors import PluginError
from callsheet.failure import ends_program, failure_of

__all__ = ["GROUP", "Plugin", "discover", "environment_paths", "python_files", "register"]

GROUP = "callsheet.plugins"
PACKAGE = "callsheet_plugins"
_log = logging.getLogger("callsheet.plugins")
_running = threading.RLock()
_modules: dict[tuple[Path, int, int], ModuleType] = {}
_neighbours: dict[Path, dict[str, ModuleType]] = {}


@define(eq=False)
class Plugin:
    """A plugin that was found: its source, its function ``register``, and the result of registering it.

    ``kind`` is ``file`` or ``entry point``; ``error`` is why it could not be run or registered; ``added`` lists what it
    added to the session that it was last registered with.
    """

    name: str
    source: str
    kind: str = "file"
    register: Callable[..., Any] | None = None
    error: Exception | None = None
    added: list[str] = field(factory=list)
    folder: Path | None = None

    @property
    def problem(self) -> str:
        """The error in a line, with its name, because the text of some errors is empty or a bare key.

        >>> Plugin("a", "a.py", error=KeyError("studio")).problem
        "KeyError: 'studio'"
        """
        return "" if self.error is None else failure_of(self.error).error


def environment_paths(environment: Mapping[str, str], dialect: str = "native") -> list[str]:
    """The plugin paths that the environment names: CALLSHEET_PLUGIN_PATH, then the variables of the dialect.

    >>> environment_paths({"CALLSHEET_PLUGIN_PATH": "/a"})
    ['/a']
    """
    names = ("CALLSHEET_PLUGIN_PATH", *declaration_named(dialect).environment.plugin_paths)
    return [path for name in names for path in environment.get(name, "").split(os.pathsep) if path.strip()]


def discover(paths: Iterable[str | Path], entry_points: bool = True, allow_writable: bool = False) -> list[Plugin]:
    """Find and run the plugins of installed packages, and those below these paths.

    A plugin that cannot be run has an ``error``, which is logged with its traceback.
    """
    given = [Path(path).expanduser() for path in paths if str(path).strip()]
    found = [_of_entry_point(entry) for entry in _entry_points()] if entry_points else []
    found += [_of_nothing(root) for root in given if not root.exists()]
    for path, root in python_files(given):
        plugin = _of_file(path, root, allow_writable)
        if plugin is not None:
            found.append(plugin)
    return found


def register(session: Any, plugins: Sequence[Plugin], arguments: Mapping[str, Any], strict: bool = False) -> None:
    """Register plugins with a session; those that fail are logged, or raised as `PluginError` where ``strict``.

    Each gets those of the ``arguments`` that its signature has. The subscriptions of a plugin that fails are removed.
    """
    for plugin in plugins:
        if plugin.error is None:
            _register(session, plugin, arguments)
        if plugin.error is not None and strict:
            raise PluginError(f"the plugin {plugin.name} ({plugin.source}) failed: {plugin.problem}") from plugin.error


def _register(session: Any, plugin: Plugin, arguments: Mapping[str, Any]) -> None:
    assert plugin.register is not None
    if kind := deferring(plugin.register):
        _failed(plugin, _not_run(plugin, kind))
        return
    taken = _accepted(plugin.register, arguments)
    left = sorted(set(arguments) - set(taken))
    if left:
        _log.warning("the plugin %s (%s) takes no %s", plugin.name, plugin.source, ", ".join(f"`{n}`" for n in left))
    before = _added(session)
    try:
        with _beside(plugin.folder):
            result = plugin.register(*_positional(plugin.register, session), **taken)
        if kind := deferred(result):
            abandon(result)
            raise _not_run(plugin, kind)
    except BaseException as error:
        _failed(plugin, error)
        for name in _added(session).keys() - before.keys():
            if name[0] == "subscription":
                session.hub.unsubscribe(name[1])
    plugin.added = [text for name, text in _added(session).items() if name not in before]


def _not_run(plugin: Plugin, kind: str) -> PluginError:
    return PluginError(
        f"`register` of {plugin.source} returns {kind}, which would not be run: write an ordinary function, "
        "`def register(session):`, without `async` and `yield`"
    )


def _positional(function: Callable[..., Any], session: Any) -> tuple[Any, ...]:
    """The session, unless the function takes nothing that is not named."""
    kinds = (
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        inspect.Parameter.VAR_POSITIONAL,
    )
    takes = any(parameter.kind in kinds for parameter in inspect.signature(function).parameters.values())
    return (session,) if takes else ()


def _accepted(function: Callable[..., Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments that a function has parameters for, besides its first, which is the session."""
    parameters = list(inspect.signature(function).parameters.values())
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return dict(arguments)
    if parameters and parameters[0].kind in (
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
    ):
        parameters = parameters[1:]
    named = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    names = {parameter.name for parameter in parameters if parameter.kind in named}
    return {name: value for name, value in arguments.items() if name in names}


def _added(session: Any) -> dict[tuple[str, Any], str]:
    """Everything that plugins may add to a session, each with a description."""
    found: dict[tuple[str, Any], str] = {}
    for number, (type_name, behaviour) in enumerate(session.types.extensions):
        found["type", number] = f"type {type_name}: {behaviour}"
    for each in session.hub.subscribers:
        found["subscription", each.id] = f"subscription {each.expression}"
    for name in session.operators:
        found["operator", name] = f"operator {name}"
    for name in session.commands:
        found["command", name] = f"command {name}"
    for owner, attribute in session.defaults:
        found["default", (owner, attribute)] = f"default {owner}.{attribute}"
    for name in _location_names(session):
        found["location", name] = f"location {name}"
    return found


def _location_names(session: Any) -> list[str]:
    """The session's own locations, if they were loaded; without the built-in ones."""
    if session._locations is None:
        return []
    everybodys = {place.name for place in session._new_locations()}
    return [str(place.name) for place in session._locations if place.name not in everybodys]


def _failed(plugin: Plugin, error: BaseException) -> None:
    """Note and log the error of a plugin; only Ctrl-C ends the program."""
    if ends_program(error):
        raise error
    plugin.error = error if isinstance(error, Exception) else _left(plugin, error)
    failure = failure_of(error)
    _log.error(
        "the plugin %s (%s) failed, and is left out: %s\n%s",
        plugin.name,
        plugin.source,
        plugin.problem,
        failure.traceback,
    )


def _left(plugin: Plugin, error: BaseException) -> PluginError:
    """An error for an exception that would end the program if it was raised again."""
    what = (
        f"called sys.exit({error.code!r:.200})" if isinstance(error, SystemExit) else f"raised {type(error).__name__}"
    )
    found = PluginError(f"{plugin.source} {what}: a plugin cannot end the program")
    found.__cause__ = error
    return found


# -- installed packages ---------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _entry_points() -> tuple[Any, ...]:
    from importlib.metadata import entry_points

    return tuple(sorted(entry_points(group=GROUP), key=lambda entry: (entry.name, entry.value)))


def _of_entry_point(entry: Any) -> Plugin:
    plugin = Plugin(entry.name, entry.value, "entry point")
    try:
        loaded = entry.load()
        plugin.register = loaded if not isinstance(loaded, ModuleType) else loaded.register
        _log.info("running the plugin %s of the entry point %s", entry.name, entry.value)
    except BaseException as error:
        _failed(plugin, error)
    return plugin


# -- files ----------------------------------------------------------------------------------------------------


def _of_nothing(root: Path) -> Plugin:
    """The failed plugin of a path that does not exist; logged without a traceback."""
    _log.warning("the plugin path %s does not exist", root)
    return Plugin(root.name, str(root), error=PluginError(f"the plugin path {root} does not exist"))


def python_files(paths: Iterable[Path]) -> Iterator[tuple[Path, Path]]:
    """The Python files below these paths, each once, with the path it was found below."""
    seen: set[Path] = set()
    for root in paths:
        for path in [root] if root.is_file() else sorted(root.rglob("*.py")):
            real = path.resolve()
            if real not in seen and "__pycache__" not in path.parts and path.is_file():
                seen.add(real)
                yield real, root.resolve()


def _of_file(path: Path, root: Path, allow_writable: bool) -> Plugin | None:
    plugin = Plugin(path.stem, str(path), folder=path.parent)
    try:
        if not binds_register(path):
            return None
        if not allow_writable and (open_to_all := writable_by_all(path, root)) is not None:
            raise PluginError(
                f"every account may write {open_to_all}, and so change what is run: `chmod o-w` it, or allow it with "
                "allow_writable_plugins=True or CALLSHEET_ALLOW_WRITABLE_PLUGINS=1"
            )
        plugin.register = run(path).register
    except BaseException as error:
        _failed(plugin, error)
    return plugin


def binds_register(path: Path) -> bool:
    """Whether a file binds the name ``register`` at its top level. Raises `SyntaxError` where it is no Python."""
    source = path.read_bytes()
    if b"register" not in source:
        return False
    return any(_binds(statement) for statement in ast.parse(source, str(path)).body)


def _binds(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return statement.name == "register"
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return any((alias.asname or alias.name) == "register" for alias in statement.names)
    if isinstance(statement, ast.Assign):
        return any(isinstance(target, ast.Name) and target.id == "register" for target in statement.targets)
    return False


def writable_by_all(path: Path, root: Path) -> Path | None:
    """The file, or a folder above it, that every account may write, and so change what is run; None if there is none.

    Folders with the sticky bit (such as ``/tmp``) count only if they are the plugin path or below it.
    """
    if sys.platform == "win32":
        return None
    for place in (path, *path.parents):
        mode = place.stat().st_mode
        if not mode & stat.S_IWOTH:
            continue
        if place == path or place.is_relative_to(root) or not mode & stat.S_ISVTX:
            return place
    return None


def run(path: Path) -> ModuleType:
    """The module of a file, run once for each state of the file that was seen."""
    path = path.resolve()
    state = path.stat()
    key = path, state.st_mtime_ns, state.st_size
    with _running:
        found = _modules.get(key)
        if found is None:
            _log.info("running the plugin file %s", path)
            found = _modules[key] = _run(path)
    return found


def _run(path: Path) -> ModuleType:
    name = f"{_package(path.parent)}.{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    before = sys.modules.get(name)
    sys.modules[name] = module
    try:
        with _beside(path.parent):
            if path.stem not in sys.modules:
                sys.modules[path.stem] = module
            spec.loader.exec_module(module)
    except BaseException:
        if before is None:
            del sys.modules[name]
        else:
            sys.modules[name] = before
        raise
    return module


def _package(folder: Path) -> str:
    """The package that the plugins of a folder are in, so that ``from . import`` finds their neighbours."""
    name = f"{PACKAGE}.f{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}"
    for package, places in ((PACKAGE, []), (name, [str(folder)])):
        if package not in sys.modules:
            module = ModuleType(package)
            module.__path__ = places
            sys.modules[package] = module
    return name


@contextmanager
def _beside(folder: Path | None) -> Iterator[None]:
    """Within, ``import helper`` finds ``helper.py`` of this folder, and not one of another folder."""
    if folder is None:
        yield
        return
    with _running:
        known = _neighbours.setdefault(folder, {})
        hidden = {name: sys.modules.pop(name) for name in known if name in sys.modules}
        sys.modules.update(known)
        sys.path.insert(0, str(folder))
        try:
            yield
        finally:
            sys.path.remove(str(folder))
            for name in [name for name, module in sys.modules.items() if _is_neighbour(name, module, folder)]:
                known[name] = sys.modules.pop(name)
            sys.modules.update(hidden)


def _is_neighbour(name: str, module: Any, folder: Path) -> bool:
    """Whether a module was found in the folder itself: ``helper.py``, or a package ``helper``.

    One that is deeper in it was found elsewhere on the path: a virtual environment may be in the folder of a plugin.
    """
    file = getattr(module, "__file__", None)
    if not isinstance(file, str) or name.startswith(PACKAGE):
        return False
    there = f"{folder}{os.sep}{name.partition('.')[0]}"
    return file.startswith((f"{there}.", f"{there}{os.sep}"))
