"""The page: tables and sentences from the numbers of a campaign, as Markdown."""

import os
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from hrtem_ood.analysis.key_numbers import key_numbers, rows_as_dicts
from hrtem_ood.analysis.provenance import campaign_provenance
from hrtem_ood.analysis.ranking.predictor_ranking import OUTCOMES
from hrtem_ood.analysis.results import CampaignResults, analyse_campaign
from hrtem_ood.analysis.structure_matrix import structure_matrix
from hrtem_ood.artifacts.store import write_bytes, write_text
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.condition_labels import SYMBOLS as PARAMETERS
from hrtem_ood.campaign.condition_labels import ConditionLabels
from hrtem_ood.campaign.report_files import REPORT, figure_names
from hrtem_ood.campaign.results import Results
from hrtem_ood.errors import ArtifactError
from hrtem_ood.learning.evaluation.metric_names import METRICS
from hrtem_ood.report.study_claims import (
    NAIVE,
    comparisons,
    forecast_coverage,
    predictor_correlations,
    primary_predictor,
    rho_differences,
)
from hrtem_ood.report.summary import format_score
from hrtem_ood.transfer.predictors.registry import PREDICTORS

TOP = 5
"""Predictors of the league that are listed besides those of the claim."""

FIGURES = ("league", "gap", "forecast", "design", "structures", "ood_matrix")
"""Figures that the page shows, where the campaign has them."""

OUTCOME = {
    "gap": "score under the test condition less that under the training conditions",
    "regret": "score less that of networks trained under the test condition itself",
}


def write_page(campaign: Campaign, results: Path, page: Path, figures: Path, command: str) -> None:
    """Write the page of a finished campaign and copy its figures.

    Parameters
    ----------
    campaign : Campaign
    results : Path
        The results folder.
    page, figures : Path
        Markdown file, and folder of its pictures; both are overwritten.
    command : str
        Which makes the page, for its head.

    Raises
    ------
    ArtifactError
        Where the campaign is not finished.
    """
    report = Results(results).path("reports", campaign.report_id)
    if not (report / REPORT).exists():
        raise ArtifactError(
            f"{report / REPORT} is not there: the campaign is not finished. Run snakemake with its files."
        )
    shown = [name for name in FIGURES if name in figure_names(campaign)]
    for name in shown:
        write_bytes(figures / f"{name}.png", (report / f"figures/{name}.png").read_bytes())
    links = {name: Path(os.path.relpath(figures / f"{name}.png", page.parent)).as_posix() for name in shown}
    write_text(page, page_text(campaign, results, analyse_campaign(campaign, results), links, command))


