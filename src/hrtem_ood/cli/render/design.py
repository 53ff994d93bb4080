"""Choices of training conditions as tables and text."""

from rich.console import Group
from rich.table import Table

from hrtem_ood.cli.render.console import make_table, numbers
from hrtem_ood.design.recommendation import TrainingDesign
from hrtem_ood.transfer.measure_registry import MEASURES


def design_table(advice: TrainingDesign) -> Group:
    """Return tables of what the chosen conditions serve and of the other choices, with remarks on optimality."""
    symbol = MEASURES[advice.request.predictor].symbol
    return Group(
        _service(advice, symbol), _comparison(advice, symbol), *(f"• {line}" for line in design_summary(advice))
    )


def _service(advice: TrainingDesign, symbol: str) -> Table:
    table = make_table(
        "The designed training conditions, and the target conditions that each serves",
        "training condition",
        "serves",
        *numbers(symbol),
    )
    served = advice.served("designed")
    for index in advice.sets["designed"]:
        targets = sorted(
            (j for j in range(len(advice.target_conditions)) if served[j] == index),
            key=lambda j: -advice.values[index, j],
        )
        table.add_section()
        label = advice.candidates[index].label
        if not targets:
            table.add_row(label, "none: others are nearer", "")
        for number, target in enumerate(targets):
            table.add_row(
                label if not number else "",
                advice.target_conditions[target].label,
                f"{advice.measured[index, target]:.3f}",
            )
    return table


def _comparison(advice: TrainingDesign, symbol: str) -> Table:
    table = make_table(
        f"Predicted {symbol} over the {len(advice.target_conditions)} target conditions",
        "training set",
        *numbers("mean", "worst"),
    )
    for name in advice.sets:
        value = advice.worth(name)
        table.add_row(name, f"{value['mean']:.4f}", f"{value['worst']:.4f}")
    return table


def design_summary(advice: TrainingDesign) -> list[str]:
    """Return what is proved about the designed choice, and how the others were chosen."""
    lines = [
        "These are predictions, from what the predictor takes into account: neither how conditions share the images, nor "
        "F1. The experiment tests them.",
        *_without_effect(advice),
        *_optimality(advice),
    ]
    if set(advice.target_conditions) - set(advice.candidates):
        lines.append(
            "Networks are tested under the target conditions only, so that most have no in-domain score, and the report no "
            "gaps: it compares means and worst scores."
        )
    return [*lines, *_other_choices(advice)]


def _without_effect(advice: TrainingDesign) -> list[str]:
    """Return remarks on targets that no candidate serves, and on a goal that distinguishes no choices."""
    lines, goal = [], advice.request.goal
    if unserved := _unserved(advice):
        first = "; ".join(unserved[:3]) + (f"; and {len(unserved) - 3} more" if len(unserved) > 3 else "")
        lines.append(f"No candidate serves these better than chance or nothing: {first}.")
    if len(advice.sets) > 1 and len({advice.worth(name)[goal] for name in advice.sets}) == 1:
        lines.append(f"The predicted {goal} is the same for all choices, so it distinguishes none of them.")
    return lines


def _optimality(advice: TrainingDesign) -> list[str]:
    """Return how good the designed and the greedy choice are at least."""
    request, choice = advice.request, advice.choice
    number = f"{request.n_conditions} of {len(advice.candidates)} candidates"
    ratio = f", and reaches {advice.greedy / choice.value:.4f} of this one" if choice.value > 0 else ""
    if choice.optimal:
        proved = f"Proved: no other {number} have a better predicted {request.goal}."
    else:
        proved = (
            f"Not proved best within the time limit: the predicted {request.goal} is at most "
            f"{choice.bound - choice.value:.4g} below that of the best {number}."
        )
    if request.goal == "mean":
        least = 1 - (1 - 1 / request.n_conditions) ** request.n_conditions
        return [
            proved,
            f"The greedy choice reaches at least {least:.3f} of the best by theory (1 − (1 − 1/k)^k){ratio}.",
        ]
    return [proved, f"The greedy choice, for the mean, has no guarantee for the worst case{ratio}."]


def _other_choices(advice: TrainingDesign) -> list[str]:
    """Return how the choices were made that the designed one is compared with."""
    request = advice.request
    lines = [
        "uniform: first the candidate nearest to the center of the unit cube of the parameters that vary (dose on a "
        "logarithmic scale), then always the one farthest from all chosen."
    ]
    if "uniform" not in advice.sets:
        lines.append("uniform is left out: it is the designed choice itself.")
    drawn = sum(name.startswith("random_") for name in advice.sets)
    if drawn:
        lines.append(f"random: {drawn} drawn without replacement, with seed {request.seed}, all different.")
    if drawn < request.random:
        number = f"{request.n_conditions} of {len(advice.candidates)} candidates"
        lines.append(f"There are no more than {drawn} other choices of {number}.")
    return lines


def _unserved(advice: TrainingDesign) -> list[str]:
    """Return the target conditions whose best candidate has the chance value of the predictor, as printed."""
    measure = MEASURES[advice.request.predictor]
    if measure.direction == "smaller":
        return []
    return [
        target.label
        for target, best in zip(advice.target_conditions, advice.best(), strict=True)
        if best < measure.chance_value + 5e-4
    ]
