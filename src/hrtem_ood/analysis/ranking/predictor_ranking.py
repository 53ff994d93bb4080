"""The ranking of predictors: every predictor on gap and regret, by kind of shift, and the forecast."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from hrtem_ood.analysis.ranking.forecast import Forecast, forecast
from hrtem_ood.analysis.ranking.outcomes import BETTER, oriented_bounds
from hrtem_ood.analysis.ranking.predictor_scores import CellSubset, score_predictors
from hrtem_ood.campaign.domain import BETWEEN, IMAGING_SHIFTS, IN_DOMAIN, STRUCTURE_SHIFTS
from hrtem_ood.config.analysis import FORECAST, Analysis

OUTCOMES = ("gap", "regret")

COLUMNS = [
    *("outcome", "cells", "family", "predictor", "rho", "rho_low", "rho_high", "rho_gain", "gain_low", "gain_high"),
    *("isotonic_r2", "left_out_r2", "left_out_low", "left_out_high", "left_out_rmse", "n"),
]
"""Columns of the table of :func:`rank_predictors`."""


def cell_subsets(outcomes: xr.Dataset) -> dict[str, NDArray[np.bool_]]:
    """Return the cells of each subset by its name; imaging shift and structure shift are kept apart.

    Parameters
    ----------
    outcomes : xarray.Dataset
        With ``shift``, ``group``, ``mixed`` and ``minimum_contrast``: outcomes, or cells of
        :func:`hrtem_ood.analysis.matrix.aggregate_by_training_set`. Those of each group of ``analysis.apart`` are subsets of
        their own, and in no other.

    Returns
    -------
    dict of str to bool array, (training_set, condition)
    """
    group = outcomes["group"].values
    kind = np.where(group == "", outcomes["shift"].values, "")
    imaging = np.isin(kind, IMAGING_SHIFTS)
    mixed, faint = outcomes.mixed.values[:, None], outcomes.minimum_contrast.values
    # single-condition sets that were trained at minimum contrast
    trained_faint = ~mixed & ((outcomes["shift"].values == IN_DOMAIN) & faint).any(axis=1, keepdims=True)
    use = {
        "imaging": imaging,
        "imaging, away from minimum contrast": imaging & ~faint & ~trained_faint,
        "imaging, single-condition training": imaging & ~mixed,
        "imaging, mixtures": imaging & mixed,
    }
    use |= {f"{name} only" if name != "several" else "several of these": kind == name for name in IMAGING_SHIFTS}
    use |= {name: kind == name for name in STRUCTURE_SHIFTS}
    apart = np.isin(outcomes["shift"].values, IMAGING_SHIFTS)
    for name in dict.fromkeys(group[(group != "") & (group != BETWEEN)].tolist()):
        inside = apart & (group == name)
        use |= {name: inside, f"{name}, away from minimum contrast": inside & ~faint & ~trained_faint}
    return use


def orient(predictors: xr.Dataset, outcomes: xr.Dataset, analysis: Analysis) -> dict[str, NDArray[np.float64]]:
    """Return the predictors of the ranking, with signs such that larger means nearer to training.

    Parameters
    ----------
    predictors : xarray.Dataset
        From :mod:`hrtem_ood.stages.predictors`.
    outcomes : xarray.Dataset
        Outcomes, which hold the label-free outputs of networks, too: see :func:`label_free_predictors`.
    analysis : Analysis

    Returns
    -------
    dict of str to float64 array, (training_set, condition)
    """
    result = {
        str(name): values.values * (1 if values.attrs["direction"] == "larger" else -1)
        for name, values in predictors.data_vars.items()
        if name not in (analysis.exclude_predictors or ())
    }
    return result | label_free_predictors(outcomes)


def label_free_predictors(outcomes: xr.Dataset) -> dict[str, NDArray[np.float64]]:
    """Return the predictors that need tests but no labels, with signs such that larger means nearer to training.

    ``entropy`` on the test, and ``entropy_change`` from its mean in-domain; ``confidence_change``, likewise, the
    difference of confidences of Guillory et al., ICCV 2021 (arXiv:2107.03315); ``mahalanobis`` and ``feature_cka``, see
    :mod:`hrtem_ood.analysis.feature_shift`. Lower confidence and larger distance are worse, by theory.

    Parameters
    ----------
    outcomes : xarray.Dataset
        Outcomes.

    Returns
    -------
    dict of str to float64 array, (training_set, condition)
    """
    inside = outcomes["shift"].values == IN_DOMAIN

    def change(values: NDArray[np.float64]) -> NDArray[np.float64]:
        mean = [np.mean(row[use]) if use.any() else np.nan for row, use in zip(values, inside, strict=True)]
        return np.asarray(values - np.array(mean)[:, None])

    return {
        "entropy": -outcomes.entropy.values,
        "entropy_change": -change(outcomes.entropy.values),
        "confidence_change": change(outcomes.confidence.values),
        "mahalanobis": -outcomes.mahalanobis.values,
        "feature_cka": outcomes.feature_cka.values,
    }


def rank_predictors(
    predictors: xr.Dataset,
    outcomes: xr.Dataset,
    analysis: Analysis,
    forecast_outcomes: Mapping[str, NDArray[np.float64]] | None = None,
) -> pd.DataFrame:
    """Score every predictor on every outcome over every subset of cells.

    Parameters
    ----------
    predictors, outcomes, analysis
        As in :func:`orient`.
    forecast_outcomes : mapping of str to float64 array, (training_set, condition), optional
        By outcome, what the forecaster says of it out of fold: it is ranked among the predictors.

    Returns
    -------
    pandas.DataFrame
        ``outcome``, ``cells``, ``family`` (``transfer``, ``naive``, ``images``, ``network``, ``user``, ``forecast``), and
        the columns of
        :func:`hrtem_ood.analysis.ranking.predictor_scores.score_predictors`.
    """
    values = orient(predictors, outcomes, analysis)
    family = {name: predictors[name].attrs["family"] if name in predictors else "network" for name in values}
    parts = []
    for outcome in OUTCOMES:
        ranked = dict(values)
        if forecast_outcomes:
            ranked[FORECAST], family[FORECAST] = forecast_outcomes[outcome], "forecast"
        for name, use in cell_subsets(outcomes).items():
            subset = outcome_subset(outcomes, analysis, outcome, name, use)
            complete = _with_values(ranked, family, use & np.isfinite(outcomes[outcome].values))
            table = score_predictors(subset, complete, analysis.baseline_predictor)
            if not table.empty:
                head = pd.DataFrame({"outcome": outcome, "cells": name, "family": table.predictor.map(family)})
                parts.append(pd.concat([head, table], axis=1))
    return pd.concat(parts, ignore_index=True)[COLUMNS] if parts else pd.DataFrame(columns=COLUMNS)


def outcome_subset(
    outcomes: xr.Dataset, analysis: Analysis, outcome: str, name: str, use: NDArray[np.bool_]
) -> CellSubset:
    """Return a subset of cells with an outcome, and the bootstrap that the ranking has for it.

    Parameters
    ----------
    outcomes : xarray.Dataset
        Outcomes.
    analysis : Analysis
    outcome : {"gap", "regret"}
    name : str
        Of the subset.
    use : bool array, (training_set, condition)
        Its cells.

    Returns
    -------
    CellSubset
    """
    return CellSubset(
        outcomes[outcome].values,
        use,
        outcomes.place.values,
        analysis.bootstrap_resamples,
        analysis.confidence_level,
        bootstrap_stream(outcome, name),
    )


def bootstrap_stream(outcome: str, subset: str) -> str:
    """Name the random stream of a subset, so that all tables about the same cells draw the same resamples."""
    return f"league of {outcome} over {subset}"


def _with_values(
    values: dict[str, NDArray[np.float64]], family: dict[str, str], use: NDArray[np.bool_]
) -> dict[str, NDArray[np.float64]]:
    """Leave out predictors without any value, and those of networks that lack a value where all others have one.

    A cell is used only if all predictors have a value. A predictor of the networks' outputs, which needs in-domain tests
    or a last convolution, must not remove cells from the others; nor must the forecaster.
    """
    partial = ("network", "forecast")
    usable = {key: each for key, each in values.items() if np.isfinite(each[use]).any() or not use.any()}
    others = [np.isfinite(each) for key, each in usable.items() if family[key] not in partial]
    base = np.logical_and.reduce([use, *others])
    return {key: each for key, each in usable.items() if family[key] not in partial or np.isfinite(each[base]).all()}


def forecasts(predictors: xr.Dataset, outcomes: xr.Dataset, analysis: Analysis) -> tuple[pd.DataFrame, Forecast]:
    """Forecast the score of every cell under an imaging shift.

    Parameters
    ----------
    predictors, outcomes, analysis
        As in :func:`orient`.

    Returns
    -------
    table : pandas.DataFrame
        ``training_set``, ``condition``, ``measured``, ``predicted``, ``low``, ``high``, of cells that have a forecast.
    forecast : Forecast
    """
    values = orient(predictors, outcomes, analysis)[analysis.forecast_predictor]
    use = cell_subsets(outcomes)["imaging"]
    result = forecast(
        outcomes.score.values, outcomes.in_domain_score.values, values, use, outcomes.place.values,
        folds=analysis.folds, level=analysis.forecast_level, stream="folds of the forecast",
        bounds=oriented_bounds(analysis.metric),
    )  # fmt: skip
    return forecast_table(outcomes, result, analysis), result


def forecast_table(outcomes: xr.Dataset, result: Forecast, analysis: Analysis) -> pd.DataFrame:
    """List forecast and measured scores of cells that have a forecast.

    Parameters
    ----------
    outcomes, analysis
        As in :func:`orient`.
    result : Forecast

    Returns
    -------
    pandas.DataFrame
        ``training_set``, ``condition``, ``measured``, ``predicted``, ``low``, ``high``.
    """
    row, column = np.nonzero(np.isfinite(result.low))
    sign = BETTER[analysis.metric]  # back to the score itself
    ends = (result.low, result.high)[::sign]
    return pd.DataFrame(
        {
            "training_set": outcomes.training_set.values[row],
            "condition": outcomes.condition.values[column],
            "measured": sign * outcomes.score.values[row, column],
            "predicted": sign * result.predicted[row, column],
            "low": sign * ends[0][row, column],
            "high": sign * ends[1][row, column],
        }
    )
