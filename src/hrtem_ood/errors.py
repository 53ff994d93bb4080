"""Errors that are a user's to mend: shown as one message, never as a traceback."""


class HrtemOodError(Exception):
    """Base of every error that the command line shows as a plain message."""


class ConfigError(HrtemOodError):
    """A mistake in the campaign's configuration; names the key, what was wrong and what would be valid."""


class ArtifactError(HrtemOodError):
    """A missing, truncated, unreadable or mismatching artifact; names the file and what to do."""


class DeviceError(HrtemOodError):
    """A device was asked for that is not there."""
