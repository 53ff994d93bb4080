"""Outcomes of network tasks: a small JSON file beside the log of each, which holds data only."""

from dataclasses import asdict, dataclass
from pathlib import Path

from hrtem_ood.artifacts import store
from hrtem_ood.errors import ArtifactError, HrtemOodError

MAX_BYTES = 100_000
MAX_ERROR = 2_000


@dataclass(frozen=True)
class Outcome:
    """How a task ended by itself; one that was killed leaves no outcome.

    Attributes
    ----------
    id : str
        Of the network.
    token : str
        Of the submission: outcomes of earlier ones do not count.
    error : str or None
        Message, where it failed.
    """

    id: str
    token: str
    error: str | None


def task_folder(results: Path, id_: str) -> Path:
    """Folder of the tasks of a pack or an evaluation."""
    return results / "logs/tasks" / id_


def write_outcome(results: Path, id_: str, outcome: Outcome) -> None:
    """Write the outcome of a network's task atomically.

    Parameters
    ----------
    results : Path
        The results folder.
    id_ : str
        Of the pack or evaluation.
    outcome : Outcome
    """
    store.write_json(task_folder(results, id_) / f"{outcome.id}.json", asdict(outcome))


def read_outcome(results: Path, id_: str, network: str, token: str) -> Outcome | None:
    """Read the outcome of a network's task.

    Parameters
    ----------
    results : Path
        The results folder.
    id_ : str
        Of the pack or evaluation.
    network : str
        Id of the network.
    token : str
        Of the submission.

    Returns
    -------
    Outcome or None
        None where the task has not ended, or where the file is not such an outcome, or damaged.
    """
    try:
        content = store.read_json(task_folder(results, id_) / f"{network}.json", MAX_BYTES)
    except ArtifactError:
        return None
    if content.get("token") != token:
        return None
    error = content.get("error")
    return Outcome(network, token, None if error is None else str(error)[:MAX_ERROR])


def error_message(error: BaseException) -> str:
    """Return the last line of an error's message; in this program's own errors, it names the network."""
    text = str(error) if isinstance(error, HrtemOodError) else f"{type(error).__name__}: {error}"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:MAX_ERROR] if lines else type(error).__name__
