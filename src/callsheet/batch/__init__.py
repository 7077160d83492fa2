"""Much at once: whole projects copied from server to server."""
