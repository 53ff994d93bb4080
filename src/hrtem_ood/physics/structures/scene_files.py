"""Scenes from a user's file: read unchanged, and checked for the assumptions of the simulation."""

from pathlib import Path
from typing import Literal

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols
from scipy.spatial import cKDTree

from hrtem_ood.errors import ConfigError
from hrtem_ood.physics.structures.atom_files import read_frames
from hrtem_ood.physics.structures.carbon import wrap_and_round
from hrtem_ood.physics.structures.recipe import StructureFileRecipe

CARBON = 6

CELL_TOLERANCE_A = 1e-4
"""Largest difference of a cell's side from the configuration's [Å]."""

FACE_A = 1e-6
"""Largest distance of atoms outside the cell along z that counts as rounding [Å]."""

NEAREST_A = 0.5
"""Smallest distance of two atoms [Å]: the shortest bond, of hydrogen, is 0.74 Å long."""


def read_scenes(recipe: StructureFileRecipe, start: int, stop: int) -> list[Atoms]:
    """Read scenes ``start`` to ``stop`` (excluded) of a file.

    Parameters
    ----------
    recipe : StructureFileRecipe
    start, stop : int

    Returns
    -------
    list of ase.Atoms
        As :func:`hrtem_ood.physics.structures.scene.draw_scene` makes them: positions [Å] wrapped into the cell across the beam,
        ``tags`` 0 for the film and 1 and more for particles, and the index in ``info["structure"]``.

    Raises
    ------
    ConfigError
        Names file and scene, what is wrong with it, and what would be valid.
    ArtifactError
        If the file does not have the digest ``sha256``.
    """
    path = Path(recipe.file)
    frames = read_frames(
        path,
        recipe.sha256,
        key="file",
        what="a file of structures",
        valid="extended XYZ is best, one frame for each structure",
        kind="structures",
    )
    if len(frames) < stop:
        raise ConfigError(
            f"file: {path} holds {len(frames)} structures, but `n_structures` needs {stop} or more; use {len(frames)}."
        )
    scenes = []
    for index in range(start, stop):
        problem = _problem(frames[index], recipe)
        if problem:
            raise ConfigError(f"file: {path}, structure {index}: {problem}")
        scenes.append(_scene(frames[index], recipe, index))
    return scenes


def _problem(frame: Atoms, recipe: StructureFileRecipe) -> str | None:
    """Return what makes a scene unusable, or None."""
    if len(frame) == 0:
        return "holds no atoms; give at least one particle."
    positions, cell = frame.positions, frame.cell.array
    if not np.isfinite(positions).all():
        atom = int(np.flatnonzero(~np.isfinite(positions).all(axis=1))[0])
        return f"the position of atom {atom} is not a number; check the file."
    if not np.isfinite(cell).all() or np.abs(cell - np.diag(np.diag(cell))).max() > CELL_TOLERANCE_A:
        return 'the cell is not orthogonal with its edges along x, y and z; give Lattice="a 0 0 0 a 0 0 0 c".'
    sides = np.diag(cell)
    if np.abs(sides[:2] - recipe.cell_A).max() > CELL_TOLERANCE_A:
        return (
            f"the cell is {sides[0]:g} × {sides[1]:g} Å across the beam, but cell_A = {recipe.cell_A:g}; cells must be "
            "square, and cell_A their side."
        )
    if sides[2] <= 0:
        return "the cell has no height along z; give one that holds all atoms."
    low, high = positions[:, 2].min(), positions[:, 2].max()
    if low < -FACE_A or high > sides[2] + FACE_A:
        return (
            f"atoms lie at z from {low:g} to {high:g} Å, but the cell goes from 0 to {sides[2]:g} Å and is not periodic along "
            "the beam; shift the atoms, or make the cell higher."
        )
    unknown = sorted(set(frame.numbers[(frame.numbers < 1) | (frame.numbers >= len(chemical_symbols))].tolist()))
    if unknown:
        return "has atoms of unknown elements; give every atom an element's symbol."
    if recipe.film == "tags" and "tags" not in frame.arrays:
        return (
            "has no column `tags`, which film: tags reads; add tags:I:1 to its properties, or use film: carbon or none."
        )
    if not (_tags(frame, recipe.film) > 0).any():
        return (
            f"holds no atom of a particle with film: {recipe.film}; valid are carbon (all but carbon is particle), tags "
            "(tags of 1 and more are) and none (all atoms are)."
        )
    return _too_near(frame)


def _too_near(frame: Atoms) -> str | None:
    """Return a message about two atoms that are too near, or None; the cell is periodic across the beam."""
    period = np.array([*np.diag(frame.cell.array)[:2], 0.0])
    pairs = cKDTree(wrap_and_round(frame.positions, period), boxsize=period).query_pairs(
        NEAREST_A, output_type="ndarray"
    )
    if not len(pairs):
        return None
    first, second = pairs[np.lexsort(pairs.T[::-1])[0]].tolist()
    apart = frame.positions[first] - frame.positions[second]
    apart[:2] -= period[:2] * np.round(apart[:2] / period[:2])
    return (
        f"atoms {first} and {second} are {np.linalg.norm(apart):.3g} Å apart; no bond is shorter than {NEAREST_A:g} Å, so one of "
        "them is a duplicate."
    )


def _tags(frame: Atoms, film: Literal["tags", "carbon", "none"]) -> np.ndarray:
    if film == "tags":
        return np.asarray(frame.arrays["tags"])
    return np.ones(len(frame), int) if film == "none" else (frame.numbers != CARBON).astype(int)


def _scene(frame: Atoms, recipe: StructureFileRecipe, index: int) -> Atoms:
    sides = np.array([recipe.cell_A, recipe.cell_A, frame.cell.array[2, 2]])
    return Atoms(
        numbers=frame.numbers,
        positions=wrap_and_round(frame.positions, np.array([*sides[:2], 0.0])),
        tags=_tags(frame, recipe.film),
        cell=sides,
        pbc=(True, True, False),
        info={"structure": index},
    )
