"""F1 from evidence: gradient boosting of trees, and its estimates of what it has not seen."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hrtem_ood.artifacts.identity import seed_sequence
from hrtem_ood.learning.inference.selection.evidence import CONSISTENCY, EVIDENCE
from hrtem_ood.progress import track

Floats = NDArray[np.float64]

AGREEMENT = ("consensus", "peers", "twins")
"""Evidence from other networks."""

RISING = {*CONSISTENCY, *AGREEMENT, "self_dice"}
"""Evidence with which the estimate never falls."""

FALLING = {"shift", "dose_gap", "defocus_gap"}
"""Evidence with which the estimate never rises."""

BOOSTING = {"max_iter": 100, "learning_rate": 0.1, "max_leaf_nodes": 16, "min_samples_leaf": 20}
"""Of the fit: chosen by cross-validation of the package's calibration."""

FOLDS = 4
"""Groups of networks, and groups of conditions, that are left out crosswise."""

DEALS = 3
"""Times that networks and conditions are dealt into such groups: half widths depend on how they happen to be."""

TOGETHER, ALONE = (tuple(f"{how}_{deal}" for deal in range(DEALS)) for how in ("together", "alone"))
"""Columns of held-out estimates: of a network among all that saw the image, and by its own evidence."""


def evidence_columns(evidence: pd.DataFrame) -> Floats:
    """Return evidence, and the rank of each kind among the networks that saw the image together.

    Ranks tell good networks from bad ones whatever the image is like; evidence itself tells how good the best can be.

    Parameters
    ----------
    evidence : pandas.DataFrame
        :data:`hrtem_ood.learning.inference.selection.evidence.EVIDENCE` and ``pool``, equal for the networks that saw an image
        together.

    Returns
    -------
    float64 array, (row, 2 × evidence)
        Evidence, then the ranks, in (0, 1); NaN for a network alone, and where evidence is missing.
    """
    values = evidence[list(EVIDENCE)].astype(float)
    together = values.groupby(evidence.pool.to_numpy())
    count = together.transform("count")
    ranks = ((together.rank() - 0.5) / count).where(count > 1)
    return np.hstack([values.to_numpy(), ranks.to_numpy()])


def alone(columns: Floats) -> Floats:
    """Return the columns of networks that are judged by their own evidence only."""
    own = columns.copy()
    own[:, [EVIDENCE.index(name) for name in AGREEMENT]] = np.nan
    own[:, len(EVIDENCE) :] = np.nan
    return own


@dataclass(frozen=True)
class BoostedFit:
    """A sum of small trees.

    Attributes
    ----------
    known : int array, (column,)
        Columns that the calibration has values of; the others count nothing.
    model : sklearn.ensemble.HistGradientBoostingRegressor
    """

    known: NDArray[np.integer]
    model: Any

    def predict(self, columns: Floats) -> Floats:
        """Estimate the F1 of each row of :func:`evidence_columns`, within [0, 1]."""
        return np.asarray(np.clip(self.model.predict(columns[:, self.known]), 0, 1), np.float64)


def fit(columns: Floats, f1: Floats) -> BoostedFit:
    """Fit F1. Trees say the same of all that lies beyond the calibration as of its edge.

    Parameters
    ----------
    columns : float64 array, (row, column)
        Of :func:`evidence_columns`, or of :func:`alone`.
    f1 : float64 array, (row,), [1]

    Returns
    -------
    BoostedFit
    """
    from sklearn.ensemble import HistGradientBoostingRegressor  # takes long to import

    known = np.flatnonzero(~np.isnan(columns).all(axis=0))
    sign = np.array([1 if name in RISING else -1 if name in FALLING else 0 for name in EVIDENCE] * 2)
    model = HistGradientBoostingRegressor(**BOOSTING, early_stopping=False, monotonic_cst=sign[known], random_state=0)
    return BoostedFit(known, model.fit(columns[:, known], f1))


def held_out(table: pd.DataFrame) -> pd.DataFrame:
    """Estimate each row of a calibration by fits that saw neither its network nor its condition.

    Parameters
    ----------
    table : pandas.DataFrame
        Of :data:`hrtem_ood.learning.inference.selection.calibration.COLUMNS`.

    Returns
    -------
    pandas.DataFrame
        :data:`TOGETHER` and :data:`ALONE`, one per deal into groups; NaN where nothing was left to fit to.
    """
    # a rank needs no F1: it is that among all networks that saw the image, as it is in use
    columns, f1 = evidence_columns(table), table.f1.to_numpy(float)
    both = {TOGETHER: columns, ALONE: alone(columns)}
    made = pd.DataFrame(np.nan, table.index, [*TOGETHER, *ALONE])
    for deal in track(range(DEALS), "deals of the cross-validation", DEALS):
        networks, conditions = (_dealt(table[key], f"{key}, deal {deal}") for key in ("network", "condition"))
        for place in range(FOLDS**2):
            inside = (networks == place % FOLDS) & (conditions == place // FOLDS)
            others = (networks != place % FOLDS) & (conditions != place // FOLDS)
            if inside.any() and others.any():
                for names, given in both.items():
                    made.loc[inside, names[deal]] = fit(given[others], f1[others]).predict(given[inside])
    return made


def _dealt(names: pd.Series, stream: str) -> NDArray[np.integer]:
    """Deal names into folds whose sizes differ by at most one."""
    codes, values = pd.factorize(names, sort=True)
    dealt: NDArray[np.integer] = np.random.default_rng(seed_sequence(stream)).permutation(len(values)) % FOLDS
    return dealt[codes]
