"""What files of images hold: an array with the words of its file about pixels, and why it is no micrograph."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

LARGEST_VALUES = 2**32
"""Arrays of more values are refused: a file of some bytes may claim any size."""

MOST_PER_BYTE = 5000
"""Values of a byte of a TIFF: five times what the best of usual compressions makes of zeros."""

SPECTRAL_UNITS = ("ev", "kev", "mev", "hz", "cm^-1", "cm-1")
SPECTRAL_NAMES = ("energy", "energy loss", "wavelength", "ex-wavelength|lambda", "lifetime")
"""Units and names of axes along which spectra are, in lower case."""


class Unusable(Exception):  # noqa: N818 - nothing went wrong; it is no micrograph
    """Why an array is no micrograph: words that go on after its name."""


@dataclass(frozen=True)
class Signal:
    """One array of a file.

    Attributes
    ----------
    label : str
        As `page 2`, for messages.
    data : array
        Grey levels, (y, x) or (image, y, x); of no pixels where it is unusable.
    pixel : tuple of (float, str or None)
        Of rows and of columns: scale and its unit; none where the file does not say.
    unusable : str or None
        Why it is no micrograph.
    note : str or None
        What the file does not say and was inferred from the values, in words that go on after its name and a colon.
    """

    label: str
    data: NDArray[Any]
    pixel: tuple[tuple[float, str | None], ...] = ()
    unusable: str | None = None
    note: str | None = None


def checked(
    label: str,
    data: NDArray[Any],
    pixel: tuple[tuple[float, str | None], ...],
    axes: list[Mapping[str, Any]] | None = None,
) -> Signal:
    """Make a signal of an array, unusable where it is no image or stack of images."""
    why = None
    if data.dtype.names or any(axis.get("name") == "sample" for axis in axes or ()):
        why = "is a colour image. Save the micrograph as grey levels, without scale bar or text."
    elif data.dtype.kind == "c":
        why = "holds complex numbers, as Fourier transforms do. Give the image itself."
    elif data.dtype.kind not in "buif":
        why = f"holds values of type {data.dtype}. Give an image of numbers."
    elif not data.size:
        why = f"holds no pixels, an array {data.shape}. Give an image."
    elif data.ndim < 2:
        why = f"is a line of {data.size} values, as a profile or a spectrum. Give an image."
    elif data.ndim > 3:
        why = f"holds an array {data.shape}; an image (y, x) or a stack (image, y, x) is needed."
    return Signal(label, data if why is None else np.empty((0, 0)), pixel, why)


def spectral(axes: list[Mapping[str, Any]]) -> str | None:
    """Tell what makes an array spectra, by its axes, if anything."""
    for axis in axes:
        unit, name = str(axis.get("units") or "").strip(), str(axis.get("name") or "")
        if unit.lower() in SPECTRAL_UNITS or name.lower() in SPECTRAL_NAMES:
            return (
                f"holds spectra, {axis['size']} channels{f' in {unit}' if unit else ''}, no micrographs. Give an image."
            )
    return None


def pixel_of(axes: list[Mapping[str, Any]]) -> tuple[tuple[float, str | None], ...]:
    """Return scale and unit of rows and of columns; none where an axis has no scale, as one that is not uniform."""
    last = axes[-2:]
    if not all(isinstance(axis.get("scale"), int | float | np.number) for axis in last):
        return ()
    return tuple((float(axis["scale"]), axis.get("units")) for axis in last)
