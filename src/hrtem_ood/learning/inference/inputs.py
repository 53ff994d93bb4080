"""Micrographs that a user names: files, folders of them, and patterns."""

import glob
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from hrtem_ood.campaign.label_pairs import pattern_matches
from hrtem_ood.errors import ConfigError
from hrtem_ood.learning.inference.micrograph import SUFFIXES, is_micrograph_folder
from hrtem_ood.learning.inference.outputs import RECORD_FILE
from hrtem_ood.user_files import check_names


def expand_inputs(inputs: Sequence[Path]) -> list[Path]:
    """Return the files that are meant by files, folders and patterns, each once.

    Parameters
    ----------
    inputs : sequence of Path
        Of a folder, its files of known suffixes are taken, in the order of their names, but for hidden ones and those that a
        run of this program wrote there. A path with ``*``, ``?`` or ``[`` that is no file is a pattern.

    Returns
    -------
    list of Path
        Files that are named themselves are among them, whether they exist or not.

    Raises
    ------
    ConfigError
        Where a folder or a pattern has no file, or a name is no UTF-8.
    """
    files: dict[Path, Path] = {}
    for path in inputs:
        for file in _files(path):
            files.setdefault(file.resolve(), file)
    check_names(files.values())
    return list(files.values())


def _files(path: Path) -> Iterator[Path]:
    if path.is_dir() and not is_micrograph_folder(path):
        found = _micrographs(path)
        if not found:
            raise ConfigError(f"{path}: the folder holds no micrograph; these are files of {', '.join(SUFFIXES)}.")
        yield from found
    elif not path.exists() and glob.has_magic(str(path)):
        matched = pattern_matches(str(path))
        if not matched:
            raise ConfigError(f"{path}: no file has a name of this pattern.")
        yield from matched
    else:
        yield path


def _micrographs(folder: Path) -> list[Path]:
    written = _written(folder)
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in SUFFIXES
        and (path.is_file() or is_micrograph_folder(path))
        and not path.name.startswith(".")
        and path.name not in written
    )


def _written(folder: Path) -> set[str]:
    """Return the names of what a run wrote into a folder, by its record."""
    try:
        record = json.loads((folder / RECORD_FILE).read_text(encoding="utf-8"))
        return {str(name) for image in record["images"] for name in image["outputs"].values()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return set()
