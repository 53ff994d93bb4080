"""What SLURM means when it does not take a job, or does not start it: for good, for now, or not known.

The messages are those of ``slurm_strerror`` and of ``sbatch`` itself, the reasons those that ``squeue`` prints; SLURM
22.05 to 24.05 have the same. ``tests/unit/execution/test_slurm_refusals.py`` holds whole answers of a real cluster.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from hrtem_ood.errors import ConfigError

Verdict = Literal["for good", "for now", "unknown"]

GOOD: Verdict = "for good"
NOW: Verdict = "for now"

PER_JOB = ("PerJob", "PerNode")
"""Part of the names of limits that a single job exceeds, so that waiting does not help."""

_MESSAGES: tuple[tuple[str, Verdict, tuple[str, ...]], ...] = (
    # --- SLURM does not answer, or is full: it will answer, and empty ---
    ("Unable to contact slurm controller", NOW, ()),
    ("Socket timed out", NOW, ()),
    ("slurm_persist_conn", NOW, ()),
    ("Communication connection failure", NOW, ()),
    ("Message send failure", NOW, ()),
    ("Message receive failure", NOW, ()),
    ("Communication shutdown failure", NOW, ()),
    ("Zero Bytes were transmitted", NOW, ()),
    ("temporarily un", NOW, ()),  # "Resource temporarily unavailable": MaxJobCount
    ("try again", NOW, ()),
    ("try a different controller", NOW, ()),
    ("backup controller in standby", NOW, ()),
    ("Requested nodes are busy", NOW, ()),
    ("Unable to connect to database", NOW, ()),
    ("Failed to connect to authentication agent", NOW, ()),
    ("I/O error writing script", NOW, ()),
    ("System submissions disabled", NOW, ()),
    ("Required node not available", NOW, ()),  # down, drained or reserved
    ("Required partition not available", NOW, ()),  # inactive or drained
    ("Partition in DOWN state", NOW, ()),
    ("Requested reservation not usable now", NOW, ()),
    ("Requested reservation is in use", NOW, ()),
    # --- the partition and the account ---
    ("invalid partition", GOOD, ("slurm_partition",)),
    ("No partition specified", GOOD, ("slurm_partition",)),
    ("group not permitted to use this partition", GOOD, ("slurm_partition",)),
    ("Requested nodes not in this partition", GOOD, ("slurm_partition", "slurm_extra")),
    ("Invalid account", GOOD, ("slurm_account", "slurm_partition")),
    ("appears to be invalid", GOOD, ("slurm_account",)),  # the executor plugin's own check of accounts
    ("Access/permission denied", GOOD, ("slurm_account", "slurm_partition")),
    ("Invalid wckey", GOOD, ("slurm_extra",)),
    # --- a request that no node meets ---
    ("Memory specification can not be satisfied", GOOD, ("mem_mb",)),
    ("Memory required by task is not available", GOOD, ("mem_mb",)),
    ("More processors requested than permitted", GOOD, ("threads",)),
    ("CPU count specification invalid", GOOD, ("threads",)),
    ("Requested more tasks than available", GOOD, ("threads",)),
    ("Node count specification invalid", GOOD, ("nodes", "slurm_extra")),
    ("Requested node configuration is not available", GOOD, ("gres", "mem_mb", "threads", "constraint")),
    ("generic resource (gres)", GOOD, ("gres",)),
    ("Invalid GRES", GOOD, ("gres",)),
    ("Trackable RESource", GOOD, ("gres",)),
    ("feature specification", GOOD, ("constraint",)),
    ("Invalid node name", GOOD, ("slurm_extra",)),
    ("Invalid license", GOOD, ("slurm_extra",)),
    ("Invalid qos", GOOD, ("qos", "slurm_partition")),
    ("Requested reservation is invalid", GOOD, ("slurm-reservation",)),
    ("Access denied to requested reservation", GOOD, ("slurm-reservation",)),
    ("time limit is invalid", GOOD, ("runtime",)),
    ("Time limit specification required", GOOD, ("runtime",)),
    ("Invalid --time", GOOD, ("runtime",)),
    ("Invalid --mem", GOOD, ("mem_mb",)),
    ("--cpus-per-task", GOOD, ("threads",)),
    ("Invalid --signal", GOOD, ("slurm_extra",)),
    ("unrecognized option", GOOD, ("slurm_extra",)),
    ("invalid option", GOOD, ("slurm_extra",)),
    ("Pathname of a file, directory or other parameter too long", GOOD, ("slurm_extra",)),
    ("Invalid job array specification", GOOD, ()),
    ("Invalid cluster name", GOOD, ("slurm_cluster",)),
    ("No cluster '", GOOD, ("slurm_cluster",)),
)
"""Part of a message, what it means, and the keys of the profile that ask for it; the first that fits counts."""

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

_NEEDS_SOMEBODY = ("PartitionDown", "PartitionInactive", "ReqNodeNotAvail", "JobHeldAdmin", "JobHeldUser", "NodeDown")
"""Reasons for which a job waits until somebody does something."""


@dataclass(frozen=True)
class Refusal:
    """Why SLURM does not take or start a job.

    Attributes
    ----------
    verdict : {"for good", "for now", "unknown"}
    words : str
        SLURM's own.
    keys : tuple of str
        Keys of the profile that set what is refused, the likeliest first.
    """

    verdict: Verdict
    words: str
    keys: tuple[str, ...] = ()


def classify_message(message: str) -> Refusal:
    """Tell what a refusal of ``sbatch`` means.

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
    """Tell whether a job that waits will start, by the reason that ``squeue`` gives.

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
        return Refusal(GOOD, name, _NEVER[name])
    if name in _NEEDS_SOMEBODY:
        return Refusal(NOW, name)
    if _is_limit(name):
        verdict, keys = _classify_limit(name)
        return Refusal(verdict, name, keys)
    return None


def _is_limit(word: str) -> bool:
    """Whether a word is the name of a limit of an account or a QOS, as ``QOSMaxCpuPerJobLimit``."""
    return word.startswith(("QOSMax", "QOSMin", "QOSGrp", "AssocMax", "AssocGrp", "MaxSubmitJobs", "MaxJobs"))


def _classify_limit(name: str) -> tuple[Verdict, tuple[str, ...]]:
    """Return what a limit means, and the keys that ask for more than it: sums of all jobs shrink when jobs end."""
    if not (any(part in name for part in PER_JOB) or name.startswith("QOSMin")):
        return NOW, ()
    return GOOD, next((keys for part, keys in _LIMITED if part in name.replace("PerNode", "")), ("qos",))


def sbatch_words(message: str) -> str:
    """Return what ``sbatch`` says, as one line, without its own prefixes."""
    lines = [
        line.strip().removeprefix("sbatch: ").removeprefix("error: ").removeprefix("Batch job submission failed: ")
        for line in message.strip().splitlines()
        if not line.strip().startswith(("Try ", "sbatch: info", "sbatch: warning"))
    ]
    return "; ".join(line for line in lines if line and "sleeping and retrying" not in line)[:400]


def explain(
    refusal: Refusal, profile: Path | None, rule: str | None = None, resources: Mapping[str, Any] | None = None
) -> str:
    """Say what SLURM refuses, in its own words, and where the profile asks for it.

    Parameters
    ----------
    refusal : Refusal
    profile : Path, optional
        Folder of a Snakemake profile.
    rule : str, optional
        Rule of the job.
    resources : mapping, optional
        Resources of the job, where its profile is not at hand.

    Returns
    -------
    str
    """
    text = f"SLURM says: {refusal.words.rstrip('.')}."
    if not refusal.keys:
        return text
    given = [place for key in refusal.keys for place in profile_places(profile, key, rule)]
    given += [f"{key}: {_short(resources[key])}" for key in refusal.keys if resources and key in resources]
    where = "the profile" if profile is None else str(profile / "config.yaml")
    if not given:
        return f"{text} Set {' or '.join(refusal.keys)} in {where}."
    return f"{text} {where} asks for {', '.join(given)}."


def profile_places(profile: Path | None, key: str, rule: str | None) -> list[str]:
    """Return where a profile sets a key that counts for a rule, with its value, e.g. ``set-resources.train.gres: gpu:9``."""
    try:
        content = read_profile(profile) if profile is not None else {}
    except ConfigError:
        return []
    if key.startswith("slurm-"):
        return [f"{key}: {_short(content[key])}"] if key in content else []
    if key == "threads":
        threads = _mapping(content.get("set-threads"))
        return [f"set-threads.{rule}: {_short(threads[rule])}"] if rule in threads else []
    own = _mapping(_mapping(content.get("set-resources")).get(rule))
    if key in own:
        return [f"set-resources.{rule}.{key}: {_short(own[key])}"]
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
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not YAML: {str(error)[:300]}") from None
    return _mapping(content)


def _mapping(content: Any) -> dict[Any, Any]:
    return content if isinstance(content, dict) else {}


def _short(value: Any) -> str:
    return str(value).strip("\"'")[:80]
