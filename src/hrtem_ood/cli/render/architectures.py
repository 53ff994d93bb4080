"""The architectures of a campaign, and what they cost and see, as a table."""

from collections.abc import Iterator, Sequence

from rich.table import Table

from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.config.training import BUILT_IN, Architecture
from hrtem_ood.learning.architectures.complexity import flops_per_image, parameter_count, receptive_field
from hrtem_ood.learning.architectures.registry import build, check_size, stride_of
from hrtem_ood.learning.torch_device import reproducible


def architectures_table(campaign: Campaign) -> Table:
    """Return a table of the architectures of a campaign, and of those built in with their defaults.

    Every one of the campaign is tried on its images.

    Parameters
    ----------
    campaign : Campaign

    Raises
    ------
    ConfigError, ArtifactError
        Where a user's architecture does not work.
    """
    config, sides = campaign.config, image_sides(campaign)
    users = architectures_of(campaign)
    table = Table(
        title=f"Architectures of {campaign.name}, and those built in",
        title_justify="left",
        caption="FLOPs: forward pass of one image, a multiplication and an addition as two; training takes about three "
        "times as many.",
        caption_justify="left",
    )
    table.add_column("architecture", overflow="fold")
    table.add_column("networks", overflow="fold")
    table.add_column("parameters", justify="right")
    for side in sides:
        table.add_column(f"FLOPs\n{side} px", justify="right")
    table.add_column("receptive field\npx", justify="right")
    table.add_column("\nÅ", justify="right")
    table.add_column("stride\npx", justify="right")
    for architecture, names in users.items():
        with reproducible():  # on one thread, which is faster where cores are busy
            cells = list(_cells(architecture, sides, config.imaging.pixel_size_A, bool(names)))
        table.add_row(architecture.label, ", ".join(names) or "–", *cells)
    return table


def check_user_architectures(campaign: Campaign) -> None:
    """Build every architecture of a user's file, and try it on an image of every size of the campaign.

    Parameters
    ----------
    campaign : Campaign

    Raises
    ------
    ConfigError
        Where one does not work.
    """
    for architecture in architectures_of(campaign):
        if architecture.file is not None:
            network = build(architecture)
            for side in image_sides(campaign):
                check_size(network, architecture, side)


def image_sides(campaign: Campaign) -> list[int]:
    """Return the sides of the images that a campaign trains on and tests with [px], each once."""
    config = campaign.config
    return sorted(
        {
            round(config.structure_sets[name].cell_A / config.imaging.pixel_size_A)
            for name in campaign.used_structure_sets
        }
    )


def architectures_of(campaign: Campaign) -> dict[Architecture, list[str]]:
    """Return the architectures of a campaign with the names of their grids of networks, then those built in."""
    users: dict[Architecture, list[str]] = {}
    for name, grid in campaign.config.networks.items():
        for architecture in grid.architecture:
            users.setdefault(architecture, []).append(name)
    for built_in in BUILT_IN:
        users.setdefault(Architecture(name=built_in), [])
    return users


def _cells(architecture: Architecture, sides: Sequence[int], pixel_size_A: float, used: bool) -> Iterator[str]:
    network = build(architecture)
    stride = stride_of(network)
    yield f"{parameter_count(network):,}"
    for side in sides:
        if used:
            check_size(network, architecture, side)
        yield _thousands(flops_per_image(architecture, network, side) if side % stride == 0 else None)
    field = receptive_field(network)
    yield f"{field:g}".replace("inf", "∞")
    yield f"{field * pixel_size_A:.4g}".replace("inf", "∞")
    yield str(stride)


def _thousands(flops: int | None) -> str:
    """Write a number with a prefix, e.g. ``289 M``."""
    if flops is None:
        return "unknown"
    for size, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M")):
        if flops >= size:
            return f"{flops / size:.3g} {prefix}"
    return f"{flops / 1e3:.3g} k"
