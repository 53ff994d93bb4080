"""Files that the verb `score` writes."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from hrtem_ood.artifacts import store
from hrtem_ood.campaign.label_pairs import LabelPair
from hrtem_ood.errors import ConfigError
from hrtem_ood.learning.inference.score_figure import draw_scores

SCORES, NETWORKS, FIGURE = "scores.csv", "networks.csv", "scores.png"


def check_outputs(folder: Path, pairs: Sequence[LabelPair], *, overwrite: bool) -> None:
    """Check, before anything is spent, that no file is written over unasked, and no input ever.

    Parameters
    ----------
    folder : Path
    pairs : sequence of LabelPair
        The inputs.
    overwrite : bool
        Whether earlier scores may be written over.

    Raises
    ------
    ConfigError
    """
    inputs = {path.resolve() for pair in pairs for path in pair}
    for path in (folder / name for name in (SCORES, NETWORKS, FIGURE)):
        if path.resolve() in inputs:
            raise ConfigError(f"--output: {path} is an input, and would be written over. Give another folder.")
        if path.exists() and not overwrite:
            raise ConfigError(f"--output: {path} exists. Give another folder, or --overwrite.")


def write_scores(folder: Path, table: pd.DataFrame, summary: pd.DataFrame) -> list[Path]:
    """Write the scores, their summary, and a figure where there is an F1.

    Parameters
    ----------
    folder : Path
    table : pandas.DataFrame
        Of :class:`hrtem_ood.learning.inference.score_micrographs.MicrographScores`.
    summary : pandas.DataFrame
        Of :func:`hrtem_ood.learning.inference.score_micrographs.summarise`.

    Returns
    -------
    list of Path
        What was written.
    """
    outputs = [folder / SCORES, folder / NETWORKS]
    store.write_text(outputs[0], table.to_csv(index=False, float_format="%.6g"))
    store.write_text(outputs[1], summary.to_csv(float_format="%.6g"))
    if table.f1.notna().any():
        outputs.append(folder / FIGURE)
        store.write_bytes(outputs[-1], draw_scores(table, summary))
    else:  # none of an earlier run stays beside other scores
        (folder / FIGURE).unlink(missing_ok=True)
    return outputs
