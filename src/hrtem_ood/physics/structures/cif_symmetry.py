"""Symmetry of a crystal in a CIF: operations, a Hall symbol, a Hermann–Mauguin symbol, or a number with a setting."""

import re
from collections import Counter
from dataclasses import dataclass

import gemmi
import numpy as np
from numpy.typing import NDArray

METRIC = 0.02
"""Largest relative change of the cell's metric by an operation: parameters are rounded, and settings differ by far more."""

HALL = ("_space_group_name_Hall", "_symmetry_space_group_name_Hall")
HERMANN_MAUGUIN = (
    "_space_group_name_H-M_alt",
    "_symmetry_space_group_name_H-M",
    "_space_group_name_H-M_full",
    "_space_group_name_H-M_ref",
)
NUMBER = ("_space_group_IT_number", "_symmetry_Int_Tables_number", "_symmetry_space_group_IT_number")
CODE = ("_space_group_IT_coordinate_system_code", "_symmetry_IT_coordinate_system_code")
OPERATIONS = ("_space_group_symop_operation_xyz", "_symmetry_equiv_pos_as_xyz")


class CifError(ValueError):
    """A CIF that describes no crystal; the message continues after the file's name."""


@dataclass(frozen=True)
class Symmetry:
    """Operations of a space group in one setting.

    Attributes
    ----------
    name : str
        For messages.
    rotations : float array, (operation, 3, 3), [1]
        Of fractional coordinates, as columns.
    translations : float array, (operation, 3), [1]
    number : int or None
        Of the space group, where it was named.
    """

    name: str
    rotations: NDArray[np.float64]
    translations: NDArray[np.float64]
    number: int | None = None


def value_of(block: gemmi.cif.Block, *tags: str) -> str | None:
    """Return the first of several data items that a CIF gives; nothing for `.`, `?` and empty text.

    Tags are compared regardless of case, and may have a point instead of the underscore after their category, as in
    second-generation dictionaries.
    """
    for tag in tags:
        for written in (tag, re.sub(r"^(_space_group|_symmetry|_cell|_chemical|_exptl_crystal)_", r"\1.", tag)):
            for text in block.find_values(written):
                value = " ".join(gemmi.cif.as_string(text).split())
                if text not in (".", "?") and value:
                    return value
    return None


def symmetries(
    block: gemmi.cif.Block, metric: NDArray[np.float64], *, is_confirmed: bool
) -> tuple[list[Symmetry], str]:
    """Return all symmetries that a CIF allows: one, if it names the setting.

    Operations come first, then the Hall symbol, then the Hermann–Mauguin symbol or the number.

    Parameters
    ----------
    block : gemmi.cif.Block
    metric : float array, (3, 3), [Å²]
        Scalar products of the cell's vectors.
    is_confirmed : bool
        Whether the file determines the number of atoms in its cell, which decides between symmetries that contradict each other.

    Returns
    -------
    symmetries : list of Symmetry
        Several if the origin is not given, or if the file contradicts itself; none if the file gives no symmetry.
    contradiction : str
        Of the file, with the numbers of both; else empty.

    Raises
    ------
    CifError
        If the symmetry is unknown, contradicts itself where nothing decides, or does not fit the cell.
    """
    listed, symbol = _listed(block), value_of(block, *HALL)
    hall = _of_hall(symbol) if symbol else None
    named = _named(block, strict=listed is None and hall is None)
    stated = [each for each in ([listed] if listed else [], [hall] if hall else [], named) if each]
    contradiction = next((words for other in stated[1:] if (words := _contradiction(stated[0][0], other))), "")
    if contradiction and not is_confirmed:
        raise CifError(
            f"{contradiction}; correct one, or add _chemical_formula_sum and _cell_formula_units_Z, which decide between them."
        )
    settings = [each for several in stated for each in several] if contradiction else stated[0] if stated else []
    fitting = [each for each in settings if _fits(each, metric)]
    if settings and not fitting:
        raise CifError(
            f"has a cell that the operations of {settings[0].name} do not leave unchanged; check the lattice constants, or name "
            "the setting of the space group."
        )
    return fitting, contradiction


