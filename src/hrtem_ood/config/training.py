"""Networks: architecture and hyperparameters, and grids of them."""

from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from hrtem_ood.artifacts.identity import canonical_json
from hrtem_ood.artifacts.stage_versions import ARCHITECTURE_VERSIONS
from hrtem_ood.base_model import PYTHON_NAME_PATTERN, Model, Names, Scalar, identity_parameters
from hrtem_ood.config.architectures import BUILT_IN, describe_each
from hrtem_ood.config.augmentations import Augmentations
from hrtem_ood.config.grids import grid_model
from hrtem_ood.suggestions import did_you_mean

_DEPTHS = " and ".join(f"{row.depth} for `{name}`" for name, row in BUILT_IN.items())


class Architecture(Model):
    """A segmentation network by name, with its parameters."""

    name: Annotated[str, Field(pattern=PYTHON_NAME_PATTERN, max_length=40)] = Field(
        "unet",
        description=describe_each(lambda row: f": {row.description}.", " ")
        + " With `file`: the class of that name in the file.",
    )
    base_channels: Annotated[int, Field(ge=1, le=512)] | None = Field(
        None,
        description="Channels of the first level; "
        + describe_each(lambda row: f" ({row.base_channels}) {row.widths}", ", ")
        + ".",
    )
    depth: Annotated[int, Field(ge=1, le=6)] | None = Field(
        None,
        description=f"Number of 2× down-samplings, {_DEPTHS}; image sides must be divisible by 2^depth.",
    )
    file: str | None = Field(
        None,
        description="Python file that defines `name`, relative to the working directory; see docs/architectures.md. "
        "Identities depend on its content, not on its name.",
    )
    sha256: str | None = Field(
        None, description="Filled in when the file is read; set it to refuse a file with other content."
    )
    parameters: dict[str, Scalar] = Field({}, description="Keyword arguments of a user-defined architecture.")

    @model_validator(mode="before")
    @classmethod
    def _defaults(cls, data: Any) -> Any:
        if not isinstance(data, dict) or data.get("file") is not None:
            return data
        given = {key: value for key, value in data.items() if value is not None}
        row = BUILT_IN.get(str(given.get("name", "unet")))
        return {**(row.defaults if row else {}), **given}

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if self.file is not None and (self.base_channels, self.depth) != (None, None):
            raise ValueError("with `file`, write `base_channels` and `depth` under `parameters`, if it has such")
        if self.file is None and self.name not in BUILT_IN:
            raise ValueError(
                f"there is no architecture `{self.name}`; {did_you_mean(self.name, BUILT_IN)}"
                f"Use {' or '.join(f'`{name}`' for name in BUILT_IN)}, or give the `file` that defines it"
            )
        if self.file is None and (self.parameters or self.sha256):
            raise ValueError(
                f"`parameters` and `sha256` are valid with `file` only; `{self.name}` takes `base_channels` and `depth`"
            )
        return self

    def __hash__(self) -> int:
        return hash(self.label)

    @property
    def stride(self) -> int | None:
        """Divisor of the image sides [px]; None for an architecture of a user's file."""
        return None if self.depth is None else int(2**self.depth)

    @property
    def version(self) -> int:
        """Version of the code; 1 for a user's file, whose content is part of the identity."""
        return ARCHITECTURE_VERSIONS.get(self.name, 1) if self.file is None else 1

    @property
    def label(self) -> str:
        """Short name with all parameters, e.g. ``unet(base_channels=8, depth=3)``."""
        built_in = {"base_channels": self.base_channels, "depth": self.depth}
        values = built_in if self.file is None else self.parameters
        return f"{self.name}({', '.join(f'{key}={canonical_json(values[key])}' for key in sorted(values))})"


