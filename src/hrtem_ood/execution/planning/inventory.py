"""Metadata of existing artifacts and of those of a campaign, loaded lazily per stage."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from hrtem_ood.artifacts import store
from hrtem_ood.artifacts.identity import content_id
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.results import Results
from hrtem_ood.campaign.specs import (
    ExitWaveShardSpec,
    NetworkSpec,
    PackSpec,
    Spec,
    StructureShardSpec,
    TrainingSetSpec,
    wave_series,
)
from hrtem_ood.campaign.stage_table import STAGES
from hrtem_ood.errors import ArtifactError
from hrtem_ood.physics.structures.recipe import structure_series


@dataclass(frozen=True)
class ArtifactRecord:
    """Metadata of an artifact, either an existing one or one of a campaign.

    Attributes
    ----------
    id : str
    version : int
        Version of its stage.
    parameters : dict
        Parameters of its spec, defaults included.
    attributes : dict
        Provenance, see :func:`hrtem_ood.artifacts.store.provenance`; empty where the artifact is not read from a file.
    spec : Spec or None
        None where the stage has none.
    """

    id: str
    version: int
    parameters: Mapping[str, Any]
    attributes: Mapping[str, Any]
    spec: Spec | None = None

    @cached_property
    def flat(self) -> dict[str, Any]:
        """All parameters as ``a.b.c`` → value; a list of anything but mappings is a value."""
        return _flat(self.parameters)

    @cached_property
    def items(self) -> frozenset[tuple[str, Any]]:
        """The same as a set, with the version; the symmetric difference of two of them is what differs."""
        return frozenset([*self.flat.items(), ("", self.version)])


def _flat(value: Any, path: str = "") -> dict[str, Any]:
    if isinstance(value, list | tuple) and value and all(isinstance(item, Mapping) for item in value):
        # number the grids of a list; write a single grid without the list
        value = dict(enumerate(value)) if len(value) > 1 else value[0]
    if not isinstance(value, Mapping):
        return {path: _hashable(value)}
    parts = [_flat(item, f"{path}.{key}" if path else str(key)) for key, item in value.items()]
    return {key: item for part in parts for key, item in part.items()}


def _hashable(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return tuple(map(_hashable, value))
    return tuple(sorted(_flat(value).items())) if isinstance(value, Mapping) else value


ArtifactRecords = dict[str, ArtifactRecord]


class ArtifactSource:
    """Artifacts by stage and id, and inputs by the ids of their series."""

    def of(self, stage: str) -> ArtifactRecords:
        """Return the artifacts of a stage, by id."""
        raise NotImplementedError

    @cached_property
    def structures_by_series(self) -> ArtifactRecords:
        """A structure shard of each series of structures."""
        shards = self.of("structures").values()
        return {
            structure_series(record.spec.recipe, record.version): record
            for record in shards
            if isinstance(record.spec, StructureShardSpec)
        }

    @cached_property
    def exit_waves_by_series(self) -> ArtifactRecords:
        """An exit-wave shard of each series of exit waves."""
        shards = self.of("exit_waves").values()
        return {
            wave_series(record.spec.structure_series, record.spec.simulation, record.version): record
            for record in shards
            if isinstance(record.spec, ExitWaveShardSpec)
        }


class CampaignArtifacts(ArtifactSource):
    """Artifacts of a campaign, existing or not."""

    def __init__(self, campaign: Campaign) -> None:
        self.campaign = campaign
        self._stages: dict[str, ArtifactRecords] = {}

    def of(self, stage: str) -> ArtifactRecords:
        """Return the campaign's artifacts of a stage, by id."""
        if stage not in self._stages:
            specs = STAGES[stage].specs
            assert specs is not None, f"{stage} have no specs"
            shared: dict[int, dict[str, Any]] = {}
            self._stages[stage] = {id_: _record(spec, shared) for id_, spec in specs(self.campaign).items()}
        return self._stages[stage]


