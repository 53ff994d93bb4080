"""Exit waves and images on a stand-in for CuPy: they use its names only, and move nothing to or from the device in loops."""

import numpy as np
import pytest
from ase import Atoms
from tests.unit.physics.cupy_stand_in import Array, counted, stand_in

from hrtem_ood.array_module import array_module
from hrtem_ood.campaign.specs import DatasetSpec
from hrtem_ood.physics.imaging.microscope import Microscope
from hrtem_ood.physics.imaging.parameters import Detector, Imaging, Labels
from hrtem_ood.physics.optics.condition import Condition
from hrtem_ood.physics.optics.fourier import cropped_spectra
from hrtem_ood.physics.optics.wavelength import electron_wavelength_A
from hrtem_ood.physics.simulation.exit_wave import displace, exit_wave
from hrtem_ood.physics.simulation.parameters import Simulation
from hrtem_ood.physics.simulation.potential import slice_atoms
from hrtem_ood.physics.simulation.simulated_structure import simulate_structure
from hrtem_ood.stages.image import ExitWave, ImageBuffer, form_image

CPU, GPU = array_module("cpu"), stand_in()
SIMULATION = Simulation(sampling_A=0.1, n_frozen_phonons=1)
WAVELENGTH_A, PIXEL_A, SIZE, POINTS = electron_wavelength_A(300e3), 0.2, 64, 86


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


def test_slices_cost_the_same_whatever_their_number():
    """Calls per slice: what a thicker scene adds."""
    atoms = displace(scene(9.6, 3), 0.1, 1)
    with counted() as calls:
        exit_wave(atoms, SIMULATION, GPU)
    slices = len(slice_atoms(atoms, SIMULATION.slice_thickness_A, 96))
    assert slices > 10
    assert calls["download"] == 1
    assert calls["fft"] / slices < 6
