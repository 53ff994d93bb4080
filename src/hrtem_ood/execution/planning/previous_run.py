"""The most similar earlier run of a campaign, from the configurations that the workflow has saved."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.load import read_yaml
from hrtem_ood.campaign.results import Results
from hrtem_ood.errors import ConfigError
from hrtem_ood.execution.planning.differences import changes, format_change
from hrtem_ood.execution.planning.inventory import ArtifactRecord
from hrtem_ood.progress import log

NO_CONTENT = ("execution", "report")
"""Sections that do not affect scores."""


@dataclass(frozen=True)
class KeyChange:
    """A key of the configuration whose value differs.

    Attributes
    ----------
    key : str
        Full path of the key, e.g. ``networks.unet.learning_rate``.
    text : str
        The key, its old and its new value.
    """

    key: str
    text: str

    @property
    def section(self) -> str:
        """The first part of the key."""
        return self.key.partition(".")[0]

    @property
    def counts(self) -> bool:
        """Whether scores depend on it; they do not depend on execution and report."""
        return self.section not in NO_CONTENT


@dataclass(frozen=True)
class PreviousRun:
    """An earlier run.

    Attributes
    ----------
    config : str
        Id of its configuration.
    changes : tuple of KeyChange
        Empty where this very configuration was run.
    """

    config: str
    changes: tuple[KeyChange, ...]


def configurations(results: Path) -> dict[str, dict[str, Any]]:
    """Read the configurations of earlier runs of the workflow, by id; log those that cannot be read."""
    contents = {}
    for path in sorted((results / "configs").glob("*.json")):
        try:
            contents[path.stem] = read_yaml(path)
        except ConfigError as error:
            log(str(error))
    return contents


def closest_previous_run(campaign: Campaign, results: Path) -> PreviousRun | None:
    """Return the earlier run of a campaign's name whose configuration differs in the fewest keys; None before the first."""
    now = ArtifactRecord("", 0, campaign.config.model_dump(mode="json"), {})
    if Results(results).exists("configs", campaign.config_id):
        return PreviousRun(campaign.config_id, ())
    runs = {
        id_: changes(now, ArtifactRecord(id_, 0, config, {}))
        for id_, config in configurations(results).items()
        if config.get("campaign") == campaign.name
    }
    if not runs:
        return None
    nearest = min(runs, key=lambda id_: (len(runs[id_]), id_))
    return PreviousRun(nearest, tuple(KeyChange(change.key, format_change(change)) for change in runs[nearest]))
