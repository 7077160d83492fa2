"""The ground: what every dialect, client and server agree on. Frozen data and pure functions."""
