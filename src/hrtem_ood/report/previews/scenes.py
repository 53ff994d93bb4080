"""Structures of a structure set, along the beam and from the side."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import seaborn as sns
from ase import Atoms
from ase.data import chemical_symbols
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.physics.structures.recipe import StructureFileRecipe, StructureRecipe
from hrtem_ood.physics.structures.scene import draw_scene, prepare_recipe
from hrtem_ood.physics.structures.scene_files import read_scenes
from hrtem_ood.plotting import BLUE, GREEN, ORANGE, PURPLE, SCREEN_DPI, SKY, VERMILION, new_figure, render
from hrtem_ood.progress import track
from hrtem_ood.report.style import theme

FILM = "#C8C8C8"
COLOURS = (BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY)
"""Colours of elements. The usual colours of chemistry are too similar, such as the oranges of Cd and Se."""
WIDTH = 3.2
"""Width of one structure [inch]."""
CHARACTERS = 44
"""Characters of a title of that width, in one line."""


def first_scenes(campaign: Campaign, name: str, number: int) -> list[Atoms]:
    """Generate the first structures of a structure set, as the stage `build` does.

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
    recipe, number = campaign.recipe(name), min(number, campaign.config.structure_sets[name].n_structures)
    # progress starts before the first structure, as most errors of a set occur there
    return list(track(_scenes(recipe, number), f"structures of {name}", number))


def _scenes(recipe: StructureRecipe | StructureFileRecipe, number: int) -> Iterator[Atoms]:
    if isinstance(recipe, StructureFileRecipe):
        yield from read_scenes(recipe, 0, number)
        return
    crystal, fault = prepare_recipe(recipe)
    for index in range(number):
        yield draw_scene(recipe, crystal, fault, index)


def key_of(scenes: Sequence[Atoms]) -> dict[str, Any]:
    """Return the colours of elements and film.

    Parameters
    ----------
    scenes : sequence of ase.Atoms
        ``tags`` 0 are the film, 1 and more the particles.

    Returns
    -------
    dict of str to colour
        By symbol, of the particles' elements in order of atomic number; then the film, if there is one, by its name.
    """
    numbers = np.concatenate([scene.numbers for scene in scenes])
    tags = np.concatenate([scene.get_tags() for scene in scenes])  # type: ignore[no-untyped-call]  # ASE's
    body, film = (
        [chemical_symbols[number] for number in np.unique(numbers[chosen])] for chosen in (tags > 0, tags == 0)
    )
    colours = COLOURS if len(body) <= len(COLOURS) else sns.color_palette("husl", len(body))
    key: dict[str, Any] = dict(zip(body, colours, strict=False))
    return key | {f"film ({', '.join(film)})": FILM} if film else key


def draw_scenes_of(name: str, scenes: list[Atoms]) -> bytes:
    """Draw structures from above, along the beam, and from the side, with the beam upwards.

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
    key = key_of(scenes)
    heights = [scene.cell.lengths()[2] / scene.cell.lengths()[0] for scene in scenes]
    with theme():
        figure = new_figure(WIDTH * len(scenes) + 0.4, WIDTH * (1 + max(heights)) + 1.2)
        grid = figure.subplots(2, len(scenes), squeeze=False, height_ratios=[1, max(heights)])
        for column, scene in enumerate(scenes):
            x, y, z = scene.cell.lengths()
            _view(grid[0, column], scene, (0, 1), depth=2, size=(x, y), key=key)
            _view(grid[1, column], scene, (0, 2), depth=1, size=(x, z), key=key)
            grid[1, column].set_anchor("S")  # cells differ in height: align their lower edges
            grid[0, column].set_title(_describe(scene), fontsize=8)
            grid[0, column].set(xlabel="x [Å]", ylabel="y [Å]" if column == 0 else "")
            grid[1, column].set(xlabel="x [Å]", ylabel="z [Å], beam upwards" if column == 0 else "")
        title = f"{name}: along the beam (above), from the side (below)"
        figure.suptitle(textwrap.fill(title, CHARACTERS * len(scenes)), fontsize=9)
        figure.set_layout_engine("constrained", h_pad=0.08)
        handles = [_mark(label, colour) for label, colour in key.items()]
        figure.legend(handles=handles, loc="outside lower center", ncols=4 * len(scenes), frameon=False)
        (image,) = render(figure, ["png"], SCREEN_DPI)
        return image


def _mark(label: str, colour: Any) -> Line2D:
    edge = "none" if colour == FILM else "black"
    return Line2D(
        [], [], linestyle="none", marker="o", color=colour, markeredgecolor=edge, markeredgewidth=0.4, label=label
    )


def _view(
    axes: Axes,
    scene: Atoms,
    along: tuple[int, int],
    *,
    depth: int,
    size: tuple[float, float],
    key: Mapping[str, Any],
) -> None:
    # nearer atoms last: from the exit plane, or from y = 0
    order = np.argsort(scene.positions[:, depth] * (1 if depth == 2 else -1), kind="stable")
    tags = scene.get_tags()[order]  # type: ignore[no-untyped-call]  # ASE's
    points = scene.positions[order]
    symbols = [chemical_symbols[number] for number in scene.numbers[order]]
    axes.scatter(
        points[:, along[0]],
        points[:, along[1]],
        s=np.where(tags == 0, 3.0, 9.0) * (50 / size[0]) ** 1.2,
        c=[FILM if tag == 0 else key[symbol] for tag, symbol in zip(tags, symbols, strict=True)],
        edgecolors="black",
        linewidths=np.where(tags == 0, 0.0, 0.15).tolist(),
        rasterized=True,
    )
    axes.set(xlim=(0, size[0]), ylim=(0, size[1]), aspect="equal")


def _describe(scene: Atoms) -> str:
    tags = scene.get_tags()  # type: ignore[no-untyped-call]  # ASE's
    body = scene[tags > 0]
    formula = f"{body.symbols.formula.reduce()[0]:hill}"
    lines = [f"structure {scene.info['structure']}: {formula}, {len(body):,} of {len(scene):,} atoms"]
    if "radius_A" in scene.info:
        radii = ", ".join(f"{radius:.1f}" for radius in np.atleast_1d(scene.info["radius_A"]))
        faults = ", ".join(map(str, np.atleast_1d(scene.info["stacking_faults"])))
        lines.append(f"radius {radii} Å, stacking faults {faults}")
    return "\n".join(textwrap.fill(line, CHARACTERS) for line in lines)
