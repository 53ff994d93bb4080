"""Stage `labelled_set`: labelled micrographs, repaired and on the networks' pixel, as one store."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from hrtem_ood.artifacts import store
from hrtem_ood.campaign.specs import LabelledSetSpec
from hrtem_ood.errors import ArtifactError
from hrtem_ood.learning.inference.labelled_sets import LabelledMicrograph, read_labelled_set
from hrtem_ood.progress import log


def labelled_set(spec: LabelledSetSpec, _inputs: Sequence[Path], output: Path) -> None:
    """Read labelled micrographs and write them as one artifact.

    Images differ in size, so each has arrays of its own: ``micrograph_<i>`` (y_<i>, x_<i>) is what networks see, and
    ``label_<i>`` and ``dead_<i>`` (label_y_<i>, label_x_<i>) have the micrograph's own pixels.

    Parameters
    ----------
    spec : LabelledSetSpec
    _inputs : sequence of Path
        None: the files are those of the spec.
    output : Path
        ``labelled_sets/<id>.zarr.zip``.

    Raises
    ------
    ArtifactError
        See :func:`hrtem_ood.learning.inference.labelled_sets.read_labelled_set`.
    """
    begin = time.monotonic()
    images = list(read_labelled_set(spec))
    log(f"{len(images)} labelled micrographs of {len(spec.files)} files")
    provenance = store.provenance(spec, seconds=time.monotonic() - begin, device="cpu")
    store.write_zarr(output, as_dataset(images), provenance)


def as_dataset(images: Sequence[LabelledMicrograph]) -> xr.Dataset:
    """Return labelled micrographs as a dataset, with the digest of all arrays as ``sha256_of_images``."""
    variables: dict[str, Any] = {}
    for number, each in enumerate(images):
        own = (f"label_y_{number}", f"label_x_{number}")
        seen = {"long_name": "micrograph as networks see it", "pixel_size_A": each.network_pixel_size_A}
        variables[f"micrograph_{number}"] = ((f"y_{number}", f"x_{number}"), each.image, seen)
        variables[f"label_{number}"] = (own, each.label.astype(np.uint8), {"long_name": "1 on particles"})
        variables[f"dead_{number}"] = (own, each.dead.astype(np.uint8), {"long_name": "1 without information"})
    sizes = {"pixel_size_A": "of the micrograph", "network_pixel_size_A": "as networks see it"}
    for name, what in sizes.items():
        values = np.array([getattr(each, name) for each in images])
        variables[name] = ("image", values, {"long_name": f"pixel {what}", "units": "Å"})
    names = np.array([each.name for each in images], dtype=object)
    arrays = [np.asarray(content[1]) for content in variables.values()]
    return xr.Dataset(
        variables,
        coords={"image": np.arange(len(images)), "name": ("image", names)},
        attrs={"sha256_of_images": store.arrays_sha256(*arrays), "micrographs": len(images)},
    )


def read_labelled_images(path: Path) -> Iterator[LabelledMicrograph]:
    """Read labelled micrographs one by one.

    Parameters
    ----------
    path : Path
        ``labelled_sets/<id>.zarr.zip``.

    Yields
    ------
    LabelledMicrograph

    Raises
    ------
    ArtifactError
        Where the file is missing or damaged.
    """
    with store.open_zarr(path, dask=False) as dataset:
        for number in range(dataset.sizes["image"]):
            try:
                image, label, dead = (dataset[f"{kind}_{number}"].values for kind in ("micrograph", "label", "dead"))
            except KeyError:
                raise ArtifactError(
                    f"{path} lacks image {number}. Delete {path} and run snakemake again to create it anew."
                ) from None
            yield LabelledMicrograph(
                str(dataset["name"].values[number]),
                image,
                label.astype(np.bool_),
                dead.astype(np.bool_),
                float(dataset["pixel_size_A"].values[number]),
                float(dataset["network_pixel_size_A"].values[number]),
            )
