"""The data of a report, as every figure gets them."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from hrtem_ood.analysis.results import CampaignResults
from hrtem_ood.analysis.structure_matrix import Matrix, structure_matrix
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.condition_labels import ConditionLabels
from hrtem_ood.config.analysis import Analysis
from hrtem_ood.report.network_views import NetworkViews, read_views


@dataclass(frozen=True)
class ReportData:
    """A campaign with its results.

    Attributes
    ----------
    campaign : Campaign
    folder : Path
        The results folder.
    results : CampaignResults
    """

    campaign: Campaign
    folder: Path
    results: CampaignResults

    @property
    def analysis(self) -> Analysis:
        """The section `analysis` of the configuration."""
        return self.campaign.config.analysis

    @property
    def palette(self) -> str:
        """Name of the colour map of matrices."""
        return self.campaign.config.report.palette

    @property
    def labels(self) -> ConditionLabels:
        """Short labels of all conditions."""
        return self.campaign.condition_labels

    @cached_property
    def structure_matrix(self) -> Matrix:
        """Scores by structure recipe of training and test."""
        return structure_matrix(self.campaign, self.results.outcomes)

    @cached_property
    def views(self) -> NetworkViews:
        """What networks see, of some cells."""
        return read_views(self.campaign, self.folder, self.results)

    @property
    def default_note(self) -> str:
        """Sentence for captions on the values that short labels leave out; empty where there are none."""
        note = self.labels.default_note
        return f" Unless a label says otherwise: {note}." if note else ""
