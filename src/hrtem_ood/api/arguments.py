"""Checks of arguments, and artifacts that must exist."""

import os
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from hrtem_ood.artifacts.store import open_zarr_until_closed
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.results import Results
from hrtem_ood.errors import ArgumentError, ArtifactError
from hrtem_ood.physics.simulation.parameters import LEAST_ENERGY_EV, MOST_ENERGY_EV
from hrtem_ood.suggestions import valid_names

if TYPE_CHECKING:
    import xarray as xr

FolderPath = str | os.PathLike[str]
"""Path of a results folder."""


def check_name(argument: str, name: str, valid: Collection[str]) -> None:
    """Check that a name is one of the valid ones.

    Raises
    ------
    ArgumentError
    """
    if name not in valid:
        raise ArgumentError(f"{argument}: there is no {str(name)[:80]!r}; {valid_names(str(name), valid)}")


def check_positive(**numbers: float) -> None:
    """Check that arguments are finite numbers above zero.

    Raises
    ------
    ArgumentError
    """
    for name, value in numbers.items():
        if not 0 < value < float("inf"):
            raise ArgumentError(f"{name}: must be a number above 0, not {value!r}.")


def check_energy(energy_eV: float) -> None:
    """Check that an energy is one of the configuration's `simulation.energy_eV`: others are most likely in keV.

    Raises
    ------
    ArgumentError
    """
    if not LEAST_ENERGY_EV <= energy_eV <= MOST_ENERGY_EV:
        raise ArgumentError(
            f"energy_eV: must be from {LEAST_ENERGY_EV:g} to {MOST_ENERGY_EV:g} eV, not {energy_eV!r}; 300 keV are 300e3."
        )


def check_exists(campaign: Campaign, results: FolderPath, stage: str, id_: str) -> Path:
    """Return the path of an artifact of a campaign.

    Raises
    ------
    ArtifactError
        Where it does not exist.
    """
    path = Results(Path(results)).path(stage, id_)
    if not path.exists():
        raise ArtifactError(
            f"{path} is missing. Run campaign {campaign.name} with snakemake, or give its results folder as `results`."
        )
    return path


def open_artifact(campaign: Campaign, results: FolderPath, stage: str, id_: str) -> "xr.Dataset":
    """Open a ``.zarr.zip`` of a campaign, see :func:`hrtem_ood.artifacts.store.open_zarr_until_closed`.

    Raises
    ------
    ArtifactError
        Where it does not exist, or is damaged.
    """
    return open_zarr_until_closed(check_exists(campaign, results, stage, id_))
