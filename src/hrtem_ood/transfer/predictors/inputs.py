"""Arguments of predictors: a training set and a test dataset, with all that is available before a network is trained."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hrtem_ood.physics.optics.condition import Condition
from hrtem_ood.transfer.image_spectrum import ImageSpectra
from hrtem_ood.transfer.object_spectrum import ObjectSpectrum

MAX_IMAGES = 48
"""Predictors from images use at most this many images of a dataset, the first ones."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Dataset:
    """A dataset: one structure set under one condition.

    Attributes
    ----------
    id : str
    condition : Condition
    structure_set : str
        Name in the configuration.
    pixel_size_A : float, [Å]
        Pixel of the images.
    object_spectrum : ObjectSpectrum
        Power spectra of the objects of the structure set's recipe.
    image_spectra : ImageSpectra
        Power spectra of the images, by theory.
    coordinates : float64 array, (parameter,), [1]
        The condition in the unit cube of the parameters that vary within the campaign; see :func:`unit_cube_coordinates`.
    path : Path
        The artifact, ``datasets/<id>.zarr.zip``.
    """

    id: str
    condition: Condition
    structure_set: str
    pixel_size_A: float
    object_spectrum: ObjectSpectrum
    image_spectra: ImageSpectra
    coordinates: Floats
    path: Path

    @property
    def images(self) -> NDArray[np.float32]:
        """First images, at most :data:`MAX_IMAGES`, standardised, float32 array, (image, y, x), [1].

        They are read at each access and not cached: the images of all datasets of a campaign may not fit into memory.
        """
        from hrtem_ood.artifacts import store  # configurations are checked without it

        with store.open_zarr(self.path) as dataset:
            counts = dataset["counts"].isel(image=slice(0, MAX_IMAGES)).values.astype(np.float32)
        # As hrtem_ood.learning.batches.standardise, without PyTorch, which takes seconds to import and lies above this package.
        counts -= counts.mean(axis=(1, 2), keepdims=True)
        deviation = counts.std(axis=(1, 2), keepdims=True)
        standardised: NDArray[np.float32] = np.divide(counts, deviation, out=np.zeros_like(counts), where=deviation > 0)
        return standardised


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """Datasets that networks train on.

    Attributes
    ----------
    id : str
    datasets : tuple of Dataset
    n_images : tuple of int
        Number of training images of each dataset.
    """

    id: str
    datasets: tuple[Dataset, ...]
    n_images: tuple[int, ...]

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """Conditions of the datasets."""
        return tuple(dataset.condition for dataset in self.datasets)


def unit_cube_coordinates(conditions: Sequence[Condition]) -> dict[Condition, Floats]:
    """Scale the parameters that vary among conditions to [0, 1].

    The dose is scaled by its logarithm, the aperture by its inverse (0 without an aperture).

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
