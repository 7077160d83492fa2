"""Names of workspaces, and where they stand in a server's address.

A server holds several workspaces, each with a schema, entities, accounts and files of its own. A name has one or two
parts, ``lab`` or ``holidays/uk``: a data view and a system. In an address a workspace is one part of the path, after
``/workspaces/``, with ``~`` in place of the ``/``: ``https://server/workspaces/holidays~uk``. The workspace ``default``
is the server's main one, and is the address without such a path.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from callsheet.errors import UsageError

__all__ = [
    "DEFAULT",
    "FOLDER",
    "address_with",
    "check_name",
    "chosen_name",
    "name_in_path",
    "split_address",
    "workspace_path",
]

DEFAULT = "default"
FOLDER = "/workspaces/"

_PART = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}"
_NAME = re.compile(rf"{_PART}(/{_PART})?")
_PARAMETER = re.compile(rf"[?&]workspace=({_PART}(?:/{_PART})?)$")


def check_name(name: str) -> str:
    """The name; raises `UsageError` if it cannot be a workspace's.

    >>> check_name("holidays/uk")
    'holidays/uk'
    >>> check_name("a/b/c")
    Traceback (most recent call last):
    callsheet.errors.UsageError: a workspace has one or two parts such as `lab` or `holidays/uk`, each of 1 to 40 ...
    """
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        raise UsageError(
            "a workspace has one or two parts such as `lab` or `holidays/uk`, each of 1 to 40 letters, digits, "
            f"`.`, `_` and `-`, with a letter or digit first, not {name!r:.80}"
        )
    return name


def chosen_name(workspace: str | None, data_view: str | None = None, system: str | None = None) -> str | None:
    """The workspace that these options choose, or None if none is given; raises `UsageError` if they contradict.

    >>> chosen_name(None, "holidays", "uk"), chosen_name("lab"), chosen_name(None)
    ('holidays/uk', 'lab', None)
    """
    if system and not data_view:
        raise UsageError(f"the system {system!r:.80} needs a data view: Session(…, data_view=…, system=…)")
    viewed = None if not data_view else f"{data_view}/{system}" if system else data_view
    for part in filter(None, (data_view, system)):
        if "/" in part:
            raise UsageError(f"a data view and a system are one part of a name each, not {part!r:.80}")
    if workspace and viewed and workspace != viewed:
        raise UsageError(f"the workspace is {workspace!r:.80} or {viewed!r:.80}; give one of them")
    name = workspace or viewed
    return None if name is None else check_name(name)


def workspace_path(name: str) -> str:
    """The path of a workspace in the address of its server, empty for the default one.

    >>> workspace_path("holidays/uk"), workspace_path("default")
    ('/workspaces/holidays~uk', '')
    """
    return "" if name == DEFAULT else FOLDER + name.replace("/", "~")


def name_in_path(part: str) -> str | None:
    """The workspace that a part of a path names, still percent-encoded; None if it cannot be a name.

    >>> name_in_path("holidays~uk"), name_in_path("holidays%2Fuk"), name_in_path("no~such~name")
    ('holidays/uk', 'holidays/uk', None)
    """
    name = unquote(part).replace("~", "/")
    return name if _NAME.fullmatch(name) else None


def address_with(url: str, name: str) -> str:
    """The address of a workspace: a path on a server, a parameter of a database.

    >>> address_with("https://server.example.org", "lab"), address_with("sqlite:///show.db", "lab")
    ('https://server.example.org/workspaces/lab', 'sqlite:///show.db?workspace=lab')
    """
    if url.startswith("http"):
        return url + workspace_path(name)
    return url if name == DEFAULT else f"{url}{'&' if '?' in url else '?'}workspace={name}"


def split_address(url: str) -> tuple[str, str | None]:
    """The address of a server or a database, and the workspace that it names at its end, if it does.

    >>> split_address("https://server.example.org/workspaces/lab/"), split_address("sqlite:///show.db?workspace=lab")
    (('https://server.example.org', 'lab'), ('sqlite:///show.db', 'lab'))
    >>> split_address("https://server.example.org/")
    ('https://server.example.org', None)
    """
    if not url.startswith("http"):
        found = _PARAMETER.search(url)
        return (url, None) if found is None else (url[: found.start()], found[1])
    bare = url.rstrip("/")
    server, folder, part = bare.rpartition(FOLDER)
    name = name_in_path(part) if folder and "/" not in part else None
    return (bare, None) if name is None else (server, name)
