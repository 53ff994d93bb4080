"""Cells that a forecaster is fitted to, and folds of them that share no condition with the cells that they are to forecast."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hrtem_ood.artifacts.identity import seed_sequence
from hrtem_ood.errors import ArgumentError

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

FOLDS = 8
"""Conditions are dealt into at most so many folds."""

STREAM = "folds of the forecaster"
"""Names the random stream that deals conditions into folds."""


@dataclass(frozen=True)
class Cells:
    """Cells: a training set on a test dataset.

    Attributes
    ----------
    score : float64 array, (cell,)
        Finite.
    descriptors : float64 array, (cell, descriptor), [1]
        Finite; in the order of :data:`hrtem_ood.transfer.forecast.descriptors.NAMES`.
    trained : bool array, (cell, condition)
        The conditions of the training set: several of a mixture.
    tested : int array, (cell,)
        Number of the test condition, counted from 0: conditions of training and test are numbered together.
    """

    score: Floats
    descriptors: Floats
    trained: Bools
    tested: NDArray[np.integer]

    def __post_init__(self) -> None:
        number, conditions = self.trained.shape
        shapes = {"score": self.score.shape[:1], "descriptors": self.descriptors.shape[:1], "tested": self.tested.shape}
        if wrong := [name for name, shape in shapes.items() if shape != (number,)]:
            raise ArgumentError(f"{wrong[0]}: needs {number} cells, as `trained` has, not {shapes[wrong[0]]}.")
        if not (np.isfinite(self.score).all() and np.isfinite(self.descriptors).all()):
            raise ArgumentError("score, descriptors: must be finite; leave out the cells that have no value.")
        if number and not (self.trained.any(axis=1).all() and 0 <= self.tested.min() <= self.tested.max() < conditions):
            raise ArgumentError(f"trained, tested: need one of the {conditions} conditions for every cell.")

    def __len__(self) -> int:
        """Return the number of cells."""
        return len(self.score)

    @property
    def touched(self) -> Bools:
        """The conditions that a cell has to do with, in either role, bool array, (cell, condition)."""
        touched = self.trained.copy()
        touched[np.arange(len(self)), self.tested] = True
        return touched


@dataclass(frozen=True)
class Block:
    """Cells that are forecast together, and those that their forecast may use.

    Attributes
    ----------
    inside, others : bool array, (cell,)
        No cell of ``others`` was trained or tested under a condition under which a cell of ``inside`` was trained or tested.
    """

    inside: Bools
    others: Bools


def deal_conditions(number: int, folds: int = FOLDS) -> NDArray[np.integer]:
    """Deal conditions into folds of equal size, give or take one; always in the same way.

    Parameters
    ----------
    number : int
        Of conditions.
    folds : int
        At most so many.

    Returns
    -------
    int array, (condition,)
    """
    order = np.random.default_rng(seed_sequence(STREAM)).permutation(number)
    dealt: NDArray[np.integer] = order % max(1, min(folds, number))
    return dealt


def crossed_blocks(cells: Cells, folds: int = FOLDS) -> Iterator[Block]:
    """Divide cells into blocks of crossed folds.

    A cell is forecast from cells that share none of its conditions, neither that of training nor that of the test, in either
    role. For a training set of one condition, the whole folds of both conditions are left out: with 8 folds of the training
    conditions and the same 8 of the test conditions, 8 × 8 crossed folds, of which the two of a pair are fitted to the same
    cells. For a mixture, its members and the fold of the test are left out, as the folds of many members would leave no cell.

    Parameters
    ----------
    cells : Cells
    folds : int
        At most so many.

    Yields
    ------
    Block
        Every cell is inside one block.
    """
    fold = deal_conditions(cells.trained.shape[1], folds)
    same_fold = fold[:, None] == fold[None, :]
    mixed = cells.trained.sum(axis=1) > 1
    # of a single condition this row of `same_fold` is that of its fold
    out = np.where(mixed[:, None], cells.trained, (cells.trained @ same_fold)) | same_fold[cells.tested]
    touched = cells.touched
    kinds, place = np.unique(out, axis=0, return_inverse=True)
    for number, kind in enumerate(kinds):
        yield Block(place.reshape(-1) == number, ~(touched & kind).any(axis=1))
