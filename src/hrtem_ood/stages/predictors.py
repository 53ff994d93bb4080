"""Stage `predictors`: every predictor of every training set and test dataset of a campaign."""

import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import xarray as xr

from hrtem_ood.artifacts import store
from hrtem_ood.artifacts.stage_versions import STAGE_VERSIONS
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.object_spectra import object_spectra
from hrtem_ood.campaign.results import Results
from hrtem_ood.physics.optics.wavelength import electron_wavelength_A
from hrtem_ood.progress import track
from hrtem_ood.transfer.image_spectrum import ImageSpectra, image_spectra
from hrtem_ood.transfer.polar_grid import polar_grid
from hrtem_ood.transfer.predictors.inputs import Dataset, TrainingSet, unit_cube_coordinates
from hrtem_ood.transfer.predictors.registry import PREDICTORS, Predictor, user_predictor


def predictors(campaign: Campaign, results: Path) -> None:
    """Compute all predictors of a campaign and write them as one artifact, ``predictors/<id>.zarr.zip``.

    Parameters
    ----------
    campaign : Campaign
    results : Path
        The results folder: some exit waves, and all datasets that train or test, are read.
    """
    begin = time.monotonic()
    dataset = predictors_dataset(campaign, results)
    made = store.SimpleArtifactInfo(
        campaign.predictors_id, "predictors", STAGE_VERSIONS["predictors"], campaign.config_json
    )
    told = store.provenance(made, seconds=time.monotonic() - begin, device="cpu")
    store.write_zarr(Results(results).path("predictors", campaign.predictors_id), dataset, told)


def active_predictors(campaign: Campaign) -> dict[str, Predictor]:
    """Return the predictors of a campaign by name: those that come with the project, and its own."""
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
        One variable per predictor, (training_set, condition), float64; ``condition`` runs over test datasets, and both
        are ids, in sorted order. Attributes of each hold ``direction``, ``family``, symbol and unit.
    """
    functions = active_predictors(campaign)
    datasets = campaign_datasets(campaign, results)
    training_sets = [
        TrainingSet(id_, tuple(datasets[each] for each in spec.datasets), spec.n_images)
        for id_ in campaign.training_set_ids
        for spec in [campaign.training_set_by_id[id_]]
    ]
    tested = [datasets[id_] for id_ in campaign.test_dataset_ids]
    values = {name: np.empty((len(training_sets), len(tested))) for name in functions}
    for row, train in enumerate(track(training_sets, "training sets", len(training_sets))):
        for name, predictor in functions.items():
            values[name][row] = [predictor.function(train, test) for test in tested]
    return as_dataset(values, campaign)


def as_dataset(values: Mapping[str, np.ndarray], campaign: Campaign) -> xr.Dataset:
    """Put the values of a campaign's predictors, (training_set, condition), into what :func:`predictors` writes."""
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
    """Describe the datasets of a campaign that train or test, by id; their images are read when they are asked for."""
    wanted = list(dict.fromkeys([*campaign.test_dataset_ids, *campaign.training_datasets]))
    spectra = object_spectra(campaign, results)
    grid = polar_grid(campaign.config.transfer, pixel_size_A=campaign.config.imaging.pixel_size_A)
    wavelength, pixel_size_A = (
        electron_wavelength_A(campaign.config.simulation.energy_eV),
        campaign.config.imaging.pixel_size_A,
    )
    places, detector = unit_cube_coordinates(campaign.transfer.conditions), campaign.config.imaging.detector
    known: dict[tuple[str, object], ImageSpectra] = {}  # training and test sets of one recipe show the same
    found = {}
    for id_ in track(wanted, "what images show", len(wanted)):
        condition, name = campaign.datasets[id_].condition, campaign.structure_set_of_dataset[id_]
        key = (campaign.recipe_id(name), condition)
        if key not in known:
            known[key] = image_spectra(
                condition, spectra[name], grid, wavelength_A=wavelength, pixel_size_A=pixel_size_A, detector=detector
            )
        path = Results(results).path("datasets", id_)
        found[id_] = Dataset(id_, condition, name, pixel_size_A, spectra[name], known[key], places[condition], path)
    return found
