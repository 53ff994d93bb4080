"""Deleting unused files: nothing outside the results folder, and nothing that changed since it was listed."""

import contextlib
import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from hrtem_ood.errors import HrtemOodError

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


class FileState(NamedTuple):
    """State of a file, by which a change since it was listed is detected.

    Attributes
    ----------
    device, inode, mode : int
    size : int, [B]
    written_ns : int, [ns]
    """

    device: int
    inode: int
    mode: int
    size: int
    written_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> "FileState":
        """Return the state of a file, or of a link itself."""
        return cls(status.st_dev, status.st_ino, status.st_mode, status.st_size, status.st_mtime_ns)


class Deletion(NamedTuple):
    """What was deleted, and what was not, with the reason.

    Attributes
    ----------
    deleted : list of Path
    kept : list of str
    """

    deleted: list[Path]
    kept: list[str]


def link_above(path: Path, results: Path) -> Path | None:
    """Return the first folder below the results folder, on the way to a path, that is a link; None where none is."""
    folder = results
    for part in path.relative_to(results).parts[:-1]:
        folder /= part
        if folder.is_symlink():
            return folder
    return None


def check_unlocked(results: Path) -> None:
    """Check that Snakemake does not run where these results belong.

    The lock is in Snakemake's working directory, which holds ``results``. Where that is a link, each folder on its way
    may be one.

    Raises
    ------
    HrtemOodError
    """
    for folder in _working_directories(results):
        locks = folder / ".snakemake/locks"
        if locks.is_dir() and any(locks.iterdir()):
            raise HrtemOodError(
                f"Snakemake is running in {folder}, or was killed there. Wait until it ends, or run "
                "`snakemake --unlock` if it is not running. Nothing was deleted."
            )


def _working_directories(results: Path) -> list[Path]:
    """Return the folders that may be the working directory of a Snakemake that writes these results."""
    path = Path(os.path.abspath(results))  # noqa: PTH100  # links are followed one by one
    folders = [results.resolve().parent]
    with contextlib.suppress(OSError):  # either may be missing
        if Path("results").samefile(results):  # a link, while the folder itself is given
            folders.append(Path.cwd())
    for _ in range(40):  # as many links as Linux follows
        folders += [path.parent, path.parent.resolve()]
        if not path.is_symlink():
            break
        path = Path(os.path.normpath(path.parent.resolve() / path.readlink()))
    return list(dict.fromkeys(folders))


def delete_files(states: dict[Path, FileState], results: Path, *, unless_open: Collection[Path] = ()) -> Deletion:
    """Delete files of a results folder, and the folders of reports that are then empty.

    Folders are opened one below the other, without following links, so that no path leads elsewhere even if a folder is
    replaced by a link meanwhile.

    Parameters
    ----------
    states : dict of Path to FileState
        The files, each with its state when it was listed. One that has changed is kept.
    results : Path
    unless_open : collection of Path
        Files that are kept while a process of this machine has them open.

    Returns
    -------
    Deletion
    """
    deleted: list[Path] = []
    kept: list[str] = []
    in_use = _open_files() if unless_open else set()
    root = os.open(results, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for path, state in states.items():
            if path in unless_open and os.path.realpath(path) in in_use:
                kept.append(f"{path}: a process of this machine has it open")
                continue
            try:
                if not _unlink(root, path.relative_to(results).parts, state):
                    kept.append(f"{path}: it has changed since it was listed")
                    continue
            except FileNotFoundError:
                continue
            except OSError as error:
                kept.append(f"{path}: {error.strerror}")
                continue
            deleted.append(path)
        _remove_empty_reports(root, [path.relative_to(results).parts for path in deleted])
    finally:
        os.close(root)
    return Deletion(deleted, kept)


def _unlink(root: int, parts: Sequence[str], state: FileState) -> bool:
    """Delete a file, or a link itself; return False if it has changed."""
    with _folder(root, parts[:-1]) as folder:
        if FileState.of(os.stat(parts[-1], dir_fd=folder, follow_symlinks=False)) != state:
            return False
        os.unlink(parts[-1], dir_fd=folder)
        return True


@contextmanager
def _folder(root: int, parts: Sequence[str]) -> Iterator[int]:
    """Open a folder below another one, of which no part may be a link."""
    with contextlib.ExitStack() as stack:
        folder = root
        for part in parts:
            folder = os.open(part, _FOLDER, dir_fd=folder)
            stack.callback(os.close, folder)
        yield folder


def _remove_empty_reports(root: int, deleted: Sequence[Sequence[str]]) -> None:
    folders = {tuple(parts[:depth]) for parts in deleted if parts[0] == "reports" for depth in range(2, len(parts))}
    for parts in sorted(folders, key=len, reverse=True):
        with contextlib.suppress(OSError), _folder(root, parts[:-1]) as folder:  # usually because it is not empty
            os.rmdir(parts[-1], dir_fd=folder)


def _open_files() -> set[str]:
    """Return the paths of files that processes of this machine have open, as far as this user may see them."""
    paths: set[str] = set()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            for entry in (process / "fd").iterdir():
                with contextlib.suppress(OSError):
                    paths.add(str(entry.readlink()))
    return paths
