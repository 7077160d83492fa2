"""A verb is declared once, as a flow: in a blocking object it blocks, in an awaiting one it is awaited.

Theory. A flow says what to do and never waits (``flow.py``). `Verb` makes a method of it. What the method does with
the flow is decided by the object it belongs to: `Blocking` runs it and returns its result, `Awaiting` returns a
coroutine of the same result. Type checkers see the flow's own parameters and result, through ``ParamSpec``. The
docstring, the parameters and their defaults are the flow's.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from functools import wraps
from types import MethodType
from typing import TYPE_CHECKING, Any, ClassVar, Concatenate, Generic, ParamSpec, TypeVar, overload

from callsheet.later import LaterFunction

if TYPE_CHECKING:
    from inspect import Signature
    from typing import Never, Protocol

    from callsheet.entity.entity import E, Entity
    from callsheet.flow import Flow

__all__ = ["Awaiting", "Blocking", "Eventually", "FindingVerb", "Gives", "GivingVerb", "Verb", "VerbProperty"]

P = ParamSpec("P")
T = TypeVar("T")


class Blocking:
    """Something that runs flows and blocks until their results are there."""

    __slots__ = ()
    _awaits: ClassVar[bool] = False

    def run(self, flow: Flow[T]) -> T:
        """Run a flow; gives its result."""
        raise NotImplementedError


class Awaiting:
    """Something that runs flows and is awaited."""

    __slots__ = ()
    _awaits: ClassVar[bool] = True

    async def run(self, flow: Flow[T]) -> T:
        """Run a flow; gives its result."""
        raise NotImplementedError


class Gives:
    """What a method of entities gives, for stubs, in its annotation: ``-> Annotated[Any, Gives("list[Item]")]``.

    ``text`` is made of entity types, ``list``, ``dict``, ``str``, ``int``, ``float``, ``Any`` and ``None``. The result
    is awaited where the session is, except ``at_once``.
    """

    # Written out: a session class is imported without attrs.
    __slots__ = ("at_once", "text")

    def __init__(self, text: str, at_once: bool = False) -> None:
        self.text, self.at_once = text, at_once

    def __repr__(self) -> str:
        return f"Gives({self.text!r}{', at_once=True' if self.at_once else ''})"


class Verb(Generic[P, T]):
    """A method made of a flow whose first parameter is the object that has the method.

    >>> class Greeting(Blocking):
    ...     def run(self, flow):
    ...         from callsheet.transport import drive
    ...         from callsheet.transport.local import LocalTransport
    ...         return drive.run(flow, LocalTransport())
    ...
    ...     @Verb
    ...     def greet(self, name: str) -> Flow[str]:
    ...         "Greets somebody."
    ...         return f"hello {name}"
    ...         yield
    >>> Greeting().greet("sintel")
    'hello sintel'
    """

    def __init__(self, flow: Callable[Concatenate[Any, P], Flow[T]], opens: bool = True, needs: str = "") -> None:
        self._flow = flow
        #: Whether a session is opened first; else the flow does it, where it handles the errors of opening.
        self._opens = opens
        #: The capability that it needs, which is checked before anything is sent.
        self._needs = needs
        self._name = getattr(flow, "__name__", "")
        self._methods: dict[bool, Callable[..., Any]] = {}

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return f"<Verb {self._name}>"

    @property
    def flow(self) -> Callable[..., Flow[T]]:
        """The flow; one that is imported later is imported now."""
        if isinstance(self._flow, LaterFunction):
            self._flow = self._flow.load()
        return self._flow

    @overload
    def __get__(self, instance: None, owner: type) -> Verb[P, T]: ...
    @overload
    def __get__(self, instance: Blocking, owner: type | None = None) -> Callable[P, T]: ...
    @overload
    def __get__(self, instance: Awaiting, owner: type | None = None) -> Callable[P, Coroutine[Any, Any, T]]: ...
    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            return self._method(owner) if hasattr(owner, "_awaits") else self
        method = self._methods.get(instance._awaits)
        return MethodType(self._method(instance) if method is None else method, instance)

    def _method(self, runner: Any) -> Callable[..., Any]:
        """The function that calls the flow and runs it, as the object's class does."""
        awaits: bool = runner._awaits
        found = self._methods.get(awaits)
        if found is None:
            found = self._methods[awaits] = _method(self.flow, self._name, awaits, self._opens, self._needs)
        return found


