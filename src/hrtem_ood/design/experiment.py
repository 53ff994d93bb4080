"""The experiment that tests an advice: the designed training set beside uniform and random ones, as a YAML file."""

from collections.abc import Sequence
from typing import Any

import yaml

from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.design.recommendation import TrainingDesign
from hrtem_ood.physics.optics.condition import Condition


def experiment(
    campaign: Campaign, advice: TrainingDesign, *, images: int, training_set: str, networks: str, seeds: Sequence[int]
) -> dict[str, Any]:
    """Write the experiment as a configuration to merge on top of the campaign's.

    Parameters
    ----------
    campaign : Campaign
    advice : TrainingDesign
    images : int
        Of every training set.
    training_set : str
        The entry whose structures and validation are taken.
    networks : str
        The entry whose hyperparameters are taken.
    seeds : sequence of int

    Returns
    -------
    dict
        Whose nulls remove the campaign's own training sets, networks and suites.
    """
    config, question = campaign.config, advice.request
    like = config.training_sets[training_set]
    names = list(advice.sets)
    group = "design"
    while group in config.networks:  # what an entry of that name says besides would be merged into ours
        group += "_"
    conditions = {
        name: [condition_to_yaml(advice.candidates[index]) for index in chosen] for name, chosen in advice.sets.items()
    }
    entry = {
        "structure_set": like.structure_set,
        "mixture": True,
        "n_images": images,
        "n_validation_structures": like.n_validation_structures,
    }
    grid = config.networks[networks].model_dump(mode="json", exclude_unset=True, exclude={"training_sets", "seed"})
    chosen = {key: value[0] if len(value) == 1 else value for key, value in grid.items()}
    tested = {"structure_set": question.sets[1], "conditions": list(question.target_conditions)}
    return {
        "campaign": f"{campaign.name[:33]}-design",
        "conditions": conditions,
        "training_sets": _only(config.training_sets, {name: entry | {"conditions": name} for name in names}),
        "networks": _only(config.networks, {group: {"training_sets": names} | chosen | {"seed": list(seeds)}}),
        "test_suites": _only(config.test_suites, {"design": tested}),
        "analysis": {"compare_training_sets": names},
    }


def condition_to_yaml(condition: Condition) -> dict[str, float]:
    """Return the keys of a condition that differ from their defaults, defocus and dose always."""
    return {name: float(value) for name, value in condition.non_default().items()}


def _only(there: dict[str, Any], entries: dict[str, Any]) -> dict[str, Any]:
    return {name: None for name in there if name not in entries} | entries


def yaml_text(content: dict[str, Any], head: Sequence[str]) -> str:
    """Write a configuration as YAML, a condition a line, under lines of comment."""
    lines = [f"# {line}".rstrip() for line in head]
    for key, value in content.items():
        if key != "conditions":
            lines += ["", _yaml({key: value}, flow=None if isinstance(value, dict) else False)]
            continue
        lines += ["", "conditions:"]
        for name, conditions in value.items():
            lines += [f"  {name}:", *condition_lines(conditions, "    ")]
    return "\n".join(lines) + "\n"


def condition_lines(conditions: Sequence[dict[str, float]], indent: str) -> list[str]:
    """Write conditions as items of a YAML list."""
    return [f"{indent}- {_yaml(condition, flow=True)}" for condition in conditions]


def _yaml(content: Any, *, flow: bool | None) -> str:
    return str(yaml.safe_dump(content, default_flow_style=flow, sort_keys=False, width=118)).strip()
