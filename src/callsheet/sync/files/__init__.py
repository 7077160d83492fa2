"""Sync files: what may stand in one, how one is read, and a first one for given rows."""
