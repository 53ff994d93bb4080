"""Warnings about choices of valid configurations that are often mistakes."""

from collections.abc import Iterator

from hrtem_ood.campaign import simulation_accuracy
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.domain import domain_of
from hrtem_ood.campaign.optics_warnings import lens_warnings
from hrtem_ood.config.structures import StructureFile
from hrtem_ood.suggestions import listed


def config_warnings(campaign: Campaign) -> Iterator[str]:
    """Yield a message for each choice of a valid configuration that is often a mistake."""
    orientation = _orientation(campaign)
    yield from simulation_accuracy.warnings(campaign.config.simulation, orientation)
    if campaign.config.imaging.temporal_coherence == "envelope":
        spreads = (dataset.condition.focal_spread_A for dataset in campaign.datasets.values())
        yield from simulation_accuracy.envelope_warnings(max(spreads, default=0.0), orientation)
    yield from lens_warnings(campaign)
    tested = {domain_of(campaign, id_) for id_ in campaign.test_dataset_ids}
    for name, training_sets in campaign.training_sets.items():
        missing = {
            campaign.datasets[id_].condition.label
            for training_set in training_sets
            for id_ in training_set.datasets
            if domain_of(campaign, id_) not in tested
        }
        if missing:
            yield (
                f"training_sets.{name}: its networks have no in-domain score, hence no gap, where no suite tests its structure "
                f"recipe: under {listed(sorted(missing))}."
            )
    grids = campaign.config.networks.values()
    if campaign.config.imaging.store_noise_free and not any(True in grid.resample_noise for grid in grids):
        yield "imaging.store_noise_free: noise-free images are stored, but no networks train with `resample_noise: true`."
    used = {name for grid in campaign.config.networks.values() for name in grid.training_sets}
    for name in campaign.config.training_sets:
        if name not in used:
            yield f"training_sets.{name}: no networks train on it."


def _orientation(campaign: Campaign) -> simulation_accuracy.Orientation:
    """Return whether columns of atoms may be parallel to the beam; those of files are assumed to be."""
    sets = [campaign.config.structure_sets[name] for name in campaign.used_structure_sets]
    columns = any(isinstance(each, StructureFile) or each.particles.zone_axis for each in sets)
    return "zone axis" if columns else "random"
