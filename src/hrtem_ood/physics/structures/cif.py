"""Crystals from CIF: all atoms of the cell, compared with formula, density and volume in the file."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite

import gemmi
import numpy as np
from ase import Atoms
from ase.cell import Cell
from ase.data import atomic_masses, atomic_numbers, covalent_radii
from ase.neighborlist import neighbor_list
from numpy.typing import NDArray

from hrtem_ood.physics.structures.cif_axes import fractional
from hrtem_ood.physics.structures.cif_symmetry import CifError, Symmetry, symmetries, value_of

MERGE_A = 0.2
"""Images of an atom nearer than this are one atom on a special position with rounded coordinates: 1/3 written with two decimals
has an error of 0.033 Å in a cell of 10 Å. Distinct atoms are never so near."""

TOLERANCE = 1e-3
"""Largest difference of numbers of atoms from the formula's, relative to their sum."""

UNIT_TOLERANCE = 0.01
"""Largest difference of numbers of formula units, and of their atoms, from whole numbers."""

VOLUME_TOLERANCE, DENSITY_TOLERANCE, MEASURED_DENSITY_TOLERANCE = 0.01, 0.05, 0.25
"""Largest relative differences of the volume, the calculated density and the measured density from the file's."""

MAX_LENGTH_A = 1000
"""Largest length of a cell [Å]."""

OVERLAP = 0.5
"""A setting is ruled out if atoms are nearer than this share of the sum of their covalent radii."""

G_PER_CM3 = 1.66053907
"""One atomic mass unit per Å³ [g/cm³]."""


@dataclass(frozen=True)
class Sites:
    """The asymmetric unit.

    Attributes
    ----------
    labels : list of str
    numbers : list of int
        Atomic numbers.
    positions : float array, (site, 3), [1]
        Fractional coordinates.
    """

    labels: list[str]
    numbers: list[int]
    positions: NDArray[np.float64]


def read_cif(content: bytes) -> Iterator[Atoms]:
    """Read the crystals of a CIF.

    Parameters
    ----------
    content : bytes

    Yields
    ------
    ase.Atoms
        All atoms of the unit cell, periodic along all axes; by block, the last one first.

    Raises
    ------
    CifError
        With a message that continues after the file's name.
    ValueError
        If the file is no CIF.
    """
    text = content.decode("utf-8-sig", errors="replace")
    try:
        document = gemmi.cif.read_string(text)
    except (RuntimeError, ValueError) as error:
        raise ValueError(re.sub(r"^string:(\d+)", r"line \1", str(error))) from error
    blocks = [block for block in document if list(block.find_values("_cell_length_a"))]
    blocks = [block for block in blocks if _column(block, "fract_x") or _column(block, "Cartn_x")]
    if not blocks:
        raise CifError("holds no atoms with a cell; give a crystal's unit cell.")
    for block in reversed(blocks):
        yield _crystal(block)


def _crystal(block: gemmi.cif.Block) -> Atoms:
    cell = _cell(block)
    formula = formula_of(value_of(block, "_chemical_formula_sum"))
    sites = _sites(block, cell, formula)
    metric = cell.array @ cell.array.T
    settings, contradiction = symmetries(block, metric, is_confirmed=_is_confirmed(block, formula))
    if not settings:
        alone = _expand(sites, cell, Symmetry("P 1", np.eye(3)[None], np.zeros((1, 3))))
        if not _is_confirmed(block, formula):
            raise CifError(
                "gives neither symmetry operations nor a space group; add _space_group_name_H-M_alt, 'P 1' if it lists all "
                "atoms of the cell."
            )
        wrong = _complaint(block, alone, formula)
        if wrong:
            raise CifError(f"gives neither symmetry operations nor a space group, and {wrong}")
        return alone
    crystals = [_expand(sites, cell, setting) for setting in settings]
    wrongs = [_complaint(block, crystal, formula) for crystal in crystals]
    right = [place for place, wrong in enumerate(wrongs) if not wrong]
    if not right:
        raise CifError(str(wrongs[0]))
    if len(right) > 1:  # several origins: without further data, only overlapping atoms rule one out
        apart = [place for place in right if not _overlaps(crystals[place])]
        if any(not _are_same(crystals[place], crystals[apart[0]]) for place in apart[1:]):
            options = " or ".join(f"{crystals[place].symbols.formula} by {settings[place].name}" for place in apart)
            raise CifError(
                f"{contradiction}, which makes it {options}; correct one."
                if contradiction
                else f"does not give the origin of its space group, which makes it {options}; add "
                "_space_group_IT_coordinate_system_code (1 or 2), or the symmetry operations."
            )
        right = apart or right
    return crystals[right[0]]


