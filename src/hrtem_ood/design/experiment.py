"""Experiment that tests a design: the designed training set beside uniform and random ones, as a YAML file."""

from collections.abc import Sequence
from typing import Any

import yaml

from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.design.forecast_design import ForecastDesign
from hrtem_ood.design.recommendation import TrainingDesign
from hrtem_ood.errors import printable
from hrtem_ood.physics.optics.condition import Condition


def experiment(
    campaign: Campaign,
    design: TrainingDesign | ForecastDesign,
    *,
    n_images: int,
    training_set: str,
    networks: str,
    seeds: Sequence[int],
) -> dict[str, Any]:
    """Make the experiment as a configuration to be merged on top of the campaign's.

    Parameters
    ----------
    campaign : Campaign
    design : TrainingDesign or ForecastDesign
    n_images : int
        Training images of every training set.
    training_set : str
        Entry whose structure set and validation structures are used.
    networks : str
        Entry whose hyperparameters are used.
    seeds : sequence of int
        Of the networks of each training set.

    Returns
    -------
    dict
        Its nulls remove the campaign's training sets, networks and test suites.
    """
    config, request = campaign.config, design.request
    template = config.training_sets[training_set]
    names = list(design.choices)
    group = "design"
    while group in config.networks:  # the other keys of an entry of that name would be merged into this one
        group += "_"
    conditions = {
        name: [condition_to_yaml(design.candidates[index]) for index in chosen]
        for name, chosen in design.choices.items()
    }
    entry = {
        "structure_set": template.structure_set,
        "mixture": True,
        "n_images": n_images,
        "n_validation_structures": template.n_validation_structures,
    }
    grid = config.networks[networks].model_dump(mode="json", exclude_unset=True, exclude={"training_sets", "seed"})
    hyperparameters = {key: value[0] if len(value) == 1 else value for key, value in grid.items()}
    test_suite = {"structure_set": request.structure_sets[1], "conditions": list(request.target_conditions)}
    return {
        "campaign": f"{campaign.name[:33]}-design",
        "conditions": conditions,
        "training_sets": _only(config.training_sets, {name: entry | {"conditions": name} for name in names}),
        "networks": _only(config.networks, {group: {"training_sets": names} | hyperparameters | {"seed": list(seeds)}}),
        "test_suites": _only(config.test_suites, {"design": test_suite}),
        # those of the campaign name training sets that are removed
        "analysis": {"compare_training_sets": names} | ({"design_draws": []} if config.analysis.design_draws else {}),
    }


def condition_to_yaml(condition: Condition) -> dict[str, float]:
    """Return the parameters of a condition that are not at their defaults, and defocus and dose always."""
    return {name: float(value) for name, value in condition.non_default().items()}


def _only(section: dict[str, Any], entries: dict[str, Any]) -> dict[str, Any]:
    """Return entries, and null for all other names of a section."""
    return {name: None for name in section if name not in entries} | entries


def yaml_text(content: dict[str, Any], head: Sequence[str]) -> str:
    """Write a configuration as YAML, one condition per line, below lines of comment."""
    # a line break in a file's name or in what a forecaster says of itself must not begin a line of configuration
    lines = [f"# {line}".rstrip() for text in head for line in printable(text).splitlines()]
    for key, value in content.items():
        if key != "conditions":
            lines += ["", _yaml({key: value}, flow=None if isinstance(value, dict) else False)]
            continue
        lines += ["", "conditions:"]
        for name, conditions in value.items():
            lines += [f"  {name}:", *condition_lines(conditions, "    ")]
    return "\n".join(lines) + "\n"


def condition_lines(conditions: Sequence[dict[str, float]], indent: str) -> list[str]:
    """Write conditions as items of a YAML list, one per line."""
    return [f"{indent}- {_yaml(condition, flow=True)}" for condition in conditions]


def _yaml(content: Any, *, flow: bool | None) -> str:
    return str(yaml.safe_dump(content, default_flow_style=flow, sort_keys=False, width=118)).strip()
