"""Contrast transfer under an imaging condition: of waves (complex) and of weak phase objects' images (real)."""

from types import ModuleType

import numpy as np

from hrtem_ood.physics.optics.aberrations import Array, aberration_function, aberration_gradient
from hrtem_ood.physics.optics.condition import Condition
from hrtem_ood.physics.optics.envelopes import angular_damping, radial_damping


def envelope(
    condition: Condition,
    q_per_A: Array,
    azimuth_rad: Array,
    *,
    wavelength_A: float,
    defocus_A: float,
    xp: ModuleType = np,
) -> Array:
    """Return A(q) E(q), the damping by a condition; see :mod:`hrtem_ood.physics.optics.envelopes`.

    Parameters
    ----------
    condition, q_per_A, azimuth_rad, wavelength_A, defocus_A, xp
        As in :func:`contrast_transfer`.

    Returns
    -------
    float array, (…), [1]
    """

    def gradient() -> tuple[Array, Array]:
        return aberration_gradient(
            q_per_A,
            azimuth_rad,
            wavelength_A=wavelength_A,
            defocus_A=defocus_A,
            aberrations=condition.aberrations,
            xp=xp,
        )

    result = xp.ones(xp.broadcast_shapes(xp.shape(q_per_A), xp.shape(azimuth_rad)))
    result *= radial_damping(condition, q_per_A, wavelength_A=wavelength_A, xp=xp)
    damping = angular_damping(condition, gradient, xp=xp)
    return result if damping is None else result * damping


def contrast_transfer(
    condition: Condition,
    q_per_A: Array,
    azimuth_rad: Array,
    *,
    wavelength_A: float,
    defocus_A: float,
    xp: ModuleType = np,
) -> Array:
    """Transfer function t(q) = A(q) E(q) exp[−iχ(q)] that multiplies the Fourier transform of an exit wave.

    Kirkland (2010), Sec. 3.2; sign and units as abTEM's ``CTF``.

    Parameters
    ----------
    condition : Condition
        Aberrations, spreads and aperture; its own defocus is not used.
    q_per_A : float array, (…), [1/Å]
        Modulus of the spatial frequency, in double precision.
    azimuth_rad : float array, broadcastable with q, [rad]
        Azimuth of the spatial frequency, arctan2(q_y, q_x).
    wavelength_A : float, [Å]
    defocus_A : float, [Å]
        Defocus −C10 of this image, positive for underfocus.
    xp : module
        The arrays' module, NumPy or CuPy.

    Returns
    -------
    complex array, (…), [1]
    """
    chi = aberration_function(
        q_per_A,
        azimuth_rad,
        wavelength_A=wavelength_A,
        defocus_A=defocus_A,
        aberrations=condition.aberrations,
        xp=xp,
    )
    damping = envelope(condition, q_per_A, azimuth_rad, wavelength_A=wavelength_A, defocus_A=defocus_A, xp=xp)
    return damping * xp.exp(-1j * chi)


def phase_contrast_transfer(
    condition: Condition,
    q_per_A: Array,
    azimuth_rad: Array,
    *,
    wavelength_A: float,
    defocus_A: float,
    xp: ModuleType = np,
) -> Array:
    r"""Phase-contrast transfer function T(q): how strongly frequency q of a weak phase object appears in its image.

    Behind a weak phase object, ψ = 1 + iφ. To first order in φ, its image has the Fourier transform
    I(q) = δ(q) + i [t(q) − t*(−q)] φ(q), with t of :func:`contrast_transfer`: both side bands q and −q of the wave make
    the image's frequency q. Split χ = χ_e + χ_o into its even (m even) and odd parts, χ_e(−q) = χ_e(q). Where the
    envelope is even too, i [t(q) − t*(−q)] = 2 AE sin χ_e · exp(−iχ_o): odd aberrations (coma, three-fold
    astigmatism) shift frequencies, and even ones decide how strongly they appear. Returned is the signed magnitude,

        T(q) = sgn(sin χ_e) · |t(q) − t*(−q)| / 2,

    which is A E sin χ_e for even envelopes, and for even aberrations the textbook A E sin χ. The envelope is uneven
    only where an angular spread meets odd aberrations; then |T| keeps also what the side bands' difference transfers.
    Underfocus gives T < 0 at low q: atoms (φ > 0) are dark. Reimer & Kohl, *Transmission Electron Microscopy* (5th
    ed., 2008), Ch. 6.

    Parameters
    ----------
    condition, q_per_A, azimuth_rad, wavelength_A, defocus_A, xp
        As in :func:`contrast_transfer`.

    Returns
    -------
    float array, (…), [1]
        In [−1, 1], even in q.
    """
    transfer, opposite = (
        contrast_transfer(condition, q_per_A, azimuth, wavelength_A=wavelength_A, defocus_A=defocus_A, xp=xp)
        for azimuth in (azimuth_rad, azimuth_rad + np.pi)
    )
    even = {name: value for name, value in condition.aberrations.items() if int(name[-1]) % 2 == 0}
    chi_even = aberration_function(
        q_per_A, azimuth_rad, wavelength_A=wavelength_A, defocus_A=defocus_A, aberrations=even, xp=xp
    )
    return xp.copysign(xp.abs(transfer - opposite.conj()) / 2, xp.sin(chi_even))
