"""What a verb of the workflow is asked to make: an artifact of a campaign, by its id."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from hrtem_ood.campaign import dag
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.load import load_campaign, read_configs
from hrtem_ood.campaign.results import Results
from hrtem_ood.config.execution import Execution
from hrtem_ood.errors import HrtemOodError
from hrtem_ood.execution.job_records import record_job


@dataclass(frozen=True)
class Job:
    """An artifact to be made.

    Attributes
    ----------
    campaign : Campaign
    inputs : list of Path
        Artifacts that it is made from, in the order of :func:`hrtem_ood.campaign.dag.job_inputs`.
    output : Path
    """

    campaign: Campaign
    inputs: list[Path]
    output: Path

    @property
    def execution(self) -> Execution:
        """Where and how to compute."""
        return self.campaign.config.execution


@contextmanager
def load_job(stage: str, id_: str, configs: Sequence[Path], results: Path, *, record: bool = True) -> Iterator[Job]:
    """Look an artifact up among those that a campaign asks for, and keep a record of the job while it is made.

    Parameters
    ----------
    stage, id_ : str
    configs : sequence of Path
        Configurations, merged as snakemake --configfile does; or one that the workflow wrote below ``results/configs``.
    results : Path
        The results folder.
    record : bool
        False for a task of a job: the job has one.

    Yields
    ------
    Job

    Raises
    ------
    ConfigError, HrtemOodError
    """
    campaign = load_campaign(read_configs(configs))
    try:
        inputs = dag.job_inputs(campaign, stage, id_)
    except KeyError:
        raise HrtemOodError(
            f"{id_}: campaign {campaign.name} has none of that id among its {stage}; "
            f"{Results(results).path('indexes', campaign.index_id)} lists all, once it is written."
        ) from None
    with record_job(stage, id_, results, configs) if record else nullcontext():
        yield Job(campaign, [Results(results).path(*each) for each in inputs], Results(results).path(stage, id_))
