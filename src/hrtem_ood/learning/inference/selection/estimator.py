"""F1, estimated from evidence without labels by what networks scored on simulated images with labels."""

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hrtem_ood.artifacts import store
from hrtem_ood.artifacts.identity import seed_sequence
from hrtem_ood.errors import ArtifactError
from hrtem_ood.learning.inference.selection.evidence import CONSISTENCY, EVIDENCE
from hrtem_ood.user_files import check_regular

Floats = NDArray[np.float64]

SHIPPED = Path(__file__).with_name("calibration.csv")
"""Evidence and F1 of the networks of config/experiments/select.yaml on its test datasets."""

CALIBRATION_FILE = "calibration.csv"
"""Name of the calibration of a campaign."""

COLUMNS = ("network", "dataset", "condition", "image", "pool", *EVIDENCE, "f1")
"""Of a calibration: ids of network and test dataset, name of the test condition, number of the image, number of the group of
networks that saw it together, evidence, and F1."""

CELL = ["network", "dataset"]
"""Columns whose values name a cell."""

LEVEL = 0.9
"""Of intervals."""

FOLDS = 4
"""Groups of networks, and groups of conditions, that are left out crosswise."""

RISING = {*CONSISTENCY, "consensus", "peers", "twins", "self_dice"}
"""Evidence with which the estimate never falls."""

FALLING = {"shift", "dose_gap", "defocus_gap"}
"""Evidence with which the estimate never rises."""

BOOSTING = {"max_iter": 100, "learning_rate": 0.1, "max_leaf_nodes": 16, "min_samples_leaf": 20}
"""Of the fit: chosen by cross-validation of the package's calibration."""

FEWEST_CELLS = 40
"""Pairs of network and test dataset that a calibration needs."""


MAKE_ONE = "`hrtem-ood select --campaign CONFIG` writes one."


