"""Verb `predict`: a network from its file, its predictions for micrographs, and how far they can be trusted."""

import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from hrtem_ood.array_module import Device
from hrtem_ood.artifacts import store
from hrtem_ood.errors import ArtifactError, ConfigError
from hrtem_ood.learning.architectures.registry import stride_of
from hrtem_ood.learning.checkpoint import (
    TrainingDomain,
    described_architecture,
    load_network,
    read_network,
    training_domain,
)
from hrtem_ood.learning.inference.domain_distance import ConditionAssessment, assess_distance
from hrtem_ood.learning.inference.figures import draw_assessment, draw_segmentation
from hrtem_ood.learning.inference.measured_f1 import expected_f1, find_measured
from hrtem_ood.learning.inference.micrograph import Micrograph, read_micrographs
from hrtem_ood.learning.inference.particles import ParticleMeasurements, measure_particles, threshold
from hrtem_ood.learning.inference.repair import RepairedImage, repair_image
from hrtem_ood.learning.inference.resample import nearest_pixels, resample, resampled_side, same_pixel
from hrtem_ood.learning.inference.tiling import TILE_PX, Tiling, particle_probability, tiling
from hrtem_ood.learning.torch_device import torch_device
from hrtem_ood.physics.optics.condition import Condition
from hrtem_ood.transfer.parameters import Transfer

LARGEST_PX = 2**27
"""Images that would have more pixels (11,585² of them) on the network's pixel are refused: most likely theirs is wrong."""

ASSESSMENT_FILE = "trust.png"
"""The picture of a stated condition."""


@dataclass(frozen=True)
class TrainedNetwork:
    """A trained network.

    Attributes
    ----------
    id : str
    network : torch.nn.Module
        On the CPU, in evaluation mode.
    trained_on : TrainingDomain
    validation_loss : float
        After the best epoch: mean cross-entropy per pixel [nat], plus the Dice loss if that was trained on.
    """

    id: str
    network: nn.Module
    training_domain: TrainingDomain
    validation_loss: float

    @cached_property
    def tiles(self) -> Tiling:
        """How large images are cut; takes seconds to find out."""
        return tiling(self.network, self.training_domain.side_px)


@dataclass(frozen=True)
class SegmentationResult:
    """What was found in an image.

    Attributes
    ----------
    micrograph : Micrograph
        As it was read.
    repaired : RepairedImage or None
        Without defects, on the micrograph's grid; None where it was not repaired.
    shape : tuple of int, [px]
        Of the image as the network saw it.
    pixel_size_A : float, [Å]
        Its pixel: the network's, or the micrograph's own where they are the same, see
        :func:`hrtem_ood.learning.inference.resample.same_pixel`.
    tiles : Tiling or None
    found : Findings
    outputs : tuple of Path
        What was written.
    """

    micrograph: Micrograph
    repaired: RepairedImage | None
    shape: tuple[int, int]
    pixel_size_A: float
    tiles: Tiling | None
    particles: ParticleMeasurements
    outputs: tuple[Path, ...]


def load(path: Path, architecture_file: Path | None = None) -> TrainedNetwork:
    """Read a network that is to be used.

    Parameters
    ----------
    path : Path
        ``networks/<id>.ckpt``.
    architecture_file : Path, optional
        Python file of an architecture that is not built in. What the checkpoint names is not run.

    Raises
    ------
    ArtifactError
        Where it is missing, damaged, has no weights, or was written by another version; or the file is another.
    ConfigError
        Where the file is needed and not given.
    """
    if path.suffix != ".ckpt":
        raise ArtifactError(f"{path} is no network. Give the path of one: results/networks/ID.ckpt.")
    if not path.exists():
        raise ArtifactError(f"{path} is missing. Give the path of a network: results/networks/ID.ckpt.")
    content = read_network(path)
    try:
        network = load_network(content, described_architecture(content, architecture_file))
        return TrainedNetwork(content["id"], network, training_domain(content), content["best_val_loss"])
    except KeyError as error:
        raise ArtifactError(
            f"{path} does not tell its {error.args[0]!s:.80}: an older version of hrtem-ood wrote it. Train it again."
        ) from error
    except (TypeError, ValueError, AttributeError) as error:
        raise ArtifactError(f"{path} is no network of this program ({type(error).__name__}: {error!s:.80}).") from error


