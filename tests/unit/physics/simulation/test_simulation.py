"""Exit waves: grids, slices, seeds and shards."""

from pathlib import Path

import abtem.core.fft
import numpy as np
import pytest
import scipy.fft
from ase import Atoms

from hrtem_ood.array_module import array_module
from hrtem_ood.artifacts import store
from hrtem_ood.campaign.specs import ExitWaveShardSpec
from hrtem_ood.errors import ArtifactError, ConfigError
from hrtem_ood.physics.simulation.abtem_engine import abtem_settings, column
from hrtem_ood.physics.simulation.exit_wave import displace, exit_wave, grid_size
from hrtem_ood.physics.simulation.input_checks import check_structures
from hrtem_ood.physics.simulation.parameters import Simulation
from hrtem_ood.physics.simulation.potential import slice_atoms, slice_indices
from hrtem_ood.physics.simulation.simulated_structure import SimulatedStructure
from hrtem_ood.stages.simulate import empty_dataset, phonon_seed, simulate, write_waves

CELL_A = 9.6
SIMULATION = Simulation(energy_eV=200e3, sampling_A=0.3, n_frozen_phonons=2)


def scene(index):
    """Some carbon, and above it a particle of ten gold atoms."""
    rng = np.random.default_rng(index)
    carbon, gold = rng.uniform([0, 0, 2], [CELL_A, CELL_A, 5], (20, 3)), rng.uniform([2, 2, 6], [7, 7, 10], (10, 3))
    atoms = Atoms("C20Au10", positions=np.concatenate([carbon, gold]), cell=(CELL_A, CELL_A, 12), pbc=(1, 1, 0))
    atoms.set_tags([0] * 20 + [1] * 10)
    atoms.info["structure"] = index
    return atoms


def simulated(folder, start, stop):
    """Simulate scenes start to stop and read the exit waves back."""
    spec = ExitWaveShardSpec(structure_series="scenes", simulation=SIMULATION, start=start, stop=stop)
    structures, output = folder / f"s-{start}-{stop}.extxyz", folder / f"{spec.id}.zarr.zip"
    store.write_structures(structures, [scene(index) for index in range(start, stop)], {"id": structures.stem})
    simulate(spec, structures, output, device="cpu")
    return store.read_zarr(output)


def test_grid_is_exact():
    assert grid_size(51.2, 0.2) == 256
    with pytest.raises(ConfigError, match=r"sampling_A: 0.21 Å does not divide the cell of 51.2 Å; 0.209836 Å would"):
        grid_size(51.2, 0.21)


def test_empty_slices_before_the_first_atom_become_one():
    atoms = Atoms("C2", positions=[[1, 1, 4.3], [1, 1, 6]], cell=(5, 5, 9.5))
    held = column(atoms, SIMULATION)
    assert held.thicknesses_A == pytest.approx((3.8,) + (0.95,) * 6)
    assert held.above_A == 0
    np.testing.assert_array_equal(held.atoms.positions, atoms.positions)


def test_a_finite_projection_has_slices_as_far_as_atoms_reach():
    """A potential of carbon ends 3.99 Å from the nucleus: five slices, one of them below the cell, and two above."""
    atoms = Atoms("C2", positions=[[1, 1, 4.3], [1, 1, 6]], cell=(5, 5, 9.5))
    held = column(atoms, SIMULATION.model_copy(update={"projection": "finite", "engine": "abtem"}))
    assert held.thicknesses_A == pytest.approx((0.95,) * 13)
    assert held.above_A == pytest.approx(2 * 0.95)
    np.testing.assert_allclose(held.atoms.positions[:, 2], [4.3 + 0.95, 6 + 0.95])


@pytest.mark.parametrize(
    ("depth", "expected"),
    [(0, 0), (-1e-7, 0), (-0.01, -1), (-1.2, -2), (9.4, 9), (9.5, 9), (9.5 + 1e-7, 9), (9.51, 10), (10.5, 11)],
)
def test_slices_continue_beyond_the_cell(depth, expected):
    """None is wrapped: atoms on a face are in the cell's own slice, others where they are."""
    atoms = Atoms("C2", positions=[[1, 1, depth], [1, 1, 6]], cell=(5, 5, 9.5))
    index, number, thickness = slice_indices(atoms, 1)
    assert index.tolist() == [expected, 6]
    assert (number, thickness) == (10, 0.95)
    depths = (np.array(sorted({expected, 6})) + 0.5) * 0.95
    np.testing.assert_allclose([each.distance_A for each in slice_atoms(atoms, 1, 16)], np.diff([*depths, 9.5]))


