"""Label masks of real particles against their projected spheres."""

import numpy as np
import pytest
from ase.build import bulk

from hrtem_ood.campaign.config import Simulation
from hrtem_ood.device import array_module
from hrtem_ood.imaging.labels import label_mask
from hrtem_ood.simulation.stage import simulate_scene

CPU = array_module("cpu")
SIDE_A, RADIUS_A, PIXEL_A = 32.0, 11.0, 0.4
SIZE = 80


@pytest.fixture(scope="module")
def phase():
    """Phase of a CdSe sphere, off its zone axes, in the middle of the cell."""
    crystal = bulk("CdSe", "wurtzite", a=4.2985, c=7.0152).repeat((12, 12, 6))
    crystal.positions -= crystal.positions.mean(axis=0)
    crystal.rotate(23, "x", center=(0, 0, 0))
    crystal.rotate(37, "y", center=(0, 0, 0))
    sphere = crystal[np.linalg.norm(crystal.positions, axis=1) <= RADIUS_A]
    sphere.set_tags(1)
    sphere.set_cell([SIDE_A, SIDE_A, 32])
    sphere.positions += SIDE_A / 2
    return simulate_scene(sphere, Simulation(sampling_A=0.2, phonons=2), [1, 2], CPU).particle_phase


def masked(phase, threshold_rad):
    return label_mask(phase, size=SIZE, pixel_A=PIXEL_A, blur_A=1.5, phase_threshold_rad=threshold_rad, am=CPU).astype(
        bool
    )


def test_low_thresholds_mask_the_projected_sphere(phase):
    y, x = np.meshgrid(*[np.arange(SIZE) * PIXEL_A - SIDE_A / 2] * 2, indexing="ij")
    sphere = np.hypot(x, y) <= RADIUS_A
    found = masked(phase, np.pi / 96)
    assert (found & sphere).sum() / (found | sphere).sum() > 0.9


@pytest.mark.parametrize("threshold_rad", [np.pi / 64, np.pi / 48, np.pi / 32])
def test_a_mask_ends_at_the_thickness_of_its_threshold(phase, threshold_rad):
    """σ V₀ t = threshold; σ = 0.6526 mrad/(V Å) at 300 keV, V₀ = 47.878 V Å² · Σ f_e(0) / Ω of CdSe.

    f_e(0) of Cd and Se are 9.23 Å and 7.2 Å (Doyle & Turner, Acta Cryst. A 24 (1968) 390).
    """
    inner_V = 47.878 * (9.23 + 7.2) / (4.2985**2 * 7.0152 * np.sqrt(3) / 4)
    thickness_A = threshold_rad / (0.6526e-3 * inner_V)
    radius_A = np.sqrt(RADIUS_A**2 - (thickness_A / 2) ** 2)
    found_A = np.sqrt(masked(phase, threshold_rad).sum() * PIXEL_A**2 / np.pi)
    assert found_A == pytest.approx(radius_A, abs=0.8)
