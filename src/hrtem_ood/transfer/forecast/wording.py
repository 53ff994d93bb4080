"""What is said of a forecaster and its forecasts wherever a user meets them: one text for predict, design and summary."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hrtem_ood.transfer.forecast.cross_validation import LEVEL
from hrtem_ood.transfer.forecast.descriptors import PLACE, ROWS
from hrtem_ood.transfer.forecast.domain import Domain
from hrtem_ood.transfer.forecast.performance import Performance

Floats = NDArray[np.float64]

AT_EDGE = "forecasts are those at the edge of the domain, and their intervals do not cover what lies beyond it"
"""The rule outside a forecaster's domain."""

SYMBOLS = {row.name: row.symbol for row in ROWS}

COUNTS = {"log_n_images": "training images", "mixture_entropy": "effective members"}
"""Descriptors that are logarithms of numbers; they are told as these."""


def outside_texts(domain: Domain, descriptors: Floats) -> tuple[str, ...]:
    """Name what lies outside a domain, with the range of the domain; empty where all lies inside.

    Parameters
    ----------
    domain : Domain
    descriptors : float64 array, (cell, descriptor)

    Returns
    -------
    tuple of str
        For example ``80 training images (domain: 128)``; of several cells, how many of them.
    """
    outside, texts = domain.outside(descriptors), []
    for place in np.flatnonzero(outside.any(axis=0)):
        name, some = domain.names[place], outside[:, place]
        values = descriptors[some, PLACE[name]]
        of = "" if some.all() else f", for {int(some.sum())} of {len(some)}"
        ends = _range(name, float(domain.low[place]), float(domain.high[place]))
        here = _range(name, float(values.min()), float(values.max()))
        symbol = COUNTS.get(name, SYMBOLS[name])
        text = f"{here} {symbol}" if name in COUNTS else f"{symbol} {here}"
        texts.append(f"{text} (domain: {ends}{of})")
    return tuple(texts)


def _range(name: str, low: float, high: float) -> str:
    if name in COUNTS:
        low, high = np.exp([low, high])
        one, other = (f"{round(each):d}" if name == "log_n_images" else f"{each:.3g}" for each in (low, high))
    else:
        one, other = f"{low:.2f}", f"{high:.2f}"
    return one if one == other else f"{one} to {other}"


def performance_text(performance: Performance) -> str:
    """Say how well a forecaster did out of fold, and on which cells.

    Parameters
    ----------
    performance : Performance

    Returns
    -------
    str
        A phrase; as of the report and the page of a study, it counts cells under an imaging shift.
    """
    of = (
        f"its {performance.n_forecast} cells under an imaging shift"
        if performance.n_forecast < performance.n_cells
        else f"its {performance.n_cells} cells"
    )
    return (
        f"r.m.s. error {performance.rmse:.2f} out of fold; {100 * performance.coverage:.0f} % of {of} within {100 * LEVEL:g} % "
        f"intervals, whose median width is {performance.width:.2f}"
    )


def weakness_texts(performance: Performance, forecasts: Sequence[float]) -> list[str]:
    """Say where forecasts of this size were covered less than their intervals promise.

    Parameters
    ----------
    performance : Performance
    forecasts : sequence of float

    Returns
    -------
    list of str
        A sentence for each such bin of the forecast; empty where there is none.
    """
    return [
        f"Of its forecasts from {each.least:.2f} to {each.most:.2f}, only {100 * each.coverage:.0f} % of the scores lay within "
        f"the {100 * LEVEL:g} % intervals" + _too(each.bias) + "."
        for each in performance.weak_bins(forecasts)
    ]


def _too(bias: float) -> str:
    size = f"{abs(bias):.2f}"
    return "" if size == "0.00" else f", and they were {size} too {'high' if bias > 0 else 'low'} on average"
