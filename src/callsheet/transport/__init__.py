"""The only package with a network, threads or an event loop: it answers the requests of flows."""
