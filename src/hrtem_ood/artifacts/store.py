"""Reading and writing artifacts: one regular file each, renamed into place last, checked when read.

Nothing else in the package touches artifact files.
"""

import hashlib
import importlib.metadata
import io
import json
import os
import secrets
import subprocess
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from hrtem_ood.artifacts.zarr_writer import ZarrWriter
from hrtem_ood.errors import ArtifactError
from hrtem_ood.progress import log

if TYPE_CHECKING:
    import xarray as xr
    from ase import Atoms

PACKAGES = ("abtem", "ase", "numba", "numpy", "pyfftw", "pytorch-lightning", "scipy", "torch", "xarray", "zarr")


@cache
def git_revision() -> str:
    """Revision of the checkout that this package is run from, with ``-dirty`` where it has changes, or ``unknown``."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)  # noqa: S603  # fixed words
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return answer.stdout.strip() or "unknown"


class ArtifactInfo(Protocol):
    """Identity and parameters of an artifact: a spec, or :class:`SimpleArtifactInfo`."""

    @property
    def id(self) -> str: ...  # noqa: D102
    @property
    def stage(self) -> str: ...  # noqa: D102
    @property
    def version(self) -> int: ...  # noqa: D102
    @property
    def json_text(self) -> str: ...  # noqa: D102


class SimpleArtifactInfo(NamedTuple):
    """Identity and parameters of an artifact that has no spec.

    Attributes
    ----------
    id, stage : str
    version : int
        Of the stage.
    json_text : str
        Parameters.
    """

    id: str
    stage: str
    version: int
    json_text: str


def provenance(spec: ArtifactInfo, *, seconds: float, device: str) -> dict[str, Any]:
    """Return how an artifact was created.

    Parameters
    ----------
    spec : Spec or SimpleArtifactInfo
    seconds : float, [s]
        Wall time of the work.
    device : str
        Where it was done, ``cpu`` or the name of a GPU.

    Returns
    -------
    dict
        JSON-like: id, stage, version, parameters (JSON text), software versions (JSON text), git revision, seconds,
        device, time of writing (UTC).
    """
    versions = {"hrtem-ood": importlib.metadata.version("hrtem-ood")}
    versions |= {name: importlib.metadata.version(name) for name in PACKAGES}
    return {
        "id": spec.id,
        "stage": spec.stage,
        "stage_version": spec.version,
        "parameters": spec.json_text,
        "software": json.dumps(versions),
        "git_revision": git_revision(),
        "seconds": round(seconds, 3),
        "device": device,
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
    }


@contextmanager
def atomic_replace(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path`` that takes its place when the block ends well, and vanishes when not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # process ids repeat between hosts and containers
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def update_symlink(path: Path, target: Path) -> None:
    """Let ``path`` lead to ``target``, in one step; whatever is there and is no link stays, with a line that says so."""
    if path.exists() and not path.is_symlink():
        log(f"{path} is left as it is: it is not a link of this program; the results are in {target}")
        return
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    temporary.symlink_to(os.path.relpath(target, path.parent), target_is_directory=True)
    temporary.replace(path)


def arrays_sha256(*arrays: np.ndarray) -> str:
    """Sha256 of the types, shapes and values of arrays, as 64 hex digits."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype} {list(array.shape)} ".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def artifact_id_of(path: Path) -> str:
    """Id of the artifact that a path names."""
    for suffix in (".zarr.zip", ".extxyz", ".json", ".ckpt", ".csv"):
        if path.name.endswith(suffix):
            return path.name.removesuffix(suffix)
    return path.name


def _advice(path: Path) -> str:
    return f"Delete {path} and run snakemake again to create it anew."


def _check_id(path: Path, id_: object, expect_id: str | None) -> None:
    wanted = artifact_id_of(path) if expect_id is None else expect_id
    if id_ != wanted:
        if not id_:
            raise ArtifactError(f"{path} holds no id, so hrtem-ood did not create it. Is it another program's file?")
        raise ArtifactError(
            f"{path} holds {id_}, not {wanted}: was it renamed or overwritten? Give it its name back, or, in results/, "
            "delete it and run snakemake again to create it anew."
        )


