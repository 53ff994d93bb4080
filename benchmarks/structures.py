"""How long scenes take: 12.8 nm wide, up to five particles with faults, on films of 2 to 8 nm of carbon."""

from functools import partial
from statistics import median

from report import Budget, alternate, report

from hrtem_ood.physics.structures.crystal import unit_cell
from hrtem_ood.physics.structures.parameters import Material, Particles, Substrate
from hrtem_ood.physics.structures.recipe import StructureRecipe
from hrtem_ood.physics.structures.scene import draw_scene
from hrtem_ood.physics.structures.stacking_faults import stacking_fault

FILMS_A = (20, 50, 80)
REPEATS = 3


def recipe(thickness_A: float) -> StructureRecipe:
    """Return a recipe as large as the campaign's at full size."""
    return StructureRecipe(
        material=Material(preset="CdSe"),
        seed=1,
        cell_A=128,
        particles=Particles(count=(1, 5), radius_A=(10, 20), stacking_faults=(0, 2)),
        substrate=Substrate(thickness_A=thickness_A),
        vacuum_A=5,
    )


def main() -> None:
    """Measure and report."""
    crystal = unit_cell(Material(preset="CdSe"))
    fault = stacking_fault(crystal, Material(preset="CdSe"))
    counter = iter(range(10**6))

    def draw(thickness_A: float) -> None:
        draw_scene(recipe(thickness_A), crystal, fault, next(counter))

    works = {f"scene on {thickness_A} Å of carbon [s]": partial(draw, thickness_A) for thickness_A in FILMS_A}
    figures = {name: median(seconds) for name, seconds in alternate(works, REPEATS).items()}
    figures["atoms on 80 Å of carbon"] = float(len(draw_scene(recipe(80), crystal, fault, 0)))
    report(
        "structures",
        figures,
        [Budget(f"scene on {FILMS_A[-1]} Å of carbon [s]", 5, "max")],
        [f"12.8 nm cell, 1 to 5 particles with up to two stacking faults; medians of {REPEATS}."],
    )


if __name__ == "__main__":
    main()
