"""Writes one zip file that ``xarray.open_zarr`` opens; :mod:`hrtem_ood.artifacts.store` renames it into place."""

import zipfile
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from hrtem_ood.artifacts.zarr_mmap import CHECKSUMS

if TYPE_CHECKING:
    import xarray as xr


class ZarrWriter:
    """Writes a ``.zarr.zip``: arrays block by block, then the rest of the dataset.

    Parameters
    ----------
    archive : zipfile.ZipFile
        Written directly, because zarr's ZipStore rewrites metadata and leaves duplicate entries. Here every member is
        written once: chunks as they arrive, metadata at the end.
    """

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._members: dict[str, Any] = {}
        self._arrays: dict[str, Any] = {}
        self._checksums: dict[str, dict[int, list[str]]] = {}

    def add_array(
        self, name: str, dims: tuple[str, ...], shape: tuple[int, ...], dtype: str, encoding: Mapping[str, Any]
    ) -> None:
        """Declare an array that is written in blocks.

        ``encoding`` holds ``chunks``, ``compressors``, ``attributes``, and ``fill_value``, which is NaN if left out. An
        array that is stored uncompressed, one chunk per row, gets checksums of its planes, with which it can be mapped; see
        :func:`hrtem_ood.artifacts.zarr_mmap.memmap_rows`.
        """
        import zarr
        from zarr.storage import MemoryStore

        self._arrays[name] = zarr.create_array(
            MemoryStore(self._members),
            name=name,
            shape=shape,
            dtype=dtype,
            dimension_names=dims,
            **{"fill_value": np.nan, **encoding},
        )
        if len(shape) > 2 and not self._arrays[name].compressors and self._arrays[name].chunks == (1, *shape[1:]):
            self._checksums[name] = {}

    def write(self, name: str, start: int, block: np.ndarray) -> None:
        """Write rows of an array, of whole chunks, from ``start`` on; each row once."""
        array = self._arrays[name]
        stop, rows = start + len(block), array.chunks[0]
        if start % rows or (stop % rows and stop != array.shape[0]):
            raise ValueError(f"{name}: rows {start} to {stop} are no whole chunks of {rows}")
        array[start:stop] = block
        if name in self._checksums:
            self._checksums[name] |= {start + place: _of_planes(row, array.dtype) for place, row in enumerate(block)}
        for key in sorted(key for key in self._members if not key.endswith("zarr.json")):
            self._put(key, self._members.pop(key))

    def finalize(self, dataset: "xr.Dataset", attributes: Mapping[str, Any]) -> None:
        """Write all remaining variables and the attributes. Nothing is written after that."""
        from zarr.storage import MemoryStore

        for name, rows in self._checksums.items():
            self._arrays[name].update_attributes({CHECKSUMS: [rows.get(row, []) for row in range(max(rows) + 1)]})
        # Only strings of any length have a place in the Zarr 3 specification.
        dataset = dataset.assign(
            {name: dataset[name].astype(object) for name in dataset.variables if dataset[name].dtype.kind == "U"}
        )
        members: dict[str, Any] = {}
        dataset.assign_attrs(attributes).to_zarr(MemoryStore(members), mode="w", consolidated=False, zarr_format=3)
        arrays = {key: content for key, content in self._members.items() if key != "zarr.json"}
        for key, content in sorted((members | arrays).items()):
            self._put(key, content)

    def _put(self, key: str, content: Any) -> None:
        if key in self._archive.NameToInfo:
            raise ValueError(f"{key} is written already")
        self._archive.writestr(zipfile.ZipInfo(key, (1980, 1, 1, 0, 0, 0)), content.to_bytes())


def _of_planes(row: np.ndarray, dtype: np.dtype) -> list[str]:
    """Checksums of the planes of a row."""
    from hrtem_ood.artifacts.checksum import checksum

    return [checksum(plane) for plane in np.ascontiguousarray(row, dtype).reshape(-1, *row.shape[-2:])]
