"""Names of what `report` writes, below its folder. Light to import: the workflow reads it."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hrtem_ood.campaign.campaign import Campaign

FIGURE_NAMES = (
    "examples",
    "ctf",
    "power",
    "ood_matrix",
    "gap",
    "league",
    "forecast",
    "structures",
    "design",
    "learning_curves",
)

TABLE_NAMES = (
    "ood_matrix",
    "gap",
    "predictors",
    "networks",
    "conditions",
    "architectures",
    "signs_of_trouble",
    "league",
    "forecast",
    "calibration",
    "compare",
    "compare_networks",
    "learning_curves",
)

REPORT = "report.html"


def figure_names(campaign: "Campaign | None" = None) -> tuple[str, ...]:
    """Names of the figures of a campaign; without one, of all that any may have."""
    left = _nothing_for(campaign)
    return tuple(name for name in FIGURE_NAMES if name not in left)


def table_names(campaign: "Campaign | None" = None) -> tuple[str, ...]:
    """Names of the tables of a campaign; without one, of all that any may have."""
    left = _nothing_for(campaign)
    return tuple(name for name in TABLE_NAMES if name not in left)


def report_files(campaign: "Campaign | None" = None) -> list[str]:
    """Names of all files; the report, which is written last, comes first."""
    figures = [f"figures/{name}.{kind}" for name in figure_names(campaign) for kind in ("png", "svg")]
    return [REPORT, *figures, *(f"tables/{name}.csv" for name in table_names(campaign))]


def _nothing_for(campaign: "Campaign | None") -> set[str]:
    """Names of what the configuration asks nothing for."""
    if campaign is None:
        return set()
    left = set() if campaign.config.analysis.compare_training_sets else {"design", "compare", "compare_networks"}
    recipes = {campaign.recipe_id(name) for name in campaign.used_structure_sets}
    return left | ({"structures"} if len(recipes) == 1 else set())
