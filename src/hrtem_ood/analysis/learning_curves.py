"""Learning curves of a sample of networks, read from their files."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import xarray as xr

from hrtem_ood.artifacts import store
from hrtem_ood.campaign.results import Results
from hrtem_ood.campaign.test_datasets import evenly_spaced

MAX_NETWORKS = 24
"""Largest number of networks whose files are read."""


@dataclass(frozen=True)
class Curve:
    """Learning curve of one network.

    Attributes
    ----------
    network, label : str
        Its id, and the label of its training set.
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
    """Learning curves of a sample of networks.

    Attributes
    ----------
    sample : list of Curve
    networks : int
        All of the campaign.
    absent : int
        Number of files of the sample that do not exist.
    """

    sample: list[Curve]
    networks: int
    absent: int

    def table(self) -> pd.DataFrame:
        """One row per network and epoch: ``network``, ``training_set`` (label), ``epoch`` (from 1), losses and learning rate."""
        names = ["train_loss", "validation_loss", "learning_rate"]
        parts = [
            curve.epochs.assign(network=curve.network, training_set=curve.label, epoch=range(1, len(curve.epochs) + 1))
            for curve in self.sample
        ]
        columns = ["network", "training_set", "epoch", *names]
        return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def read_learning_curves(results: Path, metrics: xr.Dataset, cells: xr.Dataset) -> Curves:
    """Read the learning curves of at most :data:`MAX_NETWORKS` networks, evenly spread over the campaign.

    A diverged network is among them if there is one. Missing files are skipped: a report does not require them.

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
    chosen = evenly_spaced(metrics.sizes["network"], MAX_NETWORKS)
    diverged = metrics.diverged.values.nonzero()[0]
    if diverged.size and not set(diverged) & set(chosen):
        chosen[-1] = int(diverged[0])
    labels = dict(zip(cells.training_set.values, cells.short_label.values, strict=True))
    sample = []
    for index in chosen:
        network = metrics.isel(network=index)
        path = Results(results).path("networks", str(network.network.values))
        if path.exists():
            content = store.read_checkpoint(path)
            epochs = pd.DataFrame(content["curves"])
            label, loss = str(labels[network.training_id.item()]), str(network.loss.values)
            sample.append(
                Curve(content["id"], label, loss, epochs, int(content["best_epoch"]), bool(content["diverged"]))
            )
    return Curves(sample, metrics.sizes["network"], len(chosen) - len(sample))
