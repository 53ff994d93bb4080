"""Cartesian coordinates of a CIF: the axes of the file, by its matrix or its words, to fractional coordinates."""

import re
from math import isfinite

import gemmi
import numpy as np
from ase.cell import Cell
from numpy.typing import NDArray

from hrtem_ood.physics.structures.cif_symmetry import METRIC, CifError, value_of

AXES = ("_atom_sites_Cartn_transform_axes", "_atom_sites_Cartn_transform.axes")

TAGS = {
    kind: (
        (f"_atom_sites_{kind}_tran_matrix_{{}}{{}}", f"_atom_sites_{kind}_tran_vector_{{}}"),
        (f"_atom_sites_{kind}_transform.mat_{{}}{{}}", f"_atom_sites_{kind}_transform.vec_{{}}"),
        (f"_atom_sites.{kind}_transf_matrix[{{}}][{{}}]", f"_atom_sites.{kind}_transf_vector[{{}}]"),
    )
    for kind in ("Cartn", "fract")
}
"""Tags of a matrix and of a vector, to Cartesian coordinates and to fractional ones: in the core dictionary, in its second
generation, and in mmCIF."""

STATE_THEM = (
    "state _atom_sites_Cartn_tran_matrix_11 to _33, or _atom_sites_Cartn_transform_axes, as 'a along x, b in the plane of x and "
    "y' or 'c along z, astar along x'."
)

RIGHT_ANGLE_DEG = 0.01
"""Largest difference of the angles of an orthogonal cell from 90° [°]."""

_AXIS = r"\b([abc])(\*|[- ]?star\b)?(?:[- ]axis)?"
_IS_ALONG = r"\s*(?:(?:is\s+)?(?:along|parallel\s+(?:to|with))|//|\|\|)\s*(?:the\s+)?"
_IS_IN = r"\s+(?:is\s+|lies\s+)?in\s+(?:the\s+)?(?:plane\s+of\s+)?"
_STATEMENTS = (
    re.compile(rf"{_AXIS}{_IS_ALONG}\b([xyz])\b(?:[- ]axis)?()"),
    re.compile(rf"{_AXIS}{_IS_IN}([xyz])(?:\s+and\s+|[\s-]*)([xyz])\b(?:[- ]plane)?"),
)


