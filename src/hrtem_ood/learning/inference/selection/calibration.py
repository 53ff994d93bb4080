"""Tables that F1 is estimated from: evidence, F1, and what fits that saw neither network nor condition say of it."""

from pathlib import Path

import numpy as np
import pandas as pd

from hrtem_ood.artifacts import store
from hrtem_ood.errors import ArtifactError
from hrtem_ood.learning.inference.selection.boosted_fit import ALONE, TOGETHER, held_out
from hrtem_ood.learning.inference.selection.estimator import CELL, F1Estimator
from hrtem_ood.learning.inference.selection.evidence import EVIDENCE
from hrtem_ood.user_files import check_regular

SHIPPED = Path(__file__).with_name("calibration.csv")
"""Evidence and F1 of the networks of config/experiments/select.yaml on its test datasets."""

CALIBRATION_FILE = "calibration.csv"
"""Name of the calibration of a campaign."""

COLUMNS = ("network", "dataset", "condition", "image", "pool", *EVIDENCE, "f1")
"""Of a calibration: ids of network and test dataset, name of the test condition, number of the image, number of the group of
networks that saw it together, evidence, and F1."""

HELD_OUT = (*TOGETHER, *ALONE)
"""Further columns of its file, see :func:`hrtem_ood.learning.inference.selection.boosted_fit.held_out`."""

FEWEST_CELLS = 40
"""Pairs of network and test dataset that a calibration needs."""

MAKE_ONE = "`hrtem-ood select --campaign CONFIG` writes one."


def read_calibration(path: Path | None = None) -> F1Estimator:
    """Read a calibration.

    Parameters
    ----------
    path : Path, optional
        CSV of :data:`COLUMNS` and :data:`HELD_OUT`; by default the one of the package.

    Returns
    -------
    F1Estimator

    Raises
    ------
    ArtifactError
        Where it is missing, too large or no calibration.
    """
    path, source = (SHIPPED, "the package's own simulations") if path is None else (path, str(path))
    try:
        check_regular(path, "calibration")
        table = pd.read_csv(path, compression=None)
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read ({error.strerror}). {MAKE_ONE}") from None
    except (ValueError, UnicodeDecodeError, OverflowError) as error:
        raise ArtifactError(f"{path} is no table of comma-separated values ({str(error)[:80]}). {MAKE_ONE}") from None
    return F1Estimator(checked(table, str(path), HELD_OUT), source)


def checked(table: pd.DataFrame, name: str, further: tuple[str, ...] = ()) -> pd.DataFrame:
    """Return the columns of a calibration as numbers.

    Parameters
    ----------
    table : pandas.DataFrame
    name : str
        For messages.
    further : tuple of str, optional
        Columns that it must have beside :data:`COLUMNS`.

    Raises
    ------
    ArtifactError
        Where columns are missing or hold other values than they should, or cells are few.
    """
    missing = [column for column in (*COLUMNS, *further) if column not in table.columns]
    if missing:
        raise ArtifactError(f"{name} is no calibration: it lacks the columns {', '.join(missing)}. {MAKE_ONE}")
    whole, real = ["image", "pool"], [*EVIDENCE, "f1", *further]
    try:
        table = table.astype({**dict.fromkeys((*CELL, "condition"), str), **dict.fromkeys((*whole, *real), float)})
    except (ValueError, OverflowError) as error:
        raise ArtifactError(f"{name}: values are not numbers ({str(error)[:80]}). {MAKE_ONE}") from None
    wrong = _wrong(table, whole, further)
    if wrong:
        raise ArtifactError(f"{name}: {wrong}. {MAKE_ONE}")
    cells, networks, conditions = (len(table[keys].drop_duplicates()) for keys in (CELL, ["network"], ["condition"]))
    if cells < FEWEST_CELLS or min(networks, conditions) < 2:
        raise ArtifactError(
            f"{name} holds {cells} pairs of network and test dataset, of {networks} networks and {conditions} conditions; a "
            f"calibration needs {FEWEST_CELLS} pairs, of 2 or more of each."
        )
    return table.astype(dict.fromkeys(whole, int))[[*COLUMNS, *further]]


def _wrong(table: pd.DataFrame, whole: list[str], further: tuple[str, ...]) -> str:
    """Say what is wrong with the values of a calibration, if anything."""
    for column in whole:
        values = table[column]
        if not ((values % 1 == 0) & (values.abs() < 2**53)).all():
            return f"{column} must be whole numbers"
    for column in ("f1", *further):
        if not (table[column].between(0, 1) | (table[column].isna() & (column != "f1"))).all():
            return f"{column} must be between 0 and 1"
    if np.isinf(table[list(EVIDENCE)].to_numpy()).any():
        return "evidence must be finite"
    if table[list(EVIDENCE)].isna().all(axis=None):
        return "it holds no evidence"
    if table.duplicated(["network", "dataset", "image"]).any():
        return "a network, dataset and image must not be there twice"
    if (table.groupby("pool")[["dataset", "image"]].nunique() > 1).any(axis=None):
        return "all rows of a pool must be of one dataset and image"
    return ""


def write_calibration(path: Path, table: pd.DataFrame) -> None:
    """Add what fits say of rows that they have not seen, and write a calibration, with three digits after the point.

    Parameters
    ----------
    path : Path
    table : pandas.DataFrame
        Of :data:`COLUMNS`.
    """
    rounded = table[list(COLUMNS)].round(3)
    store.write_text(path, pd.concat([rounded, held_out(rounded).round(3)], axis=1).to_csv(index=False))
