"""The crystals that a configuration may name: density, composition, distances and space group."""

import numpy as np
import pytest
from ase.data import atomic_masses
from ase.neighborlist import neighbor_list
from pydantic import ValidationError
from scipy.spatial.transform import Rotation

from hrtem_ood.base_model import identity_parameters
from hrtem_ood.campaign.load import load_campaign
from hrtem_ood.errors import ConfigError
from hrtem_ood.physics.structures.crystal import lattice_direction, unit_cell
from hrtem_ood.physics.structures.materials import PRESETS
from hrtem_ood.physics.structures.parameters import Material, Particles, Substrate
from hrtem_ood.physics.structures.recipe import StructureRecipe
from hrtem_ood.physics.structures.scene import draw_scene
from hrtem_ood.physics.structures.stacking_faults import stacking_fault

# density [g/cm³]: CRC Handbook of Chemistry and Physics; CdSe: its powder diffraction card, 8-459
DENSITY = {
    "ZnS": 4.09, "CdSe": 5.67, "Cu": 8.96, "Ag": 10.5, "C": 3.513, "Si": 2.33, "Fe": 7.87, "Fe3O4": 5.17, "Co3O4": 6.11,
}  # fmt: skip
# elements, distance [Å], and neighbours of the first at that distance; from lattice geometry
BONDS = {
    "ZnS": [("Zn", "S", 2.344, 4)],
    "CdSe": [("Cd", "Se", 2.632, 4)],
    "Cu": [("Cu", "Cu", 3.6157 / 2**0.5, 12)],
    "Ag": [("Ag", "Ag", 4.0782 / 2**0.5, 12)],
    "C": [("C", "C", 3.5673 * 3**0.5 / 4, 4)],
    "Si": [("Si", "Si", 5.430 * 3**0.5 / 4, 4)],
    "Fe": [("Fe", "Fe", 2.866 * 3**0.5 / 2, 8)],
}
COUNTS = {"Fe3O4": {"Fe": 3, "O": 4}, "Co3O4": {"Co": 3, "O": 4}, "ZnS": {"Zn": 1, "S": 1}, "CdSe": {"Cd": 1, "Se": 1}}


def test_every_preset_is_offered() -> None:
    assert set(DENSITY) == set(PRESETS)
    for name in PRESETS:
        unit_cell(Material(preset=name))


@pytest.mark.parametrize("name", PRESETS)
def test_density_and_composition(name: str) -> None:
    crystal = unit_cell(Material(preset=name))
    grams = atomic_masses[crystal.numbers].sum() / crystal.cell.volume * 1.66054
    assert grams == pytest.approx(DENSITY[name], rel=0.02)
    count = crystal.symbols.formula.reduce()[0].count()
    assert count == COUNTS.get(name, {name: 1})


@pytest.mark.parametrize("name", BONDS)
def test_bonds(name: str) -> None:
    crystal = unit_cell(Material(preset=name))
    for one, other, length, number in BONDS[name]:
        first, second, distance = neighbor_list("ijd", crystal, 1.1 * length)
        symbols = np.array(crystal.get_chemical_symbols())
        assert np.bincount(first, minlength=len(crystal)).tolist() == [number] * len(crystal)
        assert {(one, other), (other, one)} == set(zip(symbols[first], symbols[second], strict=True))
        np.testing.assert_allclose(distance, length, atol=0.002)


@pytest.mark.parametrize(("name", "tetrahedral", "octahedral"), [("Fe3O4", 1.888, 2.058), ("Co3O4", 1.929, 1.917)])
def test_cations_of_a_spinel_sit_in_tetrahedra_and_octahedra(name: str, tetrahedral: float, octahedral: float) -> None:
    """√3 a (u − 1/8), and a √[(1/2 − u)² + 2 (1/4 − u)²]."""
    crystal = unit_cell(Material(preset=name))
    assert len(crystal) == 14
    first, second, distance = neighbor_list("ijd", crystal, 2.4)
    metal = crystal.numbers[first] > 8
    assert (crystal.numbers[second[metal]] == 8).all()
    around = {site: distance[metal & (first == site)] for site in np.flatnonzero(crystal.numbers > 8)}
    assert sorted(len(each) for each in around.values()) == [4, 4, 6, 6, 6, 6]
    for each in around.values():
        np.testing.assert_allclose(each, tetrahedral if len(each) == 4 else octahedral, atol=0.002)
    a, u = PRESETS[name]["a_A"], PRESETS[name]["u"]
    assert tetrahedral == pytest.approx(3**0.5 * a * (u - 1 / 8), abs=0.001)
    assert octahedral == pytest.approx(a * np.sqrt((0.5 - u) ** 2 + 2 * (0.25 - u) ** 2), abs=0.001)


