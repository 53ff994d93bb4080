"""A material's unit cell, and all atoms of the infinite crystal around a point."""

from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.data import covalent_radii
from ase.formula import Formula
from ase.neighborlist import neighbor_list
from ase.spacegroup import crystal as of_space_group
from numpy.typing import NDArray

from hrtem_ood.errors import ConfigError
from hrtem_ood.physics.structures.atom_files import read_frames
from hrtem_ood.physics.structures.parameters import Material

HEXAGONAL = ("hcp", "wurtzite")
"""Structures of ``ase.build.bulk`` whose cell is hexagonal; those of all others lie along the axes of a cube."""

FREE_C = ("hcp", "wurtzite")
"""Structures of ``ase.build.bulk`` with a lattice constant c; for the others it would be ignored."""

OVERLAP = 0.5
"""Smallest distance of atoms, as a share of the sum of their covalent radii; less means duplicate sites or a wrong unit."""


def unit_cell(material: Material) -> Atoms:
    """Build or read the unit cell of a material.

    Parameters
    ----------
    material : Material
        A formula for ``ase.build.bulk``, or a file, of which the last frame counts.

    Returns
    -------
    ase.Atoms
        Symbols, positions [Å] and cell [Å], periodic along all axes, and nothing else.

    Raises
    ------
    ConfigError
        Names the key, what is wrong with the crystal and what would be valid.
    ArtifactError
        If the file does not have the digest ``sha256``.
    """
    if material.file is None:
        key, crystal = f"material.formula: `{material.formula}`", _built(material)
    else:
        key, crystal = f"material.file: {material.file}", _read(Path(material.file), material.sha256)
    problem = _problem(crystal)
    if problem:
        raise ConfigError(f"{key} {problem}")
    return Atoms(numbers=crystal.numbers, positions=crystal.positions, cell=crystal.cell, pbc=True)


def _built(material: Material) -> Atoms:
    assert material.formula is not None
    if material.c_A is not None and material.structure not in FREE_C:
        raise ConfigError(
            f"material.c_A: {material.structure} has no free c; leave it out (only {' and '.join(FREE_C)} take it)."
        )
    if material.structure == "spinel":
        return _spinel(material)
    try:
        return bulk(material.formula, material.structure, a=material.a_A, c=material.c_A)
    except Exception as error:  # ASE raises many kinds
        what = f"is refused by ase.build.bulk ({error})" if str(error) else "is not a chemical formula"
        if isinstance(error, KeyError):
            what = f"names {error}, which is no element"
        raise ConfigError(
            f"material.formula: `{material.formula}` with structure `{material.structure}` {what}; give as many "
            "elements as the structure has, e.g. `CdSe` for wurtzite or `Au` for fcc."
        ) from error


def _spinel(material: Material) -> Atoms:
    """Build the primitive cell of a spinel AB₂X₄, space group 227 with its origin at the centre of inversion.

    A on 8a (1/8, 1/8, 1/8), B on 16d (1/2, 1/2, 1/2), X on 32e (u, u, u): Hill, Craig & Gibbs, Phys. Chem. Minerals 4
    (1979) 317. The distribution of like cations makes no difference to an image, so that inverse spinels of one metal, as
    magnetite, need no separate treatment.
    """
    assert material.formula is not None
    key = f"material.formula: `{material.formula}`"
    try:
        count = Formula(material.formula).count()
    except ValueError:
        raise ConfigError(f"{key} is not a chemical formula; give one like `MgAl2O4` or `Fe3O4`.") from None
    elements, shares = list(count), list(count.values())
    if shares not in ([1, 2, 4], [3, 4]):
        raise ConfigError(f"{key} is no spinel's; give one cation, two of another and four anions, or three of one.")
    symbols = elements if len(elements) == 3 else [elements[0], *elements]
    basis = [(0.125,) * 3, (0.5,) * 3, (material.u,) * 3]
    cell = [material.a_A] * 3 + [90] * 3
    try:
        return of_space_group(symbols, basis, spacegroup=227, setting=2, cellpar=cell, primitive_cell=True)
    except KeyError as error:
        raise ConfigError(f"{key}: there is no element {error}; give a formula like `MgAl2O4`.") from error


