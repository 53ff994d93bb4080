"""How far a condition lies from what a network was trained on."""

import math
from dataclasses import dataclass

from hrtem_ood.learning.checkpoint import TrainingDomain
from hrtem_ood.learning.inference.condition_forecast import ConditionForecast
from hrtem_ood.learning.inference.expectation import Expectation, expect_f1
from hrtem_ood.learning.inference.measured_f1 import ExpectedF1, MeasuredPerformance
from hrtem_ood.physics.optics.condition import Condition
from hrtem_ood.physics.optics.wavelength import electron_wavelength_A
from hrtem_ood.transfer.epsilon_sigma import epsilon
from hrtem_ood.transfer.image_spectrum import ImageSpectra, image_spectra
from hrtem_ood.transfer.object_spectrum import UNIT_OBJECTS
from hrtem_ood.transfer.parameters import Transfer
from hrtem_ood.transfer.polar_grid import polar_grid
from hrtem_ood.transfer.predictors.registry import PREDICTORS


@dataclass(frozen=True)
class DomainDistance:
    """A condition against the training conditions.

    Attributes
    ----------
    condition : Condition
    in_domain : bool
        Whether it is a training condition.
    sigma : float, [1]
        σ with the training condition that shares most, as the campaign's metrics have it.
    nearest : Condition
        That training condition; the first of several.
    epsilon : float, [1]
        ε of the condition.
    trained_epsilon : tuple of float, [1]
        Least and largest ε of the training conditions.
    defocus_A : float, [Å]
        Smallest |Δf − Δf′| to a training condition.
    dose_ratio : float, [1]
        Dose over that of the training condition nearest in dose (in the ratio).
    """

    condition: Condition
    in_domain: bool
    sigma: float
    nearest: Condition
    epsilon: float
    trained_epsilon: tuple[float, float]
    defocus_A: float
    dose_ratio: float


@dataclass(frozen=True)
class ConditionAssessment:
    """A condition's distance from training, and what was measured at such distances.

    Attributes
    ----------
    distance : DomainDistance
    measured : MeasuredPerformance, optional
    expected : ExpectedF1, optional
        Both None where no campaign has measured the network.
    forecast : ConditionForecast, optional
        None where there is no forecaster.
    """

    distance: DomainDistance
    measured: MeasuredPerformance | None
    expected: ExpectedF1 | None
    forecast: ConditionForecast | None = None

    @property
    def expectation(self) -> Expectation:
        """The F1 to expect under the condition."""
        return expect_f1(self.expected, self.forecast)


def assess_distance(condition: Condition, training_domain: TrainingDomain, transfer: Transfer) -> DomainDistance:
    """Compute the distance of a condition from training, with the functions of the registry of predictors.

    Parameters
    ----------
    condition : Condition
        At the beam energy of the training.
    training_domain : TrainingDomain
        The band of σ and ε ends at the Nyquist frequency of the network's pixel unless ``transfer`` says otherwise.
    transfer : Transfer
        How ε and σ are integrated.

    Returns
    -------
    DomainDistance
    """
    pixel_size_A = training_domain.pixel_size_A
    grid = polar_grid(transfer, pixel_size_A=pixel_size_A)
    wavelength = electron_wavelength_A(training_domain.energy_eV)

    def spectra(chosen: Condition) -> ImageSpectra:
        return image_spectra(chosen, UNIT_OBJECTS, grid, wavelength_A=wavelength, pixel_size_A=pixel_size_A)

    test = spectra(condition)
    training_conditions = [each for each, _ in training_domain.conditions]
    sigmas, epsilons = [], []
    for each in training_conditions:  # one by one, because a mixture may have hundreds
        train = spectra(each)
        sigmas.append(PREDICTORS["sigma"].measure(train, test))
        epsilons.append(float(epsilon(train.transfer, grid.weight)))
    ratios = [condition.dose_e_per_A2 / each.dose_e_per_A2 for each in training_conditions]
    delta_defocus = PREDICTORS["abs_delta_defocus_A"].measure
    return DomainDistance(
        condition=condition,
        in_domain=condition in training_conditions,
        sigma=max(sigmas),
        nearest=training_conditions[sigmas.index(max(sigmas))],
        epsilon=float(epsilon(test.transfer, grid.weight)),
        trained_epsilon=(min(epsilons), max(epsilons)),
        defocus_A=min(delta_defocus(each, condition) for each in training_conditions),
        dose_ratio=min(ratios, key=lambda ratio: abs(math.log(ratio))),
    )
