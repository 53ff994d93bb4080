"""The report of a campaign: one HTML file that needs no other."""

import base64
import re
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
import xarray as xr
import yaml

from hrtem_ood.analysis.correlation import LEVEL, RESAMPLES
from hrtem_ood.analysis.diagnostics import diverged
from hrtem_ood.analysis.key_numbers import by_training_set, key_numbers, rows_as_dicts
from hrtem_ood.analysis.ood_gap import MINIMUM_CONTRAST
from hrtem_ood.analysis.provenance import campaign_provenance
from hrtem_ood.analysis.results import CampaignResults
from hrtem_ood.analysis.tables import varied_hyperparameters
from hrtem_ood.artifacts import store
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.condition_labels import ConditionLabels
from hrtem_ood.campaign.report_files import table_names
from hrtem_ood.report.figures.render import captions
from hrtem_ood.report.summary import format_score

SYMBOLS = {"sigma": "σ", "epsilon": "ε", "abs_delta_defocus_A": "|Δf − Δf′|"}

GROUPS = {
    "Conditions": ("examples", "ctf", "power"),
    "Generalisation": ("ood_matrix", "gap"),
    "What predicts it": ("league", "forecast"),
    "Other structures": ("structures",),
    "Training sets side by side": ("design",),
    "Training": ("learning_curves",),
}
"""Names of the report's figures by the heading that they stand under; all figures have one."""

BROAD = 800
"""A figure of more points across is shown wider than the text."""

LOST_HEADS = {"training_label": "trained under", "epochs_trained": "in epoch"}
"""Names of columns of the table of networks that diverged, where they are not those of the table itself."""

LONG = 40
"""Tables of more rows are folded."""

TITLES = {
    "examples": "Test images",
    "ctf": "Contrast transfer of the conditions",
    "power": "Power transfer of the conditions",
    "ood_matrix": "Every training set under every test condition",
    "gap": "The gap against its predictors",
    "league": "The league of predictors",
    "forecast": "What was forecast",
    "structures": "Every recipe of structures against every other",
    "design": "Mean and worst over the test conditions",
    "learning_curves": "How networks learnt",
}


def report_html(
    campaign: Campaign,
    results: Path,
    found: CampaignResults,
    figures: dict[str, bytes],
) -> str:
    """Write the report.

    Parameters
    ----------
    campaign : Campaign
    results : Path
        The results folder: the attributes of all artifacts that are there are read.
    found : CampaignResults
    figures : dict of str to bytes
        From :func:`hrtem_ood.report.figures.render.all_figures`.

    Returns
    -------
    str
        HTML.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("hrtem_ood.report", package_path=""),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"score": format_score, "plain": _plain_text}
    stages, software = campaign_provenance(campaign, results)
    return environment.get_template("report.html.j2").render(
        campaign=campaign.name,
        found=key_numbers(found.cells),
        over=varied_hyperparameters(found.metrics),
        groups=_figures(campaign, found, figures),
        long=LONG,
        predictors=_predictor_rows(found.tables["predictors"]),
        contests=_contests(found.tables["league"]),
        forecast=found.forecast,
        analysis=campaign.config.analysis,
        training_sets=rows_as_dicts(by_training_set(found.cells)),
        conditions=_condition_rows(found.cells),
        architectures=rows_as_dicts(found.tables["architectures"]),
        lost=rows_as_dicts(diverged(found.metrics)),
        lost_heads=LOST_HEADS,
        compare=rows_as_dicts(found.tables.get("compare", pd.DataFrame())),
        signs=rows_as_dicts(found.tables["signs_of_trouble"]),
        labels=ConditionLabels(campaign.transfer.conditions),
        minimum_contrast=MINIMUM_CONTRAST,
        resamples=RESAMPLES,
        level=LEVEL,
        tables=[f"tables/{name}.csv" for name in table_names(campaign)],
        config=config_yaml(campaign),
        stages=stages,
        software=software,
        revision=store.git_revision(),
        metrics_made=found.metrics.attrs,
    )


def config_yaml(campaign: Campaign) -> str:
    """Write the configuration as YAML, without what is left at its default."""
    content = campaign.config.model_dump(mode="json", exclude_defaults=True)
    return str(yaml.safe_dump(_plain(content), sort_keys=False, allow_unicode=True, width=100, default_flow_style=None))


def _plain(value: Any) -> Any:
    """Write grid axes of one value as that value, and whole numbers without a point, as one writes them by hand."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return _plain(value[0]) if len(value) == 1 else [_plain(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _plain_text(value: Any) -> str:
    """Write a value of a table as one does by hand; what is not set is a dash."""
    if isinstance(value, float):
        return "–" if value != value else f"{value:g}"  # NaN
    return str(value)


def _figures(campaign: Campaign, found: CampaignResults, files: dict[str, bytes]) -> dict[str, list[dict[str, Any]]]:
    """Return name, title, caption, a data URI and whether it is broad, of every figure, by heading."""
    texts = captions(campaign, found)

    def told(name: str) -> dict[str, Any]:
        content = files[f"figures/{name}.svg"]
        width = re.search(rb'<svg[^>]* width="([0-9.]+)pt"', content)
        return {
            "name": name,
            "title": TITLES[name],
            "caption": texts[name],
            "uri": "data:image/svg+xml;base64," + base64.b64encode(content).decode(),
            "broad": width is not None and float(width[1]) > BROAD,
        }

    groups = {heading: [told(name) for name in names if name in texts] for heading, names in GROUPS.items()}
    return {heading: figures for heading, figures in groups.items() if figures}


def _predictor_rows(predictors: pd.DataFrame) -> list[dict[str, Any]]:
    """Group the correlations by the cells that they are over: one row each."""
    rows: list[dict[str, Any]] = []
    for name, part in predictors.groupby("cells", sort=False):
        by = {SYMBOLS[row["predictor"]]: row for row in rows_as_dicts(part)}
        rows.append({"cells": name, "n": max(row["n"] for row in by.values()), "by": by})
    return rows


def _contests(league: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the contests of the league, each with its predictors in order."""
    groups = league.groupby(["outcome", "cells"], sort=False)
    return [
        {"outcome": outcome, "cells": cells, "n": int(part.n.iloc[0]), "rows": rows_as_dicts(part)}
        for (outcome, cells), part in groups
    ]


def _condition_rows(cells: xr.Dataset) -> list[dict[str, Any]]:
    names = ["condition_label", "structure_set", "suites", "images", "epsilon", "minimum_contrast"]
    frame = cells[["epsilon", "minimum_contrast"]].to_dataframe().reset_index()
    return rows_as_dicts(frame[names])