def test_cations_of_two_kinds_take_the_sites_that_the_formula_says() -> None:
    crystal = unit_cell(Material(formula="MgAl2O4", structure="spinel", a_A=8.083, u=0.2624))
    first, _ = neighbor_list("ij", crystal, 2.2, self_interaction=False)
    near = np.bincount(first, minlength=14)
    assert set(near[crystal.symbols == "Mg"]) == {4}
    assert set(near[crystal.symbols == "Al"]) == {6}


def test_a_preset_and_its_fields_are_one_material(raw) -> None:
    written = load_campaign(raw)
    raw["materials"]["CdSe"] = {"preset": "CdSe"}
    assert list(load_campaign(raw).datasets) == list(written.datasets)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"preset": "CdTe"}, r"materials.CdSe.preset: must be 'ZnS', .*'Co3O4', not 'CdTe'"),
        ({"preset": "CdSe", "a_A": 4}, r"materials.CdSe: `preset` stands alone; leave out a_A"),
        ({}, r"materials.CdSe: give either `preset`, or `formula` .*, or `file`"),
        ({"formula": "Fe3O4", "structure": "spinel", "a_A": 8.4}, r"materials.CdSe: a `spinel` needs `u`"),
        (
            {"formula": "Cu", "structure": "fcc", "a_A": 3.6, "u": 0.25},
            r"materials.CdSe: a `spinel` needs `u`.*nothing else",
        ),
    ],
)
def test_mistakes_in_materials_are_named(raw, fields, message: str) -> None:
    raw["materials"]["CdSe"] = fields
    with pytest.raises(ConfigError, match=message):
        load_campaign(raw)


@pytest.mark.parametrize(("formula", "message"), [("Fe2O3", "is no spinel's"), ("Fe3(", "is not a chemical formula")])
def test_formulas_of_no_spinel_are_told(formula: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        unit_cell(Material(formula=formula, structure="spinel", a_A=8.4, u=0.26))


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("axis", [(1, 1, 0), (0, 0, 1)])
def test_a_zone_axis_lies_along_the_beam_and_azimuths_are_any(name: str, axis: tuple[int, int, int]) -> None:
    material = Material(preset=name)
    crystal = unit_cell(material)
    recipe = StructureRecipe(
        material=material, seed=1, cell_A=40, vacuum_A=5, substrate=None,
        particles=Particles(radius_A=5.0, zone_axis=axis),
    )  # fmt: skip
    azimuths, repeated = [], 0
    for index in range(8):
        scene = draw_scene(recipe, crystal, None, index)
        turned = Rotation.from_quat(scene.info["orientation"][0])
        np.testing.assert_allclose(turned.apply(lattice_direction(material, crystal, axis)), [0, 0, 1], atol=1e-9)
        azimuths.append(np.arctan2(*turned.apply([1.0, 0.3, 0.2])[1::-1]))
        # the atoms repeat along the beam by the lattice vector of the axis
        length = {"fcc": 0.5**0.5, "diamond": 0.5**0.5, "spinel": 0.5**0.5, "bcc": 2**0.5, "wurtzite": 1.0}
        period = length[material.structure or ""] * material.a_A
        if axis == (0, 0, 1):
            period = material.c_A or material.a_A
        atoms = scene.positions - scene.info["centre_A"][0]
        above = atoms + np.array([0, 0, period])
        apart = above[:, None] - atoms[None]
        inside = np.linalg.norm(above, axis=1) < 4.99
        repeated += int(inside.sum())
        assert np.linalg.norm(apart, axis=2).min(axis=1)[inside].max(initial=0) < 1e-6
    assert repeated > 0
    assert np.ptp(azimuths) > 1


def test_without_a_zone_axis_scenes_are_what_they_were() -> None:
    assert "zone_axis" not in identity_parameters(Particles(radius_A=5.0))
    assert "u" not in identity_parameters(Material(preset="Cu"))


def test_no_direction_is_refused() -> None:
    with pytest.raises(ValidationError, match="no direction"):
        Particles(radius_A=5.0, zone_axis=(0, 0, 0))


@pytest.mark.parametrize("name", ["Fe3O4", "Ag"])
def test_scenes_of_presets_hold_their_composition(name: str) -> None:
    material = Material(preset=name)
    crystal = unit_cell(material)
    recipe = StructureRecipe(
        material=material, seed=3, cell_A=64, vacuum_A=5, substrate=Substrate(thickness_A=20),
        particles=Particles(radius_A=20.0, stacking_faults=2 if name == "Ag" else 0),
    )  # fmt: skip
    fault = stacking_fault(crystal, material) if name == "Ag" else None
    scene = draw_scene(recipe, crystal, fault, 0)
    body = scene[scene.get_tags() == 1]
    volume = 4 / 3 * np.pi * 20**3
    assert len(body) == pytest.approx(volume * len(crystal) / crystal.cell.volume, rel=0.02)
    if name == "Fe3O4":
        assert (body.numbers == 26).mean() == pytest.approx(3 / 7, abs=0.01)
