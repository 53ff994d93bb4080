"""Networks: architecture and hyperparameters, and grids of them."""

from typing import Annotated, Literal

from pydantic import Field

from hrtem_ood.campaign.condition import grid_model
from hrtem_ood.campaign.types import Model, Names


class Architecture(Model):
    """A segmentation network by name, with its parameters."""

    name: Literal["unet"] = Field("unet", description="`unet`: plain U-Net.")
    channels: Annotated[int, Field(ge=1, le=512)] = Field(
        8, description="Channels of the first level; doubled per level."
    )
    depth: Annotated[int, Field(ge=1, le=6)] = Field(
        3, description="Number of 2× down-samplings; image sides must be divisible by 2^depth."
    )

    @property
    def stride(self) -> int:
        """Divisor of the image sides [px]."""
        return int(2**self.depth)


class Hyperparameters(Model):
    """How a network is trained."""

    architecture: Architecture = Field(Architecture(), description="The network.")
    epochs: Annotated[int, Field(ge=1)] = Field(description="Passes over the training images.")
    batch_size: Annotated[int, Field(ge=1)] = Field(8, description="Images per step.")
    learning_rate: Annotated[float, Field(gt=0, le=1)] = Field(
        3e-3, description="Largest learning rate of the one-cycle schedule (AdamW)."
    )
    weight_decay: Annotated[float, Field(ge=0, le=1)] = Field(1e-2, description="Weight decay of AdamW.")
    seed: Annotated[int, Field(ge=0)] = Field(0, description="Seeds initial weights, batches and augmentation.")


class _TrainedOn(Model):
    training_sets: Names = Field(description="Names under `training_sets`.")


_HyperparameterGrid = grid_model("_HyperparameterGrid", Hyperparameters, "")


class NetworkGrid(_TrainedOn, _HyperparameterGrid):  # type: ignore[misc, valid-type]  # the base is built at import
    """A grid of networks: the outer product of the values of every key."""
