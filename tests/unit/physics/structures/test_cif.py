"""Crystals from CIF: the atoms of whatever setting the file tells, or a refusal that names the numbers that disagree."""

import random
import re
from pathlib import Path

import gemmi
import numpy as np
import pytest
from ase import Atoms
from ase.data import atomic_numbers, chemical_symbols
from ase.spacegroup import Spacegroup, crystal

from hrtem_ood.errors import ConfigError
from hrtem_ood.physics.structures.cif import element_of, formula_of, read_cif
from hrtem_ood.physics.structures.crystal import neighbour_pairs, unit_cell
from hrtem_ood.physics.structures.parameters import Material

CASES = Path(__file__).parents[5] / "shared" / "cases"
SILICON = [5.4309] * 3 + [90] * 3
CDSE = [6.05] * 3 + [90] * 3
WURTZITE = [4.2985, 4.2985, 7.0152, 90, 90, 120]
CORUNDUM = [4.7602, 4.7602, 12.9933, 90, 90, 120]


def cif(cell, sites, columns="label fract_x fract_y fract_z", **items):
    """Write a CIF: items by tag, with `__` for `-`; sites as lines."""
    names = ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")
    lines = [f"_cell_{name} {value}" for name, value in zip(names, cell, strict=True)]
    operations = items.pop("operations", [])
    lines += [f"_{tag.replace('__', '-')} '{value}'" for tag, value in items.items()]
    if operations:
        lines += ["loop_", "_space_group_symop_operation_xyz", *(f"'{each}'" for each in operations)]
    lines += ["loop_", *(f"_atom_site_{column}" for column in columns.split()), *sites]
    return "\n".join(["data_x", *lines]) + "\n"


