"""Suggestions in messages about unknown names."""

import difflib
from collections.abc import Iterable


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
    """
    similar = difflib.get_close_matches(word, list(choices), n=1)
    return f"did you mean `{similar[0]}`? " if similar else ""