def _are_same(one: Atoms, other: Atoms) -> bool:
    """Whether two crystals of one cell have the same atoms, in whatever order."""
    if len(one) != len(other):
        return False
    apart = _apart_A(one.get_scaled_positions()[:, None] - other.get_scaled_positions(), one.cell)  # type: ignore[no-untyped-call]
    nearest = apart.argmin(axis=1)
    return bool((apart.min(axis=1) < MERGE_A).all() and (one.numbers == other.numbers[nearest]).all())


def _cell(block: gemmi.cif.Block) -> Cell:
    names = ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")
    values = []
    for name in names:
        text = value_of(block, f"_cell_{name}")
        value = 90.0 if text is None and name.startswith("angle") else gemmi.cif.as_number(text or "?")
        low, high = (1, MAX_LENGTH_A) if name.startswith("length") else (1, 179)
        if not low <= value <= high:
            raise CifError(f"has `{(text or '?')[:80]}` for _cell_{name}, which is no number from {low} to {high}.")
        values.append(value)
    cosines = np.cos(np.radians(values[3:]))
    if 1 + 2 * cosines.prod() - (cosines**2).sum() < 1e-6:
        raise CifError(f"has cell angles of {', '.join(f'{angle:g}' for angle in values[3:])}°, which make no cell.")
    cell: Cell = Cell.fromcellpar(values)  # type: ignore[no-untyped-call]  # ASE's
    volume = _number(block, "_cell_volume")
    if volume and abs(cell.volume / volume - 1) > VOLUME_TOLERANCE:
        raise CifError(
            f"has a cell of {cell.volume:.5g} Å³ by its lengths and angles, but its _cell_volume is {volume:g} Å³."
        )
    return cell


def _number(block: gemmi.cif.Block, *tags: str) -> float | None:
    """Return a number above zero, if there is one."""
    value = gemmi.cif.as_number(value_of(block, *tags) or "?")
    return value if isfinite(value) and value > 0 else None


def _column(block: gemmi.cif.Block, name: str) -> list[str]:
    """Return a column of the loop of sites, without quotes; `.` and `?` as empty text."""
    for tag in (f"_atom_site_{name}", f"_atom_site.{name}"):
        values = ["" if text in (".", "?") else gemmi.cif.as_string(text).strip() for text in block.find_values(tag)]
        if values:
            return values
    return []


def _sites(block: gemmi.cif.Block, cell: Cell, formula: dict[str, float]) -> Sites:
    kind = "fract" if _column(block, "fract_x") else "Cartn"
    columns = [_column(block, f"{kind}_{axis}") for axis in "xyz"]
    labels, types = _column(block, "label"), _column(block, "type_symbol")
    number = len(columns[0])
    labels, types = labels or types or [""] * number, types or [""] * number
    shares, flags = (_column(block, name) or [""] * number for name in ("occupancy", "calc_flag"))
    if any(len(column) != number for column in (*columns, labels, types, shares, flags)):
        raise CifError("has columns of sites of different lengths; is it cut short?")
    held, positions = [], []
    for place in range(number):
        label = labels[place] or f"number {place + 1}"
        if flags[place] == "dum":  # a dummy, which scatters nothing
            continue
        position = [gemmi.cif.as_number(column[place] or "?") for column in columns]
        if not all(map(isfinite, position)):
            invalid = next(
                column[place] for column, value in zip(columns, position, strict=True) if not isfinite(value)
            )
            raise CifError(f"has the coordinate `{(invalid or '?')[:80]}` for site {label[:80]}, which is no number.")
        _check_occupancy(shares[place], label)
        held.append((label, element_of(types[place], label, formula)))
        positions.append(position)
    if not held:
        raise CifError("holds no atoms; give a crystal's unit cell.")
    coordinates = np.array(positions, float)
    if kind == "Cartn":
        coordinates = fractional(block, cell, coordinates)
    return Sites([label for label, _ in held], [number for _, number in held], coordinates)


