"""What is kept of a run when its images are gone from memory: for its record, its page and its summary."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

NEARLY_ALL = 0.95
"""Masks that cover as large a share of an image, or more, come with a note."""


@dataclass(frozen=True)
class FailedFile:
    """A file that could not be segmented.

    Attributes
    ----------
    path : Path
    reason : str
        As a user reads it.
    """

    path: Path
    reason: str

    @property
    def message(self) -> str:
        """The reason, with the file's name."""
        return self.reason if str(self.path) in self.reason else f"{self.path}: {self.reason}"


@dataclass(frozen=True)
class ImageRecord:
    """Numbers about a segmented image.

    Attributes
    ----------
    name : str
    path : Path
        The file.
    sha256 : str
        Of the file.
    shape, network_shape : tuple of int, [px]
        Of the image, and of what the network saw.
    pixel_size_A, network_pixel_size_A : float, [Å]
    covered : float, [1]
        Share of the image.
    confidence : float, [1]
        Mean over particles; NaN without any.
    entropy : float, [nat]
        Mean per pixel.
    diameters_A : float32 array, (particle,), [Å]
    at_edge : bool array, (particle,)
        Which touch the edge of the image.
    notes : tuple of str
        Reasons to check the result.
    outputs : mapping of str to Path
    thumbnail : bytes
        JPEG; empty where the run has too many.
    """

    name: str
    path: Path
    sha256: str
    shape: tuple[int, int]
    network_shape: tuple[int, int]
    pixel_size_A: float
    network_pixel_size_A: float
    covered: float
    confidence: float
    entropy: float
    diameters_A: NDArray[np.float32]
    at_edge: NDArray[np.bool_]
    notes: tuple[str, ...]
    outputs: Mapping[str, Path]
    thumbnail: bytes

    @property
    def median_diameter_A(self) -> float:
        """Median over all particles [Å]; NaN without any."""
        return float(np.median(self.diameters_A)) if len(self.diameters_A) else float("nan")


@dataclass
class RunRecord:
    """A run, filled as it goes.

    Attributes
    ----------
    network : mapping
        Id and training of the network, JSON-like.
    options : mapping
        Of the command, JSON-like.
    version : str
        Of this program.
    written : str
        Time at which it began, UTC.
    images : list of ImageRecord
    failed : list of FailedFile
    """

    network: Mapping[str, Any]
    options: Mapping[str, Any]
    version: str
    written: str
    images: list[ImageRecord] = field(default_factory=list)
    failed: list[FailedFile] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return what the file ``run.json`` says."""
        return {
            "program": "hrtem-ood",
            "version": self.version,
            "written": self.written,
            "network": dict(self.network),
            "options": dict(self.options),
            "images": [_image_json(image) for image in self.images],
            "failed": [{"input": str(one.path), "reason": one.reason} for one in self.failed],
        }


def _image_json(image: ImageRecord) -> dict[str, Any]:
    return {
        "name": image.name,
        "input": str(image.path),
        "sha256": image.sha256,
        "shape": list(image.shape),
        "pixel_size_A": image.pixel_size_A,
        "network_shape": list(image.network_shape),
        "network_pixel_size_A": image.network_pixel_size_A,
        "particles": len(image.diameters_A),
        "covered": image.covered,
        "median_diameter_A": image.median_diameter_A if len(image.diameters_A) else None,
        "mean_confidence": image.confidence if len(image.diameters_A) else None,
        "notes": list(image.notes),
        "outputs": {kind: path.name for kind, path in image.outputs.items()},
    }
