"""Which forecaster is used where none is named."""

from collections.abc import Iterable, Iterator
from functools import cache
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


def forecaster_of(results: Path, metrics_id: str) -> tuple[Path, Forecaster] | None:
    """Return the newest forecaster in a results folder that was fitted to the metrics of a campaign, or None.

    Parameters
    ----------
    results : Path
        The results folder. A file that cannot be read is passed over, with a line that says so.
    metrics_id : str

    Returns
    -------
    (Path, Forecaster), or None
    """
    return next((each for each in _stored(results) if each[1].origin.get("metrics") == metrics_id), None)


def _stored(results: Path) -> Iterator[tuple[Path, Forecaster]]:
    """Yield the forecasters of a results folder, the newest first, then those of the package."""
    stored = sorted((results / FOLDER).glob("*.json"), key=lambda path: -path.lstat().st_mtime_ns)
    yield from _readable((*stored, *sorted(SHIPPED.glob("*.json"))))


def _readable(paths: Iterable[Path]) -> Iterator[tuple[Path, Forecaster]]:
    for path in paths:
        try:
            yield path, read_forecaster(path)
        except ArtifactError as error:
            _tell_once(f"left out: {error}")


@cache
def _tell_once(text: str) -> None:
    log(text)


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
    for path, forecaster in _stored(results):
        if energy_eV is not None and (forecaster.objects is None or forecaster.objects.energy_eV != energy_eV):
            continue
        if forecaster.metric == metric and np.isclose(forecaster.pixel_size_A, pixel_size_A, rtol=1e-6, atol=0):
            return path, forecaster
    return None


def shipped_forecaster(*, pixel_size_A: float, metric: str) -> tuple[Path, Forecaster] | None:
    """Return the forecaster that comes with the package for images of a pixel [Å] and for a score, or None."""
    for path, forecaster in _readable(sorted(SHIPPED.glob("*.json"))):
        if forecaster.metric == metric and np.isclose(forecaster.pixel_size_A, pixel_size_A, rtol=1e-6, atol=0):
            return path, forecaster
    return None
