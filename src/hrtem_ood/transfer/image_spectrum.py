"""What images show, frequency by frequency: transferred signal, structured and counting noise."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hrtem_ood.physics.imaging.parameters import Detector
from hrtem_ood.physics.optics.condition import Condition
from hrtem_ood.transfer.ctf_sampling import transfer_moments
from hrtem_ood.transfer.detector_transfer import detector_spectra
from hrtem_ood.transfer.object_spectrum import ObjectSpectrum
from hrtem_ood.transfer.polar_grid import PolarGrid

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ImageSpectra:
    """What images of some objects under some condition show.

    To first order, behind a phase object, the image's relative contrast has the power spectrum 4 T² W M with the
    detector's power of signal M = MTF²; counts of dose D add noise N/D, white (N = 1) unless the detector has a DQE, see
    :class:`hrtem_ood.transfer.detector_transfer.DetectorSpectra`. A particle is to be told from the film around it, so the film's
    contrast is noise, too.

    Attributes
    ----------
    mean_transfer, transfer : float64 array, (q, phi), [1]
        Mean of T, signed, and root mean square of T over the condition's distribution.
    particle : float64 array, (q, 1), [rad² Å²]
        W_p of the particles.
    signal : float64 array, (q, phi), [Å²]
        S = 4 T² W_p M, where there is a particle.
    background : float64 array, (q, phi), [Å²]
        B = 4 T² W_f M + N/D: film and counting noise.
    noise : float64 array, (q, phi), [Å²]
        N/(M D), counting noise against what the detector leaves of the signal: 1/D of an ideal one.
    variance : float, [1]
        Of the image's relative contrast per pixel, which standardisation divides by: the integral of B and of the
        covered share of S over the band, and of counting noise over the rest of the square of Nyquist frequencies.
    weight : float64 array, (q,), [1]
        The configured w(q), with sum 1.
    area : float64 array, (q,), [1/Å²]
        Weights of ∫∫ d²q over the band.
    """

    mean_transfer: Floats
    transfer: Floats
    particle: Floats
    signal: Floats
    background: Floats
    noise: Floats
    variance: float
    weight: Floats
    area: Floats

    @cached_property
    def snr(self) -> Floats:
        """Ratio ρ = S/B of signal to noise, (q, phi), [1]."""
        return self.signal / self.background

    @cached_property
    def background_spectrum(self) -> Floats:
        """Spectrum P₀ = B / variance of a standardised image where there is no particle, (q, phi), [Å²]."""
        return self.background / self.variance

    @cached_property
    def particle_spectrum(self) -> Floats:
        """Spectrum P₁ = (B + S) / variance of a standardised image where there is one, (q, phi), [Å²]."""
        return (self.background + self.signal) / self.variance

    @cached_property
    def amplitude(self) -> Floats:
        """Transferred amplitude |T| √W_p, (q, phi), [rad Å]."""
        return self.transfer * np.sqrt(self.particle)

    def weighted_mean(self, values: Floats) -> float:
        """Weighted mean over the band, ∫∫ f w dq dφ / ∫∫ w dq dφ."""
        return float(values.mean(axis=-1) @ self.weight)

    def band_integral(self, values: Floats) -> float:
        """Integral over the band, ∫∫ f d²q."""
        return float(values.mean(axis=-1) @ self.area)


def image_spectra(
    condition: Condition,
    objects: ObjectSpectrum,
    grid: PolarGrid,
    *,
    wavelength_A: float,
    pixel_size_A: float,
    detector: Detector | None = None,
) -> ImageSpectra:
    """Tell what images under a condition show.

    Parameters
    ----------
    condition : Condition
    objects : ObjectSpectrum
    grid : PolarGrid
    wavelength_A : float, [Å]
    pixel_size_A : float, [Å]
        Of the images.
    detector : Detector, optional
        By default one that counts every electron where it lands.

    Returns
    -------
    ImageSpectra
    """
    mean, rms = transfer_moments(condition, grid, wavelength_A=wavelength_A)
    particle, film = (power[:, None] for power in objects.at(grid.q_per_A))
    area, noise, left = (
        grid.area_per_A2,
        mean_inverse_dose(condition),
        detector_spectra(detector, grid, pixel_size_A=pixel_size_A),
    )
    contrast = 4 * rms**2 * left.signal
    signal, background = contrast * particle, contrast * film + noise * left.noise
    inside = float((background + objects.covered * signal).mean(axis=-1) @ area)
    variance = inside + noise * left.outside
    return ImageSpectra(
        mean, rms, particle, signal, background, noise * left.noise / left.signal, variance, grid.weight, area
    )


def mean_inverse_dose(condition: Condition) -> float:
    """Mean of 1/D over the dose's distribution [Å²], to second order in its standard deviation."""
    spread = condition.dose_sd_e_per_A2 / condition.dose_e_per_A2
    return (1 + spread**2) / condition.dose_e_per_A2


def mixture_spectra(parts: Sequence[ImageSpectra], shares: Sequence[float]) -> ImageSpectra:
    """Tell what a mixture shows as a whole: the weighted mean of the standardised spectra of its parts.

    Parameters
    ----------
    parts : sequence of Seen
        On one grid.
    shares : sequence of float
        Of the images; scaled to sum 1.

    Returns
    -------
    ImageSpectra
        ``transfer`` is the root of the mean of T²; ``signal`` and ``background`` are of unit variance.
    """
    share = np.asarray(shares, float) / np.sum(shares)

    def mean(arrays: Sequence[Floats]) -> Floats:
        return np.asarray(np.einsum("i,i...->...", share, np.stack(np.broadcast_arrays(*arrays))))

    return ImageSpectra(
        mean_transfer=mean([part.mean_transfer for part in parts]),
        transfer=np.sqrt(mean([part.transfer**2 for part in parts])),
        particle=mean([part.particle for part in parts]),
        signal=mean([part.signal / part.variance for part in parts]),
        background=mean([part.background / part.variance for part in parts]),
        noise=mean([part.noise / part.variance for part in parts]),
        variance=1.0,
        weight=parts[0].weight,
        area=parts[0].area,
    )