def _contradiction(one: Symmetry, settings: list[Symmetry]) -> str:
    """Return how a symmetry is none of a space group's, in any setting of it, or nothing."""
    other = settings[0]
    alike = [row for row in gemmi.spacegroup_table() if row.number == other.number] if other.number else []
    types = [_type_of(each) for each in (*settings, *(_of_row(row) for row in alike))]
    if _type_of(one) in types:
        return ""
    count, expected = len(one.rotations), len(other.rotations)
    others = " others" if count == expected else ""
    return f"has {count} operations by {one.name}, but {expected}{others} by {other.name}"


def _type_of(symmetry: Symmetry) -> tuple[int, tuple[tuple[tuple[int, int, int], int], ...]]:
    """Return what all settings of a space group with cells of one size share.

    Returns
    -------
    int
        Number of operations, with those of the centring.
    tuple
        How many orientations have what determinant, trace, and share of a lattice vector along the axis or plane, as 2 for
        :math:`2_1`, :math:`4_2` or a glide plane, 4 for :math:`4_1`, 1 for an axis or mirror.
    """
    centring = symmetry.translations[[np.array_equal(each, np.eye(3)) for each in symmetry.rotations]]
    lattice = (np.indices((7, 7, 7)).reshape(3, -1).T - 3 + centring[:, None]).reshape(-1, 3)
    counts: Counter[tuple[int, int, int]] = Counter()
    for place in np.unique(symmetry.rotations, axis=0, return_index=True)[1]:
        rotation, translation = symmetry.rotations[place], symmetry.translations[place]
        powers = [np.eye(3)]
        while len(powers) == 1 or not np.array_equal(powers[-1], np.eye(3)):
            powers.append(powers[-1] @ rotation)
        along = np.mean(powers[1:], axis=0)  # keeps of a vector what no choice of the origin changes
        for share in range(1, len(powers)):
            apart = (lattice - share * translation % 1) @ along.T
            if np.abs(apart).max(axis=1).min() < 1e-6:
                break
        counts[(round(np.linalg.det(rotation)), round(np.trace(rotation)), share)] += 1
    return len(symmetry.rotations), tuple(sorted(counts.items()))


def _listed(block: gemmi.cif.Block) -> Symmetry | None:
    """Return the operations that a CIF lists."""
    for tag in (*OPERATIONS, "_space_group_symop.operation_xyz"):
        texts = [gemmi.cif.as_string(text).strip() for text in block.find_values(tag) if text not in (".", "?")]
        if not texts:
            continue
        operations = []
        for text in texts:
            try:
                operations.append(gemmi.Op(text).wrap())
            except (RuntimeError, ValueError) as error:
                raise CifError(f"lists the operation `{text[:80]}`, which belongs to no space group.") from error
        held = len({operation.triplet() for operation in operations})
        whole = _with_products(operations)
        if whole != held:
            raise CifError(
                f"lists {held} operations, which form no group{f': with their products they are {whole}' if whole else ''}; "
                "complete the list."
            )
        return _of_operations("its list", operations)
    return None


def _with_products(operations: list[gemmi.Op]) -> int | None:
    """Return the number of operations with all their products; None if there are too many."""
    group = gemmi.GroupOps(operations)
    try:
        group.add_missing_elements()
    except RuntimeError:
        return None
    return len(group)


def _named(block: gemmi.cif.Block, *, strict: bool) -> list[Symmetry]:
    """Return the settings of a Hermann–Mauguin symbol or a number; with ``strict``, unknown ones are errors."""
    name, number = value_of(block, *HERMANN_MAUGUIN), value_of(block, *NUMBER)
    rows = _rows_of_name(name) if name else []
    if number is not None:
        rows = _with_number(rows, number, name)
    if name and not rows and strict:
        raise CifError(f"names the space group `{name[:80]}`, which is unknown; add its symmetry operations.")
    code = (value_of(block, *CODE) or "").lower()
    if rows and code and strict:
        rows = _of_code(rows, code)
    return [_of_row(row) for row in rows]


def _of_row(row: gemmi.SpaceGroup) -> Symmetry:
    return _of_operations(row.xhm(), list(row.operations()), row.number)


