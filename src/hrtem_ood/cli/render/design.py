"""Choices of training conditions as tables and text."""

from rich.console import Group
from rich.table import Table

from hrtem_ood.cli.render.console import make_table, numbers
from hrtem_ood.design.recommendation import TrainingDesign
from hrtem_ood.transfer.predictors.registry import PREDICTORS


def design_table(design: TrainingDesign) -> Group:
    """Return tables of the chosen conditions with their targets and of the other choices, with remarks on optimality."""
    symbol = PREDICTORS[design.request.predictor].symbol
    return Group(
        _service(design, symbol), _comparison(design, symbol), *(f"• {line}" for line in design_summary(design))
    )


def _service(design: TrainingDesign, symbol: str) -> Table:
    table = make_table(
        "The designed training conditions, and the target conditions that each serves",
        "training condition",
        "serves",
        *numbers(symbol),
    )
    serving = design.serving_candidates("designed")
    for index in design.choices["designed"]:
        targets = sorted(
            (j for j in range(len(design.target_conditions)) if serving[j] == index),
            key=lambda j: -design.utility[index, j],
        )
        table.add_section()
        label = design.candidates[index].label
        if not targets:
            table.add_row(label, "none: others are nearer", "")
        for number, target in enumerate(targets):
            table.add_row(
                label if not number else "",
                design.target_conditions[target].label,
                f"{design.predictor_values[index, target]:.3f}",
            )
    return table


def _comparison(design: TrainingDesign, symbol: str) -> Table:
    table = make_table(
        f"Predicted {symbol} over the {len(design.target_conditions)} target conditions",
        "training set",
        *numbers("mean", "worst"),
    )
    for name in design.choices:
        value = design.predicted(name)
        table.add_row(name, f"{value['mean']:.4f}", f"{value['worst']:.4f}")
    return table


def design_summary(design: TrainingDesign) -> list[str]:
    """Return remarks on the optimality of the designed choice, and on how the others were chosen."""
    lines = [
        "These are predictions. The predictor accounts neither for how conditions share the images nor for F1. The "
        "experiment tests them.",
        *_without_effect(design),
        *_optimality(design),
    ]
    if set(design.target_conditions) - set(design.candidates):
        lines.append(
            "Networks are tested under the target conditions only. Most have no in-domain score, hence no gap; the report "
            "compares means and worst scores."
        )
    return [*lines, *_other_choices(design)]


def _without_effect(design: TrainingDesign) -> list[str]:
    """Return remarks on targets that no candidate serves, and on a goal that distinguishes no choices."""
    lines, goal = [], design.request.goal
    if unserved := _unserved(design):
        first = "; ".join(unserved[:3]) + (f"; and {len(unserved) - 3} more" if len(unserved) > 3 else "")
        lines.append(f"No candidate serves these better than chance or nothing: {first}.")
    if len(design.choices) > 1 and len({design.predicted(name)[goal] for name in design.choices}) == 1:
        lines.append(f"The predicted {goal} is the same for all choices, so it distinguishes none of them.")
    return lines


def _optimality(design: TrainingDesign) -> list[str]:
    """Return bounds on the quality of the designed and the greedy choice."""
    request, choice = design.request, design.choice
    number = f"{request.n_conditions} of {len(design.candidates)} candidates"
    ratio = f", and reaches {design.greedy_value / choice.value:.4f} of this one" if choice.value > 0 else ""
    if choice.optimal:
        statement = f"Proved: no other {number} have a better predicted {request.goal}."
    else:
        statement = (
            f"Not statement best within the time limit: the predicted {request.goal} is at most "
            f"{choice.bound - choice.value:.4g} below that of the best {number}."
        )
    if request.goal == "mean":
        bound = 1 - (1 - 1 / request.n_conditions) ** request.n_conditions
        return [
            statement,
            f"The greedy choice reaches at least {bound:.3f} of the best by theory (1 − (1 − 1/k)^k){ratio}.",
        ]
    return [statement, f"The greedy choice, for the mean, has no guarantee for the worst case{ratio}."]


def _other_choices(design: TrainingDesign) -> list[str]:
    """Return how the choices were made with which the designed one is compared."""
    request = design.request
    lines = [
        "uniform: first the candidate nearest to the center of the unit cube of the parameters that vary (dose on a "
        "logarithmic scale), then always the one farthest from all chosen."
    ]
    if "uniform" not in design.choices:
        lines.append("uniform is left out: it is the designed choice itself.")
    n_drawn = sum(name.startswith("random_") for name in design.choices)
    if n_drawn:
        lines.append(f"random: {n_drawn} drawn without replacement, with seed {request.seed}, all different.")
    if n_drawn < request.n_random:
        number = f"{request.n_conditions} of {len(design.candidates)} candidates"
        lines.append(f"There are no more than {n_drawn} other choices of {number}.")
    return lines


def _unserved(design: TrainingDesign) -> list[str]:
    """Return the target conditions whose best candidate has the chance value of the predictor, as printed."""
    predictor = PREDICTORS[design.request.predictor]
    if predictor.direction == "smaller":
        return []
    return [
        target.label
        for target, best in zip(design.target_conditions, design.best_values(), strict=True)
        if best < predictor.chance_value + 5e-4
    ]