def _record(spec: Spec, shared: dict[int, dict[str, Any]]) -> ArtifactRecord:
    """Make the record of a spec; thousands of networks share the parameters of their hyperparameters, by object."""
    if not isinstance(spec, NetworkSpec):
        return ArtifactRecord(spec.id, spec.version, spec.model_dump(mode="json"), {}, spec)
    key = id(spec.hyperparameters)  # which live as long as the campaign
    if key not in shared:
        shared[key] = spec.hyperparameters.model_dump(mode="json")
    parameters = {"training_set": spec.training_set, "hyperparameters": shared[key]}
    return ArtifactRecord(spec.id, spec.version, parameters, {}, spec)


class StoredArtifacts(ArtifactSource):
    """Existing artifacts.

    Parameters
    ----------
    results : Path
        The results folder.

    Attributes
    ----------
    unreadable : dict of str to str
        Error messages of files that were skipped, by path.
    """

    def __init__(self, results: Path) -> None:
        self.results = results
        self.unreadable: dict[str, str] = {}
        self._stages: dict[str, ArtifactRecords] = {}

    def of(self, stage: str) -> ArtifactRecords:
        """Return the existing artifacts of a stage, by id; those of networks and training sets are read from packs."""
        if stage not in self._stages:
            if stage in ("networks", "training_sets"):
                self._stages["training_sets"], self._stages["networks"] = self._from_packs()
            else:
                self._stages[stage] = self._read(stage)
        return self._stages[stage]

    def _read(self, stage: str) -> ArtifactRecords:
        artifacts: ArtifactRecords = {}
        for path in Results(self.results).paths(stage):
            try:
                attributes = store.read_provenance(path)
                id_ = store.artifact_id_of(path)
                spec = _spec(stage, attributes["parameters"])
                parameters = spec.model_dump(mode="json") if spec else json.loads(attributes["parameters"])
                artifacts[id_] = ArtifactRecord(id_, int(attributes["stage_version"]), parameters, attributes, spec)
            except (ArtifactError, OSError, KeyError, TypeError, ValueError) as error:
                self.unreadable[str(path)] = str(error)
        return artifacts

    def _from_packs(self) -> tuple[ArtifactRecords, ArtifactRecords]:
        """Return training sets and existing networks.

        No pack holds the version of the stage of networks. It follows from the id of the training set.
        """
        training_sets: ArtifactRecords = {}
        networks: ArtifactRecords = {}
        existing = Results(self.results).ids("networks")
        for pack in self.of("packs").values():
            assert isinstance(pack.spec, PackSpec)
            known, entries = _training_sets(pack), pack.attributes["networks"]
            for id_, parameters in zip(entries, pack.parameters["networks"], strict=True):
                name = parameters["training_set"]
                if name not in training_sets:
                    version, spec = known[name]
                    content = spec.model_dump(mode="json")
                    training_sets[name] = ArtifactRecord(name, version, content, {}, spec)
                if id_ in existing:
                    attributes = {"device": pack.attributes["device"], **entries[id_]}
                    networks[id_] = ArtifactRecord(id_, training_sets[name].version, parameters, attributes)
        return training_sets, networks


def _spec(stage: str, text: str) -> Spec | None:
    """Read the spec of an artifact: a key that is newer than the artifact has its default."""
    spec = STAGES[stage].spec
    return None if spec is None else spec.model_validate_json(text)


VERSIONS = 100
"""Largest number of versions of a stage that are tried."""


def _training_sets(pack: ArtifactRecord) -> dict[str, tuple[int, TrainingSetSpec]]:
    """Return version and spec of the training sets of a pack, by id; the version is 0 where none gives the id."""
    assert isinstance(pack.spec, PackSpec)
    ids = dict.fromkeys(parameters["training_set"] for parameters in pack.parameters["networks"])
    known: dict[str, tuple[int, TrainingSetSpec]] = dict.fromkeys(ids, (0, pack.spec.training_set))
    for spec in pack.spec.training_sets:
        stage, content = spec.stage, spec.content()
        for version in (spec.version, *range(1, VERSIONS)):  # today's first, which is that of most
            id_ = content_id(stage, [stage, version, content])
            if id_ in ids:
                known[id_] = (version, spec)
                break
    return known
