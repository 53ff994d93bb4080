"""How far a condition lies from what a network was trained on."""

import math
from dataclasses import dataclass

from hrtem_ood.learning.checkpoint import TrainingDomain
from hrtem_ood.learning.inference.measured_f1 import ExpectedF1, MeasuredPerformance
from hrtem_ood.physics.optics.condition import Condition
from hrtem_ood.physics.optics.wavelength import electron_wavelength_A
from hrtem_ood.transfer.ctf_sampling import transfer_of
from hrtem_ood.transfer.epsilon_sigma import epsilon, sigma
from hrtem_ood.transfer.parameters import Transfer
from hrtem_ood.transfer.polar_grid import polar_grid


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
    """

    distance: DomainDistance
    measured: MeasuredPerformance | None
    expected: ExpectedF1 | None


def assess_distance(condition: Condition, trained_on: TrainingDomain, transfer: Transfer) -> DomainDistance:
    """Measure how far a condition lies from training.

    Parameters
    ----------
    condition : Condition
        At the beam energy of the training.
    trained_on : TrainingDomain
        The band of σ and ε ends at the Nyquist frequency of the network's pixel unless ``transfer`` says otherwise.
    transfer : Transfer
        How ε and σ are integrated.

    Returns
    -------
    DomainDistance
    """
    grid = polar_grid(transfer, pixel_size_A=trained_on.pixel_size_A)
    wavelength = electron_wavelength_A(trained_on.energy_eV)
    here = transfer_of(condition, grid, wavelength_A=wavelength)
    trained = [known for known, _ in trained_on.conditions]
    shared, transferred = [], []
    for known in trained:  # one by one, as mixtures may have hundreds
        there = transfer_of(known, grid, wavelength_A=wavelength)
        shared.append(sigma(here, there, grid.weight))
        transferred.append(float(epsilon(there, grid.weight)))
    most = max(shared)
    ratios = [condition.dose_e_per_A2 / known.dose_e_per_A2 for known in trained]
    return DomainDistance(
        condition=condition,
        in_domain=condition in trained,
        sigma=most,
        nearest=trained[shared.index(most)],
        epsilon=float(epsilon(here, grid.weight)),
        trained_epsilon=(min(transferred), max(transferred)),
        defocus_A=min(abs(condition.defocus_A - known.defocus_A) for known in trained),
        dose_ratio=min(ratios, key=lambda ratio: abs(math.log(ratio))),
    )
