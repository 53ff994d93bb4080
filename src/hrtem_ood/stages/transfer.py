"""Stage `transfer`: contrast transfer, ε and σ of all conditions of a campaign."""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from hrtem_ood.artifacts import store
from hrtem_ood.campaign.specs import TransferSpec
from hrtem_ood.physics.optics.condition import Condition
from hrtem_ood.physics.optics.wavelength import electron_wavelength_A
from hrtem_ood.progress import track
from hrtem_ood.transfer.ctf_sampling import envelope_of, transfer_of
from hrtem_ood.transfer.epsilon_sigma import epsilon, sigma_matrix
from hrtem_ood.transfer.polar_grid import polar_grid


def transfer(spec: TransferSpec, output: Path) -> None:
    """Compute T(q), ε and σ of all conditions on the CPU and write them as one artifact.

    Parameters
    ----------
    spec : TransferSpec
    output : Path
        ``transfer/<id>.zarr.zip``.
    """
    begin = time.monotonic()
    dataset = transfer_dataset(spec)
    store.write_zarr(output, dataset, store.provenance(spec, seconds=time.monotonic() - begin, device="cpu"))


def transfer_dataset(spec: TransferSpec) -> xr.Dataset:
    """Compute what :func:`transfer` writes.

    Parameters
    ----------
    spec : TransferSpec

    Returns
    -------
    xarray.Dataset
        ``transfer`` (condition, q, phi), ``radial_transfer`` and ``radial_envelope`` (condition, q), ``epsilon``
        (condition,), ``sigma`` (condition, condition_prime), all [1], and the coordinate ``quadrature_weight`` (q,), with
        which both measures can be computed again from ``transfer``. Conditions are in the order of ``spec.conditions``.
    """
    wavelength = electron_wavelength_A(spec.energy_eV)
    grid = polar_grid(spec.transfer, pixel_size_A=spec.pixel_size_A)
    # the measures are computed in double precision; the store holds single precision
    sampled = np.empty((len(spec.conditions), grid.q_per_A.size, grid.azimuth_rad.size))
    damping = np.empty(sampled.shape[:2])
    for index, condition in enumerate(track(spec.conditions, "contrast transfer", len(spec.conditions))):
        sampled[index] = transfer_of(condition, grid, wavelength_A=wavelength)
        damping[index] = envelope_of(condition, grid, wavelength_A=wavelength)
    variables = {
        "transfer": (
            ("condition", "q", "phi"),
            sampled.astype(np.float32),
            "phase-contrast transfer T; its r.m.s. over the defocus distribution where defocus_sd_A > 0",
        ),
        "radial_transfer": (
            ("condition", "q"),
            sampled.mean(axis=2, dtype=np.float64).astype(np.float32),
            "azimuthal mean of T",
        ),
        "radial_envelope": (
            ("condition", "q"),
            damping.astype(np.float32),
            "azimuthal mean of aperture and envelopes at the mean defocus",
        ),
        "epsilon": (("condition",), epsilon(sampled, grid.weight), "transferred part ε of the band"),
        "sigma": (("condition", "condition_prime"), sigma_matrix(sampled, grid.weight), "shared transfer σ of two"),
    }
    data = {name: (dims, values, {"long_name": text, "units": "1"}) for name, (dims, values, text) in variables.items()}
    coordinates = {
        "condition": np.arange(len(spec.conditions)),
        "condition_prime": np.arange(len(spec.conditions)),
        "q": ("q", grid.q_per_A, {"long_name": "spatial frequency |q|", "units": "1/Å"}),
        "phi": ("phi", grid.azimuth_rad, {"long_name": "azimuth of q", "units": "rad"}),
        "quadrature_weight": (
            "q",
            grid.weight,
            {"long_name": "quadrature weight times w(q), with sum 1", "units": "1"},
        ),
    }
    return xr.Dataset(
        data, coords=coordinates | condition_coordinates(spec.conditions), attrs={"wavelength_A": wavelength}
    )


def condition_coordinates(conditions: Sequence[Condition]) -> dict[str, tuple[str, np.ndarray]]:
    """Return labels and all parameters of conditions as coordinates along ``condition``; no aperture is an infinite one."""
    columns = {
        name: np.array([np.inf if value is None else value for value in (getattr(c, name) for c in conditions)], float)
        for name in Condition.model_fields
    }
    # objects: fixed-length unicode has no Zarr specification
    labels = np.array([condition.label for condition in conditions], dtype=object)
    return {name: ("condition", values) for name, values in ({"label": labels} | columns).items()}
