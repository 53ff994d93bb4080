"""The artifact of the stage `transfer`."""

import json
from pathlib import Path

import numpy as np

from hrtem_ood.artifacts import store
from hrtem_ood.campaign.specs import TransferSpec
from hrtem_ood.physics.optics.condition import Condition
from hrtem_ood.stages.transfer import transfer
from hrtem_ood.transfer.epsilon_sigma import epsilon, sigma_matrix
from hrtem_ood.transfer.parameters import Transfer


def test_epsilon_and_sigma_can_be_computed_again_from_the_artifact(tmp_path: Path) -> None:
    conditions = (
        Condition(defocus_A=100, dose_e_per_A2=400, focal_spread_A=20, C12=60, phi12=0.3),
        Condition(defocus_A=-200, dose_e_per_A2=100, aperture_mrad=20),
        Condition(defocus_A=100, dose_e_per_A2=400, defocus_sd_A=20),
    )
    spec = TransferSpec(conditions=conditions, energy_eV=300e3, pixel_size_A=0.4, transfer=Transfer(radial_points=128))
    path = tmp_path / f"{spec.id}.zarr.zip"
    transfer(spec, path)
    found = store.read_zarr(path)
    assert found.transfer.dims == ("condition", "q", "phi")
    assert found.transfer.shape == (3, 128, 48)
    weight = found.quadrature_weight.values
    np.testing.assert_allclose(epsilon(found.transfer.values, weight), found.epsilon, rtol=1e-5)
    np.testing.assert_allclose(sigma_matrix(found.transfer.values, weight), found.sigma, atol=1e-5)
    np.testing.assert_allclose(found.transfer.mean("phi"), found.radial_transfer, atol=1e-6)
    assert (abs(found.radial_transfer) <= found.radial_envelope + 1e-6).all()
    assert list(found.label.values) == [condition.label for condition in conditions]
    np.testing.assert_array_equal(found.aperture_mrad, [np.inf, 20, np.inf])
    np.testing.assert_array_equal(found.C12, [60, 0, 0])
    assert found.q.attrs["units"] == "1/Å"
    assert json.loads(found.attrs["parameters"])["energy_eV"] == 300e3
    # r.m.s. over a distribution of the defocus: unsigned; beyond the aperture: zero
    assert (found.transfer[2] >= 0).all()
    assert (found.transfer[1, found.q > 20e-3 / found.attrs["wavelength_A"]] == 0).all()