def read(folder, text, name="it.cif"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return unit_cell(Material(file=str(path)))


def nearest(atoms):
    return neighbour_pairs(atoms)[2].min()


def density(atoms):
    """In g/cm³, from the mass of an atomic mass unit, 1.66054·10⁻²⁴ g."""
    return atoms.get_masses().sum() * 1.66054 / atoms.cell.volume


ORIGIN_2 = {
    "code": {"space_group_IT_number": 227, "space_group_IT_coordinate_system_code": 2},
    "name": {"space_group_name_H__M_alt": "F d -3 m :2"},
    "name without blanks": {"symmetry_space_group_name_H__M": "Fd-3m:2"},
    "old name and code": {"symmetry_space_group_name_H__M": "F d 3 m", "space_group_IT_coordinate_system_code": 2},
    "ICSD": {"symmetry_space_group_name_H__M": "F d -3 m Z", "symmetry_Int_Tables_number": 227},
    "Hall": {"space_group_name_Hall": "-F 4vw 2vw 3"},
    "Z alone": {"space_group_IT_number": 227, "cell_formula_units_Z": 8},
    "density alone": {"space_group_IT_number": 227, "exptl_crystal_density_diffrn": 2.33},
}


@pytest.mark.parametrize("told", ORIGIN_2)
def test_silicon_with_its_origin_at_the_inversion(tmp_path, told):
    atoms = read(tmp_path, cif(SILICON, ["Si1 0.125 0.125 0.125"], chemical_formula_sum="Si", **ORIGIN_2[told]))
    assert atoms.symbols.formula.count() == {"Si": 8}
    assert density(atoms) == pytest.approx(2.33, abs=0.01)
    assert nearest(atoms) == pytest.approx(2.352, abs=1e-3)


def test_silicon_with_its_origin_on_an_atom(tmp_path):
    for items in ({"space_group_IT_coordinate_system_code": 1}, {"cell_formula_units_Z": 8}):
        atoms = read(
            tmp_path, cif(SILICON, ["Si1 0 0 0"], chemical_formula_sum="Si", space_group_IT_number=227, **items)
        )
        assert len(atoms) == 8
        assert nearest(atoms) == pytest.approx(2.352, abs=1e-3)


def test_an_origin_that_is_not_told_is_asked_for(tmp_path):
    text = cif(SILICON, ["Si1 0.125 0.125 0.125"], chemical_formula_sum="Si", space_group_name_H__M_alt="F d -3 m")
    with pytest.raises(ConfigError, match=r"it\.cif does not give the origin .* Si16 by .*:1 or Si8 by .*:2; add"):
        read(tmp_path, text)


def test_wurtzite_with_rounded_coordinates(tmp_path):
    for third, two_thirds in (("0.333", "0.667"), ("0.33", "0.67"), ("0.3333(2)", "0.6667(2)"), ("1.333", "-.333")):
        sites = [f"Cd1 {third} {two_thirds} 0", f"Se2 {third} {two_thirds} 0.376"]
        atoms = read(tmp_path, cif(WURTZITE, sites, symmetry_Int_Tables_number=186))
        assert atoms.symbols.formula.count() == {"Cd": 2, "Se": 2}
        np.testing.assert_allclose(atoms.get_scaled_positions()[:2, :2], [[1 / 3, 2 / 3], [2 / 3, 1 / 3]], atol=1e-9)


@pytest.mark.parametrize("occupancy", [".", "?", "1", "1.0000", "1.00(2)"])
def test_full_occupancy(tmp_path, occupancy):
    sites = [f"Cd1 Cd 0 0 0 {occupancy}", f"Se2 Se 0.25 0.25 0.25 {occupancy}"]
    text = cif(CDSE, sites, "label type_symbol fract_x fract_y fract_z occupancy", space_group_IT_number=216)
    assert read(tmp_path, text).symbols.formula.count() == {"Cd": 4, "Se": 4}


@pytest.mark.parametrize(
    ("occupancy", "message"), [("0.5", r"partially occupied.*Se2: 0\.5"), ("half", "the occupancy `half` for site Se2")]
)
def test_other_occupancies_are_refused(tmp_path, occupancy, message):
    sites = ["Cd1 0 0 0 1", f"Se2 0.25 0.25 0.25 {occupancy}"]
    with pytest.raises(ConfigError, match=message):
        read(tmp_path, cif(CDSE, sites, "label fract_x fract_y fract_z occupancy", space_group_IT_number=216))


@pytest.mark.parametrize(
    "setting",
    [
        {"symmetry_space_group_name_H__M": "R -3 c :H"},
        {"symmetry_space_group_name_H__M": "R -3 c H"},
        {"symmetry_space_group_name_H__M": "R -3 c"},
        {"space_group_IT_number": 167},
        {"space_group_IT_number": 167, "space_group_IT_coordinate_system_code": "h"},
        {"space_group_name_Hall": '-R 3 2"c'},
    ],
)
def test_corundum_on_hexagonal_axes(tmp_path, setting):
    """Six formula units; Al–O of 1.855 and 1.972 Å (Lewis, Schwarzenbach & Flack, Acta Cryst. A 38 (1982) 733)."""
    text = cif(CORUNDUM, ["Al1 0 0 .35216", "O1 .30624 0 .25"], chemical_formula_sum="Al2 O3", **setting)
    atoms = read(tmp_path, text)
    assert atoms.symbols.formula.count() == {"Al": 12, "O": 18}
    assert nearest(atoms) == pytest.approx(1.855, abs=2e-3)


def test_corundum_on_rhombohedral_axes(tmp_path):
    """The same density from the primitive cell, by its name and by its angles alone."""
    cell = [5.1284] * 3 + [55.282] * 3
    for name in ("R -3 c :R", "R -3 c"):
        text = cif(cell, ["Al1 .35216 .35216 .35216", "O1 .55624 -.05624 .25"], space_group_name_H__M_alt=name)
        atoms = read(tmp_path, text)
        assert atoms.symbols.formula.count() == {"Al": 4, "O": 6}
        assert nearest(atoms) == pytest.approx(1.855, abs=3e-3)


def test_a_setting_that_does_not_fit_the_cell(tmp_path):
    with pytest.raises(ConfigError, match=r"cell that the operations of R -3 c:R do not leave unchanged"):
        read(tmp_path, cif(CORUNDUM, ["Al1 0 0 .35216"], space_group_name_H__M_alt="R -3 c:R"))


@pytest.mark.parametrize("number", [2, 14, 62, 86, 123, 136, 148, 166, 194, 205, 221, 225, 229])
def test_settings_by_number_are_those_of_ase(number):
    """Against ASE's tables, second origins among them, at a general position."""
    system = gemmi.find_spacegroup_by_number(number).crystal_system_str()
    cell = {
        "triclinic": [8, 9, 10, 81, 97, 103],
        "monoclinic": [8, 9, 10, 90, 101, 90],
        "orthorhombic": [8, 9, 10, 90, 90, 90],
        "tetragonal": [9, 9, 10, 90, 90, 90],
        "trigonal": [9, 9, 10, 90, 90, 120],
        "hexagonal": [9, 9, 10, 90, 90, 120],
        "cubic": [12, 12, 12, 90, 90, 90],
    }[system]
    code = 2 if number == 86 else "?"
    text = cif(cell, ["Si1 0.11 0.29 0.37"], space_group_IT_number=number, space_group_IT_coordinate_system_code=code)
    (ours,) = read_cif(text.replace("'?'", "?").encode())
    theirs = crystal("Si", [(0.11, 0.29, 0.37)], spacegroup=number, setting=2 if code == 2 else 1, cellpar=cell)
    assert sorted_positions(ours) == sorted_positions(theirs)


def sorted_positions(atoms):
    return sorted(map(tuple, np.round(atoms.get_scaled_positions(), 6) % 1))


def test_a_file_without_operations_is_complete_or_refused(tmp_path):
    sites = ["Cd1 0 0 0", "Se2 0.25 0.25 0.25"]
    items = {"chemical_formula_sum": "Cd Se"}
    with pytest.raises(ConfigError, match=r"neither .*holds CdSe in its cell, 2 atoms, but by its .*Z of 4 .* are 8"):
        read(tmp_path, cif(CDSE, sites, cell_formula_units_Z=4, **items))
    with pytest.raises(ConfigError, match=r"1\.44 g/cm³, but its _exptl_crystal_density_diffrn is 5\.74"):
        read(tmp_path, cif(CDSE, sites, exptl_crystal_density_diffrn=5.74, **items))
    with pytest.raises(ConfigError, match="gives neither symmetry operations nor a space group; add"):
        read(tmp_path, cif(CDSE, sites, **items))
    assert len(read(tmp_path, cif(CDSE, sites, cell_formula_units_Z=1, **items))) == 2
    assert len(read(tmp_path, cif(CDSE, sites, space_group_name_H__M_alt="P 1", **items))) == 2


@pytest.mark.parametrize("formula", ["Cd4 Se4", "Cd Se"])
def test_both_meanings_of_a_sum_over_the_cell(tmp_path, formula):
    """Some programs write the sum over the cell beside Z of the reduced formula."""
    text = cif(CDSE, ["Cd1 0 0 0", "Se1 .25 .25 .25"], space_group_IT_number=216, chemical_formula_sum=formula)
    text = text.replace("loop_", "_cell_formula_units_Z 4\nloop_")
    assert len(read(tmp_path, text)) == 8
    with pytest.raises(ConfigError, match=r"holds Cd4Se4 in its cell, 8 atoms, but by its .*Z of 3"):
        read(tmp_path, text.replace("units_Z 4", "units_Z 3"))


WRONG = {
    "formula": ({"chemical_formula_sum": "Cd2 Se"}, "holds Cd4Se4, but its _chemical_formula_sum is Cd2 Se1"),
    "many units": ({"chemical_formula_sum": "Cd8 Se8"}, r"0\.5 times its _chemical_formula_sum of Cd8 Se8"),
    "density": ({"exptl_crystal_density_meas": 11}, r"5\.74 g/cm³, but its _exptl_crystal_density_meas is 11"),
    "volume": ({"cell_volume": 321}, r"a cell of 221\.45 Å³ .*, but its _cell_volume is 321"),
    "number and name": ({"space_group_name_H__M_alt": "F d -3 m"}, "has number 227, and gives the number 216"),
    "code": ({"space_group_IT_coordinate_system_code": "b2"}, r"the setting `b2` for F -4 3 m; valid are abc"),
    "operations": (
        {"operations": ["x,y,z"]},
        "has 1 operations by its list, but 96 by F -4 3 m; correct one, or add",
    ),
    "half a list": ({"operations": ["x,y,z", "-y,x,-z"]}, "lists 2 operations, which form no group"),
    "no operation": ({"operations": ["x,y"]}, "lists the operation `x,y`, which belongs to no"),
    "Hall": ({"space_group_name_Hall": "X 9"}, "has the Hall symbol `X 9`, which cannot be read"),
}


@pytest.mark.parametrize("mistake", WRONG)
def test_what_disagrees_is_named_with_its_numbers(tmp_path, mistake):
    items, message = WRONG[mistake]
    text = cif(CDSE, ["Cd1 0 0 0", "Se1 .25 .25 .25"], **({"space_group_IT_number": 216} | items))
    with pytest.raises(ConfigError, match=rf"^material\.file: .*it\.cif .*{message}"):
        read(tmp_path, text)


def operations_of_ase(number):
    """Operations of a space group's first setting in ASE's tables, centring and all."""
    words = []
    for rotation, translation in Spacegroup(number).get_symop():
        rows = []
        for row, shift in zip(rotation, translation, strict=True):
            axes = "".join(f"{'+' if n > 0 else '-'}{axis}" for n, axis in zip(row, "xyz", strict=True) if n)
            rows.append(f"{axes}{f'+{round(shift * 24)}/24' if shift else ''}")
        words.append(",".join(rows))
    return words


ROCK_SALT = ["Na1 0 0 0", "Cl1 .5 .5 .5"]


@pytest.mark.parametrize(
    "items", [{"chemical_formula_sum": "Na Cl", "cell_formula_units_Z": 4}, {"exptl_crystal_density_diffrn": 2.165}]
)
def test_a_list_without_the_centring_of_its_space_group(tmp_path, items):
    """Rock salt: eight atoms, 2.820 Å apart, 2.165 g/cm³ (Wyckoff, Crystal Structures 1, 1963); Z or density decide."""
    simple = {"operations": operations_of_ase(221), "space_group_name_H__M_alt": "F m -3 m"}
    atoms = read(tmp_path, cif([5.6402] * 3 + [90] * 3, ROCK_SALT, **simple, **items))
    assert atoms.symbols.formula.count() == {"Na": 4, "Cl": 4}
    assert nearest(atoms) == pytest.approx(2.820, abs=1e-3)
    assert density(atoms) == pytest.approx(2.165, abs=5e-3)
    with pytest.raises(ConfigError, match="has 48 operations by its list, but 192 by F m -3 m; correct one, or add"):
        read(tmp_path, cif([5.6402] * 3 + [90] * 3, ROCK_SALT, **simple, chemical_formula_sum="Na Cl"))


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ({"space_group_IT_number": 186, "operations": 183}, "12 operations by its list, but 12 others by P 63 m c"),
        ({"space_group_name_Hall": "F 4 2 3", "operations": 207}, "24 .* its list, but 96 by its Hall symbol F 4 2 3"),
        (
            {"space_group_name_Hall": "P 4 2 3", "space_group_IT_number": 209},
            "24 .* Hall symbol P 4 2 3, but 96 by F 4 3 2",
        ),
        ({"space_group_IT_number": 14, "operations": 10}, "4 operations by its list, but 4 others by P 1 21/c 1"),
        ({"space_group_IT_number": 221, "operations": 225}, "192 operations by its list, but 48 by P m -3 m"),
    ],
)
def test_names_and_operations_that_contradict_each_other(tmp_path, items, message):
    """Whatever differs: the centring, screw axes or glide planes."""
    if "operations" in items:
        items = items | {"operations": operations_of_ase(items["operations"])}
    with pytest.raises(ConfigError, match=rf"it\.cif has {message}; correct one, or add _chemical_formula_sum and"):
        read(tmp_path, cif([6] * 3 + [90] * 3, ["Si1 .1 .2 .3"], **items))


