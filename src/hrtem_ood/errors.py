"""Errors that are a user's to mend: shown as one message, never as a traceback; and how foreign text is shown."""

import re

UNPRINTABLE = "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
"""Characters that a terminal obeys or cannot show, without tab and line feed: controls, reversals, half characters."""


def printable(text: str) -> str:
    r"""Return text with control characters, reversals of the direction and half characters as escapes.

    Parameters
    ----------
    text : str
        Maybe of a file of somebody else.

    Returns
    -------
    str

    Examples
    --------
    >>> printable("a\x1b[2Jb")
    'a\\x1b[2Jb'
    """
    return re.sub(UNPRINTABLE, lambda match: match[0].encode("unicode_escape").decode("ascii"), text)


class HrtemOodError(Exception):
    """Base of every error that the command line shows as a plain message."""


class ConfigError(HrtemOodError):
    """A mistake in the campaign's configuration; names the key, what was wrong and what would be valid."""


class ArtifactError(HrtemOodError):
    """A missing, truncated, unreadable or mismatching artifact; names the file and what to do."""


class DeviceError(HrtemOodError):
    """A device was asked for that is not there."""
