"""Verb `select`: which networks segment images best, of which there are no labels."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from hrtem_ood.array_module import Device
from hrtem_ood.errors import ArtifactError, HrtemOodError
from hrtem_ood.learning.inference.micrograph import Micrograph, read_micrographs
from hrtem_ood.learning.inference.run_record import FailedFile
from hrtem_ood.learning.inference.score_micrographs import NetworkFile
from hrtem_ood.learning.inference.segment_micrographs import TrainedNetwork
from hrtem_ood.learning.inference.selection.collect import MEAN, Collected, prepare
from hrtem_ood.learning.inference.selection.estimator import LEVEL, F1Estimator
from hrtem_ood.learning.inference.selection.evidence import CONSISTENCY, EVIDENCE
from hrtem_ood.learning.inference.selection.outcome import Ensemble, Selection
from hrtem_ood.learning.torch_device import torch_device
from hrtem_ood.progress import track

MEMBERS = 3
"""Networks of an ensemble: the best."""

FEWEST_NETWORKS = 4
"""With fewer, their agreement tells little."""

BETTER = 0.005
"""An ensemble is offered where its estimated F1 is higher by this than the best network's."""


def select_networks(
    networks: Sequence[NetworkFile],
    files: Sequence[Path],
    estimator: F1Estimator,
    *,
    least_f1: float = 0.7,
    most_images: int = 12,
    pixel_size_A: float | None = None,
    repair: bool = True,
    device: Device = "auto",
) -> Selection:
    """Rank networks for unlabelled micrographs by their estimated F1.

    Parameters
    ----------
    networks : sequence of NetworkFile
    files : sequence of Path
        Of micrographs.
    estimator : F1Estimator
    least_f1 : float, optional, [1]
        Estimated F1 from which a network will do.
    most_images : int, optional
        Images that are used; they are spread evenly over the files, and over the images of stacks.
    pixel_size_A : float, optional, [Å]
        Of all micrographs; by default what their files say.
    repair : bool, optional
        As of :func:`hrtem_ood.learning.inference.segment_micrographs.segment`.
    device : {"auto", "cpu", "gpu"}

    Returns
    -------
    Selection

    Raises
    ------
    ArtifactError
        Where no image could be used.
    DeviceError
        Where there is no such device.
    """
    torch_device(device)  # what no image can mend ends all
    evidence = Collected(networks, device)
    chosen = spread(files, most_images)
    quota = max(1, most_images // max(1, len(chosen)))
    for path in track(chosen, "files", len(chosen)):
        try:
            for micrograph in _some(read_micrographs(path, pixel_size_A=pixel_size_A), quota):
                evidence.add(prepare(micrograph, networks, repair=repair))
        except (HrtemOodError, MemoryError) as error:
            evidence.problems.append(FailedFile(path, str(error) or "out of memory"))
    found = conclude(evidence, estimator, least_f1)
    if len(chosen) < len(files):
        found.notes.append(f"{len(chosen)} of {len(files):,} files were used (--most-images).")
    return found


def spread(files: Sequence[Path], most: int) -> list[Path]:
    """Choose at most so many files, evenly over all of them."""
    places = np.unique(np.linspace(0, len(files) - 1, min(most, len(files))).round().astype(int))
    return [files[place] for place in places]


def _some(micrographs: Iterable[Micrograph], quota: int) -> Iterator[Micrograph]:
    """Yield at most so many images of a file, evenly over it."""
    for micrograph in micrographs:
        wanted = np.unique(np.linspace(0, micrograph.count - 1, min(quota, micrograph.count)).round().astype(int))
        if micrograph.number in wanted:
            yield micrograph


def conclude(evidence: Collected, estimator: F1Estimator, least_f1: float) -> Selection:
    """Estimate F1 from the evidence, rank the networks, and look whether an ensemble of the best is better.

    Parameters
    ----------
    evidence : Collected
    estimator : F1Estimator
    least_f1 : float, [1]

    Returns
    -------
    Selection

    Raises
    ------
    ArtifactError
        Where there is no evidence.
    """
    if not evidence.rows:
        raise ArtifactError("\n".join(["no image can be used:", *(problem.reason for problem in evidence.problems)]))
    images = pd.concat(evidence.rows, ignore_index=True)
    images.insert(3, "f1", estimator.estimate(images))
    images = images.drop(columns="pool")  # its number says nothing to users
    networks = rank(images, evidence.networks, estimator)
    members = tuple(map(str, networks.index[:MEMBERS]))
    ensemble = None
    if len(networks) > MEMBERS:
        ensemble = _ensemble(members, float(networks.f1.iloc[0]), evidence, estimator)
    outside = estimator.outside(images[images.network == networks.index[0]])
    notes = list(_notes(networks))
    return Selection(networks, images, ensemble, least_f1, LEVEL, estimator.source, evidence.problems, notes, outside)


def _ensemble(members: tuple[str, ...], best: float, evidence: Collected, estimator: F1Estimator) -> Ensemble | None:
    """Compare the mean of some networks with the first of them, each as a newcomer among all networks.

    A newcomer that is made of others agrees with them, and its estimate is too high: also that of one network's copy.
    """
    gained = [_estimate_mean(each, evidence, estimator) for each in (members, members[:1])]
    common = gained[0].index.intersection(gained[1].index)
    gain = float((gained[0] - gained[1])[common].mean()) if len(common) else 0.0
    if gain <= BETTER:
        return None
    return Ensemble(members, *interval(min(1.0, best + gain), estimator.half_width(len(common))))


def _estimate_mean(members: Sequence[str], evidence: Collected, estimator: F1Estimator) -> pd.Series:
    """Return the estimated F1 of the mean of some networks, by image."""
    rows = evidence.of_mean(members)
    if rows.empty:
        return pd.Series(dtype=float)
    return rows.assign(f1=estimator.estimate(rows))[rows.network == MEAN].set_index("pool").f1


def rank(images: pd.DataFrame, networks: Sequence[NetworkFile], estimator: F1Estimator) -> pd.DataFrame:
    """Average estimates and evidence over images, the best network first; see :class:`Selection`."""
    about = {each.trained.id: each for each in networks}
    grouped = images.groupby("network", sort=False)
    means = grouped[["f1", *EVIDENCE]].mean()
    count = grouped.size()
    single = len(means) == 1
    widths = {number: estimator.half_width(int(number), by_itself=single) for number in count.unique()}
    bounds = [interval(value, widths[number]) for value, number in zip(means.f1, count, strict=True)]
    table = pd.DataFrame(
        {
            "network_file": [str(about[str(name)].path) for name in means.index],
            "trained_on": [_conditions(about[str(name)].trained) for name in means.index],
            "images": count,
            "f1": means.f1,
            "low": [low for _, low, _ in bounds],
            "high": [high for _, _, high in bounds],
            "consistency": means[list(CONSISTENCY)].mean(axis=1),
        },
        index=means.index,
    ).join(means[list(EVIDENCE)])
    # an image that a network does not take is one on which it is of no use: it ranks behind those that take all
    order = table.assign(all=count == count.max(), name=table.index)
    order = order.sort_values(["all", "f1", "consensus", "name"], ascending=[False, False, False, True])
    return table.loc[order.index]


def interval(estimate: float, half_width: float) -> tuple[float, float, float]:
    """Return an estimate with its bounds, within 0 and 1."""
    return estimate, max(0.0, estimate - half_width), min(1.0, estimate + half_width)


def _conditions(network: TrainedNetwork) -> str:
    return "; ".join(condition.label for condition, _ in network.training_domain.conditions)


def _notes(networks: pd.DataFrame) -> Iterator[str]:
    if len(networks) < FEWEST_NETWORKS:
        yield f"agreement tells little of {len(networks)} network(s); give {FEWEST_NETWORKS} or more."
    fewer = [str(name) for name, row in networks.iterrows() if row["images"] < networks["images"].max()]
    if fewer:
        yield f"estimated from fewer images than others, hence ranked last: {', '.join(fewer[:5])}{' …' * (len(fewer) > 5)}."
