"""The cells (network, dataset) of an evaluation: filled from other evaluations where they hold them already."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from zarr.codecs import BloscCodec

from hrtem_ood.artifacts import store
from hrtem_ood.errors import ArtifactError
from hrtem_ood.learning.evaluation.metric_names import METRICS
from hrtem_ood.progress import log

CHUNK = 2**20
"""At most so many scores go into one chunk."""


Shared = tuple[tuple[int, int], tuple[int, int]]
"""Network and dataset of a cell, by their numbers here and elsewhere."""


class NetworkScores(NamedTuple):
    """What one network says about the images of one dataset.

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
    """Scores and features of networks on datasets, and which of them are known.

    Parameters
    ----------
    networks : mapping of str to str or None
        Id of each network and the sha256 of its weights; None if it diverged: its scores are NaN and known.
    datasets : mapping of str to str
        Id of each dataset and the sha256 of its images and labels.
    images : int
        Images in each dataset.

    Attributes
    ----------
    values : float32 array, (score, network, condition, image)
        In the order of ``SCORES``; NaN where unknown.
    feature : list of float16 array, (condition, image, channel)
        Of each network, NaN where unknown; without columns where nothing is known of them, or there are none.
    known : bool array, (network, condition)
    """

    def __init__(self, networks: Mapping[str, str | None], datasets: Mapping[str, str], images: int) -> None:
        self.networks, self.datasets = dict(networks), dict(datasets)
        self.values = np.full((len(METRICS), len(networks), len(datasets), images), np.nan, np.float32)
        self.feature = [np.empty((len(datasets), images, 0), np.float16) for _ in networks]
        self.known = np.zeros((len(networks), len(datasets)), bool)
        self.known[[digest is None for digest in networks.values()]] = True

    def copy_existing(self, folder: Path, *, version: int, except_for: Path) -> None:
        """Copy the cells that other evaluations hold for the same weights and the same datasets.

        Parameters
        ----------
        folder : Path
            ``evaluations``. A file that cannot be read is passed over, with a line in the log.
        version : int
            Evaluations of other versions of the stage are passed over.
        except_for : Path
            The evaluation in the making.
        """
        for path, shared in self._elsewhere(folder, version):
            with _or_passed_over(path):
                if path != except_for:
                    self._copy(store.read_zarr(path), shared)
                    log(f"{len(shared)} cells are copied from {path}")

    def mark_existing(self, folder: Path, *, version: int) -> None:
        """Note as known what evaluations hold, and copy nothing; see :meth:`reuse`."""
        for _, shared in self._elsewhere(folder, version):
            for here, _ in shared:
                self.known[here] = True

    def _elsewhere(self, folder: Path, version: int) -> Iterator[tuple[Path, list[Shared]]]:
        """Yield the evaluations that hold cells which are not known, and these, here and there."""
        for path in sorted(folder.glob("*.zarr.zip")):
            if self.known.all():
                return
            shared: list[Shared] = []
            with _or_passed_over(path):
                attributes = store.zarr_attributes(path)
                shared = list(self._shared(attributes)) if attributes.get("stage_version") == version else []
            if shared:
                yield path, shared

    def _shared(self, attributes: Mapping[str, Any]) -> Iterator[Shared]:
        """Yield the index of every cell that is wanted here and known there, here and there."""
        networks, datasets = (_numbered(attributes[key]) for key in ("networks", "datasets"))
        for row, network in enumerate(self.networks.items()):
            for column, dataset in enumerate(self.datasets.items()):
                if not self.known[row, column] and network in networks and dataset in datasets:
                    yield (row, column), (networks[network], datasets[dataset])

    def _copy(self, other: xr.Dataset, shared: list[Shared]) -> None:
        values = np.stack([other[name].transpose("network", "condition", "image").values for name in METRICS])
        feature = other["feature"].transpose("network", "condition", "image", "channel").values
        features = other["features"].values
        for here, there in shared:
            self.fill(*here, NetworkScores(values[:, *there], feature[*there][:, : features[there[0]]]))

    def fill(self, network: int, dataset: int, found: NetworkScores) -> None:
        """Set what is known of one cell."""
        self.values[:, network, dataset] = found.scores
        if not self.feature[network].size:
            conditions, images, _ = self.feature[network].shape
            self.feature[network] = np.full((conditions, images, found.feature.shape[1]), np.nan, np.float16)
        self.feature[network][dataset] = found.feature
        self.known[network, dataset] = True

    def to_dataset(self) -> xr.Dataset:
        """Return all of it as a dataset that :meth:`reuse` can read again; features are padded with NaN to the most."""
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
        attributes = {"networks": json.dumps(self.networks), "datasets": json.dumps(self.datasets)}
        dataset = xr.Dataset(data, coords=coordinates, attrs=attributes)
        # read as a whole, by `reuse` and by the analysis: few chunks are read in a tenth of the time of many
        _, networks, conditions, images = self.values.shape
        rows = min(networks, max(1, CHUNK // (conditions * images)))
        for name in METRICS:
            codec = BloscCodec(cname="zstd", clevel=1, shuffle="bitshuffle", typesize=4)
            dataset[name].encoding = {"chunks": (rows, conditions, images), "compressors": [codec]}
        codec = BloscCodec(cname="zstd", clevel=1, shuffle="bitshuffle", typesize=2)
        rows = max(1, rows // feature.shape[-1])
        dataset["feature"].encoding = {"chunks": (rows, *feature.shape[1:]), "compressors": [codec]}
        return dataset


def _numbered(attribute: str) -> dict[tuple[str, str], int]:
    return {pair: index for index, pair in enumerate(json.loads(attribute).items())}


@contextmanager
def _or_passed_over(path: Path) -> Iterator[None]:
    """Log what is wrong with an evaluation, and go on without it."""
    try:
        yield
    except (ArtifactError, OSError, AttributeError, LookupError, TypeError, ValueError) as error:
        log(f"{path} is of no use here: {error}")
