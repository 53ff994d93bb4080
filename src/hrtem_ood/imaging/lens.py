"""The objective lens under one condition, ready to form many images of different defocus."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from hrtem_ood.campaign.condition import Condition
from hrtem_ood.device import ArrayModule
from hrtem_ood.optics.aberrations import Array
from hrtem_ood.optics.envelopes import spatial_envelope, temporal_envelope
from hrtem_ood.optics.polynomial import aberration_polynomial, gradient, on_grid


@dataclass(frozen=True)
class Lens:
    """The contrast transfer t(q) of a condition on an image's grid, split into what defocus changes and what not.

    The phase of defocus, exp(iπ λ Δf q²), is a product of a function of q_y and one of q_x: it costs next to nothing
    per image, where computing χ anew would cost more than the image's Fourier transforms.

    Attributes
    ----------
    focused : complex64 array, (y, x), [1]
        Transfer at zero defocus, without the spatial envelope.
    q : float64 array, (side,), [1/Å]
        Spatial frequencies along either axis.
    gradient : tuple of float32 arrays, (y, x), [rad/rad], or None
        ∂χ/∂α_x and ∂χ/∂α_y at zero defocus, where there is an angular spread.
    """

    condition: Condition
    wavelength_A: float
    am: ArrayModule
    focused: Array
    q: Array
    gradient: tuple[Array, Array] | None

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
        q = xp.fft.fftfreq(size, pixel_A)
        alpha = wavelength_A * q
        polynomial = aberration_polynomial(defocus_A=0.0, aberrations=condition.aberrations)
        # in double precision, as χ can be hundreds of radians, until whole turns are taken off
        turns = on_grid(polynomial / wavelength_A, alpha, alpha, xp)
        turns -= xp.rint(turns)
        phase = turns.astype(np.float32)
        phase *= np.float32(-2 * np.pi)
        focused = xp.empty(phase.shape, np.complex64)
        focused.real, focused.imag = xp.cos(phase), xp.sin(phase)
        squared = (q**2)[:, None] + (q**2)[None, :]
        if condition.focal_spread_A:
            modulus = xp.sqrt(squared.astype(np.float32))
            spread_A = condition.focal_spread_A
            focused *= temporal_envelope(modulus, wavelength_A=wavelength_A, focal_spread_A=spread_A, xp=xp)
        if condition.aperture_mrad is not None:
            focused *= wavelength_A * xp.sqrt(squared) <= condition.aperture_mrad * 1e-3
        slopes = None
        if condition.angular_spread_mrad:
            parts = gradient(polynomial * (2 * np.pi / wavelength_A))
            slopes = tuple(on_grid(part, alpha, alpha, xp).astype(np.float32) for part in parts)
        return cls(condition, wavelength_A, am, focused, q, slopes)

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
        line = xp.exp(1j * phase * self.q**2).astype(np.complex64)
        result = self.focused * line[:, None]
        result *= line[None, :]
        if self.gradient is not None:
            slope = (2 * np.pi * defocus_A * self.q).astype(np.float32)  # −∂χ/∂α, as C10 = −defocus and α = λq
            along_x, along_y = self.gradient[0] - slope[None, :], self.gradient[1] - slope[:, None]
            spread_mrad = self.condition.angular_spread_mrad
            result *= spatial_envelope(along_x, along_y, angular_spread_mrad=spread_mrad, xp=xp)
        return result
