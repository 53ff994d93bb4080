"""Requirements on scenes, checked before their simulation."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from abtem.parametrizations import validate_parametrization
from ase import Atoms
from ase.data import chemical_symbols

from hrtem_ood.errors import ArtifactError, ConfigError
from hrtem_ood.physics.simulation.parameters import Simulation

TOLERANCE_A = 1e-6


def check_structures(scenes: Sequence[Atoms], simulation: Simulation, path: Path) -> None:
    """Check the scenes of a shard.

    Parameters
    ----------
    scenes : sequence of ase.Atoms
    simulation : Simulation
    path : Path
        Named in errors.

    Raises
    ------
    ArtifactError
        When a scene has no atoms or no particles, positions that are no numbers or beyond the cell's height, a cell that
        is not orthogonal or not square, or one other than the first scene's.
    ConfigError
        If the parametrisation lacks an element.
    """
    for scene in scenes:
        wrong = _wrong_atoms(scene) or _wrong_cell(scene, scenes[0])
        if wrong:
            raise ArtifactError(f"{path}: structure {scene.info.get('structure')} {wrong}")
    elements = validate_parametrization(simulation.parametrization).parameters
    present = {chemical_symbols[number] for scene in scenes for number in np.unique(scene.numbers)}
    missing = sorted(present - set(elements))
    if missing:
        raise ConfigError(
            f"simulation.parametrization: `{simulation.parametrization}` lacks {', '.join(missing)}, which {path} has; "
            f"valid are {', '.join(elements)}."
        )


def _wrong_atoms(scene: Atoms) -> str | None:
    if not len(scene):
        return "holds no atoms; nothing would scatter."
    if not np.isfinite(scene.positions).all():
        return (
            f"has {np.count_nonzero(~np.isfinite(scene.positions).all(axis=1))} atoms whose positions are no numbers."
        )
    if not (np.asarray(scene.arrays.get("tags", 0)) >= 1).any():
        return "holds no particle: none of its atoms has a tag of 1 or more."
    return None


def _wrong_cell(scene: Atoms, first: Atoms) -> str | None:
    cell = np.asarray(scene.cell)
    sides = np.diag(cell)
    if np.abs(cell - np.diag(sides)).max() > TOLERANCE_A or sides.min() <= 0:
        return "has a cell that is not orthogonal along x, y and z; the beam travels along z, and needs such a cell."
    if abs(sides[0] - sides[1]) > TOLERANCE_A:
        return f"has a cell of {sides[0]:g} Å by {sides[1]:g} Å; it must be square."
    if abs(sides[0] - first.cell[0, 0]) > TOLERANCE_A:
        return (
            f"has a cell {sides[0]:g} Å wide, but the first of the file one of {first.cell[0, 0]:g} Å; they must agree."
        )
    low, high = scene.positions[:, 2].min(), scene.positions[:, 2].max()
    if low < -TOLERANCE_A or high > sides[2] + TOLERANCE_A:
        return f"has atoms from z = {low:g} Å to {high:g} Å, beyond its cell of 0 to {sides[2]:g} Å: is the cell another scene's?"
    return None
