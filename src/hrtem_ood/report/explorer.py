"""What the interactive matrix and scatter plot of the report are made from: plain data, written into the page."""

import base64
import hashlib
import json
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.colors import to_hex
from numpy.typing import NDArray

from hrtem_ood.analysis.feature_shift import MEASURES
from hrtem_ood.analysis.matrix import training_set_titles
from hrtem_ood.analysis.ranking.outcomes import BETTER
from hrtem_ood.analysis.tables import varied_hyperparameters
from hrtem_ood.campaign.test_datasets import test_datasets
from hrtem_ood.errors import HrtemOodError
from hrtem_ood.learning.evaluation.metric_names import METRICS
from hrtem_ood.physics.optics.condition import PARAMETER_SYMBOLS, parameter_unit
from hrtem_ood.report.data import ReportData
from hrtem_ood.report.explorer_blocks import LEVELS, counts_png, encode, encode_codes, error_png, grey_png
from hrtem_ood.report.network_views import errors, in_order_of_cells, read_image
from hrtem_ood.report.style import palette

COLOURS = 64
"""Of each colour map."""

DIVERGING = "vlag"
"""Seaborn's colour map of differences: blue to red, equally light, which all common kinds of colour blindness tell apart."""

NETWORK_BYTES = 13_000_000
"""Scores of single networks take at most so many bytes of the page; scores for which there is no room are left out."""

NETWORK_LEVELS = 4095
"""Steps between the smallest and the largest score of single networks: 0.0002 of F1."""

IMAGE_BYTES = 3_000_000
"""Likewise test images of cells without a view."""

SCRIPTS = ("explorer_data.js", "explorer_matrix.js", "explorer_scatter.js", "explorer_page.js")

Floats = NDArray[np.floating]


@dataclass
class Explorer:
    """Data of the interactive figures.

    Attributes
    ----------
    content : dict
        Goes into the page as JSON.
    blocks : dict of str to str
        Arrays by name, see :mod:`hrtem_ood.report.explorer_blocks`.
    """

    content: dict[str, Any] = field(default_factory=dict)
    blocks: dict[str, str] = field(default_factory=dict)

    @property
    def first(self) -> list[str]:
        """Names of the blocks that the page needs at once, each once."""
        keys = (self.content["metric"], "f1", "gap_f1", "forecast", "forecast_low", "forecast_high")
        return ["shift", *dict.fromkeys(f"cells-{key}" for key in keys)]

    def add(self, key: str, label: str, kind: str, values: Floats, **more: Any) -> dict[str, Any]:
        """Add an array, and return how it is described."""
        text, low, step = encode(values, more.pop("levels", LEVELS))
        name = f"{more.pop('prefix', 'cells')}-{key}"
        self.blocks[name] = text
        return {"key": key, "label": label, "kind": kind, "block": name, "low": low, "step": step} | more


def explorer(data: ReportData) -> Explorer:
    """Gather the data of the interactive figures.

    Parameters
    ----------
    data : ReportData

    Returns
    -------
    Explorer
    """
    made, results = Explorer(), data.results
    cells = results.cells
    shifts = list(dict.fromkeys(cells["shift"].values.ravel().tolist()))
    made.blocks["shift"] = encode_codes(np.vectorize(shifts.index, otypes=[int])(cells["shift"].values))
    made.content = {
        "metric": data.analysis.metric,
        "predictor": data.analysis.forecast_predictor,
        "shifts": shifts,
        "rows": _rows(data),
        "columns": _columns(data),
        "values": [*_scores(made, data), *_forecasts(made, data), *_predictors(made, data)],
        "networks": _networks(made, data),
        "views": _views(data),
        "images": _images(data),
        "palettes": {"score": _colours(data.palette), "difference": _colours(DIVERGING), "other": _colours("cividis")},
    }
    return made


def _colours(name: str) -> list[str]:
    return [to_hex(colour) for colour in palette(name)(np.linspace(0, 1, COLOURS))]


def _numbers(values: Any) -> list[float | None]:
    """Return JSON's numbers: what is unknown or infinite is null."""
    return [round(float(value), 6) if np.isfinite(value) else None for value in np.asarray(values, float)]


