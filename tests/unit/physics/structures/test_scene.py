"""Scenes and the build stage: placement, seats, carbon making way, shards, files, messages."""

import hashlib
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.io import write
from scipy.spatial import cKDTree

from hrtem_ood.artifacts import store
from hrtem_ood.campaign.specs import StructureShardSpec
from hrtem_ood.errors import ConfigError
from hrtem_ood.physics.structures.crystal import unit_cell
from hrtem_ood.physics.structures.parameters import Material, Particles, Substrate
from hrtem_ood.physics.structures.recipe import StructureRecipe
from hrtem_ood.physics.structures.scene import check_recipe, draw_scene, place_particles
from hrtem_ood.physics.structures.stacking_faults import stacking_fault
from hrtem_ood.stages.build import build

CDSE = Material(formula="CdSe", structure="wurtzite", a_A=4.2985, c_A=7.0152)
NINE = [np.array([i, j, 0]) for i, j in itertools.product((-1, 0, 1), repeat=2)]


def recipe(**changes: Any) -> StructureRecipe:
    fields: dict[str, Any] = {
        "material": CDSE,
        "seed": 1,
        "cell_A": 40.96,
        "particles": Particles(count=(1, 3), radius_A=(6.0, 9.0), separation_A=2.0, stacking_faults=(0, 2)),
        "substrate": Substrate(thickness_A=10.0),
        "vacuum_A": 4.3,
    }
    return StructureRecipe(**(fields | changes))


def scene(of: StructureRecipe, index: int) -> Atoms:
    crystal = unit_cell(of.material)
    fault = stacking_fault(crystal, of.material) if of.particles.stacking_faults[1] else None
    return draw_scene(of, crystal, fault, index)


def test_a_scene_is_laid_out_as_documented() -> None:
    counts = set()
    for index in range(12):
        one = scene(recipe(), index)
        counts.add(len(one.info["radius_A"]))
        x, y, height = one.cell.lengths()
        assert (x, y) == (40.96, 40.96)
        assert one.cell.orthorhombic
        assert one.info["structure"] == index
        assert one.positions[:, :2].min() >= 0
        assert one.positions[:, :2].max() < 40.96
        film = one.positions[one.get_tags() == 0]
        assert set(one.numbers[one.get_tags() == 0]) == {6}
        assert 4.3 <= film[:, 2].min() < 4.6
        assert 14.0 < film[:, 2].max() <= 14.3
        assert height - one.positions[:, 2].max() >= 4.3
        top = max(14.3 + 1.8 * radius for radius in one.info["radius_A"])
        assert height == pytest.approx(top + 4.3)
    assert counts == {1, 2, 3}


def test_particles_sit_where_info_says_and_on_the_film() -> None:
    for index in range(6):
        one = scene(recipe(), index)
        info = one.info
        assert set(one.get_tags()) == set(range(len(info["radius_A"]) + 1))
        for number, (radius, centre) in enumerate(zip(info["radius_A"], info["centre_A"], strict=True), start=1):
            assert 6 <= radius <= 9
            assert centre[2] == pytest.approx(14.3 + 0.8 * radius)
            body = one.positions[one.get_tags() == number] - centre
            body[:, :2] -= 40.96 * np.round(body[:, :2] / 40.96)
            assert radius - 1.5 < np.linalg.norm(body, axis=1).max() <= radius + 1e-7
            assert np.abs(body.mean(axis=0)).max() < 0.8
            assert len(body) == pytest.approx(4 / 3 * np.pi * radius**3 * 4 / unit_cell(CDSE).cell.volume, rel=0.12)


def test_particles_keep_apart_periodic_images_included() -> None:
    crowded = recipe(particles=Particles(count=4, radius_A=(6.0, 8.0), separation_A=2.0), substrate=None)
    nearest = []
    for index in range(20):
        info = scene(crowded, index).info
        centres, radii = np.array(info["centre_A"]), np.array(info["radius_A"])
        for i, j in itertools.product(range(4), repeat=2):
            for shift in NINE:
                if i != j or shift.any():
                    gap = np.linalg.norm(centres[i] - centres[j] + 40.96 * shift) - radii[i] - radii[j]
                    nearest.append(gap)
    assert min(nearest) >= 2.0 - 1e-7
    assert min(nearest) < 3.0


