"""Reading and writing artifacts: one regular file each, renamed into place last, checked when read.

Nothing else in the package touches artifact files.
"""

import hashlib
import io
import math
import os
import secrets
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hrtem_ood.artifacts.checkpoint_limits import check_checkpoint_size
from hrtem_ood.artifacts.files import (
    TEXT_LIMIT,
    check_id,
    damaged,
    open_regular,
    read_regular,
)
from hrtem_ood.artifacts.files import (
    artifact_id_of as artifact_id_of,
)
from hrtem_ood.artifacts.files import (
    atomic_replace as atomic_replace,
)
from hrtem_ood.artifacts.integrity import (
    check_seal,
    checked_csv,
    checked_json,
    csv_with_digest,
    json_with_digest,
    seal_zip,
)
from hrtem_ood.artifacts.provenance import (
    ArtifactInfo as ArtifactInfo,
)
from hrtem_ood.artifacts.provenance import (
    SimpleArtifactInfo as SimpleArtifactInfo,
)
from hrtem_ood.artifacts.provenance import (
    git_revision as git_revision,
)
from hrtem_ood.artifacts.provenance import (
    made_on as made_on,
)
from hrtem_ood.artifacts.provenance import (
    provenance as provenance,
)
from hrtem_ood.artifacts.sealed_zip import SealedZip, root_attributes
from hrtem_ood.artifacts.structure_files import read_structures as read_structures
from hrtem_ood.artifacts.structure_files import structures_attributes as structures_attributes
from hrtem_ood.artifacts.structure_files import write_structures as write_structures
from hrtem_ood.artifacts.zarr_writer import ZarrWriter
from hrtem_ood.errors import ArtifactError
from hrtem_ood.progress import log

if TYPE_CHECKING:
    import xarray as xr

DIGEST_BLOCK = 2**26
"""Bytes of an array that are read at once for its digest."""


def update_symlink(path: Path, target: Path) -> None:
    """Point the symbolic link ``path`` to ``target`` in one step; anything else at ``path`` is kept, with a log line."""
    if path.exists() and not path.is_symlink():
        log(f"{path} is not replaced, because it is not a link of this program; the results are in {target}")
        return
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    temporary.symlink_to(os.path.relpath(target, path.parent), target_is_directory=True)
    temporary.replace(path)


