"""Exit waves and images on a stand-in for CuPy: they use its names only, and move nothing to or from the device in loops."""

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from ase import Atoms
from tests.unit.physics.cupy_stand_in import Array, counted, given_back_early, stand_in

from hrtem_ood.array_module import array_module
from hrtem_ood.artifacts import store
from hrtem_ood.campaign.specs import DatasetSpec, ExitWaveShardSpec
from hrtem_ood.errors import ArtifactError
from hrtem_ood.physics.imaging.microscope import Microscope
from hrtem_ood.physics.imaging.parameters import Detector, Imaging, Labels
from hrtem_ood.physics.optics.condition import Condition
from hrtem_ood.physics.optics.fourier import crop_spectrum, cropped_spectra
from hrtem_ood.physics.optics.wavelength import electron_wavelength_A
from hrtem_ood.physics.simulation import exit_wave as exit_wave_module
from hrtem_ood.physics.simulation import multislice_gpu
from hrtem_ood.physics.simulation.exit_wave import displace, exit_wave
from hrtem_ood.physics.simulation.parameters import Simulation
from hrtem_ood.physics.simulation.potential import slice_atoms
from hrtem_ood.physics.simulation.simulated_structure import simulate_structure
from hrtem_ood.physics.transfers import IN_TURN, ahead, uploaded
from hrtem_ood.stages import image as image_stage
from hrtem_ood.stages import simulate as simulation_stage
from hrtem_ood.stages.image import ExitWave, ImageBuffer, form_image

CPU, GPU = array_module("cpu"), stand_in()
SIMULATION = Simulation(sampling_A=0.1, n_frozen_phonons=1)
WAVELENGTH_A, PIXEL_A, SIZE, POINTS = electron_wavelength_A(300e3), 0.2, 64, 86


@pytest.fixture(autouse=True)
def _memory_stays_until_it_is_copied():
    given_back_early.clear()
    yield
    assert not given_back_early


def scene(side_A, species):
    """Two layers of a particle, tagged, on some carbon."""
    rng = np.random.default_rng(0)
    symbols = {1: "Au", 2: "Ag", 3: "CdSe"}[species]
    particle = Atoms(symbols * 12)
    particle.positions = rng.uniform([0, 0, 9], [0.8 * side_A, 0.8 * side_A, 14], (len(particle), 3))
    carbon = Atoms("C20", positions=rng.uniform([0, 0, 2], [side_A, side_A, 10], (20, 3)))
    whole = particle if species == 1 else carbon + particle
    whole.set_tags([0] * (len(whole) - len(particle)) + [1] * len(particle))
    whole.set_cell([side_A, side_A, 16])
    return whole


def test_the_stand_in_refuses_what_cupy_refuses():
    xp = GPU.xp
    ours, theirs = xp.ones((4, 4), dtype=np.float32), np.ones((4, 4), np.float32)
    for attempt in (
        lambda: np.asarray(ours),
        lambda: np.exp(ours),
        lambda: xp.exp(theirs),
        lambda: ours * theirs,
        lambda: theirs * ours,
        lambda: xp.stack([theirs, theirs]),
        lambda: GPU.fft.fft2(theirs),
        lambda: ours.__setitem__(slice(None), theirs),
    ):
        with pytest.raises(TypeError):
            attempt()
    for missing in (lambda: xp.matvec, lambda: xp.vecdot, lambda: ours.byteorder, lambda: GPU.fft.set_workers):
        with pytest.raises(AttributeError, match=r"CuPy|cupy"):
            missing()
    assert isinstance(ours.sum(), Array)  # and no number of NumPy's
    assert isinstance((np.float32(2) * ours), Array)
    np.testing.assert_array_equal((2 * ours + xp.asarray(theirs)).get(), 3)


def test_the_stand_in_counts():
    with counted() as calls:
        array = GPU.xp.asarray(np.ones((4, 4), np.complex64))
        back = GPU.fft.ifft2(GPU.fft.fft2(array) * 2)
        GPU.fft.ifft2(back, norm="forward").get()
    assert calls == {"upload": 1, "fft": 3, "elementwise": 2, "download": 1}


@pytest.mark.slow
@pytest.mark.parametrize(("side_A", "species"), [(6.4, 1), (7.5, 2), (9.6, 3)])
def test_exit_waves(side_A, species):
    """To rounding those of the compiled form, at even and odd sizes, and the same again."""
    atoms = displace(scene(side_A, species), 0.1, 1)
    expected, ours = exit_wave(atoms, SIMULATION, CPU), exit_wave(atoms, SIMULATION, GPU)
    assert ours.dtype == np.complex64
    assert np.std(expected) > 0.1
    np.testing.assert_allclose(ours, expected, atol=1e-5)
    np.testing.assert_array_equal(exit_wave(atoms, SIMULATION, GPU), ours)


