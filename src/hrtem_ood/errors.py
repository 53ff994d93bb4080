"""Errors that a user can correct, printed as one message without a traceback; and escapes for untrusted text."""

import re

UNPRINTABLE = "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
"""Control characters, direction overrides and lone surrogates, except tab and line feed."""


def printable(text: str) -> str:
    r"""Return text with control characters, direction overrides and lone surrogates as escapes.

    Parameters
    ----------
    text : str
        Possibly from an untrusted file.

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
    """Base of all errors that a user can correct.

    Examples
    --------
    >>> import hrtem_ood
    >>> try:
    ...     hrtem_ood.load_campaign("config/missing.yaml")
    ... except hrtem_ood.HrtemOodError as error:
    ...     print(error)
    config/missing.yaml: cannot be read (No such file or directory). Give the path of a YAML file.
    """


class ConfigError(HrtemOodError):
    """A mistake in the campaign's configuration; names the key, what was wrong and what would be valid.

    Examples
    --------
    >>> import hrtem_ood
    >>> hrtem_ood.load_campaign("config/missing.yaml")
    Traceback (most recent call last):
    hrtem_ood.errors.ConfigError: config/missing.yaml: cannot be read (No such file or directory). Give the path of a YAML file.
    """


class ArtifactError(HrtemOodError):
    """A missing, truncated, unreadable or mismatching artifact; names the file and what to do.

    Examples
    --------
    >>> import hrtem_ood
    >>> campaign = hrtem_ood.load_campaign("config/config.yaml")
    >>> try:
    ...     hrtem_ood.open_metrics(campaign, results="elsewhere")
    ... except hrtem_ood.ArtifactError as error:
    ...     print(str(error).partition(". ")[2])
    Run campaign tiny with snakemake, or give its results folder as `results`.
    """


class ArgumentError(HrtemOodError, ValueError):
    """A mistake in an argument of the Python interface; names the argument, what was wrong and what would be valid.

    Examples
    --------
    >>> import hrtem_ood
    >>> hrtem_ood.open_dataset(hrtem_ood.load_campaign("config/config.yaml"), structure_set="tests")
    Traceback (most recent call last):
    hrtem_ood.errors.ArgumentError: structure_set: there is no 'tests'; did you mean `test`? Valid: train, test.
    """


class DeviceError(HrtemOodError):
    """A requested device is not available.

    Examples
    --------
    >>> import hrtem_ood
    >>> issubclass(hrtem_ood.DeviceError, hrtem_ood.HrtemOodError)
    True
    """
