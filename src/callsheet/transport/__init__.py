"""The only room with a network, a thread or a loop in it: it answers what flows ask."""