def test_a_structure():
    simulation = SIMULATION.model_copy(update={"n_frozen_phonons": 2})
    expected, ours = (simulate_structure(scene(9.6, 3), simulation, [1, 2], am) for am in (CPU, GPU))
    np.testing.assert_allclose(ours.exit_wave, expected.exit_wave, atol=1e-5)
    np.testing.assert_allclose(ours.particle_phase, expected.particle_phase, atol=1e-4)
    assert ours.zero_defocus_A == pytest.approx(expected.zero_defocus_A, abs=0.1)


def test_particles_alone_share_potentials(monkeypatch):
    """Film and particles overlap, and one slice of the particles is empty: the same waves as one after the other."""
    atoms = scene(9.6, 3)
    particle = atoms.get_tags() > 0
    atoms.positions[particle & (atoms.positions[:, 2] > 11) & (atoms.positions[:, 2] < 12.5), 2] += 2
    expected = [exit_wave(each, SIMULATION, GPU) for each in (atoms, atoms[particle])]
    for memory in (multislice_gpu.BATCH_BYTES, 0):
        monkeypatch.setattr(multislice_gpu, "BATCH_BYTES", memory)
        exit_wave_module._on_gpu.cache_clear()
        with counted() as calls:
            ours = [wait() for wait in exit_wave_module.begin_exit_waves(atoms, SIMULATION, GPU)]
        np.testing.assert_allclose(ours, expected, atol=1e-6)
    exit_wave_module._on_gpu.cache_clear()
    on_cpu = [exit_wave(each, SIMULATION, CPU) for each in (atoms, atoms[particle])]
    np.testing.assert_allclose(ours, on_cpu, atol=1e-5)
    assert calls["download"] == 2


def waves():
    rng = np.random.default_rng(0)
    phase = np.fft.ifft2(np.fft.fft2(rng.normal(size=(3, POINTS, POINTS))) * np.exp(-np.arange(POINTS) / 20)).real
    return np.exp(0.3j * phase / phase.std()).astype(np.complex64)


IMAGES = {
    "plain": ({}, {}),
    "lens": ({"C30": 1e5, "C12": 40, "phi12": 0.5, "C21": 300, "aperture_mrad": 25, "focal_spread_A": 30}, {}),
    "angular spread": ({"angular_spread_mrad": 0.5, "C30": 1e5}, {}),
    "jitter": ({"defocus_sd_A": 10, "C12": 20, "C12_sd": 5}, {}),
    "focal integration": (
        {"focal_spread_A": 30, "aperture_mrad": 20},
        {"temporal_coherence": "focal_integration", "store_noise_free": True},
    ),
    "MTF": ({}, {"detector": Detector(mtf=(1, 0.5), apply_pixel_mtf=True)}),
    "DQE and gain": ({}, {"detector": Detector(mtf=(1, 0.5), dqe=(0.8, 0.3), gain=4)}),
}


@pytest.mark.parametrize("case", IMAGES)
def test_images(case):
    """Images, labels and noise: one upload per wave, one download per image and label."""
    lens, imaging = IMAGES[case]
    condition = Condition(defocus_A=60, dose_e_per_A2=400, **lens)
    spec = DatasetSpec(
        exit_wave_series="s",
        n_structures=1,
        condition=condition,
        imaging=Imaging(pixel_size_A=PIXEL_A, **imaging),
        labels=Labels(phase_threshold_rad=0.2, blur_A=0.5, mask_threshold=0.5),
    )
    phase = np.zeros((POINTS, POINTS), np.float32)
    phase[20:50, 30:70] = 0.5
    structure = ExitWave(0, 30.0, waves(), phase)
    counts, labels, intensities = [], [], []
    for am in (CPU, GPU):
        images, band = ImageBuffer(), POINTS / (SIZE * PIXEL_A) / 2
        microscope = Microscope(spec.imaging, SIZE, WAVELENGTH_A, band, am)
        form_image(spec, structure, microscope, images)
        with counted() as calls:
            form_image(spec, structure, microscope, images)
        counts.append(images.counts[0].astype(int))
        labels.append(images.labels[0])
        spectra = cropped_spectra(structure.waves, SIZE, am)
        intensities.append(am.to_numpy(microscope.intensity(spectra, condition, 60.0)))
    assert calls["download"] == 2
    np.testing.assert_allclose(*intensities, atol=3e-6)
    assert np.abs(counts[0] - counts[1]).max() <= 4
    assert np.mean(counts[0] != counts[1]) < 0.01
    assert len(np.unique(counts[0])) > 5
    np.testing.assert_array_equal(*labels)
    assert 0 < labels[0].mean() < 1


