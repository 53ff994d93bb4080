"""What a configuration may consist of, before its keys are looked at: plain values, bounded in number, depth and size."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from hrtem_ood.quoting import quoted, shortened

DEEPEST = 32
"""Levels of mappings and lists in one another; a campaign needs six."""

MOST_VALUES = 700_000
"""Values of a configuration, all its keys included. One with every key of 5,000 conditions has 605,000."""

LONGEST_TEXT = 4096
"""Characters of one text: a path may have so many."""

LARGEST_INTEGER = 2**63 - 1
"""Above it no integer key has a meaning, and NumPy no type."""


def plain_value_errors(content: Mapping[Any, Any]) -> Iterator[str]:
    """Yield what of a configuration is no plain value, each with its key; the first that makes further search endless ends it.

    Parameters
    ----------
    content : mapping
        As read from YAML or JSON, by whatever reader.

    Yields
    ------
    str
        Key and what is wrong.
    """
    ahead: list[tuple[tuple[Any, ...], Any, tuple[int, ...]]] = [((), content, ())]
    number = 0
    while ahead:
        path, value, inside = ahead.pop()
        number += 1
        if number > MOST_VALUES:
            yield f"configuration: holds more than {MOST_VALUES:,} values; write grids as lists, or several campaigns."
            return
        if not isinstance(value, Mapping | list | tuple):
            problem = _scalar_problem(value)
            if problem:
                yield f"{key_text(path)}: {problem}"
            continue
        if id(value) in inside:
            yield f"{key_text(path)}: holds itself, which has no end."
            return
        if len(path) >= DEEPEST:
            yield f"{key_text(path)}: nests more than {DEEPEST} levels deep, which no configuration does."
            return
        items = list(value.items() if isinstance(value, Mapping) else enumerate(value))
        for key, item in reversed(items):
            problem = _key_problem(key) if isinstance(value, Mapping) else None
            if problem:
                yield f"{key_text((*path, key))}: {problem}"
            else:
                ahead.append(((*path, key), item, (*inside, id(value))))


def key_text(path: tuple[Any, ...] | list[Any]) -> str:
    """Return a path of keys as messages have it, e.g. ``conditions.defocus.C30``, none of them too long."""
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
        return f"text of {len(text):,} characters is too long; {LONGEST_TEXT:,} are the limit."
    strange = next((character for character in text if _is_strange(character)), None)
    return None if strange is None else f"{quoted(text)} holds the character {strange!a}, which no name or path has."


def _is_strange(character: str) -> bool:
    number = ord(character)
    return number < 0x20 or number == 0x7F or 0xD800 <= number <= 0xDFFF
