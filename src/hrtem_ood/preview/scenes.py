"""Scenes of a structure set, seen along the beam and from the side."""

import io

import matplotlib as mpl
import numpy as np
from ase import Atoms
from ase.data.colors import jmol_colors
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.specs import FileRecipe
from hrtem_ood.structures.own import read_scenes
from hrtem_ood.structures.stage import draw_scenes

FILM = "#C8C8C8"
DPI = 130


def first_scenes(campaign: Campaign, name: str, number: int) -> list[Atoms]:
    """Make the first scenes of a structure set, as the stage `build` does.

    Parameters
    ----------
    campaign : Campaign
    name : str
        Of the structure set.
    number : int
        At most that many.

    Returns
    -------
    list of ase.Atoms
    """
    recipe, number = campaign.recipe(name), min(number, campaign.config.structure_sets[name].structures)
    return (
        read_scenes(recipe, 0, number) if isinstance(recipe, FileRecipe) else draw_scenes(recipe, list(range(number)))
    )


def draw_scenes_of(name: str, scenes: list[Atoms]) -> bytes:
    """Draw scenes from above, along the beam, and from the side, with the beam upwards.

    Parameters
    ----------
    name : str
        Of the structure set.
    scenes : list of ase.Atoms
        ``tags`` 0 are the film, 1 and more the particles.

    Returns
    -------
    bytes
        A PNG.
    """
    heights = [scene.cell.lengths()[2] / scene.cell.lengths()[0] for scene in scenes]
    width = 3.2
    with mpl.rc_context({"font.size": 8, "font.family": "DejaVu Sans"}):
        figure = Figure(figsize=(width * len(scenes) + 0.4, width * (1 + max(heights)) + 0.9), layout="constrained")
        grid = figure.subplots(2, len(scenes), squeeze=False, height_ratios=[1, max(heights)])
        for column, scene in enumerate(scenes):
            x, y, z = scene.cell.lengths()
            _view(grid[0, column], scene, (0, 1), depth=2, size=(x, y))
            _view(grid[1, column], scene, (0, 2), depth=1, size=(x, z))
            grid[0, column].set_title(_told(scene), fontsize=8)
            grid[0, column].set_ylabel("y [Å]" if column == 0 else "")
            grid[1, column].set(xlabel="x [Å]", ylabel="z [Å], beam upwards" if column == 0 else "")
        figure.suptitle(f"{name}: along the beam (above), from the side (below)", fontsize=9)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return buffer.getvalue()


def _view(axes: Axes, scene: Atoms, along: tuple[int, int], *, depth: int, size: tuple[float, float]) -> None:
    # nearer atoms last: from the exit plane, or from y = 0
    order = np.argsort(scene.positions[:, depth] * (1 if depth == 2 else -1), kind="stable")
    tags = scene.get_tags()  # type: ignore[no-untyped-call]  # ASE's
    colours = jmol_colors[scene.numbers].astype(object)
    colours = [FILM if tag == 0 else tuple(colour) for tag, colour in zip(tags, colours, strict=True)]
    points = scene.positions[order]
    area = np.where(tags[order] == 0, 3.0, 9.0) * (50 / size[0]) ** 1.2
    axes.scatter(
        points[:, along[0]],
        points[:, along[1]],
        s=area,
        c=[colours[atom] for atom in order],
        edgecolors="black",
        linewidths=np.where(tags[order] == 0, 0.0, 0.15).tolist(),
        rasterized=True,
    )
    axes.set(xlim=(0, size[0]), ylim=(0, size[1]), aspect="equal")


def _told(scene: Atoms) -> str:
    tags = scene.get_tags()  # type: ignore[no-untyped-call]  # ASE's
    body = scene[tags > 0]
    told = f"scene {scene.info['structure']}: {body.symbols.formula.reduce()[0]:hill}, {len(body):,} of {len(scene):,} atoms"
    if "radius_A" in scene.info:
        radii = ", ".join(f"{radius:.0f}" for radius in np.atleast_1d(scene.info["radius_A"]))
        told += (
            f"\nradius {radii} Å, stacking faults {', '.join(map(str, np.atleast_1d(scene.info['stacking_faults'])))}"
        )
    return told