def _parameters(data: ReportData, known: Any, prefix: str) -> list[dict[str, Any]]:
    """Return the parameters that vary over conditions, as keys for sorting and filtering."""
    return [
        {
            "key": name,
            "label": f"{PARAMETER_SYMBOLS[name]} [{parameter_unit(name)}]",
            "values": _numbers(known[f"{prefix}{name}"].values),
        }
        for name in data.labels.varying
        if f"{prefix}{name}" in known.coords
    ]


def _rows(data: ReportData) -> dict[str, Any]:
    cells, metrics = data.results.cells, data.results.metrics
    ids = [str(id_) for id_ in cells.training_set.values]
    first = [int(np.flatnonzero(metrics.training_id.values.astype(str) == id_)[0]) for id_ in ids]
    own, titles = metrics.isel(network=first), training_set_titles(data.campaign)
    inside = np.where(cells.in_domain.values, cells.f1.values.astype(float), np.nan)
    keys = _parameters(data, own, "training_")
    keys += [
        {"key": "images", "label": "training images", "values": _numbers(own.training_images.values)},
        {"key": "conditions", "label": "training conditions", "values": _numbers(own.training_conditions.values)},
        {"key": "in_domain", "label": "F1 in-domain", "values": _numbers(pd.DataFrame(inside.T).mean().to_numpy())},
    ]
    return {
        "titles": [titles[id_] for id_ in ids],
        "labels": [str(label) for label in cells.tick_label.values],
        "groups": [str(name) for name in cells.row_group.values],
        "diverged": [int(count) for count in cells.diverged.values],
        "keys": keys,
    }


def _columns(data: ReportData) -> dict[str, Any]:
    cells, campaign = data.results.cells, data.campaign
    sets = [str(name) for name in cells.structure_set.values]
    several = len(set(sets)) > 1
    conditions = [campaign.datasets[str(id_)].condition for id_ in cells.condition.values]
    titles = [data.labels.title(condition) for condition in conditions]
    groups = [str(name) for name in cells.column_group.values]
    keys = _parameters(data, cells, "")
    keys += [{"key": "epsilon", "label": "transfer ε", "values": _numbers(cells.epsilon.values)}]
    return {
        "titles": [f"{title} on {name}" if several else title for title, name in zip(titles, sets, strict=True)],
        "labels": [str(label) for label in cells.condition_tick_label.values],
        "groups": [f"{name}: {group}" if several else group for group, name in zip(groups, sets, strict=True)],
        "keys": keys,
    }


def _medians(data: ReportData, name: str) -> Floats:
    """Median over the sound networks of each training set, (training_set, condition), in the order of the cells."""
    metrics, ids = data.results.metrics, data.results.cells.training_set.values.astype(str)
    sound = ~metrics.diverged.values
    frame = pd.DataFrame(metrics[name].values.astype(float)[sound])
    return np.asarray(frame.groupby(metrics.training_id.values.astype(str)[sound]).median().reindex(ids).to_numpy())


def _ordered_metrics(data: ReportData) -> list[str]:
    """Return the names of the scores: that of the analysis, F1, then the others."""
    return list(dict.fromkeys([data.analysis.metric, "f1", *METRICS]))


def _scores(made: Explorer, data: ReportData) -> list[dict[str, Any]]:
    added = []
    for name in _ordered_metrics(data):
        long_name = METRICS[name].long_name
        added.append(made.add(name, long_name, "score", _medians(data, f"mean_{name}"), better=METRICS[name].better))
        added.append(made.add(f"gap_{name}", f"{long_name} gap", "difference", _medians(data, f"gap_{name}")))
    return added


def _forecasts(made: Explorer, data: ReportData) -> list[dict[str, Any]]:
    results, sign = data.results, BETTER[data.analysis.metric]
    ends = (results.forecast.low, results.forecast.high)[::sign]
    predicted, low, high = (sign * in_order_of_cells(results, values) for values in (results.forecast.predicted, *ends))
    name = METRICS[data.analysis.metric].long_name
    measured = sign * in_order_of_cells(results, results.outcomes.score.values)
    return [
        made.add("forecast", f"forecast {name}", "score", predicted),
        made.add("forecast_low", "low end of the forecast", "score", low),
        made.add("forecast_high", "high end of the forecast", "score", high),
        made.add("surprise", f"measured less forecast {name}", "difference", measured - predicted),
    ]


