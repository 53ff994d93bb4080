"""Stacking faults: where they lie, what sequence they make, and that they keep bonds."""

import re

import numpy as np
import pytest
from ase import Atoms
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from hrtem_ood.errors import ConfigError
from hrtem_ood.physics.structures.crystal import unit_cell
from hrtem_ood.physics.structures.parameters import Material
from hrtem_ood.physics.structures.particle import faulted_atoms_in_sphere
from hrtem_ood.physics.structures.stacking_faults import FAULTS, FaultPlane, StackingFault, stacking_fault

CDSE = Material(formula="CdSe", structure="wurtzite", a_A=4.2985, c_A=7.0152)
GOLD = Material(formula="Au", structure="fcc", a_A=4.0782)
# Diamond-like crystals fault between the layers of a double layer; the wide gap would break the bonds along [111].
ZINCBLENDE = Material(
    formula="CdSe", structure="zincblende", a_A=6.05, fault_normal=(1, 1, 1), fault_vector=(-1 / 3, -1 / 3, 2 / 3)
)
RADIUS = 17.0

Ball = tuple[Atoms, StackingFault, np.ndarray, np.ndarray]


def cut(material: Material, number: int, seed: int = 0, margin_A: float = 0.0) -> Ball:
    """Cut a sphere with faults; the margin keeps them away from the poles, where a fault shows no full sequence."""
    crystal = unit_cell(material)
    fault = stacking_fault(crystal, material)
    rng = np.random.default_rng(seed)
    centre = rng.random(3) @ crystal.cell.array
    steps = fault.draw(centre, RADIUS - margin_A, number, rng)
    sites, positions = faulted_atoms_in_sphere(crystal, centre, RADIUS, fault.normal, steps)
    return crystal, fault, crystal.numbers[sites], positions - centre


def stacking(ball: Ball, element: int) -> str:
    """Return the stacking sequence of one element's layers: equal letters lie straight above one another."""
    crystal, fault, numbers, positions = ball
    chosen = positions[numbers == element]
    height = chosen @ fault.normal
    order = np.argsort(height)
    starts = np.flatnonzero(np.diff(height[order], prepend=-np.inf) > 0.5)
    # the lattice vectors of the layers: those along the normal are left out
    cell = crystal.cell.array
    plane = cell[:2] if abs(cell[0] @ fault.normal) < 1e-9 else np.diff(cell, axis=0)
    sequence, known = "", []
    for atom in chosen[order[starts]]:
        place = np.linalg.lstsq(plane.T, atom - atom @ fault.normal * fault.normal, rcond=None)[0]
        same = [np.abs((place - other + 0.5) % 1 - 0.5).max() < 0.05 for other in known]
        if not any(same):
            known.append(place)
            same.append(True)
        sequence += "ABCDEFGH"[same.index(True)]
    assert len(known) <= 3
    return sequence


def environments(sequence: str) -> str:
    """Return h for a layer between two of the same letter, c for one between different ones."""
    return "".join("h" if low == high else "c" for low, high in zip(sequence, sequence[2:], strict=False))


def assert_bonded_as_in_bulk(ball: Ball, coordination: int, bond_A: float) -> None:
    _, _, numbers, positions = ball
    tree = cKDTree(positions)
    inner = np.flatnonzero(np.linalg.norm(positions, axis=1) < RADIUS - 1.2 * bond_A)
    distance, neighbour = tree.query(positions[inner], k=coordination + 2)
    np.testing.assert_allclose(distance[:, 1 : coordination + 1], bond_A, rtol=2e-4)
    assert (distance[:, coordination + 1] > 1.25 * bond_A).all()
    if len(set(numbers)) == 2:
        assert (numbers[neighbour[:, 1 : coordination + 1]] != numbers[inner][:, None]).all()


@pytest.mark.parametrize("seed", range(6))
def test_one_wurtzite_fault_is_of_type_i1(seed: int) -> None:
    for element in (48, 34):
        kinds = environments(stacking(cut(CDSE, 1, seed, margin_A=6), element))
        assert re.fullmatch("h*ch*", kinds), kinds


@pytest.mark.parametrize("seed", range(6))
def test_one_fcc_fault_is_intrinsic(seed: int) -> None:
    kinds = environments(stacking(cut(GOLD, 1, seed, margin_A=6), 79))
    assert re.fullmatch("c*hhc*", kinds), kinds


def test_perfect_crystals_have_perfect_sequences() -> None:
    assert set(environments(stacking(cut(CDSE, 0), 48))) == {"h"}
    assert set(environments(stacking(cut(GOLD, 0), 79))) == {"c"}


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), number=st.integers(0, 7))
def test_every_atom_keeps_its_bonds_across_any_number_of_faults(seed: int, number: int) -> None:
    assert_bonded_as_in_bulk(cut(CDSE, number, seed), 4, 2.63187)
    assert_bonded_as_in_bulk(cut(ZINCBLENDE, number, seed), 4, 6.05 * 3**0.5 / 4)
    assert_bonded_as_in_bulk(cut(GOLD, number, seed), 12, 4.0782 / 2**0.5)


def test_wurtzite_faults_lie_in_the_wide_gaps() -> None:
    crystal = unit_cell(CDSE)
    fault = stacking_fault(crystal, CDSE)
    assert len(fault.planes) == 2
    heights = crystal.positions[:, 2]
    for plane in fault.planes:
        gap = np.abs((heights - plane.height_A + 3.5076) % 7.0152 - 3.5076).min()
        assert gap == pytest.approx(2.63187 / 2, abs=1e-3)
        # 1/3 <1 0 -1 0> + c/2
        assert np.linalg.norm(plane.displacement_A[:2]) == pytest.approx(4.2985 / 3**0.5)
        assert abs(plane.displacement_A[2]) == pytest.approx(7.0152 / 2)


