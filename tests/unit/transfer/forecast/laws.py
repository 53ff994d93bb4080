"""Cells that follow a law that is known, without any physics."""

from collections.abc import Callable

import numpy as np

from hrtem_ood.transfer.forecast.cells import Cells
from hrtem_ood.transfer.forecast.descriptors import NAMES, PLACE, hull_value

Law = Callable[[np.ndarray, np.ndarray], np.ndarray]


def quadratic(train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Return a score by ln CNR of training and test that falls with their distance, less steeply in one direction."""
    return 0.7 + 0.06 * train + 0.04 * test - 0.03 * test**2 - 0.1 * abs(test - train) - 0.02 * train * test


def table(train: np.ndarray, test: np.ndarray, entropy: np.ndarray | float = 0.0) -> np.ndarray:
    """Describe cells by ln CNR of training and test, and how mixed they are; all else is 0."""
    descriptors = np.zeros((len(train), len(NAMES)))
    values = {"train_log_cnr": train, "test_log_cnr": test, "log_cnr_change": test - train}
    values |= {"log_cnr_distance": abs(test - train), "mixture_entropy": entropy}
    for name, each in values.items():
        descriptors[:, PLACE[name]] = each
    return descriptors


def crossed(conditions: int, sd: Law | float = 0.0, law: Law = quadratic, seed: int = 0) -> Cells:
    """Train under each condition, and test each under all."""
    rng = np.random.default_rng(seed)
    log_cnr = rng.uniform(-1, 2.5, conditions)
    trained, tested = (each.ravel() for each in np.indices((conditions, conditions)))
    train, test = log_cnr[trained], log_cnr[tested]
    size = sd(train, test) if callable(sd) else sd
    score = law(train, test) + size * rng.standard_normal(len(train))
    return Cells(score, table(train, test), np.eye(conditions, dtype=bool)[trained], tested)


def with_mixtures(conditions: int, mixtures: int, loss: float, sd: float = 0.0, seed: int = 0) -> Cells:
    """Add mixtures of 2 to 4 conditions, which score as their hull does less ``loss`` times ln of their number."""
    single = crossed(conditions, sd, seed=seed)
    rng = np.random.default_rng(seed + 1)
    log_cnr = single.descriptors[:conditions, PLACE["test_log_cnr"]]
    rows, descriptors, score = [], [], []
    for _ in range(mixtures):
        members = rng.choice(conditions, rng.integers(2, 5), replace=False)
        effective = np.array([hull_value(log_cnr[members], each) for each in log_cnr])
        entropy = np.log(len(members))
        descriptors.append(table(effective, log_cnr, entropy))
        score.append(quadratic(effective, log_cnr) - loss * entropy + sd * rng.standard_normal(conditions))
        rows.append(np.tile(np.isin(np.arange(conditions), members), (conditions, 1)))
    return Cells(
        np.concatenate([single.score, *score]),
        np.concatenate([single.descriptors, *descriptors]),
        np.concatenate([single.trained, *rows]),
        np.concatenate([single.tested, *[np.arange(conditions)] * mixtures]),
    )
