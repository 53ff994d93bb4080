"""What a verb of the workflow is asked to make: an artefact of a campaign, by its id."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from hrtem_ood.campaign import jobs
from hrtem_ood.campaign.campaign import Campaign, artefact
from hrtem_ood.campaign.config import Execution
from hrtem_ood.campaign.load import load_campaign, read_configs
from hrtem_ood.errors import HrtemOodError
from hrtem_ood.running.records import recorded


@dataclass(frozen=True)
class Asked:
    """An artefact to be made.

    Attributes
    ----------
    campaign : Campaign
    inputs : list of Path
        Artefacts that it is made from, in the order of :func:`hrtem_ood.campaign.jobs.inputs`.
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
def asked(stage: str, id_: str, configs: Sequence[Path], results: Path, *, record: bool = True) -> Iterator[Asked]:
    """Look an artefact up among those that a campaign asks for, and keep a record of the job while it is made.

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
    Asked

    Raises
    ------
    ConfigError, HrtemOodError
    """
    campaign = load_campaign(read_configs(configs))
    try:
        inputs = jobs.inputs(campaign, stage, id_)
    except KeyError:
        raise HrtemOodError(
            f"{id_}: campaign {campaign.name} has none of that id among its {stage}; "
            f"{results / artefact('indexes', campaign.index_id)} lists all, once it is written."
        ) from None
    with recorded(stage, id_, results, configs) if record else nullcontext():
        yield Asked(campaign, [results / artefact(*each) for each in inputs], results / artefact(stage, id_))