def page_text(campaign: Campaign, results: Path, found: CampaignResults, links: dict[str, str], command: str) -> str:
    """Write the page's text.

    Parameters
    ----------
    campaign, results, command
        As in :func:`write_page`.
    found : CampaignResults
    links : dict of str to str
        Of figures, by name.

    Returns
    -------
    str
        Markdown.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("hrtem_ood.report", package_path=""),
        autoescape=False,  # noqa: S701  # Markdown, of this project's own words and numbers
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"score": format_score, "symbol": symbol, "interval": interval, "cell": cell}
    analysis = campaign.config.analysis
    stages, software = campaign_provenance(campaign, results)
    return environment.get_template("study_page.md.j2").render(
        campaign=campaign,
        analysis=analysis,
        command=command,
        links=links,
        found=key_numbers(found.cells),
        ranges=varied_parameters(campaign),
        sets=training_sets(campaign),
        related=predictor_correlations(found, analysis),
        named=METRICS[analysis.metric],
        outcomes={name: outcome(found, campaign, name) for name in OUTCOMES},
        covered=forecast_coverage(found, analysis),
        compare=compare_rows(found, campaign),
        claims={what: comparisons(found, what) if found.compared else [] for what in ("mean", "worst")},
        matrix=structure_matrix(campaign, found.outcomes) if "structures" in figure_names(campaign) else None,
        structural=contest_rows(found, campaign, "gap", structures=True),
        hours=sum(stage.seconds for stage in stages) / 3600,
        revisions=sorted({revision for stage in stages for revision in stage.revisions}),
        software={name: software[name] for name in ("torch", "numpy", "scipy", "abtem") if name in software},
        limits=limitations(campaign, found),
    )


def symbol(name: str) -> str:
    """Return a predictor as it stands in tables: its name, and its symbol where it comes with the project."""
    known = PREDICTORS.get(name)
    # a bar would end a table's cell
    return f"`{name}`" + (f" {known.symbol.replace('|', '∣')}" if known else "")


def interval(value: float, low: float, high: float) -> str:
    """Write a signed number with its interval."""
    return f"{format_score(value, signed=True)} [{format_score(low, signed=True)}, {format_score(high, signed=True)}]"


def cell(row: dict[str, Any], name: str) -> str:
    """Write a number of a table that has ``…_low`` and ``…_high`` beside it."""
    low, high = (row[f"{name}_{end}"] for end in ("low", "high"))
    return interval(row[name if name in row else f"{name}_r2"], low, high)


def varied_parameters(campaign: Campaign) -> list[str]:
    """Name the parameters that vary over conditions, with their ranges."""
    conditions = campaign.transfer.conditions
    told = []
    for name in ConditionLabels(conditions).varying:
        values = [value for value in (getattr(condition, name) for condition in conditions) if value is not None]
        text, unit = PARAMETERS[name]
        told.append(f"{text} {min(values):g} to {max(values):g} {unit}".replace("-", "−"))
    return told


def training_sets(campaign: Campaign) -> list[str]:
    """Tell what networks train on: name, structures, conditions, and how many networks there are."""
    told = []
    for name, sets in campaign.training_sets.items():
        ids = {each.id for each in sets}
        networks = sum(network.training_set in ids for network in campaign.networks.values())
        grid = campaign.config.training_sets[name]
        conditions = max(len(each.datasets) for each in sets)
        kind = (
            f"one set of {_number(conditions, 'condition')}"
            if grid.mixture
            else f"{_number(len(sets), 'set')} of one condition"
        )
        if networks:
            told.append(
                f"`{name}`: {kind}, {sum(sets[0].n_images)} images of `{grid.structure_set}` "
                f"{'in all' if grid.mixture else 'each'}; {networks} networks"
            )
    return told


def outcome(found: CampaignResults, campaign: Campaign, name: str) -> dict[str, Any]:
    """Gather what the page tells about one outcome."""
    analysis = campaign.config.analysis
    league = found.tables["league"]
    part = league[(league.outcome == name) & (league.cells == "imaging")].reset_index(drop=True)
    # equals share a place
    part.insert(0, "place", part.rho.round(9).rank(method="min", ascending=False, na_option="bottom").astype(int))
    own = primary_predictor(name, analysis)
    kept = part[(part.place <= TOP) | part.predictor.isin([own, *NAIVE])]
    # the best of all, and the best of what is known before any network is trained
    ahead = part[part.place < part.place[part.predictor == own].min()]
    firsts = dict.fromkeys([*ahead.predictor.iloc[:1], *ahead.predictor[ahead.family != "network"].iloc[:1]])
    return {
        "meaning": OUTCOME[name],
        "claimed": own,
        "rows": rows_as_dicts(kept),
        "own": rows_as_dicts(part[part.predictor == own]),
        "entered": len(part),
        "n": int(part.n.max()) if len(part) else 0,
        "gains": rho_differences(found, analysis, name, own, NAIVE),
        "leads": {first: rho_differences(found, analysis, name, first, [own]) for first in firsts},
        "contests": contest_rows(found, campaign, name, structures=False),
    }


def contest_rows(found: CampaignResults, campaign: Campaign, name: str, *, structures: bool) -> list[dict[str, Any]]:
    """Return, per contest of the league, ρ of the claimed, of the best, and of the naive predictors."""
    league, rows = found.tables["league"], []
    of_outcome = league[league.outcome == name]
    for cells, part in of_outcome.groupby("cells", sort=False):
        if str(cells).startswith("structure") != structures:
            continue
        known = part.set_index("predictor")
        own = primary_predictor(name, campaign.config.analysis)
        best = part.sort_values("rho", ascending=False).iloc[0]
        rows.append(
            {
                "cells": cells,
                "n": int(part.n.iloc[0]),
                "best": best.to_dict() if np.isfinite(best.rho) else None,
                "rho": {each: known.loc[each].to_dict() if each in known.index else None for each in (own, *NAIVE)},
            }
        )
    return rows


def compare_rows(found: CampaignResults, campaign: Campaign) -> list[dict[str, Any]]:
    """Return the rows of the comparison, with what the texture accuracy predicts for each: its mean over the same tests."""
    if not found.compared:
        return []
    predicted = found.predictors["texture_accuracy"]
    rows = []
    for row in rows_as_dicts(found.tables["compare"]):
        name = row["training_set"]
        recipe = campaign.recipe_id(campaign.config.training_sets[name].structure_set)
        tests = [
            id_
            for id_ in map(str, predicted.condition.values)
            if campaign.recipe_id(campaign.structure_set_of_dataset[id_]) == recipe
        ]
        ids = [each.id for each in campaign.training_sets[name] if each.id in predicted.training_set.values]
        rows.append(row | {"predicted": float(predicted.sel(training_set=ids, condition=tests).mean())})
    return rows


def limitations(campaign: Campaign, found: CampaignResults) -> list[str]:
    """Tell what the campaign cannot show, by what it holds."""
    config = campaign.config
    architectures = {each.label for grid in config.networks.values() for each in grid.architecture}
    seeds = sorted({network.hyperparameters.seed for network in campaign.networks.values()})
    used = {config.structure_sets[name] for name in campaign.used_structure_sets}
    materials = sorted({each.material for each in used if hasattr(each, "material")})
    images = sorted({sum(spec.n_images) for spec in campaign.training_set_by_id.values()})
    told = [
        f"Networks of {_number(len(architectures), 'architecture')} ({', '.join(sorted(architectures))}), trained on "
        f"{' or '.join(map(str, images))} images, with {len(seeds)} seeds at most: nothing about larger networks or more images.",
        f"Simulated images only, of {_number(len(materials), 'material')} ({', '.join(materials)}): the step to experiments "
        "adds what the simulation leaves out (docs/methods.md, Limits).",
        "Conditions within the ranges above only, in one draw: intervals take training sets and conditions as drawn at random.",
        "The predictors of the claims are those of the configuration and of this page's template, whatever the run found; all "
        "scores come of one simulation.",
        "Intervals stand for themselves: none is corrected for the number of comparisons on this page.",
    ]
    if found.compared:
        told.append(
            f"The comparison of training sets is one draw each of {len(found.compared)} choices, with "
            f"{max(len(one.networks) for one in found.compared)} networks at most: it tells these choices apart, not kinds of "
            "choices in general."
        )
    return told


def _number(count: int, noun: str) -> str:
    return f"one {noun}" if count == 1 else f"{count} {noun}s"
