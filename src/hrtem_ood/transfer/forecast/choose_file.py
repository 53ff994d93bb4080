"""Which forecaster is used where none is named."""

from pathlib import Path

import numpy as np

from hrtem_ood.errors import ArtifactError
from hrtem_ood.progress import log
from hrtem_ood.transfer.forecast.forecaster import Forecaster
from hrtem_ood.transfer.forecast.forecaster_files import read_forecaster

FOLDER = "forecasters"
"""Below the results folder."""

SHIPPED = Path(__file__).with_name("shipped")
"""Forecasters that come with the package."""


def choose_forecaster(
    results: Path, *, pixel_size_A: float, metric: str = "f1", energy_eV: float | None = None
) -> tuple[Path, Forecaster] | None:
    """Return the newest forecaster of a results folder for images of a pixel, or else that of the package.

    Parameters
    ----------
    results : Path
        The results folder. A file that cannot be read is passed over, with a line that says so.
    pixel_size_A : float, [Å]
    metric : str
        The score.
    energy_eV : float, [eV]
        If given, of the beam: only forecasters that have the spectra of their objects at this energy.

    Returns
    -------
    (Path, Forecaster), or None
    """
    stored = sorted((results / FOLDER).glob("*.json"), key=lambda path: -path.lstat().st_mtime_ns)
    for path in (*stored, *sorted(SHIPPED.glob("*.json"))):
        try:
            forecaster = read_forecaster(path)
        except ArtifactError as error:
            log(f"left out: {error}")
            continue
        if energy_eV is not None and (forecaster.objects is None or forecaster.objects.energy_eV != energy_eV):
            continue
        if forecaster.metric == metric and np.isclose(forecaster.pixel_size_A, pixel_size_A, rtol=1e-6, atol=0):
            return path, forecaster
    return None
