"""Segmentation of micrographs: a network from its file, and its results for an image."""

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import nn

from hrtem_ood.array_module import Device
from hrtem_ood.errors import ArtifactError
from hrtem_ood.learning.architectures.registry import stride_of
from hrtem_ood.learning.checkpoint import (
    TrainingDomain,
    described_architecture,
    load_network,
    read_network,
    sees_repaired,
    training_domain,
)
from hrtem_ood.learning.inference.micrograph import STATE_IT, Micrograph
from hrtem_ood.learning.inference.particle_labels import ParticleOptions
from hrtem_ood.learning.inference.particles import ParticleMeasurements, confidence_map, measure_particles
from hrtem_ood.learning.inference.resample import interpolate, resample, resampled_side, same_pixel
from hrtem_ood.learning.inference.tiling import TILE_PX, Tiling, particle_probability, tiling
from hrtem_ood.learning.repair import RepairedImage, repair_image
from hrtem_ood.learning.torch_device import torch_device

LARGEST_PX = 2**27
"""Images that would have more pixels (11,585² of them) on the network's pixel are refused: most likely theirs is wrong."""

MOST_GROWTH = 16
"""Images that would have more times as many pixels on the network's pixel are refused."""


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
    repair : bool
        Whether it was trained on images that were repaired, so that micrographs must be.

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
    repair: bool = False

    @cached_property
    def tiles(self) -> Tiling:
        """How large images are cut; takes seconds to find out."""
        return tiling(self.network, self.training_domain.side_px)


@dataclass(frozen=True)
class Segmentation:
    """A segmented micrograph, from :func:`segment`: all arrays have the micrograph's own pixels.

    Attributes
    ----------
    image : float32 array, (y, x)
        The micrograph without defects, as of ``repaired``; as it was where it was not repaired.
    probability : float32 array, (y, x), [1]
        Of the particle class. Where the network's pixel is another, it is interpolated linearly between those.
    pixel_size_A : float, [Å]
        Of the micrograph.
    tiles : Tiling or None
        How the image was cut; None for one that went through the network in one piece.
    repaired : RepairedImage or None
        The micrograph without defects; None where it was not repaired.
    network_pixel_size_A : float, [Å]
        Pixel of the image that the network saw: that of its training images, or the micrograph's own where they are the
        same, see :func:`hrtem_ood.learning.inference.resample.same_pixel`.
    network_shape : tuple of int, [px]
        Of the image that the network saw.
    zero : float
        Value of ``image`` without electrons.
    options : ParticleOptions
        Which connected pixels are particles.

    Examples
    --------
    >>> import hrtem_ood, numpy as np
    >>> network = hrtem_ood.load_network(hrtem_ood.list_networks(hrtem_ood.load_campaign("config/config.yaml")).index[0])
    >>> image = np.random.default_rng(0).poisson(50, (64, 64))
    >>> segmentation = hrtem_ood.segment(network, hrtem_ood.Micrograph.from_array(image, pixel_size_A=0.8))
    >>> segmentation.mask.shape, segmentation.mask.dtype.name
    ((64, 64), 'uint8')
    >>> int(segmentation.labels.max()) == len(segmentation.particles)
    True
    >>> list(segmentation.particles.columns)[:6]
    ['y_A', 'x_A', 'y_px', 'x_px', 'area_A2', 'diameter_A']
    >>> list(segmentation.particles.columns)[6:]
    ['major_A', 'minor_A', 'aspect_ratio', 'circularity', 'confidence', 'intensity_ratio', 'at_edge']
    """

    image: NDArray[np.float32]
    probability: NDArray[np.float32]
    pixel_size_A: float
    tiles: Tiling | None
    repaired: RepairedImage | None
    network_pixel_size_A: float
    network_shape: tuple[int, int]
    zero: float
    options: ParticleOptions

    @cached_property
    def measurements(self) -> ParticleMeasurements:
        """Covered share [1], mean predictive entropy [nat], particles and their labels; measured when first used."""
        return measure_particles(self.probability, self.pixel_size_A, self.options, image=self.image, zero=self.zero)

    @property
    def mask(self) -> NDArray[np.uint8]:
        """Pixels of particles (1) and background (0), (y, x)."""
        return (self.measurements.labels > 0).astype(np.uint8)

    @property
    def labels(self) -> NDArray[np.int32]:
        """Numbers of the particles as in :attr:`particles`, and 0 for background, (y, x)."""
        return self.measurements.labels

    @property
    def confidence(self) -> NDArray[np.float32]:
        """How sure the network is of each pixel, (y, x).

        1 − H(p) / ln 2 with the entropy H of the two classes: 1 where it is certain, 0 where the probability is one half
        or the pixel is dead.
        """
        return confidence_map(self.probability, None if self.repaired is None else self.repaired.dead)

    @property
    def particles(self) -> pd.DataFrame:
        """One row per particle, the largest first: place, size, shape, confidence, intensity.

        See :class:`hrtem_ood.learning.inference.particles.ParticleMeasurements` for the columns.
        """
        return self.measurements.particles


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
        domain, digest, loss = training_domain(content), content["sha256_of_weights"], content["best_val_loss"]
        return TrainedNetwork(content["id"], network, domain, loss, digest, sees_repaired(content))
    except KeyError as error:
        raise ArtifactError(
            f"{path} does not tell its {error.args[0]!s:.80}: an older version of hrtem-ood wrote it. Train it again."
        ) from error
    except (TypeError, ValueError, AttributeError) as error:
        raise ArtifactError(f"{path} is no network of this program ({type(error).__name__}: {error!s:.80}).") from error


