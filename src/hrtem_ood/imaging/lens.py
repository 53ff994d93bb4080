"""The objective lens under one condition, ready to form many images of different defocus."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from hrtem_ood.campaign.condition import Condition
from hrtem_ood.device import ArrayModule
from hrtem_ood.optics.aberrations import Array, aberration_gradient
from hrtem_ood.optics.ctf import contrast_transfer
from hrtem_ood.optics.envelopes import spatial_envelope
from hrtem_ood.optics.fourier import polar_frequencies


@dataclass(frozen=True)
class Lens:
    """The contrast transfer t(q) of a condition on an image's grid, split into what defocus changes and what not.

    The phase of defocus, exp(iπ λ Δf q²), is a product of a function of q_y and one of q_x: it costs next to nothing
    per image, where computing χ anew would cost more than the image's Fourier transforms.

    Attributes
    ----------
    focused : complex64 array, (y, x), [1]
        Transfer at zero defocus, without the spatial envelope.
    q_y, q_x : float64 array, (y, 1) and (1, x), [1/Å]
        Spatial frequencies.
    gradient : tuple of float32 arrays, (y, x), [rad/rad], or None
        Gradient of χ at zero defocus, where there is an angular spread.
    alpha : float32 array, (y, x), [rad]
        Scattering angle.
    """

    condition: Condition
    wavelength_A: float
    am: ArrayModule
    focused: Array
    q_y: Array
    q_x: Array
    gradient: tuple[Array, Array] | None
    alpha: Array

    @classmethod
    def of(cls, condition: Condition, *, size: int, pixel_A: float, wavelength_A: float, am: ArrayModule) -> Self:
        """Prepare the lens for square images.

        Parameters
        ----------
        condition : Condition
        size : int, [px]
            Side of the images.
        pixel_A : float, [Å]
        wavelength_A : float, [Å]
        am : ArrayModule
        """
        xp = am.xp
        q, azimuth = polar_frequencies((size, size), pixel_A, xp)
        still = condition.model_copy(update={"angular_spread_mrad": 0.0})
        focused = contrast_transfer(still, q, azimuth, wavelength_A=wavelength_A, defocus_A=0.0, xp=xp)
        gradient = None
        if condition.angular_spread_mrad:
            radial, azimuthal = aberration_gradient(
                q, azimuth, wavelength_A=wavelength_A, defocus_A=0.0, aberrations=condition.aberrations, xp=xp
            )
            gradient = radial.astype(np.float32), azimuthal.astype(np.float32)
        frequencies = xp.fft.fftfreq(size, pixel_A)
        return cls(
            condition,
            wavelength_A,
            am,
            focused.astype(np.complex64),
            frequencies[:, None],
            frequencies[None, :],
            gradient,
            (wavelength_A * q).astype(np.float32),
        )

    def transfer(self, defocus_A: float) -> Array:
        """Contrast transfer t(q) at a defocus, equal to :func:`hrtem_ood.optics.ctf.contrast_transfer`.

        Parameters
        ----------
        defocus_A : float, [Å]
            −C10, positive for underfocus.

        Returns
        -------
        complex64 array, (y, x), [1]
        """
        xp = self.am.xp
        phase = np.pi * self.wavelength_A * defocus_A
        rows, columns = (xp.exp(1j * phase * q**2).astype(np.complex64) for q in (self.q_y, self.q_x))
        result = self.focused * rows * columns
        if self.gradient is not None:
            radial = self.gradient[0] - 2 * np.pi / self.wavelength_A * defocus_A * self.alpha  # ∂χ/∂α, C10 = −defocus
            spread_mrad = self.condition.angular_spread_mrad
            result *= spatial_envelope(radial, self.gradient[1], angular_spread_mrad=spread_mrad, xp=xp)
        return result
