"""Stage `predictors`: every predictor, for every training set and test dataset of a campaign."""

import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import xarray as xr

from hrtem_ood.artifacts import store
from hrtem_ood.artifacts.stage_versions import STAGE_VERSIONS
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.object_spectra import object_spectra
from hrtem_ood.campaign.results import Results
from hrtem_ood.physics.optics.condition import Condition
from hrtem_ood.physics.optics.wavelength import electron_wavelength_A
from hrtem_ood.progress import track
from hrtem_ood.transfer.forecast.descriptors import NAMES, describe_all
from hrtem_ood.transfer.image_spectrum import ImageSpectra, image_spectra
from hrtem_ood.transfer.object_spectrum import ObjectSpectrum
from hrtem_ood.transfer.polar_grid import polar_grid
from hrtem_ood.transfer.predictors.inputs import Dataset, TrainingSet, unit_cube_coordinates
from hrtem_ood.transfer.predictors.registry import PREDICTORS, Predictor
from hrtem_ood.transfer.predictors.user_predictor import user_predictor

DESCRIPTORS = "descriptors"
"""Name of the descriptors among the coordinates of the store."""

OBJECTS = "object_spectra"
"""Name of the power spectra of the objects among them."""


def predictors(campaign: Campaign, results: Path) -> None:
    """Compute all predictors of a campaign and write them as one artifact, ``predictors/<id>.zarr.zip``.

    Parameters
    ----------
    campaign : Campaign
    results : Path
        Results folder. Some exit waves, and all datasets that train or test, are read from it.
    """
    begin = time.monotonic()
    dataset = predictors_dataset(campaign, results)
    info = store.SimpleArtifactInfo(
        campaign.predictors_id, "predictors", STAGE_VERSIONS["predictors"], campaign.config_json
    )
    provenance = store.provenance(info, seconds=time.monotonic() - begin, device="cpu")
    store.write_zarr(Results(results).path("predictors", campaign.predictors_id), dataset, provenance)


def active_predictors(campaign: Campaign) -> dict[str, Predictor]:
    """Return the predictors of a campaign by name: those of the registry, then those of the user's files."""
    return PREDICTORS | {
        name: user_predictor(name, entry) for name, entry in sorted(campaign.config.predictors.items())
    }


def predictors_dataset(campaign: Campaign, results: Path) -> xr.Dataset:
    """Compute what :func:`predictors` writes.

    Parameters
    ----------
    campaign : Campaign
    results : Path

    Returns
    -------
    xarray.Dataset
        One float64 variable per predictor, (training_set, condition), with the attributes ``direction``, ``family``,
        ``long_name`` (symbol) and ``units``. Coordinates are ids, in sorted order; ``condition`` runs over test datasets.
        So are ``descriptors``, (training_set, condition, descriptor), of forecasters, and ``object_spectra``, (power, frequency):
        frequencies [1/Å] and power spectra of the objects [rad² Å²].
    """
    functions = active_predictors(campaign)
    datasets = campaign_datasets(campaign, results)
    training_sets = [
        TrainingSet(id_, tuple(datasets[each] for each in spec.datasets), spec.n_images)
        for id_ in campaign.training_set_ids
        for spec in [campaign.training_set_by_id[id_]]
    ]
    test_datasets = [datasets[id_] for id_ in campaign.test_dataset_ids]
    values = {name: np.empty((len(training_sets), len(test_datasets))) for name in functions}
    for row, train in enumerate(track(training_sets, "training sets", len(training_sets))):
        for name, predictor in functions.items():
            values[name][row] = [predictor.function(train, test) for test in test_datasets]
    # those of most training sets, so that a forecaster can be used without the exit waves
    recipes = Counter(campaign.recipe_id(each.datasets[0].structure_set) for each in training_sets)
    most = recipes.most_common(1)[0][0]
    objects = next(each.object_spectrum for each in datasets.values() if campaign.recipe_id(each.structure_set) == most)
    return with_descriptors(as_dataset(values, campaign), describe_all(training_sets, test_datasets), objects)


def with_descriptors(table: xr.Dataset, descriptors: np.ndarray, objects: ObjectSpectrum) -> xr.Dataset:
    """Add what a forecaster needs as coordinates: these are no predictors.

    Parameters
    ----------
    table : xarray.Dataset
        From :func:`as_dataset`.
    descriptors : float64 array, (training_set, condition, descriptor), [1]
    objects : ObjectSpectrum

    Returns
    -------
    xarray.Dataset
    """
    powers = np.array([objects.q_per_A, objects.particle, objects.film])
    return table.assign_coords(
        {
            "descriptor": np.array(NAMES, dtype=object),
            "power": np.array(["q_per_A", "particle", "film"], dtype=object),
            DESCRIPTORS: (("training_set", "condition", "descriptor"), descriptors),
            OBJECTS: (("power", "frequency"), powers, {"covered": objects.covered}),
        }
    )


def as_dataset(values: Mapping[str, np.ndarray], campaign: Campaign) -> xr.Dataset:
    """Make the dataset of :func:`predictors_dataset` from values of each predictor, (training_set, condition)."""
    ids = {"training_set": campaign.training_set_ids, "condition": campaign.test_dataset_ids}
    variables = {
        name: (
            tuple(ids),
            values[name],
            {"long_name": each.symbol, "units": each.unit, "direction": each.direction, "family": each.family},
        )
        for name, each in active_predictors(campaign).items()
    }
    return xr.Dataset(variables, coords={name: np.array(each, dtype=object) for name, each in ids.items()})


def campaign_datasets(campaign: Campaign, results: Path) -> dict[str, Dataset]:
    """Make the arguments of predictors: by id, all datasets of a campaign that train or test.

    Parameters
    ----------
    campaign : Campaign
    results : Path
        Results folder. Exit waves are read from it; images are read once a predictor uses them.

    Returns
    -------
    dict of str to Dataset

    Raises
    ------
    ArtifactError
        If exit waves are missing or damaged.
    """
    imaging, artifacts = campaign.config.imaging, Results(results)
    objects = object_spectra(campaign, results)
    grid = polar_grid(campaign.config.transfer, pixel_size_A=imaging.pixel_size_A)
    wavelength = electron_wavelength_A(campaign.config.simulation.energy_eV)
    coordinates = unit_cube_coordinates(campaign.transfer.conditions)
    spectra: dict[tuple[str, Condition], ImageSpectra] = {}  # the same for all structure sets of one recipe
    datasets = {}
    ids = list(dict.fromkeys([*campaign.test_dataset_ids, *campaign.training_datasets]))
    for id_ in track(ids, "image spectra", len(ids)):
        condition, name = campaign.datasets[id_].condition, campaign.structure_set_of_dataset[id_]
        key = (campaign.recipe_id(name), condition)
        if key not in spectra:
            spectra[key] = image_spectra(
                condition,
                objects[name],
                grid,
                wavelength_A=wavelength,
                pixel_size_A=imaging.pixel_size_A,
                detector=imaging.detector,
            )
        datasets[id_] = Dataset(
            id=id_,
            condition=condition,
            structure_set=name,
            pixel_size_A=imaging.pixel_size_A,
            object_spectrum=objects[name],
            image_spectra=spectra[key],
            coordinates=coordinates[condition],
            path=artifacts.path("datasets", id_),
        )
    return datasets
