"""MRC files, by the specification MRC2014 and what was usual before it.

Cheng et al., J. Struct. Biol. 192 (2015) 146, https://www.ccpem.ac.uk/mrc-format/mrc2014/; IMOD's additions,
https://bio3d.colorado.edu/imod/doc/mrc_format.txt.
"""

import struct
from collections.abc import Mapping
from math import prod
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
    def plausible(self) -> bool:
        """Whether sizes and mode are ones, read in this order of bytes."""
        *sides, mode = self.integers(0, 4)
        return min(sides) > 0 and mode in TYPES and self.integers(92, 1)[0] >= 0


def read_mrc(path: Path) -> tuple[NDArray[Any], tuple[tuple[float, str | None], ...]]:
    """Read an MRC file.

    Parameters
    ----------
    path : Path

    Returns
    -------
    array, (y, x) or (image, y, x)
        In the order of the file; of structured values for colours, and of complex ones.
    pixel : tuple of (float, str or None)
        Of rows and of columns; none where the header has no cell.

    Raises
    ------
    ValueError
        Where it is no MRC file, or cut off.
    """
    content = path.read_bytes()
    header = _header(content)
    columns, rows, images, mode = header.integers(0, 4)
    (extended,) = header.integers(92, 1)
    shape, stored = (images, rows, columns), columns if mode != 101 else (columns + 1) // 2
    kind = np.dtype(header.order + TYPES[mode])
    start, need = HEADER + extended, prod((images, rows, stored)) * kind.itemsize
    if len(content) < start + need:
        raise ValueError(
            f"it has {len(content)} bytes, but {shape} values of mode {mode} need {start + need}: it is cut off"
        )
    values = np.frombuffer(content, kind, prod((images, rows, stored)), start).reshape(images, rows, stored)
    values = _converted(values, mode, header, columns)
    return (values[0] if images == 1 else values), _pixel(header, content[HEADER:start])


def _header(content: bytes) -> _Header:
    """Tell the order of bytes: by the machine's stamp, or else by the order in which sizes and mode are ones."""
    if len(content) < HEADER:
        raise ValueError("it is shorter than a header")
    little, big = _Header(content, "<"), _Header(content, ">")
    orders = (big, little) if content[212:214] == b"\x11\x11" else (little, big)
    for header in orders:
        if header.plausible:
            return header
    columns, rows, images, mode = orders[0].integers(0, 4)
    raise ValueError(
        f"its header has {columns} × {rows} × {images} values of mode {mode}; known modes are {', '.join(map(str, TYPES))}"
    )


def _converted(values: NDArray[Any], mode: int, header: _Header, columns: int) -> NDArray[Any]:
    """Bring values of modes that NumPy has no type for to one that it has."""
    if mode == 0 and not _are_bytes_signed(values, header):
        return values.view(np.uint8)
    if mode == 3:
        return np.empty(values.shape, np.complex64)  # refused as complex, whatever they are
    if mode == 16:
        return values.view([("R", "u1"), ("G", "u1"), ("B", "u1")])
    if mode == 101:  # the first value of a pair is in the lower bits
        return np.stack([values & 15, values >> 4], axis=-1).reshape(*values.shape[:2], -1)[..., :columns]
    return values


def _are_bytes_signed(values: NDArray[Any], header: _Header) -> bool:
    """Tell whether bytes are signed, as MRC2014 has them, or not, as many programs wrote them.

    IMOD says so by a flag. Else the least and the largest value in the header do, where they fit one reading only.
    """
    stamp, flags = header.integers(152, 2)
    if stamp == IMOD_STAMP:
        return bool(flags & IMOD_SIGNED)
    low, high = header.floats(76, 2)
    unsigned = values.view(np.uint8)
    fits = [(each.min(), each.max()) == (low, high) for each in (values, unsigned)]
    if fits[0] != fits[1]:
        return fits[0]
    if low < high and (low < 0) != (high > 127):  # known, but of other values, as of a larger stack
        return bool(low < 0)
    return True


def _pixel(header: _Header, extended: bytes) -> tuple[tuple[float, str | None], ...]:
    """Return the pixel: the extended header's where it is FEI's, else the cell's over the grid's."""
    kind = header.content[104:108].strip(b"\0 ")
    if not kind and len(extended) == FEI_BYTES:
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