@pytest.mark.parametrize("number", [2, 5, 14, 33, 62, 70, 88, 96, 109, 122, 146, 167, 186, 194, 206, 214, 227, 230])
def test_operations_of_other_tables_are_those_of_the_name(number):
    cell = [30] * 3 + [90, 90, 120 if 143 <= number < 195 else 90]
    operations = operations_of_ase(number)
    (atoms,) = read_cif(cif(cell, ["Si1 .11 .29 .37"], space_group_IT_number=number, operations=operations).encode())
    assert len(atoms) == len(operations)


def test_a_contradiction_that_the_density_does_not_decide(tmp_path):
    """Two atoms by both, in the middle of a mirror or on a glide."""
    text = cif(
        WURTZITE, ["Cd1 .3333 .6667 0"], space_group_IT_number=186, operations=operations_of_ase(183),
        exptl_crystal_density_diffrn=3.33,
    )  # fmt: skip
    with pytest.raises(
        ConfigError, match=r"12 others by P 63 m c, which makes it Cd2 by its list or Cd2 by P 63 m c; correct"
    ):
        read(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (cif(CDSE, ["Cd1 0 0 ?"], space_group_IT_number=216), r"the coordinate `\?` for site Cd1"),
        (cif(CDSE, ["Cd1 0 0 a1"], space_group_IT_number=216), "the coordinate `a1` for site Cd1"),
        (cif(CDSE, ["Q1 0 0 0"], space_group_IT_number=216), "the site Q1 .* an unknown element"),
        (cif(CDSE, ["Cd1 0 0 0"], space_group_IT_number=231), "space group number `231`; valid are 1 to 230"),
        (cif(CDSE, ["Cd1 0 0 0"], space_group_name_H__M_alt="W 3 q"), "the space group `W 3 q`, which is unknown"),
        (cif([0, *CDSE[1:]], ["Cd1 0 0 0"]), "has `0` for _cell_length_a"),
        (cif([*CDSE[:3], 90, 90, 1e300], ["Cd1 0 0 0"]), r"has `1e\+300` for _cell_angle_gamma"),
        (cif([*CDSE[:3], 10, 20, 120], ["Cd1 0 0 0"]), "angles of 10, 20, 120°, which make no cell"),
        ("data_x\n_cell_length_a 5\n", "holds no atoms with a cell"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path, text, message):
    with pytest.raises(ConfigError, match=message):
        read(tmp_path, text)


@pytest.mark.parametrize(
    ("type_symbol", "label", "formula", "expected"),
    [
        ("", "CD1", "Cd Se", "Cd"),
        ("", "SE1", "Cd Se", "Se"),
        ("", "CD1", "", "Cd"),
        ("", "CD1", "C6 H6", "C"),
        ("", "Ca", "C2 N O", "C"),
        ("", "OW1", "H2 O", "O"),
        ("", "HO1", "H2 O", "H"),
        ("C", "CD1", "Cd Se", "C"),
        ("CD", "X1", "", "Cd"),
        ("Cd2+", "M1", "", "Cd"),
        ("se2-", "M1", "", "Se"),
        ("D", "D1", "D2 O", "H"),
        ("Cval", "C1", "", "C"),
        ("Siva", "S1", "", "Si"),
        ("Co", "C1", "C O2", "Co"),
        ("", "Fe(2)", "", "Fe"),
    ],
)
def test_elements_in_any_case(type_symbol, label, formula, expected):
    assert chemical_symbols[element_of(type_symbol, label, formula_of(formula))] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Cd Se", {"Cd": 1, "Se": 1}),
        ("CD SE", {"Cd": 1, "Se": 1}),
        ("C6 H12 O6", {"C": 6, "H": 12, "O": 6}),
        ("H1.5 D0.5 O", {"H": 2, "O": 1}),
        ("Al2O3", {"Al": 2, "O": 3}),
        ("(H2 O)n", {}),
        (None, {}),
    ],
)
def test_formulas(text, expected):
    assert formula_of(text) == expected


