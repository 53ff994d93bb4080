"""Unit cells by formula and from files, and cutting balls from the endless crystal."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.io import write
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from hrtem_ood.errors import ArtifactError, ConfigError
from hrtem_ood.physics.structures.crystal import atoms_in_sphere, neighbour_pairs, unit_cell
from hrtem_ood.physics.structures.parameters import Material

CDSE = Material(formula="CdSe", structure="wurtzite", a_A=4.2985, c_A=7.0152)

CIF = """data_{name}
_cell_length_a 4.2985
_cell_length_b 4.2985
_cell_length_c 7.0152
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 120
_space_group_name_H-M_alt 'P 63 m c'
loop_
_space_group_symop_operation_xyz
'x, y, z'
'-y, x-y, z'
'-x+y, -x, z'
'-x, -y, z+1/2'
'y, -x+y, z+1/2'
'x-y, x, z+1/2'
'-y, -x, z'
'-x+y, y, z'
'x, x-y, z'
'y, x, z+1/2'
'x-y, -y, z+1/2'
'-x, -x+y, z+1/2'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
Cd1 Cd 0.3333333333 0.6666666667 0.0 {occupancy}
Se1 Se 0.3333333333 0.6666666667 0.375 1.0
"""


def write_cif(folder: Path, occupancy: float = 1.0) -> Path:
    path = folder / "CdSe.cif"
    path.write_text(CIF.format(name="CdSe", occupancy=occupancy))
    return path


def test_a_formula_gives_the_cell_that_ase_builds() -> None:
    crystal = unit_cell(CDSE)
    assert crystal.symbols.formula.count() == {"Cd": 2, "Se": 2}
    np.testing.assert_allclose(crystal.cell.lengths(), [4.2985, 4.2985, 7.0152])
    assert crystal.pbc.all()


def test_a_cif_file_gives_the_same_crystal_as_the_formula(tmp_path: Path) -> None:
    path = write_cif(tmp_path)
    crystal = unit_cell(Material(file=str(path), sha256=hashlib.sha256(path.read_bytes()).hexdigest()))
    assert crystal.symbols.formula.count() == {"Cd": 2, "Se": 2}
    from_file, built = (np.sort(neighbour_pairs(each)[2]) for each in (crystal, unit_cell(CDSE)))
    # u is 0.375 in the file and 0.25 + a²/3c² by formula, hence the tolerance
    np.testing.assert_allclose(from_file, built, atol=0.005)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"formula": "Qq", "structure": "fcc", "a_A": 4.0},
            r"material\.formula: `Qq`.*names 'Qq', which is no element",
        ),
        ({"formula": "Au(", "structure": "fcc", "a_A": 4.0}, r"material\.formula: `Au\(`.*not a chemical formula"),
        ({"formula": "Cd", "structure": "wurtzite", "a_A": 4.0}, r"material\.formula: `Cd`.*2 atoms.*not 1\)"),
        ({"formula": "CdSe", "structure": "fcc", "a_A": 4.0}, r"material\.formula: `CdSe`.*1 atom.*not 2\)"),
        ({"formula": "Au", "structure": "fcc", "a_A": 4.0, "c_A": 5.0}, r"material\.c_A: fcc has no free c"),
        (
            {"formula": "Au", "structure": "fcc", "a_A": 1.1},
            r"material\.formula: `Au` has Au–Au atoms only 0\.778 Å apart",
        ),
        ({"formula": "X", "structure": "fcc", "a_A": 4.0}, r"material\.formula: `X` holds atoms of unknown elements"),
    ],
)
def test_a_formula_that_makes_no_crystal_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        unit_cell(Material(**fields))


def test_a_missing_file_is_named() -> None:
    with pytest.raises(ConfigError, match=r"material\.file: nowhere\.cif cannot be read \(No such file or directory\)"):
        unit_cell(Material(file="nowhere.cif"))


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    path = write_cif(tmp_path)
    with pytest.raises(ArtifactError, match=r"CdSe\.cif has changed: its sha256 is [0-9a-f]{64}, and 00 is expected"):
        unit_cell(Material(file=str(path), sha256="00"))


@pytest.mark.parametrize(
    ("name", "content"), [("a.cif", "not a crystal"), ("b.dat", "what?\n"), ("c.extxyz", "2\n\nAu")]
)
def test_an_unreadable_file_is_named(tmp_path: Path, name: str, content: str) -> None:
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(ConfigError, match=rf"material\.file: .*{name} is not a crystal file that can be read"):
        unit_cell(Material(file=str(path)))


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("d.extxyz", '1\nLattice="4 0 0 0 4 0 0 0 4"\nQq 0 0 0\n', "unknown element Qq"),
        ("e.cif", "data_a\n_cell_length_a\n", "line 2 in data_a: _cell_length_a has no value"),
    ],
)
def test_why_a_file_is_unreadable_is_told(tmp_path: Path, name: str, content: str, why: str) -> None:
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(ConfigError, match=why):
        unit_cell(Material(file=str(path)))


def test_a_cif_that_is_cut_short_is_no_other_crystal(tmp_path: Path) -> None:
    path = tmp_path / "NaCl.cif"
    write(path, bulk("NaCl", "rocksalt", a=5.64, cubic=True))
    assert len(unit_cell(Material(file=str(path)))) == 8
    lines = path.read_text().splitlines(keepends=True)
    first = next(number for number, line in enumerate(lines) if line.split()[:1] == ["Na"])
    path.write_text("".join(lines[: first + 1]))
    with pytest.raises(
        ConfigError, match=r"NaCl\.cif holds Na, but its _chemical_formula_sum is Na4 Cl4: it may be cut"
    ):
        unit_cell(Material(file=str(path)))


def test_partly_occupied_sites_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"CdSe\.cif has partially occupied sites"):
        unit_cell(Material(file=str(write_cif(tmp_path, occupancy=0.5))))


def duplicated() -> Atoms:
    gold = bulk("Au", cubic=True)
    return gold + gold[:1]


def not_a_number() -> Atoms:
    gold = bulk("Au", cubic=True)
    gold.positions[1, 2] = np.nan
    return gold


@pytest.mark.parametrize(
    ("crystal", "message"),
    [
        (molecule("H2O"), "no cell that is periodic along three axes"),
        (Atoms("Au", cell=[4, 4, 20], pbc=(True, True, False)), "no cell that is periodic along three axes"),
        (duplicated(), "has Au–Au atoms only 0 Å apart"),
        (not_a_number(), "positions or cell vectors that are not numbers"),
        (Atoms(cell=[4, 4, 4], pbc=True), "holds no atoms|is not a crystal file"),
    ],
)
def test_a_file_that_is_no_crystal_is_refused(tmp_path: Path, crystal: Atoms, message: str) -> None:
    path = tmp_path / "it.extxyz"
    write(path, crystal)
    with pytest.raises(ConfigError, match=rf"material\.file: .*it\.extxyz .*({message})"):
        unit_cell(Material(file=str(path)))


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(
    skew=st.tuples(*[st.floats(-2.5, 2.5)] * 3),
    centre=st.tuples(*[st.floats(-30, 30)] * 3),
    radius=st.floats(0.5, 9),
)
def test_a_ball_holds_the_same_atoms_as_a_large_supercell(
    skew: tuple[float, float, float], centre: tuple[float, float, float], radius: float
) -> None:
    vectors = [[3.0, 0.0, 0.0], [skew[0], 4.0, 0.0], [skew[1], skew[2], 5.0]]
    cell = Atoms("AuCu", scaled_positions=[[0.1, 0, 0], [1.6, -0.5, 0.4]], cell=vectors, pbc=True)
    sites, positions = atoms_in_sphere(cell, np.array(centre), radius)
    block = cell.repeat(26)
    block.positions += (np.round(np.linalg.solve(cell.cell.array.T, np.array(centre))) - 13) @ cell.cell.array
    distance = np.linalg.norm(block.positions - centre, axis=1)
    whole = cKDTree(block.positions)
    apart, twin = whole.query(positions.reshape(-1, 3))
    assert len(set(twin)) == len(positions)
    assert (apart < 1e-6).all()
    # atoms on the very surface may fall on either side
    assert (distance[twin] < radius + 1e-6).all()
    assert set(np.flatnonzero(distance < radius - 1e-6)) <= set(twin)
    np.testing.assert_array_equal(cell.numbers[sites], block.numbers[twin])
