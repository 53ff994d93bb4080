"""Scores by structure recipe of training and of test, under training conditions."""

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from hrtem_ood.analysis.ranking.outcomes import BETTER
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.domain import IN_DOMAIN


@dataclass(frozen=True)
class Matrix:
    """Scores by recipe.

    Attributes
    ----------
    rows, columns : list of str
        Names of the recipes of training and test: those of their structure sets.
    score : float64 array, (row, column)
        Median over cells; NaN without one.
    cells : int array, (row, column)
    own : bool array, (row, column)
        Whether both are the same recipe.
    """

    rows: list[str]
    columns: list[str]
    score: NDArray[np.float64]
    cells: NDArray[np.integer]
    own: NDArray[np.bool_]


def structure_matrix(campaign: Campaign, outcomes: xr.Dataset) -> Matrix:
    """Compare recipes under the training conditions.

    Parameters
    ----------
    campaign : Campaign
    outcomes : xarray.Dataset
        From :func:`hrtem_ood.analysis.ranking.outcomes.training_set_outcomes`.

    Returns
    -------
    Matrix
        Medians over cells whose test condition is a training condition, and one under which all recipes are tested.
    """
    trained = [
        campaign.structure_set_of_dataset[campaign.training_set_by_id[str(id_)].datasets[0]]
        for id_ in outcomes.training_set.values
    ]
    tested = [campaign.structure_set_of_dataset[str(id_)] for id_ in outcomes.condition.values]
    rows, columns = (_recipes(campaign, names) for names in (trained, tested))
    row_of = np.array([list(rows).index(campaign.recipe_id(name)) for name in trained])
    column_of = np.array([list(columns).index(campaign.recipe_id(name)) for name in tested])
    under = outcomes.place.values
    everywhere = [place for place in set(under) if len(set(column_of[under == place])) == len(columns)]
    use = np.isin(outcomes["shift"].values, (IN_DOMAIN, "structure")) & np.isin(under, everywhere)
    score = BETTER[campaign.config.analysis.metric] * outcomes.score.values
    use &= np.isfinite(score)
    median, cells = np.full((len(rows), len(columns)), np.nan), np.zeros((len(rows), len(columns)), int)
    for row, column in np.ndindex(median.shape):
        values = score[use & (row_of == row)[:, None] & (column_of == column)]
        cells[row, column] = values.size
        median[row, column] = np.median(values) if values.size else np.nan
    own = np.array([[one == other for other in columns] for one in rows])
    return Matrix(list(rows.values()), list(columns.values()), median, cells, own)


def _recipes(campaign: Campaign, names: list[str]) -> dict[str, str]:
    """Return recipes with the names of their structure sets, in the order of the configuration."""
    outcomes: dict[str, list[str]] = {}
    for name in campaign.used_structure_sets:
        if name in names:
            outcomes.setdefault(campaign.recipe_id(name), []).append(name)
    return {recipe: ", ".join(sets) for recipe, sets in outcomes.items()}
