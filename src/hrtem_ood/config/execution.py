"""The section `execution`."""

from typing import Annotated, Literal

from pydantic import Field

from hrtem_ood.base_model import Model


class Execution(Model):
    """How work is grouped into jobs and where it runs; part of no identity."""

    structures_per_shard: Annotated[int, Field(ge=1, le=100_000)] = Field(
        64, description="Structures per simulation job."
    )
    networks_per_job: Annotated[int, Field(ge=1, le=100_000)] = Field(
        32, description="Most networks that one training job trains."
    )
    network_jobs: Literal["grouped", "individual"] = Field(
        "grouped",
        description="How jobs train and test networks. `grouped`: one after the other. `individual`: each as a job of its own in "
        "an array of SLURM's, where there is SLURM, else as a process of this machine: for long networks.",
    )
    networks_per_evaluation: Annotated[int, Field(ge=1, le=100_000)] = Field(
        64, description="Most networks that one job tests on a suite; all of one training set."
    )
    device: Literal["auto", "cpu", "gpu"] = Field("auto", description="`auto` takes a GPU where there is one.")
    checkpoint_interval_s: Annotated[float, Field(ge=0, le=1e9)] = Field(
        60.0,
        description="Seconds between saves of a network in training [s], at the ends of epochs. A job that is asked to "
        "stop saves its last epoch anyhow; one that is killed loses what came after the last save.",
    )
    compile: bool = Field(
        False,
        description="Train through torch.compile: made for GPUs and long trainings, as every network is compiled first, "
        "which takes up to a minute; numbers differ by rounding.",
    )
    keep_weights: bool = Field(
        True,
        description="false: once every suite of the campaign has scored a pack, its networks' weights are dropped. "
        "A new suite then needs them trained again, as `evaluate` will tell. Networks that another campaign of the same "
        "results folder lists in its index (`results/indexes/`) keep theirs.",
    )
