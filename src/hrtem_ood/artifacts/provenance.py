"""Provenance: how an artifact was created, as its file says it."""

import importlib.metadata
import json
import subprocess
from collections.abc import Collection, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from hrtem_ood.gpu_machine import jobs_per_gpu

PACKAGES = ("abtem", "ase", "numba", "numpy", "pyfftw", "pytorch-lightning", "scipy", "torch", "xarray", "zarr")


@cache
def git_revision() -> str:
    """Revision of the checkout that contains this package, with ``-dirty`` if it has changes, or ``unknown``."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        completed = subprocess.run(  # noqa: S603  # fixed words
            command, capture_output=True, encoding="utf-8", errors="replace", timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return completed.stdout.strip() or "unknown"


class ArtifactInfo(Protocol):
    """Identity and parameters of an artifact: a spec, or :class:`SimpleArtifactInfo`."""

    @property
    def id(self) -> str: ...  # noqa: D102  # explained at the specs
    @property
    def stage(self) -> str: ...  # noqa: D102  # explained at the specs
    @property
    def version(self) -> int: ...  # noqa: D102  # explained at the specs
    @property
    def json_text(self) -> str: ...  # noqa: D102  # explained at the specs


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


@cache
def package_versions() -> dict[str, str]:
    """Versions of this package, and of those of :data:`PACKAGES` that are installed: not every machine needs them all."""
    versions = {"hrtem-ood": importlib.metadata.version("hrtem-ood")}
    for name in PACKAGES:
        with suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return versions


def provenance(
    spec: ArtifactInfo,
    *,
    seconds: float,
    device: str,
    software: Mapping[str, str] | None = None,
    inputs_made_on: Collection[str] = (),
) -> dict[str, Any]:
    """Return how an artifact was created.

    Parameters
    ----------
    spec : Spec or SimpleArtifactInfo
    seconds : float, [s]
        Wall time of the work.
    device : str
        Where it was done, ``cpu`` or the name of a GPU.
    software : mapping of str to str, optional
        Versions of what computed on a GPU: CuPy, CUDA, the driver.
    inputs_made_on : collection of str, optional
        What the artifacts were computed on that this one is made of, see :func:`made_on`.

    Returns
    -------
    dict
        JSON-like: id, stage, version, parameters (JSON text), software versions (JSON text), git revision, seconds,
        device, time of writing (UTC); of a GPU that several jobs share, their number; what inputs were computed on.
    """
    optional: dict[str, Any] = {"inputs_made_on": " and ".join(sorted(inputs_made_on))}
    if device != "cpu" and jobs_per_gpu() > 1:
        optional["jobs_per_gpu"] = jobs_per_gpu()
    return {key: value for key, value in optional.items() if value} | {
        "id": spec.id,
        "stage": spec.stage,
        "stage_version": spec.version,
        "parameters": spec.json_text,
        "software": json.dumps(package_versions() | dict(software or {})),
        "git_revision": git_revision(),
        "seconds": round(seconds, 3),
        "device": device,
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def made_on(attributes: Mapping[str, Any]) -> str:
    """Return what an artifact was computed on: the CPU; or the GPU, CuPy or PyTorch's CUDA, and the driver.

    On one of these, contents are equal bit for bit. Between them they may differ by rounding. What its inputs were computed on
    is added where that is something else.

    Parameters
    ----------
    attributes : mapping
        See :func:`provenance`.
    """
    try:  # a file may come from anywhere
        versions = json.loads(str(attributes.get("software", "{}")))
    except ValueError:
        versions = None
    if not isinstance(versions, dict):
        versions = {"software": "unknown"}
    of_gpu = {name: version for name, version in versions.items() if name not in ("hrtem-ood", *PACKAGES)}
    here = "; ".join([str(attributes.get("device", "unknown")), *(f"{name} {of_gpu[name]}" for name in sorted(of_gpu))])
    inputs = str(attributes.get("inputs_made_on", here))
    return here if inputs == here else f"{here}; of what was made on {inputs}"
