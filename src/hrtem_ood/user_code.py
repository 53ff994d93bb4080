"""Running a user's Python file."""

import hashlib
import sys
from pathlib import Path
from types import ModuleType

from hrtem_ood.errors import ArtifactError, ConfigError
from hrtem_ood.user_files import read_bytes


def load_user_module(path: Path, sha256: str | None, what: str, advice: str) -> ModuleType:
    """Run a file, the very bytes whose digest was taken: an import could take stale ones from ``__pycache__``.

    Parameters
    ----------
    path : Path
    sha256 : str or None
        Of the content that is meant; None takes any.
    what : str
        What the file defines, for messages.
    advice : str
        What to do where it has changed, for messages.

    Returns
    -------
    module

    Raises
    ------
    ArtifactError
        Where the file cannot be read, or has changed.
    ConfigError
        Where it cannot be run.
    """
    try:
        source = read_bytes(path, "Python file")
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read ({error.strerror}); it defines {what}. Put it back.") from error
    if sha256 is not None and hashlib.sha256(source).hexdigest() != sha256:
        raise ArtifactError(
            f"{path} has changed since {what} was asked for: its sha256 should begin with {sha256[:12]}. "
            f"Put the old file back, or {advice}."
        )
    module = ModuleType(f"hrtem_ood_file_{sha256 or path.stem}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # where dataclasses and pickle look for what the file defines
    try:
        exec(compile(source, path, "exec"), vars(module))  # noqa: S102  # what a user's file is for
    except (Exception, SystemExit) as error:  # whatever a user's code stumbles on
        raise ConfigError(f"{path}: cannot be run ({type(error).__name__}: {error}).") from error
    return module
