"""Reading an array's chunks out of a ``.zarr.zip`` without a copy; a part of :mod:`hrtem_ood.artifacts.store`."""

import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

LOCAL_HEADER = 30
"""Bytes before the name in a zip file's local header; the last four of them are the lengths of name and extra field."""


def memmap_rows(path: Path, name: str) -> Callable[[int], NDArray[np.generic]] | None:
    """Map the rows of an array that is stored as it is, one chunk per row.

    Reading through Zarr takes several copies, which for exit waves take longer than forming an image.

    Parameters
    ----------
    path : Path
        A ``.zarr.zip``.
    name : str
        Of the array.

    Returns
    -------
    callable, or None
        Takes the number of a row and returns a read-only view of the file. None where chunks are compressed or hold
        other than one row.
    """
    with zipfile.ZipFile(path) as archive:
        metadata = json.loads(archive.read(f"{name}/zarr.json"))
        shape = tuple(metadata["shape"])
        one_row = metadata["chunk_grid"]["configuration"]["chunk_shape"] == [1, *shape[1:]]
        as_it_is = [codec["name"] for codec in metadata["codecs"]] == ["bytes"]
        members = {member.filename: member for member in archive.infolist()}
        if not one_row or not as_it_is or metadata["codecs"][0]["configuration"].get("endian", "little") != "little":
            return None
    dtype, rest = np.dtype(metadata["data_type"]).newbyteorder("<"), "/0" * (len(shape) - 1)

    def row(number: int) -> NDArray[np.generic]:
        member = members.get(f"{name}/c/{number}{rest}")
        if member is None:  # Zarr leaves out chunks that hold nothing but the fill value
            return np.full(shape[1:], metadata["fill_value"][0] if dtype.kind == "c" else metadata["fill_value"], dtype)
        with path.open("rb") as file:
            file.seek(member.header_offset)
            lengths = struct.unpack("<HH", file.read(LOCAL_HEADER)[-4:])
        offset = member.header_offset + LOCAL_HEADER + sum(lengths)
        return np.memmap(path, dtype, mode="r", offset=offset, shape=shape[1:])

    return row
