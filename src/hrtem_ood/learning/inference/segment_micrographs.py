"""Verb `predict`: a network from its file, its predictions for micrographs, and how far they can be trusted."""

import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
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
from hrtem_ood.learning.inference.micrograph import STATE_IT, Micrograph, read_micrographs
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
    training_domain : TrainingDomain
    validation_loss : float
        After the best epoch: mean cross-entropy per pixel [nat], plus the Dice loss if that was trained on.
    sha256_of_weights : str
        With which evaluations name the weights that they tested; empty for a network that is not of a file.

    Examples
    --------
    >>> import hrtem_ood
    >>> networks = hrtem_ood.list_networks(hrtem_ood.load_campaign("config/config.yaml"))
    >>> network = hrtem_ood.load_network(networks.index[0])
    >>> network.id == networks.index[0], network.training_domain.energy_eV
    (True, 300000.0)
    >>> [(condition.label, images) for condition, images in network.training_domain.conditions]
    [('Δf −100 Å, 1000 e/Å²', 4)]
    """

    id: str
    network: nn.Module
    training_domain: TrainingDomain
    validation_loss: float
    sha256_of_weights: str = ""

    @cached_property
    def tiles(self) -> Tiling:
        """How large images are cut; takes seconds to find out."""
        return tiling(self.network, self.training_domain.side_px)


@dataclass(frozen=True)
class Segmentation:
    """A segmented micrograph, from :func:`segment`.

    Attributes
    ----------
    image : float32 array, (y, x)
        The micrograph on the pixel of :attr:`pixel_size_A`, as the network segmented it.
    probability : float32 array, (y, x), [1]
        Of the particle class.
    pixel_size_A : float, [Å]
        The network's pixel, or the micrograph's own where they are the same, see
        :func:`hrtem_ood.learning.inference.resample.same_pixel`.
    measurements : ParticleMeasurements
        Covered share ``covered`` [1] and mean predictive ``entropy`` [nat]; its ``particles`` are :attr:`particles`.
    tiles : Tiling or None
        How the image was cut; None for one that went through the network in one piece.
    repaired : RepairedImage or None
        The micrograph without defects, on its own grid; None where it was not repaired.

    Examples
    --------
    >>> import hrtem_ood, numpy as np
    >>> network = hrtem_ood.load_network(hrtem_ood.list_networks(hrtem_ood.load_campaign("config/config.yaml")).index[0])
    >>> image = np.random.default_rng(0).poisson(50, (64, 64))
    >>> segmentation = hrtem_ood.segment(network, hrtem_ood.Micrograph.from_array(image, pixel_size_A=0.8))
    >>> segmentation.mask.shape, segmentation.mask.dtype.name
    ((64, 64), 'uint8')
    >>> list(segmentation.particles.columns)
    ['y_A', 'x_A', 'area_A2', 'diameter_A', 'at_edge']
    """

    image: NDArray[np.float32]
    probability: NDArray[np.float32]
    pixel_size_A: float
    measurements: ParticleMeasurements
    tiles: Tiling | None
    repaired: RepairedImage | None

    @property
    def mask(self) -> NDArray[np.uint8]:
        """Pixels that are more likely particle (1) than not (0), (y, x)."""
        return threshold(self.probability)

    @property
    def particles(self) -> pd.DataFrame:
        """One row per connected particle, the largest first: ``y_A``, ``x_A``, ``area_A2``, ``diameter_A``, ``at_edge``."""
        return self.measurements.particles


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
        domain, digest = training_domain(content), content["sha256_of_weights"]
        return TrainedNetwork(content["id"], network, domain, content["best_val_loss"], digest)
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
    for path in images:
        read = read_micrographs(
            path, pixel_size_A=pixel_size_A, refusal=lambda shape, pixel: _refusal(shape, pixel, user)
        )
        for micrograph in read:
            outputs = _outputs(output, micrograph.name)
            _claim(outputs, path, taken, images)
            found = segment(user, micrograph, repair=repair, device=device)
            _write(outputs, found, micrograph.name)
            yield SegmentationResult(
                micrograph,
                found.repaired,
                found.probability.shape,
                found.pixel_size_A,
                found.tiles,
                found.measurements,
                tuple(outputs.values()),
            )


def segment(
    network: TrainedNetwork, micrograph: Micrograph, *, repair: bool = True, device: Device = "auto"
) -> Segmentation:
    """Segment a micrograph.

    The image is resampled to the pixel of the network's training images where its own differs, and cut into tiles where
    it is large.

    Parameters
    ----------
    network : TrainedNetwork
    micrograph : Micrograph
    repair : bool, optional
        Whether defects of the image are removed, see :func:`hrtem_ood.learning.inference.repair.repair_image`; dead pixels
        then are no particle.
    device : {"auto", "cpu", "gpu"}

    Returns
    -------
    Segmentation

    Raises
    ------
    ArtifactError
        Where the image is too small or too large for the network: most likely, its pixel size is wrong.
    DeviceError
        Where there is no such device.

    Examples
    --------
    >>> import hrtem_ood, numpy as np
    >>> network = hrtem_ood.load_network(hrtem_ood.list_networks(hrtem_ood.load_campaign("config/config.yaml")).index[0])
    >>> image = np.random.default_rng(0).poisson(50, (128, 128))
    >>> micrograph = hrtem_ood.Micrograph.from_array(image, pixel_size_A=0.4)
    >>> segmentation = hrtem_ood.segment(network, micrograph)  # resampled to 0.8 Å
    >>> segmentation.probability.shape, segmentation.pixel_size_A
    ((64, 64), 0.8)
    """
    old, new = micrograph.pixel_size_A, network.training_domain.pixel_size_A
    refusal = _refusal((micrograph.image.shape[0], micrograph.image.shape[1]), old, network)
    if refusal is not None:
        raise ArtifactError(f"{micrograph.path}: {micrograph.name} {refusal}")
    repaired = repair_image(micrograph.image, zero=micrograph.zero) if repair else None
    image = micrograph.image if repaired is None else repaired.image
    pixel = old if same_pixel(old, new) else new
    if pixel != old:
        image = resample(image, old, pixel)
    probability, tiles = image_probability(network, image, device=device)
    if repaired is not None and repaired.dead.any():
        probability[nearest_pixels(repaired.dead, old, pixel, image.shape)] = 0
    return Segmentation(image, probability, pixel, measure_particles(probability, pixel), tiles, repaired)


def image_probability(
    network: TrainedNetwork, image: NDArray[np.float32], *, device: Device = "auto"
) -> tuple[NDArray[np.float32], Tiling | None]:
    """Segment an image that has the network's pixel.

    Parameters
    ----------
    network : TrainedNetwork
    image : float32 array, (y, x), sides from :func:`smallest_side`
    device : {"auto", "cpu", "gpu"}

    Returns
    -------
    probability : float32 array, (y, x), [1]
        Of the particle class.
    tiles : Tiling or None
        How the image was cut, if it is large.
    """
    where = torch_device(device)
    tiles = network.tiles if max(image.shape) > TILE_PX else None
    return particle_probability(network.network.to(where), image, where, tiles), tiles


def smallest_side(network: TrainedNetwork) -> int:
    """Fewest pixels each way: of fewer, reflection and the network's lowest level would make most of the result."""
    return 2 * stride_of(network.network)


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
    measured = find_measured(results, user.id, user.sha256_of_weights)
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
    least = smallest_side(user)
    if min(sides) < least:
        return (
            f"{has}, {' × '.join(map(str, sides))} px of the network's {new:g} Å; the network needs {least} px or more "
            f"each way. Is the pixel right? {STATE_IT}"
        )
    if math.prod(sides) > LARGEST_PX:
        return (
            f"{has}, which would be {' × '.join(map(str, sides))} px of the network's {new:g} Å, more than memory is likely "
            f"to hold. Is the pixel right? {STATE_IT} Or cut the image."
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


def _write(outputs: Mapping[str, Path], found: Segmentation, name: str) -> None:
    pixel = found.pixel_size_A
    store.write_bytes(outputs["probability"], tiff(found.probability, pixel))
    store.write_bytes(outputs["mask"], tiff(found.mask, pixel))
    store.write_text(outputs["particles"], found.measurements.csv())
    picture = draw_segmentation(found.image, found.probability, pixel_size_A=pixel, title=name)
    store.write_bytes(outputs["picture"], picture)


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
