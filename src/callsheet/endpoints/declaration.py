"""The declaration of endpoints in plugin files: ``@callsheet.endpoint("rooms/{id}")`` marks a function as one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from attrs import evolve, field, frozen

from callsheet.endpoints.arguments import Argument, arguments_of
from callsheet.errors import UsageError

__all__ = ["Endpoint", "METHODS", "declared_in", "endpoint", "names_of"]

F = TypeVar("F", bound=Callable[..., Any])

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_MARK = "__callsheet_endpoints__"
_PART = re.compile(r"[\w.~-]+|\{[A-Za-z_]\w*\}", re.ASCII)
_NAME = re.compile(r"\{(\w+)(:path)?\}")


@frozen
class Endpoint:
    """A function, the addresses below ``/endpoints/`` and the methods that it answers, and who may call it.

    ``roles`` are those of which the caller has one (empty: every account may call); administrators always may.
    ``public`` endpoints also answer requests without an account.
    """

    path: str
    function: Callable[..., Any] = field(eq=False)
    methods: tuple[str, ...] = ("GET",)
    roles: tuple[str, ...] = ()
    public: bool = False
    arguments: tuple[Argument, ...] = ()
    file: str = field(default="", eq=False)

    @property
    def description(self) -> str:
        """The docstring of the function, without its indent."""
        import inspect

        return inspect.getdoc(self.function) or ""


def endpoint(
    path: str,
    *,
    methods: str | Iterable[str] = "GET",
    roles: str | Iterable[str] = (),
    public: bool = False,
) -> Callable[[F], F]:
    """Mark a function in a plugin file as the endpoint at ``/endpoints/PATH`` of a server.

    ``path`` may have named parts: ``"rooms/{id}"``. The function takes them as arguments of these names, and further
    arguments from the parameters of the address (``GET``, ``DELETE``) or the fields of a JSON object that is the body
    (``POST``, ``PUT``, ``PATCH``), each converted to its annotation; ``body`` takes the whole body, ``session`` a
    session of the caller, whose changes are committed when the function returns, and ``request`` the request itself.
    The function may be ``async``, and then takes an `AsyncSession`.

    A result is sent as JSON; a text as plain text, bytes as they are, None as status 204; what a generator yields is
    sent as it is made. A server calls it that was started with the file: ``callsheet serve --plugin FILE``.

    Callers need an account, and one of ``roles`` if there are any. With ``public=True`` nobody needs one; ``session``
    is None then for callers without one. Raises `UsageError` for a path, a method or a signature that no request fits.

    >>> @endpoint("rooms/{number}", roles="producer")
    ... def room(number: int, session):
    ...     return {"number": number}
    >>> [(each.path, each.methods, each.roles) for each in declared_in({"room": room})]
    [('rooms/{number}', ('GET',), ('producer',))]
    """
    names = names_of(path)
    taken = _texts(methods, "methods")
    if not taken or set(taken) - set(METHODS):
        raise UsageError(f"endpoint `{path}`: methods are some of {', '.join(METHODS)}, not {methods!r:.80}")
    allowed = _texts(roles, "roles")
    if public and allowed:
        raise UsageError(f"endpoint `{path}` is public, so everybody may call it: it cannot have roles")

    def mark(function: F) -> F:
        arguments = arguments_of(function, path, names, taken)
        made = Endpoint(path, function, tuple(taken), tuple(allowed), public, arguments)
        setattr(function, _MARK, [*getattr(function, _MARK, ()), made])
        return function

    return mark


def declared_in(namespace: dict[str, Any], file: str = "") -> list[Endpoint]:
    """The endpoints of a module, each once, in the order of the file."""
    found: dict[int, Endpoint] = {}
    for value in namespace.values():
        # Only functions carry marks: other objects may have any attribute, or run code when asked for one.
        for each in getattr(value, _MARK, ()) if callable(value) and hasattr(value, "__code__") else ():
            found[id(each)] = evolve(each, file=file)
    return list(found.values())


def names_of(path: str, rest: bool = False) -> tuple[str, ...]:
    """The names of a path's parts; raises `UsageError` for a path that is none. ``rest`` permits ``{name:path}`` last.

    >>> names_of("rooms/{id}/doors/{door}")
    ('id', 'door')
    """
    shown = path[: -len(":path}")] + "}" if rest and path.endswith(":path}") else path
    parts = shown.split("/")
    if not all(_PART.fullmatch(part) and part.strip(".") for part in parts):
        raise UsageError(
            f"{path!r:.120} is no path of an endpoint: it consists of words and named parts with `/` between them, "
            "such as `rooms/{id}`"
        )
    names = tuple(name for name, _ in _NAME.findall(shown))
    if len(set(names)) < len(names):
        raise UsageError(f"endpoint `{path}` names a part twice")
    return names


def _texts(given: str | Iterable[str], what: str) -> Sequence[str]:
    found = [given] if isinstance(given, str) else list(given)
    if not all(isinstance(each, str) and each for each in found):
        raise UsageError(f"{what} of an endpoint are texts, not {given!r:.80}")
    return list(dict.fromkeys(found))
