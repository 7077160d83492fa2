"""Kitsu as a side of a two-way sync; ``plugins/kitsu.py`` is the plugin.

``account`` sends requests, ``tables`` says what Kitsu's rows are, ``reading``, ``log`` and ``writing`` are the methods
of the side (``side``). ``previews`` compares preview files, ``sending`` and ``fetching`` carry them, ``files`` has the
transfers. Nothing of Kitsu's own code is used.
"""
