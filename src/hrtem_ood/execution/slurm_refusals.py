"""Classification of why SLURM does not accept or start a job: permanent, temporary or unknown.

The messages are those of ``slurm_strerror`` and of ``sbatch`` itself, the reasons those that ``squeue`` prints; SLURM
22.05 to 24.05 have the same. ``tests/unit/execution/test_slurm_refusals.py`` has complete messages of a real cluster.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from hrtem_ood.errors import ConfigError

Verdict = Literal["permanent", "temporary", "unknown"]

PERMANENT: Verdict = "permanent"
TEMPORARY: Verdict = "temporary"

PER_JOB = ("PerJob", "PerNode")
"""Part of the names of limits that a single job exceeds, so that waiting does not help."""

_MESSAGES: tuple[tuple[str, Verdict, tuple[str, ...]], ...] = (
    # --- SLURM does not answer, or is full ---
    ("Unable to contact slurm controller", TEMPORARY, ()),
    ("Socket timed out", TEMPORARY, ()),
    ("slurm_persist_conn", TEMPORARY, ()),
    ("Communication connection failure", TEMPORARY, ()),
    ("Message send failure", TEMPORARY, ()),
    ("Message receive failure", TEMPORARY, ()),
    ("Communication shutdown failure", TEMPORARY, ()),
    ("Zero Bytes were transmitted", TEMPORARY, ()),
    ("temporarily un", TEMPORARY, ()),  # "Resource temporarily unavailable": MaxJobCount
    ("try again", TEMPORARY, ()),
    ("try a different controller", TEMPORARY, ()),
    ("backup controller in standby", TEMPORARY, ()),
    ("Requested nodes are busy", TEMPORARY, ()),
    ("Unable to connect to database", TEMPORARY, ()),
    ("Failed to connect to authentication agent", TEMPORARY, ()),
    ("I/O error writing script", TEMPORARY, ()),
    ("System submissions disabled", TEMPORARY, ()),
    ("Required node not available", TEMPORARY, ()),  # down, drained or reserved
    ("Required partition not available", TEMPORARY, ()),  # inactive or drained
    ("Partition in DOWN state", TEMPORARY, ()),
    ("Requested reservation not usable now", TEMPORARY, ()),
    ("Requested reservation is in use", TEMPORARY, ()),
    # --- the partition and the account ---
    ("invalid partition", PERMANENT, ("slurm_partition",)),
    ("No partition specified", PERMANENT, ("slurm_partition",)),
    ("group not permitted to use this partition", PERMANENT, ("slurm_partition",)),
    ("Requested nodes not in this partition", PERMANENT, ("slurm_partition", "slurm_extra")),
    ("Invalid account", PERMANENT, ("slurm_account", "slurm_partition")),
    ("appears to be invalid", PERMANENT, ("slurm_account",)),  # the executor plugin's of_rule check of accounts
    ("Access/permission denied", PERMANENT, ("slurm_account", "slurm_partition")),
    ("Invalid wckey", PERMANENT, ("slurm_extra",)),
    # --- a request that no node meets ---
    ("Memory specification can not be satisfied", PERMANENT, ("mem_mb",)),
    ("Memory required by task is not available", PERMANENT, ("mem_mb",)),
    ("More processors requested than permitted", PERMANENT, ("threads",)),
    ("CPU count specification invalid", PERMANENT, ("threads",)),
    ("Requested more tasks than available", PERMANENT, ("threads",)),
    ("Node count specification invalid", PERMANENT, ("nodes", "slurm_extra")),
    ("Requested node configuration is not available", PERMANENT, ("gres", "mem_mb", "threads", "constraint")),
    ("generic resource (gres)", PERMANENT, ("gres",)),
    ("Invalid GRES", PERMANENT, ("gres",)),
    ("Trackable RESource", PERMANENT, ("gres",)),
    ("feature specification", PERMANENT, ("constraint",)),
    ("Invalid node name", PERMANENT, ("slurm_extra",)),
    ("Invalid license", PERMANENT, ("slurm_extra",)),
    ("Invalid qos", PERMANENT, ("qos", "slurm_partition")),
    ("Requested reservation is invalid", PERMANENT, ("slurm-reservation",)),
    ("Access denied to requested reservation", PERMANENT, ("slurm-reservation",)),
    ("time limit is invalid", PERMANENT, ("runtime",)),
    ("Time limit specification required", PERMANENT, ("runtime",)),
    ("Invalid --time", PERMANENT, ("runtime",)),
    ("Invalid --mem", PERMANENT, ("mem_mb",)),
    ("--cpus-per-task", PERMANENT, ("threads",)),
    ("Invalid --signal", PERMANENT, ("slurm_extra",)),
    ("unrecognized option", PERMANENT, ("slurm_extra",)),
    ("invalid option", PERMANENT, ("slurm_extra",)),
    ("Pathname of a file, directory or other parameter too long", PERMANENT, ("slurm_extra",)),
    ("Invalid job array specification", PERMANENT, ()),
    ("Invalid cluster name", PERMANENT, ("slurm_cluster",)),
    ("No cluster '", PERMANENT, ("slurm_cluster",)),
)
"""Part of a message, its verdict, and the keys of the profile that request what is refused; the first match counts."""

_LIMITED = (
    ("Wall", ("runtime", "qos")),
    ("Time", ("runtime", "qos")),
    ("Cpu", ("threads", "qos")),
    ("CPU", ("threads", "qos")),
    ("Mem", ("mem_mb", "qos")),
    ("GRES", ("gres", "qos")),
    ("Node", ("nodes", "qos")),
)
"""Part of the name of a limit, and the keys of the profile for it."""

_NEVER: Mapping[str, tuple[str, ...]] = {
    "AccountNotAllowed": ("slurm_account", "slurm_partition"),
    "BadConstraints": ("constraint", "gres", "mem_mb", "threads"),
    "DependencyNeverSatisfied": ("slurm_extra",),
    "InvalidAccount": ("slurm_account",),
    "InvalidQOS": ("qos",),
    "MaxMemPerLimit": ("mem_mb",),
    "PartitionConfig": ("slurm_partition", "threads", "mem_mb"),
    "PartitionNodeLimit": ("slurm_partition", "threads", "nodes"),
    "PartitionTimeLimit": ("runtime", "slurm_partition"),
    "QOSNotAllowed": ("qos", "slurm_partition"),
}
"""Reasons for which a waiting job never starts, other than limits of a single job, with keys of the profile."""

_NEEDS_INTERVENTION = (
    "PartitionDown",
    "PartitionInactive",
    "ReqNodeNotAvail",
    "JobHeldAdmin",
    "JobHeldUser",
    "NodeDown",
)
"""Reasons for which a job waits until a user or an administrator intervenes."""


@dataclass(frozen=True)
class Refusal:
    """Why SLURM does not accept or start a job.

    Attributes
    ----------
    verdict : {"permanent", "temporary", "unknown"}
    words : str
        SLURM's message or reason.
    keys : tuple of str
        Keys of the profile that set what is refused, the likeliest first.
    """

    verdict: Verdict
    words: str
    keys: tuple[str, ...] = ()


def classify_message(message: str) -> Refusal:
    """Classify a refusal of ``sbatch``.

    Parameters
    ----------
    message : str
        Its standard error.

    Returns
    -------
    Refusal
    """
    words = sbatch_words(message)
    limit = next((word for word in words.replace(";", " ").split() if _is_limit(word)), None)
    if limit is not None:
        verdict, keys = _classify_limit(limit)
        return Refusal(verdict, words, keys)
    for part, verdict, keys in _MESSAGES:
        if part.lower() in words.lower():
            return Refusal(verdict, words, keys)
    return Refusal("unknown", words)


def classify_reason(reason: str) -> Refusal | None:
    """Classify the reason that ``squeue`` gives for a waiting job.

    Parameters
    ----------
    reason : str
        E.g. ``Resources`` or ``PartitionTimeLimit``.

    Returns
    -------
    Refusal or None
        None where it waits for its turn.
    """
    name = reason.strip("()").split(",")[0].strip()
    if name in _NEVER:
        return Refusal(PERMANENT, name, _NEVER[name])
    if name in _NEEDS_INTERVENTION:
        return Refusal(TEMPORARY, name)
    if _is_limit(name):
        verdict, keys = _classify_limit(name)
        return Refusal(verdict, name, keys)
    return None


def _is_limit(word: str) -> bool:
    """Whether a word is the name of a limit of an account or a QOS, as ``QOSMaxCpuPerJobLimit``."""
    return word.startswith(("QOSMax", "QOSMin", "QOSGrp", "AssocMax", "AssocGrp", "MaxSubmitJobs", "MaxJobs"))


def _classify_limit(name: str) -> tuple[Verdict, tuple[str, ...]]:
    """Return the verdict on a limit and the keys that exceed it; limits on sums over jobs are temporary, as jobs end."""
    if not (any(part in name for part in PER_JOB) or name.startswith("QOSMin")):
        return TEMPORARY, ()
    return PERMANENT, next((keys for part, keys in _LIMITED if part in name.replace("PerNode", "")), ("qos",))


def sbatch_words(message: str) -> str:
    """Return the message of ``sbatch`` as one line, without its prefixes."""
    lines = [
        line.strip().removeprefix("sbatch: ").removeprefix("error: ").removeprefix("Batch job submission failed: ")
        for line in message.strip().splitlines()
        if not line.strip().startswith(("Try ", "sbatch: info", "sbatch: warning"))
    ]
    return "; ".join(line for line in lines if line and "sleeping and retrying" not in line)[:400]


def explain(
    refusal: Refusal, profile: Path | None, rule: str | None = None, resources: Mapping[str, Any] | None = None
) -> str:
    """Explain a refusal: SLURM's message, and the keys of the profile that request what is refused.

    Parameters
    ----------
    refusal : Refusal
    profile : Path, optional
        Folder of a Snakemake profile.
    rule : str, optional
        Rule of the job.
    resources : mapping, optional
        Resources of the job, where no profile is given.

    Returns
    -------
    str
    """
    text = f"SLURM's message: {refusal.words.rstrip('.')}."
    if not refusal.keys:
        return text
    given = [place for key in refusal.keys for place in profile_places(profile, key, rule)]
    given += [f"{key}: {_short(resources[key])}" for key in refusal.keys if resources and key in resources]
    where = "the profile" if profile is None else str(profile / "config.yaml")
    if not given:
        return f"{text} Set {' or '.join(refusal.keys)} in {where}."
    return f"{text} {where} requests {', '.join(given)}."


def profile_places(profile: Path | None, key: str, rule: str | None) -> list[str]:
    """Return where a profile sets a key for a rule, with its value, e.g. ``set-resources.train.gres: gpu:9``."""
    try:
        content = read_profile(profile) if profile is not None else {}
    except ConfigError:
        return []
    if key.startswith("slurm-"):
        return [f"{key}: {_short(content[key])}"] if key in content else []
    if key == "threads":
        threads = _mapping(content.get("set-threads"))
        return [f"set-threads.{rule}: {_short(threads[rule])}"] if rule in threads else []
    of_rule = _mapping(_mapping(content.get("set-resources")).get(rule))
    if key in of_rule:
        return [f"set-resources.{rule}.{key}: {_short(of_rule[key])}"]
    default = _mapping(content.get("default-resources"))
    return [f"default-resources.{key}: {_short(default[key])}"] if key in default else []


def read_profile(profile: Path) -> dict[str, Any]:
    """Read a profile of Snakemake.

    Raises
    ------
    ConfigError
        Where there is none, or it is not YAML.
    """
    path = profile / "config.yaml"
    if not path.is_file():
        raise ConfigError(f"{profile} is not a profile: {path} is missing. profiles/slurm is one.")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: no date of the calendar, no UTF-8
        raise ConfigError(f"{path} is not YAML: {str(error)[:300]}") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror}).") from None
    return _mapping(content)


def _mapping(content: Any) -> dict[Any, Any]:
    return content if isinstance(content, dict) else {}


def _short(value: Any) -> str:
    return str(value).strip("\"'")[:80]
