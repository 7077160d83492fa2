"""The two kinds of session: the verbs of `Session` block, those of `AsyncSession` are awaited."""
