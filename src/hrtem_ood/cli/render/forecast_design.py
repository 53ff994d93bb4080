"""A choice of training conditions by the forecast, as tables and text."""

from collections.abc import Iterator

from rich.console import Group
from rich.table import Table

from hrtem_ood.cli.render.console import make_table, numbers
from hrtem_ood.cli.render.quantities import format_count
from hrtem_ood.design.forecast_design import ForecastDesign
from hrtem_ood.learning.evaluation.metric_names import METRICS
from hrtem_ood.transfer.forecast.cross_validation import LEVEL
from hrtem_ood.transfer.forecast.wording import AT_EDGE, performance_text, weakness_texts

GOALS = ("mean", "worst")
"""Over the conditions of use."""

REFUSALS = {
    "alike": "the intervals of all of them overlap entirely. Any spread-out choice will do, such as `uniform`.",
    "outside": (
        "every condition of use lies outside the domain of the forecaster, which knows nothing there. Train under the "
        "conditions of use themselves, as many as you can, and measure."
    ),
    "alone": "there is no other to compare it with. Give a larger --random or more --candidates.",
}
"""Why no choice is recommended."""


def forecast_design_table(design: ForecastDesign) -> Group:
    """Return tables of the chosen conditions and of the forecasts of all choices, with remarks."""
    return Group(_conditions(design), _comparison(design), *(f"• {line}" for line in forecast_design_summary(design)))


def _conditions(design: ForecastDesign) -> Table:
    table = make_table("The designed training conditions", "training condition", *numbers("images"))
    chosen = design.choices["designed"]
    least, over = divmod(design.n_images, len(chosen))
    for number, index in enumerate(chosen):
        table.add_row(design.candidates[index].label, str(least + (number < over)))
    return table


def _comparison(design: ForecastDesign) -> Table:
    table = make_table(
        f"Forecast {METRICS[design.forecaster.metric].long_name} over the "
        f"{format_count(len(design.target_conditions), 'condition')} of use, "
        f"with {100 * LEVEL:g} % intervals",
        "training set",
        *numbers("ln CNR from", "to", "mean", "interval", "worst", "interval"),
    )
    for name, each in design.forecasts.items():
        columns = [f"{end:.2f}" for end in each.span]
        for goal in GOALS:
            value, low, high = each.over_targets(goal)
            columns += [f"{value:.3f}", f"{low:.2f} to {high:.2f}" + (" *" if each.outside else "")]
        table.add_row(name, *columns)
    return table


def forecast_design_summary(design: ForecastDesign) -> list[str]:
    """Return whether the choice is recommended, why it was made, and what the forecaster does not know."""
    return list(_lines(design))


def _lines(design: ForecastDesign) -> Iterator[str]:
    request, own = design.request, design.forecasts["designed"]
    if design.verdict in REFUSALS:
        yield f"No choice is recommended: {REFUSALS[design.verdict]}"
    if design.ties:
        yield f"The same forecast {request.goal}, to three digits, as the designed choice: {', '.join(design.ties)}."
    low, high = own.span
    yield (
        f"Why: a mixture counts as the interval of ln CNR that its members span, here {low:.2f} to {high:.2f}. The weakest "
        f"condition of use is {design.weakest.label}, with a forecast of {own.predicted.min():.2f}."
    )
    if design.exact:
        yield f"All choices were compared: none has a better forecast {request.goal}."
    else:
        yield f"The choice is greedy with swaps: no exchange of one condition has a better forecast {request.goal}."
    yield from _outside(design)
    origin, known = design.forecaster.origin.get("campaign", "unknown"), design.forecaster.performance
    yield (
        f"The forecaster comes from the campaign {origin}: {performance_text(known)}. That choices by a "
        "forecast beat uniform ones is not shown yet (docs/results.md): the experiment tests it."
    )
    # of each condition of use, as a mean is no forecast that was ever checked
    yield from weakness_texts(known, list(own.predicted))
    if "uniform" not in design.choices:
        yield "uniform is left out: it is the designed choice itself."


def _outside(design: ForecastDesign) -> Iterator[str]:
    """Say what lies outside the domain of the forecaster: what does for all choices, then what does for some."""
    beyond = {name: each.outside for name, each in design.forecasts.items()}
    if not any(beyond.values()):
        return
    common = [text for text in beyond["designed"] if all(text in texts for texts in beyond.values())]
    listed = [f"for all choices {'; '.join(common)}"] if common else []
    for name, texts in beyond.items():
        own = [text for text in texts if text not in common]
        listed += [f"for `{name}` {'; '.join(own)}"] if own else []
    yield (
        f"Outside (*) the domain of the forecaster, under the {format_count(len(design.target_conditions), 'condition')} of use: "
        f"{'. Also '.join(listed)}; {AT_EDGE}. All choices are compared at its edge."
    )
