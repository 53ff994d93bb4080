"""The report of a campaign: one self-contained HTML file."""

import base64
import re
from typing import Any

import pandas as pd
import xarray as xr
import yaml

from hrtem_ood.analysis.diagnostics import diverged
from hrtem_ood.analysis.key_numbers import by_training_set, key_numbers, rows_as_dicts
from hrtem_ood.analysis.ood_gap import MINIMUM_CONTRAST
from hrtem_ood.analysis.provenance import campaign_provenance
from hrtem_ood.analysis.tables import varied_hyperparameters
from hrtem_ood.artifacts import store
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.report_files import figures_of, table_names
from hrtem_ood.learning.evaluation.metric_names import METRICS
from hrtem_ood.report.answer import answer, by_topic
from hrtem_ood.report.data import ReportData
from hrtem_ood.report.explorer import explorer, json_text, policy, scripts
from hrtem_ood.report.figures.catalogue import captions
from hrtem_ood.report.templates import load_template

SYMBOLS = {"sigma": "σ", "epsilon": "ε", "abs_delta_defocus_A": "|Δf − Δf′|"}

BROAD = 800
"""A figure wider than this is drawn wider than the text [pt]."""

DIVERGED_HEADINGS = {"training_label": "trained under", "epochs_trained": "in epoch"}
"""Headings of the table of diverged networks, where they are not the names of its columns."""

LONG = 40
"""Tables with more rows than this are folded."""


def report_html(data: ReportData, figures: dict[str, bytes]) -> str:
    """Write the report.

    Parameters
    ----------
    data : ReportData
        Of its results folder, the provenance of all artifacts that exist is read.
    figures : dict of str to bytes
        From :func:`hrtem_ood.report.figures.catalogue.all_figures`.

    Returns
    -------
    str
        HTML.
    """
    results, tables = data.results, data.results.tables
    stages, software = campaign_provenance(data.campaign, data.folder)
    interactive = explorer(data)
    return load_template("report.html.j2", html=True).render(
        campaign=data.campaign.name,
        answer=by_topic(answer(data.campaign, results)),
        numbers=key_numbers(results.cells),
        over=varied_hyperparameters(results.metrics),
        sections=_sections(data, figures),
        policy=policy(scripts()),
        scripts=scripts(),
        explorer=json_text(interactive.content),
        blocks=interactive.blocks,
        first=interactive.first,
        long=LONG,
        predictors=_predictor_rows(tables["predictors"]),
        rankings=_rankings(tables["predictor_ranking"]),
        forecast=results.forecast,
        forecast_width=float((tables["forecast"].high - tables["forecast"].low).median()),
        fitted=results.fitted is not None,
        no_forecaster=results.no_forecaster,
        analysis=data.analysis,
        score_name=METRICS[data.analysis.metric].long_name,
        forecast_symbol=results.predictors[data.analysis.forecast_predictor].attrs["long_name"],
        training_sets=rows_as_dicts(by_training_set(results.cells)),
        conditions=_condition_rows(results.cells),
        architectures=rows_as_dicts(tables["architectures"]),
        measured=results.measured.gaps if results.measured else [],
        diverged=rows_as_dicts(diverged(results.metrics)),
        diverged_headings=DIVERGED_HEADINGS,
        compare=rows_as_dicts(tables.get("compare", pd.DataFrame())),
        uncertainty=rows_as_dicts(tables["uncertainty"]),
        labels=data.labels,
        minimum_contrast=MINIMUM_CONTRAST,
        energy_keV=data.campaign.config.simulation.energy_eV / 1e3,
        tables=[f"tables/{name}.csv" for name in table_names(data.campaign)],
        config=config_yaml(data.campaign),
        stages=stages,
        software=software,
        revision=store.git_revision(),
        metrics=results.metrics.attrs,
    )


def config_yaml(campaign: Campaign) -> str:
    """Write the configuration as YAML, without values that are defaults."""
    content = campaign.config.model_dump(mode="json", exclude_defaults=True)
    return str(yaml.safe_dump(_plain(content), sort_keys=False, allow_unicode=True, width=100, default_flow_style=None))


def _plain(value: Any) -> Any:
    """Write grid axes of one value as that value, and whole numbers without a point, as in files written by hand."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return _plain(value[0]) if len(value) == 1 else [_plain(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _sections(data: ReportData, files: dict[str, bytes]) -> dict[str, list[dict[str, Any]]]:
    """Return name, title, caption, a data URI and whether it is broad, of every figure, by section."""
    texts = captions(data)
    sections: dict[str, list[dict[str, Any]]] = {}
    for row in figures_of(data.campaign):
        content = files[f"figures/{row.name}.svg"]
        width = re.search(rb'<svg[^>]* width="([0-9.]+)pt"', content)
        figure = {
            "name": row.name,
            "title": row.title,
            "caption": texts[row.name],
            "uri": "data:image/svg+xml;base64," + base64.b64encode(content).decode(),
            "broad": width is not None and float(width[1]) > BROAD,
        }
        sections.setdefault(row.section, []).append(figure)
    return sections


def _predictor_rows(predictors: pd.DataFrame) -> list[dict[str, Any]]:
    """Group the correlations by subset of cells: one row each."""
    rows: list[dict[str, Any]] = []
    for name, part in predictors.groupby("cells", sort=False):
        by = {SYMBOLS[row["predictor"]]: row for row in rows_as_dicts(part)}
        rows.append({"cells": name, "n": max(row["n"] for row in by.values()), "by": by})
    return rows


def _rankings(ranking: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rankings by outcome and subset of cells, each with its predictors in order."""
    groups = ranking.groupby(["outcome", "cells"], sort=False)
    return [
        {"outcome": outcome, "cells": cells, "n": int(part.n.iloc[0]), "rows": rows_as_dicts(part)}
        for (outcome, cells), part in groups
    ]


def _condition_rows(cells: xr.Dataset) -> list[dict[str, Any]]:
    names = ["condition_label", "structure_set", "suites", "images", "epsilon", "minimum_contrast"]
    frame = cells[["epsilon", "minimum_contrast"]].to_dataframe().reset_index()
    return rows_as_dicts(frame[names])
