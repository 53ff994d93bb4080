"""MRC files, by the specification MRC2014 and what was usual before it.

Cheng et al., J. Struct. Biol. 192 (2015) 146, https://www.ccpem.ac.uk/mrc-format/mrc2014/; IMOD's additions,
https://bio3d.colorado.edu/imod/doc/mrc_format.txt.
"""

import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

HEADER = 1024

TYPES: Mapping[int, str] = {0: "i1", 1: "i2", 2: "f4", 3: "V4", 4: "c8", 6: "u2", 12: "f2", 16: "V3", 101: "u1"}
"""NumPy's types by mode. 3 are complex integers, 16 colours, 101 two values of four bits a byte."""

IMOD_STAMP, IMOD_SIGNED = 1146047817, 1
"""What IMOD writes into word 39, and the bit of word 40 that says that bytes are signed."""

FEI_BYTES, FEI_PIXEL = 131_072, 44
"""Size of FEI's extended header of before 2014, 1024 records of 128 bytes, and where the pixel is in one, float32 [m]."""

FEI2014_PIXEL = 156
"""Where the pixel is in an extended header of type FEI1 or FEI2, two float64 [m]."""

CLEARLY = 0.9
"""A reading of bytes is the smoother one if neighbours differ by less than this share of what they do in the other."""

FEI_LIMITS_M = (1e-13, 1e-6)
"""Pixels beyond are none of a microscope's, so that an extended header with one is not FEI's [m]."""


class _Header:
    """Fields of an MRC header by the byte where they begin."""

    def __init__(self, content: bytes, order: str) -> None:
        self.content, self.order = content, order

    def integers(self, first: int, count: int) -> tuple[int, ...]:
        return struct.unpack_from(f"{self.order}{count}i", self.content, first)

    def floats(self, first: int, count: int) -> tuple[float, ...]:
        return struct.unpack_from(f"{self.order}{count}f", self.content, first)

    @property
    def extended(self) -> int:
        """Size of the extended header [bytes]."""
        return self.integers(92, 1)[0]

    @property
    def plausible(self) -> bool:
        """Whether sizes and mode are ones, read in this order of bytes."""
        *sides, mode = self.integers(0, 4)
        return min(sides) > 0 and mode in TYPES and self.extended >= 0

    @property
    def dtype(self) -> "np.dtype[Any]":
        return np.dtype(self.order + TYPES[self.integers(12, 1)[0]])

    @property
    def stored(self) -> int:
        """Number of stored values per row."""
        columns, _, _, mode = self.integers(0, 4)
        return columns if mode != 101 else (columns + 1) // 2

    @property
    def file_bytes(self) -> int:
        """Size of a complete file."""
        _, rows, images = self.integers(0, 3)
        return HEADER + self.extended + images * rows * self.stored * self.dtype.itemsize


