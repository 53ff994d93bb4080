"""Files that the verb `select` writes."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hrtem_ood.artifacts import store
from hrtem_ood.errors import ConfigError
from hrtem_ood.learning.inference.selection.calibration import CALIBRATION_FILE
from hrtem_ood.learning.inference.selection.figure import draw_selection
from hrtem_ood.learning.inference.selection.outcome import Selection

NETWORKS, IMAGES, SUMMARY, FIGURE = "select.csv", "images.csv", "select.json", "select.png"


def check_outputs(folder: Path, inputs: Iterable[Path], *, overwrite: bool, calibrated: bool = False) -> None:
    """Check, before anything is spent, that no file is written over unasked, and no input ever.

    Parameters
    ----------
    folder : Path
    inputs : iterable of Path
    overwrite : bool
        Whether earlier results may be written over.
    calibrated : bool, optional
        Whether a calibration is written, too.

    Raises
    ------
    ConfigError
    """
    read = {path.resolve() for path in inputs}
    names = (NETWORKS, IMAGES, SUMMARY, FIGURE, *([CALIBRATION_FILE] if calibrated else []))
    for path in (folder / name for name in names):
        if path.resolve() in read:
            raise ConfigError(f"--output: {path} is an input, and would be written over. Give another folder.")
        if path.exists() and not overwrite:
            raise ConfigError(f"--output: {path} exists. Give another folder, or --overwrite.")


def summary(selection: Selection) -> dict[str, Any]:
    """Return a selection as JSON-like values: the ranking, the ensemble, and what could not be used."""
    columns = ["network_file", "trained_on", "images", "f1", "low", "high"]
    ensemble = selection.ensemble
    return {
        "best": selection.best,
        "will_do": selection.will_do,
        "least_f1": selection.least_f1,
        "level": selection.level,
        "calibration": selection.calibration,
        "networks": [
            {"network": str(name)} | {key: _plain(row[key]) for key in columns}
            for name, row in selection.networks.iterrows()
        ],
        "ensemble": None if ensemble is None else {**asdict(ensemble), "networks": list(ensemble.networks)},
        "notes": selection.notes,
        "problems": [{"path": str(each.path), "reason": each.reason} for each in selection.problems],
    }


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return value
    return int(value) if float(value).is_integer() and not isinstance(value, float) else round(float(value), 4)


def write_selection(folder: Path, selection: Selection) -> list[Path]:
    """Write the ranking, the evidence of each image, both as a figure, and a summary as JSON.

    Parameters
    ----------
    folder : Path
    selection : Selection

    Returns
    -------
    list of Path
        What was written.
    """
    outputs = [folder / name for name in (NETWORKS, IMAGES, SUMMARY, FIGURE)]
    store.write_text(outputs[0], selection.networks.to_csv(float_format="%.6g"))
    store.write_text(outputs[1], selection.images.to_csv(index=False, float_format="%.6g"))
    store.write_text(outputs[2], json.dumps(summary(selection), ensure_ascii=False, indent=1) + "\n")
    store.write_bytes(outputs[3], draw_selection(selection))
    return outputs