def test_labels_in_capitals_make_the_crystal(tmp_path):
    atoms = read(tmp_path, cif(CDSE, ["CD1 0 0 0", "SE1 .25 .25 .25"], space_group_IT_number=216))
    assert set(atoms.numbers.tolist()) == {atomic_numbers["Cd"], atomic_numbers["Se"]}


def test_cartesian_coordinates_and_tags_in_any_case(tmp_path):
    text = cif(
        CDSE, ["Cd1 0 0 0", "Se1 1.5125 1.5125 1.5125"], "label Cartn_x Cartn_y Cartn_z", space_group_IT_number=216
    )
    atoms = read(tmp_path, text.replace("_cell_length", "_CELL_Length"))
    assert len(atoms) == 8
    assert nearest(atoms) == pytest.approx(6.05 * np.sqrt(3) / 4)


MONOCLINIC, TRICLINIC = [5, 6, 7, 90, 110, 90], [5, 6, 7, 75, 110, 97]
PLACES = np.array([[0, 0, 0], [0.3, 0.4, 0.6], [0.7, 0.2, 0.1]])


def c_along_z(cell):
    """Vectors of a cell as rows: c along z, b in the plane of y and z, by a Cholesky decomposition of the metric."""
    metric = np.array(gemmi.UnitCell(*cell).metric_tensor().as_mat33().tolist())
    return np.linalg.cholesky(metric[::-1, ::-1])[::-1, ::-1]