def test_displacements_have_their_standard_deviation_and_follow_the_seed():
    atoms = Atoms("C4000", positions=np.zeros((4000, 3)), cell=(5, 5, 5))
    moved = displace(atoms, 0.1, seed=3)
    np.testing.assert_allclose(moved.positions.std(axis=0), 0.1, rtol=0.05)
    np.testing.assert_array_equal(moved.positions, displace(atoms, 0.1, seed=3).positions)
    assert not np.allclose(moved.positions, displace(atoms, 0.1, seed=4).positions)
    np.testing.assert_array_equal(atoms.positions, 0)


def test_seeds_depend_on_scene_and_phonon_alone():
    spec = ExitWaveShardSpec(structure_series="scenes", simulation=SIMULATION, start=0, stop=4)
    seeds = {phonon_seed(spec, structure, phonon) for structure in range(4) for phonon in range(4)}
    assert len(seeds) == 16
    other_beam = spec.model_copy(update={"simulation": SIMULATION.model_copy(update={"energy_eV": 80e3}), "start": 2})
    assert phonon_seed(other_beam, 3, 1) == phonon_seed(spec, 3, 1)
    assert phonon_seed(spec.model_copy(update={"structure_series": "others"}), 3, 1) not in seeds


def test_shards_do_not_matter(tmp_path):
    whole = simulated(tmp_path, 0, 3)
    first, rest = simulated(tmp_path, 0, 1), simulated(tmp_path, 1, 3)
    for name in ("exit_wave", "particle_phase", "zero_defocus_A"):
        parts = np.concatenate([first[name].values, rest[name].values])
        np.testing.assert_array_equal(whole[name].values, parts)
    assert not np.array_equal(whole.exit_wave[0], whole.exit_wave[1])
    assert not np.array_equal(whole.exit_wave[0, 0], whole.exit_wave[0, 1])


def test_artifact_layout(tmp_path):
    waves = simulated(tmp_path, 5, 7)
    assert waves.exit_wave.dims == ("structure", "phonon", "y", "x")
    assert waves.exit_wave.shape == (2, 2, 22, 22)  # 32 points, two thirds
    assert waves.exit_wave.dtype == np.complex64
    assert waves.particle_phase.dtype == waves.zero_defocus_A.dtype == np.float32
    assert waves.structure.values.tolist() == [5, 6]
    assert waves.attrs["energy_eV"] == 200e3
    assert waves.attrs["sampling_A"] * 22 == pytest.approx(CELL_A)
    assert waves.x.values[1] == pytest.approx(CELL_A / 22)
    assert waves.x.attrs["units"] == waves.zero_defocus_A.attrs["units"] == "Å"


def test_fft_does_not_depend_on_timing():
    """FFTW's plans do, and abTEM's own choice is FFTW."""
    array = np.random.default_rng(0).normal(size=(1, 86, 60)).astype(np.complex64)
    with abtem_settings(array_module("cpu")):
        np.testing.assert_array_equal(abtem.core.fft.fft2(array), scipy.fft.fft2(array))
        np.testing.assert_array_equal(abtem.core.fft.ifft2(array), scipy.fft.ifft2(array))
    assert abtem.config.get("fft") == "fftw"


def test_particles_alone_keep_their_displacements(tmp_path):
    """The particle phase is that of the same displaced atoms without the carbon."""
    waves = simulated(tmp_path, 0, 1)
    spec = ExitWaveShardSpec(structure_series="scenes", simulation=SIMULATION, start=0, stop=1)
    moved = [displace(scene(0), 0.1, phonon_seed(spec, 0, phonon)) for phonon in range(2)]
    alone = [exit_wave(atoms[20:], SIMULATION, array_module("cpu")) for atoms in moved]
    np.testing.assert_allclose(waves.particle_phase[0], np.angle(np.mean(alone, axis=0)), atol=1e-6)


MISTAKES = {
    "atoms": (lambda atoms: atoms[:0], "structure 3 holds no atoms"),
    "particles": (lambda atoms: atoms[:20], "structure 3 holds no particle"),
    "NaN": (lambda atoms: moved(atoms, [np.nan, 0, 0]), "structure 3 has 1 atoms whose positions are no numbers"),
    "slanted": (
        lambda atoms: celled(atoms, [CELL_A, CELL_A, 12, 80, 90, 90]),
        "structure 3 has a cell that is not orthogonal",
    ),
    "oblong": (
        lambda atoms: celled(atoms, [CELL_A, 12, 12]),
        r"structure 3 has a cell of 9\.6 Å by 12 Å; it must be square",
    ),
    "other": (lambda atoms: celled(atoms, [12, 12, 12]), r"12 Å wide, but the first of the file one of 9\.6 Å"),
    "flat": (
        lambda atoms: celled(atoms, [CELL_A, CELL_A, 5]),
        r"beyond its cell of 0 to 5 Å: is the cell another scene's",
    ),
}


