"""Power spectra of images: transferred signal of the particles, film, and counting noise."""

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
    """Power spectra of the images of some objects under one condition, on a polar grid.

    To first order in the phase of the object, the relative contrast of an image has the power spectrum 4 T² W M, with the
    detector's power of signal M = MTF². Counts of dose D add noise N/D, white (N = 1) unless the detector has a DQE; see
    :class:`hrtem_ood.transfer.detector_transfer.DetectorSpectra`. The task is to distinguish
    particles from the film around them, so the contrast of the film counts as noise, too.

    Attributes
    ----------
    mean_transfer, transfer : float64 array, (q, phi), [1]
        Mean of T, signed, and root mean square of T over the condition's distribution.
    particle : float64 array, (q, 1), [rad² Å²]
        W_p of the particles.
    signal : float64 array, (q, phi), [Å²]
        S = 4 T² W_p M, signal where there is a particle.
    background : float64 array, (q, phi), [Å²]
        B = 4 T² W_f M + N/D, film and counting noise.
    noise : float64 array, (q, phi), [Å²]
        N/(M D), counting noise relative to the detector's power of signal; 1/D of an ideal detector.
    variance : float, [1]
        Variance of the relative contrast per pixel, by which standardisation divides: the integral over the band of B and
        of the covered share of S, and of counting noise over the rest of the square of Nyquist frequencies.
    weight : float64 array, (q,), [1]
        The configured w(q), with sum 1.
    area : float64 array, (q,), [1/Å²]
        Weights of ∫∫ d²q over the band, as in :class:`hrtem_ood.transfer.polar_grid.PolarGrid`.
    film : float64 array, (q, 1), [rad² Å²]
        W_f of the film.
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
    film: Floats

    @cached_property
    def snr(self) -> Floats:
        """Signal-to-noise ratio ρ = S/B, float64 array, (q, phi), [1]."""
        return self.signal / self.background

    @cached_property
    def background_spectrum(self) -> Floats:
        """Spectrum P₀ = B / variance of standardised images without a particle, float64 array, (q, phi), [Å²]."""
        return self.background / self.variance

    @cached_property
    def particle_spectrum(self) -> Floats:
        """Spectrum P₁ = (B + S) / variance of standardised images of a particle, float64 array, (q, phi), [Å²]."""
        return (self.background + self.signal) / self.variance

    @cached_property
    def amplitude(self) -> Floats:
        """Transferred amplitude |T|√W_p, float64 array, (q, phi), [rad Å]."""
        return self.transfer * np.sqrt(self.particle)

    def weighted_mean(self, values: Floats) -> float:
        """Return the weighted mean over the band, ∫∫ f w dq dφ / ∫∫ w dq dφ, of f (q, phi) in the unit of f."""
        return float(values.mean(axis=-1) @ self.weight)

    def band_integral(self, values: Floats) -> float:
        """Return the integral over the band, ∫∫ f d²q, of f (q, phi) in the unit of f times 1/Å²."""
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
    """Compute the spectra of images under a condition.

    Parameters
    ----------
    condition : Condition
    objects : ObjectSpectrum
    grid : PolarGrid
    wavelength_A : float, [Å]
    pixel_size_A : float, [Å]
        Pixel of the images.
    detector : Detector, optional
        By default every electron is counted in the pixel where it lands.

    Returns
    -------
    ImageSpectra
    """
    mean, rms = transfer_moments(condition, grid, wavelength_A=wavelength_A)
    particle, film = (power[:, None] for power in objects.at(grid.q_per_A))
    counting_noise_A2 = mean_inverse_dose(condition)
    detected = detector_spectra(detector, grid, pixel_size_A=pixel_size_A)
    contrast = 4 * rms**2 * detected.signal
    signal, background = contrast * particle, contrast * film + counting_noise_A2 * detected.noise
    inside = float((background + objects.covered * signal).mean(axis=-1) @ grid.area_per_A2)
    return ImageSpectra(
        mean_transfer=mean,
        transfer=rms,
        particle=particle,
        signal=signal,
        background=background,
        noise=counting_noise_A2 * detected.noise / detected.signal,
        variance=inside + counting_noise_A2 * detected.outside,
        weight=grid.weight,
        area=grid.area_per_A2,
        film=film,
    )


def mean_inverse_dose(condition: Condition) -> float:
    """Mean of 1/D over the distribution of the dose D [Å²], to second order in its standard deviation."""
    relative_sd = condition.dose_sd_e_per_A2 / condition.dose_e_per_A2
    return (1 + relative_sd**2) / condition.dose_e_per_A2


def mixture_spectra(parts: Sequence[ImageSpectra], shares: Sequence[float]) -> ImageSpectra:
    """Compute the spectra of a mixture: the weighted mean of the standardised spectra of its parts.

    Parameters
    ----------
    parts : sequence of ImageSpectra
        On one grid.
    shares : sequence of float, [1]
        Share of the images of each part; scaled to sum 1.

    Returns
    -------
    ImageSpectra
        ``transfer`` is the root of the mean of T². ``signal``, ``background`` and ``noise`` are those of standardised images,
        and ``variance`` is 1.
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
        film=mean([part.film for part in parts]),
    )
