"""Answers to the claims on the forecaster, and on designed training sets over several draws of conditions of use."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from hrtem_ood.analysis.design_draws import (
    KINDS,
    STATISTICS,
    DrawScores,
    draw_table,
    pooled_difference,
    worst_of_medians,
)
from hrtem_ood.analysis.key_numbers import rows_as_dicts
from hrtem_ood.analysis.published_cells import campaign_draws
from hrtem_ood.analysis.ranking.forecast_comparison import coverage_by_bin
from hrtem_ood.analysis.ranking.outcomes import BETTER
from hrtem_ood.analysis.ranking.predictor_ranking import cell_subsets
from hrtem_ood.analysis.results import CampaignResults
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.report.study_claims import Difference, ForecastCoverage


@dataclass(frozen=True)
class Claimed:
    """A number that is claimed to lie within a range.

    Attributes
    ----------
    what : str
        The claim.
    value : float
    low, high : float
        Interval of the number; NaN where none is drawn.
    holds : bool
    """

    what: str
    value: float
    low: float
    high: float
    holds: bool

    @property
    def verdict(self) -> str:
        """``held`` or ``refuted``, by the number itself."""
        return "held" if self.holds else "refuted"


def coverage_claims(results: CampaignResults, campaign: Campaign, covered: ForecastCoverage | None) -> list[Claimed]:
    """Return the answers to ``analysis.forecast_claim``; empty without the claim, or without a forecaster."""
    claim = campaign.config.analysis.forecast_claim
    if claim is None or covered is None or results.fitted is None:
        return []
    low, high = claim.coverage
    return [
        Claimed(
            f"{100 * low:g} % to {100 * high:g} % of the scores lie within their intervals",
            covered.coverage,
            covered.low,
            covered.high,
            low <= covered.coverage <= high,
        ),
        Claimed(
            f"their median width is {claim.width_at_most:g} at most",
            covered.width,
            float("nan"),
            float("nan"),
            covered.width <= claim.width_at_most,
        ),
    ]


def coverage_bins(results: CampaignResults) -> list[dict[str, Any]]:
    """Return the coverage of the forecaster by bins of the forecast; empty without a forecaster."""
    if results.fitted is None:
        return []
    score = results.fitted.chosen.matrix(results.fitted.chosen.cells.score)
    use = cell_subsets(results.outcomes)["imaging"]
    return rows_as_dicts(coverage_by_bin(results.fitted.forecasts(), score, use))


@dataclass(frozen=True)
class DesignAnswer:
    """The comparison of designed sets with others, pooled over draws.

    Attributes
    ----------
    draws : int
        Of conditions of use.
    table : list of dict
        One row per draw and size: means of each kind, mean and worst.
    pooled : list of (str, dict of (str, str) to Difference)
        Over all sizes, then of each: by statistic and kind.
    worst_of_medians : float
        Over all sizes, how much better than uniform ones in the worst cell; see
        :func:`hrtem_ood.analysis.design_draws.worst_of_medians`.
    """

    draws: int
    table: list[dict[str, Any]]
    pooled: list[tuple[str, dict[tuple[str, str], Difference]]]
    worst_of_medians: float


def design_answer(results: CampaignResults, campaign: Campaign) -> DesignAnswer | None:
    """Compare the sets of ``analysis.design_draws``; None where there are none."""
    analysis = campaign.config.analysis
    if not analysis.design_draws:
        return None
    draws = campaign_draws(campaign, results)
    table = draw_table(draws, BETTER[analysis.metric])

    def answers(some: list[DrawScores]) -> dict[tuple[str, str], Difference]:
        differences: dict[tuple[str, str], Difference] = {}
        for statistic in STATISTICS:
            for kind in KINDS:
                ends = pooled_difference(
                    some, kind, statistic, resamples=analysis.bootstrap_resamples, level=analysis.confidence_level
                )
                differences[statistic, kind] = Difference(kind, *ends)
        return differences

    sizes = sorted({draw.size for draw in draws})
    pooled = [("all", answers(draws))]
    pooled += [(f"{size} conditions", answers([draw for draw in draws if draw.size == size])) for size in sizes]
    return DesignAnswer(len({draw.use for draw in draws}), _by_kind(table), pooled, worst_of_medians(draws, "uniform"))


def _by_kind(table: pd.DataFrame) -> list[dict[str, Any]]:
    rows = []
    for (use, size), part in table.groupby(["use", "conditions"], sort=False):
        means = part.groupby("kind")[["mean", "worst", "forecast"]].mean()
        row: dict[str, Any] = {"use": use, "size": size}
        for kind in ("designed", *KINDS):
            row |= {f"{kind}_{name}": float(np.asarray(means.loc[kind, name])) for name in means.columns}
        rows.append(row)
    return rows


def rho_claim(results: CampaignResults, campaign: Campaign, outcome: str) -> Claimed | None:
    """Return the answer to a claim on the size of ρ; None where there is none, or no such row of the ranking."""
    claim = campaign.config.analysis.claim_on(outcome)
    if claim is None or claim.rho_at_least is None:
        return None
    ranking = results.tables["predictor_ranking"]
    rows = ranking[
        (ranking.outcome == outcome)
        & (ranking.cells == claimed_cells(claim.cells))
        & (ranking.predictor == claim.predictor)
    ]
    if rows.empty:
        return None
    row = rows_as_dicts(rows)[0]
    what = f"ρ is {claim.rho_at_least:g} or more"
    return Claimed(what, row["rho"], row["rho_low"], row["rho_high"], row["rho"] >= claim.rho_at_least)


def claimed_cells(cells: str) -> str:
    """Return the name of the subset of cells that a claim is about."""
    return "imaging, single-condition training" if cells == "single" else "imaging"
