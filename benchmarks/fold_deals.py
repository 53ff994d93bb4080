"""How much the figures of the confirmatory study's forecast depend on the deal of conditions into folds.

Conditions are dealt into folds by their numbers, always in the same way. Here they are numbered anew at random, and the
cross-validation is repeated on the published cells, docs/data/confirm_cells.csv.gz; nothing else changes. A claim whose
figure lies near its threshold may depend on the deal.

    python benchmarks/fold_deals.py [DEALS]
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from report import report
from scipy.stats import spearmanr

from hrtem_ood.analysis.published_cells import read_published
from hrtem_ood.transfer.forecast.cells import Cells
from hrtem_ood.transfer.forecast.cross_validation import LEVEL, cross_validate, metric_bounds
from hrtem_ood.transfer.forecast.ridge import CONTRAST

CELLS = Path(__file__).parents[1] / "docs/data/confirm_cells.csv.gz"
DEALS = 12

Floats = NDArray[np.float64]


def dealt(cells: Cells, order: NDArray[np.integer]) -> Cells:
    """Return the cells with their conditions in another order, by which folds are dealt."""
    return Cells(cells.score, cells.descriptors, cells.trained[:, order], np.argsort(order)[cells.tested])


def figures(cells: Cells, table: pd.DataFrame, forecast_of: Cells) -> dict[str, float]:
    """Return coverage and width of the intervals, the error, and ρ with gaps and regrets, as the study counts them.

    Gaps and regrets are those of sets of a single condition: the forecast less that of the same set under its own condition,
    and less the best of those trained under the test condition.
    """
    made = cross_validate(forecast_of, CONTRAST).at(LEVEL, metric_bounds("f1"))
    used = ((table["shift"] != "in-domain") & table["group"].isna()).to_numpy()
    single = cells.trained.sum(axis=1) == 1
    trained_under = cells.trained.argmax(axis=1)
    own = single & (trained_under == cells.tested)
    in_domain = pd.Series(made.predicted[own]).groupby(cells.tested[own])
    gap = made.predicted - in_domain.mean().reindex(trained_under).to_numpy()
    regret = made.predicted - in_domain.max().reindex(cells.tested).to_numpy()
    some = used & single
    inside = (cells.score >= made.low) & (cells.score <= made.high)
    return {
        "coverage": float(inside[used].mean()),
        "width": float(np.median((made.high - made.low)[used])),
        "r.m.s. error": float(np.sqrt(np.mean((cells.score - made.predicted)[used] ** 2))),
        "ρ with gaps": float(spearmanr(gap[some], table["gap"][some]).statistic),
        "ρ with regrets": float(spearmanr(regret[some], table["regret"][some]).statistic),
    }


def main() -> None:
    """Measure and report."""
    cells, table = read_published(CELLS), pd.read_csv(CELLS, dtype={"trained": str})
    rng, number = np.random.default_rng(0), cells.trained.shape[1]
    count = int(sys.argv[1]) if len(sys.argv) > 1 else DEALS
    deals = [figures(cells, table, dealt(cells, rng.permutation(number))) for _ in range(count)]
    found: dict[str, float] = {}
    for name, value in figures(cells, table, cells).items():
        others = [each[name] for each in deals]
        found |= {name: value, f"{name}, least of the deals": min(others), f"{name}, most": max(others)}
    notes = [f"{len(table)} cells; {count} deals of {number} conditions beside the study's own."]
    report("fold_deals", found, [], notes)


if __name__ == "__main__":
    main()
