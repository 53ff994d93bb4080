"""Files of labelled micrographs that a configuration names: found, paired, and named by their content."""

import glob
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hrtem_ood.campaign.label_pairs import LabelPair, expand, pair_files
from hrtem_ood.errors import ConfigError
from hrtem_ood.quoting import quoted
from hrtem_ood.user_files import FileKind, content_sha256


def with_labelled_files(suites: Mapping[str, Any]) -> dict[str, Any]:
    """Add pairs of files, with their digests, to the test suites of micrographs, so that ids depend on contents.

    Entries that list their files already are left as they are: the workflow wrote them, and the job that reads a file
    compares its digest. So are entries that are no suite of micrographs, which the models complain about.

    Parameters
    ----------
    suites : mapping
        The section `test_suites`, as it is written.

    Raises
    ------
    ConfigError
        Where no file matches a pattern, a file has no partner, or cannot be read; names the key.
    """
    result = dict(suites)
    for name, entry in suites.items():
        if isinstance(entry, Mapping) and not entry.get("files"):
            words = [_words(entry.get(key)) for key in ("micrographs", "labels")]
            if all(words):
                result[name] = {**entry, "files": _files(f"test_suites.{name}", words[0], words[1])}
    return result


def _words(value: Any) -> list[str]:
    """Return paths and patterns; none where they are not written as text, or as a list of texts."""
    words = [value] if isinstance(value, str) else value
    return words if isinstance(words, list) and all(isinstance(each, str) and each for each in words) else []


def _files(key: str, micrographs: list[str], labels: list[str]) -> list[dict[str, str]]:
    keys = (f"{key}.micrographs", f"{key}.labels")
    for words, name in ((micrographs, keys[0]), (labels, keys[1])):
        for word in words:
            if not Path(word).exists() and not glob.has_magic(word):
                raise ConfigError(f"{name}: {quoted(word)} does not exist. Give files, or a pattern as 'folder/*.tif'.")
    pairs = pair_files(expand(micrographs, keys[0]), expand(labels, keys[1]), keys=keys)
    return [_with_digests(pair, keys) for pair in pairs]


def _with_digests(pair: LabelPair, keys: tuple[str, str]) -> dict[str, str]:
    return {
        "micrographs": str(pair.micrographs),
        "labels": str(pair.labels),
        "micrographs_sha256": _sha256(pair.micrographs, "micrograph", keys[0]),
        "labels_sha256": _sha256(pair.labels, "label", keys[1]),
    }


def _sha256(path: Path, kind: FileKind, key: str) -> str:
    try:
        return content_sha256(path, kind)
    except OSError as error:
        raise ConfigError(f"{key}: {quoted(str(path))} cannot be read ({error.strerror}).") from None
