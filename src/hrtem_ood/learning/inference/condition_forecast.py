"""The forecast of a network's score under a condition, by a forecaster of a results folder."""

from dataclasses import dataclass
from pathlib import Path

from hrtem_ood.learning.checkpoint import TrainingDomain
from hrtem_ood.physics.optics.condition import Condition
from hrtem_ood.physics.optics.wavelength import electron_wavelength_A
from hrtem_ood.transfer.forecast.choose_file import choose_forecaster
from hrtem_ood.transfer.forecast.cross_validation import LEVEL
from hrtem_ood.transfer.forecast.descriptors import describe
from hrtem_ood.transfer.forecast.performance import Performance
from hrtem_ood.transfer.forecast.wording import outside_texts
from hrtem_ood.transfer.image_spectrum import image_spectra
from hrtem_ood.transfer.parameters import Transfer
from hrtem_ood.transfer.polar_grid import polar_grid
from hrtem_ood.transfer.predictors.inputs import Dataset, TrainingSet, unit_cube_coordinates


@dataclass(frozen=True)
class ConditionForecast:
    """A forecast score under a condition.

    Attributes
    ----------
    path : Path
        The forecaster.
    campaign : str
        That it was fitted on.
    metric : str
    level : float, [1]
        Of the interval.
    predicted, low, high : float
        Outside the forecaster's domain, those at its edge.
    outside : tuple of str
        What lies outside it, see :func:`hrtem_ood.transfer.forecast.wording.outside_texts`.
    performance : Performance
        Of the forecaster.
    """

    path: Path
    campaign: str
    metric: str
    level: float
    predicted: float
    low: float
    high: float
    outside: tuple[str, ...]
    performance: Performance


def forecast_condition(
    condition: Condition, training_domain: TrainingDomain, results: Path
) -> ConditionForecast | None:
    """Forecast the score of networks of a training set under a condition.

    The objects are those of the forecaster's campaign: neither the network nor the micrograph has their power spectra.

    Parameters
    ----------
    condition : Condition
    training_domain : TrainingDomain
    results : Path
        The results folder with forecasters.

    Returns
    -------
    ConditionForecast, or None
        None without a forecaster for this pixel and beam energy that has the spectra of its objects.
    """
    pixel_size_A = training_domain.pixel_size_A
    found = choose_forecaster(results, pixel_size_A=pixel_size_A, energy_eV=training_domain.energy_eV)
    if found is None:
        return None
    path, forecaster = found
    assert forecaster.objects is not None
    objects, grid = forecaster.objects.spectrum, polar_grid(Transfer(), pixel_size_A=pixel_size_A)
    wavelength = electron_wavelength_A(training_domain.energy_eV)
    conditions = [each for each, _ in training_domain.conditions]
    coordinates = unit_cube_coordinates([*conditions, condition])

    def dataset(chosen: Condition) -> Dataset:
        spectra = image_spectra(chosen, objects, grid, wavelength_A=wavelength, pixel_size_A=pixel_size_A)
        return Dataset("", chosen, "", pixel_size_A, objects, spectra, coordinates[chosen], Path())

    images = tuple(number for _, number in training_domain.conditions)
    train = TrainingSet("", tuple(dataset(each) for each in conditions), images)
    descriptors = describe(train, dataset(condition))[None]
    made = forecaster.at_edge(descriptors, LEVEL)
    predicted, low, high = (float(each[0]) for each in (made.predicted, made.low, made.high))
    campaign = forecaster.origin.get("campaign", "unknown")
    outside = outside_texts(forecaster.domain, descriptors)
    return ConditionForecast(
        path, campaign, forecaster.metric, LEVEL, predicted, low, high, outside, forecaster.performance
    )
