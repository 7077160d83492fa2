"""Batch sync: rows in, a plan one can read, the smallest change set out.

Theory. A sync has three steps that do not know each other's business. *Rows* (``rows/``) become cells: one plain value
for each attribute path that the *mapping* names. *Planning* compares the cells with what the server has, by key, and
gives a `Plan`: pure data that changes nothing. *Applying* sends the plan's operations as one commit, or in chunks. A
second run finds nothing to do, so a run that was cut off is finished by running it again: what it had created is found
by key, and an entity's identity follows from its key, so that two runs at once do not create it twice.
"""