def predict(
    user: TrainedNetwork,
    images: Sequence[Path],
    output: Path,
    *,
    pixel_size_A: float | None = None,
    repair: bool = True,
    device: Device = "auto",
) -> Iterator[SegmentationResult]:
    """Segment micrographs, and write per image a probability, a mask, a table of particles and a picture.

    Parameters
    ----------
    user : TrainedNetwork
    images : sequence of Path
    output : Path
        Folder.
    pixel_size_A : float, optional, [Å]
        Of all images; by default what their files say.
    repair : bool, optional
        Whether defects of the images are removed, see :func:`hrtem_ood.learning.inference.repair.repair_image`; dead pixels
        then are no particle.
    device : {"auto", "cpu", "gpu"}

    Yields
    ------
    SegmentationResult
        After its files are written.
    """
    taken = {path.resolve(): path for path in images} | {(output / ASSESSMENT_FILE).resolve(): output / ASSESSMENT_FILE}
    before = dict(taken)
    for path in images:  # before anything is spent
        _claim(_outputs(output, path.stem), path, before, images)
    where = torch_device(device)
    network = user.network.to(where)
    for path in images:
        read = read_micrographs(
            path, pixel_size_A=pixel_size_A, refusal=lambda shape, pixel: _refusal(shape, pixel, user)
        )
        for micrograph in read:
            outputs = _outputs(output, micrograph.name)
            _claim(outputs, path, taken, images)
            grid = user.training_domain.pixel_size_A
            pixel = micrograph.pixel_size_A if same_pixel(micrograph.pixel_size_A, grid) else grid
            repaired = repair_image(micrograph.image, zero=micrograph.zero) if repair else None
            image = micrograph.image if repaired is None else repaired.image
            if pixel != micrograph.pixel_size_A:
                image = resample(image, micrograph.pixel_size_A, pixel)
            tiles = user.tiles if max(image.shape) > TILE_PX else None
            probability = particle_probability(network, image, where, tiles)
            if repaired is not None and repaired.dead.any():
                probability[nearest_pixels(repaired.dead, micrograph.pixel_size_A, pixel, image.shape)] = 0
            found = measure_particles(probability, pixel)
            _write(outputs, image, probability, found, pixel, micrograph.name)
            yield SegmentationResult(
                micrograph, repaired, probability.shape, pixel, tiles, found, tuple(outputs.values())
            )


def assess_condition(
    user: TrainedNetwork, condition: Condition, results: Path, output: Path
) -> tuple[ConditionAssessment, Path]:
    """Tell how far a condition lies from training and what was measured there, and draw it.

    Parameters
    ----------
    user : TrainedNetwork
    condition : Condition
    results : Path
        The results folder, where campaigns' metrics are looked for.
    output : Path
        Folder.

    Returns
    -------
    ConditionAssessment
    Path
        Its picture, ``trust.png``.
    """
    measured = find_measured(results, user.id)
    far = assess_distance(condition, user.training_domain, measured.transfer if measured else Transfer())
    result = ConditionAssessment(
        far, measured, expected_f1(measured.points, far.sigma, condition.label) if measured else None
    )
    path = output / ASSESSMENT_FILE
    store.write_bytes(path, draw_assessment(result, user.id))
    return result, path


def _refusal(shape: tuple[int, int], old: float, user: TrainedNetwork) -> str | None:
    """Tell why a network does not take an image of a shape (y, x) and a pixel [Å], if so."""
    new = user.training_domain.pixel_size_A
    sides = [side if same_pixel(old, new) else resampled_side(side, old, new) for side in shape]
    has = f"has {' × '.join(map(str, shape))} px of {old:.4g} Å"
    least = 2 * stride_of(user.network)  # of fewer, reflection and the lowest level would make most
    if min(sides) < least:
        return (
            f"{has}, {' × '.join(map(str, sides))} px of the network's {new:g} Å; the network needs {least} px or more "
            "each way. Is the pixel right? State it with --pixel-size-A."
        )
    if math.prod(sides) > LARGEST_PX:
        return (
            f"{has}, which would be {' × '.join(map(str, sides))} px of the network's {new:g} Å, more than memory is likely "
            "to hold. Is the pixel right? State it with --pixel-size-A; or cut the image."
        )
    return None


def _outputs(folder: Path, name: str) -> dict[str, Path]:
    endings = {"probability": ".tif", "mask": "_mask.tif", "particles": ".csv", "picture": ".png"}
    return {kind: folder / f"{name}{ending}" for kind, ending in endings.items()}


def _claim(outputs: Mapping[str, Path], source: Path, taken: dict[Path, Path], images: Sequence[Path]) -> None:
    """Note that an image's outputs are taken; refuse to write over an input, or what another image writes."""
    for path in outputs.values():
        other = taken.setdefault(path.resolve(), source)
        if other is not source or path.resolve() == source.resolve():
            over = path.resolve() in {image.resolve() for image in images}
            raise ConfigError(
                f"{source}: its {path} would be written over {'an input' if over else f'that of {other}'}. "
                "Give another --output, or predict the two one by one."
            )


def _write(
    outputs: Mapping[str, Path],
    image: NDArray[np.float32],
    probability: NDArray[np.float32],
    found: ParticleMeasurements,
    pixel_size_A: float,
    name: str,
) -> None:
    store.write_bytes(outputs["probability"], tiff(probability, pixel_size_A))
    store.write_bytes(outputs["mask"], tiff(threshold(probability), pixel_size_A))
    store.write_text(outputs["particles"], found.csv())
    store.write_bytes(outputs["picture"], draw_segmentation(image, probability, pixel_size_A=pixel_size_A, title=name))


def tiff(values: NDArray[Any], pixel_size_A: float) -> bytes:
    """Encode an image as an ImageJ TIFF, which tells the pixel in nm.

    Parameters
    ----------
    values : float32 or uint8 array, (y, x)
    pixel_size_A : float, [Å]

    Returns
    -------
    bytes
    """
    import tifffile

    buffer = io.BytesIO()
    per_nm = 10 / pixel_size_A
    tifffile.imwrite(
        buffer, values, imagej=True, resolution=(per_nm, per_nm), resolutionunit="NONE",
        metadata={"unit": "nm", "axes": "YX"},
    )  # fmt: skip
    return buffer.getvalue()
