"""The page of a study: tables and sentences from the numbers of a campaign, as Markdown."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import numpy as np
import pandas as pd

from hrtem_ood.analysis.correlation import spearman
from hrtem_ood.analysis.earlier_forecast import earlier_forecast
from hrtem_ood.analysis.key_numbers import key_numbers, rows_as_dicts
from hrtem_ood.analysis.mixture_law import (
    MixtureLaw,
    has_mixture_law,
    interval_widths,
    mixture_law,
    published_mixture_law,
)
from hrtem_ood.analysis.provenance import campaign_provenance
from hrtem_ood.analysis.published_cells import write_cells
from hrtem_ood.analysis.ranking.predictor_ranking import OUTCOMES, bootstrap_stream, cell_subsets
from hrtem_ood.analysis.results import CampaignResults, analyse_campaign
from hrtem_ood.analysis.variance_components import LARGE, variance_components
from hrtem_ood.artifacts.store import write_bytes, write_text
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.report_files import REPORT, figures_of, has_several_recipes
from hrtem_ood.campaign.results import Results
from hrtem_ood.config.analysis import FORECAST, Analysis
from hrtem_ood.errors import ArtifactError
from hrtem_ood.learning.evaluation.metric_names import METRICS
from hrtem_ood.report.data import ReportData
from hrtem_ood.report.forecast_claims import (
    claimed_cells,
    coverage_bins,
    coverage_claims,
    design_answer,
    rho_claim,
)
from hrtem_ood.report.study_claims import comparisons, forecast_coverage, predictor_correlations, rho_differences
from hrtem_ood.report.study_text import limitations, planned_networks, training_sets, varied_parameters
from hrtem_ood.report.study_trends import trends
from hrtem_ood.report.templates import load_template
from hrtem_ood.transfer.predictors.registry import PREDICTORS

TOP = 5
"""Predictors of the ranking that are listed besides those of the claim."""

OUTCOME = {
    "gap": "score under the test condition less that under the training conditions",
    "regret": "score less that of networks trained under the test condition itself",
}

MIXTURES = "it takes mixtures of two sizes whose conditions also train alone, on as many images."
"""What a law of mixtures needs."""

PACKAGES = ("torch", "numpy", "scipy", "abtem")
"""Packages whose versions the page states."""


def write_page(
    campaign: Campaign,
    results: Path,
    page: Path,
    figures: Path,
    command: str,
    data_folder: Path | None = None,
    beside: Path | None = None,
) -> list[Path]:
    """Write the page of a finished campaign, copy its figures, and publish its cells.

    Parameters
    ----------
    campaign : Campaign
    results : Path
        The results folder.
    page, figures : Path
        Markdown file, and folder of its pictures; both are overwritten.
    command : str
        Command that generates the page, for its first lines.
    data_folder : Path, optional
        Folder of its cells; without one, none are written.
    beside : Path, optional
        Published cells of another campaign, whose law of mixtures is written beside.

    Returns
    -------
    list of Path
        Files of cells.

    Raises
    ------
    ArtifactError
        Where the campaign is not finished, or ``beside`` cannot be read.
    """
    report = Results(results).path("reports", campaign.report_id)
    if not (report / REPORT).exists():
        raise ArtifactError(
            f"{report / REPORT} does not exist: the campaign is not finished. Run snakemake with its files."
        )
    names = [row.name for row in figures_of(campaign) if row.on_study_page]
    links = {name: Path(os.path.relpath(figures / f"{name}.png", page.parent)).as_posix() for name in names}
    other = None if beside is None else other_law(beside, page, campaign.config.analysis)
    data = ReportData(campaign, results, analyse_campaign(campaign, results))
    if other is not None and not has_mixture_law(campaign, data.results.outcomes):
        raise ArtifactError(
            f"{campaign.name} has no law of mixtures, beside which that of {beside} would be: {MIXTURES}"
        )
    pictures = {figures / f"{name}.png": (report / f"figures/{name}.png").read_bytes() for name in names}
    # whatever cannot be read or made is met before the first file is written
    for folder in (page.parent, figures, *([] if data_folder is None else [data_folder])):
        folder.mkdir(parents=True, exist_ok=True)
    for path, content in pictures.items():
        write_bytes(path, content)
    cells = [] if data_folder is None else write_cells(campaign, results, data.results, data_folder)
    published = [Path(os.path.relpath(each, page.parent)).as_posix() for each in cells]
    write_text(page, page_text(data, links, command, published, other))
    return cells


class OtherLaw(NamedTuple):
    """The law of mixtures of another campaign, its name, and the link of its cells."""

    campaign: str
    link: str
    law: MixtureLaw


def other_law(cells: Path, page: Path, analysis: Analysis) -> OtherLaw:
    """Read the law of mixtures of another campaign, for the page of this one."""
    if (law := published_mixture_law(cells, analysis)) is None:
        raise ArtifactError(f"{cells} has no law of mixtures: {MIXTURES}")
    name = re.sub(r"(?<=.)(_cells)?\.csv(\.gz)?$", "", cells.name).replace("`", "'")
    return OtherLaw(name, quote(Path(os.path.relpath(cells, page.parent)).as_posix()), law)


def page_text(
    data: ReportData,
    links: dict[str, str],
    command: str,
    published: Sequence[str] = (),
    beside: OtherLaw | None = None,
) -> str:
    """Write the page's text.

    Parameters
    ----------
    data : ReportData
    links : dict of str to str
        Of figures, by name.
    command : str
        Command that generates the page.
    published : sequence of str
        Links of the files of cells.
    beside : OtherLaw, optional

    Returns
    -------
    str
        Markdown.
    """
    campaign, results, analysis = data.campaign, data.results, data.analysis
    stages, software = campaign_provenance(campaign, data.folder)
    covered = forecast_coverage(results, analysis)
    law = mixture_law(campaign, results.outcomes)
    return load_template("study_page.md.j2", html=False).render(
        campaign=campaign,
        analysis=analysis,
        command=command,
        links=links,
        numbers=key_numbers(results.cells),
        ranges=varied_parameters(campaign),
        sets=training_sets(campaign),
        related=predictor_correlations(results, analysis),
        metric=METRICS[analysis.metric],
        symbol=predictor_symbol,
        outcomes={name: outcome_summary(results, campaign, name) for name in OUTCOMES},
        covered=covered,
        fitted=results.fitted,
        no_forecaster=results.no_forecaster,
        coverage_claims=coverage_claims(results, campaign, covered),
        bins=coverage_bins(results),
        designs=design_answer(results, campaign),
        groups={group: apart_rows(results, analysis, group) for group in analysis.apart},
        compare=compare_rows(results, campaign),
        differences={name: comparisons(results, name) if results.compared else [] for name in ("mean", "worst")},
        matrix=data.structure_matrix if has_several_recipes(campaign) else None,
        structural=subset_rows(results, campaign, "gap", structures=True),
        hours=sum(stage.seconds for stage in stages) / 3600,
        devices=sorted({device for stage in stages for device in stage.devices}),
        revisions=sorted({revision for stage in stages for revision in stage.revisions}),
        software={name: software[name] for name in PACKAGES if name in software},
        limits=limitations(campaign, results),
        published=published,
        spread=variance_components(results.metrics, results.outcomes, analysis),
        law=law,
        beside=beside if law else None,
        widths=interval_widths(law, beside.law) if law and beside else {},
        earlier=earlier_forecast(campaign, data.folder, results.outcomes),
        large=LARGE,
        planned=planned_networks(campaign),
        trends=trends(results, campaign, data.structure_matrix if has_several_recipes(campaign) else None),
    )


def predictor_symbol(name: str) -> str:
    """Return a predictor as in tables: its name, and its symbol where it is a built-in one."""
    built_in = PREDICTORS.get(name)
    # a vertical bar would end a cell of the table
    return f"`{name}`" + (f" {built_in.symbol.replace('|', '∣')}" if built_in else "")


def outcome_summary(results: CampaignResults, campaign: Campaign, name: str) -> dict[str, Any]:
    """Gather the page's content on one outcome: ranking, claim with its differences, and subsets of cells."""
    analysis = campaign.config.analysis
    ranking, claim = results.tables["predictor_ranking"], analysis.claim_on(name)
    cells = claimed_cells(claim.cells if claim else "all")
    part = ranking[(ranking.outcome == name) & (ranking.cells == cells)].reset_index(drop=True)
    # ties share a place
    part.insert(0, "place", part.rho.round(9).rank(method="min", ascending=False, na_option="bottom").astype(int))
    named = [claim.predictor, *claim.better_than] if claim else []
    content: dict[str, Any] = {
        "meaning": OUTCOME[name],
        "claim": claim,
        "cells": cells,
        "rho": rho_claim(results, campaign, name),
        "rows": rows_as_dicts(part[(part.place <= TOP) | part.predictor.isin(named)]),
        "entered": len(part),
        "n": int(part.n.max()) if len(part) else 0,
        "subsets": subset_rows(results, campaign, name, structures=False),
        "claimed": [],
        "gains": [],
        "leads": {},
    }
    if claim is None:
        return content
    return content | {
        "claimed": rows_as_dicts(part[part.predictor == claim.predictor]),
        "gains": rho_differences(results, analysis, name, claim.predictor, claim.better_than, cells),
        "leads": {
            first: rho_differences(results, analysis, name, first, [claim.predictor], cells)
            for first in _predictors_ahead(part, claim.predictor)
        },
    }


