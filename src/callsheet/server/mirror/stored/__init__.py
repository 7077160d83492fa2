"""Stored cubes: cells that are kept beside the mirrored rows, folded in the transaction that applies each commit.

Theory. The cells of a cube are the groups of one aggregate (``model/language/keeping.py``). A change of entities
touches the facts that are, or refer on the way to, a changed entity; these are found by the reference, so they are the
same before and after. What they were worth leaves their cells, what they are worth now enters them, and cells without
facts go. Parts that are added and taken away are integers, so nothing is left of what was taken away (``parts.py``).
Functions that cannot be taken apart are computed again, in the touched cells only.
"""
