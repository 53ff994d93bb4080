"""A sealed zip file as a store of Zarr. A separate module, as Zarr takes long to import."""

import threading
from pathlib import Path
from typing import TYPE_CHECKING

from zarr.abc.store import OffsetByteRequest, RangeByteRequest, SuffixByteRequest
from zarr.storage import ZipStore

from hrtem_ood.artifacts.sealed_zip import SealedZip, root_attributes
from hrtem_ood.artifacts.zarr_limits import check_arrays

if TYPE_CHECKING:
    from zarr.abc.store import ByteRequest
    from zarr.core.buffer import Buffer, BufferPrototype


class SealedZipStore(ZipStore):
    """A :class:`zarr.storage.ZipStore` for reading, which checks everything that it reads.

    Damage raises an ArtifactError, which Zarr and xarray pass on unchanged. All metadata is read at once, and only then,
    when the store is opened: Zarr reads it in tasks of asyncio, which would print the traceback of a second error.

    Parameters
    ----------
    path : Path

    Attributes
    ----------
    attributes : dict
        Of the root.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, mode="r")
        self._sync_open()

    def _sync_open(self) -> None:
        if self._is_open:
            raise ValueError("store is already open")
        self._lock = threading.RLock()
        self._sealed = SealedZip(self.path)
        self._zf = self._sealed.archive
        try:
            self.attributes = root_attributes(self._sealed)
            check_arrays(self._sealed)  # reads the metadata of all arrays
        except BaseException:
            self._sealed.close()
            raise
        self._is_open = True

    def close(self) -> None:
        """Close the file."""
        super().close()
        self._sealed.close()

    def _get(self, key: str, prototype: "BufferPrototype", byte_range: "ByteRequest | None" = None) -> "Buffer | None":
        if not self._is_open:
            self._sync_open()
        content = self._sealed.read(key)
        return None if content is None else prototype.buffer.from_bytes(_part(content, byte_range))


def _part(content: bytes, wanted: "ByteRequest | None") -> bytes:
    """Return a part of a member; the whole member has been checked."""
    if isinstance(wanted, RangeByteRequest):
        return content[wanted.start : wanted.end]
    if isinstance(wanted, OffsetByteRequest):
        return content[wanted.offset :]
    if isinstance(wanted, SuffixByteRequest):
        return content[max(0, len(content) - wanted.suffix) :]
    return content
