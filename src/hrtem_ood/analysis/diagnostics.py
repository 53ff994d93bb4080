"""Networks that cost too much, diverged, or are sure of what is wrong: tables for whoever has to decide."""

import numpy as np
import pandas as pd
import xarray as xr

from hrtem_ood.analysis.correlation import spearman
from hrtem_ood.config.training import Hyperparameters
from hrtem_ood.learning.evaluation.metric_names import METRICS

SIGNS = ("calibration_error", "entropy")
"""Scores that may tell of trouble; the entropy needs no labels for that."""


def architectures(metrics: xr.Dataset) -> pd.DataFrame:
    """Describe every architecture: one row each.

    Parameters
    ----------
    metrics : xarray.Dataset
        From :func:`hrtem_ood.analysis.matrix.read_metrics`.

    Returns
    -------
    pandas.DataFrame
        ``architecture``, ``networks``, ``diverged`` (counts), ``parameter_count``, ``flops_per_image`` (forward).
    """
    names = ["architecture", "diverged", "parameter_count", "flops_per_image"]
    groups = pd.DataFrame({name: metrics[name].values for name in names}).groupby("architecture", sort=False)
    return pd.DataFrame(
        {
            "networks": groups.size(),
            "diverged": groups.diverged.sum(),
            "parameter_count": groups.parameter_count.first(),
            "flops_per_image": groups.flops_per_image.first(),
        }
    ).reset_index()


def diverged(metrics: xr.Dataset) -> pd.DataFrame:
    """List the networks whose training diverged, with what tells networks of the campaign apart.

    Parameters
    ----------
    metrics : xarray.Dataset
        From :func:`hrtem_ood.analysis.matrix.read_metrics`.

    Returns
    -------
    pandas.DataFrame
        ``network``, ``training_set`` (name), ``training_label``, ``learning_rate``, ``seed``, ``epochs_trained``, and every other
        hyperparameter of which the campaign has several values.
    """
    lost, always = metrics.diverged.values, ("learning_rate", "seed")
    # pandas takes all NaN (not set) for one value
    varying = [
        name
        for name in Hyperparameters.model_fields
        if name not in always and pd.Series(metrics[name].values).nunique(dropna=False) > 1
    ]
    names = ["network", "training_set", "training_label", *varying, *always, "epochs_trained"]
    return pd.DataFrame({name: metrics[name].values[lost] for name in names})


def uncertainty_correlation(cells: xr.Dataset) -> pd.DataFrame:
    """Tell whether calibration error and entropy follow a fall of F1.

    Parameters
    ----------
    cells : xarray.Dataset
        From :func:`hrtem_ood.analysis.matrix.aggregate_by_training_set`.

    Returns
    -------
    pandas.DataFrame
        One row per score: ``score``, ``in_domain`` and ``off_domain`` (medians over cells), ``spearman_rho`` with F1 over
        all cells, ``low_95`` and ``high_95`` (bootstrap of training sets and test conditions), ``n`` (cells).
    """
    f1, seen = cells.f1.values, cells.in_domain.values
    columns = np.unique(cells.condition_label.values, return_inverse=True)[1]
    rows = []
    for name in SIGNS:
        values = cells[name].values
        found = spearman(f1, values, np.ones_like(seen), columns, f"bootstrap of {name} with f1")
        inside, outside = (pd.Series(values[part]).median() for part in (seen, ~seen))
        rows.append((METRICS[name].long_name, inside, outside, found.rho, found.low, found.high, found.n))
    names = ["score", "in_domain", "off_domain", "spearman_rho", "low_95", "high_95", "n"]
    return pd.DataFrame(rows, columns=names)
