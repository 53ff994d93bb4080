"""Utility of training under a candidate condition for use under a target condition, by a predictor."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.object_spectra import object_spectra
from hrtem_ood.campaign.results import Results
from hrtem_ood.errors import ArtifactError
from hrtem_ood.physics.optics.condition import Condition
from hrtem_ood.physics.optics.wavelength import electron_wavelength_A
from hrtem_ood.transfer.image_spectrum import ImageSpectra, image_spectra
from hrtem_ood.transfer.object_spectrum import UNIT_OBJECTS, ObjectSpectrum
from hrtem_ood.transfer.polar_grid import polar_grid
from hrtem_ood.transfer.predictors.inputs import Dataset
from hrtem_ood.transfer.predictors.registry import SPECTRAL_PREDICTORS

Floats = NDArray[np.float64]


def predictor_matrix(
    campaign: Campaign,
    results: Path,
    predictor: str,
    *,
    candidates: Sequence[Condition],
    target_conditions: Sequence[Condition],
    structure_sets: tuple[str, str],
) -> Floats:
    """Compute a predictor for every candidate and every target condition.

    Parameters
    ----------
    campaign : Campaign
    results : Path
        Results folder. The object spectra are estimated from its exit waves, if the predictor needs them.
    predictor : str
        A name in :data:`hrtem_ood.transfer.predictors.registry.SPECTRAL_PREDICTORS`.
    candidates, target_conditions : sequence of Condition
    structure_sets : (str, str)
        Structure sets of training and test.

    Returns
    -------
    float64 array, (candidate, target), in the predictor's unit

    Raises
    ------
    ArtifactError
        If exit waves are needed and missing.
    """
    config, row = campaign.config, SPECTRAL_PREDICTORS[predictor]
    objects: dict[str, ObjectSpectrum] = dict.fromkeys(structure_sets, UNIT_OBJECTS)
    if row.needs_objects:
        others = [name for name, each in SPECTRAL_PREDICTORS.items() if not each.needs_objects]
        instead = f"\nor use a predictor that needs none: --predictor {', '.join(others)}."
        check_exit_waves(campaign, results, predictor, structure_sets, instead)
        objects |= object_spectra(campaign, results, objects)
    grid = polar_grid(config.transfer, pixel_size_A=config.imaging.pixel_size_A)
    wavelength_A = electron_wavelength_A(config.simulation.energy_eV)

    def spectra(conditions: Sequence[Condition], structure_set: str) -> list[ImageSpectra]:
        return [
            image_spectra(
                condition,
                objects[structure_set],
                grid,
                wavelength_A=wavelength_A,
                pixel_size_A=config.imaging.pixel_size_A,
                detector=config.imaging.detector,
            )
            for condition in conditions
        ]

    train, test = spectra(candidates, structure_sets[0]), spectra(target_conditions, structure_sets[1])
    return np.array([[row.measure(one, other) for other in test] for one in train])


def datasets_under(
    campaign: Campaign, results: Path, conditions: Sequence[Condition], structure_set: str
) -> list[Dataset]:
    """Return a structure set under conditions that a campaign need not have, with their image spectra."""
    config = campaign.config
    objects = object_spectra(campaign, results, [structure_set])[structure_set]
    grid = polar_grid(config.transfer, pixel_size_A=config.imaging.pixel_size_A)
    spectra = [
        image_spectra(
            condition,
            objects,
            grid,
            wavelength_A=electron_wavelength_A(config.simulation.energy_eV),
            pixel_size_A=config.imaging.pixel_size_A,
            detector=config.imaging.detector,
        )
        for condition in conditions
    ]
    nowhere = np.zeros(0)
    return [
        Dataset("", condition, structure_set, config.imaging.pixel_size_A, objects, each, nowhere, Path())
        for condition, each in zip(conditions, spectra, strict=True)
    ]


def check_exit_waves(
    campaign: Campaign, results: Path, what: str, structure_sets: tuple[str, str], instead: str = ""
) -> None:
    """Check that the exit waves exist from which the spectra of the objects are estimated.

    Parameters
    ----------
    campaign : Campaign
    results : Path
    what : str
        What needs them, for the message.
    structure_sets : (str, str)
    instead : str
        What else can be done, for the end of the message.

    Raises
    ------
    ArtifactError
        If any is missing; has the command that creates them.
    """
    recipes = dict.fromkeys(campaign.recipe_id(name) for name in structure_sets)
    shards = [shard.id for recipe in recipes for shard in campaign.exit_waves_for_recipe[recipe][0]]
    artifacts = Results(results)
    missing = [artifacts.path("exit_waves", id_) for id_ in shards if not artifacts.exists("exit_waves", id_)]
    if missing:
        targets = " ".join(f"results/{path.relative_to(results)}" for path in missing)
        raise ArtifactError(
            f"{what} needs exit waves, for the spectra of the objects, and these are missing: "
            f"{', '.join(map(str, missing))}. Create them first, with the same configuration files "
            f"(the laptop campaign needs no --configfile):\n    snakemake {targets} --configfile CONFIG…{instead}"
        )


def utility_matrix(values: Floats, predictor: str) -> Floats:
    """Convert a predictor to a utility: larger is nearer, 0 or above.

    Parameters
    ----------
    values : float64 array, (candidate, target)
        From :func:`predictor_matrix`.
    predictor : str
        Its name.

    Returns
    -------
    float64 array, (candidate, target)
        Where smaller is nearer, the largest value less the values. Where larger is nearer, the values, less the least one if
        that is negative.
    """
    if SPECTRAL_PREDICTORS[predictor].direction == "smaller":
        return np.asarray(values.max() - values)
    return np.asarray(values - min(0.0, float(values.min())))