def _check_there(path: Path) -> None:
    if not path.exists():
        raise ArtifactError(f"{path} is missing. Run snakemake to create it.")


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

    The file takes its place when the block ends well, as with :func:`write_zarr`.
    """
    with atomic_replace(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        yield ZarrWriter(archive)


@contextmanager
def open_zarr(path: Path, *, expect_id: str | None = None, dask: bool = True) -> Iterator["xr.Dataset"]:
    """Open a ``.zarr.zip`` lazily, and check that it is whole and what its name says.

    Parameters
    ----------
    path : Path
    expect_id : str, optional
        The id that it must carry; by default the one in its name.
    dask : bool
        False leaves dask out, which takes longer to get going than a small file to be read. Lazy either way.

    Yields
    ------
    xarray.Dataset
        Valid inside the block. A damaged chunk is noticed when it is read.

    Raises
    ------
    ArtifactError
    """
    dataset = open_zarr_until_closed(path, expect_id=expect_id, dask=dask)
    try:
        with dataset:
            yield dataset
    except (zipfile.BadZipFile, EOFError) as error:
        raise ArtifactError(f"{path} is damaged or cut off ({error}). {_advice(path)}") from error


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
        A damaged chunk raises ``zipfile.BadZipFile`` when it is read.

    Raises
    ------
    ArtifactError
    """
    import xarray as xr
    from zarr.storage import ZipStore

    _check_id(path, zarr_attributes(path).get("id"), expect_id)
    store = ZipStore(path, mode="r")
    try:
        dataset: xr.Dataset = xr.open_zarr(store, consolidated=False, chunks={} if dask else None)
    except (KeyError, FileNotFoundError, ValueError) as error:
        store.close()
        raise ArtifactError(f"{path} is damaged or cut off ({error}). {_advice(path)}") from error
    dataset.set_close(store.close)
    return dataset


def read_zarr(path: Path, *, expect_id: str | None = None) -> "xr.Dataset":
    """Read a whole ``.zarr.zip`` into memory; see :func:`open_zarr`."""
    with open_zarr(path, expect_id=expect_id) as dataset:
        return dataset.load()


def zarr_attributes(path: Path) -> dict[str, Any]:
    """Read the root attributes of a ``.zarr.zip`` without opening it as a dataset, in about a millisecond."""
    _check_there(path)
    try:
        with zipfile.ZipFile(path) as archive:
            attributes: dict[str, Any] = json.loads(archive.read("zarr.json"))["attributes"]
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise ArtifactError(f"{path} is damaged or cut off ({error}). {_advice(path)}") from error
    return attributes


# --- structures ------------------------------------------------------------------------------


def write_structures(path: Path, structures: "list[Atoms]", attributes: Mapping[str, Any]) -> None:
    """Write structures as extended XYZ, one frame each; the attributes go with the first frame."""
    from ase.io.extxyz import write_extxyz

    first = structures[0]
    info, first.info = first.info, {**first.info, **{key: str(value) for key, value in attributes.items()}}
    first.info["frames"] = len(structures)
    text = io.StringIO()
    write_extxyz(text, structures)
    first.info = info
    with atomic_replace(path) as temporary:
        temporary.write_text(text.getvalue())


def read_structures(path: Path) -> "list[Atoms]":
    """Read the structures of a shard, and check that none is missing."""
    from ase.io.extxyz import read_extxyz

    _check_there(path)
    try:
        with path.open() as file:
            structures = list(read_extxyz(file, slice(None)))
        frames = int(structures[0].info["frames"])
    except Exception as error:  # ASE's parser raises many kinds
        raise ArtifactError(f"{path} is damaged or cut off ({error}). {_advice(path)}") from error
    _check_id(path, structures[0].info.get("id"), None)
    if len(structures) != frames or any(not np.isfinite(structure.positions).all() for structure in structures):
        raise ArtifactError(f"{path} holds {len(structures)} of {frames} structures without damage. {_advice(path)}")
    return structures


def structures_attributes(path: Path) -> dict[str, Any]:
    """Read the attributes of a structure shard, without the atoms."""
    from ase.io.extxyz import key_val_str_to_dict

    _check_there(path)
    try:
        with path.open() as file:
            file.readline()
            attributes: dict[str, Any] = key_val_str_to_dict(file.readline())  # type: ignore[no-untyped-call]
            return attributes
    except Exception as error:  # ASE's parser raises many kinds
        raise ArtifactError(f"{path} is damaged or cut off ({error}). {_advice(path)}") from error


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
        temporary.write_text(text)


def write_if_absent(path: Path, text: str) -> None:
    """Write a text file whose name determines its content, unless it exists."""
    if not path.exists():
        write_text(path, text)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a binary file in one step."""
    with atomic_replace(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON object, readably, in one step."""
    write_text(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object and check that its ``id`` is the one in its name."""
    _check_there(path)
    try:
        content: dict[str, Any] = json.loads(path.read_text())
    except ValueError as error:
        raise ArtifactError(f"{path} is damaged or cut off ({error}). {_advice(path)}") from error
    _check_id(path, content.get("id"), None)
    return content


def write_checkpoint(path: Path, content: Mapping[str, Any]) -> None:
    """Write tensors and plain values with ``torch.save``, in one step."""
    import torch

    # through memory: of a full disk, torch's own writer says nothing but "unexpected pos"
    buffer = io.BytesIO()
    torch.save(dict(content), buffer)
    with atomic_replace(path) as temporary:
        temporary.write_bytes(buffer.getbuffer())


def read_checkpoint(path: Path, *, expect_id: str | None = None) -> dict[str, Any]:
    """Read a checkpoint (tensors and plain values only) onto the CPU, and check its id, by default the one in its name."""
    import torch

    _check_there(path)
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a damaged file
        raise ArtifactError(f"{path} is damaged or cut off ({error}). {_advice(path)}") from error
    _check_id(path, content.get("id"), expect_id)
    return content
