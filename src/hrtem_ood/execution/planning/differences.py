"""Why an artifact is missing: the parameters that differ from the most similar existing artifact.

Specs name their inputs by id, or by the id of a series. Where that differs, the parameters of the inputs are compared in
turn, so that the reason of a network is "dose_e_per_A2 1000 → 500", not that its training set has another id.
"""

from collections.abc import Container, Iterable, Sequence
from functools import cache, cached_property
from typing import Any, NamedTuple

from hrtem_ood.artifacts.identity import canonical_json
from hrtem_ood.artifacts.stage_versions import ARCHITECTURE_VERSIONS
from hrtem_ood.campaign.stage_table import STAGES
from hrtem_ood.execution.planning.inventory import (
    ArtifactRecord,
    ArtifactRecords,
    ArtifactSource,
    CampaignArtifacts,
    StoredArtifacts,
)

NEVER = "not created before"
MAX_CHANGES = 3
"""Largest number of changes that are listed; of more, only the number."""

SHARES = "n_images"
"""Of a training set: images by dataset, in the order of the list."""

RANGE = {"start", "stop"}


class Change(NamedTuple):
    """A parameter whose value differs; ``old`` is :data:`UNKNOWN` where no file holds it any more."""

    key: str
    old: Any
    new: Any


UNKNOWN = object()
COUNT = "number of conditions"


class ChangeExplainer:
    """Compares the artifacts of a campaign with the most similar existing ones.

    Parameters
    ----------
    wanted : CampaignArtifacts
    stored : StoredArtifacts
    """

    def __init__(self, wanted: CampaignArtifacts, stored: StoredArtifacts) -> None:
        self.wanted, self.stored = wanted, stored
        self._between = cache(self._compare)
        self._nearest_set = cache(self._find_nearest_set)

    def of(self, stage: str, id_: str) -> str:
        """Explain why an artifact does not exist yet.

        Parameters
        ----------
        stage, id_ : str
            Of structures, exit waves, datasets, networks, suites or the transfer store.

        Returns
        -------
        str
        """
        new, candidates = self.wanted.of(stage)[id_], self.stored.of(stage).values()
        if STAGES[stage].list_parameter:
            old = self._fewest_changes(stage, new, candidates)
        elif stage == "networks":
            among = self._networks_of.get(self._nearest_set(new.parameters["training_set"]), ())
            old = nearest_artifact(new, among, wanted=self.wanted.of(stage))
        else:
            old = nearest_artifact(new, candidates, wanted=self.wanted.of(stage))
        if old is None:
            return NEVER
        return _phrase(self._between(stage, new.id, old.id), added=old.id in self.wanted.of(stage))

    @cached_property
    def _networks_of(self) -> dict[str | None, list[ArtifactRecord]]:
        groups: dict[str | None, list[ArtifactRecord]] = {}
        for record in self.stored.of("networks").values():
            groups.setdefault(record.parameters["training_set"], []).append(record)
        return groups

    def _find_nearest_set(self, id_: str) -> str | None:
        """Return the training set itself if networks were trained on it, else the most similar one with networks."""
        if id_ in self._networks_of:
            return id_
        candidates = [record for record in self.stored.of("training_sets").values() if record.id in self._networks_of]
        nearest = self._fewest_changes("training_sets", self.wanted.of("training_sets")[id_], candidates)
        return None if nearest is None else nearest.id

    def _fewest_changes(
        self, stage: str, new: ArtifactRecord, candidates: Iterable[ArtifactRecord]
    ) -> ArtifactRecord | None:
        def distance(record: ArtifactRecord) -> int:
            different = self._between(stage, new.id, record.id)
            return sum(MAX_CHANGES if change.key == COUNT else 1 for change in different)

        return min(candidates, key=lambda record: (distance(record), record.id), default=None)

    # --- comparing ----------------------------------------------------------------------------

    def _compare(self, stage: str, new_id: str, old_id: str) -> tuple[Change, ...]:
        """Return all differences, those of the inputs included."""
        new, old = _by_name(self.wanted, stage)[new_id], _by_name(self.stored, stage)[old_id]
        row = STAGES[stage]
        link, listed = row.input_parameter, row.list_parameter
        different = changes(new, old, except_for={link[0] if link else "", listed or "", SHARES})
        if link:
            different += self._of_link(*link, new, old)
        if listed:
            different += self._of_list(listed, new, old)
        if new.version != old.version:
            different.append(Change(f"version of {row.version_key or stage}", old.version or UNKNOWN, new.version))
        if stage == "networks" and not different:  # the only part of a network's id that its file does not hold
            architecture = new.parameters["hyperparameters"]["architecture"]["name"]
            different.append(Change(f"version of {architecture}", UNKNOWN, ARCHITECTURE_VERSIONS.get(architecture, 1)))
        return tuple(dict.fromkeys(different))

    def _of_link(self, key: str, stage: str, new: ArtifactRecord, old: ArtifactRecord) -> Sequence[Change]:
        one, other = new.parameters[key], old.parameters[key]
        if one == other:
            return []
        if other not in _by_name(self.stored, stage):
            return [Change(stage.replace("_", " "), UNKNOWN, "other ones")]
        # shards of one series differ in their range only
        return [change for change in self._between(stage, one, other) if change.key not in RANGE]

    def _of_list(self, key: str, new: ArtifactRecord, old: ArtifactRecord) -> list[Change]:
        """Compare two lists: their lengths, else the entries that are in one of them only."""
        ours, theirs = self._listed(self.wanted, key, new), self._listed(self.stored, key, old)
        if len(ours) != len(theirs):
            return [Change(COUNT, len(theirs), len(ours))]
        left = {id_: record for id_, record in theirs.items() if id_ not in ours}
        if None in left.values():
            return [Change(key, UNKNOWN, "other ones")]
        different: list[Change] = []
        for id_ in sorted(ours.keys() - theirs.keys()):
            one, other = ours[id_], nearest_artifact(ours[id_], left.values())
            if one is not None and other is not None:
                simulated = key == "datasets" and id_ in self.wanted.of(key) and other.id in self.stored.of(key)
                different += self._between(key, id_, other.id) if simulated else changes(one, other)
        if sorted(new.parameters.get(SHARES, ())) != sorted(old.parameters.get(SHARES, ())):
            different.append(Change(SHARES, old.flat[SHARES], new.flat[SHARES]))
        return different

    def _listed(self, source: ArtifactSource, key: str, record: ArtifactRecord) -> dict[str, ArtifactRecord | None]:
        if key == "datasets":
            tested = source.of("datasets") | source.of("labelled_sets")
            return {id_: tested.get(id_) for id_ in record.parameters[key]}
        texts = {canonical_json(condition): condition for condition in record.parameters[key]}
        return {text: ArtifactRecord(text, 0, condition, {}) for text, condition in texts.items()}


