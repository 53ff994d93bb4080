"""Which label belongs to which micrograph: by the names of their files."""

import glob
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

from hrtem_ood.errors import ConfigError
from hrtem_ood.quoting import quoted
from hrtem_ood.user_files import FOLDER_SUFFIX, check_names

MOST_FILES = 10
"""Files that a message lists; the others are counted."""

_WORDS = r"labels?|masks?|seg|segmentation|gt|truth|ground[ ._-]?truth|annotations?|instances?"
_OF_LABELS = re.compile(rf"[ ._-]+(?:{_WORDS})$|^(?:{_WORDS})[ ._-]+", re.IGNORECASE)
_OF_MICROGRAPHS = re.compile(r"[ ._-]+(?:images?|img|micrographs?|raw)$|^(?:images?|img)[ ._-]+", re.IGNORECASE)


class LabelPair(NamedTuple):
    """A file of micrographs and the one of their labels."""

    micrographs: Path
    labels: Path


def expand(words: Iterable[str], option: str) -> list[Path]:
    """Return the files that words of the command line stand for, sorted, each once.

    Parameters
    ----------
    words : iterable of str
        Paths, or patterns with ``*``, ``?``, ``[…]`` and ``**``.
    option : str
        Option or key, for messages.

    Raises
    ------
    ConfigError
        Where no file matches a pattern, a folder is given, or a name is no UTF-8.
    """
    files: dict[Path, Path] = {}
    for word in words:
        path = Path(word)
        if path.is_dir() and not _counts_as_file(path):
            raise ConfigError(f"{option}: {quoted(word)} is a folder. Give its files: '{path}/*.tif'.")
        # names may hold the signs of patterns
        matches = [path] if path.exists() or not glob.has_magic(word) else pattern_matches(word)
        if not matches:
            raise ConfigError(f"{option}: no file matches {quoted(word)}. Give files, or a pattern as 'folder/*.tif'.")
        for match in matches:
            files.setdefault(match.resolve(), match)
    check_names(files.values())
    return sorted(files.values())


def pattern_matches(pattern: str) -> list[Path]:
    """Return what has a name of a pattern and is no folder, sorted; ``**`` stands for folders in folders.

    A folder of ZSpy counts as a file, and nothing in it.
    """
    matches = [Path(name) for name in sorted(glob.glob(pattern, recursive=True))]  # noqa: PTH207  # absolute ones, too
    return [
        path
        for path in matches
        if (not path.is_dir() or _counts_as_file(path)) and not any(map(_counts_as_file, path.parents))
    ]


def _counts_as_file(path: Path) -> bool:
    return path.suffix.lower() == FOLDER_SUFFIX and path.is_dir()


def pair_files(
    micrographs: Sequence[Path], labels: Sequence[Path], *, keys: tuple[str, str] = ("--micrographs", "--labels")
) -> list[LabelPair]:
    """Find the label of each micrograph.

    A label has the stem of its micrograph; then those that are left have, without words as ``_label`` or ``_mask``. Of
    several in different folders, those belong together whose paths share most folders. One micrograph and one label are a
    pair whatever their names. A file that is given as both is a label.

    Parameters
    ----------
    micrographs, labels : sequence of Path
    keys : tuple of str, optional
        What the user named them with, for messages.

    Returns
    -------
    list of LabelPair
        In the order of the micrographs.

    Raises
    ------
    ConfigError
        Where a file has no partner, or several; lists them.
    """
    taken = {path.resolve() for path in labels}
    left = [path for path in micrographs if path.resolve() not in taken]
    if not left:
        raise ConfigError(f"{keys[0]}: every file is given as a label ({keys[1]}), too. Give the micrographs.")
    if len(left) == len(labels) == 1:
        return [LabelPair(left[0], labels[0])]
    found: dict[Path, Path] = {}
    for bare in (False, True):
        groups: dict[str, tuple[list[Path], list[Path]]] = defaultdict(lambda: ([], []))
        for path in left:
            if path not in found:
                groups[_name(path, _OF_MICROGRAPHS, bare)][0].append(path)
        for path in labels:
            if path not in found.values():
                groups[_name(path, _OF_LABELS, bare)][1].append(path)
        for images, candidates in groups.values():
            found |= _nearest(images, candidates)
    alone = [path for path in left if path not in found]
    without = [path for path in labels if path not in found.values()]
    if alone or without:
        raise ConfigError(_unmatched(alone, without, keys[1]))
    return [LabelPair(path, found[path]) for path in left]


def _name(path: Path, words: re.Pattern[str], bare: bool) -> str:
    return words.sub("", path.stem).casefold() if bare else path.stem


def _nearest(images: list[Path], labels: list[Path]) -> dict[Path, Path]:
    """Pair files of one name by the folders that they share; none where that is ambiguous."""
    if len(images) != len(labels):
        return {}
    pairs: dict[Path, Path] = {}
    for image in images:
        shared = [_shared_folders(image, label) for label in labels]
        if shared.count(max(shared)) > 1:
            return {}
        pairs[image] = labels[shared.index(max(shared))]
    return pairs if len(set(pairs.values())) == len(labels) else {}


def _shared_folders(one: Path, other: Path) -> int:
    pairs = zip(one.absolute().parent.parts, other.absolute().parent.parts, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _unmatched(micrographs: Sequence[Path], labels: Sequence[Path], key: str) -> str:
    parts = [
        f"{what} without {partner}: {_listed(paths)}."
        for what, partner, paths in (("micrographs", "a label", micrographs), ("labels", "a micrograph", labels))
        if paths
    ]
    return (
        f"{key}: {' '.join(parts)} A label has the name of its micrograph, whatever its suffix, or that with _label or "
        "_mask: a.dm4 and a.tif, or a.tif and a_label.png. Names must not occur twice."
    )


def _listed(paths: Sequence[Path]) -> str:
    named = ", ".join(quoted(str(path)) for path in paths[:MOST_FILES])
    return named + (f" and {len(paths) - MOST_FILES} more" if len(paths) > MOST_FILES else "")
