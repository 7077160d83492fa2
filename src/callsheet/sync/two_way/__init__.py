"""Two ways: changes are copied in both directions between two systems, by the values that both had last.

Theory. Each system is a `Side` (see ``sync/side.py``). Rows of both are paired by links in a registry; each link keeps
the *base*, the values that both had when they last agreed. Planning reads what changed, pairs what has no partner yet,
and compares each pair with its base, attribute by attribute: what one side changed goes to the other, what both changed
follows a policy. Applying writes in chunks; after each chunk the registry notes what is now equal. No other state is
kept, so the next run finishes a run that was killed at any point: values that were written but not recorded are found
equal, and rows that were created but not linked are found by their token.
"""