def nearest_artifact(
    new: ArtifactRecord | None, candidates: Iterable[ArtifactRecord | None], wanted: Container[str] = ()
) -> ArtifactRecord | None:
    """Return the candidate that differs in the fewest parameters; of several, one that the campaign does not need."""
    if new is None:
        return None
    existing = [record for record in candidates if record is not None]
    return min(
        existing, key=lambda record: (len(new.items ^ record.items), record.id in wanted, record.id), default=None
    )


def _by_name(source: ArtifactSource, stage: str) -> ArtifactRecords:
    """Return artifacts by id, and by the id of their series."""
    if stage == "structures":
        return source.of(stage) | source.structures_by_series
    return source.of(stage) | source.exit_waves_by_series if stage == "exit_waves" else source.of(stage)


def changes(new: ArtifactRecord, old: ArtifactRecord, *, except_for: Iterable[str] = ()) -> list[Change]:
    """Return the parameters that differ, nested ones as ``a.b.c``, except for some."""
    keys = [key for key in {**new.flat, **old.flat} if key.partition(".")[0] not in except_for]
    pairs = ((key, old.flat.get(key), new.flat.get(key)) for key in keys)
    return [Change(*pair) for pair in pairs if pair[1] != pair[2]]


# --- wording ---------------------------------------------------------------------------------


def _phrase(different: Sequence[Change], *, added: bool) -> str:
    """Write changes; where the campaign needs the most similar artifact, too, write what it adds."""
    listed = [change for change in different if change.key not in RANGE]
    if different and not listed:
        return "other ranges of structures"
    texts = [_added(change) if added else format_change(change) for change in listed[:MAX_CHANGES]]
    if len(listed) > MAX_CHANGES:
        texts.append(f"and {len(listed) - MAX_CHANGES} more")
    return ", ".join(texts) or "grouping changed"


def format_change(change: Change) -> str:
    """Write the old and the new value of a parameter."""
    if change.old is UNKNOWN:
        return f"{change.key}: {_value(change.new)}"
    return f"{_key(change.key)} {_value(change.old)} → {_value(change.new)}"


def _added(change: Change) -> str:
    has_old = change.old is not UNKNOWN and change.key != COUNT
    return f"new {_key(change.key)} {_value(change.new)}" if has_old else format_change(change)


def _key(key: str) -> str:
    return key.removeprefix("hyperparameters.").removeprefix("condition.").removeprefix("recipe.")


def _value(value: Any) -> str:
    if isinstance(value, tuple) and len(value) == 1:
        return _value(value[0])  # a grid of one value, as it is written
    return "none" if value is None else value if isinstance(value, str) else canonical_json(value)
