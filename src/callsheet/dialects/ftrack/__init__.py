"""ftrack's wire language: the client's half, and the server's."""
