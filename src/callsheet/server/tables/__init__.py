"""User tables: tables that people add while the server runs, load with rows, join and take away.

A user table is an entity type of the server's schema, so queries, aggregates and rights need nothing of their own.
"""
