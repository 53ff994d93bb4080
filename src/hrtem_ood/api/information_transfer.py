"""Information transfer of conditions."""

from typing import TYPE_CHECKING

from hrtem_ood.api.arguments import check_energy, check_positive
from hrtem_ood.physics.optics.condition import Condition
from hrtem_ood.transfer.parameters import Transfer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def epsilon(condition: Condition, *, energy_eV: float, pixel_size_A: float, transfer: Transfer | None = None) -> float:
    """Compute ε(χ), the part of the band that a condition transfers as phase contrast.

    Parameters
    ----------
    condition : Condition
    energy_eV : float, [eV]
        Of the beam.
    pixel_size_A : float, [Å]
        Of the images; its Nyquist frequency ends the band.
    transfer : Transfer, optional
        Band, weight and quadrature; by default those of a configuration without `transfer`.

    Returns
    -------
    float, [1]
        From 0, nothing, to 1, full contrast everywhere.

    Raises
    ------
    ArgumentError
        Where the energy is none of a microscope's (it may be in keV), or the pixel is no positive number.
    ConfigError
        Where the band is empty.

    Examples
    --------
    >>> import hrtem_ood
    >>> near = hrtem_ood.Condition(defocus_A=50, dose_e_per_A2=400)
    >>> round(hrtem_ood.epsilon(near, energy_eV=300e3, pixel_size_A=0.4), 3)
    0.513
    """
    from hrtem_ood.transfer import epsilon_sigma

    (sampled,), weight = _sampled_transfer([condition], energy_eV, pixel_size_A, transfer)
    return float(epsilon_sigma.epsilon(sampled, weight))


def sigma(
    condition: Condition,
    other: Condition,
    *,
    energy_eV: float,
    pixel_size_A: float,
    transfer: Transfer | None = None,
) -> float:
    """Compute σ(χ, χ′), how much of the transferred contrast two conditions share.

    Parameters
    ----------
    condition, other : Condition
    energy_eV : float, [eV]
        Of the beam.
    pixel_size_A : float, [Å]
        Of the images; its Nyquist frequency ends the band.
    transfer : Transfer, optional
        Band, weight and quadrature; by default those of a configuration without `transfer`.

    Returns
    -------
    float, [1]
        From 0, no frequency is transferred by both, to 1, transfer is the same up to its sign and a factor.

    Raises
    ------
    ArgumentError
        Where the energy is none of a microscope's (it may be in keV), or the pixel is no positive number.
    ConfigError
        Where the band is empty.

    Examples
    --------
    >>> import hrtem_ood
    >>> near, far = (hrtem_ood.Condition(defocus_A=defocus, dose_e_per_A2=400) for defocus in (50, 200))
    >>> optics = {"energy_eV": 300e3, "pixel_size_A": 0.4}
    >>> round(hrtem_ood.sigma(near, far, **optics), 3), round(hrtem_ood.sigma(near, near, **optics), 3)
    (0.81, 1.0)
    """
    from hrtem_ood.transfer import epsilon_sigma

    (one, two), weight = _sampled_transfer([condition, other], energy_eV, pixel_size_A, transfer)
    return epsilon_sigma.sigma(one, two, weight)


def _sampled_transfer(
    conditions: list[Condition], energy_eV: float, pixel_size_A: float, transfer: Transfer | None
) -> "tuple[list[NDArray[np.float64]], NDArray[np.float64]]":
    """Sample T(q) of conditions, each (q, phi), and return it with the weights (q,) of the quadrature."""
    from hrtem_ood.physics.optics.wavelength import electron_wavelength_A
    from hrtem_ood.transfer.ctf_sampling import transfer_of
    from hrtem_ood.transfer.polar_grid import polar_grid

    check_energy(energy_eV)
    check_positive(pixel_size_A=pixel_size_A)
    grid, wavelength = polar_grid(transfer or Transfer(), pixel_size_A=pixel_size_A), electron_wavelength_A(energy_eV)
    return [transfer_of(condition, grid, wavelength_A=wavelength) for condition in conditions], grid.weight
