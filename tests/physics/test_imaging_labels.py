"""Label masks of real particles against their projected spheres."""

import numpy as np
import pytest
from ase.build import bulk

from hrtem_ood.array_module import array_module
from hrtem_ood.physics.imaging.label_mask import label_mask
from hrtem_ood.physics.imaging.parameters import Labels
from hrtem_ood.physics.simulation.parameters import Simulation
from hrtem_ood.physics.simulation.simulated_structure import simulate_structure

CPU = array_module("cpu")
SIDE_A, PIXEL_A = 38.4, 0.4
SIZE = 96


@pytest.mark.parametrize(
    "crystal",
    [("CdSe", "wurtzite", {"a": 4.2985, "c": 7.0152}), ("Au", "fcc", {"a": 4.0782})],
    ids=["CdSe", "Au"],
)
@pytest.mark.parametrize("radius_A", [8.0, 14.0])
@pytest.mark.parametrize("turn_deg", [(23, 37), (0, 0)], ids=["off axis", "on axis"])
def test_defaults_mask_the_projected_sphere_whatever_its_thickness(crystal, radius_A, turn_deg):
    formula, structure, lattice = crystal
    atoms = bulk(formula, structure, **lattice).repeat((16, 16, 16))
    atoms.positions -= atoms.positions.mean(axis=0)
    for angle, axis in zip(turn_deg, "xy", strict=True):
        atoms.rotate(angle, axis, center=(0, 0, 0))
    sphere = atoms[np.linalg.norm(atoms.positions, axis=1) <= radius_A]
    sphere.set_tags(1)
    sphere.set_cell([SIDE_A, SIDE_A, 32])
    sphere.positions += [SIDE_A / 2, SIDE_A / 2, 16]
    phase = simulate_structure(
        sphere, Simulation(sampling_A=0.2, slice_thickness_A=2, n_frozen_phonons=2), [1, 2], CPU
    ).particle_phase
    found = label_mask(phase, size=SIZE, pixel_size_A=PIXEL_A, am=CPU, **Labels().model_dump()).astype(bool)
    y, x = np.meshgrid(*[np.arange(SIZE) * PIXEL_A - SIDE_A / 2] * 2, indexing="ij")
    projected = np.hypot(x, y) <= radius_A
    overlap = (found & projected).sum() / (found | projected).sum()
    assert overlap > 0.8  # 0.83 to 0.96
