"""Passwords and tokens as objects that nothing shows.

A text in a variable is printed by tracebacks that show locals, and by logs that show arguments. A `Secret` is not: its
text is read by `reveal`, where it is sent or stored.
"""

from __future__ import annotations

from typing import NoReturn

__all__ = ["Secret"]


class Secret:
    """A text that is in no repr, log or pickle.

    >>> password = Secret("sesame")
    >>> password, str(password), f"{password}"
    (Secret(…), 'Secret(…)', 'Secret(…)')
    >>> password.reveal()
    'sesame'
    """

    __slots__ = ("__text",)

    def __init__(self, text: str) -> None:
        self.__text = text

    def reveal(self) -> str:
        """The text."""
        return self.__text

    def __repr__(self) -> str:
        return "Secret(…)"

    def __bool__(self) -> bool:
        return bool(self.__text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self.__text == other.reveal()

    def __hash__(self) -> int:
        return hash(self.__text)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled")
