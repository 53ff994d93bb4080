"""`hrtem-ood design`: choice of training conditions."""

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hrtem_ood.cli.options import FILE, FiniteRange, configs_argument, results_option
from hrtem_ood.cli.output import print_text

if TYPE_CHECKING:
    from rich.console import Group

    from hrtem_ood.campaign.campaign import Campaign
    from hrtem_ood.design.forecast_design import ForecastDesign
    from hrtem_ood.design.recommendation import DesignRequest, TrainingDesign
    from hrtem_ood.transfer.forecast.forecaster import Forecaster

DEFAULT_PREDICTOR = "texture_accuracy"
"""It is maximised where there is no forecaster."""


@click.command()
@configs_argument
@results_option
@click.option(
    "--target-conditions",
    multiple=True,
    required=True,
    metavar="GRID",
    help="Condition grid for which networks are needed; repeat for several.",
)
@click.option(
    "--candidates",
    multiple=True,
    metavar="GRID",
    help="Condition grid to choose from.  [default: the target conditions]",
)
@click.option("--n-conditions", type=click.IntRange(min=1), required=True, help="Number of training conditions.")
@click.option("--images", type=click.IntRange(min=1), required=True, help="Training images in all.")
@click.option(
    "--goal",
    type=click.Choice(["worst", "mean"]),
    default="mean",
    show_default=True,
    help="What to maximise over the target conditions.",
)
@click.option(
    "--forecaster",
    type=FILE,
    help="Forecaster whose score is maximised.  [default: the newest of this pixel in results/forecasters, or else the "
    "package's]",
)
@click.option(
    "--predictor",
    metavar="NAME",
    help="Predictor to maximise instead of a forecast.  [default, without a forecaster: texture_accuracy]",
)
@click.option(
    "--random",
    "draws",
    type=click.IntRange(0, 99),
    default=3,
    show_default=True,
    help="Random choices to compare with.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the random choices.")
@click.option(
    "--network-seeds", type=click.IntRange(1, 1000), default=3, show_default=True, help="Networks of each choice."
)
@click.option("--training-set", metavar="NAME", help="Source of structures and validation.  [default: the first]")
@click.option("--networks", metavar="NAME", help="Source of hyperparameters.  [default: the first]")
@click.option("--suite", metavar="NAME", help="Source of test structures.  [default: the first of the same recipe]")
@click.option(
    "--time-limit",
    type=FiniteRange(min=0.1),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="Time limit of the search.",
)
@click.option("--output", type=FILE, help="Configuration to write: an experiment that tests the choice.")
def design(
    configs: tuple[Path, ...],
    results: Path,
    target_conditions: tuple[str, ...],
    candidates: tuple[str, ...],
    n_conditions: int,
    images: int,
    goal: str,
    forecaster: Path | None,
    predictor: str | None,
    draws: int,
    seed: int,
    network_seeds: int,
    training_set: str | None,
    networks: str | None,
    suite: str | None,
    time_limit: float,
    output: Path | None,
) -> None:
    """Choose training conditions for given target conditions.

    With --output, writes the experiment that tests the choice.
    """
    from hrtem_ood.artifacts.store import write_text
    from hrtem_ood.campaign.load import load_campaign, merge, read_configs
    from hrtem_ood.cli.render.console import print_on_terminal
    from hrtem_ood.design.experiment import experiment, yaml_text
    from hrtem_ood.design.recommendation import DesignRequest
    from hrtem_ood.design.request import Options, resolve_options
    from hrtem_ood.errors import ConfigError

    if output is not None:
        _check_free(output)
    if images < n_conditions:
        raise ConfigError(f"--images: {images} are too few for {n_conditions} conditions; give {n_conditions} or more.")
    raw = read_configs(configs)
    campaign = load_campaign(raw)
    if predictor is not None and forecaster is not None:
        raise ConfigError("--forecaster and --predictor: give one of them.")
    chosen = None if predictor is not None else _forecaster(forecaster, results, campaign.config.imaging.pixel_size_A)
    predictor = DEFAULT_PREDICTOR if predictor is None else predictor
    options = resolve_options(
        campaign, Options(target_conditions, candidates, predictor, images, training_set, networks, suite)
    )
    request = DesignRequest(
        target_conditions=options.target_conditions,
        candidates=options.candidates,
        n_conditions=n_conditions,
        goal="worst" if goal == "worst" else "mean",
        predictor=predictor,
        structure_sets=options.structure_sets,
        seed=seed,
        n_random=draws,
        time_limit_s=time_limit,
    )
    choice, table, summary = _choice(campaign, results, request, chosen, images)
    if output is None:
        print_on_terminal(table)
        return
    if len(choice.choices) < 2:
        raise ConfigError(
            "--random: no other choice differs from the designed one, so that the experiment would compare nothing; "
            "give a larger --random, a smaller --n-conditions or more --candidates."
        )
    content = experiment(
        campaign, choice, n_images=images, training_set=options.training_set, networks=options.networks,
        seeds=range(network_seeds),
    )  # fmt: skip
    load_campaign(merge(raw, content))  # raises its errors before anything is written
    print_on_terminal(table)
    command = f"hrtem-ood design {_files(configs)}{_options(click.get_current_context())}"
    run = f"snakemake --configfile {_files(configs)}{shlex.quote(str(output))}"
    head = [
        "Tests a choice of training conditions, which this command made:",
        f"    {command}",
        *summary,
        "Run it on top of the configurations that it was written for:",
        f"    {run}",
    ]
    _check_free(output)  # still
    write_text(output, yaml_text(content, head))
    print_text(
        f"{output}: {len(choice.choices) * network_seeds} networks; run {run}\n"
        "and see tables/compare.csv, the figure `design` of the report, or the page of `hrtem-ood study-page`."
    )


