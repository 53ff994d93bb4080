"""What a network sees: image, label, probability and error of the median network of a cell, chosen by rule."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from hrtem_ood.analysis.ranking.outcomes import BETTER
from hrtem_ood.analysis.results import CampaignScores
from hrtem_ood.artifacts import store
from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.results import Results
from hrtem_ood.errors import HrtemOodError

if TYPE_CHECKING:
    from torch import nn

MOST_CELLS = 160
"""In a campaign of at most so many cells, every cell has a view; in larger ones, only those that are chosen."""

IN_DOMAIN, MEDIAN, WORST, SURPRISING = "in-domain", "median", "worst", "furthest from its forecast"

RULES = {
    IN_DOMAIN: "the in-domain cell of median F1",
    MEDIAN: "the off-domain cell of median F1",
    WORST: "the off-domain cell of lowest F1",
    SURPRISING: "the cell whose score is furthest from its forecast",
}
"""How cells are chosen; of an even number, the lower one is the median."""

Floats = NDArray[np.float64]


class ChosenCell(NamedTuple):
    """A cell that is shown: its training set and test dataset as positions in the cells, and the rule that chose it."""

    row: int
    column: int
    rule: str


@dataclass(frozen=True)
class NetworkView:
    """What the median network of a cell sees.

    Attributes
    ----------
    cell : ChosenCell
    network : str
        The network whose mean score under the condition is the median over the cell's networks.
    seed : int
    image : int
        Number of the image on which its score is the median over images.
    score : float
        F1 on that image.
    counts : array, (y, x), [e/px]
    label : bool array, (y, x)
    probability : float32 array, (y, x), [1]
    pixel_size_A : float, [Å]
    """

    cell: ChosenCell
    network: str
    seed: int
    image: int
    score: float
    counts: NDArray[np.float32]
    label: NDArray[np.bool_]
    probability: NDArray[np.float32]
    pixel_size_A: float


@dataclass(frozen=True)
class NetworkViews:
    """Views of a campaign.

    Attributes
    ----------
    views : dict of (int, int) to NetworkView
        By training set and test dataset.
    chosen : list of ChosenCell
        Cells that the report shows side by side.
    absent : dict of (int, int) to str
        Why a cell has no view.
    """

    views: dict[tuple[int, int], NetworkView]
    chosen: list[ChosenCell]
    absent: dict[tuple[int, int], str]


def choose_cells(scores: CampaignScores) -> list[ChosenCell]:
    """Choose the cells that are shown, see :data:`RULES`; a rule that no cell fits chooses none."""
    cells = scores.cells
    f1, inside = cells.f1.values.astype(float), cells.in_domain.values
    away = inside & ~cells.minimum_contrast.values
    some = np.isfinite(f1)
    chosen = {
        IN_DOMAIN: _median_cell(f1, some & (away if (some & away).any() else inside)),
        MEDIAN: _median_cell(f1, some & ~inside),
        WORST: _lowest_cell(f1, some & ~inside),
        SURPRISING: _lowest_cell(-np.abs(forecast_error(scores)), np.isfinite(forecast_error(scores))),
    }
    return [ChosenCell(*where, rule) for rule, where in chosen.items() if where is not None]


def in_order_of_cells(scores: CampaignScores, values: Floats) -> Floats:
    """Arrange values (training_set, condition) of the outcomes in the order of the cells."""
    rows, columns = (
        [list(scores.outcomes[name].values.astype(str)).index(str(id_)) for id_ in scores.cells[name].values]
        for name in ("training_set", "condition")
    )
    return np.asarray(values[np.ix_(rows, columns)])


def forecast_error(scores: CampaignScores) -> Floats:
    """Return measured less forecast score, larger is better, (training_set, condition) of the cells; NaN without forecast."""
    return in_order_of_cells(scores, scores.outcomes.score.values - scores.forecast.predicted)


def _median_cell(values: Floats, use: NDArray[np.bool_]) -> tuple[int, int] | None:
    where = np.argwhere(use)
    if not len(where):
        return None
    order = np.argsort(values[use], kind="stable")
    row, column = where[order[(len(order) - 1) // 2]]
    return int(row), int(column)


def _lowest_cell(values: Floats, use: NDArray[np.bool_]) -> tuple[int, int] | None:
    where = np.argwhere(use)
    if not len(where):
        return None
    row, column = where[int(np.argmin(values[use]))]
    return int(row), int(column)


def read_views(campaign: Campaign, results: Path, scores: CampaignScores) -> NetworkViews:
    """Run the median networks of the chosen cells, and in small campaigns of all cells.

    Networks whose weights are gone, and test images that are, leave a cell without a view: a report does not require them.

    Parameters
    ----------
    campaign : Campaign
    results : Path
        The results folder: metrics, some networks and test datasets are read.
    scores : CampaignScores

    Returns
    -------
    NetworkViews
    """
    chosen = choose_cells(scores)
    wanted = list(dict.fromkeys((each.row, each.column) for each in chosen))
    finite = np.isfinite(scores.cells.f1.values)
    if finite.size <= MOST_CELLS:
        wanted += [(int(row), int(column)) for row, column in np.argwhere(finite) if (row, column) not in wanted]
    rules = {(each.row, each.column): each.rule for each in reversed(chosen)}
    views: dict[tuple[int, int], NetworkView] = {}
    absent: dict[tuple[int, int], str] = {}
    metric = campaign.config.analysis.metric
    with Results(results).open("metrics", campaign.metrics_id) as stored:
        of_network: dict[str, list[tuple[int, int]]] = {}
        for cell in wanted:
            of_network.setdefault(_median_network(scores, metric, *cell), []).append(cell)
        for network, cells in of_network.items():
            try:
                model = _load(campaign, results, network)
            except HrtemOodError as error:
                absent |= dict.fromkeys(cells, str(error))
                continue
            for cell in cells:
                try:
                    views[cell] = _view(results, scores, stored, model, network, ChosenCell(*cell, rules.get(cell, "")))
                except HrtemOodError as error:
                    absent[cell] = str(error)
    return NetworkViews(views, chosen, absent)


def _median_network(scores: CampaignScores, metric: str, row: int, column: int) -> str:
    """Return the network of a cell whose mean score is the median; of an even number, the worse one."""
    metrics, id_ = scores.metrics, str(scores.cells.training_set.values[row])
    use = np.flatnonzero((metrics.training_id.values.astype(str) == id_) & ~metrics.diverged.values)
    values = BETTER[metric] * metrics[f"mean_{metric}"].values[use, column].astype(float)
    use, values = use[np.isfinite(values)], values[np.isfinite(values)]
    return str(metrics.network.values[use[np.argsort(values, kind="stable")[(len(values) - 1) // 2]]])


def _load(campaign: Campaign, results: Path, network: str) -> "nn.Module":
    from hrtem_ood.learning.checkpoint import load_network, read_network

    content = read_network(Results(results).path("networks", network))
    return load_network(content, campaign.networks[network].hyperparameters.architecture)


def _view(
    results: Path, scores: CampaignScores, stored: xr.Dataset, model: "nn.Module", network: str, cell: ChosenCell
) -> NetworkView:
    """Run a network on its median image of a test dataset."""
    import torch

    from hrtem_ood.learning.inference.tiling import particle_probability

    dataset = str(scores.cells.condition.values[cell.column])
    place = [str(id_) for id_ in stored.network.values].index(network)
    column = [str(id_) for id_ in stored.condition.values].index(dataset)
    f1 = stored["f1"][place, column, : int(stored.images.values[column])].values.astype(float)
    known = np.flatnonzero(np.isfinite(f1))
    image = int(known[np.argsort(f1[known], kind="stable")[(len(known) - 1) // 2]]) if known.size else 0
    counts, label, pixel_size_A = read_image(results, dataset, image)
    probability = particle_probability(model, counts, torch.device("cpu"))
    seeds = dict(zip(scores.metrics.network.values.astype(str), scores.metrics.seed.values, strict=True))
    return NetworkView(
        cell, network, int(seeds[network]), image, float(f1[image]), counts, label, probability, pixel_size_A
    )


def read_image(results: Path, dataset: str, image: int) -> tuple[NDArray[np.float32], NDArray[np.bool_], float]:
    """Read counts, label and pixel size [Å] of one image of a dataset.

    Raises
    ------
    ArtifactError
        Where it is missing or damaged.
    """
    with store.open_zarr(Results(results).path("datasets", dataset)) as opened:
        counts, label = (opened[name][image].values for name in ("counts", "label"))
        return counts.astype(np.float32), label.astype(bool), float(opened.attrs["pixel_size_A"])


def errors(view: NetworkView) -> NDArray[np.uint8]:
    """Return, pixel by pixel, 0: background found, 1: particle found, 2: particle missed, 3: particle that is none."""
    found = view.probability > 0.5
    return np.asarray(np.where(found, np.where(view.label, 1, 3), np.where(view.label, 2, 0)), np.uint8)


def shown_views(views: NetworkViews) -> Iterator[tuple[ChosenCell, NetworkView]]:
    """Yield the views of the chosen cells that have one."""
    for cell in views.chosen:
        view = views.views.get((cell.row, cell.column))
        if view is not None:
            yield cell, view


def reasons(views: NetworkViews, cells: Iterable[tuple[int, int]]) -> list[str]:
    """Return why some cells have no view, each reason once."""
    return list(dict.fromkeys(views.absent[cell] for cell in cells if cell in views.absent))
