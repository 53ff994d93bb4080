"""What a predictor is given: a training set and a test dataset, with whatever is known before any network is trained."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hrtem_ood.artifacts import store
from hrtem_ood.physics.optics.condition import Condition
from hrtem_ood.transfer.image_spectrum import ImageSpectra
from hrtem_ood.transfer.object_spectrum import ObjectSpectrum

IMAGES = 48
"""At most so many images of a dataset, its first ones, stand for it."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Dataset:
    """A dataset: one structure set under one condition.

    Attributes
    ----------
    id : str
    condition : Condition
    structure_set : str
        Its name in the configuration.
    pixel_size_A : float, [Å]
    objects : ObjectSpectrum
        Of the structure set's recipe.
    seen : ImageSpectra
        What its images show, by theory.
    coordinates : float64 array, (parameter,), [1]
        The condition's value of every parameter that varies within the campaign, scaled to [0, 1]; the dose by its
        logarithm, an aperture by its inverse (none is 0).
    path : Path
        Of the artifact.
    """

    id: str
    condition: Condition
    structure_set: str
    pixel_size_A: float
    objects: ObjectSpectrum
    seen: ImageSpectra
    coordinates: Floats
    path: Path

    @property
    def images(self) -> NDArray[np.float32]:
        """First images, each standardised to zero mean and unit variance, (image, y, x), [1].

        Read whenever they are asked for: those of all datasets of a campaign may not fit into memory.
        """
        with store.open_zarr(self.path) as dataset:
            counts = dataset["counts"].isel(image=slice(0, IMAGES)).values.astype(np.float32)
        counts -= counts.mean(axis=(1, 2), keepdims=True)
        deviation = counts.std(axis=(1, 2), keepdims=True)
        standardised: NDArray[np.float32] = np.divide(counts, deviation, out=np.zeros_like(counts), where=deviation > 0)
        return standardised


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """Datasets that networks learn from.

    Attributes
    ----------
    id : str
    datasets : tuple of Dataset
    images : tuple of int
        How many images of each.
    """

    id: str
    datasets: tuple[Dataset, ...]
    images: tuple[int, ...]

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """Conditions of the datasets."""
        return tuple(dataset.condition for dataset in self.datasets)


def unit_cube_coordinates(conditions: Sequence[Condition]) -> dict[Condition, Floats]:
    """Place conditions in the unit cube of the parameters that vary among them.

    Parameters
    ----------
    conditions : sequence of Condition

    Returns
    -------
    dict of Condition to float64 array, (parameter,), [1]
    """
    table = np.array([[_coordinate(name, getattr(c, name)) for name in Condition.model_fields] for c in conditions])
    low, extent = table.min(axis=0), np.ptp(table, axis=0)
    varying = extent > 0
    return dict(zip(conditions, (table[:, varying] - low[varying]) / extent[varying], strict=True))


def _coordinate(name: str, value: float | None) -> float:
    if name == "aperture_mrad":
        return 0.0 if value is None else 1 / value
    assert value is not None
    return float(np.log(value)) if name == "dose_e_per_A2" else float(value)
