"""Micrographs as people have them: TIFF, MRC, DM3, DM4, SER, EMD, HSpy and ZSpy, with their pixel size."""

import errno
import os
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrtem_ood.errors import ArgumentError, ArtifactError
from hrtem_ood.learning.inference.micrograph_signals import read_or_reason
from hrtem_ood.learning.inference.signals import Signal, Unusable
from hrtem_ood.quoting import quoted
from hrtem_ood.user_files import FOLDER_SUFFIX, check_regular

SUFFIXES = (".tif", ".tiff", ".mrc", ".dm3", ".dm4", ".ser", ".emd", ".hspy", ".zspy")
"""Of formats that are read. ZSpy is a folder, the others are files."""

UNITS_A = {"pm": 0.01, "å": 1, "a": 1, "angstrom": 1, "ångström": 1, "nm": 10, "μm": 1e4, "um": 1e4, "micron": 1e4} | {
    "mm": 1e7, "m": 1e10,
}  # fmt: skip
"""Units of length [Å], in lower case and in Unicode's form NFKC."""

SQUARE = 0.01
"""Pixels whose sides differ by more than this share are refused."""

MOST_REASONS = 10
"""Why arrays of a file are no micrographs is told of so many."""

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
    zero : float
        Value of ``image`` without electrons: that of 0 in the file. Where values lie further below 0 than their median lies
        above it, the file has an offset of its own, and the least value is taken.
    left_out : tuple of str
        What else the file holds that is no micrograph, and why; with its first one only.
    notes : tuple of str
        What the file does not say and was inferred from its values; with its first one only.
    number, count : int
        Place of the image among those of its file, from 0, and their number.

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
    zero: float
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    number: int = 0
    count: int = 1

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
        problem = _problem(name, values)
        if problem:
            raise ArtifactError(problem)
        values_above, zero = _values(values)
        return cls(name, Path(name), values_above, float(pixel_size_A), zero)


def read_micrographs(
    path: Path,
    *,
    pixel_size_A: float | None = None,
    stem: str = "",
    refusal: Callable[[tuple[int, int], float], str | None] | None = None,
) -> Iterator[Micrograph]:
    """Read the images of a file.

    What is no micrograph, as a colour page or a line profile, is left out where the file holds one.

    Parameters
    ----------
    path : Path
        The suffix tells the format, see :data:`SUFFIXES`. A stack is several images along its first axis.
    pixel_size_A : float, optional, [Å]
        Pixel; by default what the file says.
    stem : str, optional
        Name of the image, or what names of a stack's images begin with; by default that of the file without its suffix.
    refusal : callable, optional
        Tells why an image of a shape (y, x) and a pixel [Å] is of no use, in words that go on after its name.

    Yields
    ------
    Micrograph

    Raises
    ------
    ArtifactError
        Where the file cannot be read, or none of its images is of grey levels without NaN and has a pixel.
    """
    usable: list[tuple[NDArray[Any], float]] = []
    left_out: list[str] = []
    signals = _signals(path)
    notes = tuple(f"{path.name}: {signal.note}" for signal in signals if signal.note)
    for signal in signals:
        subject = str(path) if len(signals) == 1 else signal.label
        try:
            pixel = _pixel_A(signal, pixel_size_A)
            usable += [(plane, pixel) for plane in signal.data.reshape(-1, *signal.data.shape[-2:])]
        except Unusable as error:
            left_out.append(f"{subject} {error}")
    digits = len(str(len(usable) - 1))
    stem = stem or path.stem
    names = [stem if len(usable) == 1 else f"{stem}_{number:0{digits}d}" for number in range(len(usable))]
    problems = [
        _problem(name, plane) or _refused(name, plane, pixel, refusal)
        for name, (plane, pixel) in zip(names, usable, strict=True)
    ]
    left_out += [problem for problem in problems if problem]
    good = [place for place, problem in enumerate(problems) if not problem]
    if not good:
        raise ArtifactError(_nothing(path, left_out))
    for place in good:
        plane, pixel = usable[place]
        image, zero = _values(plane)
        others, said = (tuple(left_out), tuple(notes)) if place == good[0] else ((), ())
        yield Micrograph(names[place], path, image, pixel, zero, others, said, number=place, count=len(usable))