def _predictors(made: Explorer, data: ReportData) -> list[dict[str, Any]]:
    results = data.results
    added = []
    for name, values in results.predictors.data_vars.items():
        unit = str(values.attrs["units"])
        label = f"{values.attrs['long_name']} ({name})" + ("" if unit == "1" else f" [{unit}]")
        added.append(made.add(f"predictor_{name}", label, "predictor", in_order_of_cells(results, values.values)))
    for measure in MEASURES:
        shown = in_order_of_cells(results, results.outcomes[measure].values)
        label = f"{results.metrics[measure].attrs['long_name']} ({measure})"
        added.append(made.add(f"predictor_{measure}", label, "predictor", shown))
    return added


def _networks(made: Explorer, data: ReportData) -> dict[str, Any]:
    """Describe single networks, and add as many of their scores as there is room for."""
    metrics = data.results.metrics
    place = {str(id_): index for index, id_ in enumerate(data.results.cells.training_set.values)}
    rows = np.array([place[str(id_)] for id_ in metrics.training_id.values])
    varied = [name for name in varied_hyperparameters(metrics).split(", ") if name and name != "seed"]
    described = {name: [str(value) for value in metrics[name].values] for name in varied}
    sets = list(dict.fromkeys(str(name) for name in metrics.structure_set.values))
    group = np.array([sets.index(str(name)) for name in metrics.structure_set.values])
    values: list[dict[str, Any]] = []
    used = 0
    for name in _ordered_metrics(data):
        scores = np.where(metrics.diverged.values[:, None], np.nan, metrics[f"mean_{name}"].values)
        reference = scores - metrics[f"gap_{name}"].values  # the same for all test datasets of a structure set
        first = [int(np.flatnonzero(group == index)[0]) for index in range(len(sets))]
        added = made.add(name, "", "score", scores, prefix="networks", levels=NETWORK_LEVELS)
        used += len(made.blocks[added["block"]])
        if used > NETWORK_BYTES and values:
            del made.blocks[added["block"]]
            break
        own = made.add(f"{name}_reference", "", "score", reference[:, first], prefix="networks")
        values.append(added | {"reference": own})
    return {
        "rows": rows.tolist(),
        "seeds": [int(seed) for seed in metrics.seed.values],
        "hyperparameters": described,
        "values": values,
        "sets": group.tolist(),
    }


def _views(data: ReportData) -> dict[str, Any]:
    views = data.views
    shown: dict[str, Any] = {}
    for (row, column), view in views.views.items():
        shown[f"{row},{column}"] = {
            "rule": view.cell.rule,
            "network": view.network,
            "seed": view.seed,
            "image": view.image,
            "score": round(view.score, 4) if np.isfinite(view.score) else None,
            "pictures": [
                counts_png(view.counts),
                grey_png(view.label.astype(float), 0, 1),
                grey_png(view.probability, 0, 1),
                error_png(errors(view)),
            ],
        }
    return shown


def _images(data: ReportData) -> dict[str, list[str]]:
    """Return first image and label of the test datasets that some cell without a view needs, as long as there is room."""
    cells = data.results.cells
    rows = cells.sizes["training_set"]
    pictures: dict[str, list[str]] = {}
    used = 0
    for id_ in test_datasets(data.campaign):
        column = int(np.flatnonzero(cells.condition.values.astype(str) == id_)[0])
        if all((row, column) in data.views.views for row in range(rows)) or used > IMAGE_BYTES:
            continue
        try:
            counts, label, _ = read_image(data.folder, id_, 0)
        except HrtemOodError:
            continue
        pictures[str(column)] = [counts_png(counts), grey_png(label.astype(float), 0, 1)]
        used += sum(map(len, pictures[str(column)]))
    return pictures


def json_text(content: dict[str, Any]) -> str:
    """Write JSON that ends no element of HTML, whatever its texts are."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


@cache
def scripts() -> list[str]:
    """Return the scripts of the page: the plotting library's, and this project's."""
    from bokeh.resources import Resources

    library = Resources(mode="inline", components=["bokeh", "bokeh-api"], log_level="error").js_raw
    own = [files("hrtem_ood.report").joinpath(name).read_text(encoding="utf-8") for name in SCRIPTS]
    return [script.replace("</script", "<\\/script") for script in ("\n".join(library), "\n".join(own))]


def policy(texts: list[str]) -> str:
    """Return the content security policy of the page: nothing is fetched, and no other script is run."""
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in texts]
    allowed = " ".join(f"'sha256-{each}'" for each in hashes)
    return f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src {allowed}"