def moved(atoms, by):
    atoms.positions[0] += by
    return atoms


def celled(atoms, cell):
    atoms.set_cell(cell)
    return atoms


@pytest.mark.parametrize("mistake", MISTAKES)
def test_scenes_that_cannot_be_simulated_are_refused_by_file_and_structure(mistake):
    spoil, message = MISTAKES[mistake]
    spoilt = spoil(scene(3))
    spoilt.info["structure"] = 3
    with pytest.raises(ArtifactError, match=rf"^some\.extxyz: .*{message}"):
        check_structures([scene(2), spoilt], SIMULATION, Path("some.extxyz"))


@pytest.mark.parametrize("parametrization", ["lobato", "kirkland"])
def test_unknown_elements_are_named(parametrization):
    strange = scene(0)
    strange.numbers[0] = 118
    simulation = SIMULATION.model_copy(update={"parametrization": parametrization})
    with pytest.raises(
        ConfigError, match=rf"parametrization: `{parametrization}` lacks Og, which some\.extxyz has; valid are H, He"
    ):
        check_structures([strange], simulation, Path("some.extxyz"))
    check_structures([scene(0)], simulation, Path("some.extxyz"))


def test_a_finite_projection_needs_the_other_engine():
    with pytest.raises(ValueError, match="`projection: finite` needs `engine: abtem`"):
        Simulation(sampling_A=0.3, n_frozen_phonons=1, projection="finite")
    assert Simulation(sampling_A=0.3, n_frozen_phonons=1, projection="finite", engine="abtem").projection == "finite"


def test_the_engine_is_part_of_the_identity():
    specs = [
        ExitWaveShardSpec(
            structure_series="s",
            simulation=Simulation(sampling_A=0.3, n_frozen_phonons=1, engine=engine),
            start=0,
            stop=1,
        )
        for engine in ("builtin", "abtem")
    ]
    assert specs[0].id != specs[1].id


def test_a_shard_is_never_held_in_memory(tmp_path):
    """Compressed, its waves leave memory one structure after the other; a killed job leaves no file."""
    spec = ExitWaveShardSpec(structure_series="scenes", simulation=SIMULATION, start=0, stop=3)
    path = tmp_path / f"{spec.id}.zarr.zip"

    def simulated(writer):
        for place in range(3):
            wave = np.random.default_rng(place).random((2, 22, 22), np.float32) + np.complex64(1j)
            yield SimulatedStructure(wave, np.full((22, 22), place + 1, np.float32), place + 1)
            assert {f"exit_wave/c/{place}/0/0/0", f"particle_phase/c/{place}/0/0"} <= set(writer._archive.namelist())

    with store.writing_zarr(path) as writer:
        rest = write_waves(writer, empty_dataset(spec, CELL_A), simulated(writer))
        assert {"exit_wave", "particle_phase"}.isdisjoint(rest)
        writer.finalize(rest, {"id": spec.id})
    waves = store.read_zarr(path)
    assert waves.exit_wave.dtype == np.complex64
    expected = [np.random.default_rng(place).random((2, 22, 22), np.float32) for place in range(3)]
    np.testing.assert_array_equal(waves.exit_wave.values.real, expected)
    assert waves.particle_phase[:, 1, 1].values.tolist() == waves.zero_defocus_A.values.tolist() == [1, 2, 3]
    assert waves.structure.values.tolist() == [0, 1, 2]
    assert waves.zero_defocus_A.attrs["units"] == "Å"
    other = tmp_path / "other.zarr.zip"
    with pytest.raises(RuntimeError, match="killed"), store.writing_zarr(other):
        raise RuntimeError("killed")
    assert sorted(tmp_path.iterdir()) == [path]


def test_wrong_structures_are_refused(tmp_path):
    spec = ExitWaveShardSpec(structure_series="scenes", simulation=SIMULATION, start=0, stop=2)
    path = tmp_path / "s.extxyz"
    store.write_structures(path, [scene(1), scene(2)], {"id": "s"})
    with pytest.raises(ArtifactError, match=r"s\.extxyz does not hold structures 0 to 1"):
        simulate(spec, path, tmp_path / "out.zarr.zip", device="cpu")