def lattice_direction(material: Material, crystal: Atoms, indices: tuple[int, int, int]) -> NDArray[np.float64]:
    """Direction of a lattice vector [u, v, w] in conventional indices.

    Parameters
    ----------
    material : Material
    crystal : ase.Atoms
        Its unit cell, primitive for many structures.
    indices : tuple of int
        In units of the conventional cell: the cube for cubic structures, whose edges are ASE's Cartesian axes; the
        unit cell itself for hexagonal ones and for files.

    Returns
    -------
    float array, (3,), [1]
        Unit vector in the crystal's Cartesian frame.
    """
    in_unit_cell = material.file is not None or material.structure in HEXAGONAL
    vector: NDArray[np.float64] = np.array(indices, float) @ (crystal.cell.array if in_unit_cell else np.eye(3))
    return vector / np.linalg.norm(vector)


def _read(path: Path, sha256: str | None) -> Atoms:
    frames = read_frames(
        path,
        sha256,
        key="material.file",
        what="a crystal file",
        valid="valid are CIF, extxyz, POSCAR and others, recognised by name and content",
        kind="crystal",
        last=True,
    )
    if not frames:
        raise ConfigError(f"material.file: {path} holds no atoms; give a crystal's unit cell.")
    return frames[-1]


def _problem(crystal: Atoms) -> str | None:
    """Return what makes a crystal unusable, or None."""
    if len(crystal) == 0:
        return "holds no atoms; give a crystal's unit cell."
    if not (np.isfinite(crystal.positions).all() and np.isfinite(crystal.cell.array).all()):
        return "has positions or cell vectors that are not numbers; check its lattice constants."
    if crystal.cell.rank < 3 or not crystal.pbc.all() or crystal.cell.volume < 1e-3:
        return "has no cell that is periodic along three axes; give a bulk crystal, not a molecule or a surface."
    if (crystal.numbers < 1).any():
        return "holds atoms of unknown elements; give every site an element's symbol."
    first, second, distance = neighbour_pairs(crystal)
    radii = covalent_radii[crystal.numbers]
    touching = distance / (radii[first] + radii[second])
    if touching.size and touching.min() < OVERLAP:
        worst = int(touching.argmin())
        pair = "–".join(crystal.symbols[[first[worst], second[worst]]])
        return f"has {pair} atoms only {distance[worst]:.3g} Å apart; check lattice constants and duplicate sites."
    return None


def neighbour_pairs(crystal: Atoms) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Find pairs of near atoms of the infinite crystal, including the nearest pair.

    No packing keeps all its N atoms in a volume V further apart than the close packing does,
    d ≤ 2^(1/6) (V/N)^(1/3) (Hales, Ann. Math. 162, 1065 (2005)); so a search up to 1.2 (V/N)^(1/3) finds a pair.

    Returns
    -------
    first, second : int arrays, (pair,)
        Sites of the unit cell.
    distance : float array, (pair,), [Å]
    """
    first, second, distance = neighbor_list("ijd", crystal, 1.2 * (crystal.cell.volume / len(crystal)) ** (1 / 3))  # type: ignore[no-untyped-call]  # ASE's
    return first, second, distance


def atoms_in_sphere(
    crystal: Atoms, centre_A: NDArray[np.float64], radius_A: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return all atoms of the infinite crystal within a distance of a point.

    Parameters
    ----------
    crystal : ase.Atoms
        Unit cell.
    centre_A : float array, (3,), [Å]
    radius_A : float, [Å]

    Returns
    -------
    site : int array, (atom,)
        Index of each atom's site in the unit cell.
    position : float array, (atom, 3), [Å]
    """
    cell: NDArray[np.float64] = crystal.cell.array
    inverse = np.linalg.inv(cell)
    # Planes of constant fractional coordinate i are 1/|column i of the inverse| apart.
    reach = radius_A * np.linalg.norm(inverse, axis=0)
    middle, sites = centre_A @ inverse, crystal.positions @ inverse
    low = np.floor(middle - reach - sites.max(axis=0)).astype(int)
    high = np.ceil(middle + reach - sites.min(axis=0)).astype(int)
    steps = np.stack(np.meshgrid(*(np.arange(a, b + 1) for a, b in zip(low, high, strict=True)), indexing="ij"), -1)
    position = (steps.reshape(-1, 1, 3) @ cell) + crystal.positions
    step, site = np.nonzero(np.sum((position - centre_A) ** 2, axis=-1) <= radius_A**2)
    return site, position[step, site]
