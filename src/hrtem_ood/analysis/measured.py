"""Scores on labelled micrographs, and the gap from simulation to experiment, with bootstrap intervals."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from hrtem_ood.analysis.gather import MEASURED
from hrtem_ood.analysis.ranking.bootstrap import percentile_interval
from hrtem_ood.artifacts.identity import seed_sequence
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.results import Results

Floats = NDArray[np.float64]

BLOCK = 4_000_000
"""Largest number of resampled scores in memory at a time."""

SHARED = ("f1", "in_domain")
"""Variables of cells that labelled sets have, too."""


class MeasuredGap(NamedTuple):
    """The gap from simulation to experiment of a suite.

    Attributes
    ----------
    suite : str
    images : int
        With an F1.
    training_sets : int
        With an in-domain score in simulation.
    gap, low, high : float, [1]
        Median of the F1 gap over these training sets, and its interval; NaN where it is unknown.
    best : str
        Label of the training set with the best F1 on the micrographs.
    best_f1, best_low, best_high : float, [1]
    """

    suite: str
    images: int
    training_sets: int
    gap: float
    low: float
    high: float
    best: str
    best_f1: float
    best_low: float
    best_high: float


@dataclass(frozen=True)
class Measured:
    """Scores on labelled micrographs.

    Attributes
    ----------
    cells : xarray.Dataset
        ``f1`` (training_set, condition), median over networks of the mean over images, and ``in_domain``, which is never
        true; ``condition`` runs over labelled sets. ``f1_of_image`` (training_set, condition, image): median over networks.
    table : pandas.DataFrame
        One row per suite and training set: ``suite``, ``training_set``, ``training_label``, ``networks``, ``images``;
        ``f1``, as in ``cells``; ``median_f1``, median over images of the networks' median; ``in_domain_f1``, median over
        networks, in simulation; and ``gap``, the median over networks of the difference of the two means. ``f1``,
        ``median_f1`` and ``gap`` have intervals, ``…_low`` and ``…_high``.
    gaps : list of MeasuredGap
        By suite.
    """

    cells: xr.Dataset
    table: pd.DataFrame
    gaps: list[MeasuredGap]

    def beside(self, cells: xr.Dataset) -> xr.Dataset:
        """Return scores under simulated conditions and on micrographs, as columns of one dataset.

        Parameters
        ----------
        cells : xarray.Dataset
            From :func:`hrtem_ood.analysis.matrix.aggregate_by_training_set`.

        Returns
        -------
        xarray.Dataset
            ``f1`` and ``in_domain``, with the coordinates that figures of the matrix need.
        """
        names = [str(name) for name in self.cells.coords if "condition" in self.cells[name].dims]
        kept = {name for name, values in cells.coords.items() if "condition" not in values.dims} | set(names)
        simulated = cells[list(SHARED)]
        simulated = simulated.drop_vars([name for name in simulated.coords if name not in kept])
        joined: Any = {"data_vars": "minimal", "coords": "minimal", "compat": "override", "join": "exact"}
        return xr.concat([simulated, self.cells[list(SHARED)]], dim="condition", **joined)


class _Scores(NamedTuple):
    """Scores of the networks of a training set on a labelled set.

    Attributes
    ----------
    f1 : float64 array, (network, image), [1]
        Of images with particles.
    in_domain : float64 array, (network,), [1]
        Mean F1 in simulation.
    """

    f1: Floats
    in_domain: Floats


def measured_scores(campaign: Campaign, results: Path, cells: xr.Dataset) -> Measured:
    """Reduce the scores on labelled micrographs.

    Intervals are percentiles of a bootstrap of images and of networks, drawn independently; one image gives none.

    Parameters
    ----------
    campaign : Campaign
        With labelled sets.
    results : Path
        The results folder: metrics are read.
    cells : xarray.Dataset
        Under simulated conditions, whose training sets and labels are used.

    Returns
    -------
    Measured
    """
    with Results(results).open("metrics", campaign.metrics_id) as stored:
        columns = np.flatnonzero([str(id_) in campaign.labelled_sets for id_ in stored.condition.values])
        metrics = stored[["f1", "mean_f1", "gap_f1"]].isel(condition=columns).load()
    analysis = campaign.config.analysis
    sets = [str(id_) for id_ in cells.training_set.values]
    labels = [str(label) for label in metrics.label.values]
    number = int(metrics.images.max())
    f1 = np.full((len(sets), len(labels)), np.nan)
    of_image = np.full((len(sets), len(labels), number), np.nan)
    rows: list[dict[str, Any]] = []
    gaps = []
    for column, label in enumerate(labels):
        resampled: list[Floats] = []
        for place, id_ in enumerate(sets):
            scores, images = _scores(metrics.isel(condition=column), id_)
            f1[place, column] = _statistics(scores.f1[None], scores.in_domain[None])["f1"][0]
            if len(scores.f1):
                of_image[place, column, images] = np.median(scores.f1, axis=0)
            row, drawn = _row(scores, analysis.bootstrap_resamples, analysis.confidence_level)
            resampled.append(drawn)
            head = {"suite": label, "training_set": str(cells.name.values[place])}
            rows.append(head | {"training_label": str(cells.short_label.values[place])} | row)
        gaps.append(_gap_of_suite(pd.DataFrame(rows[-len(sets) :]), resampled, analysis.confidence_level))
    return Measured(_cells(cells, metrics, labels, f1, of_image), pd.DataFrame(rows), gaps)


def _scores(metrics: xr.Dataset, training_set: str) -> tuple[_Scores, NDArray[np.integer]]:
    """Return the scores of the networks of a training set that did not diverge, and which images have an F1."""
    networks = np.flatnonzero((metrics.training_id.values.astype(object) == training_set) & ~metrics.diverged.values)
    values = metrics.f1.values[networks, : int(metrics.images)].astype(float)
    images = np.flatnonzero(np.isfinite(values).all(axis=0))
    reference = (metrics.mean_f1.values - metrics.gap_f1.values)[networks].astype(float)
    return _Scores(values[:, images], reference), images


def _statistics(f1: Floats, in_domain: Floats) -> dict[str, Floats]:
    """Return f1, median_f1 and gap, (sample,), of scores (sample, network, image) and (sample, network)."""
    if not f1.shape[1] or not f1.shape[2]:
        return dict.fromkeys(("f1", "median_f1", "gap"), np.full(len(f1), np.nan))
    mean = f1.mean(axis=2)
    return {
        "f1": np.median(mean, axis=1),
        "median_f1": np.median(np.median(f1, axis=1), axis=1),
        "gap": np.median(mean - in_domain, axis=1),
    }


def _row(scores: _Scores, resamples: int, level: float) -> tuple[dict[str, Any], Floats]:
    """Return the numbers of a row of the table, and the resampled gaps."""
    networks, images = scores.f1.shape
    found = {name: float(values[0]) for name, values in _statistics(scores.f1[None], scores.in_domain[None]).items()}
    drawn = _bootstrap(scores, resamples)
    row: dict[str, Any] = {"networks": networks, "images": images}
    for name, value in found.items():
        low, high = percentile_interval(drawn[name], level)
        row |= {name: value, f"{name}_low": low, f"{name}_high": high}
        if name == "median_f1":
            row["in_domain_f1"] = float(np.median(scores.in_domain)) if networks else np.nan
    return row, drawn["gap"]


def _bootstrap(scores: _Scores, resamples: int) -> dict[str, Floats]:
    """Resample images and networks; the images drawn are the same for all training sets of a suite."""
    networks, images = scores.f1.shape
    if images < 2 or not networks:  # one image tells nothing of others
        return dict.fromkeys(("f1", "median_f1", "gap"), np.full(resamples, np.nan))
    columns = np.random.default_rng(seed_sequence("images of micrographs")).integers(images, size=(resamples, images))
    rows = np.random.default_rng(seed_sequence("networks")).integers(networks, size=(resamples, networks))
    step = max(1, BLOCK // scores.f1.size)
    parts = [
        _statistics(
            scores.f1[rows[start : start + step, :, None], columns[start : start + step, None, :]],
            scores.in_domain[rows[start : start + step]],
        )
        for start in range(0, resamples, step)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _gap_of_suite(rows: pd.DataFrame, resampled: list[Floats], level: float) -> MeasuredGap:
    known = np.flatnonzero(np.isfinite(rows.gap.to_numpy(float)))
    low, high = (np.nan, np.nan)
    if known.size:
        low, high = percentile_interval(np.median([resampled[place] for place in known], axis=0), level)
    gap = float(np.median(rows.gap.to_numpy(float)[known])) if known.size else np.nan
    scored = rows[np.isfinite(rows.f1.to_numpy(float))]
    best = scored.loc[scored.f1.idxmax()] if len(scored) else rows.iloc[0]
    numbers = (float(best.f1), float(best.f1_low), float(best.f1_high))
    return MeasuredGap(
        str(rows.suite.iloc[0]), int(rows.images.max()), known.size, gap, low, high, str(best.training_label), *numbers
    )


def _cells(cells: xr.Dataset, metrics: xr.Dataset, labels: list[str], f1: Floats, of_image: Floats) -> xr.Dataset:
    both = ("training_set", "condition")
    texts = {f"condition_{kind}label": ("condition", labels) for kind in ("", "short_", "tick_")}
    texts |= {name: ("condition", [MEASURED] * len(labels)) for name in ("structure_set", "column_group")}
    rows = {name: values for name, values in cells.coords.items() if values.dims == ("training_set",)}
    return xr.Dataset(
        {"f1": (both, f1), "in_domain": (both, np.zeros(f1.shape, bool)), "f1_of_image": ((*both, "image"), of_image)},
        coords=rows | {"condition": metrics.condition.values.astype(object)} | texts,
    )
