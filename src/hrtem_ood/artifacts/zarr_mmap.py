"""Reading an array's chunks out of a ``.zarr.zip`` without a copy; a part of :mod:`hrtem_ood.artifacts.store`."""

import math
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrtem_ood.artifacts.files import damaged
from hrtem_ood.artifacts.sealed_zip import SealedZip
from hrtem_ood.artifacts.zarr_limits import check_arrays

CHECKSUMS = "checksums_of_planes"
"""Attribute of an array: by row, the checksum of every plane (its last two axes); see
:func:`hrtem_ood.artifacts.checksum.checksum`."""


class MappedRow:
    """A row of an array, mapped: its planes are checked when they are read, each time.

    Attributes
    ----------
    shape : tuple of int
        Of the row; the last two axes are those of a plane.
    dtype : dtype
    """

    def __init__(self, path: Path, view: NDArray[Any], checksums: Sequence[str]) -> None:
        self._path, self._view, self._checksums = path, view, checksums
        self.shape, self.dtype = view.shape, view.dtype

    def __len__(self) -> int:
        return int(self.shape[0])

    def read_plane(self, place: int, out: NDArray[Any]) -> None:
        """Copy a plane, and check what is copied.

        Parameters
        ----------
        place : int
            Index of the plane, counted over all axes but its own two.
        out : array, (y, x)
            Contiguous.

        Raises
        ------
        ArtifactError
        """
        from hrtem_ood.artifacts.checksum import copy_with_checksum

        self._compare(place, copy_with_checksum(self._view.reshape(-1, *self.shape[-2:])[place], out))

    def read(self) -> NDArray[Any]:
        """Return the view of all planes, checked."""
        from hrtem_ood.artifacts.checksum import checksum

        for place, plane in enumerate(self._view.reshape(-1, *self.shape[-2:])):
            self._compare(place, checksum(plane))
        return self._view

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self.read(), dtype=dtype, copy=copy)

    def _compare(self, place: int, checksum: str) -> None:
        if checksum != self._checksums[place]:
            raise damaged(self._path, f"plane {place} of a row does not have its checksum")


def memmap_rows(path: Path, name: str) -> Callable[[int], "NDArray[Any] | MappedRow"] | None:
    """Map the rows of an array that is stored uncompressed, one chunk per row.

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
        Takes the number of a row and returns a :class:`MappedRow`, or a checked, read-only array, of the file. None where
        chunks are compressed or hold other than one row.

    Raises
    ------
    ArtifactError
        Also from the callable, if the file is damaged.
    """
    with SealedZip(path) as archive:
        check_arrays(archive)
        metadata = archive.read_json(f"{name}/zarr.json")
        shape = tuple(metadata["shape"])
        one_row = metadata["chunk_grid"]["configuration"]["chunk_shape"] == [1, *shape[1:]]
        uncompressed = [codec["name"] for codec in metadata["codecs"]] == ["bytes"]
        if (
            not one_row
            or not uncompressed
            or metadata["codecs"][0].get("configuration", {}).get("endian", "little") != "little"
        ):
            return None
        rest = "/0" * (len(shape) - 1)
        chunks = [archive.members.get(f"{name}/c/{row}{rest}") for row in range(shape[0])]
        offsets = [0 if chunk is None else archive.offset(chunk) for chunk in chunks]
    dtype, checksums = np.dtype(metadata["data_type"]).newbyteorder("<"), metadata["attributes"].get(CHECKSUMS)
    fill = metadata["fill_value"][0] if dtype.kind == "c" else metadata["fill_value"]
    nbytes = dtype.itemsize * math.prod(shape[1:])

    def row(number: int) -> "NDArray[Any] | MappedRow":
        chunk = chunks[number]
        if chunk is None:  # Zarr does not store chunks that hold only the fill value
            return np.full(shape[1:], fill, dtype)
        if chunk.file_size != nbytes:
            raise damaged(path, f"its {chunk.filename} has another size than its array")
        view = np.memmap(path, dtype, mode="r", offset=offsets[number], shape=shape[1:])
        if checksums is not None:
            return MappedRow(path, view, checksums[number])
        _check_crc(path, chunk, view)
        return view

    return row


def _check_crc(path: Path, chunk: zipfile.ZipInfo, view: NDArray[Any]) -> None:
    if zlib.crc32(view.reshape(-1).view(np.uint8).data) != chunk.CRC:
        raise damaged(path, f"its {chunk.filename} does not have its CRC-32")
