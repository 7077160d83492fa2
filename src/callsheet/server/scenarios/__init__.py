"""Scenarios: named units of work that the server keeps, that their readers see, and that nobody has committed."""
