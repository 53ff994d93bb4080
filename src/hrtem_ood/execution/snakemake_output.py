"""Submissions in Snakemake's output: the rules of accepted jobs, and SLURM's refusals."""

import re
from dataclasses import dataclass, field

from hrtem_ood.execution.slurm_refusals import Refusal, classify_message

REFUSED = "SLURM sbatch failed"
"""Message of the executor plugin for a job that SLURM did not accept; SLURM's message follows in quotes."""

NOT_SUBMITTED = "Job submission failed with exception: "
"""Message of the executor plugin for a job that it did not submit to SLURM, e.g. with an unknown account."""

ACCEPTED = re.compile(r"has been submitted with SLURM jobid (\d+) \(log: (\S+)\)")
_RULE = re.compile(r"--comment '?(rule_([A-Za-z0-9]+(?:_[A-Za-z0-9]+)*?)(?:_wildcards_[^\s']*)?)'?(?:\s|$)")
_ERROR_IN = re.compile(r"^Error in rule (\w+)")
MOST_LINES = 40
"""Largest number of lines of the message of a refusal."""


@dataclass
class SubmissionLog:
    """Reads Snakemake's output line by line.

    Attributes
    ----------
    accepted : set of str
        Rules of which SLURM has accepted a job.
    refusals : list of (str or None, Refusal)
        Refusals, each with its rule. After a temporary refusal of a job, its later refusals do not count: each attempt
        requests more, so that a valid job may be refused permanently in the end.
    """

    accepted: set[str] = field(default_factory=set)
    refusals: list[tuple[str | None, Refusal]] = field(default_factory=list)
    _message: list[str] | None = None
    _rule: str | None = None
    _waiting: set[str] = field(default_factory=set)

    def read(self, line: str) -> tuple[str | None, Refusal] | None:
        """Process a line; return the refusal that it completes, with its rule."""
        if match := ACCEPTED.search(line):
            self.accepted.update(re.findall(r"/rule_(\w+)/", match[2]))
        if match := _ERROR_IN.match(line):
            self._rule = match[1]
        if NOT_SUBMITTED in line:
            refusal = classify_message(line.split(NOT_SUBMITTED, 1)[1].partition(" Available accounts")[0])
            return self._add(self._rule, None, refusal)
        if REFUSED in line:
            self._message = []
        if self._message is None:
            return None
        self._message.append(line)
        match = _RULE.search(line)
        if match is None and len(self._message) < MOST_LINES:
            return None
        text, self._message = "\n".join(self._message), None
        words = re.search(r"error message was '(.*?)'\.?\s*\n", text + "\n", re.DOTALL)
        return self._add(match[2] if match else self._rule, match[1] if match else None, _refusal(words, text))

    def _add(self, rule: str | None, job: str | None, refusal: Refusal) -> tuple[str | None, Refusal] | None:
        if job is not None and job in self._waiting:
            return None
        if job is not None and refusal.verdict == "temporary":
            self._waiting.add(job)
        self.refusals.append((rule, refusal))
        return rule, refusal


def _refusal(words: re.Match[str] | None, text: str) -> Refusal:
    return classify_message(words[1] if words else text)
