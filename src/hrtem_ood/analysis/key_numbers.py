"""Key numbers of a campaign, and its training sets in comparison."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr


@dataclass(frozen=True)
class KeyNumbers:
    """Key numbers of a campaign.

    Attributes
    ----------
    networks, diverged, training_sets, conditions, datasets, images : int
        Counts: networks (and how many of them diverged), training sets, test conditions, test datasets and their images.
    in_domain_f1 : float
        Median F1 over in-domain cells away from minimum contrast.
    worst_in_domain_f1 : float
        The smallest of them.
    off_domain_cells : int
        Off-domain cells that have a gap.
    gap : float
        Median F1 gap over them.
    worst_gap : float
        The smallest (most negative) of them.
    """

    networks: int
    diverged: int
    training_sets: int
    conditions: int
    datasets: int
    images: int
    in_domain_f1: float
    worst_in_domain_f1: float
    off_domain_cells: int
    gap: float
    worst_gap: float


def key_numbers(cells: xr.Dataset) -> KeyNumbers:
    """Compute a campaign's key numbers.

    Parameters
    ----------
    cells : xarray.Dataset
        From :func:`hrtem_ood.analysis.matrix.aggregate_by_training_set`.

    Returns
    -------
    KeyNumbers
    """
    in_domain = cells.in_domain.values
    inside = cells.f1.values[in_domain & ~cells.minimum_contrast.values]
    outside = cells.gap.values[~in_domain]
    inside, outside = inside[np.isfinite(inside)], outside[np.isfinite(outside)]
    return KeyNumbers(
        networks=int(cells.networks.sum() + cells.diverged.sum()),
        diverged=int(cells.diverged.sum()),
        training_sets=cells.sizes["training_set"],
        conditions=np.unique(cells.condition_label.values).size,
        datasets=cells.sizes["condition"],
        images=int(cells.images.sum()),
        in_domain_f1=_median(inside),
        worst_in_domain_f1=float(inside.min()) if inside.size else np.nan,
        off_domain_cells=outside.size,
        gap=_median(outside),
        worst_gap=float(outside.min()) if outside.size else np.nan,
    )


def _median(values: np.ndarray) -> float:
    return float(np.median(values)) if values.size else float("nan")


def by_training_set(cells: xr.Dataset) -> pd.DataFrame:
    """Compare, for every training set and structure set, performance in-domain and off-domain.

    Parameters
    ----------
    cells : xarray.Dataset
        From :func:`hrtem_ood.analysis.matrix.aggregate_by_training_set`.

    Returns
    -------
    pandas.DataFrame
        One row per training set and structure set: ``training_set`` (short label), ``structure_set``, ``networks``,
        ``in_domain_f1`` (mean over in-domain cells), ``best_ood_f1``, ``best_ood`` (its condition), ``median_ood_f1``,
        ``worst_ood_f1``, ``worst_ood``. NaN and empty where there is no such cell.
    """
    frame = cells[["f1", "in_domain"]].to_dataframe().reset_index()
    frame = frame[frame.f1.notna()]
    keys = ["training_set", "structure_set"]
    off = frame[~frame.in_domain].groupby(keys)
    inside = frame[frame.in_domain].groupby(keys).f1.mean()
    best, worst = (frame.loc[off.f1.idxmax()].set_index(keys), frame.loc[off.f1.idxmin()].set_index(keys))
    index = pd.MultiIndex.from_product(
        [cells.training_set.values, dict.fromkeys(cells.structure_set.values)], names=keys
    )
    table = pd.DataFrame(
        {
            "in_domain_f1": inside,
            "best_ood_f1": best.f1,
            "best_ood": best.condition_short_label,
            "median_ood_f1": off.f1.median(),
            "worst_ood_f1": worst.f1,
            "worst_ood": worst.condition_short_label,
        },
        index=index,
    ).reset_index()
    short = dict(zip(cells.training_set.values, cells.short_label.values, strict=True))
    counts = dict(zip(cells.training_set.values, cells.networks.values, strict=True))
    table.insert(2, "networks", table.training_set.map(counts))
    table["training_set"] = table.training_set.map(short)
    return table.fillna({"best_ood": "", "worst_ood": ""})


def rows_as_dicts(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a table's rows as plain dicts."""
    return [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]
