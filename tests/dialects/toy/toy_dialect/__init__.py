"""A third dialect, as a package of somebody else would have it: its own wire, both halves, found by an entry point."""
