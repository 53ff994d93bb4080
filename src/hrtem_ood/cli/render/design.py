"""Advice as it is printed."""

from rich.console import Group
from rich.table import Table

from hrtem_ood.design.recommendation import TrainingDesign
from hrtem_ood.transfer.predictors.registry import PREDICTORS


def design_table(advice: TrainingDesign) -> Group:
    """Tell what is chosen, which conditions it serves how well, what the alternatives are worth, and what is proved."""
    symbol = PREDICTORS[advice.request.predictor].symbol
    return Group(
        _service(advice, symbol), _comparison(advice, symbol), *(f"• {line}" for line in design_summary(advice))
    )


def _service(advice: TrainingDesign, symbol: str) -> Table:
    table = Table(title="The designed training conditions, and what each serves")
    for head in ("trained under", "serves"):
        table.add_column(head)
    table.add_column(symbol, justify="right")
    served = advice.served("designed")
    for index in advice.sets["designed"]:
        uses = sorted(
            (j for j in range(len(advice.target_conditions)) if served[j] == index),
            key=lambda j: -advice.values[index, j],
        )
        table.add_section()
        label = advice.candidates[index].label
        if not uses:
            table.add_row(label, "none: others are nearer", "")
        for number, use in enumerate(uses):
            table.add_row(
                label if not number else "", advice.target_conditions[use].label, f"{advice.measured[index, use]:.3f}"
            )
    return table


def _comparison(advice: TrainingDesign, symbol: str) -> Table:
    table = Table(title=f"Predicted {symbol} over the {len(advice.target_conditions)} conditions of use")
    table.add_column("training set")
    for head in ("mean", "worst"):
        table.add_column(head, justify="right")
    for name in advice.sets:
        value = advice.worth(name)
        table.add_row(name, f"{value['mean']:.4f}", f"{value['worst']:.4f}")
    return table


def design_summary(advice: TrainingDesign) -> list[str]:
    """Say what is proved about the designed choice, and how the others were made."""
    question, choice = advice.request, advice.choice
    number = f"{question.n_conditions} of {len(advice.candidates)} candidates"
    lines = [
        "These are predictions, of what the measure knows: not of how conditions share the images, nor of F1. The experiment "
        "tests them."
    ]
    if unserved := _unserved(advice):
        first = "; ".join(unserved[:3]) + (f"; and {len(unserved) - 3} more" if len(unserved) > 3 else "")
        lines.append(f"No candidate serves these better than chance or nothing: {first}.")
    if len(advice.sets) > 1 and len({advice.worth(name)[question.goal] for name in advice.sets}) == 1:
        lines.append(f"The predicted {question.goal} is the same for all choices: it tells none of them apart.")
    if choice.optimal:
        lines.append(f"Proved: no other {number} have a better predicted {question.goal}.")
    else:
        lines.append(
            f"Not proved best within the time limit: the predicted {question.goal} is at most "
            f"{choice.bound - choice.value:.4g} below that of the best {number}."
        )
    ratio = f", and reaches {advice.greedy / choice.value:.4f} of this one" if choice.value > 0 else ""
    if question.goal == "mean":
        sure = 1 - (1 - 1 / question.n_conditions) ** question.n_conditions
        lines.append(f"The greedy choice is sure to reach {sure:.3f} of the best (1 − (1 − 1/k)^k){ratio}.")
    else:
        lines.append(f"The greedy choice, for the mean, has no guarantee for the worst case{ratio}.")
    if set(advice.target_conditions) - set(advice.candidates):
        lines.append(
            "Networks are tested under the conditions of use only, so that most have no in-domain score, and the report no "
            "gaps: what it compares are means and worst scores."
        )
    lines.append(
        "uniform: first the candidate nearest to the centre of the unit cube of the parameters that vary (the dose by its "
        "logarithm), then always that farthest from all chosen."
    )
    if "uniform" not in advice.sets:
        lines.append("uniform is left out: it is the designed choice itself.")
    drawn = sum(name.startswith("random_") for name in advice.sets)
    if drawn:
        lines.append(f"random: {drawn} drawn without replacement, with seed {question.seed}, all different.")
    if drawn < question.random:
        lines.append(f"There are no more than {drawn} other choices of {number}.")
    return lines


def _unserved(advice: TrainingDesign) -> list[str]:
    """Return the conditions of use that the best candidate knows nothing of, to the digits that are shown."""
    measure = PREDICTORS[advice.request.predictor]
    if measure.direction == "smaller":
        return []
    return [
        use.label
        for use, best in zip(advice.target_conditions, advice.best(), strict=True)
        if best < measure.chance_value + 5e-4
    ]
