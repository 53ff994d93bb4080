"""Optics against abTEM, and against integrals and images computed from first principles."""

import abtem
import numpy as np
import pytest
from abtem.core.energy import energy2wavelength

from hrtem_ood.physics.optics.aberrations import aberration_function
from hrtem_ood.physics.optics.condition import Condition
from hrtem_ood.physics.optics.ctf import contrast_transfer, phase_contrast_transfer
from hrtem_ood.physics.optics.fourier import polar_frequencies
from hrtem_ood.physics.optics.wavelength import electron_wavelength_A

ABERRATIONS = {
    "C12": 30,
    "phi12": 0.3,
    "C21": 500,
    "phi21": 1,
    "C23": 400,
    "phi23": -0.4,
    "C30": -1e5,
    "C32": 2e4,
    "phi32": 0.7,
    "C34": 1e4,
    "phi34": -2,
    "C41": 1e5,
    "phi41": 1.1,
    "C43": 2e5,
    "phi43": 0.3,
    "C45": 1e5,
    "phi45": 3,
    "C50": 1e7,
    "C52": 1e6,
    "phi52": -1,
    "C54": 1e6,
    "phi54": 0.2,
    "C56": 2e6,
    "phi56": 0.9,
}


def one(name):
    angle = name.replace("C", "phi")
    return {name: ABERRATIONS[name]} | ({angle: ABERRATIONS[angle]} if angle in ABERRATIONS else {})


LENSES = {
    **{name: one(name) for name in ABERRATIONS if name.startswith("C")},
    "defocus": {},
    "focal spread": {"focal_spread_A": 40},
    "angular spread": {"angular_spread_mrad": 0.3, **ABERRATIONS},
    "aperture": {"aperture_mrad": 17.3},
    "all": {"focal_spread_A": 40, "angular_spread_mrad": 0.3, "aperture_mrad": 22.01, **ABERRATIONS},
}
NAMES = {"focal_spread_A": "focal_spread", "angular_spread_mrad": "angular_spread", "aperture_mrad": "semiangle_cutoff"}


@pytest.mark.parametrize("energy_eV", [60e3, 80e3, 200e3, 300e3])
def test_wavelength_equals_abtem(energy_eV):
    assert electron_wavelength_A(energy_eV) == pytest.approx(energy2wavelength(energy_eV), rel=1e-7)


@pytest.mark.parametrize("lens", LENSES.values(), ids=LENSES)
def test_transfer_equals_abtem(lens):
    with abtem.config.set({"precision": "float64"}):
        ctf = abtem.CTF(
            energy=300e3,
            soft=False,
            defocus=123,
            gpts=64,
            sampling=0.4,
            **{NAMES.get(k, k): v for k, v in lens.items()},
        )
        theirs = ctf._evaluate_kernel().T  # to (y, x)
    q, azimuth = polar_frequencies((64, 64), 0.4)
    ours = contrast_transfer(
        Condition(defocus_A=0, dose_e_per_A2=1, **lens),
        q,
        azimuth,
        wavelength_A=electron_wavelength_A(300e3),
        defocus_A=123.0,
    )
    assert np.abs(theirs).sum() > 100
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_temporal_envelope_is_an_average_over_focus():
    """The half-width 1/e convention: exp(−f²/Δ²) as focus distribution, integrated numerically."""
    spread_A, wavelength_A = 40.0, electron_wavelength_A(300e3)
    q = np.linspace(0, 1.2, 60)
    focus = np.linspace(-6 * spread_A, 6 * spread_A, 4001)
    weight = np.exp(-((focus / spread_A) ** 2))
    averaged = np.exp(1j * np.pi * wavelength_A * np.outer(q**2, focus)) @ (weight / weight.sum())
    condition = Condition(defocus_A=0, dose_e_per_A2=1, focal_spread_A=spread_A)
    ours = contrast_transfer(condition, q, 0.0, wavelength_A=wavelength_A, defocus_A=0.0)
    np.testing.assert_allclose(ours, averaged, atol=1e-10)


