"""Particles: size, composition, orientation."""

import numpy as np
import pytest
from ase import Atoms
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation
from scipy.stats import kstest

from hrtem_ood.errors import ConfigError
from hrtem_ood.physics.structures.crystal import unit_cell
from hrtem_ood.physics.structures.parameters import Material
from hrtem_ood.physics.structures.particle import draw_particle, random_rotation
from hrtem_ood.physics.structures.stacking_faults import stacking_fault

CDSE = Material(formula="CdSe", structure="wurtzite", a_A=4.2985, c_A=7.0152)


@pytest.mark.parametrize("faults", [0, 3])
def test_size_density_and_stoichiometry_are_those_of_the_bulk(faults: int) -> None:
    crystal = unit_cell(CDSE)
    rng = np.random.default_rng(3)
    fault = stacking_fault(crystal, CDSE)
    for _ in range(5):
        particle = draw_particle(crystal, fault, radius_A=25.0, faults=faults, rng=rng)
        distance = np.linalg.norm(particle.positions_A, axis=1)
        assert 24.5 < distance.max() <= 25.0
        expected = 4 / 3 * np.pi * 25**3 * len(crystal) / crystal.cell.volume
        assert len(distance) == pytest.approx(expected, rel=0.01)
        assert np.mean(particle.numbers == 48) == pytest.approx(0.5, abs=0.01)
        assert particle.faults == faults


def test_rotating_back_gives_the_crystal() -> None:
    crystal = unit_cell(CDSE)
    particle = draw_particle(crystal, None, radius_A=12.0, faults=0, rng=np.random.default_rng(5))
    back = Rotation.from_quat(particle.orientation).inv().apply(particle.positions_A)
    cadmium = back[particle.numbers == 48]
    # all distances between equal atoms of the lattice's two Cd sites have heights of whole half-periods
    heights = (cadmium[:, 2] - cadmium[0, 2]) / (7.0152 / 2)
    np.testing.assert_allclose(heights, np.round(heights), atol=1e-6)
    assert not np.allclose(particle.positions_A, back, atol=0.1)


def rejected(rotations: list[Rotation]) -> bool:
    """Tell whether rotations are not uniform on SO(3), by two Kolmogorov–Smirnov tests at 0.001 each.

    A uniform rotation takes z to a uniform point of the sphere (uniform z component), and its angle ω has the
    distribution (ω − sin ω)/π (Miles, Biometrika 52, 636 (1965)).
    """
    heights = [rotation.apply([0.0, 0.0, 1.0])[2] for rotation in rotations]
    angles = [rotation.magnitude() for rotation in rotations]
    p_height = kstest(heights, "uniform", args=(-1, 2)).pvalue
    p_angle = kstest(angles, lambda angle: (angle - np.sin(angle)) / np.pi).pvalue
    return bool(min(p_height, p_angle) < 1e-3)


def test_orientations_are_uniform() -> None:
    rng = np.random.default_rng(11)
    assert not rejected([random_rotation(rng) for _ in range(2000)])


def test_the_test_of_uniformity_notices_what_is_not() -> None:
    rng = np.random.default_rng(11)
    assert rejected([Rotation.from_euler("ZXZ", rng.uniform(0, 2 * np.pi, 3)) for _ in range(2000)])
    assert rejected([Rotation.from_quat(rng.uniform(-1, 1, 4)) for _ in range(8000)])


def test_offsets_in_the_lattice_differ() -> None:
    crystal = unit_cell(CDSE)
    rng = np.random.default_rng(0)
    nearest = [
        cKDTree(draw_particle(crystal, None, radius_A=8.0, faults=0, rng=rng).positions_A).query(np.zeros(3))[0]
        for _ in range(40)
    ]
    assert np.std(nearest) > 0.3


def test_a_sphere_without_atoms_is_refused() -> None:
    sparse = Atoms("Au", cell=[30, 30, 30], pbc=True)
    with pytest.raises(ConfigError, match=r"particles\.radius_A: a sphere of 3 Å holds no atom"):
        draw_particle(sparse, None, radius_A=3.0, faults=0, rng=np.random.default_rng(0))
