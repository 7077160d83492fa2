"""Wire languages. A dialect turns model statements into requests, and replies into records."""
