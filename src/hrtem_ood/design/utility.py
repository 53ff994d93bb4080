"""What a network trained under each candidate is predicted to be worth under each condition of use."""

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
from hrtem_ood.transfer.measure_registry import MEASURES
from hrtem_ood.transfer.object_spectrum import ObjectSpectrum
from hrtem_ood.transfer.polar_grid import polar_grid

Floats = NDArray[np.float64]

WITHOUT_OBJECTS = ("sigma", "signed_sigma", "coverage")
"""Measures of contrast transfer alone, the same whatever is imaged."""


def utility_matrix(
    campaign: Campaign,
    results: Path,
    *,
    candidates: Sequence[Condition],
    uses: Sequence[Condition],
    by: str,
    sets: tuple[str, str],
) -> Floats:
    """Compute a measure for every candidate and every condition of use.

    Parameters
    ----------
    campaign : Campaign
    results : Path
        The results folder, whose exit waves tell the spectra of the objects.
    candidates, uses : sequence of Condition
    by : str
        A name in :data:`hrtem_ood.transfer.measure_registry.MEASURES`.
    sets : (str, str)
        Structure sets that train, and that are tested.

    Returns
    -------
    float64 array, (candidate, use)
        The measure as it is, whichever way it points.

    Raises
    ------
    ArtifactError
        Where exit waves are needed and not there.
    """
    config = campaign.config
    if by in WITHOUT_OBJECTS:
        flat = ObjectSpectrum(np.array([0.0, 1e6]), np.ones(2), np.ones(2), 0.5)
        spectra = dict.fromkeys(sets, flat)
    else:
        _check_waves(campaign, results, by, sets)
        spectra = dict(object_spectra(campaign, results, dict.fromkeys(sets)))
    grid = polar_grid(config.transfer, pixel_size_A=config.imaging.pixel_size_A)
    wavelength_A = electron_wavelength_A(config.simulation.energy_eV)

    def shown(conditions: Sequence[Condition], objects: ObjectSpectrum) -> list[ImageSpectra]:
        known = {"wavelength_A": wavelength_A, "pixel_size_A": config.imaging.pixel_size_A}
        return [image_spectra(each, objects, grid, **known, detector=config.imaging.detector) for each in conditions]

    trained, used = shown(candidates, spectra[sets[0]]), shown(uses, spectra[sets[1]])
    measure = MEASURES[by].function
    return np.array([[measure(one, other) for other in used] for one in trained])


def _check_waves(campaign: Campaign, results: Path, by: str, sets: tuple[str, str]) -> None:
    recipes = dict.fromkeys(campaign.recipe_id(name) for name in sets)
    shards = [shard.id for recipe in recipes for shard in campaign.exit_waves_for_recipe[recipe][0]]
    artifacts = Results(results)
    missing = [artifacts.path("exit_waves", id_) for id_ in shards if not artifacts.exists("exit_waves", id_)]
    if missing:
        targets = " ".join(f"results/{path.relative_to(results)}" for path in missing)
        raise ArtifactError(
            f"{by} needs exit waves, for the spectra of the objects, and these are not there: "
            f"{', '.join(map(str, missing))}. Make them first, with the same configuration files "
            f"(the laptop campaign needs no --configfile):\n    snakemake {targets} --configfile CONFIG…\n"
            f"or choose by a predictor that needs none: --predictor {', '.join(WITHOUT_OBJECTS)}."
        )


def orient(values: Floats, by: str) -> Floats:
    """Turn a measure such that larger is nearer and the least value that can count is 0.

    Parameters
    ----------
    values : float64 array, (candidate, use)
    by : str
        Its name.

    Returns
    -------
    float64 array, (candidate, use)
        Values, counted from 0 or from the least below that; of distances, how much below the largest they are.
    """
    if MEASURES[by].direction == "smaller":
        return np.asarray(values.max() - values)
    return np.asarray(values - min(0.0, float(values.min())))