class Hyperparameters(Model):
    """How a network is trained."""

    architecture: Architecture = Field(Architecture(), description="The network.")
    epochs: Annotated[int, Field(ge=1, le=100_000)] | None = Field(
        None, description="Passes over the training images; give this or `steps`."
    )
    steps: Annotated[int, Field(ge=1, le=100_000_000)] | None = Field(
        None, description="Total number of batches, instead of `epochs`; the last epoch may be shorter."
    )
    batch_size: Annotated[int, Field(ge=1, le=65_536)] = Field(8, description="Images per step.")
    loss: Literal["cross_entropy", "cross_entropy_dice"] = Field(
        "cross_entropy", description="Pixel-wise cross-entropy, alone or plus the soft Dice loss of the particle class."
    )
    optimizer: Literal["adamw", "adam"] = Field("adamw", description="AdamW, or Adam.")
    learning_rate: Annotated[float, Field(ge=1e-9, le=1)] = Field(
        3e-3, description="Largest learning rate: at the top of `one_cycle`, at the start of `exponential`."
    )
    lr_schedule: Literal["one_cycle", "exponential"] = Field(
        "one_cycle",
        description="Learning rate over the steps. `one_cycle`: up and down once. `exponential`: times `lr_decay` every epoch.",
    )
    lr_decay: Annotated[float, Field(ge=0.01, le=1)] = Field(
        0.95, description="Factor of the learning rate per epoch, for `exponential`; 1 keeps it constant."
    )
    weight_decay: Annotated[float, Field(ge=0, le=1)] = Field(
        1e-2, description="Weight decay of AdamW; for Adam, the L2 penalty's coefficient."
    )
    gradient_clip: Annotated[float, Field(ge=1e-6, le=1e6)] | None = Field(
        None, description="Largest norm of the gradient over all weights. Omitted: no clipping."
    )
    augmentation: Literal["dihedral", "none"] = Field(
        "dihedral", description="`dihedral`: every image is rotated and mirrored at random (8 orientations)."
    )
    augmentations: Augmentations = Field(
        Augmentations(),
        description="Further changes of training images, by name; drawn anew every epoch, after noise, before "
        "standardisation. Validation and test images stay as they are.",
    )
    repair: bool = Field(
        False,
        description="true: training, validation and test images are repaired as `hrtem-ood predict` repairs micrographs, "
        "after augmentations and before standardisation. It runs on the CPU, some tens of milliseconds for an image of 128 px.",
    )
    resample_noise: bool = Field(
        False,
        description="false: train on the datasets' counts. true: draw new Poisson counts every epoch from the noise-free "
        "images, which needs `imaging.store_noise_free`.",
    )
    numeric_precision: Literal["32-true", "bf16-mixed"] = Field(
        "32-true",
        description="Precision of training, as Lightning names it; `bf16-mixed`: bfloat16 by autocast. A GPU without bfloat16 "
        "computes in float32, and the network's file records this.",
    )
    stored_dtype: Literal["float32", "bfloat16"] = Field(
        "float32",
        description="Type of the stored weights, which are the ones that are tested; `bfloat16` halves the files. "
        "`execution.keep_weights: false` deletes weights after scoring.",
    )
    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] = Field(
        0, description="Seed of initial weights, batches and augmentation."
    )

    @property
    def slug(self) -> str:
        """Architecture, learning rate and seed."""
        return f"{self.architecture.name}-lr{self.learning_rate:g}-s{self.seed}"

    @property
    def repairs_batches(self) -> bool:
        """Whether training images are repaired batch by batch, as every epoch changes them; else once, when they are read."""
        return self.repair and (self.resample_noise or bool(self.augmentations))

    @property
    def content(self) -> dict[str, Any]:
        """Content from which identities are computed: of an architecture's file, the digest without the path.

        The version of a built-in architecture is part of it unless it is 1.
        """
        content = identity_parameters(self, exclude={"architecture": {"file"}} if self.architecture.sha256 else None)
        if self.architecture.version > 1:
            content["architecture"]["version"] = self.architecture.version
        return content

    @cached_property
    def content_json(self) -> str:
        """Canonical JSON of :attr:`content`."""
        return canonical_json(self.content)

    @model_validator(mode="before")
    @classmethod
    def _drop_unused_decay(cls, data: Any) -> Any:
        """Drop `lr_decay` where the schedule does not use it: the training is the same."""
        if isinstance(data, dict) and data.get("lr_schedule", "one_cycle") != "exponential":
            return {key: value for key, value in data.items() if key != "lr_decay"}
        return data

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if (self.epochs is None) == (self.steps is None):
            raise ValueError("give either `epochs` or `steps`")
        return self


class _TrainedOn(Model):
    training_sets: Names = Field(description="Names under `training_sets`.")


_HyperparameterGrid = grid_model("_HyperparameterGrid", Hyperparameters, "")


class NetworkGrid(_TrainedOn, _HyperparameterGrid):  # type: ignore[misc, valid-type]  # the base is built at import
    """A grid of networks: the outer product of the values of every key."""

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        epochs, steps = getattr(self, "epochs"), getattr(self, "steps")  # noqa: B009  # mypy does not see these fields
        if epochs != (None,) and steps != (None,):
            raise ValueError("give either `epochs` or `steps`, not both")
        if None in epochs and None in steps:
            raise ValueError("give either `epochs` or `steps`; both are missing")
        return self
