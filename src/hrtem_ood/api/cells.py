"""The cells of a finished campaign, and the ranking of predictors."""

from pathlib import Path
from typing import TYPE_CHECKING

from hrtem_ood.api.arguments import FolderPath, check_exists, open_artifact
from hrtem_ood.campaign.campaign import Campaign

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr


def read_cells(campaign: Campaign, *, results: FolderPath = "results") -> "pd.DataFrame":
    """Read the table of cells: every training set on every test dataset.

    Parameters
    ----------
    campaign : Campaign
        A finished one.
    results : str or path
        The results folder.

    Returns
    -------
    pandas.DataFrame
        One row per cell: ``training_set`` (name), ``training_label``, ``training_id``, ``mixed``, ``networks`` (how many),
        ``test_label``, ``structure_set``, ``dataset`` (id of the test dataset), ``in_domain``, ``shift`` (kind of shift),
        ``minimum_contrast``; median over the networks of ``f1_median`` and ``f1_gap_median``, with quartiles
        ``f1_gap_q25`` and ``f1_gap_q75`` [1]; ``score``, ``gap`` and ``regret``, of the configuration's
        ``analysis.metric``, with signs such that larger is better, as in :func:`rank_predictors`; and one column
        per predictor. NaN where there is no value, e.g. no network trained under the test condition.

    Raises
    ------
    ArtifactError
        Where the campaign has not been run to its end, or a file is damaged.

    Examples
    --------
    >>> import hrtem_ood
    >>> cells = hrtem_ood.read_cells(hrtem_ood.load_campaign("config/config.yaml"))
    >>> len(cells), cells.training_set.nunique(), cells.dataset.nunique()
    (6, 2, 2)
    >>> cells.query("not in_domain")[["training_label", "test_label"]].values.tolist()
    [['Δf −100 Å, 1000 e/Å²', 'Δf +100 Å, 1000 e/Å²'], ['Δf +100 Å, 1000 e/Å²', 'Δf −100 Å, 1000 e/Å²']]
    >>> {"score", "gap", "regret", "sigma", "epsilon"} <= set(cells.columns)
    True
    """
    import xarray as xr

    from hrtem_ood.analysis.matrix import aggregate_by_training_set, read_metrics
    from hrtem_ood.analysis.ranking.outcomes import training_set_outcomes
    from hrtem_ood.analysis.tables import gap

    predictors = _predictors(campaign, results)
    metrics = read_metrics(campaign, Path(results))
    outcomes = training_set_outcomes(campaign, metrics)
    table = gap(aggregate_by_training_set(campaign, metrics))
    outcome_table = xr.merge([outcomes[["score", "gap", "regret"]], predictors]).to_dataframe().reset_index()
    outcome_table = outcome_table.rename(columns={"training_set": "training_id", "condition": "dataset"})
    keys = ["training_id", "dataset"]
    duplicates = [name for name in outcome_table.columns if name in table.columns and name not in keys]
    return table.drop(columns=duplicates).merge(outcome_table, on=keys, how="left", validate="one_to_one")


def rank_predictors(campaign: Campaign, *, results: FolderPath = "results") -> "pd.DataFrame":
    """Rank the predictors of out-of-distribution performance, as in the campaign's report.

    Parameters
    ----------
    campaign : Campaign
        A finished one.
    results : str or path
        The results folder.

    Returns
    -------
    pandas.DataFrame
        One row per ``outcome`` (``gap`` or ``regret``), subset of ``cells`` and ``predictor``, the best first: ``family``;
        Spearman's ``rho`` with its confidence interval ``rho_low``, ``rho_high``; its gain on the baseline predictor;
        explained variance of an isotonic fit, in-sample (``isotonic_r2``) and left out (``left_out_r2``); and the number
        ``n`` of cells. Subsets without enough cells are left out.

    Raises
    ------
    ArtifactError
        Where the campaign has not been run to its end, or a file is damaged.

    Examples
    --------
    >>> import hrtem_ood
    >>> ranking = hrtem_ood.rank_predictors(hrtem_ood.load_campaign("config/config.yaml"))
    >>> list(ranking.columns[:5])
    ['outcome', 'cells', 'family', 'predictor', 'rho']
    """
    from hrtem_ood.analysis.matrix import read_metrics
    from hrtem_ood.analysis.ranking import predictor_ranking
    from hrtem_ood.analysis.ranking.outcomes import training_set_outcomes

    predictors = _predictors(campaign, results)
    outcomes = training_set_outcomes(campaign, read_metrics(campaign, Path(results)))
    return predictor_ranking.rank_predictors(predictors, outcomes, campaign.config.analysis)


def _predictors(campaign: Campaign, results: FolderPath) -> "xr.Dataset":
    """Read the predictors of a campaign whose metrics exist."""
    check_exists(campaign, results, "metrics", campaign.metrics_id)
    with open_artifact(campaign, results, "predictors", campaign.predictors_id) as predictors:
        return predictors.drop_dims(["descriptor", "power", "frequency"]).load()
