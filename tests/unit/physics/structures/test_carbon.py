"""Carbon films: density, periodic smallest distance, order of addition."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist

from hrtem_ood.errors import ConfigError
from hrtem_ood.physics.structures import carbon
from hrtem_ood.physics.structures.carbon import carbon_film, wrap_and_round


def smallest_distance(film: np.ndarray, cell: float) -> float:
    """Smallest distance with lateral periodic images, by brute force over nine copies."""
    copies = [film + np.array([i * cell, j * cell, 0]) for i, j in itertools.product((-1, 0, 1), repeat=2)]
    return float(pdist(np.concatenate(copies)).min())


@settings(max_examples=20, deadline=None)
@given(
    cell=st.floats(10, 16),
    thickness=st.floats(0.3, 8),
    density=st.floats(0.02, 0.13),
    distance=st.floats(0.9, 1.55),
    seed=st.integers(0, 2**32),
)
def test_density_and_distance_are_met(
    cell: float, thickness: float, density: float, distance: float, seed: int
) -> None:
    film = carbon_film(
        cell, thickness, density_per_A3=density, min_distance_A=distance, rng=np.random.default_rng(seed)
    )
    assert len(film) == round(density * cell**2 * thickness)
    if len(film):
        assert film.min() >= 0
        assert film[:, :2].max() < cell
        assert film[:, 2].max() <= thickness
        assert smallest_distance(film, cell) >= distance


def film_of(seed: int, cell: float = 51.2, thickness: float = 20.0) -> np.ndarray:
    return carbon_film(cell, thickness, density_per_A3=0.1103, min_distance_A=1.4, rng=np.random.default_rng(seed))


def test_the_density_is_the_same_at_edges_and_surfaces() -> None:
    films = np.concatenate([film_of(seed) for seed in range(12)])
    volume = 51.2**2 * 20 * 12
    for axis, length in enumerate((51.2, 51.2, 20.0)):
        fraction = films[:, axis] / length
        # eight ends of 1/16: 4337 atoms each, spread below that of independent atoms (66)
        for low in (0.0, 15 / 16):
            count = np.sum((fraction >= low) & (fraction < low + 1 / 16))
            assert count == pytest.approx(0.1103 * volume / 16, abs=200)


def test_neighbours_crowd_at_contact_and_are_independent_far_away() -> None:
    film = film_of(7)
    inner = film[(np.abs(film - [25.6, 25.6, 10]) < [18, 18, 4]).all(axis=1)]
    distance = np.linalg.norm(inner[:, None] - film, axis=2)

    def pair_correlation(low: float, high: float) -> float:
        shell = 4 / 3 * np.pi * (high**3 - low**3)
        return float(np.sum((distance > low) & (distance <= high)) / len(inner) / shell / 0.1103)

    assert pair_correlation(0.01, 1.4) == 0
    assert pair_correlation(1.4, 1.55) > 1.2
    assert pair_correlation(4, 5.5) == pytest.approx(1, abs=0.02)


def test_atoms_are_as_if_added_one_by_one() -> None:
    batched = carbon_film(12.0, 4.0, density_per_A3=0.11, min_distance_A=1.4, rng=np.random.default_rng(1))
    rng, size, film = np.random.default_rng(1), np.array([12.0, 12.0, 4.0]), np.empty((0, 3))
    while len(film) < len(batched):
        proposal = np.round(rng.random(3) * size, 8)
        apart = film - proposal
        apart -= size * np.round(apart / size)
        if (np.linalg.norm(apart, axis=1) > 1.4 + 1e-6).all():
            film = np.concatenate([film, [proposal]])
    np.testing.assert_array_equal(batched, film)


def test_a_film_that_jams_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carbon, "ATTEMPTS", 20)
    with pytest.raises(
        ConfigError, match=r"substrate\.density_per_A3: the film jams at 0\.2\d+ atoms/Å³ with min_distance_A = 1\.4"
    ):
        carbon_film(15.0, 6.0, density_per_A3=0.4, min_distance_A=1.4, rng=np.random.default_rng(0))


@settings(max_examples=50, deadline=None)
@given(value=st.floats(-100, 100), cell=st.floats(10, 50))
def test_wrapped_positions_are_what_a_file_holds(value: float, cell: float) -> None:
    ((x, _, z),) = wrap_and_round(np.array([[value, 3.0, value]]), np.array([cell, cell, 0.0]))
    assert 0 <= x < cell
    assert (x, z) == (float(f"{x:.8f}"), float(f"{z:.8f}"))
    assert abs(z - value) <= 1e-8
    turns = (x - value) / cell
    assert abs(turns - round(turns)) * cell < 2e-8
