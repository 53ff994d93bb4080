"""The size of a campaign as a table."""

from rich.table import Table

from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.dag import job_counts
from hrtem_ood.cli.render.console import make_table, numbers
from hrtem_ood.cli.render.quantities import format_count


def campaign_table(campaign: Campaign) -> Table:
    """Return a table of what a campaign creates, and with how many jobs."""
    config, jobs = campaign.config, job_counts(campaign)
    sets = {name: config.structure_sets[name].n_structures for name in campaign.used_structure_sets}
    images = {id_: dataset.n_structures for id_, dataset in campaign.datasets.items()}
    measured = {id_: len(labelled_set.files) for id_, labelled_set in campaign.labelled_sets.items()}
    images |= measured
    tested = [sum(images[id_] for id_ in suite.datasets) for suite in campaign.suites.values()]
    conditions = {dataset.condition for dataset in campaign.datasets.values()}
    structures, networks = sum(sets.values()), len(campaign.networks)
    phonons = config.simulation.n_frozen_phonons
    sizes = ", ".join(f"{count} {name}" for name, count in sets.items())
    analysis = sum(jobs[rule] for rule in ("transfer", "predictors", "metrics", "report", "index"))
    table = make_table(f"Campaign {campaign.name}", "stage", *numbers("number"), "of what", *numbers("jobs"))
    for stage, number, text, job_count in (
        ("structures", structures, f"structures: {sizes}", jobs["build"]),
        ("simulation", structures * phonons, f"exit waves, {format_count(phonons, 'phonon')} each", jobs["simulate"]),
        (
            "imaging",
            sum(images.values()) - sum(measured.values()),
            f"images in {format_count(len(campaign.datasets), 'dataset')} under {format_count(len(conditions), 'condition')}",
            jobs["image"],
        ),
        *(
            [
                (
                    "micrographs",
                    sum(measured.values()),
                    f"labelled files in {format_count(len(measured), 'set')}",
                    jobs["labelled_set"],
                )
            ]
            if measured
            else []
        ),
        (
            "training",
            networks,
            f"networks on {format_count(len(campaign.training_set_ids), 'training set')}",
            jobs["train"],
        ),
        (
            "evaluation",
            networks * sum(tested),
            f"image scores: every network on {format_count(len(tested), 'test suite')}",
            jobs["suite"] + jobs["evaluate"],
        ),
        ("analysis", len(conditions) ** 2, "pairs of conditions compared", analysis),
    ):
        table.add_row(stage, f"{number:,}", text, f"{job_count:,}")
    table.add_section()
    table.add_row("", "", "", f"{sum(jobs.values()):,}")
    return table
