"""Find out how far a neural network can be trusted outside the HRTEM imaging conditions that it was trained on.

The names of the Python interface, :data:`__all__`, are imported when they are used: ``import hrtem_ood`` costs nothing, and
the workflow imports neither PyTorch nor abTEM.
"""

TYPE_CHECKING = False  # true for type checkers; importing `typing` would take longer than the rest of this module

if TYPE_CHECKING:
    from hrtem_ood.api.campaigns import (
        list_datasets,
        list_networks,
        load_campaign,
        open_dataset,
        open_exit_waves,
        open_metrics,
    )
    from hrtem_ood.api.cells import rank_predictors, read_cells
    from hrtem_ood.api.information_transfer import epsilon, sigma
    from hrtem_ood.api.networks import load_network, predict, read_micrographs
    from hrtem_ood.campaign.campaign import Campaign
    from hrtem_ood.campaign.results import Results
    from hrtem_ood.errors import ArgumentError, ArtifactError, ConfigError, DeviceError, HrtemOodError
    from hrtem_ood.learning.inference.micrograph import Micrograph
    from hrtem_ood.learning.inference.segment_micrographs import Segmentation, TrainedNetwork, segment
    from hrtem_ood.learning.repair import RepairedImage, repair_image
    from hrtem_ood.physics.optics.condition import Condition
    from hrtem_ood.transfer.parameters import Transfer

__all__ = [
    "ArgumentError",
    "ArtifactError",
    "Campaign",
    "Condition",
    "ConfigError",
    "DeviceError",
    "HrtemOodError",
    "Micrograph",
    "RepairedImage",
    "Results",
    "Segmentation",
    "TrainedNetwork",
    "Transfer",
    "epsilon",
    "list_datasets",
    "list_networks",
    "load_campaign",
    "load_network",
    "open_dataset",
    "open_exit_waves",
    "open_metrics",
    "predict",
    "rank_predictors",
    "read_cells",
    "read_micrographs",
    "repair_image",
    "segment",
    "sigma",
]

_MODULES = {
    "api.campaigns": (
        "list_datasets",
        "list_networks",
        "load_campaign",
        "open_dataset",
        "open_exit_waves",
        "open_metrics",
    ),
    "api.cells": ("rank_predictors", "read_cells"),
    "api.information_transfer": ("epsilon", "sigma"),
    "api.networks": ("load_network", "predict", "read_micrographs"),
    "campaign.campaign": ("Campaign",),
    "campaign.results": ("Results",),
    "errors": ("ArgumentError", "ArtifactError", "ConfigError", "DeviceError", "HrtemOodError"),
    "learning.inference.micrograph": ("Micrograph",),
    "learning.inference.segment_micrographs": ("Segmentation", "TrainedNetwork", "segment"),
    "learning.repair": ("RepairedImage", "repair_image"),
    "physics.optics.condition": ("Condition",),
    "transfer.parameters": ("Transfer",),
}
"""Module of each name: the same as in the imports for type checkers above."""


def __getattr__(name: str) -> object:
    """Import a name of the interface on first use (PEP 562)."""
    import importlib

    for module, names in _MODULES.items():
        if name in names:
            value = getattr(importlib.import_module(f"{__name__}.{module}"), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