def segment(
    network: TrainedNetwork,
    micrograph: Micrograph,
    *,
    repair: bool = True,
    device: Device = "auto",
    min_diameter_A: float = 0.0,
    fill_holes: bool = False,
    split_touching: bool = False,
) -> Segmentation:
    """Segment a micrograph.

    For the network, the image is resampled to the pixel of the training images where its own differs, and cut into tiles
    where it is large. The result is on the pixels of the micrograph.

    Parameters
    ----------
    network : TrainedNetwork
    micrograph : Micrograph
    repair : bool, optional
        Whether defects of the image are removed, see :func:`hrtem_ood.learning.repair.repair_image`; dead pixels
        then are no particle.
    device : {"auto", "cpu", "gpu"}
    min_diameter_A : float, optional, [Å]
        Particles whose circle of the same area is smaller are dropped.
    fill_holes : bool, optional
        Whether background that a particle encloses belongs to it.
    split_touching : bool, optional
        Whether particles that touch are separated where the neck between them is narrower than 0.8 of the narrower one.

    Returns
    -------
    Segmentation

    Raises
    ------
    ArtifactError
        Where the image is too small or too large for the network, or would need more than 16 times as many pixels: most
        likely, its pixel size is wrong.
    DeviceError
        Where there is no such device.

    Examples
    --------
    >>> import hrtem_ood, numpy as np
    >>> network = hrtem_ood.load_network(hrtem_ood.list_networks(hrtem_ood.load_campaign("config/config.yaml")).index[0])
    >>> image = np.random.default_rng(0).poisson(50, (128, 128))
    >>> micrograph = hrtem_ood.Micrograph.from_array(image, pixel_size_A=0.4)
    >>> segmentation = hrtem_ood.segment(network, micrograph)
    >>> segmentation.probability.shape, segmentation.pixel_size_A
    ((128, 128), 0.4)
    >>> segmentation.network_shape, segmentation.network_pixel_size_A
    ((64, 64), 0.8)
    """
    old, new = micrograph.pixel_size_A, network.training_domain.pixel_size_A
    why = refusal((micrograph.image.shape[0], micrograph.image.shape[1]), old, network)
    if why is not None:
        raise ArtifactError(f"{micrograph.path}: {micrograph.name} {why}")
    repaired = repair_image(micrograph.image, zero=micrograph.zero) if repair else None
    image = micrograph.image if repaired is None else repaired.image
    probability, tiles, network_shape = own_pixel_probability(network, image, old, device=device)
    if repaired is not None:
        probability[repaired.dead] = 0
    options = ParticleOptions(min_diameter_A, fill_holes, split_touching)
    pixel = old if same_pixel(old, new) else new
    return Segmentation(image, probability, old, tiles, repaired, pixel, network_shape, micrograph.zero, options)