def test_the_fcc_vector_is_a_shockley_partial() -> None:
    (plane,) = stacking_fault(unit_cell(GOLD), GOLD).planes
    assert abs(plane.displacement_A @ np.ones(3)) < 1e-9
    np.testing.assert_allclose(np.sort(np.abs(plane.displacement_A)), 4.0782 / 6 * np.array([1, 1, 2]))


def test_the_sign_of_normal_and_vector_makes_no_difference() -> None:
    flipped = ZINCBLENDE.model_copy(update={"fault_normal": (-2, -2, -2)})
    one, other = (stacking_fault(unit_cell(ZINCBLENDE), material) for material in (ZINCBLENDE, flipped))
    np.testing.assert_allclose(one.normal, -other.normal)
    assert one.period_A == pytest.approx(other.period_A)
    np.testing.assert_allclose(one.planes[0].displacement_A, -other.planes[0].displacement_A)
    assert (one.planes[0].height_A + other.planes[0].height_A) % one.period_A == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("number", [0, 1, 7])
def test_planes_are_distinct_ascending_and_inside(number: int) -> None:
    fault = stacking_fault(unit_cell(CDSE), CDSE)
    assert fault.most(15.0) == 7
    for seed in range(50):
        rng = np.random.default_rng(seed)
        centre = rng.uniform(-40, 40, 3)
        steps = fault.draw(centre, 15.0, number, rng)
        heights = np.array([height for height, _ in steps])
        assert len(heights) == number
        assert (np.diff(heights) > 3.5).all()
        assert (np.abs(heights - centre[2]) <= 15 - 3.5076 / 2 + 1e-5).all()


@settings(max_examples=50, deadline=None)
@given(height=st.floats(-9, 9), centre=st.floats(-50, 50), radius=st.floats(4, 20))
def test_no_plane_is_overlooked_wherever_it_lies_in_the_cell(height: float, centre: float, radius: float) -> None:
    fault = StackingFault(np.array([0.0, 0.0, 1.0]), 3.0, (FaultPlane(height, np.array([1.0, 0.0, 0.0])),))
    first = np.ceil((centre - radius + 1.5 - height) / 3 - 1e-6 / 3)
    last = np.floor((centre + radius - 1.5 - height) / 3 + 1e-6 / 3)
    number = int(last - first) + 1
    assert number >= fault.most(radius)
    steps = fault.draw(np.array([0.0, 0.0, centre]), radius, number, np.random.default_rng(0))
    np.testing.assert_allclose([step for step, _ in steps], height + 3 * np.arange(first, last + 1), atol=1e-9)


def test_every_plane_through_a_particle_is_drawn_equally_often() -> None:
    fault = stacking_fault(unit_cell(GOLD), GOLD)
    rng = np.random.default_rng(1)
    drawn = [round(fault.draw(np.zeros(3), 10.0, 1, rng)[0][0] / fault.period_A - 0.5) for _ in range(2000)]
    values, counts = np.unique(drawn, return_counts=True)
    assert values.tolist() == [-4, -3, -2, -1, 0, 1, 2, 3]
    # 250 each, standard deviation 15
    assert counts.min() > 190
    assert counts.max() < 310


def test_a_vector_with_a_part_along_the_normal_loses_no_plane() -> None:
    # a fault that opens the crystal by 0.3 Å at each plane
    opening = 0.3 / (4.0782 * 3**0.5)
    vector = tuple(part + opening for part in FAULTS["fcc"][1])
    material = Material(formula="Au", structure="fcc", a_A=4.0782, fault_normal=(1, 1, 1), fault_vector=vector)
    fault = stacking_fault(unit_cell(material), material)
    steps = fault.draw(np.zeros(3), 15.0, 8, np.random.default_rng(0))
    heights = [height for height, _ in steps]
    assert (np.diff(heights) > 2.0).all()
    ball = cut(material, 5)
    assert cKDTree(ball[3]).query(ball[3], k=2)[0][:, 1].min() > 0.999 * 4.0782 / 2**0.5


def test_an_unknown_fault_is_refused() -> None:
    material = Material(formula="NaCl", structure="rocksalt", a_A=5.64)
    with pytest.raises(ConfigError, match=r"stacking_faults: no stacking fault is known for rocksalt.*wurtzite, fcc"):
        stacking_fault(unit_cell(material), material)


@pytest.mark.parametrize(
    ("normal", "vector", "message"),
    [
        ((0, 0, 0), (0.1, 0.0, 0.0), r"material\.fault_normal: \(0, 0, 0\) is no plane"),
        ((1, 1, 1), (1.0, -1.0, 0.0), r"material\.fault_vector: \[1\.0, -1\.0, 0\.0\] is a lattice vector"),
        # cubic (0 0 1) and 1/4 [1 1 0]: from the hollow to the bridge site, 0.87 of the neighbour distance away
        ((1, 1, 0), (0.0, 0.0, 0.5), r"material\.fault_vector: .* into one another on every plane \[1, 1, 0\]"),
    ],
)
def test_a_fault_that_is_none_is_refused(
    normal: tuple[int, int, int], vector: tuple[float, float, float], message: str
) -> None:
    material = GOLD.model_copy(update={"fault_normal": normal, "fault_vector": vector})
    with pytest.raises(ConfigError, match=message):
        stacking_fault(unit_cell(material), material)
