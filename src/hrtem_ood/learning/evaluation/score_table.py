"""Scores of an evaluation by network and dataset, copied from existing evaluations where possible."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from zarr.codecs import BloscCodec

from hrtem_ood.artifacts import store
from hrtem_ood.config.evaluation import EvaluationPrecision
from hrtem_ood.errors import ArtifactError
from hrtem_ood.learning.evaluation.metric_names import METRICS
from hrtem_ood.progress import log

CHUNK = 2**20
"""Largest number of scores in one chunk."""


Shared = tuple[tuple[int, int], tuple[int, int]]
"""Network and dataset of a cell, as indices into this table and into another evaluation."""


class NetworkScores(NamedTuple):
    """Scores and features of one network for the images of one dataset.

    Attributes
    ----------
    scores : float32 array, (score, image)
        In the order of :data:`hrtem_ood.learning.evaluation.metric_names.METRICS`.
    feature : float16 array, (image, channel), [1]
        See :class:`hrtem_ood.learning.evaluation.feature_hook.FeatureHook`; without columns where a network has none.
    """

    scores: np.ndarray
    feature: np.ndarray


class ScoreTable:
    """Scores and features of networks on datasets, and which of them are filled.

    Parameters
    ----------
    networks : mapping of str to str or None
        Id of each network and the sha256 of its weights; None if it diverged: its scores are NaN and count as filled.
    datasets : mapping of str to str
        Id of each dataset and the sha256 of its images and labels.
    images : int
        Images in each dataset.
    precision : {"float32", "tf32", "bfloat16"}
        Of the forward passes. Scores of another precision are not copied.

    Attributes
    ----------
    values : float32 array, (score, network, condition, image)
        In the order of ``METRICS``; NaN where not filled.
    feature : list of float16 array, (condition, image, channel)
        Of each network, NaN where not filled; without columns where nothing is filled, or a network has no features.
    filled : bool array, (network, condition)
    """

    def __init__(
        self,
        networks: Mapping[str, str | None],
        datasets: Mapping[str, str],
        images: int,
        precision: EvaluationPrecision = "float32",
    ) -> None:
        self.networks, self.datasets, self.precision = dict(networks), dict(datasets), precision
        self.values = np.full((len(METRICS), len(networks), len(datasets), images), np.nan, np.float32)
        self.feature = [np.empty((len(datasets), images, 0), np.float16) for _ in networks]
        self.filled = np.zeros((len(networks), len(datasets)), bool)
        self.filled[[digest is None for digest in networks.values()]] = True

    def copy_existing(self, folder: Path, *, version: int, except_for: Path) -> None:
        """Copy the cells that other evaluations hold for the same weights and the same datasets.

        Parameters
        ----------
        folder : Path
            ``evaluations``. A file that cannot be read is skipped, with a log line.
        version : int
            Evaluations of other versions of the stage are skipped.
        except_for : Path
            The evaluation that is being written.
        """
        for path, shared in self._evaluations(folder, version):
            with _skip_unreadable(path):
                if path != except_for:
                    self._copy(store.read_zarr(path), shared)
                    log(f"{len(shared)} cells are copied from {path}")

    def mark_existing(self, folder: Path, *, version: int) -> None:
        """Mark the cells that other evaluations hold as filled, without copying; see :meth:`copy_existing`."""
        for _, shared in self._evaluations(folder, version):
            for target, _ in shared:
                self.filled[target] = True

    def _evaluations(self, folder: Path, version: int) -> Iterator[tuple[Path, list[Shared]]]:
        """Yield the evaluations that hold cells which are not filled, with the indices of these cells."""
        for path in sorted(folder.glob("*.zarr.zip")):
            if self.filled.all():
                return
            shared: list[Shared] = []
            with _skip_unreadable(path):
                attributes = store.zarr_attributes(path)
                same = attributes.get("stage_version") == version and _precision(attributes) == self.precision
                shared = list(self._shared(attributes)) if same else []
            if shared:
                yield path, shared

    def _shared(self, attributes: Mapping[str, Any]) -> Iterator[Shared]:
        """Yield the indices, in this table and in another evaluation, of every cell that only the other holds."""
        networks, datasets = (_numbered(attributes[key]) for key in ("networks", "datasets"))
        for row, network in enumerate(self.networks.items()):
            for column, dataset in enumerate(self.datasets.items()):
                if not self.filled[row, column] and network in networks and dataset in datasets:
                    yield (row, column), (networks[network], datasets[dataset])

    def _copy(self, other: xr.Dataset, shared: list[Shared]) -> None:
        values = np.stack([other[name].transpose("network", "condition", "image").values for name in METRICS])
        feature = other["feature"].transpose("network", "condition", "image", "channel").values
        features = other["features"].values
        for target, source in shared:
            self.fill(*target, NetworkScores(values[:, *source], feature[*source][:, : features[source[0]]]))

    def fill(self, network: int, dataset: int, cell: NetworkScores) -> None:
        """Set the scores and features of one cell."""
        self.values[:, network, dataset] = cell.scores
        if not self.feature[network].size:
            conditions, images, _ = self.feature[network].shape
            self.feature[network] = np.full((conditions, images, cell.feature.shape[1]), np.nan, np.float16)
        self.feature[network][dataset] = cell.feature
        self.filled[network, dataset] = True

    def to_dataset(self) -> xr.Dataset:
        """Return the table as a dataset that :meth:`copy_existing` can read; features are padded with NaN."""
        dims = ("network", "condition", "image")
        data: dict[str, Any] = {
            name: (dims, values, {"long_name": score.long_name, "units": score.units})
            for (name, score), values in zip(METRICS.items(), self.values, strict=True)
        }
        features = np.array([each.shape[-1] for each in self.feature], np.int32)
        feature = np.full((*self.values.shape[1:], max(1, features.max())), np.nan, np.float16)
        for row, each in enumerate(self.feature):
            feature[row, ..., : features[row]] = each
        about = "what enters the last convolution, mean over an image's pixels"
        data["feature"] = ((*dims, "channel"), feature, {"long_name": about, "units": "1"})
        data["features"] = ("network", features, {"long_name": "how many features a network has"})
        coordinates = {
            "network": list(self.networks),
            "condition": list(self.datasets),
            "image": np.arange(self.values.shape[-1]),
        }
        attributes = {
            "networks": json.dumps(self.networks),
            "datasets": json.dumps(self.datasets),
            "numeric_precision": self.precision,
        }
        dataset = xr.Dataset(data, coords=coordinates, attrs=attributes)
        # always read as a whole: reading few chunks takes a tenth of the time of many
        _, networks, conditions, images = self.values.shape
        rows = min(networks, max(1, CHUNK // (conditions * images)))
        for name in METRICS:
            codec = BloscCodec(cname="zstd", clevel=1, shuffle="bitshuffle", typesize=4)
            dataset[name].encoding = {"chunks": (rows, conditions, images), "compressors": [codec]}
        codec = BloscCodec(cname="zstd", clevel=1, shuffle="bitshuffle", typesize=2)
        rows = max(1, rows // feature.shape[-1])
        dataset["feature"].encoding = {"chunks": (rows, *feature.shape[1:]), "compressors": [codec]}
        return dataset


def _precision(attributes: Mapping[str, Any]) -> object:
    """Return the precision that an evaluation's attributes tell; older ones are of float32 and do not tell it."""
    return attributes.get("numeric_precision", "float32")


def _numbered(attribute: str) -> dict[tuple[str, str], int]:
    return {pair: index for index, pair in enumerate(json.loads(attribute).items())}


@contextmanager
def _skip_unreadable(path: Path) -> Iterator[None]:
    """Log an error of reading an evaluation, and continue without it."""
    try:
        yield
    except (ArtifactError, OSError, AttributeError, LookupError, TypeError, ValueError) as error:
        log(f"{path} is skipped: {error}")
