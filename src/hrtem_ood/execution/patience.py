"""Retries after refusals of SLURM: none, unlimited with growing pauses, or a few."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from hrtem_ood.execution.slurm_refusals import PERMANENT, TEMPORARY, Refusal, classify_reason

UNKNOWN_TRIES = 5
"""Number of consecutive refusals of unknown kind after which a job is not submitted again."""

CONFIRM_S = 20.0
"""A job never starts if its reason says so for this time [s]: SLURM updates reasons from time to time only."""


@dataclass
class Patience:
    """Pauses between submissions that SLURM refuses.

    Attributes
    ----------
    first_s, longest_s : float, [s]
        The first pause, and the longest; each is twice the one before.
    """

    first_s: float = 10.0
    longest_s: float = 600.0
    _pauses: int = 0
    _unknown: int = 0

    def pause_s(self, refusal: Refusal) -> float | None:
        """Return how long to wait before the next submission [s]; None if no further submission helps."""
        if refusal.verdict != TEMPORARY:
            self._unknown += 1
            if refusal.verdict == PERMANENT or self._unknown >= UNKNOWN_TRIES:
                return None
        self._pauses += 1
        return float(min(self.longest_s, self.first_s * 2 ** (min(self._pauses, 30) - 1)))

    def reset(self) -> None:
        """Start again with the first pause, because SLURM has accepted a job."""
        self._pauses = self._unknown = 0


@dataclass
class NeverStarting:
    """Detects waiting jobs that never start."""

    confirm_s: float = CONFIRM_S
    _since: dict[str, float] = field(default_factory=dict)

    def update(self, reasons: Mapping[str, str]) -> dict[str, Refusal]:
        """Return the jobs that never start, among all waiting ones.

        Parameters
        ----------
        reasons : mapping of str to str
            Reason of each job that waits, by its number.
        """
        now = time.monotonic()
        refusals = {number: classify_reason(reason) for number, reason in reasons.items()}
        never = {number: each for number, each in refusals.items() if each is not None and each.verdict == PERMANENT}
        self._since = {number: self._since.get(number, now) for number in never}
        return {number: never[number] for number, since in self._since.items() if now - since >= self.confirm_s}
