"""Why an artifact is to be made: what tells it from the nearest one of its stage that is there.

Specs name what they are made from by id, or by the id of a series. Where that differs, what it stands for is compared in
turn, so that a network says "dose_e_per_A2 1000 → 500", not that its training set has another id.
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

NEVER = "never made"
SHOWN = 3
"""Changes that are told; of what differs by more, only how many there are."""

SHARES = "n_images"
"""Of a training set: images by dataset, in the order of the list."""

RANGE = {"start", "stop"}


class Change(NamedTuple):
    """A parameter that is another; ``old`` is missing where nobody knows it any more."""

    key: str
    old: Any
    new: Any


UNKNOWN = object()
COUNT = "number of conditions"


class ChangeExplainer:
    """Finds the nearest artifacts.

    Parameters
    ----------
    wanted : CampaignArtifacts
        Of the campaign.
    known : StoredArtifacts
        What is there.
    """

    def __init__(self, wanted: CampaignArtifacts, known: StoredArtifacts) -> None:
        self.wanted, self.stored = wanted, known
        self._between = cache(self._compare)
        self._nearest_set = cache(self._find_nearest_set)

    def of(self, stage: str, id_: str) -> str:
        """Tell why an artifact that is not there is to be made.

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
        for told in self.stored.of("networks").values():
            groups.setdefault(told.parameters["training_set"], []).append(told)
        return groups

    def _find_nearest_set(self, id_: str) -> str | None:
        """Return the training set itself if networks were trained on it, else the nearest of which that is so."""
        if id_ in self._networks_of:
            return id_
        there = [told for told in self.stored.of("training_sets").values() if told.id in self._networks_of]
        found = self._fewest_changes("training_sets", self.wanted.of("training_sets")[id_], there)
        return None if found is None else found.id

    def _fewest_changes(
        self, stage: str, new: ArtifactRecord, candidates: Iterable[ArtifactRecord]
    ) -> ArtifactRecord | None:
        def distance(told: ArtifactRecord) -> int:
            found = self._between(stage, new.id, told.id)
            return sum(SHOWN if change.key == COUNT else 1 for change in found)

        return min(candidates, key=lambda told: (distance(told), told.id), default=None)

    # --- comparing ----------------------------------------------------------------------------

    def _compare(self, stage: str, new_id: str, old_id: str) -> tuple[Change, ...]:
        """Return what differs, what both are made from included."""
        new, old = _by_name(self.wanted, stage)[new_id], _by_name(self.stored, stage)[old_id]
        row = STAGES[stage]
        link, listed = row.input_parameter, row.list_parameter
        found = changes(new, old, except_for={link[0] if link else "", listed or "", SHARES})
        if link:
            found += self._of_link(*link, new, old)
        if listed:
            found += self._of_list(listed, new, old)
        if new.version != old.version:
            found.append(Change(f"version of {row.version_key or stage}", old.version or UNKNOWN, new.version))
        if stage == "networks" and not found:  # the only thing in a network's id that its file does not tell
            architecture = new.parameters["hyperparameters"]["architecture"]["name"]
            found.append(Change(f"version of {architecture}", UNKNOWN, ARCHITECTURE_VERSIONS.get(architecture, 1)))
        return tuple(dict.fromkeys(found))

    def _of_link(self, key: str, stage: str, new: ArtifactRecord, old: ArtifactRecord) -> Sequence[Change]:
        one, other = new.parameters[key], old.parameters[key]
        if one == other:
            return []
        if other not in _by_name(self.stored, stage):
            return [Change(stage.replace("_", " "), UNKNOWN, "other ones")]
        # which shard stands for a series means nothing
        return [change for change in self._between(stage, one, other) if change.key not in RANGE]

    def _of_list(self, key: str, new: ArtifactRecord, old: ArtifactRecord) -> list[Change]:
        """Compare what is listed: how much it is, or that which is in one list only."""
        ours, theirs = self._listed(self.wanted, key, new), self._listed(self.stored, key, old)
        if len(ours) != len(theirs):
            return [Change(COUNT, len(theirs), len(ours))]
        left = {id_: told for id_, told in theirs.items() if id_ not in ours}
        if None in left.values():
            return [Change(key, UNKNOWN, "other ones")]
        found: list[Change] = []
        for id_ in sorted(ours.keys() - theirs.keys()):
            one, other = ours[id_], nearest_artifact(ours[id_], left.values())
            if one is not None and other is not None:
                found += self._between(key, id_, other.id) if key == "datasets" else changes(one, other)
        if sorted(new.parameters.get(SHARES, ())) != sorted(old.parameters.get(SHARES, ())):
            found.append(Change(SHARES, old.flat[SHARES], new.flat[SHARES]))
        return found

    def _listed(self, source: ArtifactSource, key: str, told: ArtifactRecord) -> dict[str, ArtifactRecord | None]:
        if key == "datasets":
            return {id_: source.of("datasets").get(id_) for id_ in told.parameters[key]}
        texts = {canonical_json(condition): condition for condition in told.parameters[key]}
        return {text: ArtifactRecord(text, 0, condition, {}) for text, condition in texts.items()}


def nearest_artifact(
    new: ArtifactRecord | None, candidates: Iterable[ArtifactRecord | None], wanted: Container[str] = ()
) -> ArtifactRecord | None:
    """Return the candidate that differs in the fewest parameters; of several, one that is not wanted any more."""
    if new is None:
        return None
    found = [told for told in candidates if told is not None]
    return min(found, key=lambda told: (len(new.items ^ told.items), told.id in wanted, told.id), default=None)


def _by_name(source: ArtifactSource, stage: str) -> ArtifactRecords:
    """Return artifacts by the name that others use, and by id."""
    if stage == "structures":
        return source.of(stage) | source.structures_by_series
    return source.of(stage) | source.exit_waves_by_series if stage == "exit_waves" else source.of(stage)


def changes(new: ArtifactRecord, old: ArtifactRecord, *, except_for: Iterable[str] = ()) -> list[Change]:
    """Return the parameters that differ, nested ones as ``a.b.c``, except for some."""
    keys = [key for key in {**new.flat, **old.flat} if key.partition(".")[0] not in except_for]
    pairs = ((key, old.flat.get(key), new.flat.get(key)) for key in keys)
    return [Change(*pair) for pair in pairs if pair[1] != pair[2]]


# --- wording ---------------------------------------------------------------------------------


def _phrase(found: Sequence[Change], *, added: bool) -> str:
    """Say what changed; of what is asked for beside the nearest one, what it adds."""
    told = [change for change in found if change.key not in RANGE]
    if found and not told:
        return "other ranges of structures"
    texts = [_added(change) if added else format_change(change) for change in told[:SHOWN]]
    if len(told) > SHOWN:
        texts.append(f"and {len(told) - SHOWN} more")
    return ", ".join(texts) or "another grouping"


def format_change(change: Change) -> str:
    """Say what a parameter was and is."""
    if change.old is UNKNOWN:
        return f"{change.key}: {_value(change.new)}"
    return f"{_key(change.key)} {_value(change.old)} → {_value(change.new)}"


def _added(change: Change) -> str:
    known = change.old is not UNKNOWN and change.key != COUNT
    return f"new {_key(change.key)} {_value(change.new)}" if known else format_change(change)


def _key(key: str) -> str:
    return key.removeprefix("hyperparameters.").removeprefix("condition.").removeprefix("recipe.")


def _value(value: Any) -> str:
    if isinstance(value, tuple) and len(value) == 1:
        return _value(value[0])  # a grid of one value, as it is written
    return "none" if value is None else value if isinstance(value, str) else canonical_json(value)