def a_along_x(cell):
    return np.array(gemmi.UnitCell(*cell).orth.mat.tolist()).T


def cartesian(cell, vectors, origin=(0, 0, 0), **items):
    """Write a crystal of three sites in P 1 with Cartesian coordinates."""
    sites = [f"Ga{n} {x:.6f} {y:.6f} {z:.6f}" for n, (x, y, z) in enumerate(PLACES @ vectors + origin)]
    return cif(cell, sites, "label Cartn_x Cartn_y Cartn_z", space_group_name_H__M_alt="P 1", **items)


def tags(name, matrix, vector=None):
    items = {f"{name}_matrix_{row + 1}{column + 1}": matrix[row, column] for row in range(3) for column in range(3)}
    return items | ({} if vector is None else {f"{name}_vector_{row + 1}": vector[row] for row in range(3)})


@pytest.mark.parametrize("cell", [MONOCLINIC, TRICLINIC])
@pytest.mark.parametrize(
    ("vectors", "words"),
    [
        (c_along_z, "c along z, astar along x"),
        (c_along_z, "c parallel to z; b in the plane of y and z"),
        (c_along_z, "a* along x, c axis along z axis"),
        (c_along_z, "b in yz-plane, c || z"),
        (a_along_x, "a along x, b in the plane of x and y"),
        (a_along_x, "a is parallel to x and c-star is parallel to z."),
    ],
)
def test_cartesian_coordinates_with_axes_in_words(cell, vectors, words):
    text = cartesian(cell, vectors(cell), atom_sites_Cartn_transform_axes=words)
    (atoms,) = read_cif(text.encode())
    np.testing.assert_allclose(atoms.get_scaled_positions(), PLACES, atol=1e-6)


