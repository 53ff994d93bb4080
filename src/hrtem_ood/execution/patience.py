"""How long to try again where SLURM refuses: never, for ever with ever longer pauses, or a few times."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from hrtem_ood.execution.slurm_refusals import GOOD, NOW, Refusal, classify_reason

UNKNOWN_TRIES = 5
"""How often a job is submitted again after a refusal that is not known."""

CONFIRM_S = 20.0
"""A job that says for so many seconds [s] that it never starts, never starts: reasons are computed now and then."""


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
        """Return how long to wait before the next submission [s]; None where it would be in vain."""
        if refusal.verdict != NOW:
            self._unknown += 1
            if refusal.verdict == GOOD or self._unknown >= UNKNOWN_TRIES:
                return None
        self._pauses += 1
        return float(min(self.longest_s, self.first_s * 2 ** (min(self._pauses, 30) - 1)))

    def accepted(self) -> None:
        """Start anew: SLURM has taken a job."""
        self._pauses = self._unknown = 0


@dataclass
class NeverStarting:
    """Notices jobs that wait for something that will not happen."""

    confirm_s: float = CONFIRM_S
    _since: dict[str, float] = field(default_factory=dict)

    def look(self, reasons: Mapping[str, str]) -> dict[str, Refusal]:
        """Return the jobs that never start, of all that wait.

        Parameters
        ----------
        reasons : mapping of str to str
            Reason of each job that waits, by its number.
        """
        now = time.monotonic()
        refusals = {number: classify_reason(reason) for number, reason in reasons.items()}
        never = {number: each for number, each in refusals.items() if each is not None and each.verdict == GOOD}
        self._since = {number: self._since.get(number, now) for number in never}
        return {number: never[number] for number, since in self._since.items() if now - since >= self.confirm_s}
