"""Batch sync: rows in, a plan one can read, the smallest change set out.

Theory. A sync has three independent steps. *Rows* (``rows/``) become cells: one plain value for each attribute path
that the *mapping* names. *Planning* compares the cells with what the server has, by key, and gives a `Plan`: pure data
that changes nothing. *Applying* sends the plan's operations as one commit, or in chunks. A second run finds nothing to
do, so an interrupted run is finished by running it again: entities that it created are found by key, and an entity's
identity follows from its key, so that two runs at once do not create it twice.
"""