def test_carbon_makes_way_and_keeps_its_own_distance() -> None:
    whole = []
    for index in range(16):
        one = scene(recipe(), index)
        tags = one.get_tags()
        film, bodies = one.positions[tags == 0], one.positions[tags > 0]
        assert len(film) < round(0.1103 * 40.96**2 * 10)
        copies = np.concatenate([bodies + 40.96 * shift for shift in NINE])
        assert cKDTree(copies).query(film)[0].min() >= 2.0
        copies = np.concatenate([film + 40.96 * shift for shift in NINE])
        assert cKDTree(copies).query(film, k=2)[0][:, 1].min() >= 1.4
        for radius, centre in zip(one.info["radius_A"], one.info["centre_A"], strict=True):
            copies = np.array([centre + 40.96 * shift for shift in NINE])
            assert cKDTree(copies).query(film)[0].min() > radius
        # elsewhere the film is whole: no carbon is missing further from the particles than radius or clearance
        low = film[film[:, 2] < 4.3 + 10 - 0.2 * 9 - 2.01]
        whole.append(len(low))
    # a single scene's number has a standard deviation of 1.6 %
    assert np.mean(whole) == pytest.approx(0.1103 * 40.96**2 * (10 - 1.8 - 2.01), rel=0.02)


def test_without_a_film_particles_sit_on_one_plane_between_the_vacua() -> None:
    one = scene(recipe(substrate=None, particles=Particles(count=3, radius_A=(6.0, 9.0), separation_A=2.0)), 0)
    assert one.get_tags().min() == 1
    radii, centres = np.array(one.info["radius_A"]), np.array(one.info["centre_A"])
    feet = centres[:, 2] - 0.8 * radii
    np.testing.assert_allclose(feet, feet[0])
    assert (centres[:, 2] - radii).min() == pytest.approx(4.3)
    assert one.cell.lengths()[2] == pytest.approx((centres[:, 2] + radii).max() + 4.3)


def test_a_large_particle_on_a_thin_film_stays_in_the_box() -> None:
    one = scene(recipe(substrate=Substrate(thickness_A=1.0), particles=Particles(radius_A=15.0, separation_A=2.0)), 0)
    assert one.info["centre_A"][0][2] - 15 == pytest.approx(4.3)
    assert one.positions[:, 2].min() >= 4.3 - 1e-8
    assert one.positions[one.get_tags() == 0, 2].min() > 6.0


def test_a_scene_depends_on_series_and_index_only() -> None:
    first, again, next_one, other = (
        scene(recipe(), 3),
        scene(recipe(), 3),
        scene(recipe(), 4),
        scene(recipe(seed=2), 3),
    )
    assert first == again
    assert first.info == again.info
    assert first.info["orientation"] != next_one.info["orientation"]
    assert first.info["orientation"] != other.info["orientation"]


def built(of: StructureRecipe, start: int, stop: int, folder: Path) -> list[Atoms]:
    spec = StructureShardSpec(recipe=of, start=start, stop=stop)
    path = folder / f"{spec.id}.extxyz"
    build(spec, path)
    return store.read_structures(path)


def test_shards_hold_the_same_scenes_however_they_are_cut(tmp_path: Path) -> None:
    whole = built(recipe(), 0, 7, tmp_path)
    parts = [frame for start, stop in ((0, 3), (3, 4), (4, 7)) for frame in built(recipe(), start, stop, tmp_path)]
    assert [frame.info["structure"] for frame in whole] == list(range(7))
    for one, other in zip(whole, parts, strict=True):
        assert one == other
        np.testing.assert_array_equal(one.get_tags(), other.get_tags())
        np.testing.assert_array_equal(one.info["centre_A"], other.info["centre_A"])


@pytest.mark.parametrize("count", [1, 3])
def test_a_file_holds_exactly_the_scene(tmp_path: Path, count: int) -> None:
    # three particles make 3 × 3 arrays, one particle lists of one
    of = recipe(particles=Particles(count=count, radius_A=(6.0, 8.0), separation_A=1.0, stacking_faults=(0, 1)))
    for index, back in enumerate(built(of, 0, 2, tmp_path)):
        one = scene(of, index)
        np.testing.assert_array_equal(back.positions, one.positions)
        np.testing.assert_array_equal(back.numbers, one.numbers)
        np.testing.assert_array_equal(back.get_tags(), one.get_tags())
        np.testing.assert_array_equal(back.cell.array, one.cell.array)
        np.testing.assert_array_equal(back.pbc, one.pbc)
        for key, value in one.info.items():
            assert np.shape(back.info[key]) == np.shape(value)
            np.testing.assert_array_equal(back.info[key], value)


