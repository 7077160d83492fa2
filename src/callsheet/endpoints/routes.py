"""The addresses of endpoints, below ``/endpoints/``, and the description of the server's interface."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

from attrs import frozen

from callsheet import plugins
from callsheet.dialects.native.routes import bearer_credentials, optional_credentials, refuse
from callsheet.dialects.native.server import error_response
from callsheet.dialects.routes import JSON, Answered, Intake, Route, Size, Visit
from callsheet.endpoints.callers import may_call
from callsheet.endpoints.calling import call
from callsheet.endpoints.declaration import Endpoint, declared_in
from callsheet.endpoints.description import describe
from callsheet.endpoints.forwarding import KEYS_PATH, Forwarding, forward_request, forwardings_in, key_set
from callsheet.errors import (
    CallsheetError,
    CommitError,
    Conflict,
    ConflictError,
    Invalid,
    MissingValues,
    NoResult,
    NotFound,
    PluginError,
    ServerError,
    UsageError,
)
from callsheet.flow import Response
from callsheet.model.plain import encode

__all__ = ["PREFIX", "Added", "endpoint_routes", "load_endpoints"]

PREFIX = "/endpoints/"
log = logging.getLogger("callsheet.endpoints")


@frozen
class Added:
    """What plugin files add to a server."""

    endpoints: tuple[Endpoint, ...] = ()
    forwardings: tuple[Forwarding, ...] = ()


def load_endpoints(paths: Iterable[str | Path], allow_writable: bool = False) -> Added:
    """The endpoints in these plugin files and folders.

    Raises `PluginError` for a file that is not there, cannot be run, or that every account of the machine may write,
    and `UsageError` if two answer the same requests: a server does not start with a part of what it should serve.
    """
    endpoints: list[Endpoint] = []
    forwardings: list[Forwarding] = []
    given = [Path(path).expanduser() for path in paths]
    if missing := [path for path in given if not path.exists()]:
        raise PluginError(f"the plugin path {missing[0]} does not exist")
    for path, root in plugins.python_files(given):
        if _mentions(path):
            namespace = _run(path, root, allow_writable)
            endpoints += declared_in(namespace, str(path))
            forwardings += forwardings_in(namespace, str(path))
    _check_doubles([*endpoints, *forwardings])
    return Added(tuple(endpoints), tuple(forwardings))


def endpoint_routes(added: Added) -> tuple[Route, ...]:
    """The routes of what was added, and ``/openapi.json``, which describes it together with the native wire."""
    listed: Sequence[Endpoint | Forwarding] = [*added.endpoints, *added.forwardings]
    own = [_route(each, partial(call, each)) for each in added.endpoints]
    own += [_route(each, partial(forward_request, each)) for each in added.forwardings]
    # A fixed address goes before one with named parts.
    own.sort(key=lambda route: route.path.replace("{", "\U0010ffff"))
    described = partial(_described, listed)
    return (
        Route("/openapi.json", described, ("GET", "HEAD"), optional_credentials, refuse, compressed=True),
        *([Route(KEYS_PATH, key_set, ("GET", "HEAD"), compressed=False)] if added.forwardings else []),
        *own,
        *map(_other_methods, _by_path(listed)),
    )


def _route(each: Endpoint | Forwarding, answer: Callable[[Visit], Answered]) -> Route:
    raw = isinstance(each, Forwarding) or any(argument.is_raw for argument in each.arguments)
    intake = Intake(Size.LARGE if raw else Size.ORDINARY, frozenset() if raw else JSON)
    if each.public:
        intake = Intake(intake.size, intake.content_types, anonymous=True)
    who = optional_credentials if each.public else bearer_credentials
    return Route(PREFIX + each.path, partial(_answered, answer), each.methods, who, _refused, intake, compressed=False)


def _by_path(listed: Sequence[Endpoint | Forwarding]) -> list[tuple[str, tuple[str, ...]]]:
    """The paths, each with all of its methods."""
    found: dict[str, tuple[str, list[str]]] = {}
    for each in listed:
        found.setdefault(_shape(each.path), (each.path, []))[1].extend(each.methods)
    return [(path, tuple(methods)) for path, methods in found.values()]


def _other_methods(given: tuple[str, tuple[str, ...]]) -> Route:
    """Says which methods an address takes; without it, the native wire would say that there is nothing."""
    path, methods = given

    def answer(visit: Visit) -> Response:
        error = Invalid(f"this address takes {', '.join(methods)}, not {visit.request.method:.20}")
        return error_response(error, 405, {"allow": ", ".join(methods)})

    return Route(PREFIX + path, answer, None, instant=True, compressed=False)


def _answered(answer: Callable[[Visit], Answered], visit: Visit) -> Answered:
    try:
        return answer(visit)
    except CallsheetError as error:
        return _refused(error)


def _refused(error: CallsheetError) -> Response:
    """What a caller sees of an error: what the server says no to, and of a fault in a plugin a reference to the log."""
    said = _said_to_callers(error)
    if said is not None:
        return refuse(said)
    reference = secrets.token_hex(8)
    log.error("%s (reference %s)", error, reference, exc_info=error.__cause__ or error)
    return error_response(
        ServerError("the endpoint failed; the server's log says why", details={"reference": reference})
    )


def _said_to_callers(error: CallsheetError) -> ServerError | None:
    """The error of the server that a function let through; None for what is a fault of the function."""
    if isinstance(error, ServerError):
        return error
    if isinstance(error, ConflictError):
        return Conflict(str(error))
    if isinstance(error, MissingValues):
        return Invalid(str(error))
    if isinstance(error, NoResult):
        return NotFound(str(error))
    if isinstance(error, CommitError) and isinstance(error.__cause__, ServerError):
        return error.__cause__
    return None


def _described(listed: Sequence[Endpoint | Forwarding], visit: Visit) -> Response:
    shown = [each for each in listed if may_call(each, visit)]
    return Response(200, encode(describe(shown, visit.request.url)), {"content-type": "application/json"})


def _run(path: Path, root: Path, allow_writable: bool) -> dict[str, object]:
    open_to_all = None if allow_writable else plugins.writable_by_all(path, root)
    if open_to_all is not None:
        raise PluginError(f"every account may write {open_to_all}, and so change what the server runs: `chmod o-w` it")
    try:
        return vars(plugins.run(path))
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error
    except Exception as error:
        raise PluginError(f"{path} cannot be run: {type(error).__name__}: {error}") from error


def _mentions(path: Path) -> bool:
    """Whether a file may declare an endpoint; others, such as modules that plugins import, are not run."""
    source = path.read_bytes()
    return b"endpoint" in source or b"forward" in source


def _check_doubles(every: Sequence[Endpoint | Forwarding]) -> None:
    owners: dict[tuple[str, str], Endpoint | Forwarding] = {}
    for each in every:
        for method in each.methods:
            first = owners.setdefault((_shape(each.path), method), each)
            if first is not each:
                raise UsageError(f"{method} {PREFIX}{each.path} is declared twice: in {first.file} and in {each.file}")


def _shape(path: str) -> str:
    """A path without the names of its parts.

    >>> _shape("rooms/{id}/doors")
    'rooms/{}/doors'
    """
    return "/".join("{}" if part.startswith("{") else part for part in path.split("/"))
