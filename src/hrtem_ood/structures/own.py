"""Scenes of one's own, from a file: read as they are, and checked for what simulation takes for granted."""

import hashlib
from pathlib import Path
from typing import Literal

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols
from ase.io import read

from hrtem_ood.campaign.specs import FileRecipe
from hrtem_ood.errors import ArtefactError, ConfigError
from hrtem_ood.structures.carbon import on_grid

CARBON = 6

CELL_TOLERANCE_A = 1e-4
"""By which a cell's side may differ from the configuration's [Å]."""


def read_scenes(recipe: FileRecipe, start: int, stop: int) -> list[Atoms]:
    """Read scenes ``start`` to ``stop`` (excluded) of a file.

    Parameters
    ----------
    recipe : FileRecipe
    start, stop : int

    Returns
    -------
    list of ase.Atoms
        As :func:`hrtem_ood.structures.scene.draw_scene` makes them: positions [Å] wrapped into the cell across the beam,
        ``tags`` 0 for the film and 1 and more for particles, and the index in ``info["structure"]``.

    Raises
    ------
    ConfigError
        Names file and scene, what is wrong with it, and what would be valid.
    ArtefactError
        When the file is not the one that ``sha256`` names.
    """
    path = Path(recipe.scenes)
    key = f"structure_sets: scenes: {path}"
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ConfigError(f"{key} cannot be read ({error.strerror}); give the path of a file of scenes.") from error
    if recipe.sha256 is not None and found != recipe.sha256:
        raise ArtefactError(
            f"{path} has changed: its sha256 is {found}, and {recipe.sha256} is asked for. "
            "Restore the file, or run snakemake again to use the new one."
        )
    try:
        frames = read(path, index=":")
        assert isinstance(frames, list)
    except Exception as error:  # ASE raises whatever its parsers stumble on
        raise ConfigError(
            f"{key} is no file of scenes that ASE reads ({type(error).__name__}: {error}); extended XYZ is best."
        ) from error
    if len(frames) < stop:
        raise ConfigError(
            f"{key} holds {len(frames)} scenes, but `structures` asks for {stop} or more; ask for {len(frames)}."
        )
    scenes = []
    for index in range(start, stop):
        problem = _problem(frames[index], recipe)
        if problem:
            raise ConfigError(f"{key}, scene {index}: {problem}")
        scenes.append(_scene(frames[index], recipe, index))
    return scenes


def _problem(frame: Atoms, recipe: FileRecipe) -> str | None:
    """Tell what makes a scene unusable, if anything."""
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
    if low < 0 or high > sides[2]:
        return (
            f"atoms lie at z from {low:g} to {high:g} Å, but the cell goes from 0 to {sides[2]:g} Å; shift the atoms, or "
            "make the cell higher."
        )
    unknown = sorted(set(frame.numbers[(frame.numbers < 1) | (frame.numbers >= len(chemical_symbols))].tolist()))
    if unknown:
        return "has atoms of no known element; give every atom an element's symbol."
    if recipe.film == "tags" and "tags" not in frame.arrays:
        return (
            "has no column `tags`, which film: tags reads; add tags:I:1 to its properties, or use film: carbon or none."
        )
    if not (_tags(frame, recipe.film) > 0).any():
        return (
            f"holds no atom of a particle with film: {recipe.film}; valid are carbon (all but carbon is particle), tags "
            "(tags of 1 and more are) and none (all atoms are)."
        )
    return None


def _tags(frame: Atoms, film: Literal["tags", "carbon", "none"]) -> np.ndarray:
    if film == "tags":
        return np.asarray(frame.arrays["tags"])
    return np.ones(len(frame), int) if film == "none" else (frame.numbers != CARBON).astype(int)


def _scene(frame: Atoms, recipe: FileRecipe, index: int) -> Atoms:
    sides = np.array([recipe.cell_A, recipe.cell_A, frame.cell.array[2, 2]])
    return Atoms(
        numbers=frame.numbers,
        positions=on_grid(frame.positions, np.array([*sides[:2], 0.0])),
        tags=_tags(frame, recipe.film),
        cell=sides,
        pbc=(True, True, False),
        info={"structure": index},
    )
