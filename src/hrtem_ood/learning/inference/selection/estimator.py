"""F1, estimated from evidence without labels by what networks scored on simulated images with labels."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hrtem_ood.learning.inference.selection.boosted_fit import (
    ALONE,
    FALLING,
    RISING,
    TOGETHER,
    BoostedFit,
    alone,
    evidence_columns,
    fit,
    held_out,
)
from hrtem_ood.learning.inference.selection.evidence import EVIDENCE

Floats = NDArray[np.float64]

CELL = ["network", "dataset"]
"""Columns whose values name a cell."""

LEVEL = 0.9
"""Of intervals."""


@dataclass(frozen=True)
class F1Estimator:
    """Estimates F1 from evidence.

    Gradient boosting of trees (J. H. Friedman, Ann. Stat. 29, 1189 (2001)), monotone in
    :data:`hrtem_ood.learning.inference.selection.boosted_fit.RISING` and
    :data:`hrtem_ood.learning.inference.selection.boosted_fit.FALLING`, is fitted to the images of a calibration. Its
    hyperparameters are fixed.

    Intervals are split-conformal with crossed folds (V. Vovk, A. Gammerman and G. Shafer, *Algorithmic Learning in a Random
    World* (2005); R. F. Barber et al., Ann. Stat. 49, 486 (2021)): each cell is estimated by fits that saw neither its network
    nor its condition, and a quantile of the errors of such estimates is the half width.

    Parameters
    ----------
    table : pandas.DataFrame
        Of :data:`hrtem_ood.learning.inference.selection.calibration.COLUMNS`, one row per network and image; where it has the
        held-out estimates, too, these are used.
    source : str
        Where it is from, for messages.
    """

    table: pd.DataFrame
    source: str

    @cached_property
    def _together(self) -> BoostedFit:
        return fit(evidence_columns(self.table), self.table.f1.to_numpy(float))

    @cached_property
    def _alone(self) -> BoostedFit:
        return fit(alone(evidence_columns(self.table)), self.table.f1.to_numpy(float))

    def estimate(self, evidence: pd.DataFrame) -> Floats:
        """Estimate the F1 of each row of evidence: of networks alone by a fit to evidence that does not need others.

        Parameters
        ----------
        evidence : pandas.DataFrame
            With :data:`hrtem_ood.learning.inference.selection.evidence.EVIDENCE`, and ``pool``, equal for the networks that saw
            an image together.

        Returns
        -------
        float64 array, (row,), [1]
        """
        columns, by_itself = evidence_columns(evidence), ~evidence.pool.duplicated(keep=False).to_numpy()
        result = np.empty(len(evidence))
        if by_itself.any():
            result[by_itself] = self._alone.predict(columns[by_itself])
        if not by_itself.all():
            result[~by_itself] = self._together.predict(columns[~by_itself])
        return result

    @cached_property
    def held_out(self) -> pd.DataFrame:
        """Estimates of the table's rows, see :func:`hrtem_ood.learning.inference.selection.boosted_fit.held_out`."""
        names = [*TOGETHER, *ALONE]
        return self.table[names] if set(names) <= set(self.table) else held_out(self.table)

    def outside(self, evidence: pd.DataFrame) -> list[str]:
        """Name the evidence of which most rows lie beyond all of the calibration's, where that does not speak for a network."""
        least, most = self.table[list(EVIDENCE)].min(), self.table[list(EVIDENCE)].max()
        below = (evidence[list(EVIDENCE)] < least).mean().drop(list(FALLING))
        above = (evidence[list(EVIDENCE)] > most).mean().drop(list(RISING))
        return [name for name in EVIDENCE if max(below.get(name, 0), above.get(name, 0)) > 0.5]

    def half_width(self, images: int, *, by_itself: bool = False) -> float:
        """Return the half width of the interval of a mean over images.

        Parameters
        ----------
        images : int
            Number of images of one condition; with more of them than a cell has, that of all images of a cell.
        by_itself : bool, optional
            Whether the network is judged by its own evidence only.

        Returns
        -------
        float, [1]
            The quantile ⌈(n + 1) level⌉ of the absolute errors of n means over so many images of a cell, of all deals into
            folds; 1 where n is too small.
        """
        errors = np.concatenate([self._errors(name, images) for name in (ALONE if by_itself else TOGETHER)])
        ordered = np.sort(errors)
        place = math.ceil((len(ordered) + 1) * LEVEL)
        return float(ordered[place - 1]) if place <= len(ordered) else 1.0

    def _errors(self, name: str, images: int) -> Floats:
        """Return the absolute errors of means over groups of so many images of a cell, in the order of their numbers."""
        rows = (
            self.table.assign(error=self.held_out[name] - self.table.f1).dropna(subset=["error"]).sort_values("image")
        )
        cells = rows.groupby(CELL)
        number, count = cells.cumcount(), cells.error.transform("size")
        size = count.clip(upper=images)
        group = (number // size).rename("group")
        whole = group < count // size
        means: pd.Series = rows[whole].groupby([*CELL, group[whole]]).error.mean()
        return means.abs().to_numpy(float)
