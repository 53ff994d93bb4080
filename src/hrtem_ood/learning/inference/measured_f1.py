"""What campaigns have measured of a network: F1 against σ of its test conditions."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from scipy import stats

from hrtem_ood.artifacts import store
from hrtem_ood.errors import ArtifactError
from hrtem_ood.physics.optics.condition import Condition
from hrtem_ood.physics.structures.parameters import Material
from hrtem_ood.progress import log
from hrtem_ood.transfer.parameters import Transfer

NEAREST = 5
"""So many measured conditions tell what F1 to expect."""

LEVEL = 0.05
"""σ counts as ordering F1 where Spearman's ρ is above zero with a one-sided p-value below this."""

NEAR_DEFOCUS_A, NEAR_DOSE = 100.0, 2.0
"""Measured conditions count as near a stated one within this defocus [Å] and this factor in dose: nobody knows the defocus of
an image from minimum contrast better than to some 50 Å."""

FEWEST_NEAR = 2
"""Of fewer conditions near a stated one that was not itself measured, nothing is known of how far F1 varies there."""

FEWEST = 4
"""With fewer measured conditions, no order can be told from chance."""


@dataclass(frozen=True)
class MeasuredPerformance:
    """A network's test conditions in one campaign.

    Attributes
    ----------
    campaign : str
        Its name.
    path : Path
        The campaign's metrics.
    transfer : Transfer
        How σ is integrated there.
    points : pandas.DataFrame
        One row per simulated test dataset with a score: ``label`` (of the condition), ``structure_set``, ``sigma``, ``f1``
        (mean over images), ``in_domain``, ``defocus_A``, ``dose_e_per_A2``.
    micrographs : dict of str to float
        Mean F1 on labelled micrographs, by suite.
    materials : dict of str to Material
        Those of the campaign's structure sets that no file defines, by name.
    """

    campaign: str
    path: Path
    transfer: Transfer
    points: pd.DataFrame
    micrographs: dict[str, float] = field(default_factory=dict)
    materials: dict[str, Material] = field(default_factory=dict)


@dataclass(frozen=True)
class ExpectedF1:
    """The F1 to expect at a σ.

    Attributes
    ----------
    points : pandas.DataFrame
        Where :attr:`near` says so, the measured conditions near the stated one, see :data:`NEAR_DEFOCUS_A`. Else those nearest
        in σ, the nearest first: :data:`NEAREST` of them, and those as near as the last.
    median, low, high : float, [1]
        Of their F1.
    rho : float
        Spearman's ρ of σ and F1 over all measured conditions of the network; NaN where either does not vary.
    orders : bool
        Whether that ρ says that F1 falls with σ, see :data:`LEVEL`.
    inside : bool
        Whether σ lies within the measured range.
    at_condition : float
        F1 measured under the very condition, median over structure sets; NaN where it was not measured.
    near : bool
        Whether the very condition was measured, or at least :data:`FEWEST_NEAR` conditions near it that differ from it in
        defocus and dose only.
    """

    points: pd.DataFrame
    median: float
    low: float
    high: float
    rho: float
    orders: bool
    inside: bool
    at_condition: float = np.nan
    near: bool = False

    @property
    def at_exactly_this(self) -> bool:
        """Whether the very condition was measured."""
        return not np.isnan(self.at_condition)


def find_measured(results: Path, network: str, sha256_of_weights: str) -> MeasuredPerformance | None:
    """Find what is measured of a network: in the campaign with most of its test conditions.

    Only cells count of which all evaluations in the results folder record the weights that the network has: it may
    have been trained again elsewhere, with the same id.

    Parameters
    ----------
    results : Path
        The results folder; all its ``metrics`` are looked into, the newest first. One that cannot be read is passed over,
        with a line that says so.
    network : str
        Id.
    sha256_of_weights : str
        See :func:`hrtem_ood.learning.checkpoint.weights_sha256`.

    Returns
    -------
    MeasuredPerformance, or None
    """
    found = []
    evaluated = _Evaluated(results / "evaluations", network, sha256_of_weights)
    for path in sorted((results / "metrics").glob("*.zarr.zip"), key=lambda path: -path.lstat().st_mtime_ns):
        try:
            measured = _read(path, network, evaluated)
        except ArtifactError as error:
            log(f"left out: {error}")
            continue
        if measured is not None and len(measured.points):
            found.append(measured)
    return max(found, key=lambda measured: len(measured.points), default=None)


class _Evaluated:
    """The test datasets of which all evaluations in a folder record the same weights of a network, read when needed."""

    def __init__(self, folder: Path, network: str, sha256_of_weights: str) -> None:
        self._folder, self.network, self._sha256 = folder, network, sha256_of_weights

    @cached_property
    def datasets(self) -> set[str]:
        """Ids of test datasets that were evaluated with the weights, and with no others."""
        recorded: dict[str, set[str]] = {}
        unreadable = []
        for path in sorted(self._folder.glob("*.zarr.zip")):
            try:
                attributes = store.zarr_attributes(path)
                networks, datasets = (json.loads(attributes[key]) for key in ("networks", "datasets"))
                if self.network in networks:
                    for id_ in datasets:
                        recorded.setdefault(id_, set()).add(str(networks[self.network]))
            except (ArtifactError, KeyError, TypeError, ValueError, RecursionError):
                unreadable.append(path)
        if unreadable:
            log(f"left out: {len(unreadable):,} evaluations that cannot be read, such as {unreadable[0]}")
        return {id_ for id_, digests in recorded.items() if digests == {self._sha256}}


