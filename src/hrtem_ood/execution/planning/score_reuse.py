"""Scores of existing evaluations, which new evaluations copy, by the ids of network and dataset."""

import json
from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property

from hrtem_ood.artifacts.stage_versions import STAGE_VERSIONS
from hrtem_ood.campaign.campaign import EvaluationJob
from hrtem_ood.execution.planning.differences import NEVER
from hrtem_ood.execution.planning.inventory import StoredArtifacts


class ReusableScores:
    """Scores that new evaluations can copy.

    An evaluation compares the contents of networks and datasets. Here only their ids are compared, which gives the same
    result unless a network was trained again on another kind of machine.

    Parameters
    ----------
    stored : StoredArtifacts
    """

    def __init__(self, stored: StoredArtifacts) -> None:
        self.stored = stored

    @cached_property
    def _holders(self) -> list[tuple[str, object, set[str], set[str]]]:
        """Evaluations of this version: id, precision, networks, datasets."""
        return [
            (
                record.id,
                record.parameters.get("numeric_precision", "float32"),
                {*record.parameters["networks"]},
                {*json.loads(record.attributes["datasets"])},
            )
            for record in self.stored.of("evaluations").values()
            if record.version == STAGE_VERSIONS["evaluations"]
        ]

    @cached_property
    def _scored(self) -> dict[tuple[object, str], set[str]]:
        """Precision and network → the datasets on which it is scored."""
        scored: dict[tuple[object, str], set[str]] = defaultdict(set)
        for _, precision, networks, datasets in self._holders:
            for network in networks:
                scored[precision, network] |= datasets
        return scored

    def _scored_for(self, job: EvaluationJob) -> list[set[str]]:
        """Return, for each network of a job, the datasets on which it is scored in the job's precision."""
        return [self._scored.get((job.spec.numeric_precision, network), set()) for network in job.spec.networks]

    def sources(self, job: EvaluationJob) -> Iterator[str]:
        """Yield the ids of evaluations that hold scores of a job."""
        networks, datasets = {*job.spec.networks}, {*job.suite.datasets}
        for id_, precision, scored_networks, scored_datasets in self._holders:
            if precision == job.spec.numeric_precision and scored_networks & networks and scored_datasets & datasets:
                yield id_

    def count(self, job: EvaluationJob) -> int:
        """Return how many pairs of network and dataset of a job have scores already."""
        return sum(len(scored & {*job.suite.datasets}) for scored in self._scored_for(job))

    def share_unknown(self, job: EvaluationJob) -> float:
        """Return the share of a job's scores that must be computed."""
        return 1 - self.count(job) / (len(job.spec.networks) * len(job.suite.datasets))

    def why(self, job: EvaluationJob) -> str:
        """Explain why an evaluation does not exist yet."""
        versions = {record.version for record in self.stored.of("evaluations").values()}
        if not versions:
            return NEVER
        if STAGE_VERSIONS["evaluations"] not in versions:
            return f"version of evaluations {max(versions)} → {STAGE_VERSIONS['evaluations']}"
        scored = self._scored_for(job)
        if not any(scored) and any(network in job.spec.networks for _, network in self._scored):
            return f"scores in another precision than {job.spec.numeric_precision}"
        parts = [
            ("networks not tested before", not all(scored)),
            ("test datasets new to the networks", any(each and {*job.suite.datasets} - each for each in scored)),
        ]
        return ", ".join(text for text, is_so in parts if is_so) or "grouping changed: all scores exist"
