"""External databases: tables that stay where they are, asked in place.

An external table is an entity type that can only be read. Questions about it are compiled by ``reading/`` against an
`ExternalStore`, whose tables are views of what the other database has, in the types of a schema (see ``store.py``).
"""
