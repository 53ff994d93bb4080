"""Advice as it is printed."""

from rich.console import Group
from rich.table import Table

from hrtem_ood.design.advice import Advice
from hrtem_ood.design.selection import GREEDY_SHARE
from hrtem_ood.transfer.registry import MEASURES


def shown(advice: Advice) -> Group:
    """Tell what is chosen, which conditions it serves how well, what the alternatives are worth, and what is proved."""
    symbol = MEASURES[advice.question.by].symbol
    return Group(_service(advice, symbol), _comparison(advice, symbol), *(f"• {line}" for line in told(advice)))


def _service(advice: Advice, symbol: str) -> Table:
    table = Table(title="The designed training conditions, and what each serves")
    for head in ("trained under", "serves"):
        table.add_column(head)
    table.add_column(symbol, justify="right")
    served = advice.served("designed")
    for index in advice.sets["designed"]:
        uses = sorted(
            (j for j in range(len(advice.uses)) if served[j] == index), key=lambda j: -advice.values[index, j]
        )
        table.add_section()
        label = advice.candidates[index].label
        if not uses:
            table.add_row(label, "none: others are nearer", "")
        for number, use in enumerate(uses):
            table.add_row(label if not number else "", advice.uses[use].label, f"{advice.measured[index, use]:.3f}")
    return table


def _comparison(advice: Advice, symbol: str) -> Table:
    table = Table(title=f"Predicted {symbol} over the {len(advice.uses)} conditions of use")
    table.add_column("training set")
    for head in ("mean", "worst"):
        table.add_column(head, justify="right")
    for name in advice.sets:
        value = advice.worth(name)
        table.add_row(name, f"{value['mean']:.4f}", f"{value['worst']:.4f}")
    return table


def told(advice: Advice) -> list[str]:
    """Say what is proved about the designed choice, and how the others were made."""
    question, choice = advice.question, advice.choice
    number = f"{question.budget} of {len(advice.candidates)} candidates"
    lines = []
    if choice.optimal:
        lines.append(f"Proved: no other {number} have a better predicted {question.goal}.")
    else:
        lines.append(
            f"Not proved best within the time limit: the predicted {question.goal} is at most "
            f"{choice.bound - choice.value:.4g} below that of the best {number}."
        )
    ratio = f"{advice.greedy / choice.value:.4f}" if choice.value > 0 else "—"
    if question.goal == "mean":
        lines.append(
            f"The greedy choice, which is sure to reach {GREEDY_SHARE:.3f} of the best (1 − 1/e), reaches {ratio} of this one."
        )
    else:
        lines.append(
            f"A greedy choice has no guarantee for the worst case; the one for the mean reaches {ratio} of this."
        )
    lines.append(
        "uniform: first the candidate nearest to the centre of the unit cube of the parameters that vary (the dose by its "
        "logarithm), then always that farthest from all chosen."
    )
    lines.append(f"random: drawn without replacement, with seed {question.seed}.")
    return lines
