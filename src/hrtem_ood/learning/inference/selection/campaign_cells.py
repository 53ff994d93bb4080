"""A calibration from a campaign: evidence and F1 of its networks on the labelled images of its test datasets."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hrtem_ood.array_module import Device
from hrtem_ood.artifacts import store
from hrtem_ood.artifacts.identity import seed_sequence
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.results import Results
from hrtem_ood.errors import ArtifactError
from hrtem_ood.learning.inference.micrograph import Micrograph
from hrtem_ood.learning.inference.segment_micrographs import TrainedNetwork, load
from hrtem_ood.learning.inference.selection.calibration import COLUMNS
from hrtem_ood.learning.inference.selection.consensus import dice
from hrtem_ood.learning.inference.selection.domain_match import image_condition
from hrtem_ood.learning.inference.selection.evidence import View, gather_evidence, recipe, view
from hrtem_ood.progress import track

IMAGES_PER_CELL = 4
"""Images of each test dataset, its first."""

SMALLEST_POOL = 3
"""Networks whose agreement counts as evidence in a calibration."""


def calibrate(
    campaign: Campaign, results: Path, *, architecture_file: Path | None = None, device: Device = "auto"
) -> pd.DataFrame:
    """Gather evidence and F1 of a campaign's networks on its test datasets.

    Users have few networks or many, good or bad ones; and what agreement with the others tells depends on them. Hence every
    second image is seen by all networks together, and every other one by random groups of them, each of which has a
    consensus of its own.

    Parameters
    ----------
    campaign : Campaign
    results : Path
        The results folder with its networks and datasets.
    architecture_file : Path, optional
        Of networks whose architecture is not built in.
    device : {"auto", "cpu", "gpu"}

    Returns
    -------
    pandas.DataFrame
        :data:`hrtem_ood.learning.inference.selection.calibration.COLUMNS`, one row per network and image.

    Raises
    ------
    ArtifactError
        Where the campaign has fewer networks than a group, or a dataset is missing or damaged.
    """
    folder = Results(results)
    paths = [folder.path("networks", id_) for id_ in campaign.networks]
    networks = [load(path, architecture_file) for path in paths if path.exists()]
    if len(networks) < SMALLEST_POOL:
        raise ArtifactError(
            f"campaign {campaign.name} has {len(networks)} trained network(s) in {results}; a calibration needs "
            f"{SMALLEST_POOL} or more. Run snakemake first."
        )
    tested = list(dict.fromkeys(id_ for suite in campaign.suites.values() for id_ in suite.datasets))
    rows: list[pd.DataFrame] = []
    for id_ in track(tested, "test datasets", len(tested)):
        condition = campaign.datasets[id_].slug
        for each in _rows_of(folder, id_, networks, device):
            rows.append(each.assign(dataset=id_, condition=condition, pool=len(rows)))
    return pd.concat(rows, ignore_index=True)[list(COLUMNS)]


def _rows_of(
    folder: Results, dataset: str, networks: Sequence[TrainedNetwork], device: Device
) -> Iterator[pd.DataFrame]:
    with store.open_zarr(folder.path("datasets", dataset), expect_id=dataset, dask=False) as opened:
        counts, labels = (opened[name][:IMAGES_PER_CELL].values for name in ("counts", "label"))
        pixel_A = float(opened.attrs["pixel_size_A"])
    for number, (image, label) in enumerate(zip(counts, labels, strict=True)):
        micrograph = Micrograph.from_array(image, pixel_size_A=pixel_A, name=f"{dataset}_{number}")
        condition = image_condition(micrograph, None, energy_eV=networks[0].training_domain.energy_eV)
        views = [view([network], micrograph, None, condition, device=device) for network in networks]
        for pool in pools(len(networks), f"groups of networks, {dataset}, {number}", whole=number % 2 == 0):
            yield image_rows([views[each] for each in pool], [networks[each] for each in pool], label).assign(
                image=number
            )


def image_rows(views: Sequence[View], networks: Sequence[TrainedNetwork], label: NDArray[np.integer]) -> pd.DataFrame:
    """Return the evidence on networks that see an image together, with their F1.

    Parameters
    ----------
    views : sequence of View
    networks : sequence of TrainedNetwork
    label : integer array, (y, x)
        0 on background.

    Returns
    -------
    pandas.DataFrame
        ``network``, ``f1`` and the evidence; no row where the label holds no particle.
    """
    table = gather_evidence(views, [recipe(each) for each in networks])
    true = (label > 0).astype(np.float32).ravel()
    mask = (np.stack([each.probability for each in views]) > 0.5).astype(np.float32)
    table = table.assign(network=[each.id for each in networks], f1=dice(mask, true))  # Dice of masks is their F1
    return table if true.any() else table.head(0)


def pools(count: int, stream: str, *, whole: bool) -> list[NDArray[np.integer]]:
    """Deal networks into groups that see an image together.

    Parameters
    ----------
    count : int
        Of networks.
    stream : str
        Names the random stream.
    whole : bool
        Whether all are one group. Otherwise, the first group is of a random size.

    Returns
    -------
    list of int arrays
        Each network is in one; none but a single one has fewer than :data:`SMALLEST_POOL`.
    """
    rng = np.random.default_rng(seed_sequence(stream))
    order = rng.permutation(count)
    groups: list[NDArray[np.integer]] = []
    while not whole and len(order) >= 2 * SMALLEST_POOL:
        size = int(rng.integers(SMALLEST_POOL, len(order) - SMALLEST_POOL + 1))
        groups.append(order[:size])
        order = order[size:]
    return [*groups, order]
