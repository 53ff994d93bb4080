"""Jobs of the workflow: each creates one artifact of a campaign, given its id."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from hrtem_ood.campaign import dag
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.load import load_campaign_from_files
from hrtem_ood.campaign.results import Results
from hrtem_ood.config.execution import Execution
from hrtem_ood.errors import HrtemOodError
from hrtem_ood.execution.job_records import record_job


@dataclass(frozen=True)
class Job:
    """An artifact to create.

    Attributes
    ----------
    campaign : Campaign
    inputs : list of Path
        Artifacts that the job reads, in the order of :func:`hrtem_ood.campaign.dag.job_inputs`.
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
def load_job(
    stage: str,
    id_: str,
    configs: Sequence[Path],
    results: Path,
    *,
    record: bool = True,
    campaign: Campaign | None = None,
) -> Iterator[Job]:
    """Find an artifact in a campaign, and keep a record of its job while the block runs.

    Parameters
    ----------
    stage, id_ : str
        Of the artifact.
    configs : sequence of Path
        Configurations, merged as snakemake --configfile does; or one that the workflow wrote below ``results/configs``.
    results : Path
        The results folder.
    record : bool
        Whether to keep a record; False for a task of a job, which has a record itself.
    campaign : Campaign, optional
        Of these configurations, where it is loaded already.

    Yields
    ------
    Job

    Raises
    ------
    ConfigError
        Where the configuration is not valid.
    ArtifactError
        Where one that the workflow wrote was changed since.
    HrtemOodError
        Where the campaign has no such artifact.
    """
    campaign = campaign or load_campaign_from_files(configs)
    try:
        inputs = dag.job_inputs(campaign, stage, id_)
    except KeyError:
        raise HrtemOodError(
            f"{id_}: campaign {campaign.name} has no {stage} of that id; "
            f"{Results(results).path('indexes', campaign.index_id)} lists all ids, once it exists."
        ) from None
    artifacts = Results(results)
    with record_job(stage, id_, results, configs) if record else nullcontext():
        yield Job(campaign, [artifacts.path(*each) for each in inputs], artifacts.path(stage, id_))
