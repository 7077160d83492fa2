"""Further workspaces of a server: where each is, and the services that are open on them."""
