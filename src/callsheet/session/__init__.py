"""The front doors: `Session` blocks, `AsyncSession` awaits."""