@pytest.mark.parametrize("cell", [CDSE, MONOCLINIC, TRICLINIC])
@pytest.mark.parametrize("origin", [None, (1.0, -2.0, 0.5)])
@pytest.mark.parametrize("kind", ["Cartn", "fract", "Cartn of the second generation"])
def test_cartesian_coordinates_with_a_matrix(cell, origin, kind):
    """By the CIF dictionary: Cartesian coordinates are the matrix times fractional ones, plus the vector."""
    vectors = c_along_z(cell)[:, [2, 0, 1]]  # none of the usual orientations
    matrix, start = vectors.T, np.array(origin or (0, 0, 0))
    if kind == "fract":
        inverse = np.linalg.inv(matrix)
        items = tags("atom_sites_fract_tran", inverse, -inverse @ start if origin else None)
    else:
        items = tags("atom_sites_Cartn_tran", matrix, origin)
    text = cartesian(cell, vectors, start, **items)
    if "second" in kind:
        text = text.replace("Cartn_tran_matrix", "Cartn_transform.mat").replace(
            "Cartn_tran_vector", "Cartn_transform.vec"
        )
    (atoms,) = read_cif(text.encode())
    apart = atoms.get_scaled_positions() - PLACES
    np.testing.assert_allclose(apart, np.round(apart), atol=1e-6)


