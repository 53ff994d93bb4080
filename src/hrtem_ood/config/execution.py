"""The section `execution`."""

from typing import Annotated, Literal

from pydantic import Field

from hrtem_ood.base_model import Model


class Execution(Model):
    """How work is grouped into jobs and where it runs. Does not affect identities."""

    structures_per_shard: Annotated[int, Field(ge=1, le=100_000)] = Field(
        64, description="Structures per simulation job."
    )
    networks_per_job: Annotated[int, Field(ge=1, le=100_000)] = Field(
        32, description="Largest number of networks in one training job."
    )
    datasets_per_job: Annotated[int, Field(ge=1, le=10_000)] = Field(
        1,
        description="Datasets that one job of this machine images. More than 1 is for hundreds of small datasets, whose images "
        "take less time than the start of a process. Jobs on SLURM image one each.",
    )
    training_sets_per_job: Annotated[int, Field(ge=1, le=10_000)] = Field(
        1,
        description="Largest number of training sets whose networks one job trains, or tests. More than 1 is for thousands of "
        "tiny networks, whose training takes less time than the start of a process.",
    )
    network_jobs: Literal["grouped", "individual"] = Field(
        "grouped",
        description="How jobs train and test networks. `grouped`: one after the other. `individual`, for long trainings: each "
        "network is a task of a SLURM array or, without SLURM, a process on this machine.",
    )
    networks_per_evaluation: Annotated[int, Field(ge=1, le=100_000)] = Field(
        64, description="Largest number of networks that one job tests on a suite."
    )
    device: Literal["auto", "cpu", "gpu"] = Field("auto", description="`auto`: a GPU if available, else the CPU.")
    jobs_per_gpu: Annotated[int, Field(ge=1, le=64)] = Field(
        1,
        description="Largest number of jobs that share a GPU of this machine, each with its part of the memory "
        "(docs/gpu.md). On SLURM, the number of jobs that the profile lets share one.",
    )
    resume_on_other_gpu: bool = Field(
        False,
        description="Whether an interrupted training continues on another model of GPU. By default it restarts there, because "
        "weights differ by rounding between models.",
    )
    checkpoint_interval_s: Annotated[float, Field(ge=0, le=1e9)] = Field(
        60.0,
        description="Time between saves of a network in training [s], at the ends of epochs. A job that receives a signal to "
        "stop also saves its last epoch; a killed job loses the epochs since its last save.",
    )
    compile: bool = Field(
        False,
        description="Train with torch.compile, for GPUs and long trainings. Compiling takes up to a minute per network; "
        "numbers differ by rounding.",
    )
    keep_weights: bool = Field(
        True,
        description="false: once every suite of the campaign has scored a pack, the weights of its networks are deleted. "
        "A new suite then needs these networks trained again; `evaluate` reports it. Networks in the index of another "
        "campaign of the same results folder (`results/indexes/`) keep their weights.",
    )