def test_the_artifact_tells_how_it_was_made(tmp_path: Path) -> None:
    first, second = built(recipe(), 0, 2, tmp_path)
    assert first.info["id"] == StructureShardSpec(recipe=recipe(), start=0, stop=2).id
    assert first.info["device"] == "cpu"
    assert "id" not in second.info


def test_a_crystal_file_is_built_from(tmp_path: Path) -> None:
    path = tmp_path / "gold.cif"
    write(path, bulk("Au", cubic=True))
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    material = Material(file=str(path), sha256=sha256, fault_normal=(1, 1, 1), fault_vector=(1 / 6, 1 / 6, -1 / 3))
    (one,) = built(recipe(material=material, particles=Particles(radius_A=12.0, stacking_faults=2)), 0, 1, tmp_path)
    body = one.positions[one.get_tags() == 1] - one.info["centre_A"][0]
    body[:, :2] -= 40.96 * np.round(body[:, :2] / 40.96)
    assert set(one.numbers[one.get_tags() == 1]) == {79}
    inner = body[np.linalg.norm(body, axis=1) < 8.5]
    np.testing.assert_allclose(cKDTree(body).query(inner, k=13)[0][:, 1:], 4.08 / 2**0.5, rtol=1e-6)


@pytest.mark.parametrize(
    ("particles", "message"),
    [
        (
            Particles(radius_A=(5.0, 20.0), separation_A=2.0),
            r"particles\.radius_A: a particle of 20 Å needs 42 Å .* separation_A = 2 .*cell_A = 40\.96; use radii up to 19\.48",
        ),
        (
            Particles(radius_A=(6.0, 9.0), stacking_faults=(0, 5)),
            r"particles\.stacking_faults: up to 5 faults .* radius_A = 6 is certain to hold only 2",
        ),
    ],
)
def test_a_recipe_that_cannot_be_met_is_refused_before_drawing(particles: Particles, message: str) -> None:
    fault = stacking_fault(unit_cell(CDSE), CDSE)
    with pytest.raises(ConfigError, match=message):
        check_recipe(recipe(particles=particles), fault)


def test_no_room_is_told_with_all_keys() -> None:
    with pytest.raises(
        ConfigError,
        match=r"particles\.count: no room .* 9 particles of scene 5 \(radius_A 8, 8.*separation_A = 2\) in cell_A = 40",
    ):
        place_particles(np.full(9, 8.0), cell_A=40.0, separation_A=2.0, rng=np.random.default_rng(0), scene=5)


def test_a_crowded_cell_is_filled_after_starting_anew() -> None:
    # near the density at which random placement jams, where single attempts often fail
    seats = place_particles(np.full(4, 8.0), cell_A=40.0, separation_A=1.0, rng=np.random.default_rng(2), scene=0)
    apart = seats[:, None] - seats
    apart[..., :2] -= 40 * np.round(apart[..., :2] / 40)
    assert (np.linalg.norm(apart, axis=2)[np.triu_indices(4, 1)] >= 17).all()


def test_faults_unknown_for_the_material_stop_the_stage(tmp_path: Path) -> None:
    rocksalt = Material(formula="NaCl", structure="rocksalt", a_A=5.64)
    spec = StructureShardSpec(recipe=recipe(material=rocksalt), start=0, stop=1)
    output = tmp_path / f"{spec.id}.extxyz"
    with pytest.raises(ConfigError, match=r"particles\.stacking_faults: no stacking fault is known for rocksalt"):
        build(spec, output)
    assert not output.exists()
    calm = recipe(material=rocksalt, particles=Particles(radius_A=8.0))
    assert set(built(calm, 0, 1, tmp_path)[0].numbers) == {6, 11, 17}


def test_positions_are_uniform_in_the_cell() -> None:
    rng = np.random.default_rng(4)
    seats = np.concatenate(
        [place_particles(np.array([8.0, 8.0]), cell_A=50.0, separation_A=1.0, rng=rng, scene=0) for _ in range(2000)]
    )
    quadrant = (seats[:, 0] > 25).astype(int) * 2 + (seats[:, 1] > 25)
    # 1000 each; two particles of one scene avoid one another, so the spread is below the binomial 27
    assert np.abs(np.bincount(quadrant, minlength=4) - 1000).max() < 110