def _signals(path: Path) -> list[Signal]:
    if path.suffix.lower() not in SUFFIXES:
        raise ArtifactError(
            f"{path}: micrographs are read from {', '.join(SUFFIXES)}, not from {path.suffix or 'a file without suffix'}."
        )
    try:
        check_micrograph(path)
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read ({error.strerror}). Give the path of a micrograph.") from None
    signals, why = read_or_reason(path)
    if why:
        raise ArtifactError(
            f"{path} cannot be read as {path.suffix[1:].upper()} ({why}). Is it damaged, cut off, or of another format?"
        )
    if not signals:
        raise ArtifactError(f"{path} holds no image.")
    return signals


def is_micrograph_folder(path: Path) -> bool:
    """Whether a path is a folder that counts as one file of micrographs."""
    return path.suffix.lower() == FOLDER_SUFFIX and path.is_dir()


def check_micrograph(path: Path) -> None:
    """Check that a path leads to a regular file, or to a folder of ZSpy.

    Raises
    ------
    OSError
        ``strerror`` states the reason.
    """
    if path.suffix.lower() != FOLDER_SUFFIX:
        check_regular(path, "micrograph")
    elif not path.is_dir():
        reason = "is a ZIP archive or another file, not a folder of ZSpy; unpack it" if path.exists() else None
        raise OSError(errno.ENOTDIR if reason else errno.ENOENT, reason or os.strerror(errno.ENOENT), str(path))


def _nothing(path: Path, left_out: list[str]) -> str:
    """Tell why a file holds no micrograph."""
    if len(left_out) == 1:
        return left_out[0] if str(path) in left_out[0] else f"{path}: {left_out[0]}"
    shown = " ".join(left_out[:MOST_REASONS]) + (
        f" And {len(left_out) - MOST_REASONS} more." if left_out[MOST_REASONS:] else ""
    )
    return f"{path} holds no micrograph. {shown}"


def _problem(name: str, plane: NDArray[Any]) -> str | None:
    """Tell what makes an image unusable, if anything."""
    bad = plane.size - int(np.isfinite(plane).sum())
    if bad:
        return f"{bad} pixels of {name} are NaN or infinite. Crop or mend the image."
    if plane.size == 0 or plane.min() >= plane.max():
        return f"all pixels of {name} have one value: there is nothing to see."
    return None


def _values(plane: NDArray[Any]) -> tuple[NDArray[np.float32], float]:
    """Return values above the least one, and the value of no electrons among them."""
    values = plane.astype(np.float64)
    least = float(values.min())
    zero = -least if np.median(values) > max(0, -least) else 0.0
    return np.asarray(values - least, np.float32), zero


def _refused(
    name: str, plane: NDArray[Any], pixel_A: float, refusal: Callable[[tuple[int, int], float], str | None] | None
) -> str | None:
    why = refusal((plane.shape[0], plane.shape[1]), pixel_A) if refusal else None
    return why and f"{name} {why}"


def _pixel_A(signal: Signal, stated_A: float | None) -> float:
    """Return the pixel of a signal: as stated, or as its file tells it [Å]."""
    if signal.unusable:
        raise Unusable(signal.unusable)
    if stated_A is not None:
        return stated_A
    sizes = [scale * _length_A(unit) for scale, unit in signal.pixel]
    if not sizes or not all(np.isfinite(size) and size > 0 for size in sizes):
        raise Unusable(f"tells no pixel size. {STATE_IT}")
    high, wide = sizes
    if abs(high / wide - 1) > SQUARE:
        raise Unusable(
            f"has pixels that are {high:.4g} Å high and {wide:.4g} Å wide. Resample the image to square pixels, or state the "
            "pixel with --pixel-size-A if the file is wrong."
        )
    return (high + wide) / 2


def _length_A(unit: object) -> float:
    # ImageJ writes other letters than ASCII as \u00C5
    text = re.sub(r"\\u([0-9A-Fa-f]{4})", lambda match: chr(int(match[1], 16)), str(unit or "")).strip()
    text = unicodedata.normalize("NFKC", text)
    if text.lower() in ("", "px", "pixel", "pixels"):
        raise Unusable(f"tells no pixel size. {STATE_IT}")
    if re.search(r"1 ?/|\^? ?\(?[-−]1", text):
        raise Unusable(f"has pixels in {text}: is it a diffraction pattern or a Fourier transform? {STATE_IT}")
    if text.lower() not in UNITS_A:
        raise Unusable(f"has pixels in {quoted(text)}; known units are pm, Å, nm, µm, mm and m. {STATE_IT}")
    return float(UNITS_A[text.lower()])