def _predictors_ahead(part: pd.DataFrame, predictor: str) -> list[str]:
    """Return the best of all predictors ahead of one, and the best of those that need no trained network, each once."""
    ahead = part[part.place < part.place[part.predictor == predictor].min()]
    return list(dict.fromkeys([*ahead.predictor.iloc[:1], *ahead.predictor[ahead.family != "network"].iloc[:1]]))


def subset_rows(results: CampaignResults, campaign: Campaign, name: str, *, structures: bool) -> list[dict[str, Any]]:
    """Return, per subset of cells, ρ of the best predictor and of those of the claim."""
    ranking, rows = results.tables["predictor_ranking"], []
    claim = campaign.config.analysis.claim_on(name)
    named = [claim.predictor, *claim.better_than] if claim else []
    for cells, part in ranking[ranking.outcome == name].groupby("cells", sort=False):
        apart = any(str(cells).startswith(group) for group in campaign.config.analysis.apart)
        if apart or str(cells).startswith("structure") != structures:
            continue
        by_name = part.set_index("predictor")
        best = _best(part)
        rows.append(
            {
                "cells": cells,
                "n": int(part.n.iloc[0]),
                "best": best.to_dict() if np.isfinite(best.rho) else None,
                "rho": {each: by_name.loc[each].to_dict() if each in by_name.index else None for each in named},
            }
        )
    return rows