def arrays_sha256(*arrays: "np.ndarray | xr.DataArray") -> str:
    """Sha256 of the types, shapes and values of arrays, as 64 hex digits; of lazy ones, some rows are read at a time."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype} {list(array.shape)} ".encode())
        step = max(1, DIGEST_BLOCK // max(1, array.dtype.itemsize * math.prod(array.shape[1:])))
        for start in range(0, array.shape[0], step):
            digest.update(np.ascontiguousarray(array[start : start + step]).data)
    return digest.hexdigest()


def check_images(
    path: Path, attributes: Mapping[str, Any], counts: "np.ndarray | xr.DataArray", label: "np.ndarray | xr.DataArray"
) -> None:
    """Check images against the digest in the attributes of their dataset.

    Parameters
    ----------
    path : Path
        ``datasets/<id>.zarr.zip``.
    attributes : mapping
        Of that dataset.
    counts, label : array, (image, y, x)
        All of them; lazy ones are read in parts.

    Raises
    ------
    ArtifactError
    """
    if arrays_sha256(counts, label) != attributes.get("sha256_of_images"):
        raise damaged(path, "its images do not have the digest that it carries")


# --- zarr.zip --------------------------------------------------------------------------------


def write_zarr(path: Path, dataset: "xr.Dataset", attributes: Mapping[str, Any]) -> None:
    """Write a dataset as one zip file that ``xarray.open_zarr`` opens.

    Parameters
    ----------
    path : Path
        Ends in ``.zarr.zip``.
    dataset : xarray.Dataset
        In memory; chunks and codecs as its variables' ``encoding`` says.
    attributes : mapping
        Added to the root's attributes; see :func:`provenance`.
    """
    with writing_zarr(path) as writer:
        writer.finalize(dataset, attributes)


@contextmanager
def writing_zarr(path: Path) -> Iterator[ZarrWriter]:
    """Write a ``.zarr.zip`` block by block; see :class:`hrtem_ood.artifacts.zarr_writer.ZarrWriter`.

    The file is renamed into place if the block succeeds, as in :func:`write_zarr`.
    """
    with atomic_replace(path) as temporary:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
            yield ZarrWriter(archive)
        seal_zip(temporary, archive.start_dir)


@contextmanager
def open_zarr(path: Path, *, expect_id: str | None = None, dask: bool = True) -> Iterator["xr.Dataset"]:
    """Open a ``.zarr.zip`` lazily, and check that it is complete and has the expected id.

    Parameters
    ----------
    path : Path
    expect_id : str, optional
        The id that it must have; by default the one in its name.
    dask : bool
        False: without dask, whose import takes longer than reading a small file. Lazy either way.

    Yields
    ------
    xarray.Dataset
        Valid inside the block. A damaged chunk raises an ArtifactError when it is read.

    Raises
    ------
    ArtifactError
    """
    with open_zarr_until_closed(path, expect_id=expect_id, dask=dask) as dataset:
        yield dataset


def open_zarr_until_closed(path: Path, *, expect_id: str | None = None, dask: bool = True) -> "xr.Dataset":
    """Open a ``.zarr.zip`` as :func:`open_zarr` does, for interactive use.

    The file is closed by ``close()`` of the dataset, or once neither it nor anything that was selected from it is left.

    Parameters
    ----------
    path, expect_id, dask
        As in :func:`open_zarr`.

    Returns
    -------
    xarray.Dataset
        A damaged chunk raises an ArtifactError when it is read.

    Raises
    ------
    ArtifactError
    """
    import xarray as xr

    from hrtem_ood.artifacts.zarr_store import SealedZipStore

    store = SealedZipStore(path)
    try:
        check_id(path, store.attributes.get("id"), expect_id)
        dataset: xr.Dataset = xr.open_zarr(store, consolidated=False, chunks={} if dask else None)
    except BaseException as error:
        store.close()
        if isinstance(error, KeyError | OSError | TypeError | ValueError):
            raise damaged(path, error) from error
        raise
    dataset.set_close(store.close)
    return dataset


def read_zarr(path: Path, *, expect_id: str | None = None) -> "xr.Dataset":
    """Read a whole ``.zarr.zip`` into memory; see :func:`open_zarr`."""
    with open_zarr(path, expect_id=expect_id) as dataset:
        return dataset.load()


def zarr_attributes(path: Path) -> dict[str, Any]:
    """Read the root attributes of a ``.zarr.zip`` without opening it as a dataset, in about a millisecond."""
    with SealedZip(path) as archive:
        return root_attributes(archive)


# --- all kinds -------------------------------------------------------------------------------


def read_provenance(path: Path) -> dict[str, Any]:
    """Read how an artifact was created, see :func:`provenance`; not for networks, whose files are large.

    Raises
    ------
    ArtifactError
    """
    if path.name.endswith(".zarr.zip"):
        return zarr_attributes(path)
    return structures_attributes(path) if path.suffix == ".extxyz" else read_json(path)


# --- JSON and checkpoints --------------------------------------------------------------------


def write_text(path: Path, text: str) -> None:
    """Write a text file in one step."""
    with atomic_replace(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_if_different(path: Path, text: str) -> None:
    """Write a text file, unless a regular file with the same text exists."""
    try:
        unchanged = path.is_file() and not path.is_symlink() and path.read_text(encoding="utf-8") == text
    except (OSError, ValueError):
        unchanged = False
    if not unchanged:
        write_text(path, text)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a binary file in one step."""
    with atomic_replace(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON object with its digest, readably, in one step."""
    write_text(path, json_with_digest(content))


def read_json(path: Path, limit: int = TEXT_LIMIT) -> dict[str, Any]:
    """Read a JSON object, and check its digest and that its ``id`` is the one in its name."""
    content = checked_json(path, read_regular(path, limit))
    check_id(path, content.get("id"))
    return content


def write_table(path: Path, text: str) -> None:
    """Write a table, as CSV, with a last row that holds its digest."""
    write_text(path, csv_with_digest(text, artifact_id_of(path)))


def read_table(path: Path) -> str:
    """Read a table, and check its digest; return it without that row."""
    return checked_csv(path, read_regular(path))


def write_checkpoint(path: Path, content: Mapping[str, Any]) -> None:
    """Write tensors and plain values with ``torch.save``, in one step."""
    import torch

    # through memory: on a full disk, torch's own writer reports only "unexpected pos"
    buffer = io.BytesIO()
    torch.save(dict(content), buffer)
    with atomic_replace(path) as temporary:
        temporary.write_bytes(buffer.getbuffer())
        seal_zip(temporary, 0)


def read_checkpoint(path: Path, *, expect_id: str | None = None) -> dict[str, Any]:
    """Read a checkpoint (tensors and plain values only) onto the CPU, and check its id, by default the one in its name."""
    import torch

    with open_regular(path) as file:
        check_checkpoint_size(file, path)
        check_seal(file, path, whole=True)
        file.seek(0)
        try:
            content: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
        except Exception as error:  # torch raises many kinds for foreign files
            # further lines of the message advise to read without weights_only
            raise damaged(path, str(error).partition("\n")[0]) from error
    if not isinstance(content, dict):
        raise ArtifactError(f"{path} holds {type(content).__name__}, no checkpoint of this program.")
    check_id(path, content.get("id"), expect_id)
    return content
