"""Images of HyperSpy's ZSpy: a folder of Zarr's, of which single arrays are read after their metadata are checked.

Codecs of Zarr's format 2 may be pickles, which run code: only those of a list are used.
"""

import json
import math
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from hrtem_ood.learning.inference.hdf5_signals import axis_names, hyperspy_signal
from hrtem_ood.learning.inference.signals import LARGEST_VALUES, MOST_PER_BYTE, Signal
from hrtem_ood.user_files import read_text

CODECS = {"blosc", "zstd", "zlib", "gzip", "lz4", "bz2", "lzma", "shuffle", "bytes", "crc32c", "transpose"}
"""Of numbers; none runs code."""

MOST_FILES = 1_000_000


def zspy_signals(path: Path) -> Iterator[Signal]:
    """Yield the images of a folder: ``Experiments/<name>/data``, with the axes beside it."""
    import zarr

    size = _folder_size(path)
    experiments = path / "Experiments"
    if not experiments.is_dir():
        raise ValueError("it has no folder Experiments, as those of HyperSpy have")
    for group in sorted(experiments.iterdir()):
        folder = group / "data"
        if not folder.is_dir():
            continue
        shape, dtype = _checked_array(folder, size)
        axes = [_attributes(group / name) for name in axis_names(len(shape)) if (group / name).is_dir()]
        yield hyperspy_signal(
            group.name, shape, dtype, axes, lambda place=folder: zarr.open_array(str(place), mode="r")[...]
        )


def _folder_size(path: Path) -> int:
    """Return the bytes of all files of a folder, which must be regular ones inside it."""
    size = number = 0
    for place, folders, files in os.walk(path):
        for name in (*folders, *files):
            status = (Path(place) / name).lstat()
            number += 1
            if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
                raise ValueError(f"{name[:80]} in it is neither a file nor a folder, and is not followed")
            size += status.st_size if stat.S_ISREG(status.st_mode) else 0
        if number > MOST_FILES:
            raise ValueError(f"it has more than {MOST_FILES:,} files")
    return size


def _checked_array(folder: Path, size: int) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Return shape and type of an array whose codecs and size are fit to be read."""
    if (folder / "zarr.json").exists():
        found = _json(folder / "zarr.json")
        codecs = [codec.get("name") for codec in found["codecs"]]
        chunks, dtype = found["chunk_grid"]["configuration"]["chunk_shape"], np.dtype(str(found["data_type"]))
    else:
        found = _json(folder / ".zarray")
        stored = [*(found.get("filters") or ()), *([found["compressor"]] if found.get("compressor") else [])]
        codecs, chunks, dtype = [codec.get("id") for codec in stored], found["chunks"], np.dtype(found["dtype"])
    shape = tuple(int(side) for side in found["shape"])
    foreign = [str(codec) for codec in codecs if codec not in CODECS]
    if foreign or dtype.hasobject:
        what = f"codec {foreign[0][:80]}" if foreign else "objects"
        raise ValueError(f"{folder.parent.name[:80]}/data has values of {what}, which are not read; save it with blosc")
    values = max(math.prod(shape), math.prod(int(side) for side in chunks))
    if values > min(LARGEST_VALUES, MOST_PER_BYTE * size):
        raise ValueError(f"it claims to hold an array {shape}, chunks {tuple(chunks)}, which is not read")
    return shape, dtype


def _attributes(group: Path) -> dict[str, Any]:
    if (group / "zarr.json").exists():
        found = _json(group / "zarr.json").get("attributes", {})
    else:
        found = _json(group / ".zattrs") if (group / ".zattrs").exists() else {}
    return dict(found)


def _json(path: Path) -> dict[str, Any]:
    content = json.loads(read_text(path, "metadata of a micrograph"))
    if not isinstance(content, dict):
        raise ValueError(f"{path.name} is no JSON object")
    return content
