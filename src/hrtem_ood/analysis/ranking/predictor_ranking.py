"""The league's tables: every predictor on gap and regret, by kind of shift, and the forecast."""

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from hrtem_ood.analysis.ranking.forecast import Forecast, forecast
from hrtem_ood.analysis.ranking.outcomes import BETTER
from hrtem_ood.analysis.ranking.predictor_scores import CellSubset, score_predictors
from hrtem_ood.config.analysis import Analysis

OUTCOMES = ("gap", "regret")

IMAGING = ("defocus", "dose", "aberrations", "several")


def cell_subsets(found: xr.Dataset) -> dict[str, NDArray[np.bool_]]:
    """Return the cells of each contest by its name; imaging shift and shift of structures are kept apart.

    Parameters
    ----------
    found : xarray.Dataset
        From :func:`hrtem_ood.analysis.ranking.outcomes.training_set_outcomes`.

    Returns
    -------
    dict of str to bool array, (training_set, condition)
    """
    kind = found["shift"].values
    imaging = np.isin(kind, IMAGING)
    mixed, faint = found.mixed.values[:, None], found.minimum_contrast.values
    # single-condition sets that were trained at minimum contrast
    trained_faint = ~mixed & ((kind == "in-domain") & faint).any(axis=1, keepdims=True)
    use = {
        "imaging": imaging,
        "imaging, away from minimum contrast": imaging & ~faint & ~trained_faint,
        "imaging, single-condition training": imaging & ~mixed,
        "imaging, mixtures": imaging & mixed,
    }
    use |= {f"{name} only" if name != "several" else "several of these": kind == name for name in IMAGING}
    return use | {name: kind == name for name in ("structure", "structure and imaging")}


def orient(predictors: xr.Dataset, found: xr.Dataset, analysis: Analysis) -> dict[str, NDArray[np.float64]]:
    """Return the predictors of the league, turned so that larger means nearer.

    Parameters
    ----------
    predictors : xarray.Dataset
        From :mod:`hrtem_ood.stages.predictors`.
    found : xarray.Dataset
        Outcomes; what networks tell without labels stands in the league, too: see :func:`label_free_predictors`.
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
    return result | label_free_predictors(found)


def label_free_predictors(found: xr.Dataset) -> dict[str, NDArray[np.float64]]:
    """Return what networks tell of test images without labels, turned so that larger means nearer.

    ``entropy`` on the test, and ``entropy_change`` from its mean in-domain; ``confidence_change``, likewise, the
    difference of confidences of Guillory et al., ICCV 2021 (arXiv:2107.03315); ``mahalanobis`` and ``feature_cka``, see
    :mod:`hrtem_ood.analysis.feature_shift`. Less sure and further away are worse, by theory.

    Parameters
    ----------
    found : xarray.Dataset
        Outcomes.

    Returns
    -------
    dict of str to float64 array, (training_set, condition)
    """
    own = found["shift"].values == "in-domain"

    def change(values: NDArray[np.float64]) -> NDArray[np.float64]:
        inside = [np.mean(row[here]) if here.any() else np.nan for row, here in zip(values, own, strict=True)]
        return np.asarray(values - np.array(inside)[:, None])

    return {
        "entropy": -found.entropy.values,
        "entropy_change": -change(found.entropy.values),
        "confidence_change": change(found.confidence.values),
        "mahalanobis": -found.mahalanobis.values,
        "feature_cka": found.feature_cka.values,
    }


def rank_predictors(predictors: xr.Dataset, found: xr.Dataset, analysis: Analysis) -> pd.DataFrame:
    """Score every predictor on every outcome over the cells of every contest.

    Parameters
    ----------
    predictors, found, analysis
        As in :func:`orient`.

    Returns
    -------
    pandas.DataFrame
        ``outcome``, ``cells``, ``family`` (``transfer``, ``naive``, ``images``, ``network``, ``user``), and the columns of
        :func:`hrtem_ood.analysis.ranking.predictor_scores.score_predictors`.
    """
    values = orient(predictors, found, analysis)
    family = {name: predictors[name].attrs["family"] if name in predictors else "network" for name in values}
    parts = []
    for outcome in OUTCOMES:
        for name, use in cell_subsets(found).items():
            contest = CellSubset(
                found[outcome].values,
                use,
                found.place.values,
                analysis.bootstrap_resamples,
                analysis.confidence_level,
                f"league of {outcome} over {name}",
            )
            taking_part = _taking_part(values, family, use & np.isfinite(found[outcome].values))
            table = score_predictors(contest, taking_part, analysis.baseline_predictor)
            if not table.empty:
                head = pd.DataFrame({"outcome": outcome, "cells": name, "family": table.predictor.map(family)})
                parts.append(pd.concat([head, table], axis=1))
    columns = [
        "outcome",
        "cells",
        "family",
        "predictor",
        "rho",
        "rho_low",
        "rho_high",
        "rho_gain",
        "gain_low",
        "gain_high",
    ]
    columns += ["isotonic_r2", "left_out_r2", "left_out_low", "left_out_high", "left_out_rmse", "n"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def _taking_part(
    values: dict[str, NDArray[np.float64]], family: dict[str, str], use: NDArray[np.bool_]
) -> dict[str, NDArray[np.float64]]:
    """Leave out predictors without a value in any of the cells, and networks' where they lack one that others have.

    Cells count only where all have a value: a network-side predictor that needs in-domain tests, or a last convolution,
    must not take cells from the others.
    """
    some = {key: each for key, each in values.items() if np.isfinite(each[use]).any() or not use.any()}
    others = [np.isfinite(each) for key, each in some.items() if family[key] != "network"]
    base = np.logical_and.reduce([use, *others])
    return {key: each for key, each in some.items() if family[key] != "network" or np.isfinite(each[base]).all()}


def forecasts(predictors: xr.Dataset, found: xr.Dataset, analysis: Analysis) -> tuple[pd.DataFrame, Forecast]:
    """Forecast the score of every cell under an imaging shift.

    Parameters
    ----------
    predictors, found, analysis
        As in :func:`orient`.

    Returns
    -------
    table : pandas.DataFrame
        ``training_set``, ``condition``, ``measured``, ``predicted``, ``low``, ``high``, of cells that have a forecast.
    made : Forecast
    """
    values = orient(predictors, found, analysis)[analysis.forecast_predictor]
    use = cell_subsets(found)["imaging"]
    made = forecast(
        found.score.values, found.in_domain.values, values, use, found.place.values,
        folds=analysis.folds, level=analysis.forecast_level, stream="folds of the forecast",
    )  # fmt: skip
    row, column = np.nonzero(np.isfinite(made.low))
    sign = BETTER[analysis.metric]  # back to the score itself
    ends = (made.low, made.high)[::sign]
    table = pd.DataFrame(
        {
            "training_set": found.training_set.values[row],
            "condition": found.condition.values[column],
            "measured": sign * found.score.values[row, column],
            "predicted": sign * made.predicted[row, column],
            "low": sign * ends[0][row, column],
            "high": sign * ends[1][row, column],
        }
    )
    return table, made