def _read(path: Path, network: str, evaluated: _Evaluated) -> MeasuredPerformance | None:
    attributes = store.zarr_attributes(path)
    with store.open_zarr(path, expect_id=str(attributes.get("id"))) as metrics:
        row = np.flatnonzero(metrics.network.values.astype(object) == network)
        if not row.size:
            return None
        here = metrics[["mean_f1", "sigma", "in_domain"]].isel(network=int(row[0])).load()
    same = np.isin(here.condition.values.astype(object), list(evaluated.datasets))
    if not same.all():
        log(
            f"left out: {(~same).sum():,} of {same.size:,} test conditions in {path}: no evaluation records that their F1 "
            f"was measured with the weights that {network} has; it may have been trained again"
        )
    here = here.isel(condition=same)
    parameters = json.loads(attributes["parameters"])
    return MeasuredPerformance(
        str(parameters["campaign"]),
        path,
        Transfer(**parameters.get("transfer", {})),
        _points(here),
        _micrographs(here),
        _materials(parameters),
    )


def _materials(parameters: Mapping[str, Any]) -> dict[str, Material]:
    """Return the materials of a kept configuration; no file that it names is opened."""
    used = {entry.get("material") for entry in parameters.get("structure_sets", {}).values()}
    materials = {}
    for name, entry in parameters.get("materials", {}).items():
        if name in used and not entry.get("file"):
            try:
                materials[name] = Material.model_validate(
                    {key: value for key, value in entry.items() if value is not None}
                )
            except ValueError:  # of another version
                log(
                    f"left out: material {name!r:.80} of campaign {parameters['campaign']!r:.80}, which is not understood"
                )
    return materials


def _micrographs(metrics: xr.Dataset) -> dict[str, float]:
    """Return the mean F1 on labelled micrographs: of columns whose condition nobody knows."""
    measured = np.isnan(metrics.sigma.values) & np.isfinite(metrics.mean_f1.values)
    labels = metrics.label.values.astype(object)
    return {str(labels[place]): float(metrics.mean_f1.values[place]) for place in np.flatnonzero(measured)}


def _points(metrics: xr.Dataset) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "label": metrics.label.values.astype(object),
            "structure_set": metrics.structure_set.values.astype(object),
            "sigma": metrics.sigma.values.astype(float),
            "f1": metrics.mean_f1.values.astype(float),
            "in_domain": metrics.in_domain.values,
            "defocus_A": metrics.defocus_A.values.astype(float),
            "dose_e_per_A2": metrics.dose_e_per_A2.values.astype(float),
        }
    )
    return table.dropna(ignore_index=True)  # a network may be scored on a part of the campaign's datasets


def expected_f1(points: pd.DataFrame, sigma: float, condition: Condition | None = None) -> ExpectedF1:
    """Tell what F1 the measured conditions near a stated one had; without such, those nearest in σ.

    Parameters
    ----------
    points : pandas.DataFrame
        See :class:`MeasuredPerformance`; at least one.
    sigma : float, [1]
    condition : Condition, optional
        The stated one.

    Returns
    -------
    ExpectedF1
    """
    distance = (points.sigma - sigma).abs().round(6)  # the metrics keep σ in single precision
    order = distance.sort_values(kind="stable")
    last = order.iloc[min(NEAREST, len(order)) - 1]
    shown, at_condition, near = points.loc[order.index[order <= last]], np.nan, False
    if condition is not None:
        same = points.label == condition.label
        at_condition = float(points.f1[same].median()) if same.any() else np.nan
        ratio = (points.dose_e_per_A2 / condition.dose_e_per_A2).to_numpy(float)
        around = (points.defocus_A - condition.defocus_A).abs() <= NEAR_DEFOCUS_A
        around = same | (around & (np.maximum(ratio, 1 / ratio) <= NEAR_DOSE))
        near = bool(same.any() or points.label[around & _alike(points, condition)].nunique() >= FEWEST_NEAR)
        shown = points[around] if near else shown
    rho, p = _spearman(points)
    return ExpectedF1(
        points=shown,
        median=float(shown.f1.median()),
        low=float(shown.f1.min()),
        high=float(shown.f1.max()),
        rho=rho,
        orders=len(points) >= FEWEST and rho > 0 and p < LEVEL,
        inside=bool(points.sigma.min() - 1e-6 <= sigma <= points.sigma.max() + 1e-6),
        at_condition=at_condition,
        near=near,
    )


def _alike(points: pd.DataFrame, condition: Condition) -> pd.Series:
    """Return which measured conditions differ from a stated one in defocus and dose only."""
    labels = [
        condition.model_copy(update={"defocus_A": float(defocus_A), "dose_e_per_A2": float(dose_e_per_A2)}).label
        for defocus_A, dose_e_per_A2 in zip(points.defocus_A, points.dose_e_per_A2, strict=True)
    ]
    return points.label == pd.Series(labels, index=points.index)


def _spearman(points: pd.DataFrame) -> tuple[float, float]:
    """Spearman's ρ of σ and F1 and its one-sided p-value; NaN where either does not vary, or with one point."""
    if points.sigma.nunique() < 2 or points.f1.nunique() < 2:
        return np.nan, np.nan
    result = stats.spearmanr(points.sigma, points.f1, alternative="greater")
    return float(result.statistic), float(result.pvalue)
