"""Images, labels and counts formed on a GPU against those formed on a CPU; what networks are given of them."""

import numpy as np
import pytest
import torch
from tests.gpu.objects import random_waves

from hrtem_ood.array_module import array_module
from hrtem_ood.campaign.specs import DatasetSpec
from hrtem_ood.learning.batches import dihedral, standardise
from hrtem_ood.physics.imaging.label_mask import label_mask
from hrtem_ood.physics.imaging.microscope import Microscope
from hrtem_ood.physics.imaging.parameters import Detector, Imaging, Labels
from hrtem_ood.physics.optics.condition import ABERRATIONS, Condition
from hrtem_ood.physics.optics.fourier import cropped_spectra
from hrtem_ood.physics.optics.wavelength import electron_wavelength_A
from hrtem_ood.stages.image import ExitWave, ImageBuffer, form_image

pytestmark = pytest.mark.gpu

CPU = array_module("cpu")
WAVELENGTH_A, PIXEL_A, SIZE, POINTS, PHONONS = electron_wavelength_A(300e3), 0.2, 640, 864, 4
CELL_A = SIZE * PIXEL_A
BAND_PER_A = POINTS / CELL_A / 2

SIZES = {1: 60.0, 2: 800.0, 3: 1e5, 4: 3e6, 5: 1e8}
"""Of aberrations by order [Å]: each turns the phase at the edge of the image's band by radians."""

LENSES = {
    name: {name: SIZES[int(name[1])], **({f"phi{name[1:]}": 0.4} if name[2] != "0" else {})}
    for name in ABERRATIONS
    if name.startswith("C")
} | {
    "none": {},
    "focal spread": {"focal_spread_A": 30},
    "angular spread": {"angular_spread_mrad": 0.5, "C30": 1e5, "C21": 500},
    "aperture": {"aperture_mrad": 20},
    "all": {"C30": 1e5, "C12": 40, "phi12": 0.5, "C21": 300, "aperture_mrad": 25, "focal_spread_A": 30},
}
DETECTORS = {
    "MTF": Detector(mtf=(1.0, 0.8, 0.4)),
    "DQE": Detector(mtf=(1.0, 0.8, 0.4), dqe=(0.8, 0.5, 0.2)),
    "pixel": Detector(apply_pixel_mtf=True),
    "gain": Detector(gain=7.5),
}
JITTER = {"defocus_sd_A": 10.0, "dose_sd_e_per_A2": 20.0, "C12": 20.0, "C12_sd": 5.0, "phi12_sd": 0.3}
MEAN = 16.0
DOSE = MEAN / PIXEL_A**2


@pytest.fixture(scope="module")
def gpu():
    return array_module("gpu")


@pytest.fixture(scope="module")
def waves():
    return random_waves(POINTS, CELL_A / POINTS, PHONONS)


@pytest.fixture(scope="module")
def phase(waves):
    """Phase of two particles on a noisy ground."""
    place = np.arange(POINTS) * CELL_A / POINTS
    ground = 0.05 * np.angle(waves.mean(axis=0))
    for x, y, radius_A in ((40, 50, 22), (90, 80, 15)):
        distance = np.hypot(place[None, :] - x, place[:, None] - y)
        columns = np.cos(2 * np.pi * place / 2.1)[None, :] * np.cos(2 * np.pi * place / 2.9)[:, None]
        ground += (distance < radius_A) * (0.1 + 0.25 * columns)
    return ground.astype(np.float32)


def microscopes(gpu, **imaging):
    settings = Imaging(pixel_size_A=PIXEL_A, **imaging)
    return [Microscope(settings, SIZE, WAVELENGTH_A, BAND_PER_A, am) for am in (CPU, gpu)]


def intensities(gpu, waves, condition, **imaging):
    """Intensity of the same image on both devices."""
    return [
        each.am.to_numpy(each.intensity(cropped_spectra(waves, SIZE, each.am), condition, condition.defocus_A))
        for each in microscopes(gpu, **imaging)
    ]


