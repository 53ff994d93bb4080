"""Checks of a configuration before its keys are validated: plain values only, bounded in number, depth and size."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from hrtem_ood.base_model import LARGEST_INTEGER
from hrtem_ood.quoting import quoted, shortened

DEEPEST = 32
"""Largest nesting depth of mappings and lists; a campaign needs six."""

MOST_VALUES = 700_000
"""Largest number of values of a configuration, keys included. One with every key of 5,000 conditions has 605,000."""

LONGEST_TEXT = 4096
"""Largest number of characters of one text, that of the longest path."""


def plain_value_errors(content: Mapping[Any, Any]) -> Iterator[str]:
    """Yield an error for each value that is not plain, with its key. The search ends where a limit is exceeded.

    Parameters
    ----------
    content : mapping
        As read from YAML or JSON.

    Yields
    ------
    str
        Key and what is wrong.
    """
    pending: list[tuple[tuple[Any, ...], Any, tuple[int, ...]]] = [((), content, ())]
    number = 0
    while pending:
        path, value, ancestors = pending.pop()
        number += 1
        if number > MOST_VALUES:
            yield f"configuration: contains more than {MOST_VALUES:,} values; write grids as lists, or several campaigns."
            return
        if not isinstance(value, Mapping | list | tuple):
            problem = _scalar_problem(value)
            if problem:
                yield f"{key_text(path)}: {problem}"
            continue
        if id(value) in ancestors:
            yield f"{key_text(path)}: contains itself."
            return
        if len(path) >= DEEPEST:
            yield f"{key_text(path)}: nests more than {DEEPEST} levels deep."
            return
        items = list(value.items() if isinstance(value, Mapping) else enumerate(value))
        for key, item in reversed(items):
            problem = _key_problem(key) if isinstance(value, Mapping) else None
            if problem:
                yield f"{key_text((*path, key))}: {problem}"
            else:
                pending.append(((*path, key), item, (*ancestors, id(value))))


def key_text(path: tuple[Any, ...] | list[Any]) -> str:
    """Return a path of keys as messages write it, e.g. ``conditions.defocus.C30``, with long keys shortened."""
    return ".".join(shortened(str(part)) if isinstance(part, str) else quoted(part) for part in path) or "configuration"


def _key_problem(key: Any) -> str | None:
    if not isinstance(key, str):
        return f"a key must be text, not {quoted(key)}; quote it."
    return _text_problem(key)


def _scalar_problem(value: Any) -> str | None:
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, str):
        return _text_problem(value)
    if isinstance(value, int):
        return None if abs(value) <= LARGEST_INTEGER else f"{quoted(value)} is too large a number."
    if isinstance(value, float):
        return None if math.isfinite(value) else f"must be a finite number, not {value}."
    return f"must be a number, text, true or false, a list or a mapping, not {quoted(value)}; quote text."


def _text_problem(text: str) -> str | None:
    if len(text) > LONGEST_TEXT:
        return f"text of {len(text):,} characters is too long; the limit is {LONGEST_TEXT:,}."
    forbidden = next((character for character in text if _is_forbidden(character)), None)
    return None if forbidden is None else f"{quoted(text)} contains the character {forbidden!a}, which is not allowed."


def _is_forbidden(character: str) -> bool:
    number = ord(character)
    return number < 0x20 or number == 0x7F or 0xD800 <= number <= 0xDFFF
