"""The declaration of a dialect: all that shared modules need of it, so that none refers to a dialect by name.

A declaration is data and cheap to import. Its two halves are named by text (``module:attribute``) and are imported
when a session uses the dialect, or a server serves it. ``callsheet.dialects`` finds declarations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any
from urllib.parse import quote

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


def _page(url: str, entity_type: str, key: str) -> str:
    """The web page of an entity on a server; without a type, the server's own.

    >>> _page("https://callsheet.example.org", "Task", "a/b")
    'https://callsheet.example.org/entities/Task/a%2Fb'
    """
    return f"{url}/entities/{quote(entity_type, safe='')}/{quote(key, safe='')}" if entity_type else f"{url}/"


@frozen
class DialectDeclaration:
    """The properties of one dialect.

    ``client`` is the client's class, or its name; ``server`` is the name of the server half (a
    `callsheet.dialects.serving.ServerHalf`), if there is one. ``recognises`` returns whether the server at an address
    uses the dialect. ``topics`` maps the dialect's names of topics to Callsheet's.

    >>> DialectDeclaration("toy", "collections:OrderedDict").client_class.__name__
    'OrderedDict'
    """

    name: str
    client: str | type
    server: str = ""
    environment: EnvironmentNames = field(factory=EnvironmentNames)
    recognises: Callable[[str], bool] = _recognises_nothing
    #: Whether the default account is the name of the operating system's user.
    system_user: bool = False
    topics: Mapping[str, str] = field(factory=dict)
    #: The topic of the server's own report of a commit, if it is not Callsheet's.
    update_topic: str = ""
    #: Actions of this dialect's server, for tasks that other servers do by queries and Callsheet's own actions.
    actions: frozenset[str] = frozenset()
    #: Names of components that are files for review.
    review_components: frozenset[str] = frozenset()
    #: The prefix of the names of locations that every server has.
    location_prefix: str = ""
    #: The name of the server's setting that makes all sessions use one mounted disk.
    storage_scenario: str = ""
    #: The address of a web page, by the server's URL, an entity type and a key; without a type, the server's own.
    page: Callable[[str, str, str], str] = _page
    #: Whether its servers give a session codes by which a browser signs in at their page.
    page_codes: bool = False

    @property
    def client_class(self) -> Any:
        """The class of the client half, imported on access."""
        return _loaded(self.client) if isinstance(self.client, str) else self.client

    @property
    def server_half(self) -> Any:
        """The server half, imported on access; None if there is none."""
        return _loaded(self.server) if self.server else None


def _loaded(place: str) -> Any:
    module, _, attribute = place.partition(":")
    return getattr(import_module(module), attribute)
