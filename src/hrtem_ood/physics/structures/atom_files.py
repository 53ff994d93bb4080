"""Reading of files of atoms that a user names."""

import bz2
import gzip
import hashlib
import io
import lzma
import re
import tempfile
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import IO

from ase import Atoms
from ase.data import atomic_numbers
from ase.io import read
from ase.io.formats import filetype

from hrtem_ood.errors import ArtifactError, ConfigError
from hrtem_ood.physics.structures.cif import read_cif
from hrtem_ood.physics.structures.cif_symmetry import CifError
from hrtem_ood.quoting import shortened
from hrtem_ood.user_files import FileKind, read_bytes

COMPRESSED: dict[str, Callable[[IO[bytes]], IO[bytes]]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}  # type: ignore[dict-item]  # overloaded
"""Functions that open compressed files, by suffix."""

LARGEST_BYTES = 2**31
"""Largest unpacked size of a file [bytes]."""


def read_frames(
    path: Path, sha256: str | None, *, key: str, what: str, valid: str, kind: FileKind, last: bool = False
) -> list[Atoms]:
    """Read all frames of a file, from the same bytes as the digest.

    CIF is read by :mod:`hrtem_ood.physics.structures.cif`, all else by ASE. ASE gets a copy of the bytes in an empty folder: in
    a name, it takes the part after `@` as an index, and for some formats it looks for files beside the named one.

    Parameters
    ----------
    path : Path
    sha256 : str or None
        Digest that the file must have.
    key : str
        Configuration key of the file, for messages.
    what, valid : str
        Description of the expected file, and of valid formats, for messages.
    kind : {"crystal", "structures"}
        For its largest size.
    last : bool
        Whether the last frame is enough.

    Returns
    -------
    list of ase.Atoms

    Raises
    ------
    ConfigError
        If it cannot be read, or is no such file.
    ArtifactError
        If the file does not have the digest ``sha256``.
    """
    try:
        content = read_bytes(path, kind)
    except OSError as error:
        raise ConfigError(
            f"{key}: {path} cannot be read ({error.strerror}); give the path of {what}, relative to the working directory."
        ) from error
    digest = hashlib.sha256(content).hexdigest()
    if sha256 is not None and digest != sha256:
        raise ArtifactError(
            f"{path} has changed: its sha256 is {digest}, and {sha256} is expected. "
            "Restore the file, or run snakemake again to use the new one."
        )
    try:
        return _frames(path.name, content, last=last)
    except CifError as error:
        raise ConfigError(f"{key}: {path} {error}") from error
    except Exception as error:  # ASE's parsers raise many kinds
        raise ConfigError(f"{key}: {path} is not {what} that can be read ({_why(error)}); {valid}.") from error


def _frames(name: str, content: bytes, *, last: bool) -> list[Atoms]:
    suffix = Path(name).suffix.lower()
    if suffix in COMPRESSED:
        with COMPRESSED[suffix](io.BytesIO(content)) as packed:
            content, name = packed.read(LARGEST_BYTES + 1), name[: -len(suffix)]
        if len(content) > LARGEST_BYTES:
            raise ValueError(f"it unpacks to more than {LARGEST_BYTES >> 30} GiB")
    with tempfile.TemporaryDirectory(prefix="hrtem-ood-") as folder:
        copy = Path(folder) / re.sub(r"(\.\w+)@[^.]*$", r"\1", name)  # the format is that of what is before `@`
        copy.write_bytes(content)
        kind = filetype(str(copy))  # type: ignore[no-untyped-call, unused-ignore]  # ASE's
        if kind == "cif":
            return list(islice(read_cif(content), 1 if last else None))[::-1]
        try:
            frames = read(str(copy), index=":", format=kind, do_not_split_by_at_sign=True)
        except Exception as error:  # its message may name the copy
            if folder in str(error):
                raise ValueError(str(error).replace(f"{folder}/", "")) from error
            raise
    assert isinstance(frames, list)
    return frames


def _why(error: Exception) -> str:
    text = str(error)[:200]
    if isinstance(error, StopIteration | IndexError):  # a missing line or word
        return "it ends early"
    if (
        isinstance(error, KeyError)
        and error.args
        and str(error.args[0]).isalpha()
        and error.args[0] not in atomic_numbers
    ):
        return f"unknown element {error.args[0]}"
    return f"{type(error).__name__}: {shortened(text, 200)}"
