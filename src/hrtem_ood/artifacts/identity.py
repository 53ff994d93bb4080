"""Identities: canonical JSON, content ids and the random streams that they seed."""

import hashlib
import json
import math
import re
from functools import cache
from typing import Any

import numpy as np

DIGITS = 10


def canonical_json(value: Any) -> str:
    """Write a JSON-like value such that equal content gives equal text.

    Keys are sorted, white space is left out, and a float that is a whole number is written as an integer, so that
    ``1``, ``1.0`` and ``-0.0`` against ``0`` make no difference.

    Parameters
    ----------
    value : dict, list, tuple, str, int, float, bool or None, nested

    Returns
    -------
    str

    Raises
    ------
    ValueError
        For NaN or infinity, which have no JSON form.

    Examples
    --------
    >>> canonical_json({"b": 1.0, "a": [True, 0.5]})
    '{"a":[true,0.5],"b":1}'
    """
    return json.dumps(_canonical(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def plain_canonical_json(value: Any) -> str:
    """Write like :func:`canonical_json`, but with NaN and infinity as Python writes them: for digests of existing content."""
    return json.dumps(_canonical(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _canonical(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _canonical(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [item if type(item) is str else _canonical(item) for item in value]  # without thousands of calls for ids
    if isinstance(value, float) and math.isfinite(value) and value.is_integer():
        return int(value)
    return value


def digest(value: Any) -> str:
    """Sha256 of the canonical JSON of ``value``, as 64 hex digits."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def content_id(slug: str, value: Any) -> str:
    """Make an id of a readable slug and the first hex digits of the content's digest.

    Parameters
    ----------
    slug : str
        For readers only; it must follow from ``value``, and is never parsed.
    value : JSON-like
        Everything that determines the artifact's content.

    Returns
    -------
    str

    Examples
    --------
    >>> content_id("df 100", {"defocus_A": 100})
    'df-100-87b56deca0'
    """
    return _named(slug, digest(value))


def id_from_canonical_json(slug: str, text: str) -> str:
    """Make the id of a value whose canonical JSON is ``text``; see :func:`content_id`."""
    return _named(slug, hashlib.sha256(text.encode()).hexdigest())


def _named(slug: str, digits: str) -> str:
    return f"{_for_paths(slug)}-{digits[:DIGITS]}"


@cache
def _for_paths(slug: str) -> str:
    """Replace what does not belong into a file's name; thousands of networks share their slugs."""
    return re.sub(r"[^A-Za-z0-9._+-]+", "-", slug).strip("-")


def seed_sequence(stream: str, *key: int) -> np.random.SeedSequence:
    """Return the counter-based random stream of one item, independent of every other stream.

    Parameters
    ----------
    stream : str
        Identity of a family of items, such as the id of a series of scenes or of a dataset's series.
    *key : int
        Indices of the item within the family: structure index, phonon index, …

    Returns
    -------
    numpy.random.SeedSequence
    """
    return np.random.SeedSequence(int(digest(stream)[:32], 16), spawn_key=key)
