"""How some networks learnt: their learning curves, read from their files."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import xarray as xr

from hrtem_ood.artifacts import store
from hrtem_ood.campaign.results import Results
from hrtem_ood.campaign.test_datasets import evenly_spaced

MOST = 24
"""At most so many networks' files are read, however many there are."""


@dataclass(frozen=True)
class Curve:
    """How one network learnt.

    Attributes
    ----------
    network, label : str
        Its id, and what it was trained on.
    loss : str
        Kind of loss.
    epochs : pandas.DataFrame
        ``train_loss``, ``validation_loss``, ``learning_rate``, one row per epoch.
    best_epoch : int
        From 0; of a network that diverged, −1.
    diverged : bool
    """

    network: str
    label: str
    loss: str
    epochs: pd.DataFrame
    best_epoch: int
    diverged: bool


@dataclass(frozen=True)
class Curves:
    """How a sample of networks learnt.

    Attributes
    ----------
    shown : list of Curve
    networks : int
        All of the campaign.
    absent : int
        How many files of the sample are not there.
    """

    shown: list[Curve]
    networks: int
    absent: int

    def table(self) -> pd.DataFrame:
        """One row per network and epoch: ``network``, ``training_set`` (label), ``epoch`` (from 1), losses and learning rate."""
        names = ["train_loss", "validation_loss", "learning_rate"]
        parts = [
            curve.epochs.assign(network=curve.network, training_set=curve.label, epoch=range(1, len(curve.epochs) + 1))
            for curve in self.shown
        ]
        columns = ["network", "training_set", "epoch", *names]
        return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def curves(results: Path, metrics: xr.Dataset, cells: xr.Dataset) -> Curves:
    """Read the learning curves of at most :data:`MOST` networks, evenly spread over the campaign.

    One that diverged is among them where any did. Files that are not there (a campaign's report needs none) are left out.

    Parameters
    ----------
    results : Path
        The results folder.
    metrics, cells : xarray.Dataset
        From :mod:`hrtem_ood.analysis.matrix`.

    Returns
    -------
    Curves
    """
    chosen = evenly_spaced(metrics.sizes["network"], MOST)
    lost = metrics.diverged.values.nonzero()[0]
    if lost.size and not set(lost) & set(chosen):
        chosen[-1] = int(lost[0])
    labels = dict(zip(cells.training_set.values, cells.short_label.values, strict=True))
    found = []
    for index in chosen:
        one = metrics.isel(network=index)
        path = Results(results).path("networks", str(one.network.values))
        if path.exists():
            content = store.read_checkpoint(path)
            epochs = pd.DataFrame(content["curves"])
            label, loss = str(labels[one.training_id.item()]), str(one.loss.values)
            found.append(
                Curve(content["id"], label, loss, epochs, int(content["best_epoch"]), bool(content["diverged"]))
            )
    return Curves(found, metrics.sizes["network"], len(chosen) - len(found))