def _best(part: pd.DataFrame) -> "pd.Series[Any]":
    """Return the predictor with the largest ρ; of those that differ by rounding only, always the same one."""
    rounded = part.assign(rounded=part.rho.round(9)).sort_values(["rounded", "predictor"], ascending=[False, True])
    return rounded.drop(columns="rounded").iloc[0]


APART = ("sigma", FORECAST, "log_cnr_difference", "texture_gap", "abs_delta_defocus_A")
"""Predictors that are listed for a group of conditions that is reported apart, besides the best."""


def apart_rows(results: CampaignResults, analysis: Analysis, group: str) -> list[dict[str, Any]]:
    """Return what predicts gap and regret within a group of conditions, with and without minimum contrast.

    ε of the test is no predictor of the ranking, as it knows nothing of training, but is listed here.
    """
    ranking, rows = results.tables["predictor_ranking"], []
    outcomes, subsets = results.outcomes, cell_subsets(results.outcomes)
    of_test = results.cells.epsilon.sel(condition=outcomes.condition.values).values
    for outcome in OUTCOMES:
        for cells in (group, f"{group}, away from minimum contrast"):
            part = ranking[(ranking.outcome == outcome) & (ranking.cells == cells)]
            if part.empty:
                continue
            by_name = part.set_index("predictor")
            measured = outcomes[outcome].values
            epsilon = spearman(
                measured,
                np.broadcast_to(of_test, measured.shape),
                subsets[cells] & np.isfinite(measured),
                outcomes.place.values,
                analysis,
                bootstrap_stream(outcome, cells),
            )
            rows.append(
                {
                    "epsilon": {"rho": epsilon.rho, "rho_low": epsilon.low, "rho_high": epsilon.high},
                    "outcome": outcome,
                    "cells": cells,
                    "n": int(part.n.iloc[0]),
                    "best": _best(part).to_dict(),
                    "rho": {name: by_name.loc[name].to_dict() if name in by_name.index else None for name in APART},
                }
            )
    return rows


def compare_rows(results: CampaignResults, campaign: Campaign) -> list[dict[str, Any]]:
    """Return the rows of the comparison, each with its predicted score: the mean texture accuracy over the same tests."""
    if not results.compared:
        return []
    predicted = results.predictors["texture_accuracy"]
    rows = []
    for row in rows_as_dicts(results.tables["compare"]):
        name = row["training_set"]
        recipes = {campaign.recipe_id(each) for each in campaign.config.training_sets[name].structure_sets}
        tests = [
            id_
            for id_ in map(str, predicted.condition.values)
            if campaign.recipe_id(campaign.structure_set_of_dataset[id_]) in recipes
        ]
        ids = [each.id for each in campaign.training_sets[name] if each.id in predicted.training_set.values]
        rows.append(row | {"predicted": float(predicted.sel(training_set=ids, condition=tests).mean())})
    return rows