def own_pixel_probability(
    network: TrainedNetwork, image: NDArray[np.float32], pixel_size_A: float, *, device: Device = "auto"
) -> tuple[NDArray[np.float32], Tiling | None, tuple[int, int]]:
    """Segment an image of any pixel that the network takes, see :func:`refusal`.

    Parameters
    ----------
    network : TrainedNetwork
    image : float32 array, (y, x)
    pixel_size_A : float, [Å]
    device : {"auto", "cpu", "gpu"}

    Returns
    -------
    probability : float32 array, (y, x), [1]
        Of the particle class, on the pixels of the image.
    tiles : Tiling or None
        How the image was cut, if it is large.
    shape : tuple of int, (y, x), [px]
        Of the image that the network saw.
    """
    trained = network.training_domain.pixel_size_A
    if same_pixel(pixel_size_A, trained):
        probability, tiles = image_probability(network, image, device=device)
        return probability, tiles, (image.shape[0], image.shape[1])
    coarse, tiles = image_probability(network, resample(image, pixel_size_A, trained), device=device)
    return interpolate(coarse, trained, pixel_size_A, image.shape), tiles, (coarse.shape[0], coarse.shape[1])


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


def refusal(shape: tuple[int, int], pixel_size_A: float, network: TrainedNetwork) -> str | None:
    """Tell why a network does not take an image, in words that go on after its name.

    Parameters
    ----------
    shape : tuple of int, (y, x), [px]
    pixel_size_A : float, [Å]
    network : TrainedNetwork

    Returns
    -------
    str or None
        None where it takes it.
    """
    old, new = pixel_size_A, network.training_domain.pixel_size_A
    sides = [side if same_pixel(old, new) else resampled_side(side, old, new) for side in shape]
    has = f"has {' × '.join(map(str, shape))} px of {old:.4g} Å"
    resampled = f"{' × '.join(map(str, sides))} px of the network's {new:g} Å"
    least = smallest_side(network)
    if min(*sides, *shape) < least:
        return f"{has}, {resampled}; the network needs {least} px or more each way. Is the pixel right? {STATE_IT}"
    return size_problem(shape, old, new)


def size_problem(shape: tuple[int, ...], pixel_size_A: float, network_pixel_size_A: float) -> str | None:
    """Tell why an image would be too large on the pixel of networks, in words that go on after its name.

    Parameters
    ----------
    shape : tuple of int, (y, x), [px]
    pixel_size_A, network_pixel_size_A : float, [Å]

    Returns
    -------
    str or None
        None where it would not.
    """
    old, new = pixel_size_A, network_pixel_size_A
    sides = [side if same_pixel(old, new) else resampled_side(side, old, new) for side in shape]
    has = f"has {' × '.join(map(str, shape))} px of {old:.4g} Å"
    resampled = f"{' × '.join(map(str, sides))} px of the network's {new:g} Å"
    growth = math.prod(sides) / math.prod(shape)
    if min(sides) < 1:
        return f"{has}, less than a pixel of the network's {new:g} Å. Is the pixel right? {STATE_IT}"
    if growth > MOST_GROWTH:
        return (
            f"{has}, which would be {resampled}, {growth:.3g} times as many. At most {MOST_GROWTH} times as many are made, "
            f"as they show no more than the image. Is the pixel right? {STATE_IT}"
        )
    if math.prod(sides) > LARGEST_PX:
        return (
            f"{has}, which would be {resampled}, more than memory is likely to hold. Is the pixel right? {STATE_IT} Or cut "
            "the image."
        )
    return None
