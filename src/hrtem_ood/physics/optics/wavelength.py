"""Wavelength of fast electrons."""

import math


def electron_wavelength_A(energy_eV: float) -> float:  # the unit keeps its case
    """Relativistic de Broglie wavelength.

    λ = h c / √(eU (2 m c² + eU)), Kirkland, *Advanced Computing in Electron Microscopy* (2nd ed., 2010), Eq. 2.5, with
    the CODATA constants of SciPy.

    Parameters
    ----------
    energy_eV : float, [eV]
        Kinetic energy eU.

    Returns
    -------
    float, [Å]

    Examples
    --------
    >>> round(electron_wavelength_A(300e3), 6)
    0.019687
    """
    from scipy import constants  # a third of the time in which the workflow imports what checks a configuration

    rest_eV = constants.m_e * constants.c**2 / constants.e
    hc_eVA = constants.h * constants.c / constants.e * 1e10
    return float(hc_eVA / math.sqrt(energy_eV * (2 * rest_eV + energy_eV)))