def _check_occupancy(text: str, label: str) -> None:
    # left out, `.` and `?` mean fully occupied in the CIF dictionary
    share = gemmi.cif.as_number(text) if text else 1.0
    if not isfinite(share):
        raise CifError(f"has the occupancy `{text[:80]}` for site {label[:80]}, which is no number.")
    if abs(share - 1) > TOLERANCE:
        raise CifError(
            f"has partially occupied sites, which have no definite atoms ({label[:80]}: {share:g}); give an ordered crystal (a "
            "supercell, if need be)."
        )


def element_of(type_symbol: str, label: str, formula: dict[str, float]) -> int:
    """Return the element of a site, regardless of case.

    Parameters
    ----------
    type_symbol : str
        As `Cd2+`; takes precedence over the label.
    label : str
        As `CD1`: of the elements with which it may begin, one in the formula, or else that with the longest symbol.
    formula : dict of str to float
        Numbers of atoms by element; may be empty.

    Returns
    -------
    int
        Atomic number; deuterium's is hydrogen's.

    Raises
    ------
    CifError
    """
    for text, exact in ((type_symbol, True), (type_symbol, False), (label, False)):
        letters = re.sub(r"[^A-Za-z].*", "", text)
        lengths = (len(letters),) if exact else (2, 1)
        candidates = [_symbol(letters[:length]) for length in lengths if 0 < len(letters[:length]) == length <= 2]
        candidates = [each for each in candidates if each]
        named = [each for each in candidates if each in formula]
        if candidates:
            return atomic_numbers[(named or candidates)[0]]
    raise CifError(f"has the site {label[:80]} of type `{(type_symbol or '?')[:80]}`, an unknown element.")


def _symbol(letters: str) -> str:
    """Return the element that letters of any case stand for, or nothing."""
    symbol = letters.capitalize()
    if symbol in ("D", "T"):
        return "H"
    return symbol if atomic_numbers.get(symbol, 0) > 0 else ""


def formula_of(text: str | None) -> dict[str, float]:
    """Read a formula.

    Parameters
    ----------
    text : str or None
        As `Cd Se` or `C6 H12`, also in capitals; in the CIF dictionary, blanks separate elements.

    Returns
    -------
    dict of str to float
        Numbers of atoms by element; empty where the formula cannot be read.
    """
    counts: dict[str, float] = {}
    for word in (text or "").split():
        parts = re.findall(r"([A-Za-z]+)([0-9.]*)", word)
        if len(parts) != 1 or not _symbol(parts[0][0]):
            parts = re.findall(r"([A-Z][a-z]?)([0-9.]*)", word)
        if "".join(letters + number for letters, number in parts) != word:
            return {}
        for letters, number in parts:
            symbol, count = _symbol(letters), gemmi.cif.as_number(number or "1")
            if not symbol or not isfinite(count):
                return {}
            counts[symbol] = counts.get(symbol, 0) + count
    return {symbol: count for symbol, count in counts.items() if count > 0}


def _expand(sites: Sites, cell: Cell, symmetry: Symmetry) -> Atoms:
    """Return all atoms of the cell: by site, in the order of the operations."""
    numbers, positions = [], []
    for number, position in zip(sites.numbers, sites.positions, strict=True):
        special = _on_special_position(position, cell, symmetry)
        images = (symmetry.rotations @ special + symmetry.translations) % 1
        near = _apart_A(images[:, None] - images, cell) <= MERGE_A
        first = near.argmax(axis=1) == np.arange(len(images))  # differs from all before
        numbers += [number] * int(first.sum())
        positions.append(images[first])
    return Atoms(numbers=numbers, scaled_positions=np.concatenate(positions), cell=cell, pbc=True)


def _on_special_position(position: NDArray[np.float64], cell: Cell, symmetry: Symmetry) -> NDArray[np.float64]:
    """Move an atom onto the special position near it: the mean of its images near it.

    Images nearer than :data:`MERGE_A` to one another belong to the operations that keep the special position fixed.
    """
    for _ in range(3):
        apart = symmetry.rotations @ position + symmetry.translations - position
        apart -= np.round(apart)
        near = _apart_A(apart, cell) <= MERGE_A
        position = position + apart[near].mean(axis=0)
    return position


