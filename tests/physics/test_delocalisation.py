"""The estimate of how far a lens spreads details, against images in cells so large that nothing wraps."""

import numpy as np
import pytest

from hrtem_ood.campaign.optics_warnings import delocalisation_A
from hrtem_ood.physics.optics.condition import Condition
from hrtem_ood.physics.optics.ctf import contrast_transfer

CELL_A, SAMPLING_A, WAVELENGTH_A = 51.2, 0.4, 0.0251
TIMES = 5
"""Side of the larger cell, in cells."""

SCHERZER = {"C30": 1.2e7, "defocus_A": 670}
CONDITIONS = {
    "Cs of 1.2 mm": SCHERZER,
    "Cs of 1.2 mm, damped": SCHERZER | {"focal_spread_A": 40},
    "far defocus": {"defocus_A": 1500},
    "corrected": {"C30": 1e5, "defocus_A": 60, "focal_spread_A": 20},
    "astigmatism": {"defocus_A": 100, "C12": 300},
    "aperture": SCHERZER | {"aperture_mrad": 12},
}


def transfer(size: int, condition: Condition, q_max_per_A: float) -> np.ndarray:
    q = np.fft.fftfreq(size, SAMPLING_A)
    radius, azimuth = np.hypot(q[:, None], q[None, :]), np.arctan2(q[:, None], q[None, :])
    values = contrast_transfer(condition, radius, azimuth, wavelength_A=WAVELENGTH_A, defocus_A=condition.defocus_A)
    return values * (radius <= q_max_per_A)


def particle(size: int) -> np.ndarray:
    """Wave behind a disc of atoms, 24 Å wide, in the middle of a cell."""
    rng, side_A = np.random.default_rng(0), size * SAMPLING_A
    atoms = rng.uniform(-12, 12, (300, 2))
    atoms = atoms[np.hypot(*atoms.T) < 12] + side_A / 2
    q = np.fft.fftfreq(size, SAMPLING_A)
    shape = np.exp(-2 * np.pi**2 * 0.3**2 * (q[:, None] ** 2 + q[None, :] ** 2))
    spectrum = np.einsum("ay,ax->yx", *(np.exp(-2j * np.pi * np.outer(place, q)) for place in atoms.T)) * shape
    return np.exp(1j * 0.1 * np.fft.ifft2(spectrum).real / SAMPLING_A**2)


def image_error(condition: Condition, q_max_per_A: float) -> float:
    """R.m.s. difference of the image in the cell from that in a larger one, in its standard deviations."""
    size, large = round(CELL_A / SAMPLING_A), round(TIMES * CELL_A / SAMPLING_A)
    images = [
        np.abs(np.fft.ifft2(np.fft.fft2(particle(each)) * transfer(each, condition, q_max_per_A))) ** 2
        for each in (size, large)
    ]
    begin = (large - size) // 2
    inside = images[1][begin : begin + size, begin : begin + size]
    return float(np.sqrt(np.mean((images[0] - inside) ** 2)) / inside.std())


@pytest.mark.parametrize("q_max_per_A", [0.6, 1.0])
@pytest.mark.parametrize("parameters", CONDITIONS.values(), ids=CONDITIONS)
def test_a_point_is_spread_as_far_as_estimated(parameters, q_max_per_A):
    condition = Condition(dose_e_per_A2=100, **parameters)
    estimate_A = delocalisation_A(condition, WAVELENGTH_A, q_max_per_A)
    size = 1024
    place = np.arange(size) * SAMPLING_A
    place = np.minimum(place, size * SAMPLING_A - place)
    distance_A = np.hypot(place[:, None], place[None, :])
    energy = np.abs(np.fft.ifft2(transfer(size, condition, q_max_per_A))) ** 2
    order = np.argsort(distance_A, axis=None)
    within = np.cumsum(energy.ravel()[order]) / energy.sum()
    # 95 % of the wave lies within the estimate and a point's own width, but not within a third of the estimate
    reach_A = float(distance_A.ravel()[order][np.searchsorted(within, 0.95)])
    width_A = 2 / q_max_per_A
    assert estimate_A / 3 - width_A < reach_A < estimate_A + 2 * width_A


@pytest.mark.slow
@pytest.mark.parametrize("q_max_per_A", [0.6, 1.0])
@pytest.mark.parametrize("parameters", CONDITIONS.values(), ids=CONDITIONS)
def test_images_are_wrong_where_details_leave_half_of_the_cell(parameters, q_max_per_A):
    condition = Condition(dose_e_per_A2=100, **parameters)
    estimate_A = delocalisation_A(condition, WAVELENGTH_A, q_max_per_A)
    error = image_error(condition, q_max_per_A)
    if estimate_A > CELL_A / 2:
        assert error > 0.1
    if estimate_A < CELL_A / 4:
        assert error < 0.1
