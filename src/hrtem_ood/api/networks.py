"""Trained networks, and the micrographs that they segment."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from hrtem_ood.api.arguments import FolderPath
from hrtem_ood.array_module import Device
from hrtem_ood.campaign.results import Results
from hrtem_ood.errors import ArgumentError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    from hrtem_ood.learning.inference.micrograph import Micrograph
    from hrtem_ood.learning.inference.segment_micrographs import TrainedNetwork


def load_network(
    network: str | os.PathLike[str],
    *,
    results: FolderPath = "results",
    architecture_file: str | os.PathLike[str] | None = None,
) -> "TrainedNetwork":
    """Load a trained network.

    Parameters
    ----------
    network : str or path
        Id of a network, see :func:`list_networks`; or the path of its file, which ends with ``.ckpt``.
    results : str or path
        The results folder that holds a network given by its id.
    architecture_file : str or path, optional
        Python file of an architecture that is not built in. The file that a network names is not run.

    Returns
    -------
    TrainedNetwork

    Raises
    ------
    ArtifactError
        Where the file is missing or damaged, or holds no weights.
    ConfigError
        Where ``architecture_file`` is needed and not given, or given and not needed.

    Examples
    --------
    >>> import hrtem_ood
    >>> networks = hrtem_ood.list_networks(hrtem_ood.load_campaign("config/config.yaml"))
    >>> network = hrtem_ood.load_network(networks.index[0])
    >>> network.training_domain.pixel_size_A, network.training_domain.side_px
    (0.8, 32)
    """
    from hrtem_ood.learning.inference import segment_micrographs

    path = Path(network)
    return segment_micrographs.load(
        path if path.suffix == ".ckpt" else Results(Path(results)).path("networks", str(network)),
        None if architecture_file is None else Path(architecture_file),
    )


def predict(network: "TrainedNetwork", images: "ArrayLike", *, device: Device = "auto") -> "NDArray[np.float32]":
    """Segment images that have the pixel size of the network's training images, such as those of a dataset.

    Parameters
    ----------
    network : TrainedNetwork
    images : real array, (y, x) or (image, y, x)
        Electron counts or any other linear grey scale; each image is standardised. For a network that learned from repaired
        images, each is repaired before, where 0 must mean no electrons.
    device : {"auto", "cpu", "gpu"}

    Returns
    -------
    float32 array, of the shape of ``images``, [1]
        Probability of the particle class.

    Raises
    ------
    ArgumentError
        Where images have another shape, are too small for the network, or hold NaN.
    DeviceError
        Where there is no such device.

    Examples
    --------
    >>> import hrtem_ood
    >>> campaign = hrtem_ood.load_campaign("config/config.yaml")
    >>> network = hrtem_ood.load_network(hrtem_ood.list_networks(campaign).index[0])
    >>> dataset = hrtem_ood.open_dataset(campaign, structure_set="test", defocus_A=100)
    >>> probability = hrtem_ood.predict(network, dataset.counts)
    >>> probability.shape, probability.dtype
    ((3, 32, 32), dtype('float32'))
    """
    import numpy as np
    import torch

    from hrtem_ood.learning.batches import repaired_counts
    from hrtem_ood.learning.inference.segment_micrographs import image_probability, smallest_side

    stack = np.asarray(images)
    least = smallest_side(network)
    if stack.dtype.kind not in "buif" or stack.ndim not in (2, 3) or stack.size == 0:
        raise ArgumentError(f"images: must be real numbers (y, x) or (image, y, x), not {stack.dtype} {stack.shape}.")
    if min(stack.shape[-2:]) < least:
        raise ArgumentError(
            f"images: have {stack.shape[-2]} × {stack.shape[-1]} px; the network needs {least} each way."
        )
    if not np.isfinite(stack).all():
        raise ArgumentError("images: hold NaN or infinite values.")
    planes = stack.reshape(-1, *stack.shape[-2:]).astype(np.float64)
    if network.repair:
        planes = repaired_counts(torch.from_numpy(planes)).numpy().astype(np.float64)
    planes -= planes.min(axis=(1, 2), keepdims=True)  # single precision resolves no differences of large numbers
    probabilities = [image_probability(network, plane.astype(np.float32), device=device)[0] for plane in planes]
    return np.stack(probabilities).reshape(stack.shape)


def read_micrographs(path: str | os.PathLike[str], *, pixel_size_A: float | None = None) -> "list[Micrograph]":
    """Read the images of a micrograph file: TIFF, MRC, DM3, DM4 or SER.

    Parameters
    ----------
    path : str or path
        The suffix determines the format.
    pixel_size_A : float, optional, [Å]
        By default the value in the file.

    Returns
    -------
    list of Micrograph
        One image, or all images of a stack.

    Raises
    ------
    ArtifactError
        Where the file cannot be read, is no grey-level image, holds NaN, or has no pixel size.

    Examples
    --------
    >>> import hrtem_ood, numpy as np, tifffile
    >>> image = np.random.default_rng(0).poisson(50, (64, 64)).astype(np.uint16)
    >>> tifffile.imwrite("micrograph.tif", image)
    >>> (micrograph,) = hrtem_ood.read_micrographs("micrograph.tif", pixel_size_A=0.4)
    >>> micrograph.name, micrograph.image.shape, micrograph.pixel_size_A
    ('micrograph', (64, 64), 0.4)
    """
    from hrtem_ood.learning.inference import micrograph

    return list(micrograph.read_micrographs(Path(path), pixel_size_A=pixel_size_A))