@pytest.mark.parametrize("lens", LENSES)
def test_lens_and_intensity(gpu, waves, lens):
    condition = Condition(defocus_A=85, dose_e_per_A2=1, **LENSES[lens])
    one, other = (each.am.to_numpy(each.lens(condition).transfer(condition.defocus_A)) for each in microscopes(gpu))
    assert np.abs(one - other).max() <= 3e-6
    on_cpu, on_gpu = intensities(gpu, waves, condition)
    assert on_gpu.dtype == np.float32
    assert on_cpu.std() > 0.02
    assert np.abs(on_cpu - on_gpu).max() <= 5e-6


def test_intensity_integrated_over_focus(gpu, waves):
    condition = Condition(defocus_A=85, dose_e_per_A2=1, focal_spread_A=30, aperture_mrad=20)
    on_cpu, on_gpu = intensities(gpu, waves, condition, temporal_coherence="focal_integration")
    assert np.abs(on_cpu - on_gpu).max() <= 5e-6


@pytest.mark.parametrize("detector", DETECTORS)
def test_intensity_at_a_detector(gpu, waves, detector):
    condition = Condition(defocus_A=85, dose_e_per_A2=1, C30=1e5)
    on_cpu, on_gpu = intensities(gpu, waves, condition, detector=DETECTORS[detector])
    assert on_cpu.std() > 0.02
    assert np.abs(on_cpu - on_gpu).max() <= 5e-6


def test_labels(gpu, phase):
    settings = {"phase_threshold_rad": 0.2, "blur_A": 1.5, "mask_threshold": 0.06}
    masks = [
        am.to_numpy(label_mask(am.xp.asarray(phase), size=SIZE, pixel_size_A=PIXEL_A, am=am, **settings))
        for am in (CPU, gpu)
    ]
    assert 0.05 < masks[0].mean() < 0.5
    assert np.mean(masks[0] != masks[1]) <= 1e-4


@pytest.mark.parametrize("detector", [None, *DETECTORS])
@pytest.mark.parametrize("jitter", [{}, JITTER], ids=["fixed", "jitter"])
def test_counts_from_the_same_waves(gpu, waves, phase, detector, jitter):
    """Counts are drawn on the host, from intensities that differ by rounding: a few pixels have one electron more or less."""
    settings = DETECTORS.get(detector)
    imaging = Imaging(pixel_size_A=PIXEL_A, detector=settings)
    condition = Condition(defocus_A=60, dose_e_per_A2=DOSE, **jitter)
    spec = DatasetSpec(
        exit_wave_series="s", n_structures=3, condition=condition, imaging=imaging, labels=Labels(blur_A=1.5)
    )
    buffers = []
    for microscope in microscopes(gpu, detector=settings):
        buffers.append(ImageBuffer())
        for structure in range(3):
            form_image(spec, ExitWave(structure, 30.0, waves, phase), microscope, buffers[-1])
    (one, other) = (np.array(each.counts, np.int64) for each in buffers)
    assert buffers[0].varied == buffers[1].varied
    assert len(np.unique(one[0])) > 10
    # an electron that moves changes its pixel by the gain, and by the noise's correlation its neighbours
    gain = 1 if settings is None else max(1, settings.gain)
    spread = 1 if settings is None or settings.dqe is None else 25
    assert np.mean(one != other) <= 3 * MEAN * 1e-5 * spread
    assert np.abs(one - other).max() <= 4 * gain


def test_networks_get_the_same_images_and_turns():
    counts = torch.from_numpy(np.random.default_rng(0).poisson(16, (16, 256, 256)).astype(np.uint8))
    on_cpu, on_gpu = standardise(counts), standardise(counts.cuda()).cpu()
    torch.testing.assert_close(on_gpu, on_cpu, rtol=0, atol=1e-5)
    element = torch.arange(16) % 8
    turned = dihedral(counts.cuda(), element).cpu()
    torch.testing.assert_close(turned, dihedral(counts, element), rtol=0, atol=0)