def fractional(block: gemmi.cif.Block, cell: Cell, cartesian: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return fractional coordinates of sites.

    The file's matrix counts; else its words on the axes; else, in an orthogonal cell, a is along x and b along y.

    Parameters
    ----------
    block : gemmi.cif.Block
    cell : ase.cell.Cell
    cartesian : float array, (site, 3), [Å]

    Returns
    -------
    float array, (site, 3), [1]

    Raises
    ------
    CifError
        If the file leaves the axes open, or they are none of the cell.
    """
    matrix, origin = _matrix(block, "Cartn"), _vector(block, "Cartn")
    inverse = _matrix(block, "fract") if matrix is None else None
    if inverse is not None:
        if abs(np.linalg.det(inverse)) * cell.volume < 0.1:
            raise CifError("has an _atom_sites_fract_tran_matrix that is none of its cell; correct it.")
        matrix = np.asarray(np.linalg.inv(inverse), np.float64)
        origin = -(matrix @ _vector(block, "fract"))
    words = value_of(block, *AXES)
    if matrix is not None:
        _check_matrix(matrix, cell)
    elif words is not None:
        matrix = _matrix_of_words(words, cell)
    elif np.abs(_angles(cell) - 90).max() < RIGHT_ANGLE_DEG:
        matrix = cell.array.T
    else:
        angles = ", ".join(f"{angle:g}" for angle in _angles(cell))
        raise CifError(
            f"has Cartesian coordinates in a cell with angles of {angles}°, and does not tell their axes; {STATE_THEM}"
        )
    return np.asarray(np.linalg.solve(matrix, (cartesian - origin).T).T)


def _angles(cell: Cell) -> NDArray[np.float64]:
    return np.asarray(cell.angles(), np.float64)  # type: ignore[no-untyped-call]  # ASE's


def _element(block: gemmi.cif.Block, tags: tuple[str, ...]) -> float | None:
    text = value_of(block, *tags)
    if text is None:
        return None
    value = gemmi.cif.as_number(text)
    if not isfinite(value):
        raise CifError(f"has `{text[:80]}` for {tags[0]}, which is no number.")
    return value


def _matrix(block: gemmi.cif.Block, kind: str) -> NDArray[np.float64] | None:
    """Return a matrix that acts on columns of coordinates, if the file gives it."""
    tags = [tuple(tag.format(row, column) for tag, _ in TAGS[kind]) for row in (1, 2, 3) for column in (1, 2, 3)]
    values = [_element(block, each) for each in tags]
    missing = [each[0] for each, value in zip(tags, values, strict=True) if value is None]
    if len(missing) == 9:
        return None
    if missing:
        raise CifError(f"gives elements of a matrix, but no {missing[0]}; give all nine.")
    return np.array(values, float).reshape(3, 3)


def _vector(block: gemmi.cif.Block, kind: str) -> NDArray[np.float64]:
    return np.array([_element(block, tuple(tag.format(row) for _, tag in TAGS[kind])) or 0.0 for row in (1, 2, 3)])


def _check_matrix(matrix: NDArray[np.float64], cell: Cell) -> None:
    """Check that the columns of a matrix are vectors of the lengths and angles of a cell."""
    metric = cell.array @ cell.array.T
    if not np.abs(matrix.T @ matrix - metric).max() <= METRIC * np.abs(metric).max():
        lengths = ", ".join(f"{length:.4g}" for length in np.linalg.norm(matrix, axis=0))
        volume = abs(np.linalg.det(matrix))
        raise CifError(
            f"has a matrix of Cartesian coordinates for a cell of {volume:.5g} Å³ with vectors of {lengths} Å, but by its "
            f"_cell_length and _cell_angle the cell has {cell.volume:.5g} Å³ and other vectors; correct one."
        )


def _matrix_of_words(text: str, cell: Cell) -> NDArray[np.float64]:
    """Return the matrix to Cartesian coordinates that words on the axes describe.

    Two statements suffice: Cartesian axes are right-handed and orthogonal.
    """
    words = text.lower()
    unit: dict[str, NDArray[np.float64]] = {}
    vectors = dict(zip("abc", cell.array, strict=True))
    stars = dict(zip("abc", np.linalg.inv(cell.array).T, strict=True))
    for pattern in _STATEMENTS:
        for axis, star, first, second in pattern.findall(words):
            vector = (stars if star else vectors)[axis]
            if second in unit:
                first, second = second, first
            if second and first in unit:  # the part of it that is not along the other axis
                vector = vector - (vector @ unit[first]) * unit[first]
            if first == second or (second or first) in unit or (second and first not in unit):
                raise _unclear(text)
            unit[second or first] = vector / np.linalg.norm(vector)
        words = pattern.sub(" ", words)
    if len(unit) < 2 or re.sub(r"\band\b|[\s,;.]", "", words):
        raise _unclear(text)
    for axis, after, before in ("xyz", "yzx", "zxy"):
        if axis not in unit:
            unit[axis] = np.cross(unit[after], unit[before])
    frame = np.array([unit[axis] for axis in "xyz"])
    if np.abs(frame @ frame.T - np.eye(3)).max() > np.radians(RIGHT_ANGLE_DEG) or np.linalg.det(frame) < 0:
        angles = ", ".join(f"{angle:g}" for angle in _angles(cell))
        raise CifError(
            f"has `{text[:80]}` for {AXES[0]}, which are no right-handed orthogonal axes in a cell with angles of {angles}°; "
            f"{STATE_THEM}"
        )
    return np.asarray(frame @ cell.array.T)


def _unclear(text: str) -> CifError:
    return CifError(f"has `{text[:80]}` for {AXES[0]}, which leaves the axes open; {STATE_THEM}")
