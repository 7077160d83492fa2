"""Questions that are watched: asked again when a commit can have changed their answers, shared by their readers."""
