"""Digests of networks and datasets that other artifacts record, compared with those that the files have.

A file can be whole and still another than the one that was used: a network that was trained again on another machine has
the same id and other weights.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hrtem_ood.artifacts.provenance import made_on

ANOTHER = {"networks": "other weights", "datasets": "other images"}
"""What a file holds that is not the one that was used, by stage."""

INDEX_STAGES = ("packs", "suites")
"""Stages whose artifacts list what exists; evaluations are computed from what these list."""

MAX_NAMES = 3


@dataclass
class RecordedDigests:
    """Digests of the contents of networks (weights) and datasets (images and labels).

    Attributes
    ----------
    existing : dict of (str, str) to (Path, str or None)
        Path and digest of every file that was read, by stage and id; the digest of a network that diverged is None.
    recorded : dict of (str, str) to list of (str, Path, str or None)
        By the same: stage and path of each artifact that records a digest, and that digest.
    made_on : dict of str to str
        What each dataset was made on, see :func:`hrtem_ood.artifacts.provenance.made_on`.
    earlier : dict of str to set of (str, str)
        Of each dataset, digests that suites record, and what its images were made on then.
    """

    existing: dict[tuple[str, str], tuple[Path, str | None]] = field(default_factory=dict)
    recorded: dict[tuple[str, str], list[tuple[str, Path, str | None]]] = field(default_factory=dict)
    made_on: dict[str, str] = field(default_factory=dict)
    earlier: dict[str, set[tuple[str, str]]] = field(default_factory=dict)

    def add_network(self, path: Path, content: Mapping[str, Any]) -> None:
        """Add a network, see :func:`hrtem_ood.learning.checkpoint.read_network`."""
        digest = None if content["diverged"] else content["sha256_of_weights"]
        self.existing["networks", content["id"]] = path, digest

    def add_dataset(self, path: Path, attributes: Mapping[str, Any]) -> None:
        """Add a dataset, or a set of labelled micrographs, which suites and evaluations list as one."""
        self.existing["datasets", attributes["id"]] = path, attributes["sha256_of_images"]
        self.made_on[attributes["id"]] = made_on(attributes)

    def add_record(self, stage: str, path: Path, content: Mapping[str, Any]) -> None:
        """Add what a pack, a suite or an evaluation records, from its JSON or its attributes.

        Raises
        ------
        AttributeError, KeyError, TypeError, ValueError
            Where it is not what this program writes.
        """
        for kind, id_, digest in list(_records(stage, content)):
            self.recorded.setdefault((kind, id_), []).append((stage, path, digest))
        if stage == "suites":
            for id_, entry in content["datasets"].items():
                if "made_on" in entry:
                    self.earlier.setdefault(id_, set()).add((entry["sha256"], entry["made_on"]))

    def differences(self) -> Iterator[tuple[Path, str]]:
        """Yield files that do not agree with what others record of them, and why.

        That is the network or the dataset where a pack or a suite lists another, else each evaluation of another. Images that
        were created again on another device differ by rounding, and are no difference (docs/gpu.md).
        """
        for (kind, id_), (path, digest) in self.existing.items():
            equivalent = {digest, *(self._of_other_devices(id_) if kind == "datasets" else ())}
            others = [
                (stage, other)
                for stage, other, recorded in self.recorded.get((kind, id_), [])
                if recorded not in equivalent
            ]
            if any(stage in INDEX_STAGES for stage, _ in others):
                listed = _names(other for _, other in others)
                yield (
                    path,
                    f"{path} holds {ANOTHER[kind]} than {listed} record of it: was it exchanged, or created again "
                    f"elsewhere? Put the right file back, or delete it and {listed}, and run snakemake again.",
                )
                continue
            for _, other in others:
                yield (
                    other,
                    f"{other} holds scores of {ANOTHER[kind]} than {path} has. Delete {other} and run snakemake again to "
                    "create it anew.",
                )

    def _of_other_devices(self, id_: str) -> Iterator[str]:
        """Yield the digests that the images of a dataset had when it was made on something else."""
        here = self.made_on.get(id_, "")
        yield from (digest for digest, there in self.earlier.get(id_, ()) if there != here)


def _records(stage: str, content: Mapping[str, Any]) -> Iterator[tuple[str, str, str | None]]:
    """Yield stage, id and digest of all networks and datasets that an artifact records."""
    if stage == "packs":
        for id_, entry in content["networks"].items():
            yield "networks", id_, entry.get("sha256_of_weights")
    elif stage == "suites":
        for id_, entry in content["datasets"].items():
            yield "datasets", id_, entry["sha256"]
    else:
        for kind in ANOTHER:
            for id_, digest in json.loads(content[kind]).items():
                yield kind, id_, digest


def _names(paths: Iterable[Path]) -> str:
    listed = list(map(str, paths))
    return " and ".join(
        [*listed[:MAX_NAMES], *([f"{len(listed) - MAX_NAMES} more"] if len(listed) > MAX_NAMES else [])]
    )
