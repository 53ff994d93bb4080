"""Labels as people have them: masks and numbered particles in TIFF, MRC and PNG."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hrtem_ood.errors import ArtifactError
from hrtem_ood.learning.inference.micrograph_signals import read_or_reason, read_signals
from hrtem_ood.learning.inference.signals import LARGEST_VALUES, Signal
from hrtem_ood.user_files import check_regular, read_bytes

LABEL_SUFFIXES = (".tif", ".tiff", ".mrc", ".png")
"""Of formats that labels are read from."""

VALID = "Valid are false and true, 0 and 1, 0 and 255, or 0 for background and a whole number for each particle."

MOST_REGIONS = 2
"""Connected regions per value, on average, of numbered particles. Grey levels lie scattered in far more."""

LEAST_PX = 4
"""Pixels of the median of numbered particles. The grey levels of a softened edge have one or two each."""

_PNG = b"\x89PNG\r\n\x1a\n"

_PNG_KINDS: Mapping[int, str] = {
    2: "is a colour image. Save the label as grey levels.",
    4: "has transparency. Save the label as grey levels without it.",
    6: "is a colour image. Save the label as grey levels.",
}
"""Why images of a colour type of PNG are no labels; 0 are grey levels, and 3 has a palette."""


class ParticleLabel(NamedTuple):
    """What a label says.

    Attributes
    ----------
    mask : bool array, (y, x)
        True on particles.
    particle_count : int or None
        Number of values besides 0 where the label numbers its particles; None where it is a mask.
    """

    mask: NDArray[np.bool_]
    particle_count: int | None = None


def read_label_planes(path: Path) -> list[NDArray[Any]]:
    """Read the images of a label file, whatever their values.

    Parameters
    ----------
    path : Path
        The suffix tells the format, see :data:`LABEL_SUFFIXES`. A stack is several images along its first axis.

    Returns
    -------
    list of array, (y, x)
        Without what is no image of grey levels, where there are others.

    Raises
    ------
    ArtifactError
        Where the file cannot be read, or holds no image of grey levels.
    """
    suffix = path.suffix.lower()
    if suffix not in LABEL_SUFFIXES:
        raise ArtifactError(
            f"{path}: labels are read from {', '.join(LABEL_SUFFIXES)}, not from {path.suffix or 'a file without suffix'}."
        )
    try:
        check_regular(path, "label")
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read ({error.strerror}). Give the path of a label.") from None
    signals, why = read_or_reason(path, _png_signals if suffix == ".png" else partial(read_signals, with_pixel=False))
    if why:
        raise ArtifactError(
            f"{path} cannot be read as {suffix[1:].upper()} ({why}). Is it damaged, cut off, or of another format?"
        )
    usable = [signal for signal in signals if signal.unusable is None]
    if not usable:
        reason = signals[0].unusable if signals else "holds no image."
        raise ArtifactError(f"{path} {str(reason).replace('the micrograph', 'the label')}")
    return [plane for signal in usable for plane in signal.data.reshape(-1, *signal.data.shape[-2:])]


def particle_label(values: NDArray[Any], name: str) -> ParticleLabel:
    """Tell which pixels of a label are particle.

    Parameters
    ----------
    values : real array, (y, x)
    name : str
        For messages.

    Returns
    -------
    ParticleLabel

    Raises
    ------
    ArtifactError
        Where the values are neither a mask nor numbers of particles.
    """
    if values.dtype.kind == "b":
        return ParticleLabel(np.asarray(values, np.bool_))
    bad = values.size - int(np.isfinite(values).sum())
    if bad:
        which = "all pixels" if bad == values.size else f"{bad} pixels"
        raise ArtifactError(f"{which} of {name} are NaN or infinite, which tells nothing of particles. {VALID}")
    levels = np.unique(values)
    has = f"{name} has {_listed(levels)}"
    if levels[0] < 0:
        raise ArtifactError(f"{has}: values below 0, as where a file stores white as 0. {VALID}")
    if values.dtype.kind == "f" and (levels != np.floor(levels)).any():
        raise ArtifactError(f"{has}: fractions, as of a probability. Threshold it. {VALID}")
    if levels[0] > 0 and not (len(levels) == 1 and levels[0] in (1, 255)):
        raise ArtifactError(f"{has}: no pixel is 0, which is background. {VALID}")
    mask = values > 0
    if len(levels) <= 2:  # two levels are a mask, whatever they are
        return ParticleLabel(mask)
    regions, pixels = _regions(values)
    if regions > MOST_REGIONS * len(pixels) or np.median(pixels) < LEAST_PX:
        raise ArtifactError(
            f"{has} in {regions} connected regions: grey levels, rather than a mask or numbered particles. {VALID}"
        )
    return ParticleLabel(mask, len(pixels))


def _listed(levels: NDArray[Any]) -> str:
    if len(levels) <= 3:
        return f"the {'value' if len(levels) == 1 else 'values'} {', '.join(f'{level + 0:g}' for level in levels)}"
    return f"{len(levels)} values from {levels[0]:g} to {levels[-1]:g}"


def _regions(values: NDArray[Any]) -> tuple[int, NDArray[np.int64]]:
    """Count connected regions of equal values above 0, and the pixels of each such value.

    Between neighbours, which share a side, a pixel is put in that is set where they are equal: then touching particles of
    different numbers are not connected, and one labelling serves all numbers.
    """
    height, width = values.shape
    linked = np.zeros((2 * height - 1, 2 * width - 1), np.bool_)
    linked[::2, ::2] = values > 0
    linked[1::2, ::2] = (values[1:] == values[:-1]) & (values[1:] > 0)
    linked[::2, 1::2] = (values[:, 1:] == values[:, :-1]) & (values[:, 1:] > 0)
    _, regions = ndimage.label(linked)
    _, pixels = np.unique(values[values > 0], return_counts=True)
    return int(regions), pixels


def _png_signals(path: Path) -> list[Signal]:
    """Read the image of a PNG; its header tells size and colours before anything is decoded."""
    content = read_bytes(path, "label")
    if content[:8] != _PNG or content[12:16] != b"IHDR" or len(content) < 33:
        raise ValueError("it does not begin as a PNG")
    width, height = (int.from_bytes(content[start : start + 4]) for start in (16, 20))
    bits, kind = content[24], content[25]
    why = _PNG_KINDS.get(kind)
    if width * height > min(LARGEST_VALUES, 8 * 1032 * len(content)):  # deflate packs 1032 bytes into one at best
        why = f"claims to hold {width} × {height} px, which are not read."
    if why is not None:
        return [Signal("image", np.empty((0, 0)), unusable=why)]
    import imagecodecs  # only labels that are a PNG need it, and every evaluation imports this module

    values = np.asarray(imagecodecs.png_decode(content))
    if values.ndim == 3:  # of a palette
        if (values != values[..., :1])[..., :3].any():
            why = "is a colour image, by its palette. Save the label as grey levels."
            return [Signal("image", np.empty((0, 0)), unusable=why)]
        return [Signal("image", values[..., 0])]
    return [Signal("image", _stored(values, bits))]


def _stored(values: NDArray[Any], bits: int) -> NDArray[Any]:
    """Return the stored numbers of a decoded PNG, which decoders spread over 8 bits where there are fewer."""
    return values // (255 // (2**bits - 1)) if bits < 8 else values
