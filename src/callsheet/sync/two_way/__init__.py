"""Two ways: changes carried in both directions between two systems, by the values that both had last.

Theory. Each system is a `Side` (see ``sync/side.py``). Rows of both are paired by links in a registry; each link keeps
the *base*, the values that both had when they last agreed. Planning reads what changed, pairs what has no partner yet,
and compares each pair with its base, attribute by attribute: what one side changed goes to the other, what both changed
follows a policy. Applying writes in chunks; after each chunk the registry notes what is now equal. Nothing else is
kept, so a run that is killed anywhere is finished by the next: what was written and not noted is found equal, and what
was created and not linked is found by its token.
"""
