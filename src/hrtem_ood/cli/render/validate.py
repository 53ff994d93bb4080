"""What a campaign amounts to, before anything is spent on it."""

from collections.abc import Iterator

from rich.table import Table

from hrtem_ood.campaign import simulation_accuracy
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.dag import job_counts
from hrtem_ood.campaign.optics_warnings import lens_warnings
from hrtem_ood.config.structures import StructureFile


def campaign_table(campaign: Campaign) -> Table:
    """Return a table of what the campaign makes, and by how many jobs."""
    config, jobs = campaign.config, job_counts(campaign)
    sets = {name: config.structure_sets[name].n_structures for name in campaign.used_structure_sets}
    images = {id_: dataset.n_structures for id_, dataset in campaign.datasets.items()}
    tested = [sum(images[id_] for id_ in suite.datasets) for suite in campaign.suites.values()]
    conditions = {dataset.condition for dataset in campaign.datasets.values()}
    table = Table(title=f"Campaign {campaign.name}", title_justify="left")
    table.add_column("stage")
    table.add_column("what", justify="right")
    table.add_column("")
    table.add_column("jobs", justify="right")
    structures = ", ".join(f"{count} {name}" for name, count in sets.items())
    table.add_row("structures", str(sum(sets.values())), f"structures: {structures}", str(jobs["build"]))
    waves = sum(sets.values()) * config.simulation.n_frozen_phonons
    table.add_row(
        "simulation",
        str(waves),
        f"exit waves, {_several(config.simulation.n_frozen_phonons, 'phonon')} each",
        str(jobs["simulate"]),
    )
    table.add_row(
        "imaging",
        str(sum(images.values())),
        f"images in {_several(len(images), 'dataset')} under {_several(len(conditions), 'condition')}",
        str(jobs["image"]),
    )
    table.add_row(
        "training",
        str(len(campaign.networks)),
        f"networks on {_several(len(campaign.training_set_by_id), 'training set')}",
        str(jobs["train"]),
    )
    table.add_row(
        "evaluation",
        str(len(campaign.networks) * sum(tested)),
        f"image scores: every network on {_several(len(tested), 'suite')}",
        str(jobs["suite"] + jobs["evaluate"]),
    )
    rest = jobs["transfer"] + jobs["predictors"] + jobs["metrics"] + jobs["report"] + jobs["index"]
    table.add_row("analysis", str(len(conditions) ** 2), "pairs of conditions compared", str(rest))
    table.add_row("", "", "", str(sum(jobs.values())), end_section=True)
    return table


def _several(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def warnings(campaign: Campaign) -> Iterator[str]:
    """Yield what is allowed but may surprise."""
    orientation = _orientation(campaign)
    yield from simulation_accuracy.warnings(campaign.config.simulation, orientation)
    if campaign.config.imaging.temporal_coherence == "envelope":
        spreads = (dataset.condition.focal_spread_A for dataset in campaign.datasets.values())
        yield from simulation_accuracy.envelope_warnings(max(spreads, default=0.0), orientation)
    yield from lens_warnings(campaign)
    tested = {campaign.datasets[id_].condition for suite in campaign.suites.values() for id_ in suite.datasets}
    for name, training_sets in campaign.training_sets.items():
        missing = {
            campaign.datasets[id_].condition.label
            for training_set in training_sets
            for id_ in training_set.datasets
            if campaign.datasets[id_].condition not in tested
        }
        if missing:
            yield (
                f"training_sets.{name}: no suite tests under {', '.join(sorted(missing))}; "
                "its networks have no in-domain score there, hence no gap."
            )
    grids = campaign.config.networks.values()
    if campaign.config.imaging.store_noise_free and not any(True in grid.resample_noise for grid in grids):
        yield "imaging.store_noise_free: noise-free images are stored, but no networks train with `resample_noise: true`."
    used = {name for grid in campaign.config.networks.values() for name in grid.training_sets}
    for name in campaign.config.training_sets:
        if name not in used:
            yield f"training_sets.{name}: no networks train on it."


def _orientation(campaign: Campaign) -> simulation_accuracy.Orientation:
    """Tell whether columns of atoms may stand along the beam: scenes from files are not looked into."""
    sets = [campaign.config.structure_sets[name] for name in campaign.used_structure_sets]
    columns = any(isinstance(each, StructureFile) or each.particles.zone_axis for each in sets)
    return "zone axis" if columns else "random"
