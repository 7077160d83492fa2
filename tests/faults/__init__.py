"""Proofs that no work is lost or doubled: faults are injected, and what is left is counted.

``python -m tests.faults`` runs them all, ``--deep`` at full size; every test run injects a share of the faults
(``--share``). Every proof runs its *negative control* too: the same, with the one thing taken away that it is
about. A control that does not fail means the proof cannot see, and counts as a failure; so does a run in which no
fault was injected.
"""
