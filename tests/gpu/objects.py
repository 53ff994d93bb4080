"""Scenes and waves that tests of both devices take."""

from functools import lru_cache

import numpy as np
from ase import Atoms
from ase.build import bulk

from hrtem_ood.physics.optics.fourier import polar_frequencies
from hrtem_ood.physics.simulation.exit_wave import displace

SAMPLING_A = 0.1
CARBON_PER_A3 = 0.1103
SCENES = {
    1: ({"name": "Au", "crystalstructure": "fcc", "a": 4.0782}, 0.0),
    2: ({"name": "Ag", "crystalstructure": "fcc", "a": 4.0782}, 10.0),
    3: ({"name": "CdSe", "crystalstructure": "wurtzite", "a": 4.2985, "c": 7.0152}, 25.0),
}
"""By number of species: the particle's crystal, and the thickness of the carbon film [Å]."""


@lru_cache(maxsize=4)
def scene(size: int, species: int) -> Atoms:
    """Put a ball of a crystal, turned, on a film of random carbon, across the cell's edges.

    Parameters
    ----------
    size : int
        Points along a side of the cell.
    species : int
        Chemical elements.
    """
    crystal, film_A = SCENES[species]
    side_A, rng = round(size * SAMPLING_A, 6), np.random.default_rng(3)
    radius_A = min(18.0, 0.4 * side_A)
    ball = bulk(**crystal).repeat(24)
    ball.positions -= ball.positions.mean(axis=0)
    ball = ball[np.linalg.norm(ball.positions, axis=1) < radius_A]
    ball.rotate(17, "x")
    ball.rotate(29, "y")
    ball.positions += [0.3 * side_A, 0.9 * side_A, 4 + film_A + radius_A]
    number = round(CARBON_PER_A3 * side_A**2 * film_A)
    film = Atoms(f"C{number}", positions=rng.uniform([0, 0, 4], [side_A, side_A, 4 + film_A], (number, 3)))
    whole = film + ball
    whole.set_tags([0] * number + [1] * len(ball))
    whole.set_cell([side_A, side_A, 8 + film_A + 2 * radius_A])
    whole.wrap(pbc=(1, 1, 0))
    return whole


def configuration(size: int, species: int, seed: int = 1) -> Atoms:
    """Displace such a scene thermally."""
    return displace(scene(size, species), 0.1, seed)


def random_waves(size: int, pixel_size_A: float, phonons: int) -> np.ndarray:
    """Waves behind random phase objects, (phonon, y, x), with no frequency in the upper fifth of the band."""
    q, _ = polar_frequencies((size, size), pixel_size_A)
    noise = np.random.default_rng(0).normal(size=(phonons, size, size))
    phase = np.fft.ifft2(np.fft.fft2(noise) * np.exp(-((q / 0.7) ** 2))).real
    spectra = np.fft.fft2(np.exp(0.3j * phase / phase.std())) * (q < 0.4 / pixel_size_A)
    return np.fft.ifft2(spectra).astype(np.complex64)
