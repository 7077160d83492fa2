"""Callsheet's own wire: JSON over HTTP, with commit ids, versions, cursors and commits staged in parts.

    GET  /v1/description?known=<hash>
    POST /v1/select
    POST /v1/aggregate
    POST /v1/why
    POST /v1/ask
    POST /v1/commits/<commit id>/parts/<number>
    POST /v1/commits/<commit id>
    POST /v1/call/<action>

``client.py`` makes requests and reads answers, ``server.py`` reads requests and makes answers, ``shapes.py`` defines
the JSON of both, ``codec.py`` converts the model to it and back, and ``rows.py`` decodes pages fast.
"""