def test_spatial_envelope_is_an_average_over_tilts():
    """The half-width 1/e convention: tilts β ∝ exp(−β²/θ²), interference of q + β with the tilted beam β."""
    spread_mrad, wavelength_A, defocus_A = 0.5, electron_wavelength_A(300e3), 1000.0
    q = np.linspace(0, 0.8, 17)
    tilt = np.linspace(-5, 5, 201) * spread_mrad * 1e-3 / wavelength_A
    tilt_x, tilt_y = np.meshgrid(tilt, tilt)
    weight = np.exp(-((tilt_x**2 + tilt_y**2) * (wavelength_A / spread_mrad * 1e3) ** 2))
    weight /= weight.sum()
    # −χ of defocus, of the scattered less that of the direct beam
    phase = np.pi * wavelength_A * defocus_A * ((q[:, None, None] + tilt_x) ** 2 + tilt_y**2 - tilt_x**2 - tilt_y**2)
    averaged = (np.exp(1j * phase) * weight).sum(axis=(1, 2))
    condition = Condition(defocus_A=0, dose_e_per_A2=1, angular_spread_mrad=spread_mrad)
    ours = contrast_transfer(condition, q, 0.0, wavelength_A=wavelength_A, defocus_A=defocus_A)
    assert np.abs(ours[-1]) < 0.5  # it damps
    np.testing.assert_allclose(ours, averaged, atol=1e-6)


@pytest.mark.parametrize(
    "lens",
    [
        {},
        {"C30": 1e5, "focal_spread_A": 30},
        {"C12": 50, "phi12": 0.4, "angular_spread_mrad": 0.3},
        {"C21": 2000, "phi21": 0.7, "C23": 800, "phi23": 0.1, "C30": -3e6},
        {"C21": 3000, "phi21": 0.7, "angular_spread_mrad": 0.5},
    ],
    ids=["defocus", "spherical", "astigmatism", "coma", "coma and angular spread"],
)
@pytest.mark.parametrize("index", [(3, 0), (4, 5), (-2, 7), (0, 9)])
def test_phase_contrast_transfer_is_the_contrast_of_a_phase_grating(lens, index):
    """Image a weak phase grating φ = ε cos(2π q·r) and compare its fringes with 2 ε T."""
    size, pixel_size_A, wavelength_A, weak = 32, 0.4, electron_wavelength_A(300e3), 1e-4
    condition = Condition(defocus_A=0, dose_e_per_A2=1, **lens)
    y, x = np.meshgrid(np.arange(size), np.arange(size), indexing="ij")
    wave = np.exp(1j * weak * np.cos(2 * np.pi * (index[0] * y + index[1] * x) / size))
    q, azimuth = polar_frequencies((size, size), pixel_size_A)
    optics = {"wavelength_A": wavelength_A, "defocus_A": 150.0}
    image = np.abs(np.fft.ifft2(np.fft.fft2(wave) * contrast_transfer(condition, q, azimuth, **optics))) ** 2
    fringes = np.fft.fft2(image)[index] / size**2  # half the amplitude, with the phase of the shift
    transfer = phase_contrast_transfer(condition, q, azimuth, **optics)[index]
    assert abs(transfer) > 0.03
    assert abs(fringes) == pytest.approx(weak * abs(transfer), rel=1e-3)
    if "C21" in lens and "angular_spread_mrad" in lens:
        return  # an uneven envelope shifts fringes too
    odd = {name: value for name, value in condition.aberrations.items() if int(name[-1]) % 2}
    shift = aberration_function(q, azimuth, wavelength_A=wavelength_A, defocus_A=0, aberrations=odd)[index]
    assert fringes * np.exp(1j * shift) == pytest.approx(weak * transfer, rel=1e-3)