def _check_free(output: Path) -> None:
    """Raise an error where a path exists, also as a link to nothing."""
    from hrtem_ood.errors import HrtemOodError

    if os.path.lexists(output):
        raise HrtemOodError(f"{output} exists and is not overwritten. Give another --output, or move it away.")


def _forecaster(path: Path | None, results: Path, pixel_size_A: float) -> "Forecaster | None":
    """Read the forecaster that is named, or find one; say which, or that there is none."""
    from hrtem_ood.transfer.forecast.choose_file import FOLDER, choose_forecaster
    from hrtem_ood.transfer.forecast.forecaster_files import read_forecaster

    if path is not None:
        return read_forecaster(path)
    found = choose_forecaster(results, pixel_size_A=pixel_size_A)
    if found is None:
        print_text(
            f"There is no forecaster for pixels of {pixel_size_A:g} Å in {results / FOLDER}, hence no forecast: the predictor "
            f"{DEFAULT_PREDICTOR} is maximised. A finished campaign with enough conditions writes one."
        )
        return None
    print_text(f"Forecaster: {found[0]}")
    # so that the command in the experiment's head names it: another may be the newest by then
    click.get_current_context().params["forecaster"] = found[0]
    return found[1]


def _choice(
    campaign: "Campaign", results: Path, request: "DesignRequest", forecaster: "Forecaster | None", images: int
) -> "tuple[TrainingDesign | ForecastDesign, Group, list[str]]":
    """Choose by the forecast, or without a forecaster by the predictor; return the choice, its tables and its remarks."""
    if forecaster is not None:
        from hrtem_ood.cli.render.forecast_design import forecast_design_summary, forecast_design_table
        from hrtem_ood.design.forecast_design import design_by_forecast

        design = design_by_forecast(campaign, results, request, forecaster, images)
        return design, forecast_design_table(design), forecast_design_summary(design)
    from hrtem_ood.cli.render.design import design_summary, design_table
    from hrtem_ood.design.recommendation import design_training_conditions

    choice = design_training_conditions(campaign, results, request)
    return choice, design_table(choice), design_summary(choice)


def _files(configs: tuple[Path, ...]) -> str:
    """Return configurations as words of a command, with a space after them."""
    return "".join(f"{shlex.quote(str(path))} " for path in configs)


def _options(context: click.Context) -> str:
    """Return all options that are not at their defaults as words of a command, except the output."""
    words = []
    for option in context.command.params:
        value = context.params[str(option.name)]
        given = isinstance(option, click.Option) and value is not None and value != option.get_default(context)
        if given and option.name != "output":
            for each in value if option.multiple else [value]:
                words += [option.opts[0], str(each)]
    return shlex.join(words)
