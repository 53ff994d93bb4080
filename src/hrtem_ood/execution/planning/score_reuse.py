"""Scores that evaluations hold already, by the ids of network and dataset."""

import json
from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property

from hrtem_ood.artifacts.stage_versions import STAGE_VERSIONS
from hrtem_ood.campaign.campaign import EvaluationJob
from hrtem_ood.execution.planning.differences import NEVER
from hrtem_ood.execution.planning.inventory import StoredArtifacts


class ReusableScores:
    """What evaluations that are there can be copied from.

    An evaluation copies by the contents of networks and datasets. Their ids are looked at here, which tell the same but
    where a network was trained again on another kind of machine.

    Parameters
    ----------
    known : StoredArtifacts
    """

    def __init__(self, known: StoredArtifacts) -> None:
        self.stored = known

    @cached_property
    def _holders(self) -> list[tuple[str, set[str], set[str]]]:
        """Evaluations of this version: id, networks, datasets."""
        return [
            (told.id, {*told.parameters["networks"]}, {*json.loads(told.attributes["datasets"])})
            for told in self.stored.of("evaluations").values()
            if told.version == STAGE_VERSIONS["evaluations"]
        ]

    @cached_property
    def _scored(self) -> dict[str, set[str]]:
        """Network → the datasets on which it is scored."""
        found: dict[str, set[str]] = defaultdict(set)
        for _, networks, datasets in self._holders:
            for network in networks:
                found[network] |= datasets
        return found

    def sources(self, job: EvaluationJob) -> Iterator[str]:
        """Yield the ids of evaluations that hold scores which a job needs."""
        networks, datasets = {*job.spec.networks}, {*job.suite.datasets}
        for id_, theirs, on in self._holders:
            if theirs & networks and on & datasets:
                yield id_

    def count(self, job: EvaluationJob) -> int:
        """Return how many of a job's scores of a network on a dataset are known."""
        return sum(len(self._scored.get(network, set()) & {*job.suite.datasets}) for network in job.spec.networks)

    def share_unknown(self, job: EvaluationJob) -> float:
        """Return the share of a job's scores that are to be computed."""
        return 1 - self.count(job) / (len(job.spec.networks) * len(job.suite.datasets))

    def why(self, job: EvaluationJob) -> str:
        """Tell why an evaluation is to be made."""
        versions = {told.version for told in self.stored.of("evaluations").values()}
        if not versions:
            return NEVER
        if STAGE_VERSIONS["evaluations"] not in versions:
            return f"version of evaluations {max(versions)} → {STAGE_VERSIONS['evaluations']}"
        scored = [self._scored.get(network, set()) for network in job.spec.networks]
        parts = [
            ("networks never tested", not all(scored)),
            ("test datasets new to its networks", any(each and {*job.suite.datasets} - each for each in scored)),
        ]
        return ", ".join(text for text, is_so in parts if is_so) or "another grouping: all scores are known"