def read_mrc(path: Path, most_values: int) -> tuple[NDArray[Any], tuple[tuple[float, str | None], ...], str | None]:
    """Read an MRC file: what its header claims and no more, however large the file.

    Parameters
    ----------
    path : Path
    most_values : int
        Files of more are refused.

    Returns
    -------
    array, (y, x) or (image, y, x)
        In the order of the file; of structured values for colours, and of complex ones.
    pixel : tuple of (float, str or None)
        Of rows and of columns; none where the header has no cell.
    note : str or None
        What had to be inferred from the values.

    Raises
    ------
    ValueError
        Where it is no MRC file, too large, or cut off.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        header = _header(file.read(HEADER), size)
        columns, rows, images, mode = header.integers(0, 4)
        if images * rows * columns > most_values:
            raise ValueError(f"its header has {columns} × {rows} × {images} values; at most {most_values} are read")
        if size < header.file_bytes:
            raise ValueError(
                f"it has {size} bytes, but {(images, rows, columns)} values of mode {mode} need {header.file_bytes}: "
                "it is cut off"
            )
        extended = file.read(min(header.extended, FEI_BYTES))
        file.seek(HEADER + header.extended)
        values = np.fromfile(file, header.dtype, images * rows * header.stored).reshape(images, rows, header.stored)
    signed, note = _sign(values, header) if mode == 0 else (True, None)
    values = _converted(values, mode, signed, columns)
    return (values[0] if images == 1 else values), _pixel(header, extended), note


def _header(content: bytes, size: int) -> _Header:
    """Tell the order of bytes: the one in which sizes and mode are ones; of both, the one that the size of the file fits.

    Mode 0 is the same in both orders. The machine's stamp, which is often missing and sometimes wrong, comes last.
    """
    if len(content) < HEADER:
        raise ValueError("it is shorter than a header")
    little, big = _Header(content, "<"), _Header(content, ">")
    orders = (big, little) if content[212:214] == b"\x11\x11" else (little, big)
    plausible = [header for header in orders if header.plausible]
    if plausible:
        return min(plausible, key=lambda header: (header.file_bytes > size, header.file_bytes != size))
    columns, rows, images, mode = orders[0].integers(0, 4)
    raise ValueError(
        f"its header has {columns} × {rows} × {images} values of mode {mode}; known modes are {', '.join(map(str, TYPES))}"
    )


def _converted(values: NDArray[Any], mode: int, signed: bool, columns: int) -> NDArray[Any]:
    """Bring values of modes that NumPy has no type for to one that it has."""
    if mode == 0 and not signed:
        return values.view(np.uint8)
    if mode == 3:
        return np.empty(values.shape, np.complex64)  # refused as complex, whatever they are
    if mode == 16:
        return values.view([("R", "u1"), ("G", "u1"), ("B", "u1")])
    if mode == 101:  # the first value of a pair is in the lower bits
        return np.stack([values & 15, values >> 4], axis=-1).reshape(*values.shape[:2], -1)[..., :columns]
    return values


def _sign(values: NDArray[np.int8], header: _Header) -> tuple[bool, str | None]:
    """Tell whether bytes are signed, as MRC2014 has them, or not, as many programs wrote them.

    IMOD says so by a flag. Else the least and the largest value in the header do, where they fit one reading only.

    Returns
    -------
    signed : bool
    note : str or None
        Where only the values tell.
    """
    stamp, flags = header.integers(152, 2)
    if stamp == IMOD_STAMP:
        return bool(flags & IMOD_SIGNED), None
    low, high = header.floats(76, 2)
    unsigned = values.view(np.uint8)
    fits = [(each.min(), each.max()) == (low, high) for each in (values, unsigned)]
    if fits[0] != fits[1]:
        return fits[0], None
    if low < high and (low < 0) != (high > 127):  # known, but of other values, as of a larger stack
        return bool(low < 0), None
    if values.min() >= 0:  # both readings are one
        return True, None
    return _smoother_sign(values)


def _smoother_sign(values: NDArray[np.int8]) -> tuple[bool, str]:
    """Tell the sign from the values, (image, y, x): the wrong one tears neighbours apart, as 127 and 128 to 127 and −128.

    In one reading, neighbours on both sides of 127, as unsigned ones, differ by some number; in the other, by 256 less it.
    """
    total = count = 0
    for plane in values.view(np.uint8):  # one by one, for memory
        for axis in (0, 1):
            apart = np.abs(np.diff(plane.astype(np.int16), axis=axis))
            torn = np.diff(plane > 127, axis=axis)
            total, count = total + int(apart[torn].sum(dtype=np.int64)), count + int(torn.sum())
    if not count:
        return (
            True,
            "its bytes are taken for signed ones, as in MRC2014; the header does not say, and only an offset differs.",
        )
    unsigned = total / count
    signed = 256 - unsigned
    mean = f"neighbours on both sides of 127 differ by {signed:.3g} on average as signed ones, by {unsigned:.3g} as unsigned ones"
    if min(signed, unsigned) > CLEARLY * max(signed, unsigned):
        return True, f"its bytes are taken for signed ones, as in MRC2014; the header does not say, and {mean}."
    kind = "signed" if signed < unsigned else "unsigned"
    return signed < unsigned, f"its bytes are taken for {kind} ones, as the header does not say and {mean}."


def _pixel(header: _Header, extended: bytes) -> tuple[tuple[float, str | None], ...]:
    """Return the pixel: the extended header's where it is FEI's, else the cell's over the grid's."""
    kind = header.content[104:108].strip(b"\0 ")
    if not kind and header.extended == FEI_BYTES:
        (pixel,) = struct.unpack_from(f"{header.order}f", extended, FEI_PIXEL)
        if FEI_LIMITS_M[0] < pixel < FEI_LIMITS_M[1]:
            return ((pixel, "m"),) * 2
    grid, cell, axes = header.integers(28, 3), header.floats(40, 3), header.integers(64, 3)
    if sorted(axes) != [1, 2, 3]:
        axes = (1, 2, 3)  # of old files, which do not say
    sides = [cell[axis - 1] / grid[axis - 1] if grid[axis - 1] > 0 else 0.0 for axis in axes]
    if min(sides[:2]) > 0:
        return tuple((side, "Å") for side in (sides[1], sides[0]))
    if kind in (b"FEI1", b"FEI2") and len(extended) >= FEI2014_PIXEL + 16:
        wide, high = struct.unpack_from(f"{header.order}2d", extended, FEI2014_PIXEL)
        if FEI_LIMITS_M[0] < min(wide, high) and max(wide, high) < FEI_LIMITS_M[1]:
            return ((high, "m"), (wide, "m"))
    return ()
