"""Sentences of the study page on what a campaign contains, and on its limits."""

from collections import Counter

from hrtem_ood.analysis.results import CampaignResults
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.condition_labels import ConditionLabels
from hrtem_ood.physics.optics.condition import PARAMETER_SYMBOLS, parameter_unit


def varied_parameters(campaign: Campaign) -> list[str]:
    """Name the parameters that vary over conditions, with their ranges."""
    conditions = campaign.transfer.conditions
    lines = []
    for name in ConditionLabels(conditions).varying:
        values = [value for value in (getattr(condition, name) for condition in conditions) if value is not None]
        text = f"{PARAMETER_SYMBOLS[name]} {min(values):g} to {max(values):g} {parameter_unit(name)}"
        lines.append(text.replace("-", "−"))
    return lines


def training_sets(campaign: Campaign) -> list[str]:
    """Describe every training set: name, structures, conditions, and number of networks."""
    draws = campaign.config.analysis.design_draws
    lines: list[str] = []
    drawn = {name for draw in draws for name in draw.training_sets}
    of_set = Counter(network.training_set for network in campaign.networks.values())
    for name, sets in campaign.training_sets.items():
        if name in drawn:
            continue
        ids = {each.id for each in sets}
        networks = sum(of_set[id_] for id_ in ids)
        grid = campaign.config.training_sets[name]
        trained = ids & of_set.keys()
        sizes = sorted({len(each.datasets) for each in sets})
        kind = (
            f"one set of {_number(sizes[-1], 'condition')}"
            if grid.mixture and grid.drawn is None
            else f"{_number(len(trained), 'set')} of {', '.join(map(str, sizes)) if grid.drawn else 'one'} condition"
            f"{'s, drawn at random' if grid.drawn else ''}"
        )
        if networks:
            lines.append(
                f"`{name}`: {kind}, {sum(sets[0].n_images)} images of {', '.join(f'`{each}`' for each in grid.structure_sets)} "
                f"{'in all' if grid.mixture and grid.drawn is None else 'each'}; {networks} networks"
            )
    if drawn:
        ids = {each.id for name in drawn for each in campaign.training_sets[name]}
        networks = sum(of_set[id_] for id_ in ids)
        uses = len({draw.use for draw in draws})
        lines.append(
            f"designed, uniform and random sets for {_number(uses, 'draw')} of conditions of use: {_number(len(drawn), 'set')} "
            f"of several conditions, of which {len(ids)} differ; {networks} networks"
        )
    return lines


def planned_networks(campaign: Campaign) -> int:
    """Return how many networks the whole campaign has, of which the configuration may ask for a fraction."""
    if campaign.config.fraction == 1:
        return len(campaign.networks)
    return len(type(campaign)(campaign.config.model_copy(update={"fraction": 1.0})).networks)


def limitations(campaign: Campaign, results: CampaignResults) -> list[str]:
    """List the limits of a campaign that follow from its configuration."""
    config = campaign.config
    architectures = {each.label for grid in config.networks.values() for each in grid.architecture}
    seeds = sorted({network.hyperparameters.seed for network in campaign.networks.values()})
    used = {config.structure_sets[name] for name in campaign.used_structure_sets}
    materials = sorted({each.material for each in used if hasattr(each, "material")})
    images = sorted({sum(spec.n_images) for spec in campaign.training_set_by_id.values()})
    lines = []
    if config.fraction < 1:
        lines.append(
            f"A fraction of the campaign, {len(campaign.networks):,} of {planned_networks(campaign):,} networks: intervals are "
            "wider than those of the whole."
        )
    lines += [
        f"Networks of {_number(len(architectures), 'architecture')} ({', '.join(sorted(architectures))}), trained on "
        f"{' or '.join(map(str, images))} images, with {_number(len(seeds), 'seed')} at most: nothing about larger networks or "
        "more images.",
        f"Simulated images only, of {_number(len(materials), 'material')} ({', '.join(materials)}): the step to experiments "
        "adds effects that the simulation leaves out (docs/methods.md, Limits).",
        "Conditions within the ranges above only, in one draw: intervals take training sets and conditions as drawn at random.",
        "The claims are those of the configuration, written before the run; all scores come from one simulation.",
        "No interval is corrected for the number of comparisons on this page.",
    ]
    if results.compared:
        lines.append(
            f"The comparison of training sets is one draw each of {len(results.compared)} choices, with "
            f"{max(len(one.networks) for one in results.compared)} networks at most: it distinguishes "
            "these choices, not kinds of choices in general."
        )
    return lines


def _number(count: int, noun: str) -> str:
    return f"one {noun}" if count == 1 else f"{count} {noun}s"
