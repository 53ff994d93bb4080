"""The objective lens under one condition, ready to form many images of different defocus."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from hrtem_ood.array_module import ArrayModule
from hrtem_ood.physics.optics.aberrations import Array
from hrtem_ood.physics.optics.condition import Condition
from hrtem_ood.physics.optics.envelopes import angular_damping, radial_damping
from hrtem_ood.physics.optics.polynomial import aberration_polynomial, evaluate_on_grid, gradient


@dataclass(frozen=True)
class Lens:
    """The contrast transfer t(q) of a condition on an image's grid, without the defocus.

    Attributes
    ----------
    polynomial : float64 array, (7, 7), [1/rad^(i+j)]
        Of χ/2π at zero defocus; see :func:`~hrtem_ood.physics.optics.polynomial.aberration_polynomial`.
    alpha : float64 array, (side,), [rad]
        Scattering angles along either axis.
    damping : float32 array, (side // 2 + 1, side), [1]
        :func:`~hrtem_ood.physics.optics.envelopes.radial_damping`, of the rows of non-negative q_y: both are even in q_y.
    """

    condition: Condition
    wavelength_A: float
    am: ArrayModule
    polynomial: NDArray[np.float64]
    alpha: Array
    damping: Array

    @classmethod
    def of(cls, condition: Condition, *, size: int, pixel_size_A: float, wavelength_A: float, am: ArrayModule) -> Self:
        """Prepare the lens for square images.

        Parameters
        ----------
        condition : Condition
        size : int, [px]
            Side of the images.
        pixel_size_A : float, [Å]
        wavelength_A : float, [Å]
        am : ArrayModule
        """
        xp = am.xp
        q = xp.fft.fftfreq(size, pixel_size_A)
        squared = (q**2)[: size // 2 + 1, None] + (q**2)[None, :]
        modulus = xp.sqrt(squared.astype(np.float32))
        damping = radial_damping(condition, modulus, wavelength_A=wavelength_A, edge_q_per_A=xp.sqrt(squared), xp=xp)
        polynomial = aberration_polynomial(defocus_A=0.0, aberrations=condition.aberrations) / wavelength_A
        return cls(condition, wavelength_A, am, polynomial, wavelength_A * q, damping)

    def transfer(self, defocus_A: float) -> Array:
        """Contrast transfer t(q) at a defocus, equal to :func:`hrtem_ood.physics.optics.ctf.contrast_transfer`.

        Parameters
        ----------
        defocus_A : float, [Å]
            −C10, positive for underfocus.

        Returns
        -------
        complex64 array, (y, x), [1]
        """
        defocus = aberration_polynomial(defocus_A=defocus_A, aberrations={}) / self.wavelength_A
        polynomial = self.polynomial + defocus
        form = _compiled if self.am.name == "cpu" else transfer_numpy
        result = form(polynomial, self.alpha, self.damping, self.am)
        damping = angular_damping(self.condition, lambda: self._slopes(polynomial), xp=self.am.xp)
        if damping is not None:
            result *= damping
        return result

    def _slopes(self, polynomial: NDArray[np.float64]) -> tuple[Array, Array]:
        """Return ∇χ on the image's grid, two float32 arrays (y, x) [rad/rad]."""
        along_y, along_x = (
            evaluate_on_grid(part, self.alpha, self.alpha, self.am.xp).astype(np.float32)
            for part in gradient(polynomial * (2 * np.pi))
        )
        return along_y, along_x


def transfer_numpy(polynomial: NDArray[np.float64], alpha: Array, damping: Array, am: ArrayModule) -> Array:
    """Return damping times exp(−2πi p); see :func:`hrtem_ood.physics.imaging.cpu_kernels.lens`, the same for a CPU."""
    xp = am.xp
    # in double precision, as χ can be hundreds of radians, until whole turns are subtracted
    turns = evaluate_on_grid(polynomial, alpha, alpha, xp)
    turns -= xp.rint(turns)
    phase = turns.astype(np.float32)
    phase *= np.float32(-2 * np.pi)
    result = xp.empty(phase.shape, np.complex64)
    result.real, result.imag = xp.cos(phase), xp.sin(phase)
    rows = xp.arange(len(phase))
    result *= damping[xp.minimum(rows, len(phase) - rows)]
    return result


def _compiled(polynomial: NDArray[np.float64], alpha: Array, damping: Array, am: ArrayModule) -> Array:
    from hrtem_ood.physics.imaging import cpu_kernels  # a GPU needs no compiler

    result = am.xp.empty((len(alpha), len(alpha)), np.complex64)
    cpu_kernels.lens(polynomial, alpha, damping, result)
    return result
