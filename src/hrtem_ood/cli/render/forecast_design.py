"""A choice of training conditions by the forecast, as tables and text."""

from collections.abc import Iterator

from rich.console import Group
from rich.table import Table

from hrtem_ood.cli.render.console import make_table, numbers
from hrtem_ood.design.forecast_design import ForecastDesign
from hrtem_ood.learning.evaluation.metric_names import METRICS
from hrtem_ood.transfer.forecast.cross_validation import LEVEL
from hrtem_ood.transfer.forecast.wording import AT_EDGE, performance_text, weakness_texts

GOALS = ("mean", "worst")
"""Over the conditions of use."""


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
        f"Forecast {METRICS[design.forecaster.metric].long_name} over the {len(design.target_conditions)} conditions of use, "
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
    if not design.recommended:
        yield (
            "No choice is recommended: the intervals of all of them overlap entirely. Any spread-out choice will do, such as "
            "`uniform`."
        )
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
    yield f"The forecaster comes from the campaign {origin}: {performance_text(known)}. The experiment tests the choice."
    yield from weakness_texts(
        known, [each.over_targets(goal)[0] for each in design.forecasts.values() for goal in GOALS]
    )
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
        f"Outside (*) the domain of the forecaster, under the {len(design.target_conditions)} conditions of use: "
        f"{'. Also '.join(listed)}; {AT_EDGE}. All choices are compared at its edge."
    )
