"""The hall: everything a session holds in memory, and the flows that talk."""
