"""Files that users name: regular ones only, of bounded size, read in blocks.

A device, a pipe or a file of 50 GB, given by mistake, must neither hang a command nor fill the memory. A refusal is an
OSError whose text states the reason, as for a missing file, so that callers handle both alike.
"""

import errno
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Literal

from hrtem_ood.errors import ConfigError

FileKind = Literal[
    "configuration",
    "saved configuration",
    "crystal",
    "structures",
    "Python file",
    "micrograph",
    "metadata of a micrograph",
    "label",
    "calibration",
]

LARGEST_BYTES: dict[FileKind, int] = {
    "configuration": 2**20,
    "saved configuration": 2**25,
    "crystal": 16 * 2**20,
    "structures": 2**29,
    "Python file": 2**20,
    "micrograph": 16 * 2**30,
    "metadata of a micrograph": 2**24,
    "label": 16 * 2**30,
    "calibration": 2**26,
}
"""Largest size of a file by its kind [bytes], far above that of any useful file: a detector's largest image is 400 MB."""

FOLDER_SUFFIX = ".zspy"
"""Of folders that count as one file."""

_BLOCK_BYTES = 2**20

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def check_regular(path: Path, kind: FileKind) -> None:
    """Check that a path leads to a regular file that is not too large, without opening it.

    Parameters
    ----------
    path : Path
    kind : str
        One of :data:`LARGEST_BYTES`.

    Raises
    ------
    OSError
        If the file is missing, not a regular file, or too large; ``strerror`` states the reason.
    """
    try:
        _check(path.stat(), path, kind)
    except ValueError as error:  # a NUL in the path
        raise OSError(errno.EINVAL, f"{error}", str(path)) from None


def read_bytes(path: Path, kind: FileKind) -> bytes:
    """Return the content of a file that a user names.

    Parameters
    ----------
    path, kind
        As of :func:`check_regular`.

    Returns
    -------
    bytes

    Raises
    ------
    OSError
        As of :func:`check_regular`.
    """
    return b"".join(_blocks(path, kind))


def read_text(path: Path, kind: FileKind) -> str:
    """Return the text of a UTF-8 file that a user names, independent of the locale.

    Parameters
    ----------
    path, kind
        As of :func:`check_regular`.

    Returns
    -------
    str
        Without a byte order mark.

    Raises
    ------
    OSError
        As of :func:`check_regular`.
    UnicodeDecodeError
        Where it is not UTF-8.
    """
    return read_bytes(path, kind).decode("utf-8-sig")


def file_sha256(path: Path, kind: FileKind) -> str:
    """Return the sha256 of a file that a user names, without holding it in memory.

    Parameters
    ----------
    path, kind
        As of :func:`check_regular`.

    Returns
    -------
    str
        64 hex digits.

    Raises
    ------
    OSError
        As of :func:`check_regular`.
    """
    digest = hashlib.sha256()
    for block in _blocks(path, kind):
        digest.update(block)
    return digest.hexdigest()


def content_sha256(path: Path, kind: FileKind) -> str:
    """Return the sha256 of a file, or of a folder that counts as one: of the names and digests of its files.

    Parameters
    ----------
    path, kind
        As of :func:`check_regular`.

    Returns
    -------
    str
        64 hex digits.

    Raises
    ------
    OSError
        As of :func:`check_regular`; links in a folder are no regular files.
    """
    if path.suffix.lower() != FOLDER_SUFFIX or not path.is_dir():
        return file_sha256(path, kind)
    digest = hashlib.sha256()
    for place, folders, files in os.walk(path):
        folders.sort()
        for name in sorted(files):
            file = Path(place) / name
            if file.is_symlink():
                raise OSError(errno.EINVAL, f"has a link in it, {name[:80]}, which is not followed", str(path))
            digest.update(f"{file.relative_to(path)}\0{file_sha256(file, kind)}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def size_text(size: float) -> str:
    """Return a number of bytes for messages, e.g. ``50 GB``."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"


def _blocks(path: Path, kind: FileKind) -> Iterator[bytes]:
    with _opened(path, kind) as file:
        size = 0
        while block := file.read(_BLOCK_BYTES):
            size += len(block)
            if size > LARGEST_BYTES[kind]:  # it grew, or the file system reports no size
                raise _too_large(size, path, kind)
            yield block


def _opened(path: Path, kind: FileKind) -> BinaryIO:
    check_regular(path, kind)
    # a pipe may have replaced the file since the check
    number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        _check(os.fstat(number), path, kind)
        return os.fdopen(number, "rb")
    except BaseException:
        os.close(number)
        raise


def _check(status: os.stat_result, path: Path, kind: FileKind) -> None:
    if not stat.S_ISREG(status.st_mode):
        what = next((name for test, name in _KINDS if test(status.st_mode)), "something else")
        raise OSError(errno.EINVAL, f"is {what}, not a regular file", str(path))
    if status.st_size > LARGEST_BYTES[kind]:
        raise _too_large(status.st_size, path, kind)


def _too_large(size: int, path: Path, kind: FileKind) -> OSError:
    text = f"is too large: {size_text(size)}, where a {kind} may have {size_text(LARGEST_BYTES[kind])} at most"
    return OSError(errno.EFBIG, text, str(path))


def check_names(paths: Iterable[Path]) -> None:
    """Check that names of files can be written into tables and onto the terminal.

    Parameters
    ----------
    paths : iterable of Path

    Raises
    ------
    ConfigError
        Where one is no UTF-8.
    """
    for path in paths:
        try:
            str(path).encode()
        except UnicodeEncodeError:
            raise ConfigError(f"{os.fsencode(path)!r}: the name is no UTF-8. Rename the file.") from None
