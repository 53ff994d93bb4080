"""Verbs that advise which imaging conditions to train under."""

import os
import shlex
from pathlib import Path

import click

from hrtem_ood.cli.main import main
from hrtem_ood.cli.options import FILE, results_option


@main.command()
@click.argument("configs", nargs=-1, type=click.Path(path_type=Path), metavar="[CONFIG...]")
@results_option
@click.option("--use", multiple=True, required=True, metavar="GRID", help="Conditions of use, by name; again for more.")
@click.option("--candidates", multiple=True, metavar="GRID", help="Conditions that may train.  [default: those of use]")
@click.option("--budget", type=click.IntRange(min=1), required=True, help="How many conditions train.")
@click.option("--images", type=click.IntRange(min=1), required=True, help="Training images in all.")
@click.option("--goal", type=click.Choice(["worst", "mean"]), default="mean", show_default=True, help="Over the uses.")
@click.option("--by", default="texture_accuracy", show_default=True, metavar="MEASURE", help="What predicts.")
@click.option(
    "--random", "draws", type=click.IntRange(0, 99), default=3, show_default=True, help="Random choices beside."
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the random choices.")
@click.option(
    "--network-seeds", type=click.IntRange(min=1), default=3, show_default=True, help="Networks of each choice."
)
@click.option("--training-set", metavar="NAME", help="Whose structures and validation are taken.  [default: the first]")
@click.option("--networks", metavar="NAME", help="Whose hyperparameters are taken.  [default: the first]")
@click.option("--suite", metavar="NAME", help="Whose structures are tested.  [default: the first of the same recipe]")
@click.option("--limit", type=click.FloatRange(min=0.1), default=60.0, show_default=True, help="Seconds to search.")
@click.option("--output", type=FILE, help="Experiment to write, which tests the advice.")
def design(
    configs: tuple[Path, ...],
    results: Path,
    use: tuple[str, ...],
    candidates: tuple[str, ...],
    budget: int,
    images: int,
    goal: str,
    by: str,
    draws: int,
    seed: int,
    network_seeds: int,
    training_set: str | None,
    networks: str | None,
    suite: str | None,
    limit: float,
    output: Path | None,
) -> None:
    """Choose the conditions to train under for those of use, and write the experiment that tests the choice."""
    from rich.console import Console

    from hrtem_ood.artifacts.store import write_if_absent
    from hrtem_ood.campaign.load import load_campaign, merge, read_configs
    from hrtem_ood.cli.render.design import design_summary, design_table
    from hrtem_ood.design.experiment import experiment, yaml_text
    from hrtem_ood.design.recommendation import DesignRequest, design_training_conditions
    from hrtem_ood.design.request import Options, resolve_options
    from hrtem_ood.errors import ConfigError, HrtemOodError

    if output is not None and output.exists():
        raise HrtemOodError(f"{output} is there already, and is left as it is. Give another --output, or move it away.")
    if images < budget:
        raise ConfigError(f"--images: {images} are too few for {budget} conditions; ask for {budget} or more.")
    raw = read_configs(configs)
    campaign = load_campaign(raw)
    named = resolve_options(campaign, Options(use, candidates, by, images, training_set, networks, suite))
    question = DesignRequest(
        target_conditions=named.target_conditions,
        candidates=named.candidates,
        n_conditions=budget,
        goal="worst" if goal == "worst" else "mean",
        predictor=by,
        sets=named.sets,
        seed=seed,
        random=draws,
        time_limit_s=limit,
    )
    advice = design_training_conditions(campaign, results, question)
    content = experiment(
        campaign, advice, images=images, training_set=named.training_set, networks=named.networks,
        seeds=range(network_seeds),
    )  # fmt: skip
    load_campaign(merge(raw, content))  # tells what is wrong with it before anything is written
    Console(width=None if os.isatty(1) else 120).print(design_table(advice))
    if output is None:
        return
    files = shlex.join(map(str, configs))
    head = [
        "Tests advice on training conditions, of hrtem-ood design:",
        f"    hrtem-ood design {f'{files} ' if files else ''}{_options(click.get_current_context())}",
        *design_summary(advice),
        "Merge it on top of what it was made of:",
        f"    snakemake --configfile {f'{files} ' if files else ''}{shlex.quote(str(output))}",
    ]
    write_if_absent(output, yaml_text(content, head))
    click.echo(
        f"{output}: {len(advice.sets) * network_seeds} networks; run {head[-1].strip()}\n"
        "and read tables/compare.csv, the figure `design` of the report, or the page that `hrtem-ood results` writes."
    )


def _options(context: click.Context) -> str:
    """Write all options that are not at their defaults, but for the output."""
    words = []
    for option in context.command.params:
        value = context.params[str(option.name)]
        given = isinstance(option, click.Option) and value is not None and value != option.get_default(context)
        if given and option.name != "output":
            for each in value if option.multiple else [value]:
                words += [option.opts[0], str(each)]
    return shlex.join(words)


@main.command()
@click.argument("ranges", nargs=-1, required=True, metavar="NAME=LOW:HIGH[:log]...")
@click.option("--number", type=click.IntRange(1, 4096), required=True, help="How many; powers of two fill best.")
@click.option("--seed", type=click.IntRange(min=0), required=True, help="Of the scrambling.")
def sample(ranges: tuple[str, ...], number: int, seed: int) -> None:
    """Draw imaging conditions that fill ranges of several parameters evenly, as a list to put under `conditions`."""
    from hrtem_ood.design.experiment import condition_lines, condition_to_yaml
    from hrtem_ood.design.sobol import parse_range
    from hrtem_ood.design.sobol import sample as run

    found = run([parse_range(text) for text in ranges], number, seed)
    click.echo("\n".join(condition_lines([condition_to_yaml(each) for each in found], "")))
