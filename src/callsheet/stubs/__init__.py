"""Types for editors and type checkers, made of a server's schema: see ``writing.py``."""
