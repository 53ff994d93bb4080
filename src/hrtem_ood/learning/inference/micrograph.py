"""Micrographs as people have them: TIFF, MRC, DM3 and DM4, read by RosettaSciIO, with their pixel size."""

import gc
import importlib
import re
import unicodedata
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrtem_ood.errors import ArgumentError, ArtifactError

READERS = {".tif": "tiff", ".tiff": "tiff", ".mrc": "mrc", ".dm3": "digitalmicrograph", ".dm4": "digitalmicrograph"}
"""RosettaSciIO's reader by suffix."""

UNITS_A = {"pm": 0.01, "å": 1, "a": 1, "angstrom": 1, "ångström": 1, "nm": 10, "μm": 1e4, "um": 1e4, "micron": 1e4} | {
    "mm": 1e7, "m": 1e10,
}  # fmt: skip
"""Units of length [Å], in lower case and in Unicode's form NFKC."""

SQUARE = 0.01
"""Pixels whose sides differ by more than this share are refused."""

STATE_IT = "State the pixel with --pixel-size-A (in Python, pixel_size_A)."


@dataclass(frozen=True)
class Micrograph:
    """One image of a file.

    Attributes
    ----------
    name : str
        Stem of the file, with the number of the image where the file holds several.
    path : Path
        The file.
    image : float32 array, (y, x)
        Values above the least one: networks do not see an offset, and single precision keeps small differences.
    pixel_size_A : float, [Å]

    Examples
    --------
    >>> import hrtem_ood, numpy as np
    >>> image = np.random.default_rng(0).poisson(50, (64, 96))
    >>> micrograph = hrtem_ood.Micrograph.from_array(image, pixel_size_A=0.4, name="simulated")
    >>> micrograph.image.shape, micrograph.image.dtype.name
    ((64, 96), 'float32')
    """

    name: str
    path: Path
    image: NDArray[np.float32]
    pixel_size_A: float

    @classmethod
    def from_array(cls, image: ArrayLike, *, pixel_size_A: float, name: str = "array") -> Self:
        """Make a micrograph of an array.

        Parameters
        ----------
        image : real array, (y, x)
            Electron counts, or any other linear grey scale.
        pixel_size_A : float, [Å]
        name : str
            For messages.

        Returns
        -------
        Micrograph

        Raises
        ------
        ArgumentError
            Where the array has another shape or type, or the pixel size is not above 0.
        ArtifactError
            Where pixels are NaN or infinite, or all have one value.
        """
        values = np.asarray(image)
        if values.ndim != 2 or values.size == 0 or values.dtype.kind not in "buif":
            raise ArgumentError(f"image: must be real numbers (y, x), not {values.dtype} {values.shape}.")
        if not 0 < pixel_size_A < np.inf:
            raise ArgumentError(f"pixel_size_A: must be a number above 0, not {pixel_size_A!r}.")
        return cls(name, Path(name), _values(Path(name), name, values), float(pixel_size_A))


def read_micrographs(path: Path, *, pixel_size_A: float | None = None) -> Iterator[Micrograph]:
    """Read the images of a file.

    Parameters
    ----------
    path : Path
        The suffix tells the format, see :data:`READERS`. A stack is several images along its first axis.
    pixel_size_A : float, optional, [Å]
        Pixel; by default what the file says.

    Yields
    ------
    Micrograph

    Raises
    ------
    ArtifactError
        Where the file cannot be read, is no grey-level image, holds NaN, or does not tell its pixel.
    """
    planes = []
    for signal in _signals(path):
        stack = _stack(path, signal)
        pixel = pixel_size_A if pixel_size_A is not None else _calibration(path, signal)
        planes += [(plane, pixel) for plane in stack]
    digits = len(str(len(planes) - 1))
    for number, (plane, pixel) in enumerate(planes):
        name = path.stem if len(planes) == 1 else f"{path.stem}_{number:0{digits}d}"
        yield Micrograph(name, path, _values(path, name, plane), pixel)


def _signals(path: Path) -> list[dict[str, Any]]:
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise ArtifactError(
            f"{path}: micrographs are read from {', '.join(READERS)}, not from {path.suffix or 'a file without suffix'}."
        )
    if not path.is_file():
        raise ArtifactError(f"{path} is missing, or no file. Give the path of a micrograph.")
    signals, told = _read(reader, path)
    if told:
        raise ArtifactError(
            f"{path} cannot be read as {path.suffix[1:].upper()} ({told}). Is it damaged, cut off, or of another format?"
        )
    if not signals:
        raise ArtifactError(f"{path} holds no image.")
    return signals