class Eventually(Generic[T]):
    """The value of a `VerbProperty` where it is awaited: ``await session.user``. Nothing is sent before."""

    __slots__ = ("_flow", "_runner")

    def __init__(self, runner: Awaiting, flow: Callable[[Any], Flow[T]]) -> None:
        self._runner, self._flow = runner, flow

    def __await__(self) -> Generator[Any, None, T]:
        awaited: Coroutine[Any, Any, T] = _runner(self._runner, False)(self._flow(self._runner))
        return awaited.__await__()


class VerbProperty(Generic[T]):
    """A property whose value is the result of a flow. Where verbs are awaited, the property is: ``await session.user``.

    The value is fetched each time, unless the flow keeps it. The flow opens a session if it has to.
    """

    def __init__(self, flow: Callable[[Any], Flow[T]]) -> None:
        self._flow = flow

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]
        return self.flow.__doc__

    @property
    def flow(self) -> Callable[[Any], Flow[T]]:
        """The flow; one that is imported later is imported now."""
        if isinstance(self._flow, LaterFunction):
            self._flow = self._flow.load()
        return self._flow

    @overload
    def __get__(self, instance: None, owner: type) -> VerbProperty[T]: ...
    @overload
    def __get__(self, instance: Blocking, owner: type | None = None) -> T: ...
    @overload
    def __get__(self, instance: Awaiting, owner: type | None = None) -> Eventually[T]: ...
    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            return self
        return Eventually(instance, self.flow) if instance._awaits else _runner(instance, False)(self.flow(instance))


def _method(flow: Callable[..., Flow[Any]], name: str, awaits: bool, opens: bool, needs: str) -> Callable[..., Any]:
    async def awaited(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        if needs:
            self._check_capability(needs)
        return await _runner(self, opens)(flow(self, *args, **kwargs))

    def blocking(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        if needs:
            self._check_capability(needs)
        return _runner(self, opens)(flow(self, *args, **kwargs))

    method: Any = wraps(flow)(awaited if awaits else blocking)
    method.__name__ = name
    method.__signature__ = _signature(flow)
    return method  # type: ignore[no-any-return]


def _runner(runner: Any, opens: bool) -> Any:
    return runner.run if opens else runner._drive


def _signature(flow: Callable[..., Any]) -> Signature:
    """The flow's signature as a method's: the object is ``self``, the result is what the flow returns."""
    from inspect import signature as signature_of

    signature = signature_of(flow)
    first, *rest = signature.parameters.values()
    result = signature.return_annotation
    if isinstance(result, str):
        result = result.removeprefix("Flow[").removesuffix("]") if result.startswith("Flow[") else result
    return signature.replace(parameters=[first.replace(name="self"), *rest], return_annotation=result)


# -- verbs whose result follows the type that they are given ------------------------------------------------------
# `Verb` cannot say that to type checkers, since ``ParamSpec`` keeps one signature. So the first parameter is written
# here, once for each way to run a flow, and all others are the flow's. At run time these are verbs like any other.

#: What comes instead of an entity of a class, and instead of one of a type that is named.
OfClass = TypeVar("OfClass", covariant=True)
OfName = TypeVar("OfName", covariant=True)


if TYPE_CHECKING:

    class _Given(Protocol[P, OfClass, OfName]):
        """The verb of a session that blocks."""

        @overload
        def __call__(self, entity_type: str, *args: P.args, **kwargs: P.kwargs) -> Entity | OfName: ...
        @overload
        def __call__(self, entity_type: type[E], *args: P.args, **kwargs: P.kwargs) -> E | OfClass: ...

    class _Awaited(Protocol[P, OfClass, OfName]):
        """The verb of a session that awaits."""

        @overload
        def __call__(
            self, entity_type: str, *args: P.args, **kwargs: P.kwargs
        ) -> Coroutine[Any, Any, Entity | OfName]: ...
        @overload
        def __call__(
            self, entity_type: type[E], *args: P.args, **kwargs: P.kwargs
        ) -> Coroutine[Any, Any, E | OfClass]: ...

    class _EntityVerb(Generic[P, OfClass, OfName]):
        def __init__(self, flow: Callable[Concatenate[Any, Any, P], Flow[Any]]) -> None: ...
        @overload
        def __get__(self, instance: Blocking, owner: type | None = None) -> _Given[P, OfClass, OfName]: ...
        @overload
        def __get__(self, instance: Awaiting, owner: type | None = None) -> _Awaited[P, OfClass, OfName]: ...
        def __get__(self, instance: Any, owner: Any = None) -> Any: ...

    class FindingVerb(_EntityVerb[P, None, Any]):
        """Returns an entity, or None. With a name, the type is `Any`, so that scripts need no check for None."""

    class GivingVerb(_EntityVerb[P, Never, Never]):
        """Returns an entity."""

else:
    FindingVerb = GivingVerb = Verb
