"""The one HTML document of the page. What it shows is decided in the browser; what it may do, by the server."""

from __future__ import annotations

from html import escape
from urllib.parse import urlsplit

from callsheet.dialects.routes import WebRequest
from callsheet.explorer.assets_folder import entry_points
from callsheet.flow import Response

__all__ = ["PREFIX", "SECURITY", "document"]

PREFIX = "/explorer/"
"""Where the page is, below the address of a server or of a workspace."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; "
    "connect-src 'self'; font-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'self'; form-action 'none'; "
    "frame-ancestors 'none'"
)
SECURITY = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
"""Headers of everything that the page consists of: no foreign script, no frame, no content of another type."""

_TEMPLATE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Callsheet</title>
<base href="{base}">
<link rel="icon" href="assets/{icon}">
<link rel="stylesheet" href="assets/{style}">
<script type="module" src="assets/{script}"></script>
</head>
<body>
<cs-app></cs-app>
<noscript>This page needs JavaScript.</noscript>
</body>
</html>
"""


def document(request: WebRequest) -> Response:
    """The document, whatever the address below `PREFIX`: the page reads the address."""
    files = entry_points()
    base = urlsplit(request.url).path.rstrip("/") + PREFIX
    text = _TEMPLATE.format(
        base=escape(base, quote=True), icon=files["icon.svg"], style=files["style.css"], script=files["app.js"]
    )
    headers = {"content-type": "text/html; charset=utf-8", "cache-control": "no-store", **SECURITY}
    return Response(200, text.encode(), headers)
