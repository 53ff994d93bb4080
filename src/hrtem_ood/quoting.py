"""Quotation of users' values in messages: short and on one line."""

import reprlib
from typing import Any

MOST_CHARACTERS = 80
"""Largest number of characters of a value that a message quotes."""

_DIGITS = 40
"""Largest number of digits of a whole number that is quoted in full; Python itself refuses to write some thousands."""


class _Short(reprlib.Repr):
    """Looks at the beginning of a value only, so that a large one costs nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 4
        self.maxlist = self.maxtuple = self.maxdict = self.maxset = self.maxfrozenset = 8
        self.maxstring = self.maxother = MOST_CHARACTERS

    def repr_int(self, x: int, level: int) -> str:  # noqa: ARG002  # reprlib's
        return repr(x) if x.bit_length() <= 3 * _DIGITS else f"a whole number of about {_decimal_digits(x)} digits"

    def repr_dict(self, x: dict[Any, Any], level: int) -> str:
        # in the order of the file; reprlib sorts
        if level <= 0 and x:
            return "{...}"
        items = [
            f"{self.repr1(key, level - 1)}: {self.repr1(x[key], level - 1)}"
            for key, _ in zip(x, range(8), strict=False)
        ]
        return "{" + ", ".join([*items, "..."] if len(x) > 8 else items) + "}"


_SHORT = _Short()


def _decimal_digits(number: int) -> int:
    return int(number.bit_length() * 0.30103) + 1


def quoted(value: Any, limit: int = MOST_CHARACTERS) -> str:
    """Return a value as Python writes it, with at most ``limit`` characters.

    Parameters
    ----------
    value : Any
    limit : int

    Returns
    -------
    str

    Examples
    --------
    >>> quoted("many")
    "'many'"
    >>> quoted(10**400)
    'a whole number of about 401 digits'
    """
    return shortened(_SHORT.repr(value), limit)


def shortened(text: str, limit: int = MOST_CHARACTERS) -> str:
    """Return text on one line with at most ``limit`` characters; longer text loses its middle.

    Parameters
    ----------
    text : str
    limit : int

    Returns
    -------
    str

    Examples
    --------
    >>> shortened("a" * 9 + "z", limit=8)
    'aaaa...z'
    """
    head = text if len(text) <= 4 * limit else text[: 2 * limit] + text[-2 * limit :]
    line = "".join(character if character.isprintable() else repr(character)[1:-1] for character in head)
    if len(line) <= limit and len(text) <= 4 * limit:
        return line
    ahead = (limit - 3 + 1) // 2 + (limit - 3) // 4
    return f"{line[:ahead]}...{line[len(line) - (limit - 3 - ahead) :]}"
