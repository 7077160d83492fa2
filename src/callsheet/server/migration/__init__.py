"""A schema that changes: what differs, what it would cost, and how a database gets from one to the other."""