def _apart_A(apart: NDArray[np.float64], cell: Cell) -> NDArray[np.float64]:
    """Return lengths of differences of positions, (difference,), over the lattice [Å]; exact below half a cell."""
    return np.asarray(np.linalg.norm((apart - np.round(apart)) @ cell.array, axis=-1))


def _is_confirmed(block: gemmi.cif.Block, formula: dict[str, float]) -> bool:
    """Whether a file determines the number of atoms in its cell."""
    counted = formula and _number(block, "_cell_formula_units_Z")
    return bool(counted or _number(block, "_exptl_crystal_density_diffrn", "_exptl_crystal_density_meas"))


def _complaint(block: gemmi.cif.Block, crystal: Atoms, formula: dict[str, float]) -> str | None:
    """Return a contradiction between a file's data and its atoms, or None."""
    holds = f"holds {crystal.get_chemical_formula()}"  # type: ignore[no-untyped-call]  # ASE's
    wrong = _other_formula(crystal, formula, _number(block, "_cell_formula_units_Z")) if formula else None
    if wrong:
        return f"{holds}{wrong}"
    density = float(atomic_masses[crystal.numbers].sum() / crystal.cell.volume * G_PER_CM3)
    for tag, share in (("diffrn", DENSITY_TOLERANCE), ("meas", MEASURED_DENSITY_TOLERANCE)):
        stated = _number(block, f"_exptl_crystal_density_{tag}")
        if stated and abs(density / stated - 1) > share:
            return (
                f"{holds} in its cell, {density:.3g} g/cm³, but its _exptl_crystal_density_{tag} is {stated:g}; check its "
                "symmetry, setting and sites, or correct that line."
            )
    return None


def _other_formula(crystal: Atoms, formula: dict[str, float], units: float | None) -> str | None:
    """Return how a crystal's atoms differ from a formula, or from ``units`` of it, or None."""
    symbols, counts = np.unique(crystal.symbols, return_counts=True)
    held = dict(zip(symbols.tolist(), (counts / len(crystal)).tolist(), strict=True))
    whole, written = sum(formula.values()), " ".join(f"{element}{number:g}" for element, number in formula.items())
    if not _same(_scaled(formula, 1 / whole), held):
        return (
            f", but its _chemical_formula_sum is {written}: it may be cut short, or lack sites; complete it, or correct that "
            "line."
        )
    if units is None:
        units = len(crystal) / whole
        if abs(units - max(round(units), 1)) > UNIT_TOLERANCE:
            return f" in its cell, {units:.3g} times its _chemical_formula_sum of {written}; complete it, or correct that line."
    # some programs give the sum over the cell, with Z of the reduced formula
    elif not any(
        abs(number - len(crystal)) < UNIT_TOLERANCE for number in (units * whole, whole * _is_reduced(formula, units))
    ):
        return (
            f" in its cell, {len(crystal)} atoms, but by its _cell_formula_units_Z of {units:g} and its _chemical_formula_sum of "
            f"{written} there are {units * whole:g}; check its symmetry, setting and sites, or correct those lines."
        )
    return None


def _is_reduced(formula: dict[str, float], units: float) -> bool:
    """Whether a formula is ``units`` times a simpler one."""
    counts = [round(count) for count in formula.values()]
    whole = all(abs(count - number) < TOLERANCE for count, number in zip(counts, formula.values(), strict=True))
    return whole and bool(np.gcd.reduce(counts) == round(units))


def _scaled(formula: dict[str, float], factor: float) -> dict[str, float]:
    return {element: number * factor for element, number in formula.items()}


def _same(one: dict[str, float], other: dict[str, float]) -> bool:
    return one.keys() == other.keys() and all(abs(one[each] - other[each]) < TOLERANCE for each in one)


def _overlaps(crystal: Atoms) -> bool:
    nearest = 1.2 * (crystal.cell.volume / len(crystal)) ** (1 / 3)  # see crystal.neighbour_pairs
    first, second, distance = neighbor_list("ijd", crystal, nearest)  # type: ignore[no-untyped-call]  # ASE's
    radii = covalent_radii[crystal.numbers]
    return bool((distance < OVERLAP * (radii[first] + radii[second])).any())
