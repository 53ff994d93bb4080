"""The tables of a campaign, as CSV text."""

import pandas as pd
import xarray as xr

from hrtem_ood.analysis.correlation import predictor_table
from hrtem_ood.analysis.diagnostics import architectures, uncertainty_correlation
from hrtem_ood.analysis.gather import MEASURED
from hrtem_ood.config.analysis import Analysis
from hrtem_ood.config.training import Hyperparameters

FORMAT = "%.6g"


def csv(table: pd.DataFrame) -> str:
    """Write a table as CSV: six significant digits, empty where there is no value."""
    return str(table.to_csv(index=False, float_format=FORMAT, lineterminator="\n"))


def all_tables(metrics: xr.Dataset, cells: xr.Dataset, analysis: Analysis) -> dict[str, pd.DataFrame]:
    """Return every table but those of the predictor ranking, the forecast, and the comparison of training sets.

    Parameters
    ----------
    metrics, cells : xarray.Dataset
        From :mod:`hrtem_ood.analysis.matrix`.
    analysis : Analysis

    Returns
    -------
    dict of str to pandas.DataFrame
        By the names in :data:`hrtem_ood.campaign.report_files.TABLES`.
    """
    return {
        "ood_matrix": ood_matrix(metrics, cells),
        "ood_gap": gap(cells),
        "predictors": predictor_table(cells, analysis),
        "networks": networks(metrics),
        "conditions": conditions(cells),
        "architectures": architectures(metrics),
        "uncertainty": uncertainty_correlation(cells, analysis),
    }


def ood_matrix(metrics: xr.Dataset, cells: xr.Dataset) -> pd.DataFrame:
    """Training set × test dataset: median F1 over the networks; ``median_over`` says over how many networks."""
    over = varied_hyperparameters(metrics)
    head = pd.DataFrame(
        {
            "training_set": cells.name.values,
            "training_label": cells.label.values,
            "median_over": [
                f"{count} networks ({over})" if over else f"{count} networks" for count in cells.networks.values
            ],
        }
    )
    several = len(set(cells.structure_set.values)) > 1
    columns = [
        f"{structures}: {label}" if several else label
        for structures, label in zip(cells.structure_set.values, cells.condition_label.values, strict=True)
    ]
    return pd.concat([head, pd.DataFrame(cells.f1.values, columns=columns)], axis=1)


def with_measured(matrix: pd.DataFrame, measured: xr.Dataset) -> pd.DataFrame:
    """Add a column of the matrix for each set of labelled micrographs; see :class:`hrtem_ood.analysis.measured.Measured`."""
    names = [f"{MEASURED}: {name}" for name in measured.condition_label.values]
    return pd.concat([matrix, pd.DataFrame(measured.f1.values, columns=names)], axis=1)


def varied_hyperparameters(metrics: xr.Dataset) -> str:
    """Names of the hyperparameters that vary, e.g. ``seed, learning_rate``; empty where none does."""
    names = ["seed", *(name for name in Hyperparameters.model_fields if name != "seed" and name in metrics.coords)]
    metrics = metrics.isel(network=~metrics.diverged.values)  # no median includes the others
    # pandas takes all NaN (not set) for one value
    return ", ".join(name for name in names if pd.Series(metrics[name].values).nunique(dropna=False) > 1)


def gap(cells: xr.Dataset) -> pd.DataFrame:
    """One row per cell: F1, its gap with quartiles over networks, the kind of shift, and the predictors."""
    names = ["f1", "gap", "gap_q25", "gap_q75", "in_domain", "shift"]
    names += ["sigma", "epsilon", "abs_delta_defocus_A", "minimum_contrast"]
    frame = cells[names].to_dataframe(dim_order=["training_set", "condition"]).reset_index()
    heads = {
        "name": "training_set",
        "label": "training_label",
        "training_set": "training_id",
        "mixed": "mixed",
        "networks": "networks",
        "condition_label": "test_label",
        "structure_set": "structure_set",
        "condition": "dataset",
    }
    renamed = {"f1": "f1_median", "gap": "f1_gap_median", "gap_q25": "f1_gap_q25", "gap_q75": "f1_gap_q75"}
    return frame[[*heads, *names]].set_axis([*heads.values(), *(renamed.get(name, name) for name in names)], axis=1)


def networks(metrics: xr.Dataset) -> pd.DataFrame:
    """One row per network: training set, hyperparameters, result of training, and F1 in-domain and off-domain."""
    frame = metrics[[name for name, values in metrics.coords.items() if values.dims == ("network",)]].to_dataframe()
    in_domain = metrics.in_domain
    leading = ["training_set", "training_label", "mixed", "training_conditions", "training_images"]
    frame = frame[leading + sorted(set(frame.columns) - set(leading))]
    frame["in_domain_f1"] = metrics.mean_f1.where(in_domain).mean("condition").values
    frame["off_domain_f1"] = metrics.mean_f1.where(~in_domain).mean("condition").values
    return frame.reset_index()


def conditions(cells: xr.Dataset) -> pd.DataFrame:
    """One row per test dataset: condition, ε, and whether it counts as minimum contrast."""
    names = [str(name) for name, values in cells.coords.items() if values.dims == ("condition",)]
    frame = cells[["epsilon", "minimum_contrast"]].to_dataframe().reset_index().rename(columns={"condition": "dataset"})
    leading = ["dataset", "structure_set", "suites", "condition_label", "epsilon", "minimum_contrast", "images"]
    rest = [
        name
        for name in sorted(names)
        if name not in (*leading, "condition", "label", "slug", "condition_short_label", "condition_tick_label")
    ]
    return frame[[*leading, *rest]].rename(columns={"condition_label": "label"})
