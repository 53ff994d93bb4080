"""Reading files of atoms that a user names."""

from pathlib import Path

from ase import Atoms
from ase.data import atomic_numbers
from ase.io import read

from hrtem_ood.errors import ArtifactError, ConfigError
from hrtem_ood.quoting import shortened
from hrtem_ood.user_files import FileKind, file_sha256


def read_frames(path: Path, sha256: str | None, *, key: str, what: str, valid: str, kind: FileKind) -> list[Atoms]:
    """Read all frames of a file.

    Parameters
    ----------
    path : Path
    sha256 : str or None
        Digest that the file must have.
    key : str
        That names the file, for messages.
    what, valid : str
        What the file should be, and which files are.
    kind : {"crystal", "structures"}
        For its largest size.

    Returns
    -------
    list of ase.Atoms

    Raises
    ------
    ConfigError
        When it cannot be read, or is none.
    ArtifactError
        When the file is not the one that ``sha256`` names.
    """
    try:
        found = file_sha256(path, kind)
    except OSError as error:
        raise ConfigError(
            f"{key}: {path} cannot be read ({error.strerror}); give the path of {what}, relative to the working directory."
        ) from error
    if sha256 is not None and found != sha256:
        raise ArtifactError(
            f"{path} has changed: its sha256 is {found}, and {sha256} is asked for. "
            "Restore the file, or run snakemake again to use the new one."
        )
    try:
        frames = read(path, index=":")
        assert isinstance(frames, list)
    except Exception as error:  # ASE raises whatever its parsers stumble on
        raise ConfigError(f"{key}: {path} is not {what} that ASE reads ({_why(error)}); {valid}.") from error
    return frames


def _why(error: Exception) -> str:
    if isinstance(error, StopIteration | IndexError):  # a line, or a word of one, that is not there
        return "it ends early"
    if (
        isinstance(error, KeyError)
        and error.args
        and str(error.args[0]).isalpha()
        and error.args[0] not in atomic_numbers
    ):
        return f"unknown element {error.args[0]}"
    return f"{type(error).__name__}: {shortened(str(error), 200)}"
