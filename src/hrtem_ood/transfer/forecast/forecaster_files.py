"""Files of forecasters: JSON with a digest, named by a content id."""

from pathlib import Path

from hrtem_ood.artifacts.files import advice
from hrtem_ood.artifacts.identity import content_id
from hrtem_ood.errors import ArtifactError
from hrtem_ood.quoting import quoted
from hrtem_ood.transfer.forecast.forecaster import Forecaster

ADVICE = (
    "Copy the file again from where it comes from. Those in a results folder are written by reports: delete the campaign's "
    "report there, too, and run snakemake."
)
"""What to do about a damaged file."""

LARGEST_BYTES = 2**20
"""Most bytes of a file that is read; a forecaster has some thousands."""


def forecaster_id(forecaster: Forecaster) -> str:
    """Return the id of a forecaster, from all its numbers.

    Parameters
    ----------
    forecaster : Forecaster

    Returns
    -------
    str
    """
    return content_id(f"{forecaster.metric} {forecaster.score.features.name}", forecaster.to_dict())


def write_forecaster(folder: Path, forecaster: Forecaster) -> Path:
    """Write a forecaster.

    Parameters
    ----------
    folder : Path
        For example ``results/forecasters``; it is made.
    forecaster : Forecaster

    Returns
    -------
    Path
        ``<folder>/<id>.json``.
    """
    from hrtem_ood.artifacts import store  # fits and forecasts do without it

    id_ = forecaster_id(forecaster)
    path = folder / f"{id_}.json"
    store.write_json(path, {"id": id_, **forecaster.to_dict()})
    return path


def read_forecaster(path: Path) -> Forecaster:
    """Read a forecaster, and check it.

    Parameters
    ----------
    path : Path
        A file that :func:`write_forecaster` wrote, under its own name.

    Returns
    -------
    Forecaster

    Raises
    ------
    ArtifactError
        When it is missing, damaged, renamed, too large, or of another version.
    """
    from hrtem_ood.artifacts import store

    try:
        content = store.read_json(path, LARGEST_BYTES)
    except ArtifactError as error:  # no job has it as its output
        raise ArtifactError(str(error).replace(advice(path), ADVICE)) from None
    id_ = content.pop("id")
    forecaster = Forecaster.from_dict(content, str(path))
    if id_ != forecaster_id(forecaster):
        raise ArtifactError(f"{path}: is damaged: its numbers are not those of `{quoted(id_)}`. {ADVICE}")
    return forecaster
