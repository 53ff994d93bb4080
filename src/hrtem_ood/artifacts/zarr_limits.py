"""Limits on the arrays of a ``.zarr.zip``, checked before any is read: a file of some kB can declare shapes of any size."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from hrtem_ood.artifacts.files import damaged
from hrtem_ood.artifacts.sealed_zip import MOST_MEMBERS, SealedZip

LARGEST_ARRAY = 2**42
"""Largest array [B], unpacked: exit waves of 100,000 structures of 1,024² px take a fifth of that."""

LARGEST_CHUNK = 2**33
"""Largest chunk [B], unpacked: it is in memory as a whole. The largest are exit waves of a structure, all its phonons."""

LARGEST_FILL = 2**32
"""Most bytes of all arrays together, unpacked, without a stored chunk: Zarr leaves out those that hold only the fill value."""

MOST_DIMENSIONS = 8

STRING_B = 8
"""Bytes that a string counts as; its characters are in a stored chunk."""

_NUMBERS = re.compile("bool|u?int(8|16|32|64)|float(16|32|64)|complex(64|128)")


def check_arrays(archive: SealedZip) -> None:
    """Check that the shapes of all arrays are plausible, and that their chunks, with a bounded exception, are stored.

    Raises
    ------
    ArtifactError
        Names the file and the array.
    """
    metadata = {
        name.removesuffix("zarr.json").rstrip("/"): archive.read_json(name)
        for name in archive.members
        if name.endswith("/zarr.json")
    }
    grids: dict[str, list[int]] = {}
    chunk_bytes: dict[str, int] = {}
    for name, declared in metadata.items():
        shape, chunk, itemsize = _layout(archive, name, declared)
        size = itemsize * math.prod(max(1, side) for side in shape)  # an empty array can be long, too
        chunk_bytes[name] = math.prod(chunk) * itemsize
        if size > LARGEST_ARRAY or chunk_bytes[name] > LARGEST_CHUNK:
            raise damaged(
                archive.path, f"its array {name:.80} of shape {_text(shape)}, chunks {_text(chunk)}, is too large"
            )
        grids[name] = [-(-side // step) for side, step in zip(shape, chunk, strict=True)]
        if math.prod(grids[name]) > MOST_MEMBERS:
            raise damaged(archive.path, f"its array {name:.80} of shape {_text(shape)} has too many chunks")
    stored = _stored_chunks(archive.members, grids)
    absent = {name: chunk_bytes[name] * (math.prod(grid) - stored[name]) for name, grid in grids.items()}
    if sum(absent.values()) > LARGEST_FILL:
        name = max(absent, key=absent.__getitem__)
        shape = metadata[name]["shape"]
        raise damaged(
            archive.path, f"its array {name:.80} has a shape of {_text(shape)}, but only {stored[name]:,} chunks"
        )


def _layout(archive: SealedZip, name: str, declared: Any) -> tuple[list[int], list[int], int]:
    """Return shape, shape of a chunk, and bytes of an item of an array."""
    try:
        shape, chunk = declared["shape"], declared["chunk_grid"]["configuration"]["chunk_shape"]
        kind, codecs = declared["data_type"], [codec["name"] for codec in declared["codecs"]]
    except (KeyError, TypeError) as error:
        raise damaged(archive.path, f"its {name:.80} is no array ({type(error).__name__}: {error})") from error
    valid = _are_integers(shape, 0) and _are_integers(chunk, 1) and len(shape) == len(chunk) <= MOST_DIMENSIONS
    if not valid or not isinstance(kind, str) or not codecs:
        raise damaged(archive.path, f"the metadata of its array {name:.80} is no array's")
    if kind == "string":
        return shape, chunk, STRING_B
    if not _NUMBERS.fullmatch(kind):
        raise damaged(archive.path, f"its array {name:.80} has the type {kind:.80}, which hrtem-ood does not write")
    return shape, chunk, np.dtype(kind).itemsize


def _are_integers(values: Any, least: int) -> bool:
    return isinstance(values, list) and all(type(value) is int and least <= value < 2**63 for value in values)


def _stored_chunks(members: Iterable[str], grids: Mapping[str, list[int]]) -> Counter[str]:
    """Count the chunks of each array that are stored: members named ``<array>/c/<index>/<index>`` within its grid."""
    stored: Counter[str] = Counter()
    for member in members:
        name, _, place = member.rpartition("/c")
        if name not in grids:
            continue
        indices = place.split("/")[1:]
        grid = grids[name]
        if len(indices) == len(grid) and all(
            re.fullmatch("0|[1-9][0-9]{0,17}", index) and int(index) < count
            for index, count in zip(indices, grid, strict=True)
        ):
            stored[name] += 1
    return stored


def _text(shape: list[int]) -> str:
    return " × ".join(f"{side:,}" for side in shape) or "()"
