"""Power spectra of the objects: particles, and the film below them, from exit waves."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hrtem_ood.physics.imaging.parameters import Labels

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ObjectSpectrum:
    """Azimuthally averaged power spectra of the phase of random structures.

    Attributes
    ----------
    q_per_A : float64 array, (q,), [1/Å]
        Ascending, from 0.
    particle : float64 array, (q,), [rad² Å²]
        W_p, power of the particles' phase per area covered by particles.
    film : float64 array, (q,), [rad² Å²]
        W_f, power of the phase of everything else per area.
    covered : float, [1]
        Share of the area that particles cover.
    """

    q_per_A: Floats
    particle: Floats
    film: Floats
    covered: float

    def at(self, q_per_A: Floats) -> tuple[Floats, Floats]:
        """Interpolate linearly; beyond the last frequency, which waves do not reach, both are zero.

        Parameters
        ----------
        q_per_A : float array, (q,), [1/Å]

        Returns
        -------
        particle, film : float64 array, (q,), [rad² Å²]
            W_p and W_f.
        """
        particle, film = (np.interp(q_per_A, self.q_per_A, power, right=0.0) for power in (self.particle, self.film))
        return particle, film


UNIT_OBJECTS = ObjectSpectrum(np.array([0.0, 1e6]), np.ones(2), np.ones(2), 0.5)
"""Unit power at every frequency [rad² Å²]: a placeholder for measures that depend on contrast transfer alone."""


def object_spectrum(
    exit_wave: NDArray[np.complexfloating],
    particle_phase: NDArray[np.floating],
    *,
    pixel_size_A: float,
    covered: float,
) -> ObjectSpectrum:
    """Estimate the power spectra of particles and film from exit waves.

    W(q) = ⟨|F[φ − ⟨φ⟩](q)|²⟩ / area, averaged over structures and over rings one cycle per cell wide. W_p is divided by the
    covered share: it is the power where there is a particle. φ_p is the stored phase of the particles alone. The phase of
    the film is that of the phonon-mean wave less φ_p, because phases of thin objects add.

    Parameters
    ----------
    exit_wave : complex array, (structure, phonon, y, x), [1]
    particle_phase : float array, (structure, y, x), [rad]
    pixel_size_A : float, [Å]
    covered : float, [1]
        Share of the area that particles cover; see :func:`particle_area_fraction`.

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
    """Return ring frequencies [1/Å] and power spectral density of square periodic fields, averaged over fields and rings."""
    size = phase.shape[-1]
    side_A = size * pixel_size_A
    spectrum = np.fft.fft2(phase - phase.mean(axis=(-2, -1), keepdims=True))
    power = (np.abs(spectrum) ** 2).mean(axis=0) * pixel_size_A**4 / side_A**2
    cycles = np.fft.fftfreq(size, 1 / size)
    ring = np.rint(np.hypot(cycles[:, None], cycles[None, :])).astype(int)
    whole = ring <= size // 2  # complete rings only
    count = np.bincount(ring[whole])
    return np.arange(count.size) / side_A, np.bincount(ring[whole], power[whole]) / count


def particle_area_fraction(particle_phase: NDArray[np.floating], labels: Labels, *, pixel_size_A: float) -> float:
    """Share of the area that is labelled particle, on the grid of the waves.

    Parameters
    ----------
    particle_phase : float array, (structure, y, x), [rad]
    labels : Labels
    pixel_size_A : float, [Å]

    Returns
    -------
    float, [1]
        At least one pixel, so that spectra per covered area exist.
    """
    from scipy.ndimage import gaussian_filter

    columns = (particle_phase > labels.phase_threshold_rad).astype(np.float64)
    width = labels.blur_A / pixel_size_A
    blurred = gaussian_filter(columns, (0, width, width), mode="wrap") if width else columns
    return float(max((blurred > labels.mask_threshold).mean(), 1 / columns[0].size))
