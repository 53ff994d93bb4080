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
    same_recipe : bool array, (row, column)
        Whether training and test have the same recipe.
    """

    rows: list[str]
    columns: list[str]
    score: NDArray[np.float64]
    cells: NDArray[np.integer]
    same_recipe: NDArray[np.bool_]


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
        Medians over cells whose test condition is a training condition under which all recipes are tested.
    """
    trained = [
        campaign.structure_set_of_dataset[campaign.training_set_by_id[str(id_)].datasets[0]]
        for id_ in outcomes.training_set.values
    ]
    tested = [campaign.structure_set_of_dataset[str(id_)] for id_ in outcomes.condition.values]
    rows, columns = (_recipes(campaign, names) for names in (trained, tested))
    row_of = np.array([list(rows).index(campaign.recipe_id(name)) for name in trained])
    column_of = np.array([list(columns).index(campaign.recipe_id(name)) for name in tested])
    places = outcomes.place.values
    common_places = [place for place in set(places) if len(set(column_of[places == place])) == len(columns)]
    use = np.isin(outcomes["shift"].values, (IN_DOMAIN, "structure")) & np.isin(places, common_places)
    score = BETTER[campaign.config.analysis.metric] * outcomes.score.values
    use &= np.isfinite(score)
    median, cells = np.full((len(rows), len(columns)), np.nan), np.zeros((len(rows), len(columns)), int)
    for row, column in np.ndindex(median.shape):
        values = score[use & (row_of == row)[:, None] & (column_of == column)]
        cells[row, column] = values.size
        median[row, column] = np.median(values) if values.size else np.nan
    same_recipe = np.array([[one == other for other in columns] for one in rows])
    return Matrix(list(rows.values()), list(columns.values()), median, cells, same_recipe)


def _recipes(campaign: Campaign, names: list[str]) -> dict[str, str]:
    """Return recipe ids with the names of their structure sets, in the order of the configuration."""
    names_of_recipe: dict[str, list[str]] = {}
    for name in campaign.used_structure_sets:
        if name in names:
            names_of_recipe.setdefault(campaign.recipe_id(name), []).append(name)
    return {recipe: ", ".join(sets) for recipe, sets in names_of_recipe.items()}
