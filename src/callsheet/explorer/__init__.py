"""The explorer: a web page of the server, for people who do not write Python.

``app/`` is the page itself (TypeScript), ``assets/`` what it is built to, and the modules here are the server's side:
the page and its files, signing in, and what the page asks beside the native wire.
"""
