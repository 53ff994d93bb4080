"""The architectures of a campaign, and the sizes of the images that they must accept."""

from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.config.architectures import BUILT_IN
from hrtem_ood.config.training import Architecture


def image_sides(campaign: Campaign) -> list[int]:
    """Return the different sides of the images of a campaign, for training and for tests [px], sorted."""
    config = campaign.config
    return sorted(
        {
            round(config.structure_sets[name].cell_A / config.imaging.pixel_size_A)
            for name in campaign.used_structure_sets
        }
    )


def architectures_of(campaign: Campaign) -> dict[Architecture, list[str]]:
    """Return the architectures of a campaign, each with the names of its grids of networks, then those built in.

    Those built in have their default size, and no name where the campaign does not use them.
    """
    names: dict[Architecture, list[str]] = {}
    for name, grid in campaign.config.networks.items():
        for architecture in grid.architecture:
            names.setdefault(architecture, []).append(name)
    for built_in in BUILT_IN:
        names.setdefault(Architecture(name=built_in), [])
    return names
