"""What a dialect says of itself, so that no shared room needs to know it by name.

A declaration is data and cheap to import. Its two halves are named by text (``module:attribute``) and are imported
when a session speaks the dialect, or a server answers it. ``callsheet.dialects`` finds declarations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from attrs import field, frozen

__all__ = ["DialectDeclaration", "EnvironmentNames"]


@frozen
class EnvironmentNames:
    """Environment variables of a dialect, in order of preference. They are read after Callsheet's own."""

    server: tuple[str, ...] = ()
    user: tuple[str, ...] = ()
    key: tuple[str, ...] = ()
    plugin_paths: tuple[str, ...] = ()


def _recognises_nothing(_: str) -> bool:
    return False


@frozen
class DialectDeclaration:
    """What is particular to one dialect.

    ``client`` names the class that speaks it (or is that class), ``server`` the server's half
    (a `callsheet.dialects.serving.ServerHalf`), if there is one. ``recognises`` says of an address whether the server
    there speaks the dialect. ``topics`` maps the dialect's names of topics to Callsheet's.

    >>> DialectDeclaration("toy", "collections:OrderedDict").client_class.__name__
    'OrderedDict'
    """

    name: str
    client: str | type
    server: str = ""
    environment: EnvironmentNames = field(factory=EnvironmentNames)
    recognises: Callable[[str], bool] = _recognises_nothing
    #: Whether the name of the operating system's user is the account, where no other is given.
    system_user: bool = False
    topics: Mapping[str, str] = field(factory=dict)
    #: The topic of the server's own report of a commit, if it is not Callsheet's.
    update_topic: str = ""
    #: Actions of the server for work that is done by queries and by Callsheet's own actions elsewhere.
    actions: frozenset[str] = frozenset()
    #: Names of components that are files for review.
    review_components: frozenset[str] = frozenset()
    #: What the names of the locations that every server has begin with.
    location_prefix: str = ""
    #: The name of the setting by which a server has all sessions use one mounted disk.
    storage_scenario: str = ""

    @property
    def client_class(self) -> Any:
        """The class of the client's half, imported now."""
        return _loaded(self.client) if isinstance(self.client, str) else self.client

    @property
    def server_half(self) -> Any:
        """The server's half, imported now; None where there is none."""
        return _loaded(self.server) if self.server else None


def _loaded(place: str) -> Any:
    module, _, attribute = place.partition(":")
    return getattr(import_module(module), attribute)
