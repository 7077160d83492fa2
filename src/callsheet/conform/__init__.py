"""Edits become shots: one reader of edits, and a project made to agree with what it reads.

``reading.py`` reads a file into an `Edit`: ``table.py`` tables of office programs, ``timeline.py`` timelines of
OpenTimelineIO, opened by ``adapters.py``. What a file does not say, or says in two ways, is an option or a refusal that
names the clip. ``writing.py`` records in a session what differs, and returns it as a `ConformReport`.
"""
