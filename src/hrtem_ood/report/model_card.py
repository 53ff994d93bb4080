"""The network of a campaign that is shipped: its choice, its scores, and its model card."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from hrtem_ood.analysis.matrix import read_metrics
from hrtem_ood.artifacts import store
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.results import Results
from hrtem_ood.config.structures import StructureSet
from hrtem_ood.errors import ArtifactError, ConfigError
from hrtem_ood.learning.checkpoint import read_network
from hrtem_ood.learning.inference.shipped_network import FOLDER, ship
from hrtem_ood.physics.optics.condition import PARAMETER_SYMBOLS, Condition, parameter_unit
from hrtem_ood.report.templates import load_template
from hrtem_ood.suggestions import did_you_mean

LOW = 0.1
"""Quantile of F1 over images that is listed beside the median: one image in ten is worse."""

PACKAGES = ("hrtem-ood", "torch", "numpy", "abtem")
"""Packages whose versions the card states."""


@dataclass(frozen=True)
class Choice:
    """The network that scores best on chosen suites.

    Attributes
    ----------
    network : str
        Its id.
    suites : tuple of str
        By which it was chosen.
    candidates : pandas.DataFrame
        One row per network, the best first: ``network``, ``architecture``, ``loss``, ``augmentations``, ``seed``,
        ``parameter_count``, ``f1`` (mean over datasets of the suites) and ``worst`` (the lowest of them).
    """

    network: str
    suites: tuple[str, ...]
    candidates: pd.DataFrame


def choose_network(campaign: Campaign, results: Path, suites: Sequence[str]) -> Choice:
    """Choose the network of a finished campaign with the best mean F1 over the datasets of some test suites.

    Parameters
    ----------
    campaign : Campaign
    results : Path
        The results folder.
    suites : sequence of str
        Names under ``test_suites``. Scores on these are biased by the choice; others tell how good the network is.

    Returns
    -------
    Choice

    Raises
    ------
    ConfigError
        Where there is no such suite.
    ArtifactError
        Where all networks diverged.
    """
    defined = campaign.suite_of
    for name in suites:
        if name not in defined:
            raise ConfigError(
                f"--chosen-by: there is no test suite `{name}`; {did_you_mean(name, defined)}Valid: {', '.join(defined)}."
            )
    metrics = read_metrics(campaign, results)
    used = sorted({id_ for name in suites for id_ in defined[name].datasets})
    values = metrics.mean_f1.sel(condition=used)
    rows = pd.DataFrame(
        {
            "network": metrics.network.values.astype(str),
            **{name: metrics[name].values for name in ("architecture", "loss", "seed", "parameter_count")},
            "augmentations": metrics["augmentations"].values if "augmentations" in metrics.coords else "none",
            "f1": values.mean("condition").values,
            "worst": values.min("condition").values,
        }
    )[~metrics.diverged.values]
    if rows.empty:
        raise ArtifactError(f"all networks of campaign {campaign.name} diverged: there is none to choose.")
    rows = rows.sort_values(["f1", "network"], ascending=[False, True], ignore_index=True)
    return Choice(str(rows.network[0]), tuple(suites), rows)


def suite_scores(campaign: Campaign, results: Path, network: str) -> pd.DataFrame:
    """Summarise the F1 of a network on every test suite, by structure set.

    Parameters
    ----------
    campaign : Campaign
    results : Path
        The results folder.
    network : str
        Id.

    Returns
    -------
    pandas.DataFrame
        ``suite``, ``structure_set`` (``all`` first), ``conditions``, ``images``, ``in_domain`` (share of the datasets [1]),
        and ``median``, ``mean`` and ``low`` (quantile :data:`LOW`) of F1 over images.
    """
    with Results(results).open("metrics", campaign.metrics_id) as stored:
        chosen = stored[["f1", "in_domain", "images"]].sel(network=network).load()
    rows = []
    for name, suite in campaign.suite_of.items():
        part = chosen.sel(condition=list(suite.datasets))
        sets = [campaign.structure_set_of_dataset[id_] for id_ in suite.datasets]
        rows.append({"suite": name, "structure_set": "all"} | _summary(campaign, part))
        if len(set(sets)) > 1:
            rows += [
                {"suite": name, "structure_set": each}
                | _summary(campaign, part.isel(condition=[place for place, one in enumerate(sets) if one == each]))
                for each in dict.fromkeys(sets)
            ]
    return pd.DataFrame(rows)


def _summary(campaign: Campaign, part: xr.Dataset) -> dict[str, Any]:
    values = [scores[:count] for scores, count in zip(part.f1.values, part.images.values, strict=True)]
    scores = np.concatenate(values).astype(float)
    return {
        "conditions": len({campaign.datasets[str(id_)].condition for id_ in part.condition.values}),
        "images": len(scores),
        "in_domain": float(part.in_domain.mean()),
        "median": float(np.median(scores)),
        "mean": float(scores.mean()),
        "low": float(np.quantile(scores, LOW)),
    }


def condition_scores(campaign: Campaign, results: Path, network: str) -> pd.DataFrame:
    """Summarise the F1 of a network by test condition, with the conditions' labels.

    Returns
    -------
    pandas.DataFrame
        ``suites``, ``label``, ``images``, and ``median``, ``mean`` and ``low`` of F1 over images.
    """
    with Results(results).open("metrics", campaign.metrics_id) as stored:
        chosen = stored[["f1", "in_domain", "images"]].sel(network=network).load()
    groups: dict[Condition, list[str]] = {}
    for id_ in map(str, chosen.condition.values):
        groups.setdefault(campaign.datasets[id_].condition, []).append(id_)
    rows = []
    for condition, ids in groups.items():
        names = [name for name, suite in campaign.suite_of.items() if set(ids) & set(suite.datasets)]
        rows.append(
            {"suites": ", ".join(names), "label": condition.label, "defocus_A": condition.defocus_A}
            | _summary(campaign, chosen.sel(condition=ids))
        )
    return pd.DataFrame(rows).sort_values(["suites", "defocus_A"], ignore_index=True)


def training_ranges(conditions: Sequence[Condition]) -> list[dict[str, Any]]:
    """Return the smallest and the largest value of every parameter that some condition sets, with symbol and unit."""
    rows = []
    for name in Condition.model_fields:
        values = [getattr(condition, name) for condition in conditions]
        numbers = [value for value in values if value is not None]
        if numbers and any(numbers):
            row = {"name": name, "symbol": PARAMETER_SYMBOLS.get(name, name), "unit": parameter_unit(name)}
            rows.append(row | {"low": min(numbers), "high": max(numbers)})
    return rows


def write_card(
    campaign: Campaign,
    results: Path,
    suites: Sequence[str],
    page: Path,
    command: str,
    *,
    note: Sequence[str] = (),
    folder: Path = FOLDER,
) -> Path:
    """Ship the best network of a finished campaign and write its model card.

    Parameters
    ----------
    campaign : Campaign
    results : Path
        The results folder.
    suites : sequence of str
        By which the network is chosen.
    page : Path
        Markdown file; overwritten.
    command : str
        Command that does it, for the page.
    note : sequence of str, optional
        Further lines of the page.
    folder : Path, optional
        Of the package.

    Returns
    -------
    Path
        Of the shipped network.
    """
    choice = choose_network(campaign, results, suites)
    path = Results(results).path("networks", choice.network)
    content = read_network(path)
    spec = campaign.networks[choice.network]
    training_set = campaign.training_set_by_id[spec.training_set]
    by_suite = suite_scores(campaign, results, choice.network)
    conditions = list(dict.fromkeys(campaign.datasets[id_].condition for id_ in training_set.datasets))
    sets = list(dict.fromkeys(campaign.structure_set_of_dataset[id_] for id_ in training_set.datasets))
    domain = {
        "conditions": training_ranges(conditions),
        "structures": [_structure_line(campaign, name) for name in sets],
        "energy_eV": campaign.config.simulation.energy_eV,
        "pixel_size_A": campaign.config.imaging.pixel_size_A,
    }
    about = {
        "id": choice.network,
        "campaign": campaign.name,
        "configuration": {"hyperparameters": spec.hyperparameters.content, "training_set": training_set.content()},
        "sha256_of_weights": content["sha256_of_weights"],
        "domain": domain,
        "chosen_by": list(choice.suites),
        "scores": json.loads(by_suite.to_json(orient="records")),
    }
    text = load_template("model_card.md.j2", html=False).render(
        command=command,
        campaign=campaign,
        choice=choice,
        candidates=choice.candidates.to_dict("records"),
        content=content,
        hyperparameters=spec.hyperparameters,
        n_conditions=len(conditions),
        n_images=sum(training_set.n_images),
        domain=domain,
        suites=by_suite.to_dict("records"),
        conditions=condition_scores(campaign, results, choice.network).to_dict("records"),
        bytes=path.stat().st_size,
        software={name: json.loads(content["software"]).get(name) for name in PACKAGES},
        low=LOW,
        note=list(note),
    )
    with store.atomic_replace(page) as temporary:  # neither is written where the other cannot be
        temporary.write_text(text, encoding="utf-8")
        return ship(path, about, folder)


def _structure_line(campaign: Campaign, name: str) -> str:
    """Describe a structure set on one line."""
    chosen = campaign.config.structure_sets[name]
    if not isinstance(chosen, StructureSet):
        return f"`{name}`: {chosen.n_structures} structures of a file"
    particles, film = chosen.particles, chosen.substrate
    low, high = particles.radius_A
    fewest, most = particles.count
    count = f"{most} {'particle' if most == 1 else 'particles'}" if fewest == most else f"{fewest} to {most} particles"
    on = f"on {film.thickness_A:g} Å of carbon" if film else "in vacuum"
    return f"`{name}`: {chosen.n_structures} structures of {count} of {chosen.material}, radius {low:g} to {high:g} Å, {on}"