@pytest.mark.parametrize(
    ("items", "message"),
    [
        (
            {},
            "Cartesian coordinates in a cell with angles of 90, 110, 90°, and does not tell their axes; state _atom_sites_Cart",
        ),
        (
            {"atom_sites_Cartn_transform_axes": "as usual"},
            "`as usual` for .*transform_axes, which leaves the axes open; state",
        ),
        ({"atom_sites_Cartn_transform_axes": "a along x"}, "`a along x` for .*, which leaves the axes open"),
        (
            {"atom_sites_Cartn_transform_axes": "a parallel to x; b in the plane of y and z"},
            "`a parallel to x; b in the plane of y and z` for .*, which leaves the axes open",
        ),
        (
            {"atom_sites_Cartn_transform_axes": "a along x, c along z"},
            "no right-handed orthogonal axes in a cell with angles of",
        ),
        (
            tags("atom_sites_Cartn_tran", 5 * np.eye(3)),
            r"a cell of 125 Å³ with vectors of 5, 5, 5 Å, but .* has 197\.34 Å³",
        ),
        (tags("atom_sites_fract_tran", np.zeros((3, 3))), "an _atom_sites_fract_tran_matrix that is none of its cell"),
        (
            {"atom_sites_Cartn_tran_matrix_11": 5},
            "elements of a matrix, but no _atom_sites_Cartn_tran_matrix_12; give all nine",
        ),
        (
            {"atom_sites_Cartn_tran_matrix_11": "five"},
            "has `five` for _atom_sites_Cartn_tran_matrix_11, which is no number",
        ),
    ],
)
def test_cartesian_coordinates_of_unknown_axes_are_refused(tmp_path, items, message):
    with pytest.raises(ConfigError, match=rf"^material\.file: .*it\.cif .*{message}"):
        read(tmp_path, cartesian(MONOCLINIC, a_along_x(MONOCLINIC), **items))


def test_the_last_of_several_crystals_counts(tmp_path):
    first = cif(CDSE, ["Cd1 0 0 0 0.5"], "label fract_x fract_y fract_z occupancy", space_group_IT_number=216)
    last = cif(SILICON, ["Si1 0 0 0"], space_group_name_H__M_alt="F d -3 m :1").replace("data_x", "data_y")
    assert len(read(tmp_path, first + last)) == 8


def test_random_damage_is_refused_without_a_traceback(tmp_path):
    """Every refusal is the project's own, and what is read is a crystal."""
    rng = random.Random(16)
    sites = ["Cd1 0.333 0.667 0", "Se2 0.333 0.667 0.376"]
    text = cif(
        WURTZITE, sites, chemical_formula_sum="Cd Se", cell_formula_units_Z=2, space_group_name_H__M_alt="P 63 m c"
    )
    messages = []
    for _ in range(300):
        place = rng.randrange(len(text))
        how = rng.choice([text[:place], text[:place] + rng.choice("0123456789.-'_? \0é\n") + text[place + 1 :]])
        try:
            atoms = read(tmp_path, how)
        except ConfigError as error:
            messages.append(str(error))
        else:
            assert isinstance(atoms, Atoms)
            assert len(atoms) == 4
    assert len(messages) > 100
    assert max(map(len, messages)) < 1000


CASE_ATOMS = {"si_origin2_code.cif": {"Si": 8}, "wz333.cif": {"Cd": 2, "Se": 2}, "occdot.cif": {"Cd": 4, "Se": 4}}


@pytest.mark.parametrize("name", [*CASE_ATOMS, "nosym.cif"])
def test_the_cases_at_hand(name):
    if not (CASES / name).exists():
        pytest.skip(f"no {name} in shared/cases beside the checkout")
    material = Material(file=str(CASES / name))
    if name in CASE_ATOMS:
        assert unit_cell(material).symbols.formula.count() == CASE_ATOMS[name]
    else:
        with pytest.raises(ConfigError, match=re.escape("Z of 4")):
            unit_cell(material)
