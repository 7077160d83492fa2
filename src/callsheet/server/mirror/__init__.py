"""The mirror: a copy of the entities in DuckDB, which answers aggregates of many entities many times faster.

It is fed from the commit log and holds no truth of its own (see ``mirror.py``). It needs the extra ``analytics``.
"""
