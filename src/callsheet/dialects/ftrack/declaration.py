"""What is particular to ftrack: its environment, its addresses, its names of topics and places."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from callsheet.dialects.declaration import DialectDeclaration, EnvironmentNames

__all__ = ["DOMAIN", "FTRACK"]

DOMAIN = "ftrackapp.com"


def _is_site(address: str) -> bool:
    """Whether an address is that of a site hosted by the vendor.

    >>> _is_site("https://studio.ftrackapp.com"), _is_site("https://ftrackapp.com.example.org")
    (True, False)
    """
    host = (urlsplit(address).hostname or "").lower()
    return host == DOMAIN or host.endswith(f".{DOMAIN}")


#: What the vendor's pages call the types that are no tasks to them.
PAGES = {"Project": "show", "AssetVersion": "assetversion", "AssetVersionList": "list", "TypedContextList": "list"}


def _page(url: str, entity_type: str, key: str) -> str:
    """The vendor's page of an entity: the overview, with the entity beside it.

    >>> _page("https://studio.ftrackapp.com", "Shot", "k")
    'https://studio.ftrackapp.com/#slideEntityId=k&slideEntityType=task&itemId=projects'
    """
    if not entity_type:
        return f"{url}/"
    kind = PAGES.get(entity_type, "task")
    return f"{url}/#slideEntityId={quote(key, safe='')}&slideEntityType={kind}&itemId=projects"


FTRACK = DialectDeclaration(
    name="ftrack",
    client="callsheet.dialects.ftrack.client.dialect:FtrackDialect",
    server="callsheet.dialects.ftrack.server.half:HALF",
    environment=EnvironmentNames(
        server=("FTRACK_SERVER",),
        user=("FTRACK_API_USER",),
        key=("FTRACK_API_KEY", "FTRACK_APIKEY"),
        plugin_paths=("FTRACK_EVENT_PLUGIN_PATH",),
    ),
    recognises=_is_site,
    system_user=True,
    topics={
        "ftrack.api.session.ready": "callsheet.session.ready",
        "ftrack.api.session.reset": "callsheet.session.reset",
        "ftrack.api.session.configure-location": "callsheet.session.configure-location",
        "ftrack.api.session.construct-entity-type": "callsheet.session.construct-entity-type",
        "ftrack.location.component-added": "callsheet.location.component-added",
        "ftrack.location.component-removed": "callsheet.location.component-removed",
        "ftrack.meta.reply": "callsheet.reply",
        "ftrack.meta.connected": "callsheet.hub.connected",
        "ftrack.meta.disconnected": "callsheet.hub.disconnected",
    },
    update_topic="ftrack.update",
    actions=frozenset({"query_schemas", "query_server_information", "reset_remote", "search", "send_user_invite"}),
    review_components=frozenset({"ftrackreview-mp4", "ftrackreview-webm", "ftrackreview-image"}),
    location_prefix="ftrack.",
    storage_scenario="ftrack.centralized-storage",
    page=_page,
)