def _of_code(rows: list[gemmi.SpaceGroup], code: str) -> list[gemmi.SpaceGroup]:
    alike = [row for row in gemmi.spacegroup_table() if row.number == rows[0].number]
    chosen = [row for row in rows if code in _codes(row)]
    several = len({row.ext for row in alike if row.hm == rows[0].hm})
    if not chosen and len(rows) == several:  # the name leaves the setting open
        chosen = [row for row in alike if code in _codes(row)]
    if not chosen:
        raise CifError(
            f"gives the setting `{code[:80]}` for {rows[0].xhm() if len(rows) == 1 else rows[0].hm}; valid are "
            f"{', '.join(sorted(max(_codes(row), key=len) for row in alike))}."
        )
    return chosen[:1]


def _rows_of_name(name: str) -> list[gemmi.SpaceGroup]:
    """Return the settings of a Hermann–Mauguin symbol: one, if it ends in `:1`, `:2`, `:H`, `:R`, `S` or `Z`; else all.

    ICSD writes S and Z for the first and the second origin, and HR for hexagonal axes.
    """
    match = re.fullmatch(r"(.*?)\s*(?::\s*|\(?\s*origin (?:choice )?)([12HRSZ]|HR)\s*\)?", name, re.IGNORECASE)
    match = match or re.fullmatch(r"(.*?)\s*(HR|[HRSZ])", name)
    base, ending = (match[1], match[2].upper()) if match else (name, "")
    first: gemmi.SpaceGroup | None = gemmi.find_spacegroup_by_name(base)  # wrongly typed there
    if first is None:
        return []
    settings = [row for row in gemmi.spacegroup_table() if row.number == first.number and row.hm == first.hm]
    wanted = {"S": "1", "Z": "2", "HR": "H"}.get(ending, ending) or ("H" if base.startswith(("H", "h")) else "")
    return [row for row in settings if row.ext == wanted] or settings


def _with_number(rows: list[gemmi.SpaceGroup], number: str, name: str | None) -> list[gemmi.SpaceGroup]:
    value = int(number) if number.isascii() and number.isdigit() and len(number) < 4 else 0
    if not 1 <= value <= 230:
        raise CifError(f"has the space group number `{number[:80]}`; valid are 1 to 230.")
    if not rows:
        first = gemmi.find_spacegroup_by_number(value)
        return [row for row in gemmi.spacegroup_table() if row.number == value and row.hm == first.hm]
    if rows[0].number != value:
        raise CifError(
            f"names the space group {name}, which has number {rows[0].number}, and gives the number {value}; correct one."
        )
    return rows


def _codes(row: gemmi.SpaceGroup) -> set[str]:
    """Return the codes of a setting in the CIF dictionary, as `2`, `h`, `-b1` or `2cab`."""
    origin = row.ext.strip("\0 ").lower()
    codes = {origin + row.qualifier} if row.qualifier else {origin, origin + "abc"}
    return {code for code in codes | {row.qualifier.removesuffix("1")} if code}


def _of_hall(symbol: str) -> Symmetry:
    try:
        operations = list(gemmi.symops_from_hall(symbol))
    except (RuntimeError, ValueError) as error:
        raise CifError(f"has the Hall symbol `{symbol[:80]}`, which cannot be read ({error}).") from error
    return _of_operations(f"its Hall symbol {symbol}", operations)


def _of_operations(name: str, operations: list[gemmi.Op], number: int | None = None) -> Symmetry:
    unique = list({operation.wrap().triplet(): operation.wrap() for operation in operations}.values())
    rotations = np.array([operation.rot for operation in unique], float) / gemmi.Op.DEN
    translations = np.array([operation.tran for operation in unique], float) / gemmi.Op.DEN
    return Symmetry(name, rotations, translations, number)


def _fits(symmetry: Symmetry, metric: NDArray[np.float64]) -> bool:
    turned = np.swapaxes(symmetry.rotations, 1, 2) @ metric @ symmetry.rotations
    return bool(np.abs(turned - metric).max() <= METRIC * np.abs(metric).max())
