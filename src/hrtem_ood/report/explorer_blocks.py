"""Arrays of numbers and small pictures as text in an HTML page."""

import base64
import io
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hrtem_ood.report.figures.network_views import ERROR_COLOURS

UNKNOWN = 65535
"""Code of a value that is not known."""

MOST_PX = 192
"""Of larger images, the middle is shown, of this side."""


LEVELS = UNKNOWN - 1
"""Steps between the smallest and the largest value, unless fewer will do and take less room."""


def encode(values: NDArray[np.floating], levels: int = LEVELS) -> tuple[str, float, float]:
    """Write numbers as base64 of zlib of 16-bit codes, the high bytes of all first.

    Parameters
    ----------
    values : float array
        NaN and infinite values become unknown.
    levels : int

    Returns
    -------
    text : str
    low, step : float
        A code ``c`` is ``low + step · c``.
    """
    flat = np.asarray(values, np.float64).ravel()
    some = np.isfinite(flat)
    low, high = (float(flat[some].min()), float(flat[some].max())) if some.any() else (0.0, 0.0)
    step = (high - low) / levels or 1.0
    codes = np.full(flat.size, UNKNOWN, np.uint16)
    codes[some] = np.round((flat[some] - low) / step)
    planes = np.concatenate([codes >> 8, codes & 255]).astype(np.uint8)
    return base64.b64encode(zlib.compress(planes.tobytes(), 6)).decode(), low, step


def encode_codes(codes: NDArray[np.integer]) -> str:
    """Write whole numbers below 65,535 likewise."""
    flat = np.asarray(codes, np.uint16).ravel()
    planes = np.concatenate([flat >> 8, flat & 255]).astype(np.uint8)
    return base64.b64encode(zlib.compress(planes.tobytes(), 6)).decode()


def middle(values: NDArray[Any]) -> NDArray[Any]:
    """Cut out the middle of an image that is larger than :data:`MOST_PX`, and turn it such that y points upwards."""
    cut = tuple(slice(max(0, (size - MOST_PX) // 2), max(0, (size - MOST_PX) // 2) + MOST_PX) for size in values.shape)
    return values[cut][::-1]


def grey_png(values: NDArray[np.floating], low: float, high: float) -> str:
    """Write an image in grey levels as a data URI."""
    scaled = np.clip((middle(values) - low) / max(high - low, 1e-9), 0, 1)
    return _uri(Image.fromarray(np.round(255 * scaled).astype(np.uint8)))


def counts_png(counts: NDArray[np.floating]) -> str:
    """Write an image from the 1st to the 99th percentile of its counts as a data URI."""
    low, high = np.percentile(counts, (1, 99))
    return grey_png(counts, float(low), float(max(high, low + 1)))


def error_png(codes: NDArray[np.uint8]) -> str:
    """Write the codes of :func:`hrtem_ood.report.network_views.errors` in their colours as a data URI."""
    picture = Image.fromarray(np.ascontiguousarray(middle(codes)), mode=None).convert("P")
    picture.putpalette([int(colour[start : start + 2], 16) for colour in ERROR_COLOURS for start in (1, 3, 5)])
    return _uri(picture)


def _uri(picture: Image.Image) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
