"""Partial dependence of the forecast score on ln CNR of training and of the test: a map that can be read by eye."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hrtem_ood.transfer.forecast.descriptors import NAMES, PLACE
from hrtem_ood.transfer.forecast.domain import SLACK
from hrtem_ood.transfer.forecast.forecaster import Forecaster

Floats = NDArray[np.float64]

POINTS = 81
"""Along each axis of a map."""


@dataclass(frozen=True)
class ResponseMap:
    """Forecast score by ln CNR of training and of the test.

    Attributes
    ----------
    train_log_cnr : float64 array, (train,), [1]
    test_log_cnr : float64 array, (test,), [1]
    score : float64 array, (test, train)
        NaN outside the domain.
    """

    train_log_cnr: Floats
    test_log_cnr: Floats
    score: Floats


def response_map(forecaster: Forecaster, points: int = POINTS) -> ResponseMap:
    """Compute the partial dependence of the forecast on both ln CNR, for training sets of one condition.

    The partial dependence is the mean of the model over the other descriptors of the cells (Friedman, Annals of Statistics 29
    (2001) 1189, Sec. 8.2). As the model is linear in these, it is the model at their mean. The distance follows from both. Of
    a campaign of mixtures alone, it is the map of the least mixed of them.

    Parameters
    ----------
    forecaster : Forecaster
    points : int
        Along each axis.

    Returns
    -------
    ResponseMap
    """
    features, domain = forecaster.score.features, forecaster.domain
    range_of = dict(zip(domain.names, zip(domain.low, domain.high, strict=True), strict=True))
    train, test = (np.linspace(*range_of[name], points) for name in ("train_log_cnr", "test_log_cnr"))
    descriptors = np.zeros((points * points, len(NAMES)))
    descriptors[:, [PLACE[name] for name in features.names]] = forecaster.score.centre
    of_test, of_train = (each.ravel() for each in np.meshgrid(test, train, indexing="ij"))
    distance = np.abs(of_test - of_train)
    single = np.full_like(distance, range_of["mixture_entropy"][0])
    for name, values in (
        ("train_log_cnr", of_train),
        ("test_log_cnr", of_test),
        ("log_cnr_distance", distance),
        ("mixture_entropy", single),
    ):
        descriptors[:, PLACE[name]] = values
    low, high = forecaster.bounds
    score = np.clip(forecaster.score(descriptors), -np.inf if low is None else low, np.inf if high is None else high)
    least, most = range_of["log_cnr_distance"]
    slack = SLACK * max(most - least, 1e-9)
    inside = (distance >= least - slack) & (distance <= most + slack)
    return ResponseMap(train, test, np.where(inside, score, np.nan).reshape(points, points))
