"""Checks of the crystals and structure files that a campaign names, before anything is made."""

from hrtem_ood.campaign.campaign import Campaign
from hrtem_ood.campaign.size_checks import too_many_slices
from hrtem_ood.config.structures import StructureSet
from hrtem_ood.errors import ConfigError
from hrtem_ood.physics.structures.recipe import StructureFileRecipe
from hrtem_ood.physics.structures.scene import prepare_recipe
from hrtem_ood.physics.structures.scene_files import read_scenes


def check_inputs(campaign: Campaign) -> None:
    """Read all that the structure sets of a campaign name, and check what can be before scenes are drawn.

    Raises
    ------
    ConfigError
        Names every mistake, each by its key.
    """
    found = []
    for name in campaign.used_structure_sets:
        recipe, wanted = campaign.recipe(name), campaign.config.structure_sets[name]
        try:
            if isinstance(recipe, StructureFileRecipe):
                scenes = read_scenes(recipe, 0, wanted.n_structures)
                height_A = max((float(scene.cell.lengths()[2]) for scene in scenes), default=0.0)
                problem = too_many_slices(height_A, campaign.config.simulation.slice_thickness_A)
                if problem:
                    raise ConfigError(f"file: {problem}")
            else:
                prepare_recipe(recipe)
        except ConfigError as error:
            # stages know no names, only what is under them
            message = str(error)
            if isinstance(wanted, StructureSet) and message.startswith("material."):
                found.append(f"materials.{wanted.material}.{message.removeprefix('material.')}")
            else:
                found.append(f"structure_sets.{name}.{message}")
    if found:
        raise ConfigError("\n".join(dict.fromkeys(found)))
