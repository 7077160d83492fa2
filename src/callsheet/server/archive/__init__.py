"""A whole database as one file, and back: portable between engines, while a backup is the database's own copy."""
