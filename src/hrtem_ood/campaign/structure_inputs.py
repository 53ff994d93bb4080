"""Checks of the crystal and structure files that a campaign names, before a run."""

from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.size_checks import too_many_slices
from hrtem_ood.config.structures import StructureSet
from hrtem_ood.errors import ConfigError
from hrtem_ood.physics.structures.recipe import StructureFileRecipe
from hrtem_ood.physics.structures.scene import prepare_recipe
from hrtem_ood.physics.structures.scene_files import read_scenes


def check_inputs(campaign: Campaign) -> None:
    """Read all files that the structure sets of a campaign name, and make the checks that need no drawn structures.

    Raises
    ------
    ConfigError
        Lists every mistake with its key.
    """
    problems = []
    for name in campaign.used_structure_sets:
        recipe, structure_set = campaign.recipe(name), campaign.config.structure_sets[name]
        try:
            if isinstance(recipe, StructureFileRecipe):
                scenes = read_scenes(recipe, 0, structure_set.n_structures)
                height_A = max((float(scene.cell.lengths()[2]) for scene in scenes), default=0.0)
                problem = too_many_slices(height_A, campaign.config.simulation.slice_thickness_A)
                if problem:
                    raise ConfigError(f"file: {problem}")
            else:
                prepare_recipe(recipe)
        except ConfigError as error:
            # messages of recipes begin below the name of the entry
            message = str(error)
            if isinstance(structure_set, StructureSet) and message.startswith("material."):
                problems.append(f"materials.{structure_set.material}.{message.removeprefix('material.')}")
            else:
                problems.append(f"structure_sets.{name}.{message}")
    if problems:
        raise ConfigError("\n".join(dict.fromkeys(problems)))