def _read(reader: str, path: Path) -> tuple[list[dict[str, Any]], str]:
    """Return what a reader gives, or what it stumbles on."""
    with warnings.catch_warnings():
        # readers leave files to the garbage collector
        warnings.simplefilter("ignore", ResourceWarning)
        try:
            return importlib.import_module(f"rsciio.{reader}").file_reader(str(path)), ""
        except Exception as error:  # whatever it is
            told = f"{type(error).__name__}: {error}"
        gc.collect()  # the error is let go of here, with the file that its frames hold
        return [], told


def _stack(path: Path, signal: Mapping[str, Any]) -> NDArray[Any]:
    """Return a signal's data as grey-level images (image, y, x)."""
    data = np.asarray(signal["data"])
    if data.dtype.names or any(axis.get("name") == "sample" for axis in signal["axes"]):
        raise ArtifactError(f"{path} is a colour image. Save the micrograph as grey levels, without scale bar or text.")
    if data.dtype.kind == "c":
        raise ArtifactError(f"{path} holds complex numbers, as Fourier transforms do. Give the image itself.")
    if data.ndim not in (2, 3):
        raise ArtifactError(f"{path} holds an array {data.shape}; an image (y, x) or a stack (image, y, x) is needed.")
    return data.reshape(-1, *data.shape[-2:])


def _values(path: Path, name: str, plane: NDArray[Any]) -> NDArray[np.float32]:
    values = plane.astype(np.float64)
    bad = values.size - int(np.isfinite(values).sum())
    if bad:
        raise ArtifactError(f"{path}: {bad} pixels of {name} are NaN or infinite. Crop or mend the image.")
    if values.min(initial=np.inf) >= values.max(initial=-np.inf):
        raise ArtifactError(f"{path}: all pixels of {name} have one value: there is nothing to see.")
    return np.asarray(values - values.min(), np.float32)


def _calibration(path: Path, signal: Mapping[str, Any]) -> float:
    """Return the pixel that a file tells [Å]."""
    told = [(float(axis["scale"]), axis.get("units")) for axis in signal["axes"][-2:]]
    header = signal["original_metadata"]
    if _unset_mrc(header):
        told = [(0.0, None)] * 2
    elif not any(unit for _, unit in told) and str(header.get("ImageDescription", "")).startswith("ImageJ="):
        told = _imagej(header)
    sizes = [scale * _length_A(path, unit) for scale, unit in told]
    if not all(np.isfinite(size) and size > 0 for size in sizes):
        raise ArtifactError(f"{path} tells no pixel size. {STATE_IT}")
    high, wide = sizes
    if abs(high / wide - 1) > SQUARE:
        raise ArtifactError(
            f"{path}: pixels are {high:.4g} Å high and {wide:.4g} Å wide. Resample the image to square pixels, or state "
            "the pixel with --pixel-size-A if the file is wrong."
        )
    return (high + wide) / 2


def _unset_mrc(header: Mapping[str, Any]) -> bool:
    """Whether an MRC header has no grid, for which the reader gives 1 nm."""
    standard = header.get("std_header", {})
    return "fei_header" not in header and any(int(np.max(standard.get(key, 1))) == 0 for key in ("MX", "MY"))


def _imagej(header: Mapping[str, Any]) -> list[tuple[float, str | None]]:
    """Return rows' and columns' pixel and unit of an ImageJ TIFF; the reader knows micrometres only."""
    unit = re.search(r"^unit=(.*)$", header["ImageDescription"], re.MULTILINE)
    per_unit = [header.get(tag, (0, 1)) for tag in ("YResolution", "XResolution")]
    return [(below / above if above else 0.0, unit and unit[1]) for above, below in per_unit]


def _length_A(path: Path, unit: object) -> float:
    # ImageJ writes other letters than ASCII as \u00C5
    text = re.sub(r"\\u([0-9A-Fa-f]{4})", lambda match: chr(int(match[1], 16)), str(unit or "")).strip()
    text = unicodedata.normalize("NFKC", text)
    if text.lower() in ("", "px", "pixel", "pixels"):
        raise ArtifactError(f"{path} tells no pixel size. {STATE_IT}")
    if re.search(r"1 ?/|\^? ?\(?[-−]1", text):
        raise ArtifactError(
            f"{path} has pixels in {text}: is it a diffraction pattern or a Fourier transform? {STATE_IT}"
        )
    if text.lower() not in UNITS_A:
        raise ArtifactError(f"{path} has pixels in {text!r}; known units are pm, Å, nm, µm, mm and m. {STATE_IT}")
    return float(UNITS_A[text.lower()])
