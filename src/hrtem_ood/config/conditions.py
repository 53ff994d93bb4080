"""The section `conditions`: grids of imaging conditions."""

from hrtem_ood.config.grids import grid_model
from hrtem_ood.physics.optics.condition import Condition

ConditionGrid = grid_model(
    "ConditionGrid", Condition, "A grid of imaging conditions: the outer product of the values of every key."
)
