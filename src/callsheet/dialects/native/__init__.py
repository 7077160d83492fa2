"""Callsheet's own wire: JSON over HTTP, with commit ids, versions, cursors and commits staged in parts.

    GET  /v1/description?known=<hash>
    POST /v1/select
    POST /v1/aggregate
    POST /v1/commits/<commit id>/parts/<number>
    POST /v1/commits/<commit id>
    POST /v1/call/<action>

``client.py`` makes requests and reads answers, ``server.py`` reads requests and makes answers, ``shapes.py``
holds the JSON both agree on, ``codec.py`` turns the model into it and back, ``values.py`` does the same for
values, ``rows.py`` reads pages fast.
"""
