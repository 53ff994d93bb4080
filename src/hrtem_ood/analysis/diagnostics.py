"""Diagnostic tables: cost of architectures, diverged networks, overconfidence."""

import numpy as np
import pandas as pd
import xarray as xr

from hrtem_ood.analysis.correlation import spearman
from hrtem_ood.config.analysis import Analysis
from hrtem_ood.config.training import Hyperparameters
from hrtem_ood.learning.evaluation.metric_names import METRICS

UNCERTAINTY_SCORES = ("calibration_error", "entropy")
"""Scores that may follow a fall of F1; the entropy needs no labels."""


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
    """List the networks whose training diverged, with the hyperparameters that vary in the campaign.

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
    always = ("learning_rate", "seed")
    # pandas takes all NaN (not set) for one value
    varying = [
        name
        for name in Hyperparameters.model_fields
        if name not in always and name in metrics.coords and pd.Series(metrics[name].values).nunique(dropna=False) > 1
    ]
    names = ["network", "training_set", "training_label", *varying, *always, "epochs_trained"]
    return pd.DataFrame({name: metrics[name].values[metrics.diverged.values] for name in names})


def uncertainty_correlation(cells: xr.Dataset, analysis: Analysis) -> pd.DataFrame:
    """Correlate calibration error and entropy with F1.

    Parameters
    ----------
    cells : xarray.Dataset
        From :func:`hrtem_ood.analysis.matrix.aggregate_by_training_set`.
    analysis : Analysis

    Returns
    -------
    pandas.DataFrame
        One row per score: ``score``, ``in_domain`` and ``off_domain`` (medians over cells), ``rho`` (Spearman's, with F1
        over all cells), ``rho_low`` and ``rho_high`` (bootstrap of training sets and test conditions), ``n`` (cells).
    """
    f1, in_domain = cells.f1.values, cells.in_domain.values
    columns = np.unique(cells.condition_label.values, return_inverse=True)[1]
    rows = []
    for name in UNCERTAINTY_SCORES:
        values = cells[name].values
        correlation = spearman(f1, values, np.ones_like(in_domain), columns, analysis, f"bootstrap of {name} with f1")
        inside, outside = (pd.Series(values[part]).median() for part in (in_domain, ~in_domain))
        rows.append(
            (
                METRICS[name].long_name,
                inside,
                outside,
                correlation.rho,
                correlation.low,
                correlation.high,
                correlation.n,
            )
        )
    names = ["score", "in_domain", "off_domain", "rho", "rho_low", "rho_high", "n"]
    return pd.DataFrame(rows, columns=names)
