"""Explicit integration over the focus, against brute force and against what the envelope approximates."""

import numpy as np
import pytest
from scipy.integrate import simpson

from hrtem_ood.array_module import array_module
from hrtem_ood.errors import ConfigError
from hrtem_ood.physics.imaging.focal_integration import ERROR, focal_nodes
from hrtem_ood.physics.imaging.microscope import Microscope
from hrtem_ood.physics.imaging.parameters import Imaging
from hrtem_ood.physics.optics.condition import Condition
from hrtem_ood.physics.optics.fourier import polar_frequencies

CPU = array_module("cpu")
SIZE, PIXEL_A, WAVELENGTH_A = 64, 0.4, 0.0197
CONDITION = Condition(defocus_A=80, dose_e_per_A2=1, focal_spread_A=40, C30=1e5)


def spectra(strength):
    """Waves behind a random phase object."""
    q, _ = polar_frequencies((SIZE, SIZE), PIXEL_A)
    noise = np.fft.fft2(np.random.default_rng(0).normal(size=(2, SIZE, SIZE)))
    phase = np.fft.ifft2(noise * np.exp(-((q / 0.7) ** 2))).real
    return np.fft.fft2(np.exp(1j * strength * phase / phase.std())).astype(np.complex64)


def microscope(coherence):
    return Microscope(Imaging(pixel_size_A=PIXEL_A, temporal_coherence=coherence), SIZE, WAVELENGTH_A, 2.0, CPU)


def test_the_mean_over_the_focus_is_that_of_brute_force():
    waves = spectra(0.6)
    ours = microscope("focal_integration").intensity(waves, CONDITION, 80)
    sharp, still = microscope("envelope"), CONDITION.model_copy(update={"focal_spread_A": 0.0})
    focus = np.linspace(-4 * 40, 4 * 40, 401)
    weight = np.exp(-((focus / 40) ** 2))
    stack = np.array([sharp.intensity(waves, still, 80 + f) for f in focus]) * weight[:, None, None]
    brute = simpson(stack, x=focus, axis=0) / simpson(weight, x=focus)
    assert np.abs(ours - brute).max() < 1e-5 * brute.std()
    # electrons are not lost, which the envelope does
    assert ours.mean() == pytest.approx(1, abs=1e-5)
    damped = microscope("envelope").intensity(waves, CONDITION, 80)
    assert damped.mean() < 0.99
    assert 0.01 < np.abs(damped - brute).std() / brute.std() < 0.3


def test_for_weak_objects_it_is_the_envelope():
    waves = spectra(0.003)
    both = [microscope(name).intensity(waves, CONDITION, 80) for name in ("focal_integration", "envelope")]
    contrast = [each - each.mean() for each in both]
    assert np.abs(contrast[0] - contrast[1]).std() < 0.01 * contrast[1].std()


@pytest.mark.parametrize(("spread", "nodes"), [(5, 6), (30, 25), (80, 80)])
def test_every_pair_of_beams_is_as_coherent_as_it_should(spread, nodes):
    q_max = 1.7
    deviations, weights = focal_nodes(spread, WAVELENGTH_A, q_max)
    assert weights.sum() == pytest.approx(1)
    assert len(weights) <= nodes
    difference = np.linspace(0, q_max**2, 3333)
    found = np.cos(np.pi * WAVELENGTH_A * np.outer(difference, deviations)) @ weights
    exact = np.exp(-((np.pi * WAVELENGTH_A * spread * difference / 2) ** 2))
    assert np.abs(found - exact).max() < 1.01 * ERROR


def test_too_many_nodes_are_told():
    with pytest.raises(
        ConfigError, match=r"coherence: focal_integration over focal_spread_A = 3000 needs more than 150"
    ):
        focal_nodes(3000, WAVELENGTH_A, 2.5)
