"""Live objects: entities, their types, the identity map and the unit of work."""