def test_calls_per_slice():
    """Two transforms and two kernels; all the rest is once per wave, or once per batch of slices."""
    simulation = SIMULATION.model_copy(update={"slice_thickness_A": 0.2})
    atoms = displace(scene(9.6, 3), 0.1, 1)
    exit_wave(atoms, simulation, GPU)  # fills caches
    numbers = []
    for thickness_A in (1.0, 0.2):
        simulation = SIMULATION.model_copy(update={"slice_thickness_A": thickness_A})
        exit_wave(atoms, simulation, GPU)
        with counted() as calls:
            exit_wave(atoms, simulation, GPU)
        slices = len(slice_atoms(atoms, thickness_A, 96))
        numbers.append((slices, calls["fft"], calls["elementwise"]))
        assert calls["download"] == 1
        # atoms, and propagators of more different distances than are kept
        assert calls["upload"] <= 4 + slices
    (few, fft, elementwise), (many, more_fft, more_elementwise) = numbers
    assert many > few + 15
    assert (more_fft - fft) / (many - few) < 2.2
    assert (more_elementwise - elementwise) / (many - few) < 8


def test_slices_of_many_batches(monkeypatch):
    """Where memory holds a few planes only, the wave is the same to rounding."""
    atoms = displace(scene(9.6, 3), 0.1, 1)
    expected = exit_wave(atoms, SIMULATION, GPU)
    monkeypatch.setattr(multislice_gpu, "BATCH_BYTES", 0)
    ours = multislice_gpu.GpuMultislice(96, 9.6, 300e3, "lobato", GPU)
    assert ours.batch == 1
    for _ in range(2):
        spectrum = ours(slice_atoms(atoms, 1.0, 96))
        band = len(expected)
        wave = np.fft.ifft2(crop_spectrum(spectrum.get(), (band, band)))
        np.testing.assert_allclose(wave, expected, atol=2e-6)


@pytest.fixture
def pretended(monkeypatch):
    for stage in (simulation_stage, image_stage):
        monkeypatch.setattr(stage, "array_module", lambda device: GPU if device == "gpu" else CPU)


@pytest.mark.slow
@pytest.mark.usefixtures("pretended")
@pytest.mark.parametrize("threads", ["1", "3", "no number"])
def test_stages(tmp_path, monkeypatch, threads):
    """From structures to a dataset, in any number of threads: the CPU's labels, and its counts but for a few electrons."""
    monkeypatch.setenv("OMP_NUM_THREADS", threads)
    simulation = SIMULATION.model_copy(update={"n_frozen_phonons": 4})
    waves = ExitWaveShardSpec(structure_series="scenes", simulation=simulation, start=0, stop=3)
    structures, images = tmp_path / "structures.extxyz", {}
    scenes = [scene(9.6, 3) for _ in range(3)]
    for index, atoms in enumerate(scenes):
        atoms.info["structure"] = index
    store.write_structures(structures, scenes, {"id": structures.stem})
    dataset = DatasetSpec(
        exit_wave_series=waves.series,
        n_structures=3,
        condition=Condition(defocus_A=40, defocus_sd_A=5, dose_e_per_A2=400),
        imaging=Imaging(pixel_size_A=0.2, store_noise_free=True),
        labels=Labels(),
    )
    for device in ("cpu", "gpu"):
        shard, output = tmp_path / device / f"{waves.id}.zarr.zip", tmp_path / device / f"{dataset.id}.zarr.zip"
        simulation_stage.simulate(waves, structures, shard, device=device)
        image_stage.image(dataset, [shard], output, device=device)
        images[device] = store.read_zarr(output)
        for path in (shard, output):
            assert ("CUDA of CuPy" in json.loads(store.zarr_attributes(path)["software"])) == (device == "gpu")
    mixed = tmp_path / "mixed" / f"{dataset.id}.zarr.zip"
    image_stage.image(dataset, [tmp_path / "gpu" / f"{waves.id}.zarr.zip"], mixed, device="cpu")
    assert store.made_on(store.zarr_attributes(mixed)).startswith(
        "cpu; of what was made on pretended; CUDA of CuPy 13.2"
    )
    one, other = images["cpu"], images["gpu"]
    np.testing.assert_allclose(other.expected_counts, one.expected_counts, rtol=1e-4)
    np.testing.assert_array_equal(other.label, one.label)
    np.testing.assert_allclose(other.defocus_A, one.defocus_A, atol=0.1)
    assert np.abs(one.counts.astype(int) - other.counts.astype(int)).max() <= 1
    assert np.mean(one.counts != other.counts) < 1e-3
    assert not np.array_equal(one.counts[0], one.counts[1])


def test_works_are_done_in_order_and_errors_reach_the_caller():
    with ThreadPoolExecutor(3) as workers:
        for each in (workers, IN_TURN):
            assert list(ahead(each, lambda number: number**2, range(5))) == [0, 1, 4, 9, 16]
            with pytest.raises(ZeroDivisionError):
                list(ahead(each, lambda number: 1 // number, range(2)))


def test_a_wave_that_cannot_be_read_ends_the_image():
    def read(place, out):
        if place == 4:
            raise ArtifactError("damaged")
        out[...] = place

    with ThreadPoolExecutor(3) as workers:
        for each in (workers, IN_TURN):
            planes = uploaded(read, 9, (2, 2), GPU, each)
            seen = [float(next(planes).real.sum()) for _ in range(4)]
            assert seen == [0, 4, 8, 12]
            with pytest.raises(ArtifactError, match="damaged"):
                next(planes)
