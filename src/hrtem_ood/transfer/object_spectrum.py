"""Power spectra of what is imaged: particles, and the film below them, from exit waves."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from hrtem_ood.physics.imaging.parameters import Labels

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ObjectSpectrum:
    """Azimuthally averaged power spectra of the phase of random scenes.

    Attributes
    ----------
    q_per_A : float64 array, (q,), [1/Å]
        Ascending, from 0.
    particle : float64 array, (q,), [rad² Å²]
        W_p, power per area of the particles' phase, of the area that particles cover.
    film : float64 array, (q,), [rad² Å²]
        W_f, power per area of the phase of everything else.
    covered : float, [1]
        Share of the area that particles cover.
    """

    q_per_A: Floats
    particle: Floats
    film: Floats
    covered: float

    def at(self, q_per_A: Floats) -> tuple[Floats, Floats]:
        """Interpolate W_p and W_f linearly; beyond the last frequency, where waves carry nothing, both are zero."""
        particle, film = (np.interp(q_per_A, self.q_per_A, power, right=0.0) for power in (self.particle, self.film))
        return particle, film


def object_spectrum(
    exit_wave: NDArray[np.complexfloating],
    particle_phase: NDArray[np.floating],
    *,
    pixel_size_A: float,
    covered: float,
) -> ObjectSpectrum:
    """Estimate the power spectra of particles and film from exit waves.

    W(q) = ⟨|F[φ − ⟨φ⟩](q)|²⟩ / area, averaged over scenes and over rings one cycle per cell wide; W_p is divided by the
    covered share, so that it tells what there is where a particle is. φ_p is the stored phase of the particles alone,
    and the film's that of the phonon-mean wave less φ_p: phases of thin objects add.

    Parameters
    ----------
    exit_wave : complex array, (structure, phonon, y, x), [1]
    particle_phase : float array, (structure, y, x), [rad]
    pixel_size_A : float, [Å]
    covered : float, [1]
        Share of the area that particles cover, see :func:`particle_area_fraction`.

    Returns
    -------
    ObjectSpectrum
    """
    phase = np.asarray(particle_phase, np.float64)
    film = np.angle(exit_wave.mean(axis=1) * np.exp(-1j * phase))
    frequencies, particle_power = _ring_means(phase, pixel_size_A)
    _, film_power = _ring_means(film, pixel_size_A)
    return ObjectSpectrum(frequencies, particle_power / covered, film_power, covered)


def _ring_means(phase: Floats, pixel_size_A: float) -> tuple[Floats, Floats]:
    """Power spectral density of square periodic fields, averaged over fields and rings."""
    size = phase.shape[-1]
    side_A = size * pixel_size_A
    spectrum = np.fft.fft2(phase - phase.mean(axis=(-2, -1), keepdims=True))
    power = (np.abs(spectrum) ** 2).mean(axis=0) * pixel_size_A**4 / side_A**2
    cycles = np.fft.fftfreq(size, 1 / size)
    ring = np.rint(np.hypot(cycles[:, None], cycles[None, :])).astype(int)
    kept = ring <= size // 2  # whole rings only
    count = np.bincount(ring[kept])
    return np.arange(count.size) / side_A, np.bincount(ring[kept], power[kept]) / count


def particle_area_fraction(particle_phase: NDArray[np.floating], labels: Labels, *, pixel_size_A: float) -> float:
    """Return the share of the area that would be labelled particle, on the grid of the waves.

    Parameters
    ----------
    particle_phase : float array, (structure, y, x), [rad]
    labels : Labels
    pixel_size_A : float, [Å]

    Returns
    -------
    float, [1]
        At least one pixel's share, so that spectra per covered area exist.
    """
    columns = (particle_phase > labels.phase_threshold_rad).astype(np.float64)
    width = labels.blur_A / pixel_size_A
    blurred = gaussian_filter(columns, (0, width, width), mode="wrap") if width else columns
    return float(max((blurred > labels.mask_threshold).mean(), 1 / columns[0].size))
