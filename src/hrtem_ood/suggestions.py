"""Suggestions in messages about unknown names."""

import difflib
from collections.abc import Collection, Iterable

LONGEST_LIST = 10
"""Largest number of names that a message lists; it counts the others."""


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """Suggest the valid name most similar to an unknown one.

    Parameters
    ----------
    word : str
        The unknown name.
    choices : iterable of str
        The valid names.

    Returns
    -------
    str
        A question with a space behind it, to be put before what is valid; empty if no choice is similar.

    Examples
    --------
    >>> did_you_mean("sigmo", ["epsilon", "sigma"])
    'did you mean `sigma`? '
    >>> did_you_mean("dose", ["defocus_A", "dose_e_per_A2"])
    'did you mean `dose_e_per_A2`? '
    """
    names = list(choices)
    # a name without its unit is not similar enough to the whole
    without_unit = [name for name in names if name.lower().startswith(f"{word.lower()}_")]
    similar = difflib.get_close_matches(word, names, n=1) or without_unit
    return f"did you mean `{similar[0]}`? " if similar else ""


def valid_names(word: str, choices: Collection[str], *, title: str = "Valid") -> str:
    """Tell what may stand in the place of an unknown name: the most similar one, and all if they are few.

    Parameters
    ----------
    word : str
        The unknown name.
    choices : collection of str
        The valid names.
    title : str
        Words before a list of them.

    Returns
    -------
    str
        The end of a message.

    Examples
    --------
    >>> valid_names("sigmo", ["epsilon", "sigma"])
    'did you mean `sigma`? Valid: epsilon, sigma.'
    >>> valid_names("name37", [f"name{number}" for number in range(30)], title="Names")
    'did you mean `name7`?'
    """
    hint = did_you_mean(word, choices)
    if hint and len(choices) > LONGEST_LIST:
        return hint.rstrip()
    return f"{hint}{title}: {listed(choices) or 'none'}."


def listed(names: Collection[str]) -> str:
    """Return names separated by commas; of a long list, the first ones and the number of the others."""
    rest = len(names) - LONGEST_LIST
    return ", ".join(list(names)[:LONGEST_LIST]) + (f" and {rest:,} more" if rest > 0 else "")
