"""File access: files are written in one step, and read only if they are regular files of a plausible size."""

import errno
import json
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from hrtem_ood.errors import ArtifactError

TEXT_LIMIT = 2**28
"""Largest text [B] that is read whole: the JSON of the largest packs takes a hundredth of that."""

QUOTED = 160
"""At most this many characters of another program's error message are quoted."""


@contextmanager
def atomic_replace(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``, which replaces it if the block succeeds, and is removed if not.

    Raises
    ------
    OSError
        When it cannot be written. It names ``path``, not the temporary one, and also where the system names no file, as for a
        full disk.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path)) from None
    # process ids repeat between hosts and containers
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        if error.filename in (None, str(temporary)) and error.errno is not None:
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def artifact_id_of(path: Path) -> str:
    """Id of the artifact that a path names."""
    for suffix in (".zarr.zip", ".extxyz", ".json", ".ckpt", ".csv"):
        if path.name.endswith(suffix):
            return path.name.removesuffix(suffix)
    return path.name


# --- errors ----------------------------------------------------------------------------------


def advice(path: Path) -> str:
    """Return the advice to delete an artifact and create it again."""
    return f"Delete {path} and run snakemake again to create it anew."


def damaged(path: Path, why: object) -> ArtifactError:
    """Return the error of a file whose content is not what was written."""
    text = " ".join(str(why).split())
    text = text if len(text) <= QUOTED else f"{text[:QUOTED]}…"
    return ArtifactError(f"{path} is damaged or cut off ({text}). {advice(path)}")


def without_digest(path: Path) -> ArtifactError:
    """Return the error of a file that does not carry its digest where this version writes it."""
    return ArtifactError(
        f"{path} is damaged, cut off, or not written by this version of hrtem-ood: it carries no digest. {advice(path)}"
    )


def check_id(path: Path, id_: object, expect_id: str | None = None) -> None:
    """Check that a file holds the artifact that its name gives, or the expected one."""
    wanted = artifact_id_of(path) if expect_id is None else expect_id
    if id_ == wanted:
        return
    if not id_:
        raise ArtifactError(f"{path} holds no id, so hrtem-ood did not create it. Is it another program's file?")
    raise ArtifactError(
        f"{path} holds {str(id_)[:80]}, not {wanted}: was it renamed or overwritten? Give it its name back, or, in results/, "
        "delete it and run snakemake again to create it anew."
    )


# --- reading ---------------------------------------------------------------------------------


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading; anything else, such as a pipe, could block the reader.

    Raises
    ------
    ArtifactError
        If the file is missing or not a regular file.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise ArtifactError(f"{path} is missing. Run snakemake to create it.") from None
    except (OSError, ValueError) as error:  # ValueError: the name has a null character
        if isinstance(error, OSError) and error.errno == errno.ENXIO:
            raise not_regular(path) from None
        raise ArtifactError(f"{path} cannot be read ({getattr(error, 'strerror', None) or error}).") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise not_regular(path)
    return os.fdopen(descriptor, "rb")


def not_regular(path: Path) -> ArtifactError:
    """Return the error of a pipe, folder, device or the like in place of a file."""
    return ArtifactError(f"{path} is no regular file. Move it away; hrtem-ood did not create it.")


def read_regular(path: Path, limit: int = TEXT_LIMIT) -> bytes:
    """Read a regular file of at most ``limit`` bytes.

    Raises
    ------
    ArtifactError
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > limit:
            raise ArtifactError(f"{path} has {size:,} bytes; such a file has at most {limit:,}.")
        return file.read(limit + 1)


def parse_json(path: Path, content: bytes) -> Any:
    """Parse the JSON of a file.

    Raises
    ------
    ArtifactError
        Where it is not JSON, not UTF-8, or nested too deeply.
    """
    try:
        return json.loads(content)
    except RecursionError:
        raise damaged(path, "its JSON is nested too deeply") from None
    except ValueError as error:
        raise damaged(path, error) from error
