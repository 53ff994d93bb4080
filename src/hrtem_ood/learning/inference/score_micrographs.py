"""Verb `score`: how well networks segment micrographs that somebody has labelled."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from hrtem_ood.array_module import Device
from hrtem_ood.artifacts.identity import seed_sequence
from hrtem_ood.campaign.label_pairs import LabelPair
from hrtem_ood.errors import ArtifactError, ConfigError, HrtemOodError
from hrtem_ood.learning.evaluation.metrics import confusion, f1, iou, precision, recall
from hrtem_ood.learning.inference.label_images import ParticleLabel, particle_label, read_label_planes
from hrtem_ood.learning.inference.micrograph import Micrograph, read_micrographs
from hrtem_ood.learning.inference.particle_labels import AS_THEY_ARE, ParticleOptions, label_particles
from hrtem_ood.learning.inference.particles import threshold
from hrtem_ood.learning.inference.run_record import FailedFile
from hrtem_ood.learning.inference.segment_micrographs import TrainedNetwork, load, segment
from hrtem_ood.learning.repair import RepairedImage, repair_image
from hrtem_ood.learning.torch_device import torch_device
from hrtem_ood.progress import track

RATIOS = {"f1": f1, "iou": iou, "precision": precision, "recall": recall}
"""Scores of a mask; undefined where the label holds no particle."""

COLUMNS = (
    "network", "network_file", "micrograph", "micrograph_file", "label_file", "pixel_size_A", "network_pixel_size_A",
    *RATIOS, "covered", "label_covered", "particle_count", *ParticleOptions._fields,
)  # fmt: skip
"""Columns of the table of scores."""

NUMBERS = ("median", "median_low", "median_high", "mean", "mean_low", "mean_high", "worst")
"""Of F1, in the summary of a network."""

RESAMPLES, LEVEL = 2000, 0.95
"""Of the bootstrap over micrographs."""


class NetworkFile(NamedTuple):
    """A network and where it was read from."""

    path: Path
    trained: TrainedNetwork


class _Options(NamedTuple):
    """How micrographs are segmented; see :func:`score_micrographs`."""

    repair: bool
    particles: ParticleOptions
    device: Device


@dataclass
class MicrographScores:
    """Scores of networks on labelled micrographs.

    Attributes
    ----------
    table : pandas.DataFrame
        One row per network and image, with :data:`COLUMNS`; ``covered`` and ``label_covered`` are the shares [1] of the
        pixels that are particle in the segmentation and in the label.
    problems : list of FailedFile
        Files, and images of them, that could not be scored.
    left_out : list of str
        What else the files hold that is no micrograph.
    """

    table: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(COLUMNS)))
    problems: list[FailedFile] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def load_networks(paths: Iterable[Path], architecture_file: Path | None) -> tuple[list[NetworkFile], list[FailedFile]]:
    """Read networks; one that cannot be used does not keep the others from it.

    Parameters
    ----------
    paths : iterable of Path
    architecture_file : Path or None
        Of those networks whose architecture is not built in.

    Returns
    -------
    list of NetworkFile
    list of FailedFile

    Raises
    ------
    ConfigError
        Where no network needs the file that is given.
    HrtemOodError
        Where there is no network that can be used.
    """
    networks: dict[str, NetworkFile] = {}
    problems: list[FailedFile] = []
    errors: list[HrtemOodError] = []
    needed = False
    for path in {path.resolve(): path for path in paths}.values():
        try:
            try:
                trained = load(path)
            except ConfigError:  # not built in
                if architecture_file is None:
                    raise
                needed, trained = True, load(path, architecture_file)
        except HrtemOodError as error:
            errors.append(error)
            problems.append(FailedFile(path, str(error)))
            continue
        other = networks.setdefault(trained.id, NetworkFile(path, trained))
        if other.path != path:
            problems.append(FailedFile(path, f"it is network {trained.id}, as {other.path}, and not scored twice."))
    if architecture_file is not None and networks and not needed:
        raise ConfigError("--architecture-file: the networks are of built-in architectures. Leave the option out.")
    if len(errors) == 1 and not networks:
        raise errors[0]
    if not networks:
        raise ArtifactError("\n".join(["no network can be used:", *(problem.reason for problem in problems)]))
    return list(networks.values()), problems


def score_micrographs(
    networks: Sequence[NetworkFile],
    pairs: Sequence[LabelPair],
    *,
    pixel_size_A: float | None = None,
    repair: bool = True,
    particles: ParticleOptions = AS_THEY_ARE,
    device: Device = "auto",
) -> MicrographScores:
    """Segment labelled micrographs with networks, and score the masks on the micrographs' own pixels.

    Parameters
    ----------
    networks : sequence of NetworkFile
    pairs : sequence of LabelPair
        Of stacks, image by image.
    pixel_size_A : float, optional, [Å]
        Of all micrographs; by default what their files say.
    repair : bool, optional
        As of :func:`hrtem_ood.learning.inference.segment_micrographs.segment`.
    particles : ParticleOptions, optional
        What is done to the particles of a mask before it is scored.
    device : {"auto", "cpu", "gpu"}

    Returns
    -------
    MicrographScores

    Raises
    ------
    DeviceError
        Where there is no such device.
    """
    torch_device(device)  # what no image can mend ends all
    segmented = _Options(repair, particles, device)
    scores = MicrographScores()
    rows: list[dict[str, Any]] = []
    for pair in track(pairs, "files scored", len(pairs)):
        try:
            for micrograph, label in labelled_micrographs(pair, pixel_size_A, scores):
                rows += _score_image(networks, micrograph, pair.labels, label, segmented, scores.problems)
        except (HrtemOodError, MemoryError) as error:
            scores.problems.append(FailedFile(pair.micrographs, str(error) or "out of memory"))
    place = {trained.id: number for number, (_, trained) in enumerate(networks)}
    rows.sort(key=lambda row: place[row["network"]])
    scores.table = pd.DataFrame(rows, columns=list(COLUMNS)).astype({"particle_count": "Int64"})
    return scores


def labelled_micrographs(
    pair: LabelPair, pixel_size_A: float | None, scores: MicrographScores
) -> Iterator[tuple[Micrograph, ParticleLabel]]:
    """Yield the micrographs of a file with their labels, and note those that have none that fits.

    Parameters
    ----------
    pair : LabelPair
    pixel_size_A : float or None, [Å]
        Of all micrographs; by default what their files say.
    scores : MicrographScores
        Receives problems, and what is left out.

    Yields
    ------
    Micrograph
    ParticleLabel

    Raises
    ------
    ArtifactError
        Where a file cannot be read, or labels and images differ in number.
    """
    planes = read_label_planes(pair.labels)
    for micrograph in read_micrographs(pair.micrographs, pixel_size_A=pixel_size_A):
        scores.left_out += micrograph.left_out
        if len(planes) != micrograph.count:
            raise ArtifactError(
                f"{pair.labels} holds {len(planes)} labels, but {pair.micrographs} {micrograph.count} images. Give one "
                "label per image, in the same order."
            )
        name = f"{pair.labels}" if len(planes) == 1 else f"image {micrograph.number + 1} of {pair.labels}"
        try:
            values = planes[micrograph.number]
            _check_shape(values, name, micrograph)
            yield micrograph, particle_label(values, name)
        except ArtifactError as error:
            scores.problems.append(FailedFile(pair.labels, str(error)))


def _check_shape(label: NDArray[Any], name: str, micrograph: Micrograph) -> None:
    if label.shape != micrograph.image.shape:
        sides, needed = (" × ".join(map(str, shape)) for shape in (label.shape, micrograph.image.shape))
        turned = ", turned by 90°" if label.shape == micrograph.image.shape[::-1] else ""
        raise ArtifactError(
            f"{name} has {sides} px, its micrograph {micrograph.path} {needed} px{turned}. A label has the pixels of its "
            "micrograph."
        )


def _score_image(
    networks: Sequence[NetworkFile],
    micrograph: Micrograph,
    label_file: Path,
    label: ParticleLabel,
    options: _Options,
    problems: list[FailedFile],
) -> Iterator[dict[str, Any]]:
    """Yield a row per network; the image is repaired once for all of them."""
    repaired = repair_image(micrograph.image, zero=micrograph.zero) if options.repair else None
    image = micrograph if repaired is None else replace(micrograph, image=repaired.image)
    for path, trained in networks:
        try:
            mask = _mask(trained, image, repaired, options)
        except (HrtemOodError, MemoryError) as error:
            problems.append(FailedFile(micrograph.path, f"network {trained.id}: {str(error) or 'out of memory'}"))
            continue
        yield {
            "network": trained.id,
            "network_file": str(path),
            "micrograph": micrograph.name,
            "micrograph_file": str(micrograph.path),
            "label_file": str(label_file),
            "pixel_size_A": micrograph.pixel_size_A,
            "network_pixel_size_A": trained.training_domain.pixel_size_A,
            **mask_scores(mask, label.mask),
            "particle_count": label.particle_count,
            **options.particles._asdict(),
        }


def _mask(
    network: TrainedNetwork, micrograph: Micrograph, repaired: RepairedImage | None, options: _Options
) -> NDArray[np.bool_]:
    """Segment a repaired micrograph, on its own grid."""
    segmentation = segment(network, micrograph, repair=False, device=options.device)
    if not np.isfinite(segmentation.probability).all():
        raise ArtifactError(f"{micrograph.path}: it gives no number for pixels of {micrograph.name}. Use another.")
    mask = threshold(segmentation.probability)
    if repaired is not None:
        mask[repaired.dead] = 0
    return label_particles(mask, micrograph.pixel_size_A, options.particles) > 0


def mask_scores(mask: NDArray[np.bool_], label: NDArray[np.bool_]) -> dict[str, float]:
    """Score a mask.

    Parameters
    ----------
    mask, label : bool array, (y, x)
        True on particles.

    Returns
    -------
    dict of str to float, [1]
        :data:`RATIOS`, NaN where the label holds no particle; ``covered`` and ``label_covered``.
    """
    counts = confusion(torch.from_numpy(mask)[None], torch.from_numpy(label)[None])
    defined = bool(label.any())
    ratios = {name: float(ratio(counts)[0]) if defined else math.nan for name, ratio in RATIOS.items()}
    return ratios | {"covered": float(mask.mean()), "label_covered": float(label.mean())}


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Summarise F1 per network, the best first.

    Parameters
    ----------
    table : pandas.DataFrame
        Of :class:`MicrographScores`.

    Returns
    -------
    pandas.DataFrame
        By network: ``images`` (those with an F1), ``undefined`` (those whose label holds no particle), ``median`` and
        ``mean`` F1, ``median_low``, ``median_high``, ``mean_low``, ``mean_high`` (bootstrap over images), ``worst`` F1 and
        ``worst_micrograph``.
    """
    rows = {network: _summary(group) for network, group in table.groupby("network", sort=False)}
    return (
        pd.DataFrame.from_dict(rows, orient="index")
        .rename_axis("network")
        .reset_index()
        .sort_values(["median", "mean", "network"], ascending=[False, False, True], na_position="last")
        .set_index("network")
    )


def _summary(group: pd.DataFrame) -> dict[str, Any]:
    values = group.f1.to_numpy(float)
    defined = group[np.isfinite(values)]
    values = defined.f1.to_numpy(float)
    summary: dict[str, Any] = {"images": len(defined), "undefined": len(group) - len(defined)}
    if not len(defined):
        return summary | dict.fromkeys(NUMBERS, math.nan) | {"worst_micrograph": ""}
    rng = np.random.default_rng(seed_sequence("scores of micrographs"))
    drawn = values[rng.integers(len(values), size=(RESAMPLES, len(values)))]
    for name, statistic in (("median", np.median), ("mean", np.mean)):
        low, high = np.quantile(statistic(drawn, axis=1), ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
        if len(values) == 1:  # one image tells nothing of others
            low = high = math.nan
        summary |= {name: float(statistic(values)), f"{name}_low": float(low), f"{name}_high": float(high)}
    worst = defined.iloc[int(values.argmin())]
    return summary | {"worst": float(worst.f1), "worst_micrograph": str(worst.micrograph)}
