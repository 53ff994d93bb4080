"""Architectures as a table: size, cost and receptive field."""

from collections.abc import Iterator, Sequence

from rich.table import Table

from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.cli.render.console import folded, make_table, numbers
from hrtem_ood.cli.render.quantities import format_prefixed
from hrtem_ood.config.training import Architecture
from hrtem_ood.learning.architectures.complexity import flops_per_image, parameter_count, receptive_field
from hrtem_ood.learning.architectures.of_campaign import architectures_of, image_sides
from hrtem_ood.learning.architectures.registry import build, check_size, stride_of
from hrtem_ood.learning.torch_device import reproducible


def architectures_table(campaign: Campaign) -> Table:
    """Return a table of the architectures of a campaign, each tried on its images, and of those built in.

    Parameters
    ----------
    campaign : Campaign

    Raises
    ------
    ConfigError, ArtifactError
        Where a user's architecture does not work.
    """
    sides = image_sides(campaign)
    table = make_table(
        f"Architectures of {campaign.name}, and those built in",
        folded("architecture"),
        folded("networks"),
        *numbers("parameters", *(f"FLOPs\n{side} px" for side in sides), "receptive field\npx", "\nÅ", "stride\npx"),
        caption="FLOPs: forward pass of one image, a multiplication and an addition as two; training takes about three "
        "times as many.",
    )
    for architecture, names in architectures_of(campaign).items():
        with reproducible():  # on one thread, which is faster where cores are busy
            cells = list(_cells(architecture, sides, campaign.config.imaging.pixel_size_A, bool(names)))
        table.add_row(architecture.label, ", ".join(names) or "–", *cells)
    return table


def _cells(architecture: Architecture, sides: Sequence[int], pixel_size_A: float, used: bool) -> Iterator[str]:
    network = build(architecture)
    stride = stride_of(network)
    yield f"{parameter_count(network):,}"
    for side in sides:
        if used:
            check_size(network, architecture, side)
        yield format_prefixed(flops_per_image(architecture, network, side) if side % stride == 0 else None)
    field = receptive_field(network)
    yield f"{field:g}".replace("inf", "∞")
    yield f"{field * pixel_size_A:.4g}".replace("inf", "∞")
    yield str(stride)