@dataclass(frozen=True)
class F1Estimator:
    """Estimates F1 from evidence.

    Gradient boosting of trees (J. H. Friedman, Ann. Stat. 29, 1189 (2001)), monotone in :data:`RISING` and :data:`FALLING`, is
    fitted to the images of a calibration, see :func:`evidence_columns`. Its hyperparameters are fixed here.

    Intervals are split-conformal with crossed folds (V. Vovk, A. Gammerman and G. Shafer, *Algorithmic Learning in a Random
    World* (2005); R. F. Barber et al., Ann. Stat. 49, 486 (2021)): each cell is estimated by a fit that saw neither its network
    nor its condition, and a quantile of the errors of such estimates is the half width.

    Parameters
    ----------
    table : pandas.DataFrame
        Of :data:`COLUMNS`, one row per network and image.
    source : str
        Where it is from, for messages.
    """

    table: pd.DataFrame
    source: str

    @cached_property
    def _fitted(self) -> "BoostedFit":
        return fit(evidence_columns(self.table), self.table.f1.to_numpy(float))

    def estimate(self, evidence: pd.DataFrame) -> Floats:
        """Estimate the F1 of each row of evidence.

        Parameters
        ----------
        evidence : pandas.DataFrame
            With :data:`hrtem_ood.learning.inference.selection.evidence.EVIDENCE`, and ``pool``, equal for the networks that saw
            an image together.

        Returns
        -------
        float64 array, (row,), [1]
        """
        return self._fitted.predict(evidence_columns(evidence))

    @cached_property
    def held_out(self) -> Floats:
        """Estimates of the table's rows, each by a fit that saw neither its network nor its condition, (row,)."""
        networks, conditions = (_folds(self.table[key], key) for key in ("network", "condition"))
        # a rank needs no F1: it is that among all networks that saw the image, as it is in use
        columns, f1 = evidence_columns(self.table), self.table.f1.to_numpy(float)
        result = np.full(len(self.table), np.nan)
        for i in range(FOLDS):
            for j in range(FOLDS):
                inside, others = (networks == i) & (conditions == j), (networks != i) & (conditions != j)
                if inside.any() and others.any():
                    result[inside] = fit(columns[others], f1[others]).predict(columns[inside])
        return result

    def outside(self, evidence: pd.DataFrame) -> list[str]:
        """Name the evidence of which most rows lie beyond all of the calibration's, where that does not speak for a network."""
        least, most = self.table[list(EVIDENCE)].min(), self.table[list(EVIDENCE)].max()
        below = (evidence[list(EVIDENCE)] < least).mean().drop(list(FALLING))
        above = (evidence[list(EVIDENCE)] > most).mean().drop(list(RISING))
        return [name for name in EVIDENCE if max(below.get(name, 0), above.get(name, 0)) > 0.5]

    def half_width(self, images: int) -> float:
        """Return the half width of the interval of a mean over images.

        Parameters
        ----------
        images : int
            Number of images of one condition; with more of them than a cell has, that of all images of a cell.

        Returns
        -------
        float, [1]
            The quantile ⌈(n + 1) level⌉ of the absolute errors of n cells' means over so many images; 1 where n is too small.
        """
        rows = self.table.assign(error=self.held_out - self.table.f1)
        rank = rows.groupby(CELL).cumcount()
        errors = rows[rank < images].groupby(CELL).error.mean().abs()
        ordered = np.sort(errors.dropna())
        place = math.ceil((len(ordered) + 1) * LEVEL)
        return float(ordered[place - 1]) if place <= len(ordered) else 1.0


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
    """Fit F1. Trees say the same of all that lies beyond the calibration as of its edge; what is missing has a branch of its own.

    Parameters
    ----------
    columns : float64 array, (row, column)
        Of :func:`evidence_columns`.
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


def evidence_columns(evidence: pd.DataFrame) -> Floats:
    """Return evidence, and the rank of each kind among the networks that saw the image together.

    Ranks tell good networks from bad ones whatever the image is like; evidence itself tells how good the best can be.

    Parameters
    ----------
    evidence : pandas.DataFrame
        As of :meth:`F1Estimator.estimate`.

    Returns
    -------
    float64 array, (row, 2 × evidence)
        :data:`EVIDENCE`, then the ranks, in (0, 1); NaN for a network alone, and where evidence is missing.
    """
    values = evidence[list(EVIDENCE)].astype(float)
    together = values.groupby(evidence.pool.to_numpy())
    count = together.transform("count")
    ranks = ((together.rank() - 0.5) / count).where(count > 1)
    return np.hstack([values.to_numpy(), ranks.to_numpy()])


def _folds(names: pd.Series, stream: str) -> NDArray[np.integer]:
    """Deal names into folds whose sizes differ by at most one."""
    codes, values = pd.factorize(names, sort=True)
    dealt: NDArray[np.integer] = np.random.default_rng(seed_sequence(stream)).permutation(len(values)) % FOLDS
    return dealt[codes]


def read_calibration(path: Path | None = None) -> F1Estimator:
    """Read a calibration.

    Parameters
    ----------
    path : Path, optional
        CSV of :data:`COLUMNS`; by default the one of the package.

    Returns
    -------
    F1Estimator

    Raises
    ------
    ArtifactError
        Where it is missing, too large or no calibration.
    """
    path, source = (SHIPPED, "the package's own simulations") if path is None else (path, str(path))
    try:
        check_regular(path, "calibration")
        table = pd.read_csv(path)
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read ({error.strerror}). {MAKE_ONE}") from None
    except (ValueError, UnicodeDecodeError) as error:
        raise ArtifactError(f"{path} is no table of comma-separated values ({str(error)[:80]}). {MAKE_ONE}") from None
    return F1Estimator(checked(table, str(path)), source)


def checked(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return the columns of a calibration as numbers.

    Parameters
    ----------
    table : pandas.DataFrame
    name : str
        For messages.

    Raises
    ------
    ArtifactError
        Where columns are missing, F1 is not between 0 and 1, or cells are few.
    """
    missing = [column for column in COLUMNS if column not in table.columns]
    if missing:
        raise ArtifactError(f"{name} is no calibration: it lacks the columns {', '.join(missing)}. {MAKE_ONE}")
    try:
        table = table.astype(
            {**dict.fromkeys((*CELL, "condition"), str), "pool": int, **dict.fromkeys((*EVIDENCE, "f1"), float)}
        )
    except ValueError as error:
        raise ArtifactError(f"{name}: values are not numbers ({str(error)[:80]}). {MAKE_ONE}") from None
    if not table.f1.between(0, 1).all():
        raise ArtifactError(f"{name}: f1 must be between 0 and 1. {MAKE_ONE}")
    cells, networks, conditions = (len(table[keys].drop_duplicates()) for keys in (CELL, ["network"], ["condition"]))
    if cells < FEWEST_CELLS or min(networks, conditions) < 2:
        raise ArtifactError(
            f"{name} holds {cells} pairs of network and test dataset, of {networks} networks and {conditions} conditions; a "
            f"calibration needs {FEWEST_CELLS} pairs, of 2 or more of each."
        )
    return table[list(COLUMNS)]


def write_calibration(path: Path, table: pd.DataFrame) -> None:
    """Write a calibration, with three digits after the point.

    Parameters
    ----------
    path : Path
    table : pandas.DataFrame
        Of :data:`COLUMNS`.
    """
    store.write_text(path, table[list(COLUMNS)].round(3).to_csv(index=False))
